"""Runs the tests' checks on a changed engine until one notices."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from checked_engines import ENGINES, engine
from engine_checks import (
    PAUSES,
    Bench,
    check_double_faults,
    check_faults,
    check_free,
    check_long_pauses,
    check_random_faults,
    check_resets,
    check_tables,
    cycles_of,
)
from engines import engine_design
from test_engine_program import program

from hwconv.api import design_of
from hwconv.errors import ToolError
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Design

SEED = 20250614
"""Of random faults and resets: that of the tests."""
RESETS = 10
TIMEOUT = 600.0
"""Seconds of one run: a change may make a loop that never settles. What is stopped is not counted as noticed."""

UNDECIDED = ("the simulator ended early", "s of wall time")
"""What a run says that crashed, or was stopped: no check has noticed anything."""

CHECKS: tuple[tuple[str, Callable[[Bench], None]], ...] = (
    ("exact and as fast as predicted", check_free),
    ("long pauses of the sink", check_long_pauses),
    ("several faults in a frame", check_double_faults),
    ("damaged frames", lambda bench: check_faults(bench, None)),
    ("damaged frames, pauses", lambda bench: check_faults(bench, PAUSES[1])),
    ("damaged frame after frame", lambda bench: check_random_faults(bench, SEED)),
    ("tables", check_tables),
    ("resets", lambda bench: check_resets(bench, SEED, RESETS)),
)
"""What the default tests ask of each of these engines, quickest first."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a fault.

    Members:
        killed_by: the check that noticed it; empty if none did. said: its first words. seconds: what it took.
    """

    killed_by: str
    said: str
    seconds: float


def plan_named(name: str) -> EnginePlan:
    """An engine of the tests, or a program of theirs."""
    return engine(name) if name in ENGINES else program(name)


def judge(plan: EnginePlan, design: Design) -> Verdict:
    """Runs the checks on a design until one fails.

    Raises:
        ToolError: the design does not compile, or crashes or stops the simulator.
    """
    start = time.perf_counter()
    patience = 2_000 + 20 * max(cycles_of(plan))
    bench = Bench(plan=plan, design=design, watchdog=patience, timeout=TIMEOUT)
    for name, check in CHECKS:
        try:
            check(bench)
        except AssertionError as failed:
            said = next(iter(str(failed).splitlines()), "")
            if any(words in str(failed) for words in UNDECIDED):
                raise ToolError(f"a fault leaves the simulator without a verdict: {said}") from failed
            return Verdict(killed_by=name, said=said, seconds=time.perf_counter() - start)
    return Verdict(killed_by="", said="", seconds=time.perf_counter() - start)


@contextmanager
def own_cache() -> Iterator[None]:
    """Builds of changed engines are wanted once: they go to a folder that is thrown away."""
    before = os.environ.get("HWCONV_CACHE")
    with tempfile.TemporaryDirectory(prefix="hwconv-faults-") as folder:
        os.environ["HWCONV_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["HWCONV_CACHE"]
            if before is not None:
                os.environ["HWCONV_CACHE"] = before


@cache
def unchanged(plan: EnginePlan) -> Design:
    """The Verilog that the generator makes; with the carry chains of ECP5 where they multiply."""
    return design_of(plan, "ecp5") if plan.lut_multipliers else engine_design(plan)
