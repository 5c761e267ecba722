"""The search for a narrow requantiser: windows, shifts, multipliers, digits and offsets, and what they would cost."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import and_
from typing import NamedTuple

from .requantiser_config import HARD_WIDTH, RequantiserPlan, RequantiserProof, operand_pieces
from .requantiser_model import NEGATIVE_DIGIT, pack
from .staircase import (
    Constraints,
    Definition,
    Line,
    Slopes,
    Staircase,
    constrain,
    offsets,
    roundest,
    slopes,
    threshold_range,
    trailing_zeros,
)

PRODUCT_LIMIT = 58
"""Widest product, operand plus multiplier: every number of the search and of the proof then fits int64."""
MULTIPLIER_LIMIT = 34
"""Longest multiplier of a narrow unit, two pieces of hard multipliers: beyond, the exact unit is smaller."""
SHIFT_LIMIT = 50
"""Shifts stay below this, for the same reason."""
EXTRA_SHIFTS = 3
"""Shifts tried from the smallest one: each adds a bit to the multipliers and frees low bits of the offsets."""
DIGIT_LIMIT = 2
"""Most digit rows beside hard multipliers: two cost 70 look-up tables and save one or two hard multipliers."""
LONG_MULTIPLIER = 28
"""Where one offset needs more bits of multiplier than this, two offsets are tried as well."""
LOGIC_GAIN = 2
"""Bits that a window must at least save beside products made of look-up tables."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Channel:
    """What one table entry has to compute.

    Parameters
    ----------
    name:
        For messages: layer and channel.
    definition:
        Outputs of raw accumulators, int64 arrays of any shape; monotone.
    low, high:
        The raw accumulators that can occur, both included.
    zero:
        The raw accumulator whose true value is 0: ``input_zero_point * sum(w) - bias``.
    out_min, out_max:
        The clamp.
    exact:
        ``(multiplier, shift, output zero point)`` of TensorFlow Lite's scheme, for a layer that has no narrow unit.
    single:
        ``(multiplier, right shift, output zero point)`` of a scheme of one product and one rounding, ties upwards.
    scale:
        ``(scale, output zero point)`` of a scheme in float32.
    """

    name: str
    definition: Definition
    low: int
    high: int
    zero: int
    out_min: int
    out_max: int
    exact: tuple[int, int, int] | None = None
    single: tuple[int, int, int] | None = None
    scale: tuple[float, int] | None = None

    @property
    def line(self) -> Line | None:
        """What the definition rounds, where the channel has a scheme."""
        if self.exact is not None:
            multiplier, shift, level = self.exact
            return Line(multiplier * 2.0 ** (shift - 31), self.zero, level)
        if self.single is not None:
            multiplier, shift, level = self.single
            return Line(multiplier * 2.0**-shift, self.zero, level)
        return None if self.scale is None else Line(self.scale[0], self.zero, self.scale[1])


NOT_PROVEN = RequantiserProof(channels=0, thresholds=0, points=0)


@dataclass(frozen=True, eq=False)
class _Frame:
    """The channels as the multiplier sees them: their staircases, over accumulators or over windows."""

    channels: Sequence[Channel]
    stairs: Sequence[Staircase]
    accumulator_width: int
    window_width: int
    base_drop: int
    bases: Sequence[int]

    @property
    def width(self) -> int:
        """Bits of what is multiplied."""
        return self.window_width or self.accumulator_width


_Parts = tuple[Constraints, ...]
"""What a channel's line must meet in each part of its range that has an offset of its own."""


class _Line(NamedTuple):
    """One channel at one shift: its multiplier, and the offsets that fit it in each part of the range."""

    multiplier: int
    ranges: tuple[tuple[int, int], ...]


class _Code(NamedTuple):
    """A multiplier as the unit takes it: a part for the hard multipliers, and digits."""

    low: int
    digits: tuple[int, ...]

    @property
    def correction(self) -> int:
        """What the digits' rows lack: 1 at the weight of each negative digit."""
        return sum(4**index for index, digit in enumerate(self.digits) if digit == NEGATIVE_DIGIT)


def _frame(
    channels: Sequence[Channel], stairs: Sequence[Staircase], accumulator_width: int, style: str, select: bool
) -> _Frame:
    """Windows where they save hard multipliers (or rows) with the roundest bases; with two offsets rather with bases at
    which the offset may change.
    """
    width = max(_window_width(stair) for stair in stairs)
    pieces = [len(operand_pieces(bits)) for bits in (width, accumulator_width)]
    if (
        width >= accumulator_width
        or (style == "logic" and width + LOGIC_GAIN > accumulator_width)
        or (style == "block" and pieces[0] == pieces[1])
    ):
        return _Frame(channels, stairs, accumulator_width, 0, 0, [0] * len(channels))
    half = 1 << width - 1
    allowed = []
    for stair in stairs:
        first, last = (int(stair.points[0]), int(stair.points[-1])) if len(stair.points) else (0, 0)
        allowed.append((last - half + 1, first - 1 + half))
    if select:
        changes = [
            threshold_range(stair, channel.zero, accumulator_width)
            for channel, stair in zip(channels, stairs, strict=True)
        ]
        both = [
            (max(first, low + 1), min(last, high + 1))
            for (first, last), (low, high) in zip(allowed, changes, strict=True)
        ]
        allowed = both if all(first <= last for first, last in both) else allowed
    drop, bases = roundest(allowed, width)
    moved = [stair.seen_from(base, width) for stair, base in zip(stairs, bases, strict=True)]
    return _Frame(channels, moved, accumulator_width, width, drop, bases)


