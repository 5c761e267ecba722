"""Random transposed layers on random foldings: exact, as fast as predicted, under pauses, no multiplication wasted.

The default run takes a portion; ``-m slow`` takes all of the others. Every attribute is drawn: kernels shorter than the
stride (phases without taps), dilations that share factors with it, crops, output padding, groups, multipliers.
"""

import numpy as np
import pytest
from aimed_specs import arithmetic, some_clamp
from engines import check_exact, describe, engine_design
from random_engines import RandomEngine, hostile_frames, random_layer, random_plan
from test_engine_plan import active_steps

from hwconv import golden
from hwconv.errors import HwconvError
from hwconv.simulation import Stalls, build, explain, run
from hwconv.spec import ConvSpec

DEFAULT_PAIRS = 16
ALL_PAIRS = 240
KINDS = ("dense", "dense", "grouped", "depthwise", "depthwise_multiplier", "line")
CHANNELS = (1, 2, 3, 4, 5, 7, 8, 13, 16)


def random_transposed_spec(random: np.random.Generator, kind: str) -> ConvSpec:
    """Raises SpecError where the numbers do not go together."""

    def pair(low: int, high: int) -> list[int]:
        return [int(value) for value in random.integers(low, high + 1, 2)]

    kernel, stride, dilation, frame = pair(1, 5), pair(1, 4), pair(1, 4), pair(1, 6)
    pads = [int(value) if random.random() < 0.6 else 0 for value in random.integers(0, 5, 4)]
    added = [int(value) if random.random() < 0.4 else 0 for value in random.integers(0, 4, 2)]
    groups = int(random.choice([2, 3])) if kind == "grouped" else 1
    inputs, outputs = (groups * int(random.choice(CHANNELS)) for _ in range(2))
    if kind.startswith("depthwise"):
        groups = inputs = int(random.choice([2, 3, 6, 8]))
        outputs = inputs * (int(random.integers(2, 4)) if kind == "depthwise_multiplier" else 1)
    if kind == "line":
        frame[0] = kernel[0] = stride[0] = dilation[0] = 1
        pads[:2], added[0] = [0, 0], 0
    mode = str(random.choice(["tflite", "shift", "none"]))
    return ConvSpec(
        name=f"transposed_{kind}", height=frame[0], width=frame[1], in_channels=inputs, out_channels=outputs,
        kernel=kernel, stride=stride, dilation=dilation, padding=pads, transposed=True, output_padding=added,
        groups=groups, **arithmetic(random, mode, some_clamp(random, mode)),
    )  # fmt: skip


def random_transposed(seed: int, number: int) -> tuple[RandomEngine, Stalls]:
    random = np.random.default_rng([seed, number, 0x7C])
    while True:
        try:
            layer = random_layer(random, random_transposed_spec(random, str(random.choice(KINDS))))
        except HwconvError:
            continue
        plan = random_plan(random, layer)
        if plan is not None:
            break
    stalls = Stalls(
        input=int(random.integers(0, 200)), output=int(random.integers(1, 200)), burst=int(random.integers(0, 6)),
        seed=number + 1,
    )  # fmt: skip
    frames = hostile_frames(random, layer.spec, int(random.integers(3, 5)))
    return RandomEngine(plan=plan, frames=frames), stalls


def check_pair(seed: int, number: int) -> None:
    engine, stalls = random_transposed(seed, number)
    plan, design = engine.plan, engine_design(engine.plan)
    print(f"case {number}: {describe(plan)}")
    outputs = golden.run(engine.layer, engine.frames)
    check_exact(plan, engine.frames, outputs)
    result = run(build(design, "icarus"), engine.frames, outputs, stalls=stalls)
    assert result.passed, f"{stalls}: {explain(result)}"


@pytest.mark.sampled
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS))
def test_a_random_transposed_engine_is_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS, ALL_PAIRS))
def test_many_random_transposed_engines_are_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


def test_random_transposed_engines_cover_the_attribute_space(seed):
    plans = [random_transposed(seed, number)[0].plan for number in range(ALL_PAIRS)]
    phases = [[phase for row in plan.config.passes[0].phases for phase in row] for plan in plans]
    assert any(not phase.live for folds in phases for phase in folds)
    assert any(len({phase.idle_steps for phase in folds}) > 1 for folds in phases)
    for axis in (0, 1):
        assert {plan.spec.stride[axis] for plan in plans} == {1, 2, 3, 4}
        assert {plan.spec.dilation[axis] for plan in plans} == {1, 2, 3, 4}
        assert {plan.spec.kernel[axis] for plan in plans} == {1, 2, 3, 4, 5}
        assert {plan.spec.output_padding[axis] for plan in plans} >= {0, 1, 2, 3}
    for side in range(4):
        assert {plan.spec.padding[side] for plan in plans} >= {0, 1, 2, 3, 4}
    assert any(plan.spec.out_width % plan.spec.stride[1] for plan in plans)
    assert any(plan.config.passes[0].strip_tiles(plan.config.pixels) > 1 for plan in plans)
    assert {plan.config.depthwise for plan in plans} == {False, True}
    assert {plan.config.requantiser.kind for plan in plans} >= {"narrow", "none"}
    assert any(plan.config.lanes > 1 for plan in plans)
    assert any(plan.config.requantisers > 1 for plan in plans)
    assert any(plan.config.passes[0].top < 0 for plan in plans), "no crop skips whole input rows"


@pytest.mark.parametrize("number", range(8))
def test_a_transposed_engine_multiplies_exactly_as_often_as_its_layer_needs(seed, number):
    """Steps in which the array multiplies, counted at the sequencer; rows and columns that idle are known."""
    plan = random_transposed(seed, number)[0].plan
    item, config = plan.config.passes[0], plan.config
    spec = plan.spec
    issued = active_steps(plan) * plan.multipliers
    columns = item.groups * item.tiles * config.columns
    if spec.stride == (1, 1):  # as any other convolution: tiles go across row ends
        assert issued == item.strip_tiles(config.pixels) * config.pixels * spec.taps * columns * spec.group_in_channels
        return
    taps = [
        sum(len(spec.phase_taps(axis)[place % spec.stride[axis]]) for place in range(size))
        for axis, size in enumerate((spec.out_height, spec.out_width))
    ]
    rows = item.strip_tiles(config.pixels) * config.pixels * spec.stride[1]
    walked = sum(len(spec.phase_taps(1)[place % spec.stride[1]]) for place in range(rows))
    assert spec.macs == taps[0] * taps[1] * spec.out_channels * spec.group_in_channels
    assert issued == taps[0] * walked * columns * spec.group_in_channels
