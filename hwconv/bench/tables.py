"""The measurements as tables for a terminal."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from hwconv.bench import routing, run
from hwconv.bench.page import losses_text, mark, multipliers_text, path_text, products_of_each


def utilisation_table(rows: list[dict[str, Any]]) -> Table:
    """Rows that were measured, or planned (with their `state`)."""
    table = _table(
        "layer", "asked", "array", "requant.", "latency", "interval", "of array", "of asked", "exact", "rest goes to"
    )
    for row in rows:
        measured = "passed" in row
        if measured and row["utilisation"] is not None:
            built, asked = (mark(each) for each in run.verdicts(row))
            shares = [f"{row['utilisation']:.1%}{built}", f"{row['utilisation_asked']:.1%}{asked}"]
        else:
            cycles = row["macs"] / row["predicted_interval"] / products_of_each(row)
            shares = [f"{cycles / row['multipliers']:.1%}", f"{cycles / row['multipliers_asked']:.1%}"]
        table.add_row(
            row["layer"],
            str(row["multipliers_asked"]),
            f"{row['rows']}x{row['columns']}",
            multipliers_text(row),
            _cycles(row, "latency", measured),
            _cycles(row, "interval", measured),
            *shares,
            row.get("state") or ("NO" if run.problems(row) else "yes"),
            losses_text(row),
        )
    return table


def variants_table(rows: list[dict[str, Any]]) -> Table:
    """Variants that were measured, or planned (with their `state`)."""
    table = _table("variant", "asked", "built", "multipliers", "latency", "interval", "used", "exact")
    for row in rows:
        measured = "passed" in row
        table.add_row(
            row["layer"],
            str(row["asked"]),
            row["built"],
            str(row["multipliers"]),
            _cycles(row, "latency", measured),
            _cycles(row, "interval", measured),
            f"{row['utilisation']:.1%}" if measured and row["utilisation"] is not None else "",
            row.get("state") or ("NO" if run.problems(row) else "yes"),
        )
    return table


def routing_table(rows: list[dict[str, Any]]) -> Table:
    """Rows that were routed."""
    table = _table("layer", "mult.", "target", "MHz", "spread", "LUTs", "per MAC", "BRAM", "state", "critical path")
    for row in rows:
        clock, area = (mark(each) for each in routing.verdicts(row))
        table.add_row(
            row["layer"],
            str(row["multipliers_asked"]),
            row["target"],
            f"{row['fmax_median_mhz']:.1f}{clock}",
            f"{row['fmax_minimum_mhz']:.1f} to {row['fmax_maximum_mhz']:.1f}",
            str(row["luts"]),
            f"{row['luts_per_mac']:.1f}{area}",
            str(row["block_rams"]),
            row.get("state", "current"),
            path_text(row),
        )
    return table


def _cycles(row: dict[str, Any], what: str, measured: bool) -> str:
    predicted = row[f"predicted_{what}"]
    if not measured or row[what] == predicted:
        return str(predicted)
    return f"{row[what]} (predicted {predicted})"


def _table(*titles: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="", padding=(0, 1))
    for index, title in enumerate(titles):
        told = index == 0 or title in ("rest goes to", "critical path", "target", "exact", "state")
        table.add_column(title, justify="left" if told else "right", overflow="fold")
    return table
