"""Operators of a ``.tflite`` model with a constant for each channel: a batch normalisation that no convolution took in.

``MUL`` by constants is a depthwise 1x1 convolution. ``ADD`` of constants is an addition like others: its second operand
is a frame in which each channel has its constant, as a depthwise 1x1 convolution with weights of 0 makes it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ..add import ADD_DTYPES
from ..errors import one_of
from ..golden.requantise import quantise_multiplier
from ..layer import Layer, LayerParameters
from ..spec import ConvSpec
from .tflite_file import Tensor
from .tflite_operator import OperatorReader
from .tflite_steps import of_each_channel

ELEMENTWISE = ("ADD", "MUL")


def product_of(reader: OperatorReader, name: str, x: Tensor, factors: Tensor, y: Tensor) -> Layer:
    """``m(x - zx)(w - zw) + zy``.

    The real multiplier ``sx * sw / sy`` is a double of int8 (tensorflow/lite/micro/kernels/mul_common.cc), a float of
    uint8 (tensorflow/lite/kernels/mul.cc).
    """
    for tensor in (x, factors, y):
        if tensor.dtype not in ADD_DTYPES or tensor.dtype != x.dtype:
            supported = f"{one_of(ADD_DTYPES)}, the same for factors and product"
            reader.refuse(f"type of tensor {tensor.index}", tensor.dtype, supported)
    low, high = reader.clamp(y)
    spec = of_each_channel(
        reader,
        name,
        x,
        weight_dtype=factors.dtype,
        weight_zero_point=reader.zero_point(factors),
        output_zero_point=reader.zero_point(y),
        activation_min=low,
        activation_max=high,
        output_dtype=y.dtype,
    )
    kind = np.float64 if x.dtype == "int8" else np.float32
    one, other, made = (kind(reader.scales(each, 1)[0]) for each in (x, factors, y))
    with np.errstate(over="ignore"):
        scale = float(one * other / made)
    return _layer(reader, spec, scale, weights=_constants(reader, x, factors))


def frame_of(reader: OperatorReader, name: str, x: Tensor, constants: Tensor) -> Layer:
    """A frame of the size of another one, in which every pixel has the same constants."""
    zero_point = reader.zero_point(constants)
    spec = of_each_channel(reader, name, x, output_zero_point=zero_point, output_dtype=x.dtype)
    return _layer(reader, spec, 1.0, bias=_constants(reader, x, constants).astype(np.int64) - zero_point)


def _constants(reader: OperatorReader, x: Tensor, tensor: Tensor) -> NDArray[np.integer]:
    """One for each channel, from one for all or from as many."""
    values, channels = tensor.constant(), x.shape[-1]
    assert values is not None
    if values.size not in (1, channels) or values.size != math.prod(tensor.shape[-1:]) or values.ndim > len(x.shape):
        supported = f"one constant, or one for each of {channels} channels"
        reader.refuse(f"shape of tensor {tensor.index}", tensor.shape, supported)
    return np.broadcast_to(values.reshape(-1), channels)


def _layer(
    reader: OperatorReader,
    spec: ConvSpec,
    scale: float,
    *,
    weights: NDArray[np.integer] | None = None,
    bias: NDArray[np.int64] | None = None,
) -> Layer:
    """Without weights, these are 0."""
    multiplier, shift = quantise_multiplier(scale)
    parameters = LayerParameters(
        weights=np.zeros(spec.weight_shape, np.int8) if weights is None else weights.reshape(spec.weight_shape),
        bias=bias,
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
    )
    return Layer(spec, parameters, f"{reader.model.path.name}, operator {reader.index} ({reader.operator})")
