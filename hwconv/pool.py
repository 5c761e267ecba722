"""What a pooling layer is: the maximum or the mean of windows of each channel, of one type in and out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from .errors import SpecError, one_of
from .fields import check_keys, check_name, field_names, integer, integers, to_json_values
from .layer import INT32
from .spec import MAX_ELEMENTS, MAX_EXTENT, Padding, dtype_range, same_padding

POOL_KINDS = ("max", "average", "mean")
POOL_DTYPES = ("int8", "uint8", "int16")
MAX_WINDOW_16 = 1 << 15
"""Elements of a window of int16 at most: TensorFlow Lite's sums have 32 bits."""
_SHIFTS = (-31, 30)
_NO_PADDING = Padding()


@dataclass(frozen=True, kw_only=True)
class PoolSpec:
    """Pooling of NHWC frames: each output is made of those elements of its window that lie inside the frame.

    ``max``: the largest. ``average``: their sum divided by their number, rounded half away from zero; what lies outside
    is neither added nor counted. Both are then clamped (tensorflow/lite/kernels/internal/reference/integer_ops/
    pooling.h, and reference/pooling.h for uint8). Input and output have the same type, scale and zero point.

    ``mean``: ``m(sum - n * input_zero_point) + output_zero_point`` of windows of ``n`` elements, where ``m`` scales by
    ``multiplier * 2**(shift - 31)`` as the mode ``tflite`` does; input and output may differ in scale and zero point
    (``QuantizedMeanOrSum`` in tensorflow/lite/kernels/internal/reference/reduce.h; the division is in the multiplier:
    :func:`~hwconv.golden.pool.mean_multiplier`). Without padding.

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    kind:
        One of :data:`POOL_KINDS`.
    height, width, channels:
        The input frame.
    kernel, stride:
        Pairs ``(vertical, horizontal)``; by default the stride is the kernel.
    padding:
        A :class:`~hwconv.spec.Padding`, four integers, ``"same"`` or ``"valid"``; every pad is smaller than the kernel,
        so that no window is empty.
    dtype:
        One of :data:`POOL_DTYPES`, of input and output.
    activation_min, activation_max:
        The clamp; default: the range of the type.
    input_zero_point, output_zero_point, multiplier, shift:
        Of ``mean`` only: the zero points, a Q31 multiplier and its exponent, from -31 to 30.

    Raises
    ------
    SpecError
        A field that is out of range or contradicts another: names the layer, the field, the value and what is expected.
    """

    name: str = "pool"
    kind: str
    height: int
    width: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = cast(tuple[int, int], None)
    padding: Padding = _NO_PADDING
    dtype: str = "int8"
    activation_min: int = cast(int, None)
    activation_max: int = cast(int, None)
    input_zero_point: int = 0
    output_zero_point: int = 0
    multiplier: int = 0
    shift: int = 0

    if TYPE_CHECKING:  # the generated constructor takes more than the fields' types say

        def __init__(
            self,
            *,
            kind: str,
            height: int,
            width: int,
            channels: int,
            kernel: Sequence[int],
            name: str = "pool",
            stride: Sequence[int] | None = None,
            padding: "Padding | str | Sequence[int]" = _NO_PADDING,
            dtype: str = "int8",
            activation_min: int | None = None,
            activation_max: int | None = None,
            input_zero_point: int = 0,
            output_zero_point: int = 0,
            multiplier: int = 0,
            shift: int = 0,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_name("pool", self.name)
        if not isinstance(self.kind, str) or self.kind not in POOL_KINDS:
            raise SpecError(self.name, "kind", self.kind, f"one of {one_of(POOL_KINDS)}")
        if not isinstance(self.dtype, str) or self.dtype not in POOL_DTYPES:
            raise SpecError(self.name, "dtype", self.dtype, f"one of {one_of(POOL_DTYPES)}")
        for field in ("height", "width", "channels"):
            self._store(field, integer(self.name, field, getattr(self, field), 1, MAX_EXTENT))
        self._store("kernel", integers(self.name, "kernel", self.kernel, 2, 1, MAX_EXTENT))
        stride: object = self.stride  # None only until here
        self._store(
            "stride", integers(self.name, "stride", self.kernel if stride is None else stride, 2, 1, MAX_EXTENT)
        )
        self._store("padding", self._resolve_padding(self.padding))
        low, high = dtype_range(self.dtype)
        for field, default in (("activation_min", low), ("activation_max", high)):
            value: object = getattr(self, field)  # None only until here
            self._store(field, integer(self.name, field, default if value is None else value, low, high))
        if self.activation_min > self.activation_max:
            expected = f"at most activation_max = {self.activation_max}"
            raise SpecError(self.name, "activation_min", self.activation_min, expected)
        self._check_size()
        self._check_scale()

    def _store(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def _resolve_padding(self, padding: object) -> Padding:
        if padding == "valid":
            return _NO_PADDING
        if padding == "same":
            axes = zip((self.height, self.width), self.kernel, self.stride, strict=True)
            vertical, horizontal = (same_padding(*axis, 1) for axis in axes)
            return Padding(*vertical, *horizontal)
        if isinstance(padding, str):
            raise SpecError(self.name, "padding", padding, '"same", "valid" or four integers')
        pads = Padding(*integers(self.name, "padding", padding, 4, 0, MAX_EXTENT))
        for index, pad in enumerate(pads):
            if pad >= self.kernel[index // 2]:
                raise SpecError(self.name, "padding", tuple(pads), f"smaller than the kernel, {self.kernel}")
        return pads

    def _check_size(self) -> None:
        for axis, field in enumerate(("height", "width")):
            if self._out_size(axis) < 1:
                pads = sum(self.padding[2 * axis : 2 * axis + 2])
                expected = f"at least {self.kernel[axis] - pads}, the kernel less {pads} of padding"
                raise SpecError(self.name, field, getattr(self, field), expected)
        elements = self.height * self.width * self.channels
        if elements >= MAX_ELEMENTS:
            raise SpecError(self.name, "height x width x channels", elements, f"below {MAX_ELEMENTS} elements")
        if self.kind == "average" and self.dtype == "int16" and max(self.counts) > MAX_WINDOW_16:
            raise SpecError(self.name, "kernel", self.kernel, f"at most {MAX_WINDOW_16} elements of int16")

    def _check_scale(self) -> None:
        own = dtype_range(self.dtype)
        limits = {"input_zero_point": own, "output_zero_point": own, "multiplier": (0, INT32[1]), "shift": _SHIFTS}
        for field, (low, high) in limits.items():
            value = integer(self.name, field, getattr(self, field), low, high)
            if value and self.kind != "mean":
                raise SpecError(self.name, field, value, f"absent with {self.kind}")
            self._store(field, value)
        if self.kind != "mean":
            return
        if any(self.padding):
            raise SpecError(self.name, "padding", tuple(self.padding), "none with mean")
        farthest = max(self.input_zero_point - own[0], own[1] - self.input_zero_point)
        largest = self.kernel[0] * self.kernel[1] * farthest << max(self.shift, 0)
        if largest > INT32[1]:
            raise SpecError(self.name, "largest sum, shifted left", largest, f"at most {INT32[1]}")

    def _out_size(self, axis: int) -> int:
        pads = sum(self.padding[2 * axis : 2 * axis + 2])
        return ((self.height, self.width)[axis] + pads - self.kernel[axis]) // self.stride[axis] + 1

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of one frame."""
        return self.height, self.width, self.channels

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """``(out_height, out_width, channels)`` of one frame."""
        return self._out_size(0), self._out_size(1), self.channels

    def inside(self, axis: int) -> NDArray[np.int64]:
        """Rows (axis 0) or columns (1) of the frame that the window of each output row or column has."""
        size = (self.height, self.width)[axis]
        first = np.arange(self._out_size(axis), dtype=np.int64) * self.stride[axis] - self.padding[2 * axis]
        counts: NDArray[np.int64] = np.minimum(first + self.kernel[axis], size) - np.maximum(first, 0)
        return counts

    @property
    def counts(self) -> tuple[int, ...]:
        """How many elements a window may have inside the frame: all numbers that occur, ascending."""
        rows, columns = (np.unique(self.inside(axis)).tolist() for axis in (0, 1))
        return tuple(sorted({down * across for down in rows for across in columns}))

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has."""
        return to_json_values(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "PoolSpec":
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        required = ("kind", "height", "width", "channels", "kernel")
        check_keys(str(values.get("name", "pool")), values, field_names(cls), required)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value
