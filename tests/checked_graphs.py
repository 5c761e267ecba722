"""Small graphs of engines, on which the tests do what they do to an engine."""

import functools

import numpy as np

from hwconv.add import AddSpec
from hwconv.golden.pool import mean_multiplier
from hwconv.golden.requantise import quantise_multiplier
from hwconv.graph import Add, Concat, Conv, Graph, Network, Pool, Reshape, Upscale
from hwconv.layer import LayerParameters
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.pool import PoolSpec
from hwconv.spec import ConvSpec, dtype_bits, dtype_range, storage_dtype
from hwconv.upscale import UpscaleSpec


def convolution(name, before, outputs, kernel=(1, 1), **fields):
    height, width, inputs = before
    return ConvSpec(
        name=name, height=height, width=width, in_channels=inputs, out_channels=outputs, kernel=kernel,
        **{"input_zero_point": 3, "output_zero_point": 3, **fields},
    )  # fmt: skip


def network_of(graph: Graph, seed: int = 1) -> Network:
    random, parameters = np.random.default_rng(seed), {}
    for node in graph.convolutions:
        spec = node.spec
        terms = spec.taps * spec.group_in_channels
        bias = random.integers(-64 * terms, 64 * terms + 1, spec.out_channels)
        # outputs that spread over their range, and a little beyond
        beyond = dtype_bits(spec.output_dtype) - dtype_bits(spec.input_dtype)
        shift = int(np.ceil(np.log2(64 / (5000 * np.sqrt(terms))))) + beyond
        low, high = dtype_range(spec.weight_dtype)
        parameters[node.name] = LayerParameters(
            weights=random.integers(low, high + 1, spec.weight_shape).astype(storage_dtype(spec.weight_dtype)),
            bias=bias,
            multiplier=random.integers(1 << 30, 1 << 31, spec.out_channels),
            shift=np.full(spec.out_channels, shift),
        )
    return Network(graph, parameters)


def skip(height=6, width=7, channels=4) -> Graph:
    """A layer beside its own input."""
    shape = (height, width, channels)
    around = convolution("around", shape, channels, (3, 3), padding="same")
    return Graph(
        name="skip", height=height, width=width, channels=channels, zero_point=3,
        nodes=(Conv(input="input", spec=around), Concat(name="both", inputs=("input", "around"))),
    )  # fmt: skip


def branches() -> Graph:
    """Both kinds of pooling, counts that differ at the borders, a depthwise layer, and a queue in block RAM."""
    shape = (6, 7, 4)
    window = {"height": 6, "width": 7, "channels": 4, "kernel": (3, 3), "stride": (1, 1), "padding": "same"}
    deep = convolution("deep", shape, 4, (3, 3), groups=4, padding="same", dilation=(2, 1))
    return Graph(
        name="branches", height=6, width=7, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=deep),
            Pool(input="input", spec=PoolSpec(name="mean", kind="average", **window)),
            Pool(input="input", spec=PoolSpec(name="most", kind="max", **window)),
            Concat(name="together", inputs=("most", "input", "deep", "mean")),
            Conv(input="together", spec=convolution("mixed", (6, 7, 16), 6)),
        ),
    )  # fmt: skip


def addition(name, shape, scales, zero_points=(3, 3, 3), **fields) -> AddSpec:
    """With the constants that TensorFlow Lite makes of the scales of both operands and of the result."""
    twice = 2 * max(scales[:2])
    real = [scales[0] / twice, scales[1] / twice, twice / ((1 << 20) * scales[2])]
    (first, second, result) = (quantise_multiplier(each) for each in real)
    return AddSpec(
        name=name, height=shape[0], width=shape[1], channels=shape[2], input_zero_points=zero_points[:2],
        output_zero_point=zero_points[2], multipliers=(first[0], second[0]), shifts=(first[1], second[1]),
        output_multiplier=result[0], output_shift=result[1], **fields,
    )  # fmt: skip


def residual() -> Graph:
    """Two sums, the second of the first with what it is made of; a flattened tensor, which a full layer reads."""
    shape = (5, 6, 4)
    around = convolution("around", shape, 4, (3, 3), padding="same")
    deep = convolution("deep", shape, 4, (3, 1), groups=4, padding="same", output_zero_point=-7)
    full = convolution("full", (1, 1, 120), 5, input_zero_point=11)
    return Graph(
        name="residual", height=5, width=6, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=around),
            Add(inputs=("around", "input"), spec=addition("first", shape, (0.037, 0.051, 0.06))),
            Conv(input="first", spec=deep),
            Add(inputs=("first", "deep"), spec=addition("second", shape, (1.0, 0.5, 0.75), (3, -7, 11),
                                                        activation_min=11)),
            Reshape(name="flat", input="second", height=1, width=1, channels=120),
            Conv(input="flat", spec=full),
        ),
    )  # fmt: skip


