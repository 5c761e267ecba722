"""The plan of an addition: what each operand's value adds to a sum is read from tables, and one unit rounds the sum.

Where a straight line computes the same, the tables are those of the line ``(A * a + B * b + C) >> S``: half an operand
at a time, which is a look-up table a bit. The line is compared with the definition for all 65,536 pairs of operands.
Elsewhere each operand has a table of 256 words in block RAM, with the definition's own numbers, and the unit
rounds like the definition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import ceil
from typing import Any

import numpy as np

from ..add import LEFT_SHIFT, AddSpec
from ..errors import SpecError
from ..golden.add import operand, output
from ..spec import dtype_range
from .block_ram import block_ram_count
from .engine_plan import LEAST_BEAT_BYTES, largest_divisor, module_name
from .formats import signed_bits
from .frame import MAX_BEAT_BYTES, StreamCycles
from .narrow import Channel
from .requantise import plan_channels
from .requantiser_config import RequantiserPlan, chain_segments
from .rom import RomImage
from .staircase import Int64

ROM_LATENCY = 2
QUEUE_LATENCY = 1
NIBBLE = 4
SHIFTS = range(8, 33)
"""Shifts of a line that are tried: the first is too coarse for most scales, the last finer than the definition."""
SLOPES_AROUND = range(-2, 3)
"""Slopes beside the nearest one that are tried."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A table: what some bits of an operand add to the sum.

    Members:
        operand: 0 or 1. low, bits: which of its bits are the address.
        words: what each address adds, signed; of several additions, one after the other.
    """

    operand: int
    low: int
    bits: int
    words: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class AddConfig:
    """The numbers an addition is built from.

    Members:
        name: of its modules.
        beat_bytes: of all three streams. frame_beats: of a frame.
        terms: the tables of a lane. sum_width: bits of their words and of the sum.
        requantiser: what becomes of the sum.
        additions: computed by turns, each with its own words and its own entry of the requantiser.
    """

    name: str
    beat_bytes: int
    frame_beats: int
    terms: tuple[Term, ...]
    sum_width: int
    requantiser: RequantiserPlan
    additions: int = 1

    @property
    def requantisers(self) -> int:
        """One a lane."""
        return self.beat_bytes

    @property
    def flush_cycles(self) -> int:
        """Nothing is left of what came before a reset."""
        return 0

    @property
    def sum_segments(self) -> tuple[int, ...]:
        """Where the carry chains of the sums are cut."""
        return chain_segments(0, self.sum_width)

    @property
    def sum_stages(self) -> int:
        """Of a tree of adders whose carries take a stage more for each further chain."""
        return (len(self.terms) - 1).bit_length() + len(self.sum_segments) - 2

    @property
    def pipeline_latency(self) -> int:
        """Operands to their result."""
        return ROM_LATENCY + self.sum_stages + self.requantiser.latency

    @property
    def latency(self) -> int:
        """Handshake of a pair of beats to their result at the output."""
        return self.pipeline_latency + QUEUE_LATENCY

    @property
    def queue_depth(self) -> int:
        """Places of the output queue, one of which a pair takes when it comes: a power of two."""
        return 1 << self.latency.bit_length()

    def table_name(self, index: int) -> str:
        """Module name of a table's ROM."""
        return f"{self.name}_table_{index}"


