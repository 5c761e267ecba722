"""An ``.onnx`` file as nodes, attributes and constants, with every way in which a damaged one fails contained.

Protocol buffers are decoded by the package ``onnx``; nothing of it interprets them, and no other file is read.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, HwconvError, UnsupportedError
from .source_file import read_file

MAX_FILE_BYTES = 1 << 29
"""Largest model that is read."""
MAX_READ = 1 << 29
"""Limit of what all nodes read together: they may share constants, so that a small file could take days."""
MAX_NODES = 4096
_MAX_RANK = 8
_MAX_NAME = 200
_LISTED = 16
"""Elements of an attribute, at most."""
# TensorProto.DataType of onnx.proto, the field that has the values where they are not raw, and that field's type
_TYPES = {1: ("float32", "float_data"), 2: ("uint8", "int32_data"), 3: ("int8", "int32_data"),
          6: ("int32", "int32_data"), 7: ("int64", "int64_data")}  # fmt: skip
_INT, _STRING, _TENSOR, _INTS = 2, 3, 4, 7  # AttributeProto.AttributeType
_FLOAT = 1


@contextlib.contextmanager
def contained(path: Path) -> Iterator[None]:
    """Turns whatever decoding raises on damaged bytes into one :class:`FormatError`."""
    try:
        yield
    except HwconvError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FormatError(path, f"a damaged .onnx file ({reason})") from error


@dataclass(frozen=True)
class Node:
    """One node: its operator, with the domain before it where it is not ONNX's own, and what it reads and makes."""

    index: int
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Value:
    """An input or output of the model; extents that the file leaves open are -1."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class OnnxFile:
    """The graph of a model. Use inside :func:`contained`."""

    def __init__(self, path: Path) -> None:
        import onnx

        self.path = path
        model = onnx.ModelProto()
        model.ParseFromString(read_file(path, MAX_FILE_BYTES))
        if not model.HasField("graph") or not model.graph.node:
            raise FormatError(path, "not an .onnx file, or a model without nodes")
        graph = model.graph
        if len(graph.node) > MAX_NODES:
            raise FormatError(path, f"{len(graph.node)} nodes; 1 to {MAX_NODES} are read")
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._read_bytes = 0
        self._known: dict[str, NDArray[Any]] = {}
        self.sparse = len(graph.sparse_initializer)
        self.inputs = tuple(self._value(each) for each in graph.input if each.name not in self._tensors)
        self.outputs = tuple(self._value(each) for each in graph.output)
        nodes: list[Node] = []
        for proto in graph.node:
            if proto.op_type == "Constant" and proto.domain in ("", "ai.onnx"):
                self._take_constant(proto)
            else:
                nodes.append(self._node(len(nodes), proto))
        self.nodes = tuple(nodes)

    def _name(self, name: str) -> str:
        if len(name) > _MAX_NAME or not name.isprintable():
            raise FormatError(self.path, f"a name of {len(name)} characters, {name[:40]!a}")
        return name

    def _value(self, proto: Any) -> Value:
        tensor = proto.type.tensor_type
        dims = tensor.shape.dim
        if len(dims) > _MAX_RANK:
            raise FormatError(self.path, f"{proto.name[:40]!a} has {len(dims)} dimensions")
        shape = tuple(int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" else -1 for dim in dims)
        dtype = _TYPES.get(tensor.elem_type, (f"type {tensor.elem_type}", ""))[0]
        return Value(self._name(proto.name), dtype, shape)

    def _take_constant(self, proto: Any) -> None:
        tensors = [each.t for each in proto.attribute if each.name == "value" and each.type == _TENSOR]
        if len(tensors) != 1 or len(proto.output) != 1:
            raise FormatError(self.path, "a Constant without the attribute 'value'")
        self._tensors[self._name(proto.output[0])] = tensors[0]

    def _node(self, index: int, proto: Any) -> Node:
        operator = f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
        self._name(operator)
        attributes: dict[str, Any] = {}
        for each in proto.attribute:
            if each.type == _INT:
                attributes[self._name(each.name)] = int(each.i)
            elif each.type == _FLOAT:
                attributes[self._name(each.name)] = float(each.f)
            elif each.type == _STRING:
                attributes[self._name(each.name)] = each.s[:80].decode(errors="replace")
            elif each.type == _INTS and len(each.ints) <= _LISTED:
                attributes[self._name(each.name)] = [int(number) for number in each.ints]
            else:
                attributes[self._name(each.name)] = None
        names = [[self._name(name) for name in names] for names in (proto.input, proto.output)]
        return Node(index, operator, tuple(names[0]), tuple(names[1]), attributes)

    def claim(self, amount: int) -> None:
        """Counts what is read; raises :class:`FormatError` above :data:`MAX_READ`."""
        self._read_bytes += amount
        if self._read_bytes > MAX_READ:
            raise FormatError(self.path, f"nodes that share constants until more than {MAX_READ} bytes would be read")

    def is_constant(self, name: str) -> bool:
        """Whether the file has a value's numbers."""
        return name in self._tensors

    def constant(self, name: str) -> NDArray[Any]:
        """The numbers of a value, read-only.

        Raises
        ------
        UnsupportedError
            A type that is not read; numbers that lie in another file.
        FormatError
            Fewer or more numbers than the shape says.
        """
        if name not in self._known:
            self._known[name] = self._read(name)
        self.claim(self._known[name].nbytes)
        return self._known[name]

    def _read(self, name: str) -> NDArray[Any]:
        proto = self._tensors[name]
        label = f"{self.path.name} constant {name}"
        if proto.data_type not in _TYPES:
            raise UnsupportedError(label, "type", f"type {proto.data_type}", "float32, uint8, int8, int32, int64")
        if proto.data_location or proto.external_data:
            raise UnsupportedError(label, "data_location", "external", "numbers inside the file")
        shape = tuple(int(extent) for extent in proto.dims)
        dtype, field = _TYPES[proto.data_type]
        if len(shape) > _MAX_RANK or min(shape, default=0) < 0:
            raise FormatError(self.path, f"constant {name} has the shape {shape[:_MAX_RANK]}")
        raw = proto.raw_data
        if raw:
            values = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")) if len(raw) % np.dtype(dtype).itemsize == 0 \
                else np.zeros(0)  # fmt: skip
        else:
            wide = np.array(getattr(proto, field))
            values = wide.astype(dtype)
            if not np.array_equal(values, wide, equal_nan=dtype == "float32"):
                raise FormatError(self.path, f"constant {name} has numbers beyond {dtype}")
        if values.size != math.prod(shape):
            raise FormatError(self.path, f"constant {name} has {values.size} numbers for the shape {shape}")
        array = values.astype(dtype).reshape(shape)
        array.flags.writeable = False
        return array
