"""The plan of a statistics block: widths that no sum leaves, memory, and latency and interval in closed form."""

from dataclasses import dataclass
from typing import Any

from ..mc_statistics import VALUE_BYTES, StatisticsSpec, largest_variance
from .block_ram import block_ram_count
from .engine_plan import module_name
from .formats import signed_bits
from .frame import GUARD_LATENCY, SEND_LATENCY, FrameConfig, StreamCycles, frame_config
from .rom import RomImage

ACCUMULATE_LATENCY = 5
"""Cycles from a beat to its new sums: square and read of the memory (4), addition."""
SERIALISE_LATENCY = 1
"""Cycles from a beat's sums to those of its first value alone."""
VARIANCE_LATENCY = 5
"""Cycles from a value's sums to its variance: product (4), subtraction."""
RESTART = 4
"""Cycles from a beat to the same one of the next pass: its sums are written before they are read again."""


@dataclass(frozen=True, kw_only=True)
class StatisticsConfig:
    """The numbers a statistics block is built from."""

    name: str
    frame: FrameConfig
    passes: int
    variance: bool
    """Whether the second result is ``passes * Q - S**2`` rather than ``Q``."""

    @property
    def sum_width(self) -> int:
        """Bits of the signed sum: all passes at -128, or at 127."""
        return signed_bits(-128 * self.passes, 127 * self.passes)

    @property
    def square_width(self) -> int:
        """Bits of the sum of squares, which is not negative: all passes at -128."""
        return (128**2 * self.passes).bit_length()

    @property
    def second_width(self) -> int:
        """Bits of the second result, which is not negative."""
        return max(1, largest_variance(self.passes).bit_length()) if self.variance else self.square_width

    @property
    def word_width(self) -> int:
        """Bits of a word of the memory: both sums of a beat's values."""
        return self.frame.beat_bytes * (self.sum_width + self.square_width)

    @property
    def result_latency(self) -> int:
        """Cycles from a beat behind the guard to the result of its first value."""
        return ACCUMULATE_LATENCY + SERIALISE_LATENCY + (VARIANCE_LATENCY if self.variance else 0)

    @property
    def queue_depth(self) -> int:
        """Results that the output queue holds, a power of two.

        Those between a beat's permission and the sink, and three beats' more: a sink that never pauses is never waited
        for.
        """
        needed = self.result_latency + 4 + 3 * self.frame.beat_bytes
        return 1 << (needed - 1).bit_length()

    def pause(self, last_pass: bool, final: bool) -> int:
        """Cycles from a beat to the next at least.

        In the last pass a beat's results leave one a cycle; a frame that is shorter than :data:`RESTART` is followed by
        a pause.
        """
        frame = self.frame
        results = (frame.last_bytes if final else frame.beat_bytes) if last_pass else 1
        restart = RESTART if self.passes > 1 else 1
        return max(results, restart - frame.beats + 1) if final else results


@dataclass(frozen=True, kw_only=True)
class StatisticsPlan:
    """Everything that is decided about a statistics block. Make it with :func:`plan_statistics`."""

    spec: StatisticsSpec
    config: StatisticsConfig

    @property
    def top_name(self) -> str:
        return self.config.name

    @property
    def input_beat_bytes(self) -> int:
        return self.config.frame.beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return VALUE_BYTES

    @property
    def input_user_bits(self) -> int:
        return 1

    @property
    def passes(self) -> int:
        return self.config.passes

    @property
    def roms(self) -> list[RomImage]:
        return []

    @property
    def cycles(self) -> StreamCycles:
        return statistics_cycles(self.config)

    @property
    def multipliers(self) -> int:
        """Hard 18x18 multipliers: a square for each lane, and one for the variance."""
        return self.config.frame.beat_bytes + self.config.variance

    def summary(self) -> dict[str, Any]:
        config = self.config
        depth = max(2, config.frame.beats)
        blocks = block_ram_count(config.word_width, depth, "ecp5", "ram") if config.passes > 1 else 0
        return {
            "block": self.spec.name,
            "kind": "statistics",
            "passes": config.passes,
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "beat_bytes": config.frame.beat_bytes,
            "beats": config.frame.beats,
            "multipliers": self.multipliers,
            "sum_width": config.sum_width,
            "square_width": config.square_width,
            "second_width": config.second_width,
            "memory": {"width": config.word_width, "depth": depth if config.passes > 1 else 0},
            "ecp5_block_rams": blocks,
        }


def statistics_cycles(config: StatisticsConfig) -> StreamCycles:
    """Latency and interval of a result, the frames of its passes back to back.

    A pass takes a cycle a beat, and :data:`RESTART` at least; the last one takes a cycle a result.
    """
    frame = config.frame
    passes = (config.passes - 1) * (frame.beats - 1 + config.pause(last_pass=False, final=True))
    before_last = passes + (frame.beats - 1) * config.pause(last_pass=True, final=False)
    return StreamCycles(
        latency=before_last + GUARD_LATENCY + config.result_latency + frame.last_bytes - 1 + SEND_LATENCY,
        interval=before_last + config.pause(last_pass=True, final=True),
    )


def plan_statistics(spec: StatisticsSpec, beat_bytes: int | None = None) -> StatisticsPlan:
    """Plans a statistics block.

    Parameters
    ----------
    beat_bytes : int, optional
        Bytes of an input beat, from 1 to 128; by default 4, or the frame if it is smaller. An output beat is one
        value's two integers, 8 bytes.

    Raises
    ------
    SpecError
        A beat out of range.
    """
    frame = frame_config(spec.name, spec.elements, spec.zero_point, beat_bytes, 0)
    variance = spec.statistics == "variance"
    config = StatisticsConfig(name=module_name(spec.name), frame=frame, passes=spec.passes, variance=variance)
    return StatisticsPlan(spec=spec, config=config)
