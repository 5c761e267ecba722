"""One convolution of ONNX as a layer: ``ConvInteger``, ``QLinearConv``, ``Conv`` and ``ConvTranspose``.

All rules are those of https://onnx.ai/onnx/operators: 1-D and 2-D, every attribute, either honoured or refused by name.
ONNX has activations NCHW and weights OIHW, transposed ones IOHW; a layer has NHWC and OHWI.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError, UnsupportedError, one_of
from ..layer import INT32, Layer, LayerParameters
from ..spec import ConvSpec, dtype_range, same_padding
from .scales import onnx_scales
from .weights_layout import to_ohwi

OPERATORS: Mapping[str, tuple[str, ...]] = {
    "ConvInteger": ("x", "w", "x_zero_point", "w_zero_point"),
    "QLinearConv": ("x", "x_scale", "x_zero_point", "w", "w_scale", "w_zero_point", "y_scale", "y_zero_point", "B"),
    "Conv": ("X", "W", "B"),
    "ConvTranspose": ("X", "W", "B"),
}
"""Each operator and its inputs, in ONNX's order."""
FLOAT_OPERATORS = ("Conv", "ConvTranspose")
"""Operators of floats. They become layers where all their values are integers: with raw sums, nothing is rounded."""
QUANTISED_TRANSPOSE = "QLinearConvTranspose"
"""What ``ConvTranspose`` is between ``DequantizeLinear`` and ``QuantizeLinear``. ONNX has no operator of this name: the
inputs are those of ``QLinearConv``, the attributes those of ``ConvTranspose``."""
_QUANTISED = ("QLinearConv", QUANTISED_TRANSPOSE)
_OPTIONAL = ("x_zero_point", "w_zero_point", "B")  # of ConvInteger, QLinearConv and the others; y_zero_point is not
_ATTRIBUTES = ("auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
_TRANSPOSED_ATTRIBUTES = ("output_padding", "output_shape")
_INTEGER_TYPES = ("int8", "uint8")
_RANKS = (1, 2)


@dataclass(frozen=True, kw_only=True)
class OnnxOperator:
    """One node with everything it reads.

    Parameters
    ----------
    name:
        The layer's.
    operator:
        One of :data:`OPERATORS`, or :data:`QUANTISED_TRANSPOSE`.
    attributes:
        Integers, texts and lists of integers by name; absent ones have ONNX's defaults.
    frame:
        Extents of the first input without the batch: channels, then height and width, or the length.
    input_dtype:
        Integer type of the first input.
    constants:
        The other inputs by the names of :data:`OPERATORS`, ``None`` where an optional one is absent.
    """

    name: str
    operator: str
    attributes: Mapping[str, Any]
    frame: tuple[int, ...]
    input_dtype: str
    constants: Mapping[str, NDArray[Any] | None]


def layer_of(node: OnnxOperator, origin: str) -> Layer:
    """The layer that a node computes.

    Raises
    ------
    UnsupportedError
        An operator, attribute, rank or type that is not supported; floats that are no integers.
    SpecError
        Shapes that contradict each other; values that no layer can have.
    """
    return _Converter(node).layer(origin)


class _Converter:
    def __init__(self, node: OnnxOperator) -> None:
        self.node, self.name, self.attributes = node, node.name, node.attributes
        if node.operator not in (*OPERATORS, QUANTISED_TRANSPOSE):
            self._refuse("operator", node.operator[:80], one_of(OPERATORS))
        self.transposed = node.operator in ("ConvTranspose", QUANTISED_TRANSPOSE)
        known = _ATTRIBUTES + (_TRANSPOSED_ATTRIBUTES if self.transposed else ())
        for attribute in node.attributes:
            if attribute not in known:
                self._refuse("attribute", attribute[:80], one_of(known))
        self.rank = len(node.frame) - 1
        if self.rank not in _RANKS:
            self._refuse("spatial dimensions", self.rank, one_of(_RANKS))

    def _refuse(self, field: str, value: object, supported: str) -> NoReturn:
        raise UnsupportedError(self.name, field, value, supported)

    def layer(self, origin: str) -> Layer:
        weights = self._constant("W" if self.node.operator in FLOAT_OPERATORS else "w")
        if weights.ndim != self.rank + 2 or not weights.size:
            raise SpecError(self.name, "weights", f"an array of shape {weights.shape}", f"of {self.rank + 2} axes")
        if self.node.operator not in FLOAT_OPERATORS and self.node.input_dtype not in _INTEGER_TYPES:
            self._refuse("type of x", self.node.input_dtype, one_of(_INTEGER_TYPES))
        groups = self.attributes.get("group", 1)
        kernel = list(weights.shape[2:])
        if self._integers("kernel_shape", kernel) != kernel:
            raise SpecError(
                self.name, "kernel_shape", self.attributes["kernel_shape"], f"that of the weights, {kernel}"
            )
        weights, zero_point, weight_dtype = self._without_zero_points(weights)
        strides, dilations = self._integers("strides", [1] * self.rank), self._integers("dilations", [1] * self.rank)
        window = {"kernel": kernel, "stride": strides, "dilation": dilations}
        outputs = weights.shape[1] * groups if self.transposed and isinstance(groups, int) else weights.shape[0]
        spec = ConvSpec.from_dict({
            "name": self.name,
            "height": self.node.frame[1] if self.rank == 2 else 1,
            "width": self.node.frame[-1],
            "in_channels": self.node.frame[0],
            "out_channels": outputs,
            **{field: [*[1] * (2 - self.rank), *values] for field, values in window.items()},
            **self._padding(kernel, strides, dilations),
            "groups": groups,
            "input_dtype": self.node.input_dtype,
            "weight_dtype": weight_dtype,
            "weight_zero_point": zero_point,
            **self._output(),
        })  # fmt: skip
        layout = "IOHW" if self.transposed else "OIHW"
        weights = to_ohwi(spec, weights.reshape(*weights.shape[:2], *spec.kernel), layout)
        return Layer(spec, LayerParameters(weights=weights, bias=self._bias(), scale=self._scale()), origin)

    def _integers(self, attribute: str, default: list[int], count: int | None = None) -> list[int]:
        values = self.attributes.get(attribute)
        if values is None:
            return default
        count = self.rank if count is None else count
        if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
            found = f"{len(values)} values" if isinstance(values, Sequence) else values
            raise SpecError(self.name, attribute, found, f"{count} integers")
        return list(values)  # the specification checks each

    def _padding(self, kernel: list[int], strides: list[int], dilations: list[int]) -> dict[str, Any]:
        """Pads of the two axes, and of a transposed layer its output padding, from four ways to state them."""
        rule = self.attributes.get("auto_pad", "NOTSET")
        if rule not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            self._refuse("auto_pad", str(rule)[:40], "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
        explicit = self._integers("pads", [0] * (2 * self.rank), 2 * self.rank)
        if rule != "NOTSET" and any(explicit):
            raise SpecError(self.name, "pads", explicit, f"absent with auto_pad {rule}")
        pads = [list(pair) for pair in zip(explicit[: self.rank], explicit[self.rank :], strict=True)]
        added = self._integers("output_padding", [0] * self.rank)
        asked: list[int | None] = [None] * self.rank
        if "output_shape" in self.attributes:
            asked = [*self._integers("output_shape", [], self._output_extents())[-self.rank :]]
        numbers = [*kernel, *strides, *dilations, *added, *(each for each in asked if each is not None)]
        if not all(isinstance(number, int) and 0 <= number < 1 << 32 for number in numbers) or min(strides) < 1:
            raise SpecError(self.name, "attributes", numbers, "integers of at most 32 bits, positive strides")
        for axis, size in enumerate(self.node.frame[1:]):
            stride, reach = strides[axis], dilations[axis] * (kernel[axis] - 1) + 1
            if self.transposed:
                output = asked[axis]
                if output is None and rule.startswith("SAME"):
                    output = size * stride
                    if output > (size - 1) * stride + reach + added[axis]:  # ONNX extends the output, onnxruntime not
                        supported = f"NOTSET and VALID where the stride {stride} is beyond the kernel's reach {reach}"
                        self._refuse("auto_pad", rule, supported)
                if output is not None:
                    beyond = output - (size - 1) * stride - reach
                    pads[axis] = _halves(max(added[axis] - beyond, 0), rule)
                    added[axis] = max(added[axis], beyond)
            elif rule.startswith("SAME"):
                pads[axis] = _halves(sum(same_padding(size, kernel[axis], stride, dilations[axis])), rule)
        none = [[0, 0]] * (2 - self.rank)
        fields: dict[str, Any] = {"padding": [pad for pair in (*none, *pads) for pad in pair]}
        if self.transposed:
            fields |= {"transposed": True, "output_padding": [*[0] * (2 - self.rank), *added]}
        return fields

    def _output_extents(self) -> int:
        """How many numbers ``output_shape`` has: onnxruntime also takes batch and channels before the extents."""
        shape = self.attributes["output_shape"]
        longer = isinstance(shape, Sequence) and len(shape) == self.rank + 2
        return self.rank + 2 if longer else self.rank

    def _constant(self, name: str) -> NDArray[Any]:
        array = self.node.constants.get(name)
        if array is None:
            self._refuse(name, "absent or computed at run time", "a constant")
        return array

    def _zero_points(self, name: str, array: NDArray[Any] | None, dtype: str, count: int) -> NDArray[np.int64]:
        if array is None:
            return np.zeros(1, np.int64)
        if array.dtype != dtype or array.ndim > 1 or array.size not in (1, count):
            found = f"{array.dtype} of shape {array.shape}"
            raise SpecError(self.name, name, found, f"{dtype}, one value" + (f" or {count}" if count > 1 else ""))
        return array.reshape(-1).astype(np.int64)

    def _without_zero_points(self, weights: NDArray[Any]) -> tuple[NDArray[np.integer], int, str]:
        """Weights, their one zero point and their type; zero points that differ are subtracted from the weights."""
        if self.node.operator in FLOAT_OPERATORS:
            whole = whole_numbers(self.name, "W", weights, (-128, 255))
            return whole, 0, "int8" if whole.min() >= -128 and whole.max() <= 127 else "uint8"
        if weights.dtype.name not in _INTEGER_TYPES:
            self._refuse("type of w", weights.dtype.name, one_of(_INTEGER_TYPES))
        groups = self.attributes.get("group", 1)
        count = weights.shape[1] * groups if self.transposed and isinstance(groups, int) else len(weights)
        points = self._zero_points("w_zero_point", self.node.constants.get("w_zero_point"), weights.dtype.name, count)
        if points.min() == points.max():
            return weights, int(points[0]), weights.dtype.name
        if self.transposed:
            self._refuse("w_zero_point", f"from {points.min()} to {points.max()}", "one for all channels")
        effective = weights.astype(np.int64) - points.reshape(-1, *[1] * (weights.ndim - 1))
        low, high = int(effective.min()), int(effective.max())
        if high - low > 255:
            self._refuse("w_zero_point", f"weights less zero points from {low} to {high}", "a span of 256 values")
        zero_point = max(-128 - low, 0) or min(127 - high, 0)
        return effective + zero_point, zero_point, "int8"

    def _bias(self) -> NDArray[np.int64] | None:
        if self.node.constants.get("B") is None:
            return None
        bias = self._constant("B")
        if self.node.operator in _QUANTISED and bias.dtype != np.int32:
            raise SpecError(self.name, "B", str(bias.dtype), "int32")
        return whole_numbers(self.name, "B", bias, INT32)

    def _scale(self) -> NDArray[np.float32] | None:
        if self.node.operator not in _QUANTISED:
            return None
        x, w, y = (self._constant(f"{each}_scale") for each in "xwy")
        for name, array in (("x_scale", x), ("w_scale", w), ("y_scale", y)):
            if array.dtype != np.float32 or array.ndim > 1 or (array.size != 1 and name != "w_scale"):
                found = f"{array.dtype} of shape {array.shape}"
                raise SpecError(self.name, name, found, "float32" + (", one value" if name != "w_scale" else ""))
            if not (np.isfinite(array) & (array > 0)).all():
                raise SpecError(self.name, name, float(array.min()), "finite and positive")
        return onnx_scales(x.reshape(-1)[0], w.reshape(-1), y.reshape(-1)[0])

    def _output(self) -> dict[str, Any]:
        """Zero points, output type and requantisation."""
        constants = self.node.constants
        if self.node.operator in FLOAT_OPERATORS:
            return {"requantisation": "none", "output_dtype": "int32"}
        point = self._zero_points("x_zero_point", constants.get("x_zero_point"), self.node.input_dtype, 1)
        fields: dict[str, Any] = {"input_zero_point": int(point[0])}
        if self.node.operator == "ConvInteger":
            return fields | {"requantisation": "none", "output_dtype": "int32"}
        output = self._constant("y_zero_point")
        if output.dtype.name not in _INTEGER_TYPES:
            self._refuse("type of y_zero_point", output.dtype.name, one_of(_INTEGER_TYPES))
        point = self._zero_points("y_zero_point", output, output.dtype.name, 1)
        return fields | {
            "requantisation": "onnx",
            "output_dtype": output.dtype.name,
            "output_zero_point": int(point[0]),
        }


def _halves(total: int, rule: str) -> list[int]:
    """A pad in two: the odd element at the end with ``SAME_UPPER``, else at the beginning."""
    less = total // 2
    return [less, total - less] if rule == "SAME_UPPER" else [total - less, less]


def whole_numbers(layer: str, field: str, values: NDArray[Any], limits: tuple[int, int]) -> NDArray[np.int64]:
    """Integers, or floats that are all integers, within limits; raises :class:`UnsupportedError` for others."""
    if values.dtype.kind not in "iuf" or not values.size:
        raise UnsupportedError(layer, field, f"{values.dtype} of shape {values.shape}", "numbers")
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    wrong = (rounded != values) | (rounded < limits[0]) | (rounded > limits[1])
    if wrong.any():
        raise UnsupportedError(layer, field, values[wrong].item(0), f"integers from {limits[0]} to {limits[1]}")
    return rounded.astype(np.int64)


def narrowest_type(layer: str, field: str, values: NDArray[Any]) -> str:
    """The first of int8, uint8 and int16 that holds all values; raises :class:`UnsupportedError` where none does."""
    whole = whole_numbers(layer, field, values, dtype_range("int16"))
    low, high = int(whole.min()), int(whole.max())
    for dtype in ("int8", "uint8"):
        if dtype_range(dtype)[0] <= low and high <= dtype_range(dtype)[1]:
            return dtype
    return "int16"
