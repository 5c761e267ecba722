"""The golden model: what every engine must equal, in numpy and nothing else.

:func:`run` computes a layer. :mod:`~hwconv.golden.convolution` is the sum, :mod:`~hwconv.golden.requantise` what
becomes of it.
"""

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer
from .convolution import accumulate, accumulate_fast
from .requantise import requantise

__all__ = ["run"]


def run(layer: Layer, x: NDArray[np.integer], fast: bool = True) -> NDArray[np.integer]:
    """Computes a layer on frames.

    Parameters
    ----------
    layer:
        The layer.
    x:
        ``(N, H, W, C)`` in the storage type of ``spec.input_dtype``.
    fast:
        Whether to use :func:`~hwconv.golden.convolution.accumulate_fast` rather than the definition.

    Returns
    -------
    ``(N, OH, OW, O)`` in ``spec.output_dtype``.

    Raises
    ------
    SpecError
        Input of the wrong type, shape or range; data whose accumulators leave what the requantisation is defined for.
    """
    sum_up = accumulate_fast if fast else accumulate
    acc = sum_up(layer.spec, layer.parameters.weights, layer.parameters.biases, x)
    return requantise(layer.spec, layer.parameters, acc)
