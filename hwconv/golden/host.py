"""What the host computes around a network, from the definition: see :mod:`hwconv.host`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..host import ArgMax, Dequantise, HostOperation, Quantise, Requantise, Softmax
from ..layer import INT32
from ..spec import dtype_range
from . import softmax
from .requantise import doubling_high_multiply, rounding_right_shift


def run(operation: HostOperation, x: NDArray[Any]) -> NDArray[Any]:
    """Computes one step of the host; the shape of the result may still be changed by its tensor's.

    Raises
    ------
    SpecError
        Input of another type; floats that are not finite.
    """
    match operation:
        case Softmax():
            return softmax.run(operation, x)
        case Quantise():
            return quantise(operation, x)
        case Requantise():
            return requantise(operation, x)
        case Dequantise():
            return dequantise(operation, x)
        case ArgMax():
            indexes: NDArray[np.integer] = np.argmax(x, axis=-1).astype(operation.output_dtype)
            return indexes
        case _:
            return x


def quantise(spec: Quantise, x: NDArray[Any]) -> NDArray[np.integer]:
    """The quotient is a float32: ``AffineQuantize`` (tensorflow/lite/kernels/internal/reference/quantize.h), and
    ``QuantizeLinear`` of ONNX with ties to even.
    """
    if x.dtype != np.float32 or not np.isfinite(x).all():
        raise SpecError("quantise", "input", f"an array of {x.dtype}", "finite float32")
    with np.errstate(over="ignore"):
        quotient = (x / np.float32(spec.scale)).astype(np.float64)
    even = spec.ties == "even"
    rounded = np.rint(quotient) if even else np.copysign(np.floor(np.abs(quotient) + 0.5), quotient)
    low, high = dtype_range(spec.output_dtype)
    values: NDArray[np.integer] = np.clip(rounded + spec.zero_point, low, high).astype(spec.output_dtype)
    return values


def dequantise(spec: Dequantise, x: NDArray[Any]) -> NDArray[np.float32]:
    """``Dequantize`` (tensorflow/lite/kernels/internal/reference/dequantize.h): the product is a double."""
    values: NDArray[np.float32] = (spec.scale * (x.astype(np.int64) - spec.zero_point)).astype(np.float32)
    return values


def requantise(spec: Requantise, x: NDArray[Any]) -> NDArray[np.integer]:
    """``Requantize`` of the same file."""
    centred = x.astype(np.int64) - spec.input_zero_point
    moved = np.clip(centred << max(spec.shift, 0), *INT32)
    high = doubling_high_multiply(moved, np.asarray(spec.multiplier, np.int64))
    result = rounding_right_shift(high, np.asarray(max(-spec.shift, 0), np.int64)) + spec.output_zero_point
    return np.clip(result, *dtype_range(spec.output_dtype)).astype(spec.output_dtype)
