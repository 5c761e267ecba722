"""A convolution of a ``.tflite`` model as a layer.

``CONV_2D``, ``DEPTHWISE_CONV_2D``, ``TRANSPOSE_CONV`` and ``FULLY_CONNECTED``. All rules are those of TensorFlow Lite's
reference kernels, which the doc comments name.
"""

import math
from typing import Any

import numpy as np
import tflite
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError, one_of
from ..golden.requantise import quantise_multiplier
from ..layer import Layer, LayerParameters
from ..spec import ConvSpec, Padding, same_padding
from .model_reader import name_of
from .scales import real_scales
from .tflite_file import ModelFile, Tensor
from .tflite_operator import OperatorReader, label_of

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
_WEIGHTS_OF = {"int8": ("int8", "int4"), "int16": ("int8",), "uint8": ("uint8",)}


class ConvolutionReader(OperatorReader):
    """One operator, read as a layer.

    Parameters
    ----------
    model, index:
        Which.
    name:
        The layer's; by default it says the model, the index and the operator.
    padded:
        The tensor that is read in place of the operator's own input, which is that one with these pads around it.
    """

    def __init__(
        self,
        model: ModelFile,
        index: int,
        *,
        name: str | None = None,
        padded: tuple[Tensor, Padding] | None = None,
    ) -> None:
        if model.operator_name(index) not in CONVOLUTIONS:
            raise UnsupportedError(label_of(model, index), "operator", model.operator_name(index), one_of(CONVOLUTIONS))
        super().__init__(model, index)
        self.name, self.padded = name, padded
        # a transposed layer's first input is the shape of its output
        frames, biases = (2, 3) if self.operator == "TRANSPOSE_CONV" else (0, 2)
        if self.table.InputsLength() not in (biases, biases + 1) or self.table.OutputsLength() != 1:
            raise FormatError(model.path, f"operator {index} ({self.operator}) has a wrong number of tensors")
        self.input = model.tensor(self.table.Inputs(frames))
        self.weights = model.tensor(self.table.Inputs(1))
        self.output = model.tensor(self.table.Outputs(0))
        absent = self.table.InputsLength() == biases or self.table.Inputs(biases) == -1
        self.bias = None if absent else model.tensor(self.table.Inputs(biases))

    def layer(self) -> Layer:
        """Everything put together."""
        self._check_types()
        weights = self._weights()
        fields = self._shape(weights)
        low, high = self.clamp(self.output)
        spec = ConvSpec(
            name=self._name() if self.name is None else self.name,
            out_channels=weights.shape[0],
            kernel=weights.shape[1:3],
            input_zero_point=self.zero_point(self.input),
            weight_zero_point=self._weight_zero_point(),
            output_zero_point=self.zero_point(self.output),
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
        return f"{name_of(self.model.path)}_op{self.index}_{self.operator.lower()}"

    def _check_types(self) -> None:
        if self.input.dtype not in _WEIGHTS_OF:
            self.refuse("input type", self.input.dtype, one_of(_WEIGHTS_OF))
        if self.weights.dtype not in _WEIGHTS_OF[self.input.dtype]:
            supported = f"{one_of(_WEIGHTS_OF[self.input.dtype])} with {self.input.dtype} input"
            self.refuse("weight type", self.weights.dtype, supported)
        if self.output.dtype != self.input.dtype:
            self.refuse("output type", self.output.dtype, f"{self.input.dtype}, the type of the input")
        if self.weights.sparse:
            self.refuse("weights", "sparse", "dense weights")
        biases = ("int32", "int64") if self.input.dtype == "int16" else ("int32",)
        if self.bias is not None and self.bias.dtype not in biases:
            self.refuse("bias type", self.bias.dtype, one_of(biases))
        for tensor in (self.input, self.output):
            if any(extent < 0 for extent in tensor.signature[1:]):
                self.refuse("shape", tensor.signature, "a fixed shape, except for the batch")
        if self.operator == "FULLY_CONNECTED" and self.options.WeightsFormat() != 0:
            self.refuse("weights_format", self.options.WeightsFormat(), "0 (DEFAULT)")

    def _weights(self) -> NDArray[np.integer]:
        """The weights, OHWI."""
        weights = self.weights.constant()
        if weights is None:
            self.refuse("weights", "computed at run time", "constant weights")
        if weights.ndim != (2 if self.operator == "FULLY_CONNECTED" else 4):
            self.contradicts(f"has weights of shape {weights.shape}")
        if self.operator == "FULLY_CONNECTED":
            return weights[:, None, None, :]
        if self.operator in ("CONV_2D", "TRANSPOSE_CONV"):
            return weights
        if weights.shape[0] != 1:
            self.contradicts(f"has weights of shape {weights.shape}, not 1HWO")
        return weights.transpose(3, 1, 2, 0)

    def _shape(self, weights: NDArray[np.integer]) -> dict[str, Any]:
        """Frame, groups, stride, dilation and padding, as fields of a specification."""
        if self.operator == "FULLY_CONNECTED":
            if math.prod(self.input.shape) % weights.shape[3]:
                self.contradicts(f"has input of shape {self.input.shape} for {weights.shape[3]} inputs")
            return {"height": 1, "width": 1, "in_channels": weights.shape[3]}
        if len(self.input.shape) != 4:
            self.refuse("input shape", self.input.shape, "four extents, NHWC")
        _, height, width, channels = self.input.shape
        if channels < 1 or channels % weights.shape[3]:
            self.contradicts(f"has {channels} input channels, weights for {weights.shape[3]}")
        stride = (self.options.StrideH(), self.options.StrideW())
        if self.operator == "TRANSPOSE_CONV":
            return self._transposed_shape(weights, stride)
        dilation = (self.options.DilationHFactor(), self.options.DilationWFactor())
        if self.operator == "DEPTHWISE_CONV_2D" and self.options.DepthMultiplier() * channels != weights.shape[0]:
            self.contradicts(f"has {weights.shape[0]} outputs, depth multiplier {self.options.DepthMultiplier()}")
        if min(stride + dilation) < 1:
            self.contradicts(f"has stride {stride}, dilation {dilation}")
        if self.options.Padding() == tflite.Padding.SAME:
            vertical = same_padding(height, weights.shape[1], stride[0], dilation[0])
            horizontal = same_padding(width, weights.shape[2], stride[1], dilation[1])
            padding = Padding(*vertical, *horizontal)
        elif self.options.Padding() == tflite.Padding.VALID:
            padding = Padding()
        else:
            self.refuse("padding", self.options.Padding(), "SAME, VALID")
        if self.padded is not None:
            inner, around = self.padded
            _, height, width, _ = inner.shape
            padding = Padding(*(own + other for own, other in zip(padding, around, strict=True)))
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
            self.refuse("output shape", self.output.shape, "four extents, NHWC")
        if channels != weights.shape[3] or min(stride) < 1:
            self.contradicts(f"has {channels} input channels, weights for {weights.shape[3]}; stride {stride}")
        if self.options.Padding() not in (tflite.Padding.SAME, tflite.Padding.VALID):
            self.refuse("padding", self.options.Padding(), "SAME, VALID")
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
            self.contradicts(f"has output of shape {self.output.shape}; the layer gives frames of {expected}")

    def _weight_zero_point(self) -> int:
        """uint8 weights and fully connected layers may have one; elsewhere the kernels take weights as symmetric."""
        points = {int(point) for point in np.unique(self.weights.zero_points)} or {0}
        free = self.weights.dtype == "uint8" or (self.operator == "FULLY_CONNECTED" and self.input.dtype == "int8")
        if len(points) > 1 or (points != {0} and not free):
            self.refuse("zero points of the weights", sorted(points)[:4], "0" if not free else "one for all channels")
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
            self.refuse("bias type", "int32", "int64 with int16 input")
        return "tflite"

    def _bias(self) -> NDArray[np.int64] | None:
        if self.bias is None:
            return None
        bias = self.bias.constant()
        if bias is None:
            self.refuse("bias", "computed at run time", "a constant bias")
        return bias.astype(np.int64)

    def _real_multipliers(self) -> list[float]:
        """The real scale of each channel, by :func:`~hwconv.frontend.scales.real_scales`."""
        count = self.weights.shape[3 if self.operator == "DEPTHWISE_CONV_2D" else 0]
        inputs, outputs = self.scales(self.input, 1)[0], self.scales(self.output, 1)[0]
        scales = self.scales(self.weights, count)
        axis = 3 if self.operator == "DEPTHWISE_CONV_2D" else 0
        if scales.size > 1 and self.weights.quantized_dimension != axis:
            self.refuse("quantized_dimension of the weights", self.weights.quantized_dimension, str(axis))
        if scales.size > 1 and self.input.dtype == "uint8":
            self.refuse("scales of the weights", scales.size, "one with uint8")
        single = self.input.dtype == "uint8" or (self.operator == "FULLY_CONNECTED" and scales.size == 1)
        return real_scales(inputs, scales, outputs, single=single)
