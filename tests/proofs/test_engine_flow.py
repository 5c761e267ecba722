"""Tiny engines with any source, any sink and any data: no row, result or verdict is lost, and nothing waits for ever.

Bounded proofs: every run of so many cycles from a reset, which is more than two frames of one layer take, or one of a
program and the first layer of the next.
"""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import pytest
from amaranth.hdl import Module, Value
from amaranth.lib.wiring import Component
from tiny import ENGINES, engine_config, engine_proof

from hwconv.gateware.address_generator import AddressGenerator
from hwconv.gateware.drain import Drain
from hwconv.gateware.frame_receiver import FrameReceiver
from hwconv.gateware.output_buffer import OutputBuffer
from hwconv.gateware.row_ledger import RowLedger, WritePermission
from hwconv.gateware.sequencer import Sequencer
from hwconv.gateware.stream import SkidBuffer
from hwconv.plan.config import EngineConfig

CYCLES = {
    # 20 to clear the array, two frames of 16, and what a frame takes to its results or to its last beat.
    "dense": {"ROWS": 64, "RESULTS": 92, "CARRIED": 92, "UNITS": 92, "ENVIRONMENT": 92, "PROGRESS": 96},
    # Two frames of 18: its input takes longer than its array.
    "depthwise": {"ROWS": 76, "RESULTS": 98, "CARRIED": 112, "UNITS": 98, "ENVIRONMENT": 98, "PROGRESS": 108},
    # A frame leaves after some 95; the next one's first layer is then computed, over buffers that were read before.
    "program": {"ROWS": 132, "RESULTS": 132, "CARRIED": 132, "UNITS": 132, "ENVIRONMENT": 132, "PROGRESS": 136},
}

pytestmark = pytest.mark.proof

ENGINE = "hwconv.gateware.engine."

every_engine = pytest.mark.parametrize("engine", ENGINES)


def proof(part, engine, mode="bmc"):
    return engine_proof(part, CYCLES[engine][part], mode, engine=engine)


@every_engine
@pytest.mark.parametrize("part", ["ROWS", "RESULTS", "CARRIED", "UNITS", "ENVIRONMENT", "PROGRESS"])
def test_an_engine_keeps_its_rules(part, engine):
    assert proof(part, engine).run().proven


@every_engine
@pytest.mark.parametrize("part", ["ROWS", "CARRIED", "PROGRESS"])
def test_what_the_rules_speak_of_happens(part, engine):
    assert proof(part, engine, "cover").run().proven


@every_engine
def test_what_waits_happens(engine):
    assert engine_proof("STREAMS", CYCLES[engine]["RESULTS"], "cover", engine=engine).run().proven


def test_a_writer_that_overruns_the_ring_is_found_out():
    with patch(ENGINE + "WritePermission", lambda config: WritePermission(replace(config, row_margin=-1))):
        assert proof("ROWS", "dense").run().refuted


def changed(config: EngineConfig, layer: int, **changes: object) -> EngineConfig:
    """The engine with another layer in a layer's place."""
    passes = list(config.passes)
    passes[layer] = replace(passes[layer], **changes)
    return replace(config, passes=tuple(passes))


def test_a_tile_that_starts_before_its_rows_is_found_out():
    eager = {"top": 1}  # the ledger believes in a row of padding that is not there
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(changed(config, 0, **eager), shape)):
        assert proof("ROWS", "dense").run().refuted


def test_a_layer_that_starts_before_the_last_rows_of_the_one_before_is_found_out():
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(changed(config, 1, height=2), shape)):
        assert proof("ROWS", "program").run().refuted


def built_for(block: type[Component], other: Callable[[EngineConfig], EngineConfig]) -> type[Component]:
    """A block that is built for another engine than the one it is in."""

    class Mistaken(block):
        def __init__(self, config: EngineConfig) -> None:
            super().__init__(other(config))

    return Mistaken


