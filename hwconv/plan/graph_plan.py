"""The plan of a graph of engines: which computes what, the streams between them, and the queues where streams part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import ceil, gcd
from typing import TYPE_CHECKING, Any, Literal

from ..errors import FitError, SpecError, UnsupportedError, one_of
from ..graph import INPUT, Add, Concat, Conv, Graph, Network, Node, Pool, Upscale
from ..spec import dtype_bits
from .add import AddPlan, plan_add
from .area import Area
from .array import divisors
from .balance import Balance, Budget, balance, budget_of
from .block_ram import block_ram_count
from .engine_plan import DEFAULT_MULTIPLIERS, LEAST_BEAT_BYTES, EnginePlan, make_plan, module_name
from .frame import MAX_BEAT_BYTES, FrameConfig, StreamCycles
from .graph_schedule import UNBOUNDED, Deadlock, Edge, Stage, Streams
from .partition import Block, Programs, blocks_of, check_programs, members_of, partitions_of, shared_layers
from .pool import PoolPlan, plan_pool
from .program import make_program
from .queue_depths import QueueDepths, queue_depths
from .rom import RomImage
from .upscale import UpscalePlan, plan_upscale
from .winograd import WinogradPlan, make_winograd_plan

if TYPE_CHECKING:
    from ..targets import Target

MOST_LANES = 64
"""Elements of a pooling engine at most."""
POOL_SHARE, QUICK_POOL_SHARE = 8, 16
"""How much faster than other engines one for pooling is, which has no multipliers; the second where latency counts."""
QUICK_POOL_LUTS = 30_000
"""A target of fewer look-up tables has none to spare for such pooling."""
SHORT_QUEUE = 32
"""Beats of the longest queue in distributed RAM."""
MOST_TRIES = 4
"""How often a target is shared anew because queues take block RAMs that engines were given."""
MARKS_MARGIN = 5
"""Marks of frames that may still come when the guard is told to stop, and what is in flight then."""

CLOSE, MOST_COMPARED = 1.3, 5
"""Choices of a solver that are planned and compared: those so close to the best estimate, and so many at most."""

NodePlan = EnginePlan | PoolPlan | AddPlan | UpscalePlan
Planned = tuple[Balance, dict[str, int], dict[str, NodePlan]]
"""What was chosen, the beats of all tensors, and the engines."""


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
        shares = _shares(graph, multipliers, shared)
        chosen = algorithms or {}
        for name in chosen:
            if name not in network.layers:
                raise SpecError(graph.name, "algorithms", name, f"a convolution: {one_of(network.layers)}")
        drafts: dict[str, EnginePlan] = {}
        for block in blocks_of(graph, shared):
            name = block.name
            if block.layers:
                drafts[name] = make_program(members_of(network, block.layers), name=name, multipliers=shares[name])
            elif name in chosen:
                drafts[name] = make_winograd_plan(
                    network.layers[name], algorithm=chosen[name], multipliers=shares[name]
                )
            elif name in network.layers:
                drafts[name] = make_plan(network.layers[name], multipliers=shares[name])
        beats, engines = _engines(network, drafts, dict.fromkeys(shares, 0), programs=shared)
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

    Where they do not fit, the longest is made as short as it takes, or the arrays get less: whichever is faster.
    """
    reserved = 0
    found: list[GraphPlan] = []
    for _ in range(MOST_TRIES):
        try:
            balanced, beats, engines = _balanced(network, target, optimise, partition, reserved)
        except FitError:
            if found:
                break
            raise
        plan = _finished(network, engines, beats, balanced.programs, balanced=balanced, target=target)
        others = sum(each.block_rams for each in engines.values() if not isinstance(each, EnginePlan))
        needed = balanced.taken.block_rams + others + plan.queue_block_rams
        if needed <= target.block_rams:
            found.append(plan)
            break
        shorter = _shortened(plan, needed - target.block_rams)
        if shorter is not None:
            found.append(shorter)
        reserved += needed - target.block_rams
    if not found:
        raise FitError(
            f"{network.graph.name}: {needed} block RAMs of {target.block_rams}, {plan.queue_block_rams} of them for "
            "queues between engines: take a larger target"
        )
    return min(found, key=lambda each: each.cycles.latency if optimise == "latency" else each.cycles.interval)


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


def _other_area(node: Pool | Add | Upscale | Concat, *, quick: bool) -> Area:
    """What a node without multipliers takes, roughly; `quick`: latency counts."""
    match node:
        case Pool():
            return Area(luts=1200, ffs=1200) * (2 if quick else 1)
        case Add():
            return Area(luts=250, ffs=350) * LEAST_BEAT_BYTES
        case Upscale():
            return plan_upscale(node.spec).area
    return Area(luts=150, ffs=100)


