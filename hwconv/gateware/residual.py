"""An engine whose layers' results meet again: what its additions read is kept beside it until they come by."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.add import Addition
from hwconv.gateware.engine import EngineCore, tap
from hwconv.gateware.stream import Beat, PlainBeat, SkidBuffer
from hwconv.gateware.stream_queue import StreamQueue
from hwconv.plan.residual_config import ResidualConfig, Way


class _Turn:
    """The layer whose beats pass a place, and what the ways say of it, in registers."""

    def __init__(self, m: Module, name: str, ways: Sequence[Way]) -> None:
        self._m, self._name, self._count = m, name, len(ways)
        self.index = Signal(range(max(2, self._count)), name=f"{name}_layer")
        self.advance = Signal(name=f"{name}_advance")
        with m.If(self.advance):
            m.d.sync += self.index.eq(Mux(self.index == self._count - 1, 0, self.index + 1))

    def mark(self, name: str, values: Sequence[int]) -> Signal:
        """The current layer's number of `values`, one for each layer."""
        number = Signal(range(max(values) + 1), name=f"{self._name}_{name}", init=values[0])
        with self._m.If(self.advance):
            self._m.d.sync += number.eq(Array([*values[1:], values[0]])[self.index])
        return number


class Residuals(wiring.Component):
    """Passes on each layer's results: through an addition, to where frames are kept, back, or out.

    What is kept leaves in the order in which it came, to the additions.

    Latency: 1 cycle from `i` to where ways part, that of the addition more for results that go through it; 1 cycle from
    there to `back` and `o`. Throughput: a beat a cycle. Results that go through no addition wait until all before them
    are through theirs. All paths between the streams are cut.

    Parameters
    ----------
    config : ResidualConfig
    observed : sequence of pairs, optional
        For simulations that look inside, of each layer: a number for what it computes, and for what the addition makes
        of it; None where that is not looked at.

    Members
    -------
    i : In, stream of :class:`PlainBeat`
        Results of all layers, one after the other.
    back, o : Out, streams of :class:`PlainBeat`
    """

    def __init__(self, config: ResidualConfig, observed: Sequence[tuple[int | None, int | None]] = ()) -> None:
        self._config, self._observed = config, observed
        beats = stream.Signature(PlainBeat(config.output_beat_bytes))
        super().__init__({"i": In(beats), "back": Out(beats), "o": Out(beats)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, ways = self._config, self._config.ways
        beat = PlainBeat(config.output_beat_bytes)
        m.submodules.entering = entering = SkidBuffer(beat)
        m.submodules.addition = addition = Addition(config.addition)
        m.submodules.kept = kept = StreamQueue(beat, config.kept_beats)
        m.submodules.returning = returning = SkidBuffer(beat)
        m.submodules.leaving = leaving = SkidBuffer(beat)
        wiring.connect(m, wiring.flipped(self.i), entering.i)
        wiring.connect(m, kept.o, addition.i_1)
        wiring.connect(m, returning.o, wiring.flipped(self.back))
        wiring.connect(m, leaving.o, wiring.flipped(self.o))

        coming, going = _Turn(m, "coming", ways), _Turn(m, "going", ways)
        to_add = coming.mark("adds", [int(way.adds is not None) for way in ways])
        added = going.mark("added", [int(way.adds is not None) for way in ways])
        keeps = going.mark("keeps", [int(way.keeps) for way in ways])
        returns = going.mark("returns", [int(way.returns) for way in ways])
        leaves = going.mark("leaves", [0] * (len(ways) - 1) + [1])

        source = entering.o
        joined = stream.Signature(beat).create(path=("joined",))
        room = (~keeps | kept.i.ready) & (~returns | returning.i.ready) & (~leaves | leaving.i.ready)
        moved = joined.valid & joined.ready
        m.d.comb += [
            addition.i_0.valid.eq(source.valid & to_add),
            addition.i_0.p.eq(source.p),
            # Results without an addition go past it when it is empty: all of the layer before has left.
            source.ready.eq(Mux(to_add, addition.i_0.ready, joined.ready & ~added)),
            joined.valid.eq(Mux(added, addition.o.valid, source.valid & ~to_add)),
            Value.cast(joined.p).eq(Mux(added, Value.cast(addition.o.p), Value.cast(source.p))),
            joined.ready.eq(room),
            addition.o.ready.eq(room & added),
            coming.advance.eq(source.valid & source.ready & source.p.last),
            going.advance.eq(moved & joined.p.last),
            kept.i.valid.eq(moved & keeps),
            kept.i.p.eq(joined.p),
            returning.i.valid.eq(moved & returns),
            returning.i.p.eq(joined.p),
            leaving.i.valid.eq(moved & leaves),
            leaving.i.p.eq(joined.p),
        ]
        if config.addition.additions > 1:
            m.d.comb += addition.which.eq(coming.mark("which", [way.adds or 0 for way in ways]))
        for layer, (alone, summed) in enumerate(self._observed):
            self._tap(m, alone, source, coming.index == layer)
            self._tap(m, summed, joined, going.index == layer)
        return m

    def _tap(self, m: Module, number: int | None, source: Any, when: Value) -> None:
        if number is not None:
            m.submodules[f"tap_{number}"] = tap(number, self._config.output_beat_bytes, source, when)


class ResidualCore(wiring.Component):
    """A program of layers, some of whose results are added to what others before them gave.

    Where the first layer's channels are fewer than an engine's word, frames come in a pixel a beat: zeros, with weights
    of zero, fill it up.

    Latency and interval: :mod:`hwconv.plan.residual_schedule`. Back-pressure is accepted at any cycle on both sides.
    Frames that come in are whole: a graph's guard sees to that.

    Parameters
    ----------
    config : ResidualConfig
    observed : sequence of pairs, optional
        See :class:`Residuals`.

    Members
    -------
    i, o : In, Out, streams of :class:`Beat`
    """

    def __init__(self, config: ResidualConfig, observed: Sequence[tuple[int | None, int | None]] = ()) -> None:
        self._config, self._observed = config, observed
        super().__init__(
            {
                "i": In(stream.Signature(Beat(config.input_beat_bytes))),
                "o": Out(stream.Signature(Beat(config.output_beat_bytes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.engine = engine = EngineCore(config.engine, guarded=True)
        m.submodules.residuals = residuals = Residuals(config, self._observed)
        padding = 8 * (config.engine.input_beat_bytes - config.input_beat_bytes)
        m.d.comb += [
            engine.i.valid.eq(self.i.valid),
            engine.i.p.data.eq(Cat(self.i.p.data, Const(0, padding))),
            engine.i.p.last.eq(self.i.p.last),
            self.i.ready.eq(engine.i.ready),
            residuals.i.valid.eq(engine.o.valid),
            residuals.i.p.data.eq(engine.o.p.data),
            residuals.i.p.last.eq(engine.o.p.last),
            engine.o.ready.eq(residuals.i.ready),
            engine.back.valid.eq(residuals.back.valid),
            engine.back.p.data.eq(residuals.back.p.data),
            engine.back.p.last.eq(residuals.back.p.last),
            residuals.back.ready.eq(engine.back.ready),
            self.o.valid.eq(residuals.o.valid),
            self.o.p.data.eq(residuals.o.p.data),
            self.o.p.last.eq(residuals.o.p.last),
            residuals.o.ready.eq(self.o.ready),
        ]
        return m
