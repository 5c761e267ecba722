"""The hard runs of `hwconv sim`: pauses on both sides, damaged frames, resets in mid-frame.

Every run is checked beat by beat against the golden model of what an engine that follows the contract of
docs/architecture.md sees. All choices are functions of a seed.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv import golden, simulation
from hwconv.layer import Layer
from hwconv.simulation import Binary, Fault, Reset, SimulationResult, Stalls

Frames = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run: what is done to the engine.

    Members:
        name: what people call it.
        stalls: pauses on either side. faults: what is wrong with which frame. reset: resets in mid-run.
    """

    name: str
    stalls: Stalls | None = None
    faults: dict[int, Fault] = field(default_factory=dict)
    reset: Reset | None = None


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What one run found.

    Members:
        name: of the trial. passed: whether every beat came, was right, and no rule of AXI4-Stream was broken.
        problem: one sentence, empty if it passed.
        outputs, mismatches: values compared, and those that differ. cycles: of the run.
    """

    name: str
    passed: bool
    problem: str
    outputs: int
    mismatches: int
    cycles: int

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return asdict(self)


def trials(input_beats: int, latency: int, seed: int) -> list[Trial]:
    """Returns the trials for an engine.

    Parameters:
        input_beats: of a frame; short frames cannot be cut.
        latency: cycles of a frame, to place resets.
        seed: of all choices.
    """
    random = np.random.default_rng(seed)
    found = [
        Trial(name="back to back"),
        Trial(name="pauses of the source", stalls=Stalls(input=160, seed=seed)),
        Trial(name="pauses of the sink", stalls=Stalls(output=160, seed=seed)),
        Trial(name="pauses of both", stalls=Stalls(input=96, output=96, seed=seed)),
        Trial(name="long pauses of both", stalls=Stalls(input=128, output=128, burst=8, seed=seed)),
        Trial(name="TLAST late", faults={0: simulation.LateLast(extra=int(random.integers(1, 9)))}),
        Trial(name="TLAST missing", faults={1: simulation.MissingLast()}),
        Trial(name="TKEEP wrong", faults={1: simulation.WrongKeep(beat=int(random.integers(input_beats)), keep=0)}),
        Trial(
            name="resets in mid-frame",
            stalls=Stalls(input=32, output=32, seed=seed),
            reset=Reset(cycle=int(random.integers(8, latency + 8)), count=2, period=latency + 13),
        ),
    ]
    if input_beats > 1:
        early = simulation.EarlyLast(beat=int(random.integers(input_beats - 1)))
        found.append(Trial(name="TLAST early", faults={1: early}))
        late = simulation.LateLast(extra=int(random.integers(1, 9)))
        both = Trial(name="TLAST early and late, pauses of both", faults={0: early, 2: late})
        found.append(Trial(name=both.name, faults=both.faults, stalls=Stalls(input=64, output=64, burst=4, seed=seed)))
    return found


def run_trials(layer: Layer, binary: Binary, frames: Frames, latency: int, seed: int) -> Iterator[TrialResult]:
    """Runs all trials of an engine, one after the other, and yields what each found.

    Parameters:
        layer: what the engine computes. binary: the engine, compiled.
        frames: (N, H, W, C) with at least four frames. latency: cycles of a frame. seed: of all choices.
    """
    beat_bytes = binary.design.input_beat_bytes
    zero_point = layer.spec.input_zero_point
    patience = 20 * latency + 10_000
    for trial in trials(-(-layer.spec.input_bytes // beat_bytes), latency, seed):
        feed = simulation.stimulus(frames, beat_bytes, faults=trial.faults, zero_point=zero_point)
        seen = np.asarray(feed.seen, frames.dtype)
        result = simulation.run(
            binary,
            feed,
            golden.run(layer, seen),
            stalls=trial.stalls,
            reset=trial.reset,
            watchdog=patience,
        )
        yield result_of(trial, result)


def result_of(trial: Trial, result: SimulationResult) -> TrialResult:
    """What a run of a trial found, in the words of people."""
    return trial_result(trial.name, result)


def trial_result(name: str, result: SimulationResult) -> TrialResult:
    """What a run found, in the words of people."""
    where = f": {result.first_mismatch}" if result.first_mismatch is not None else ""
    return TrialResult(
        name=name,
        passed=result.passed,
        problem=result.problem + where,
        outputs=result.outputs,
        mismatches=result.mismatches,
        cycles=result.cycles,
    )