@dataclass(frozen=True, kw_only=True, eq=False)
class AddPlan:
    """Everything that is decided about an addition. Make it with :func:`plan_add`."""

    spec: AddSpec
    config: AddConfig
    line: tuple[int, int, int, int] | None
    """``A, B, C, S`` where a straight line serves."""

    @cached_property
    def cycles(self) -> StreamCycles:
        """With both operands coming together, a beat a cycle."""
        return StreamCycles(latency=self.config.frame_beats - 1 + self.config.latency, interval=self.config.frame_beats)

    @property
    def roms(self) -> list[RomImage]:
        return add_roms(self.config)

    @property
    def requantiser_multipliers(self) -> int:
        """Hard 18x18 multipliers of all requantisers together."""
        return self.config.requantisers * self.config.requantiser.multipliers

    @property
    def block_rams(self) -> int:
        return add_block_rams(self.config)

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has."""
        return {
            "layer": self.spec.name,
            "kind": "add",
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "multipliers": 0,
            "lanes": self.config.beat_bytes,
            "line": None if self.line is None else list(self.line),
            "requantisers": self.config.requantisers,
            "requantiser_multipliers": self.requantiser_multipliers,
        }


def plan_add(spec: AddSpec, *, beat_bytes: int | None = None) -> AddPlan:
    """Plans an addition.

    Parameters
    ----------
    spec:
        What is computed.
    beat_bytes:
        Bytes of a beat of all three streams; by default the largest divisor of the channels up to four.

    Raises
    ------
    SpecError
        A beat out of range.
    """
    beat = largest_divisor(spec.channels, LEAST_BEAT_BYTES) if beat_bytes is None else beat_bytes
    if not 1 <= beat <= MAX_BEAT_BYTES:
        raise SpecError(spec.name, "beat_bytes", beat, f"from 1 to {MAX_BEAT_BYTES}")
    line = straight_line(spec)
    terms = tuple(_exact_terms(spec) if line is None else _line_terms(spec, line))
    low, high = (sum(pick(term.words) for term in terms) for pick in (min, max))
    width = signed_bits(low, high)
    channel = _exact_channel(spec, low, high) if line is None else _line_channel(spec, line[3], low, high)
    config = AddConfig(
        name=module_name(spec.name),
        beat_bytes=beat,
        frame_beats=ceil(spec.height * spec.width * spec.channels / beat),
        terms=terms,
        sum_width=width,
        requantiser=plan_channels([channel], width, "block" if line is None else "logic"),
    )
    return AddPlan(spec=spec, config=config, line=line)


def plan_additions(
    name: str, specs: Sequence[AddSpec], *, beat_bytes: int, exchanged: Sequence[bool] | None = None
) -> AddConfig:
    """Plans one block that computes several additions by turns, frame by frame.

    Parameters
    ----------
    name:
        Of its modules.
    specs:
        What is computed, of one type.
    beat_bytes:
        Bytes of a beat of all three streams.
    exchanged:
        Of each addition, whether the first stream is its second operand; by default of none.
    """
    lines = [straight_line(spec) for spec in specs]
    shift = max((line[3] for line in lines if line is not None), default=0)
    terms: list[list[Term]] = []
    channels = []
    for spec, line in zip(specs, lines, strict=True):
        if None in lines or line is None:
            made = list(_exact_terms(spec))
        else:  # the same line with a longer shift, the longest of all
            a, b, constant = (each << shift - line[3] for each in line[:3])
            made = list(_line_terms(spec, (a, b, constant, shift)))
        low, high = (sum(pick(term.words) for term in made) for pick in (min, max))
        channels.append(_exact_channel(spec, low, high) if None in lines else _line_channel(spec, shift, low, high))
        terms.append(made)
    for made, turned in zip(terms, exchanged or [False] * len(specs), strict=True):
        if turned:
            half = len(made) // 2
            made[:] = [replace(term, operand=1 - term.operand) for term in (*made[half:], *made[:half])]
    together = tuple(
        replace(turns[0], words=tuple(word for term in turns for word in term.words))
        for turns in zip(*terms, strict=True)
    )
    width = max(signed_bits(channel.low, channel.high) for channel in channels)
    largest = max(spec.height * spec.width * spec.channels for spec in specs)
    return AddConfig(
        name=module_name(name),
        beat_bytes=beat_bytes,
        frame_beats=ceil(largest / beat_bytes),
        terms=together,
        sum_width=width,
        requantiser=plan_channels(channels, width, "block" if None in lines else "logic"),
        additions=len(specs),
    )


def add_roms(config: AddConfig) -> list[RomImage]:
    """The tables of a lane: those of half an operand are look-up tables."""
    mask = (1 << config.sum_width) - 1
    return [
        RomImage(
            name=config.table_name(index), width=config.sum_width, words=tuple(word & mask for word in term.words),
            style="logic" if term.bits == NIBBLE else "block",
        )
        for index, term in enumerate(config.terms)
    ]  # fmt: skip


def add_block_rams(config: AddConfig) -> int:
    """Of an ECP5: the tables of every lane, where these are no straight line's."""
    lane = sum(
        block_ram_count(config.sum_width, len(term.words), kind="rom") for term in config.terms if term.bits > NIBBLE
    )
    return config.beat_bytes * lane


