"""Reads a layer as a person writes it: a ``.toml`` file with its shape and attributes, its tensors beside it.

The keys are those of :class:`~hwconv.spec.ConvSpec`, whichever it has, and the tensors. docs/layer-format.md describes
them, with an example of every variant.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SpecError, UnsupportedError, one_of
from ..layer import ACCUMULATOR_16, INT32, Layer, LayerParameters
from ..spec import ConvSpec, dtype_range, storage_dtype
from .layer_file import LayerFile
from .scales import Constants, constants_of, default_scale, onnx_scales, real_scales, spread_of
from .tensor_source import Seeded, TensorSource
from .toml_file import read_toml
from .weights_layout import to_ohwi

_TABLE = "layer"
GRAPHS = "see docs/graphs.md"
_SCALES = ("input_scale", "weight_scale", "output_scale")
_TENSORS = ("weights", "bias", "scale", *_SCALES, "multiplier", "shift", "input", "expected")
_VECTOR = ("inputs", "outputs")  # of a fully connected layer
_FIELDS = tuple(field.name for field in fields(ConvSpec))
_PAIRS = tuple(name for name, kind in get_type_hints(ConvSpec).items() if kind == tuple[int, int])
_KEYS = (*_FIELDS, "length", *_VECTOR, "weights_layout", *_TENSORS)
_MODES_OF = {"multiplier": ("tflite", "tflite16"), "shift": ("tflite", "tflite16", "shift")}
_CAUSAL = "causal"  # the padding of a 1-D layer whose time lies along the rows
_LONGEST = 500  # characters of an attribute as messages show it
_SEEDED_BIAS = 4
"""A bias that is drawn from a seed stays within this part of how far the sums go."""


def load_toml(path: str | Path) -> LayerFile:
    """Reads a description of a layer.

    Raises
    ------
    FormatError
        A file, or one that it names, that is missing, damaged or beyond the limits.
    SpecError
        A key that is not known or contradicts another; values that no layer can have.
    UnsupportedError
        A layer that is not supported.
    """
    document = read_toml(Path(path))
    if isinstance(document.get(_TABLE), list):
        supported = f"one layer here; a graph has several, and is planned, generated, compared and simulated: {GRAPHS}"
        raise UnsupportedError(Path(path).stem, f"[[{_TABLE}]]", len(document[_TABLE]), supported)
    return _Reader(Path(path), document).layer_file()


def layer_of(path: Path, values: dict[str, Any]) -> Layer:
    """The layer that a table of a larger description stands for: `values` are the keys of such a file of its own.

    Raises
    ------
    FormatError, SpecError, UnsupportedError
        As :func:`load_toml`.
    """
    return _Reader(path, values).layer_file().layer


class _Reader:
    """One description, and what it says together."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self.values = document
        if isinstance(document.get(_TABLE), dict):
            self.values = document[_TABLE]
            for key in document:
                if key != _TABLE:
                    raise FormatError(path, f"key {key!r} beside the table [{_TABLE}]")
        name = self.values.get("name", path.stem)
        self.name = name if isinstance(name, str) else path.stem
        for key, value in self.values.items():
            if key not in _KEYS:
                raise SpecError(self.name, "key", key, f"one of {one_of(_KEYS)}")
            if (key not in _TENSORS or isinstance(value, dict)) and len(repr(value)) > _LONGEST:
                raise FormatError(path, f"{key} is written in more than {_LONGEST} characters")
        self.source = TensorSource(path, self.name)
        self.one_dimensional = "length" in self.values
        self.causal = self.one_dimensional and self.values.get("padding") == _CAUSAL
        self.fully_connected = any(key in self.values for key in _VECTOR)

    def layer_file(self) -> LayerFile:
        spec = self._spec()
        weights = self._weights(spec)
        bias = self._bias(spec, weights)
        constants: dict[str, Any] = dict(self._constants(spec, weights, bias))
        layer = Layer(spec, LayerParameters(weights=weights, bias=bias, **constants), self.path.name)
        frames = self._frames("input", spec, spec.input_shape, spec.input_dtype)
        expected = self._frames("expected", spec, spec.output_shape, spec.output_dtype)
        if expected is not None and (frames is None or len(frames) != len(expected)):
            given = 0 if frames is None else len(frames)
            raise SpecError(self.name, "expected", f"{len(expected)} frames", f"as many as the input, {given}")
        return LayerFile(layer, frames, expected)

    def _spec(self) -> ConvSpec:
        values = {key: value for key, value in self.values.items() if key in _FIELDS}
        values.setdefault("name", self.path.stem)
        if self.fully_connected:
            self._exclude("inputs and outputs", (*_PAIRS, "height", "width", "length", "padding", "groups"))
            self._exclude("inputs and outputs", ("in_channels", "out_channels", "transposed", "streaming"))
            for key, field in zip(_VECTOR, ("in_channels", "out_channels"), strict=True):
                values[field] = self.values.get(key)
            values |= {"height": 1, "width": 1, "kernel": (1, 1)}
        elif self.one_dimensional:
            self._exclude("length", ("height", "width"))
            if "streaming" in self.values and not self.causal:
                raise SpecError(self.name, "streaming", self.values["streaming"], f"beside padding {_CAUSAL!r}")
            along, across = ("height", "width") if self.causal else ("width", "height")
            values |= {along: self.values["length"], across: 1}
        for key in _PAIRS:
            if key in values and not self.fully_connected:
                values[key] = self._pair(key, values[key])
        if self.causal:
            kernel, dilation = self.values.get("kernel"), self.values.get("dilation", 1)
            if not isinstance(kernel, int) or not isinstance(dilation, int) or self.values.get("transposed"):
                raise SpecError(self.name, "padding", _CAUSAL, "with one integer as kernel, and not transposed")
            values["padding"] = [(kernel - 1) * dilation, 0, 0, 0]
        elif "padding" in values:
            values["padding"] = self._padding(values["padding"])
        return ConvSpec.from_dict(values)

    def _exclude(self, given: str, keys: tuple[str, ...]) -> None:
        for key in keys:
            if key in self.values:
                raise SpecError(self.name, key, self.values[key], f"absent beside {given}")

    def _pair(self, key: str, value: object) -> object:
        """One number stands for both axes; of a 1-D layer for the only one, beside what leaves the other alone."""
        if not self.one_dimensional:
            return value if isinstance(value, list) else [value, value]
        if isinstance(value, list):
            raise SpecError(self.name, key, value, "one integer beside length")
        pair = [0 if key == "output_padding" else 1, value]
        return pair[::-1] if self.causal else pair

    def _padding(self, value: object) -> object:
        """Names and four numbers as they are; two pairs in a row; a 1-D layer's pair as left and right."""
        if isinstance(value, str):
            return value
        if not isinstance(value, list):
            raise SpecError(self.name, "padding", value, "a name, or integers in a list")
        if self.one_dimensional:
            if len(value) != 2 or any(isinstance(item, list) for item in value):
                raise SpecError(self.name, "padding", value, "a name or [before, after] beside length")
            return [0, 0, *value]
        if any(isinstance(item, list) for item in value):
            if len(value) != 2 or any(not isinstance(item, list) or len(item) != 2 for item in value):
                raise SpecError(self.name, "padding", value, "[[top, bottom], [left, right]]")
            return [*value[0], *value[1]]
        return value

    def _weights(self, spec: ConvSpec) -> NDArray[np.integer]:
        if "weights" not in self.values:
            raise SpecError(self.name, "weights", None, "given: numbers, a file, or a table with a seed")
        found = self.source.read("weights", self.values["weights"])
        layout = self.values.get("weights_layout")
        if isinstance(found, Seeded):
            if layout is not None:
                raise SpecError(self.name, "weights_layout", layout, "absent with weights from a seed, which are OHWI")
            limits, dtype = dtype_range(spec.weight_dtype), storage_dtype(spec.weight_dtype)
            return self.source.draw("weights", found, spec.weight_shape, limits, dtype)
        if layout is None:
            layout = "OHWI"
            if self.fully_connected and found.ndim == 2:
                layout = "OI"
            elif self.one_dimensional and found.ndim == 3:
                layout = "OWI"
        if self.causal and isinstance(layout, str) and "H" not in layout:
            layout = layout.replace("W", "H")  # the kernel's one axis lies along the rows
        weights, (low, high) = to_ohwi(spec, found, layout), dtype_range(spec.weight_dtype)
        for value in (int(weights.min()), int(weights.max())):
            if not low <= value <= high:
                raise SpecError(self.name, "weights", value, f"of type {spec.weight_dtype}, {low} to {high}")
        return weights.astype(storage_dtype(spec.weight_dtype))

    def _bias(self, spec: ConvSpec, weights: NDArray[np.integer]) -> NDArray[Any] | None:
        if "bias" not in self.values:
            return None
        found = self.source.read("bias", self.values["bias"])
        if not isinstance(found, Seeded):
            if found.dtype.kind not in "iu" or found.ndim > 1 or found.size not in (1, spec.out_channels):
                expected = f"one integer, or {spec.out_channels}, one for each output channel"
                raise SpecError(self.name, "bias", f"{found.dtype} of shape {found.shape}", expected)
            return found
        most = max(int(spread_of(spec, weights)) // _SEEDED_BIAS, 1)
        limits = ACCUMULATOR_16 if spec.requantisation == "tflite16" else INT32
        if found.low is None and found.high is None:
            found = found._replace(low=-min(most, limits[1]), high=min(most, limits[1]))
        return self.source.draw("bias", found, (spec.out_channels,), limits, "int64")

    def _constants(
        self, spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[Any] | None
    ) -> "Constants | dict[str, NDArray[Any]]":
        """From the one way of three in which the file states them; by default from the weights."""
        mode = spec.requantisation
        for key, modes in _MODES_OF.items():
            if key in self.values and mode not in modes:
                raise SpecError(self.name, key, "given", f"absent with requantisation {mode}")
        ways = [[key for key in keys if key in self.values] for keys in (_MODES_OF, ("scale",), _SCALES)]
        given = [keys for keys in ways if keys]
        if len(given) > 1:
            raise SpecError(self.name, given[1][0], "given", f"absent beside {given[0][0]}")
        if not given:
            return {} if mode == "none" else constants_of(spec, [default_scale(spec, spread_of(spec, weights, bias))])
        if mode == "none":
            raise SpecError(self.name, given[0][0], "given", "absent with requantisation none")
        if ways[0]:
            return {key: self.source.array(key, self.values[key]) for key in ways[0]}
        if ways[1]:
            return constants_of(spec, self._reals(spec, "scale").tolist())
        inputs, weight, outputs = (self._single(spec, key) for key in _SCALES)
        for key, values in (("input_scale", inputs), ("output_scale", outputs)):
            if values.size != 1:
                raise SpecError(self.name, key, f"{values.size} values", "one value")
        if mode == "onnx":
            return {"scale": onnx_scales(inputs[0], weight, outputs[0])}
        single = spec.input_dtype == "uint8" or (self.fully_connected and weight.size == 1)
        return constants_of(spec, real_scales(inputs[0], weight, outputs[0], single=single))

    def _reals(self, spec: ConvSpec, key: str) -> NDArray[np.float64]:
        """A number, or one for each output channel."""
        if key not in self.values:
            raise SpecError(self.name, key, None, f"given: {one_of(_SCALES)} go together")
        array = self.source.array(key, self.values[key])
        if array.ndim > 1 or array.size not in (1, spec.out_channels):
            expected = f"one number, or {spec.out_channels}, one for each output channel"
            raise SpecError(self.name, key, f"an array of shape {array.shape}", expected)
        return array.astype(np.float64).reshape(-1)

    def _single(self, spec: ConvSpec, key: str) -> NDArray[np.float32]:
        """Positive numbers as float32: what the formats store that such scales come from."""
        with np.errstate(over="ignore", under="ignore"):
            values = self._reals(spec, key).astype(np.float32)
        bad = ~(np.isfinite(values) & (values > 0))
        if bad.any():
            raise SpecError(self.name, key, float(values[bad][0]), "positive and finite in float32")
        return values

    def _frames(self, key: str, spec: ConvSpec, frame: tuple[int, ...], dtype: str) -> NDArray[np.integer] | None:
        """Frames of NHWC: one, or several; without the axes that a 1-D or fully connected layer does not have."""
        if key not in self.values:
            return None
        stored, limits = storage_dtype(dtype), dtype_range(dtype)
        found = self.source.read(key, self.values[key])
        if isinstance(found, Seeded):
            if key != "input":
                raise SpecError(self.name, key, "a seed", "numbers or a file")
            return self.source.draw(key, found, (found.frames, *frame), limits, stored)
        shapes = [frame]
        if self.one_dimensional:
            shapes.append((frame[0 if self.causal else 1], frame[2]))
        elif self.fully_connected:
            shapes.append(frame[2:])
        if not found.size or all(found.shape not in (shape, (*found.shape[:1], *shape)) for shape in shapes):
            raise SpecError(self.name, key, f"an array of shape {found.shape}", f"of shape {frame}, or several")
        written = isinstance(self.values[key], list)  # and without a type as yet
        if written and found.dtype.kind == "i" and limits[0] <= found.min() and found.max() <= limits[1]:
            found = found.astype(stored)
        if found.dtype != stored:
            raise SpecError(self.name, key, f"an array of {found.dtype}", f"of {stored}")
        return found.reshape(-1, *frame)
