"""What a convolution is: its shape, attributes and number formats, without its weights.

A :class:`ConvSpec` is a value: frozen, hashable, validated when made, and it survives a JSON round trip. Its properties
follow from its fields alone; whatever is chosen or measured (folding, widths, memories) lives in the plan.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from .errors import SpecError, one_of
from .fields import check_keys, check_name, field_names, integer, integers, to_json_values

TYPE_RANGES: Mapping[str, tuple[int, int]] = {
    **{f"int{bits}": (-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (2, 3, 4, 5, 6, 7, 8, 16, 32)},
    "uint8": (0, 255),
}
"""Smallest and largest value of each number format, by name."""

INPUT_DTYPES = ("int8", "int4", "int16", "uint8")
WEIGHT_DTYPES = ("int8", "int7", "int6", "int5", "int4", "int3", "int2", "uint8")
OUTPUT_DTYPES = ("int8", "int16", "uint8", "int32")
REQUANTISATIONS = ("tflite", "tflite16", "onnx", "shift", "none")

MAX_EXTENT = 1 << 20
"""Largest height, width, channel count, kernel, stride, dilation or pad: a larger number is a mistake, not a layer."""
MAX_ELEMENTS = 1 << 31
"""Number of elements that an input frame, an output frame or the weights stay below."""


def dtype_range(dtype: str) -> tuple[int, int]:
    """Smallest and largest value of a number format, such as ``(-128, 127)`` for ``"int8"``."""
    return TYPE_RANGES[dtype]


def dtype_bits(dtype: str) -> int:
    """Number of bits of a number format: 4 for ``"int4"``, 8 for ``"uint8"``."""
    return int(dtype.removeprefix("u").removeprefix("int"))


def storage_dtype(dtype: str) -> str:
    """The numpy type that holds values of a number format: formats below eight bits lie in int8, one value each."""
    return "int8" if dtype.startswith("int") and dtype_bits(dtype) < 8 else dtype


class Padding(NamedTuple):
    """Rows and columns of zero point around the input frame. Pads are independent and may exceed the kernel."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


def same_padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pads before and after one axis by TensorFlow Lite's rule for ``SAME``.

    The output has ``ceil(size / stride)`` elements; the pad it needs is split in two halves, the odd element going
    *after* (``ComputePadding`` in tensorflow/lite/kernels/padding.h).
    """
    output = -(-size // stride)
    total = max((output - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def transposed_same_padding(kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Pads before and after one axis with which a transposed convolution gives ``size * stride`` outputs, if any do.

    What ``ComputePadding`` in tensorflow/lite/kernels/padding.h gives for that output; a kernel that reaches less far
    than the stride has no pads (and needs an output padding to give as many).
    """
    total = max(dilation * (kernel - 1) + 1 - stride, 0)
    return total // 2, total - total // 2


_NO_PADDING = Padding()


