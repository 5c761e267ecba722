"""Takes one convolution out of a ``.tflite`` model, with its real weights and scales.

``CONV_2D``, ``DEPTHWISE_CONV_2D``, ``TRANSPOSE_CONV`` and ``FULLY_CONNECTED`` with int8, uint8 or int16 activations
become layers; every other operator, type or attribute is refused by name. All rules are those of TensorFlow Lite's
reference kernels, which the doc comments name.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import tflite
from numpy.typing import NDArray

from ..errors import FormatError, HwconvError, UnsupportedError, one_of
from ..golden.requantise import quantise_multiplier
from ..layer import Layer, LayerParameters
from ..spec import ConvSpec, Padding, dtype_range, same_padding
from .scales import real_scales
from .tflite_file import NUMBER_COST, ModelFile, Tensor, contained, vector_of

_OPTIONS = {
    "CONV_2D": (tflite.BuiltinOptions.Conv2DOptions, tflite.Conv2DOptions),
    "DEPTHWISE_CONV_2D": (tflite.BuiltinOptions.DepthwiseConv2DOptions, tflite.DepthwiseConv2DOptions),
    "TRANSPOSE_CONV": (tflite.BuiltinOptions.TransposeConvOptions, tflite.TransposeConvOptions),
    "FULLY_CONNECTED": (tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptions),
}
_WEIGHTS_OF = {"int8": ("int8", "int4"), "int16": ("int8",), "uint8": ("uint8",)}
_MAX_TENSORS = 1 << 16  # of one operator
_ACTIVATIONS: dict[int, tuple[str, float | None, float | None]] = {
    tflite.ActivationFunctionType.NONE: ("NONE", None, None),
    tflite.ActivationFunctionType.RELU: ("RELU", 0.0, None),
    tflite.ActivationFunctionType.RELU_N1_TO_1: ("RELU_N1_TO_1", -1.0, 1.0),
    tflite.ActivationFunctionType.RELU6: ("RELU6", 0.0, 6.0),
}


@dataclass(frozen=True)
class Operator:
    """One operator of a model.

    Parameters
    ----------
    index:
        Its number in the graph: what ``--layer`` takes.
    name:
        ``CONV_2D`` and the like.
    inputs, outputs:
        Numbers of its tensors; -1 for an optional one that is absent.
    problem:
        Why it is not a layer for hwconv, or ``None``.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    problem: str | None

    @property
    def supported(self) -> bool:
        """Whether :func:`load_layer` takes it."""
        return self.problem is None


def read_model(path: str | Path) -> list[Operator]:
    """All operators of a model's first graph, each with the reason why it cannot be loaded, if there is one.

    Raises :class:`FormatError` for a file that is missing, truncated or no model.
    """
    path = Path(path)
    with contained(path):
        model = ModelFile(path)
        return [_describe(model, index) for index in range(len(model))]


def _describe(model: ModelFile, index: int) -> Operator:
    problem = None
    try:
        _Converter(model, index).layer()
    except FormatError:
        raise
    except HwconvError as error:
        problem = str(error)
    table = model.operator(index)
    tensors = [vector_of(vector) for vector in (table.InputsAsNumpy(), table.OutputsAsNumpy())]
    if max(map(len, tensors)) > _MAX_TENSORS:
        raise FormatError(model.path, f"operator {index} claims more than {_MAX_TENSORS} tensors")
    model.claim(NUMBER_COST * sum(map(len, tensors)))
    inputs, outputs = (tuple(int(number) for number in numbers) for numbers in tensors)
    return Operator(index, model.operator_name(index), inputs, outputs, problem)


def supported_layers(path: str | Path) -> list[int]:
    """Indexes of the operators that :func:`load_layer` takes."""
    return [operator.index for operator in read_model(path) if operator.supported]


def layer_count(path: str | Path) -> int:
    """How many operators :func:`load_layer` takes."""
    return len(supported_layers(path))


def load_layer(path: str | Path, index: int) -> Layer:
    """The layer that operator ``index`` of a model computes; its name and origin say the model and the index.

    The batch of the model is ignored: a layer works on frames. A fully connected layer reads its input as one vector of
    all channels, so that a tensor of several vectors is several frames.

    Raises
    ------
    UnsupportedError
        An operator that is not one of the four, or has an attribute or type that is not supported, by name.
    FormatError
        A file that is missing, truncated or no model, or whose tensors contradict each other.
    """
    path = Path(path)
    with contained(path):
        model = ModelFile(path)
        if not 0 <= index < len(model):
            raise UnsupportedError(path.name, "operator", index, f"0 to {len(model) - 1}")
        return _Converter(model, index).layer()


