"""Pooling, from the definition: see :class:`~hwconv.pool.PoolSpec`."""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..pool import PoolSpec


def divide(total: NDArray[np.int64], count: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """``total / count`` rounded to nearest, half away from zero: what an average is."""
    magnitude = (2 * np.abs(total) + count) // (2 * count)
    quotient: NDArray[np.int64] = np.where(total < 0, -magnitude, magnitude)
    return quotient


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
        else:
            out[:, row, column] = divide(window.sum(axis=(1, 2)), window.shape[1] * window.shape[2])
    return np.clip(out, spec.activation_min, spec.activation_max).astype(spec.dtype)
