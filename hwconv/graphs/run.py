"""A graph in simulation: equal to the golden model or not, as fast as predicted or not, and the hard runs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hwconv import simulation
from hwconv.comparison import ComparisonResult, TensorResult
from hwconv.designs import design_of, netlist_of
from hwconv.errors import SpecError
from hwconv.golden import graph as golden_graph
from hwconv.graph import Graph
from hwconv.packing import bytes_to_tensor
from hwconv.plan.graph_plan import GraphPlan
from hwconv.resources import resource_path
from hwconv.results import SimulateResult
from hwconv.simulation import SimulationResult
from hwconv.simulation.bench import run_cocotb
from hwconv.spec import dtype_range
from hwconv.trials import TrialResult, result_of, trials

Frames = NDArray[np.integer[Any]]
TAP = "hwconv_tap.v"
MEASURED_FRAMES = 4
"""Frames that a comparison sends at least; more where the plan says that the pipeline takes more until it settles."""


def frames_of(
    graph: Graph, given: Frames | None, count: int | None, seed: int, *, least: int = MEASURED_FRAMES
) -> Frames:
    """Returns the frames to send: the given ones, followed by random ones; by default `least` at least."""
    parts = [] if given is None else [given[:count]]
    have = sum(len(part) for part in parts)
    missing = (max(have, least) if count is None else count) - have
    low, high = dtype_range(graph.dtype)
    random = np.random.default_rng(seed).integers(low, high + 1, (missing, *graph.input_shape))
    return np.concatenate([*parts, random.astype(graph.dtype)])


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
    capture: Path | None = None,
    every_tensor: bool = False,
) -> ComparisonResult:
    """Simulates a graph's Verilog and compares it with the golden model. A difference raises nothing.

    Parameters:
        plan: what is simulated.
        given, expected: frames to send first, and outputs for them that are known from elsewhere.
        simulator: `verilator` or `icarus`.
        frames: how many to send. seed: of the random ones.
        netlist: simulate what synthesis makes of the Verilog for ECP5, cell by cell.
        waveform: a VCD file to write.
        capture: an .npy file to write, with the outputs as the hardware gave them.
        every_tensor: compare what moves between the engines as well, tensor by tensor.

    Raises:
        SpecError: expected outputs of another number or shape than the given frames have.
        ToolError: a simulator that is missing or refuses the Verilog.
    """
    sent = frames_of(plan.graph, given, frames, seed, least=plan.settled)
    known = golden_graph.run_all(plan.network, sent)
    right = known[plan.graph.output]
    problem, wrong = "", 0
    if expected is not None:
        if given is None or len(expected) != len(given) or expected.shape[1:] != right.shape[1:]:
            raise SpecError(plan.graph.name, "expected", f"an array of shape {expected.shape}", "one for each frame")
        count = min(len(given), len(right))
        wrong = int((right[:count] != expected[:count]).sum())
        problem = "the golden model differs from the known outputs" if wrong else ""
    design = netlist_of(plan) if netlist else _design(plan, every_tensor)
    binary = simulation.build(design, cast(simulation.Simulator, simulator), waveform=waveform is not None)
    with TemporaryDirectory(prefix="hwconv-") as folder:
        result = simulation.run(
            binary,
            sent,
            right,
            waveform=waveform,
            capture=capture is not None,
            watchdog=_patience(plan),
            folder=Path(folder),
        )
        tensors = tuple(_tensors(plan, known, Path(folder))) if every_tensor and not netlist else ()
    if capture is not None and result.captured is not None:
        np.save(capture, result.captured)
    interval = result.interval
    differing = [each for each in tensors if each.problem]
    if result.passed and differing and not problem:
        problem = f"tensor {differing[0].name}: {differing[0].problem}"
    return ComparisonResult(
        layer=plan.graph.name,
        file="",
        simulator=simulator,
        frames=len(sent),
        outputs=result.outputs,
        mismatches=result.mismatches + wrong + sum(each.mismatches for each in differing),
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
        lut_multipliers=plan.lut_multipliers,
        netlist=netlist,
        waveform=None if waveform is None else str(waveform),
        captured=None if capture is None else str(capture),
        tensors=tensors,
    )


def _design(plan: GraphPlan, observed: bool) -> simulation.Design:
    if not observed:
        return design_of(plan)
    design = design_of(replace(plan, observed=True))
    return replace(design, files={**design.files, TAP: resource_path(f"sim/{TAP}").read_text(encoding="utf-8")})


def _tensors(plan: GraphPlan, known: Mapping[str, Frames], folder: Path) -> Iterator[TensorResult]:
    """What every tap of a run saw, against the golden model: all whole frames of it."""
    for index, (name, tensor) in enumerate(plan.graph.tensors.items()):
        path = folder / f"tap_{index}.hex"
        if not path.exists():  # another name of a tensor
            continue
        beat = plan.beats[name]
        beats = -(-tensor.bytes // beat)
        lines = path.read_text().split()
        frames = min(len(lines) // beats, len(known[name]))
        right = known[name][:frames]
        if any(set(line) & set("xXzZ") for line in lines[: frames * beats]):
            yield TensorResult(name=name, values=0, mismatches=1, problem="unknown bits")
            continue
        content = np.frombuffer(bytes.fromhex("".join(lines[: frames * beats])), np.uint8)
        rows = content.reshape(frames, beats, beat)[:, :, ::-1].reshape(frames, -1)[:, : tensor.bytes]
        seen = bytes_to_tensor(rows.tobytes(), (frames, *tensor.shape), tensor.dtype)
        wrong = np.argwhere(seen != right)
        problem = "" if frames else "no whole frame was seen"
        if len(wrong):
            place = tuple(int(each) for each in wrong[0])
            problem = f"frame {place[0]}, element {place[1:]}: {int(seen[place])} instead of {int(right[place])}"
        yield TensorResult(name=name, values=int(right.size), mismatches=len(wrong), problem=problem)


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
        seen = np.asarray(feed.seen, plan.graph.dtype)
        result: SimulationResult = simulation.run(
            binary,
            feed,
            golden_graph.run(plan.network, seen),
            stalls=trial.stalls,
            reset=trial.reset,
            watchdog=20 * latency + 10_000,
        )
        yield result_of(trial, result)
