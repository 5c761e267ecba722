"""A graph's plan as a picture (SVG): its engines in the order of the data, the streams between them, the queues."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from ..graph import INPUT, Add, Concat, Conv, Reshape, Upscale
from .add import AddPlan
from .engine_plan import EnginePlan
from .svg import BOLD, COLOURS, LETTER, OUTSIDE, arrow, box, document, line, text
from .upscale import UpscalePlan

if TYPE_CHECKING:
    from .graph_plan import GraphPlan

_TOP = 40
_BOX = 74
"""Height of a node."""
_ROW = _BOX + 22
_PASSAGE = 30
"""Height of a stream that goes past the nodes of a layer."""
_LEFT = 20
_QUEUE = 42
_QUEUE_HEIGHT = 16
_TURN = 36
"""From a node to where its stream parts; the next one of the layer a little further."""
_NEXT_TURN = 7
_CONV, _POOL, _CONCAT, _END = COLOURS[0], COLOURS[1], COLOURS[4], "white"


class _Stream(NamedTuple):
    """What goes past a layer, from a tensor to an input of a reader."""

    tensor: str
    reader: str
    port: int


_Place = str | _Stream


def draw_graph(plan: "GraphPlan") -> str:
    """The picture of a graph, as the text of an SVG file.

    A box is an engine, with its array and the cycles that it needs for a frame; a hatched one is a queue, with its
    depth in beats. Beside a node are the bytes of a beat that leaves it.
    """
    layers = _layers(plan)
    words = {name: _words(plan, name) for name in (INPUT, *(node.name for node in plan.graph.nodes))}
    widths = [
        max([LETTER * max(map(len, words[place])) + 14 for place in layer if isinstance(place, str)], default=0)
        for layer in layers
    ]
    gap = _TURN + _NEXT_TURN * max(map(len, layers)) + _QUEUE + 16
    lefts = [_LEFT + sum(widths[:number]) + number * gap for number in range(len(layers))]
    heights = [sum(map(_height, layer)) for layer in layers]
    middles: dict[_Place, float] = {}
    for layer, height in zip(layers, heights, strict=True):
        top = _TOP + (max(heights) - height) / 2
        for place in layer:
            middles[place] = top + _height(place) / 2
            top += _height(place)
    column = {place: number for number, layer in enumerate(layers) for place in layer}
    turns = {
        place: left + width + _TURN + _NEXT_TURN * rank
        for layer, left, width in zip(layers, lefts, widths, strict=True)
        for rank, place in enumerate(layer)
    }
    parts = [text(_LEFT, 22, plan.graph.name, BOLD)]
    for name in plan.graph.tensors:
        if plan.graph.readers(name):
            right = lefts[column[name]] + widths[column[name]]
            parts += _streams(plan, name, right, column, middles, turns, lefts)
    for name, said in words.items():
        parts += _node(plan, name, said, lefts[column[name]], middles[name], widths[column[name]])
    summary = "\n".join(", ".join(said) for said in words.values())
    return document(plan.graph.name, summary, lefts[-1] + widths[-1] + 20, _TOP + max(heights) + 10, parts)


def _layers(plan: "GraphPlan") -> list[list[_Place]]:
    """Nodes by their distance from the input, and the streams that go past them; each beside what it comes from."""
    graph = plan.graph
    depth = {INPUT: 0}
    for node in graph.nodes:
        depth[node.name] = 1 + max(depth[name] for name in node.inputs)
    layers: list[list[_Place]] = [[] for _ in range(1 + max(depth.values()))]
    layers[0].append(INPUT)
    for node in graph.nodes:
        layers[depth[node.name]].append(node.name)
        for index, name in enumerate(node.inputs):
            for number in range(depth[name] + 1, depth[node.name]):
                layers[number].append(_Stream(name, node.name, index))
    for before, layer in pairwise(layers):
        rank = {place: number for number, place in enumerate(before)}
        layer.sort(key=lambda place, rank=rank: _sources(plan, place, rank))  # type: ignore[misc]  # a default binds it
    return layers


def _sources(plan: "GraphPlan", place: _Place, rank: dict[_Place, int]) -> float:
    """Where what a place reads lies in the layer before, on average: in this order fewest streams cross."""
    reader = place.reader if isinstance(place, _Stream) else place
    names = (place.tensor,) if isinstance(place, _Stream) else plan.graph.node(place).inputs
    found = [number for each, number in rank.items() if each in names or _passes(each, reader)]
    return sum(found) / len(found)


def _passes(place: _Place, reader: str) -> bool:
    return isinstance(place, _Stream) and place.reader == reader


def _height(place: _Place) -> float:
    return _PASSAGE if isinstance(place, _Stream) else _ROW


def _words(plan: "GraphPlan", name: str) -> list[str]:
    """What stands in a node's box."""
    graph = plan.graph
    shape = " x ".join(map(str, graph.tensors[name].shape))
    if name == INPUT:
        return [name, shape]
    node = graph.node(name)
    if isinstance(node, Concat):
        beats = " + ".join(str(graph.tensors[each].pixel_bytes // plan.beats[name]) for each in node.inputs)
        return [name, shape, f"{beats} beats", "a pixel"]
    if isinstance(node, Reshape):
        return [name, shape, "another shape"]
    program = plan.program_of(name)
    if program not in (None, name):
        return [name, shape, f"in {program}"]
    engine = plan.engines[name]
    if isinstance(engine, AddPlan):
        return [name, "sum", shape, f"{plan.beats[name]} adders, {engine.cycles.interval:,} cycles"]
    if isinstance(node, Upscale):
        kind = "{} {} x {}".format(node.spec.kind.replace("_", " "), *node.spec.factor)
        return [name, kind, shape, f"{engine.cycles.interval:,} cycles"]
    assert not isinstance(engine, UpscalePlan)
    if isinstance(node, Add):
        kind = "sum"
    elif isinstance(node, Conv):
        kind = "{} x {} {}".format(*node.spec.kernel, "depthwise" if node.spec.depthwise else "convolution")
    else:
        kind = "{} x {} {} pool".format(*node.spec.kernel, node.spec.kind)
    if isinstance(engine, EnginePlan):
        arrays = [f"{part.config.pixels} x {part.config.columns}" for part in engine.parts]
        array = f"array{'s' if len(arrays) > 1 else ''} {' and '.join(arrays)}"
    else:
        array = f"{engine.config.pixels} x {engine.config.columns} lanes"
    array = f"program on {array}" if program is not None else array
    return [name, kind, shape, f"{array}, {engine.cycles.interval:,} cycles"]


def _node(plan: "GraphPlan", name: str, said: list[str], left: float, middle: float, width: float) -> Iterator[str]:
    fill = _END
    if name != INPUT:
        node = plan.graph.node(name)
        fill = _CONCAT if isinstance(node, Concat) else _CONV if isinstance(node, Conv) else _POOL
    top = middle - _BOX / 2
    yield box(left, top, width, _BOX, fill, 0.2, stroke="#555")
    for index, words in enumerate(said):
        yield text(left + 7, top + 17 + 16 * index, words, 'font-weight="bold"' if index == 0 else "")


def _streams(
    plan: "GraphPlan",
    name: str,
    right: float,
    column: Mapping[_Place, int],
    middles: Mapping[_Place, float],
    turns: Mapping[_Place, float],
    lefts: Sequence[float],
) -> Iterator[str]:
    """The streams of a tensor, from the right end of its node to all that read it."""
    for reader, index in plan.graph.readers(name):
        points = [(right, middles[name]), (turns[name], middles[name])]
        for _ in range(column[name] + 1, column[reader]):
            passage = _Stream(name, reader, index)
            points += [(points[-1][0], middles[passage]), (turns[passage], middles[passage])]
        inputs = plan.graph.node(reader).inputs
        # The inputs of a concatenation come in below each other.
        end = lefts[column[reader]], middles[reader] + (index - (len(inputs) - 1) / 2) * _BOX / (len(inputs) + 0.5)
        points += [(points[-1][0], end[1]), end]
        yield line(points)
        yield arrow(*end)
        depth = plan.depths.get((reader, index), 0)  # what only reshapes has none
        if depth:
            yield from _queue(depth, end)
    yield text(right + 4, middles[name] - 4, f"{plan.beats[name]} B")


def _queue(depth: int, end: tuple[float, float]) -> Iterator[str]:
    left, top = end[0] - _QUEUE - 8, end[1] - _QUEUE_HEIGHT / 2
    yield box(left, top, _QUEUE, _QUEUE_HEIGHT, "white", stroke="#555")
    yield box(left, top, _QUEUE, _QUEUE_HEIGHT, OUTSIDE, 0.6, stroke="#555")
    yield text(left + _QUEUE / 2, end[1] + 4, str(depth), 'text-anchor="middle" font-weight="bold"')
