"""What a statistics block is: how many passes over a frame it takes, and which two integers it makes of each value."""

from dataclasses import dataclass

from .errors import SpecError, one_of
from .frame_spec import FrameSpec
from .spec import MAX_ELEMENTS, TYPE_RANGES

STATISTICS = ("moments", "variance")
"""`moments`: sum and sum of squares. `variance`: sum, and passes x sum of squares - square of the sum."""
MAX_PASSES = 1024
VALUE_BYTES = 8
"""Bytes of a result: two int32."""


@dataclass(frozen=True, kw_only=True)
class StatisticsSpec(FrameSpec):
    """A block that takes `passes` frames and gives one: for each value two integers of 32 bits, `(H, W, C, 2)`.

    With ``x`` the int8 values as they are, zero point included, over the passes: ``S = sum(x)`` and, by `statistics`,
    ``Q = sum(x**2)`` or ``V = passes * Q - S**2``. All are exact: the mean is ``S / passes``, the population variance
    ``V / passes**2``, that of the sample ``V / (passes * (passes - 1))``.

    Parameters
    ----------
    passes:
        From 1 to :data:`MAX_PASSES`; with `variance` as many as int32 holds (:func:`most_passes`).
    statistics:
        One of :data:`STATISTICS`.
    """

    name: str = "mc_statistics"
    passes: int = 1
    statistics: str = "variance"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.statistics, str) or self.statistics not in STATISTICS:
            raise SpecError(self.name, "statistics", self.statistics, f"one of {one_of(STATISTICS)}")
        self._check_integer("passes", 1, most_passes(self.statistics))
        if self.elements * VALUE_BYTES >= MAX_ELEMENTS:
            raise SpecError(self.name, "bytes of a result", self.elements * VALUE_BYTES, f"below {MAX_ELEMENTS}")

    @property
    def result_shape(self) -> tuple[int, int, int, int]:
        """``(height, width, channels, 2)`` of a result."""
        return *self.frame_shape, 2


def largest_variance(passes: int) -> int:
    """The largest ``V`` of int8 values: one half of the passes at -128, the other at 127."""
    low, high = TYPE_RANGES["int8"]
    return (passes // 2) * (passes - passes // 2) * (high - low) ** 2


def most_passes(statistics: str) -> int:
    """The largest number of passes whose results int32 holds, :data:`MAX_PASSES` at most."""
    if statistics != "variance":
        return MAX_PASSES
    return max(passes for passes in range(1, MAX_PASSES + 1) if largest_variance(passes) <= TYPE_RANGES["int32"][1])
