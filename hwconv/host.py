"""What is left to the host around a network: operators without an engine, each a value.

Their arithmetic is in :mod:`hwconv.golden.host` and :mod:`hwconv.golden.softmax`.
"""

from dataclasses import dataclass

from .errors import SpecError

DIFFERENCE_BITS = 5
"""Integer bits of ``beta * scale * (x - max)`` as softmax has it (``kScaledDiffIntegerBits`` of TensorFlow Lite)."""
MAX_SOFTMAX_CHANNELS = 4095
"""A sum of exponentials has 12 integer bits, and each may be one."""


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """``exp(beta * (x - max)) / sum(exp(beta * (x - max)))`` over the last axis, in fixed point.

    The output has the input's type, scale 1/256 and the type's least value as its zero point
    (``CalculateSoftmaxParams`` in tensorflow/lite/micro/kernels/softmax_common.cc; tensorflow/lite/kernels/
    activations.cc for uint8).

    Parameters
    ----------
    multiplier, left_shift:
        ``beta * input scale * 2**26`` as a Q31 multiplier and a shift from 0 to 30.
    smallest_difference:
        ``diff_min``, not positive: below it an exponential is 0.
    dtype:
        ``int8`` or ``uint8``, in and out.

    Raises
    ------
    SpecError
        A field that is out of range.
    """

    multiplier: int
    left_shift: int
    smallest_difference: int
    dtype: str = "int8"

    def __post_init__(self) -> None:
        if self.dtype not in ("int8", "uint8"):
            raise SpecError("softmax", "dtype", self.dtype, "int8, uint8")
        limits = {"multiplier": (1 << 30, (1 << 31) - 1), "left_shift": (0, 30),
                  "smallest_difference": (-(31 << 26 >> self.left_shift), 0)}  # fmt: skip
        for field, (low, high) in limits.items():
            if not low <= getattr(self, field) <= high:
                raise SpecError("softmax", field, getattr(self, field), f"from {low} to {high}")


@dataclass(frozen=True, kw_only=True)
class Quantise:
    """float32 to integers: ``round(x / scale) + zero_point``, clamped; ``ties`` go ``away`` from zero, or to ``even``
    numbers.
    """

    scale: float
    zero_point: int
    ties: str = "away"
    output_dtype: str = "int8"


@dataclass(frozen=True, kw_only=True)
class Requantise:
    """Between integers: ``m(x - input_zero_point) + output_zero_point``, clamped; ``m`` scales as ``tflite``."""

    input_zero_point: int
    output_zero_point: int
    multiplier: int
    shift: int
    output_dtype: str


@dataclass(frozen=True, kw_only=True)
class Dequantise:
    """Integers to float32: ``scale * (x - zero_point)``."""

    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True)
class ArgMax:
    """The index of the largest value along the last axis, the first of several."""

    output_dtype: str


@dataclass(frozen=True, kw_only=True)
class Reshape:
    """The same values in the same order."""


HostOperation = Softmax | Quantise | Requantise | Dequantise | ArgMax | Reshape
