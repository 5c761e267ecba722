"""Runs that passed, one file each, in the cache of results: coverage is of runs, not of intentions.

A record counts as long as everything that made its engine is as it was: the generator, the Verilog it copies, the
harness, and the random draws.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from functional_coverage.bins import bins_of
from hwconv.cache import cache_folder
from hwconv.emit.verilog import design_hash
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Design, Stalls

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    "hwconv/emit/*.py",
    "hwconv/gateware/*.py",
    "hwconv/golden/*.py",
    "hwconv/plan/*.py",
    "rtl/generic/*.v",
    "sim/stream_harness.v",
    "tests/aimed_specs.py",
    "tests/random_engines.py",
    "tests/functional_coverage/aims.py",
    "tests/functional_coverage/bins.py",
)


@lru_cache(maxsize=1)
def sources_hash() -> str:
    """The hash of what a run depends on, beside its seed and number."""
    content = hashlib.sha256()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            content.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return content.hexdigest()[:20]


def folder() -> Path:
    """Where the records of today's sources are."""
    return cache_folder("coverage") / sources_hash()


def record(seed: int, number: int, plan: EnginePlan, design: Design, stalls: Stalls | None) -> None:
    """Keeps that a run passed."""
    rtl = design_hash(design.files[f"{design.top}.v"])
    pace = "free" if stalls is None else "stalled"
    row = {"seed": seed, "number": number, "pace": pace, "rtl": rtl, "bins": bins_of(plan, stalls)}
    place = folder()
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{rtl[:16]}-{seed}-{number}-{pace}.json").write_text(json.dumps(row, sort_keys=True) + "\n")


def recorded() -> Iterator[dict[str, Any]]:
    """All records of today's sources."""
    for path in sorted(folder().glob("*.json")):
        yield json.loads(path.read_text())
