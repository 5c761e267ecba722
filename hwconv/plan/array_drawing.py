"""The array of an engine, drawn with lines."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine_plan import EnginePlan

_SHOWN = 4
_FEED = 18
"""Characters from the activation memory to the first column."""
_CELL = 7
_GAP = 2


def draw_array(plan: "EnginePlan") -> list[str]:
    """Lines that show where activations, weights and sums go; long rows and columns are shortened."""
    config = plan.config
    columns = _shown(config.columns)
    memory = _memory(plan)
    body = [_row(plan, row, columns) for row in _shown(config.pixels)]
    width = max(len(line) for line in memory) + 2
    height = max(len(memory), len(body))
    memory += [""] * (height - len(memory))
    body += [" " * _FEED] * (height - len(body))
    indent = " " * (width + 2 + _FEED)
    channels = "".join(_GAP * " " if each is None else f"{config.column_channel(each):^{_CELL}}" for each in columns)
    requantisers = _number(config.requantisers, "requantiser")
    lines = [
        f"{indent}{_number(config.columns, 'weight')} a cycle from {_number(config.clusters, 'ROM')}",
        indent + _across(columns, "│"),
        f"┌{'─' * width}┐" + " " * _FEED + _across(columns, "▼"),
        *(
            f"│ {left:<{width - 1}}{'├' if right.startswith('─') else '│'}{right}"
            for left, right in zip(memory, body, strict=True)
        ),
        f"└{'─' * width}┘",
        f"{indent}{channels}  channel",
        indent + f"sums move up, a row every {_number(config.drain, 'cycle')}, to {requantisers}",
    ]
    if plan.lut_multipliers:
        lines.append(f"{indent}[ PE ] hard multiplier: {plan.hard_multipliers}; [LUTs] none: {plan.lut_multipliers}")
    return [line.rstrip() for line in lines]


def _memory(plan: "EnginePlan") -> list[str]:
    config, item = plan.config, plan.config.passes[0]
    return [
        "activation memory",
        f"{_number(config.ring_rows, 'row')} x {_number(item.width, 'pixel')}",
        f"{_number(config.ports, 'port')}, {_number(config.word_bytes, 'byte')} wide",
    ]


def _row(plan: "EnginePlan", row: int | None, columns: list[int | None]) -> str:
    """One row of the array with what feeds it; None stands for the rows that are not shown."""
    if row is None:
        return " " * _FEED + _across(columns, "⋮")
    lane, port = divmod(row, plan.config.ports)
    label = f"─ port {port}" + (f", lane {lane}" if plan.config.lanes > 1 else "")
    hop = " " if plan.config.depthwise else "─"  # a depthwise column has a lane of the word for itself
    cells = "".join(f"…{hop}" if each is None else f"[{_kind(plan, row, each)}]{hop}" for each in columns)
    cells = cells.removesuffix(hop)
    return f"{label} ".ljust(_FEED - 2, "─") + f"▶ {cells}  pixel {row}"


def _kind(plan: "EnginePlan", row: int, column: int) -> str:
    """What multiplies at a place of the array."""
    config = plan.config
    lane = next(lane for lane in range(config.weight_lanes) if column in config.lane_columns(lane))
    return "LUTs" if config.in_luts(row, lane) else " PE "


def _across(columns: list[int | None], mark: str) -> str:
    return "".join(_GAP * " " if each is None else f"{mark:^{_CELL - 1}} " for each in columns)


def _shown(count: int) -> list[int | None]:
    """The first ones and the last one; None stands for those between."""
    if count <= _SHOWN:
        return list(range(count))
    return [*range(_SHOWN - 1), None, count - 1]


def _number(count: int, what: str) -> str:
    return f"{count} {what}" + ("s" if count != 1 else "")
