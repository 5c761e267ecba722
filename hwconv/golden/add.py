"""The sum of two frames, from the definition: see :class:`~hwconv.add.AddSpec`."""

import numpy as np
from numpy.typing import NDArray

from ..add import LEFT_SHIFT, AddSpec
from ..errors import SpecError
from .requantise import doubling_high_multiply, rounding_right_shift

Int64 = NDArray[np.int64]


def scaled(values: Int64, multiplier: int, shift: int) -> Int64:
    """``MultiplyByQuantizedMultiplierSmallerThanOneExp``: `values` are int32, the exponent is not positive."""
    high = doubling_high_multiply(values, np.asarray(multiplier, np.int64))
    return rounding_right_shift(high, np.asarray(-shift, np.int64))


def operand(spec: AddSpec, index: int, x: NDArray[np.integer]) -> Int64:
    """What an operand's values add to the sum."""
    centred = x.astype(np.int64) - spec.input_zero_points[index]
    return scaled(centred << LEFT_SHIFT, spec.multipliers[index], spec.shifts[index])


def output(spec: AddSpec, total: Int64) -> Int64:
    """What becomes of a sum."""
    moved = scaled(total, spec.output_multiplier, spec.output_shift) + spec.output_zero_point
    result: Int64 = np.clip(moved, spec.activation_min, spec.activation_max)
    return result


def run(spec: AddSpec, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.integer]:
    """Adds frames.

    Parameters
    ----------
    a, b:
        ``(N, H, W, C)`` in the specification's type.

    Returns
    -------
    ``(N, H, W, C)`` in that type.

    Raises
    ------
    SpecError
        Input of another type or shape.
    """
    for x in (a, b):
        if x.dtype != spec.dtype or x.ndim != 4 or x.shape[1:] != spec.shape or len(x) != len(a):
            expected = "{} of shape (N, {}, {}, {})".format(spec.dtype, *spec.shape)
            raise SpecError(spec.name, "input", f"{x.dtype} of shape {x.shape}", expected)
    return output(spec, operand(spec, 0, a) + operand(spec, 1, b)).astype(spec.dtype)
