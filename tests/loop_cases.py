"""Programs on two engines in turns: small ones that aim at corners, random ones, and graphs of them with any pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from aimed_specs import zero_point
from checked_graphs import convolution
from random_engines import lively_layer, random_layer

from hwconv.errors import HwconvError
from hwconv.golden.pool import mean_multiplier
from hwconv.graph import Concat, Conv, Graph, Network, Node, Pool, Reshape
from hwconv.layer import Layer
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.graph_engines import engines_of, streams_of
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.loop import LoopPlan
from hwconv.plan.loop_array import LoopArray, SharedLanes, fold_lanes, loop_arrays
from hwconv.plan.partition import members_of
from hwconv.plan.program import make_program
from hwconv.plan.queue_depths import queue_depths
from hwconv.plan.shared_array import SharedArray, fold
from hwconv.pool import PoolSpec
from hwconv.spec import ConvSpec

ZERO_POINTS = (3, -21, 60, -128, 127, 9, -77, 0, 31)
"""Of the tensors of a row, which differ."""
OCTETS = {"input_dtype": "uint8", "output_dtype": "uint8", "weight_dtype": "uint8", "weight_zero_point": 121}
MOST_CYCLES = 700
"""Of either array, for a frame of a random loop."""
Fields = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A row of layers that alternate, and the pair of arrays that computes them.

    Members:
        shape: of the frame. layers: fields of each; without `outputs` a layer is depthwise, with `kind` it is pooling,
        with `shape` another shape of the tensor before. types: fields of all. beat: bytes, of both streams.
        zero_points: of the tensors, in order.
        before, after: a layer in front of the loop and behind it, with multipliers of its own.
        beside: a layer that reads what the loop reads, and whose result is in front of the loop's; without fields it is
        what the loop reads, behind the loop's result.
    """

    shape: tuple[int, int, int]
    layers: tuple[Fields, ...]
    array: LoopArray
    types: Fields = field(default_factory=dict)
    zero_points: tuple[int, ...] = ZERO_POINTS
    beat: int | None = None
    before: Fields | None = None
    after: Fields | None = None
    beside: Fields | None = None


def pair(lanes: tuple[int, int, int], dense: tuple[int, int, int, int, int]) -> LoopArray:
    """Lanes: pixels, channels of a word, requantisers. Dense: pixels, columns, ports, channels of a word,
    requantisers.
    """
    names = ("pixels", "columns", "ports", "word_channels", "requantisers")
    return LoopArray(
        lanes=SharedLanes(pixels=lanes[0], word_channels=lanes[1], requantisers=lanes[2]),
        dense=SharedArray(**dict(zip(names, dense, strict=True))),
    )


def deep(kernel: int | tuple[int, int] = 3, **fields: Any) -> Fields:
    """A depthwise layer."""
    square = (kernel, kernel) if isinstance(kernel, int) else kernel
    return {"kernel": square, **({} if "padding" in fields else {"padding": "same"}), **fields}


def points(outputs: int, kernel: tuple[int, int] = (1, 1), **fields: Any) -> Fields:
    """A dense layer."""
    return {"outputs": outputs, "kernel": kernel, **fields}


