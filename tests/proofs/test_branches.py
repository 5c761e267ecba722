"""What lies between the engines of a graph, for ever: queues, forks, concatenations."""

from types import SimpleNamespace
from unittest.mock import patch

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from prover import Proof, harness

from hwconv.gateware import stream_queue
from hwconv.gateware.graph import Concatenation, GraphCore, PlainBeat
from hwconv.gateware.stream_queue import StreamQueue

WIDTH = 2
"""Bits of a payload; what is proven of two of them holds for any number, as nothing looks at them."""


class Registers(wiring.Component):
    """Amaranth's memory with a write port and a combinational read port, as one register that a harness can name."""

    def __init__(self, *, shape: int, depth: int, init: list[int]) -> None:
        super().__init__({})
        self._width, self._depth = shape, depth
        self._write = SimpleNamespace(
            en=Signal(name="write__en"),
            data=Signal(shape, name="write__data"),
            addr=Signal(range(depth), name="write__addr"),
        )
        self._read = SimpleNamespace(
            data=Signal(shape, name="read__data"), addr=Signal(range(depth), name="read__addr")
        )

    def write_port(self) -> SimpleNamespace:
        return self._write

    def read_port(self, *, domain: str) -> SimpleNamespace:
        assert domain == "comb"
        return self._read

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = Signal(self._width * self._depth, reset_less=True)
        with m.If(self._write.en):
            m.d.sync += words.word_select(self._write.addr, self._width).eq(self._write.data)
        m.d.comb += self._read.data.eq(words.word_select(self._read.addr, self._width))
        return m


class Wires(wiring.Component):
    """What a register before a fork is without registers: that it keeps beats in order is proven by itself."""

    def __init__(self, shape: object) -> None:
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        GraphCore._connect(m, self.i, self.o)
        return m


class Fork(wiring.Component):
    """The streams of a tensor that two nodes read, as a graph makes them."""

    def __init__(self, depths: tuple[int, int]) -> None:
        self._depths = depths
        shape = stream.Signature(PlainBeat(0))
        super().__init__({"i": In(shape), "o_0": Out(shape), "o_1": Out(shape)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        edges = [("first", 0), ("second", 0)]
        plan = SimpleNamespace(
            depths=dict(zip(edges, self._depths, strict=True)),
            beats={"tensor": 0},
            joins=frozenset(),
        )
        core = SimpleNamespace(_plan=plan, _connect=GraphCore._connect)
        sinks = [stream.Signature(PlainBeat(0)).create(path=(f"sink_{index}",)) for index in range(2)]
        with patch("hwconv.gateware.graph.SkidBuffer", Wires):
            GraphCore._hand_on(core, m, "tensor", self.i, list(zip(edges, sinks, strict=True)))
        for sink, out in zip(sinks, (self.o_0, self.o_1), strict=True):
            GraphCore._connect(m, sink, out)
        return m


class Impatient(Fork):
    """A fork whose beat is gone although a reader has no room."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)  # the later assignment counts
        return m


class Overwriting(StreamQueue):
    """A queue that takes a payload although it is full."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)
        return m


def text_of(block: wiring.Component) -> dict[str, str]:
    with patch("amaranth.lib.memory.Memory", Registers):
        return {"dut.il": rtlil.convert(block, name="dut", emit_src=False)}


def queue_proof(depth: int, kind: type[StreamQueue] = StreamQueue, *, mode: str = "prove", steps: int = 3) -> Proof:
    block = depth > stream_queue.DISTRIBUTED_DEPTH
    defines = ("`define BLOCK\n" if block else "") + ("`define SINGLE\n" if depth == 1 else "")
    return Proof(
        files={
            **text_of(kind(WIDTH, depth)),
            **harness("kept_ram.v"),
            **harness("stream_rules.sv"),
            **harness("queue.sv"),
            "stream_queue.sv": defines + harness("stream_queue.sv")["stream_queue.sv"],
        },
        top="stream_queue_harness",
        mode=mode,
        depth=steps,
        parameters={"DEPTH": depth, "WIDTH": WIDTH},
    )


def in_block_ram(depth: int, **options: object) -> Proof:
    """A short queue that is built as those are that do not fit distributed RAM."""
    with patch.object(stream_queue, "DISTRIBUTED_DEPTH", depth - 1):
        return queue_proof(depth, **options)


def fork_proof(kind: type[Fork] = Fork, *, mode: str = "prove", steps: int = 3) -> Proof:
    depths = 2, 3
    return Proof(
        files={
            **text_of(kind(depths)),
            **harness("stream_rules.sv"),
            **harness("queue.sv"),
            **harness("fork.sv"),
        },
        top="fork_harness",
        mode=mode,
        depth=steps,
        parameters={"FIRST": depths[0], "SECOND": depths[1], "WIDTH": 1},
    )


def concatenation_proof(built: tuple[int, ...], meant: tuple[int, int, int], *, mode: str = "prove") -> Proof:
    return Proof(
        files={
            "dut.il": rtlil.convert(Concatenation(1, built), name="dut", emit_src=False),
            **harness("stream_rules.sv"),
            **harness("concatenation.sv"),
        },
        top="concatenation_harness",
        mode=mode,
        depth=3 if mode == "prove" else 20,
        parameters=dict(zip(("FIRST", "SECOND", "THIRD"), meant, strict=True)),
    )


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_a_queue_keeps_every_payload_once_and_in_order(depth):
    assert queue_proof(depth).run().proven
    assert queue_proof(depth, mode="cover", steps=2 * depth + 6).run().proven


def test_a_queue_that_overwrites_what_waits_is_found_out():
    assert queue_proof(3, Overwriting, mode="bmc", steps=10).run().refuted
    assert in_block_ram(11, kind=Overwriting, mode="bmc", steps=16).run().refuted


@pytest.mark.parametrize("depth", [11, 16])
def test_a_queue_in_block_ram_keeps_every_payload_once_and_in_order(depth):
    assert in_block_ram(depth).run().proven


def test_a_queue_in_block_ram_can_be_full_and_has_payloads_in_its_memory():
    assert in_block_ram(11, mode="cover", steps=36).run().proven


def test_a_queue_that_reads_too_far_ahead_is_found_out():
    with patch.object(stream_queue, "RAM_LATENCY", 0):
        assert in_block_ram(11, mode="bmc", steps=26).run().refuted


def test_a_fork_hands_every_beat_to_both_readers_once_and_in_order():
    assert fork_proof().run().proven
    assert fork_proof(mode="cover", steps=14).run().proven


def test_a_fork_that_does_not_wait_for_all_readers_is_found_out():
    assert fork_proof(Impatient, mode="bmc", steps=10).run().refuted


@pytest.mark.parametrize("parts", [(1, 1, 1), (3, 1, 2), (1, 4, 2)])
def test_a_concatenation_takes_each_input_in_its_turn(parts):
    assert concatenation_proof(parts, parts).run().proven
    assert concatenation_proof(parts, parts, mode="cover").run().proven


def test_a_turn_that_is_one_beat_short_is_found_out():
    assert concatenation_proof((3, 1, 1), (3, 1, 2), mode="bmc").run().refuted
