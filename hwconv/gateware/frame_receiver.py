"""From input beats to activation words in memory, whatever comes: damaged frames are completed or cut, and told."""

from collections.abc import Callable
from math import gcd

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, ProgramCounter, delayed, hop
from hwconv.gateware.row_ledger import total_width
from hwconv.gateware.stream import Beat
from hwconv.plan.config import EngineConfig, PassConfig


class FrameReceiver(wiring.Component):
    """Cuts a byte stream into words of `word_bytes` bytes and writes them row after row.

    A beat is taken apart into units of ``gcd(beat, word)`` bytes, one a cycle, and units are gathered into words.
    A frame whose TLAST comes early is filled up with zero points; after one whose TLAST is missing at its end,
    beats are discarded up to and including the next TLAST. A beat whose TKEEP is not the expected one damages its
    frame and is taken by position.

    With several layers the frames of the first one come from `i`, those of the others from `back`, one after the other;
    a frame is discarded on `i` while the others come from `back`. The second engine of a loop takes all from `i`. None
    comes for a layer that reads the frame of the one before.

    Latency: 3 cycles from the last beat of a row to `written`. Throughput: one unit a cycle while `permitted`.
    Back-pressure: `i.ready` depends on `permitted` and state, not on `i.valid`.

    Members
    -------
    i : In, stream of :class:`Beat`
    back : In, stream of :class:`Beat`, with several layers of which not all come from `i`
        What the layer before computed.
    permitted : In
        A row is free (see :class:`WritePermission`).
    zero_point : In, signed 8, where it is loaded
        That of the frames.
    write, address, word : Out
        The write port of the activation memory.
    written : Out
        Running total of complete rows.
    frame_end, damaged : Out
        A frame is complete, and whether it was damaged. `error` pulses once for each damaged frame, when it is noticed.
    """

    verdict_latency = 2
    """Cycles from the last unit of a frame to `frame_end`."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.program = ProgramCounter("receiver", config.received)
        self._one_source = self.program.single or config.loop == "exit"
        self.unit_bytes = gcd(config.input_beat_bytes, config.word_bytes)
        beats = stream.Signature(Beat(config.input_beat_bytes))
        super().__init__(
            {
                "i": In(beats),
                **({} if self._one_source else {"back": In(beats)}),
                "permitted": In(1),
                **({} if config.loading is None else {"zero_point": In(signed(8))}),
                "write": Out(1),
                "address": Out(range(max(2, config.activation_depth))),
                "word": Out(8 * config.word_bytes),
                "written": Out(unsigned(total_width(config))),
                "frame_end": Out(1),
                "damaged": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, program = self._config, self.program
        beat_bytes, unit_bytes = config.input_beat_bytes, self.unit_bytes
        filling = Signal()
        discarding = Signal()
        reload = program.changed(m)
        beat_left = Signal()
        unit_taken = Signal()
        beat_taken = Signal()

        unit_of_word, word_of_row = self._row_loops(m, unit_taken, reload)
        word_taken = unit_taken & unit_of_word.last
        row_taken = word_taken & word_of_row.last
        row_of_frame = program.loop(m, "row", lambda item: item.height, row_taken, reload)
        frame_taken = row_taken & row_of_frame.last
        final_unit = unit_of_word.last & word_of_row.last & row_of_frame.last
        changing = Const(0, 1) if program.single else frame_taken  # the next layer's bounds come a cycle later

        first = Const(1, 1) if self._one_source else program.is_first
        payload, valid = self._source(m, first)
        # What may be taken is known a cycle ahead, in registers: units from a beat, or of filler.
        open_ = Signal()
        fill = Signal()
        filling_next = Signal()
        discarding_next = Signal()
        m.d.sync += [
            filling.eq(filling_next),
            discarding.eq(discarding_next),
            open_.eq(self.permitted & ~filling_next & ~(discarding_next & first) & ~changing),
            fill.eq(self.permitted & filling_next),
        ]
        units = beat_bytes // unit_bytes
        unit, last_of_beat = self._unit_of_beat(
            m, payload, beat_left, lambda position: (position == units - 1) | final_unit
        )
        m.d.comb += [
            beat_left.eq(valid & open_),
            unit_taken.eq(beat_left | fill),
            beat_taken.eq(beat_left & last_of_beat),
            self.i.ready.eq(discarding | (open_ & last_of_beat & first)),
        ]
        if not self._one_source:
            m.d.comb += self.back.ready.eq(open_ & last_of_beat & ~first)

        partial = program.bound(lambda item: (1 << self._last_bytes(item)) - 1)
        expected_keep = Mux(final_unit, partial, (1 << beat_bytes) - 1)
        early = beat_taken & payload.last & ~final_unit
        late = beat_taken & ~payload.last & final_unit
        odd = beat_taken & (payload.keep != expected_keep)
        damaged = Signal()
        fault = Signal()
        frame_complete = Signal()
        m.d.sync += [
            fault.eq(early | late | odd),
            frame_complete.eq(frame_taken),
            self.error.eq(fault & ~damaged),
            damaged.eq((damaged | fault) & ~frame_complete),
            self.frame_end.eq(frame_complete),
            self.damaged.eq(damaged | fault),
        ]
        m.d.comb += [
            filling_next.eq(early | (filling & ~frame_taken)),
            discarding_next.eq(late | (discarding & ~(self.i.valid & self.i.p.last))),
        ]

        operands = config.operands
        filler = Signal(signed(operands.activation_bits))
        constant = config.loading is None
        m.d.comb += filler.eq(program.bound(lambda item: item.input_zero_point) if constant else self.zero_point)
        # What is taken waits in a register, so that the loops above stay close together, away from the word's bytes.
        incoming = Signal(8 * unit_bytes, reset_less=True)
        taken = unit ^ C(operands.offset, 8).replicate(unit_bytes) if operands.offset else unit  # x - 128
        gathering = Signal()
        word_gathered = Signal()
        row_gathered = Signal()
        row_written = Signal()
        m.d.sync += [
            incoming.eq(Mux(filling, filler.as_unsigned().replicate(unit_bytes // operands.activation_bytes), taken)),
            gathering.eq(unit_taken),
            word_gathered.eq(word_taken),
            row_gathered.eq(row_taken),
            self.write.eq(word_gathered),
            row_written.eq(row_gathered),
        ]
        self._gather(m, incoming, gathering)
        self._count_rows(m, row_written)
        self._follow(m, frame_taken, Const(0, 1) if program.single else delayed(m, "address_reload", reload, 1))
        return m

    def _last_bytes(self, item: PassConfig) -> int:
        """Bytes of the last beat of a layer's frame."""
        return (item.height * item.row_words * self._config.word_bytes - 1) % self._config.input_beat_bytes + 1

    def _row_loops(self, m: Module, unit: Value, reload: Value) -> tuple[LoopCounter, LoopCounter]:
        """The units of a word, the words of a row."""
        words = self._config.word_bytes // self.unit_bytes
        units_of_word = self.program.loop(m, "unit", lambda item: words, unit, reload)
        return units_of_word, self.program.loop(
            m, "word", lambda item: item.row_words, unit & units_of_word.last, reload
        )

    def _source(self, m: Module, first: Value) -> tuple[Value, Value]:
        """The beat at the current layer's input, and whether there is one; `first`: it is the first layer."""
        if self._one_source:
            return self.i.p, self.i.valid
        payload = Signal(Beat(self._config.input_beat_bytes))
        m.d.comb += Value.cast(payload).eq(Mux(first, Value.cast(self.i.p), Value.cast(self.back.p)))
        return payload, Mux(first, self.i.valid, self.back.valid)

    def _unit_of_beat(
        self, m: Module, payload: Value, taken: Value, ends: Callable[[Value], Value]
    ) -> tuple[Value, Value]:
        """The unit of the current beat, and whether the beat ends with it; `ends`: with that at a position."""
        count = self._config.input_beat_bytes // self.unit_bytes
        if count == 1:
            return payload.data, Const(1, 1)
        position = Signal(range(count))
        last = Signal()
        m.d.comb += last.eq(ends(position))
        with m.If(taken):
            m.d.sync += position.eq(Mux(last, 0, position + 1))
        return payload.data.word_select(position, 8 * self.unit_bytes), last

    def _gather(self, m: Module, unit: Value, gathering: Value) -> None:
        """Units to words."""
        word_bytes, unit_bytes = self._config.word_bytes, self.unit_bytes
        gathered = Signal(8 * word_bytes, reset_less=True)
        with m.If(gathering):
            m.d.sync += gathered.eq(unit if word_bytes == unit_bytes else Cat(gathered[8 * unit_bytes :], unit))
        m.d.comb += self.word.eq(gathered)

    def _count_rows(self, m: Module, row_written: Value) -> None:
        with m.If(row_written):
            m.d.sync += self.written.eq(self.written + 1)

    def _follow(self, m: Module, frame_taken: Value, rebase: Value) -> None:
        """Words lie in the order they come: around the ring, or each layer's frame in its own buffer.

        `rebase`: the last word of a layer's frame is being written, and the next layer is known.
        """
        program, depth = self.program, self._config.activation_depth
        if program.single:
            ring = LoopCounter(m, "ring", Const(depth), depth, self.write, rebase)
            m.d.comb += self.address.eq(ring.count)
            return
        with m.If(self.write):
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(frame_taken):
            m.d.sync += program.advance()
        with m.If(rebase):
            m.d.sync += self.address.eq(program.bound(lambda item: item.activation_base))


