"""Layers that read each other's results: a graph of convolutions, pooling, additions, enlarged frames and
concatenations, from one input to one output.

A :class:`Graph` is a value, like the specifications in it; a :class:`Network` is a graph with the layers' parameters.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .add import AddSpec
from .errors import SpecError, UnsupportedError, one_of
from .fields import check_keys, check_name, integer
from .layer import Layer, LayerParameters
from .pool import PoolSpec
from .spec import MAX_EXTENT, ConvSpec, dtype_bits, dtype_range
from .upscale import UpscaleSpec

STREAM_DTYPES = ("int8", "uint8", "int16")
"""Types of values that engines hand on."""
INPUT = "input"
"""The name of the tensor that comes in."""
MAX_NODES = 256


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution of one tensor; its result has the specification's name."""

    input: str
    spec: ConvSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Pooling of one tensor; its result has the specification's name."""

    input: str
    spec: PoolSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, kw_only=True)
class Upscale:
    """A larger frame of the values of one tensor; it has the specification's name."""

    input: str
    spec: UpscaleSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


@dataclass(frozen=True, kw_only=True)
class Concat:
    """Tensors of equal height and width side by side: the channels of each pixel one after the other, as they are."""

    name: str
    inputs: tuple[str, ...]

    def __post_init__(self) -> None:
        inputs: object = self.inputs
        if isinstance(inputs, str) or not isinstance(inputs, Sequence) or len(inputs) < 2:
            raise SpecError(str(self.name), "inputs", inputs, "two names of tensors at least")
        object.__setattr__(self, "inputs", tuple(inputs))


@dataclass(frozen=True, kw_only=True)
class Add:
    """The sum of two tensors of equal shape; it has the specification's name."""

    inputs: tuple[str, str]
    spec: AddSpec

    def __post_init__(self) -> None:
        inputs: object = self.inputs
        if isinstance(inputs, str) or not isinstance(inputs, Sequence) or len(inputs) != 2:
            raise SpecError(str(self.spec.name), "inputs", inputs, "two names of tensors")
        object.__setattr__(self, "inputs", tuple(inputs))

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """The same values in the same order as frames of another shape: nothing is computed."""

    name: str
    input: str
    height: int
    width: int
    channels: int

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.input,)


