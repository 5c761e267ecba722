"""Engines side by side and one after the other: guard, forks, queues, additions, enlarged frames, concatenations."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.add import Addition
from hwconv.gateware.axi_stream_top import AxiStreamTop
from hwconv.gateware.engine import EngineCore, tap
from hwconv.gateware.frame_guard import FrameGuard
from hwconv.gateware.loop import LoopCore
from hwconv.gateware.residual import ResidualCore
from hwconv.gateware.stream import Beat, PlainBeat, Queue, SkidBuffer, StreamRegister
from hwconv.gateware.stream_queue import StreamQueue
from hwconv.gateware.upscale import Upscaler
from hwconv.gateware.winograd_engine import WinogradCore
from hwconv.graph import INPUT, Add, Concat, Upscale
from hwconv.plan.add import AddPlan
from hwconv.plan.engine_plan import module_name
from hwconv.plan.graph_plan import MARKS_MARGIN, GraphPlan
from hwconv.plan.graph_schedule import GUARD_ROOM, Edge
from hwconv.plan.loop_config import LoopConfig
from hwconv.plan.partition import Block
from hwconv.plan.residual import ResidualPlan
from hwconv.plan.upscale import UpscalePlan
from hwconv.plan.winograd_config import WinogradConfig

GUARD_QUEUE = 16
"""Beats of the guard's queue: as deep as distributed RAM is, and more than come after the guard is told to stop."""


Stream = Any  # amaranth.lib.stream.Interface, whose payload has fields that no type knows
"""A stream between nodes: whoever gives it drives `valid` and the payload, whoever takes it drives `ready`."""