def octets() -> Graph:
    """uint8 through every kind of node, with weights that have a zero point of their own."""
    shape = (5, 6, 4)
    types = {"input_dtype": "uint8", "weight_dtype": "uint8", "output_dtype": "uint8", "weight_zero_point": 120}
    points = {"input_zero_point": 131, "output_zero_point": 131}
    around = convolution("around", shape, 4, (3, 3), padding="same", **types, **points)
    deep = convolution("deep", shape, 4, (3, 1), groups=4, padding="same", **types, **points)
    window = {"height": 5, "width": 6, "channels": 4, "dtype": "uint8", "stride": (1, 1), "padding": "same"}
    full = convolution("full", (1, 1, 240), 5, **types, input_zero_point=131, output_zero_point=7)
    return Graph(
        name="octets", height=5, width=6, channels=4, dtype="uint8", zero_point=131,
        nodes=(
            Conv(input="input", spec=around),
            Pool(input="around", spec=PoolSpec(name="mean", kind="average", kernel=(3, 2), **window)),
            Pool(input="input", spec=PoolSpec(name="most", kind="max", kernel=(2, 3), activation_min=90, **window)),
            Add(inputs=("mean", "most"), spec=addition("line", shape, (0.037, 0.051, 0.06), (131, 131, 140),
                                                       dtype="uint8", activation_min=140)),
            Add(inputs=("line", "input"), spec=addition("exact", shape, (1.0, 0.5, 0.75), (140, 131, 131),
                                                        dtype="uint8")),
            Conv(input="exact", spec=deep),
            Concat(name="both", inputs=("deep", "around")),
            Reshape(name="flat", input="both", height=1, width=1, channels=240),
            Conv(input="flat", spec=full),
        ),
    )  # fmt: skip


def words() -> Graph:
    """int16 with int8 weights through every kind of node that takes it."""
    shape = (5, 6, 4)
    types = {"input_dtype": "int16", "output_dtype": "int16", "requantisation": "tflite16"}
    points = {"input_zero_point": -700, "output_zero_point": 0}
    around = convolution("around", shape, 4, (3, 3), padding="same", **types, **points)
    deep = convolution("deep", shape, 4, (3, 1), groups=4, padding="same", **types, **points)
    window = {"height": 5, "width": 6, "channels": 4, "dtype": "int16", "stride": (1, 1), "padding": "same"}
    full = convolution("full", (1, 1, 360), 5, **types, input_zero_point=0, output_zero_point=0, activation_min=0)
    return Graph(
        name="words", height=5, width=6, channels=4, dtype="int16", zero_point=-700,
        nodes=(
            Conv(input="input", spec=around),
            Pool(input="around", spec=PoolSpec(name="mean", kind="average", kernel=(3, 2), **window)),
            Pool(input="input", spec=PoolSpec(name="most", kind="max", kernel=(2, 3), activation_max=9000, **window)),
            Conv(input="most", spec=deep),
            Concat(name="all", inputs=("deep", "mean", "around")),
            Reshape(name="flat", input="all", height=1, width=1, channels=360),
            Conv(input="flat", spec=full),
        ),
    )  # fmt: skip


def mixed() -> Graph:
    """uint8 comes in, becomes int8, then int16, then int8 again."""
    shape = (5, 6, 4)
    kinds = {"input_zero_point": 131, "output_zero_point": 3, "input_dtype": "uint8"}
    signed = convolution("signed", shape, 4, groups=4, **kinds)
    wide = convolution("wide", shape, 6, (3, 3), padding="same", output_dtype="int16", output_zero_point=0)
    narrow = convolution("narrow", (5, 6, 6), 4, (2, 2), input_dtype="int16", input_zero_point=0)
    return Graph(
        name="mixed", height=5, width=6, channels=4, dtype="uint8", zero_point=131,
        nodes=(Conv(input="input", spec=signed), Conv(input="signed", spec=wide), Conv(input="wide", spec=narrow)),
    )  # fmt: skip


def uneven() -> Graph:
    """Tensors of one, two and three beats a pixel side by side."""
    shape = (4, 3, 4)
    narrow = convolution("narrow", shape, 8, (1, 1))
    wide = convolution("wide", shape, 12, (2, 2), padding="same")
    return Graph(
        name="uneven", height=4, width=3, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=narrow),
            Conv(input="input", spec=wide),
            Concat(name="together", inputs=("wide", "input", "narrow")),
        ),
    )  # fmt: skip


