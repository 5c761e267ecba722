"""What there is beside direct and Winograd engines, on a fixed table of cases: engines with multipliers of look-up
tables, engines whose weights are loaded, graphs of engines, and stream blocks.

They are planned, generated, simulated and compared as the layers of :mod:`~hwconv.bench.layers` are; each family has a
table of its own on the page of `benchmarks/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwconv import golden, simulation
from hwconv.bench.layers import SPECS, bench_layer, drawn_parameters
from hwconv.blocks import Block, block_from_dict
from hwconv.comparison import with_random
from hwconv.designs import design_of
from hwconv.emit.package import model_files
from hwconv.golden import graph as golden_graph
from hwconv.graph import INPUT, Concat, Conv, Graph, Network, Pool
from hwconv.graphs.run import frames_of
from hwconv.plan import EnginePlan, plan_layer
from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.plan.mc_statistics import StatisticsPlan
from hwconv.pool import PoolSpec
from hwconv.simulation import SimulationResult
from hwconv.spec import ConvSpec

MULTIPLIERS = (16, 64, 144)
LANES = (1, 4, 16)
FRAMES = 4
SEED = 20_25
"""Of weights of graphs."""
LUT_SHARE = 4
"""One multiplier in so many is of look-up tables."""

LUT, LOADED, GRAPH, BLOCK = "look-up tables", "loaded weights", "graph", "stream block"
_POINTS: Mapping[str, int] = {"input_zero_point": 5, "output_zero_point": 5}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A variant that was planned and generated.

    Members:
        layer, asked: which one: its name in the table, and the multipliers or lanes asked for.
        plan: its plan. design: its Verilog with what simulates it. rtl: the hash of the Verilog.
    """

    layer: str
    asked: int
    plan: BlockPlan
    design: simulation.Design
    block: Block | None = None

    @property
    def files(self) -> dict[str, str]:
        """Its Verilog and memory images."""
        models = model_files("generic")
        return {name: text for name, text in self.design.files.items() if name not in models}


def _conv(before: str, name: str, shape: tuple[int, int, int], outputs: int, **fields: Any) -> Conv:
    height, width, inputs = shape
    kernel = fields.pop("kernel", (1, 1))
    spec = ConvSpec(
        name=name, height=height, width=width, in_channels=inputs, out_channels=outputs, kernel=kernel,
        **{**_POINTS, **fields},
    )  # fmt: skip
    return Conv(input=before, spec=spec)


def _separable() -> Graph:
    """The worked example of docs/graphs.md."""
    return _graph(
        "separable",
        (100, 100, 16),
        _conv(INPUT, "depthwise", (100, 100, 16), 16, kernel=(3, 3), groups=16),
        _conv("depthwise", "pointwise", (98, 98, 16), 32),
    )


def _branches() -> Graph:
    """The module of the Inception networks: four branches side by side, then a pointwise layer."""
    shape, fewer = (12, 12, 16), (12, 12, 8)
    window = PoolSpec(
        name="pooled", kind="average", height=12, width=12, channels=16, kernel=(3, 3), stride=(1, 1), padding="same"
    )
    return _graph(
        "branches",
        shape,
        _conv(INPUT, "one", shape, 16),
        _conv(INPUT, "fewer_three", shape, 8),
        _conv("fewer_three", "three", fewer, 16, kernel=(3, 3), padding="same"),
        _conv(INPUT, "fewer_five", shape, 8),
        _conv("fewer_five", "five", fewer, 8, kernel=(5, 5), padding="same"),
        Pool(input=INPUT, spec=window),
        _conv("pooled", "fewer_pooled", shape, 8),
        Concat(name="together", inputs=("one", "three", "five", "fewer_pooled")),
        _conv("together", "mixed", (12, 12, 48), 16),
    )


def _factorised() -> Graph:
    """A row and a column in place of a 7x7 kernel."""
    shape = (16, 16, 16)
    return _graph(
        "factorised",
        shape,
        _conv(INPUT, "row", shape, 16, kernel=(1, 7), padding="same"),
        _conv("row", "column", shape, 16, kernel=(7, 1), padding="same"),
    )


