"""What the specifications of stream blocks share: a name, a frame of int8 values, and their JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Self

from .errors import SpecError, one_of
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
        if not isinstance(self.name, str) or not self.name or not self.name.isprintable() or len(self.name) > 200:
            shown = self.name[:200] if isinstance(self.name, str) else self.name
            raise SpecError("block", "name", shown, "one printable line of 1 to 200 characters")
        for field in ("height", "width", "channels"):
            self._check_integer(field, 1, MAX_EXTENT)
        self._check_integer("zero_point", *dtype_range("int8"))
        if self.elements >= MAX_ELEMENTS:
            raise SpecError(self.name, "height x width x channels", self.elements, f"below {MAX_ELEMENTS} elements")

    def _check_integer(self, field: str, low: int, high: int) -> None:
        """Takes Python's and numpy's integers (not booleans, not floats) between two bounds, both included."""
        value = getattr(self, field)
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise SpecError(self.name, field, value, f"an integer from {low} to {high}")
        if not low <= value.__index__() <= high:
            raise SpecError(self.name, field, value.__index__(), f"from {low} to {high}")
        object.__setattr__(self, field, int(value.__index__()))

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
        known = [field.name for field in fields(cls)]
        label = str(values.get("name", "block"))
        for key in values:
            if key not in known:
                raise SpecError(label, "field", key, f"one of {one_of(known)}")
        for key in ("height", "width", "channels"):
            if key not in values:
                raise SpecError(label, key, None, "given")
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks every value
