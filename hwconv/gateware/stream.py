"""Stream building blocks: what a beat is, and registers that cut paths."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out


class Beat(data.StructLayout):
    """A beat of `count` bytes: `data`, one `keep` bit a byte, `last` on the last beat of a frame, `user`."""

    def __init__(self, count: int) -> None:
        super().__init__({"data": 8 * count, "keep": count, "last": 1, "user": 1})


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
        waiting, front = Signal(width, reset_less=True), Signal(width, reset_less=True, name="front")
        waiting_valid, front_valid, accepting = Signal(), Signal(), Signal(name="accepting")
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
        payload, valid = Signal(len(Value.cast(self.i.p)), reset_less=True), Signal(name="valid")
        m.d.comb += [
            self.i.ready.eq(self.o.ready | ~valid),
            self.o.valid.eq(valid),
            Value.cast(self.o.p).eq(payload),
        ]
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), payload.eq(Value.cast(self.i.p))]
        return m
