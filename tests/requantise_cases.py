"""Channels to requantise, defined by a direct rewrite of gemmlowp's C in Python's integers, for two test modules."""

import random
from collections.abc import Callable

import numpy as np

from hwconv.plan.requantise import Channel


def saturating_rounding_doubling_high_mul(a: int, b: int) -> int:
    ab = a * b
    nudge = (1 << 30) if ab >= 0 else (1 - (1 << 30))
    quotient = abs(ab + nudge) // (1 << 31)  # C's division truncates
    return quotient if ab + nudge >= 0 else -quotient


def rounding_divide_by_pot(x: int, exponent: int) -> int:
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = mask >> 1
    if x < 0:
        threshold += 1
    return (x >> exponent) + (1 if remainder > threshold else 0)


def tflite_value(acc: int, multiplier: int, shift: int) -> int:
    high = saturating_rounding_doubling_high_mul(acc << max(shift, 0), multiplier)
    return rounding_divide_by_pot(high, max(-shift, 0))


def array_function(function: Callable[[int], int]) -> Callable[[np.ndarray], np.ndarray]:
    known: dict[int, int] = {}

    def apply(values: np.ndarray) -> np.ndarray:
        flat = np.asarray(values, np.int64)
        for value in np.unique(flat).tolist():
            if value not in known:
                known[value] = function(value)
        return np.array([known[value] for value in flat.ravel().tolist()], np.int64).reshape(flat.shape)

    return apply


def tflite_channel(
    low: int, high: int, beta: int, scale: float, zero_point: int = 0, out_min: int = -128, out_max: int = 127
) -> Channel:
    """A channel of TensorFlow Lite's scheme whose raw accumulators are `low` to `high`."""
    mantissa, shift = np.frexp(scale)
    multiplier, shift = round(float(mantissa) * (1 << 31)), int(shift)
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1

    def value(raw: int) -> int:
        return min(max(tflite_value(raw + beta, multiplier, shift) + zero_point, out_min), out_max)

    return Channel(
        name="channel",
        definition=array_function(value),
        low=low,
        high=high,
        zero=-beta,
        out_min=out_min,
        out_max=out_max,
        exact=(multiplier, shift, zero_point),
    )


def random_channels(count: int, width: int, seed: int, zero_point: int = 0, spread: float = 2.0) -> list[Channel]:
    """Channels like those of a trained layer: the output's range is a quarter of the accumulator's, more or less."""
    generator = random.Random(seed)
    channels = []
    for _ in range(count):
        high = int((1 << width - 1) * generator.uniform(0.55, 0.99))
        low = -int((1 << width - 1) * generator.uniform(0.55, 0.99))
        beta = generator.randrange(-(1 << width - 3), 1 << width - 3)
        scale = 256 / (1 << width - 2) * spread ** generator.uniform(-1, 1)
        channels.append(tflite_channel(low, high, beta, scale, zero_point))
    return channels


def interesting(channel: Channel, count: int, seed: int) -> list[int]:
    """Accumulators: both ends, around zero, around some thresholds (found by bisection) and random ones."""
    generator = random.Random(seed)
    values = {channel.low, channel.high, channel.zero, channel.zero + 1, channel.zero - 1}
    for _ in range(12):
        below, reached = channel.low, channel.high
        first, last = (int(value) for value in channel.definition(np.array([below, reached])))
        target = generator.randint(first, last)
        while reached - below > 1:
            middle = (below + reached) // 2
            if int(channel.definition(np.array([middle]))[0]) >= target:
                reached = middle
            else:
                below = middle
        values |= {below - 1, below, reached, reached + 1}
    values |= {generator.randint(channel.low, channel.high) for _ in range(count)}
    return sorted(value for value in values if channel.low <= value <= channel.high)


def single_channel(
    low: int, high: int, beta: int, multiplier: int, right: int, zero_point: int = 0, bits: int = 16
) -> Channel:
    """A channel of one product and one rounding, ties upwards, whose outputs are signed numbers of some bits."""
    out_min, out_max = -(1 << bits - 1), (1 << bits - 1) - 1

    def value(raw: int) -> int:
        scaled = ((raw + beta) * multiplier + (1 << right - 1)) >> right
        return min(max(scaled + zero_point, out_min), out_max)

    return Channel(
        name="channel", definition=array_function(value), low=low, high=high, zero=-beta, out_min=out_min,
        out_max=out_max, single=(multiplier, right, zero_point),
    )  # fmt: skip


def float_channel(
    low: int, high: int, beta: int, scale: float, zero_point: int = 0, out_min: int = -128, out_max: int = 127
) -> Channel:
    """A channel of a float32 scale, rounded to nearest, ties to even."""

    def value(raw: int) -> int:
        product = np.float32(np.float32(raw + beta) * np.float32(scale))
        return int(min(max(float(np.rint(product)) + zero_point, out_min), out_max))

    return Channel(
        name="channel", definition=array_function(value), low=low, high=high, zero=-beta, out_min=out_min,
        out_max=out_max, scale=(float(np.float32(scale)), zero_point),
    )  # fmt: skip
