"""Larger frames of smaller ones, from the definition: see :class:`~hwconv.upscale.UpscaleSpec`."""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..upscale import UpscaleSpec


def run(spec: UpscaleSpec, x: NDArray[np.integer]) -> NDArray[np.integer]:
    """Enlarges frames.

    Parameters
    ----------
    x:
        ``(N, H, W, C)`` in the specification's type.

    Returns
    -------
    ``(N, OH, OW, OC)`` in that type.

    Raises
    ------
    SpecError
        Input of another type or shape.
    """
    if x.dtype != spec.dtype or x.ndim != 4 or x.shape[1:] != spec.input_shape:
        expected = "{} of shape (N, {}, {}, {})".format(spec.dtype, *spec.input_shape)
        raise SpecError(spec.name, "input", f"{x.dtype} of shape {x.shape}", expected)
    down, across = spec.factor
    height, width, channels = spec.output_shape
    row, column, channel = np.ogrid[:height, :width, :channels]
    if spec.kind == "depth_to_space":
        piece = row % down * across + column % across
        channel = piece * channels + channel if spec.order == "DCR" else channel * down * across + piece
    return x[:, row // down, column // across, channel]