def _balanced(
    network: Network, target: "Target", optimise: Literal["interval", "latency"], partition: str, reserved: int
) -> Planned:
    """Engines that share a target; the other blocks' multipliers are known once they are planned beside them.

    Of the choices that are best by estimate, the schedule decides. `reserved`: block RAMs of queues.
    """
    graph = network.graph
    quick = optimise == "latency" and target.luts >= QUICK_POOL_LUTS
    others = {node.name: _other_area(node, quick=quick) for node in graph.computed if not isinstance(node, Conv)}
    layers = shared_layers(network)
    spared = {
        name: Budget(multipliers=0, luts=area.luts, ffs=area.ffs, block_rams=0)
        for name, area in others.items()
        if name in layers
    }
    partitions = partitions_of(graph, partition)
    hard, rams = 0, reserved
    planned: list[Planned] = []
    while not planned:
        budget = budget_of(target, list(others.values()), rams, other_hard=hard)
        found = balance(graph.name, layers, budget, optimise, partitions, spared)
        least = found[0].length(optimise)
        refused: UnsupportedError | None = None
        lacking: list[tuple[int, int]] = []
        for each in found:
            if planned and (len(planned) == MOST_COMPARED or each.length(optimise) > CLOSE * least):
                break
            if len(lacking) == MOST_COMPARED:
                break
            try:
                beats, engines = _planned(network, each, quick=quick)
            except UnsupportedError as error:  # programs whose beats are not those of what they meet
                refused = error
                continue
            blocks = [engine for engine in engines.values() if not isinstance(engine, EnginePlan)]
            more = each.taken.multipliers + sum(block.requantiser_multipliers for block in blocks) - target.multipliers
            rest = each.taken.block_rams + sum(block.block_rams for block in blocks) + reserved - target.block_rams
            if more > 0 or rest > 0:
                lacking.append((max(more, 0), max(rest, 0)))
            else:
                planned.append((each, beats, engines))
        if not planned:
            if not lacking:
                assert refused is not None
                raise refused
            # As much less for the arrays as the blocks beside them need at least.
            more, rest = min(lacking, key=sum)
            hard, rams = hard + more, rams + rest

    def length(each: Planned) -> int:
        streams = streams_of(graph, each[2], each[1], each[0].programs)
        schedule = streams.schedule(dict.fromkeys(streams.edges, UNBOUNDED))
        return schedule.latency if optimise == "latency" else schedule.interval

    chosen = min(planned, key=length) if len(planned) > 1 else planned[0]
    if not chosen[0].programs:
        return chosen
    return chosen[0], *_planned(network, _with_own_requantisers(network, chosen[0]), quick=quick)


def _with_own_requantisers(network: Network, balanced: Balance) -> Balance:
    """The same choices, each program with the requantiser that its layers need."""
    choices = dict(balanced.choices)
    for names in balanced.programs:
        chosen = choices[names[-1]]
        members = members_of(network, names)
        plan = make_program(members, name=names[-1], multipliers=chosen.plan.asked, array=chosen.array)
        choices[names[-1]] = replace(chosen, plan=plan)
    return replace(balanced, choices=choices)


def _planned(network: Network, balanced: Balance, *, quick: bool) -> tuple[dict[str, int], dict[str, NodePlan]]:
    """Beats and engines of what was chosen."""
    drafts = {name: choice.plan for name, choice in balanced.choices.items()}
    return _engines(network, drafts, balanced.lut_multipliers, balanced.price, balanced.programs, quick=quick)


