"""What a dropout block is, and what each of its frames brings along: a seed, a probability, a scale.

An element is *dropped*, that is, becomes the zero point, when its random number is below the frame's threshold;
otherwise it is scaled by the inverse of the probability to be kept. :mod:`hwconv.golden.dropout` is the definition.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .errors import SpecError
from .fields import integer
from .frame_spec import FrameSpec

THRESHOLD_BITS = 16
"""Bits of an element's random number and of the threshold: probabilities are multiples of ``2**-16``."""
SEED_BITS = 32
MULTIPLIER_BITS = 15
"""Bits of a scale's mantissa, the highest of them one: the reduced multipliers of the requantisation `tflite16`."""
LARGEST_SHIFT = 8
"""Scales end at ``2**LARGEST_SHIFT``: a larger one saturates every value but the zero point, and so does this one."""
SEED_STEP = 0x9E3779B9
"""What :func:`pass_seed` adds from pass to pass: ``2**32`` over the golden ratio, odd, so no seed comes back early."""

FIELDS: Mapping[str, tuple[int, int]] = {
    "damaged": (0, 1),
    "deterministic": (1, 1),
    "shift": (4, 4),
    "drop_threshold": (8, THRESHOLD_BITS),
    "multiplier": (24, MULTIPLIER_BITS),
    "seed": (40, SEED_BITS),
}
"""Lowest bit and width of each field of ``s_axis_tuser``. `damaged` counts with a frame's last beat, the others with
its first; bits between them mean nothing."""
USER_BITS = 72


@dataclass(frozen=True, kw_only=True)
class DropoutSpec(FrameSpec):
    """A dropout block; input and output have the same shape, zero point and scale.

    Parameters
    ----------
    stream:
        Which of ``2**32`` independent streams of random numbers it draws from: blocks of one network that are given the
        same seed take different ones.
    """

    name: str = "dropout"
    stream: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_integer("stream", 0, (1 << 32) - 1)


@dataclass(frozen=True, kw_only=True)
class FrameParameters:
    """What a frame brings along in ``s_axis_tuser``.

    Parameters
    ----------
    seed:
        Of its random numbers, 32 bits.
    drop_threshold:
        An element whose 16-bit number is below it is dropped: the probability is ``drop_threshold / 2**16``.
    multiplier, shift:
        What is kept is scaled by ``multiplier * 2**(shift - 14)``; the multiplier is from ``2**14`` to ``2**15 - 1``.
    deterministic:
        The frame leaves as it came, whatever the other fields say.

    Raises
    ------
    SpecError
        A field out of range.
    """

    seed: int = 0
    drop_threshold: int = 0
    multiplier: int = 1 << MULTIPLIER_BITS - 1
    shift: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        for field, low, high in (
            ("seed", 0, (1 << SEED_BITS) - 1),
            ("drop_threshold", 0, (1 << THRESHOLD_BITS) - 1),
            ("multiplier", 1 << MULTIPLIER_BITS - 1, (1 << MULTIPLIER_BITS) - 1),
            ("shift", 0, LARGEST_SHIFT),
        ):
            object.__setattr__(self, field, integer("frame parameters", field, getattr(self, field), low, high))

    @property
    def probability(self) -> Fraction:
        """The probability to be dropped, exactly."""
        return Fraction(0) if self.deterministic else Fraction(self.drop_threshold, 1 << THRESHOLD_BITS)

    @property
    def scale(self) -> Fraction:
        """What kept values are scaled by, exactly."""
        if self.deterministic:
            return Fraction(1)
        return self.multiplier * Fraction(2) ** (self.shift + 1 - MULTIPLIER_BITS)

    def to_user(self, *, damaged: bool = False) -> int:
        """The value of ``s_axis_tuser`` with all fields of :data:`FIELDS`."""
        values = {"damaged": damaged, **vars(self)}
        return sum(int(values[name]) << low for name, (low, _) in FIELDS.items())


def inverted(probability: float | Fraction, *, seed: int, deterministic: bool = False) -> FrameParameters:
    """The parameters of inverted dropout: what is kept is scaled by one over the probability to be kept.

    The probability is rounded to the nearest multiple of ``2**-16``, and the scale is that of the rounded one,
    ``2**16 / (2**16 - drop_threshold)``, rounded half up to :data:`MULTIPLIER_BITS` bits (a mantissa that would round
    up to the next power of two ends below it); at :data:`LARGEST_SHIFT` scales end.

    Raises
    ------
    SpecError
        A probability that is not from 0 to ``1 - 2**-16``: if everything is dropped, no scale makes up for it.
    """
    whole = 1 << THRESHOLD_BITS
    valid = isinstance(probability, int | float | Fraction) and 0 <= probability < 1  # no comparison holds for a NaN
    threshold = round(Fraction(probability) * whole) if valid else whole
    if threshold >= whole:
        raise SpecError("frame parameters", "probability", probability, f"from 0 to {1 - 1 / whole}")
    multiplier, shift = inverse_scale(threshold)
    return FrameParameters(
        seed=seed, drop_threshold=threshold, multiplier=multiplier, shift=shift, deterministic=deterministic
    )


def inverse_scale(drop_threshold: int) -> tuple[int, int]:
    """Multiplier and shift of ``2**16 / (2**16 - drop_threshold)``, in integers as a host without floats has them."""
    kept = (1 << THRESHOLD_BITS) - drop_threshold
    shift = 0
    while kept << (shift + 1) <= 1 << THRESHOLD_BITS:
        shift += 1
    if shift >= LARGEST_SHIFT:
        return 1 << MULTIPLIER_BITS - 1, LARGEST_SHIFT
    numerator = 1 << (THRESHOLD_BITS + MULTIPLIER_BITS - 1 - shift)
    return min((2 * numerator + kept) // (2 * kept), (1 << MULTIPLIER_BITS) - 1), shift


def pass_seed(base: int, index: int) -> int:
    """The seed of one of several passes over the same frame: ``base + index * SEED_STEP`` modulo ``2**32``.

    Equal seeds are what would repeat a mask; the generator makes any two different ones independent.
    """
    return (base + index * SEED_STEP) % (1 << SEED_BITS)
