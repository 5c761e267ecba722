"""The plan of a pooling engine: a depthwise engine whose elements add or compare instead of multiplying."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import SpecError, UnsupportedError
from ..golden.pool import divide, rescaled
from ..pool import PoolSpec
from ..spec import ConvSpec, dtype_bits, dtype_range
from .array import Folding, depthwise_foldings
from .block_ram import block_ram_count
from .config import EngineConfig
from .cycles import Cycles, predict, ring_rows_needed, units_needed
from .engine_plan import LEAST_BEAT_BYTES, PERMISSION_LAG, largest_divisor, module_name, pass_config
from .formats import UINT8_OFFSET, operand_format, signed_bits
from .images import LOGIC_DEPTH
from .narrow import Channel
from .requantise import plan_channels
from .requantiser_config import RequantiserPlan
from .rom import RomImage
from .schedule import EngineSchedule, leaves_alone
from .staircase import Definition, Int64

DEFAULT_LANES = 4
LARGEST_WINDOW_16 = 1 << 13
"""Elements of a window of int16 whose mean is taken at most: the product has 60 bits then."""
LOGIC_STYLE_COUNT = 16
"""Windows of so many elements are divided by products in look-up tables, larger ones by hard multipliers."""
FRAMES = 4
"""Frames over which the interval is found where it is no formula."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoolPlan:
    """Everything that is decided about a pooling engine. Make it with :func:`plan_pool`."""

    spec: PoolSpec
    folding: Folding
    config: EngineConfig

    @property
    def top_name(self) -> str:
        return self.config.name

    @property
    def input_beat_bytes(self) -> int:
        return self.config.input_beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.config.output_beat_bytes

    @property
    def input_user_bits(self) -> int:
        return 0

    @property
    def passes(self) -> int:
        """Input frames of one output frame."""
        return 1

    @cached_property
    def cycles(self) -> Cycles:
        cycles = predict(self.config)
        if not self.one_frame:
            return cycles
        leaves = leaves_alone(EngineSchedule(self.config, FRAMES), FRAMES)
        return replace(cycles, interval=int(leaves[-1] - leaves[-2]))

    @property
    def one_frame(self) -> bool:
        """The memory has no room for rows of the next frame."""
        return self.config.ring_rows == self.spec.height + self.config.row_margin

    @property
    def roms(self) -> list[RomImage]:
        """The entries of each requantiser: equal ones for all channels, or one for each count."""
        config, unit = self.config, self.config.requantiser
        counts = self.spec.counts
        if config.largest_count:
            by_count = dict(zip(counts, unit.entries, strict=True))
            words = tuple(by_count.get(count, 0) for count in range(config.table_depth))
        else:
            words = (unit.entries[0],) * config.table_depth
        style = "logic" if len(words) <= LOGIC_DEPTH else "block"
        return [
            RomImage(name=f"{config.name}_table_{index}", width=unit.entry_width, words=words, style=style)
            for index in range(config.requantisers)
        ]

    @property
    def lanes(self) -> int:
        """Elements of the array."""
        return self.config.pixels * self.config.columns

    @property
    def requantiser_multipliers(self) -> int:
        """Hard 18x18 multipliers of all requantisers together."""
        return self.config.requantisers * self.config.requantiser.multipliers

    @property
    def block_rams(self) -> int:
        """Of an ECP5: rows of the input, one copy a read port, and results."""
        config = self.config
        rows = block_ram_count(8 * config.word_bytes, max(2, config.activation_depth))
        return config.ports * rows + block_ram_count(8 * config.result_bytes, max(2, config.units * config.unit_words))

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has."""
        return {
            "layer": self.spec.name,
            "kind": f"{self.spec.kind}_pool",
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "multipliers": 0,
            "lanes": self.lanes,
            "requantisers": self.config.requantisers,
            "requantiser_multipliers": self.requantiser_multipliers,
            "counts": list(self.spec.counts),
        }


def plan_pool(
    spec: PoolSpec, *, lanes: int = DEFAULT_LANES, input_beat_bytes: int | None = None,
    output_beat_bytes: int | None = None, one_frame: bool = False,
) -> PoolPlan:  # fmt: skip
    """Plans the engine of a pooling layer.

    Parameters
    ----------
    lanes : int
        Elements of the array at most: values that are taken in a cycle.
    input_beat_bytes, output_beat_bytes : int, optional
        Bytes of a stream beat.
    one_frame : bool
        Of windows as tall as the frame: its memory holds one frame instead of two, and the next one waits until all
        of it has been read.

    Raises
    ------
    SpecError
        A number out of range; one frame, where windows are less tall; an output beat that no folding's words divide.
    UnsupportedError
        An average of int16 over more than :data:`LARGEST_WINDOW_16` elements.
    """
    for field, value in (("input_beat_bytes", input_beat_bytes), ("output_beat_bytes", output_beat_bytes)):
        if value is not None and not 1 <= value <= 128:
            raise SpecError(spec.name, field, value, "from 1 to 128")
    if not 1 <= lanes <= 4096:
        raise SpecError(spec.name, "lanes", lanes, "from 1 to 4096")
    windows = window_spec(spec)
    folding = min(depthwise_foldings(windows, lanes, output_beat_bytes), key=lambda item: item.cost)
    item = pass_config(windows, folding)
    counted = spec.kind == "average" and len(spec.counts) > 1
    requantiser = _requantiser(spec)
    value_bytes = dtype_bits(spec.dtype) // 8
    word = folding.requantisers * value_bytes
    own = word * largest_divisor(item.out_pixel_words, max(1, LEAST_BEAT_BYTES // word))
    config = EngineConfig(
        name=module_name(spec.name),
        depthwise=True,
        pixels=folding.pixels,
        columns=folding.columns,
        ports=folding.ports,
        word_channels=folding.word_channels,
        cluster=folding.columns,
        requantisers=folding.requantisers,
        accumulator_width=requantiser.accumulator_width,
        input_beat_bytes=input_beat_bytes
        or value_bytes * largest_divisor(spec.channels, LEAST_BEAT_BYTES // value_bytes),
        output_beat_bytes=output_beat_bytes or own,
        ring_rows=2 * item.height,
        row_margin=-(-PERMISSION_LAG // item.row_words),
        units=3,
        requantiser=requantiser,
        passes=(item,),
        operands=operand_format(windows),
        operation="maximum" if spec.kind == "max" else "add",
        largest_count=max(spec.counts) if counted else 0,
    )
    config = replace(config, units=units_needed(config))
    config = replace(config, ring_rows=ring_rows_needed(config))
    if one_frame:
        if spec.kernel[0] != spec.height:
            raise SpecError(spec.name, "one_frame", one_frame, "false, unless windows are as tall as the frame")
        config = replace(config, ring_rows=min(config.ring_rows, spec.height + config.row_margin))
    return PoolPlan(spec=spec, folding=folding, config=config)


def window_spec(spec: PoolSpec) -> ConvSpec:
    """The depthwise convolution that walks the same windows; outside the frame it reads what changes no result."""
    return ConvSpec(
        name=spec.name,
        height=spec.height,
        width=spec.width,
        in_channels=spec.channels,
        out_channels=spec.channels,
        groups=spec.channels,
        kernel=spec.kernel,
        stride=spec.stride,
        padding=spec.padding,
        input_zero_point=dtype_range(spec.dtype)[0] if spec.kind == "max" else operand_offset(spec),
        input_dtype=spec.dtype,
        output_dtype=spec.dtype,
    )


def operand_offset(spec: PoolSpec) -> int:
    """What an element of the array has less than the value that it stands for: 128 of uint8, else nothing."""
    return UINT8_OFFSET if spec.dtype == "uint8" else 0


def _requantiser(spec: PoolSpec) -> RequantiserPlan:
    """A unit that clamps, scales, or divides by each count that windows have; proven like that of a convolution."""
    offset, bits = operand_offset(spec), dtype_bits(spec.dtype)
    least, most = (end - offset for end in dtype_range(spec.dtype))

    def clamped(values: Int64) -> Int64:
        return np.clip(values, spec.activation_min, spec.activation_max)

    def mean_of(count: int) -> Definition:
        if spec.kind == "mean":
            return lambda total: clamped(rescaled(spec, total + offset * count))
        return lambda total: clamped(divide(total + offset * count, count))

    def channel(name: str, definition: Definition, count: int, single: tuple[int, int, int]) -> Channel:
        mean = spec.kind == "mean"
        return Channel(
            name=name, definition=definition, low=least * count, high=most * count,
            zero=count * ((spec.input_zero_point if mean else 0) - offset),
            out_min=spec.activation_min, out_max=spec.activation_max,
            exact=(spec.multiplier, spec.shift, spec.output_zero_point) if mean else None,
            single=single if bits == 16 and not mean else None,
        )  # fmt: skip

    if spec.kind == "max":
        whole = channel(spec.name, lambda values: clamped(values + offset), 1, (2, 1, 0))
        return plan_channels([whole], bits, "logic", bits)
    largest = max(spec.counts)
    if bits == 16 and largest > LARGEST_WINDOW_16:
        supported = f"at most {LARGEST_WINDOW_16} with averages of int16"
        raise UnsupportedError(spec.name, "elements of a window", largest, supported)
    channels = [
        channel(f"{spec.name}, windows of {count}", mean_of(count), count, _quotient(count)) for count in spec.counts
    ]
    width = max(bits + 1, signed_bits(least * largest, most * largest))
    return plan_channels(channels, width, "logic" if largest <= LOGIC_STYLE_COUNT else "block", bits)


def _quotient(count: int) -> tuple[int, int, int]:
    """``total / count`` of int16 values, half away from zero, as one product and one rounding, ties upwards.

    ``total * (2**s / count + e) / 2**s`` with ``0 < e <= 1`` lies a little beyond the quotient. What is rounded are
    multiples of ``1 / (2 * count)``, and the excess is less than that for all ``2**15 * count`` that a total reaches if
    ``2**s > 2**16 * count**2``: so it moves nothing but ties of negative totals, which then go away from zero as well.
    """
    shift = 16 + (count * count).bit_length()
    return (1 << shift) // count + 1, shift, 0
