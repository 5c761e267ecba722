"""The plan of a graph of engines: which computes what, the streams between them, and the queues where streams part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil
from typing import TYPE_CHECKING, Any, Literal

from ..errors import FitError, SpecError, one_of
from ..graph import INPUT, Concat, Graph, Network, Node
from .balance import Balance
from .block_ram import block_ram_count
from .engine_plan import EnginePlan, make_plan, module_name
from .frame import FrameConfig, StreamCycles
from .graph_schedule import UNBOUNDED, Deadlock, Edge, Schedule
from .partition import Block, Programs, blocks_of, check_programs
from .queue_depths import QueueDepths, queue_depths
from .rom import RomImage
from .winograd import make_winograd_plan

if TYPE_CHECKING:
    from ..targets import Target

from .graph_balance import balanced_engines
from .graph_engines import NodePlan, engines_of, shares_of, streams_of
from .graph_programs import plan_program

SHORT_QUEUE = 32
"""Beats of the longest queue in distributed RAM."""
MOST_TRIES = 5
"""How often a target is shared anew because queues take block RAMs that engines were given."""
QUEUE_SHARES = (0.25, 0.5, 1.0)
"""Of the block RAMs that queues lack, how much arrays give up; what is missing then shortens a queue."""
MARKS_MARGIN = 5
"""Marks of frames that may still come when the guard is told to stop, and what is in flight then."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphPlan:
    """Everything that is decided about a graph of engines. Make it with :func:`plan_graph`."""

    network: Network
    engines: Mapping[str, NodePlan]
    """Of every block but concatenations, by the tensor that it gives."""
    beats: Mapping[str, int]
    """Bytes of a beat of every tensor."""
    queues: QueueDepths
    balance: Balance | None = None
    """How the target was shared, where one was."""
    target: "Target | None" = None
    programs: Programs = ()
    """Convolutions that share an engine."""
    observed: bool = False
    """Whether simulations see the beats of every tensor (`sim/hwconv_tap.v`)."""

    @property
    def graph(self) -> Graph:
        return self.network.graph

    @property
    def top_name(self) -> str:
        return module_name(self.graph.name)

    @property
    def blocks(self) -> list[Block]:
        """What stands between streams, in an order in which each block reads what comes before it."""
        return blocks_of(self.graph, self.programs)

    @cached_property
    def joins(self) -> frozenset[str]:
        """The blocks that wait for several tensors."""
        return frozenset(block.name for block in self.blocks if len(block.inputs) > 1)

    def program_of(self, name: str) -> str | None:
        """The program that computes a convolution, by the last one's name."""
        return next((layers[-1] for layers in self.programs if name in layers), None)

    @property
    def input_beat_bytes(self) -> int:
        return self.beats[INPUT]

    @property
    def output_beat_bytes(self) -> int:
        return self.beats[self.graph.output]

    @property
    def input_user_bits(self) -> int:
        return 0

    @property
    def passes(self) -> int:
        """Input frames of one output frame."""
        return 1

    @property
    def frame(self) -> FrameConfig:
        """The stream that comes in."""
        tensor = self.graph.tensors[INPUT]
        return FrameConfig(elements=tensor.bytes, beat_bytes=self.beats[INPUT], zero_point=tensor.zero_point,
                           value_bytes=tensor.value_bytes)  # fmt: skip

    @property
    def settled(self) -> int:
        """Frames back to back after which the interval is the one that is predicted."""
        return len(self.queues.schedule.leaves)

    def interval_of(self, frames: int) -> int:
        """Between the last two of so many frames back to back: the interval, once they are as many as `settled`."""
        if frames < 2 or frames >= self.settled:
            return self.cycles.interval
        return streams_of(self.graph, self.engines, self.beats, self.programs).schedule(self.depths, frames).interval

    @property
    def marks(self) -> int:
        """Frames between the guard and the output at most: a power of two."""
        inside = ceil(self.cycles.latency / self.cycles.interval) + 2
        return 1 << (inside + MARKS_MARGIN - 1).bit_length()

    @property
    def depths(self) -> Mapping[Edge, int]:
        """Beats that the queue before each input holds; 0: there is none."""
        return self.queues.depths

    @property
    def roms(self) -> list[RomImage]:
        return [rom for engine in self.engines.values() for rom in engine.roms]

    @property
    def cycles(self) -> StreamCycles:
        schedule = self.queues.schedule
        return StreamCycles(latency=schedule.latency, interval=schedule.interval)

    @property
    def multipliers(self) -> int:
        """Multipliers of all arrays."""
        return sum(engine.multipliers for engine in self.engines.values() if isinstance(engine, EnginePlan))

    @property
    def lut_multipliers(self) -> int:
        """Those of them that are made of look-up tables."""
        return sum(engine.lut_multipliers for engine in self.engines.values() if isinstance(engine, EnginePlan))

    @property
    def products(self) -> int:
        """Products that all arrays make in a cycle."""
        return sum(engine.products for engine in self.engines.values() if isinstance(engine, EnginePlan))

    @property
    def requantiser_multipliers(self) -> int:
        """Hard 18x18 multipliers of all requantisers."""
        return sum(engine.requantiser_multipliers for engine in self.engines.values())

    @property
    def queue_bits(self) -> int:
        """Bits of all queues between engines, with TLAST."""
        read = {(block.name, index): name for block in self.blocks for index, name in enumerate(block.inputs)}
        return sum(depth * (8 * self.beats[read[edge]] + 1) for edge, depth in self.depths.items())

    @property
    def queue_block_rams(self) -> int:
        """Block RAMs of an ECP5 that these queues take; short ones take look-up tables."""
        read = {(block.name, index): name for block in self.blocks for index, name in enumerate(block.inputs)}
        return sum(
            block_ram_count(8 * self.beats[read[edge]] + 1, depth) if depth > SHORT_QUEUE else 0
            for edge, depth in self.depths.items()
        )

    @property
    def utilisation(self) -> float:
        """MACs needed / (interval x products of all arrays)."""
        return self.graph.macs / (self.cycles.interval * self.products) if self.products else 0.0

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has."""
        graph = self.graph
        return {
            "graph": graph.name,
            "kind": "graph",
            "input": list(graph.input_shape),
            "output": list(graph.output_shape),
            "weights": graph.weights,
            "macs": graph.macs,
            "multipliers": self.multipliers,
            "requantiser_multipliers": self.requantiser_multipliers,
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "utilisation": self.utilisation,
            "tensors": {
                name: {"shape": list(tensor.shape), "beat_bytes": self.beats[name]}
                for name, tensor in graph.tensors.items()
            },
            "queues": [
                {"reader": name, "input": index, "beats": depth}
                for (name, index), depth in self.depths.items()
                if depth
            ],
            "queue_bits": self.queue_bits,
            "nodes": [
                {"node": node.name, "inputs": list(node.inputs), **self._node_summary(node)} for node in graph.nodes
            ],
        }

    def _node_summary(self, node: Node) -> dict[str, Any]:
        if node.name in self.engines:
            return self.engines[node.name].summary()
        program = self.program_of(node.name)
        if program is not None:
            return {"kind": "program", "program": program}
        return {"kind": "concat" if isinstance(node, Concat) else "reshape"}


def plan_graph(
    network: Network,
    *,
    multipliers: int | Mapping[str, int] | None = None,
    target: "Target | None" = None,
    optimise: Literal["interval", "latency"] = "interval",
    algorithms: Mapping[str, str] | None = None,
    programs: Sequence[Sequence[str]] = (),
    partition: str = "auto",
) -> GraphPlan:
    """Plans the engines of a network, and the queues between them.

    Parameters
    ----------
    multipliers : int or mapping, optional
        Multipliers of all arrays together (default 64), shared so that the slowest engine is as fast as possible; or of
        each convolution, by name (a program's: of its last one). Requantisers come on top; pooling takes none.
    target : Target, optional
        An FPGA that is shared among the engines by :mod:`~hwconv.plan.balance`, multipliers of look-up tables included;
        without `multipliers`.
    optimise : str
        What is to be short where a target is shared: ``interval`` or ``latency``.
    algorithms : mapping, optional
        Convolutions that are computed otherwise than directly, without `target`: name to ``winograd2`` or
        ``winograd4``.
    programs : sequence of sequences of str, optional
        Convolutions in a row that share an engine (:mod:`~hwconv.plan.program`), without `target`.
    partition : str
        Which share one where a target is shared: ``engines``, ``program`` or ``auto``; see
        :func:`~hwconv.plan.partition.partitions_of`.

    Raises
    ------
    UnsupportedError
        A layer for which there is no hardware; channels that have no beat in common where tensors are concatenated.
    SpecError
        A number out of range, or fewer multipliers than convolutions.
    FitError
        The target is too small.
    """
    graph = network.graph
    shared = check_programs(graph, programs)
    if target is None or (multipliers is None and not network.layers):  # no arrays that could share it
        shares = shares_of(graph, multipliers, shared)
        chosen = algorithms or {}
        for name in chosen:
            if name not in network.layers:
                raise SpecError(graph.name, "algorithms", name, f"a convolution: {one_of(network.layers)}")
        drafts: dict[str, EnginePlan] = {}
        for block in blocks_of(graph, shared):
            name = block.name
            if block.layers:
                drafts[name] = plan_program(network, block.layers, shares[name])
            elif name in chosen:
                drafts[name] = make_winograd_plan(
                    network.layers[name], algorithm=chosen[name], multipliers=shares[name]
                )
            elif name in network.layers:
                drafts[name] = make_plan(network.layers[name], multipliers=shares[name])
        beats, engines = engines_of(network, drafts, dict.fromkeys(shares, 0), programs=shared)
    else:
        if multipliers is not None:
            raise SpecError(graph.name, "multipliers", multipliers, "absent where a target is shared")
        if programs:
            raise SpecError(graph.name, "programs", "given", "absent where a target is shared")
        return _plan_balanced(network, target, optimise, partition)
    return _finished(network, engines, beats, shared)


def _finished(
    network: Network,
    engines: Mapping[str, NodePlan],
    beats: Mapping[str, int],
    programs: Programs,
    *,
    balanced: Balance | None = None,
    target: "Target | None" = None,
) -> GraphPlan:
    """The plan, once there are queues."""
    graph = network.graph
    names = [module_name(node.name) for node in graph.computed]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(graph.name, "name of a node", name, "a module name that no other node has")
    return GraphPlan(
        network=network,
        engines=engines,
        beats=beats,
        queues=queue_depths(streams_of(graph, engines, beats, programs)),
        balance=balanced,
        target=target,
        programs=programs,
    )


def _plan_balanced(
    network: Network, target: "Target", optimise: Literal["interval", "latency"], partition: str
) -> GraphPlan:
    """A graph that shares a target, the queues' block RAMs included, which are known once there are queues.

    Where they do not fit, the longest is made as short as it takes, or the arrays get less: whichever is faster. Behind
    a short queue the engines of a short latency may also have the shorter interval: what waits is less.
    """
    waiting, tried = [(0, optimise)], 0
    found: list[GraphPlan] = []

    def length(each: GraphPlan | Schedule) -> int:
        cycles = each.cycles if isinstance(each, GraphPlan) else each
        return cycles.latency if optimise == "latency" else cycles.interval

    while waiting and tried < MOST_TRIES:
        (reserved, wanted), tried = waiting.pop(0), tried + 1
        try:
            balanced, beats, engines = balanced_engines(network, target, wanted, partition, reserved)
        except FitError:
            if found:
                continue
            raise
        streams = streams_of(network.graph, engines, beats, balanced.programs)
        free = streams.schedule(dict.fromkeys(streams.edges, UNBOUNDED))
        if found and min(map(length, found)) <= length(free):  # queues make nothing faster
            continue
        plan = _finished(network, engines, beats, balanced.programs, balanced=balanced, target=target)
        others = sum(each.block_rams for each in engines.values() if not isinstance(each, EnginePlan))
        left = target.block_rams - balanced.taken.block_rams - others
        missing = plan.queue_block_rams - left
        if missing <= 0:
            found.append(plan)
            continue
        shorter = _shortened(plan, missing)
        if shorter is not None:
            found.append(shorter)
        if tried == 1:  # more than is left: the arrays must get less
            waiting = [(share, optimise) for share in sorted({left + ceil(missing * each) for each in QUEUE_SHARES})]
            waiting += [(0, "latency")] if optimise == "interval" else []
    if not found:
        raise FitError(
            f"{network.graph.name}: {target.block_rams + missing} block RAMs of {target.block_rams}, "
            f"{plan.queue_block_rams} of them for queues between engines"
        )
    return min(found, key=length)


def _shortened(plan: GraphPlan, missing: int) -> GraphPlan | None:
    """The same engines, the longest queue of a tensor with one reader so short that it takes less block RAMs."""
    streams = streams_of(plan.graph, plan.engines, plan.beats, plan.programs)
    alone = {edge: depth for edge, depth in plan.depths.items() if depth > SHORT_QUEUE and not streams.forked(edge)}
    if not alone:
        return None
    edge = max(alone, key=lambda each: alone[each])
    read = {(block.name, index): name for block in plan.blocks for index, name in enumerate(block.inputs)}
    width = 8 * plan.beats[read[edge]] + 1
    allowed = block_ram_count(width, alone[edge]) - missing
    depth = alone[edge]
    while depth > SHORT_QUEUE and block_ram_count(width, depth) > allowed:
        depth = max(SHORT_QUEUE, depth * 7 // 8)
    if depth == SHORT_QUEUE and allowed < 0:
        return None
    depths = {**plan.depths, edge: depth}
    try:
        schedule = streams.schedule(depths, plan.settled)
    except Deadlock:
        return None
    return replace(plan, queues=QueueDepths(depths=depths, schedule=schedule))
