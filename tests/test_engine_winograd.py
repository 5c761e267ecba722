"""Winograd engines: exact for hostile and random layers, as fast as predicted, under pauses, faults and resets.

A random case is a function of ``HWCONV_SEED`` and its number. ``pytest -m slow tests/test_engine_winograd.py`` runs
many more, and Verilator.
"""

import numpy as np
import pytest
from engine_checks import (
    PAUSES,
    STALLED,
    bench_of,
    check_double_faults,
    check_extreme_tiles,
    check_faults,
    check_free,
    check_long_pauses,
    check_random_faults,
    check_resets,
)
from engines import check_exact, describe, engine_design
from every_kind import engine_of
from winograd_engines import winograd_case

from hwconv import golden
from hwconv.golden.requantise import requantise_channel
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.requantiser_model import evaluate
from hwconv.plan.winograd import make_winograd_plan
from hwconv.simulation import Stalls, build, explain, run
from hwconv.spec import ConvSpec

DEFAULT_CASES = 12
ALL_CASES = 160
KINDS = ("winograd", "winograd_line")
SHAPES = {
    "winograd4 3x3": ("winograd4", 36, {"kernel": (3, 3), "height": 6, "width": 9, "padding": (1, 1, 1, 1)}),
    "winograd2 3x3": ("winograd2", 32, {"kernel": (3, 3), "height": 5, "width": 4, "padding": (0, 2, 1, 3)}),
    "winograd4 1x3": ("winograd4", 36, {"kernel": (1, 3), "height": 3, "width": 11}),
    "winograd2 3x1": ("winograd2", 24, {"kernel": (3, 1), "height": 7, "width": 5, "padding": (2, 1, 0, 0)}),
    "winograd4 1x3 line": ("winograd4", 24, {"kernel": (1, 3), "height": 1, "width": 18, "padding": (0, 0, 2, 0)}),
}
WEIGHTS = {
    "smallest": lambda shape: np.full(shape, -128),
    "largest": lambda shape: np.full(shape, 127),
    "alternating": lambda shape: np.where(np.indices(shape).sum(axis=0) % 2, 127, -128),
    "random signs": lambda shape: np.random.default_rng(3).choice([-128, 127], shape),
}


def check_case(number: int, seed: int) -> None:
    case = winograd_case(seed, number)
    print(f"case {number}: {describe(case.plan)}")
    outputs = golden.run(case.layer, case.frames)
    check_exact(case.plan, case.frames, outputs)
    stalls = Stalls(input=90, output=110, burst=number % 6, seed=number + 1)
    result = run(build(engine_design(case.plan), "icarus"), case.frames, outputs, stalls=stalls)
    assert result.passed, f"{stalls}: {explain(result)}"


@pytest.mark.sampled
@pytest.mark.parametrize("number", range(DEFAULT_CASES))
def test_a_random_winograd_engine_is_exact_and_as_fast_as_predicted(seed, number):
    check_case(number, seed)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DEFAULT_CASES, ALL_CASES))
def test_many_random_winograd_engines_are_exact_and_as_fast_as_predicted(seed, number):
    check_case(number, seed)


def hostile_layer(shape: str, weights: str, zero_point: int) -> tuple[Layer, str, int]:
    algorithm, multipliers, fields = SHAPES[shape]
    spec = ConvSpec(
        name="hostile", in_channels=4, out_channels=4, input_zero_point=zero_point, requantisation="none",
        output_dtype="int32", **fields,
    )  # fmt: skip
    values = WEIGHTS[weights](spec.weight_shape).astype(np.int8)
    bias = np.array([0, 1 << 20, -(1 << 20), 5])
    return Layer(spec, LayerParameters(weights=values, bias=bias)), algorithm, multipliers


@pytest.mark.sampled
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_accumulator_is_exact_at_the_ends_of_all_ranges(shape, weights):
    """Raw accumulators: a bit that is lost anywhere shows."""
    layer, algorithm, multipliers = hostile_layer(shape, weights, -128 if weights == "largest" else 127)
    plan = make_winograd_plan(layer, algorithm=algorithm, multipliers=multipliers)
    frames = np.stack([values(layer.spec.input_shape) for values in WEIGHTS.values()]).astype(np.int8)
    check_exact(plan, frames, golden.run(layer, frames))


@pytest.mark.parametrize("kind", KINDS)
def test_an_undamaged_winograd_engine_is_exact_and_as_fast_as_predicted(kind):
    check_free(bench_of(engine_of(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_every_position_are_right_at_the_ends_of_what_they_can_be(kind):
    check_extreme_tiles(bench_of(engine_of(kind)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stalls", PAUSES, ids=["free", "stalled"])
def test_every_damaged_frame_is_told_and_the_next_is_right(kind, stalls):
    check_faults(bench_of(engine_of(kind)), stalls)


@pytest.mark.parametrize("kind", KINDS)
def test_faults_in_frame_after_frame_are_told_each(kind, seed):
    check_random_faults(bench_of(engine_of(kind)), seed)
    check_double_faults(bench_of(engine_of(kind)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_winograd_engine_starts_again_after_a_reset_in_any_cycle(kind, seed):
    check_resets(bench_of(engine_of(kind)), seed, 10)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_while_the_sink_rests_until_every_buffer_is_full(kind):
    check_long_pauses(bench_of(engine_of(kind)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_faults_and_resets_in_verilator_with_random_registers(kind, seed):
    bench = bench_of(engine_of(kind), "verilator", initial_seed=seed % 1000 + 1)
    for stalls in PAUSES:
        check_faults(bench, stalls)
    check_random_faults(bench.seeded(1), seed)
    check_resets(bench, seed, 40)


def test_the_table_written_means_the_golden_function_of_every_sum():
    plan = engine_of("winograd")
    layer, config = plan.layer, plan.config
    lines = engine_design(plan).files[f"{config.name}_table_0.mem"].split()
    lows, highs = layer.raw_accumulator_range()
    item = config.passes[0]
    for channel in range(plan.spec.out_channels):
        group, inside = divmod(channel, plan.spec.group_out_channels)
        word = group * item.tiles * config.columns + inside
        sums = np.arange(int(lows[channel]), int(highs[channel]) + 1)
        weights = layer.parameters.weights[channel].sum(dtype=np.int64)
        offset = int(layer.parameters.biases[channel]) - plan.spec.input_zero_point * int(weights)
        right = requantise_channel(plan.spec, layer.parameters, channel, sums + offset)
        assert np.array_equal(evaluate(config.requantiser, int(lines[word], 16), sums), right)


def test_pauses_do_not_change_the_outputs_of_a_larger_engine():
    """One of 72 multipliers, all positions at once, under Verilator."""
    spec = ConvSpec(
        name="larger", height=13, width=18, in_channels=8, out_channels=8, kernel=(3, 3), padding="same",
        requantisation="shift",
    )  # fmt: skip
    random = np.random.default_rng(0)
    weights = random.choice([-128, 127, 3], spec.weight_shape).astype(np.int8)
    layer = Layer(spec, LayerParameters(weights=weights, bias=0, shift=-9))
    plan = make_winograd_plan(layer, multipliers=72)
    assert plan.config.rows == 36
    frames = random.integers(-128, 128, (4, *spec.input_shape)).astype(np.int8)
    outputs = golden.run(layer, frames)
    check_exact(plan, frames, outputs, "verilator")
    result = run(build(engine_design(plan), "verilator"), frames, outputs, stalls=STALLED)
    assert result.passed, explain(result)
