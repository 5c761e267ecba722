"""What an addition of two frames of bytes is, exactly as TensorFlow Lite rounds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from .errors import SpecError, one_of
from .fields import check_keys, check_name, field_names, integer, integers, to_json_values
from .spec import MAX_ELEMENTS, MAX_EXTENT, dtype_range

ADD_DTYPES = ("int8", "uint8")
LEFT_SHIFT = 20
"""Bits that 8-bit operands move left before they are scaled (``Prepare`` of tensorflow/lite/kernels/add.cc)."""
SHIFTS = (-31, 0)
"""Exponents of multipliers below one."""


@dataclass(frozen=True, kw_only=True)
class AddSpec:
    """The sum of two NHWC frames of equal shape, each with its own scale and zero point, of one type in and out.

    ``clamp(zero_point + m(m(a - za, 0) + m(b - zb, 1), 2))``, where ``m(x, i)`` scales by ``multiplier * 2**(shift -
    31)``: the rounding doubling high multiply and the rounding shift of the mode ``tflite``, operands being moved left
    by 20 bits before (``AddElementwise`` in tensorflow/lite/kernels/internal/reference/integer_ops/add.h, and in
    reference/add.h for uint8).

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    height, width, channels:
        Both frames, and the result.
    input_zero_points, output_zero_point:
        Of the operands and of the result.
    multipliers, shifts:
        Q31 multipliers and exponents, from -31 to 0, of the operands.
    output_multiplier, output_shift:
        Those of the sum.
    dtype:
        One of :data:`ADD_DTYPES`, of the operands and of the result.
    activation_min, activation_max:
        The clamp; default: the range of the type.

    Raises
    ------
    SpecError
        A field that is out of range: names the layer, the field, the value and what is expected.
    """

    name: str = "add"
    height: int
    width: int
    channels: int
    input_zero_points: tuple[int, int] = (0, 0)
    output_zero_point: int = 0
    multipliers: tuple[int, int]
    shifts: tuple[int, int]
    output_multiplier: int
    output_shift: int
    dtype: str = "int8"
    activation_min: int = cast(int, None)
    activation_max: int = cast(int, None)

    def __post_init__(self) -> None:
        check_name("add", self.name)
        if not isinstance(self.dtype, str) or self.dtype not in ADD_DTYPES:
            raise SpecError(self.name, "dtype", self.dtype, f"one of {one_of(ADD_DTYPES)}")
        byte = dtype_range(self.dtype)
        for field, default in zip(("activation_min", "activation_max"), byte, strict=True):
            value: object = getattr(self, field)  # None only until here
            object.__setattr__(self, field, default if value is None else value)
        extent, multiplier = (1, MAX_EXTENT), (0, dtype_range("int32")[1])
        for field, limits in {
            "height": extent, "width": extent, "channels": extent, "output_zero_point": byte,
            "output_multiplier": multiplier, "output_shift": SHIFTS, "activation_min": byte, "activation_max": byte,
        }.items():  # fmt: skip
            object.__setattr__(self, field, integer(self.name, field, getattr(self, field), *limits))
        for field, limits in {"input_zero_points": byte, "multipliers": multiplier, "shifts": SHIFTS}.items():
            object.__setattr__(self, field, integers(self.name, field, getattr(self, field), 2, *limits))
        if self.activation_min > self.activation_max:
            expected = f"at most activation_max = {self.activation_max}"
            raise SpecError(self.name, "activation_min", self.activation_min, expected)
        elements = self.height * self.width * self.channels
        if elements >= MAX_ELEMENTS:
            raise SpecError(self.name, "height x width x channels", elements, f"below {MAX_ELEMENTS} elements")

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of either frame, and of the result."""
        return self.height, self.width, self.channels

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has."""
        return to_json_values(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "AddSpec":
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        required = ("height", "width", "channels", "multipliers", "shifts", "output_multiplier", "output_shift")
        check_keys(str(values.get("name", "add")), values, field_names(cls), required)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value
