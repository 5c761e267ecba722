"""Dropout and statistics for ever: the output's rule, and a queue with room for all that the pipeline holds."""

from unittest.mock import patch

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module
from prover import Proof, harness

from hwconv.dropout import DropoutSpec
from hwconv.gateware.dropout import Dropout
from hwconv.gateware.mc_statistics import Statistics
from hwconv.gateware.stream import Queue
from hwconv.mc_statistics import StatisticsSpec
from hwconv.plan.dropout import plan_dropout
from hwconv.plan.mc_statistics import ACCUMULATE_LATENCY, VARIANCE_LATENCY, StatisticsConfig, plan_statistics


class Forgetful(Queue):
    """A queue that counts a payload twice when none is taken."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        with m.If(self.push & ~self.o.ready):
            m.d.sync += self.filled.eq(Cat(1, 1, self.filled))  # the later assignment counts
        return m


def delays(name: str, stages: int, first: str = "") -> list[str]:
    """The registers of a delayed signal, the latest first, and what they delay."""
    return [f"\\dut.core.{name}_d{stage} " for stage in range(stages, 0, -1)] + (
        [f"\\dut.core.{first} "] if first else []
    )


def block_proof(block: object, name: str, stages: dict[str, list[str]], mode: str, depth: int) -> Proof:
    """A block in its harness, the wires of its stages filled in."""
    text = harness(name)[name]
    wires = dict.fromkeys(wire for each in stages.values() for wire in each)
    declared = "".join(f"    (* hierconn *) wire {wire};\n" for wire in wires)
    text = text.replace("    // Beats behind", declared + "    // Beats behind")
    for placeholder, each in stages.items():
        text = text.replace(f"{{{placeholder}}}", "{" + ", ".join(each) + "}")
    files = {
        "dut.il": rtlil.convert(block, name="dut", emit_src=False),
        **harness("free_blocks.v"),
        **harness("stream_rules.sv"),
        name: text,
    }
    return Proof(files=files, top=name.replace(".sv", "_harness"), mode=mode, depth=depth)


def dropout_proof(mode: str = "prove", depth: int = 3) -> Proof:
    """Frames of two beats of a value each."""
    config = plan_dropout(DropoutSpec(height=1, width=1, channels=2), 1).config
    stages = {"PIPELINE": delays("valid", config.latency, "guard.valid")}
    return block_proof(Dropout(config), "dropout.sv", stages, mode, depth)


def statistics_proof(mode: str = "prove", depth: int = 3) -> Proof:
    config = plan_statistics(StatisticsSpec(height=1, width=1, channels=3, passes=2), 2).config
    assert config.queue_depth == 32
    stages = {
        "VALID": delays("accumulator.valid", ACCUMULATE_LATENCY, "guard.valid"),
        "RESULTS": [*delays("results", ACCUMULATE_LATENCY), "\\dut.core.last_pass_d1 "],
        "LAST": delays("last", ACCUMULATE_LATENCY, "guard.last"),
        "PUSHED": delays("push", VARIANCE_LATENCY),
    }
    return block_proof(Statistics(config), "statistics.sv", stages, mode, depth)


PROOFS = {"dropout": dropout_proof, "statistics": statistics_proof}
every_block = pytest.mark.parametrize("name", PROOFS)


@every_block
def test_the_output_keeps_the_rules_and_the_queue_never_overflows(name):
    assert PROOFS[name]().run().proven


@pytest.mark.proof
@every_block
def test_the_queue_fills(name):
    assert PROOFS[name]("cover", depth=60).run().proven


@every_block
def test_a_queue_that_loses_count_is_found_out(name):
    with patch("hwconv.gateware.dropout.Queue", Forgetful), patch("hwconv.gateware.mc_statistics.Queue", Forgetful):
        assert not PROOFS[name]().run().proven


def test_results_that_overtake_those_before_are_found_out():
    with patch.object(StatisticsConfig, "pause", lambda self, last_pass, final: 1):
        assert not statistics_proof().run().proven
