"""Clock and area of the engines of the table that are routed: a dense one and a depthwise one, several seeds each."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from hwconv import flow
from hwconv.bench.goals import CLOCK_MHZ, LUTS_PER_MAC
from hwconv.bench.run import generate

ENGINES = (("3x3", 144), ("dw3x3", 64))
TARGETS = (("lfe5u-85f-6", 5), ("lfe5u-85f-8", 3))
"""Target, and seeds routed for it."""
RUNS = len(ENGINES) * sum(seeds for _, seeds in TARGETS)


def route(jobs: int = 1, progress: Callable[[], None] = lambda: None) -> Iterator[dict[str, Any]]:
    """Routes engine after engine and target after target, and yields a row for each. Seeds routed before cost nothing.

    Parameters:
        jobs: seeds at a time; each takes a core for some minutes.
        progress: called after each seed.
    """
    for layer, asked in ENGINES:
        engine = generate(layer, asked, "ecp5")
        for target, seeds in TARGETS:
            result = flow.build(
                engine.files,
                engine.plan.top_name,
                target,
                seeds=tuple(range(1, seeds + 1)),
                progress=progress,
                jobs=jobs,
            )
            yield routed_row(layer, asked, engine.plan.multipliers, result, engine.rtl)


def routed_row(layer: str, asked: int, multipliers: int, result: flow.BuildResult, rtl: str) -> dict[str, Any]:
    """A routed engine as a row. Area and critical path are those of the seed whose clock is the median."""
    ordered = sorted(result.results, key=lambda each: each.fmax_mhz)
    middle = ordered[(len(ordered) - 1) // 2]
    slowest, fastest = result.spread_mhz
    path = middle.critical_path
    return {
        "layer": layer,
        "multipliers_asked": asked,
        "target": result.target,
        "seeds": {str(each.seed): each.fmax_mhz for each in result.results},
        "fmax_median_mhz": round(median(each.fmax_mhz for each in result.results), 2),
        "fmax_minimum_mhz": slowest,
        "fmax_maximum_mhz": fastest,
        "luts": middle.luts,
        "luts_per_mac": round(middle.luts / multipliers, 1),
        "ffs": middle.ffs,
        "multipliers": middle.multipliers,
        "block_rams": middle.brams,
        "critical_path": None
        if path is None
        else {"start": path.start, "end": path.end, "delay_ns": path.delay_ns, "routing_ns": path.routing_ns},
        "tools": result.tools,
        "rtl": rtl,
    }


def verdicts(row: dict[str, Any]) -> tuple[str, str]:
    """Which goals a row reaches: the clock's, and that of the area."""
    grade = int(row["target"].rpartition("-")[2])
    return CLOCK_MHZ[grade].verdict(row["fmax_median_mhz"]), LUTS_PER_MAC.verdict(row["luts_per_mac"])
