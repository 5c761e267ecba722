"""Blocks in a row, an engine before and behind dropout, statistics at the end: one top level, equal to numpy."""

import functools

import numpy as np
import pytest
from random_engines import random_layer

from hwconv import golden
from hwconv.api import design_of
from hwconv.dropout import DropoutSpec, FrameParameters, inverted, pass_seed
from hwconv.errors import SpecError
from hwconv.golden import dropout as golden_dropout
from hwconv.golden import mc_statistics as golden_statistics
from hwconv.mc_statistics import StatisticsSpec
from hwconv.plan.chain import ChainPlan, plan_chain, plan_monte_carlo
from hwconv.plan.dropout import plan_dropout
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.mc_statistics import plan_statistics
from hwconv.simulation import (
    EarlyLast,
    LateLast,
    MissingLast,
    Stalls,
    build,
    expected,
    explain,
    run,
    stimulus,
    with_user,
)
from hwconv.spec import ConvSpec

PASSES = 4
SHAPE = dict(height=4, width=5, channels=4)
PAUSES = (None, Stalls(input=90, output=110, burst=4, seed=7))


def engine(name: str, seed: int, **fields: object) -> EnginePlan:
    spec = ConvSpec(**{"name": name, "height": 4, "width": 5, "in_channels": 4, "out_channels": 4, **fields})
    layer = random_layer(np.random.default_rng(seed), spec)
    return make_plan(layer, multipliers=8, input_beat_bytes=4, output_beat_bytes=4)


@functools.cache
def network() -> ChainPlan:
    """Two dropout blocks with a convolution behind each, and the statistics of what leaves."""
    return plan_chain(
        "network",
        (
            engine("first", 1, kernel=(3, 3), padding="same", input_zero_point=-5, output_zero_point=3),
            plan_dropout(DropoutSpec(name="early", **SHAPE, zero_point=3), 4),
            engine("second", 2, kernel=(2, 3), padding=(0, 1, 1, 1), input_zero_point=3, output_zero_point=-9),
            plan_dropout(DropoutSpec(name="late", **SHAPE, zero_point=-9, stream=1), 4),
            engine("third", 3, kernel=(1, 1), input_zero_point=-9, output_zero_point=0),
            plan_statistics(StatisticsSpec(name="spread", **SHAPE, passes=PASSES), 4),
        ),
    )


@functools.cache
def network_design():
    return design_of(network())


def outputs(frames: np.ndarray, parameters: list[FrameParameters]) -> np.ndarray:
    values = frames
    for block in network().blocks:
        if isinstance(block, EnginePlan):
            values = golden.run(block.layer, values)
        elif isinstance(block.spec, DropoutSpec):
            values = golden_dropout.run(block.spec, values, parameters)
        else:
            values = golden_statistics.run(block.spec, values)
    return values


def send(frames: np.ndarray, faults=None, before=(), stalls=None):
    """Sends frames; each carries the parameters of its pass, which all dropout blocks use."""
    feed = stimulus(frames, 4, faults=faults, zero_point=-5)
    seen = np.asarray(feed.seen, np.int8)
    parameters = [
        inverted((0.2, 0.5)[index // PASSES % 2], seed=pass_seed(1000 + index // PASSES, index % PASSES))
        for index in range(len(seen))
    ]
    marked = [index in before for index in range(len(seen))]
    feed = with_user(feed, 72, [each.to_user() for each in parameters], damaged=marked)
    bad = (np.array(feed.damaged) | np.array(marked)).reshape(-1, PASSES).any(axis=1)
    target = expected(outputs(seen, parameters), 8, damaged=bad.tolist())
    binary = build(network_design(), "icarus")
    result = run(binary, feed, target, stalls=stalls, frame_errors=sum(feed.damaged))
    assert result.passed, explain(result)
    return result


def passes_of(results: int, more: int = 0) -> np.ndarray:
    random = np.random.default_rng(results)
    frames = random.integers(-128, 128, (results, 4, 5, 4)).astype(np.int8).repeat(PASSES, axis=0)
    return np.concatenate([frames, random.integers(-128, 128, (more, 4, 5, 4)).astype(np.int8)])


@pytest.mark.parametrize("stalls", PAUSES, ids=["free", "stalled"])
def test_engines_dropout_and_statistics_in_a_row_equal_numpy(stalls):
    result = send(passes_of(3), stalls=stalls)
    assert result.outputs == 3 * 4 * 5 * 4 * 2


@pytest.mark.parametrize("stalls", PAUSES, ids=["free", "stalled"])
def test_damage_goes_with_its_frame_through_every_block(stalls):
    faults = {1: EarlyLast(beat=7), 6: LateLast(extra=3), 9: MissingLast()}
    result = send(passes_of(4, more=1), faults, before=(13,), stalls=stalls)
    assert result.frame_errors == 3


def test_the_cycles_of_dropout_and_statistics_are_a_formula_and_those_of_engines_are_not():
    shape = dict(height=1, width=2, channels=3)
    plan = plan_monte_carlo(DropoutSpec(**shape), StatisticsSpec(**shape, passes=2))
    pipeline, statistics = plan.blocks[0].cycles, plan.blocks[1].cycles
    assert plan.cycles.latency == pipeline.latency - pipeline.interval + 1 + statistics.latency
    assert plan.cycles.interval == statistics.interval
    with pytest.raises(ValueError, match="6 blocks"):
        network().cycles  # noqa: B018 - asking is the test
    assert "latency" not in network().summary()


def dropout(name: str, stream: int = 0, beat: int = 4, **shape: int):
    return plan_dropout(DropoutSpec(name=name, **{**SHAPE, **shape}, stream=stream), beat)


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ((dropout("a"),), "at least 2"),
        ((dropout("a"), dropout("b", 1, beat=8)), "beats of 8"),
        ((dropout("a"), dropout("b", 1, height=5)), "frames of 100 bytes"),
        ((dropout("a"), dropout("a", 1)), "names"),
        ((dropout("a"), dropout("b")), "streams"),
        ((plan_statistics(StatisticsSpec(**SHAPE), 4), dropout("a")), "last"),
    ],
)
def test_blocks_that_do_not_fit_are_refused_by_name(blocks, problem):
    with pytest.raises(SpecError, match=problem):
        plan_chain("row", blocks)
