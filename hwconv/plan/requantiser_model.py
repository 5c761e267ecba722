"""Table entries of a requantiser, and what the unit computes with one: the numpy twin of the gateware."""

from collections.abc import Mapping

import numpy as np

from .requantiser_config import HARD_WIDTH, SIGNED_FIELDS, RequantiserPlan
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
    scaled = _narrow(plan, values, a) if plan.kind == "narrow" else _wide(plan, values, a)
    return np.clip(scaled, values.get("minimum", plan.out_min), values.get("maximum", plan.out_max))


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
    product = (a + values["bias"] << values.get("left", 0)) * values["multiplier"]
    high, right = product + (1 << 30) >> 31, values.get("right", 0)
    nudge = np.where(high < 0, (1 << right >> 1) - 1, 1 << right >> 1) if right else np.zeros_like(high)
    scaled: Int64 = (high + nudge >> right) + values.get("zero_point", plan.output_zero_point)
    return scaled


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
