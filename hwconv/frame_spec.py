"""What the specifications of stream blocks share: a name, a frame of int8 values, and their JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from .errors import SpecError
from .fields import check_keys, check_name, field_names, integer
from .spec import MAX_ELEMENTS, MAX_EXTENT, dtype_range


@dataclass(frozen=True, kw_only=True)
class FrameSpec:
    """A block that takes int8 frames, ``H x W x C`` in NHWC order.

    Parameters
    ----------
    name:
        One printable line, used in messages and headers.
    height, width, channels:
        The frame.
    zero_point:
        Of its values; it also completes a frame that ends early.

    Raises
    ------
    SpecError
        A field that is out of range: names the block, the field, the value and what is expected.
    """

    name: str
    height: int
    width: int
    channels: int
    zero_point: int = 0

    def __post_init__(self) -> None:
        check_name("block", self.name)
        for field in ("height", "width", "channels"):
            self._check_integer(field, 1, MAX_EXTENT)
        self._check_integer("zero_point", *dtype_range("int8"))
        if self.elements >= MAX_ELEMENTS:
            raise SpecError(self.name, "height x width x channels", self.elements, f"below {MAX_ELEMENTS} elements")

    def _check_integer(self, field: str, low: int, high: int) -> None:
        object.__setattr__(self, field, integer(self.name, field, getattr(self, field), low, high))

    @property
    def elements(self) -> int:
        """Values, and bytes, of one frame."""
        return self.height * self.width * self.channels

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)``."""
        return self.height, self.width, self.channels

    def to_dict(self) -> dict[str, object]:
        """All fields as values that JSON has."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        """Inverse of :meth:`to_dict`. Raises :class:`SpecError` for unknown, missing and invalid fields."""
        required = ("height", "width", "channels")
        check_keys(str(values.get("name", "block")), values, field_names(cls), required)
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value
