"""Small dropout and statistics blocks, on which the tests do everything that can be done to a block."""

import functools

import numpy as np

from hwconv.api import design_of
from hwconv.blocks import Block, block_from_dict
from hwconv.simulation import (
    Design,
    EarlyLast,
    Fault,
    LateLast,
    MissingLast,
    Reset,
    SimulationResult,
    Simulator,
    Stalls,
    WrongKeep,
    build,
    explain,
    run,
)

# Beats that divide a block of four numbers, are a multiple of it, neither; partial last beats; frames of a beat.
BLOCKS = {
    "dropout_4": dict(kind="dropout", height=3, width=3, channels=5, beat_bytes=4, zero_point=-7, probability=0.3),
    "dropout_3": dict(kind="dropout", height=2, width=3, channels=5, beat_bytes=3, zero_point=127, probability=0.9),
    "dropout_6": dict(kind="dropout", height=3, width=5, channels=4, beat_bytes=6, stream=77, probability=0.5),
    "dropout_one": dict(kind="dropout", height=1, width=1, channels=1, beat_bytes=1, zero_point=5, probability=0.4),
    "dropout_short": dict(kind="dropout", height=1, width=1, channels=9, beat_bytes=16, probability=0.999),
    "moments": dict(kind="mc_statistics", height=2, width=3, channels=3, beat_bytes=4, passes=3, statistics="moments"),
    "variance": dict(kind="mc_statistics", height=2, width=3, channels=3, beat_bytes=2, passes=7, zero_point=-128),
    "variance_wide": dict(kind="mc_statistics", height=3, width=3, channels=5, beat_bytes=8, passes=2),
    "one_pass": dict(kind="mc_statistics", height=1, width=3, channels=3, beat_bytes=4, passes=1, zero_point=3),
    "one_value": dict(kind="mc_statistics", height=1, width=1, channels=1, beat_bytes=1, passes=5),
    "mc_dropout": dict(kind="mc_dropout", height=2, width=3, channels=5, beat_bytes=4, passes=3, zero_point=-7),
}

STALLED = Stalls(input=90, output=110, burst=4, seed=7)
PAUSES = (None, STALLED)


@functools.cache
def block(name: str) -> Block:
    return block_from_dict({"name": name, **BLOCKS[name]})


@functools.cache
def block_design(name: str):
    return design_of(block(name).plan)


def send(
    name: str,
    frames: np.ndarray,
    faults: dict[int, Fault] | None = None,
    *,
    before: tuple[int, ...] = (),
    stalls: Stalls | None = None,
    reset: Reset | None = None,
    simulator: Simulator = "icarus",
    initial_seed: int | None = None,
    design: Design | None = None,
) -> SimulationResult:
    """Sends frames through a block, or through other Verilog; every beat that comes out must be right."""
    feed, target, errors = block(name).send(frames, faults, before=before)
    binary = build(design or block_design(name), simulator, random_initial=initial_seed is not None)
    result = run(
        binary,
        feed,
        target,
        stalls=stalls,
        reset=reset,
        frame_errors=errors,
        watchdog=20_000,
        initial_seed=initial_seed,
    )
    assert result.passed, f"{name}: {explain(result)}"
    assert reset is not None or result.frame_errors == errors, f"{name}: {result.frame_errors} frame errors"
    return result


def beats_of(name: str) -> int:
    return -(-block(name).spec.elements // block(name).plan.input_beat_bytes)


def faults_of(name: str) -> list[Fault]:
    """Every kind of fault in the first beat, in the middle, before the end and in the last beat."""
    beats, lanes = beats_of(name), block(name).plan.input_beat_bytes
    full = (1 << lanes) - 1
    positions = sorted({0, beats // 2, beats - 2} & set(range(beats - 1)))
    faults: list[Fault] = [EarlyLast(beat=beat) for beat in positions]
    faults += [LateLast(extra=extra) for extra in (1, 2, beats, 3 * beats + 1)]
    faults.append(MissingLast())
    for beat in sorted({*positions, beats - 1}):
        right = full if beat < beats - 1 else (1 << (block(name).spec.elements - 1) % lanes + 1) - 1
        faults += [WrongKeep(beat=beat, keep=keep) for keep in sorted({0, full, full >> 1, full - 1} - {right})]
    return faults


def frames_with_faults(name: str, placed: dict[int, Fault], least: int, seed: int) -> np.ndarray:
    """Enough frames for whole results, beside those that a missing TLAST swallows; the last result has no fault."""
    swallowed = sum(isinstance(fault, MissingLast) for fault in placed.values())
    results = -(-max(least, max(placed, default=0) + 2) // block(name).plan.passes)
    return block(name).frames(results + 1, seed, more=swallowed)
