"""Result words wait here until their pixels are complete, and leave in NHWC order."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, delayed
from hwconv.gateware.drain import ResultMarks
from hwconv.gateware.stream import Beat, StreamRegister
from hwconv.plan.config import EngineConfig

RAM_LATENCY = 2
FIFO_DEPTH = 8


class ResultWord(data.StructLayout):
    """A word of results.

    `last` ends its frame, and `damaged` tells then what became of it; `final` says that it leaves the engine.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"data": 8 * config.result_bytes, "last": 1, "final": 1, "damaged": 1})


class OutputBuffer(wiring.Component):
    """A ring of `units` pixel tiles. Column tiles are written pixel by pixel and read as whole pixels.

    Latency: 6 cycles from the mark `pixel_done` to the pixel's first word in `o`. Throughput: a word a cycle on
    both sides. Back-pressure: `o` may stall at any time; the sequencer starts a tile only when a unit is free, so
    writing never waits. `o.ready` reaches no path of the write side.

    Members
    -------
    word, marks : In, from :class:`Drain`
    o : Out, stream of :class:`ResultWord`
    damaged : In
        The oldest frame not sent yet is damaged; `frame_sent` pulses when its last word has been read.
    unit_free : Out
        A unit has been read.
    """

    latency = 6

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.written = ProgramCounter("collect", config.passes)
        self.sent = ProgramCounter("send", config.passes)
        super().__init__(
            {
                "word": In(8 * config.result_bytes),
                "marks": In(ResultMarks()),
                "o": Out(stream.Signature(ResultWord(config))),
                "unit_free": Out(1),
                "damaged": In(1),
                "frame_sent": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = config.units * config.unit_words
        write_address, read_address = Signal(range(max(2, depth))), Signal(range(max(2, depth)), name="read_address")
        self._collect(m, write_address)
        issue, last, final = self._send(m, read_address)
        read = Signal(8 * config.result_bytes)
        m.submodules.memory = Instance(
            "hwconv_ram",
            p_WIDTH=8 * config.result_bytes,
            p_DEPTH=max(2, depth),
            i_clk=ClockSignal(),
            i_w_en=self.marks.valid,
            i_w_addr=write_address,
            i_w_data=self.word,
            i_r_addr=read_address,
            o_r_data=read,
        )
        m.submodules.fifo = fifo = SyncFIFO(width=8 * config.result_bytes + 3, depth=FIFO_DEPTH)
        # The FIFO is distributed RAM: its output is a path of its own.
        m.submodules.front = front = StreamRegister(ResultWord(config))
        sent = Signal(ResultWord(config))
        m.d.comb += [
            sent.data.eq(read),
            sent.last.eq(delayed(m, "issue_last", last, RAM_LATENCY)),
            sent.final.eq(delayed(m, "issue_final", final, RAM_LATENCY)),
            sent.damaged.eq(delayed(m, "issue_damaged", self.frame_sent & self.damaged, RAM_LATENCY - 1)),
            self.frame_sent.eq(delayed(m, "frame_issued", issue & last & final, 1)),
            fifo.w_en.eq(delayed(m, "issue", issue, RAM_LATENCY)),
            fifo.w_data.eq(Value.cast(sent)),
            Value.cast(front.i.payload).eq(fifo.r_data),
            front.i.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(front.i.ready),
        ]
        wiring.connect(m, front.o, wiring.flipped(self.o))
        m.d.sync += self._room.eq(fifo.level < FIFO_DEPTH - RAM_LATENCY - 2)
        return m

    def _collect(self, m: Module, address: Signal) -> None:
        """The write address: words of a pixel lie together, pixels of a unit in raster order."""
        config, program, marks = self._config, self.written, self.marks
        pixel_start, fold_start = (Signal.like(address, name=f"{k}_start") for k in ("pixel", "fold"))
        next_unit = self._next_unit(m, "collect", address, marks.next_unit)
        next_pixel = pixel_start + program.bound(lambda item: item.out_pixel_words)
        next_tile = fold_start + config.drain
        next_group = fold_start + program.bound(lambda item: item.group_out_words - (item.tiles - 1) * config.drain)
        with m.If(marks.next_word):
            m.d.sync += address.eq(address + 1)
        with m.If(marks.next_pixel):
            m.d.sync += [address.eq(next_pixel), pixel_start.eq(next_pixel)]
        for mark, following in (
            (marks.next_tile, next_tile),
            (marks.next_group, next_group),
            (marks.next_unit, next_unit),
        ):
            with m.If(mark):
                m.d.sync += [register.eq(following) for register in (address, pixel_start, fold_start)]
        if not program.single:
            tiles = program.bound(lambda item: -(-item.out_pixels // config.pixels))
            count = Signal(range(max(-(-i.out_pixels // config.pixels) for i in config.passes) + 1))
            with m.If(marks.next_unit):
                m.d.sync += count.eq(count + 1)
                with m.If(count + 1 == tiles):
                    m.d.sync += [count.eq(0), *program.advance()]

    def _next_unit(self, m: Module, side: str, address: Signal, advance: Value) -> Signal:
        """Where the unit after the current one begins, known in a register."""
        words, units = self._config.unit_words, self._config.units
        following = Signal.like(address, name=f"{side}_next_unit", init=words)
        with m.If(advance):
            m.d.sync += following.eq(Mux(following == (units - 1) * words, 0, following + words))
        return following

    def _send(self, m: Module, address: Signal) -> tuple[Value, Value, Value]:
        """The read side: complete pixels, word after word, unit after unit."""
        config, program = self._config, self.sent
        self._room = Signal(name="fifo_room")
        pending = Signal(range(config.units * config.pixels + 2))
        some = Signal()
        pixel_sent, issue, reload = Signal(), Signal(), program.changed(m)
        done = self.marks.pixel_done
        m.d.sync += [
            pending.eq(pending + done - pixel_sent),
            some.eq(done | (pending > 1) | ((pending == 1) & ~pixel_sent)),
        ]
        settled = Signal(init=1)
        m.d.comb += issue.eq(some & self._room & settled)

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        frame_end, unit_end = Signal(), Signal(name="unit_end")
        word = loop("send_word", lambda item: item.out_pixel_words, issue)
        pixel = loop("send_pixel", lambda item: item.out_pixels, pixel_sent)
        of_unit = LoopCounter(m, "send_unit", Const(config.pixels), config.pixels, pixel_sent, frame_end)
        m.d.comb += [
            pixel_sent.eq(issue & word.last),
            frame_end.eq(pixel_sent & pixel.last),
            unit_end.eq(pixel_sent & (pixel.last | of_unit.last)),
        ]
        m.d.sync += self.unit_free.eq(unit_end)
        next_unit = self._next_unit(m, "send", address, unit_end)
        with m.If(issue):
            m.d.sync += address.eq(Mux(word.last & (pixel.last | of_unit.last), next_unit, address + 1))
        if not program.single:
            m.d.sync += settled.eq(~(frame_end | reload))
            with m.If(frame_end):
                m.d.sync += program.advance()
        return issue, word.last & pixel.last, program.is_last


class BeatPacker(wiring.Component):
    """Gathers result words into output beats; a frame's last beat may be partial, and carries TLAST and its TUSER.

    Latency: 1 cycle. Throughput: a word a cycle. Back-pressure passes from `o.ready` to `i.ready` without a register;
    a :class:`SkidBuffer` behind it cuts that path.

    Members
    -------
    i : In, stream of :class:`ResultWord`
    o : Out, stream of ``{beat, final}``
    """

    latency = 1

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        layout = data.StructLayout({"beat": Beat(config.output_beat_bytes), "final": 1})
        super().__init__(
            {
                "i": In(stream.Signature(ResultWord(config))),
                "o": Out(stream.Signature(layout)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        count = config.output_beat_bytes // config.result_bytes
        width = 8 * config.result_bytes
        advancing = Signal()
        ready_beat = Signal()
        m.d.comb += [
            advancing.eq(self.o.ready | ~ready_beat),
            self.i.ready.eq(advancing),
            self.o.valid.eq(ready_beat),
        ]
        payload = Signal(self.o.payload.shape())
        m.d.comb += self.o.payload.eq(payload)
        # One bit for each place of a word in the beat. What comes without valid is overwritten by what comes next.
        place = Signal(count, init=1)
        complete = place[-1] | self.i.payload.last
        with m.If(advancing):
            for index in range(count):
                with m.If(place[index]):
                    m.d.sync += payload.beat.data[width * index : width * (index + 1)].eq(self.i.payload.data)
            m.d.sync += [
                ready_beat.eq(self.i.valid & complete),
                payload.beat.keep.eq(
                    Cat(place[index // config.result_bytes :].any() for index in range(config.output_beat_bytes))
                ),
                payload.beat.last.eq(self.i.payload.last),
                payload.beat.user.eq(self.i.payload.damaged),
                payload.final.eq(self.i.payload.final),
            ]
            with m.If(self.i.valid & (count > 1)):
                m.d.sync += place.eq(Mux(complete, 1, place << 1))
        return m
