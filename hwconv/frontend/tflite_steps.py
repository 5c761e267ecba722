"""Operators of a ``.tflite`` model that are no convolutions, each as the value that says what is computed.

All rules are those of TensorFlow Lite Micro's kernels, which the doc comments name; see docs/networks.md.
"""

import math
from typing import Any

import numpy as np
import tflite

from ..add import ADD_DTYPES, LEFT_SHIFT, AddSpec
from ..errors import one_of
from ..golden.requantise import quantise_multiplier
from ..graph import STREAM_DTYPES
from ..host import (
    DIFFERENCE_BITS,
    MAX_SOFTMAX_CHANNELS,
    ArgMax,
    Dequantise,
    HostOperation,
    Quantise,
    Requantise,
    Softmax,
)
from ..layer import Layer, LayerParameters
from ..pool import PoolSpec
from ..spec import ConvSpec, Padding, dtype_bits, dtype_range
from .tflite_file import Tensor
from .tflite_operator import OperatorReader

POOLS = {"AVERAGE_POOL_2D": "average", "MAX_POOL_2D": "max"}
PADS = ("PAD", "PADV2")
AFTER = ("SOFTMAX", "DEQUANTIZE", "ARG_MAX", "QUANTIZE")
"""Operators that the host takes after all that hardware computes; ``QUANTIZE`` also before it."""


def pool_of(reader: OperatorReader, name: str, x: Tensor, y: Tensor) -> PoolSpec:
    """Pooling (tensorflow/lite/micro/kernels/pooling_common.cc); input and output have one scale and zero point."""
    if len(x.shape) != 4:
        reader.refuse("input shape", x.shape, "four extents, NHWC")
    height, width, channels = reader.frame(x)
    options = reader.options
    reader.same_quantisation(y, x)
    kernel, stride = (options.FilterHeight(), options.FilterWidth()), (options.StrideH(), options.StrideW())
    if min(kernel + stride) < 1:
        reader.contradicts(f"has the window {kernel} and the stride {stride}")
    rules = {tflite.Padding.SAME: "same", tflite.Padding.VALID: "valid"}
    if options.Padding() not in rules:
        reader.refuse("padding", options.Padding(), "SAME, VALID")
    low, high = reader.clamp(y)
    return PoolSpec(
        name=name,
        kind=POOLS[reader.operator],
        height=height,
        width=width,
        channels=channels,
        kernel=kernel,
        stride=stride,
        padding=rules[options.Padding()],
        dtype=x.dtype,
        activation_min=low,
        activation_max=high,
    )


def add_of(
    reader: OperatorReader, name: str, operands: list[Tensor], y: Tensor, constant: Tensor | None = None
) -> AddSpec:
    """The scheme of ``CalculateOpDataAdd`` (tensorflow/lite/micro/kernels/add_common.cc), all in double.

    Operands are scaled by their scale over twice the larger one, their sum by that over ``2**20`` output scales.
    `constant`: the operand that is the same for all pixels, if one is.
    """
    frames = [reader.frame(operand) for operand in operands if operand is not constant]
    for tensor in (*operands, y):
        if tensor.dtype not in ADD_DTYPES or tensor.dtype != operands[0].dtype:
            supported = f"{one_of(ADD_DTYPES)}, the same for operands and sum"
            reader.refuse(f"type of tensor {tensor.index}", tensor.dtype, supported)
    if constant is None and operands[0].shape != operands[1].shape:
        reader.refuse("shapes", (operands[0].shape, operands[1].shape), "equal shapes, without broadcasting")
    scales = [float(reader.scales(operand, 1)[0]) for operand in operands]
    common = 2 * max(scales)
    output_scale = float(reader.scales(y, 1)[0])
    pairs = [quantise_multiplier(scale / common) for scale in scales]
    factor = common / ((1 << LEFT_SHIFT) * output_scale)
    multiplier, shift = quantise_multiplier(factor) if factor < 1 else (0, 1)
    if shift > 0:  # QuantizeMultiplierSmallerThanOneExp takes no others
        least = common / (1 << LEFT_SHIFT)
        reader.refuse(f"scale of tensor {y.index}", output_scale, f"above {least}, the larger input scale over 2**19")
    low, high = reader.clamp(y)
    height, width, channels = frames[0]
    return AddSpec(
        name=name,
        height=height,
        width=width,
        channels=channels,
        input_zero_points=(reader.zero_point(operands[0]), reader.zero_point(operands[1])),
        output_zero_point=reader.zero_point(y),
        multipliers=(pairs[0][0], pairs[1][0]),
        shifts=(pairs[0][1], pairs[1][1]),
        output_multiplier=multiplier,
        output_shift=shift,
        dtype=y.dtype,
        activation_min=low,
        activation_max=high,
    )


