"""``python -m functional_coverage``: which cells of the crosses the recorded random runs have filled."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from functional_coverage.bins import DIMENSIONS
from functional_coverage.cells import CROSSES, ILLEGAL, cells_of, hit, legal, legal_cells
from functional_coverage.records import recorded
from hwconv.cli.terminal import print_error, print_json, print_text

RECORD = "coverage.json"


def summary(runs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Counts of records: runs, engines, seeds; cells filled and empty; hits of each bin and of the thinnest cells.

    A run in a cell that is called illegal shows that the rule is wrong: it is listed.
    """
    rows = list(runs)
    hits = Counter(cell for row in rows for cell in hit(row["bins"]))
    cells = legal_cells()
    return {
        "runs": len(rows),
        "engines": len({row["rtl"] for row in rows}),
        "seeds": sorted({row["seed"] for row in rows}),
        "crosses": len(CROSSES),
        "cells": len(cells),
        "illegal": [
            {"bins": {name: list(bins) for name, bins in rule.bins.items()}, "why": rule.why} for rule in ILLEGAL
        ],
        "filled": sum(hits[cell] > 0 for cell in cells),
        "least": min(hits[cell] for cell in cells),
        "empty": [dict(cell) for cell in cells if not hits[cell]],
        "contradictions": [dict(cell) for cell in sorted(hits) if not legal(dict(cell))],
        "bins": {
            name: {item: sum(row["bins"][name] == item for row in rows) for item in bins}
            for name, bins in DIMENSIONS.items()
        },
        "by_cross": {" x ".join(cross): _cross(cross, hits) for cross in CROSSES},
    }


def _cross(cross: tuple[str, ...], hits: Counter) -> dict[str, int]:
    counts = [hits[cell] for cell in cells_of(cross) if legal(dict(cell))]
    return {"cells": len(counts), "filled": sum(count > 0 for count in counts), "least": min(counts)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="functional_coverage", description=__doc__)
    parser.add_argument("--json", action="store_true", help="write JSON, and nothing else, to standard output")
    parser.add_argument("--output", type=Path, default=Path("benchmarks"), metavar="DIR", help="where results are kept")
    options = parser.parse_args()
    rows = list(recorded())
    if not rows:
        print_error("no random run is recorded of the sources as they are: run `make slow` first")
        return 1
    result = summary(rows)
    if not result["empty"]:
        options.output.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=2, sort_keys=True) + "\n"
        (options.output / RECORD).write_text(text, encoding="utf-8")
    if options.json:
        print_json(result)
    else:
        _print(result)
    for cell in result["contradictions"]:
        print_error(f"a run fell into a cell that is called illegal: {cell}")
    return 1 if result["empty"] or result["contradictions"] else 0


def _print(result: dict[str, Any]) -> None:
    print_text(f"{result['runs']} runs of {result['engines']} engines, seeds {result['seeds']}")
    for name, counts in result["bins"].items():
        print_text(f"  {name:13}" + "  ".join(f"{item}: {count}" for item, count in counts.items()))
    print_text("", "cells that cannot be filled:")
    for rule in result["illegal"]:
        print_text(
            "  "
            + " and ".join(f"{name} {' or '.join(bins)}" for name, bins in rule["bins"].items())
            + f": {rule['why']}"
        )
    thin = {name: cross for name, cross in result["by_cross"].items() if cross["least"] == 0}
    print_text(
        "",
        f"{result['filled']} of {result['cells']} legal cells of {result['crosses']} crosses filled, the least "
        f"{result['least']} times",
    )
    for name, cross in thin.items():
        print_text(f"  {name}: {cross['filled']} of {cross['cells']}")
    for cell in result["empty"]:
        print_text("  empty: " + ", ".join(f"{name} {item}" for name, item in cell.items()))


if __name__ == "__main__":
    sys.exit(main())
