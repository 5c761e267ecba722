"""The numbers a requantiser is built from: decided and proven by the plan, only read by the gateware."""

from dataclasses import dataclass
from math import ceil, log2

MULTIPLIER_LATENCY = 3
"""Cycles of ``hwconv_mult``."""
PRODUCT_LATENCY = MULTIPLIER_LATENCY + 1
"""Operands to a product in a register of the fabric: the multiplier may lie far from the adder."""
HARD_WIDTH = 18
"""Signed operand bits of one hard multiplier; the lower pieces of a wider operand are unsigned and a bit narrower."""
CHAIN = 22
"""Longest carry chain of one pipeline stage, in bits: a wider sum takes several stages."""
RESULT_STAGES = 2
"""Stages after the sum: compare with the clamp's limits, then choose."""
SATURATION_STAGES = 2
"""Stages that saturate ``a + base``: test, choose."""
WIDE_LATENCY = 24
"""Cycles of the exact TensorFlow Lite unit, whatever its widths."""
WIDE_OPERAND = 32
"""Bits of the accumulator in the exact unit, and of its multiplier with a sign."""
SHIFT_LATENCY = 3
"""Stages of a shift by a field of the entry: two bits of the distance each."""
GUARD_BITS = 26
"""Kind ``float``: bits kept below an integer, the last of which tells whether anything is left beyond."""
FLOAT_BITS = 10
"""Kind ``float``: bits of an integer beyond which every output is at the clamp: it is at most 383 from a zero point."""
MANTISSA = 24
"""Significant bits of a float32."""
SIGNED_FIELDS = ("multiplier", "positive", "negative", "threshold", "base", "bias", "zero_point", "offset")
"""Fields of an entry in two's complement."""


def operand_pieces(width: int) -> list[tuple[int, int]]:
    """Splits a signed operand for hard multipliers: ``(lowest bit, bits)`` of each piece, the last one signed."""
    pieces = []
    start = 0
    while width - start > HARD_WIDTH:
        pieces.append((start, HARD_WIDTH - 1))
        start += HARD_WIDTH - 1
    return [*pieces, (start, width - start)]


def pieces(width_a: int, width_b: int) -> int:
    """Hard multipliers (18x18) that a product of two signed operands takes."""
    return len(operand_pieces(width_a)) * len(operand_pieces(width_b))


@dataclass(frozen=True, kw_only=True)
class RequantiserProof:
    """What the comparison of a plan with the mode's definition covered."""

    channels: int
    """Channels proven, each over its whole accumulator range."""
    thresholds: int
    """Accumulators at which an output changes, over all channels."""
    points: int
    """Evaluations compared: both sides of every threshold, of the range and of the change of offset."""


