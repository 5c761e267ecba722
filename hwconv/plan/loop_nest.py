"""The loop nest of an engine as data: what is repeated, how often, and what each turn lies on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine_plan import EnginePlan


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One loop.

    Attributes
    ----------
    name : str
        As in :class:`~hwconv.plan.config.PassConfig`.
    count : int
        Turns.
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
    stride, dilation = item.stride, item.dilation
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
    nest = [
        ("pixel_tiles", folding.pixel_tiles, "time", f"{_count(config.pixels, 'output pixel')} in raster order"),
        ("groups", item.groups, "time", group),
        ("column_tiles", item.tiles, "time", f"{_count(config.columns, 'output channel')}: a fold"),
        ("kernel_rows", item.kernel[0], "time", _tap("y", stride[0], dilation[0], item.top)),
        ("kernel_columns", item.kernel[1], "time", _tap("x", stride[1], dilation[1], item.left)),
        ("channel_blocks", item.blocks, "time", block),
        ("steps", item.block_steps, "time", step),
        ("rows", config.pixels, "rows", "an output pixel"),
        ("columns", config.columns, "columns", column),
    ]
    return [Loop(name=name, count=count, on=on, meaning=meaning) for name, count, on, meaning in nest]


def _tap(axis: str, stride: int, dilation: int, pad: int) -> str:
    """The input row or column that a tap reads."""
    first = f"{stride} * {axis}" if stride > 1 else axis
    second = f"{dilation} * k{axis}" if dilation > 1 else f"k{axis}"
    return f"input {'row' if axis == 'y' else 'column'} {first} + {second}" + (f" - {pad}" if pad else "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