def check_concatenation(reader: OperatorReader, parts: list[Tensor], y: Tensor) -> None:
    """Refuses all but channels side by side, as they are (tensorflow/lite/micro/kernels/concatenation.cc)."""
    number, rank = reader.options.FusedActivationFunction(), len(y.shape)
    if number != tflite.ActivationFunctionType.NONE:
        reader.refuse("fused activation", number, "NONE")
    axis = reader.options.Axis()
    if axis not in (-1, rank - 1):
        reader.refuse("axis", axis, f"the channels, {rank - 1}")
    for part in parts:
        reader.frame(part)
        reader.same_quantisation(part, y)
        if len(part.shape) != rank:
            reader.contradicts(f"puts {part.shape} into {y.shape}")


def check_reshape(reader: OperatorReader, x: Tensor, shape: Tensor | None, y: Tensor) -> None:
    """Refuses a shape that is computed at run time or is not that of the output."""
    if math.prod(x.shape) != math.prod(y.shape):
        reader.contradicts(f"makes {y.shape} of {x.shape}")
    if shape is None:
        return
    asked = shape.constant()
    if asked is None:
        reader.refuse("shape", "computed at run time", "a constant")
    extents = [int(extent) for extent in asked.reshape(-1)]
    agrees = len(extents) == len(y.shape) and all(
        want in (-1, have) for want, have in zip(extents, y.shape, strict=True)
    )
    if not agrees:
        reader.refuse("shape", tuple(extents[:8]), f"that of the output, {y.shape}")


def pads_of(reader: OperatorReader, x: Tensor, amounts: Tensor, value: Tensor | None, y: Tensor) -> Padding:
    """Rows and columns of zero point around a frame (tensorflow/lite/micro/kernels/pad_common.cc)."""
    if len(x.shape) != 4 or len(y.shape) != 4:
        reader.refuse("input shape", x.shape, "four extents, NHWC")
    reader.same_quantisation(y, x)
    found = amounts.constant()
    if found is None:
        reader.refuse("paddings", "computed at run time", "constants")
    if amounts.dtype not in ("int32", "int64") or found.shape != (4, 2) or found.min() < 0:
        reader.contradicts(f"has paddings of shape {found.shape}, {amounts.dtype}, from {found.min()}")
    pads = [[int(number) for number in pair] for pair in found]
    if any(pads[0] + pads[3]):
        reader.refuse("paddings", pads, "of rows and columns only")
    if [extent + sum(pair) for extent, pair in zip(x.shape, pads, strict=True)] != list(y.shape):
        reader.contradicts(f"makes {y.shape} of {x.shape} with paddings {pads}")
    if value is not None:
        constant = value.constant()
        if constant is None or value.dtype != x.dtype or constant.size != 1:
            reader.refuse("value", f"no constant {x.dtype}", f"the zero point, {reader.zero_point(x)}")
        if int(constant.reshape(-1)[0]) != reader.zero_point(x):
            reader.refuse("value", int(constant.reshape(-1)[0]), f"the zero point, {reader.zero_point(x)}")
    return Padding(*pads[1], *pads[2])


def rescaled(reader: OperatorReader, name: str, x: Tensor, y: Tensor) -> Layer:
    """Another scale, zero point or type (``Requantize`` in quantize_common.cc of tensorflow/lite/micro/kernels).

    ``m(x - zx) + zy`` is what a depthwise 1x1 convolution with weights of 1 and no bias computes.
    """
    _check_requantised(reader, x, y)
    spec = of_each_channel(reader, name, x, output_zero_point=reader.zero_point(y), output_dtype=y.dtype)
    multiplier, shift = quantise_multiplier(float(reader.scales(x, 1)[0]) / float(reader.scales(y, 1)[0]))
    parameters = LayerParameters(
        weights=np.ones(spec.weight_shape, np.int8),
        multiplier=np.array([multiplier], np.int32),
        shift=np.array([shift], np.int32),
    )
    return Layer(spec, parameters, f"{reader.model.path.name}, operator {reader.index} ({reader.operator})")


def of_each_channel(reader: OperatorReader, name: str, x: Tensor, **fields: Any) -> ConvSpec:
    """A depthwise 1x1 convolution of a frame."""
    height, width, channels = reader.frame(x)
    return ConvSpec(
        name=name,
        height=height,
        width=width,
        in_channels=channels,
        out_channels=channels,
        groups=channels,
        kernel=(1, 1),
        input_zero_point=reader.zero_point(x),
        input_dtype=x.dtype,
        **fields,
    )


