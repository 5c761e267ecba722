"""Whole networks on an FPGA: exact or not, cycles, and after place and route what they are in milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from hwconv import flow
from hwconv.bench.run import rtl_hash
from hwconv.emit.package import engine_files
from hwconv.graphs.run import compare_graph
from hwconv.networks import load_network, plan_network
from hwconv.plan.balance import whole_area
from hwconv.plan.graph_plan import GraphPlan
from hwconv.targets import load_target

TARGET = "lfe5u-85f-6"
PURPOSES: tuple[Literal["interval", "latency"], ...] = ("interval", "latency")


def measured_network(path: Path, target: str, optimise: Literal["interval", "latency"]) -> dict[str, Any]:
    """Plans and simulates a network on random frames; a difference raises nothing.

    Raises:
        HwconvError: a file that is no network; a target that is too small.
    """
    return _measured(plan_network(load_network(path), target=target, optimise=optimise), target, optimise)


def _measured(plan: GraphPlan, target: str, optimise: Literal["interval", "latency"]) -> dict[str, Any]:
    result = compare_graph(plan)
    assert plan.balance is not None
    estimate = whole_area(plan.balance, load_target(target))
    return {
        "network": plan.graph.name,
        "target": target,
        "optimise": optimise,
        "rtl": rtl_hash(engine_files(plan, load_target(target).family)),
        "macs": plan.graph.macs,
        "multipliers": plan.multipliers,
        "lut_multipliers": plan.lut_multipliers,
        "requantiser_multipliers": plan.requantiser_multipliers,
        "frames": result.frames,
        "outputs": result.outputs,
        "mismatches": result.mismatches,
        "passed": result.exact,
        "latency": result.latency,
        "interval": result.interval,
        "predicted_latency": plan.cycles.latency,
        "predicted_interval": plan.cycles.interval,
        "estimated_luts": estimate.luts,
        "estimated_ffs": estimate.ffs,
        "binds": plan.balance.binds,
    }


def routed_network(
    path: Path,
    target: str,
    optimise: Literal["interval", "latency"],
    seeds: tuple[int, ...],
    jobs: int,
    progress: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """What place and route says, beside what :func:`measured_network` does; the figures of the median seed."""
    plan = plan_network(load_network(path), target=target, optimise=optimise)
    row = _measured(plan, target, optimise)
    chosen = load_target(target)
    files = engine_files(plan, chosen.family)
    result = flow.build(files, plan.top_name, chosen, seeds=seeds, jobs=jobs, progress=progress)
    ordered = sorted(result.results, key=lambda each: each.fmax_mhz)
    middle = ordered[(len(ordered) - 1) // 2]
    return row | {
        "seeds": {str(each.seed): each.fmax_mhz for each in result.results},
        "fmax_median_mhz": round(result.median_mhz, 2),
        "luts": middle.luts,
        "ffs": middle.ffs,
        "hard_multipliers": middle.multipliers,
        "block_rams": middle.brams,
        "tools": result.tools,
    }


def problems(row: dict[str, Any]) -> list[str]:
    """What is wrong with a row; nothing if it is exact and its cycles are those predicted."""
    name = f"{row['network']} on {row['target']} for {row['optimise']}"
    found = [] if row["passed"] else [f"{name}: {row['mismatches']} mismatches in {row['outputs']} outputs"]
    for what in ("latency", "interval"):
        if row[what] != row[f"predicted_{what}"]:
            found.append(f"{name}: {what} is {row[what]} cycles, predicted were {row[f'predicted_{what}']}")
    return found
