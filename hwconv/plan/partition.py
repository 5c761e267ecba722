"""Which engine computes which nodes of a graph: one a layer, or one for several in a row (a program).

A program runs convolutions, and averages and means, which are convolutions with weights of 1.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from ..errors import SpecError, UnsupportedError, one_of
from ..graph import Add, Computed, Conv, Graph, Network, Pool
from ..layer import Layer
from ..spec import ConvSpec
from .pool_layer import pool_layer
from .residual_rows import is_residual, readers_of, residual_rows, steps_of

SHARED_MODES = ("tflite", "shift", "onnx")
"""Requantisation of layers that may share an engine."""
SHARED_TYPES = ("int8", "uint8")
"""What goes from layer to layer: one of these, the same between all."""

LEAST_TURNS = 2
"""Of a loop: with one, two engines in a row are the same."""
MOST_LOOPS = 4
"""Beginnings of a loop that are tried: in the first layers, whose frames are large."""

Programs = tuple[tuple[str, ...], ...]
"""The layers of each program, by name, in order."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """What stands between streams.

    Members:
        node: that gives the block's result, and its name. inputs: tensors that it reads, which other blocks compute.
        layers: of a program, all of them; `node` is the last one.
    """

    node: Computed
    inputs: tuple[str, ...]
    layers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.node.name


def blocks_of(graph: Graph, programs: Programs = ()) -> list[Block]:
    """The blocks of a graph in an order in which each reads what comes before it."""
    last = {layers[-1]: layers for layers in programs}
    inner = {name for layers in programs for name in layers[:-1]}
    blocks = []
    for node in graph.computed:
        if node.name in inner:
            continue
        layers = last.get(node.name, ())
        reads = graph.node(layers[0]) if layers else node
        blocks.append(Block(node=node, inputs=graph.origins(reads), layers=layers))
    return blocks


def check_programs(graph: Graph, programs: Sequence[Sequence[str]]) -> Programs:
    """Programs whose layers follow each other, nothing else reading what is between them; or layers and additions,
    each behind a layer that it adds to.

    Raises
    ------
    SpecError
        Names of no convolution, pooling layer or addition, or of one in two programs; fewer than two.
    UnsupportedError
        A layer that does not read the one before it, or what several read between them.
    """
    found = tuple(tuple(layers) for layers in programs)
    known = [node.name for node in graph.computed if isinstance(node, Conv | Pool | Add)]
    used = [name for layers in found for name in layers]
    for layers in found:
        if len(layers) < 2:
            raise SpecError(graph.name, "program", ", ".join(layers), "two layers at least")
        for name in layers:
            if name not in known or used.count(name) > 1:
                expected = "a convolution, a pooling layer or an addition that is in no other program"
                raise SpecError(graph.name, "program", name, expected)
        if is_residual(graph, layers):
            steps_of(graph, layers)
            continue
        for before, after in pairwise(layers):
            if graph.origins(graph.node(after)) != (before,):
                raise UnsupportedError(after, "program", f"after {before}", "a layer after the one that it reads")
            if len(list(readers_of(graph, before))) > 1 or graph.origin(graph.output) == before:
                raise UnsupportedError(before, "program", before, f"a tensor that nothing but {after} reads")
    return found


def check_shared(spec: ConvSpec) -> None:
    """Raises UnsupportedError for a layer that cannot share an engine with others: says which field, and why."""
    if spec.requantisation not in SHARED_MODES:
        raise UnsupportedError(spec.name, "requantisation", spec.requantisation, f"{one_of(SHARED_MODES)} in a program")
    for field in ("transposed", "streaming"):
        if getattr(spec, field):
            raise UnsupportedError(spec.name, field, True, "false in a program")
    if spec.input_dtype not in SHARED_TYPES:
        raise UnsupportedError(spec.name, "input_dtype", spec.input_dtype, f"{one_of(SHARED_TYPES)} in a program")
    if spec.output_dtype != spec.input_dtype:
        raise UnsupportedError(spec.name, "output_dtype", spec.output_dtype, f"{spec.input_dtype}, as what comes in")


def partitions_of(graph: Graph, kind: str = "auto") -> list[Programs]:
    """Partitions worth trying.

    Parameters
    ----------
    kind : str
        ``engines``: an engine a layer. ``program``: one engine for all layers in a row, additions among them. ``auto``:
        both, and what lies between: engines for the first layers, whose frames are large, and a program for the rest of
        the longest row; or a program on two engines for as many of its layers as alternate.
    """
    chains = chains_of(graph)
    blocks = _residual_blocks(graph)
    inside = {name for row in blocks for name in row}
    # Two programs in a row may have different beats, so what is beside blocks has engines of its own.
    beside = inside | {name for row in blocks for name in graph.origins(graph.node(row[0]))}
    whole: Programs = (
        *blocks,
        *(chain for chain in chains if not beside & {*chain, *graph.origins(graph.node(chain[0]))}),
    )
    if kind == "engines":
        return [()]
    if kind == "program":
        return [whole]
    longest = max(chains, key=len, default=())
    specs = {name: _convolution(graph, name) for name in longest}
    cuts = {0, 1, 2} | {index + 1 for index, name in enumerate(longest) if max(specs[name].stride) > 1}
    suffixes = [(longest[cut:],) for cut in sorted(cuts) if len(longest) - cut >= 2]
    loops = [(row,) for row in _loops(longest, specs)]
    apart = [(row,) for row in blocks]
    return list(dict.fromkeys([(), whole, tuple(chains), *suffixes, *loops, *apart]))


def _residual_blocks(graph: Graph) -> list[tuple[str, ...]]:
    """The rows of layers and additions that one engine could compute, each up to its last addition."""

    def usable(name: str) -> bool:
        node = graph.node(name)
        if not isinstance(node, Conv | Pool):
            return False
        try:
            check_shared(_convolution(graph, name))
        except UnsupportedError:
            return False
        return True

    found = []
    for row in residual_rows(graph, usable):
        last = max(index for index, name in enumerate(row) if isinstance(graph.node(name), Add))
        with suppress(UnsupportedError):
            steps_of(graph, row[: last + 1])
            found.append(row[: last + 1])
    return found


def _convolution(graph: Graph, name: str) -> ConvSpec:
    """A layer of a program as a convolution."""
    node = graph.node(name)
    assert isinstance(node, Conv | Pool)
    return node.spec if isinstance(node, Conv) else pool_layer(node.spec).spec


def alternates(specs: Sequence[ConvSpec]) -> bool:
    """Whether layers can be computed in turns by two engines: a depthwise one, which has as many channels as it reads,
    and a dense one, again and again.
    """
    pairs = list(zip(specs[0::2], specs[1::2], strict=False))
    return (
        len(specs) == 2 * len(pairs) >= 2 * LEAST_TURNS
        and all(first.depthwise and first.channel_multiplier == 1 for first, _ in pairs)
        and all(second.groups == 1 for _, second in pairs)
    )


def _loops(row: Sequence[str], specs: Mapping[str, ConvSpec]) -> list[tuple[str, ...]]:
    """The longest parts of a row that alternate, for each of its first layers."""
    found: list[tuple[str, ...]] = []
    for first in range(len(row)):
        ends = range(len(row), first + 2 * LEAST_TURNS - 1, -1)
        longest = next((row[first:end] for end in ends if alternates([specs[each] for each in row[first:end]])), ())
        if longest and len(found) < MOST_LOOPS:
            found.append(tuple(longest))
    return found


def chains_of(graph: Graph) -> list[tuple[str, ...]]:
    """The longest runs of layers, two at least and a convolution among them, that a program could compute."""
    chains: list[list[str]] = []
    for node in graph.computed:
        if not isinstance(node, Conv | Pool):
            continue
        try:
            check_shared(node.spec if isinstance(node, Conv) else pool_layer(node.spec).spec)
        except UnsupportedError:
            continue
        (before,) = graph.origins(node)
        alone = len(list(readers_of(graph, before))) == 1
        if alone and chains and any(chain[-1] == before for chain in chains):
            next(chain for chain in chains if chain[-1] == before).append(node.name)
        else:
            chains.append([node.name])
    convolutions = {node.name for node in graph.convolutions}
    return [tuple(chain) for chain in chains if len(chain) > 1 and convolutions & set(chain)]


def shared_layers(network: Network) -> dict[str, Layer]:
    """Every node that a program can run, as a layer: convolutions, and pooling that adds."""
    found: dict[str, Layer] = {}
    for node in network.graph.computed:
        if isinstance(node, Conv):
            found[node.name] = network.layers[node.name]
        elif isinstance(node, Pool):
            with suppress(UnsupportedError):
                found[node.name] = pool_layer(node.spec)
    return found


def members_of(network: Network, names: Sequence[str]) -> list[Layer]:
    """The layers of a program, without its additions. Raises UnsupportedError for pooling that is no convolution."""
    graph = network.graph
    nodes = (node for node in map(graph.node, names) if not isinstance(node, Add))
    return [pool_layer(node.spec) if isinstance(node, Pool) else network.layers[node.name] for node in nodes]
