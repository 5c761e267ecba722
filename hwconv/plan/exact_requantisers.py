"""Requantisers that compute a mode's definition step by step: for 16-bit outputs, and where no narrow unit exists."""

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UnsupportedError
from .formats import signed_bits
from .narrow import MULTIPLIER_LIMIT, NOT_PROVEN, Channel, signed_width
from .requantiser_config import MANTISSA, WIDE_OPERAND, RequantiserPlan
from .requantiser_model import pack

LARGEST_SCALE = float(1 << 10)
"""A scale beyond this saturates every output but that of 0, as this one does."""
LEAST_SCALE = 2.0**-32
"""A scale below this makes every output 0: an accumulator is at most ``2**31`` in magnitude."""

Row = dict[str, int]


def plan_exact(channels: Sequence[Channel], accumulator_width: int, output_width: int) -> RequantiserPlan:
    """The exact unit of the channels' scheme; not proven.

    Raises
    ------
    UnsupportedError
        The channels have no scheme that there is a unit for: names one of them.
    """
    schemes: tuple[tuple[Callable[[Channel], object], Callable[..., RequantiserPlan]], ...] = (
        (lambda channel: channel.exact, _plan_wide),
        (lambda channel: channel.single, _plan_single),
        (lambda channel: channel.scale if output_width == 8 else None, _plan_float),
    )
    for scheme, build in schemes:
        if all(scheme(channel) is not None for channel in channels):
            return build(channels, accumulator_width, output_width)
    name = next(item.name for item in channels if item.exact is None)
    if output_width != 8:
        what = "tflite, tflite16, or shift by at most 15 to the left, with int16 outputs"
        raise UnsupportedError(name, "requantisation", "no exact unit", what)
    what = f"a straight line with a multiplier of {MULTIPLIER_LIMIT} bits, or a scheme that has an exact unit"
    raise UnsupportedError(name, "requantisation", "no narrow unit", what)


def _plan_wide(channels: Sequence[Channel], accumulator_width: int, output_width: int) -> RequantiserPlan:
    """TensorFlow Lite's scheme with two roundings."""
    schemes = [channel.exact for channel in channels if channel.exact is not None]
    rows = [
        {"bias": -channel.zero, "multiplier": multiplier, "left": max(shift, 0), "right": max(-shift, 0)}
        for channel, (multiplier, shift, _) in zip(channels, schemes, strict=True)
    ]
    widths = {"bias": _width(rows, "bias"), "multiplier": WIDE_OPERAND} | _shift_widths(rows, "left", "right")
    zero_points = [zero_point for _, _, zero_point in schemes]
    return _assemble("wide", channels, zero_points, rows, widths, accumulator_width, output_width,
                     biased_width=max(WIDE_OPERAND, _biased(channels)))  # fmt: skip


def _plan_single(channels: Sequence[Channel], accumulator_width: int, output_width: int) -> RequantiserPlan:
    """One product and one rounding, both with the bias in the offset."""
    schemes = [channel.single for channel in channels if channel.single is not None]
    least = min(right for _, right, _ in schemes)
    rows, sums = [], [0]
    for channel, (multiplier, right, _) in zip(channels, schemes, strict=True):
        offset = (1 << right >> 1) - channel.zero * multiplier
        rows.append({"multiplier": multiplier, "offset": offset, "right": right - least})
        sums += [multiplier * end + offset for end in (channel.low, channel.high)]
    widths = {name: _width(rows, name) for name in ("multiplier", "offset")} | _shift_widths(rows, "right")
    zero_points = [zero_point for _, _, zero_point in schemes]
    return _assemble("single", channels, zero_points, rows, widths, accumulator_width, output_width,
                     shift=least, sum_width=max(signed_width(sums), least + 1))  # fmt: skip


def _plan_float(channels: Sequence[Channel], accumulator_width: int, output_width: int) -> RequantiserPlan:
    """Float32, as whole numbers: the scale is ``multiplier * 2**-(shift + right)``."""
    schemes = [channel.scale for channel in channels if channel.scale is not None]
    parts = [_mantissa(scale) for scale, _ in schemes]
    least = min((right for multiplier, right in parts if multiplier), default=MANTISSA)
    rows = [
        {"bias": -channel.zero, "multiplier": multiplier, "right": right - least if multiplier else 0}
        for channel, (multiplier, right) in zip(channels, parts, strict=True)
    ]
    widths = {name: _width(rows, name) for name in ("bias", "multiplier")} | _shift_widths(rows, "right")
    return _assemble("float", channels, [zero_point for _, zero_point in schemes], rows, widths, accumulator_width,
                     output_width, shift=least, biased_width=_biased(channels))  # fmt: skip


def _mantissa(scale: float) -> tuple[int, int]:
    """A float32 as an integer of 24 bits and the power of two that divides it."""
    if scale < LEAST_SCALE:
        return 0, 0
    multiplier, divisor = min(scale, LARGEST_SCALE).as_integer_ratio()
    spare = MANTISSA - multiplier.bit_length()
    return multiplier << spare, divisor.bit_length() - 1 + spare


def _assemble(
    kind: str,
    channels: Sequence[Channel],
    zero_points: Sequence[int],
    rows: Sequence[Row],
    widths: Row,
    accumulator_width: int,
    output_width: int,
    **numbers: Any,
) -> RequantiserPlan:
    """Packs entries. Zero point and clamp are fields only where channels differ in them."""
    endings = [
        {"zero_point": zero_point, "minimum": channel.out_min, "maximum": channel.out_max}
        for channel, zero_point in zip(channels, zero_points, strict=True)
    ]
    common = all(ending == endings[0] for ending in endings)
    if not common:
        widths = widths | {"zero_point": output_width + 2, "minimum": output_width, "maximum": output_width}
    fields = tuple((name, width) for name, width in widths.items() if width)
    return RequantiserPlan(
        kind=kind,
        style="block",
        accumulator_width=accumulator_width,
        output_width=output_width,
        out_min=min(channel.out_min for channel in channels),
        out_max=max(channel.out_max for channel in channels),
        fields=fields,
        entries=tuple(pack(fields, row | ending) for row, ending in zip(rows, endings, strict=True)),
        proof=NOT_PROVEN,
        entry_clamp=not common,
        output_zero_point=zero_points[0] if common else 0,
        **numbers,
    )


def _width(rows: Sequence[Row], name: str) -> int:
    return signed_width(row[name] for row in rows)


def _shift_widths(rows: Sequence[Row], *names: str) -> Row:
    """Bits of the fields of shifts, which are not signed; none where nothing is ever shifted."""
    return {name: max(row[name] for row in rows).bit_length() for name in names}


def _biased(channels: Sequence[Channel]) -> int:
    """Bits of every accumulator with its bias."""
    return signed_bits(min(item.low - item.zero for item in channels), max(item.high - item.zero for item in channels))


def plan_none(channels: Sequence[Channel], accumulator_width: int) -> RequantiserPlan:
    """The accumulator and its bias; not proven."""
    fields = (("bias", signed_width(-channel.zero for channel in channels)),)
    return RequantiserPlan(
        kind="none",
        style="block",
        accumulator_width=accumulator_width,
        output_width=32,
        out_min=-(1 << 31),
        out_max=(1 << 31) - 1,
        fields=fields,
        entries=tuple(pack(fields, {"bias": -channel.zero}) for channel in channels),
        proof=NOT_PROVEN,
    )
