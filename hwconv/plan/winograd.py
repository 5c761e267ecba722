"""The plan of a Winograd engine: which tile, how the array is laid on its positions, and what keeps up with it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod
from typing import Any

from ..errors import SpecError, UnsupportedError, one_of
from ..layer import Layer
from ..spec import WEIGHT_DTYPES, ConvSpec
from .array import MOST_WORD_BYTES, REQUANTISER_COST, divisors
from .config import FoldPhase, PassConfig
from .cycles import Cycles
from .engine_plan import (
    DEFAULT_MULTIPLIERS,
    LEAST_BEAT_BYTES,
    PERMISSION_LAG,
    RATE_MARGIN,
    EnginePlan,
    check_request,
    largest_divisor,
    module_name,
)
from .formats import operand_format, signed_bits
from .requantise import plan_requantisers
from .rom import RomImage
from .winograd_config import LEAST_TILE_CYCLES, WinogradConfig
from .winograd_cycles import band_units_needed, predict_winograd, ring_slots_needed
from .winograd_images import slot_weights, weight_widths, winograd_rom_images
from .winograd_summary import summarise_winograd
from .winograd_transforms import F2, F4, AxisTransform, plain_axis

ALGORITHMS = {"winograd2": F2, "winograd4": F4}
"""Ways to compute by name: the transform of each axis with three taps."""
PLAIN_OUTPUTS = (1, 2, 3, 4, 6, 8)
"""Outputs of a tile along an axis without taps."""
WORD_BYTES = 4
"""Channels of an activation word, at most, where the stream is no faster."""


@dataclass(frozen=True, kw_only=True)
class TileFolding:
    """One way to lay a layer on an array of positions; the numbers are those of a :class:`WinogradConfig`."""

    vertical: AxisTransform
    horizontal: AxisTransform
    slice_columns: int
    columns: int
    fetch_columns: int
    drain_columns: int
    requantisers: int
    channel_lanes: int
    tiles: int
    """Column tiles of a group."""
    turn_idle: int
    tile_cycles: int
    frame_tiles: int
    """Tiles of a frame."""

    @property
    def multipliers(self) -> int:
        return self.vertical.inputs * self.slice_columns * self.columns

    @property
    def compute_cycles(self) -> int:
        """Cycles of the array for a frame."""
        return self.frame_tiles * self.tile_cycles

    @property
    def cost(self) -> tuple[float, int, int, int]:
        """What the search minimises: the interval, weighed with requantisers; then multipliers, adders and turns."""
        weight = 1 + REQUANTISER_COST * (self.requantisers - 1)
        adders = self.fetch_columns + self.drain_columns
        return self.compute_cycles * weight, self.multipliers, adders, self.horizontal.inputs // self.slice_columns


@dataclass(frozen=True, kw_only=True, eq=False)
class WinogradPlan(EnginePlan):
    """An engine that multiplies transformed tiles. Make it with :func:`make_winograd_plan`."""

    config: WinogradConfig
    folding: TileFolding  # type: ignore[assignment]  # what an EnginePlan's folding says of the array is not asked of it
    algorithm: str

    @cached_property
    def cycles(self) -> Cycles:
        return predict_winograd(self.config)

    @cached_property
    def roms(self) -> list[RomImage]:
        return winograd_rom_images(self.config, self.layer)

    @property
    def multipliers(self) -> int:
        return self.config.rows * self.config.columns

    @property
    def products(self) -> int:
        return self.multipliers

    @property
    def products_asked(self) -> int:
        return self.asked

    @property
    def peak_macs(self) -> float:
        axes = (self.config.vertical, self.config.horizontal)
        return self.multipliers * prod(axis.outputs * (axis.inputs - axis.outputs + 1) / axis.inputs for axis in axes)

    @property
    def macs_per_multiplier(self) -> float:
        """Effective MACs per multiplier and cycle, those of the requantisers counted (the transforms have none)."""
        return self.spec.macs / (self.cycles.interval * (self.multipliers + self.requantiser_multipliers))

    def summary(self) -> dict[str, Any]:
        return summarise_winograd(self)


def make_winograd_plan(
    layer: Layer,
    *,
    algorithm: str = "winograd4",
    multipliers: int | None = None,
    input_beat_bytes: int | None = None,
    output_beat_bytes: int | None = None,
    folding: TileFolding | None = None,
) -> WinogradPlan:
    """Plans a Winograd engine; the parameters are those of :func:`~hwconv.plan.engine_plan.make_plan`.

    Parameters
    ----------
    algorithm : str
        ``winograd2`` or ``winograd4``: tiles of two or four outputs along each axis with three taps.
    folding : TileFolding, optional
        One chosen by hand (see :func:`tile_foldings`).

    Raises
    ------
    UnsupportedError
        A layer for which there is no such engine: names the field.
    SpecError
        A number out of range.
    """
    spec = layer.spec
    asked = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    check_request(spec, asked, input_beat_bytes, output_beat_bytes)
    check_winograd(spec)
    if folding is None:
        folding = min(
            tile_foldings(spec, algorithm, asked, output_beat_bytes), key=lambda item: item.cost, default=None
        )
    if folding is None:
        least = ALGORITHMS[algorithm].inputs if spec.kernel[0] == 3 else 1
        expected = f"at least {least}, the rows of a tile, and an output beat of whole results"
        raise UnsupportedError(spec.name, "multipliers", asked, expected)
    low, high = layer.raw_accumulator_range()
    width = max(operand_format(spec).least_accumulator, signed_bits(int(low.min()), int(high.max())))
    requantiser = plan_requantisers(layer, width)
    word = _word_bytes(spec, folding)
    item = _pass(spec, folding, word)
    result_bytes = folding.channel_lanes * requantiser.output_width // 8
    if output_beat_bytes is not None and output_beat_bytes % result_bytes:
        raise SpecError(
            spec.name,
            "output_beat_bytes",
            output_beat_bytes,
            f"a multiple of {result_bytes}, the bytes of a result word",
        )
    words_out = spec.out_channels // folding.channel_lanes
    config = WinogradConfig(
        name=module_name(spec.name),
        depthwise=False,
        pixels=folding.vertical.outputs * folding.horizontal.outputs,
        columns=folding.columns,
        ports=1,
        word_channels=word,
        cluster=folding.columns,
        requantisers=folding.requantisers,
        accumulator_width=width,
        input_beat_bytes=input_beat_bytes or _input_beat(spec, folding, word),
        output_beat_bytes=output_beat_bytes
        or result_bytes * largest_divisor(words_out, max(1, LEAST_BEAT_BYTES // result_bytes)),
        ring_rows=0,
        row_margin=-(-PERMISSION_LAG // item.row_words),
        units=2,
        requantiser=requantiser,
        passes=(item,),
        vertical=folding.vertical,
        horizontal=folding.horizontal,
        slice_columns=folding.slice_columns,
        fetch_columns=folding.fetch_columns,
        row_units=_row_units(folding),
        drain_columns=folding.drain_columns,
        channel_lanes=folding.channel_lanes,
        slots=2,
        turn_idle=folding.turn_idle,
        tile_idle=0,
        weight_widths=(),
    )
    config = replace(config, tile_idle=folding.tile_cycles - config.tile_cycles)
    config = replace(config, weight_widths=weight_widths(slot_weights(config, layer)))
    slots = ring_slots_needed(config)
    config = replace(config, slots=slots, ring_rows=slots * folding.vertical.inputs, units=band_units_needed(config))
    return WinogradPlan(layers=(layer,), folding=folding, config=config, asked=asked, algorithm=algorithm)


def check_winograd(spec: ConvSpec) -> None:
    """Refuses a layer that has no Winograd engine, by the name of the field.

    Raises
    ------
    UnsupportedError
    """
    if spec.kernel not in ((3, 3), (1, 3), (3, 1)):
        raise UnsupportedError(spec.name, "kernel", spec.kernel, "3x3, 1x3 or 3x1 with Winograd")
    for field in ("stride", "dilation"):
        if getattr(spec, field) != (1, 1):
            raise UnsupportedError(spec.name, field, getattr(spec, field), "1x1 with Winograd")
    if spec.depthwise:
        raise UnsupportedError(spec.name, "groups", spec.groups, "fewer than channels: not depthwise with Winograd")
    for field in ("transposed", "streaming", "weight_zero_point"):
        if getattr(spec, field):
            raise UnsupportedError(spec.name, field, getattr(spec, field), "not with Winograd")
    for field, supported in (
        ("input_dtype", ("int8", "int4")),
        ("weight_dtype", tuple(name for name in WEIGHT_DTYPES if name != "uint8")),
        ("output_dtype", ("int8", "int32")),
        ("requantisation", ("tflite", "shift", "none")),
    ):
        if getattr(spec, field) not in supported:
            raise UnsupportedError(spec.name, field, getattr(spec, field), f"{one_of(supported)} with Winograd")


def tile_foldings(
    spec: ConvSpec, algorithm: str, multipliers: int, result_limit: int | None = None
) -> Iterator[TileFolding]:
    """Every sensible folding of a layer on at most `multipliers` multipliers.

    Parameters
    ----------
    result_limit : int, optional
        Bytes of an output beat, where the user fixed it: result words must divide it.

    Raises
    ------
    SpecError
        An unknown algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise SpecError(spec.name, "algorithm", algorithm, f"one of {', '.join(ALGORITHMS)}")
    for vertical in _axes(algorithm, spec.kernel[0], spec.out_height):
        for horizontal in _axes(algorithm, spec.kernel[1], spec.out_width):
            for slice_columns in divisors(horizontal.inputs):
                most = multipliers // (vertical.inputs * slice_columns)
                for columns in range(1, min(most, spec.group_out_channels) + 1):
                    tiles = ceil(spec.group_out_channels / columns)
                    if tiles > 1 and ceil(spec.group_out_channels / tiles) < columns:
                        continue  # fewer columns take as few tiles
                    found = _complete(spec, vertical, horizontal, slice_columns, columns, result_limit)
                    if found is not None:
                        yield found


