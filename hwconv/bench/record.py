"""The files of `benchmarks/`: what was measured, by engine, and beside what; and the page that people read.

Everything is in a fixed order and without times, so that a measurement that did not change changes no byte. What
depends on the machine is in a file of its own.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hwconv.bench.layers import SPECS
from hwconv.errors import FormatError

UTILISATION = "utilisation.json"
SPEED = "speed.json"
ROUTING = "routing.json"
PAGE = "README.md"

Row = dict[str, Any]


def load_rows(folder: Path, name: str) -> list[Row]:
    """The rows of a file, none if it does not exist.

    Raises:
        FormatError: the file is not what `save_rows` writes.
    """
    path = folder / name
    if not path.exists():
        return []
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
        assert all("layer" in row and "multipliers_asked" in row and "rtl" in row for row in rows)
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise FormatError(path, "not a file of measurements; remove it") from error
    return list(rows)


def save_rows(folder: Path, name: str, rows: Iterable[Row]) -> None:
    """Puts rows into a file, in place of those of the same engine (and target); the others stay."""
    kept = {_key(row): row for row in load_rows(folder, name)} | {_key(row): row for row in rows}
    save(folder / name, {"rows": [kept[key] for key in sorted(kept, key=_order)]})


def save(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON with sorted keys, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(path)


def load_speed(folder: Path) -> Row:
    """The figures of the tools' speed, empty if there are none."""
    path = folder / SPEED
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(content, dict)
    except (ValueError, AssertionError) as error:
        raise FormatError(path, "not a file of measurements; remove it") from error
    return content


def state(row: Row, rtl: str) -> str:
    """`current` if a row was measured on Verilog of this hash, `stale` if on other."""
    return "current" if row["rtl"] == rtl else "stale"


def _key(row: Row) -> tuple[str, int, str]:
    return row["layer"], row["multipliers_asked"], row.get("target", "")


def _order(key: tuple[str, int, str]) -> tuple[int, int, str, str]:
    """Ascending multipliers, layers as in the table; layers that are no longer in it come last."""
    layer, asked, target = key
    place = list(SPECS).index(layer) if layer in SPECS else len(SPECS)
    return asked, place, layer, target
