"""A million cycles of random pauses, damaged frames and resets for every kind of engine: no hang, no wrong frame.

``pytest -m slow tests/test_soak.py``. Runs in Verilator, where what has no initial value starts with random bits. Each
run is a function of ``HWCONV_SEED`` and its number, both of which a failure shows.
"""

import numpy as np
import pytest
from engines import engine_design, random_frames
from every_kind import KINDS, engine_of, outputs_of

from hwconv import simulation
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import EarlyLast, Fault, LateLast, MissingLast, Reset, Stalls, WrongKeep, explain

CYCLES = 1_000_000
MOST_BEATS = 40_000  # of a run: what the harness's memories hold without another build, with beats that are too late
WATCHDOG = 20_000

pytestmark = pytest.mark.slow


def beats_of(plan: EnginePlan) -> int:
    return -(-plan.spec.input_bytes // plan.input_beat_bytes)


def random_faults(plan: EnginePlan, count: int, random: np.random.Generator) -> dict[int, Fault]:
    """Damages every third frame or so, frames in a row included."""
    beats, lanes = beats_of(plan), plan.input_beat_bytes
    faults: dict[int, Fault] = {}
    for index in np.flatnonzero(random.random(count - 1) < 0.3).tolist():
        kind = random.integers(4)
        if kind == 0 and beats == 1:  # the only beat is the last one: there is no earlier
            kind = random.integers(1, 4)
        if kind == 0:
            faults[index] = EarlyLast(beat=int(random.integers(beats - 1)))
        elif kind == 1:
            faults[index] = LateLast(extra=int(random.integers(1, 12)))
        elif kind == 2:
            faults[index] = MissingLast()
        else:
            beat = int(random.integers(max(1, beats - 1)))
            faults[index] = WrongKeep(beat=beat, keep=int(random.integers((1 << lanes) - 1)))
    return faults


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_runs_a_million_cycles_of_everything(kind: str, seed: int) -> None:
    plan = engine_of(kind)
    binary = simulation.build(engine_design(plan), "verilator", random_initial=True)
    cycles = frames_sent = resets = damaged = number = 0
    while cycles < CYCLES:
        random = np.random.default_rng([seed, len(kind), number])
        count = min(200, MOST_BEATS // (beats_of(plan) + 12))
        frames = random_frames(plan.spec, count, random)
        faults = random_faults(plan, count, random)
        feed = simulation.stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=plan.spec.input_zero_point)
        target = simulation.expected(
            outputs_of(plan, feed.seen), plan.output_beat_bytes, damaged=feed.damaged, comparable=feed.comparable
        )
        stalls = Stalls(
            input=int(random.integers(180)),
            output=int(random.integers(180)),
            burst=int(random.integers(9)),
            seed=number + 1,
        )
        reset = None  # every second run: without resets, the pulses of frame_error are counted as well
        if number % 2:
            reset = Reset(
                cycle=int(random.integers(9, 4000)),
                length=int(random.choice([1, 1, 2, 3, 17])),
                count=int(random.integers(5, 40)),
                period=int(random.integers(20, 5000)),
                # A sequence begins anew after a reset: its frames are those from the first one on.
                frame=0 if plan.spec.streaming else int(random.integers(len(feed.seen) // 2)),
            )
        result = simulation.run(
            binary, feed, target, stalls=stalls, reset=reset, watchdog=WATCHDOG, initial_seed=number + 1
        )
        assert result.passed, f"run {number}, {stalls}, {reset}: {explain(result)}"
        cycles += result.cycles
        frames_sent += sum(frame.last_out is not None for frame in result.frames)
        resets += 0 if reset is None else reset.count
        damaged += sum(feed.damaged)
        number += 1
    print(f"{kind}: {number} runs, {cycles} cycles, {frames_sent} frames, {damaged} damaged, {resets} resets")
    assert cycles >= CYCLES
    assert damaged > 100
    assert resets >= 5