def _axes(algorithm: str, taps: int, outputs: int) -> list[AxisTransform]:
    if taps == 3:
        return [ALGORITHMS[algorithm]]
    return [plain_axis(count) for count in PLAIN_OUTPUTS if count <= outputs]


def _complete(
    spec: ConvSpec,
    vertical: AxisTransform,
    horizontal: AxisTransform,
    slice_columns: int,
    columns: int,
    result_limit: int | None,
) -> TileFolding | None:
    """Chooses the least of everything around the array that keeps up, and the idle cycles where nothing does."""
    value_bytes = 4 if spec.requantisation == "none" else 1
    lanes = [
        count
        for count in divisors(spec.out_channels)
        if count <= MOST_WORD_BYTES and (result_limit is None or result_limit % (count * value_bytes) == 0)
    ]
    if not lanes:
        return None
    turns, channels = horizontal.inputs // slice_columns, spec.group_in_channels
    tiles = ceil(spec.group_out_channels / columns)
    folds = spec.groups * tiles
    best: TileFolding | None = None
    for requantisers in divisors(horizontal.outputs):
        rows = vertical.outputs * horizontal.outputs // requantisers
        for drain in divisors(slice_columns):
            each = max(rows, horizontal.inputs // drain)
            # Of several turns only the columns leave at once, and the channels' rows have the whole fold.
            needed = (
                columns * each if turns == 1 else max(columns * slice_columns // drain, ceil(columns * each / turns))
            )
            turn = max(channels, needed)
            for fetch in (1, 2):
                if horizontal.inputs % fetch or horizontal.outputs % fetch:
                    continue
                reads = spec.in_channels * horizontal.inputs // fetch
                lane = next((count for count in lanes if count >= requantisers), lanes[-1])
                band = vertical.outputs * spec.out_width * spec.out_channels // lane
                across = ceil(spec.out_width / horizontal.outputs)
                folding = TileFolding(
                    vertical=vertical,
                    horizontal=horizontal,
                    slice_columns=slice_columns,
                    columns=columns,
                    fetch_columns=fetch,
                    drain_columns=drain,
                    requantisers=requantisers,
                    channel_lanes=lane,
                    tiles=tiles,
                    turn_idle=turn - channels,
                    tile_cycles=max(folds * turns * turn, reads, ceil(band / across), LEAST_TILE_CYCLES),
                    frame_tiles=ceil(spec.out_height / vertical.outputs) * across,
                )
                if best is None or folding.cost < best.cost:
                    best = folding
    return best


def _pass(spec: ConvSpec, folding: TileFolding, word: int) -> PassConfig:
    """The descriptor of the layer. Steps are those of a turn."""
    return PassConfig(
        height=spec.height,
        width=spec.width,
        pixel_words=spec.in_channels // word,
        out_height=spec.out_height,
        out_width=spec.out_width,
        strips=1,
        strip_pixels=spec.out_height * spec.out_width,
        stride=spec.stride,
        dilation=spec.dilation,
        top=spec.padding.top,
        left=spec.padding.left,
        reach=(spec.kernel[0] - 1, spec.kernel[1] - 1),
        row_starts=(0,),
        row_advances=(1,),
        column_starts=(0,),
        phases=((FoldPhase(rows=spec.kernel[0], columns=spec.kernel[1], blocks=1, live=True, idle_steps=0),),),
        last_phases=1,
        input_zero_point=spec.input_zero_point,
        groups=spec.groups,
        group_words=spec.in_channels // word,
        tiles=folding.tiles,
        group_out_words=spec.group_out_channels,
        active_steps=spec.group_in_channels,
        block_steps=spec.group_in_channels + folding.turn_idle,
    )


def _row_units(folding: TileFolding) -> int:
    """As few as transform a channel's rows while the next channel is read."""
    groups = folding.horizontal.inputs // folding.fetch_columns
    return next(count for count in divisors(folding.vertical.inputs) if folding.vertical.inputs // count <= groups)


def _word_bytes(spec: ConvSpec, folding: TileFolding) -> int:
    """The narrowest word that arrives in time, but some bytes where the channels allow."""
    choices = divisors(spec.in_channels)
    allowed = RATE_MARGIN * folding.compute_cycles
    usable = [item for item in choices if item <= MOST_WORD_BYTES]
    fast_enough = next((item for item in usable if spec.input_bytes / item <= allowed), usable[-1])
    return max(fast_enough, largest_divisor(spec.in_channels, WORD_BYTES))


def _input_beat(spec: ConvSpec, folding: TileFolding, word: int) -> int:
    allowed = RATE_MARGIN * folding.compute_cycles
    choices = divisors(word)
    fast_enough = next((item for item in choices if spec.input_bytes / item <= allowed), choices[-1])
    return max(fast_enough, largest_divisor(word, LEAST_BEAT_BYTES))
