"""From accumulator to output: the five requantisation modes, each a total function on integers.

============ ==========================================================================================================
``tflite``   Saturating rounding doubling high multiply by a Q31 multiplier, then a rounding right shift with ties away
             from zero; a positive shift is applied to the left, first (``MultiplyByQuantizedMultiplier`` on int32 in
             tensorflow/lite/kernels/internal/common.cc, the variant with two roundings).
``tflite16`` The multiplier rounded to 16 bits, one product, one rounding right shift with ties upwards (the same
             function on int64: int16 activations with a 64-bit bias).
``onnx``     ``round(float32(acc) * scale)`` in float32, ties to even (QLinearConv as onnxruntime computes it).
``shift``    A rounding right shift by ``-shift`` with ties upwards; a positive shift goes to the left.
``none``     The accumulator itself, as int32 (ConvInteger).
============ ==========================================================================================================

In every mode but ``none`` the output zero point is then added and the result clamped to ``activation_min`` and
``activation_max``. Every mode is monotone in the accumulator.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import SpecError
from ..layer import ACCUMULATOR_16, INT32, LayerParameters
from ..spec import ConvSpec


def quantise_multiplier(scale: float) -> tuple[int, int]:
    """Splits a scale into a Q31 multiplier and a shift, ``scale = multiplier * 2**(shift - 31)``, positive is left.

    Follows ``QuantizeMultiplier`` in tensorflow/lite/kernels/internal/quantization_util.cc: ``frexp``, the mantissa
    rounded to 31 bits with ties away from zero, scales below ``2**-32`` become 0, and those above ``2**30`` saturate.

    Raises
    ------
    SpecError
        A scale that is negative or not finite.
    """
    if not math.isfinite(scale) or scale < 0:
        raise SpecError("quantise_multiplier", "scale", scale, "finite and not negative")
    mantissa, shift = math.frexp(scale)
    multiplier = math.floor(mantissa * (1 << 31) + 0.5)  # exact: a float64 mantissa has 53 bits
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    if multiplier == 0 or shift < -31:
        return 0, 0
    return (INT32[1], 30) if shift > 30 else (multiplier, shift)


def requantise(spec: ConvSpec, parameters: LayerParameters, acc: NDArray[np.int64]) -> NDArray[np.integer]:
    """Turns accumulators into outputs.

    Parameters
    ----------
    spec:
        Names the mode, the output zero point, the clamp and the output type.
    parameters:
        ``multiplier``, ``shift``, ``scale`` as the mode needs them, of ``(O,)`` or one element.
    acc:
        ``(..., O)`` int64.

    Returns
    -------
    The shape of ``acc`` in ``spec.output_dtype``.

    Raises
    ------
    SpecError
        A value that leaves the range that the mode is defined for: int32, 48 bits for ``tflite16``.
    """
    return _output(spec, acc, parameters.multiplier, parameters.shift, parameters.scale)


def requantise_channel(
    spec: ConvSpec, parameters: LayerParameters, channel: int, acc: NDArray[np.int64]
) -> NDArray[np.integer]:
    """:func:`requantise` for accumulators of one output channel, in an array of any shape."""
    constants = (parameters.multiplier, parameters.shift, parameters.scale)
    chosen = [None if values is None else values[channel % len(values)] for values in constants]
    return _output(spec, acc, *chosen)


def _output(
    spec: ConvSpec,
    acc: NDArray[np.int64],
    multiplier: ArrayLike | None,
    shift: ArrayLike | None,
    scale: ArrayLike | None,
) -> NDArray[np.integer]:
    acc = np.asarray(acc, np.int64)
    mode = spec.requantisation
    _check_range(spec, "accumulator", acc, ACCUMULATOR_16 if mode == "tflite16" else INT32)
    if mode == "none":
        return acc.astype(np.int32)
    if mode == "onnx":
        scaled = _by_float_scale(spec, acc, np.asarray(_given(spec, "scale", scale), np.float32))
        return _clamp(spec, scaled)
    shifts = np.asarray(_given(spec, "shift", shift), np.int64)
    if mode == "shift":
        scaled = _by_shift(_shift_left(spec, acc, shifts), shifts)
        return _clamp(spec, scaled)
    multipliers = np.asarray(_given(spec, "multiplier", multiplier), np.int64)
    if mode == "tflite16":
        scaled = by_reduced_multiplier(acc, multipliers, shifts)
        _check_range(spec, "scaled accumulator", scaled, INT32)
        return _clamp(spec, scaled)
    high = doubling_high_multiply(_shift_left(spec, acc, shifts), multipliers)
    return _clamp(spec, rounding_right_shift(high, np.maximum(-shifts, 0)))


def _clamp(spec: ConvSpec, scaled: NDArray[np.int64]) -> NDArray[np.integer]:
    return np.clip(scaled + spec.output_zero_point, spec.activation_min, spec.activation_max).astype(spec.output_dtype)


def _shift_left(spec: ConvSpec, acc: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
    shifted = np.left_shift(acc, np.maximum(shift, 0))
    _check_range(spec, "accumulator shifted left", shifted, INT32)
    return shifted


def _given(spec: ConvSpec, field: str, values: ArrayLike | None) -> ArrayLike:
    if values is None:
        raise SpecError(spec.name, field, None, f"given with requantisation {spec.requantisation}")
    return values


def _check_range(spec: ConvSpec, what: str, values: NDArray[np.int64], limits: tuple[int, int]) -> None:
    if values.size:
        for value in (int(values.min()), int(values.max())):
            if not limits[0] <= value <= limits[1]:
                raise SpecError(spec.name, what, value, f"from {limits[0]} to {limits[1]}")


def doubling_high_multiply(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """``SaturatingRoundingDoublingHighMul`` of gemmlowp for int32 ``a`` and ``0 <= b < 2**31``, in int64.

    ``(a * b + nudge) / 2**31`` truncated towards zero, where the nudge is ``2**30`` for products that are not negative
    and ``1 - 2**30`` for the others. (It saturates for ``a = b = -2**31`` only, which cannot be.)
    """
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return np.where(nudged >= 0, nudged >> 31, -(-nudged >> 31))


def rounding_right_shift(x: NDArray[np.int64], exponent: NDArray[np.int64]) -> NDArray[np.int64]:
    """``RoundingDivideByPOT`` of gemmlowp: ``x / 2**exponent``, rounded to nearest, ties away from zero."""
    mask = np.left_shift(np.int64(1), exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (x < 0)
    rounded: NDArray[np.int64] = np.right_shift(x, exponent) + (remainder > threshold)
    return rounded


def by_reduced_multiplier(
    acc: NDArray[np.int64], multiplier: NDArray[np.int64], shift: NDArray[np.int64]
) -> NDArray[np.int64]:
    """48-bit accumulators times 15-bit multipliers stay below ``2**63``, the rounding constant included."""
    return _round_up_at_ties(acc * reduced_multiplier(multiplier), 15 - shift)


def reduced_multiplier(multiplier: ArrayLike) -> NDArray[np.int64]:
    """A Q31 multiplier rounded to 16 bits, of which it takes 15: one from 0x7FFF0000 on would round up to ``2**15``."""
    reduced: NDArray[np.int64] = np.minimum((np.asarray(multiplier, np.int64) + (1 << 15)) >> 16, 0x7FFF)
    return reduced


def _by_shift(acc: NDArray[np.int64], shift: NDArray[np.int64]) -> NDArray[np.int64]:
    return _round_up_at_ties(acc, np.maximum(-shift, 0))


def _round_up_at_ties(x: NDArray[np.int64], exponent: NDArray[np.int64]) -> NDArray[np.int64]:
    """``floor(x / 2**exponent + 1/2)``."""
    half = np.left_shift(np.int64(1), exponent) >> 1
    return np.right_shift(x + half, exponent)


def _by_float_scale(spec: ConvSpec, acc: NDArray[np.int64], scale: NDArray[np.float32]) -> NDArray[np.int64]:
    """Float32 as in onnxruntime, which clamps before it rounds: equal, as the bounds are integers, and no infinity
    reaches the conversion.
    """
    with np.errstate(over="ignore"):
        product = acc.astype(np.float32) * scale
    low, high = (np.float32(bound - spec.output_zero_point) for bound in (spec.activation_min, spec.activation_max))
    rounded: NDArray[np.float32] = np.rint(np.clip(product, low, high))
    return rounded.astype(np.int64)
