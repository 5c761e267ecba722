import math
from fractions import Fraction

import numpy as np
import pytest

from hwconv.errors import SpecError
from hwconv.golden.requantise import (
    doubling_high_multiply,
    quantise_multiplier,
    requantise,
    requantise_channel,
    rounding_right_shift,
)
from hwconv.layer import LayerParameters
from hwconv.spec import ConvSpec

WEIGHTS = np.ones((1, 1, 1, 1), np.int8)
INT32 = (-(1 << 31), (1 << 31) - 1)


def compute(mode, acc, *, multiplier=None, shift=None, scale=None, **fields):
    if mode == "tflite16":
        fields = {"input_dtype": "int16", "output_dtype": "int16", **fields}
    spec = ConvSpec(height=1, width=1, in_channels=1, out_channels=1, kernel=(1, 1), requantisation=mode, **fields)
    parameters = LayerParameters(
        weights=WEIGHTS,
        multiplier=None if multiplier is None else np.array([multiplier], np.int32),
        shift=None if shift is None else np.array([shift], np.int32),
        scale=None if scale is None else np.array([scale], np.float32),
    )
    result = requantise(spec, parameters, np.array(acc, np.int64).reshape(-1, 1))
    assert result.dtype == spec.output_dtype
    return result.ravel().tolist()


# The definitions once more, one number at a time, in Python's integers and fractions.


def truncate(fraction):
    return math.floor(fraction) if fraction >= 0 else -math.floor(-fraction)


def away_from_zero(fraction):
    return math.floor(fraction + Fraction(1, 2)) if fraction >= 0 else -math.floor(-fraction + Fraction(1, 2))


def tflite(acc, multiplier, shift):
    product = (acc << max(shift, 0)) * multiplier
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    return away_from_zero(Fraction(truncate(Fraction(product + nudge, 1 << 31)), 1 << max(-shift, 0)))


def tflite16(acc, multiplier, shift):
    reduced = (multiplier + (1 << 15)) >> 16 if multiplier < 0x7FFF0000 else 0x7FFF
    return math.floor(Fraction(acc * reduced, 1 << 15 - shift) + Fraction(1, 2))


def clamp(value, low, high):
    return min(max(value, low), high)


HOSTILE = [0, 1, -1, 2, -2, 3, -3, 127, -128, 255, -256, 2**15 - 1, -(2**15), 2**30, -(2**30), *INT32]


@pytest.mark.parametrize(
    "multiplier", [0, 1, 1 << 30, (1 << 30) + 1, 1610612737, 0x7FFEFFFF, 0x7FFF0000, (1 << 31) - 1]
)
@pytest.mark.parametrize("shift", [0, -1, -2, -7, -8, -15, -30, -31])
def test_tflite_equals_its_definition(multiplier, shift, seed):
    random = np.random.default_rng(seed)
    values = HOSTILE + random.integers(*INT32, 50).tolist() + random.integers(-(1 << 16), 1 << 16, 50).tolist()
    expected = [clamp(tflite(acc, multiplier, shift) + 3, -32768, 32767) for acc in values]
    found = compute("tflite", values, multiplier=multiplier, shift=shift, output_dtype="int16", output_zero_point=3)
    assert found == expected


@pytest.mark.parametrize("shift", [1, 2, 8, 15])
def test_tflite_shifts_left_before_it_multiplies(shift, seed):
    values = np.random.default_rng(seed).integers(-(1 << 15), 1 << 15, 100).tolist()
    expected = [clamp(tflite(acc, 1518500250, shift), -128, 127) for acc in values]
    assert compute("tflite", values, multiplier=1518500250, shift=shift) == expected


def test_tflite_rounds_twice():
    # 1.5 * 2**30 / 2**31 = 0.75 of 2: 1.5, a tie, up to 2; then 2 / 4 = 0.5, a tie, away from zero to 1.
    # One rounding would give 1.5 / 4 = 0.375, that is 0.
    assert compute("tflite", [2], multiplier=3 << 29, shift=-2) == [1]
    # -1.5 goes up to -1 in the first step (the nudge is 1 - 2**30), then -1 / 4 to 0
    assert compute("tflite", [-2], multiplier=3 << 29, shift=-2) == [0]


def test_the_rounding_shift_takes_ties_away_from_zero():
    x, two = np.array([-7, -6, -5, -2, -1, 0, 1, 2, 5, 6, 7]), np.int64(2)
    assert rounding_right_shift(x, two).tolist() == [-2, -2, -1, -1, 0, 0, 0, 1, 1, 2, 2]
    assert rounding_right_shift(x, np.int64(0)).tolist() == x.tolist()


def test_the_doubling_high_multiply_takes_ties_upwards():
    half = np.array([1 << 30])
    assert doubling_high_multiply(np.array([-3, -1, 1, 3]), half).tolist() == [-1, 0, 1, 2]