class Concatenation(wiring.Component):
    """Passes on `parts` beats of each input in turn: what each of them has of a pixel.

    Latency: 1 cycle. Throughput: a beat a cycle. Back-pressure: an input waits for its turn; `o.ready` reaches the
    inputs' ready without a register.

    Parameters
    ----------
    beat_bytes : int
        Of all streams.
    parts : tuple of int
        Beats of a pixel of each input.

    Members
    -------
    i_0, i_1, .. : In, streams of :class:`PlainBeat`
    o : Out, stream of :class:`PlainBeat`
        TLAST comes with that of the last input.
    """

    latency = 1

    def __init__(self, beat_bytes: int, parts: tuple[int, ...]) -> None:
        self._beat_bytes, self._parts = beat_bytes, parts
        shape = PlainBeat(beat_bytes)
        inputs = {f"i_{index}": In(stream.Signature(shape)) for index in range(len(parts))}
        super().__init__({**inputs, "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.register = register = StreamRegister(PlainBeat(self._beat_bytes))
        inputs = [getattr(self, f"i_{index}") for index in range(len(self._parts))]
        turn = Signal(len(inputs), init=1)
        count = Signal(range(max(2, *self._parts)))
        taken = Signal()
        ends = Signal()
        m.d.comb += [
            register.i.valid.eq(Cat(turn[index] & each.valid for index, each in enumerate(inputs)).any()),
            taken.eq(register.i.valid & register.i.ready),
            ends.eq(Cat(turn[index] & (count == part - 1) for index, part in enumerate(self._parts)).any()),
        ]
        chosen: Value = Const(0, 8 * self._beat_bytes)
        for index, each in enumerate(inputs):
            m.d.comb += each.ready.eq(turn[index] & register.i.ready)
            chosen |= Mux(turn[index], each.p.data, 0)
        m.d.comb += [
            register.i.p.data.eq(chosen),
            register.i.p.last.eq(turn[-1] & inputs[-1].p.last),
            self.o.valid.eq(register.o.valid),
            Value.cast(self.o.p).eq(Value.cast(register.o.p)),
            register.o.ready.eq(self.o.ready),
        ]
        with m.If(taken):
            m.d.sync += count.eq(Mux(ends, 0, count + 1))
            with m.If(ends):
                m.d.sync += turn.eq(turn.rotate_left(1))
        return m


class GraphCore(wiring.Component):
    """The engines of a graph; :class:`GraphTop` gives them their AXI4-Stream ports.

    A guard makes whole frames of what comes in, so that damaged ones look the same to every engine; their marks wait in
    a queue of their own for the last beat of the output. A tensor that several read is handed to all of them in the
    same cycle, into a queue for each.

    Latency and interval: :mod:`hwconv.plan.graph_schedule`. Back-pressure is accepted at any cycle on both sides.

    Members
    -------
    i, o : In, Out, streams of :class:`Beat`
    frame_error : Out
        Pulses once for each damaged frame.
    resetting : In
        Until all blocks are reset: both streams are silent from the next cycle on.
    """

    def __init__(self, plan: GraphPlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "i": In(stream.Signature(Beat(plan.input_beat_bytes))),
                "o": Out(stream.Signature(Beat(plan.output_beat_bytes))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        graph, beats = self._plan.graph, self._plan.beats
        given = {INPUT: self._enter(m)}
        sinks: dict[str, list[tuple[Edge, Stream]]] = {}
        for place, block in enumerate(self._plan.blocks):
            node, label = block.node, f"node_{place}_{module_name(block.name)}"
            inputs = []
            for index, name in enumerate(block.inputs):
                sink = stream.Signature(PlainBeat(beats[name])).create(path=(f"{label}_input_{index}",))
                sinks.setdefault(name, []).append(((node.name, index), sink))
                inputs.append(sink)
            if block.layers:
                given[node.name] = self._engine(m, label, block, inputs[0])
            elif isinstance(node, Concat):
                given[node.name] = self._concatenate(m, label, node, inputs)
            elif isinstance(node, Add):
                given[node.name] = self._add(m, label, node.name, inputs)
            elif isinstance(node, Upscale):
                given[node.name] = self._upscale(m, label, node.name, inputs[0])
            else:
                given[node.name] = self._engine(m, label, block, inputs[0])
        for name, readers in sinks.items():
            self._hand_on(m, name, given[name], readers)
        if self._plan.observed:
            self._observe(m, given)
        self._leave(m, given[graph.origin(graph.output)])
        return m

    def _enter(self, m: Module) -> Stream:
        """Whole frames of what comes in, once all engines are ready for them after a reset."""
        plan, frame = self._plan, self._plan.frame
        beat = Beat(frame.beat_bytes)
        m.submodules.skid_in = skid_in = ResetInserter(self.resetting)(SkidBuffer(beat))
        m.submodules.guard = guard = FrameGuard(frame)
        m.submodules.arrived = arrived = Queue(PlainBeat(frame.beat_bytes), GUARD_QUEUE)
        m.submodules.marks = marks = Queue(1, plan.marks)
        cycles = max((engine.config.flush_cycles for engine in plan.engines.values()), default=0) + 2
        left = Signal(range(cycles + 1), init=cycles, name="settling")
        closed = Signal(init=1)
        m.d.sync += closed.eq(left > 1)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [
            Value.cast(skid_in.i.p).eq(Value.cast(self.i.p)),
            skid_in.i.valid.eq(self.i.valid & ~closed),
            self.i.ready.eq(skid_in.i.ready & ~closed),
            *(guard.i.p[name].eq(skid_in.o.p[name]) for name in ("data", "keep", "last")),
            guard.i.valid.eq(skid_in.o.valid),
            skid_in.o.ready.eq(guard.i.ready),
            guard.permitted.eq(~arrived.filled[GUARD_ROOM + 1] & ~marks.filled[plan.marks - MARKS_MARGIN]),
            self.frame_error.eq(guard.error),
            arrived.push.eq(guard.valid),
            arrived.payload.data.eq(guard.data),
            arrived.payload.last.eq(guard.last),
            marks.push.eq(guard.valid & guard.last),
            marks.payload.eq(guard.user),
        ]
        return arrived.o

    def _engine(self, m: Module, label: str, block: Block, sink: Stream) -> Stream:
        plan, name, source = self._plan, block.name, block.inputs[0]
        engine = plan.engines[name]
        assert not isinstance(engine, AddPlan | UpscalePlan)
        config = engine.config
        numbers = {each: index for index, each in enumerate(plan.graph.tensors)}
        observed = [numbers[each] for each in block.layers[:-1]] if plan.observed else []
        core: EngineCore | WinogradCore | LoopCore | ResidualCore
        if isinstance(engine, ResidualPlan):
            seen = dict(zip(block.layers, observed, strict=False))
            core = ResidualCore(
                engine.config, [(seen.get(step.layer), seen.get(step.add or "")) for step in engine.steps]
            )
        elif isinstance(config, WinogradConfig):
            core = WinogradCore(config, guarded=True)
        elif isinstance(config, LoopConfig):
            core = LoopCore(config, observed)
        else:
            core = EngineCore(config, observed, guarded=True)
        m.submodules[label] = core
        out = stream.Signature(PlainBeat(plan.beats[name])).create(path=(f"{label}_output",))
        m.d.comb += [
            core.i.valid.eq(sink.valid),
            core.i.p.data.eq(sink.p.data),
            core.i.p.keep.eq(self._keep(source, sink.p.last)),
            core.i.p.last.eq(sink.p.last),
            sink.ready.eq(core.i.ready),
            out.valid.eq(core.o.valid),
            out.p.data.eq(core.o.p.data),
            out.p.last.eq(core.o.p.last),
            core.o.ready.eq(out.ready),
        ]
        return out

    def _concatenate(self, m: Module, label: str, node: Concat, inputs: list[Stream]) -> Stream:
        plan = self._plan
        beat = plan.beats[node.name]
        parts = tuple(plan.graph.tensors[name].pixel_bytes // beat for name in node.inputs)
        together = Concatenation(beat, parts)
        m.submodules[label] = together
        for index, sink in enumerate(inputs):
            self._connect(m, sink, getattr(together, f"i_{index}"))
        return together.o

    def _add(self, m: Module, label: str, name: str, inputs: list[Stream]) -> Stream:
        plan = self._plan.engines[name]
        assert isinstance(plan, AddPlan)
        addition = Addition(plan.config)
        m.submodules[label] = addition
        for index, sink in enumerate(inputs):
            self._connect(m, sink, getattr(addition, f"i_{index}"))
        return addition.o

    def _upscale(self, m: Module, label: str, name: str, sink: Stream) -> Stream:
        plan = self._plan.engines[name]
        assert isinstance(plan, UpscalePlan)
        upscaler = Upscaler(plan.config)
        m.submodules[label] = upscaler
        self._connect(m, sink, upscaler.i)
        return upscaler.o

    def _hand_on(self, m: Module, name: str, source: Stream, readers: list[tuple[Edge, Stream]]) -> None:
        """To the only reader, or to all of them in the same cycle, which is when all have room.

        Registers stand before a fork, and where a node waits for several tensors: nothing goes from one reader, or from
        one tensor, into the nodes that give the others.
        """
        plan = self._plan
        beat = PlainBeat(plan.beats[name])
        if len(readers) > 1:
            m.submodules[f"skid_{module_name(name)}"] = before = SkidBuffer(beat)
            self._connect(m, source, before.i)
            source = before.o
        entries = []
        for edge, sink in readers:
            depth = plan.depths[edge]
            if edge[0] in plan.joins:
                m.submodules[f"skid_{module_name(edge[0])}_{edge[1]}"] = joined = SkidBuffer(beat)
                self._connect(m, joined.o, sink)
                sink = joined.i
            if depth == 0:
                entries.append(sink)
                continue
            queue = StreamQueue(beat, depth)
            m.submodules[f"queue_{module_name(edge[0])}_{edge[1]}"] = queue
            self._connect(m, queue.o, sink)
            entries.append(queue.i)
        room = Cat(entry.ready for entry in entries).all() if len(entries) > 1 else entries[0].ready
        moving = source.valid & room if len(entries) > 1 else source.valid
        m.d.comb += source.ready.eq(room)
        for entry in entries:
            m.d.comb += [entry.valid.eq(moving), Value.cast(entry.p).eq(Value.cast(source.p))]

    def _observe(self, m: Module, given: dict[str, Stream]) -> None:
        """What simulations look at: the beats of every tensor, in the order of the graph's."""
        for index, name in enumerate(self._plan.graph.tensors):
            if name not in given:
                continue
            m.submodules[f"tap_{index}"] = tap(index, self._plan.beats[name], given[name])

    def _leave(self, m: Module, source: Stream) -> None:
        """A frame's last beat waits for the mark of its input, which comes first: it depends on all of the frame.

        Registers before the gate: nothing goes from the output's ready into the last node or to the marks, which lie by
        the input, and nothing from there to the output. A mark comes cycles before any beat that depends on its frame.
        """
        marks = m.submodules.marks
        beat = PlainBeat(self._plan.output_beat_bytes)
        m.submodules.skid_out = skid_out = ResetInserter(self.resetting)(SkidBuffer(beat))
        m.submodules.mark_out = mark_out = SkidBuffer(1)
        self._connect(m, source, skid_out.i)
        self._connect(m, marks.o, mark_out.i)
        leaving, mark = skid_out.o, mark_out.o
        known = ~leaving.p.last | mark.valid
        m.d.comb += [
            self.o.valid.eq(leaving.valid & known),
            leaving.ready.eq(self.o.ready & known),
            self.o.p.data.eq(leaving.p.data),
            self.o.p.keep.eq(self._keep(self._plan.graph.output, leaving.p.last)),
            self.o.p.last.eq(leaving.p.last),
            self.o.p.user.eq(leaving.p.last & mark.p),
            mark.ready.eq(self.o.valid & self.o.ready & leaving.p.last),
        ]

    def _keep(self, name: str, last: Value) -> Value:
        """TKEEP of a tensor's beats."""
        count = self._plan.beats[name]
        rest = (self._plan.graph.tensors[name].bytes - 1) % count + 1
        return Cat(Const(1, 1) if lane < rest else ~last for lane in range(count))

    @staticmethod
    def _connect(m: Module, source: Stream, sink: Stream) -> None:
        m.d.comb += [
            sink.valid.eq(source.valid),
            Value.cast(sink.p).eq(Value.cast(source.p)),
            source.ready.eq(sink.ready),
        ]


class GraphTop(AxiStreamTop):
    """A :class:`GraphCore` with the ports of a vendor-neutral AXI4-Stream block; see docs/architecture.md."""

    def __init__(self, plan: GraphPlan) -> None:
        super().__init__(GraphCore(plan), plan.input_beat_bytes, plan.output_beat_bytes, spread=True)
