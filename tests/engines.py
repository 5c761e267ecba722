"""Engines under test: planned, simulated, and held to the exact outputs and to the cycles that the plan predicted."""

from functools import lru_cache

import numpy as np

from hwconv.api import design_of
from hwconv.layer import Layer
from hwconv.plan.array import Folding, best_folding, foldings
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.winograd import WinogradPlan
from hwconv.simulation import Design, SimulationResult, Simulator, build, explain, run
from hwconv.spec import ConvSpec, dtype_range, storage_dtype

MEASURED_FRAMES = 4
"""Frames in which an engine settles: its last interval is the one that the plan predicts."""


@lru_cache(maxsize=64)
def engine_design(plan: EnginePlan) -> Design:
    """The Verilog of a plan, made once."""
    return design_of(plan)


def shape_of(folding: Folding) -> tuple[int, int]:
    """Rows and columns of the array."""
    return folding.pixels, folding.columns


def different_foldings(spec: ConvSpec, asked: tuple[int, ...]) -> list[Folding]:
    """As many foldings as numbers of multipliers asked for: the best for each, or where the array would be the same
    again, the next of another shape."""
    chosen: list[Folding] = []
    for multipliers in asked:
        known = {shape_of(item) for item in chosen}
        best = best_folding(spec, multipliers)
        if shape_of(best) in known:
            others = (item for item in foldings(spec, max(asked)) if shape_of(item) not in known)
            best = min(others, key=lambda item: item.cost)
        chosen.append(best)
    return chosen


def plan_of(layer: Layer, folding: Folding | None = None, **options: int | None) -> EnginePlan:
    """Plans with a folding chosen by hand, or with what else `make_plan` takes."""
    if folding is not None:
        options = {"multipliers": folding.multipliers, **options}
    return make_plan(layer, folding=folding, **options)


def random_frames(spec: ConvSpec, count: int, random: np.random.Generator) -> np.ndarray:
    """Frames of every value of the input type, ``(count, H, W, C)``."""
    low, high = dtype_range(spec.input_dtype)
    return random.integers(low, high + 1, (count, *spec.input_shape)).astype(storage_dtype(spec.input_dtype))


def repeated(values: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of the frames, over and over."""
    return values[np.arange(count) % len(values)]


def check_exact(
    plan: EnginePlan,
    frames: np.ndarray,
    outputs: np.ndarray,
    simulator: Simulator = "icarus",
    design: Design | None = None,
) -> SimulationResult:
    """Runs freely: every output must be right, and latency and interval must be those of the plan.

    `design` is what is simulated, by default the plan's Verilog.
    """
    result = run(build(engine_design(plan) if design is None else design, simulator), frames, outputs)
    assert result.passed, f"{describe(plan)}: {explain(result)}"
    assert result.outputs == outputs.size
    cycles = plan.cycles
    measured = (result.latency, cycles.interval if len(frames) == 1 else result.interval)
    assert measured == (cycles.latency, cycles.interval), f"{describe(plan)}: latency and interval"
    return result


def describe(plan: EnginePlan) -> str:
    """A plan in one line, for messages of failed tests."""
    if isinstance(plan, WinogradPlan):
        return describe_winograd(plan)
    folding, spec = plan.folding, plan.spec
    kind = "depthwise" if folding.depthwise else "dense"
    return (
        f"{kind} {folding.pixels}x{folding.columns}, {folding.ports} ports of {folding.word_channels}, "
        f"{folding.requantisers} requantisers ({plan.config.requantiser.kind}), beats {plan.input_beat_bytes} in "
        f"{plan.output_beat_bytes} out, {spec.to_json()}"
    )


def describe_winograd(plan: WinogradPlan) -> str:
    """A plan in one line, for messages of failed tests."""
    folding, config = plan.folding, plan.config
    return (
        f"{plan.algorithm} {folding.vertical.name} x {folding.horizontal.name}, {config.rows}x{config.columns}, "
        f"{config.turns} turns, read {folding.fetch_columns}, drain {folding.drain_columns}, "
        f"{folding.requantisers} requantisers ({config.requantiser.kind}), lanes {folding.channel_lanes}, tile "
        f"{config.tile_cycles} cycles, {config.units} units, {config.slots} slots, beats {plan.input_beat_bytes} in "
        f"{plan.output_beat_bytes} out, {plan.spec.to_json()}"
    )
