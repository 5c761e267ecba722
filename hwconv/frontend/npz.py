"""Reads and writes a layer, with its input and expected output, as an ``.npz`` archive.

The format is described in docs/layer-format.md. What a file does not say is never guessed: a member that is missing, or
one that is not known and is not plain text, is refused by name.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SpecError, UnsupportedError, one_of
from ..layer import Layer, LayerParameters
from ..spec import (
    INPUT_DTYPES,
    OUTPUT_DTYPES,
    REQUANTISATIONS,
    WEIGHT_DTYPES,
    ConvSpec,
    dtype_range,
    storage_dtype,
)
from .archive import read_archive, require, write_archive
from .layer_file import LayerFile
from .onnx_case import MARK, load_onnx_case

_SHAPES = ("conv", "conv1x1", "conv1xn", "gconv", "dw", "fc", "tconv")
_FORMATS = {
    "s4": ("int8", "int4", "int8"),
    "s8": ("int8", "int8", "int8"),
    "s16": ("int16", "int8", "int16"),
    "u8": ("uint8", "uint8", "uint8"),
}
_DTYPE_MEMBERS = ("input_dtype", "weight_dtype", "output_dtype")
_REQUIRED = (
    "kind", "weights", "stride", "dilation", "groups",
    "input_offset", "filter_offset", "output_offset", "act_min", "act_max",
)  # fmt: skip
_OPTIONAL = (
    "name", "weights_layout", "activation_layout", "bias", "multiplier", "shift", "scale", "pad_tl", "padding",
    "ch_mult", "output_padding", "streaming", "requantisation", "input", "input_shape", "expected", *_DTYPE_MEMBERS,
)  # fmt: skip


def load_npz(path: str | Path) -> LayerFile:
    """Reads a layer file, or an archive of one ONNX operator.

    Raises
    ------
    FormatError
        A file that is no layer file, is damaged, or whose members contradict each other.
    UnsupportedError
        A kind of layer, a layout or a member that is not supported.
    SpecError
        Values that no layer can have.
    """
    path = Path(path)
    arrays = read_archive(path)
    return load_onnx_case(path, arrays) if MARK in arrays else _Reader(path, arrays).layer_file()


class _Reader:
    """The members of one file, and what they say together."""

    def __init__(self, path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
        self.path = path
        self.arrays = arrays
        require(path, self.arrays, _REQUIRED)
        self.name = self._text("name") if "name" in self.arrays else path.stem
        self.shape, self.format = self._kind()
        for member, array in self.arrays.items():
            if member not in _REQUIRED + _OPTIONAL and array.dtype.kind != "U":
                raise UnsupportedError(self.name, "member", member, "the members of docs/layer-format.md, and text")
        self.dtypes = [
            self._choice(member, supported) if member in self.arrays else implied
            for member, implied, supported in zip(
                _DTYPE_MEMBERS, _FORMATS[self.format], (INPUT_DTYPES, WEIGHT_DTYPES, OUTPUT_DTYPES), strict=True
            )
        ]

    def _problem(self, problem: str) -> FormatError:
        return FormatError(self.path, problem)

    def _text(self, member: str) -> str:
        array = self.arrays[member]
        if array.dtype.kind != "U" or array.size != 1:
            raise self._problem(f"member {member!r} is not a text")
        return str(array.item())

    def _choice(self, member: str, supported: tuple[str, ...]) -> str:
        value = self._text(member)
        if value not in supported:
            raise UnsupportedError(self.name, member, value[:40], one_of(supported))
        return value

    def _numbers(self, member: str, count: int) -> list[int]:
        array = self.arrays[member]
        if array.dtype.kind not in "iu" or array.size != count or array.ndim > 1:
            raise self._problem(f"member {member!r} of {array.dtype}{list(array.shape)} is not {count} integer(s)")
        return [int(value) for value in array.ravel()]

    def _number(self, member: str) -> int:
        return self._numbers(member, 1)[0]

    def _flag(self, member: str) -> bool:
        """0 or 1; absent is 0."""
        value = self._number(member) if member in self.arrays else 0
        if value not in (0, 1):
            raise self._problem(f"member {member!r} is {value}, not 0 or 1")
        return bool(value)

    def _integers(self, member: str, dimensions: tuple[int, ...]) -> NDArray[np.integer]:
        array = self.arrays[member]
        if array.dtype.kind not in "iu" or array.ndim not in dimensions or not array.size:
            raise self._problem(f"member {member!r} is {array.dtype}{list(array.shape)}, not a tensor of integers")
        return cast(NDArray[np.integer], array)

    def _kind(self) -> tuple[str, str]:
        kind = self._text("kind")
        shape, _, number_format = kind.rpartition("_")
        if shape not in _SHAPES or number_format not in _FORMATS:
            supported = f"{one_of(_SHAPES)}, each with _{', _'.join(_FORMATS)}"
            raise UnsupportedError(self.name, "kind", kind[:40], supported)
        return shape, number_format

    def layer_file(self) -> LayerFile:
        if "activation_layout" in self.arrays and self._text("activation_layout") != "NHWC":
            raise UnsupportedError(self.name, "activation_layout", self._text("activation_layout"), "NHWC")
        weights = self._weights()
        bias = self.arrays.get("bias")
        bias = None if bias is None or not bias.size else bias
        frame, frames = self._frame("input", storage_dtype(self.dtypes[0]))
        requantisation = self._requantisation()
        output_dtype = "int32" if requantisation == "none" else self.dtypes[2]
        out_frame, expected = self._frame("expected", output_dtype)
        if frame is None:
            require(self.path, self.arrays, ["input_shape"])
            frame = self._numbers("input_shape", 3)
        groups = self._groups(weights, frame[2])
        stride, dilation = self._numbers("stride", 2), self._numbers("dilation", 2)
        low, high = dtype_range(output_dtype)
        kernel = weights.shape[1:3]
        spec = ConvSpec(
            name=self.name,
            height=frame[0],
            width=frame[1],
            in_channels=frame[2],
            out_channels=weights.shape[0],
            kernel=kernel,
            stride=stride,
            dilation=dilation,
            **(self._transposed if self.shape == "tconv" else self._padding)(
                frame, kernel, stride, dilation, out_frame
            ),
            streaming=self._flag("streaming"),
            groups=groups,
            input_zero_point=-self._number("input_offset"),
            output_zero_point=self._number("output_offset"),
            weight_zero_point=-self._number("filter_offset"),
            input_dtype=self.dtypes[0],
            weight_dtype=self.dtypes[1],
            output_dtype=output_dtype,
            requantisation=requantisation,
            activation_min=low if requantisation == "none" else self._number("act_min"),
            activation_max=high if requantisation == "none" else self._number("act_max"),
        )
        if out_frame is not None and tuple(out_frame) != spec.output_shape:
            raise self._problem(
                f"member 'expected' has frames of {tuple(out_frame)}; the layer gives {spec.output_shape}"
            )
        if frames is not None and expected is not None and len(frames) != len(expected):
            raise self._problem(f"{len(frames)} frames of input and {len(expected)} of expected output")
        constants = {member: self.arrays.get(member) for member in ("multiplier", "shift", "scale")}
        parameters = LayerParameters(weights=weights, bias=bias, **constants)  # type: ignore[arg-type]  # Layer checks
        return LayerFile(Layer(spec, parameters, self.path.name), frames, expected)

    def _weights(self) -> NDArray[np.integer]:
        layout = {"dw": "1HWO", "fc": "OI"}.get(self.shape, "OHWI")
        if "weights_layout" in self.arrays:
            layout = self._text("weights_layout")
        weights = self._integers("weights", (2,) if layout == "OI" else (4,))
        if layout == "OHWI":
            return weights
        if layout == "OI":
            return weights[:, None, None, :]
        if layout == "1HWO" and weights.shape[0] == 1:
            return weights.transpose(3, 1, 2, 0)
        raise UnsupportedError(self.name, "weights_layout", layout[:20], "OHWI, OI, 1HWO with a first extent of 1")

    def _frame(self, member: str, dtype: str) -> tuple[list[int] | None, NDArray[np.integer] | None]:
        """Shape of one frame and the frames, NHWC; vectors of a fully connected layer become 1x1 frames."""
        if member not in self.arrays:
            return None, None
        frames = self._integers(member, (2, 4) if self.shape == "fc" else (4,))
        if frames.dtype != dtype:
            raise self._problem(f"member {member!r} is {frames.dtype}, not {dtype}")
        frames = frames[:, None, None, :] if frames.ndim == 2 else frames
        return list(frames.shape[1:]), frames

    def _groups(self, weights: NDArray[np.integer], channels: int) -> int:
        groups = self._number("groups")
        if groups < 1 or weights.shape[3] * groups != channels:
            problem = f"weights for {weights.shape[3]} channels in each of {groups} groups; the input has {channels}"
            raise self._problem(problem)
        if self.shape == "dw":
            multiplier = self._number("ch_mult") if "ch_mult" in self.arrays else weights.shape[0] // channels
            if weights.shape[0] != channels * multiplier:
                problem = f"{weights.shape[0]} depthwise outputs of {channels} channels with ch_mult = {multiplier}"
                raise self._problem(problem)
        return groups

    def _requantisation(self) -> str:
        """The mode: named, or that of the kernel which CMSIS-NN and TFLite Micro choose for an int16 layer's bias.

        A 64-bit bias, or none at all, means 64-bit sums. Only dense convolutions have a kernel for 32-bit biases; there
        an empty int32 bias selects it too.
        """
        if "requantisation" in self.arrays:
            return self._choice("requantisation", REQUANTISATIONS)
        if self.dtypes[0] != "int16":
            return "tflite"
        bias = self.arrays.get("bias")
        if self.shape == "tconv":
            return "tflite16"  # tensorflow/lite/micro/kernels/transpose_conv.cc sums in 64 bits, whatever the bias is
        if bias is None or bias.dtype == np.int64 or (not bias.size and self.shape in ("dw", "fc")):
            return "tflite16"
        return "tflite"

    def _padding(
        self,
        frame: list[int],
        kernel: tuple[int, ...],
        stride: list[int],
        dilation: list[int],
        output: list[int] | None,
    ) -> dict[str, Any]:
        if "output_padding" in self.arrays:
            raise UnsupportedError(self.name, "member", "output_padding", "output_padding with kind tconv only")
        if "padding" in self.arrays:
            return {"padding": self._numbers("padding", 4)}
        require(self.path, self.arrays, ["pad_tl"])
        top_left = self._numbers("pad_tl", 2)
        if output is None:
            return {"padding": (top_left[0], top_left[0], top_left[1], top_left[1])}
        # the fewest rows and columns that the last output pixel needs
        bottom, right = (
            max(
                (output[axis] - 1) * stride[axis]
                + dilation[axis] * (kernel[axis] - 1)
                + 1
                - frame[axis]
                - top_left[axis],
                0,
            )
            for axis in (0, 1)
        )
        return {"padding": (top_left[0], bottom, top_left[1], right)}

    def _transposed(
        self,
        frame: list[int],
        kernel: tuple[int, ...],
        stride: list[int],
        dilation: list[int],
        output: list[int] | None,
    ) -> dict[str, Any]:
        """Padding of a transposed layer: what the output lacks below and to the right was cropped, what it has beyond
        is output padding.
        """
        added = self._numbers("output_padding", 2) if "output_padding" in self.arrays else None
        if "padding" in self.arrays:
            return {"transposed": True, "padding": self._numbers("padding", 4), "output_padding": added or (0, 0)}
        require(self.path, self.arrays, ["pad_tl"])
        top_left = self._numbers("pad_tl", 2)
        if output is None or added is not None:
            padding = (top_left[0], top_left[0], top_left[1], top_left[1])
            return {"transposed": True, "padding": padding, "output_padding": added or (0, 0)}
        beyond = [
            output[axis] + top_left[axis] - (frame[axis] - 1) * stride[axis] - dilation[axis] * (kernel[axis] - 1) - 1
            for axis in (0, 1)
        ]
        bottom, right = (max(-rest, 0) for rest in beyond)
        return {
            "transposed": True,
            "padding": (top_left[0], bottom, top_left[1], right),
            "output_padding": [max(rest, 0) for rest in beyond],
        }


def save_layer(
    path: str | Path,
    layer: Layer,
    input: NDArray[np.integer] | None = None,
    expected: NDArray[np.integer] | None = None,
) -> None:
    """Writes a layer file that :func:`load_npz` reads back as the same layer. Equal content gives equal bytes.

    Parameters
    ----------
    path:
        The file, replaced as a whole if it exists.
    layer:
        The layer.
    input, expected:
        ``(N, H, W, C)`` and ``(N, OH, OW, O)`` in the layer's types, if wanted.

    Raises
    ------
    SpecError
        Tensors of another shape or type than the layer's.
    FormatError
        A path that cannot be written.
    """
    spec, parameters = layer.spec, layer.parameters
    number_format = _format_of(spec)
    shape, layout, weights = "conv", "OHWI", parameters.weights
    if spec.fully_connected and spec.groups == 1 and not spec.transposed:
        shape, layout, weights = "fc", "OI", weights[:, 0, 0, :]
    elif spec.transposed:
        shape = "tconv"
    elif spec.depthwise:
        shape, layout, weights = "dw", "1HWO", weights.transpose(3, 1, 2, 0)
    elif spec.groups > 1:
        shape = "gconv"
    members: dict[str, object] = {
        "name": spec.name,
        "kind": f"{shape}_{number_format}",
        "weights": weights,
        "weights_layout": layout,
        "bias": parameters.biases.astype(np.int64 if spec.requantisation == "tflite16" else np.int32),
        "requantisation": spec.requantisation,
        "input_offset": -spec.input_zero_point,
        "filter_offset": -spec.weight_zero_point,
        "output_offset": spec.output_zero_point,
        "act_min": spec.activation_min,
        "act_max": spec.activation_max,
        "stride": np.array(spec.stride, np.int64),
        "dilation": np.array(spec.dilation, np.int64),
        "padding": np.array(spec.padding, np.int64),
        "pad_tl": np.array([spec.padding.top, spec.padding.left], np.int64),
        "groups": spec.groups,
        "ch_mult": spec.channel_multiplier,
        "input_shape": np.array(spec.input_shape, np.int64),
        "activation_layout": "NHWC",
    }
    if spec.streaming:
        members["streaming"] = 1
    if spec.transposed:
        members["output_padding"] = np.array(spec.output_padding, np.int64)
    for member, implied in zip(_DTYPE_MEMBERS, _FORMATS[number_format], strict=True):
        if getattr(spec, member) != implied:
            members[member] = getattr(spec, member)
    for member in ("multiplier", "shift", "scale"):
        if getattr(parameters, member) is not None:
            members[member] = getattr(parameters, member)
    frames = (("input", input, spec.input_shape, storage_dtype(spec.input_dtype)),
              ("expected", expected, spec.output_shape, spec.output_dtype))  # fmt: skip
    for member, array, frame, dtype in frames:
        if array is None:
            continue
        if array.ndim != 4 or array.shape[1:] != frame or array.dtype != dtype:
            found = f"{array.dtype} of shape {array.shape}"
            raise SpecError(spec.name, member, found, f"{dtype} of shape (N, {', '.join(map(str, frame))})")
        members[member] = array[:, 0, 0, :] if shape == "fc" else array
    write_archive(Path(path), members)


def _format_of(spec: ConvSpec) -> str:
    """The number format in a kind's name that says most about a specification; dtype members say the rest."""
    if spec.input_dtype == "int16":
        return "s16"
    if spec.input_dtype == "uint8":
        return "u8"
    return "s4" if spec.weight_dtype == "int4" else "s8"
