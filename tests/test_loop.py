"""Programs on two engines that compute layers in turns, against the layers' golden models."""

import functools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from engines import engine_design, random_frames
from every_kind import outputs_of
from graph_checks import check_free, check_pauses, check_resets, check_trials, patience
from loop_cases import CASES, layers_of, lively_network, loop_of, plan_of_case, random_loop, separable
from random_engines import hostile_values

from hwconv.api import design_of
from hwconv.golden import graph as golden_graph
from hwconv.graphs import compare_graph
from hwconv.plan.graph_engines import streams_of
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.plan.graph_schedule import Deadlock, Edge
from hwconv.plan.loop import LoopPlan
from hwconv.plan.program import make_program
from hwconv.plan.queue_depths import QueueDepths
from hwconv.plan.shared_array import SharedArray
from hwconv.simulation import Stalls, build, explain, run
from hwconv.spec import ConvSpec

every_case = pytest.mark.parametrize("name", CASES)
QUICK = (
    "one_pixel_of_channels_that_the_requantisers_do_not_divide",
    "one_pixel_all_along",
    "one_result_of_four_requantisers",
    "means_of_rows_and_averages_of_pairs",
    "uint8",
    "tensors_in_another_shape",
)
"""Cases that take few cycles."""
ONE_BEAT = "a_beat_is_more_than_the_frame"
"""Frames of one beat cannot be cut."""
plan_of = functools.cache(plan_of_case)


def quick_cases(*but: str) -> pytest.MarkDecorator:
    """The others are slow."""
    names = [name for name in CASES if name not in but]
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]
    )


# Values and cycles.


@every_case
def test_every_tensor_of_a_loop_is_exact_and_as_early_as_predicted(name):
    plan = plan_of(name)
    result = compare_graph(plan, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)
    # Every tensor but those that are another shape of one.
    seen = {each.name for each in result.tensors if each.values and not each.mismatches}
    assert seen == {tensor for tensor in plan.graph.tensors if plan.graph.origin(tensor) == tensor}


@quick_cases()
def test_pauses_of_source_and_sink_change_nothing(name):
    check_pauses(plan_of(name), design_of(plan_of(name)))


@quick_cases(ONE_BEAT)
def test_pauses_damaged_frames_and_resets_leave_whole_frames_right(name):
    check_trials(plan_of(name), design_of(plan_of(name)), "verilator")


@quick_cases()
def test_a_loop_starts_with_its_first_layer_after_a_reset_in_any_cycle(name, seed):
    check_resets(plan_of(name), design_of(plan_of(name)), seed, "verilator")


