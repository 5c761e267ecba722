"""The files of `benchmarks/`: what was measured, by engine, and beside what; and the page that people read.

Everything is in a fixed order and without times, so that a measurement that did not change changes no byte. What
depends on the machine is in a file of its own.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwconv.bench import shape
from hwconv.bench.layers import SPECS
from hwconv.bench.variants import FAMILIES
from hwconv.errors import FormatError
from hwconv.frontend.source_file import read_file

UTILISATION = "utilisation.json"
VARIANTS = "variants.json"
SPEED = "speed.json"
ROUTING = "routing.json"
NETWORKS = "networks.json"
PAGE = "README.md"
MAX_BYTES = 1 << 24
NONE_OF_OURS = "not a file of measurements; remove it"

Row = dict[str, Any]


def load_rows(folder: Path, name: str) -> list[Row]:
    """The rows of a file, none if it does not exist.

    Raises:
        FormatError: the file is not what `save_rows` writes.
    """
    content = _load(folder / name)
    if content is None:
        return []
    rows = content.get("rows") if isinstance(content, dict) else None
    fields = {ROUTING: shape.ROUTING, VARIANTS: shape.VARIANTS}.get(name, shape.UTILISATION)

    def good(row: object) -> bool:
        return shape.is_network(row) if name == NETWORKS else shape.fits(row, fields)

    if not isinstance(rows, list) or not all(good(row) for row in rows):
        raise FormatError(folder / name, NONE_OF_OURS)
    return rows


def save_rows(folder: Path, name: str, rows: Iterable[Row]) -> None:
    """Puts rows into a file, in place of those of the same engine (and target); the others stay."""
    kept = {_key(row): row for row in load_rows(folder, name)} | {_key(row): row for row in rows}
    save(folder / name, {"rows": [kept[key] for key in sorted(kept, key=_order)]})


def save_networks(folder: Path, rows: Iterable[Row]) -> None:
    """The same of networks: one row for each target and purpose."""

    def key(row: Row) -> tuple[str, str, str]:
        return row["network"], row["target"], row["optimise"]

    kept = {key(row): row for row in load_rows(folder, NETWORKS)} | {key(row): row for row in rows}
    save(folder / NETWORKS, {"rows": [kept[each] for each in sorted(kept)]})


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON with sorted keys, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)


def load_speed(folder: Path) -> Row:
    """The figures of the tools' speed, empty if there are none."""
    content = _load(folder / SPEED)
    if content is not None and not shape.is_speed(content):
        raise FormatError(folder / SPEED, NONE_OF_OURS)
    return content or {}


def _load(path: Path) -> Any:
    """What a file says, or None if it does not exist."""
    if not path.exists():
        return None
    try:
        return json.loads(read_file(path, MAX_BYTES).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, NONE_OF_OURS) from error


def state(row: Row, rtl: str) -> str:
    """`current` if a row was measured on Verilog of this hash, `stale` if on other."""
    return "current" if row["rtl"] == rtl else "stale"


def _key(row: Row) -> tuple[str, int, str]:
    return row["layer"], row["asked"] if "family" in row else row["multipliers_asked"], row.get("target", "")


def _order(key: tuple[str, int, str]) -> tuple[int, int, str, str]:
    """Ascending multipliers, layers as in the table; layers that are no longer in it come last. Variants, each with all
    of its sizes.
    """
    layer, asked, target = key
    if layer in FAMILIES:
        return list(FAMILIES).index(layer), asked, layer, target
    place = list(SPECS).index(layer) if layer in SPECS else len(SPECS)
    return asked, place, layer, target
