"""Stream building blocks: what a beat is, and registers that cut paths."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out


class Beat(data.StructLayout):
    """A beat of `count` bytes: `data`, one `keep` bit a byte, `last` on the last beat of a frame, `user`."""

    def __init__(self, count: int) -> None:
        super().__init__({"data": 8 * count, "keep": count, "last": 1, "user": 1})


class PlainBeat(data.StructLayout):
    """A beat of a whole frame: which of its bytes are there follows from its place."""

    def __init__(self, count: int) -> None:
        super().__init__({"data": 8 * count, "last": 1})


class SkidBuffer(wiring.Component):
    """Passes a stream on unchanged through two registers.

    Latency: 1 cycle. Throughput: one transfer a cycle. Back-pressure: `i.ready` falls one cycle after `o.ready`;
    the beat that comes meanwhile waits in the second register. Every path between the two sides is cut.

    Members
    -------
    i, o : the stream
    """

    def __init__(self, shape: object) -> None:
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(Value.cast(self.i.p))
        waiting = Signal(width, reset_less=True)
        front = Signal(width, reset_less=True)
        waiting_valid = Signal()
        front_valid = Signal()
        accepting = Signal()
        m.d.comb += [
            self.i.ready.eq(accepting),
            self.o.valid.eq(front_valid),
            Value.cast(self.o.p).eq(front),
        ]
        arriving = self.i.valid & accepting
        advancing = self.o.ready | ~front_valid
        payload = Value.cast(self.i.p)
        m.d.sync += accepting.eq(advancing | (~waiting_valid & ~arriving))
        # Nothing waits while more is accepted: the second register may follow the input, whatever becomes of it.
        with m.If(accepting):
            m.d.sync += waiting.eq(payload)
        with m.If(advancing):
            m.d.sync += [
                front_valid.eq(waiting_valid | arriving),
                waiting_valid.eq(0),
                front.eq(Mux(waiting_valid, waiting, payload)),
            ]
        with m.Elif(arriving):
            m.d.sync += waiting_valid.eq(1)
        return m


class Queue(wiring.Component):
    """Keeps payloads in order until they are taken.

    How full it is is counted in unary: whether something is there, and whether there is room, are registers, and a
    step up or down is one look-up table a bit.

    Latency: 1 cycle from `push` to `o.valid`. Throughput: one payload a cycle on both sides. Back-pressure: none on
    `push`, which must not come while ``filled[-1]`` is high. No path runs from `push` or `payload` to `o`.

    Parameters
    ----------
    shape : of a payload
    depth : int
        Payloads it holds: a power of two.

    Members
    -------
    push, payload : In
    o : Out, the stream
    filled : Out, bit `n` is high while more than `n` payloads are kept
    """

    def __init__(self, shape: object, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"Expected depth to be a power of two, not {depth!r}")
        self._shape, self._depth = shape, depth
        super().__init__({"push": In(1), "payload": In(shape), "o": Out(stream.Signature(shape)), "filled": Out(depth)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = len(Value.cast(self.payload))
        m.submodules.storage = storage = memory.Memory(shape=width, depth=self._depth, init=[])
        write = storage.write_port()
        read = storage.read_port(domain="comb")
        taken = Signal()
        m.d.comb += [
            write.en.eq(self.push),
            write.data.eq(Value.cast(self.payload)),
            self.o.valid.eq(self.filled[0]),
            Value.cast(self.o.p).eq(read.data),
            taken.eq(self.filled[0] & self.o.ready),
        ]
        with m.If(self.push):
            m.d.sync += write.addr.eq(write.addr + 1)
        with m.If(taken):
            m.d.sync += read.addr.eq(read.addr + 1)
        with m.If(self.push ^ taken):
            m.d.sync += self.filled.eq(Mux(self.push, Cat(1, self.filled), self.filled >> 1))
        return m


class StreamRegister(wiring.Component):
    """Passes a stream on unchanged through one register.

    Latency: 1 cycle. Throughput: one transfer a cycle. Back-pressure passes from `o.ready` to `i.ready` without a
    register; the paths of payload and valid are cut.

    Members
    -------
    i, o : the stream
    """

    latency = 1

    def __init__(self, shape: object) -> None:
        self._shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        payload = Signal(len(Value.cast(self.i.p)), reset_less=True)
        valid = Signal()
        m.d.comb += [
            self.i.ready.eq(self.o.ready | ~valid),
            self.o.valid.eq(valid),
            Value.cast(self.o.p).eq(payload),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), payload.eq(Value.cast(self.i.p))]
        return m
