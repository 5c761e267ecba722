"""A graph in simulation: equal to the golden model or not, as fast as predicted or not, and the hard runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hwconv import simulation
from hwconv.api import SimulateResult, design_of, netlist_of
from hwconv.comparison import ComparisonResult
from hwconv.errors import SpecError
from hwconv.golden import graph as golden_graph
from hwconv.graph import Graph
from hwconv.plan.graph_plan import GraphPlan
from hwconv.simulation import SimulationResult
from hwconv.simulation.bench import run_cocotb
from hwconv.trials import TrialResult, result_of, trials

Frames = NDArray[np.integer[Any]]
MEASURED_FRAMES = 4
"""Frames that a comparison sends at least; more where the plan says that the pipeline takes more until it settles."""


def frames_of(
    graph: Graph, given: Frames | None, count: int | None, seed: int, *, least: int = MEASURED_FRAMES
) -> Frames:
    """Returns the frames to send: the given ones, followed by random ones; by default `least` at least."""
    parts = [] if given is None else [given[:count]]
    have = sum(len(part) for part in parts)
    missing = (max(have, least) if count is None else count) - have
    random = np.random.default_rng(seed).integers(-128, 128, (missing, *graph.input_shape))
    return np.concatenate([*parts, random.astype(np.int8)])


def compare_graph(
    plan: GraphPlan,
    *,
    given: Frames | None = None,
    expected: Frames | None = None,
    simulator: str = "verilator",
    frames: int | None = None,
    seed: int = 1,
    netlist: bool = False,
    waveform: Path | None = None,
) -> ComparisonResult:
    """Simulates a graph's Verilog and compares it with the golden model. A difference raises nothing.

    Parameters:
        plan: what is simulated.
        given, expected: frames to send first, and outputs for them that are known from elsewhere.
        simulator: `verilator` or `icarus`.
        frames: how many to send. seed: of the random ones.
        netlist: simulate what synthesis makes of the Verilog for ECP5, cell by cell.
        waveform: a VCD file to write.

    Raises:
        SpecError: expected outputs of another number or shape than the given frames have.
        ToolError: a simulator that is missing or refuses the Verilog.
    """
    sent = frames_of(plan.graph, given, frames, seed, least=plan.settled)
    right = golden_graph.run(plan.network, sent)
    problem, wrong = "", 0
    if expected is not None:
        if given is None or len(expected) != len(given) or expected.shape[1:] != right.shape[1:]:
            raise SpecError(plan.graph.name, "expected", f"an array of shape {expected.shape}", "one for each frame")
        count = min(len(given), len(right))
        wrong = int((right[:count] != expected[:count]).sum())
        problem = "the golden model differs from the known outputs" if wrong else ""
    design = netlist_of(plan) if netlist else design_of(plan)
    binary = simulation.build(design, cast(simulation.Simulator, simulator), waveform=waveform is not None)
    result = simulation.run(binary, sent, right, waveform=waveform, watchdog=_patience(plan))
    interval = result.interval
    return ComparisonResult(
        layer=plan.graph.name,
        file="",
        simulator=simulator,
        frames=len(sent),
        outputs=result.outputs,
        mismatches=result.mismatches + wrong,
        problem=problem if result.passed else str(result.first_mismatch or result.problem),
        latency=result.latency,
        predicted_latency=plan.cycles.latency,
        interval=interval,
        predicted_interval=plan.interval_of(len(sent)),
        expected_outputs=0 if expected is None else int(right[: len(expected)].size),
        macs=plan.graph.macs,
        multipliers=plan.multipliers,
        products=plan.products,
        requantisers=sum(engine.config.requantisers for engine in plan.engines.values()),
        requantiser_multipliers=plan.requantiser_multipliers,
        utilisation=plan.graph.macs / (interval * plan.products) if interval and plan.products else None,
        netlist=netlist,
        waveform=None if waveform is None else str(waveform),
    )


def _patience(plan: GraphPlan) -> int:
    """Cycles without a handshake after which a graph hangs: of a deep one, outputs come once in a long interval."""
    return 2 * (plan.cycles.latency + plan.cycles.interval) + 100_000


def simulate_graph(
    plan: GraphPlan, *, given: Frames | None = None, simulator: str = "verilator", frames: int = 4, seed: int = 1
) -> SimulateResult:
    """Runs a graph through pauses, damaged frames and resets. A failure raises nothing."""
    design, chosen = design_of(plan), cast(simulation.Simulator, simulator)
    sent = frames_of(plan.graph, given, max(MEASURED_FRAMES, frames), seed)
    found = tuple(run_graph_trials(plan, simulation.build(design, chosen), sent, seed))
    right, cycles = golden_graph.run(plan.network, sent), plan.cycles
    bench = run_cocotb(design, sent, right, chosen, latency=cycles.latency, interval=cycles.interval, seed=seed)
    return SimulateResult(
        layer=plan.graph.name, simulator=simulator, trials=found, cocotb=bench.tests, failures=bench.failures
    )


def run_graph_trials(plan: GraphPlan, binary: simulation.Binary, sent: Frames, seed: int) -> Iterator[TrialResult]:
    """Runs all trials of a compiled graph, and yields what each found; `sent` has at least four frames."""
    latency = plan.cycles.latency
    for trial in trials(plan.frame.beats, latency, seed):
        feed = simulation.stimulus(sent, plan.input_beat_bytes, faults=trial.faults, zero_point=plan.graph.zero_point)
        seen = np.asarray(feed.seen, np.int8)
        result: SimulationResult = simulation.run(
            binary,
            feed,
            golden_graph.run(plan.network, seen),
            stalls=trial.stalls,
            reset=trial.reset,
            watchdog=20 * latency + 10_000,
        )
        yield result_of(trial, result)