SMALL = (deep(), points(8), deep(2), points(4))
CASES = {
    # 64 pixels of 4 bytes, one a cycle, and 9 taps of 4 pixels at once: 256 cycles against 144.
    "a_frame_comes_in_slower_than_its_layer_is_computed": Case(
        shape=(8, 8, 4), layers=SMALL, array=pair((4, 4, 2), (4, 4, 4, 4, 1)), beat=1
    ),
    "a_frame_comes_in_faster_than_its_layer_is_computed": Case(
        shape=(5, 4, 8), layers=(deep(), points(8), deep(), points(6)), array=pair((1, 2, 1), (1, 2, 1, 4, 1)), beat=8
    ),
    "strides_dilation_and_pads_of_three_turns": Case(
        shape=(9, 8, 4),
        layers=(
            deep((3, 2), stride=(2, 1), padding=(2, 0, 1, 1)),
            points(8, (2, 1), dilation=(2, 1), padding=(0, 1, 2, 0)),
            deep((2, 3), dilation=(1, 2), padding=(1, 1, 0, 3)),
            points(4, (1, 2), stride=(2, 2)),
            deep(2, stride=(1, 2), padding=(0, 1, 0, 1)),
            points(6),
        ),
        array=pair((2, 4, 2), (4, 4, 2, 4, 2)),
    ),
    "windows_larger_than_the_frame": Case(
        shape=(2, 3, 2),
        layers=(
            deep((5, 4), padding=(4, 3, 2, 5)),
            points(4, (6, 7), padding=(1, 2, 3, 1)),
            deep((7, 3), dilation=(2, 2), padding=(8, 7, 3, 2)),
            points(2, (4, 1), dilation=(3, 1), padding=(6, 5, 0, 0)),
        ),
        array=pair((2, 2, 1), (2, 2, 1, 2, 1)),
    ),
    "one_pixel_of_channels_that_the_requantisers_do_not_divide": Case(
        shape=(3, 3, 4),
        layers=(deep(), points(8), deep(padding="valid"), points(5)),
        array=pair((3, 4, 4), (3, 8, 1, 4, 4)),
        beat=8,
    ),
    "one_pixel_all_along": Case(
        shape=(1, 1, 4),
        layers=(deep(1), points(4), deep(1), points(2), deep(1), points(3)),
        array=pair((1, 2, 1), (1, 4, 1, 2, 2)),
        beat=2,
    ),
    "one_result_of_four_requantisers": Case(
        shape=(2, 2, 4),
        layers=(deep(2), points(4), deep(2, padding="valid"), points(1)),
        array=pair((2, 2, 1), (1, 4, 1, 2, 4)),
        beat=4,
    ),
    "average_of_the_frame_before_a_full_layer": Case(
        shape=(6, 5, 4),
        layers=(deep(), points(8), {"kind": "average", "kernel": (6, 5)}, points(3)),
        array=pair((2, 4, 1), (5, 8, 5, 4, 4)),
    ),
    "means_of_rows_and_averages_of_pairs": Case(
        shape=(4, 6, 4),
        layers=(
            {"kind": "average", "kernel": (2, 2)},
            points(8),
            {"kind": "mean", "kernel": (1, 3), "scale": 1.3},
            points(4),
        ),
        array=pair((1, 4, 1), (2, 4, 1, 4, 1)),
    ),
    "uint8": Case(
        shape=(4, 5, 4),
        layers=(deep(), points(4), deep(2, activation_min=90), points(8)),
        array=pair((2, 4, 2), (2, 4, 2, 4, 2)),
        types=OCTETS,
    ),
    "onnx": Case(
        shape=(4, 5, 4),
        layers=(deep(), points(8), deep(2, activation_max=50), points(4)),
        array=pair((2, 4, 1), (4, 4, 1, 4, 1)),
        types={"requantisation": "onnx"},
    ),
    "shift": Case(
        shape=(5, 4, 6),
        layers=(deep(), points(4), deep((1, 3)), points(6), deep((3, 1)), points(2)),
        array=pair((1, 2, 1), (3, 2, 3, 2, 2)),
        types={"requantisation": "shift"},
    ),
    "rows_of_lanes_do_not_divide_the_frame": Case(
        shape=(5, 7, 4),
        layers=(deep(), points(4), deep(3, stride=(2, 2)), points(4)),
        array=pair((5, 4, 4), (6, 4, 2, 4, 2)),
    ),
    "beats_of_three_and_of_six_bytes": Case(
        shape=(3, 4, 6),
        layers=(deep(2), points(18), deep((2, 1)), points(9)),
        array=pair((2, 6, 3), (1, 9, 1, 3, 3)),
        beat=6,
    ),
    "a_beat_is_more_than_the_frame": Case(
        shape=(1, 2, 2),
        layers=(deep((1, 2)), points(2), deep((1, 2)), points(1)),
        array=pair((1, 1, 1), (1, 1, 1, 1, 1)),
        beat=16,
    ),
    "tensors_in_another_shape": Case(
        shape=(4, 3, 4),
        layers=(deep(), points(4), deep((1, 5), shape=(1, 12, 4)), points(2), deep(2, shape=(3, 4, 2)), points(6)),
        array=pair((2, 2, 1), (4, 4, 2, 2, 2)),
    ),
    "a_slow_layer_behind": Case(
        shape=(4, 4, 4),
        layers=SMALL,
        array=pair((2, 4, 2), (4, 4, 2, 4, 2)),
        after={"multipliers": 1, **points(4, (3, 3))},
    ),
    "a_slow_layer_in_front": Case(
        shape=(4, 4, 2),
        layers=SMALL,
        array=pair((2, 2, 1), (4, 4, 2, 4, 2)),
        before={"multipliers": 1, **points(4, (3, 3), padding="same")},
        after=points(2),
    ),
    "a_slow_layer_beside": Case(
        shape=(4, 4, 4),
        layers=SMALL,
        array=pair((2, 4, 2), (4, 4, 2, 4, 2)),
        beat=4,
        beside={"multipliers": 1, **points(4, (3, 3), padding="same")},
    ),
    "what_it_reads_beside": Case(
        shape=(4, 4, 4),
        layers=SMALL,
        array=pair((2, 4, 2), (4, 4, 2, 4, 2)),
        zero_points=(3, -21, 60, -128, 3),
        beat=4,
        beside={},
    ),
}  # fmt: skip


