"""Damaged frames and resets: an engine completes or cuts what is damaged, says so, and the frames after it are right.

Icarus in the default run; ``pytest -m slow tests/test_engine_faults.py`` repeats it in Verilator, where registers that
no reset sets start with random bits.
"""

import functools
from collections.abc import Iterator

import numpy as np
import pytest
from engines import check_exact, engine_design, plan_of, random_frames
from random_engines import random_layer

from hwconv import golden
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import (
    EarlyLast,
    Fault,
    LateLast,
    MissingLast,
    Reset,
    SimulationResult,
    Simulator,
    Stalls,
    Stimulus,
    WrongKeep,
    build,
    expected,
    explain,
    run,
    stimulus,
)
from hwconv.spec import ConvSpec

STALLED = Stalls(input=90, output=110, burst=4, seed=7)
PAUSES = (None, STALLED)
both_paces = pytest.mark.parametrize("stalls", PAUSES, ids=["free", "stalled"])

# Name: spec, multipliers, input beat. Words are 4, 1 and 3 bytes; beats wider, narrower, and of no common divisor.
ENGINES = {
    "narrow_beats": (dict(height=5, width=4, in_channels=8, out_channels=4, kernel=(2, 3), padding="same"), 40, 2),
    "wide_beats": (dict(height=4, width=5, in_channels=4, out_channels=5, kernel=(2, 3), stride=(1, 2)), 8, 12),
    "odd_beats": (dict(height=5, width=4, in_channels=6, out_channels=4, kernel=(3, 2), padding="same"), 8, 4),
    "few_channels": (dict(height=7, width=5, in_channels=3, out_channels=8, kernel=(3, 3), stride=(2, 2)), 16, 5),
    "depthwise": (dict(height=5, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3)), 12, 4),
    "depthwise_multiplier": (dict(height=4, width=5, in_channels=3, out_channels=6, groups=3, kernel=(2, 2)), 6, 1),
    "single_beat_frames": (dict(height=1, width=1, in_channels=9, out_channels=7, kernel=(1, 1)), 4, 12),
}  # fmt: skip
every_engine = pytest.mark.parametrize("name", ENGINES)


@functools.cache
def engine(name: str) -> EnginePlan:
    fields, multipliers, beat = ENGINES[name]
    spec = ConvSpec(name=name, input_zero_point=-5, output_zero_point=9, **fields)
    layer = random_layer(np.random.default_rng(3), spec)
    return plan_of(layer, multipliers=multipliers, input_beat_bytes=beat)


