"""Residual programs: small ones that aim at corners, and random ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from checked_graphs import addition, convolution
from loop_cases import lively_network

from hwconv.errors import HwconvError
from hwconv.graph import Add, Conv, Graph, Network, Node
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.graph_engines import engines_of, streams_of
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.partition import members_of
from hwconv.plan.queue_depths import queue_depths
from hwconv.plan.residual import ResidualArray, ResidualPlan, make_residual, residual_arrays
from hwconv.plan.residual_rows import steps_of
from hwconv.plan.shared_array import SharedArray

ZERO_POINTS = (3, -21, 60, -128, 127, 9, -77, 0, 31)
OCTETS = {"input_dtype": "uint8", "output_dtype": "uint8", "weight_dtype": "uint8", "weight_zero_point": 121}
SCALES = ((0.037, 0.051, 0.06), (1.0, 0.5, 0.75), (0.02, 0.07, 0.05), (0.4, 0.41, 0.3))
"""Of both operands and the sum; a straight line computes all but those of the second, which are ties."""
MOST_CYCLES = 2500
"""Of the array, for a frame of a random program."""
Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Layers beside a shortcut: the tensor itself, or a layer that has as many strides as all of them.

    Members:
        layers: fields of each. shortcut: fields of the layer in it. first: the shortcut is the first operand.
        clamp: of the sum.
    """

    layers: tuple[Fields, ...]
    shortcut: Fields | None = None
    first: bool = True
    clamp: Fields = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of layers and blocks, the array that computes them, and what is around them.

    Members:
        shape: of the frame. row: layers and blocks. array, padding: see `ResidualArray`. types: fields of all layers.
        after: a layer behind, with multipliers of its own. before: likewise in front.
    """

    shape: tuple[int, int, int]
    row: tuple[Fields | Block, ...]
    array: SharedArray
    padding: int | None = None
    types: Fields = field(default_factory=dict)
    before: Fields | None = None
    after: Fields | None = None


def array(pixels: int, columns: int, ports: int, word: int, requantisers: int) -> SharedArray:
    return SharedArray(pixels=pixels, columns=columns, ports=ports, word_channels=word, requantisers=requantisers)


def conv(outputs: int, kernel: int | tuple[int, int] = 3, **fields: Any) -> Fields:
    square = (kernel, kernel) if isinstance(kernel, int) else kernel
    return {"outputs": outputs, "kernel": square, **({} if "padding" in fields else {"padding": "same"}), **fields}


def block(*layers: Fields, **fields: Any) -> Block:
    return Block(layers=layers, **fields)


def projection(outputs: int, stride: int = 2, *more: Fields, **fields: Any) -> Block:
    """As in a ResNet: two layers, the first with the stride, beside one of a pixel."""
    layers = (conv(outputs, stride=(stride, stride)), *(more or (conv(outputs),)))
    return Block(layers=layers, shortcut=conv(outputs, 1, stride=(stride, stride)), **fields)


CASES = {
    "a_shortcut_past_two_layers": Case(
        shape=(6, 5, 4), row=(conv(4), block(conv(4), conv(4))), array=array(4, 4, 1, 4, 2)
    ),
    "a_layer_in_the_shortcut": Case(
        shape=(6, 6, 4), row=(conv(4), projection(8)), array=array(4, 8, 1, 4, 4)
    ),
    "a_layer_in_the_shortcut_beside_one": Case(
        shape=(6, 6, 4), row=(conv(4), block(conv(8, stride=(2, 2)), shortcut=conv(8, 1, stride=(2, 2)))),
        array=array(4, 8, 1, 4, 4),
    ),
    "beside_one_after_an_odd_row": Case(
        shape=(5, 4, 4), row=(conv(4), conv(4, 1), block(conv(4, 2), shortcut=conv(4, 1))),
        array=array(3, 4, 3, 4, 4),
    ),
    "three_blocks_of_a_resnet": Case(
        shape=(8, 8, 3),
        row=(conv(4), block(conv(4), conv(4)), projection(8), projection(16)),
        array=array(8, 8, 2, 4, 4),
        padding=4,
    ),
    "shortcuts_of_shortcuts": Case(
        shape=(4, 5, 4),
        row=(conv(4), block(conv(4)), block(conv(4), first=False), block(conv(4, 1), conv(4, 2), conv(4, (1, 3)))),
        array=array(5, 4, 5, 4, 4),
    ),
    "sums_that_are_clamped_and_a_layer_behind": Case(
        shape=(5, 5, 4),
        row=(conv(4), block(conv(4), clamp={"activation_min": 5}), conv(8, 1, padding="valid")),
        array=array(5, 4, 5, 4, 2),
        after=conv(2, 2),
    ),
    "pixels_of_one_channel": Case(
        shape=(7, 4, 1), row=(conv(8, (3, 2), stride=(2, 1)), block(conv(8, (1, 3)), conv(8, 1))),
        array=array(4, 8, 4, 8, 8), padding=8, before=conv(1, 2),
    ),
    "a_wide_pad_and_dilation": Case(
        shape=(3, 4, 4),
        row=(conv(8, padding=(2, 2, 2, 2)), block(conv(8, dilation=(2, 1)), conv(8, (2, 2)))),
        array=array(6, 8, 2, 4, 4),
    ),
    "a_shortcut_from_what_comes_in": Case(
        shape=(4, 6, 4), row=(projection(8), conv(4, 1), projection(4, 1)), array=array(4, 8, 1, 4, 4)
    ),
    "one_pixel": Case(
        shape=(1, 1, 4), row=(conv(4, 1), block(conv(4, 1)), block(conv(4, 1), shortcut=conv(4, 1))),
        array=array(1, 4, 1, 4, 4),
    ),
    "octets_and_sums": Case(
        shape=(5, 4, 2), row=(conv(4), block(conv(4), first=False), projection(8)), array=array(4, 4, 2, 2, 2),
        types=OCTETS,
    ),
}  # fmt: skip


def graph_of(case: Case, name: str) -> tuple[Graph, list[str]]:
    """The graph, and the names of the program."""
    height, width, channels = case.shape
    octets = case.types.get("input_dtype") == "uint8"
    nodes: list[Node] = []
    points: dict[str, int] = {"input": _point(0, octets)}
    shapes = {"input": case.shape}

    def layer(before: str, fields: Fields, label: str) -> str:
        point = _point(len(nodes) + 1, octets)
        spec = convolution(
            label, shapes[before], **{**case.types, **fields}, input_zero_point=points[before], output_zero_point=point
        )
        nodes.append(Conv(input=before, spec=spec))
        points[label], shapes[label] = point, spec.output_shape
        return label

    def add(one: str, other: str, label: str, clamp: Fields) -> str:
        point = _point(len(nodes) + 1, octets)
        numbers = (points[one], points[other], point)
        scales = SCALES[len(nodes) % len(SCALES)]
        dtype = {"dtype": "uint8"} if octets else {}
        spec = addition(label, shapes[one], scales, numbers, **dtype, **clamp)
        nodes.append(Add(inputs=(one, other), spec=spec))
        points[label], shapes[label] = point, shapes[one]
        return label

    tensor = "input" if case.before is None else layer("input", case.before, "before")
    names: list[str] = []
    for index, item in enumerate(case.row):
        if not isinstance(item, Block):
            tensor = layer(tensor, item, f"layer_{index}")
            names.append(tensor)
            continue
        shortcut = tensor
        if item.shortcut is not None:
            shortcut = layer(tensor, item.shortcut, f"beside_{index}")
            names.append(shortcut)
        for place, fields in enumerate(item.layers):
            tensor = layer(tensor, fields, f"layer_{index}_{place}")
            names.append(tensor)
        operands = (shortcut, tensor) if item.first else (tensor, shortcut)
        tensor = add(*operands, f"sum_{index}", item.clamp)
        names.append(tensor)
    if case.after is not None:
        layer(tensor, case.after, "after")
    types = {"dtype": "uint8"} if octets else {}
    graph = Graph(
        name=name, height=height, width=width, channels=channels, zero_point=points["input"], nodes=tuple(nodes),
        **types,
    )  # fmt: skip
    return graph, names


def _point(index: int, octets: bool) -> int:
    return ZERO_POINTS[index % len(ZERO_POINTS)] + (128 if octets else 0)


def residual_plan(network: Network, names: Sequence[str], chosen: ResidualArray, others: int = 4) -> GraphPlan:
    """The plan of a graph whose residual program has this array."""
    graph, programs = network.graph, (tuple(names),)
    drafts = {
        node.name: make_plan(network.layers[node.name], multipliers=others)
        for node in graph.convolutions
        if node.name not in names
    }
    drafts[names[-1]] = make_residual(network, names, array=chosen, multipliers=chosen.products)
    beats, engines = engines_of(network, drafts, dict.fromkeys(drafts, 0), programs=programs)
    queues = queue_depths(streams_of(graph, engines, beats, programs))
    return GraphPlan(network=network, engines=engines, beats=beats, queues=queues, programs=programs)


def plan_of_case(name: str) -> GraphPlan:
    case = CASES[name]
    graph, names = graph_of(case, name[:24])
    network = lively_network(graph, np.random.default_rng(len(name)))
    return residual_plan(network, names, ResidualArray(shared=case.array, padding=case.padding))


def residual_of(plan: GraphPlan) -> ResidualPlan:
    engine = plan.engines[plan.programs[0][-1]]
    assert isinstance(engine, ResidualPlan)
    return engine


def random_case(random: np.random.Generator) -> GraphPlan:
    """Any row of layers and blocks, on any array; rows that nothing suits are drawn anew."""
    while True:
        try:
            return _any_row(random)
        except HwconvError:
            continue


def _any_row(random: np.random.Generator) -> GraphPlan:
    """Raises HwconvError where layers do not fit each other, or no array is quick enough to simulate."""
    height, width, channels = (int(random.integers(1, high)) for high in (8, 8, 6))
    outputs = int(random.choice([2, 4, 8]))
    row: list[Fields | Block] = [_any_layer(random, outputs)] if random.random() < 0.8 else []
    for _ in range(int(random.integers(1, 4))):
        kind = random.random()
        if kind < 0.2:
            outputs = int(random.choice([2, 4, 8]))
            row.append(_any_layer(random, outputs))
        elif kind < 0.6 and row:
            layers = tuple(_same(random, outputs) for _ in range(int(random.integers(1, 4))))
            row.append(Block(layers=layers, first=bool(random.integers(2)), clamp=_any_clamp(random)))
        else:
            outputs = int(random.choice([2, 4, 8]))
            stride = (int(random.integers(1, 3)), int(random.integers(1, 3)))
            first = conv(outputs, int(random.integers(1, 4)), stride=stride)
            layers = (first, *(_same(random, outputs) for _ in range(int(random.integers(3)))))
            row.append(Block(layers=layers, shortcut=conv(outputs, 1, stride=stride), first=bool(random.integers(2))))
    if not any(isinstance(item, Block) for item in row):
        raise HwconvError("no block")
    types = OCTETS if random.random() < 0.2 else {}
    case = Case(shape=(height, width, channels), row=tuple(row), array=array(1, 1, 1, 1, 1), types=types,
                before=_any_layer(random, channels) if random.random() < 0.2 else None,
                after=_any_layer(random, 3) if random.random() < 0.2 else None)  # fmt: skip
    graph, names = graph_of(case, "random")
    network = lively_network(graph, random)
    steps = steps_of(graph, names)
    layers = members_of(network, [step.layer for step in steps])
    multipliers = int(random.choice([8, 16, 40]))
    known = [each for cycles, _, each in residual_arrays(steps, layers, multipliers) if cycles < MOST_CYCLES]
    if not known:
        raise HwconvError("too slow to simulate")
    return residual_plan(network, names, known[int(random.integers(len(known)))], others=int(random.choice([1, 4, 9])))


def _same(random: np.random.Generator, outputs: int) -> Fields:
    """A layer whose result has the shape of its frame."""
    groups = outputs if random.random() < 0.2 else 1
    kernel = (int(random.integers(1, 4)), int(random.integers(1, 4)))
    return conv(outputs, kernel, dilation=(int(random.integers(1, 3)), 1), groups=groups)


def _any_layer(random: np.random.Generator, outputs: int) -> Fields:
    sides = tuple(int(random.integers(3)) for _ in range(4))
    padding: Any = "same" if random.random() < 0.6 else sides
    return conv(outputs, int(random.integers(1, 4)), padding=padding,
                stride=(int(random.integers(1, 3)), int(random.integers(1, 3))))  # fmt: skip


def _any_clamp(random: np.random.Generator) -> Fields:
    return {"activation_max": int(random.integers(100, 128))} if random.random() < 0.3 else {}