class _Converter:
    """One operator, read as a layer."""

    def __init__(self, model: ModelFile, index: int) -> None:
        self.model, self.index = model, index
        self.operator = model.operator_name(index)
        self.label = f"{model.path.name} operator {index} ({self.operator})"
        if self.operator not in _OPTIONS:
            raise UnsupportedError(self.label, "operator", self.operator, one_of(_OPTIONS))
        self.table = model.operator(index)
        number, options = _OPTIONS[self.operator]
        if self.table.BuiltinOptionsType() != number or self.table.BuiltinOptions() is None:
            raise FormatError(model.path, f"operator {index} ({self.operator}) lacks its options")
        self.options: Any = options()
        self.options.Init(self.table.BuiltinOptions().Bytes, self.table.BuiltinOptions().Pos)
        # a transposed layer's first input is the shape of its output
        frames, biases = (2, 3) if self.operator == "TRANSPOSE_CONV" else (0, 2)
        if self.table.InputsLength() not in (biases, biases + 1) or self.table.OutputsLength() != 1:
            raise FormatError(model.path, f"operator {index} ({self.operator}) has a wrong number of tensors")
        self.input = model.tensor(self.table.Inputs(frames))
        self.weights = model.tensor(self.table.Inputs(1))
        self.output = model.tensor(self.table.Outputs(0))
        absent = self.table.InputsLength() == biases or self.table.Inputs(biases) == -1
        self.bias = None if absent else model.tensor(self.table.Inputs(biases))

    def _refuse(self, field: str, value: object, supported: str) -> NoReturn:
        raise UnsupportedError(self.label, field, value, supported)

    def layer(self) -> Layer:
        """Everything put together."""
        self._check_types()
        weights = self._weights()
        fields = self._shape(weights)
        low, high = self._clamp()
        spec = ConvSpec(
            name=self._name(),
            out_channels=weights.shape[0],
            kernel=weights.shape[1:3],
            input_zero_point=self._zero_point(self.input),
            weight_zero_point=self._weight_zero_point(),
            output_zero_point=self._zero_point(self.output),
            input_dtype=self.input.dtype,
            weight_dtype=self.weights.dtype,
            output_dtype=self.output.dtype,
            requantisation=self._requantisation(),
            activation_min=low,
            activation_max=high,
            **fields,
        )
        self._check_output(spec)
        multiplier, shift = zip(*map(quantise_multiplier, self._real_multipliers()), strict=True)
        parameters = LayerParameters(
            weights=weights,
            bias=self._bias(),
            multiplier=np.array(multiplier, np.int32),
            shift=np.array(shift, np.int32),
        )
        return Layer(spec, parameters, f"{self.model.path.name}, operator {self.index} ({self.operator})")

    def _name(self) -> str:
        stem = "".join(letter if letter.isprintable() else "_" for letter in self.model.path.stem)[:100] or "model"
        return f"{stem}_op{self.index}_{self.operator.lower()}"

    def _check_types(self) -> None:
        if self.input.dtype not in _WEIGHTS_OF:
            self._refuse("input type", self.input.dtype, one_of(_WEIGHTS_OF))
        if self.weights.dtype not in _WEIGHTS_OF[self.input.dtype]:
            supported = f"{one_of(_WEIGHTS_OF[self.input.dtype])} with {self.input.dtype} input"
            self._refuse("weight type", self.weights.dtype, supported)
        if self.output.dtype != self.input.dtype:
            self._refuse("output type", self.output.dtype, f"{self.input.dtype}, the type of the input")
        if self.weights.sparse:
            self._refuse("weights", "sparse", "dense weights")
        biases = ("int32", "int64") if self.input.dtype == "int16" else ("int32",)
        if self.bias is not None and self.bias.dtype not in biases:
            self._refuse("bias type", self.bias.dtype, one_of(biases))
        for tensor in (self.input, self.output):
            if any(extent < 0 for extent in tensor.signature[1:]):
                self._refuse("shape", tensor.signature, "a fixed shape, except for the batch")
        if self.operator == "FULLY_CONNECTED" and self.options.WeightsFormat() != 0:
            self._refuse("weights_format", self.options.WeightsFormat(), "0 (DEFAULT)")

    def _weights(self) -> NDArray[np.integer]:
        """The weights, OHWI."""
        weights = self.weights.constant()
        if weights is None:
            self._refuse("weights", "computed at run time", "constant weights")
        if weights.ndim != (2 if self.operator == "FULLY_CONNECTED" else 4):
            raise FormatError(self.model.path, f"{self.label}: weights of shape {weights.shape}")
        if self.operator == "FULLY_CONNECTED":
            return weights[:, None, None, :]
        if self.operator in ("CONV_2D", "TRANSPOSE_CONV"):
            return weights
        if weights.shape[0] != 1:
            raise FormatError(self.model.path, f"{self.label}: weights of shape {weights.shape}, not 1HWO")
        return weights.transpose(3, 1, 2, 0)

    def _shape(self, weights: NDArray[np.integer]) -> dict[str, Any]:
        """Frame, groups, stride, dilation and padding, as fields of a specification."""
        if self.operator == "FULLY_CONNECTED":
            if math.prod(self.input.shape) % weights.shape[3]:
                problem = f"{self.label}: input of shape {self.input.shape} for {weights.shape[3]} inputs"
                raise FormatError(self.model.path, problem)
            return {"height": 1, "width": 1, "in_channels": weights.shape[3]}
        if len(self.input.shape) != 4:
            self._refuse("input shape", self.input.shape, "four extents, NHWC")
        _, height, width, channels = self.input.shape
        if channels < 1 or channels % weights.shape[3]:
            problem = f"{self.label}: {channels} input channels, weights for {weights.shape[3]}"
            raise FormatError(self.model.path, problem)
        stride = (self.options.StrideH(), self.options.StrideW())
        if self.operator == "TRANSPOSE_CONV":
            return self._transposed_shape(weights, stride)
        dilation = (self.options.DilationHFactor(), self.options.DilationWFactor())
        if self.operator == "DEPTHWISE_CONV_2D" and self.options.DepthMultiplier() * channels != weights.shape[0]:
            problem = f"{self.label}: {weights.shape[0]} outputs, depth multiplier {self.options.DepthMultiplier()}"
            raise FormatError(self.model.path, problem)
        if min(stride + dilation) < 1:
            raise FormatError(self.model.path, f"{self.label}: stride {stride}, dilation {dilation}")
        if self.options.Padding() == tflite.Padding.SAME:
            vertical = same_padding(height, weights.shape[1], stride[0], dilation[0])
            horizontal = same_padding(width, weights.shape[2], stride[1], dilation[1])
            padding = Padding(*vertical, *horizontal)
        elif self.options.Padding() == tflite.Padding.VALID:
            padding = Padding()
        else:
            self._refuse("padding", self.options.Padding(), "SAME, VALID")
        return {
            "height": height,
            "width": width,
            "in_channels": channels,
            "groups": channels // weights.shape[3],
            "stride": stride,
            "dilation": dilation,
            "padding": padding,
        }

    def _transposed_shape(self, weights: NDArray[np.integer], stride: tuple[int, int]) -> dict[str, Any]:
        """Frame and pads of a transposed layer, whose output's size is given.

        Pads are those of the convolution that leads from the output to the input (``ComputePaddingHeightWidth`` in
        tensorflow/lite/micro/kernels/transpose_conv.cc); what the output has beyond, or lacks, is at its end.
        """
        _, height, width, channels = self.input.shape
        if len(self.output.shape) != 4:
            self._refuse("output shape", self.output.shape, "four extents, NHWC")
        if channels != weights.shape[3] or min(stride) < 1:
            problem = f"{self.label}: {channels} input channels, weights for {weights.shape[3]}; stride {stride}"
            raise FormatError(self.model.path, problem)
        if self.options.Padding() not in (tflite.Padding.SAME, tflite.Padding.VALID):
            self._refuse("padding", self.options.Padding(), "SAME, VALID")
        pads, added = [], []
        for axis, size in enumerate((height, width)):
            kernel, output = weights.shape[1 + axis], self.output.shape[1 + axis]
            same = self.options.Padding() == tflite.Padding.SAME
            before = same_padding(output, kernel, stride[axis], 1)[0] if same else 0
            beyond = output + before - (size - 1) * stride[axis] - kernel
            pads += [before, max(-beyond, 0)]
            added.append(max(beyond, 0))
        return {
            "height": height,
            "width": width,
            "in_channels": channels,
            "transposed": True,
            "stride": stride,
            "padding": pads,
            "output_padding": added,
        }

    def _check_output(self, spec: ConvSpec) -> None:
        expected = (spec.out_channels,) if self.operator == "FULLY_CONNECTED" else spec.output_shape
        if self.output.shape[-len(expected) :] != expected:
            problem = f"{self.label}: output of shape {self.output.shape}; the layer gives frames of {expected}"
            raise FormatError(self.model.path, problem)

    def _scales(self, tensor: Tensor, count: int) -> NDArray[np.float32]:
        """The positive, finite scales of a tensor: one, or one per output channel."""
        if tensor.scales.size not in (1, count) or not (np.isfinite(tensor.scales) & (tensor.scales > 0)).all():
            shown = [float(scale) for scale in tensor.scales[:4]]
            self._refuse(f"scales of tensor {tensor.index}", shown, f"1 or {count} positive scale(s)")
        return tensor.scales

    def _zero_point(self, tensor: Tensor) -> int:
        """The one zero point of an activation."""
        if tensor.zero_points.size > 1:
            self._refuse(f"zero points of tensor {tensor.index}", tensor.zero_points.size, "one")
        zero_point = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
        low, high = dtype_range(tensor.dtype)
        if tensor.dtype == "int16":
            low = high = 0
        if not low <= zero_point <= high:
            self._refuse(f"zero point of tensor {tensor.index}", zero_point, f"{low} to {high} with {tensor.dtype}")
        return zero_point

    def _weight_zero_point(self) -> int:
        """uint8 weights and fully connected layers may have one; elsewhere the kernels take weights as symmetric."""
        points = {int(point) for point in np.unique(self.weights.zero_points)} or {0}
        free = self.weights.dtype == "uint8" or (self.operator == "FULLY_CONNECTED" and self.input.dtype == "int8")
        if len(points) > 1 or (points != {0} and not free):
            self._refuse("zero points of the weights", sorted(points)[:4], "0" if not free else "one for all channels")
        return points.pop()

    def _requantisation(self) -> str:
        """int16 activations use the 64-bit path, except convolutions whose bias is int32.

        From the dispatch on the bias type in tensorflow/lite/micro/kernels/conv.cc, depthwise_conv.cc,
        fully_connected.cc and transpose_conv.cc; without a bias all four sum in 64 bits.
        """
        if self.input.dtype != "int16":
            return "tflite"
        if self.bias is None or self.bias.dtype == "int64":
            return "tflite16"
        if self.operator != "CONV_2D":
            self._refuse("bias type", "int32", "int64 with int16 input")
        return "tflite"

    def _bias(self) -> NDArray[np.int64] | None:
        if self.bias is None:
            return None
        bias = self.bias.constant()
        if bias is None:
            self._refuse("bias", "computed at run time", "a constant bias")
        return bias.astype(np.int64)

    def _real_multipliers(self) -> list[float]:
        """The real scale of each channel, by :func:`~hwconv.frontend.scales.real_scales`."""
        count = self.weights.shape[3 if self.operator == "DEPTHWISE_CONV_2D" else 0]
        inputs, outputs = self._scales(self.input, 1)[0], self._scales(self.output, 1)[0]
        scales = self._scales(self.weights, count)
        axis = 3 if self.operator == "DEPTHWISE_CONV_2D" else 0
        if scales.size > 1 and self.weights.quantized_dimension != axis:
            self._refuse("quantized_dimension of the weights", self.weights.quantized_dimension, str(axis))
        if scales.size > 1 and self.input.dtype == "uint8":
            self._refuse("scales of the weights", scales.size, "one with uint8")
        single = self.input.dtype == "uint8" or (self.operator == "FULLY_CONNECTED" and scales.size == 1)
        return real_scales(inputs, scales, outputs, single=single)

    def _clamp(self) -> tuple[int, int]:
        """The fused activation as a clamp: ``CalculateActivationRangeQuantized``, in float32, ties away from zero."""
        number = self.options.FusedActivationFunction()
        if number not in _ACTIVATIONS:
            self._refuse("fused activation", number, one_of(name for name, _, _ in _ACTIVATIONS.values()))
        low, high = dtype_range(self.output.dtype)
        _, lower, upper = _ACTIVATIONS[number]
        return (
            low if lower is None else max(low, self._quantise(lower)),
            high if upper is None else min(high, self._quantise(upper)),
        )

    def _quantise(self, value: float) -> int:
        quotient = float(np.float32(value) / self._scales(self.output, 1)[0])
        rounded = math.copysign(math.floor(abs(quotient) + 0.5), quotient)
        return self._zero_point(self.output) + int(rounded)