def _engines(
    network: Network,
    drafts: Mapping[str, EnginePlan],
    made: Mapping[str, int],
    block_ram_price: int = 0,
    programs: Programs = (),
    *,
    quick: bool = False,
) -> tuple[dict[str, int], dict[str, NodePlan]]:
    """The beats of all tensors, and the engines with such streams.

    `made`: multipliers of look-up tables of each array. `quick`: latency counts.
    """
    graph = network.graph
    pace = max((draft.cycles.interval for draft in drafts.values()), default=0)
    beats = _Beats(graph, drafts, pace, blocks_of(graph, programs)).choose()
    engines: dict[str, NodePlan] = {}
    for block in blocks_of(graph, programs):
        node = block.node
        if isinstance(node, Concat):
            continue
        if block.layers:
            program = drafts[node.name]
            config = replace(program.config, block_ram_price=block_ram_price, lut_elements=made[node.name])
            program = replace(program, config=config)
            engines[node.name] = _named(graph, node.name, program)
            continue
        engine: NodePlan
        if isinstance(node, Add):
            engine = plan_add(node.spec, beat_bytes=beats[node.name])
            engines[node.name] = _named(graph, node.name, engine)
            continue
        if isinstance(node, Upscale):
            engine = plan_upscale(node.spec, beat_bytes=beats[node.name])
            engines[node.name] = _named(graph, node.name, engine)
            continue
        widths = {"input_beat_bytes": beats[node.input], "output_beat_bytes": beats[node.name]}
        if isinstance(node, Conv):
            draft = drafts[node.name]
            kept = widths["output_beat_bytes"] % draft.config.result_bytes == 0
            if isinstance(draft, WinogradPlan):
                engine = make_winograd_plan(
                    network.layers[node.name],
                    algorithm=draft.algorithm,
                    multipliers=draft.asked,
                    folding=draft.folding if kept else None,
                    **widths,
                )
                engines[node.name] = _named(graph, node.name, engine)
                continue
            folding = draft.folding if kept else None
            engine = make_plan(
                network.layers[node.name],
                multipliers=draft.asked,
                lut_multipliers=made[node.name],
                folding=folding,
                input_beat_bytes=widths["input_beat_bytes"],
                output_beat_bytes=widths["output_beat_bytes"],
            )
            engine = replace(engine, config=replace(engine.config, block_ram_price=block_ram_price))
        else:
            engine = _pool(node, pace, widths, quick=quick)
        engines[node.name] = _named(graph, node.name, engine)
    return beats, engines


def _named(graph: Graph, node: str, engine: NodePlan) -> NodePlan:
    """An engine whose modules are called after the graph and the node."""
    name = module_name(f"{graph.name}_{node}")
    return replace(engine, config=replace(engine.config, name=name))  # type: ignore[arg-type]  # each has its own kind


