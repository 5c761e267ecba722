"""A whole ``.onnx`` model: the network that hardware computes, and what is left to the host.

Models that are quantised to int8, with ``QLinearConv`` and ``QLinearMatMul`` or with ``DequantizeLinear`` before and
``QuantizeLinear`` behind each operator of floats. docs/networks.md says what each operator becomes, and which
arithmetic is meant where floats leave a choice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SpecError, UnsupportedError, one_of
from ..graph import INPUT, MAX_NODES, Add, Concat, Conv, Graph, Network, Pool, Reshape, Tensor, Upscale, result_of
from ..graph import Node as GraphNode
from ..host import Dequantise, Quantise
from ..layer import Layer
from ..model import HostStep, Model, OperatorRecord, Survey
from ..pool import PoolSpec
from ..spec import ConvSpec, dtype_range
from ..upscale import ORDERS, UpscaleSpec
from .onnx_file import Node, OnnxFile, contained
from .onnx_nodes import Clamp, FloatValue, FrameValue, NodeReader, Value, WeightValue, channels_rows_columns
from .onnx_operator import QUANTISED_TRANSPOSE, OnnxOperator, layer_of
from .onnx_steps import Quantisation, add_of, check_mean, mean_of_all, quantised, window_of
from .onnx_upscale import RESIZE, check_repetition, check_resize, factors_of


def load_model(path: str | Path) -> Model:
    """Reads a whole model.

    Raises
    ------
    UnsupportedError
        A node, a type or a connection that is not supported: says which node, by index and operator, which field, and
        what is supported. The first one of :func:`survey_model`.
    SpecError
        Values that no layer can have.
    FormatError
        A file that is missing, truncated or no model, or that contradicts itself.
    """
    return survey_model(path).loaded()


def survey_model(path: str | Path) -> Survey:
    """Reads a model whether or not it is supported; raises :class:`FormatError` as :func:`load_model` does."""
    path = Path(path)
    with contained(path):
        return _Surveyor(OnnxFile(path)).survey()


def _shape_of(spec: ConvSpec | PoolSpec | UpscaleSpec, like: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a result in the file: of as many extents as what is read."""
    height, width, channels = spec.output_shape
    return (1, channels, *(height, width)[4 - len(like) :])


