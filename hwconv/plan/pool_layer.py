"""Averages and means as depthwise convolutions with weights of 1, for engines that run several layers."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..errors import UnsupportedError
from ..golden.pool import divide, rescaled
from ..golden.requantise import requantise_channel
from ..layer import Layer, LayerParameters
from ..pool import PoolSpec
from ..spec import dtype_range
from .pool import window_spec

TYPES = ("int8", "uint8")
ONE = (1 << 31) - 1
"""The largest Q31 number."""
MORE = 4
"""Multipliers above that of one part that are tried: ties of negative sums go away from zero with a little more."""


@lru_cache(maxsize=64)
def pool_layer(spec: PoolSpec) -> Layer:
    """The convolution that equals a pooling layer for every input.

    It adds all elements of a window; its requantisation is compared with the definition for every sum that there is.

    Raises
    ------
    UnsupportedError
        The largest element of a window; pads, whose windows have several counts; other types than these two; an average
        that no multiplier gives for every sum.
    """
    if spec.kind == "max":
        raise UnsupportedError(spec.name, "kind", spec.kind, "average or mean in a program")
    if any(spec.padding):
        raise UnsupportedError(spec.name, "padding", tuple(spec.padding), "none in a program")
    if spec.dtype not in TYPES:
        raise UnsupportedError(spec.name, "dtype", spec.dtype, "int8 or uint8 in a program")
    count = spec.kernel[0] * spec.kernel[1]
    mean = spec.kind == "mean"
    windows = replace(
        window_spec(spec),
        # Of an average, input and output have the same zero point, and it makes no difference which.
        input_zero_point=spec.input_zero_point if mean else 0,
        output_zero_point=spec.output_zero_point if mean else 0,
        requantisation="tflite",
        activation_min=spec.activation_min,
        activation_max=spec.activation_max,
    )
    least, most = dtype_range(spec.dtype)
    totals = np.arange(least * count, most * count + 1, dtype=np.int64)
    right = np.clip(rescaled(spec, totals) if mean else divide(totals, count), spec.activation_min, spec.activation_max)
    # Without a shift there is one rounding.
    whole = -(-(1 << 31) // count)
    tried = [(spec.multiplier, spec.shift)] if mean else [(min(whole + more, ONE), 0) for more in range(MORE)]
    for multiplier, shift in tried:
        parameters = LayerParameters(
            weights=np.ones(windows.weight_shape, np.int8),
            bias=np.zeros(windows.out_channels, np.int64),
            multiplier=np.full(windows.out_channels, multiplier, np.int64),
            shift=np.full(windows.out_channels, shift),
        )
        layer = Layer(windows, parameters)
        sums = totals - count * windows.input_zero_point
        if np.array_equal(requantise_channel(windows, layer.parameters, 0, sums), right):
            return layer
    raise UnsupportedError(spec.name, "elements of a window", count, "such as one multiplier divides by for every sum")
