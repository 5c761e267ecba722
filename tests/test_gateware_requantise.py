"""Requantisers in generated Verilog under Icarus: every result, and the cycle it comes at."""

import random
import shutil
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import verilog
from requantise_cases import (
    array_function,
    float_channel,
    interesting,
    random_channels,
    single_channel,
    tflite_channel,
    tflite_value,
)
from requantiser_bench import MARGIN, in_digits, outputs_by_cycle

from hwconv.gateware.requantise import Requantiser
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.exact_requantisers import plan_exact
from hwconv.plan.requantise import plan_channels, plan_requantisers, prove
from hwconv.plan.requantiser_model import turning_points
from hwconv.resources import resource_path
from hwconv.spec import ConvSpec

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")


def generate(plan):
    component = Requantiser(plan)
    return verilog.convert(component, name="requantiser", emit_src=False, strip_internal_attrs=True)


def run(plan, stimulus):
    """Outputs by cycle, as text, for (entry, accumulator) by cycle."""
    multiplier = resource_path("rtl/generic/hwconv_mult.v").read_text()
    sources = {"requantiser.v": generate(plan), "hwconv_mult.v": multiplier}
    return outputs_by_cycle(plan, sources, "requantiser", stimulus)


def check(plan, stimulus, expected):
    """All results are right, `plan.latency` cycles later and (unless they are all the same) at no other distance."""
    lines = run(plan, stimulus)
    wanted = in_digits(plan, expected)
    got = lines[plan.latency : plan.latency + len(wanted)]
    wrong = [index for index, pair in enumerate(zip(got, wanted, strict=True)) if pair[0] != pair[1]]
    assert not wrong, (len(wrong), stimulus[wrong[0]], got[wrong[0]], wanted[wrong[0]])
    if len(set(wanted)) == 1:
        return  # a constant tells no latency
    fits = [distance for distance in range(MARGIN) if lines[distance : distance + len(wanted)] == wanted]
    assert fits == [plan.latency]


def check_channels(plan, channels, count=60, seed=1):
    pairs = [(index, value) for index, channel in enumerate(channels) for value in interesting(channel, count, seed)]
    random.Random(seed).shuffle(pairs)
    expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
    check(plan, [(plan.entries[index], value) for index, value in pairs], expected)


@pytest.mark.parametrize("style", ["block", "logic"])
@pytest.mark.parametrize(
    ("width", "zero_point", "count"),
    [(12, -128, 3), (16, 0, 4), (18, -128, 5), (20, 11, 5), (22, -5, 6), (22, -128, 6), (24, 3, 3), (23, 100, 4)],
)
def test_a_narrow_unit_computes_its_definition(width, zero_point, count, style):
    channels = random_channels(count, width, seed=width * 1000 + zero_point, zero_point=zero_point)
    plan = plan_channels(channels, width, style)
    assert plan.kind == "narrow"
    assert plan.signed_select or zero_point == -128
    check_channels(plan, channels)


@pytest.mark.parametrize("style", ["block", "logic"])
def test_a_threshold_that_all_channels_share_is_no_field_and_counts_in_full(style):
    found = set()
    for seed in range(60):
        channels = random_channels(1 + seed % 2, 17, seed=seed, zero_point=(0, -40, 90)[seed % 3])
        plan = plan_channels(channels, 17, style)
        shared = plan.signed_select and "threshold" not in dict(plan.fields)
        size = abs(plan.threshold).bit_length()
        if shared and plan.threshold != -1 and (size, plan.threshold < 0) not in found:
            found.add((size, plan.threshold < 0))
            pairs = []
            for index, channel in enumerate(channels):
                turns = [turn + near for turn in turning_points(plan, plan.entries[index]) for near in range(-2, 3)]
                values = [*turns, *interesting(channel, 300, 2)]
                pairs += [(index, value) for value in values if channel.low <= value <= channel.high]
            expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
            check(plan, [(plan.entries[index], value) for index, value in pairs], expected)
    assert {negative for _, negative in found} == {False, True}
    assert max(size for size, _ in found) > 2


@pytest.mark.parametrize("style", ["block", "logic"])
def test_a_small_range_is_right_everywhere(style):
    channels = [
        tflite_channel(-600, 700, 13, 0.31, zero_point=4),
        tflite_channel(-900, 1000, -100, 0.25, zero_point=4),
        tflite_channel(-1024, 1023, 0, 0.5, zero_point=4),  # every second accumulator is a tie
        tflite_channel(-10, 10, 1023, 0.1, zero_point=4),
    ]
    plan = plan_channels(channels, 11, style)
    pairs = [(index, value) for index, c in enumerate(channels) for value in range(c.low, c.high + 1)]
    random.Random(5).shuffle(pairs)
    expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
    check(plan, [(plan.entries[index], value) for index, value in pairs], expected)


def test_a_window_takes_the_place_of_hard_multipliers():
    channels = [tflite_channel(-2_000_000, 1_900_000, 40_000 * index, 2**-9.8, -128) for index in range(4)]
    plan = plan_channels(channels, 22)
    assert plan.window_width == 18
    assert plan.multipliers <= 2
    check_channels(plan, channels, count=200)


