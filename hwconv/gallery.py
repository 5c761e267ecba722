"""The gallery of `docs/`: every variant of a convolution, drawn and counted from its own plan.

``make gallery`` writes `docs/gallery.md` and the pictures beside it; a test compares them with what the code draws.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .attributes import attribute_page
from .graph import INPUT, Concat, Conv, Graph, Network, Pool
from .layer import Layer, LayerParameters
from .plan import EnginePlan, make_plan
from .plan.graph_explain import replacements
from .plan.graph_picture import draw_graph
from .plan.graph_plan import GraphPlan, plan_graph
from .plan.loop_nest import Loop, loop_nest, winograd_loop_nest
from .plan.memories import memories
from .plan.partition import Programs
from .plan.picture import draw_plan
from .plan.winograd import WinogradPlan, make_winograd_plan
from .plan.winograd_picture import draw_winograd
from .plan.winograd_summary import winograd_memories
from .pool import PoolSpec
from .spec import ConvSpec, causal1d_spec, conv1d_spec, fully_connected_spec

MULTIPLIERS = 36
_INTRODUCTION = """\
# Gallery

Each variant on at most {multipliers} multipliers, drawn from its plan by `make gallery`; any other layer or graph is
drawn by `hwconv plan FILE --picture F.svg`. A colour is a row of the array: on the left what it reads (numbers are
taps in the order of time, hatched cells zero points outside the frame), on the right the pixel that it gives.
"""
_TILES = """\
# Winograd

Engines that multiply transformed tiles ([winograd.md](winograd.md)). Numbers and colours are times: on the left the
cycle in which a pixel of a channel is read, in the transformed tile the turn in which a position is multiplied, on the
right the cycle in which a pixel of a channel is requantised.
"""
_ENGINES = """\
# Graphs