class _Row:
    """Nodes one after the other, each reading what the one before gives."""

    def __init__(self, shape: tuple[int, int, int], types: Fields, zero_points: Sequence[int]) -> None:
        self.shape, self.source, self.nodes = shape, "input", list[Node]()
        self._types, self._offset = types, 128 if types.get("input_dtype") == "uint8" else 0
        self._following = iter(zero_points)
        self.zero_point = self._next()

    def _next(self) -> int:
        return next(self._following) + self._offset

    def add(self, name: str, fields: Fields) -> Node:
        given = {key: value for key, value in fields.items() if key not in ("outputs", "multipliers", "shape", "scale")}
        if "shape" in fields:
            flat = dict(zip(("height", "width", "channels"), fields["shape"], strict=True))
            self.nodes.append(Reshape(name=f"{name}_reads", input=self.source, **flat))
            self.source, self.shape = f"{name}_reads", fields["shape"]
        height, width, channels = self.shape
        node: Node
        if "kind" in fields:
            if fields["kind"] == "mean":
                count = fields["kernel"][0] * fields["kernel"][1]
                given |= dict(zip(("multiplier", "shift"), mean_multiplier(fields["scale"], count), strict=True))
                given |= {"input_zero_point": self.zero_point, "output_zero_point": self._next()}
                self.zero_point = given["output_zero_point"]
            dtype = self._types.get("input_dtype", "int8")
            pooled = PoolSpec(name=name, height=height, width=width, channels=channels, dtype=dtype, **given)
            node, self.shape = Pool(input=self.source, spec=pooled), pooled.output_shape
        else:
            shared = {} if "outputs" in fields else {"groups": channels}
            spec = ConvSpec(
                name=name, height=height, width=width, in_channels=channels, **shared, **self._types, **given,
                out_channels=fields.get("outputs", channels), input_zero_point=self.zero_point,
                output_zero_point=self._next(),
            )  # fmt: skip
            node, self.shape, self.zero_point = (
                Conv(input=self.source, spec=spec), spec.output_shape, spec.output_zero_point,
            )  # fmt: skip
        self.nodes.append(node)
        self.source = name
        return node