Node = Conv | Pool | Add | Upscale | Concat | Reshape
Computed = Conv | Pool | Add | Upscale | Concat
"""What makes a tensor, rather than to call one otherwise."""
_KINDS: Mapping[str, type[Node]] = {
    "conv": Conv, "pool": Pool, "add": Add, "upscale": Upscale, "concat": Concat, "reshape": Reshape,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What stands on an edge of a graph: frames of ``height x width x channels``."""

    height: int
    width: int
    channels: int
    dtype: str
    zero_point: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def value_bytes(self) -> int:
        """Bytes of one value in a stream."""
        return dtype_bits(self.dtype) // 8

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel in a stream."""
        return self.channels * self.value_bytes

    @property
    def bytes(self) -> int:
        """Bytes of one frame in a stream."""
        return self.pixels * self.pixel_bytes


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Nodes in an order in which each reads what comes before it. A tensor with several readers goes to all of them.

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    height, width, channels, dtype, zero_point:
        The frames that come in, under the name :data:`INPUT`, of a type of :data:`STREAM_DTYPES`. The zero point also
        completes a frame that ends early.
    nodes:
        Every result but that of the last node, which is the output, is read by some node.

    Raises
    ------
    SpecError
        Nodes that do not fit together, by shape, type or zero point; names that are not known, twice or not read.
    UnsupportedError
        A type for which there is no stream between engines; frames that are pieces of a sequence.
    """

    name: str = "graph"
    height: int
    width: int
    channels: int
    dtype: str = "int8"
    zero_point: int = 0
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor] = field(init=False, repr=False, compare=False, hash=False)
    """Every tensor by its name, the input included."""

    def __post_init__(self) -> None:
        check_name("graph", self.name)
        object.__setattr__(self, "nodes", tuple(self.nodes))
        if not 1 <= len(self.nodes) <= MAX_NODES:
            raise SpecError(self.name, "nodes", len(self.nodes), f"from 1 to {MAX_NODES}")
        bounds = dict.fromkeys(("height", "width", "channels"), (1, MAX_EXTENT))
        if not isinstance(self.dtype, str) or self.dtype not in STREAM_DTYPES:
            raise SpecError(self.name, "dtype", self.dtype, f"one of {one_of(STREAM_DTYPES)}")
        for key, (low, high) in {**bounds, "zero_point": dtype_range(self.dtype)}.items():
            object.__setattr__(self, key, integer(self.name, key, getattr(self, key), low, high))
        tensors = {INPUT: Tensor(**{key: getattr(self, key) for key in bounds}, dtype=self.dtype,
                                 zero_point=self.zero_point)}  # fmt: skip
        for node in self.nodes:
            if node.name in tensors:
                raise SpecError(self.name, "name of a node", node.name, "one that no other tensor has")
            for name in node.inputs:
                if name not in tensors:
                    raise SpecError(node.name, "input", name, f"a tensor before it: {one_of(tensors)}")
            tensors[node.name] = result_of(node, [tensors[name] for name in node.inputs])
        object.__setattr__(self, "tensors", tensors)
        for name in tensors:
            if name != self.output and not self.readers(name):
                raise SpecError(self.name, "tensor", name, f"read by a node, as all but the output {self.output}")

    @property
    def output(self) -> str:
        """The name of the tensor that leaves."""
        return self.nodes[-1].name

    def readers(self, name: str) -> list[tuple[str, int]]:
        """Who reads a tensor: names of nodes, and the number of the input, in the order of the nodes."""
        return [(node.name, index) for node in self.nodes for index, each in enumerate(node.inputs) if each == name]

    @property
    def computed(self) -> Iterator[Computed]:
        """All nodes but reshapes."""
        return (node for node in self.nodes if not isinstance(node, Reshape))

    def origin(self, name: str) -> str:
        """The tensor whose values a tensor has: itself, but for those that are another one in another shape."""
        node = None if name == INPUT else self.node(name)
        return self.origin(node.input) if isinstance(node, Reshape) else name

    def origins(self, node: Node) -> tuple[str, ...]:
        """What a node reads, as tensors that are computed."""
        return tuple(self.origin(name) for name in node.inputs)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def convolutions(self) -> Iterator[Conv]:
        return (node for node in self.nodes if isinstance(node, Conv))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one frame, over all convolutions."""
        return sum(node.spec.macs for node in self.convolutions)

    @property
    def weights(self) -> int:
        """Weights of all convolutions."""
        return sum(node.spec.out_channels * node.spec.taps * node.spec.group_in_channels for node in self.convolutions)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    @property
    def output_shape(self) -> tuple[int, int, int]:
        return self.tensors[self.output].shape

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has."""
        nodes: list[dict[str, object]] = []
        for node in self.nodes:
            kind = next(key for key, each in _KINDS.items() if isinstance(node, each))
            if isinstance(node, Reshape):
                nodes.append({"kind": kind, **asdict(node)})
            elif isinstance(node, Concat):
                nodes.append({"kind": kind, "name": node.name, "inputs": list(node.inputs)})
            elif isinstance(node, Add):
                nodes.append({"kind": kind, "inputs": list(node.inputs), "spec": node.spec.to_dict()})
            else:
                nodes.append({"kind": kind, "input": node.input, "spec": node.spec.to_dict()})
        own = {key: getattr(self, key) for key in ("name", "height", "width", "channels", "dtype", "zero_point")}
        return {**own, "nodes": nodes}

    def to_json(self) -> str:
        """One line of JSON: equal graphs give equal text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Graph":
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        label = str(values.get("name", "graph"))
        known = ("name", "height", "width", "channels", "dtype", "zero_point", "nodes")
        check_keys(label, values, known, known[1:4] + known[6:])
        if not isinstance(values["nodes"], list):
            raise SpecError(label, "nodes", values["nodes"], "a list")
        return cls(**{**values, "nodes": tuple(_node(label, each) for each in values["nodes"])})

    @classmethod
    def from_json(cls, text: str) -> "Graph":
        """Inverse of :meth:`to_json`. Raises :class:`SpecError` for anything that is not such a text."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError("graph", "JSON", str(text)[:80], "a JSON object") from error
        if not isinstance(values, dict):
            raise SpecError("graph", "JSON", str(text)[:80], "a JSON object")
        return cls.from_dict(values)


@dataclass(frozen=True, eq=False)
class Network:
    """A graph and the parameters of its convolutions, by name.

    Raises
    ------
    SpecError
        A convolution without parameters, parameters without a convolution, or such that do not fit.
    """

    graph: Graph
    parameters: Mapping[str, LayerParameters]
    layers: Mapping[str, Layer] = field(init=False, repr=False)
    """Every convolution as a layer."""

    def __post_init__(self) -> None:
        names = [node.name for node in self.graph.convolutions]
        for name in [*names, *self.parameters]:
            if (name in names) == (name in self.parameters):
                continue
            expected = "given" if name in names else f"those of one of {one_of(names)}"
            raise SpecError(self.graph.name, f"parameters of {name}", None if name in names else "given", expected)
        layers = {node.name: Layer(node.spec, self.parameters[node.name]) for node in self.graph.convolutions}
        object.__setattr__(self, "layers", layers)


def result_of(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """The tensor that a node makes, once its inputs are found to be what it takes."""
    first = inputs[0]
    for tensor, name in zip(inputs, node.inputs, strict=True):
        if tensor.dtype not in STREAM_DTYPES:
            raise UnsupportedError(node.name, f"type of {name}", tensor.dtype, f"{one_of(STREAM_DTYPES)} between nodes")
    if isinstance(node, Concat):
        for tensor, name in zip(inputs[1:], node.inputs[1:], strict=True):
            for what in ("height", "width", "dtype", "zero_point"):
                if getattr(tensor, what) != getattr(first, what):
                    expected = f"{getattr(first, what)}, that of {node.inputs[0]}"
                    raise SpecError(node.name, f"{what} of {name}", getattr(tensor, what), expected)
        channels = sum(tensor.channels for tensor in inputs)
        if channels > MAX_EXTENT:
            raise SpecError(node.name, "channels", channels, f"at most {MAX_EXTENT}")
        return replace(first, channels=channels)
    if isinstance(node, Reshape):
        return _reshaped(node, first)
    if isinstance(node, Add):
        return _sum(node, inputs)
    if not isinstance(node.spec, ConvSpec | PoolSpec | UpscaleSpec):
        raise SpecError(node.name, "spec", type(node.spec).__name__, "a ConvSpec, a PoolSpec or an UpscaleSpec")
    if node.spec.input_shape != first.shape:
        raise SpecError(node.name, "input shape", node.spec.input_shape, f"{first.shape}, that of {node.input}")
    if isinstance(node, Pool):
        return _pooled(node, first)
    if isinstance(node, Upscale):
        if node.spec.dtype != first.dtype:
            raise SpecError(node.name, "dtype", node.spec.dtype, f"{first.dtype}, that of {node.input}")
        height, width, channels = node.spec.output_shape
        return replace(first, height=height, width=width, channels=channels)
    spec = node.spec
    if spec.input_dtype != first.dtype:
        raise SpecError(node.name, "input_dtype", spec.input_dtype, f"{first.dtype}, that of {node.input}")
    if spec.input_zero_point != first.zero_point:
        expected = f"{first.zero_point}, that of {node.input}"
        raise SpecError(node.name, "input_zero_point", spec.input_zero_point, expected)
    if spec.streaming:
        raise UnsupportedError(node.name, "streaming", True, "false in graphs, whose frames stand alone")
    height, width, channels = spec.output_shape
    zero_point = spec.output_zero_point
    return Tensor(height=height, width=width, channels=channels, dtype=spec.output_dtype, zero_point=zero_point)


def _pooled(node: Pool, first: Tensor) -> Tensor:
    spec, zero_point = node.spec, first.zero_point
    if spec.dtype != first.dtype:
        raise SpecError(node.name, "dtype", spec.dtype, f"{first.dtype}, that of {node.input}")
    if spec.kind == "mean":
        if spec.input_zero_point != zero_point:
            raise SpecError(node.name, "input_zero_point", spec.input_zero_point, f"{zero_point}, that of {node.input}")
        zero_point = spec.output_zero_point
    height, width, channels = spec.output_shape
    return Tensor(height=height, width=width, channels=channels, dtype=spec.dtype, zero_point=zero_point)


def _reshaped(node: Reshape, first: Tensor) -> Tensor:
    shape = node.height, node.width, node.channels
    if any(isinstance(each, bool) or not isinstance(each, int) or not 1 <= each <= MAX_EXTENT for each in shape):
        raise SpecError(node.name, "shape", shape, f"three extents from 1 to {MAX_EXTENT}")
    if math.prod(shape) != math.prod(first.shape):
        expected = f"{math.prod(first.shape)}, those of {node.input}"
        raise SpecError(node.name, "elements", math.prod(shape), expected)
    return replace(first, height=node.height, width=node.width, channels=node.channels)


def _sum(node: Add, inputs: Sequence[Tensor]) -> Tensor:
    spec = node.spec
    for tensor, name, zero_point in zip(inputs, node.inputs, spec.input_zero_points, strict=True):
        if tensor.shape != spec.shape:
            raise SpecError(node.name, "input shape", spec.shape, f"{tensor.shape}, that of {name}")
        if tensor.dtype != spec.dtype:
            raise SpecError(node.name, "dtype", spec.dtype, f"{tensor.dtype}, that of {name}")
        if tensor.zero_point != zero_point:
            raise SpecError(node.name, "input_zero_points", zero_point, f"{tensor.zero_point}, that of {name}")
    return replace(inputs[0], zero_point=spec.output_zero_point)


def _node(label: str, values: object) -> Node:
    if not isinstance(values, dict) or values.get("kind") not in _KINDS:
        kind = values.get("kind") if isinstance(values, dict) else values
        raise SpecError(label, "kind of a node", kind, f"one of {one_of(_KINDS)}")
    if values["kind"] == "concat":
        check_keys(label, values, ("kind", "name", "inputs"), ("name", "inputs"))
        return Concat(name=values["name"], inputs=values["inputs"])
    if values["kind"] == "reshape":
        known = ("name", "input", "height", "width", "channels")
        check_keys(label, values, ("kind", *known), known)
        return Reshape(**{key: values[key] for key in known})
    if values["kind"] == "add":
        check_keys(label, values, ("kind", "inputs", "spec"), ("inputs", "spec"))
        if not isinstance(values["spec"], dict):
            raise SpecError(label, "spec", values["spec"], "an object")
        return Add(inputs=values["inputs"], spec=AddSpec.from_dict(values["spec"]))
    check_keys(label, values, ("kind", "input", "spec"), ("input", "spec"))
    if not isinstance(values["spec"], dict):
        raise SpecError(label, "spec", values["spec"], "an object")
    if values["kind"] == "conv":
        return Conv(input=values["input"], spec=ConvSpec.from_dict(values["spec"]))
    if values["kind"] == "upscale":
        return Upscale(input=values["input"], spec=UpscaleSpec.from_dict(values["spec"]))
    return Pool(input=values["input"], spec=PoolSpec.from_dict(values["spec"]))
