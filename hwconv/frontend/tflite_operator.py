"""What every operator of a ``.tflite`` model has: options, tensors with scales and zero points, a fused activation."""

import math
from typing import Any, NoReturn

import numpy as np
import tflite
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError, one_of
from ..graph import STREAM_DTYPES
from ..spec import dtype_range
from .tflite_file import NUMBER_COST, ModelFile, Tensor, vector_of

OPTIONS = {
    "CONV_2D": (tflite.BuiltinOptions.Conv2DOptions, tflite.Conv2DOptions),
    "DEPTHWISE_CONV_2D": (tflite.BuiltinOptions.DepthwiseConv2DOptions, tflite.DepthwiseConv2DOptions),
    "TRANSPOSE_CONV": (tflite.BuiltinOptions.TransposeConvOptions, tflite.TransposeConvOptions),
    "FULLY_CONNECTED": (tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptions),
    "ADD": (tflite.BuiltinOptions.AddOptions, tflite.AddOptions),
    "MUL": (tflite.BuiltinOptions.MulOptions, tflite.MulOptions),
    "AVERAGE_POOL_2D": (tflite.BuiltinOptions.Pool2DOptions, tflite.Pool2DOptions),
    "MAX_POOL_2D": (tflite.BuiltinOptions.Pool2DOptions, tflite.Pool2DOptions),
    "CONCATENATION": (tflite.BuiltinOptions.ConcatenationOptions, tflite.ConcatenationOptions),
    "RESIZE_NEAREST_NEIGHBOR": (
        tflite.BuiltinOptions.ResizeNearestNeighborOptions, tflite.ResizeNearestNeighborOptions,
    ),
    "DEPTH_TO_SPACE": (tflite.BuiltinOptions.DepthToSpaceOptions, tflite.DepthToSpaceOptions),
    "MEAN": (tflite.BuiltinOptions.ReducerOptions, tflite.ReducerOptions),
    "SOFTMAX": (tflite.BuiltinOptions.SoftmaxOptions, tflite.SoftmaxOptions),
}  # fmt: skip
"""Operators whose options matter."""
_MAX_TENSORS = 1 << 16  # of one operator
_ACTIVATIONS: dict[int, tuple[str, float | None, float | None]] = {
    tflite.ActivationFunctionType.NONE: ("NONE", None, None),
    tflite.ActivationFunctionType.RELU: ("RELU", 0.0, None),
    tflite.ActivationFunctionType.RELU_N1_TO_1: ("RELU_N1_TO_1", -1.0, 1.0),
    tflite.ActivationFunctionType.RELU6: ("RELU6", 0.0, 6.0),
}


