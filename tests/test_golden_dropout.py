"""The golden models of dropout and statistics, against known answers and the definition in Python's integers."""

from fractions import Fraction

import numpy as np
import pytest

from hwconv.dropout import (
    FIELDS,
    SEED_STEP,
    USER_BITS,
    DropoutSpec,
    FrameParameters,
    inverse_scale,
    inverted,
    pass_seed,
)
from hwconv.errors import SpecError
from hwconv.golden import dropout, mc_statistics
from hwconv.golden.requantise import by_reduced_multiplier, quantise_multiplier
from hwconv.golden.threefry import threefry2x32
from hwconv.mc_statistics import StatisticsSpec, largest_variance, most_passes

# Rounds, counter, key, output: tests/kat_vectors of Random123, the library of those who published Threefry.
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
KNOWN_ANSWERS = (
    (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
    (13, (0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0xFD36D048, 0x2D17272C)),
    (13, PI[:2], PI[2:], (0xBA3E4725, 0xF27D669E)),
    (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    (20, PI[:2], PI[2:], (0xC4923A9C, 0x483DF7A0)),
    (32, PI[:2], PI[2:], (0xE2827716, 0xC3C05CDF)),
)
EVERY_VALUE = np.arange(-128, 128).astype(np.int8).reshape(1, 1, 256, 1)


@pytest.mark.parametrize(("rounds", "counter", "key", "output"), KNOWN_ANSWERS)
def test_threefry_gives_the_known_answers(rounds, counter, key, output):
    words = threefry2x32((np.uint64(counter[0]), np.uint64(counter[1])), key, rounds)
    assert tuple(int(word) for word in words) == output


def scaled(x: int, zero_point: int, scale: Fraction) -> int:
    """A kept value by the definition, in fractions."""
    exact = (x - zero_point) * scale + Fraction(1, 2)
    return min(max(zero_point + exact.numerator // exact.denominator, -128), 127)


@pytest.mark.parametrize("zero_point", [-128, -7, 0, 127])
@pytest.mark.parametrize("probability", [0, 0.1, 0.5, 0.75, 0.9, 0.99, 0.9961, 1 - 2**-16])
def test_every_value_is_dropped_or_scaled_as_the_definition_says(zero_point, probability):
    spec = DropoutSpec(height=1, width=256, channels=1, zero_point=zero_point, stream=5)
    parameters = inverted(probability, seed=123456789)
    (got,) = dropout.run(spec, EVERY_VALUE, [parameters])
    for index, x in enumerate(range(-128, 128)):
        first, second = threefry2x32((np.uint64(index // 4), np.uint64(123456789)), (0, 5))
        block = int(first) | int(second) << 32
        number = block >> 16 * (index % 4) & 0xFFFF
        kept = scaled(x, zero_point, parameters.scale)
        assert got[0, index, 0] == (zero_point if number < parameters.drop_threshold else kept)


def test_a_scale_from_two_hundred_and_fifty_six_on_saturates_all_but_the_zero_point():
    for zero_point in (-128, -1, 0, 127):
        for x in range(-128, 128):
            larger = [scaled(x, zero_point, Fraction(scale)) for scale in (256, 257, 1000, 65536)]
            assert len(set(larger)) == 1


def test_deterministic_frames_are_identical_whatever_else_they_bring():
    spec = DropoutSpec(height=1, width=256, channels=1, zero_point=3)
    wild = FrameParameters(seed=7, drop_threshold=65535, multiplier=32767, shift=8, deterministic=True)
    assert np.array_equal(dropout.run(spec, EVERY_VALUE, [wild]), EVERY_VALUE)
    assert (wild.probability, wild.scale) == (0, 1)


def test_probability_zero_is_the_identity():
    spec = DropoutSpec(height=1, width=256, channels=1, zero_point=-128)
    assert np.array_equal(dropout.run(spec, EVERY_VALUE, [inverted(0, seed=1)]), EVERY_VALUE)


def test_the_inverse_scale_is_that_of_the_requantisation_for_every_threshold():
    """A Q31 multiplier by frexp, reduced to 15 bits as the mode does it, is what the integers give."""
    for threshold in range(1 << 16):
        multiplier, shift = quantise_multiplier((1 << 16) / ((1 << 16) - threshold))
        reduced = min((multiplier + (1 << 15)) >> 16, 0x7FFF)
        if shift - 1 >= 8:
            reduced, shift = 1 << 14, 9
        assert inverse_scale(threshold) == (reduced, shift - 1), threshold


def test_kept_values_round_as_the_requantisation_tflite16():
    spec = DropoutSpec(height=1, width=256, channels=1, zero_point=-20)
    for threshold in (100, 6554, 30000, 60000):
        multiplier, shift = quantise_multiplier((1 << 16) / ((1 << 16) - threshold))
        mode = by_reduced_multiplier(EVERY_VALUE.astype(np.int64) + 20, np.array(multiplier), np.array(shift))
        parameters = FrameParameters(**dict(zip(("multiplier", "shift"), inverse_scale(threshold), strict=True)))
        got = dropout.run(spec, EVERY_VALUE, [parameters])
        assert np.array_equal(got, np.clip(mode - 20, -128, 127))


def test_the_scale_of_inverted_dropout_keeps_the_mean():
    for probability in (0.1, 0.25, 0.5, 0.9):
        parameters = inverted(probability, seed=0)
        assert abs(parameters.scale * (1 - parameters.probability) - 1) <= Fraction(1, 1 << 14)


@pytest.mark.parametrize("probability", [-0.1, 1, 1.5, float("nan"), float("inf"), "half", 1 - 2**-18])
def test_a_probability_that_leaves_nothing_or_is_none_is_refused(probability):
    with pytest.raises(SpecError, match="probability"):
        inverted(probability, seed=1)


def test_the_fields_of_tuser_do_not_overlap_and_hold_what_they_must():
    bits = [bit for low, width in FIELDS.values() for bit in range(low, low + width)]
    assert len(bits) == len(set(bits))
    assert max(bits) < USER_BITS
    wild = FrameParameters(seed=0x89ABCDEF, drop_threshold=0x1234, multiplier=0x4567, shift=8, deterministic=True)
    assert wild.to_user(damaged=True) == 0x89ABCDEF_4567_1234_83
    assert FrameParameters().to_user() == 0x4000_0000_00


def test_pass_seeds_are_different_for_as_long_as_there_are_seeds():
    assert pass_seed(5, 0) == 5
    assert pass_seed(0xFFFFFFFF, 1) == SEED_STEP - 1
    assert SEED_STEP % 2 == 1  # an odd step goes through all of them
    assert len({pass_seed(3, index) for index in range(10_000)}) == 10_000


@pytest.mark.parametrize("passes", [1, 2, 7, 256])
def test_statistics_are_the_sums_by_definition(passes):
    random = np.random.default_rng(passes)
    frames = random.integers(-128, 128, (2 * passes, 2, 3, 2)).astype(np.int8)
    shape = dict(height=2, width=3, channels=2, passes=passes)
    moments = mc_statistics.run(StatisticsSpec(**shape, statistics="moments"), frames)
    variance = mc_statistics.run(StatisticsSpec(**shape, statistics="variance"), frames)
    assert moments.shape == variance.shape == (2, 2, 3, 2, 2)
    for result in range(2):
        for place in np.ndindex(2, 3, 2):
            values = [int(frames[result * passes + index][place]) for index in range(passes)]
            total, squares = sum(values), sum(value * value for value in values)
            assert moments[result][place].tolist() == [total, squares]
            mean = Fraction(total, passes)
            exact = sum((value - mean) ** 2 for value in values) / passes
            assert variance[result][place].tolist() == [total, exact * passes**2]


def test_the_largest_variance_is_reached_and_the_limit_of_passes_is_where_int32_ends():
    for passes in (1, 2, 5, 9):
        brute = max(
            passes * sum(v * v for v in values) - sum(values) ** 2
            for low in range(passes + 1)
            for values in [[-128] * low + [127] * (passes - low)]
        )
        assert largest_variance(passes) == brute
    assert most_passes("variance") == 363
    assert largest_variance(363) < 1 << 31 <= largest_variance(364)
    assert most_passes("moments") == 1024
    assert 1024 * 128**2 < 1 << 31
    extremes = np.array([-128, 127], np.int8)[np.arange(363) % 2].reshape(363, 1, 1, 1)
    result = mc_statistics.run(StatisticsSpec(height=1, width=1, channels=1, passes=363), extremes)
    assert result[0, 0, 0, 0, 1] == largest_variance(363)


@pytest.mark.parametrize(
    ("spec", "fields", "named"),
    [
        (DropoutSpec, {"height": 0}, "height"),
        (DropoutSpec, {"channels": True}, "channels"),
        (DropoutSpec, {"zero_point": 128}, "zero_point"),
        (DropoutSpec, {"stream": 1 << 32}, "stream"),
        (DropoutSpec, {"name": ""}, "name"),
        (DropoutSpec, {"height": 1 << 20, "width": 1 << 20}, "height x width x channels"),
        (StatisticsSpec, {"passes": 0}, "passes"),
        (StatisticsSpec, {"passes": 364}, "passes"),
        (StatisticsSpec, {"passes": 1025, "statistics": "moments"}, "passes"),
        (StatisticsSpec, {"statistics": "median"}, "statistics"),
        (StatisticsSpec, {"height": 1 << 15, "width": 1 << 13}, "bytes of a result"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(spec, fields, named):
    with pytest.raises(SpecError, match=named):
        spec(**{"height": 1, "width": 1, "channels": 1, **fields})


@pytest.mark.parametrize("fields", [{"seed": -1}, {"drop_threshold": 65536}, {"multiplier": 16383}, {"shift": 9}])
def test_frame_parameters_out_of_range_are_refused_by_name(fields):
    with pytest.raises(SpecError, match=next(iter(fields))):
        FrameParameters(**fields)


def test_specs_survive_a_dictionary_and_refuse_what_they_do_not_know():
    for spec in (
        DropoutSpec(height=2, width=3, channels=4, stream=9, zero_point=-1),
        StatisticsSpec(height=2, width=3, channels=4, passes=8, statistics="moments"),
    ):
        assert type(spec).from_dict(spec.to_dict()) == spec
        with pytest.raises(SpecError, match="rate"):
            type(spec).from_dict({**spec.to_dict(), "rate": 1})
        with pytest.raises(SpecError, match="width"):
            type(spec).from_dict({"height": 1, "channels": 1})


def test_golden_models_refuse_frames_of_another_kind():
    spec = DropoutSpec(height=1, width=2, channels=1)
    with pytest.raises(SpecError, match="int16"):
        dropout.run(spec, np.zeros((1, 1, 2, 1), np.int16), [FrameParameters()])
    with pytest.raises(SpecError, match="shape"):
        dropout.run(spec, np.zeros((1, 2, 1, 1), np.int8), [FrameParameters()])
    with pytest.raises(SpecError, match="parameters"):
        dropout.run(spec, np.zeros((2, 1, 2, 1), np.int8), [FrameParameters()])
    with pytest.raises(SpecError, match="multiple of 2"):
        mc_statistics.run(StatisticsSpec(height=1, width=2, channels=1, passes=2), np.zeros((3, 1, 2, 1), np.int8))