def test_the_cases_reach_the_corners_that_they_aim_at():
    loops = {name: loop_of(plan_of(name)) for name in CASES}
    assert {len(loop.layers) // 2 for loop in loops.values()} == {2, 3}  # buffers of even and of odd counts
    for engine in ("entry", "exit"):
        configs = [getattr(loop.config, engine) for loop in loops.values()]
        assert {1, 2, 4} <= {config.requantisers for config in configs}
        assert len({config.input_beat_bytes for config in configs}) >= 3
        assert max(config.pixels for config in configs) > 4
    assert {loop.config.exit.idle_results for loop in loops.values()} == {0, 1, 3}
    assert {loop.config.entry.idle_results for loop in loops.values()} == {0}
    for name, wins in (("slower", True), ("faster", False)):
        loop = loops[f"a_frame_comes_in_{name}_than_its_layer_is_computed"]
        config = loop.config.entry
        first = config.passes[0]
        came = first.height * first.row_words * config.word_bytes // min(config.input_beat_bytes, config.word_bytes)
        tiles = -(-first.out_pixels // config.pixels)
        assert (came > tiles * first.tile_cycles) == wins
    for name in ("a_slow_layer_behind", "a_slow_layer_in_front", "a_slow_layer_beside"):
        assert plan_of(name).cycles.interval > loops[name].cycles.interval


@pytest.mark.parametrize("missing", [1, 7, 11])
def test_a_queue_beside_a_loop_that_is_too_short_stalls_it_as_long_as_predicted(missing):
    """What the loop reads stands beside it until its result comes: both engines wait for what cannot be sent."""
    plan = plan_of("what_it_reads_beside")
    edge = ("both", 1)
    shorter = with_depths(plan, {**plan.depths, edge: plan.depths[edge] - missing})
    assert shorter.cycles.interval > plan.cycles.interval
    check_free(shorter, design_of(shorter))
    with pytest.raises(Deadlock):
        with_depths(plan, {**plan.depths, edge: plan.depths[edge] - 12})


def with_depths(plan: GraphPlan, depths: Mapping[Edge, int]) -> GraphPlan:
    """The same graph with other queues, and what the analysis says of it."""
    schedule = streams_of(plan.graph, plan.engines, plan.beats, plan.programs).schedule(depths, plan.settled)
    return replace(plan, queues=QueueDepths(depths=dict(depths), schedule=schedule))


def test_two_loops_stand_in_a_row():
    graph = separable(4, last=False)
    rows = [tuple(node.name for node in graph.nodes)[first : first + 4] for first in (1, 5)]
    plan = plan_graph(lively_network(graph, np.random.default_rng(5)), programs=rows)
    assert [type(plan.engines[row[-1]]) for row in rows] == [LoopPlan, LoopPlan]
    result = compare_graph(plan, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)


def test_multipliers_of_look_up_tables_go_to_the_dense_array_first():
    plan = plan_of("uint8")
    loop = loop_of(plan)
    lanes, dense = (part.multipliers for part in loop.parts)
    made = loop.made_of(dense + 3, 0)
    assert [part.lut_multipliers for part in made.parts] == [3, dense]
    assert loop.made_of(dense - 1, 0).parts[0].lut_multipliers == 0
    assert loop.multipliers == lanes + dense == made.multipliers
    changed = replace(plan, engines={**plan.engines, plan.programs[0][-1]: made})
    check_free(changed, design_of(changed))


def check_random_loop(seed: int, number: int) -> None:
    random = np.random.default_rng([seed, 99, number])
    plan = random_loop(random)
    loop = loop_of(plan)
    print(loop.config.name, [(part.folding.pixels, part.folding.columns) for part in loop.parts], plan.graph.to_json())
    design = design_of(plan)
    check_free(plan, design)
    frames = np.stack([hostile_values(random, plan.graph.input_shape, plan.graph.dtype) for _ in range(4)])
    right = golden_graph.run(plan.network, frames)
    stalls = Stalls(input=int(random.integers(200)), output=int(random.integers(200)), burst=int(random.integers(6)))
    result = run(build(design, "icarus"), frames, right, stalls=stalls, watchdog=patience(plan))
    assert result.passed, explain(result)


@pytest.mark.parametrize("number", range(30))
def test_a_random_loop_computes_its_layers_in_sequence(seed, number):
    check_random_loop(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(30, 130))
def test_many_random_loops_compute_their_layers_in_sequence(seed, number):
    check_random_loop(seed, number)


# A last word that is not full.


@pytest.mark.parametrize(
    ("outputs", "requantisers", "beat"), [(5, 4, 4), (3, 4, 8), (6, 4, 4), (1, 2, 2), (7, 2, 6), (9, 8, 16), (8, 4, 8)]
)
def test_idle_results_of_a_last_pixel_are_no_bytes_of_its_frame(outputs, requantisers, beat):
    """A program's engine by itself: the bench compares TKEEP."""
    shared = dict(in_channels=8, out_channels=8, input_zero_point=-9, output_zero_point=5)
    specs = [
        ConvSpec(name="wide", height=3, width=2, kernel=(2, 2), **shared),
        ConvSpec(
            name="full", height=1, width=1, kernel=(1, 1), **{**shared, "in_channels": 16, "out_channels": outputs}
        ),
    ]
    array = SharedArray(pixels=1, columns=8, ports=1, word_channels=8, requantisers=requantisers)
    plan = make_program(layers_of(specs), array=array, beat_bytes=beat)
    assert plan.config.idle_results == -outputs % requantisers
    frames = random_frames(plan.spec, 5, np.random.default_rng(1))
    for stalls in (None, Stalls(input=100, output=120, burst=4, seed=3)):
        result = run(build(engine_design(plan), "icarus"), frames, outputs_of(plan, frames), stalls=stalls)
        assert result.passed, explain(result)
        if stalls is None:
            assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)
