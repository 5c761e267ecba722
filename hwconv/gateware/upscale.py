"""A stream of frames that are enlarged: rows in a memory, read more often or in another order than they came."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed
from hwconv.gateware.stream import PlainBeat, Queue
from hwconv.plan.upscale import RAM_LATENCY, UpscaleConfig


class Upscaler(wiring.Component):
    """Reads each row of pixels `phases` times, in each of them `repeats` times `run` words of each pixel.

    Of a row whose pixels have `P` words each, word `k` of repetition `q` of pixel `x` in phase `p` is the one at
    ``x * P + p * phase_stride + q * repeat_stride + k * run_stride``. The memory is a ring of two rows. A pixel may be
    read when all of it is there, and is overwritten once its last word has been read.

    Latency: ``config.latency`` cycles from the read of a word to the output; a pixel is read from the second cycle
    after the handshake of its last beat on. Throughput: a beat a cycle on either side, so that the larger frame bounds
    it.
    Back-pressure: `i.ready` is a register, high while there is a place for a pixel; a read begins while the output's
    queue has a place, which is free the cycle after a beat has left. All paths between the two sides are cut.

    Parameters
    ----------
    config : UpscaleConfig

    Members
    -------
    i : In, stream of :class:`PlainBeat`
        TLAST is not looked at: frames are whole.
    o : Out, stream of :class:`PlainBeat`
    """

    def __init__(self, config: UpscaleConfig) -> None:
        self._config = config
        shape = PlainBeat(config.beat_bytes)
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def latency(self) -> int:
        return self._config.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        taken = Signal()
        filled = Signal()
        released = Signal()
        begun = Signal()
        m.d.comb += [
            self.i.ready.eq(
                _positive(m, "free", config.slots, config.slots, filled, delayed(m, "released", released, 1))
            ),
            taken.eq(self.i.valid & self.i.ready),
        ]
        word = _loop(m, "word", config.pixel_beats, taken)
        m.d.comb += filled.eq(taken & word.last)
        write_place = Signal(range(config.depth))
        with m.If(taken):
            m.d.sync += write_place.eq(Mux(write_place == config.depth - 1, 0, write_place + 1))
        there = _positive(m, "there", config.slots, 0, begun, delayed(m, "filled", filled, 1))
        m.submodules.queue = queue = Queue(PlainBeat(config.beat_bytes), config.queue_depth)
        read = Signal()
        popped = Signal()
        # In unary, like the queue's own count: bit `n` is high while more than `n` places are left.
        places = Signal(config.queue_depth, init=(1 << config.queue_depth) - 1)
        with m.If(read ^ popped):
            m.d.sync += places.eq(Mux(popped, Cat(1, places), places >> 1))
        begins = Signal(init=1)
        m.d.comb += [
            read.eq(places[0] & (there | ~begins)),
            begun.eq(read & begins),
            popped.eq(self.o.valid & self.o.ready),
        ]
        read_place, last = self._walk(m, read, begins, released)
        words = Signal(8 * config.beat_bytes)
        m.submodules.memory = Instance(
            "hwconv_ram",
            p_WIDTH=8 * config.beat_bytes,
            p_DEPTH=config.depth,
            i_clk=ClockSignal(),
            i_w_en=taken,
            i_w_addr=write_place,
            i_w_data=self.i.p.data,
            i_r_addr=read_place,
            o_r_data=words,
        )
        m.d.comb += [
            queue.push.eq(delayed(m, "read", read, RAM_LATENCY)),
            queue.payload.data.eq(words),
            queue.payload.last.eq(delayed(m, "last", last, RAM_LATENCY, reset=False)),
            self.o.valid.eq(queue.o.valid),
            self.o.p.data.eq(queue.o.p.data),
            self.o.p.last.eq(queue.o.p.last),
            queue.o.ready.eq(self.o.ready),
        ]
        return m

    def _walk(self, m: Module, read: Signal, begins: Signal, released: Signal) -> tuple[Signal, Value]:
        """The address of the next word, and whether it is a frame's last; drives the marks of a pixel's first and last
        word.
        """
        config = self._config
        ends = {name: Signal(name=f"{name}_ends") for name in ("run", "pixel", "line", "row", "frame")}
        run = _loop(m, "run", config.run, read)
        repeat = _loop(m, "repeat", config.repeats, read & ends["run"])
        column = _loop(m, "column", config.width, read & ends["pixel"])
        phase = _loop(m, "phase", config.phases, read & ends["line"])
        row = _loop(m, "row", config.rows, read & ends["row"])
        opening = Signal(init=1)
        m.d.comb += [
            ends["run"].eq(run.last),
            ends["pixel"].eq(ends["run"] & repeat.last),
            ends["line"].eq(ends["pixel"] & column.last),
            ends["row"].eq(ends["line"] & phase.last),
            ends["frame"].eq(ends["row"] & row.last),
            released.eq(read & ends["pixel"] & phase.last),
        ]
        place = Signal(range(config.depth), name="read_place")
        # Both sums at once: with the step, and with the step less the memory's depth, which is negative within it.
        step = Signal(range(config.depth))
        step_less_depth = Signal(range(-config.depth, 0))
        following = Signal(range(2 * config.depth))
        wrapped = Signal(range(-config.depth, config.depth))
        for target, less in ((step, 0), (step_less_depth, config.depth)):
            choice: Value = Const(config.steps[0] - less, target.shape())
            for name, jump in zip(("run", "pixel", "line", "row"), config.steps[1:], strict=True):
                choice = Mux(ends[name], Const(jump - less, target.shape()), choice)
            m.d.comb += target.eq(choice)
        m.d.comb += [following.eq(place + step), wrapped.eq(place + step_less_depth)]
        with m.If(read):
            m.d.sync += [
                place.eq(Mux(wrapped < 0, following, wrapped)),
                begins.eq(ends["pixel"] & Mux(ends["line"], phase.last, opening)),
            ]
            with m.If(ends["line"]):
                m.d.sync += opening.eq(phase.last)
        return place, ends["frame"]


def _loop(m: Module, name: str, turns: int, advance: Value) -> LoopCounter:
    return LoopCounter(m, name, Const(turns), turns, advance, Const(0, 1))


def _positive(m: Module, name: str, most: int, first: int, less: Value, more: Value) -> Signal:
    """Whether a number that begins with `first` is above 0, in a register: `less` and `more` count it down and up.

    `less` comes late in a cycle: it chooses between what is known of either case.
    """
    count = Signal(range(most + 1), init=first, name=name)
    positive = Signal(init=int(first > 0), name=f"{name}_positive")
    becomes_none = Mux(more, count == 0, count == 1)
    m.d.sync += positive.eq(Mux(less, ~becomes_none, (count != 0) | more))
    with m.If(less ^ more):
        m.d.sync += count.eq(count + Mux(more, 1, -1))
    return positive
