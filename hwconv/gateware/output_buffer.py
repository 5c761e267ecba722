"""Result words wait here until their pixels are complete, and leave in NHWC order."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, delayed
from hwconv.gateware.drain import ResultMarks
from hwconv.plan.config import EngineConfig

RAM_LATENCY = 2


class ResultWord(data.StructLayout):
    """A word of results.

    `last` ends its frame, and `damaged` tells then what became of it; `final` says that it leaves the engine.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"data": 8 * config.result_bytes, "last": 1, "final": 1, "damaged": 1})


class OutputBuffer(wiring.Component):
    """A ring of `units` pixel tiles. Column tiles are written pixel by pixel and read as whole pixels.

    Latency: 4 cycles from the mark `pixel_done` to the pixel's first word in `o`. Throughput: a word a cycle on
    both sides. Back-pressure: no word is read while `room` is low; `in_flight` more may come after it fell. The
    sequencer starts a tile only when a unit is free, so writing never waits.

    Members
    -------
    word, marks : In, from :class:`Drain`
    o, valid : Out
        A :class:`ResultWord`, and whether it is one.
    room : In
        There is room for another word, and for those in flight.
    damaged : In
        The oldest frame not sent yet is damaged; `frame_sent` pulses when its last word has been read.
    unit_free : Out
        A unit has been read.
    """

    latency = 4
    in_flight = RAM_LATENCY + 1
    """Words that may come after `room` fell."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.written = ProgramCounter("collect", config.passes)
        self.sent = ProgramCounter("send", config.passes)
        super().__init__(
            {
                "word": In(8 * config.result_bytes),
                "marks": In(ResultMarks()),
                "room": In(1),
                "o": Out(ResultWord(config)),
                "valid": Out(1),
                "unit_free": Out(1),
                "damaged": In(1),
                "frame_sent": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        depth = config.units * config.unit_words
        write_address = Signal(range(max(2, depth)))
        read_address = Signal(range(max(2, depth)))
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
        m.d.comb += [
            self.o.data.eq(read),
            self.o.last.eq(delayed(m, "issue_last", last, RAM_LATENCY)),
            self.o.final.eq(delayed(m, "issue_final", final, RAM_LATENCY)),
            self.o.damaged.eq(delayed(m, "issue_damaged", self.frame_sent & self.damaged, RAM_LATENCY - 1)),
            self.valid.eq(delayed(m, "issue", issue, RAM_LATENCY)),
            self.frame_sent.eq(delayed(m, "frame_issued", issue & last & final, 1)),
        ]
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
        """The read side: complete pixels, word after word, unit after unit, while there is room."""
        config, program = self._config, self.sent
        pending = Signal(range(config.units * config.pixels + 2))
        pixel_sent = Signal()
        frame_end = Signal()
        issue = Signal()
        reload = program.changed(m)
        done = self.marks.pixel_done
        some = done | (pending > 1) | ((pending == 1) & ~pixel_sent)
        settled = Const(1, 1) if program.single else ~(frame_end | reload)  # the next layer's bounds come a cycle later
        m.d.sync += [pending.eq(pending + done - pixel_sent), issue.eq(some & self.room & settled)]

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        unit_end = Signal()
        word, pixel = self._send_loops(m, issue, pixel_sent, reload)
        strip_end = pixel_sent & pixel.last
        frame_last = pixel.last
        if any(item.strips > 1 for item in config.passes):
            frame_last = pixel.last & loop("send_strip", lambda item: item.strips, strip_end).last
        of_unit = LoopCounter(m, "send_unit", Const(config.pixels), config.pixels, pixel_sent, strip_end)
        m.d.comb += [
            pixel_sent.eq(issue & word.last),
            frame_end.eq(pixel_sent & frame_last),
            unit_end.eq(pixel_sent & (pixel.last | of_unit.last)),
        ]
        m.d.sync += self.unit_free.eq(unit_end)
        next_unit = self._next_unit(m, "send", address, unit_end)
        with m.If(issue):
            m.d.sync += address.eq(Mux(word.last & (pixel.last | of_unit.last), next_unit, address + 1))
        if not program.single:
            with m.If(frame_end):
                m.d.sync += program.advance()
        return issue, word.last & frame_last, program.is_last

    def _send_loops(
        self, m: Module, issue: Signal, pixel_sent: Signal, reload: Value
    ) -> tuple[LoopCounter, LoopCounter]:
        """The words of a pixel, and the pixels of a strip: the last of them may have fewer words."""
        program, passes = self.sent, self._config.passes

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        if all(item.last_pixel_words == item.out_pixel_words for item in passes):
            word = loop("send_word", lambda item: item.out_pixel_words, issue)
            return word, loop("send_pixel", lambda item: item.strip_pixels, pixel_sent)
        pixel = loop("send_pixel", lambda item: item.strip_pixels, pixel_sent)
        item = program.first
        whole, rest = item.out_pixel_words, item.last_pixel_words
        # In the last word of a pixel: whether the next pixel is a strip's last one.
        before_last = Const(1, 1) if item.strip_pixels == 1 else pixel.count == item.strip_pixels - 2
        word = LoopCounter(
            m,
            "send_word",
            Mux(pixel.last, rest, whole),
            whole,
            issue,
            reload,
            first=rest if item.strip_pixels == 1 else whole,
            following=Mux(before_last, rest, whole),
        )
        return word, pixel
