"""The engines of a graph, with the streams between them, once it is known what computes what."""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Any

from ..errors import SpecError, UnsupportedError, one_of
from ..graph import INPUT, Add, Concat, Conv, Graph, Network, Pool, Upscale
from ..spec import dtype_bits
from .add import AddPlan, plan_add
from .engine_plan import DEFAULT_MULTIPLIERS, EnginePlan, make_plan, module_name
from .graph_schedule import Stage, Streams
from .partition import Programs, blocks_of
from .pool import PoolPlan, plan_pool
from .upscale import UpscalePlan, plan_upscale
from .winograd import WinogradPlan, make_winograd_plan

if TYPE_CHECKING:
    pass

from .tensor_beats import TensorBeats

MOST_LANES = 64
"""Elements of a pooling engine at most."""
POOL_SHARE, QUICK_POOL_SHARE = 8, 16
"""How much faster than other engines one for pooling is, which has no multipliers; the second where latency counts."""

NodePlan = EnginePlan | PoolPlan | AddPlan | UpscalePlan


def engines_of(
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
    beats = TensorBeats(graph, drafts, pace, blocks_of(graph, programs)).choose()
    engines: dict[str, NodePlan] = {}
    for block in blocks_of(graph, programs):
        node = block.node
        if isinstance(node, Concat):
            continue
        if block.layers:
            program = drafts[node.name].made_of(made[node.name], block_ram_price)
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
    if isinstance(engine, EnginePlan):
        return engine.named(name)
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


def shares_of(graph: Graph, multipliers: int | Mapping[str, int] | None, programs: Programs) -> dict[str, int]:
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
