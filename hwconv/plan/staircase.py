"""Monotone staircases on integers, and the straight lines in fixed point that reproduce them.

The output of a requantiser is a staircase of its accumulator: it is known completely by the accumulators at which the
output changes. A line ``(multiplier * a + offset) >> shift`` equals it when the line reaches each level where the
staircase does (a *lower* constraint) and is still below the next level just before (an *upper* constraint); where the
clamp takes over, nothing is asked. The multipliers that meet all of them lie strictly between two rational slopes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Definition = Callable[[Int64], Int64]
"""From accumulators to outputs: monotone, applied to each element."""

GUESSED = 2
"""Accumulators on both sides of where a line reaches a level, between which the definition mostly does."""
SHORT_RUN = 16
"""In a stretch of fewer equal outputs the offset changes exactly at 0."""


class Line(NamedTuple):
    """What a definition rounds: ``level + slope * (accumulator - zero)``, roughly."""

    slope: float
    zero: int
    level: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Staircase:
    """One channel's definition over the accumulators ``low`` to ``high``, both included."""

    low: int
    high: int
    out_min: int
    """The clamp of the outputs: the unit clamps too, so that nothing is asked of the line beyond."""
    out_max: int
    points: Int64
    """Accumulators whose output is higher than their predecessor's, ascending."""
    levels: Int64
    """Outputs: at ``low``, then at each of ``points``."""

    def level(self, accumulator: int) -> int:
        """The output at one accumulator."""
        return int(self.levels[np.searchsorted(self.points, accumulator, side="right")])

    def run(self, accumulator: int) -> tuple[int, int]:
        """First and last accumulator of the stretch of equal outputs around one."""
        step = int(np.searchsorted(self.points, accumulator, side="right"))
        first = self.low if step == 0 else int(self.points[step - 1])
        last = self.high if step == len(self.points) else int(self.points[step]) - 1
        return first, last

    def seen_from(self, base: int, width: int) -> "Staircase":
        """The same outputs over ``clamp(accumulator - base)``, the clamp being that of a signed number of some bits."""
        low, high = (min(max(end - base, -(1 << width - 1)), (1 << width - 1) - 1) for end in (self.low, self.high))
        return replace(self, low=low, high=high, points=self.points - base)


@dataclass(frozen=True, eq=False)
class Constraints:
    """``M * x + b >= level * 2**S`` at the lower points, ``M * x + b < level * 2**S`` at the upper ones."""

    lower_x: Int64
    lower_level: Int64
    upper_x: Int64
    upper_level: Int64