def tensors_of(model: ModelFile, index: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Numbers of an operator's inputs and outputs; -1 for an optional one that is absent."""
    table = model.operator(index)
    vectors = [vector_of(vector) for vector in (table.InputsAsNumpy(), table.OutputsAsNumpy())]
    if max(map(len, vectors)) > _MAX_TENSORS:
        raise FormatError(model.path, f"operator {index} claims more than {_MAX_TENSORS} tensors")
    model.claim(NUMBER_COST * sum(map(len, vectors)))
    inputs, outputs = (tuple(int(number) for number in numbers) for numbers in vectors)
    return inputs, outputs


def label_of(model: ModelFile, index: int) -> str:
    """How messages call an operator: its file, its index and its name."""
    return f"{model.path.name} operator {index} ({model.operator_name(index)})"


class OperatorReader:
    """One operator. Use inside :func:`~hwconv.frontend.tflite_file.contained`.

    Raises
    ------
    FormatError
        An operator of :data:`OPTIONS` without its options.
    """

    def __init__(self, model: ModelFile, index: int) -> None:
        self.model, self.index = model, index
        self.operator = model.operator_name(index)
        self.label = label_of(model, index)
        self.table = model.operator(index)
        self.options: Any = None
        if self.operator in OPTIONS:
            number, options = OPTIONS[self.operator]
            if self.table.BuiltinOptionsType() != number or self.table.BuiltinOptions() is None:
                raise FormatError(model.path, f"operator {index} ({self.operator}) lacks its options")
            self.options = options()
            self.options.Init(self.table.BuiltinOptions().Bytes, self.table.BuiltinOptions().Pos)

    def refuse(self, field: str, value: object, supported: str) -> NoReturn:
        """Raises :class:`UnsupportedError` for this operator."""
        raise UnsupportedError(self.label, field, value, supported)

    def contradicts(self, problem: str) -> NoReturn:
        """Raises :class:`FormatError` for this operator."""
        raise FormatError(self.model.path, f"operator {self.index} ({self.operator}) {problem}")

    def tensors(self, fewest: int, most: int) -> tuple[list[Tensor], Tensor]:
        """The inputs, of which there are so many, and the one output."""
        inputs, outputs = tensors_of(self.model, self.index)
        if not fewest <= len(inputs) <= most or len(outputs) != 1:
            self.contradicts("has a wrong number of tensors")
        return [self.model.tensor(number) for number in inputs], self.model.tensor(outputs[0])

    def scales(self, tensor: Tensor, count: int) -> NDArray[np.float32]:
        """The positive, finite scales of a tensor: one, or one per output channel."""
        if tensor.scales.size not in (1, count) or not (np.isfinite(tensor.scales) & (tensor.scales > 0)).all():
            shown = [float(scale) for scale in tensor.scales[:4]]
            self.refuse(f"scales of tensor {tensor.index}", shown, f"1 or {count} positive scale(s)")
        return tensor.scales

    def zero_point(self, tensor: Tensor) -> int:
        """The one zero point of an activation."""
        if tensor.zero_points.size > 1:
            self.refuse(f"zero points of tensor {tensor.index}", tensor.zero_points.size, "one")
        zero_point = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
        low, high = dtype_range(tensor.dtype)
        if tensor.dtype == "int16":
            low = high = 0
        if not low <= zero_point <= high:
            self.refuse(f"zero point of tensor {tensor.index}", zero_point, f"{low} to {high} with {tensor.dtype}")
        return zero_point

    def check_shape(self, tensor: Tensor, ranks: tuple[int, ...] = (2, 3, 4)) -> None:
        """Refuses an activation of a whole model that is not one frame of a fixed shape."""
        which = f"tensor {tensor.index}"
        if tensor.variable:
            self.refuse(which, "a variable", "tensors that do not outlast a frame")
        if any(extent < 0 for extent in tensor.signature[1:]):
            self.refuse(f"shape of {which}", tensor.signature, "a fixed shape, except for the batch")
        if len(tensor.shape) not in ranks or tensor.shape[0] != 1:
            expected = f"a batch of 1, of {one_of(ranks)} extents in all"
            self.refuse(f"shape of {which}", tensor.shape, expected)
        if min(tensor.shape) < 1:
            raise FormatError(self.model.path, f"tensor {tensor.index} has the shape {tensor.shape}")

    def frame(self, tensor: Tensor) -> tuple[int, int, int]:
        """Height, width and channels of an activation of a network: integers, one frame, of at most three extents."""
        if tensor.dtype not in STREAM_DTYPES:
            advice = ": quantise the model first" if tensor.dtype == "float32" else ""
            supported = f"{one_of(STREAM_DTYPES)} in whole models{advice}"
            self.refuse(f"type of tensor {tensor.index}", tensor.dtype, supported)
        self.check_shape(tensor)
        self.scales(tensor, 1)
        self.zero_point(tensor)
        height, width, channels = (1, 1, *tensor.shape[1:])[-3:]
        return height, width, channels

    def same_quantisation(self, tensor: Tensor, other: Tensor) -> None:
        """Refuses two activations that differ in type, scale or zero point, where values are taken as they are."""
        for what, own, expected in (
            ("type", tensor.dtype, other.dtype),
            ("scale", float(self.scales(tensor, 1)[0]), float(self.scales(other, 1)[0])),
            ("zero point", self.zero_point(tensor), self.zero_point(other)),
        ):
            if own != expected:
                self.refuse(f"{what} of tensor {tensor.index}", own, f"{expected}, that of tensor {other.index}")

    def clamp(self, output: Tensor) -> tuple[int, int]:
        """The fused activation as a clamp: ``CalculateActivationRangeQuantized``, in float32, ties away from zero."""
        number = self.options.FusedActivationFunction()
        if number not in _ACTIVATIONS:
            self.refuse("fused activation", number, one_of(name for name, _, _ in _ACTIVATIONS.values()))
        low, high = dtype_range(output.dtype)
        _, lower, upper = _ACTIVATIONS[number]
        return (
            low if lower is None else max(low, self._quantise(output, lower)),
            high if upper is None else min(high, self._quantise(output, upper)),
        )

    def _quantise(self, output: Tensor, value: float) -> int:
        scale = self.scales(output, 1)[0]
        with np.errstate(over="ignore"):
            quotient = float(np.float32(value) / scale)
        if not math.isfinite(quotient):
            self.refuse(f"scale of tensor {output.index}", float(scale), "one of which an activation's bound is finite")
        rounded = math.copysign(math.floor(abs(quotient) + 0.5), quotient)
        return self.zero_point(output) + int(rounded)