def test_a_wrong_address_is_found_out():
    with patch(ENGINE + "AddressGenerator", built_for(AddressGenerator, lambda each: changed(each, 0, stride=(1, 2)))):
        assert proof("ROWS", "dense").run().refuted


class SameWordGroup(AddressGenerator):
    """Reads the first word of a pixel for every word group."""

    def marks_from(self, sequencer: Sequencer) -> list:
        return [*super().marks_from(sequencer)[:-2], self.next_pixels.eq(sequencer.next_pixels | sequencer.next_group)]


def test_channels_of_another_word_group_are_found_out():
    with patch(ENGINE + "AddressGenerator", SameWordGroup):
        assert proof("ROWS", "depthwise").run().refuted


def test_frame_buffers_that_overlap_are_found_out():
    # By more than a word: the last word of a frame is read before the first result of its layer comes.
    base = engine_config("program").passes[1].activation_base - 4

    def overlapping(config):
        return changed(config, 1, activation_base=base)

    with (
        patch(ENGINE + "FrameReceiver", built_for(FrameReceiver, overlapping)),
        patch(ENGINE + "AddressGenerator", built_for(AddressGenerator, overlapping)),
    ):
        assert proof("ROWS", "program").run().refuted


def test_a_layer_that_follows_too_soon_is_found_out():
    with patch("hwconv.plan.settling.SETTLING_CYCLES", 1):
        assert proof("ROWS", "program").run().refuted


def test_a_sender_that_mistakes_the_layers_is_found_out():
    def reversed_(config):
        return replace(config, passes=tuple(reversed(config.passes)))

    with patch(ENGINE + "OutputBuffer", built_for(OutputBuffer, reversed_)):
        assert proof("RESULTS", "program").run().refuted


class Hasty(SkidBuffer):
    """Gives what comes now beside the valid of what came before."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += Value.cast(self.o.p).eq(Value.cast(self.i.p))  # the later assignment counts
        return m


def test_a_way_back_that_mixes_up_beats_is_found_out():
    with patch(ENGINE + "SkidBuffer", Hasty):
        assert proof("CARRIED", "program").run().refuted


class Endless(OutputBuffer):
    """Marks no word as the last of its frame."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.o.last.eq(0)
        return m


@pytest.mark.parametrize("engine", ["dense", "program"])
def test_frames_that_never_end_are_found_out(engine):
    with patch(ENGINE + "OutputBuffer", Endless):
        assert proof("CARRIED", engine).run().refuted


def test_a_ledger_that_counts_a_unit_too_many_is_found_out():
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(replace(config, units=config.units + 1), shape)):
        assert engine_proof("UNITS", 110, "bmc").run().refuted


def test_a_queue_that_forgets_what_is_in_flight_is_found_out():
    short = patch(ENGINE + "OUTPUT_QUEUE", 4), patch("proof_engines.OUTPUT_QUEUE", 4)
    with short[0], short[1], patch(ENGINE + "OutputBuffer.in_flight", 0):
        assert engine_proof("QUEUE", 90, "bmc").run().refuted
        assert engine_proof("CARRIED", 110, "bmc").run().refuted


class ForgetfulDrain(Drain):
    """Moves no row but the first out of the array."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(replace(config, pixels=1))


def test_a_drain_that_leaves_rows_in_the_array_is_found_out():
    with patch(ENGINE + "Drain", ForgetfulDrain):
        assert engine_proof("ENVIRONMENT", 60, "bmc").run().refuted


def test_a_ring_that_is_never_free_is_found_out():
    with patch(
        ENGINE + "WritePermission", lambda config: WritePermission(replace(config, row_margin=config.ring_rows))
    ):
        assert proof("PROGRESS", "dense").run().refuted


def test_a_layer_that_waits_for_rows_that_never_come_is_found_out():
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(changed(config, 1, height=4), shape)):
        assert proof("PROGRESS", "program").run().refuted