def shared(dtype: str = "int8") -> Graph:
    """Layers that share an engine, between one that does not and two that read what they give."""
    offset = 128 if dtype == "uint8" else 0
    kinds = {"input_dtype": dtype, "output_dtype": dtype, "weight_dtype": dtype}
    of = {**kinds, "input_zero_point": 3 + offset, "output_zero_point": 3 + offset, "weight_zero_point": offset}
    first = convolution("first", (5, 6, 3), 4, (2, 2), padding="same", **of)
    channels = convolution("channels", (5, 6, 4), 4, (3, 3), groups=4, padding="same", **of)
    points = convolution("points", (5, 6, 4), 8, **of)
    halves = convolution("halves", (5, 6, 8), 4, (3, 2), groups=2, stride=(2, 2), padding=(1, 0, 1, 0), **of)
    flat = convolution("flat", (1, 6, 4), 8, (1, 3), padding="same", **{**of, "output_zero_point": offset - 7})
    pooled = PoolSpec(name="pooled", kind="max", height=1, width=6, channels=8, kernel=(1, 3), stride=(1, 1),
                      padding="same", dtype=dtype)  # fmt: skip
    full = convolution("full", (1, 6, 8), 8, **{**of, "input_zero_point": offset - 7, "output_zero_point": offset - 7})
    return Graph(
        name="shared" if dtype == "int8" else f"shared_{dtype}", height=5, width=6, channels=3, dtype=dtype,
        zero_point=3 + offset,
        nodes=(
            Conv(input="input", spec=first),
            Conv(input="first", spec=channels),
            Conv(input="channels", spec=points),
            Conv(input="points", spec=halves),
            Reshape(name="line", input="halves", height=1, width=6, channels=4),
            Conv(input="line", spec=flat),
            Pool(input="flat", spec=pooled),
            Conv(input="flat", spec=full),
            Concat(name="both", inputs=("full", "pooled")),
        ),
    )  # fmt: skip


def turns() -> Graph:
    """Depthwise and dense layers in turns, down to a single pixel, behind one that has an engine of its own."""
    around = convolution("around", (6, 5, 4), 4, (3, 3), groups=4, padding="same", output_zero_point=-20)
    points = convolution("points", (6, 5, 4), 8, input_zero_point=-20, output_zero_point=11)
    window = convolution("window", (6, 5, 8), 8, (7, 6), groups=8, padding=(1, 0, 0, 1), input_zero_point=11,
                         output_zero_point=-128)  # fmt: skip
    return Graph(
        name="turns", height=6, width=5, channels=3, zero_point=3,
        nodes=(
            Conv(input="input", spec=convolution("first", (6, 5, 3), 4, (2, 2), padding="same")),
            Conv(input="first", spec=around),
            Conv(input="around", spec=points),
            Conv(input="points", spec=window),
            Conv(input="window", spec=convolution("full", (1, 1, 8), 5, input_zero_point=-128)),
        ),
    )  # fmt: skip


def enlarged() -> Graph:
    """A frame made smaller, enlarged again in both ways, beside what it was; the mean of every column."""
    small = convolution("small", (6, 4, 4), 4, (2, 2), stride=(2, 2))
    again = UpscaleSpec(name="again", kind="nearest", height=3, width=2, channels=4, factor=(2, 2))
    spread = UpscaleSpec(name="spread", kind="depth_to_space", height=3, width=2, channels=8, factor=(2, 2))
    multiplier, shift = mean_multiplier(1.3, 6)
    columns = PoolSpec(name="columns", kind="mean", height=6, width=4, channels=10, kernel=(6, 1),
                       input_zero_point=3, output_zero_point=-20, multiplier=multiplier, shift=shift)  # fmt: skip
    return Graph(
        name="enlarged", height=6, width=4, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=small),
            Upscale(input="small", spec=again),
            Conv(input="small", spec=convolution("many", (3, 2, 4), 8)),
            Upscale(input="many", spec=spread),
            Concat(name="together", inputs=("again", "spread", "input")),
            Pool(input="together", spec=columns),
        ),
    )  # fmt: skip


def woven() -> Graph:
    """Channels as pixels in the other order, and each of these pixels three times side by side."""
    pixels = UpscaleSpec(
        name="pixels", kind="depth_to_space", height=2, width=3, channels=12, factor=(3, 2), order="CRD"
    )
    wide = UpscaleSpec(name="wide", kind="nearest", height=6, width=6, channels=2, factor=(1, 3))
    return Graph(name="woven", height=2, width=3, channels=12, zero_point=3,
                 nodes=(Upscale(input="input", spec=pixels), Upscale(input="pixels", spec=wide)))  # fmt: skip


GRAPHS = {
    "skip": skip, "branches": branches, "uneven": uneven, "residual": residual, "octets": octets, "words": words,
    "mixed": mixed, "enlarged": enlarged, "woven": woven, "shared": shared,
    "shared_octets": functools.partial(shared, "uint8"), "turns": turns,
}  # fmt: skip
PROGRAMS = {
    **dict.fromkeys(("shared", "shared_octets"), (("channels", "points", "halves", "flat"),)),
    "turns": (("around", "points", "window", "full"),),
}
"""Layers of a graph that share an engine, or two."""


@functools.cache
def graph_plan(name: str) -> GraphPlan:
    return plan_graph(network_of(GRAPHS[name]()), programs=PROGRAMS.get(name, ()))