Several layers as one top level ([graphs.md](graphs.md)). A box is an engine, with its array and the cycles that it
takes for a frame; a hatched one is a queue, with the beats that it holds; beside a box are the bytes of a beat that
leaves it.
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One page of the gallery.

    Attributes
    ----------
    title, about : str
        Headline, and a sentence or two on what is special.
    spec : ConvSpec
        A small layer of the kind.
    """

    title: str
    about: str
    spec: ConvSpec


@dataclass(frozen=True, kw_only=True)
class TiledVariant(Variant):
    """A variant that is computed by tiles.

    Attributes
    ----------
    algorithm : str
        As in :mod:`hwconv.plan.winograd`.
    multipliers : int
        At most.
    """

    algorithm: str = "winograd4"
    multipliers: int = MULTIPLIERS


@dataclass(frozen=True, kw_only=True)
class GraphVariant:
    """Several layers that belong together; the attributes are those of a :class:`Variant`, and layers that share an
    engine.
    """

    title: str
    about: str
    graph: Graph
    programs: Programs = ()


def _conv(name: str, **fields: object) -> ConvSpec:
    size = {"height": 12, "width": 12, "in_channels": 8, "out_channels": 8, "kernel": (3, 3)}
    return ConvSpec.from_dict({"name": name, "requantisation": "shift", **size, **fields})


def _line(spec: ConvSpec) -> ConvSpec:
    return replace(spec, requantisation="shift")


VARIANTS = (
    Variant(
        title="Standard",
        about="Every row of the array is an output pixel, every column an output channel; the kernel goes by in time. "
        "Lanes take pixels in raster order, across row ends, so that narrow frames fill the array as well.",
        spec=_conv("standard", padding="same"),
    ),
    Variant(
        title="Strided",
        about="The stride is a factor of the address: what is not needed is never read.",
        spec=_conv("strided", stride=(2, 2), padding="same"),
    ),
    Variant(
        title="Padded",
        about="Four pads of any size. Outside the frame the zero point is read; there is no padded copy.",
        spec=_conv("padded", height=6, width=6, padding=(3, 1, 0, 2)),
    ),
    Variant(
        title="Dilated",
        about="The dilation is a factor of the address, too: the same cycles as without.",
        spec=_conv("dilated", dilation=(3, 3), padding="same"),
    ),
    Variant(
        title="Grouped",
        about="Groups bound the loop over channels; columns are the channels of one group at a time.",
        spec=_conv("grouped", groups=2, padding="same"),
    ),
    Variant(
        title="Depthwise",
        about="Each column has a lane of the activation word of its own: no cliff where others fall to a few percent.",
        spec=_conv("depthwise", groups=8, padding="same"),
    ),
    Variant(
        title="Depthwise with a channel multiplier",
        about="Several columns share a lane.",
        spec=_conv("depthwise_multiplier", in_channels=4, groups=4, padding="same"),
    ),
    Variant(
        title="Pointwise (1x1)",
        about="With a depthwise layer before it: the separable convolution.",
        spec=_conv("pointwise", kernel=(1, 1)),
    ),
    Variant(
        title="Few input channels",
        about="Words are narrow, so that several copies of the activation memory feed the array.",
        spec=_conv("few_channels", in_channels=3, kernel=(5, 5), stride=(2, 2), padding="same"),
    ),
    Variant(
        title="Factorised 1xN, then Nx1",
        about="A kernel of one row, then one of one column; `hwconv factorise` makes the two from a square kernel.",
        spec=_conv("factorised_row", kernel=(1, 5), padding="same"),
    ),
    Variant(
        title="Transposed",
        about="Polyphase: an output row meets only the kernel rows of its phase, a column those of its own, and each "
        "phase is a convolution of stride 1. No zero is inserted, stored or multiplied. A pixel tile follows an output "
        "row; neighbouring columns are computed one after the other and leave together.",
        spec=_conv("transposed", height=6, width=6, stride=(2, 2), padding="same", transposed=True),
    ),
    Variant(
        title="Transposed, with a kernel shorter than the stride",
        about="Phases without taps are the bias alone: no multiplication is spent on them.",
        spec=_conv("transposed_sparse", height=4, width=4, kernel=(2, 2), stride=(3, 3), transposed=True),
    ),
    Variant(
        title="One-dimensional",
        about="A frame of height 1.",
        spec=_line(
            conv1d_spec(
                name="one_dimensional",
                length=18,
                in_channels=8,
                out_channels=8,
                kernel=3,
                dilation=2,
                padding="same",
            )
        ),
    ),
    Variant(
        title="Causal, streaming",
        about="Time runs down the rows; the rows above a frame are the last ones of the frames before it, and stay in "
        "the ring. A frame may be a single sample.",
        spec=_line(causal1d_spec(name="causal", length=12, in_channels=8, out_channels=8, kernel=3, dilation=4)),
    ),
    Variant(
        title="Fully connected",
        about="A 1x1 kernel on a 1x1 frame: one row, as many columns as there are multipliers.",
        spec=fully_connected_spec(name="fully_connected", inputs=64, outputs=36, requantisation="shift"),
    ),
)


TILED = (
    TiledVariant(
        title="Winograd, F(4x4, 3x3)",
        about="Six by six pixels give four by four outputs with 36 products a pair of channels instead of 144: four "
        "MACs a multiplier and cycle. Both transforms are adders; the factor of 576 is divided out exactly.",
        spec=_conv("winograd4", padding="same"),
    ),
    TiledVariant(
        title="Winograd, F(2x2, 3x3)",
        about="Smaller tiles lose less at the borders of small frames: 2.25 MACs a multiplier and cycle.",
        spec=_conv("winograd2", padding="same"),
        algorithm="winograd2",
    ),
    TiledVariant(
        title="Winograd on fewer multipliers than positions",
        about="The array takes some columns of the tile's positions at a time; their sums wait in a memory until all "
        "turns are there.",
        spec=_conv("winograd_folded", padding="same"),
        multipliers=MULTIPLIERS // 3,
    ),
    TiledVariant(
        title="Winograd along a line",
        about="A kernel of 1x3: tiles are transformed across, and plain rows down.",
        spec=_conv("winograd_line", kernel=(1, 3), padding="same"),
    ),
)


def _graph_conv(before: str, name: str, inputs: int, **fields: object) -> Conv:
    """A layer of 8 x 8 pixels that keeps the frame's size."""
    return Conv(input=before, spec=_conv(name, height=8, width=8, in_channels=inputs, padding="same", **fields))


def _graph(name: str, *nodes: Conv | Pool | Concat) -> Graph:
    return Graph(name=name, height=8, width=8, channels=8, nodes=nodes)