def host_operation(reader: OperatorReader, x: Tensor, y: Tensor) -> HostOperation:
    """An operator of the host; its tensors' shapes are checked."""
    for tensor in (x, y):
        reader.check_shape(tensor, (1, 2, 3, 4) if reader.operator == "ARG_MAX" else (2, 3, 4))
    if reader.operator != "ARG_MAX" and x.shape != y.shape:
        reader.contradicts(f"makes {y.shape} of {x.shape}")
    match reader.operator:
        case "SOFTMAX":
            return _softmax(reader, x, y)
        case "DEQUANTIZE":
            _types(reader, x, y, *((dtype, "float32") for dtype in STREAM_DTYPES))
            return Dequantise(scale=float(reader.scales(x, 1)[0]), zero_point=reader.zero_point(x))
        case "QUANTIZE":
            if x.dtype != "float32":
                return _requantise(reader, x, y)
            _types(reader, x, y, *(("float32", dtype) for dtype in STREAM_DTYPES))
            scale = float(reader.scales(y, 1)[0])
            return Quantise(scale=scale, zero_point=reader.zero_point(y), output_dtype=y.dtype)
        case _:
            return _arg_max(reader, x, y)


def _types(reader: OperatorReader, x: Tensor, y: Tensor, *expected: tuple[str, str]) -> None:
    if (x.dtype, y.dtype) not in expected:
        supported = one_of(f"{before} to {after}" for before, after in expected)
        reader.refuse("types", f"{x.dtype} to {y.dtype}", supported)


def _check_requantised(reader: OperatorReader, x: Tensor, y: Tensor) -> None:
    """The pairs of types between which TensorFlow Lite changes scales (tensorflow/lite/kernels/quantize.cc)."""
    pairs = [(x, y) for x in STREAM_DTYPES for y in STREAM_DTYPES if {x, y} != {"uint8", "int16"}]
    _types(reader, x, y, *pairs)


def _softmax(reader: OperatorReader, x: Tensor, y: Tensor) -> Softmax:
    """``CalculateSoftmaxParams`` and ``PreprocessSoftmaxScaling`` (softmax_common.cc, quantization_util.cc)."""
    _types(reader, x, y, ("int8", "int8"), ("uint8", "uint8"))
    if x.shape[-1] > MAX_SOFTMAX_CHANNELS:
        reader.refuse("channels", x.shape[-1], f"at most {MAX_SOFTMAX_CHANNELS}")
    reader.zero_point(x)
    made = (float(reader.scales(y, 1)[0]), reader.zero_point(y))
    least = dtype_range(y.dtype)[0]
    if made != (1 / 256, least):
        reader.refuse("scale and zero point of the output", made, f"1/256 and {least}")
    beta = float(reader.options.Beta())
    one = 1 << 31 - DIFFERENCE_BITS
    factor = beta * float(reader.scales(x, 1)[0]) * one
    if not factor > 1:  # QuantizeMultiplierGreaterThanOne
        reader.refuse("beta x input scale", factor / one, f"above {1 / one}")
    multiplier, left_shift = quantise_multiplier(min(factor, float((1 << 31) - 1)))
    reach = math.floor(((1 << DIFFERENCE_BITS) - 1) * one / (1 << left_shift))  # CalculateInputRadius
    return Softmax(multiplier=multiplier, left_shift=left_shift, smallest_difference=-reach, dtype=x.dtype)


def _requantise(reader: OperatorReader, x: Tensor, y: Tensor) -> Requantise:
    """Between integers (tensorflow/lite/micro/kernels/quantize_common.cc)."""
    _check_requantised(reader, x, y)
    factor = float(reader.scales(x, 1)[0]) / float(reader.scales(y, 1)[0])
    multiplier, shift = quantise_multiplier(factor)
    most = 30 - dtype_bits(x.dtype)  # differences have a bit more, and stay in 31 bits
    if shift > most:
        reader.refuse("input scale over output scale", factor, f"below {1 << most}")
    return Requantise(
        input_zero_point=reader.zero_point(x),
        output_zero_point=reader.zero_point(y),
        multiplier=multiplier,
        shift=shift,
        output_dtype=y.dtype,
    )


def _arg_max(reader: OperatorReader, x: Tensor, y: Tensor) -> ArgMax:
    """The last axis (tensorflow/lite/micro/kernels/arg_min_max.cc)."""
    inputs, _ = reader.tensors(2, 2)
    axis = inputs[1].constant()
    if axis is None or axis.size != 1:
        reader.refuse("axis", "computed at run time", "a constant")
    if int(axis.reshape(-1)[0]) not in (-1, len(x.shape) - 1):
        reader.refuse("axis", int(axis.reshape(-1)[0]), f"the last one, {len(x.shape) - 1}")
    pairs = [(before, after) for before in ("int8", "uint8", "float32") for after in ("int32", "int64")]
    _types(reader, x, y, *pairs)
    if math.prod(y.shape) != math.prod(x.shape[:-1]):
        reader.contradicts(f"makes {y.shape} of {x.shape}")
    return ArgMax(output_dtype=y.dtype)
