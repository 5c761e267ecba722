"""What makes a larger frame of a smaller one and computes nothing: repeated pixels, or channels laid out as pixels."""

from collections.abc import Mapping
from dataclasses import dataclass

from .errors import SpecError, one_of
from .fields import check_keys, check_name, field_names, integer, integers, to_json_values
from .spec import MAX_ELEMENTS, MAX_EXTENT, dtype_bits

UPSCALE_KINDS = ("nearest", "depth_to_space")
ORDERS = ("DCR", "CRD")
UPSCALE_DTYPES = ("int8", "uint8", "int16")


@dataclass(frozen=True, kw_only=True)
class UpscaleSpec:
    """A frame enlarged by integer factors, values as they are.

    With ``fv`` and ``fh``, the factors, ``p = y % fv`` and ``q = x % fh``, each output ``out[y, x, c]`` is
    ``in[y // fv, x // fh, k]``:

    ====================== ================================= ===================================================
    ``nearest``            ``k = c``                         ``RESIZE_NEAREST_NEIGHBOR`` of TensorFlow Lite, ``Resize``
                                                             of ONNX, where these repeat every pixel alike
    ``depth_to_space DCR`` ``k = (p * fh + q) * C + c``      ``DEPTH_TO_SPACE``, ``DepthToSpace`` of ONNX
    ``depth_to_space CRD`` ``k = c * fv * fh + p * fh + q``  ``DepthToSpace`` with mode ``CRD``
    ====================== ================================= ===================================================

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    kind:
        One of :data:`UPSCALE_KINDS`.
    height, width, channels:
        The input frame; with ``depth_to_space`` the product of both factors divides the channels.
    factor:
        ``(vertical, horizontal)``.
    order:
        One of :data:`ORDERS`, with ``depth_to_space``.
    dtype:
        One of :data:`UPSCALE_DTYPES`, of input and output.

    Raises
    ------
    SpecError
        A field that is out of range or contradicts another: names the layer, the field, the value and what is expected.
    """

    name: str = "upscale"
    kind: str
    height: int
    width: int
    channels: int
    factor: tuple[int, int]
    order: str = "DCR"
    dtype: str = "int8"

    def __post_init__(self) -> None:
        check_name("upscale", self.name)
        for field, choices in (("kind", UPSCALE_KINDS), ("order", ORDERS), ("dtype", UPSCALE_DTYPES)):
            value = getattr(self, field)
            if not isinstance(value, str) or value not in choices:
                raise SpecError(self.name, field, value, f"one of {one_of(choices)}")
        if self.kind == "nearest" and self.order != "DCR":
            raise SpecError(self.name, "order", self.order, "absent with nearest")
        for field in ("height", "width", "channels"):
            object.__setattr__(self, field, integer(self.name, field, getattr(self, field), 1, MAX_EXTENT))
        object.__setattr__(self, "factor", integers(self.name, "factor", self.factor, 2, 1, MAX_EXTENT))
        if self.kind == "depth_to_space" and self.channels % self.pieces:
            raise SpecError(self.name, "channels", self.channels, f"a multiple of {self.pieces}, the factors' product")
        for what, extent in zip(("output height", "output width"), self.output_shape, strict=False):
            if extent > MAX_EXTENT:
                raise SpecError(self.name, what, extent, f"at most {MAX_EXTENT}")
        elements = self.height * self.width * self.channels * (self.pieces if self.kind == "nearest" else 1)
        if elements >= MAX_ELEMENTS:
            raise SpecError(self.name, "elements of the output", elements, f"below {MAX_ELEMENTS}")

    @property
    def pieces(self) -> int:
        """Output pixels of an input pixel."""
        return self.factor[0] * self.factor[1]

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of one frame."""
        return self.height, self.width, self.channels

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """``(out_height, out_width, out_channels)`` of one frame."""
        channels = self.channels if self.kind == "nearest" else self.channels // self.pieces
        return self.height * self.factor[0], self.width * self.factor[1], channels

    @property
    def value_bytes(self) -> int:
        """Bytes of one value in a stream."""
        return dtype_bits(self.dtype) // 8

    @property
    def run(self) -> int:
        """Values that stay side by side, wherever a row of the output begins: a beat is a part of so many."""
        if self.kind == "nearest":
            return self.channels
        if self.order == "CRD" and self.output_shape[2] > 1:
            return 1
        return self.channels // self.factor[0]

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has."""
        return to_json_values(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "UpscaleSpec":
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        required = ("kind", "height", "width", "channels", "factor")
        check_keys(str(values.get("name", "upscale")), values, field_names(cls), required)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value
