"""Clock and area of the engines of the table that are routed: a dense, a depthwise, a Winograd one, some seeds each."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from hwconv import flow
from hwconv.bench.goals import CLOCK_MHZ, LUTS_PER_MAC
from hwconv.bench.run import generate
from hwconv.errors import HwconvError

ENGINES = (("3x3", 144), ("dw3x3", 64), ("3x3_w4", 144))
TARGETS = (("lfe5u-85f-6", 5), ("lfe5u-85f-8", 3))
"""Target, and seeds routed for it."""
RUNS_EACH = sum(seeds for _, seeds in TARGETS)


def chosen(layers: Sequence[str] | None) -> list[tuple[str, int]]:
    """The engines of :data:`ENGINES` that run `layers`; all of them if it is None.

    Raises:
        HwconvError: none runs one of them.
    """
    names = [layer for layer, _ in ENGINES]
    for layer in layers or ():
        if layer not in names:
            raise HwconvError(f"layer {layer!r} is not routed; expected some of {', '.join(names)}")
    return [engine for engine in ENGINES if layers is None or engine[0] in layers]


def route(
    engines: Sequence[tuple[str, int]] = ENGINES, jobs: int = 1, progress: Callable[[], None] = lambda: None
) -> Iterator[dict[str, Any]]:
    """Routes engine after engine and target after target, and yields a row for each. Seeds routed before cost nothing.

    Parameters:
        engines: layer and multipliers of each.
        jobs: seeds at a time; each takes a core for some minutes.
        progress: called after each seed.
    """
    for layer, asked in engines:
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
            yield routed_row(layer, asked, engine.plan.peak_macs, result, engine.rtl)


def routed_row(layer: str, asked: int, peak_macs: float, result: flow.BuildResult, rtl: str) -> dict[str, Any]:
    """A routed engine as a row. Area and critical path are those of the seed whose clock is the median; the area is for
    each MAC a cycle.
    """
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
        "luts_per_mac": round(middle.luts / peak_macs, 1),
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