def test_a_window_serves_two_offsets():
    channels = [tflite_channel(-300_000, 310_000, 3_000 * index, 2**-7.3, 5) for index in range(4)]
    plan = plan_channels(channels, 20)
    assert plan.window_width
    assert plan.signed_select
    check_channels(plan, channels, count=200)


def test_four_hard_multipliers_make_one_product():
    channels = [tflite_channel(-4_000_000, 4_100_000, 1234 * index, 2**-14.3 * (1 + index), 5) for index in range(3)]
    plan = plan_channels(channels, 23)
    assert plan.multipliers == 4
    check_channels(plan, channels, count=200)


@pytest.mark.parametrize("style", ["block", "logic"])
def test_long_multipliers_and_wide_sums_are_cut_in_chains(style):
    channels = [tflite_channel(-8_000_000, 8_000_000, 99 * index, 2 ** (2.6 * index - 15.7), 3) for index in range(2)]
    plan = plan_channels(channels, 24, style)
    assert plan.kind == "narrow"
    assert plan.multiplier_width > 28
    assert len(plan.sum_segments) >= 3  # two chains at least
    check_channels(plan, channels, count=200)


def test_digits_lengthen_a_hard_multiplier():
    found = set()
    for seed in range(40):
        channels = random_channels(3, 15, seed=seed, zero_point=(-128, 7)[seed % 2])
        plan = plan_channels(channels, 15)
        if plan.digits and (plan.digits, plan.signed_select) not in found:
            found.add((plan.digits, plan.signed_select))
            check_channels(plan, channels)
    assert {digits for digits, _ in found} == {1, 2}


def test_layers_with_different_clamps_share_a_unit():
    channels = [
        *random_channels(2, 18, seed=3, zero_point=4),
        tflite_channel(-90_000, 80_000, 500, 2**-8.6, -20, -20, 101),
        tflite_channel(-90_000, 80_000, -500, 2**-8.2, -128, -128, 0),
    ]
    for style in ("block", "logic"):
        plan = plan_channels(channels, 18, style)
        assert plan.entry_clamp
        check_channels(plan, channels)


@pytest.mark.parametrize(("out_min", "out_max"), [(-20, 101), (0, 63), (-1, 0), (5, 5), (-128, -128), (-64, 127)])
def test_any_clamp_is_kept(out_min, out_max):
    channels = [tflite_channel(-90_000, 80_000, 500 * index, 2**-8.6, -20, out_min, out_max) for index in range(2)]
    check_channels(plan_channels(channels, 18), channels)


def test_unsigned_outputs_leave_as_their_bits():
    channels = [tflite_channel(-90_000, 80_000, 500 * index, 2**-8.6, 120, 0, 255) for index in range(2)]
    check_channels(plan_channels(channels, 18), channels)


@pytest.mark.parametrize("exponents", [(-9, 0), (-3, -16), (-31, 3), (4, 6), (-9, -9)])
def test_the_wide_unit_computes_tensorflow_lites_scheme(exponents):
    # no straight line: two channels whose scales are so far apart that a common shift leaves too few bits
    channels = []
    for index, exponent in enumerate(exponents):
        scale = 2.0**exponent * 0.7071
        reach = min(int(200 / scale), (1 << 30) >> max(exponent, 0))
        channels.append(tflite_channel(-reach, reach, 77 * index, scale, 9 - 20 * index))
    width = max(channel.high.bit_length() for channel in channels) + 1
    plan = exact_plan(channels, width)
    check_channels(plan, channels, count=300)


def test_the_wide_unit_rounds_ties_away_from_zero():
    channels = [tflite_channel(-40_000, 40_000, 0, 2.0**-exponent, 3) for exponent in (1, 2, 7, 9)]
    plan = exact_plan(channels, 17)
    pairs = []
    for index, exponent in enumerate((1, 2, 7, 9)):
        half = 1 << exponent - 1
        pairs += [(index, step * half + near) for step in range(-60, 60) for near in (-1, 0, 1)]
    expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
    check(plan, [(plan.entries[index], value) for index, value in pairs], expected)


def exact_plan(channels, width, output_width=8):
    """The exact unit for channels that a narrow one may well serve."""
    plan = plan_exact(channels, width, output_width)
    return replace(plan, proof=prove(plan, channels, None))


@pytest.mark.parametrize("bias", [(0, 0, 0), (1 << 30, -(1 << 30), 12345)])
def test_without_requantisation_the_biased_sum_leaves(bias):
    spec = ConvSpec(
        height=1, width=1, in_channels=40, out_channels=3, kernel=(1, 1), input_zero_point=-7,
        requantisation="none", output_dtype="int32",
    )  # fmt: skip
    weights = np.random.default_rng(4).integers(-128, 128, spec.weight_shape).astype(np.int8)
    layer = Layer(spec, LayerParameters(weights=weights, bias=np.array(bias)))
    plan = plan_requantisers(layer)
    assert plan.output_width == 32
    lows, highs = layer.raw_accumulator_range()
    generator = random.Random(8)
    stimulus, expected = [], []
    for channel in range(3):
        beta = bias[channel] + 7 * int(weights[channel].sum(dtype=int))
        values = [int(lows[channel]), int(highs[channel]), 0]
        for value in values + [generator.randint(int(lows[channel]), int(highs[channel])) for _ in range(100)]:
            stimulus.append((plan.entries[channel], value))
            expected.append(value + beta)
    check(plan, stimulus, expected)


