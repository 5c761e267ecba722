"""Small graphs of engines, on which the tests do what they do to an engine."""

import functools

import numpy as np

from hwconv.graph import Concat, Conv, Graph, Network, Pool
from hwconv.layer import LayerParameters
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.pool import PoolSpec
from hwconv.spec import ConvSpec


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
        shift = int(np.ceil(np.log2(64 / (5000 * np.sqrt(terms)))))
        parameters[node.name] = LayerParameters(
            weights=random.integers(-128, 128, spec.weight_shape).astype(np.int8),
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


GRAPHS = {"skip": skip, "branches": branches, "uneven": uneven}


@functools.cache
def graph_plan(name: str) -> GraphPlan:
    return plan_graph(network_of(GRAPHS[name]()))