GRAPHS = (
    GraphVariant(
        title="Depthwise separable",
        about="A kernel for each channel, then sums over channels. The second engine takes pixels as the first one "
        "gives them; multipliers are shared in proportion to the MACs.",
        graph=_graph(
            "separable",
            _graph_conv(INPUT, "depthwise", 8, groups=8),
            _graph_conv("depthwise", "pointwise", 8, kernel=(1, 1), out_channels=16),
        ),
    ),
    GraphVariant(
        title="Several branches, concatenated",
        about="The input goes to all branches in the same cycle. The short ones have their values long before the "
        "others and keep them in queues, which are as deep as full speed needs and no deeper.",
        graph=_graph(
            "branches",
            _graph_conv(INPUT, "one", 8, kernel=(1, 1), out_channels=4),
            _graph_conv(INPUT, "fewer", 8, kernel=(1, 1), out_channels=4),
            _graph_conv("fewer", "three", 4, out_channels=8),
            Pool(
                input=INPUT,
                spec=PoolSpec(
                    name="pooled", kind="average", height=8, width=8, channels=8, kernel=(3, 3), stride=(1, 1),
                    padding="same",
                ),
            ),
            Concat(name="together", inputs=("one", "three", "pooled")),
        ),
    ),
    GraphVariant(
        title="Factorised: a row, then a column",
        about="A 1x5 kernel and a 5x1 kernel behind it reach as far as a 5x5 one.",
        graph=_graph(
            "factorised",
            _graph_conv(INPUT, "row", 8, kernel=(1, 5)),
            _graph_conv("row", "column", 8, kernel=(5, 1)),
        ),
    ),
    GraphVariant(
        title="Layers that share an engine",
        about="One array computes one layer after the other; results between them come back to its memory. Groups of a "
        "depthwise layer lie side by side in a word, and each column works in the steps of its own. See "
        "[programs.md](programs.md).",
        graph=_graph(
            "program",
            _graph_conv(INPUT, "first", 8),
            _graph_conv("first", "depthwise", 8, groups=8),
            _graph_conv("depthwise", "pointwise", 8, kernel=(1, 1), out_channels=16),
        ),
        programs=(("first", "depthwise", "pointwise"),),
    ),
    GraphVariant(
        title="Two engines in turns",
        about="Where depthwise and dense layers alternate, each kind has an array, and a frame goes round: depthwise "
        "results to the dense array, its results back, until the last ones leave. Both are at work at once.",
        graph=_graph(
            "turns",
            _graph_conv(INPUT, "depthwise", 8, groups=8),
            _graph_conv("depthwise", "pointwise", 8, kernel=(1, 1), out_channels=16),
            _graph_conv("pointwise", "depthwise_2", 16, groups=16, out_channels=16),
            _graph_conv("depthwise_2", "pointwise_2", 16, kernel=(1, 1), out_channels=16),
        ),
        programs=(("depthwise", "pointwise", "depthwise_2", "pointwise_2"),),
    ),
)  # fmt: skip


def _parameters(spec: ConvSpec) -> LayerParameters:
    """Weights that are nothing in particular."""
    weights = (np.arange(np.prod(spec.weight_shape)) % 17 - 8).astype(np.int8).reshape(spec.weight_shape)
    return LayerParameters(weights=weights, shift=np.array([-7]))


def plan_of(variant: Variant) -> EnginePlan:
    """The engine that is drawn."""
    return make_plan(Layer(variant.spec, _parameters(variant.spec)), multipliers=MULTIPLIERS)


def tiled_plan_of(variant: TiledVariant) -> WinogradPlan:
    """The Winograd engine that is drawn."""
    layer = Layer(variant.spec, _parameters(variant.spec))
    return make_winograd_plan(layer, algorithm=variant.algorithm, multipliers=variant.multipliers)


def graph_plan_of(variant: GraphVariant) -> GraphPlan:
    """The graph that is drawn."""
    parameters = {node.name: _parameters(node.spec) for node in variant.graph.convolutions}
    return plan_graph(Network(variant.graph, parameters), multipliers=MULTIPLIERS, programs=variant.programs)


