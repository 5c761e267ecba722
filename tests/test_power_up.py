"""Power-up and reset: an engine needs no reset after power-up, and where registers start unknown, one reset is enough.

Icarus in the default run: a register or memory without a value is X there, and the harness takes an X on READY, VALID,
TLAST, TKEEP, TUSER, `frame_error` or a value's bits for an error. Verilator with random bits: `make slow`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from engines import engine_design, random_frames
from every_kind import KINDS, engine_of, outputs_of

from hwconv import simulation
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Design, EarlyLast, Expected, LateLast, MissingLast, Reset, Stalls, Stimulus, explain

every_kind = pytest.mark.parametrize("kind", KINDS)
STALLED = Stalls(input=90, output=110, burst=3, seed=5)
_INITIAL = re.compile(r"^(\s*(?:\(\*[^\n]*\*\) )?reg (?:signed )?(?:\[[^]]+\] )?\w+) = [^;]+;", re.MULTILINE)


def traffic(plan: EnginePlan, random: np.random.Generator) -> tuple[Stimulus, Expected]:
    """A few frames, some of them damaged, and what must come out."""
    faults = {1: LateLast(extra=2), 3: MissingLast()}
    if plan.spec.input_bytes > plan.input_beat_bytes:
        faults[4 + 1] = EarlyLast(beat=0)
    frames = random_frames(plan.spec, 7, random)
    feed = simulation.stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=plan.spec.input_zero_point)
    outputs = outputs_of(plan, feed.seen)
    return feed, simulation.expected(outputs, plan.output_beat_bytes, damaged=feed.damaged, comparable=feed.comparable)


def without_initial_values(files: Mapping[str, str]) -> dict[str, str]:
    """The files with every register unknown at power-up."""
    return {name: _INITIAL.sub(r"\1;", text) if name.endswith(".v") else text for name, text in files.items()}


def unknown(design: Design) -> Design:
    return replace(design, files=without_initial_values(design.files))


@every_kind
@pytest.mark.parametrize("stalls", [None, STALLED], ids=["free", "stalled"])
def test_an_engine_needs_no_reset_after_power_up(kind: str, stalls: Stalls | None) -> None:
    plan = engine_of(kind)
    feed, target = traffic(plan, np.random.default_rng(3))
    binary = simulation.build(engine_design(plan), "icarus")
    result = simulation.run(binary, feed, target, stalls=stalls, power_up_reset=0, watchdog=20_000)
    assert result.passed, explain(result)
    assert min(frame.first_in for frame in result.frames if frame.first_in is not None) < 100


@every_kind
@pytest.mark.parametrize("cycles", [1, 2, 8])
def test_one_reset_is_enough_for_registers_that_start_unknown(kind: str, cycles: int) -> None:
    plan = engine_of(kind)
    design = engine_design(plan)
    assert sum(design.files[name] != text for name, text in without_initial_values(design.files).items()) >= 2
    feed, target = traffic(plan, np.random.default_rng(4))
    binary = simulation.build(unknown(design), "icarus")
    for stalls in (None, STALLED):
        result = simulation.run(binary, feed, target, stalls=stalls, power_up_reset=cycles, watchdog=20_000)
        assert result.passed, explain(result)


def test_registers_that_start_unknown_are_noticed_without_a_reset() -> None:
    """That the tests above can fail."""
    plan = engine_of("depthwise")
    feed, target = traffic(plan, np.random.default_rng(4))
    binary = simulation.build(unknown(engine_design(plan)), "icarus")
    result = simulation.run(binary, feed, target, power_up_reset=0, watchdog=500)
    assert not result.passed
    assert result.protocol_errors


@pytest.mark.slow
@every_kind
def test_registers_may_start_with_any_bits(kind: str, seed: int) -> None:
    """Verilator, where what has no initial value starts with random bits; resets in any cycle beside."""
    plan = engine_of(kind)
    random = np.random.default_rng([seed, len(kind)])
    feed, target = traffic(plan, random)
    designs = {cycles: design for cycles, design in ((0, engine_design(plan)), (1, unknown(engine_design(plan))))}
    for least, design in designs.items():
        binary = simulation.build(design, "verilator", random_initial=True)
        for number in range(20):
            cycle = int(random.integers(9, 3000))
            reset = Reset(cycle=cycle, length=1 + number % 3, count=2, period=cycle + 19) if number % 2 else None
            result = simulation.run(
                binary,
                feed,
                target,
                stalls=(None, STALLED)[number // 2 % 2],
                reset=reset,
                power_up_reset=least + number % 3,
                initial_seed=number + 1,
                watchdog=20_000,
            )
            assert result.passed, f"{reset}, start {number + 1}: {explain(result)}"
