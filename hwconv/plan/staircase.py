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

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Definition = Callable[[Int64], Int64]
"""From accumulators to outputs: monotone, applied to each element."""

SHORT_RUN = 16
"""In a stretch of fewer equal outputs the offset changes exactly at 0."""


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


def trace(definition: Definition, low: int, high: int, out_min: int, out_max: int) -> Staircase:
    """Finds every step of a monotone definition by bisection, all levels at once."""
    ends = definition(np.array([low, high], np.int64)).astype(np.int64)
    points = np.unique(_reached(definition, low, high, np.arange(ends[0] + 1, ends[1] + 1, dtype=np.int64)))
    levels = np.concatenate([ends[:1], definition(points).astype(np.int64)])
    return Staircase(low=low, high=high, out_min=out_min, out_max=out_max, points=points, levels=levels)


def some_steps(definition: Definition, low: int, high: int, count: int) -> Int64:
    """Accumulators at which a monotone definition reaches some of its levels, spread evenly over all, ascending."""
    ends = definition(np.array([low, high], np.int64)).astype(np.int64)
    levels = np.unique(np.linspace(ends[0] + 1, ends[1], count).astype(np.int64)) if ends[0] < ends[1] else ends[:0]
    return np.unique(_reached(definition, low, high, levels))


def _reached(definition: Definition, low: int, high: int, targets: Int64) -> Int64:
    """The first accumulator at which the output is not below each of the targets, which lie above that of `low`."""
    below, reached = np.full(len(targets), low, np.int64), np.full(len(targets), high, np.int64)
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
    constraints = Constraints(*(np.frombuffer(each, np.int64) for each in numbers))
    run = constraints.lower_x[:, None] - constraints.upper_x[None, :]
    rise = constraints.lower_level[:, None] - constraints.upper_level[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rise / run
    after, before = run > 0, run < 0
    above = _extreme(np.where(after, ratio, -np.inf), rise, run, max) if after.any() else None
    below = _extreme(np.where(before, ratio, np.inf), rise, run, min) if before.any() else None
    return Slopes(above, below)


def _extreme(
    ratio: NDArray[np.float64], rise: Int64, run: Int64, choose: Callable[[set[Fraction]], Fraction]
) -> Fraction:
    """The largest or smallest ratio, exactly: those that float64 cannot tell from it are compared as fractions."""
    best = ratio.max() if choose is max else ratio.min()
    near = np.abs(ratio - best) <= abs(best) * 1e-12
    return choose({Fraction(int(a), int(b)) for a, b in zip(rise[near], run[near], strict=True)})


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