def gallery_files() -> Mapping[str, str]:
    """The page and its pictures: names below `docs/`, and contents."""
    parts, files = [_INTRODUCTION.format(multipliers=MULTIPLIERS)], {}
    for variant in VARIANTS:
        plan = plan_of(variant)
        files[_file(variant.spec.name)] = draw_plan(plan)
        parts += _section(variant, plan)
    parts.append(_TILES)
    for tiled in TILED:
        tiles = tiled_plan_of(tiled)
        files[_file(tiled.spec.name)] = draw_winograd(tiles)
        parts += _tiled_section(tiled, tiles)
    parts.append(_ENGINES)
    for branching in GRAPHS:
        graph = graph_plan_of(branching)
        files[_file(graph.graph.name)] = draw_graph(graph)
        parts += _graph_section(branching, graph)
    return files | {"gallery.md": "\n".join(parts), "attributes.md": attribute_page()}


def _file(name: str) -> str:
    return f"gallery/{name}.svg"


def _section(variant: Variant, plan: EnginePlan) -> Iterator[str]:
    spec, cycles = plan.spec, plan.cycles
    yield from _headed(variant, spec.name, "what a tile reads, the array, the output")
    yield from _loops(loop_nest(plan))
    blocks = sum(store.block_rams() for store in memories(plan))
    yield (
        f"{spec.macs:,} multiplications on {plan.multipliers} multipliers: a frame every {cycles.interval:,} cycles, "
        f"{plan.utilisation:.1%} of them\n({plan.utilisation_asked:.1%} of those asked for), latency "
        f"{cycles.latency:,}; {plan.config.requantisers} requantisers, {blocks} ECP5 block RAMs.\n"
    )


def _tiled_section(variant: TiledVariant, plan: WinogradPlan) -> Iterator[str]:
    spec, cycles, config = plan.spec, plan.cycles, plan.config
    yield from _headed(variant, spec.name, "a tile, its positions, the array, the way back, the output")
    yield from _loops(winograd_loop_nest(plan))
    blocks = sum(store.block_rams() for store in winograd_memories(plan))
    yield (
        f"{spec.macs:,} MACs on {plan.multipliers} multipliers of {max(config.weight_widths)} by "
        f"{max(max(row) for row in config.operand_widths)} bits at most: a frame every {cycles.interval:,} cycles,\n"
        f"{plan.utilisation:.2f} MACs a multiplier and cycle ({plan.macs_per_multiplier:.2f} with those of the "
        f"requantisers), latency {cycles.latency:,}; {config.requantisers} requantisers,\n{blocks} ECP5 block RAMs.\n"
    )


def _graph_section(variant: GraphVariant, plan: GraphPlan) -> Iterator[str]:
    graph, cycles = plan.graph, plan.cycles
    yield from _headed(variant, graph.name, "engines, streams, queues")
    rows = []
    for name, engine in plan.engines.items():
        products = f"{engine.macs:,} | {engine.multipliers}" if isinstance(engine, EnginePlan) else "0 | 0"
        rows.append(f"| {name} | {products} | {engine.cycles.interval:,} | {engine.config.requantisers} |")
    yield "| engine | MACs | multipliers | cycles of a frame | requantisers |\n|---|---|---|---|---|"
    yield "\n".join(rows) + "\n"
    for each in replacements(graph):
        yield (
            f"In place of a dense layer ({each.what}): {each.weights:,} weights against {each.dense_weights:,}, "
            f"{each.macs:,} MACs against {each.dense_macs:,}.\n"
        )
    count = sum(1 for depth in plan.depths.values() if depth)
    queues = f"{count} queues of {plan.queue_bits:,} bits together" if count else "no queues"
    yield (
        f"{graph.macs:,} multiplications on {plan.multipliers} multipliers: a frame every {cycles.interval:,} cycles, "
        f"{plan.utilisation:.1%} of them, latency {cycles.latency:,};\n{queues}.\n"
    )


def _headed(variant: Variant | GraphVariant, name: str, seen: str) -> Iterator[str]:
    yield f"## {variant.title}\n"
    yield f"{variant.about}\n"
    yield f"![{variant.title}: {seen}]({_file(name)})\n"


def _loops(nest: Iterable[Loop]) -> Iterator[str]:
    yield "| loop | turns | laid on | what it is |\n|---|---|---|---|"
    rows = [f"| {loop.name} | {loop.count} | {loop.on} | {loop.meaning} |" for loop in nest if loop.count > 1]
    yield "\n".join(rows) + "\n"


def write_gallery(folder: Path) -> None:
    """Writes the page and its pictures below a folder."""
    for name, content in gallery_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    write_gallery(Path("docs"))
