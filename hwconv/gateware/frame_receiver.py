"""From input beats to activation words in memory, whatever comes: damaged frames are completed or cut, and told."""

from math import gcd

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, delayed
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
    a frame is discarded on `i` while the others come from `back`. The second engine of a loop takes all from `i`.

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
        self.program = ProgramCounter("receiver", config.passes)
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

        def frame_bytes(item: PassConfig) -> int:
            return item.height * item.row_words * config.word_bytes

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        unit_of_word = loop("unit", lambda item: config.word_bytes // unit_bytes, unit_taken)
        word_taken = unit_taken & unit_of_word.last
        word_of_row = loop("word", lambda item: item.row_words, word_taken)
        row_taken = word_taken & word_of_row.last
        row_of_frame = loop("row", lambda item: item.height, row_taken)
        frame_taken = row_taken & row_of_frame.last
        final_unit = unit_of_word.last & word_of_row.last & row_of_frame.last
        changing = Const(0, 1) if program.single else frame_taken  # the next layer's bounds come a cycle later

        payload, valid, first = self._source(m)
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
        unit, last_of_beat = self._unit_of_beat(m, payload, beat_left, final_unit)
        m.d.comb += [
            beat_left.eq(valid & open_),
            unit_taken.eq(beat_left | fill),
            beat_taken.eq(beat_left & last_of_beat),
            self.i.ready.eq(discarding | (open_ & last_of_beat & first)),
        ]
        if not self._one_source:
            m.d.comb += self.back.ready.eq(open_ & last_of_beat & ~first)

        partial = program.bound(lambda item: (1 << ((frame_bytes(item) - 1) % beat_bytes + 1)) - 1)
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
        units = config.word_bytes // unit_bytes
        gathered = Signal(8 * config.word_bytes, reset_less=True)
        with m.If(gathering):
            m.d.sync += gathered.eq(incoming if units == 1 else Cat(gathered[8 * unit_bytes :], incoming))
        m.d.comb += self.word.eq(gathered)
        with m.If(row_written):
            m.d.sync += self.written.eq(self.written + 1)
        self._address(m, frame_taken, reload)
        return m

    def _source(self, m: Module) -> tuple[Value, Value, Value]:
        """The beat at the current layer's input, whether there is one, and whether this is the first layer."""
        program = self.program
        if self._one_source:
            return self.i.p, self.i.valid, Const(1, 1)
        payload = Signal(Beat(self._config.input_beat_bytes))
        first = program.is_first
        m.d.comb += Value.cast(payload).eq(Mux(first, Value.cast(self.i.p), Value.cast(self.back.p)))
        return payload, Mux(first, self.i.valid, self.back.valid), first

    def _unit_of_beat(self, m: Module, payload: Value, taken: Value, final: Value) -> tuple[Value, Value]:
        """The unit of the current beat, and whether the beat ends with it."""
        count = self._config.input_beat_bytes // self.unit_bytes
        if count == 1:
            return payload.data, Const(1, 1)
        position = Signal(range(count))
        last = Signal()
        m.d.comb += last.eq((position == count - 1) | final)
        with m.If(taken):
            m.d.sync += position.eq(Mux(last, 0, position + 1))
        return payload.data.word_select(position, 8 * self.unit_bytes), last

    def _address(self, m: Module, frame_taken: Value, reload: Value) -> None:
        """Words lie in the order they come: around the ring, or each layer's frame in its own buffer."""
        program, depth = self.program, self._config.activation_depth
        if program.single:
            ring = LoopCounter(m, "ring", Const(depth), depth, self.write, reload)
            m.d.comb += self.address.eq(ring.count)
            return
        with m.If(self.write):
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(frame_taken):
            m.d.sync += program.advance()
        with m.If(delayed(m, "address_reload", reload, 1)):
            m.d.sync += self.address.eq(program.bound(lambda item: item.activation_base))
