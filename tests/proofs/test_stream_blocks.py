"""Dropout for ever: the output's rule, and a queue with room for all that the pipeline holds."""

from unittest.mock import patch

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module
from prover import Proof, harness

from hwconv.dropout import DropoutSpec
from hwconv.gateware.dropout import Dropout
from hwconv.gateware.stream import Queue
from hwconv.plan.dropout import plan_dropout


class Forgetful(Queue):
    """A queue that counts a payload twice when none is taken."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        with m.If(self.push & ~self.o.ready):
            m.d.sync += self.filled.eq(Cat(1, 1, self.filled))  # the later assignment counts
        return m


def dropout_proof(mode: str = "prove", depth: int = 3) -> Proof:
    """A block whose frames are two beats of a value each."""
    config = plan_dropout(DropoutSpec(height=1, width=1, channels=2), 1).config
    stages = [f"\\dut.core.valid_d{stage} " for stage in range(config.latency, 0, -1)]
    wires = "".join(f"    (* hierconn *) wire {name};\n" for name in stages)
    text = harness("dropout.sv")["dropout.sv"]
    text = text.replace("    // Beats behind", wires + "    // Beats behind").replace("PIPELINE", ", ".join(stages))
    files = {
        "dut.il": rtlil.convert(Dropout(config), name="dut", emit_src=False),
        **harness("free_blocks.v"),
        **harness("stream_rules.sv"),
        "dropout.sv": text,
    }
    return Proof(files=files, top="dropout_harness", mode=mode, depth=depth)


def test_the_output_keeps_the_rules_and_the_queue_never_overflows():
    assert dropout_proof().run().proven


@pytest.mark.proof
def test_the_queue_can_be_full():
    assert dropout_proof("cover", depth=60).run().proven


def test_a_queue_that_loses_count_is_found_out():
    with patch("hwconv.gateware.dropout.Queue", Forgetful):
        assert not dropout_proof().run().proven