def _window_width(stair: Staircase) -> int:
    """Bits of a window that has both sides of every step in it."""
    return max(int(stair.points[-1] - stair.points[0] + 1).bit_length(), 2) if len(stair.points) else 2


def narrow_plans(
    channels: Sequence[Channel], stairs: Sequence[Staircase], accumulator_width: int, style: str
) -> list[RequantiserPlan]:
    """Narrow units for some channels, none of them proven; an empty list where there is none within the limits."""
    plans: list[RequantiserPlan] = []
    for select in (False, True):
        if not plans or min(plan.multiplier_width for plan in plans) > LONG_MULTIPLIER:
            plans += _plans_of(_frame(channels, stairs, accumulator_width, style, select), style, select)
    return plans


def _plans_of(frame: _Frame, style: str, select: bool) -> Iterator[RequantiserPlan]:
    """All narrow units for what is multiplied: the smallest shift or one of the next, digits or not."""
    drop, thresholds = 0, [0] * len(frame.channels)
    parts: list[_Parts] = [(_constraints(stair, stair.low, stair.high),) for stair in frame.stairs]
    if select:
        zeros = [channel.zero - base for channel, base in zip(frame.channels, frame.bases, strict=True)]
        allowed = [threshold_range(stair, zero, frame.width) for stair, zero in zip(frame.stairs, zeros, strict=True)]
        drop, ends = roundest([(first + 1, last + 1) for first, last in allowed], frame.width)
        thresholds = [end - 1 for end in ends]
        parts = [
            (
                _constraints(stair, max(at + 1, stair.low), stair.high),
                _constraints(stair, stair.low, min(at, stair.high)),
            )
            for stair, at in zip(frame.stairs, thresholds, strict=True)
        ]
    for shift, lines in _search(parts, min(PRODUCT_LIMIT - frame.width, MULTIPLIER_LIMIT)):
        for digit_limit in (0, DIGIT_LIMIT) if style == "block" else (MULTIPLIER_LIMIT,):
            codes = [_encode(line.multiplier, style, digit_limit) for line in lines]
            if max(len(code.digits) for code in codes) <= digit_limit:
                yield _assemble(frame, style, shift, lines, codes, thresholds, drop)


def _search(parts: Sequence[_Parts], multiplier_limit: int) -> Iterator[tuple[int, list[_Line]]]:
    """Lines for all channels at the smallest shift that has them, and at the next few."""
    found = []
    for channel in parts:
        shift = _slopes(channel).shift(SHIFT_LIMIT)
        if shift is None:
            return
        found.append(shift)
    for shift in range(max(found), min(max(found) + EXTRA_SHIFTS, SHIFT_LIMIT)):
        if max(_slopes(channel).multipliers(shift)[0] for channel in parts).bit_length() <= multiplier_limit:
            most = (1 << multiplier_limit) - 1
            yield shift, [_line(channel, shift, most) for channel in parts]


# A layer's channels are looked at by themselves, then with those of others beside them, again and again: what does not
# depend on these is kept.


@lru_cache(maxsize=1 << 13)
def _constraints(stair: Staircase, first: int, last: int) -> Constraints:
    return constrain(stair, first, last)


@lru_cache(maxsize=1 << 13)
def _slopes(parts: _Parts) -> Slopes:
    """Those that suit all parts of a channel's range."""
    return reduce(and_, map(slopes, parts))


