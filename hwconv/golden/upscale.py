"""Larger frames of smaller ones, from the definition: see :class:`~hwconv.upscale.UpscaleSpec`."""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..upscale import UpscaleSpec


def run(spec: UpscaleSpec, x: NDArray[np.integer]) -> NDArray[np.int8]:
    """Enlarges frames.

    Parameters
    ----------
    x:
        ``(N, H, W, C)`` int8.

    Returns
    -------
    ``(N, OH, OW, OC)`` int8.

    Raises
    ------
    SpecError
        Input of another type or shape.
    """
    if x.dtype != np.int8 or x.ndim != 4 or x.shape[1:] != spec.input_shape:
        expected = "int8 of shape (N, {}, {}, {})".format(*spec.input_shape)
        raise SpecError(spec.name, "input", f"{x.dtype} of shape {x.shape}", expected)
    down, across = spec.factor
    height, width, channels = spec.output_shape
    row, column, channel = np.ogrid[:height, :width, :channels]
    if spec.kind == "depth_to_space":
        piece = row % down * across + column % across
        channel = piece * channels + channel if spec.order == "DCR" else channel * down * across + piece
    found: NDArray[np.int8] = x[:, row // down, column // across, channel].astype(np.int8)
    return found
