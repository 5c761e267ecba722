"""The page of `benchmarks/`, made of the files beside it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from hwconv.bench import goals, record, routing
from hwconv.bench.run import MULTIPLIERS, verdicts
from hwconv.bench.variants import BLOCK, GRAPH, LOADED, LUT, LUT_SHARE
from hwconv.targets import load_target

TITLES = {
    "not_instantiated": "not built",
    "waiting_for_input": "waiting for input",
    "idle_steps": "idle steps",
    "lane_loading": "lanes loading",
    "idle_rows": "idle rows",
    "idle_columns": "idle columns",
    "partial_tiles": "partial tiles",
}
PART = "lfe5u-85f-6"
WINOGRAD_MULTIPLIERS = 144
"""Multipliers asked for where a goal is set for those of a Winograd engine."""


def render(folder: Path) -> str:
    """Returns the page for the measurements in a folder."""
    parts = [_HEAD.format(multipliers=", ".join(str(each) for each in MULTIPLIERS))]
    rows = record.load_rows(folder, record.UTILISATION)
    if rows:
        parts.append(_utilisation(rows))
    tiled = [row for row in rows if row["mode"].startswith("winograd")]
    if tiled:
        parts.append(_winograd(tiled))
    variants = record.load_rows(folder, record.VARIANTS)
    for family, section in _FAMILIES.items():
        of_family = [row for row in variants if row["family"] == family]
        if of_family:
            parts.append(section(of_family))
    routed = record.load_rows(folder, record.ROUTING)
    if routed:
        parts.append(_routing(routed))
    whole = record.load_rows(folder, record.NETWORKS)
    if whole:
        parts.append(_networks(whole))
    speed = record.load_speed(folder)
    if speed:
        parts.append(_speed(speed))
    return "\n".join(parts)


def losses_text(row: dict[str, Any]) -> str:
    """Where the rest goes, in shares of the interval times what the multipliers asked for would make."""
    total = row["predicted_interval"] * row["multipliers_asked"] * products_of_each(row)
    found = sorted(row["losses"].items(), key=lambda each: -int(each[1]))
    return ", ".join(f"{TITLES.get(name, name)} {amount / total:.1%}" for name, amount in found)


def products_of_each(row: dict[str, Any]) -> int:
    """Products that a multiplier of a row's array makes in a cycle: two where short weights share it."""
    return max(1, int(row.get("products", row["multipliers"]) // row["multipliers"]))


def multipliers_text(row: dict[str, Any]) -> str:
    """The multipliers of a row's requantisers, and whether they fit the part beside the array."""
    available = load_target(PART).multipliers
    used = row["multipliers"] + row["requantiser_multipliers"]
    excess = f", {used - available} more than an LFE5U-85F has" if used > available else ""
    return f"{row['requantisers']} ({row['requantiser_multipliers']}){excess}"


def mark(verdict: str) -> str:
    """What stands beside a figure that misses its aim."""
    return {"aim": "", "floor": " (aim missed)", "below": " (BELOW THE FLOOR)"}[verdict]


def _utilisation(rows: list[dict[str, Any]]) -> str:
    built, asked = goals.UTILISATION, goals.UTILISATION_ASKED
    said = f"Aim {built.aim:.0%} and floor {built.floor:.0%} of the array's multipliers"
    said += f"; aim {asked.aim:.0%} and floor {asked.floor:.0%} of those asked for."
    cells = [
        {
            "layer": row["layer"],
            "asked": row["multipliers_asked"],
            "array": f"{row['rows']} x {row['columns']}" + ("" if row["mode"] == "dense" else f" {row['mode']}"),
            "multipliers": f"{row['multipliers']}" + (" of two products" if products_of_each(row) > 1 else ""),
            "requantisers (multipliers)": multipliers_text(row),
            "latency": _equals(row, "latency"),
            "interval": _equals(row, "interval"),
            "of the array": f"{row['utilisation']:.1%}{mark(verdicts(row)[0])}",
            "of those asked": f"{row['utilisation_asked']:.1%}{mark(verdicts(row)[1])}",
            "where the rest goes": losses_text(row),
            "mismatches": f"{row['mismatches']} of {row['outputs']}",
            "RTL": f"`{row['rtl'][:8]}`",
        }
        for row in rows
    ]
    return f"## Utilisation\n\n{said}\n\n{_table(cells)}"


def _winograd(rows: list[dict[str, Any]]) -> str:
    goal = goals.MACS_PER_MULTIPLIER
    said = f"Aim {goal.aim:g} and floor {goal.floor:g}: {goal.what}. The transforms take no multipliers. Without"
    said += " the losses of the table above it would be 4 of those in the array."
    cells = [
        {
            "layer": row["layer"],
            "asked": row["multipliers_asked"],
            "multipliers, all": row["multipliers"] + row["requantiser_multipliers"],
            "MACs a cycle": f"{row['macs'] / row['interval']:.1f}",
            "MACs a multiplier and cycle": _macs_per_multiplier(row),
        }
        for row in rows
    ]
    return f"## Winograd\n\n{said}\n\n{_table(cells)}"


def _macs_per_multiplier(row: dict[str, Any]) -> str:
    """The figure, and beside it how far it is where a goal is set for it."""
    value = row["macs"] / (row["interval"] * (row["multipliers"] + row["requantiser_multipliers"]))
    goal = goals.MACS_PER_MULTIPLIER
    return f"{value:.2f}{mark(goal.verdict(value)) if row['multipliers_asked'] == WINOGRAD_MULTIPLIERS else ''}"


def _in_luts(rows: list[dict[str, Any]]) -> str:
    said = f"The array's last multipliers, one in {LUT_SHARE}, are of look-up tables; cycles are those of any others."
    return _variants("Multipliers of look-up tables", said + _GOALS, rows, _array_cells)


def _loaded(rows: list[dict[str, Any]]) -> str:
    said = "Weights come by a stream, before the first frame. Requantisers are the exact ones, for any channel."
    return _variants("Loaded weights", said + _GOALS, rows, _array_cells)


def _graphs(rows: list[dict[str, Any]]) -> str:
    said = (
        "One engine a layer (`hwconv/bench/variants.py`); multipliers are those of all arrays, shared in proportion to"
    )
    said += " the MACs. There is no goal for graphs."
    return _variants("Graphs", said, rows, _graph_cells)


def _blocks(rows: list[dict[str, Any]]) -> str:
    said = "Frames of 16x16x16; of statistics 8 passes over each. A lane takes a value a cycle; in the last pass over a"
    said += " frame, statistics give one value a cycle, whatever the lanes. There is no goal for blocks."
    return _variants("Dropout and statistics", said, rows, _block_cells)


def _variants(
    title: str,
    said: str,
    rows: list[dict[str, Any]],
    cells: Callable[[dict[str, Any]], dict[str, object]],
) -> str:
    """The table of a family: what is its own, between what all rows have."""
    table = [
        {
            "variant": row["layer"],
            "asked": row["asked"],
            **cells(row),
            "latency": _equals(row, "latency"),
            "interval": _equals(row, "interval"),
            **_shares(row),
            "mismatches": f"{row['mismatches']} of {row['outputs']}",
            "RTL": f"`{row['rtl'][:8]}`",
        }
        for row in rows
    ]
    return f"## {title}\n\n{said}\n\n{_table(table)}"


def _array_cells(row: dict[str, Any]) -> dict[str, object]:
    return {
        "array": row["built"],
        "multipliers (of look-up tables)": f"{row['multipliers']} ({row['lut_multipliers']})",
        "requantisers (multipliers)": f"{row['requantisers']} ({row['requantiser_multipliers']})",
    }


def _graph_cells(row: dict[str, Any]) -> dict[str, object]:
    return {
        "of": row["built"],
        "multipliers": row["multipliers"],
        "requantisers (multipliers)": f"{row['requantisers']} ({row['requantiser_multipliers']})",
        "queues, bits": row["queue_bits"],
    }


def _block_cells(row: dict[str, Any]) -> dict[str, object]:
    return {"of": row["built"], "multipliers": row["multipliers"]}


def _shares(row: dict[str, Any]) -> dict[str, object]:
    """What a row's multipliers or lanes are used to, and how far that is where a goal is set for it."""
    if row["family"] == BLOCK:
        return {"of the lanes": f"{row['utilisation']:.1%}"}
    goal = row["family"] != GRAPH
    marks = [mark(verdict) if goal else "" for verdict in verdicts(row)]
    return {
        "of the arrays" if not goal else "of the array": f"{row['utilisation']:.1%}{marks[0]}",
        "of those asked": f"{row['utilisation_asked']:.1%}{marks[1]}",
    }


_GOALS = " Goals are those of all engines."
_FAMILIES: Mapping[str, Callable[[list[dict[str, Any]]], str]] = {
    LUT: _in_luts, LOADED: _loaded, GRAPH: _graphs, BLOCK: _blocks
}  # fmt: skip


def _equals(row: dict[str, Any], what: str) -> str:
    predicted = row[f"predicted_{what}"]
    return str(row[what]) if row[what] == predicted else f"{row[what]} (predicted {predicted})"


def _routing(rows: list[dict[str, Any]]) -> str:
    area = goals.LUTS_PER_MAC
    said = "Aim and floor: " + ", ".join(
        f"{each.aim:g} and {each.floor:g} {each.what}" for each in goals.CLOCK_MHZ.values()
    )
    said += f"; {area.aim:g} and {area.floor:g} {area.what}. Area and path are those of the median seed."
    cells = [
        {
            "layer": row["layer"],
            "asked": row["multipliers_asked"],
            "target": row["target"],
            "seeds": len(row["seeds"]),
            "median MHz": f"{row['fmax_median_mhz']:.1f}{mark(routing.verdicts(row)[0])}",
            "slowest to fastest": f"{row['fmax_minimum_mhz']:.1f} to {row['fmax_maximum_mhz']:.1f}",
            "LUTs": row["luts"],
            "LUTs per MAC": f"{row['luts_per_mac']:.1f}{mark(routing.verdicts(row)[1])}",
            "flip-flops": row["ffs"],
            "multipliers, all": row["multipliers"],
            "block RAMs": row["block_rams"],
            "critical path": path_text(row),
            "RTL": f"`{row['rtl'][:8]}`",
        }
        for row in rows
    ]
    return f"## Clock and area\n\n{said}\n\n{_table(cells)}"


def _networks(rows: list[dict[str, Any]]) -> str:
    said = (
        "`hwconv bench --network MODEL`, engines as the solver chooses them (docs/networks.md). Every output is "
        "compared with the golden model; milliseconds are at the median clock of the seeds that were routed. "
        "Multipliers are those of the arrays, of look-up tables, and of requantisers."
    )
    errors = {
        what: [row[f"estimated_{kind}"] / row[kind] - 1 for row in rows if row.keys() >= {kind, f"estimated_{kind}"}]
        for what, kind in (("look-up tables", "luts"), ("flip-flops", "ffs"))
    }
    if all(errors.values()):
        ranges = " and ".join(f"{min(each):+.0%} to {max(each):+.0%} of {what}" for what, each in errors.items())
        said += f" What the solver estimates (est.) is off by {ranges} where a network was routed."
    cells = [
        {
            "network": row["network"],
            "target": row["target"],
            "for": row["optimise"],
            "multipliers": f"{row['multipliers']}, {row['lut_multipliers']}, {row['requantiser_multipliers']}",
            "latency": _equals(row, "latency"),
            "interval": _equals(row, "interval"),
            "MHz (seeds)": f"{row['fmax_median_mhz']:.1f} ({len(row['seeds'])})" if "seeds" in row else "not routed",
            "latency, ms": _milliseconds(row, "latency"),
            "interval, ms": _milliseconds(row, "interval"),
            "LUTs (est.)": _beside_estimate(row, "luts"),
            "flip-flops (est.)": _beside_estimate(row, "ffs"),
            "hard multipliers": row.get("hard_multipliers", ""),
            "block RAMs": row.get("block_rams", ""),
            "mismatches": f"{row['mismatches']} of {row['outputs']}",
            "RTL": f"`{row['rtl'][:8]}`",
        }
        for row in rows
    ]
    return f"## Networks\n\n{said}\n\n{_table(cells)}"


def _beside_estimate(row: dict[str, Any], kind: str) -> str:
    estimate = row.get(f"estimated_{kind}")
    return f"{row.get(kind, '')}{'' if estimate is None else f' ({estimate})'}".strip()


def _milliseconds(row: dict[str, Any], what: str) -> str:
    clock = row.get("fmax_median_mhz")
    return f"{row[what] / (1000 * clock):.4f}" if clock else ""


def path_text(row: dict[str, Any]) -> str:
    """The critical path of a routed row."""
    path = row["critical_path"]
    if path is None:
        return ""
    return f"{path['start']} to {path['end']}: {path['delay_ns']:.2f} ns, {path['routing_ns']:.2f} of them wires"


def _speed(speed: dict[str, Any]) -> str:
    simulated, generated, machine = speed["simulation"], speed["generation"], speed["machine"]
    used = [row["cpu_seconds"] for row in generated]
    predicted = max(row["prediction_ms"] for row in generated)
    cells = [
        {
            "what": goal.what,
            "figure": text + mark(goal.verdict(value)),
            "aim": f"{goal.aim:,g}",
            "floor": f"{goal.floor:,g}",
        }
        for goal, value, text in (
            (goals.SIMULATION_SPEED, simulated["cycles_per_second"], f"{simulated['cycles_per_second']:,}"),
            (goals.GENERATION_SECONDS, max(used), f"{median(used):.1f} (median), {max(used):.1f} (slowest)"),
            (goals.PREDICTION_MS, predicted, f"{predicted:.2f} (slowest)"),
        )
    ]
    said = f"On {machine['cores']} cores of {machine['processor']}, which did other work as well; "
    said += "seconds of generation are of the processor's time."
    return f"## Speed of the tools\n\n{said}\n\n{_table(cells)}"


def _table(rows: list[dict[str, Any]]) -> str:
    """A Markdown table; every row has the same keys, which are its titles."""
    lines = [rows[0], {title: "---" for title in rows[0]}, *rows]
    lines[0] = {title: title for title in rows[0]}
    return "".join(f"| {' | '.join(str(cell) for cell in line.values())} |\n" for line in lines)


_HEAD = """\
# Benchmarks

Made by `hwconv bench` (`--route`: clock and area) from a fixed table of layers with fixed weights. A figure holds for
the Verilog whose hash stands beside it; `hwconv bench --no-simulation` lists which figures are of the engines that this
version generates, and which are stale.

Every engine is simulated under Verilator, {multipliers} multipliers asked for, frames back to back; all outputs are
compared with the golden model. Latency is from a frame's first input beat to its last output beat, the pipeline being
empty; the interval is what lies between frames. Both are measured in cycles; where a prediction differs, it stands
beside them. Utilisation is the MACs a layer needs / (interval x multipliers); requantisers have their own
multipliers, which are not in it. What is lost is in shares of interval x multipliers asked for, as the plan accounts
for it (`hwconv plan`). Winograd engines and the variants that have tables of their own are measured by name
(`hwconv bench --layers separable,dropout`), stream blocks with 1, 4 and 16 lanes.
"""
