"""Where each cycle of each multiplier goes: an account that comes out exactly, for people who want to know why."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .config import MINIMUM_TILE_CYCLES

if TYPE_CHECKING:
    from .engine_plan import EnginePlan


@dataclass(frozen=True, kw_only=True)
class Loss:
    """One reason for which multipliers do nothing useful.

    Attributes
    ----------
    name : str
        For programs.
    title : str
        For people.
    amount : int
        Multiplier-cycles of one interval: multipliers times the cycles they lose. A multiplier that makes two products
        counts twice.
    reason : str
        What makes the plan lose them; empty where nothing is lost.
    """

    name: str
    title: str
    amount: int
    reason: str


def account(plan: "EnginePlan") -> tuple[Loss, ...]:
    """Splits what one frame's interval has to offer into what is used and what is lost.

    ``interval * multipliers asked for * products of each == macs + sum of all amounts``, without rounding. A
    multiplier-cycle is booked once: multipliers that were not built first, then cycles in which the whole array waits,
    then rows and columns that idle while the others work.
    """
    config, folding = plan.config, plan.folding
    item = config.passes[0]
    multipliers, asked, cycles = plan.products, plan.products_asked, plan.cycles
    repeats = item.groups * item.tiles
    strips = [(len(range(row, item.strips, item.row_phases)), phases) for row, phases in enumerate(item.phases)]
    walked = [(count, index, phase) for count, phases in strips for index, phase in enumerate(phases)]
    tiles = item.strip_tiles(config.pixels)
    spare_rows = tiles * config.pixels - item.strip_pixels
    # The last pixel of a strip may lack the last column phases: its row then idles, too.
    spare = [spare_rows + (index >= item.last_phases) for _, index, _ in walked]
    spare_columns = item.groups * (item.tiles * config.columns - folding.group_outputs)
    idle = sum(count * phase.idle_steps for count, _, phase in walked) * tiles * repeats
    folds = sum(count for count, _, _ in walked) * tiles * repeats
    empty, loading = (
        sum(
            count * (phase.tap_blocks * item.block_steps - item.depth(phase))
            for count, _, phase in walked
            if phase.live == live
        )
        * (tiles * repeats)
        for live in (False, True)
    )
    row_idle = sum(count * rows * item.depth(phase) for (count, _, phase), rows in zip(walked, spare, strict=True)) * (
        repeats * config.columns
    )
    column_idle = (
        sum(
            count * (tiles * config.pixels - rows) * item.depth(phase)
            for (count, _, phase), rows in zip(walked, spare, strict=True)
        )
        * spare_columns
    )
    found = (
        Loss(
            name="not_instantiated",
            title="multipliers asked for and not built",
            amount=cycles.interval * (asked - multipliers),
            reason=f"{config.pixels} rows x {config.columns} columns = {multipliers} of {asked}: the best folding",
        ),
        Loss(
            name="waiting_for_input",
            title="waiting for input",
            amount=(cycles.interval - cycles.compute) * multipliers,
            reason=f"a frame takes {cycles.input} cycles to arrive, {cycles.compute} to compute",
        ),
        Loss(
            name="idle_steps",
            title="idle steps after a fold",
            amount=idle * multipliers,
            reason=f"{_mean(idle, folds)} of {_mean(cycles.compute, folds)} cycles of each fold: {_why_idle(plan)}",
        ),
        Loss(
            name="no_taps",
            title="output phases without taps",
            amount=empty * multipliers,
            reason=f"{sum(not phase.live for _, _, phase in walked)} of {len(walked)} phases are the bias alone",
        ),
        Loss(
            name="lane_loading",
            title="lanes still loading",
            amount=loading * multipliers,
            reason=f"a port serves {config.lanes} lanes, a word has {item.active_steps} channels to multiply meanwhile",
        ),
        Loss(
            name="idle_rows",
            title="rows idle in the last pixel tile",
            amount=row_idle,
            reason=f"{item.strip_pixels} pixels on {config.pixels} rows: {config.pixels - spare_rows} in the last tile"
            + (" of each output row" if item.strips > 1 else ""),
        ),
        Loss(
            name="idle_columns",
            title="columns idle in the last column tile",
            amount=column_idle,
            reason=f"{folding.group_outputs} channels on {config.columns} columns: "
            f"{folding.group_outputs - (item.tiles - 1) * config.columns} in the last tile",
        ),
    )
    return tuple(loss if loss.amount else Loss(name=loss.name, title=loss.title, amount=0, reason="") for loss in found)


def _mean(total: int, count: int) -> str:
    """A mean, with a decimal only where it has one."""
    return f"{total / count:,.1f}".removesuffix(".0")


def _why_idle(plan: "EnginePlan") -> str:
    """What a fold waits for after its last step."""
    config, item = plan.config, plan.config.passes[0]
    drain = config.pixels * config.drain
    if drain in {item.fold_cycles(phase) for phases in item.phases for phase in phases}:
        return f"{config.pixels} pixels x {config.drain} columns of a requantiser take {drain} cycles to drain"
    return f"a pixel tile takes {MINIMUM_TILE_CYCLES} cycles at least"