@pytest.mark.parametrize("multiplier", [0, 1 << 30, 1464733362, 0x7FFEFFFF, 0x7FFF0000, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [-31, -20, -12, -1, 0, 7])
def test_tflite16_equals_its_definition(multiplier, shift, seed):
    random = np.random.default_rng(seed)
    limit = min(47, 31 - shift)
    values = [*random.integers(-(1 << limit), 1 << limit, 100).tolist(), -(1 << limit), (1 << limit) - 1, 0, 1, -1]
    values = [acc for acc in values if INT32[0] <= tflite16(acc, multiplier, shift) <= INT32[1]]
    expected = [clamp(tflite16(acc, multiplier, shift), -32768, 32767) for acc in values]
    assert compute("tflite16", values, multiplier=multiplier, shift=shift) == expected


def test_onnx_rounds_half_to_even_then_adds_the_zero_point():
    assert compute("onnx", [1, 3, 5, -1, -3], scale=0.5, output_zero_point=1) == [1, 3, 3, 1, -1]


def test_onnx_computes_in_float32():
    # 3 * 2**23 - 1 lies between two float32 and becomes 3 * 2**23; the product is 1.5, a tie, and not 1.49999994
    assert compute("onnx", [(3 << 23) - 2, (3 << 23) - 1], scale=2.0**-24) == [1, 2]
    # 0.1f * 5 = 0.5000000074505806 in double precision, but 0.5 in float32: a tie, to even
    assert compute("onnx", [5], scale=0.1) == [0]


def test_onnx_saturates_even_at_infinity():
    assert compute("onnx", [*INT32], scale=3e38, output_dtype="uint8", output_zero_point=7) == [0, 255]


def test_onnx_equals_a_correctly_rounded_product(seed):
    random = np.random.default_rng(seed)
    scale = np.float32(0.0123)
    values = random.integers(-(1 << 20), 1 << 20, 500).tolist()
    # below 2**24 an accumulator is a float32, and the product of two float32 is exact in float64
    products = [float(np.float32(float(acc) * float(scale))) for acc in values]
    assert compute("onnx", values, scale=scale) == [clamp(round(product), -128, 127) for product in products]


@pytest.mark.parametrize("right", [0, 1, 2, 7, 20, 31])
def test_shift_rounds_half_up(right, seed):
    values = HOSTILE + np.random.default_rng(seed).integers(*INT32, 100).tolist()
    expected = [clamp(math.floor(Fraction(acc, 1 << right) + Fraction(1, 2)) - 5, -128, 127) for acc in values]
    assert compute("shift", values, shift=-right, output_zero_point=-5) == expected


def test_shift_goes_left_where_it_is_positive():
    assert compute("shift", [-3, 5, 100], shift=2) == [-12, 20, 127]


def test_none_is_the_accumulator_itself():
    assert compute("none", [*INT32, 0, -5], output_dtype="int32") == [*INT32, 0, -5]


@pytest.mark.parametrize(
    ("mode", "acc", "constants"),
    [
        ("none", 1 << 31, {"output_dtype": "int32"}),
        ("tflite", -(1 << 31) - 1, {"multiplier": 1 << 30, "shift": 0}),
        ("tflite", 1 << 30, {"multiplier": 1 << 30, "shift": 1}),
        ("shift", 1 << 29, {"shift": 2}),
        ("onnx", 1 << 31, {"scale": 0.5}),
        ("tflite16", 1 << 47, {"multiplier": 1 << 30, "shift": -31}),
        ("tflite16", 1 << 40, {"multiplier": (1 << 31) - 1, "shift": 0}),
    ],
)
def test_data_beyond_the_definition_are_refused(mode, acc, constants):
    with pytest.raises(SpecError, match="accumulator"):
        compute(mode, [acc], **constants)


def test_a_missing_constant_is_refused():
    with pytest.raises(SpecError, match="shift"):
        compute("tflite", [1], multiplier=5)


def test_the_clamp_comes_after_the_zero_point():
    found = compute("shift", [-100, 0, 100], shift=0, output_zero_point=10, activation_min=10, activation_max=50)
    assert found == [10, 10, 50]


def test_channels_have_their_own_constants():
    spec = ConvSpec(height=1, width=1, in_channels=1, out_channels=3, kernel=(1, 1), requantisation="shift")
    parameters = LayerParameters(weights=np.ones((3, 1, 1, 1), np.int8), shift=np.array([0, -1, -2], np.int32))
    acc = np.array([[8, 8, 8], [-6, -6, -6]])
    assert requantise(spec, parameters, acc).tolist() == [[8, 4, 2], [-6, -3, -1]]
    for channel in range(3):
        found = requantise_channel(spec, parameters, channel, acc[:, channel])
        assert found.tolist() == requantise(spec, parameters, acc)[:, channel].tolist()


# scale, multiplier, shift: 0.5 = 0.5 * 2**0, 1 = 0.5 * 2**1, 0.75 = 0.75 * 2**0 ...
@pytest.mark.parametrize(
    ("scale", "multiplier", "shift"),
    [
        (0.0, 0, 0),
        (0.5, 1 << 30, 0),
        (1.0, 1 << 30, 1),
        (0.75, 3 << 29, 0),
        (2.0**-31, 1 << 30, -30),
        (2.0**-33, 0, 0),
        (2.0**31, (1 << 31) - 1, 30),
        (0.5 + 2.0**-32, (1 << 30) + 1, 0),  # a tie: away from zero
        (1.0 - 2.0**-33, 1 << 30, 1),  # the mantissa rounds up to 1
    ],
)
def test_quantise_multiplier_follows_tflite(scale, multiplier, shift):
    assert quantise_multiplier(scale) == (multiplier, shift)


@pytest.mark.parametrize("scale", [-0.5, math.inf, math.nan])
def test_quantise_multiplier_refuses_what_is_no_scale(scale):
    with pytest.raises(SpecError, match="scale"):
        quantise_multiplier(scale)


@pytest.mark.parametrize(
    ("mode", "constants"),
    [
        ("tflite", {"multiplier": 1464733362, "shift": -9}),
        ("tflite16", {"multiplier": 1464733362, "shift": -3}),
        ("onnx", {"scale": 0.0037}),
        ("shift", {"shift": -7}),
        ("none", {"output_dtype": "int32"}),
    ],
)
def test_every_mode_is_monotone(mode, constants):
    found = compute(mode, range(-40_000, 40_000), **constants)
    assert found == sorted(found)
