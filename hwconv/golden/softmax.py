"""Softmax on int8 as TensorFlow Lite Micro computes it, from the definition: see :class:`~hwconv.host.Softmax`.

``Softmax`` in tensorflow/lite/kernels/internal/reference/softmax.h, and of gemmlowp's fixedpoint/fixedpoint.h
``exp_on_negative_values`` and ``one_over_one_plus_x_for_x_in_0_1``. A number with `n` integer bits is an int32 that
stands for itself times ``2**(n - 31)``; the comments say Qn for it. Products are
:func:`~hwconv.golden.requantise.doubling_high_multiply`, whose integer bits are the sum of those of its factors.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..host import DIFFERENCE_BITS, MAX_SOFTMAX_CHANNELS, Softmax
from ..layer import INT32
from ..spec import dtype_range
from .requantise import doubling_high_multiply, rounding_right_shift

Int64 = NDArray[np.int64]

_SUM_BITS = 12
"""Integer bits of a sum of exponentials (``kAccumulationIntegerBits``)."""
LIMIT = 512
"""Of a sum of exponentials: from there on the last rounding shift is beyond the 31 bits of ``RoundingDivideByPOT``."""
_EXP_MINUS_EIGHTH = 1895147668
"""``exp(-1/8)`` in Q0."""
_THIRD = 715827883
"""``1/3`` in Q0."""
_EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""``exp(-2**k)`` in Q0 for k from -2 to 4."""
_48_OVER_17 = 1515870810
_MINUS_32_OVER_17 = -1010580540
"""Where Newton's iteration for a reciprocal begins, both in Q2."""


def times(a: Int64, b: Int64 | int) -> Int64:
    """The product of two numbers in fixed point."""
    return doubling_high_multiply(a, np.asarray(b, np.int64))


def shifted(values: Int64, left: int) -> Int64:
    """Times ``2**left``: saturating to the left, rounded to nearest with ties away from zero to the right."""
    if left < 0:
        return rounding_right_shift(values, np.asarray(-left, np.int64))
    moved: Int64 = np.clip(values << left, *INT32)
    return moved


def exp_on_negative_values(values: Int64) -> Int64:
    """``exp(a)`` in Q0 for ``a <= 0`` in Q5.

    ``a`` is a multiple of -1/4 and a rest from -1/4 to 0: a product of ``exp(-2**k)``, one for each bit of that,
    and of a polynomial of the rest.
    """
    fraction = 31 - DIFFERENCE_BITS
    quarter = 1 << fraction - 2
    rest = (values & quarter - 1) - quarter
    result = _exp_of_rest(shifted(rest, DIFFERENCE_BITS))
    multiple = rest - values
    for exponent, factor in enumerate(_EXP_MINUS_POWERS, start=-2):
        result = np.where(multiple & (1 << fraction + exponent), times(result, factor), result)
    return np.where(values == 0, INT32[1], result)


def _exp_of_rest(a: Int64) -> Int64:
    """``exp(a)`` for ``-1/4 <= a < 0``, all in Q0: four terms of Taylor's series around -1/8."""
    x = a + (1 << 28)
    squared = times(x, x)
    fourth = shifted(times(squared, squared), -2)
    tail = shifted(times(fourth + times(squared, x), _THIRD) + squared, -1)  # x**4 / 24 + x**3 / 6 + x**2 / 2
    return _EXP_MINUS_EIGHTH + times(x + tail, _EXP_MINUS_EIGHTH)


def one_over_one_plus_x(values: Int64) -> Int64:
    """``1 / (1 + x)`` for ``0 <= x < 1``, both in Q0: three steps of Newton's iteration."""
    half = (values + INT32[1] + 1) // 2  # (1 + x) / 2; the sum is positive, and so rounds half up
    x = _48_OVER_17 + times(half, _MINUS_32_OVER_17)
    for _ in range(3):
        x = x + shifted(times(x, (1 << 29) - times(half, x)), 2)
    return shifted(x, 1)  # twice the reciprocal of a half: in Q1 without a shift, then to Q0


def reciprocal(total: Int64) -> tuple[Int64, Int64]:
    """``GetReciprocal``: of a sum in Q12, ``r`` in Q0 and ``n`` with ``1 / total = r / 2**n``."""
    headroom = np.zeros_like(total)  # leading zeros of 32 bits
    for bit in range(32):
        headroom = np.where(total < 1 << bit, np.maximum(headroom, 32 - bit), headroom)
    return one_over_one_plus_x((total << headroom) - (1 << 31)), _SUM_BITS - headroom


def run(spec: Softmax, x: NDArray[np.integer]) -> NDArray[np.integer]:
    """Softmax over the last axis.

    Parameters
    ----------
    x:
        Of the specification's type, of at most :data:`~hwconv.host.MAX_SOFTMAX_CHANNELS` values along the last axis.

    Raises
    ------
    SpecError
        Input of another type or too many values; a row of so many nearly equal values that its sum reaches
        :data:`LIMIT`.
    """
    if x.dtype != spec.dtype or x.ndim < 1 or not 1 <= x.shape[-1] <= MAX_SOFTMAX_CHANNELS:
        expected = f"{spec.dtype}, of 1 to {MAX_SOFTMAX_CHANNELS} values along the last axis"
        raise SpecError("softmax", "input", f"{x.dtype} of shape {x.shape}", expected)
    values = x.astype(np.int64)
    difference = values - values.max(axis=-1, keepdims=True)
    counted = difference >= spec.smallest_difference
    scaled = times(np.where(counted, difference, 0) << spec.left_shift, spec.multiplier)
    exponential = exp_on_negative_values(scaled)
    total = np.where(counted, shifted(exponential, -_SUM_BITS), 0).sum(axis=-1, keepdims=True)
    if (total >= LIMIT << 31 - _SUM_BITS).any():
        largest = float(total.max()) / (1 << 31 - _SUM_BITS)
        raise SpecError("softmax", "sum of exponentials", largest, f"below {LIMIT}, for which the kernel is defined")
    scale, bits = reciprocal(total)
    # Q0 with `bits` bits over one, to eight bits below one
    quotient = rounding_right_shift(times(exponential, scale), bits + 31 - 8)
    low, high = dtype_range(spec.dtype)
    return np.where(counted, np.clip(quotient + low, low, high), low).astype(spec.dtype)
