"""What every front end hands over: a layer, and the tensors that may have come with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer


@dataclass(frozen=True, eq=False)
class LayerFile:
    """A layer read from a file.

    Parameters
    ----------
    layer:
        The layer.
    input:
        ``(N, H, W, C)`` in the storage type of the layer's input, or ``None``.
    expected:
        ``(N, OH, OW, O)`` in the layer's output type, or ``None``. Not computed by this project.
    """

    layer: Layer
    input: NDArray[np.integer] | None = None
    expected: NDArray[np.integer] | None = None