def graph_of(case: Case, name: str) -> tuple[Graph, tuple[str, ...], dict[str, int]]:
    """The graph of a case, the layers of its loop, and the multipliers of the other arrays."""
    row = _Row(case.shape, case.types, case.zero_points)
    first, multipliers = row.zero_point, dict[str, int]()

    def add(label: str, fields: Fields | None) -> None:
        if fields is not None:
            row.add(label, fields)
            multipliers[label] = fields.get("multipliers", 8)

    add("before", case.before)
    if case.beside:
        beside = _Row(case.shape, case.types, (case.zero_points[0], case.zero_points[len(case.layers)]))
        row.nodes.append(beside.add("beside", case.beside))
        multipliers["beside"] = case.beside.get("multipliers", 8)
    names = tuple(f"layer_{index}" for index in range(len(case.layers)))
    for layer, fields in zip(names, case.layers, strict=True):
        row.add(layer, fields)
    if case.beside is not None:
        row.nodes.append(Concat(name="both", inputs=("beside", row.source) if case.beside else (row.source, "input")))
    add("after", case.after)
    frame = dict(zip(("height", "width", "channels"), case.shape, strict=True))
    dtype = case.types.get("input_dtype", "int8")
    return Graph(name=name, dtype=dtype, zero_point=first, nodes=tuple(row.nodes), **frame), names, multipliers


def separable(pairs: int, *, last: bool) -> Graph:
    """A dense layer, then pairs; one more depthwise layer at the end, if asked for."""
    nodes = [Conv(input="input", spec=convolution("first", (5, 4, 3), 4, (2, 2), padding="same"))]
    names = [f"{kind}_{index}" for index in range(pairs) for kind in ("deep", "points")] + ["last"] * last
    for name in names:
        kernel = {} if name.startswith("points") else {"kernel": (3, 3), "groups": 4, "padding": "same"}
        nodes.append(Conv(input=nodes[-1].name, spec=convolution(name, (5, 4, 4), 4, **kernel)))
    return Graph(name="separable", height=5, width=4, channels=3, zero_point=3, nodes=tuple(nodes))


def lively_network(graph: Graph, random: np.random.Generator, *, hostile: float = 0) -> Network:
    """Parameters with which what is wrong in the first layer is seen behind the last; a share `hostile` of layers has
    any others.
    """
    drawn = {
        node.name: (random_layer if random.random() < hostile else lively_layer)(random, node.spec)
        for node in graph.convolutions
    }
    return Network(graph, {name: layer.parameters for name, layer in drawn.items()})


def loop_plan(
    network: Network,
    names: Sequence[str],
    array: LoopArray,
    multipliers: Mapping[str, int],
    beat: int | None = None,
) -> GraphPlan:
    """The plan of a graph whose loop has these two arrays."""
    graph, programs = network.graph, (tuple(names),)
    drafts = {name: make_plan(network.layers[name], multipliers=count) for name, count in multipliers.items()}
    layers = members_of(network, names)
    drafts[names[-1]] = make_program(layers, name=names[-1], array=array, multipliers=array.products, beat_bytes=beat)
    beats, engines = engines_of(network, drafts, dict.fromkeys(drafts, 0), programs=programs)
    queues = queue_depths(streams_of(graph, engines, beats, programs))
    return GraphPlan(network=network, engines=engines, beats=beats, queues=queues, programs=programs)


def plan_of_case(name: str) -> GraphPlan:
    case = CASES[name]
    graph, names, multipliers = graph_of(case, name[:24])
    return loop_plan(
        lively_network(graph, np.random.default_rng(len(name))), names, case.array, multipliers, beat=case.beat
    )


def layers_of(specs: Sequence[ConvSpec]) -> list[Layer]:
    return [lively_layer(np.random.default_rng(3), spec) for spec in specs]