class WholeFrameReceiver(FrameReceiver):
    """A :class:`FrameReceiver` where every frame is as long as it should be, so that its TLAST says where it ends.

    What is taken is counted a cycle later, beside the word's bytes: nothing goes from the loops back to the source.
    Latency, throughput and back-pressure are the same; there are no verdicts.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, program = self._config, self.program
        units = config.input_beat_bytes // self.unit_bytes
        counted = delayed(m, "frame_counted", program.changed(m), 1)  # what was taken of the layer before
        first = Const(1, 1) if self._one_source else Signal(name="first", init=1)
        next_first = Const(1, 1) if self._one_source else Signal(name="next_first")
        open_ = Signal()
        taken = Signal()
        payload, valid = self._source(m, first)
        last = payload.last
        if not self._one_source:  # the many loads of the bytes' choice keep away from what decides
            payload, _ = self._source(m, hop(m, "first", next_first))
        last_unit = program.bound(lambda item: (self._last_bytes(item) - 1) // self.unit_bytes)
        unit, last_of_beat = self._unit_of_beat(
            m, payload, taken, lambda position: position == Mux(last, last_unit, units - 1)
        )
        frame_taken = taken & last & last_of_beat
        m.d.comb += [taken.eq(valid & open_), self.i.ready.eq(open_ & last_of_beat & first)]
        changing = Const(0, 1) if program.single else frame_taken  # the next layer's bounds come a cycle later
        m.d.sync += open_.eq(self.permitted & ~changing)
        if not self._one_source:
            m.d.comb += [
                next_first.eq(Mux(frame_taken, program.is_last, first)),
                self.back.ready.eq(open_ & last_of_beat & ~first),
            ]
            m.d.sync += first.eq(next_first)

        operands = config.operands
        incoming = Signal(8 * self.unit_bytes, reset_less=True)
        gathering = Signal()
        m.d.sync += [incoming.eq(unit ^ C(operands.offset, 8).replicate(self.unit_bytes)), gathering.eq(taken)]
        unit_of_word, word_of_row = self._row_loops(m, gathering, counted)
        word = gathering & unit_of_word.last
        row_written = Signal()
        self._gather(m, incoming, gathering)
        m.d.sync += [self.write.eq(word), row_written.eq(word & word_of_row.last)]
        self._count_rows(m, row_written)
        self._follow(m, frame_taken, Const(0, 1) if program.single else counted)
        return m
