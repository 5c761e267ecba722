"""A layer with more input channels than it has: those beyond its own have weights of zero."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..layer import Layer


@lru_cache(maxsize=64)
def padded(layer: Layer, channels: int) -> Layer:
    """The layer with so many input channels; what the further ones hold makes no difference."""
    spec, weights = layer.spec, layer.parameters.weights
    more = channels - spec.in_channels
    if more <= 0:
        return layer
    filled = np.pad(weights, ((0, 0), (0, 0), (0, 0), (0, more)), constant_values=spec.weight_zero_point)
    parameters = replace(layer.parameters, weights=filled)
    return replace(layer, spec=replace(spec, in_channels=channels), parameters=parameters)
