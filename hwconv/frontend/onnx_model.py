"""A whole ``.onnx`` model: the network that hardware computes, and what is left to the host.

Models that are quantised to int8 or uint8, with ``QLinearConv`` and ``QLinearMatMul`` or with ``DequantizeLinear``
before and ``QuantizeLinear`` behind each operator of floats. docs/networks.md says what each operator becomes, and
which arithmetic is meant where floats leave a choice.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SpecError, UnsupportedError, one_of
from ..graph import INPUT, Add, Concat, Graph, Network, Pool
from ..host import Dequantise, Quantise
from ..model import HostStep, Model, OperatorRecord, Survey
from ..pool import PoolSpec
from .onnx_file import Node, OnnxFile, contained
from .onnx_layers import shape_of
from .onnx_nodes import Clamp, FloatValue, FrameValue, WeightValue, channels_rows_columns
from .onnx_steps import BYTES, Quantisation, add_of, check_mean, quantised, window_of
from .onnx_upscale import UpscaleReader


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


class _Surveyor(UpscaleReader):
    """One model, read node after node."""

    def survey(self) -> Survey:
        """Everything put together."""
        operators = {
            "QuantizeLinear": self._quantise, "DequantizeLinear": self._dequantise, "QLinearConv": self.qlinear_conv,
            "QLinearMatMul": self.qlinear_matmul, "Conv": self.conv, "ConvTranspose": self.conv,
            "Gemm": self.gemm, "MatMul": self.matmul, "Add": self._add, "Relu": self._clamp, "Clip": self._clamp,
            "MaxPool": self._max_pool, "AveragePool": self._average_pool,
            "GlobalAveragePool": self.global_average_pool, "ReduceMean": self.reduce_mean, "Concat": self._concat,
            "Flatten": self._flatten, "Reshape": self._flatten, "Resize": self.resize,
            "DepthToSpace": self.depth_to_space, "Pad": self._pad,
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
        return self.concluded(tuple(map(self.record, self.file.nodes)), self._model)

    def _take_ends(self) -> None:
        if self.file.sparse:
            self.problem("sparse initializers", self.file.sparse, "none")
        self.check_ends(self.file.inputs, self.file.outputs)
        for value in self.file.inputs:
            self.number(value.name)
            shape = (1, *value.shape[1:])
            self.dtypes[value.name], self.shapes[value.name] = value.dtype, shape
            if not 2 <= len(value.shape) <= 4 or value.shape[0] not in (1, -1) or min(shape) < 1:
                self.problem(f"shape of {value.name}", value.shape, "a batch of 1, then one to three fixed extents")
                self.lost.add(value.name)
            elif value.dtype in BYTES:
                point = self._zero_point_of_input(value.name)
                self.values[value.name] = FrameValue(INPUT, shape, point, value.dtype)
            elif value.dtype == "float32":
                self.floats.add(value.name)
            else:
                supported = f"{one_of(BYTES)}, or float32 that is quantised first"
                self.problem(f"type of {value.name}", value.dtype, supported)
                self.lost.add(value.name)
        for value in self.file.outputs:
            if value.dtype not in (*BYTES, "float32"):
                supported = f"{one_of(BYTES)}, or float32 behind DequantizeLinear"
                self.problem(f"type of {value.name}", value.dtype, supported)

    def _zero_point_of_input(self, name: str) -> int:
        """What the first node says that reads the model's input as it is, or else 0."""
        same = {name}
        for node in self.file.nodes:
            if not node.inputs or node.inputs[0] not in same:
                continue
            if node.operator in ("MaxPool", "Concat", "Flatten", "Reshape", "Resize", "DepthToSpace", "Pad"):
                same |= set(node.outputs)
            elif node.operator in ("DequantizeLinear", "QLinearConv", "QLinearMatMul"):
                point = self.optional(node, 2)
                if self.file.is_constant(point) and self.file.constant(point).size == 1:
                    return int(self.file.constant(point).reshape(-1)[0])
        return 0

    def _reads_what_is_there(self, node: Node) -> bool:
        """Whether a node can be looked at: not if it depends on a refused one, for which that one was refused."""
        if len(node.outputs) != 1 or not node.outputs[0] or not node.inputs:
            self.contradicts(node, f"has {len(node.inputs)} inputs and {len(node.outputs)} outputs")
        for name in filter(None, node.inputs):
            if not (name in self.values or name in self.floats or name in self.lost or self.file.is_constant(name)):
                self.contradicts(node, f"reads {name}, which nothing makes before it")
        for name in node.inputs:
            if name in self.lost:
                supported = "results of nodes that are supported"
                self.errors[node.index] = UnsupportedError(self.label(node), name, "of a refused node", supported)
                self.lost.add(node.outputs[0])
                return False
        return True

    def _quantise(self, node: Node) -> None:
        attributes = self.attributes(node, axis=1, saturate=1, output_dtype=0, block_size=0, precision=0)
        types = {0: "uint8", 2: "uint8", 3: "int8"}  # of onnx.proto; 0: that of the zero point
        for field, accepted in (("output_dtype", tuple(types)), ("block_size", (0,)), ("precision", (0,))):
            if attributes[field] not in accepted:
                self.refuse(node, field, attributes[field], one_of(accepted))
        said = types[attributes["output_dtype"]]
        made, name = self.quantisation(node, 1, said), self.input(node, 0)
        if attributes["output_dtype"] and made.dtype != said:
            self.refuse(node, "output_dtype", said, f"{made.dtype}, the type of the zero point")
        value = self.values.get(name)
        if isinstance(value, FrameValue) and value.real is not None:
            if value.real != made:
                self.refuse(node, "scale, zero point and type", made.shown, f"{value.real.shown}, those of its input")
            self.make(node, replace(value, real=None))
            return
        if self.readers[name] != 1 or name in self.ends:
            self.refuse(node, name, "read by other nodes too", "quantised, and read by nothing else")
        if name in self.floats:
            self.make(node, FrameValue(INPUT, self.shapes[name], made.zero_point, made.dtype))
            self.places[node.index] = ("host", None, "before the hardware")
            scale, point, dtype = made.shown
            operation = Quantise(scale=scale, zero_point=point, ties="even", output_dtype=dtype)
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
        self.make(node, FrameValue(taken.name, value.shape, made.zero_point, made.dtype))

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
            if scale.size != 1 and scale.size not in values.shape:
                self.refuse(node, "scales", scale.size, "one, or one per channel")
            self.make(node, WeightValue(values, scale, point, attributes["axis"]))
            return
        frame = self.frame(node, 0, padded=True)
        said = self.quantisation(node, 1, frame.dtype)
        if frame.real is not None:
            self.refuse(node, name, "floats", one_of(BYTES))
        self.check_said(node, frame, said)
        self.make(node, replace(frame, real=said))
        if node.outputs[0] in self.ends:
            if self.readers[name] != 1 or self.readers[node.outputs[0]]:
                self.refuse(node, name, "read elsewhere too", "one reader where the host begins")
            self.places[node.index] = ("host", None, "")
            operation = Dequantise(scale=float(said.scale), zero_point=said.zero_point)
            self.after.append(self._host_step(node, operation))

    def _add(self, node: Node) -> None:
        self.attributes(node)
        if len(node.inputs) != 2:
            self.contradicts(node, f"has {len(node.inputs)} inputs")
        (a, of_a), (b, of_b) = self.real(node, 0), self.real(node, 1)
        if a.shape != b.shape:
            self.refuse(node, "shapes", (a.shape, b.shape), "equal shapes, without broadcasting")

        def finish(made: Quantisation, clamp: Clamp) -> Add:
            shape = a.tensor.shape
            spec = add_of(self.label(node), self.node_name(node), shape, [of_a, of_b], made, clamp)
            taken = Add(inputs=(a.name, b.name), spec=spec)
            self.take(taken, [a.tensor, b.tensor])
            return taken

        self.make(node, FloatValue(node, a.shape, finish))

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
        self.make(node, replace(value, low=low, high=high))

    def _pad(self, node: Node) -> None:
        self.make(node, self.padded(node))
        self.places[node.index] = ("free", None, "pads of what reads it")

    def _max_pool(self, node: Node) -> None:
        pooled = self._pooled(node, "max", storage_order=0)
        frame = self.picture(node, 0)
        self.take(pooled, [frame.tensor])
        self.places[node.index] = ("engine", pooled.name, "")
        self.make(node, replace(frame, name=pooled.name, shape=shape_of(pooled.spec, frame.shape)))

    def _average_pool(self, node: Node) -> None:
        frame, read = self.real(node, 0)
        pooled = self._pooled(node, "average", count_include_pad=0)
        if node.attributes.get("count_include_pad") and any(pooled.spec.padding):
            self.refuse(node, "count_include_pad", 1, "0 with pads")
        check_mean(self.label(node), pooled.spec)

        def finish(made: Quantisation, clamp: Clamp) -> Pool:
            if made != read:
                expected = f"{read.shown}, those of its input"
                self.refuse(node, "scale, zero point and type of the output", made.shown, expected)
            spec = replace(pooled.spec, activation_min=clamp[0], activation_max=clamp[1])
            taken = Pool(input=frame.name, spec=spec)
            self.take(taken, [frame.tensor])
            return taken

        self.make(node, FloatValue(node, shape_of(pooled.spec, frame.shape), finish))

    def _pooled(self, node: Node, kind: str, **more: Any) -> Pool:
        frame = self.picture(node, 0)
        if len(frame.shape) < 3:
            self.refuse(node, "shape of the input", frame.shape, "rows and columns, or a length")
        window: dict[str, Any] = dict.fromkeys(("kernel_shape", "strides", "dilations", "pads"))
        attributes = self.attributes(node, auto_pad="NOTSET", ceil_mode=0, **window, **more)
        height, width, channels = frame.tensor.shape
        kernel, stride, padding = window_of(self.label(node), attributes, len(frame.shape) - 2)
        spec = PoolSpec(name=self.node_name(node), kind=kind, height=height, width=width, channels=channels,
                        kernel=kernel, stride=stride, padding=padding, dtype=frame.dtype)  # fmt: skip
        return Pool(input=frame.name, spec=spec)

    def _concat(self, node: Node) -> None:
        axis = self.attributes(node, axis=None)["axis"]
        frames = [self.picture(node, at) for at in range(len(node.inputs))]
        first = frames[0]
        if axis not in (1, 1 - len(first.shape)):
            self.refuse(node, "axis", axis, "the channels, 1")
        for name, frame in zip(node.inputs, frames, strict=True):
            if (_shown(frame), len(frame.shape)) != (_shown(first), len(first.shape)):
                self.refuse(
                    node, f"quantisation of {name}", _shown(frame), f"{_shown(first)}, that of {node.inputs[0]}"
                )
        if len(frames) == 1:
            self.make(node, first)
            return
        taken = Concat(name=self.node_name(node), inputs=tuple(frame.name for frame in frames))
        result = self.take(taken, [frame.tensor for frame in frames])
        self.places[node.index] = ("free", taken.name, "")
        self.make(node, replace(first, name=taken.name, shape=(1, result.channels, *first.shape[2:])))

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
        self.make(node, replace(frame, shape=(1, inputs), chw=chw))

    def _model(self, operators: tuple[OperatorRecord, ...]) -> Model:
        first = self.before[-1].output.label if self.before else self.file.inputs[0].name
        last = self.after[0].input.label if self.after else self.file.outputs[0].name
        frame, end = self.values[first], self.values.get(last)
        if not isinstance(frame, FrameValue):
            raise UnsupportedError(self.file.path.name, "input", first, f"one that is quantised to {one_of(BYTES)}")
        if not isinstance(end, FrameValue) or end.real is not None or end.chw is not None or end.pads is not None:
            supported = f"{one_of(BYTES)}, or floats behind DequantizeLinear"
            raise UnsupportedError(self.file.path.name, "output", last, supported)
        height, width, channels = frame.tensor.shape
        graph = Graph(name=self.name, height=height, width=width, channels=channels, dtype=frame.dtype,
                      zero_point=frame.zero_point, nodes=tuple(self.nodes))  # fmt: skip
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


def _shown(frame: FrameValue) -> tuple[float | None, int, str]:
    return None if frame.real is None else float(frame.real.scale), frame.zero_point, frame.dtype
