"""The plan of a block that enlarges frames: two rows of the input in a memory, and the order in which it is read."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..errors import SpecError
from ..upscale import UpscaleSpec
from .area import Area
from .block_ram import block_ram_count
from .engine_plan import LEAST_BEAT_BYTES, largest_divisor, module_name
from .frame import MAX_BEAT_BYTES, StreamCycles
from .rom import RomImage

RAM_LATENCY = 2
QUEUE_LATENCY = 1
ROWS = 2
"""Rows of the input in the memory: one is read, again and again, while the next one comes."""
FEWEST_SLOTS = 4
"""Pixels of the memory at least, so that narrow frames do not wait for news of what is there and what is free."""
APPEAR = 2
"""Handshake of a pixel's last word to the read of its first one."""
RELEASE = 2
"""Read of a pixel's last word to the handshake of what takes its place."""
_CONTROL = Area(luts=130, ffs=70)
_BYTE = Area(luts=12, ffs=0)
"""Of each byte of a beat: its part of the output's queue. Five blocks as yosys maps them are within a quarter of it."""


@dataclass(frozen=True, kw_only=True)
class UpscaleConfig:
    """The numbers that a block is built from. Words of its memory are beats.

    An input row is read in `phases` lines; in each, pixel after pixel, `repeats` times `run` words.

    Members:
        name: of its modules. beat_bytes: of both streams.
        rows, width: of the input frame. pixel_beats: words of a pixel of the input.
        phase_stride, repeat_stride, run_stride: words from the first one of a pixel to that of the next phase, of the
            next repetition, and from word to word.
    """

    name: str
    beat_bytes: int
    rows: int
    width: int
    pixel_beats: int
    phases: int
    repeats: int
    run: int
    phase_stride: int
    repeat_stride: int
    run_stride: int

    requantisers = 0
    flush_cycles = 0
    """Nothing is left of what came before a reset."""
    latency = RAM_LATENCY + QUEUE_LATENCY
    """Cycles from the read of a word to the output."""
    queue_depth = 4
    """Places of the output queue, one of which a read takes when it begins: a power of two, above the latency."""

    @property
    def slots(self) -> int:
        """Pixels that the memory holds."""
        return max(ROWS * self.width, FEWEST_SLOTS)

    @property
    def depth(self) -> int:
        """Words of the memory."""
        return self.slots * self.pixel_beats

    @property
    def pixel_reads(self) -> int:
        """Words of a pixel in one phase, repetitions included."""
        return self.repeats * self.run

    @property
    def input_beats(self) -> int:
        """Of a frame."""
        return self.rows * self.width * self.pixel_beats

    @property
    def output_beats(self) -> int:
        """Of a frame."""
        return self.rows * self.phases * self.width * self.pixel_reads

    @property
    def steps(self) -> tuple[int, int, int, int, int]:
        """What is added to the address, modulo the depth: to the next word, at the end of a run, of a pixel, of a line
        and of a row.
        """
        to_run = (self.run - 1) * self.run_stride
        to_pixel = to_run + (self.repeats - 1) * self.repeat_stride
        to_line = to_pixel + (self.width - 1) * self.pixel_beats
        to_row = to_line + (self.phases - 1) * self.phase_stride
        jumps = (
            self.run_stride,
            self.repeat_stride - to_run,
            self.pixel_beats - to_pixel,
            self.phase_stride - to_line,
            self.width * self.pixel_beats - to_row,
        )
        first, second, third, fourth, fifth = (jump % self.depth for jump in jumps)
        return first, second, third, fourth, fifth


@dataclass(frozen=True, kw_only=True, eq=False)
class UpscalePlan:
    """Everything that is decided about a block. Make it with :func:`plan_upscale`."""

    spec: UpscaleSpec
    config: UpscaleConfig

    requantiser_multipliers = 0

    @cached_property
    def cycles(self) -> StreamCycles:
        """With beats that come and go one a cycle.

        Of the first row nothing can be read before a pixel is there: where a phase reads but a part of each pixel, it
        ends with the row that comes in. From then on the next row is always there in time, since the memory holds a row
        and as many pixels of the next one as come until the first are free again.
        """
        config = self.config
        row = config.width * config.pixel_beats
        lines = config.output_beats - config.width * config.pixel_reads
        # A phase reads pixels as fast as they come at most, or waits for the last one of its row.
        first = max(config.pixel_beats + config.width * config.pixel_reads, row + config.pixel_reads)
        interval = max(config.input_beats, config.output_beats)
        latency = first + APPEAR - 1 + lines - 1 + config.latency
        return StreamCycles(latency=latency, interval=interval)

    @property
    def roms(self) -> list[RomImage]:
        """None."""
        return []

    @property
    def block_rams(self) -> int:
        """Of an ECP5."""
        return block_ram_count(8 * self.config.beat_bytes, self.config.depth)

    @property
    def area(self) -> Area:
        """Look-up tables and flip-flops, roughly."""
        return _CONTROL + _BYTE * self.config.beat_bytes

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has."""
        config, area = self.config, self.area
        return {
            "layer": self.spec.name,
            "kind": self.spec.kind,
            "factor": list(self.spec.factor),
            "order": self.spec.order,
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "multipliers": 0,
            "lanes": config.beat_bytes,
            "memory_words": config.depth,
            "block_rams": self.block_rams,
            "luts": area.luts,
            "ffs": area.ffs,
            "requantisers": 0,
            "requantiser_multipliers": 0,
        }


def plan_upscale(spec: UpscaleSpec, *, beat_bytes: int | None = None) -> UpscalePlan:
    """Plans a block that enlarges frames.

    Parameters
    ----------
    spec:
        What is made of what.
    beat_bytes:
        Bytes of a beat of both streams, those of a divisor of `spec.run` values; by default as many as fit in four.

    Raises
    ------
    SpecError
        A beat out of range, or of bytes that do not stay side by side.
    """
    value = spec.value_bytes
    beat = value * largest_divisor(spec.run, LEAST_BEAT_BYTES // value) if beat_bytes is None else beat_bytes
    if not 1 <= beat <= MAX_BEAT_BYTES or beat % value or spec.run * value % beat:
        whole = "a divisor" if value == 1 else f"a multiple of {value} and a divisor"
        raise SpecError(spec.name, "beat_bytes", beat, f"{whole} of {spec.run * value}, at most {MAX_BEAT_BYTES}")
    down, across = spec.factor
    words = spec.channels * value // beat
    if spec.kind == "nearest":
        walk = {"repeats": across, "run": words, "phase_stride": 0, "repeat_stride": 0, "run_stride": 1}
    elif spec.order == "CRD" and spec.output_shape[2] > 1:
        walk = {"repeats": across, "run": spec.output_shape[2], "phase_stride": across, "repeat_stride": 1,
                "run_stride": spec.pieces}  # fmt: skip
    else:
        walk = {"repeats": 1, "run": words // down, "phase_stride": words // down, "repeat_stride": 0, "run_stride": 1}
    config = UpscaleConfig(
        name=module_name(spec.name), beat_bytes=beat, rows=spec.height, width=spec.width, pixel_beats=words,
        phases=down, **walk,
    )  # fmt: skip
    return UpscalePlan(spec=spec, config=config)