@dataclass(frozen=True, kw_only=True)
class ConvSpec:
    """One convolution on NHWC frames with OHWI weights: ``acc = sum((x - zx) * (w - zw)) + bias``, then requantised.

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    height, width, in_channels:
        The input frame, ``H x W x C``.
    out_channels:
        ``O``.
    kernel, stride, dilation:
        Pairs ``(vertical, horizontal)``. The kernel may be larger than the frame when pads make it legal.
    padding:
        A :class:`Padding`, four integers in the same order (top, bottom, left, right), ``"same"``
        (:func:`same_padding`, :func:`transposed_same_padding`) or ``"valid"``; stored as a :class:`Padding`. It reads
        as the *input zero point*.
    transposed:
        The convolution's transpose: input pixel ``(iy, ix)`` times tap ``(ky, kx)`` is added to the output pixel
        ``iy * stride + ky * dilation - top``, columns likewise. Weights stay OHWI, with ``O`` the outputs. Pads crop
        the output; rows and columns that no input pixel reaches are the bias alone. Frames end in zero points, so that
        the accumulator is ``sum((x - zx) * (w - zw)) + bias`` over the taps that meet the pixel.
    output_padding:
        Rows and columns that a transposed layer's output has below and to the right of what the pads leave.
    streaming:
        Frames are pieces of one sequence that goes on in rows (time): the ``padding.top`` rows above a frame are the
        last rows of the frames before it, and zero points only where the sequence begins. Goes without rows below.
    groups:
        Divides both channel counts. Output channel ``o`` reads the input channels of group ``o // group_out_channels``;
        a depthwise layer has ``groups == in_channels``, its outputs in the order ``channel * multiplier + m``.
    input_zero_point:
        Within the input type. Without padding it may be up to one bit wider than that (it is then only an offset).
    output_zero_point:
        At most one bit wider than the output type; 0 with requantisation ``"none"``.
    weight_zero_point:
        Within the weight type.
    input_dtype, weight_dtype, output_dtype:
        One of :data:`INPUT_DTYPES`, :data:`WEIGHT_DTYPES`, :data:`OUTPUT_DTYPES`.
    requantisation:
        One of :data:`REQUANTISATIONS`, see :mod:`hwconv.golden.requantise`. ``"none"`` goes with an int32 output, and
        only with it; ``"tflite16"`` goes with an int16 input.
    activation_min, activation_max:
        The clamp after the output zero point was added; default: the range of the output type.

    Raises
    ------
    SpecError
        A field that is out of range or contradicts another: names the layer, the field, the value and what is expected.
    """

    name: str = "conv"
    height: int
    width: int
    in_channels: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: Padding = _NO_PADDING
    transposed: bool = False
    output_padding: tuple[int, int] = (0, 0)
    streaming: bool = False
    groups: int = 1
    input_zero_point: int = 0
    output_zero_point: int = 0
    weight_zero_point: int = 0
    input_dtype: str = "int8"
    weight_dtype: str = "int8"
    output_dtype: str = "int8"
    requantisation: str = "tflite"
    # None only until __post_init__ has put the range of the output type there
    activation_min: int = cast(int, None)
    activation_max: int = cast(int, None)

    if TYPE_CHECKING:  # the generated constructor takes more than the fields' types say: sequences, and padding by name

        def __init__(
            self,
            *,
            height: int,
            width: int,
            in_channels: int,
            out_channels: int,
            kernel: Sequence[int],
            name: str = "conv",
            stride: Sequence[int] = (1, 1),
            dilation: Sequence[int] = (1, 1),
            padding: "Padding | str | Sequence[int]" = _NO_PADDING,
            transposed: bool = False,
            output_padding: Sequence[int] = (0, 0),
            streaming: bool = False,
            groups: int = 1,
            input_zero_point: int = 0,
            output_zero_point: int = 0,
            weight_zero_point: int = 0,
            input_dtype: str = "int8",
            weight_dtype: str = "int8",
            output_dtype: str = "int8",
            requantisation: str = "tflite",
            activation_min: int | None = None,
            activation_max: int | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_name("conv", self.name)
        for field in ("height", "width", "in_channels", "out_channels", "groups"):
            self._store(field, integer(self.name, field, getattr(self, field), 1, MAX_EXTENT))
        for field in ("kernel", "stride", "dilation"):
            self._store(field, integers(self.name, field, getattr(self, field), 2, 1, MAX_EXTENT))
        for field in ("in_channels", "out_channels"):
            if getattr(self, field) % self.groups:
                raise SpecError(self.name, field, getattr(self, field), f"a multiple of groups = {self.groups}")
        for field in ("transposed", "streaming"):
            if not isinstance(getattr(self, field), bool):
                raise SpecError(self.name, field, getattr(self, field), "true or false")
        self._store("padding", self._resolve_padding(self.padding))
        self._store("output_padding", integers(self.name, "output_padding", self.output_padding, 2, 0, MAX_EXTENT))
        if any(self.output_padding) and not self.transposed:
            raise SpecError(self.name, "output_padding", self.output_padding, "(0, 0), unless the layer is transposed")
        if self.streaming and (self.transposed or self.padding.bottom):
            field = "transposed" if self.transposed else "padding"
            expected = "false with streaming" if self.transposed else "no rows below with streaming"
            raise SpecError(self.name, field, getattr(self, field), expected)
        self._check_formats()
        self._check_zero_points()
        self._check_activation()
        self._check_size()

    def _store(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def _resolve_padding(self, padding: object) -> Padding:
        if not isinstance(padding, str):
            return Padding(*integers(self.name, "padding", padding, 4, 0, MAX_EXTENT))
        if padding == "valid":
            return _NO_PADDING
        if padding != "same":
            raise SpecError(self.name, "padding", padding, '"same", "valid" or four integers')
        axes = list(zip(self.kernel, self.stride, self.dilation, strict=True))
        if self.transposed:
            vertical, horizontal = (transposed_same_padding(*axis) for axis in axes)
        else:
            sizes = (self.height, self.width)
            vertical, horizontal = (same_padding(size, *axis) for size, axis in zip(sizes, axes, strict=True))
        return Padding(*vertical, *horizontal)

    def _check_formats(self) -> None:
        for field, supported in (
            ("input_dtype", INPUT_DTYPES),
            ("weight_dtype", WEIGHT_DTYPES),
            ("output_dtype", OUTPUT_DTYPES),
            ("requantisation", REQUANTISATIONS),
        ):
            value = getattr(self, field)
            if not isinstance(value, str) or value not in supported:
                raise SpecError(self.name, field, value, f"one of {one_of(supported)}")
        if (self.requantisation == "none") != (self.output_dtype == "int32"):
            expected = "int32 with requantisation none" if self.requantisation == "none" else "int8, int16 or uint8"
            raise SpecError(self.name, "output_dtype", self.output_dtype, expected)
        if self.requantisation == "tflite16" and self.input_dtype != "int16":
            raise SpecError(self.name, "input_dtype", self.input_dtype, "int16 with requantisation tflite16")

    def _check_zero_points(self) -> None:
        low, high = dtype_range(self.input_dtype)
        if not self.reads_outside:
            low, high = low - (high - low + 1) // 2, high + (high - low + 1) // 2
        self._store("input_zero_point", integer(self.name, "input_zero_point", self.input_zero_point, low, high))
        self._store(
            "weight_zero_point",
            integer(self.name, "weight_zero_point", self.weight_zero_point, *dtype_range(self.weight_dtype)),
        )
        low, high = dtype_range(self.output_dtype)
        half = (high - low + 1) // 2
        low, high = (0, 0) if self.requantisation == "none" else (low - half, high + half)
        self._store("output_zero_point", integer(self.name, "output_zero_point", self.output_zero_point, low, high))

    def _check_activation(self) -> None:
        low, high = dtype_range(self.output_dtype)
        for field, default in (("activation_min", low), ("activation_max", high)):
            value = default if getattr(self, field) is None else getattr(self, field)
            self._store(field, integer(self.name, field, value, low, high))
        if self.activation_min > self.activation_max:
            expected = f"at most activation_max = {self.activation_max}"
            raise SpecError(self.name, "activation_min", self.activation_min, expected)
        if self.requantisation == "none":
            for field, default in (("activation_min", low), ("activation_max", high)):
                if getattr(self, field) != default:
                    expected = f"{default}, as requantisation none has no clamp"
                    raise SpecError(self.name, field, getattr(self, field), expected)

    def _check_size(self) -> None:
        for index, field in enumerate(("height", "width")):
            if self._out_size(index) < 1:
                reach = self.dilation[index] * (self.kernel[index] - 1) + 1
                pads = sum(self.padding[2 * index : 2 * index + 2])
                expected = f"at least {reach - pads}, the reach {reach} of the kernel less {pads} of padding"
                if self.transposed:
                    expected = f"more than the {pads} of padding crop from the {self._out_size(index) + pads} of output"
                raise SpecError(self.name, field, getattr(self, field), expected)
        for what, elements in (
            ("height x width x in_channels", self.input_elements),
            ("output height x width x out_channels", self.output_elements),
            ("weights", self.out_channels * self.taps * self.group_in_channels),
        ):
            if elements >= MAX_ELEMENTS:
                raise SpecError(self.name, what, elements, f"below {MAX_ELEMENTS} elements")

    def _out_size(self, axis: int) -> int:
        """``floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1`` of axis 0 (height) or 1 (width).

        Transposed: ``(size - 1) * stride + dilation * (kernel - 1) + 1 - pads + output padding``.
        """
        pads = sum(self.padding[2 * axis : 2 * axis + 2])
        if self.transposed:
            full = ((self.height, self.width)[axis] - 1) * self.stride[axis]
            return full + self.dilation[axis] * (self.kernel[axis] - 1) + 1 - pads + self.output_padding[axis]
        size = (self.height, self.width)[axis] + pads
        return (size - self.dilation[axis] * (self.kernel[axis] - 1) - 1) // self.stride[axis] + 1

    @property
    def out_height(self) -> int:
        """Rows of the output frame."""
        return self._out_size(0)

    @property
    def out_width(self) -> int:
        """Columns of the output frame."""
        return self._out_size(1)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(height, width, in_channels)`` of one frame."""
        return self.height, self.width, self.in_channels

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """``(out_height, out_width, out_channels)`` of one frame."""
        return self.out_height, self.out_width, self.out_channels

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """``(out_channels, kernel height, kernel width, group_in_channels)``: OHWI for every kind of layer."""
        return self.out_channels, *self.kernel, self.group_in_channels

    @property
    def group_in_channels(self) -> int:
        """Input channels that one output channel reads."""
        return self.in_channels // self.groups

    @property
    def group_out_channels(self) -> int:
        """Output channels of one group."""
        return self.out_channels // self.groups

    @property
    def taps(self) -> int:
        """Kernel positions, ``kh * kw``."""
        return self.kernel[0] * self.kernel[1]

    @property
    def depthwise(self) -> bool:
        """Whether each output channel reads one input channel of several."""
        return self.group_in_channels == 1 and self.groups > 1

    @property
    def channel_multiplier(self) -> int:
        """Output channels per input channel of a depthwise layer; 1 for other layers."""
        return self.group_out_channels if self.depthwise else 1

    @property
    def state_rows(self) -> int:
        """Rows of earlier frames that a streaming layer keeps; 0 of any other."""
        return self.padding.top if self.streaming else 0

    @property
    def reads_outside(self) -> bool:
        """Whether taps fall outside the frame, where the zero point is read: with pads, or transposed."""
        return self.transposed or any(self.padding)

    def phase_taps(self, axis: int) -> tuple[tuple[int, ...], ...]:
        """The kernel indices that meet each output row (axis 0) or column (1) of a transposed layer.

        Entry ``p`` is that of outputs ``p``, ``p + stride``, ...: the indices ``k`` with ``k * dilation`` congruent to
        ``p + pad`` modulo the stride, ascending; it may be empty. Other layers have one entry, all of the kernel.
        """
        kernel, stride, dilation = self.kernel[axis], self.stride[axis], self.dilation[axis]
        if not self.transposed:
            return (tuple(range(kernel)),)
        phases: list[list[int]] = [[] for _ in range(stride)]
        for index in range(kernel):
            phases[(index * dilation - self.padding[2 * axis]) % stride].append(index)
        return tuple(map(tuple, phases))

    @property
    def receptive_rows(self) -> int:
        """Input rows from the first to the last that one output row reads: ``dilation * (kernel - 1) + 1``.

        Transposed, at most ``dilation * (kernel - 1) // stride + 1``.
        """
        reach = self.dilation[0] * (self.kernel[0] - 1)
        return (reach // self.stride[0] if self.transposed else reach) + 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates needed for one frame, taps that fall outside of it included.

        An output pixel of a transposed layer needs those of its phase: no zero is inserted and multiplied.
        """
        taps = [0, 0]
        for axis, size in enumerate((self.out_height, self.out_width)):
            phases = self.phase_taps(axis)
            counts = [len(indices) * len(range(phase, size, len(phases))) for phase, indices in enumerate(phases)]
            taps[axis] = sum(counts)
        return taps[0] * taps[1] * self.out_channels * self.group_in_channels

    @property
    def input_elements(self) -> int:
        """Elements of one input frame."""
        return self.height * self.width * self.in_channels

    @property
    def output_elements(self) -> int:
        """Elements of one output frame."""
        return self.out_height * self.out_width * self.out_channels

    @property
    def input_bytes(self) -> int:
        """Bytes of one input frame in the stream; formats below eight bits take a byte a value."""
        return self.input_elements * (dtype_bits(storage_dtype(self.input_dtype)) // 8)

    @property
    def output_bytes(self) -> int:
        """Bytes of one output frame in the stream; an int32 takes four."""
        return self.output_elements * (dtype_bits(self.output_dtype) // 8)

    @property
    def fully_connected(self) -> bool:
        """Whether this is a matrix times a vector: a 1x1 kernel on an unpadded 1x1 frame."""
        return (self.height, self.width) == (1, 1) == self.kernel and not any(self.padding)

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has: integers, strings and lists of integers."""
        return to_json_values(self)

    def to_json(self) -> str:
        """The fields as one line of JSON, in a fixed order: equal specs give equal text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "ConvSpec":
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        required = ("height", "width", "in_channels", "out_channels", "kernel")
        check_keys(str(values.get("name", "conv")), values, field_names(cls), required)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value

    @classmethod
    def from_json(cls, text: str) -> "ConvSpec":
        """Inverse of :meth:`to_json`. Raises :class:`SpecError` for anything that is not such a text."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError("conv", "JSON", str(text)[:80], "a JSON object") from error
        if not isinstance(values, dict):
            raise SpecError("conv", "JSON", str(text)[:80], "a JSON object")
        return cls.from_dict(values)


def fully_connected_spec(*, inputs: int, outputs: int, **other: object) -> ConvSpec:
    """A fully connected layer: a 1x1 convolution of ``inputs`` channels on a 1x1 frame; ``other`` fields as given."""
    size = {"height": 1, "width": 1, "kernel": (1, 1), "in_channels": inputs, "out_channels": outputs}
    return ConvSpec.from_dict({**size, **other})


def causal1d_spec(
    *, length: int, in_channels: int, out_channels: int, kernel: int, stride: int = 1, dilation: int = 1,
    streaming: bool = True, **other: object,
) -> ConvSpec:  # fmt: skip
    """A causal one-dimensional convolution, time along the height: sample ``t`` reads ``t - k * dilation``, k < kernel.

    With ``streaming`` a frame is a piece of ``length`` samples of one sequence, down to a single one; without it every
    frame begins anew. The last tap is the sample's own, as in WaveNet and temporal convolution networks.
    """
    size = {"height": length, "width": 1, "in_channels": in_channels, "out_channels": out_channels}
    window = {"kernel": (kernel, 1), "stride": (stride, 1), "dilation": (dilation, 1)}
    pads = {"padding": ((kernel - 1) * dilation, 0, 0, 0), "streaming": streaming}
    return ConvSpec.from_dict({**size, **window, **pads, **other})


def conv1d_spec(
    *, length: int, in_channels: int, out_channels: int, kernel: int, stride: int = 1, dilation: int = 1,
    padding: str | tuple[int, int] = (0, 0), **other: object,
) -> ConvSpec:  # fmt: skip
    """A one-dimensional convolution: height 1, time along the width. ``padding``: (before, after) or a name."""
    pads = padding if isinstance(padding, str) else (0, 0, *padding)
    size = {"height": 1, "width": length, "in_channels": in_channels, "out_channels": out_channels}
    window = {"kernel": (1, kernel), "stride": (1, stride), "dilation": (1, dilation), "padding": pads}
    return ConvSpec.from_dict({**size, **window, **other})
