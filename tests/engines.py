"""Engines under test: planned, simulated, and held to the exact outputs and to the cycles that the plan predicted."""

from functools import lru_cache

import numpy as np

from hwconv.api import design_of
from hwconv.layer import Layer
from hwconv.plan.array import Folding, best_folding, foldings
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.simulation import Design, SimulationResult, Simulator, build, explain, run
from hwconv.spec import ConvSpec

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
    return make_plan(layer, folding=folding, **options)  # type: ignore[arg-type]


def random_frames(spec: ConvSpec, count: int, random: np.random.Generator) -> np.ndarray:
    """Frames of every int8 value, ``(count, H, W, C)``."""
    return random.integers(-128, 128, (count, *spec.input_shape)).astype(np.int8)


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
    folding, spec = plan.folding, plan.spec
    kind = "depthwise" if folding.depthwise else "dense"
    return (
        f"{kind} {folding.pixels}x{folding.columns}, {folding.ports} ports of {folding.word_bytes}, "
        f"{folding.requantisers} requantisers ({plan.config.requantiser.kind}), beats {plan.input_beat_bytes} in "
        f"{plan.output_beat_bytes} out, {spec.to_json()}"
    )