def streams_of(
    graph: Graph, engines: Mapping[str, NodePlan], beats: Mapping[str, int], programs: Programs = ()
) -> Streams:
    """The streams of a graph whose engines are planned."""
    stages = []
    for block in blocks_of(graph, programs):
        node, inputs = block.node, block.inputs
        if isinstance(node, Concat):
            parts = tuple(graph.tensors[name].pixel_bytes // beats[name] for name in node.inputs)
            pixels = graph.tensors[node.name].pixels
            stages.append(Stage(name=node.name, inputs=inputs, parts=parts, pixels=pixels))
            continue
        engine = engines[node.name]
        if isinstance(engine, AddPlan):
            stages.append(Stage(name=node.name, inputs=inputs, add=engine.config))
        else:
            stages.append(Stage(name=node.name, inputs=inputs, engine=engine.config))
    return Streams(INPUT, -(-graph.tensors[INPUT].bytes // beats[INPUT]), tuple(stages))


def _shares(graph: Graph, multipliers: int | Mapping[str, int] | None, programs: Programs) -> dict[str, int]:
    """Multipliers of each array: as many as its MACs take in the time that all of them together need."""
    layers = {node.name: node.spec.macs for node in graph.convolutions}
    together = {names[-1]: sum(layers.get(name, 0) for name in names) for names in programs}
    macs = {block.name: together.get(block.name, layers.get(block.name, 0))
            for block in blocks_of(graph, programs) if block.layers or block.name in layers}  # fmt: skip
    if isinstance(multipliers, Mapping):
        for name in [*macs, *multipliers]:
            if (name in macs) == (name in multipliers):
                continue
            expected = "given" if name in macs else f"those of one of {one_of(macs)}"
            raise SpecError(graph.name, f"multipliers of {name}", multipliers.get(name), expected)
        return dict(multipliers)
    total = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    if total < len(macs):
        raise SpecError(graph.name, "multipliers", total, f"at least {len(macs)}, one for each convolution")
    # The shortest time in which every convolution is done; times are tried where some share changes.
    times = sorted({ceil(need / count) for need in macs.values() for count in range(1, total + 1)})
    low, high = 0, len(times) - 1
    while low < high:
        middle = (low + high) // 2
        if sum(ceil(need / times[middle]) for need in macs.values()) <= total:
            high = middle
        else:
            low = middle + 1
    return {name: ceil(need / times[low]) for name, need in macs.items()} if macs else {}


def _pool(node: Pool, pace: int, widths: dict[str, Any], *, quick: bool) -> PoolPlan:
    """The narrowest pooling engine that is much faster than the others, or as fast as its input.

    Where latency counts, it is one that is soon through when its last input has come: a window may be the whole frame,
    which is computed only then.
    """
    spec = node.spec
    frame_bytes = spec.height * spec.width * spec.channels * dtype_bits(spec.dtype) // 8
    beats = -(-frame_bytes // widths["input_beat_bytes"])
    enough = pace // QUICK_POOL_SHARE if quick else max(pace // POOL_SHARE, beats)
    found, least = None, 0
    for lanes in (1, 2, 4, 8, 16, 32, MOST_LANES):
        try:
            plan = plan_pool(spec, lanes=lanes, **widths)
        except UnsupportedError:
            continue
        cycles = plan.cycles.latency - beats if quick else plan.cycles.interval
        if found is None or cycles < least:
            found, least = plan, cycles
        if least <= enough:
            break
    if found is None:
        raise UnsupportedError(spec.name, "output_beat_bytes", widths["output_beat_bytes"], "a divisor of the channels")
    if spec.kernel[0] == spec.height:  # it need not read a frame while the next one comes
        small = plan_pool(spec, lanes=found.lanes, one_frame=True, **widths)
        if small.cycles.interval <= pace and small.block_rams < found.block_rams:
            return small
    return found


class _Beats:
    """Chooses the beats of all tensors: equal ones where tensors meet, and such as the readers' words are made of."""

    def __init__(self, graph: Graph, drafts: Mapping[str, EnginePlan], pace: int, blocks: Sequence[Block]) -> None:
        self._graph, self._drafts, self._pace, self._blocks = graph, drafts, pace, blocks
        self._family = {name: name for name in graph.tensors if graph.origin(name) == name}
        # Both streams of a program have the beats in which results between its layers go back.
        self._fixed: dict[str, int] = {}
        for block in blocks:
            if block.layers:
                ends = dict.fromkeys((*block.inputs, *block.layers), drafts[block.name].input_beat_bytes)
                for name, beat in ends.items():
                    if self._fixed.setdefault(name, beat) != beat:
                        expected = f"{self._fixed[name]}, those of the program that gives it"
                        raise UnsupportedError(block.name, f"bytes of a beat of {name}", beat, expected)
        for node in graph.computed:
            if isinstance(node, Concat | Add | Upscale):
                for name in graph.origins(node):
                    self._family[self._head(name)] = self._head(node.name)

    def _head(self, name: str) -> str:
        while self._family[name] != name:
            name = self._family[name]
        return name

    def choose(self) -> dict[str, int]:
        families: dict[str, list[str]] = {}
        for name in self._family:
            families.setdefault(self._head(name), []).append(name)
        beats: dict[str, int] = {}
        for members in families.values():
            beats |= dict.fromkeys(members, self._common(members))
        return {name: beats[self._graph.origin(name)] for name in self._graph.tensors}

    def _common(self, members: list[str]) -> int:
        """The narrowest beat with which every stream of the family keeps up, but some bytes where channels allow."""
        tensors = [self._graph.tensors[name] for name in members]
        joined = (name for node in self._graph.computed if isinstance(node, Concat) for name in node.inputs)
        pixels = [self._graph.tensors[name] for name in joined if self._graph.origin(name) in members]
        channels = reduce(gcd, (*map(self._run, members), *(tensor.channels for tensor in pixels)))
        value_bytes = tensors[0].value_bytes  # of all of them
        choices = [value_bytes * each for each in divisors(channels) if value_bytes * each <= MAX_BEAT_BYTES]
        makers = [self._drafts[name] for name in members if name in self._drafts]
        fixed = {self._fixed[name] for name in members if name in self._fixed}
        if fixed:
            beat = max(fixed)
            if len(fixed) > 1 or (pixels and beat not in choices):
                expected = "equal where tensors meet, and a divisor of their channels where they are concatenated"
                raise UnsupportedError(members[0], "bytes of a program's beats", sorted(fixed), expected)
            return beat
        whole = [beat for beat in choices if all(beat % maker.config.result_bytes == 0 for maker in makers)]
        if whole:  # no engine needs other words
            choices = whole
        elif len(members) == 1:
            choices = [makers[0].output_beat_bytes]
        least = max(each for each in choices if each <= max(choices[0], LEAST_BEAT_BYTES))
        wide = [each for each in choices if each >= least]
        return min(wide, key=lambda beat: (max(self._cycles(members, beat), self._pace), beat))

    def _run(self, name: str) -> int:
        """Of how many values beside each other a beat of a tensor is a part."""
        node = None if name == INPUT else self._graph.node(name)
        return node.spec.run if isinstance(node, Upscale) else self._graph.tensors[name].channels

    def _cycles(self, members: list[str], beat: int) -> int:
        """Cycles of a frame in the slowest stream of a family, or reader of one."""
        slowest = 0
        for name in members:
            size = self._graph.tensors[name].bytes
            slowest = max(slowest, -(-size // beat))
            for block in self._blocks:
                if block.name in self._drafts and name in block.inputs:
                    slowest = max(slowest, size // gcd(beat, self._drafts[block.name].config.word_bytes))
        return slowest