_WIDE = (24, 24, 16)
_DEEP = {"kernel": (3, 3), "groups": 16, "padding": "same"}


def _shared() -> Graph:
    """Three layers that share an array."""
    return _graph(
        "shared",
        _WIDE,
        _conv(INPUT, "pointwise", _WIDE, 16),
        _conv("pointwise", "depthwise", _WIDE, 16, **_DEEP),
        _conv("depthwise", "pointwise_2", _WIDE, 32),
    )


def _turns() -> Graph:
    """Two depthwise separable layers, which two engines compute in turns."""
    return _graph(
        "turns",
        _WIDE,
        _conv(INPUT, "depthwise", _WIDE, 16, **_DEEP),
        _conv("depthwise", "pointwise", _WIDE, 16),
        _conv("pointwise", "depthwise_2", _WIDE, 16, **_DEEP),
        _conv("depthwise_2", "pointwise_2", _WIDE, 32),
    )


def _graph(name: str, shape: tuple[int, int, int], *nodes: Conv | Pool | Concat) -> Graph:
    height, width, channels = shape
    return Graph(name=name, height=height, width=width, channels=channels, zero_point=5, nodes=nodes)


def bench_network(graph: Graph) -> Network:
    """A graph with weights as its layers have them after training."""
    rng = np.random.default_rng([SEED, len(graph.name)])
    return Network(graph, {node.name: drawn_parameters(node.spec, rng) for node in graph.convolutions})


