"""A queue of exactly as many beats as the plan asks for."""

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.stream import Queue

DISTRIBUTED_DEPTH = 32
"""Queues of up to this many payloads are made of look-up tables."""
RAM_LATENCY = 2
FRONT = 8
"""Payloads behind the block RAM that wait to leave: more than come within the time that a read takes."""
_STAGES = ("flying_1", "flying_2", "joined_1", "joined_2")


def _count(m: Module, count: Signal, up: Value, down: Value) -> None:
    """One more, one less, or as many as before."""
    with m.If(up ^ down):
        m.d.sync += count.eq(Mux(up, count + 1, count - 1))


class StreamQueue(wiring.Component):
    """Keeps up to `depth` payloads in order; a payload counts from its arrival until it has left.

    Latency: 1 cycle. Throughput: a payload a cycle, every other cycle with a depth of 1. Back-pressure: `i.ready` is a
    register: a place that becomes free is there a cycle later. All paths between the two sides are cut.

    Up to :data:`DISTRIBUTED_DEPTH` the payloads lie in distributed RAM; beyond, in a block RAM with a short queue
    behind it. A payload that finds the block RAM empty goes past it, by way of registers if others are still on their
    way out of it, and one that does not is read before those before it have left: the latency is the same.

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
        pushed = Signal()
        popped = Signal()
        count = Signal(range(self._depth + 1))
        room = Signal(init=1)
        m.d.comb += [
            self.i.ready.eq(room),
            pushed.eq(self.i.valid & room),
            popped.eq(self.o.valid & self.o.ready),
        ]
        # Marks are found from the count as it is, so that handshakes, which are late, decide at once.
        m.d.sync += room.eq(popped | (room & ~(pushed & (count == self._depth - 1))))
        _count(m, count, pushed, popped)
        if self._depth <= DISTRIBUTED_DEPTH:
            self._distributed(m, pushed, popped, count)
        else:
            self._block(m, pushed)
        return m

    def _distributed(self, m: Module, pushed: Signal, popped: Signal, count: Signal) -> None:
        width = len(Value.cast(self.i.p))
        m.submodules.storage = storage = memory.Memory(shape=width, depth=self._depth, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        valid = Signal()
        m.d.sync += valid.eq(pushed | (valid & ~(popped & (count == 1))))
        m.d.comb += [
            write.en.eq(pushed),
            write.data.eq(Value.cast(self.i.p)),
            self.o.valid.eq(valid),
            Value.cast(self.o.p).eq(read.data),
        ]
        self._advance(m, write.addr, pushed)
        self._advance(m, read.addr, popped)

    def _block(self, m: Module, pushed: Signal) -> None:
        width = len(Value.cast(self.i.p))
        m.submodules.front = front = Queue(width, FRONT)
        place = Signal(range(self._depth), name="write_place")
        reading = Signal(range(self._depth), name="read_place")
        stored = Signal(range(self._depth + 1))
        empty = Signal(init=1)
        beside = Signal()
        joined = Signal()
        written = Signal()
        read = Signal()
        words = Signal(width)
        payload = Value.cast(self.i.p)
        # What is on its way to the front queue, the nearer one second: read from the memory, or joined to what was.
        flying_1, flying_2, joined_1, joined_2 = (Signal(name=name) for name in _STAGES)
        beside_1 = Signal(width, reset_less=True)
        beside_2 = Signal(width, reset_less=True)
        # As many as are on their way, and this one, still find room.
        near = ~front.filled[FRONT - RAM_LATENCY - 2]
        m.d.comb += [
            beside.eq(pushed & empty & ~flying_1 & ~flying_2 & ~front.filled[-1]),
            joined.eq(pushed & empty & (flying_1 | flying_2) & near),
            written.eq(pushed & ~beside & ~joined),
            read.eq(~empty & near),
        ]
        m.d.sync += [
            empty.eq(~written & (empty | (read & (stored == 1)))),
            flying_1.eq(read | (joined & flying_1)),
            joined_1.eq(joined),
            beside_1.eq(payload),
            flying_2.eq(flying_1 | joined),
            joined_2.eq(Mux(flying_1, joined_1, 1)),
            beside_2.eq(Mux(flying_1, beside_1, payload)),
        ]
        _count(m, stored, written, read)
        m.submodules.memory = Instance(
            "hwconv_ram",
            p_WIDTH=width,
            p_DEPTH=self._depth,
            i_clk=ClockSignal(),
            # Whatever is there: while there is room, the next place is free. The memory may be far away.
            i_w_en=self.i.ready,
            i_w_addr=place,
            i_w_data=payload,
            i_r_addr=reading,
            o_r_data=words,
        )
        self._advance(m, place, written)
        self._advance(m, reading, read)
        m.d.comb += [
            front.push.eq(beside | flying_2),
            front.payload.eq(Mux(flying_2, Mux(joined_2, beside_2, words), payload)),
            self.o.valid.eq(front.o.valid),
            Value.cast(self.o.p).eq(front.o.p),
            front.o.ready.eq(self.o.ready),
        ]

    def _advance(self, m: Module, place: Signal, step: Value) -> None:
        """The next place of the ring; there is nothing to do in one of a single place."""
        if self._depth > 1:
            with m.If(step):
                m.d.sync += place.eq(Mux(place == self._depth - 1, 0, place + 1))
