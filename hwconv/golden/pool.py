"""Pooling, from the definition: see :class:`~hwconv.pool.PoolSpec`."""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..pool import PoolSpec
from .requantise import doubling_high_multiply, quantise_multiplier, rounding_right_shift

LONGEST_DIVISION = 32
"""Bits by which a multiplier is moved left at most before it is divided."""


def divide(total: NDArray[np.int64], count: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """``total / count`` rounded to nearest, half away from zero: what an average is."""
    magnitude = (2 * np.abs(total) + count) // (2 * count)
    quotient: NDArray[np.int64] = np.where(total < 0, -magnitude, magnitude)
    return quotient


def mean_multiplier(scale: float, count: int) -> tuple[int, int]:
    """The multiplier and shift of a mean of `count` elements, `scale` being the input's over the output's.

    That of the scale, moved left as far as the count has bits and the shift allows, and divided without rounding
    (``QuantizedMeanOrSum`` in tensorflow/lite/kernels/internal/reference/reduce.h).

    Raises
    ------
    SpecError
        A scale that is negative or not finite.
    """
    multiplier, shift = quantise_multiplier(scale)
    moved = min(count.bit_length() - 1, LONGEST_DIVISION, 31 + shift)
    return (multiplier << moved) // count, shift - moved


def rescaled(spec: PoolSpec, total: NDArray[np.int64]) -> NDArray[np.int64]:
    """What becomes of the sum over a window of a ``mean``, before the clamp."""
    centred = total - spec.kernel[0] * spec.kernel[1] * spec.input_zero_point
    high = doubling_high_multiply(centred << max(spec.shift, 0), np.asarray(spec.multiplier, np.int64))
    return rounding_right_shift(high, np.asarray(max(-spec.shift, 0), np.int64)) + spec.output_zero_point


def run(spec: PoolSpec, x: NDArray[np.integer]) -> NDArray[np.integer]:
    """Pools frames.

    Parameters
    ----------
    x:
        ``(N, H, W, C)`` in the specification's type.

    Returns
    -------
    ``(N, OH, OW, C)`` in that type.

    Raises
    ------
    SpecError
        Input of another type or shape.
    """
    if x.dtype != spec.dtype or x.ndim != 4 or x.shape[1:] != spec.input_shape:
        expected = "{} of shape (N, {}, {}, {})".format(spec.dtype, *spec.input_shape)
        raise SpecError(spec.name, "input", f"{x.dtype} of shape {x.shape}", expected)
    values = x.astype(np.int64)
    out = np.empty((len(x), *spec.output_shape), np.int64)
    for row, column in np.ndindex(*spec.output_shape[:2]):
        top, left = row * spec.stride[0] - spec.padding.top, column * spec.stride[1] - spec.padding.left
        window = values[:, max(top, 0) : top + spec.kernel[0], max(left, 0) : left + spec.kernel[1]]
        if spec.kind == "max":
            out[:, row, column] = window.max(axis=(1, 2))
        elif spec.kind == "mean":
            out[:, row, column] = rescaled(spec, window.sum(axis=(1, 2)))
        else:
            out[:, row, column] = divide(window.sum(axis=(1, 2)), window.shape[1] * window.shape[2])
    return np.clip(out, spec.activation_min, spec.activation_max).astype(spec.dtype)
