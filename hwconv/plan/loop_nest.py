"""The loop nest of an engine as data: what is repeated, how often, and what each turn lies on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .phases import has_phases

if TYPE_CHECKING:
    from .engine_plan import EnginePlan
    from .winograd import WinogradPlan


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One loop.

    Attributes
    ----------
    name : str
        As in :class:`~hwconv.plan.config.PassConfig`.
    count : int
        Turns; at most, where a transposed layer's phases differ.
    on : str
        ``time``: one turn after the other; ``rows`` or ``columns``: all turns at once, side by side in the array.
    meaning : str
        What one turn is.
    """

    name: str
    count: int
    on: str
    meaning: str


def loop_nest(plan: "EnginePlan") -> list[Loop]:
    """The loops of `plan`, outermost first; the last two are the array itself."""
    config, item, folding = plan.config, plan.config.passes[0], plan.folding
    if config.depthwise:
        group = f"{_count(config.word_channels, 'input channel')}, all at once"
        block = "one word for each row"
        step = "a cycle"
        column = "an output channel, fed by its own lane of the word"
    else:
        group = "a group of the convolution" if item.groups > 1 else "all channels"
        block = f"{_count(config.word_channels, 'input channel')}: one word for each row"
        step = "a cycle: one input channel moves through the array"
        loading = item.block_steps - item.active_steps
        if loading:
            step += f"; the last {loading} only load lanes"
        column = "an output channel"
    spec = plan.spec
    pads = (("y", item.top), ("x", item.left))
    folds = [phase for row in item.phases for phase in row]
    if has_phases(spec):
        pixels = [
            (
                "strips",
                item.strips,
                "time",
                f"an output row; its taps are those of one of {item.row_phases} row phases",
            ),
            ("pixel_tiles", folding.strip_tiles, "time", f"{_count(config.pixels, 'super pixel')} of the row"),
            ("column_phases", item.column_phases, "time", "one of the neighbouring outputs of each super pixel"),
        ]
        taps = [f"those k{axis} that meet the output {what}" for axis, what in (("y", "row"), ("x", "column"))]
    else:
        pixels = [
            ("pixel_tiles", folding.pixel_tiles, "time", f"{_count(config.pixels, 'output pixel')} in raster order")
        ]
        taps = [_tap(name, item.stride[axis], item.dilation[axis], pad) for axis, (name, pad) in enumerate(pads)]
    nest = [
        *pixels,
        ("groups", item.groups, "time", group),
        ("column_tiles", item.tiles, "time", f"{_count(config.columns, 'output channel')}: a fold"),
        ("kernel_rows", max(phase.rows for phase in folds), "time", taps[0]),
        ("kernel_columns", max(phase.columns for phase in folds), "time", taps[1]),
        ("channel_blocks", item.blocks, "time", block),
        ("steps", item.block_steps, "time", step),
        ("rows", config.pixels, "rows", "an output pixel"),
        ("columns", config.columns, "columns", column),
    ]
    return [Loop(name=name, count=count, on=on, meaning=meaning) for name, count, on, meaning in nest]


def winograd_loop_nest(plan: "WinogradPlan") -> list[Loop]:
    """The loops of a Winograd engine, outermost first; the last two are the array."""
    config, item = plan.config, plan.config.passes[0]
    step = "a cycle: one input channel"
    if config.turn_idle:
        step += f"; {config.turn_idle} cycles more until the sums of the turn before are out"
    nest = [
        ("bands", config.bands, "time", f"{_count(config.vertical.outputs, 'output row')}"),
        ("tiles", config.tiles_across, "time", f"{config.vertical.outputs} x {config.horizontal.outputs} outputs"),
        ("groups", item.groups, "time", "a group of the convolution"),
        ("column_tiles", item.tiles, "time", f"{_count(config.columns, 'output channel')}: a fold"),
        ("turns", config.turns, "time", f"{_count(config.slice_columns, 'column')} of the tile's positions"),
        ("steps", config.group_channels, "time", step),
        ("rows", config.rows, "rows", "a position"),
        ("columns", config.columns, "columns", "an output channel"),
    ]
    return [Loop(name=name, count=count, on=on, meaning=meaning) for name, count, on, meaning in nest]


def _tap(axis: str, stride: int, dilation: int, pad: int) -> str:
    """The input row or column that a tap reads."""
    first = f"{stride} * {axis}" if stride > 1 else axis
    second = f"{dilation} * k{axis}" if dilation > 1 else f"k{axis}"
    shift = f" {'-' if pad > 0 else '+'} {abs(pad)}" if pad else ""
    return f"input {'row' if axis == 'y' else 'column'} {first} + {second}{shift}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