def loop_of(plan: GraphPlan) -> LoopPlan:
    (row,) = plan.programs
    loop = plan.engines[row[-1]]
    assert isinstance(loop, LoopPlan)
    return loop


def random_loop(random: np.random.Generator) -> GraphPlan:
    """Two or three turns of layers of any attributes that fit each other, some between other layers, on any pair of
    arrays that can run them.
    """
    while True:
        kind = str(random.choice(["int8", "int8", "onnx", "uint8"]))
        shape = (*(int(each) for each in random.integers(1, 9, 2)), int(random.choice([1, 2, 3, 4, 6, 8])))
        turns = int(random.choice([2, 2, 3, 4]))
        case = Case(
            shape=shape,
            layers=tuple(_random_layer(random, kind, dense=index % 2 == 1) for index in range(2 * turns)),
            array=pair((1, 1, 1), (1, 1, 1, 1, 1)),
            types=OCTETS | {"weight_zero_point": int(random.integers(100, 156))} if kind == "uint8" else {},
            zero_points=tuple(zero_point(random) for _ in range(2 * turns + 3)),
            before=points(int(random.choice([2, 4, 6]))) if random.random() < 0.3 else None,
            after={"multipliers": int(random.choice([1, 4])), **points(3)} if random.random() < 0.3 else None,
        )
        try:
            return _any_pair(random, case)
        except HwconvError:
            continue


def _any_pair(random: np.random.Generator, case: Case) -> GraphPlan:
    """Raises HwconvError where layers do not fit each other, or no pair of arrays is quick enough to simulate."""
    graph, names, multipliers = graph_of(case, "random")
    network = lively_network(graph, random, hostile=0 if case.types.get("requantisation") else 0.2)
    specs = [layer.spec for layer in members_of(network, names)]
    arrays = [
        array
        for array in loop_arrays(specs, int(random.choice([8, 16, 32, 60])))
        if sum(fold_lanes(spec, array.lanes).compute_cycles for spec in specs[0::2]) < MOST_CYCLES
        and sum(fold(spec, array.dense).compute_cycles for spec in specs[1::2]) < MOST_CYCLES
    ]
    if not arrays or max(spec.input_bytes for spec in specs) > MOST_CYCLES:
        raise HwconvError("too slow to simulate")
    array = arrays[int(random.integers(len(arrays)))]
    if random.random() < 0.5:
        words = [item for item in range(1, array.lanes.columns + 1) if array.lanes.columns % item == 0]
        array = replace(array, lanes=replace(array.lanes, requantisers=int(random.choice(words))))
    beat = None if random.random() < 0.5 else array.dense.requantisers * int(random.integers(1, 9))
    return loop_plan(network, names, array, multipliers, beat)


def _random_layer(random: np.random.Generator, kind: str, *, dense: bool) -> Fields:
    offset = 128 if kind == "uint8" else 0
    low, high = sorted(offset + int(each) for each in random.integers(-128, 128, 2))
    modes = {"int8": ["tflite", "tflite", "shift"], "onnx": ["onnx"], "uint8": ["tflite", "onnx"]}
    if not dense and random.random() < 0.1:
        return {"kind": "average", "kernel": tuple(int(each) for each in random.integers(1, 4, 2))}
    return {
        **({"outputs": int(random.choice([1, 2, 3, 4, 5, 6, 8, 12]))} if dense else {}),
        "kernel": tuple(int(each) for each in random.integers(1, 3 if dense else 5, 2)),
        "stride": tuple(int(each) for each in random.choice([1, 1, 2, 3], 2)),
        "dilation": tuple(int(each) for each in random.integers(1, 4, 2)),
        "padding": tuple(int(each) for each in random.integers(0, 4, 4)),
        "requantisation": str(random.choice(modes[kind])),
        **({"activation_min": low, "activation_max": high} if random.random() < 0.3 else {}),
    }
