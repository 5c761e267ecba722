"""Rows of layers and additions that one engine computes, and what becomes of each layer's results.

Where a tensor is added to what layers compute from it, it is kept until these are through (a shortcut). A layer in the
shortcut comes first: its results are kept, and the tensor stays for the layers beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import UnsupportedError
from ..graph import Add, Conv, Graph, Pool
from .residual_config import Way


@dataclass(frozen=True, kw_only=True)
class Step:
    """A layer of a residual program.

    Members:
        layer: its name. way: of its results. stays: the next layer reads the same tensor. add: the addition that the
        results go through. exchanged: they are its second operand.
    """

    layer: str
    way: Way
    stays: bool = False
    add: str | None = None
    exchanged: bool = False

    @property
    def result(self) -> str:
        """The tensor that is there in the end."""
        return self.add or self.layer


def is_residual(graph: Graph, names: Sequence[str]) -> bool:
    """Whether there are additions among the layers of a program."""
    return any(isinstance(graph.node(name), Add) for name in names)


def readers_of(graph: Graph, tensor: str) -> Iterator[str]:
    """Nodes that compute something from a tensor, whatever shape it has for them."""
    return (node.name for node in graph.computed for name in graph.origins(node) if name == tensor)


def steps_of(graph: Graph, names: Sequence[str]) -> tuple[Step, ...]:
    """The layers of a row of names, each addition behind the layer that it adds to.

    Raises
    ------
    UnsupportedError
        A layer that reads what does not come then, an addition of something that is not kept then, results that
        anything else reads, or layers that all read the same.
    """
    rows = list(_pairs(graph, names))
    reads = [graph.origins(graph.node(layer))[0] for layer, _ in rows]
    coming: str | None = reads[0] if reads else None
    kept: list[str] = []
    steps: list[Step] = []
    for index, (layer, add) in enumerate(rows):
        if coming != reads[index]:
            raise UnsupportedError(layer, "program", f"reads {reads[index]}", "a layer after the one that it reads")
        exchanged = False
        if add is not None:
            operands = graph.origins(graph.node(add))
            others = [name for name in operands if name != layer]
            if len(others) != 1 or not kept or kept.pop(0) != others[0]:
                expected = "what a layer of the program gave before, and nothing was added to since"
                raise UnsupportedError(add, "program", f"adds {', '.join(operands)}", expected)
            exchanged = operands[0] != layer
        result = add or layer
        if index == len(rows) - 1:
            way = Way(adds=_number(steps, add))
        else:
            way = _way(graph, rows, index, result, _number(steps, add))
            coming = result if way.returns else coming
            kept += [result] if way.keeps else []
        stays = index + 1 < len(rows) and reads[index + 1] == reads[index]
        steps.append(Step(layer=layer, way=way, stays=stays, add=add, exchanged=exchanged))
    if not any(step.way.returns for step in steps):
        expected = "a layer that reads what another one gives"
        raise UnsupportedError(names[-1], "program", "all layers read what comes in", expected)
    return tuple(steps)


def _pairs(graph: Graph, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Each layer with the addition behind it."""
    for index, name in enumerate(names):
        node = graph.node(name)
        behind = names[index + 1] if index + 1 < len(names) else None
        add = behind if behind is not None and isinstance(graph.node(behind), Add) else None
        if isinstance(node, Conv | Pool):
            yield name, add
        elif not isinstance(node, Add) or index == 0 or isinstance(graph.node(names[index - 1]), Add):
            raise UnsupportedError(name, "program", type(node).__name__, "layers, and additions behind them")


def _number(steps: Sequence[Step], add: str | None) -> int | None:
    """Of an addition: how many were before."""
    return None if add is None else sum(step.add is not None for step in steps)


def _way(graph: Graph, rows: Sequence[tuple[str, str | None]], index: int, result: str, adds: int | None) -> Way:
    """Of the results of a layer that is not the last one."""
    layers = {layer: place for place, (layer, _) in enumerate(rows)}
    additions = {add: place for place, (_, add) in enumerate(rows) if add is not None}
    reading, adding = [], []
    for name in readers_of(graph, result):
        if name in layers:
            reading.append(layers[name] - index)
        elif name in additions:
            adding.append(additions[name] - index)
        else:
            raise UnsupportedError(result, "program", f"read by {name}", "a tensor that nothing outside reads")
    if graph.origin(graph.output) == result:
        raise UnsupportedError(result, "program", "an output of the graph", "a tensor that nothing outside reads")
    match sorted(reading), len(adding):
        case [1], 0:
            return Way(adds=adds, returns=True)
        case [1], 1:
            return Way(adds=adds, returns=True, keeps=True)
        case [1, 2], 0:
            return Way(adds=adds, returns=True)
        case [], 1:
            return Way(adds=adds, keeps=True)
    raise UnsupportedError(
        result,
        "program",
        f"{len(reading)} layers and {len(adding)} additions",
        "one layer, one layer and an addition behind it, two layers that follow, or an addition, reading it",
    )


def residual_rows(graph: Graph, usable: Callable[[str], bool]) -> list[tuple[str, ...]]:
    """The longest rows with an addition, of layers that are `usable`, that one engine could compute."""
    found: list[tuple[str, ...]] = []
    for node in graph.computed:
        if not usable(node.name) or any(node.name in row for row in found):
            continue
        row = _longest(graph, node.name, usable)
        if is_residual(graph, row):
            found.append(row)
    return found


def _longest(graph: Graph, first: str, usable: Callable[[str], bool]) -> tuple[str, ...]:
    row, result = [first], first
    while graph.origin(graph.output) != result:
        readers = list(readers_of(graph, result))
        if len(readers) == 1 and usable(readers[0]):
            row.append(readers[0])
        elif len(readers) == 2 and (block := _block(graph, result, readers, usable)):
            row += block
        else:
            break
        result = row[-1]
    return tuple(row)


def _block(graph: Graph, result: str, readers: Sequence[str], usable: Callable[[str], bool]) -> list[str]:
    """From a tensor to where all that is made of it is added up; nothing where that is not so."""
    for one, other in (readers, reversed(list(readers))):
        beside = [one] if usable(one) else []
        if not usable(other) or (beside and list(readers_of(graph, one)) != _sum(graph, one)):
            continue
        add = _sum(graph, one)[0] if beside else one
        row = _until(graph, other, add, usable)
        shortcut = beside[0] if beside else result
        if row and isinstance(graph.node(add), Add) and set(graph.origins(graph.node(add))) == {shortcut, row[-1]}:
            return [*beside, *row, add]
    return []


def _sum(graph: Graph, tensor: str) -> list[str]:
    """The addition that is all that reads a tensor."""
    readers = list(readers_of(graph, tensor))
    return readers if len(readers) == 1 and isinstance(graph.node(readers[0]), Add) else ["", ""]


def _until(graph: Graph, layer: str, add: str, usable: Callable[[str], bool]) -> list[str]:
    """Layers from one on, each the only reader of the one before, to an addition; nothing where it is not reached."""
    row = [layer]
    while True:
        readers = list(readers_of(graph, row[-1]))
        if readers == [add]:
            return row
        if len(readers) != 1 or not usable(readers[0]):
            return []
        row.append(readers[0])