@dataclass(frozen=True, kw_only=True)
class RequantiserPlan:
    """One requantiser and the table entries of the channels it serves, in the order the channels were given.

    With ``a`` the raw accumulator (neither zero point nor bias in it) the unit of each kind computes

    - ``narrow``: ``clamp((multiplier * x + (positive if x > threshold else negative)) >> shift)``; ``x`` is ``a``, or
      ``a + base`` saturated to :attr:`window_width` bits: all accumulators beyond give the same output
    - ``wide``: TensorFlow Lite's doubly rounded scheme on ``a + bias``, plus the output zero point, clamped; where
      :attr:`biased_width` exceeds 32 bits, ``a + bias`` is saturated to 32 before
    - ``single``: ``clamp((multiplier * a + offset >> shift + right) + zero point)``: one product, one rounding
    - ``float``: ``a + bias`` as float32, times ``multiplier * 2**-(shift + right)`` in float32, rounded to an integer
      with ties to even, plus the output zero point, clamped; in integers
    - ``none``: ``a + bias``

    The entry of a channel is its :attr:`fields`, packed from bit 0 upwards.
    """

    kind: str
    """``narrow``, ``wide``, ``single``, ``float`` or ``none``."""
    style: str
    """``block``: products in hard multipliers; ``logic`` (narrow only): in look-up tables."""
    accumulator_width: int
    """Bits of the signed accumulator, the same for all channels."""
    output_width: int
    """Bits of an output value: 8, 16 (not ``narrow``), or 32 with kind ``none``."""
    out_min: int
    """Smallest output of the clamp (unless :attr:`entry_clamp`)."""
    out_max: int
    """Largest output of the clamp."""
    fields: tuple[tuple[str, int], ...]
    """Name and bits of each field of an entry. Besides :data:`SIGNED_FIELDS` clamps are signed where outputs are."""
    entries: tuple[int, ...]
    """The packed entry of every channel."""
    proof: RequantiserProof
    window_width: int = 0
    """Narrow: bits of ``a + base`` once saturated, 0 where the accumulator itself is multiplied."""
    base_drop: int = 0
    """Narrow: low bits that are zero in every base, and not stored."""
    shift: int = 0
    """The right shift that all channels share (narrow), or have at least (single, float)."""
    multiplier_width: int = 0
    """Narrow: bits of the largest multiplier, which is not negative."""
    low_width: int = 0
    """Narrow: bits of the signed part of the multiplier that the hard multipliers take."""
    digits: int = 0
    """Narrow: radix-4 digits (0, 1, 2, or 3 meaning -1) above that part, each one row of look-up tables."""
    sum_width: int = 0
    """Narrow, single: bits of the signed sum; reached sums never leave it."""
    offset_drop: int = 0
    """Narrow: low bits that are zero in every offset, and not stored."""
    threshold_drop: int = 0
    """Narrow: low bits that are one in every threshold, and not stored."""
    threshold: int = -1
    """Narrow: what all thresholds are without these bits, if they are equal: then it is no field."""
    signed_select: bool = False
    """Narrow: whether there are two offsets and a threshold that chooses; else one offset serves."""
    saturates: tuple[bool, bool] = (True, True)
    """Narrow: whether any reachable sum lies below the clamp, and above it."""
    entry_clamp: bool = False
    """The clamp differs between channels (layers): ``minimum`` and ``maximum`` are fields of the entry."""
    output_zero_point: int = 0
    """Wide, single, float: added after the last shift (unless it is a field)."""
    biased_width: int = WIDE_OPERAND
    """Wide, float: bits of ``a + bias``."""
    shared: tuple[tuple[str, int], ...] = ()
    """Wide: name and bits of each signed field that is one value for all channels, and not in their entries but in
    registers, which keep it while frames are computed: in an engine whose weights are loaded."""

    @property
    def entry_width(self) -> int:
        """Bits of an entry."""
        return sum(width for _, width in self.fields)

    @property
    def shared_width(self) -> int:
        """Bits of the shared fields."""
        return sum(width for _, width in self.shared)

    @property
    def multipliers(self) -> int:
        """Hard multipliers (18x18) of one unit."""
        if self.kind == "none" or self.style == "logic":
            return 0
        return pieces(*self.product_operands)

    @property
    def product_operands(self) -> tuple[int, int]:
        """Bits of the two signed operands of the product in hard multipliers."""
        if self.kind == "narrow":
            return self.operand_width, self.low_width
        if self.kind == "wide":
            return WIDE_OPERAND, WIDE_OPERAND
        multiplier = dict(self.fields)["multiplier"]
        return (self.accumulator_width if self.kind == "single" else self.biased_width + 1), multiplier

    @property
    def operand_width(self) -> int:
        """Narrow: bits of the signed number that is multiplied."""
        return self.window_width or self.accumulator_width

    @property
    def base_segments(self) -> tuple[int, ...]:
        """Narrow: carry chains of ``a + base``."""
        return chain_segments(self.base_drop, self.accumulator_width + 1)

    @property
    def sum_operands(self) -> tuple[int, ...]:
        """Narrow: the lowest bit of everything that is added, in ascending order."""
        lows = [self.offset_drop]
        if self.style == "block":
            splits = [operand_pieces(width) for width in (self.operand_width, self.low_width)]
            lows += [low_a + low_b for low_a, _ in splits[0] for low_b, _ in splits[1]]
        first = HARD_WIDTH if self.style == "block" else 0
        return tuple(sorted([*lows, *(first + 2 * digit for digit in range(self.digits))]))

    @property
    def sum_segments(self) -> tuple[int, ...]:
        """Narrow: bit positions that cut the sum in carry chains of at most :data:`CHAIN`: 0, inner cuts, width."""
        return chain_segments(self.sum_operands[1], self.sum_width)

    @property
    def latency(self) -> int:
        """Cycles from accumulator and entry to the result.

        ``none``: the carry chains of 32 bits. ``wide``: :data:`WIDE_LATENCY`, and what it takes to saturate a longer
        sum. ``single`` and ``float``: see :meth:`_exact_latency`. ``narrow``: the product
        (:data:`PRODUCT_LATENCY` with hard multipliers, 1 + ceil(log2(digits)) without), a stage that adds the offset,
        one more if there are several products (unless there are two and the sum's first chain ends below the upper
        one: it then waits for none), one for each carry chain of the sum but the first, and :data:`RESULT_STAGES`;
        with a window one for each carry chain of ``a + base``, and :data:`SATURATION_STAGES`.
        """
        if self.kind == "none":
            return len(chain_segments(0, self.output_width)) - 1
        if self.kind == "wide":
            if self.biased_width <= WIDE_OPERAND:
                return WIDE_LATENCY
            return WIDE_LATENCY + _chains(self.biased_width) - _chains(WIDE_OPERAND) + SATURATION_STAGES
        if self.kind in ("single", "float"):
            return self._exact_latency()
        product, adds = PRODUCT_LATENCY, 1 if self.multipliers == 1 else 2
        if self.multipliers == 2 and len(self.sum_segments) > 2 and self.sum_segments[1] < HARD_WIDTH:
            adds = 1
        if self.style == "logic":
            product, adds = 1 + ceil(log2(max(self.digits, 1))), 1
        offset = 2 if self.signed_select else 1
        window = len(self.base_segments) - 1 + SATURATION_STAGES if self.window_width else 0
        return window + max(product, offset) + adds + len(self.sum_segments) - 2 + RESULT_STAGES

    def _exact_latency(self) -> int:
        """The product of up to three numbers, an offset or none, a shift, and what rounds and clamps.

        ``float`` before that: the bias, the magnitude, and where an accumulator may be longer than a float32's mantissa
        its rounding.
        """
        width_a, width_b = self.product_operands
        numbers = min(pieces(width_a, width_b), len(operand_pieces(width_a)) + len(operand_pieces(width_b)) - 1)
        if self.kind == "single":
            product = PRODUCT_LATENCY + ceil(log2(numbers + 1)) + _chains(self.sum_width) - 1
            return product + SHIFT_LATENCY + SATURATION_STAGES + 1 + RESULT_STAGES
        before = _chains(self.biased_width) + _chains(self.biased_width + 1)
        before += 3 + _chains(self.biased_width + 1) if self.rounds_accumulator else 0
        product = PRODUCT_LATENCY + ceil(log2(numbers)) + _chains(width_a + width_b) - 1
        return before + product + 1 + SHIFT_LATENCY + 6 + RESULT_STAGES

    @property
    def rounds_accumulator(self) -> bool:
        """Float: whether a magnitude may have more bits than a float32's mantissa."""
        return self.biased_width > MANTISSA + 1


def _chains(width: int) -> int:
    return len(chain_segments(0, width)) - 1


def chain_segments(start: int, width: int) -> tuple[int, ...]:
    """Cuts a sum of ``width`` bits, whose carries begin at bit ``start``, in chains of at most :data:`CHAIN` bits."""
    count = max(1, -(-(width - start) // CHAIN))
    step = -(-(width - start) // count)
    return (0, *(start + step * index for index in range(1, count)), width)