class _Surveyor(NodeReader):
    """One model, read node after node."""

    def survey(self) -> Survey:
        """Everything put together."""
        operators = {
            "QuantizeLinear": self._quantise, "DequantizeLinear": self._dequantise, "QLinearConv": self._qlinear_conv,
            "QLinearMatMul": self._qlinear_matmul, "Conv": self._conv, "ConvTranspose": self._conv,
            "Gemm": self._gemm, "MatMul": self._matmul, "Add": self._add, "Relu": self._clamp, "Clip": self._clamp,
            "MaxPool": self._max_pool, "AveragePool": self._average_pool,
            "GlobalAveragePool": self._global_average_pool, "ReduceMean": self._reduce_mean, "Concat": self._concat,
            "Flatten": self._flatten, "Reshape": self._flatten, "Resize": self._resize,
            "DepthToSpace": self._depth_to_space,
        }  # fmt: skip
        self._take_ends()
        for node in self.file.nodes:
            self.places[node.index] = ("free", None, "")
            try:
                if node.operator not in operators:
                    self.refuse(node, "operator", node.operator, one_of(operators))
                if self._reads_what_is_there(node):
                    operators[node.operator](node)
            except (UnsupportedError, SpecError) as error:
                self.lose(node, error)
        for name, value in self.values.items():
            if not isinstance(value, FloatValue) or value.node.index in self.finished:
                continue
            if value.node.outputs[0] == name:  # and not the result of a clamp behind it
                what, expected = "floats that are not quantised", "QuantizeLinear behind it"
                self.lose(value.node, UnsupportedError(self.label(value.node), name, what, expected))
        records = tuple(map(self.record, self.file.nodes))
        if not self.problems and all(isinstance(node, Reshape) for node in self.nodes):
            self.problem("nodes", one_of(node.operator for node in self.file.nodes[:8]), "one at least for an engine")
        model = None
        if not self.problems:
            try:
                model = self._model(records)
            except (SpecError, UnsupportedError) as error:
                self.problems.append(error)
        return Survey(name=self.name, operators=records, problems=tuple(self.problems), model=model)

    def _take_ends(self) -> None:
        if self.file.sparse:
            self.problem("sparse initializers", self.file.sparse, "none")
        for what, ends in (("inputs", self.file.inputs), ("outputs", self.file.outputs)):
            if len(ends) != 1:
                self.problem(what, len(ends), "one")
        for value in self.file.inputs:
            self.number(value.name)
            shape = (1, *value.shape[1:])
            self.dtypes[value.name], self.shapes[value.name] = value.dtype, shape
            if not 2 <= len(value.shape) <= 4 or value.shape[0] not in (1, -1) or min(shape) < 1:
                self.problem(f"shape of {value.name}", value.shape, "a batch of 1, then one to three fixed extents")
                self.lost.add(value.name)
            elif value.dtype == "int8":
                self.values[value.name] = FrameValue(INPUT, shape, self._zero_point_of_input(value.name))
            elif value.dtype == "float32":
                self.floats.add(value.name)
            else:
                self.problem(f"type of {value.name}", value.dtype, "int8, or float32 that is quantised to int8 first")
                self.lost.add(value.name)
        for value in self.file.outputs:
            if value.dtype not in ("int8", "float32"):
                self.problem(f"type of {value.name}", value.dtype, "int8, or float32 behind DequantizeLinear")

    def _zero_point_of_input(self, name: str) -> int:
        """What the first node says that reads the model's input as it is, or else 0."""
        same = {name}
        for node in self.file.nodes:
            if not node.inputs or node.inputs[0] not in same:
                continue
            if node.operator in ("MaxPool", "Concat", "Flatten", "Reshape", "Resize", "DepthToSpace"):
                same |= set(node.outputs)
            elif node.operator in ("DequantizeLinear", "QLinearConv", "QLinearMatMul"):
                point = self.optional(node, 2)
                if self.file.is_constant(point) and self.file.constant(point).size == 1:
                    return int(self.file.constant(point).reshape(-1)[0])
        return 0

    def _reads_what_is_there(self, node: Node) -> bool:
        """Whether a node can be looked at: not if it depends on a refused one, for which that one was refused."""
        if len(node.outputs) != 1 or not node.outputs[0] or not node.inputs:
            problem = f"{self.label(node)} has {len(node.inputs)} inputs and {len(node.outputs)} outputs"
            raise FormatError(self.file.path, problem)
        for name in filter(None, node.inputs):
            if not (name in self.values or name in self.floats or name in self.lost or self.file.is_constant(name)):
                raise FormatError(self.file.path, f"{self.label(node)} reads {name}, which nothing makes before it")
        for name in node.inputs:
            if name in self.lost:
                supported = "results of nodes that are supported"
                self.errors[node.index] = UnsupportedError(self.label(node), name, "of a refused node", supported)
                self.lost.add(node.outputs[0])
                return False
        return True

    # What nodes make

    def _make(self, node: Node, value: Value) -> None:
        name = node.outputs[0]
        self.values[name] = value
        self.shapes[name] = value.values.shape if isinstance(value, WeightValue) else value.shape
        floats = not isinstance(value, FrameValue) or value.real is not None
        self.dtypes[name] = "float32" if floats else "int8"

    def _take(self, node: GraphNode, inputs: Sequence[Tensor]) -> Tensor:
        """Takes a node of the network up."""
        if len(self.nodes) >= MAX_NODES:
            raise SpecError(self.name, "nodes", f"more than {MAX_NODES}", f"from 1 to {MAX_NODES}")
        result = result_of(node, inputs)
        self.nodes.append(node)
        return result

    def _node_name(self, node: Node) -> str:
        return f"op{node.index}_{node.operator.lower()}"

    def _quantise(self, node: Node) -> None:
        attributes = self.attributes(node, axis=1, saturate=1, output_dtype=0, block_size=0, precision=0)
        for field, accepted in (("output_dtype", (0, 3)), ("block_size", (0,)), ("precision", (0,))):  # 3: INT8
            if attributes[field] not in accepted:
                self.refuse(node, field, attributes[field], one_of(accepted))
        made, name = self.quantisation(node, 1), self.input(node, 0)
        value = self.values.get(name)
        if isinstance(value, FrameValue) and value.real is not None:
            if value.real != made:
                said = (float(made.scale), made.zero_point)
                expected = f"{float(value.real.scale)} and {value.real.zero_point}, those of its input"
                self.refuse(node, "scale and zero point", said, expected)
            self._make(node, replace(value, real=None))
            return
        if self.readers[name] != 1 or name in self.ends:
            self.refuse(node, name, "read by other nodes too", "quantised, and read by nothing else")
        if name in self.floats:
            self._make(node, FrameValue(INPUT, self.shapes[name], made.zero_point))
            self.places[node.index] = ("host", None, "before the hardware")
            operation = Quantise(scale=float(made.scale), zero_point=made.zero_point, ties="even")
            self.before.append(self._host_step(node, operation))
            return
        if not isinstance(value, FloatValue):
            self.refuse(node, name, "neither an input nor a result", "floats that a node makes")
        ends = np.array([value.low, value.high], np.float32)
        low, high = (int(end) for end in quantised(ends, made))
        self.finished.add(value.node.index)
        try:
            taken = value.finish(made, (low, high))
        except (UnsupportedError, SpecError) as error:
            self.lose(value.node, error)
            self.lost.add(node.outputs[0])
            return
        self.places[value.node.index] = ("engine", taken.name, "")
        self._make(node, FrameValue(taken.name, value.shape, made.zero_point))

    def _host_step(self, node: Node, operation: Quantise | Dequantise) -> HostStep:
        tensors = {"input": self.about(node.inputs[0]), "output": self.about(node.outputs[0])}
        return HostStep(index=node.index, name=node.operator, operation=operation, **tensors)

    def _dequantise(self, node: Node) -> None:
        attributes = self.attributes(node, axis=1, output_dtype=0, block_size=0)
        for field, accepted in (("output_dtype", (0, 1)), ("block_size", (0,))):  # 1: FLOAT
            if attributes[field] not in accepted:
                self.refuse(node, field, attributes[field], one_of(accepted))
        name = self.input(node, 0)
        if self.file.is_constant(name):
            values, scale = self.file.constant(name), self.constant(node, 1, "scale")
            point = self.constant(node, 2, "zero point") if self.optional(node, 2) else None
            if scale.dtype != np.float32 or scale.ndim > 1 or not (np.isfinite(scale) & (scale > 0)).all():
                self.refuse(node, "scale", f"{scale.dtype} of shape {scale.shape}", "float32, finite and positive")
            if not values.ndim or (scale.size != 1 and scale.size not in values.shape):
                self.refuse(node, "scales", scale.size, "one, or one per channel")
            self._make(node, WeightValue(values, scale, point, attributes["axis"]))
            return
        frame, said = self.frame(node, 0), self.quantisation(node, 1)
        if frame.real is not None:
            self.refuse(node, name, "floats", "int8")
        if said.zero_point != frame.zero_point:
            self.refuse(node, "zero point of the input", said.zero_point, f"{frame.zero_point}, that of what it reads")
        self._make(node, replace(frame, real=said))
        if node.outputs[0] in self.ends:
            if self.readers[name] != 1 or self.readers[node.outputs[0]]:
                self.refuse(node, name, "read elsewhere too", "one reader where the host begins")
            self.places[node.index] = ("host", None, "")
            operation = Dequantise(scale=float(said.scale), zero_point=said.zero_point)
            self.after.append(self._host_step(node, operation))

    def _qlinear_conv(self, node: Node) -> None:
        read, made = self.quantisation(node, 1), self.quantisation(node, 6)
        frame = self.bytes(node, 0, read)
        constants = {
            "w": self.constant(node, 3, "weights"),
            "w_scale": self.constant(node, 4, "scale of the weights"),
            "w_zero_point": self.constant(node, 5, "zero point of the weights"),
            "B": self.constant(node, 8, "bias") if self.optional(node, 8) else None,
        }
        layer = self._layer(node, frame.shape[1:], read, made, constants, node.attributes, dtype_range("int8"))
        taken = self._take_convolution(node, layer, frame.name, frame.tensor)
        self.places[node.index] = ("engine", taken.name, "")
        self._make(node, FrameValue(taken.name, _shape_of(layer.spec, frame.shape), made.zero_point))

    def _qlinear_matmul(self, node: Node) -> None:
        self.attributes(node)
        read, made = self.quantisation(node, 1), self.quantisation(node, 6)
        frame = self.bytes(node, 0, read, vector=True)
        weights = WeightValue(self.constant(node, 3, "weights"), self.constant(node, 4, "scale of the weights"),
                           self.constant(node, 5, "zero point of the weights"), 1)  # fmt: skip
        shape = self._vector(node, frame, weights, transposed=False)
        self._take_product(node, frame, read, made, weights, None, dtype_range("int8"), transposed=False)
        self.places[node.index] = ("engine", self._node_name(node), "")
        self._make(node, FrameValue(self._node_name(node), shape, made.zero_point))

    def _layer(
        self, node: Node, frame: tuple[int, ...], read: Quantisation, made: Quantisation, constants: dict[str, Any],
        attributes: Mapping[str, Any], clamp: Clamp, operator: str = "QLinearConv",
    ) -> Layer:  # fmt: skip
        """A convolution as QLinearConv has it: the sum is exact, and scaled in float32."""
        said: dict[str, NDArray[Any] | None] = {
            **{f"{key}_scale": np.array(each.scale, np.float32) for key, each in (("x", read), ("y", made))},
            **{f"{key}_zero_point": np.array(each.zero_point, np.int8) for key, each in (("x", read), ("y", made))},
        }
        taken = OnnxOperator(
            name=self._node_name(node),
            operator=operator,
            attributes=attributes,
            frame=frame,
            input_dtype="int8",
            constants={**constants, **said},
        )
        layer = layer_of(taken, f"{self.file.path.name}, node {node.index} ({node.operator})")
        spec = replace(layer.spec, activation_min=clamp[0], activation_max=clamp[1])
        return Layer(spec, layer.parameters, layer.origin)

    def _take_convolution(self, node: Node, layer: Layer, source: str, read: Tensor) -> Conv:
        taken = Conv(input=source, spec=layer.spec)
        self._take(taken, [read])
        self.layers[node.index] = layer
        return taken

    def _conv(self, node: Node) -> None:
        frame, read = self.real(node, 0)
        transposed = node.operator == "ConvTranspose"
        weights = self.weights(node, 1, int(transposed))
        if transposed:
            weights = self._of_all_groups(node, weights)
        bias = self.bias(node, 2, read, weights)
        operator = QUANTISED_TRANSPOSE if transposed else "QLinearConv"
        constants = {"w": weights.values, "w_scale": weights.scale, "w_zero_point": weights.zero_point, "B": bias}

        def layer(made: Quantisation, clamp: Clamp) -> Layer:
            return self._layer(node, frame.shape[1:], read, made, constants, node.attributes, clamp, operator)

        def finish(made: Quantisation, clamp: Clamp) -> Conv:
            return self._take_convolution(node, layer(made, clamp), frame.name, frame.tensor)

        spec = layer(Quantisation(np.float32(1), 0), dtype_range("int8")).spec  # of the right shape, at any scale
        self._make(node, FloatValue(node, _shape_of(spec, frame.shape), finish))

    def _of_all_groups(self, node: Node, weights: WeightValue) -> WeightValue:
        """Weights of a transposed convolution, whose scales count the output channels of one group."""
        groups = node.attributes.get("group", 1)
        if weights.scale.size == 1 or not isinstance(groups, int) or not 1 < groups <= len(weights.values):
            return weights
        point = weights.zero_point
        tiled = point if point is None or point.size == 1 else np.tile(point, groups)
        return replace(weights, scale=np.tile(weights.scale, groups), zero_point=tiled)

    def _gemm(self, node: Node) -> None:
        attributes = self.attributes(node, alpha=1.0, beta=1.0, transA=0, transB=0)
        for field, expected in (("alpha", 1.0), ("beta", 1.0), ("transA", 0)):
            if attributes[field] != expected:
                self.refuse(node, field, attributes[field], str(expected))
        self._product(node, bool(attributes["transB"]))

    def _matmul(self, node: Node) -> None:
        self.attributes(node)
        self._product(node, False)

    def _product(self, node: Node, transposed: bool) -> None:
        frame, read = self.real(node, 0, vector=True)
        weights = self.weights(node, 1, 0 if transposed else 1)
        bias = self.bias(node, 2, read, weights)
        shape = self._vector(node, frame, weights, transposed=transposed)

        def finish(made: Quantisation, clamp: Clamp) -> Conv:
            return self._take_product(node, frame, read, made, weights, bias, clamp, transposed=transposed)

        self._make(node, FloatValue(node, shape, finish))

    def _vector(self, node: Node, frame: FrameValue, weights: WeightValue, *, transposed: bool) -> tuple[int, ...]:
        """The shape of a product of a vector and a matrix, once they fit."""
        if len(frame.shape) != 2 or weights.values.ndim != 2:
            self.refuse(node, "shapes", (frame.shape, weights.values.shape), "a vector of two extents and a matrix")
        inputs, outputs = weights.values.shape[::-1] if transposed else weights.values.shape
        if inputs != frame.shape[1]:
            problem = f"{self.label(node)} multiplies {frame.shape} by {weights.values.shape}"
            raise FormatError(self.file.path, problem)
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
            self._take(vector, [frame.tensor])
            source = vector.name
        constants = {"w": np.ascontiguousarray(matrix)[:, :, None, None], "w_scale": weights.scale.reshape(-1),
                     "w_zero_point": weights.zero_point, "B": bias}  # fmt: skip
        layer = self._layer(node, (matrix.shape[1], 1, 1), read, made, constants, {}, clamp)
        tensor = Tensor(height=1, width=1, channels=matrix.shape[1], dtype="int8", zero_point=frame.zero_point)
        return self._take_convolution(node, layer, source, tensor)

    def _add(self, node: Node) -> None:
        self.attributes(node)
        if len(node.inputs) != 2:
            raise FormatError(self.file.path, f"{self.label(node)} has {len(node.inputs)} inputs")
        (a, of_a), (b, of_b) = self.real(node, 0), self.real(node, 1)
        if a.shape != b.shape:
            self.refuse(node, "shapes", (a.shape, b.shape), "equal shapes, without broadcasting")

        def finish(made: Quantisation, clamp: Clamp) -> Add:
            shape = a.tensor.shape
            spec = add_of(self.label(node), self._node_name(node), shape, [of_a, of_b], made, clamp)
            taken = Add(inputs=(a.name, b.name), spec=spec)
            self._take(taken, [a.tensor, b.tensor])
            return taken

        self._make(node, FloatValue(node, a.shape, finish))

    def _clamp(self, node: Node) -> None:
        self.attributes(node)
        name = self.input(node, 0)
        value = self.values.get(name)
        if not isinstance(value, FloatValue):
            self.refuse(node, name, "quantised before", "the result of a node on floats, not yet quantised")
        if self.readers[name] != 1 or name in self.ends:
            self.refuse(node, name, "read by other nodes too", "one reader between a node and its quantisation")
        low, high = 0.0, math.inf
        if node.operator == "Clip":
            bounds = [self.constant(node, at, "bound") if self.optional(node, at) else None for at in (1, 2)]
            for bound in bounds:
                if bound is not None and (bound.dtype != np.float32 or bound.size != 1 or np.isnan(bound).any()):
                    self.refuse(node, "bound", f"{bound.dtype} of shape {bound.shape}", "one float32")
            low, high = (
                default if bound is None else float(bound.reshape(-1)[0])
                for bound, default in zip(bounds, (-math.inf, math.inf), strict=True)
            )
        low, high = max(value.low, low), min(max(value.high, low), high)
        if low > high:
            self.refuse(node, "bounds", (low, high), "the lower one first")
        self.places[node.index] = ("free", None, "a clamp")
        self._make(node, replace(value, low=low, high=high))

    def _max_pool(self, node: Node) -> None:
        pooled = self._pooled(node, "max", storage_order=0)
        frame = self.picture(node, 0)
        self._take(pooled, [frame.tensor])
        self.places[node.index] = ("engine", pooled.name, "")
        self._make(node, replace(frame, name=pooled.name, shape=_shape_of(pooled.spec, frame.shape)))

    def _average_pool(self, node: Node) -> None:
        frame, read = self.real(node, 0)
        pooled = self._pooled(node, "average", count_include_pad=0)
        if node.attributes.get("count_include_pad") and any(pooled.spec.padding):
            self.refuse(node, "count_include_pad", 1, "0 with pads")
        check_mean(self.label(node), pooled.spec)

        def finish(made: Quantisation, clamp: Clamp) -> Pool:
            if made != read:
                said = (float(made.scale), made.zero_point)
                expected = f"{float(read.scale)} and {read.zero_point}, those of its input"
                self.refuse(node, "scale and zero point of the output", said, expected)
            spec = replace(pooled.spec, activation_min=clamp[0], activation_max=clamp[1])
            taken = Pool(input=frame.name, spec=spec)
            self._take(taken, [frame.tensor])
            return taken

        self._make(node, FloatValue(node, _shape_of(pooled.spec, frame.shape), finish))

    def _pooled(self, node: Node, kind: str, **more: Any) -> Pool:
        frame = self.picture(node, 0)
        if len(frame.shape) < 3:
            self.refuse(node, "shape of the input", frame.shape, "rows and columns, or a length")
        window: dict[str, Any] = dict.fromkeys(("kernel_shape", "strides", "dilations", "pads"))
        attributes = self.attributes(node, auto_pad="NOTSET", ceil_mode=0, **window, **more)
        height, width, channels = frame.tensor.shape
        kernel, stride, padding = window_of(self.label(node), attributes, len(frame.shape) - 2)
        spec = PoolSpec(name=self._node_name(node), kind=kind, height=height, width=width, channels=channels,
                        kernel=kernel, stride=stride, padding=padding)  # fmt: skip
        return Pool(input=frame.name, spec=spec)

    def _global_average_pool(self, node: Node) -> None:
        self.attributes(node)
        self._mean(node, keepdims=True)

    def _reduce_mean(self, node: Node) -> None:
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
            layer = mean_of_all(self._node_name(node), frame.tensor.shape, read, made, clamp)
            return self._take_convolution(node, layer, frame.name, frame.tensor)

        ones = (1,) * (len(frame.shape) - 2) if keepdims else ()
        self._make(node, FloatValue(node, (*frame.shape[:2], *ones), finish))

    def _resize(self, node: Node) -> None:
        attributes, label = self.attributes(node, **RESIZE), self.label(node)
        check_resize(label, attributes)
        frame = self.picture(node, 0)
        scales, sizes = (self.constant(node, at, what) if self.optional(node, at) else None
                         for at, what in ((2, "scales"), (3, "sizes")))  # fmt: skip
        given = scales if scales is not None and scales.size else None  # which is empty where sizes count
        factors = factors_of(label, frame.shape, given, sizes)
        down, across = (1, 1, *factors[2:])[-2:]
        height, width, channels = frame.tensor.shape
        spec = UpscaleSpec(name=self._node_name(node), kind="nearest", height=height, width=width, channels=channels,
                           factor=(down, across))  # fmt: skip
        for extent, each in zip((height, width), spec.factor, strict=True):
            check_repetition(label, attributes, extent, each)
        self._enlarge(node, frame, spec)

    def _depth_to_space(self, node: Node) -> None:
        attributes = self.attributes(node, blocksize=0, mode="DCR")
        block, frame = attributes["blocksize"], self.picture(node, 0)
        if attributes["mode"] not in ORDERS:
            self.refuse(node, "mode", attributes["mode"], one_of(ORDERS))
        if len(frame.shape) != 4:
            self.refuse(node, "shape of the input", frame.shape, "four extents")
        if not isinstance(block, int) or block < 1 or frame.shape[1] % (block * block):
            self.refuse(node, "blocksize", block, f"one whose square divides the channels, {frame.shape[1]}")
        height, width, channels = frame.tensor.shape
        spec = UpscaleSpec(name=self._node_name(node), kind="depth_to_space", height=height, width=width,
                           channels=channels, factor=(block, block), order=attributes["mode"])  # fmt: skip
        self._enlarge(node, frame, spec)

    def _enlarge(self, node: Node, frame: FrameValue, spec: UpscaleSpec) -> None:
        """Values as they are, as int8 or as the floats that these stand for."""
        if spec.pieces == 1:
            self.places[node.index] = ("free", None, "the same frame")
            self._make(node, frame)
            return
        self._take(Upscale(input=frame.name, spec=spec), [frame.tensor])
        self.places[node.index] = ("engine", spec.name, "")
        self._make(node, replace(frame, name=spec.name, shape=_shape_of(spec, frame.shape)))

    def _concat(self, node: Node) -> None:
        axis = self.attributes(node, axis=None)["axis"]
        frames = [self.picture(node, at) for at in range(len(node.inputs))]
        first = frames[0]
        if axis not in (1, 1 - len(first.shape)):
            self.refuse(node, "axis", axis, "the channels, 1")
        for name, frame in zip(node.inputs, frames, strict=True):
            if (frame.real, frame.zero_point, len(frame.shape)) != (first.real, first.zero_point, len(first.shape)):
                self.refuse(
                    node, f"quantisation of {name}", _shown(frame), f"{_shown(first)}, that of {node.inputs[0]}"
                )
        if len(frames) == 1:
            self._make(node, first)
            return
        taken = Concat(name=self._node_name(node), inputs=tuple(frame.name for frame in frames))
        result = self._take(taken, [frame.tensor for frame in frames])
        self.places[node.index] = ("free", taken.name, "")
        self._make(node, replace(first, name=taken.name, shape=(1, result.channels, *first.shape[2:])))

    def _flatten(self, node: Node) -> None:
        """Pixels in a row, channel after channel."""
        frame = self.frame(node, 0)
        inputs = math.prod(frame.shape)
        if node.operator == "Flatten":
            axis = self.attributes(node, axis=1)["axis"]
            if axis not in (1, 1 - len(frame.shape)):
                self.refuse(node, "axis", axis, "1: all but the batch")
        else:
            self.attributes(node, allowzero=0)
            asked = [int(extent) for extent in self.constant(node, 1, "shape").reshape(-1)[:8]]
            if len(asked) != 2 or asked[0] not in (0, 1, -1) or asked[1] not in (-1, inputs) or asked == [-1, -1]:
                self.refuse(node, "shape", asked, f"[1, {inputs}], all but the batch in a row")
        chw = frame.chw or (None if math.prod(frame.shape[2:]) == 1 else channels_rows_columns(frame.shape))
        self.places[node.index] = ("free", None, "the same frame" if chw is None else "an order of weights")
        self._make(node, replace(frame, shape=(1, inputs), chw=chw))

    def _model(self, operators: tuple[OperatorRecord, ...]) -> Model:
        first = self.before[-1].output.label if self.before else self.file.inputs[0].name
        last = self.after[0].input.label if self.after else self.file.outputs[0].name
        frame, end = self.values[first], self.values.get(last)
        if not isinstance(frame, FrameValue):
            raise UnsupportedError(self.file.path.name, "input", first, "one that is quantised to int8")
        if not isinstance(end, FrameValue) or end.real is not None or (end.chw is not None):
            raise UnsupportedError(self.file.path.name, "output", last, "int8, or floats behind DequantizeLinear")
        height, width, channels = frame.tensor.shape
        graph = Graph(name=self.name, height=height, width=width, channels=channels, zero_point=frame.zero_point,
                      nodes=tuple(self.nodes))  # fmt: skip
        parameters = {layer.spec.name: layer.parameters for layer in self.layers.values()}
        tensors = {name: value for name, value in self.values.items()
                   if isinstance(value, FrameValue) and value.real is None and value.chw is None}  # fmt: skip
        return Model(
            name=self.name,
            network=Network(graph, parameters),
            before=tuple(self.before),
            after=tuple(self.after),
            operators=operators,
            tensors={self.number(name): value.name for name, value in tensors.items()},
            shapes={self.number(name): value.shape for name, value in tensors.items()},
            input=self.about(self.file.inputs[0].name),
            output=self.about(self.file.outputs[0].name),
            channels_first=True,
        )


def _shown(frame: FrameValue) -> tuple[float | None, int]:
    return None if frame.real is None else float(frame.real.scale), frame.zero_point
