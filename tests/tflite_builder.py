"""Writes small ``.tflite`` models for tests, from the schema's own bindings and not through hwconv."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
import tflite

DTYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int32": tflite.TensorType.INT32,
    "uint8": tflite.TensorType.UINT8,
    "int64": tflite.TensorType.INT64,
    "int16": tflite.TensorType.INT16,
    "int8": tflite.TensorType.INT8,
    "int4": tflite.TensorType.INT4,
}


@dataclass
class Tensor:
    """A tensor of a model; ``data`` (an array) makes it a constant."""

    shape: Sequence[int]
    dtype: str = "int8"
    scales: Sequence[float] = (1.0,)
    zero_points: Sequence[int] = (0,)
    axis: int = 0
    data: np.ndarray | None = None
    signature: Sequence[int] = ()
    variable: bool = False


@dataclass
class Operator:
    """An operator of a model: ``CONV_2D`` and the like, numbers of tensors, and options by name."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: dict[str, float] = field(default_factory=dict)


def build(
    tensors: Sequence[Tensor],
    operators: Sequence[Operator],
    ends: tuple[Sequence[int], Sequence[int]] | None = None,
    graphs: int = 1,
) -> bytes:
    """The model whose input is tensor 0 and whose output is the last tensor, unless `ends` says others."""
    b = flatbuffers.Builder(1024)
    buffers = [_buffer(b, b"")]
    tables = []
    for tensor in tensors:
        content = b"" if tensor.data is None else _content(tensor)
        tables.append(_tensor(b, tensor, len(buffers) if content else 0))
        if content:
            buffers.append(_buffer(b, content))
    codes, calls = [], []
    for index, operator in enumerate(operators):
        number = getattr(tflite.BuiltinOperator, operator.name)
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(number, 127))
        tflite.OperatorCodeAddBuiltinCode(b, number)
        tflite.OperatorCodeAddVersion(b, 3)
        codes.append(tflite.OperatorCodeEnd(b))
        calls.append(_operator(b, operator, index))
    members = [_tables(b, part) for part in (tables, calls, codes, buffers)]
    inputs, outputs = (_integers(b, numbers) for numbers in ends or ([0], [len(tensors) - 1]))
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, members[0])
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, members[1])
    subgraphs = _tables(b, [tflite.SubGraphEnd(b)] * graphs)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, members[2])
    tflite.ModelAddSubgraphs(b, subgraphs)
    tflite.ModelAddBuffers(b, members[3])
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def build_layer(
    kind: str,
    x: Tensor,
    weights: Tensor,
    y: Tensor,
    bias: Tensor | None = None,
    **options: int,
) -> bytes:
    """A model of one operator with input, weights and bias. Options not given: VALID, stride 1, dilation 1."""
    window = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": tflite.Padding.VALID}
    defaults = {} if kind == "FULLY_CONNECTED" else window
    if kind == "TRANSPOSE_CONV":  # the output's shape comes first, as a constant, and there is no dilation
        defaults = {name: value for name, value in window.items() if "Dilation" not in name}
        size = Tensor((4,), "int32", (), (), data=np.array(y.shape, np.int32))
        tensors = [x, weights, size, *([] if bias is None else [bias]), y]
        inputs = [2, 1, 0, *([] if bias is None else [3])]
        return build(tensors, [Operator(kind, inputs, [len(tensors) - 1], {**defaults, **options})])
    tensors = [x, weights, *([] if bias is None else [bias]), y]
    inputs = [0, 1, -1 if bias is None else 2]
    return build(tensors, [Operator(kind, inputs, [len(tensors) - 1], {**defaults, **options})])


def _content(tensor: Tensor) -> bytes:
    if tensor.dtype == "int4":  # two per byte, the first in the low half
        nibbles = [int(value) & 15 for value in np.ravel(tensor.data)] + [0]
        return bytes(low | high << 4 for low, high in zip(nibbles[:-1:2], nibbles[1::2], strict=False))
    return np.asarray(tensor.data, np.dtype(tensor.dtype).newbyteorder("<")).tobytes()


def _buffer(b: flatbuffers.Builder, content: bytes) -> int:
    data = None
    if content:
        b.StartVector(1, len(content), 16)
        b.head = b.Head() - len(content)
        b.Bytes[b.Head() : b.Head() + len(content)] = content
        data = b.EndVector()
    tflite.BufferStart(b)
    if data is not None:
        tflite.BufferAddData(b, data)
    return tflite.BufferEnd(b)


def _tensor(b: flatbuffers.Builder, tensor: Tensor, buffer: int) -> int:
    name = b.CreateString("tensor")
    shape = _integers(b, tensor.shape)
    signature = _integers(b, tensor.signature) if len(tensor.signature) else None
    scales = b.CreateNumpyVector(np.array(tensor.scales, np.float32))
    zero_points = b.CreateNumpyVector(np.array(tensor.zero_points, np.int64))
    tflite.QuantizationParametersStart(b)
    tflite.QuantizationParametersAddScale(b, scales)
    tflite.QuantizationParametersAddZeroPoint(b, zero_points)
    tflite.QuantizationParametersAddQuantizedDimension(b, tensor.axis)
    quantization = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, DTYPES[tensor.dtype])
    tflite.TensorAddBuffer(b, buffer)
    tflite.TensorAddName(b, name)
    if len(tensor.scales):
        tflite.TensorAddQuantization(b, quantization)
    if signature is not None:
        tflite.TensorAddShapeSignature(b, signature)
    if tensor.variable:
        tflite.TensorAddIsVariable(b, True)
    return tflite.TensorEnd(b)


def _operator(b: flatbuffers.Builder, operator: Operator, index: int) -> int:
    kinds = {
        "CONV_2D": "Conv2DOptions",
        "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
        "FULLY_CONNECTED": "FullyConnectedOptions",
        "TRANSPOSE_CONV": "TransposeConvOptions",
        "MAX_POOL_2D": "Pool2DOptions",
        "AVERAGE_POOL_2D": "Pool2DOptions",
        "CONCATENATION": "ConcatenationOptions",
        "ADD": "AddOptions",
        "MUL": "MulOptions",
        "SOFTMAX": "SoftmaxOptions",
        "MEAN": "ReducerOptions",
        "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
        "DEPTH_TO_SPACE": "DepthToSpaceOptions",
    }
    kind = kinds.get(operator.name)
    if kind is not None:
        getattr(tflite, f"{kind}Start")(b)
        for name, value in operator.options.items():
            getattr(tflite, f"{kind}Add{name}")(b, value)
        options = getattr(tflite, f"{kind}End")(b)
    inputs, outputs = _integers(b, operator.inputs), _integers(b, operator.outputs)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, index)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if kind is not None:
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, kind))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def _integers(b: flatbuffers.Builder, values: Sequence[int]) -> int:
    return b.CreateNumpyVector(np.array(values, np.int32))


def _tables(b: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()
