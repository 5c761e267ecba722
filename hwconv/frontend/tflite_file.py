"""A ``.tflite`` file as operators and tensors, with every way in which a damaged one fails contained.

The FlatBuffers bindings check nothing: on damaged bytes they raise whatever their arithmetic runs into. All access goes
through :class:`ModelFile`, inside :func:`contained`.
"""

import contextlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import tflite
from numpy.typing import NDArray
from tflite.utils import BUILTIN_OPCODE2NAME

from ..errors import FormatError, HwconvError
from .source_file import read_file

MAX_FILE_BYTES = 1 << 29
"""Largest model that is read."""
MAX_READ = 1 << 29
"""Limit of what all operators read together: they may share tensors, so that a small file could take days."""
NUMBER_COST = 64
"""How much a scale, a zero point or a tensor's number counts against it, beside a byte of a constant."""
_MAX_OPERATORS = 4096
_MAX_RANK = 8
_IDENTIFIER = b"TFL3"  # file_identifier of tensorflow/compiler/mlir/lite/schema/schema.fbs
_DTYPES = {
    tflite.TensorType.FLOAT32: "float32",
    tflite.TensorType.INT32: "int32",
    tflite.TensorType.UINT8: "uint8",
    tflite.TensorType.INT64: "int64",
    tflite.TensorType.INT16: "int16",
    tflite.TensorType.INT8: "int8",
    tflite.TensorType.INT4: "int4",
}


@contextlib.contextmanager
def contained(path: Path) -> Iterator[None]:
    """Turns whatever the bindings raise on damaged bytes into one :class:`FormatError`."""
    try:
        yield
    except HwconvError:
        raise
    except struct.error as error:
        raise FormatError(path, "a damaged .tflite file: an offset in it points beyond its end; truncated?") from error
    except Exception as error:  # IndexError, TypeError, UnicodeDecodeError, RecursionError, MemoryError ...
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise FormatError(path, f"a damaged .tflite file ({reason})") from error


class Tensor:
    """One tensor of a model: type, shape, scales, zero points, and its constant content if it has one."""

    def __init__(self, model: "ModelFile", index: int) -> None:
        table = model.graph.Tensors(index)
        self._model, self._table = model, table
        self.index = index
        self.dtype = _DTYPES.get(table.Type(), f"tensor type {table.Type()}")
        self.shape = self._extents(table.ShapeAsNumpy())
        self.signature = self._extents(table.ShapeSignatureAsNumpy()) or self.shape
        self.sparse = table.Sparsity() is not None
        self.variable = bool(table.IsVariable())
        quantization = table.Quantization()
        self.scales: NDArray[np.float32] = np.zeros(0, np.float32)
        self.zero_points: NDArray[np.int64] = np.zeros(0, np.int64)
        self.quantized_dimension = 0
        if quantization is not None:
            self.scales = np.asarray(vector_of(quantization.ScaleAsNumpy()), np.float32)
            self.zero_points = np.asarray(vector_of(quantization.ZeroPointAsNumpy()), np.int64)
            self.quantized_dimension = quantization.QuantizedDimension()
            model.claim(NUMBER_COST * (self.scales.size + self.zero_points.size))

    def _extents(self, vector: Any) -> tuple[int, ...]:
        extents = vector_of(vector)
        if len(extents) > _MAX_RANK:
            raise FormatError(self._model.path, f"tensor {self.index} has {len(extents)} dimensions")
        return tuple(int(extent) for extent in extents)

    @property
    def has_content(self) -> bool:
        """Whether the file has the tensor's content: one that is computed at run time has none."""
        return bool(self._content().size)

    def _content(self) -> NDArray[np.uint8]:
        position = self._table.Buffer()
        if not 0 <= position < self._model.model.BuffersLength():
            raise FormatError(self._model.path, f"tensor {self.index} names buffer {position}, which does not exist")
        buffer = self._model.model.Buffers(position)
        if buffer.Offset() > 1:
            raise FormatError(self._model.path, f"tensor {self.index} lies outside the FlatBuffer, which is not read")
        return np.asarray(vector_of(buffer.DataAsNumpy()), np.uint8)

    def constant(self) -> NDArray[np.integer] | None:
        """The tensor's content in its shape, int4 unpacked to int8; ``None`` where it is computed at run time."""
        content = self._content()
        if not content.size:
            return None
        self._model.claim(content.size)
        elements = math.prod(self.shape)
        size = (elements + 1) // 2 if self.dtype == "int4" else elements * np.dtype(self.dtype).itemsize
        if min(self.shape, default=1) < 1 or content.size != size:
            problem = f"tensor {self.index} has {content.size} bytes for {self.dtype} of shape {self.shape}"
            raise FormatError(self._model.path, problem)
        if self.dtype == "int4":  # two per byte, the first in the low half
            nibbles = np.stack([content & 15, content >> 4], axis=1).reshape(-1)[:elements].astype(np.int8)
            return ((nibbles ^ 8) - 8).reshape(self.shape)
        return cast(NDArray[np.integer], content.view(np.dtype(self.dtype).newbyteorder("<")).reshape(self.shape))


def vector_of(values: Any) -> Any:
    """A vector as the bindings give it: an array, or the number 0 where there is none."""
    return values if isinstance(values, np.ndarray) else np.zeros(0)


class ModelFile:
    """The first subgraph of a model. Use inside :func:`contained`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        content = read_file(path, MAX_FILE_BYTES)
        if content[4:8] != _IDENTIFIER:
            raise FormatError(path, "not a .tflite file (no TFL3 identifier)")
        self.model = tflite.Model.GetRootAs(content, 0)
        if self.model.SubgraphsLength() < 1:
            raise FormatError(path, "a model without a graph")
        self.graph = self.model.Subgraphs(0)
        if not 0 < self.graph.OperatorsLength() <= _MAX_OPERATORS:
            raise FormatError(path, f"{self.graph.OperatorsLength()} operators; 1 to {_MAX_OPERATORS} are read")

    def __len__(self) -> int:
        return int(self.graph.OperatorsLength())

    def claim(self, amount: int) -> None:
        """Counts what is read; raises :class:`FormatError` above :data:`MAX_READ`."""
        self._read += amount
        if self._read > MAX_READ:
            raise FormatError(self.path, f"operators that share tensors until more than {MAX_READ} bytes would be read")

    def operator(self, index: int) -> Any:
        """The operator's table in the bindings."""
        return self.graph.Operators(index)

    def operator_name(self, index: int) -> str:
        """``CONV_2D`` and the like; the custom code of a custom operator."""
        position = self.operator(index).OpcodeIndex()
        if not 0 <= position < self.model.OperatorCodesLength():
            raise FormatError(self.path, f"operator {index} names code {position}, which does not exist")
        code = self.model.OperatorCodes(position)
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # the older field holds codes below 127 only
        if number == tflite.BuiltinOperator.CUSTOM and code.CustomCode() is not None:
            custom = code.CustomCode()
            self.claim(len(custom))
            return str(ascii(custom[:80].decode(errors="replace")))[:80]
        return str(BUILTIN_OPCODE2NAME.get(number, f"operator code {number}"))

    def tensor(self, index: int) -> Tensor:
        """A tensor of the graph by number."""
        if not 0 <= index < self.graph.TensorsLength():
            raise FormatError(self.path, f"an operator names tensor {index}, which does not exist")
        return Tensor(self, index)
