"""An ``.npz`` archive with one ONNX operator: its attributes, its inputs, and the output it must give.

docs/layer-format.md describes the members.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, UnsupportedError, one_of
from ..layer import INT32
from ..spec import storage_dtype
from .archive import require
from .layer_file import LayerFile
from .onnx_operator import FLOAT_OPERATORS, OPERATORS, OnnxOperator, layer_of, narrowest_type, whole_numbers

MARK = "op"
"""The member that makes an archive one of these."""
_TEXTS = (MARK, "attrs", "input_names", "layout")
_LONGEST = 4000  # characters of attributes and names
_MAX_RANK = 5  # what is refused by name: 3-D convolutions


def load_onnx_case(path: Path, arrays: dict[str, NDArray[np.generic]]) -> LayerFile:
    """The layer of an archive, with its input and expected output.

    Raises
    ------
    FormatError
        Members that are missing, of another kind, or contradict each other.
    UnsupportedError, SpecError
        As :func:`~hwconv.frontend.onnx_operator.layer_of`.
    """
    require(path, arrays, ("attrs", "input_names"))
    operator, attributes, given = (_text(path, arrays, member) for member in _TEXTS[:3])
    if operator not in OPERATORS:
        raise UnsupportedError(path.stem, MARK, operator[:80], one_of(OPERATORS))
    if "layout" in arrays and not _text(path, arrays, "layout").startswith("NCHW"):
        raise UnsupportedError(path.stem, "layout", _text(path, arrays, "layout")[:40], "NCHW")
    inputs = _inputs(path, arrays, OPERATORS[operator], _json(path, "input_names", given, list))
    first, *_ = OPERATORS[operator]
    x = inputs.pop(first, None)
    if x is None or not 2 <= x.ndim <= _MAX_RANK or not x.size:
        raise FormatError(path, "the first input is missing, empty or no tensor of 2 to 5 axes")
    floating = operator in FLOAT_OPERATORS
    dtype = narrowest_type(path.stem, first, x) if floating else x.dtype.name
    node = OnnxOperator(
        name=path.stem,
        operator=operator,
        attributes=_json(path, "attrs", attributes, dict),
        frame=x.shape[1:],
        input_dtype=dtype,
        constants=inputs,
    )
    layer = layer_of(node, path.name)
    spec = layer.spec
    expected: NDArray[Any] | None = arrays.get("expected")
    if expected is not None:
        if floating:
            expected = whole_numbers(path.stem, "expected", expected, INT32).astype(np.int32)
        expected = _nhwc(expected)
        if expected.shape != (len(x), *spec.output_shape) or expected.dtype != spec.output_dtype:
            found = f"{expected.dtype} of shape {expected.shape}"
            raise FormatError(path, f"member 'expected' is {found}, NHWC; the layer gives {spec.output_shape}")
    return LayerFile(layer, _nhwc(x).astype(storage_dtype(dtype)), expected)


def _nhwc(tensor: NDArray[Any]) -> NDArray[Any]:
    """From ``(N, C, H, W)`` or ``(N, C, L)`` to ``(N, H, W, C)``; the height of the latter is 1."""
    tensor = tensor[:, :, None, :] if tensor.ndim == 3 else tensor
    return np.ascontiguousarray(np.moveaxis(tensor, 1, -1))


def _text(path: Path, arrays: dict[str, NDArray[np.generic]], member: str) -> str:
    array = arrays[member]
    if array.dtype.kind != "U" or array.size != 1 or array.dtype.itemsize > 4 * _LONGEST:
        raise FormatError(path, f"member {member!r} is not a text of at most {_LONGEST} characters")
    return str(array.item())


def _json(path: Path, member: str, text: str, kind: type) -> Any:
    """A flat object or list: texts, integers and, in an object, lists of integers."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"member {member!r} is not JSON") from error
    values = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(found, kind) or not all(
        _scalar(value) or (isinstance(value, list) and len(value) <= 2 * _MAX_RANK and all(map(_scalar, value)))
        for value in values
    ):
        raise FormatError(path, f"member {member!r} is not a JSON {kind.__name__} of texts, integers and short lists")
    return found


def _scalar(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= 80
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _inputs(
    path: Path, arrays: dict[str, NDArray[np.generic]], names: tuple[str, ...], given: list[Any]
) -> dict[str, NDArray[Any]]:
    """The operator's inputs by their names in ONNX: member ``in<i>_<name>`` is input ``i``, an empty name none."""
    if len(given) > len(names) or not all(isinstance(name, str) for name in given):
        raise FormatError(path, f"{len(given)} inputs; the operator has {len(names)}")
    inputs, members = {}, set(_TEXTS) | {"expected"}
    for index, (name, local) in enumerate(zip(names, given, strict=False)):
        member = f"in{index}_{local}"
        if not local:
            continue
        require(path, arrays, [member])
        members.add(member)
        inputs[name] = arrays[member]
    for member, array in arrays.items():
        if member not in members and array.dtype.kind != "U":
            raise UnsupportedError(path.stem, "member", member[:80], "the operator's inputs, expected, and text")
    return inputs
