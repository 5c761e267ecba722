"""A block in simulation: equal to the golden model or not, as fast as predicted or not, and the hard runs."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from hwconv import simulation
from hwconv.blocks.block import Block
from hwconv.designs import design_of
from hwconv.simulation import MissingLast, SimulationResult
from hwconv.trials import TrialResult, result_of, trials

RESULTS = 4
"""Output frames of a comparison at least: the last two leave a block that has settled."""


@dataclass(frozen=True, kw_only=True)
class BlockComparison:
    """Whether a block equals the golden model, and how fast it was.

    Members:
        block: its name. kind: what it is. simulator: which one ran the Verilog.
        frames: sent. outputs: values compared. mismatches: those that differ.
        problem: one sentence on what is wrong first, or empty.
        latency, predicted_latency: cycles from the first input beat to the last beat of the output frame.
        interval, predicted_interval: cycles between output frames, input frames sent back to back.
    """

    block: str
    kind: str
    simulator: str
    frames: int
    outputs: int
    mismatches: int
    problem: str
    latency: int | None
    predicted_latency: int
    interval: int | None
    predicted_interval: int

    @property
    def exact(self) -> bool:
        """Whether values were compared and all of them were equal."""
        return not self.problem and self.mismatches == 0 and self.outputs > 0

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return {**asdict(self), "exact": self.exact}

    def describe(self) -> str:
        """Returns a few lines for people."""
        verdict = "exact" if self.exact else f"NOT EXACT, {self.mismatches} mismatches: {self.problem}"
        return (
            f"{self.block}: {verdict}, {self.outputs} outputs of {self.frames} input frames compared "
            f"({self.simulator})\n  latency {self.latency} cycles (predicted {self.predicted_latency}), "
            f"interval {self.interval} (predicted {self.predicted_interval})"
        )


@dataclass(frozen=True, kw_only=True)
class BlockTrials:
    """What the hard runs of a block found."""

    block: str
    simulator: str
    trials: tuple[TrialResult, ...]

    @property
    def passed(self) -> bool:
        """Whether there were runs, and all of them passed."""
        return bool(self.trials) and all(trial.passed for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        runs = [trial.to_json() for trial in self.trials]
        return {"block": self.block, "simulator": self.simulator, "passed": self.passed, "trials": runs}

    def describe(self) -> str:
        """Returns a line for each run."""
        lines = [f"{self.block} under {self.simulator}: {'passed' if self.passed else 'FAILED'}"]
        for trial in self.trials:
            verdict = "pass" if trial.passed else f"FAILED: {trial.problem}"
            lines.append(f"  {trial.name}: {verdict}, {trial.outputs} outputs compared in {trial.cycles} cycles")
        return "\n".join(lines)


def compare_block(
    block: Block,
    *,
    simulator: str = "verilator",
    results: int = RESULTS,
    seed: int = 1,
    waveform: Path | None = None,
) -> BlockComparison:
    """Simulates a block's Verilog and compares it with the golden model. A difference raises nothing.

    Parameters:
        block: what is simulated.
        simulator: `verilator` or `icarus`.
        results: output frames. seed: of the frames' values.
        waveform: a VCD file to write.

    Raises:
        ToolError: a simulator that is missing or refuses the Verilog.
    """
    frames = block.frames(results, seed)
    feed, target, errors = block.send(frames)
    chosen = cast(simulation.Simulator, simulator)
    binary = simulation.build(design_of(block.plan), chosen, waveform=waveform is not None)
    result = simulation.run(binary, feed, target, frame_errors=errors, waveform=waveform)
    cycles = block.plan.cycles
    return BlockComparison(
        block=block.plan.top_name,
        kind=block.kind,
        simulator=simulator,
        frames=len(frames),
        outputs=result.outputs,
        mismatches=result.mismatches,
        problem="" if result.passed else str(result.first_mismatch or result.problem),
        latency=result.latency,
        predicted_latency=cycles.latency,
        interval=result.interval,
        predicted_interval=cycles.interval,
    )


def simulate_block(block: Block, *, simulator: str = "verilator", seed: int = 1) -> BlockTrials:
    """Runs a block through pauses, damaged frames and resets. A failure raises nothing."""
    binary = simulation.build(design_of(block.plan), cast(simulation.Simulator, simulator))
    found = tuple(run_block_trials(block, binary, seed))
    return BlockTrials(block=block.plan.top_name, simulator=simulator, trials=found)


def run_block_trials(block: Block, binary: simulation.Binary, seed: int) -> Iterator[TrialResult]:
    """Runs all trials of a compiled block, and yields what each found."""
    latency = block.plan.cycles.latency
    beats = -(-block.spec.elements // block.plan.input_beat_bytes)
    for trial in trials(beats, latency, seed):
        # a frame whose TLAST is missing swallows the next one
        swallowed = sum(isinstance(fault, MissingLast) for fault in trial.faults.values())
        results = max(2, -(-RESULTS // block.plan.passes))
        frames = block.frames(results, seed, more=swallowed)
        feed, target, errors = block.send(frames, trial.faults)
        result: SimulationResult = simulation.run(
            binary,
            feed,
            target,
            stalls=trial.stalls,
            reset=trial.reset,
            frame_errors=errors,
            watchdog=20 * latency + 10_000,
        )
        yield result_of(trial, result)