@pytest.mark.parametrize(
    ("width", "multipliers", "rights", "zero_point"),
    [
        (33, (16384, 32767, 20_000), (20, 19, 24), 0),
        (48, (32767, 16384), (46, 31), 0),
        (17, (16385, 1), (8, 8), 300),
        (40, (25_000, 0), (30, 8), -65_536),
    ],
)
def test_the_unit_of_one_rounding_gives_16_bits(width, multipliers, rights, zero_point):
    reach = (1 << width - 1) - 1
    channels = [
        single_channel(-reach, reach - 3, 991 * index - 5, multiplier, right, zero_point)
        for index, (multiplier, right) in enumerate(zip(multipliers, rights, strict=True))
    ]
    plan = exact_plan(channels, width, 16)
    assert plan.kind == "single"
    check_channels(plan, channels, count=200)


def test_the_unit_of_one_rounding_rounds_ties_upwards():
    channels = [single_channel(-70_000, 70_000, 0, 2, right, 0) for right in (1, 2, 9)]
    plan = exact_plan(channels, 18, 16)
    pairs = [(index, step * near) for index, near in enumerate((1, 1, 128)) for step in range(-80, 80)]
    expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
    assert int(channels[2].definition(np.array([-128]))[0]) == 0  # -1/2
    check(plan, [(plan.entries[index], value) for index, value in pairs], expected)


def test_the_wide_unit_saturates_longer_sums_and_gives_16_bits():
    channels = [
        tflite_channel(-(1 << 39), 1 << 39, 77 * index, scale, 0, -(1 << 15), (1 << 15) - 1)
        for index, scale in enumerate((2.0**-16.4, 2.0**-17, 2.0**-15.2))
    ]

    def definition(channel):
        multiplier, shift, _ = channel.exact

        def value(raw):
            sum_ = min(max(raw - channel.zero, -(1 << 31)), (1 << 31) - 1)
            return min(max(tflite_value(sum_, multiplier, shift), -(1 << 15)), (1 << 15) - 1)

        return array_function(value)

    channels = [replace(channel, definition=definition(channel)) for channel in channels]
    plan = exact_plan(channels, 41, 16)
    assert plan.biased_width > 32
    assert plan.latency > exact_plan([replace(channels[0], low=-5, high=5)], 41, 16).latency
    # the second channel's ends are not clamped: 2**31 * 2**-17
    assert channels[1].definition(np.array([-(1 << 39), 1 << 39])).tolist() == [-(1 << 14), 1 << 14]
    check_channels(plan, channels, count=300)


@pytest.mark.parametrize(
    ("width", "scales", "zero_point", "ends"),
    [
        (12, (0.5, 0.25, 0.03125, 0.375), 3, (-128, 127)),  # ties everywhere
        (20, (2.0**-12, 3e-4, 1 / 1536, 0.0), -7, (0, 255)),
        (32, (2.0**-24, 2.0**-23 * 1.3, 3.1e-8, 2.0**-31), 128, (0, 255)),  # sums beyond a float32's mantissa
        (27, (1.0, 1500.0, 1e30, 0.75), -128, (-128, 127)),
        (9, (2.0**-32, 1e-30, 0.007, 0.1), 383, (0, 255)),
    ],
)
def test_the_unit_of_float32_rounds_as_float32_does(width, scales, zero_point, ends):
    reach = (1 << width - 1) - 1
    beta = 0 if width == 32 else 1
    channels = [float_channel(-reach - 1, reach - beta, beta, scale, zero_point, *ends) for scale in scales]
    plan = exact_plan(channels, width)
    assert plan.kind == "float"
    assert plan.rounds_accumulator == (width > 25)
    pairs = [(index, value) for index, channel in enumerate(channels) for value in interesting(channel, 150, 3)]
    for index, scale in enumerate(scales):
        near = (
            [round((level + 0.5) / scale) + offset for level in range(-130, 260, 7) for offset in (-1, 0, 1)]
            if scale
            else []
        )
        pairs += [(index, value) for value in near if channels[index].low <= value <= channels[index].high]
        powers = [
            sign * ((1 << bit) + offset) for bit in range(23, width - 1) for sign in (-1, 1) for offset in range(-3, 4)
        ]
        pairs += [(index, value) for value in powers if channels[index].low <= value <= channels[index].high]
    expected = [int(channels[index].definition(np.array([value]))[0]) for index, value in pairs]
    check(plan, [(plan.entries[index], value) for index, value in pairs], expected)
