"""What the faults came to: benchmarks/faults.json, and the page that people read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RECORD = "faults.json"
PAGE = "faults.md"
AIM = 0.95
"""Share of the faults that the checks must notice."""


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts: faults, killed, equivalent (nobody can notice them), and those that survived without a reason."""
    killed = sum(bool(row["killed_by"]) for row in rows)
    equivalent = sum(not row["killed_by"] and bool(row["equivalent"]) for row in rows)
    return {
        "faults": len(rows),
        "killed": killed,
        "equivalent": equivalent,
        "survived": len(rows) - killed - equivalent,
        "share": round(killed / max(1, len(rows)), 4),
    }


def save(folder: Path, rows: Sequence[dict[str, Any]], seed: int) -> None:
    """Writes record and page. Both depend on the faults and on their fates alone."""
    kept = {"seed": seed, "summary": summary(rows), "rows": list(rows)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(page(rows, seed), encoding="utf-8")


def page(rows: Sequence[dict[str, Any]], seed: int) -> str:
    """The page as Markdown."""
    total = summary(rows)
    lines = [
        "# Seeded faults",
        "",
        "Written by `make faults`. Each row is one change to a generated engine, and the check of the default tests",
        "that noticed it first. A changed engine is compared with the golden model and the plan's cycles only.",
        "",
        f"**{total['killed']} of {total['faults']} faults noticed ({100 * total['share']:.1f} %)**;",
        f"of the others {total['equivalent']} change nothing that can be seen (the reason is beside each),",
        f"and {total['survived']} survived.",
        "",
        "| by | faults | noticed |",
        "|---|---|---|",
    ]
    for by in ("source", "kind", "engine"):
        for value in sorted({row[by] for row in rows}):
            group = [row for row in rows if row[by] == value]
            lines.append(f"| {by}: {value} | {len(group)} | {sum(bool(row['killed_by']) for row in group)} |")
    lines += ["", "| fault | kind | engine | noticed by |", "|---|---|---|---|"]
    for row in rows:
        fate = row["killed_by"] or (f"equivalent: {row['equivalent']}" if row["equivalent"] else "**survived**")
        lines.append(f"| {row['name']} | {row['kind']} | {row['engine']} | {fate} |")
    lines += ["", f"Random faults are yosys' `mutate -seed {seed}` on the netlists.", ""]
    return "\n".join(lines)
