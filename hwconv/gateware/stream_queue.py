"""A queue of exactly as many beats as the plan asks for."""

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import delayed
from hwconv.gateware.stream import Queue

DISTRIBUTED_DEPTH = 32
"""Queues of up to this many payloads are made of look-up tables."""
RAM_LATENCY = 2
FRONT = 8
"""Payloads behind the block RAM that wait to leave: more than come within the time that a read takes."""


class StreamQueue(wiring.Component):
    """Keeps up to `depth` payloads in order; a payload counts from its arrival until it has left.

    Latency: 1 cycle. Throughput: a payload a cycle, every other cycle with a depth of 1. Back-pressure: `i.ready` is a
    register: a place that becomes free is there a cycle later. All paths between the two sides are cut.

    Up to :data:`DISTRIBUTED_DEPTH` the payloads lie in distributed RAM; beyond, in a block RAM with a short queue
    behind it. A payload that finds the block RAM empty goes past it, and one that does not is read before those before
    it have left: the latency is the same.

    Parameters
    ----------
    shape : of a payload
    depth : int

    Members
    -------
    i, o : the stream
    """

    latency = 1

    def __init__(self, shape: object, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"Expected depth of at least 1, not {depth!r}")
        self._shape, self._depth = shape, depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pushed, popped = Signal(), Signal()
        count = Signal(range(self._depth + 1))
        following = Signal.like(count)
        room = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(room),
            pushed.eq(self.i.valid & room),
            popped.eq(self.o.valid & self.o.ready),
            following.eq(count + pushed - popped),
        ]
        m.d.sync += [count.eq(following), room.eq(following != self._depth)]
        build = self._distributed if self._depth <= DISTRIBUTED_DEPTH else self._block
        build(m, pushed, popped, following)
        return m

    def _distributed(self, m: Module, pushed: Signal, popped: Signal, following: Signal) -> None:
        width = len(Value.cast(self.i.p))
        m.submodules.storage = storage = memory.Memory(shape=width, depth=self._depth, init=[])
        write, read = storage.write_port(), storage.read_port(domain="comb")
        valid = Signal()
        m.d.sync += valid.eq(following != 0)
        m.d.comb += [
            write.en.eq(pushed),
            write.data.eq(Value.cast(self.i.p)),
            self.o.valid.eq(valid),
            Value.cast(self.o.p).eq(read.data),
        ]
        self._advance(m, write.addr, pushed)
        self._advance(m, read.addr, popped)

    def _block(self, m: Module, pushed: Signal, popped: Signal, following: Signal) -> None:
        width = len(Value.cast(self.i.p))
        m.submodules.front = front = Queue(width, FRONT)
        place = Signal(range(self._depth), name="write_place")
        reading = Signal(range(self._depth), name="read_place")
        stored = Signal(range(self._depth + 1))
        beside, written, read = Signal(), Signal(), Signal()
        arriving = delayed(m, "read", read, RAM_LATENCY)
        flying = Signal()
        words = Signal(width)
        m.d.comb += [
            flying.eq(delayed(m, "flying", read, 1) | arriving),
            beside.eq(pushed & (stored == 0) & ~flying & ~front.filled[-1]),
            written.eq(pushed & ~beside),
            # As many as are on their way, and this one, still find room.
            read.eq((stored != 0) & ~front.filled[FRONT - RAM_LATENCY - 2]),
        ]
        m.d.sync += stored.eq(stored + written - read)
        m.submodules.memory = Instance(
            "hwconv_ram",
            p_WIDTH=width,
            p_DEPTH=self._depth,
            i_clk=ClockSignal(),
            i_w_en=written,
            i_w_addr=place,
            i_w_data=Value.cast(self.i.p),
            i_r_addr=reading,
            o_r_data=words,
        )
        self._advance(m, place, written)
        self._advance(m, reading, read)
        m.d.comb += [
            front.push.eq(beside | arriving),
            front.payload.eq(Mux(arriving, words, Value.cast(self.i.p))),
            self.o.valid.eq(front.o.valid),
            Value.cast(self.o.p).eq(front.o.p),
            front.o.ready.eq(self.o.ready),
        ]

    def _advance(self, m: Module, place: Signal, step: Value) -> None:
        """The next place of the ring; there is nothing to do in one of a single place."""
        if self._depth > 1:
            with m.If(step):
                m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
