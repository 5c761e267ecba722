"""Pooling that adds, as a layer among others on one array; engines that wait for what is behind them."""

from dataclasses import replace
from fractions import Fraction

import graph_checks
import numpy as np
import pytest
from checked_graphs import convolution, network_of

from hwconv import golden, simulation
from hwconv.api import design_of
from hwconv.errors import SpecError, UnsupportedError
from hwconv.golden import graph as golden_graph
from hwconv.golden import pool as golden_pool
from hwconv.graph import Conv, Graph, Pool
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.graph_engines import streams_of
from hwconv.plan.graph_plan import plan_graph
from hwconv.plan.pool import PoolPlan, plan_pool
from hwconv.plan.pool_layer import pool_layer
from hwconv.plan.queue_depths import QueueDepths, queue_depths
from hwconv.pool import PoolSpec

LAYERS = ("channels", "points", "all", "full")


def average(height: int, width: int, **fields: object) -> PoolSpec:
    shape = {"height": height, "width": width, "channels": 1, "kernel": (height, width)}
    return PoolSpec(**{"name": "all", "kind": "average", **shape, **fields})  # type: ignore[arg-type]  # of many types


def rounded(value: Fraction) -> int:
    """To nearest, half away from zero."""
    whole = (abs(value) * 2 + 1) // 2
    return int(whole if value >= 0 else -whole)


@pytest.mark.sampled
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 9, 16, 25, 36, 49, 64, 125])
def test_a_layer_that_stands_for_an_average_gives_it_for_every_sum(count):
    """Windows of equal elements, and some with one more, reach every multiple of a part that a sum can be."""
    layer = pool_layer(average(1, count))
    frames = []
    for total in range(-128 * count, 127 * count + 1):
        each, rest = divmod(total, count)
        frames.append([each + 1] * rest + [each] * (count - rest))
    values = np.array(frames, np.int8).reshape(-1, 1, count, 1)
    right = [rounded(Fraction(int(frame.sum()), count)) for frame in values.astype(int)]
    assert np.array_equal(golden.run(layer, values).reshape(-1), right)


def test_a_layer_that_stands_for_a_mean_equals_it():
    spec = average(3, 5, kind="mean", multiplier=1_400_000_000, shift=-3, input_zero_point=-7, output_zero_point=11)
    x = np.random.default_rng(1).integers(-128, 128, (500, 3, 5, 1)).astype(np.int8)
    assert np.array_equal(golden.run(pool_layer(spec), x), golden_pool.run(spec, x))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (PoolSpec(name="most", kind="max", height=4, width=4, channels=2, kernel=(2, 2)), "most: kind = 'max'"),
        (average(3, 3, padding=(1, 0, 0, 0)), "all: padding"),
        (average(3, 3, dtype="int16"), "all: dtype = 'int16'"),
    ],
)
def test_pooling_that_is_no_convolution_is_refused_by_name(spec, words):
    with pytest.raises(UnsupportedError, match=words):
        pool_layer(spec)


def small_network() -> Graph:
    """As small networks are: depthwise and pointwise, the average of the frame, a full layer."""
    shape = (6, 5, 4)
    pooled = PoolSpec(name="all", kind="average", height=6, width=5, channels=8, kernel=(6, 5))
    return Graph(
        name="small", height=6, width=5, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=convolution("channels", shape, 4, (3, 3), groups=4, padding="same")),
            Conv(input="channels", spec=convolution("points", shape, 8)),
            Pool(input="points", spec=pooled),
            Conv(input="all", spec=convolution("full", (1, 1, 8), 5)),
        ),
    )  # fmt: skip


def test_a_whole_small_network_runs_on_one_array():
    plan = plan_graph(network_of(small_network()), programs=[LAYERS], multipliers=16)
    engine = plan.engines["full"]
    assert isinstance(engine, EnginePlan)
    assert engine.config.passes[2].weight_words == 1  # all of them are 1
    design = design_of(plan)
    graph_checks.check_free(plan, design)
    graph_checks.check_pauses(plan, design)


def test_a_pooling_engine_that_keeps_one_frame_is_as_fast_as_it_says():
    plan = plan_graph(network_of(small_network()), multipliers=12)
    pool = plan.engines["all"]
    assert isinstance(pool, PoolPlan)
    small = plan_pool(pool.spec, lanes=pool.lanes, one_frame=True, input_beat_bytes=pool.input_beat_bytes)
    assert small.one_frame
    assert small.config.ring_rows < pool.config.ring_rows
    assert small.cycles.interval > pool.cycles.interval
    small = replace(pool, config=replace(pool.config, ring_rows=small.config.ring_rows))
    engines = {**plan.engines, "all": small}
    queues = queue_depths(streams_of(plan.graph, engines, plan.beats))
    plan = replace(plan, engines=engines, queues=queues)
    graph_checks.check_free(plan, design_of(plan))
    graph_checks.check_pauses(plan, design_of(plan))
    with pytest.raises(SpecError, match="one_frame"):
        plan_pool(PoolSpec(name="part", kind="max", height=4, width=4, channels=2, kernel=(2, 2)), one_frame=True)


@pytest.mark.sampled
@pytest.mark.parametrize("depth", [0, 5, 16, 33])
@pytest.mark.parametrize("multipliers", [4, 12])
def test_an_engine_that_waits_for_a_program_does_so_as_predicted(multipliers, depth):
    """The queue between them is shorter than full speed needs."""
    shape = (12, 12, 4)
    graph = Graph(
        name="pair", height=12, width=12, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=convolution("first", shape, 4, (3, 3), padding="same")),
            Conv(input="first", spec=convolution("channels", shape, 4, (3, 3), groups=4, padding="same")),
            Conv(input="channels", spec=convolution("points", shape, 8)),
        ),
    )  # fmt: skip
    plan = plan_graph(
        network_of(graph), programs=[("channels", "points")], multipliers={"first": multipliers, "points": 8}
    )
    depths = {**plan.depths, ("points", 0): depth}
    schedule = streams_of(graph, plan.engines, plan.beats, plan.programs).schedule(depths, 5)
    assert schedule.interval > plan.cycles.interval
    plan = replace(plan, queues=QueueDepths(depths=depths, schedule=schedule))
    frames = graph_checks.random_frames(graph, 5)
    binary = simulation.build(design_of(plan), "icarus")
    result = simulation.run(binary, frames, golden_graph.run(plan.network, frames))
    assert result.passed, simulation.explain(result)
    assert (result.latency, result.interval) == (schedule.latency, schedule.interval)
