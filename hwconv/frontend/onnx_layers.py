"""Nodes of an ``.onnx`` model that are convolutions and products of matrices, as layers of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError, one_of
from ..graph import MAX_NODES, Conv, Reshape, Tensor, result_of
from ..graph import Node as GraphNode
from ..layer import Layer
from ..pool import PoolSpec
from ..spec import ConvSpec, dtype_range
from ..upscale import UpscaleSpec
from .onnx_file import Node
from .onnx_nodes import Clamp, FloatValue, FrameValue, Value, WeightValue
from .onnx_operator import QUANTISED_TRANSPOSE, OnnxOperator, layer_of
from .onnx_pads import PadReader
from .onnx_steps import Quantisation, mean_of_all


def shape_of(spec: ConvSpec | PoolSpec | UpscaleSpec, like: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result in the file: of as many extents as what is read."""
    height, width, channels = spec.output_shape
    return (1, channels, *(height, width)[4 - len(like) :])


class LayerReader(PadReader):
    """Takes nodes up as layers, or as floats that become one once they are quantised."""

    def make(self, node: Node, value: Value) -> None:
        name = node.outputs[0]
        self.values[name] = value
        match value:
            case WeightValue():
                self.shapes[name] = value.values.shape
            case FrameValue():
                self.shapes[name] = value.shape_with_pads
            case _:
                self.shapes[name] = value.shape
        self.dtypes[name] = value.dtype if isinstance(value, FrameValue) and value.real is None else "float32"

    def take(self, node: GraphNode, inputs: Sequence[Tensor]) -> Tensor:
        """Takes a node of the network up."""
        if len(self.nodes) >= MAX_NODES:
            raise SpecError(self.name, "nodes", f"more than {MAX_NODES}", f"from 1 to {MAX_NODES}")
        result = result_of(node, inputs)
        self.nodes.append(node)
        return result

    def node_name(self, node: Node) -> str:
        return f"op{node.index}_{node.operator.lower()}"

    def qlinear_conv(self, node: Node) -> None:
        read, made = self.quantisation(node, 1), self.quantisation(node, 6)
        frame = self.bytes(node, 0, read, padded=True)
        attributes = self.with_pads(node, frame.pads)
        constants = {
            "w": self.constant(node, 3, "weights"),
            "w_scale": self.constant(node, 4, "scale of the weights"),
            "w_zero_point": self.constant(node, 5, "zero point of the weights"),
            "B": self.constant(node, 8, "bias") if self.optional(node, 8) else None,
        }
        layer = self._layer(node, frame.shape[1:], read, made, constants, attributes, dtype_range(made.dtype))
        taken = self.take_convolution(node, layer, frame.name, frame.tensor)
        self.places[node.index] = ("engine", taken.name, "")
        self.make(node, FrameValue(taken.name, shape_of(layer.spec, frame.shape), made.zero_point, made.dtype))

    def qlinear_matmul(self, node: Node) -> None:
        self.attributes(node)
        read, made = self.quantisation(node, 1), self.quantisation(node, 6)
        frame = self.bytes(node, 0, read, vector=True)
        weights = WeightValue(self.constant(node, 3, "weights"), self.constant(node, 4, "scale of the weights"),
                           self.constant(node, 5, "zero point of the weights"), 1)  # fmt: skip
        shape = self._vector(node, frame, weights, transposed=False)
        self._take_product(node, frame, read, made, weights, None, dtype_range(made.dtype), transposed=False)
        self.places[node.index] = ("engine", self.node_name(node), "")
        self.make(node, FrameValue(self.node_name(node), shape, made.zero_point, made.dtype))

    def _layer(
        self, node: Node, frame: tuple[int, ...], read: Quantisation, made: Quantisation, constants: dict[str, Any],
        attributes: Mapping[str, Any], clamp: Clamp, operator: str = "QLinearConv",
    ) -> Layer:  # fmt: skip
        """A convolution as QLinearConv has it: the sum is exact, and scaled in float32."""
        said: dict[str, NDArray[Any] | None] = {
            **{f"{key}_scale": np.array(each.scale, np.float32) for key, each in (("x", read), ("y", made))},
            **{f"{key}_zero_point": np.array(each.zero_point, each.dtype) for key, each in (("x", read), ("y", made))},
        }
        taken = OnnxOperator(
            name=self.node_name(node),
            operator=operator,
            attributes=attributes,
            frame=frame,
            input_dtype=read.dtype,
            constants={**constants, **said},
        )
        layer = layer_of(taken, f"{self.file.path.name}, node {node.index} ({node.operator})")
        spec = replace(layer.spec, activation_min=clamp[0], activation_max=clamp[1])
        return Layer(spec, layer.parameters, layer.origin)

    def take_convolution(self, node: Node, layer: Layer, source: str, read: Tensor) -> Conv:
        taken = Conv(input=source, spec=layer.spec)
        self.take(taken, [read])
        self.layers[node.index] = layer
        return taken

    def conv(self, node: Node) -> None:
        transposed = node.operator == "ConvTranspose"
        frame, read = self.real(node, 0, padded=not transposed)
        attributes = self.with_pads(node, frame.pads)
        weights = self.weights(node, 1, int(transposed))
        if transposed:
            weights = self._of_all_groups(node, weights)
        bias = self.bias(node, 2, read, weights)
        operator = QUANTISED_TRANSPOSE if transposed else "QLinearConv"
        constants = {"w": weights.values, "w_scale": weights.scale, "w_zero_point": weights.zero_point, "B": bias}

        def layer(made: Quantisation, clamp: Clamp) -> Layer:
            return self._layer(node, frame.shape[1:], read, made, constants, attributes, clamp, operator)

        def finish(made: Quantisation, clamp: Clamp) -> Conv:
            return self.take_convolution(node, layer(made, clamp), frame.name, frame.tensor)

        spec = layer(Quantisation(np.float32(1), 0), dtype_range("int8")).spec  # of the right shape, at any scale
        self.make(node, FloatValue(node, shape_of(spec, frame.shape), finish))

    def _of_all_groups(self, node: Node, weights: WeightValue) -> WeightValue:
        """Weights of a transposed convolution, whose scales count the output channels of one group."""
        groups = node.attributes.get("group", 1)
        if weights.scale.size == 1 or not isinstance(groups, int) or not 1 < groups <= len(weights.values):
            return weights
        point = weights.zero_point
        tiled = point if point is None or point.size == 1 else np.tile(point, groups)
        return replace(weights, scale=np.tile(weights.scale, groups), zero_point=tiled)

    def gemm(self, node: Node) -> None:
        attributes = self.attributes(node, alpha=1.0, beta=1.0, transA=0, transB=0)
        for field, expected in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
            if attributes[field] != expected:
                self.refuse(node, field, attributes[field], str(expected))
        self._product(node, bool(attributes["transB"]))

    def matmul(self, node: Node) -> None:
        self.attributes(node)
        self._product(node, False)

    def _product(self, node: Node, transposed: bool) -> None:
        frame, read = self.real(node, 0, vector=True)
        weights = self.weights(node, 1, 0 if transposed else 1)
        bias = self.bias(node, 2, read, weights)
        shape = self._vector(node, frame, weights, transposed=transposed)

        def finish(made: Quantisation, clamp: Clamp) -> Conv:
            return self._take_product(node, frame, read, made, weights, bias, clamp, transposed=transposed)

        self.make(node, FloatValue(node, shape, finish))

    def _vector(self, node: Node, frame: FrameValue, weights: WeightValue, *, transposed: bool) -> tuple[int, ...]:
        """The shape of a product of a vector and a matrix, once they fit."""
        if len(frame.shape) != 2 or weights.values.ndim != 2:
            self.refuse(node, "shapes", (frame.shape, weights.values.shape), "a vector of two extents and a matrix")
        inputs, outputs = weights.values.shape[::-1] if transposed else weights.values.shape
        if inputs != frame.shape[1]:
            self.contradicts(node, f"multiplies {frame.shape} by {weights.values.shape}")
        return (1, outputs)

    def _take_product(
        self, node: Node, frame: FrameValue, read: Quantisation, made: Quantisation, weights: WeightValue,
        bias: NDArray[np.int32] | None, clamp: Clamp, *, transposed: bool,
    ) -> Conv:  # fmt: skip
        """A 1x1 convolution; of pixels in a row the weights are put in the order of the frame."""
        matrix = weights.values if transposed else weights.values.T
        source = frame.name
        if frame.chw is not None:
            channels, height, width = frame.chw
            matrix = matrix.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(matrix), -1)
            vector = Reshape(name=f"op{node.index}_vector", input=source, height=1, width=1, channels=matrix.shape[1])
            self.take(vector, [frame.tensor])
            source = vector.name
        constants = {"w": np.ascontiguousarray(matrix)[:, :, None, None], "w_scale": weights.scale.reshape(-1),
                     "w_zero_point": weights.zero_point, "B": bias}  # fmt: skip
        layer = self._layer(node, (matrix.shape[1], 1, 1), read, made, constants, {}, clamp)
        tensor = Tensor(height=1, width=1, channels=matrix.shape[1], dtype=frame.dtype, zero_point=frame.zero_point)
        return self.take_convolution(node, layer, source, tensor)

    def global_average_pool(self, node: Node) -> None:
        self.attributes(node)
        self._mean(node, keepdims=True)

    def reduce_mean(self, node: Node) -> None:
        attributes = self.attributes(node, axes=None, keepdims=1, noop_with_empty_axes=0)
        axes = attributes["axes"]
        if self.optional(node, 1):
            axes = [int(axis) for axis in self.constant(node, 1, "axes").reshape(-1)[:8]]
        rank = len(self.picture(node, 0).shape)
        spatial = list(range(2, rank))
        if axes is None or sorted(axis % rank for axis in axes) != spatial or not spatial:
            self.refuse(
                node, "axes", axes, f"all but batch and channels, {one_of(spatial) or 'of which there are none'}"
            )
        self._mean(node, keepdims=bool(attributes["keepdims"]))

    def _mean(self, node: Node, *, keepdims: bool) -> None:
        """Of each channel."""
        frame, read = self.real(node, 0)
        if len(frame.shape) < 3:
            self.refuse(node, "shape of the input", frame.shape, "rows and columns, or a length")

        def finish(made: Quantisation, clamp: Clamp) -> Conv:
            layer = mean_of_all(self.node_name(node), frame.tensor.shape, read, made, clamp)
            return self.take_convolution(node, layer, frame.name, frame.tensor)

        ones = (1,) * (len(frame.shape) - 2) if keepdims else ()
        self.make(node, FloatValue(node, (*frame.shape[:2], *ones), finish))