@lru_cache(maxsize=256)
def straight_line(spec: AddSpec) -> tuple[int, int, int, int] | None:
    """The coarsest ``A, B, C, S`` with ``clamp((A * a + B * b + C) >> S)`` equal to the definition for all operands.

    None where there is none among the slopes and shifts that are tried.
    """
    first, last = dtype_range(spec.dtype)
    values: Int64 = np.arange(first, last + 1, dtype=np.int64)
    results = output(spec, operand(spec, 0, values)[:, None] + operand(spec, 1, values)[None, :])
    free_below, free_above = results == spec.activation_min, results == spec.activation_max
    slopes = [_slope(spec, index) for index in (0, 1)]
    for shift in SHIFTS:
        nearest = [round(slope * (1 << shift)) for slope in slopes]
        for a in (nearest[0] + step for step in SLOPES_AROUND):
            for b in (nearest[1] + step for step in SLOPES_AROUND):
                sums = a * values[:, None] + b * values[None, :]
                # C must be at least the first and below the second, wherever the clamp does not hide it.
                least = (results << shift) - sums
                limit = least + (1 << shift)
                low = int(least[~free_below].max(initial=-(1 << 62)))
                high = int(limit[~free_above].min(initial=1 << 62)) - 1
                if low <= high and abs(a) + abs(b) > 0:
                    return a, b, _roundest(max(low, -(1 << 61)), min(high, 1 << 61)), shift
    return None


def _slope(spec: AddSpec, index: int) -> float:
    """What a step of an operand is in steps of the result."""
    scale = spec.multipliers[index] * 2.0 ** (spec.shifts[index] - 31 + LEFT_SHIFT)
    return scale * spec.output_multiplier * 2.0 ** (spec.output_shift - 31)


def _roundest(low: int, high: int) -> int:
    """The number from `low` to `high` with most zeros at its end."""
    zeros = max(0, (high - low).bit_length() + 1)
    while (candidate := -(-low >> zeros) << zeros) > high:
        zeros -= 1
    return candidate


def _line_terms(spec: AddSpec, line: tuple[int, int, int, int]) -> Iterator[Term]:
    """Half an operand at a time; the constant goes with the first."""
    a, b, constant, _ = line
    sign = 0 if spec.dtype == "uint8" else 8
    for index, slope in enumerate((a, b)):
        upper = [((value ^ sign) - sign) << NIBBLE for value in range(16)]
        first = constant if index == 0 else 0
        yield Term(operand=index, low=NIBBLE, bits=NIBBLE, words=tuple(slope * each + first for each in upper))
        yield Term(operand=index, low=0, bits=NIBBLE, words=tuple(slope * each for each in range(16)))


def _exact_terms(spec: AddSpec) -> Iterator[Term]:
    for index in (0, 1):
        words = operand(spec, index, np.arange(256).astype(np.uint8).view(spec.dtype))
        yield Term(operand=index, low=0, bits=8, words=tuple(words.tolist()))


def _line_channel(spec: AddSpec, shift: int, low: int, high: int) -> Channel:
    def definition(total: Int64) -> Int64:
        result: Int64 = np.clip(total >> shift, spec.activation_min, spec.activation_max)
        return result

    return Channel(name=spec.name, definition=definition, low=low, high=high, zero=0,
                   out_min=spec.activation_min, out_max=spec.activation_max)  # fmt: skip


def _exact_channel(spec: AddSpec, low: int, high: int) -> Channel:
    return Channel(
        name=spec.name, definition=lambda total: output(spec, total), low=low, high=high, zero=0,
        out_min=spec.activation_min, out_max=spec.activation_max,
        exact=(spec.output_multiplier, spec.output_shift, spec.output_zero_point),
    )  # fmt: skip