def beats_of(plan: EnginePlan) -> int:
    return -(-plan.spec.input_bytes // plan.input_beat_bytes)


def faults_of(plan: EnginePlan) -> Iterator[Fault]:
    """Every kind of fault in the first beat, somewhere inside, in the last row and in the last beat."""
    beats, lanes = beats_of(plan), plan.input_beat_bytes
    last_row = beats - -(-beats // plan.spec.height)
    full = (1 << lanes) - 1
    positions = sorted({0, beats // 2, last_row, beats - 2} & set(range(beats - 1)))
    yield from (EarlyLast(beat=beat) for beat in positions)
    yield from (LateLast(extra=extra) for extra in (1, 2, beats, 3 * beats + 1))
    yield MissingLast()
    for beat in sorted({*positions, beats - 1}):
        right = full if beat < beats - 1 else (1 << (plan.spec.input_bytes - 1) % lanes + 1) - 1
        yield from (WrongKeep(beat=beat, keep=keep) for keep in {0, full, full >> 1, full - 1} - {right})


def send(plan: EnginePlan, feed: Stimulus, simulator: Simulator, **options: object) -> SimulationResult:
    layer, seeded = plan.layer, "initial_seed" in options
    target = expected(
        golden.run(layer, feed.seen.astype(np.int8)),
        plan.output_beat_bytes,
        damaged=feed.damaged,
        comparable=feed.comparable,
    )
    binary = build(engine_design(plan), simulator, random_initial=seeded)
    return run(binary, feed, target, watchdog=20_000, **options)  # type: ignore[arg-type]


def check_faults(name: str, simulator: Simulator, stalls: Stalls | None, **options: object) -> None:
    """Damages every second frame, so that each fault is followed by a frame that must be right."""
    plan = engine(name)
    faults = list(faults_of(plan))
    random = np.random.default_rng(11)
    frames = random_frames(plan.spec, 2 * len(faults) + 2, random)
    placed: dict[int, Fault] = {2 * index + 1: fault for index, fault in enumerate(faults)}
    feed = stimulus(frames, plan.input_beat_bytes, faults=placed, zero_point=plan.spec.input_zero_point)
    result = send(plan, feed, simulator, stalls=stalls, **options)
    assert result.passed, explain(result)
    assert result.frame_errors == sum(feed.damaged) == len(faults)
    print(f"{name}: {len(faults)} faults told, {result.outputs} outputs exact")


@every_engine
@both_paces
def test_every_damaged_frame_is_told_and_the_next_is_right(name, stalls):
    check_faults(name, "icarus", stalls)


@every_engine
def test_faults_in_frame_after_frame_are_told_each(name, seed):
    check_random_faults(name, "icarus", seed)


def check_random_faults(name: str, simulator: Simulator, seed: int, **options: object) -> None:
    plan = engine(name)
    random = np.random.default_rng([seed, len(name)])
    faults = list(faults_of(plan))
    count = 24
    placed = {index: faults[random.integers(len(faults))] for index in range(count - 1) if random.random() < 0.7}
    frames = random_frames(plan.spec, count, random)
    feed = stimulus(frames, plan.input_beat_bytes, faults=placed, zero_point=plan.spec.input_zero_point)
    for stalls in PAUSES:
        result = send(plan, feed, simulator, stalls=stalls, **options)
        assert result.passed, explain(result)
        assert result.frame_errors == sum(feed.damaged)


def resets_of(plan: EnginePlan, random: np.random.Generator, count: int) -> Iterator[tuple[Reset, Stalls | None]]:
    """Resets in any cycle of the first frames, single and several, one cycle long and longer, some while the engine is
    still clearing itself after the one before."""
    cycles = plan.cycles
    latest = 20 + cycles.latency + 2 * cycles.interval
    for index in range(count):
        reset = Reset(
            cycle=int(random.integers(9, latest)),
            length=int(random.choice([1, 1, 2, 3, 17])),
            count=int(random.integers(1, 4)),
            period=int(random.choice([18, 25, 60, cycles.latency + 31])),
            frame=int(random.integers(0, 3)),
        )
        yield reset, PAUSES[index % len(PAUSES)]


def check_resets(name: str, simulator: Simulator, seed: int, count: int, **options: object) -> None:
    """After each reset both sides start again, in the middle of whatever was going on, damaged frames included."""
    plan = engine(name)
    random = np.random.default_rng([seed, 5, len(name)])
    frames = random_frames(plan.spec, 8, random)
    faults: dict[int, Fault] = {1: LateLast(extra=4), 4: MissingLast()}
    if beats_of(plan) > 1:
        faults[3] = EarlyLast(beat=0)
    feed = stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=plan.spec.input_zero_point)
    for number, (reset, stalls) in enumerate(resets_of(plan, random, count)):
        seeds = {"initial_seed": number + 1} if options else {}
        result = send(plan, feed, simulator, stalls=stalls, reset=reset, **seeds)
        assert result.passed, f"{reset}, {stalls}: {explain(result)}"


@every_engine
def test_an_engine_starts_again_after_a_reset_in_any_cycle(name, seed):
    check_resets(name, "icarus", seed, 10)


def test_an_undamaged_engine_is_exact_and_as_fast_as_predicted():
    for name in ENGINES:
        plan = engine(name)
        frames = random_frames(plan.spec, 4, np.random.default_rng(1))
        check_exact(plan, frames, golden.run(plan.layer, frames))


@pytest.mark.slow
@every_engine
def test_faults_and_resets_in_verilator_with_random_registers(name, seed):
    for stalls in PAUSES:
        check_faults(name, "verilator", stalls, initial_seed=seed % 1000 + 1)
    check_random_faults(name, "verilator", seed, initial_seed=seed % 1000 + 2)
    check_resets(name, "verilator", seed, 40, initial_seed=True)