def _in_luts(layer: str) -> Callable[[int], BlockPlan]:
    return lambda asked: make_plan(bench_layer(layer), multipliers=asked, lut_multipliers=asked // LUT_SHARE)


def _loaded(layer: str) -> Callable[[int], BlockPlan]:
    return lambda asked: plan_layer(bench_layer(layer), "direct", multipliers=asked, loadable=True)


def _network(graph: Callable[[], Graph]) -> Callable[[int], BlockPlan]:
    return lambda asked: plan_graph(bench_network(graph()), multipliers=asked)


def _program(graph: Callable[[], Graph]) -> Callable[[int], BlockPlan]:
    """All layers as one program."""

    def plan(asked: int) -> BlockPlan:
        network = bench_network(graph())
        names = [node.name for node in network.graph.computed]
        return plan_graph(network, multipliers=asked, programs=[names])

    return plan


_BLOCKS: Mapping[str, dict[str, object]] = {
    "dropout": {"kind": "dropout", "probability": 0.25},
    "moments": {"kind": "mc_statistics", "statistics": "moments", "passes": 8},
    "variance": {"kind": "mc_statistics", "statistics": "variance", "passes": 8},
}
_PLANS: Mapping[str, tuple[str, Callable[[int], BlockPlan]]] = {
    **{f"{layer}_lut": (LUT, _in_luts(layer)) for layer in ("3x3", "dw3x3")},
    **{f"{layer}_loaded": (LOADED, _loaded(layer)) for layer in ("3x3", "dw3x3")},
    **{graph.__name__[1:]: (GRAPH, _network(graph)) for graph in (_separable, _branches, _factorised)},
    **{graph.__name__[1:]: (GRAPH, _program(graph)) for graph in (_shared, _turns)},
}
FAMILIES: Mapping[str, str] = {
    **{name: family for name, (family, _) in _PLANS.items()},
    **dict.fromkeys(_BLOCKS, BLOCK),
}
"""Every variant of the table by its name, in order, and the family that it belongs to."""
assert not FAMILIES.keys() & SPECS.keys()


def sizes(name: str) -> tuple[int, ...]:
    """Multipliers, or lanes, that a variant is measured at."""
    return LANES if FAMILIES[name] == BLOCK else MULTIPLIERS


def generate(name: str, asked: int) -> Measured:
    """Plans a variant of the table and generates its Verilog."""
    if name in _BLOCKS:
        frame = {"name": name, "height": 16, "width": 16, "channels": 16, "zero_point": 5, "beat_bytes": asked}
        block = block_from_dict({**frame, **_BLOCKS[name]})
        return Measured(layer=name, asked=asked, plan=block.plan, design=design_of(block.plan), block=block)
    plan = _PLANS[name][1](asked)
    return Measured(layer=name, asked=asked, plan=plan, design=design_of(plan))


def planned_row(variant: Measured, rtl: str) -> dict[str, Any]:
    """What the plan says of a variant, as a row of its family's table."""
    plan = variant.plan
    row = {
        "layer": variant.layer,
        "asked": variant.asked,
        "family": FAMILIES[variant.layer],
        "predicted_latency": plan.cycles.latency,
        "predicted_interval": plan.cycles.interval,
        "rtl": rtl,
        **_array(variant),
    }
    return row


def _array(variant: Measured) -> dict[str, Any]:
    """What is built, and the work of a frame that it is there for."""
    plan = variant.plan
    if isinstance(plan, EnginePlan):
        config = plan.config
        return {
            "built": f"{config.pixels} x {config.columns}" + (" depthwise" if config.depthwise else ""),
            "multipliers": plan.multipliers,
            "lut_multipliers": plan.lut_multipliers,
            "requantisers": config.requantisers,
            "requantiser_multipliers": plan.requantiser_multipliers,
            "work": plan.spec.macs,
            "queue_bits": 0,
        }
    if isinstance(plan, GraphPlan):
        built = sum(len(each.parts) if isinstance(each, EnginePlan) else 1 for each in plan.engines.values())
        return {
            "built": f"{built} engine{'' if built == 1 else 's'}",
            "multipliers": plan.multipliers,
            "lut_multipliers": 0,
            "requantisers": sum(engine.config.requantisers for engine in plan.engines.values()),
            "requantiser_multipliers": plan.requantiser_multipliers,
            "work": plan.graph.macs,
            "queue_bits": plan.queue_bits,
        }
    assert variant.block is not None
    lanes = plan.input_beat_bytes
    return {
        "built": f"{lanes} lane{'s' if lanes > 1 else ''}",
        "multipliers": plan.multipliers if isinstance(plan, StatisticsPlan) else lanes,
        "lut_multipliers": 0,
        "requantisers": 0,
        "requantiser_multipliers": 0,
        "work": variant.block.spec.elements * plan.passes,
        "queue_bits": 0,
    }


def measured_row(variant: Measured, rtl: str, seed: int = 1) -> dict[str, Any]:
    """Simulates a variant and returns its row with what was measured. A difference raises nothing.

    Utilisation is work / (interval x what does it): MACs and multipliers of arrays, or values and lanes.
    """
    row = planned_row(variant, rtl)
    frames, result = _run(variant, seed)
    interval, built = result.interval, row["multipliers"] if variant.block is None else variant.asked
    return row | {
        "frames": frames,
        "outputs": result.outputs,
        "mismatches": result.mismatches,
        "passed": result.passed,
        "latency": result.latency,
        "interval": interval,
        "utilisation": round(row["work"] / (interval * built), 6) if interval else None,
        "utilisation_asked": round(row["work"] / (interval * variant.asked), 6) if interval else None,
    }


def _run(variant: Measured, seed: int) -> tuple[int, SimulationResult]:
    """Frames sent, and the simulation."""
    plan, binary = variant.plan, simulation.build(variant.design)
    if variant.block is not None:
        drawn = variant.block.frames(FRAMES, seed)
        feed, target, errors = variant.block.send(drawn)
        return len(drawn), simulation.run(binary, feed, target, frame_errors=errors)
    if isinstance(plan, GraphPlan):
        sent = frames_of(plan.graph, None, None, seed, least=max(FRAMES, plan.settled))
        return len(sent), simulation.run(binary, sent, golden_graph.run(plan.network, sent))
    assert isinstance(plan, EnginePlan)
    sent = with_random(plan.layer, None, FRAMES, seed)
    return len(sent), simulation.run(binary, sent, golden.run(plan.layer, sent))
