"""The sum of two streams of bytes, int8 or uint8, each with its own scale."""

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import delayed
from hwconv.gateware.requantise import Requantiser
from hwconv.gateware.staged import Pipeline
from hwconv.gateware.stream import PlainBeat, Queue
from hwconv.plan.add import ROM_LATENCY, AddConfig


def choice_of(config: AddConfig) -> dict[str, wiring.Member]:
    """The input that says which of several additions is computed."""
    return {"which": In(range(config.additions))} if config.additions > 1 else {}


class AddLane(wiring.Component):
    """Computes ``requantise(table_0[part of an operand] + table_1[..] + ..)`` of a pair of bytes.

    Latency: ``config.pipeline_latency`` cycles, also the attribute `latency`. Throughput: a pair a cycle. There is no
    back-pressure, valid or reset. All paths from input to output are cut by registers.

    Parameters
    ----------
    config : AddConfig
        The tables and the unit that rounds.

    Members
    -------
    a, b : In, 8
        The operands' bits.
    which : In, where there are several additions
        The one that is computed.
    o : Out, signed 8
        The result's bits.
    """

    def __init__(self, config: AddConfig) -> None:
        self._config = config
        super().__init__({"a": In(8), "b": In(8), **choice_of(config), "o": Out(signed(8))})

    @property
    def latency(self) -> int:
        return self._config.pipeline_latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, pipeline = self._config, Pipeline(m)
        several = config.additions > 1
        numbers = []
        for index, term in enumerate(config.terms):
            word = Signal(signed(config.sum_width), name=f"term_{index}")
            m.submodules[f"table_{index}"] = Instance(
                config.table_name(index),
                i_clk=ClockSignal(),
                i_addr=Cat(
                    (self.a, self.b)[term.operand][term.low : term.low + term.bits], self.which if several else ()
                ),
                o_data=word,
            )
            numbers.append(pipeline.number(word, ROM_LATENCY, 0, config.sum_segments))
        total = pipeline.gather(pipeline.add_all(numbers, "sum"), "total")
        m.submodules.requantiser = unit = Requantiser(config.requantiser)
        entries = config.requantiser.entries
        chosen: Value = Const(entries[0], len(unit.entry))
        if len(set(entries)) > 1:
            chosen = Array(entries)[delayed(m, "which", self.which, total.stage, reset=False)]
        m.d.comb += [
            unit.accumulator.eq(total.value),
            unit.entry.eq(chosen),
            self.o.eq(unit.o),
        ]
        if total.stage + unit.latency != self.latency:
            raise ValueError(f"Expected a pipeline of {self.latency} stages, not {total.stage + unit.latency}")
        return m


class Addition(wiring.Component):
    """Adds the beats of two streams in pairs.

    Latency: ``config.latency`` cycles from the handshakes of a pair, which are in the same cycle, to its result.
    Throughput: a beat a cycle. Back-pressure: a pair is taken when both are there and the queue behind the
    pipeline, which never stalls, has a place left; a place is free the cycle after a result has left. The inputs'
    ready depends on each other's valid without a register; all other paths between the sides are cut.

    Parameters
    ----------
    config : AddConfig

    Members
    -------
    i_0, i_1 : In, streams of :class:`PlainBeat`
    o : Out, stream of :class:`PlainBeat`
        TLAST is that of the first.
    which : In, where there are several additions
        That of the pair that is taken.
    """

    def __init__(self, config: AddConfig) -> None:
        self._config = config
        shape = PlainBeat(config.beat_bytes)
        super().__init__({"i_0": In(stream.Signature(shape)), "i_1": In(stream.Signature(shape)),
                          **choice_of(config), "o": Out(stream.Signature(shape))})  # fmt: skip

    @property
    def latency(self) -> int:
        return self._config.latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.queue = queue = Queue(PlainBeat(config.beat_bytes), config.queue_depth)
        taken = Signal()
        popped = Signal()
        places = Signal(range(config.queue_depth + 1), init=config.queue_depth)
        left = Signal.like(places)
        room = Signal(init=1)
        m.d.comb += [
            taken.eq(self.i_0.valid & self.i_1.valid & room),
            self.i_0.ready.eq(self.i_1.valid & room),
            self.i_1.ready.eq(self.i_0.valid & room),
            popped.eq(self.o.valid & self.o.ready),
            left.eq(places - taken + popped),
        ]
        m.d.sync += [places.eq(left), room.eq(left != 0)]
        results = []
        for lane in range(config.beat_bytes):
            m.submodules[f"lane_{lane}"] = each = AddLane(config)
            m.d.comb += [
                each.a.eq(self.i_0.p.data.word_select(lane, 8)),
                each.b.eq(self.i_1.p.data.word_select(lane, 8)),
            ]
            if config.additions > 1:
                m.d.comb += each.which.eq(self.which)
            results.append(each.o)
        m.d.comb += [
            queue.push.eq(delayed(m, "taken", taken, config.pipeline_latency)),
            queue.payload.data.eq(Cat(results)),
            queue.payload.last.eq(delayed(m, "last", self.i_0.p.last, config.pipeline_latency, reset=False)),
            self.o.valid.eq(queue.o.valid),
            self.o.p.data.eq(queue.o.p.data),
            self.o.p.last.eq(queue.o.p.last),
            queue.o.ready.eq(self.o.ready),
        ]
        return m
