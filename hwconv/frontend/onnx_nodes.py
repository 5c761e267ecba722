"""Nodes of an ``.onnx`` model, and what they read: tensors of the network, floats on their way to one, weights."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, HwconvError, UnsupportedError, one_of
from ..graph import Node as GraphNode
from ..graph import Tensor
from ..layer import Layer
from ..model import ModelTensor, OperatorRecord
from .model_reader import ModelReader
from .onnx_file import Node, OnnxFile
from .onnx_steps import BYTES, Quantisation

Clamp = tuple[int, int]
Pads = tuple[tuple[int, int], ...]
"""Before and behind each axis of a frame, height and width or length."""


@dataclass(frozen=True)
class FrameValue:
    """A value that is a tensor of the network: bytes of type `dtype`, or the floats that those stand for (``real``).

    ``shape`` is the file's, with the batch. Pixels in a row, as one vector, have ``chw``: the shape before that, of
    which ONNX puts channel after channel. ``pads`` stand around it in the file, and not in ``shape``.
    """

    name: str
    shape: tuple[int, ...]
    zero_point: int
    dtype: str = "int8"
    real: Quantisation | None = None
    chw: tuple[int, int, int] | None = None
    pads: Pads | None = None

    @property
    def shape_with_pads(self) -> tuple[int, ...]:
        added = (0, 0, *map(sum, self.pads or ()))
        return tuple(extent + more for extent, more in zip(self.shape, added, strict=True)) if self.pads else self.shape

    @property
    def tensor(self) -> Tensor:
        channels, height, width = self.chw or channels_rows_columns(self.shape)
        return Tensor(height=height, width=width, channels=channels, dtype=self.dtype, zero_point=self.zero_point)


@dataclass(frozen=True)
class FloatValue:
    """The result of a node on floats, which becomes a tensor of the network once it is quantised, clamped before."""

    node: Node
    shape: tuple[int, ...]
    finish: Callable[[Quantisation, Clamp], GraphNode]
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class WeightValue:
    """A constant behind ``DequantizeLinear``."""

    values: NDArray[Any]
    scale: NDArray[np.float32]
    zero_point: NDArray[Any] | None
    axis: int


Value = FrameValue | FloatValue | WeightValue


def channels_rows_columns(shape: tuple[int, ...]) -> tuple[int, int, int]:
    channels, height, width = (shape[1], *(1,) * (4 - len(shape)), *shape[2:])
    return channels, height, width


class NodeReader(ModelReader):
    """One model, and what is known of its values so far."""

    def __init__(self, file: OnnxFile) -> None:
        super().__init__(file.path, "nodes")
        self.file = file
        self.values: dict[str, Value] = {}
        self.lost: set[str] = set()  # results of refused nodes
        self.floats: set[str] = set()  # inputs of the model
        self.numbers: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.dtypes: dict[str, str] = {}
        self.readers = Counter(name for node in file.nodes for name in node.inputs)
        self.ends = {value.name for value in file.outputs}
        taken = {value.name for value in file.inputs}
        for name in (name for node in file.nodes for name in node.outputs if name):
            if name in taken or file.is_constant(name):
                raise FormatError(file.path, f"value {name} is made more than once")
            taken.add(name)
        self.layers: dict[int, Layer] = {}
        self.places: dict[int, tuple[str, str | None, str]] = {}
        self.errors: dict[int, HwconvError] = {}
        self.finished: set[int] = set()

    # What is said of nodes

    def number(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))

    def label(self, node: Node) -> str:
        return f"{self.file.path.name} node {node.index} ({node.operator})"

    def refuse(self, node: Node, field: str, value: object, supported: str) -> NoReturn:
        raise UnsupportedError(self.label(node), field, value, supported)

    def contradicts(self, node: Node, problem: str) -> NoReturn:
        """Raises :class:`FormatError` for a node."""
        raise FormatError(self.file.path, f"node {node.index} ({node.operator}) {problem}")

    def lose(self, node: Node, error: HwconvError) -> None:
        self.errors[node.index] = error
        self.problems.append(error)
        self.lost |= set(node.outputs)

    def record(self, node: Node) -> OperatorRecord:
        error = self.errors.get(node.index)
        place, name, note = ("refused", None, str(error)) if error else self.places[node.index]
        layer = self.layers.get(node.index) if not error else None
        return OperatorRecord(
            index=node.index,
            name=node.operator,
            place=place,
            node=name,
            inputs=tuple(self.about(each) for each in node.inputs if each),
            outputs=tuple(self.about(each) for each in node.outputs if each),
            macs=layer.spec.macs if layer else 0,
            weights=int(layer.parameters.weights.size) if layer else 0,
            note=note,
            error=error,
        )

    def about(self, name: str) -> ModelTensor:
        shape, dtype = self.shapes.get(name, ()), self.dtypes.get(name, "unknown")
        constant = self.file.is_constant(name) or isinstance(self.values.get(name), WeightValue)
        return ModelTensor(number=self.number(name), shape=shape, dtype=dtype, constant=constant, label=name)

    # What nodes read

    def attributes(self, node: Node, **known: Any) -> dict[str, Any]:
        """A node's attributes over their defaults; refused where one is not known."""
        for name, value in node.attributes.items():
            if name not in known:
                self.refuse(node, "attribute", name, one_of(known) or "none")
            if value is None:
                self.refuse(node, name, "of another type", "numbers, texts and short lists of integers")
        return {**known, **node.attributes}

    def input(self, node: Node, at: int) -> str:
        if len(node.inputs) <= at or not node.inputs[at]:
            self.contradicts(node, f"lacks its input {at}")
        return node.inputs[at]

    def optional(self, node: Node, at: int) -> str:
        return node.inputs[at] if len(node.inputs) > at else ""

    def constant(self, node: Node, at: int, what: str) -> NDArray[Any]:
        name = self.input(node, at)
        if not self.file.is_constant(name):
            self.refuse(node, what, "computed at run time", "a constant")
        return self.file.constant(name)

    def quantisation(self, node: Node, at: int, dtype: str = "uint8") -> Quantisation:
        """Scale and zero point of an activation, from two inputs; without the second, 0 of type `dtype`."""
        scale = self.constant(node, at, "scale")
        if scale.dtype != np.float32 or scale.size != 1 or not (np.isfinite(scale) & (scale > 0)).all():
            shown = float(scale.reshape(-1)[0]) if scale.size else None
            self.refuse(node, "scale of the activation", shown, "one float32, finite and positive")
        real = np.float32(scale.reshape(-1)[0])
        if not self.optional(node, at + 1):
            return Quantisation(real, 0, dtype)
        point = self.constant(node, at + 1, "zero point")
        if point.dtype.name not in BYTES or point.size != 1:
            self.refuse(node, "type of the activation", str(point.dtype), f"{one_of(BYTES)}, with one zero point")
        return Quantisation(real, int(point.reshape(-1)[0]), point.dtype.name)

    def frame(self, node: Node, at: int, *, padded: bool = False) -> FrameValue:
        """An activation that is a tensor of the network, as bytes or as floats; refused where it has pads around it."""
        name = self.input(node, at)
        value = self.values.get(name)
        if not isinstance(value, FrameValue):
            found = "a constant" if isinstance(value, WeightValue) or self.file.is_constant(name) else "floats"
            advice = ": quantise the model first, see hwconv quantise" if name in self.floats else ""
            self.refuse(node, name, found, f"a value that is quantised to {one_of(BYTES)}{advice}")
        if value.pads is not None and not padded:
            self.refuse(node, name, "made by Pad", "read by Conv and QLinearConv, which make the pads")
        return value

    def picture(self, node: Node, at: int, *, padded: bool = False) -> FrameValue:
        """The same, refused where its pixels lie in a row."""
        frame = self.frame(node, at, padded=padded)
        if frame.chw is not None:
            self.refuse(node, self.input(node, at), "pixels in a row", "Gemm or MatMul behind Flatten")
        return frame

    def real(
        self, node: Node, at: int, *, vector: bool = False, padded: bool = False
    ) -> tuple[FrameValue, Quantisation]:
        """An activation as floats, and what they stand for."""
        frame = self.frame(node, at) if vector else self.picture(node, at, padded=padded)
        if frame.real is None:
            self.refuse(node, self.input(node, at), frame.dtype, "floats behind DequantizeLinear")
        return frame, frame.real

    def bytes(
        self, node: Node, at: int, said: Quantisation, *, vector: bool = False, padded: bool = False
    ) -> FrameValue:
        """An activation as bytes, whose type and zero point a node says again."""
        frame = self.frame(node, at) if vector else self.picture(node, at, padded=padded)
        if frame.real is not None:
            self.refuse(node, self.input(node, at), "floats", one_of(BYTES))
        self.check_said(node, frame, said)
        return frame

    def check_said(self, node: Node, frame: FrameValue, said: Quantisation) -> None:
        """Refuses another type or zero point than those of what is read."""
        if said.dtype != frame.dtype:
            self.refuse(node, "type of the zero point", said.dtype, f"{frame.dtype}, that of what it reads")
        if said.zero_point != frame.zero_point:
            self.refuse(node, "zero point of the input", said.zero_point, f"{frame.zero_point}, that of what it reads")

    def weights(self, node: Node, at: int, axis: int) -> WeightValue:
        """Weights behind ``DequantizeLinear``, with one scale or one per output channel along an axis."""
        value = self.values.get(self.input(node, at))
        if not isinstance(value, WeightValue):
            supported = f"constant {one_of(BYTES)} behind DequantizeLinear"
            self.refuse(node, "weights", "floats, or computed at run time", supported)
        if not value.values.ndim:
            self.refuse(node, "weights", "a number", "an array")
        if value.values.dtype.name not in BYTES:
            self.refuse(node, "weight type", value.values.dtype.name, one_of(BYTES))
        if value.scale.size > 1 and value.axis % value.values.ndim != axis % value.values.ndim:
            self.refuse(node, "axis of the scales", value.axis, f"{axis}, the output channels")
        self.file.claim(value.values.nbytes)
        return value

    def bias(self, node: Node, at: int, read: Quantisation, weights: WeightValue) -> NDArray[np.int32] | None:
        """A bias behind ``DequantizeLinear``, whose scale is that of the products."""
        if not self.optional(node, at):
            return None
        value = self.values.get(node.inputs[at])
        if not isinstance(value, WeightValue) or value.values.dtype != np.int32:
            self.refuse(node, "bias", "floats, or computed at run time", "constant int32 behind DequantizeLinear")
        if value.zero_point is not None and value.zero_point.any():
            self.refuse(node, "zero point of the bias", int(value.zero_point.reshape(-1)[0]), "0")
        products = (read.scale * weights.scale).astype(np.float32).reshape(-1)
        if products.size not in (1, value.scale.size) and value.scale.size != 1:
            self.refuse(node, "scales of the bias", value.scale.size, f"{products.size}, as the weights have")
        if (value.scale.reshape(-1) != products).any():
            shown = [float(each) for each in value.scale.reshape(-1)[:4]]
            self.refuse(node, "scale of the bias", shown, "input scale x weight scale, in float32")
        return value.values.reshape(-1)