@lru_cache(maxsize=1 << 15)
def _line(parts: _Parts, shift: int, most: int) -> _Line:
    """Of up to nine multipliers across the interval up to `most`, the one whose offsets may end in the most zeros."""
    low, high = _slopes(parts).multipliers(shift)
    high = min(high, most)
    multipliers = sorted({low + (high - low) * step // 8 for step in range(9)})
    ranges = zip(*(offsets(part, multipliers, shift) for part in parts), strict=True)
    lines = [_Line(multiplier, bounds) for multiplier, bounds in zip(multipliers, ranges, strict=True)]
    return max(lines, key=lambda line: min(trailing_zeros(*bounds) for bounds in line.ranges))


def _encode(multiplier: int, style: str, digit_limit: int) -> _Code:
    low = multiplier
    if style == "logic":
        low = 0
    elif digit_limit and multiplier >> HARD_WIDTH - 1:
        half = 1 << HARD_WIDTH - 1
        low = (multiplier + half) % (2 * half) - half
    rest = multiplier - low >> (0 if style == "logic" else HARD_WIDTH)
    digits = []
    while rest:
        digits.append(rest & 3)
        rest = (rest >> 2) + (rest & 3 == NEGATIVE_DIGIT)
    return _Code(low, tuple(digits))


def _assemble(
    frame: _Frame,
    style: str,
    shift: int,
    lines: Sequence[_Line],
    codes: Sequence[_Code],
    thresholds: Sequence[int],
    threshold_drop: int,
) -> RequantiserPlan:
    """Chooses offsets and widths, and packs the entries."""
    first = 0 if style == "logic" else HARD_WIDTH
    corrections = [code.correction << first for code in codes]
    drop = shift
    for line, correction in zip(lines, corrections, strict=True):
        drop = min([drop, *(trailing_zeros(low + correction, high + correction) for low, high in line.ranges)])
    chosen = [
        [_middle(low + correction, high + correction, drop) for low, high in line.ranges]
        for line, correction in zip(lines, corrections, strict=True)
    ]
    select = len(lines[0].ranges) == 2
    sums, below, above = [0], False, False
    for stair, line, correction, pair, at in zip(frame.stairs, lines, corrections, chosen, thresholds, strict=True):
        ends = [(stair.low, pair[0]), (stair.high, pair[0])]
        if select:
            ends = [(stair.low, pair[-1]), (min(at, stair.high), pair[-1])] if at >= stair.low else []
            ends += [(max(at + 1, stair.low), pair[0]), (stair.high, pair[0])] if at < stair.high else []
        reached = [line.multiplier * a + (offset << drop) - correction for a, offset in ends]
        sums += reached
        below |= min(reached) >> shift < stair.out_min
        above |= max(reached) >> shift > stair.out_max
    clamps = {(channel.out_min, channel.out_max) for channel in frame.channels}
    digits = max([int(style == "logic"), *(len(code.digits) for code in codes)])
    tops = max([code.digits[-1] for code in codes if len(code.digits) == digits], default=0) if digits else 0
    stored = [at >> threshold_drop for at in thresholds]
    bases = [-base >> frame.base_drop for base in frame.bases]
    widths = {
        "base": signed_width(bases) if frame.window_width else 0,
        "multiplier": signed_width(code.low for code in codes) if style == "block" else 0,
        "digits": 2 * digits - (tops <= 1) if digits else 0,
        "positive": signed_width(pair[0] for pair in chosen),
        "negative": signed_width(pair[-1] for pair in chosen) if select else 0,
        "threshold": signed_width(stored) if select and len(set(stored)) > 1 else 0,
        **({"minimum": 8, "maximum": 8} if len(clamps) > 1 else {}),
    }
    fields = tuple((name, width) for name, width in widths.items() if width)
    entries = tuple(
        pack(fields, {
            "base": base,
            "multiplier": code.low,
            "digits": sum(digit << 2 * index for index, digit in enumerate(code.digits)),
            "positive": pair[0],
            "negative": pair[-1],
            "threshold": at,
            "minimum": channel.out_min,
            "maximum": channel.out_max,
        })
        for channel, base, code, pair, at in zip(frame.channels, bases, codes, chosen, stored, strict=True)
    )  # fmt: skip
    return RequantiserPlan(
        kind="narrow",
        style=style,
        accumulator_width=frame.accumulator_width,
        output_width=8,
        out_min=min(low for low, _ in clamps),
        out_max=max(high for _, high in clamps),
        fields=fields,
        entries=entries,
        proof=NOT_PROVEN,
        window_width=frame.window_width,
        base_drop=frame.base_drop,
        shift=shift,
        multiplier_width=max(line.multiplier for line in lines).bit_length(),
        low_width=widths["multiplier"],
        digits=digits,
        sum_width=max(signed_width(sums), shift + 1),
        offset_drop=drop,
        threshold_drop=threshold_drop if select else 0,
        threshold=stored[0] if select else -1,
        signed_select=select,
        saturates=(below, above),
        entry_clamp=len(clamps) > 1,
    )


def _middle(low: int, high: int, zeros: int) -> int:
    """The number nearest the middle of a range that ends in so many zeros, without them."""
    value = (low + high >> 1) >> zeros
    return value if value << zeros >= low else value + 1


def signed_width(values: Iterable[int]) -> int:
    """Bits in two's complement that hold all the values."""
    return 1 + max((value if value >= 0 else ~value).bit_length() for value in values)


def cost(plan: RequantiserPlan) -> int:
    """Roughly look-up tables: rows, chains and choices as counted, a hard multiplier as 120, a table bit as one."""
    adders = (plan.sum_width - plan.sum_operands[1]) * (len(plan.sum_operands) - 1)
    rows = plan.digits * (plan.operand_width + 1)
    window = plan.accumulator_width + plan.window_width if plan.window_width else 0
    choice = sum(width for name, width in plan.fields if name in ("negative", "threshold"))
    return 120 * plan.multipliers + adders + rows + choice + window + plan.entry_width
