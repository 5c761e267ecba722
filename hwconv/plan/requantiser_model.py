"""Table entries of a requantiser, and what the unit computes with one: the numpy twin of the gateware."""

from collections.abc import Mapping

import numpy as np

from .requantiser_config import FLOAT_BITS, GUARD_BITS, HARD_WIDTH, MANTISSA, SIGNED_FIELDS, RequantiserPlan
from .staircase import Int64

NEGATIVE_DIGIT = 3
"""The radix-4 digit -1, which is ``~a``: the offset makes up for the 1 that is missing."""


def pack(fields: tuple[tuple[str, int], ...], values: Mapping[str, int]) -> int:
    """Packs the fields of an entry from bit 0 upwards, negative values in two's complement.

    Raises
    ------
    ValueError
        A value that does not fit its field: a mistake in the plan.
    """
    entry = position = 0
    for name, width in fields:
        value = values[name]
        signed = name in SIGNED_FIELDS
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (-(1 << width - 1), (1 << width) - 1)
        if not low <= value <= high:
            raise ValueError(f"Expected {name} to fit {width} bits, not {value}")
        entry |= (value & ((1 << width) - 1)) << position
        position += width
    return entry


def unpack(plan: RequantiserPlan, entry: int) -> dict[str, int]:
    """The values of an entry by field. Clamps are signed where the plan's are."""
    values = {}
    for name, width in plan.fields:
        value = entry & ((1 << width) - 1)
        signed = name in SIGNED_FIELDS or (name in ("minimum", "maximum") and plan.out_min < 0)
        values[name] = value - (1 << width) if signed and value >> width - 1 else value
        entry >>= width
    return values


def evaluate(plan: RequantiserPlan, entry: int, accumulators: Int64) -> Int64:
    """Outputs of the unit for accumulators within the range that the entry was planned for."""
    a, values = np.asarray(accumulators, np.int64), unpack(plan, entry)
    if plan.kind == "none":
        return a + values["bias"]
    scaled = {"narrow": _narrow, "wide": _wide, "single": _single, "float": _float}[plan.kind](plan, values, a)
    clamped: Int64 = np.clip(scaled, values.get("minimum", plan.out_min), values.get("maximum", plan.out_max))
    return clamped


def _narrow(plan: RequantiserPlan, values: Mapping[str, int], a: Int64) -> Int64:
    if plan.window_width:
        half = 1 << plan.window_width - 1
        a = np.clip(a + (values["base"] << plan.base_drop), -half, half - 1)
    total = a * values.get("multiplier", 0)
    first = HARD_WIDTH if plan.style == "block" else 0
    for index in range(plan.digits):
        digit = values["digits"] >> 2 * index & 3
        row = ~a if digit == NEGATIVE_DIGIT else a * digit
        total += row << first + 2 * index
    offset = np.full(a.shape, values["positive"], np.int64)
    if plan.signed_select:
        offset[a >> plan.threshold_drop <= values.get("threshold", plan.threshold)] = values["negative"]
    total += offset << plan.offset_drop
    half = 1 << plan.sum_width - 1
    return ((total + half & 2 * half - 1) - half) >> plan.shift


def _wide(plan: RequantiserPlan, values: Mapping[str, int], a: Int64) -> Int64:
    biased = a + values["bias"]
    if plan.biased_width > 32:
        biased = np.clip(biased, -(1 << 31), (1 << 31) - 1)
    product = (biased << values.get("left", 0)) * values["multiplier"]
    high, right = product + (1 << 30) >> 31, values.get("right", 0)
    nudge = np.where(high < 0, (1 << right >> 1) - 1, 1 << right >> 1) if right else np.zeros_like(high)
    scaled: Int64 = (high + nudge >> right) + values.get("zero_point", plan.output_zero_point)
    return scaled


def _single(plan: RequantiserPlan, values: Mapping[str, int], a: Int64) -> Int64:
    rounded = a * values["multiplier"] + values["offset"] >> plan.shift + values.get("right", 0)
    scaled: Int64 = rounded + values.get("zero_point", plan.output_zero_point)
    return scaled


def _float(plan: RequantiserPlan, values: Mapping[str, int], a: Int64) -> Int64:
    """The product in float32, rounded to an integer, by whole numbers.

    ``q = n + fraction`` being the exact product, its float32 is ``n + 1/2`` just where ``q`` is no further from it than
    half a unit of a float32 there, ``h = 2**(bits of n - 25)``: such a float32 ends in zeros, so ties go to it. It is
    then rounded to the even neighbour. So the result is ``n + 1`` where the fraction is above ``1/2 + h`` with an even
    ``n``, and where it is not below ``1/2 - h`` with an odd one. (Below 1/2 the unit is half as large, but 0 is even.)
    """
    biased = a + values["bias"]
    magnitude = np.abs(biased)
    if plan.rounds_accumulator:
        spare = np.maximum(_bits(magnitude) - MANTISSA, 0)
        half = np.left_shift(np.int64(1), spare) >> 1
        odd = magnitude >> spare & 1
        magnitude = np.where(spare > 0, magnitude + half - 1 + odd >> spare << spare, magnitude)
    product = magnitude * values["multiplier"]
    right = plan.shift + values.get("right", 0)
    product = np.minimum(product, 1 << min(right + FLOAT_BITS, 62))  # the clamp takes all beyond
    right -= GUARD_BITS
    kept = product << max(-right, 0) >> max(right, 0)
    kept = kept | ((product & (1 << max(right, 0)) - 1) != 0)
    whole, guard = kept >> GUARD_BITS, kept & (1 << GUARD_BITS) - 1
    reach = np.left_shift(np.int64(2), np.minimum(_bits(whole), MANTISSA))
    tie = 1 << GUARD_BITS - 1
    rounded = whole + (guard >= np.where(whole & 1, tie - reach, tie + reach + 1))
    scaled: Int64 = np.where(biased < 0, -rounded, rounded) + values.get("zero_point", plan.output_zero_point)
    return scaled


def _bits(values: Int64) -> Int64:
    """``int.bit_length`` of numbers that are not negative and below ``2**53``."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64)


def turning_points(plan: RequantiserPlan, entry: int) -> list[int]:
    """Accumulators on both sides of where a narrow unit's line begins, changes its offset and ends."""
    values = unpack(plan, entry)
    base = -(values.get("base", 0) << plan.base_drop)
    points = []
    if plan.signed_select:
        last = base + ((values.get("threshold", plan.threshold) + 1 << plan.threshold_drop) - 1)
        points += [last, last + 1]
    if plan.window_width:
        half = 1 << plan.window_width - 1
        points += [base - half - 1, base - half, base + half - 1, base + half]
    return points