@dataclass(frozen=True)
class Slopes:
    """The open interval of ``M / 2**S`` in which an offset exists; ``None`` is unbounded."""

    above: Fraction | None
    below: Fraction | None

    def __and__(self, other: "Slopes") -> "Slopes":
        """Slopes in both intervals."""
        above = [bound for bound in (self.above, other.above) if bound is not None]
        below = [bound for bound in (self.below, other.below) if bound is not None]
        return Slopes(max(above, default=None), min(below, default=None))

    def multipliers(self, shift: int) -> tuple[int, int]:
        """Smallest and largest multiplier that is not negative; the largest is below the smallest where none is."""
        low = 0
        if self.above is not None:
            low = max((self.above.numerator << shift) // self.above.denominator + 1, 0)
        if self.below is None:
            return low, low
        return low, -((-self.below.numerator << shift) // self.below.denominator) - 1

    def shift(self, limit: int) -> int | None:
        """Smallest shift, below a limit, at which there is a multiplier."""
        for shift in range(limit):
            low, high = self.multipliers(shift)
            if low <= high:
                return shift
        return None


def trace(
    definition: Definition, low: int, high: int, out_min: int, out_max: int, line: Line | None = None
) -> Staircase:
    """Finds every step of a monotone definition by bisection, all levels at once; faster where `line` is near it."""
    ends = definition(np.array([low, high], np.int64)).astype(np.int64)
    levels = np.arange(ends[0] + 1, ends[1] + 1, dtype=np.int64)
    points = np.unique(_reached(definition, low, high, levels, line))
    levels = np.concatenate([ends[:1], definition(points).astype(np.int64)])
    return Staircase(low=low, high=high, out_min=out_min, out_max=out_max, points=points, levels=levels)


def some_steps(definition: Definition, low: int, high: int, count: int) -> Int64:
    """Accumulators at which a monotone definition reaches some of its levels, spread evenly over all, ascending."""
    ends = definition(np.array([low, high], np.int64)).astype(np.int64)
    levels = np.unique(np.linspace(ends[0] + 1, ends[1], count).astype(np.int64)) if ends[0] < ends[1] else ends[:0]
    return np.unique(_reached(definition, low, high, levels))


def _reached(definition: Definition, low: int, high: int, targets: Int64, line: Line | None = None) -> Int64:
    """The first accumulator at which the output is not below each of the targets, which lie above that of `low`."""
    below, reached = np.full(len(targets), low, np.int64), np.full(len(targets), high, np.int64)
    if line is not None and line.slope > 0:
        guess = np.clip(line.zero + (targets - line.level - 0.5) / line.slope, low, high).astype(np.int64)
        before, after = np.maximum(guess - GUESSED, low), np.minimum(guess + GUESSED, high)
        early, late = np.split(definition(np.concatenate([before, after])).astype(np.int64), 2)
        below, reached = np.where(early < targets, before, below), np.where(late >= targets, after, reached)
    while np.any(reached - below > 1):
        middle = (below + reached) >> 1
        enough = definition(middle).astype(np.int64) >= targets
        reached, below = np.where(enough, middle, reached), np.where(enough, below, middle)
    return reached


def constrain(staircase: Staircase, first: int, last: int) -> Constraints:
    """What a line must meet between two accumulators, both included; nothing when ``first > last``."""
    if first > last:
        nothing = np.zeros(0, np.int64)
        return Constraints(nothing, nothing, nothing, nothing)
    inside = (staircase.points > first) & (staircase.points <= last)
    points = staircase.points[inside]
    levels = np.concatenate([[staircase.level(first)], staircase.levels[1:][inside]])
    starts, ends = np.concatenate([[first], points]), np.concatenate([points - 1, [last]])
    lower, upper = levels > staircase.out_min, levels < staircase.out_max
    return Constraints(starts[lower], levels[lower], ends[upper], levels[upper] + 1)


def slopes(constraints: Constraints) -> Slopes:
    """The exact slopes between every lower and every upper constraint.

    An upper constraint at ``u`` from a lower one at ``x`` leaves ``M * (x - u) > (level_x - level_u) * 2**S``.
    """
    if not len(constraints.lower_x) or not len(constraints.upper_x):
        return Slopes(None, None)
    # They are the same wherever the accumulators begin.
    start = constraints.lower_x[0]
    moved = (constraints.lower_x - start, constraints.lower_level, constraints.upper_x - start, constraints.upper_level)
    return _slopes(*(each.tobytes() for each in moved))


@lru_cache(maxsize=1 << 14)
def _slopes(*numbers: bytes) -> Slopes:
    lower_x, lower_level, upper_x, upper_level = (np.frombuffer(each, np.int64) for each in numbers)
    above = _steepest(upper_x, upper_level, lower_x, lower_level)
    below = _steepest(lower_x, -lower_level, upper_x, -upper_level)
    return Slopes(above, None if below is None else -below)


def _steepest(start_x: Int64, start_level: Int64, end_x: Int64, end_level: Int64) -> Fraction | None:
    """The largest slope from any of the starts to an end that is further on; both ascend.

    A slope that is reached is replaced by that of the pair whose end is furthest above its line until none is above
    (W. Dinkelbach, On Nonlinear Fractional Programming, Management Science 13 (1967)): a few rounds, and exact.
    """
    before = start_x.searchsorted(end_x)
    end_x, end_level, last = end_x[before > 0], end_level[before > 0], before[before > 0] - 1
    if not len(end_x):
        return None
    first, end = int(last[0]), 0
    while True:
        rise, run = int(end_level[end] - start_level[first]), int(end_x[end] - start_x[first])
        begun = run * start_level - rise * start_x
        above = run * end_level - rise * end_x - np.minimum.accumulate(begun)[last]
        end = int(above.argmax())
        if above[end] <= 0:
            return Fraction(rise, run)
        first = int(begun[: last[end] + 1].argmin())


def offsets(constraints: Constraints, multipliers: Sequence[int], shift: int) -> list[tuple[int, int]]:
    """Smallest and largest offset that meet the constraints, for each multiplier.

    A side that asks for nothing is taken one level away from the other. The caller keeps products and levels times
    ``2**shift`` below ``2**60``.
    """
    column = np.array(multipliers, np.int64)[:, None]
    level = 1 << shift
    lowest = (constraints.lower_level << shift) - column * constraints.lower_x
    highest = (constraints.upper_level << shift) - 1 - column * constraints.upper_x
    if lowest.size and highest.size:
        return list(zip(lowest.max(axis=1).tolist(), highest.min(axis=1).tolist(), strict=True))
    if lowest.size:
        return [(low, low + level) for low in lowest.max(axis=1).tolist()]
    if highest.size:
        return [(high - level, high) for high in highest.min(axis=1).tolist()]
    return [(0, 0)] * len(multipliers)


def trailing_zeros(low: int, high: int) -> int:
    """Most low zero bits of any integer between two, both included (64 where 0 is one of them)."""
    if low <= 0 <= high:
        return 64
    return ((low - 1) ^ high).bit_length() - 1


def threshold_range(stair: Staircase, zero: int, width: int) -> tuple[int, int]:
    """First and last accumulator after which a channel may change its offset.

    The definitions round differently on both sides of ``zero``, where the true accumulator is 0. Mostly the output does
    not change for long around it, and the offset may change anywhere well inside that stretch.

    Parameters
    ----------
    stair, zero:
        The channel.
    width:
        Bits of the signed accumulator.
    """
    if zero < stair.low:
        return -(1 << width - 1) - 1, stair.low - 1
    if zero >= stair.high:
        return stair.high, (1 << width - 1) - 1
    start, end = stair.run(zero)
    if zero + 1 > end or end - start < SHORT_RUN:
        return zero, zero
    return start + (end - start) // 4, end - (end - start) // 4


def roundest(allowed: Sequence[tuple[int, int]], limit: int) -> tuple[int, list[int]]:
    """Picks a number from each range such that all end in as many zeros as possible: the zeros, and the numbers."""
    zeros = next(count for count in range(limit, -1, -1) if all(-(-a >> count) <= b >> count for a, b in allowed))
    half = 1 << zeros >> 1
    middles = [(first + last >> 1) + half >> zeros for first, last in allowed]
    return zeros, [
        min(max(middle, -(-first >> zeros)), last >> zeros) << zeros
        for middle, (first, last) in zip(middles, allowed, strict=True)
    ]
