"""Exact statistics of several passes over the same frame, from their definition."""

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..mc_statistics import StatisticsSpec
from .dropout import check_frames


def run(spec: StatisticsSpec, x: NDArray[np.int8]) -> NDArray[np.int32]:
    """The two integers of each value; see :class:`~hwconv.mc_statistics.StatisticsSpec`.

    Parameters
    ----------
    spec:
        The block.
    x:
        ``(R * passes, H, W, C)`` int8: the passes of each of R results, one after the other.

    Returns
    -------
    ``(R, H, W, C, 2)`` int32.

    Raises
    ------
    SpecError
        Frames of another type or shape, or a number of them that is no multiple of the passes.
    """
    check_frames(spec.name, x, spec.frame_shape)
    if len(x) % spec.passes:
        raise SpecError(spec.name, "input", f"{len(x)} frames", f"a multiple of {spec.passes} passes")
    passes = x.reshape(-1, spec.passes, *spec.frame_shape).astype(np.int64)
    total = passes.sum(axis=1)
    second = (passes**2).sum(axis=1)
    if spec.statistics == "variance":
        second = spec.passes * second - total**2
    return np.stack([total, second], axis=-1).astype(np.int32)
