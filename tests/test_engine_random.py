"""Random layers on random foldings under Icarus: exact, and as fast as predicted; then the same with random stalls.

The default run takes a portion; ``pytest -n 2 -m slow tests/test_engine_random.py`` takes all of the others. A case
is a function of ``HWCONV_SEED`` and its number, both of which a failure shows. What passes is recorded, and ``make
coverage`` shows which combinations of attributes, foldings and pauses have been run.
"""

import numpy as np
import pytest
from engines import check_exact, describe, engine_design
from functional_coverage.records import record
from random_engines import random_case, random_engine

from hwconv import golden
from hwconv.simulation import build, explain, run

DEFAULT_PAIRS = 32
ALL_PAIRS = 384


def check_pair(seed: int, number: int) -> None:
    engine, stalls = random_case(seed, number)
    plan, design = engine.plan, engine_design(engine.plan)
    print(f"case {number}: {describe(plan)}")
    outputs = golden.run(engine.layer, engine.frames)
    free = check_exact(plan, engine.frames, outputs)
    record(seed, number, plan, design, None)
    result = run(build(design, "icarus"), engine.frames, outputs, stalls=stalls)
    assert result.passed, f"{stalls}: {explain(result)}"
    record(seed, number, plan, design, stalls)
    print(f"{free.outputs} and {result.outputs} outputs exact in {free.cycles} and {result.cycles} cycles")


@pytest.mark.sampled
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS))
def test_a_random_engine_is_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS, ALL_PAIRS))
def test_many_random_engines_are_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


@pytest.mark.slow
def test_random_engines_cover_the_attribute_space(seed):
    plans = [random_engine(np.random.default_rng([seed, number])).plan for number in range(ALL_PAIRS)]
    specs = [plan.spec for plan in plans]

    def values(of) -> set:
        return {of(item) for item in specs}

    for axis in (0, 1):
        assert values(lambda item, axis=axis: item.kernel[axis]) >= set(range(1, 8))
        assert values(lambda item, axis=axis: item.stride[axis]) == {1, 2, 3, 4}
        assert values(lambda item, axis=axis: item.dilation[axis]) == {1, 2, 3, 4}
    for side in range(4):
        assert values(lambda item, side=side: item.padding[side]) == {0, 1, 2, 3, 4}
    assert any(item.padding.top >= item.receptive_rows for item in specs)
    assert any(item.padding.left >= item.kernel[1] for item in specs)
    assert any(max(item.kernel) > max(item.height, item.width) for item in specs)
    assert values(lambda item: item.requantisation) == {"tflite", "shift", "none"}
    assert {-128, 127} <= values(lambda item: item.input_zero_point)
    assert {1, 2, 3, 5} <= values(lambda item: item.groups)
    assert {2, 3, 4, 5} <= values(lambda item: item.channel_multiplier)
    assert {plan.config.depthwise for plan in plans if plan.spec.depthwise} == {False, True}
    assert {plan.config.requantiser.kind for plan in plans} == {"narrow", "wide", "none"}
    for partial in (
        [plan.spec.out_height * plan.spec.out_width % plan.config.pixels for plan in plans],
        [plan.spec.group_out_channels % plan.config.columns for plan in plans],
        [plan.config.word_bytes % plan.input_beat_bytes for plan in plans],
        [plan.spec.input_bytes % plan.input_beat_bytes for plan in plans],
        [plan.spec.output_bytes % plan.output_beat_bytes for plan in plans],
    ):
        assert any(partial)
        assert not all(partial)
    assert any(plan.input_beat_bytes > plan.spec.input_bytes for plan in plans)
    assert any(plan.config.lanes > 1 for plan in plans)
    assert any(plan.config.lanes > 1 and plan.config.ports > 1 for plan in plans)
    assert any(plan.config.requantisers > 1 for plan in plans)
    assert any(plan.folding.idle_steps > 0 for plan in plans)
