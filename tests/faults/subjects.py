"""What faults are seeded in, and the checks of the default tests that each of them must pass unchanged."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import block_checks
import every_kind
import graph_checks
import loadable_checks
import loadable_engines
import loop_cases
import residual_cases
from checked_blocks import BLOCKS, block, block_design
from checked_engines import ENGINES, engine
from checked_graphs import GRAPHS, graph_plan
from engine_checks import (
    PAUSES,
    Bench,
    check_double_faults,
    check_extreme_tiles,
    check_faults,
    check_free,
    check_long_pauses,
    check_random_faults,
    check_requantisers,
    check_resets,
    check_tables,
    cycles_of,
)
from engines import engine_design
from test_engine_program import program

from hwconv.api import design_of
from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Design

SEED = 20250614
"""Of random faults and resets: that of the tests."""
RESETS = 10
TIMEOUT = 600.0
"""Seconds of one run: a change may make a loop that never settles. What is stopped is not counted as noticed."""
LOADED = "loaded_"
"""Before the names of engines whose weights are loaded, most of which other engines have as well."""

Check = Callable[[Design], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A sound design.

    Members:
        plan: what it should be. design: its Verilog.
        checks: what the default tests ask of it, by name, quickest first.
    """

    plan: BlockPlan
    design: Design
    checks: tuple[tuple[str, Check], ...]


_ENGINE: tuple[tuple[str, Callable[[Bench], object]], ...] = (
    ("exact and as fast as predicted", check_free),
    ("long pauses of the sink", check_long_pauses),
    ("several faults in a frame", check_double_faults),
    ("damaged frames", lambda bench: check_faults(bench, None)),
    ("damaged frames, pauses", lambda bench: check_faults(bench, PAUSES[1])),
    ("damaged frame after frame", lambda bench: check_random_faults(bench, SEED)),
    ("tables", check_tables),
    ("requantisers", check_requantisers),
    ("resets", lambda bench: check_resets(bench, SEED, RESETS)),
)


_TILED = (
    _ENGINE[0],
    ("extremes of every sum", check_extreme_tiles),
    *(each for each in _ENGINE[1:] if each[0] not in ("tables", "requantisers")),
)
"""Of Winograd engines: a test of their own reads the table."""


@cache
def subject(name: str) -> Subject:
    """A graph, a case of two engines in turns or of a program with additions, a stream block, an engine with loaded
    weights, or any other engine or program of the tests.
    """
    if name in GRAPHS:
        return _graph(graph_plan(name))
    if name in loop_cases.CASES or name in residual_cases.CASES:
        cases = loop_cases if name in loop_cases.CASES else residual_cases
        return _graph(
            cases.plan_of_case(name),
            ("resets", lambda plan, design: graph_checks.check_resets(plan, design, SEED)),
        )
    if name in BLOCKS:
        return _block(name)
    if name.startswith(LOADED):
        return _loaded(name.removeprefix(LOADED))
    if name in every_kind.KINDS and name.startswith("winograd"):
        return _engine(every_kind.engine_of(name), _TILED)
    return _engine(engine(name) if name in ENGINES else program(name))


def _engine(plan: EnginePlan, asked: tuple[tuple[str, Callable[[Bench], object]], ...] = _ENGINE) -> Subject:
    patience = 2_000 + 20 * max(cycles_of(plan))

    def on_bench(check: Callable[[Bench], object]) -> Check:
        return lambda design: check(Bench(plan=plan, design=design, watchdog=patience, timeout=TIMEOUT))

    # With the carry chains of ECP5 where they multiply.
    design = design_of(plan, "ecp5") if plan.lut_multipliers else engine_design(plan)
    checks = tuple((name, on_bench(check)) for name, check in asked)
    return Subject(plan=plan, design=design, checks=checks)


def _graph(plan: BlockPlan, *more: tuple[str, Callable[[BlockPlan, Design], object]]) -> Subject:
    checks = (
        ("exact and as fast as predicted", graph_checks.check_free),
        ("pauses", graph_checks.check_pauses),
        ("pauses, damaged frames and resets", graph_checks.check_trials),
        *more,
    )
    return Subject(
        plan=plan, design=design_of(plan), checks=tuple((name, partial(check, plan)) for name, check in checks)
    )


def _loaded(kind: str) -> Subject:
    checks = (
        ("two layers one after the other", loadable_checks.check_two_layers),
        ("damaged images", loadable_checks.check_damaged_images),
        ("frames wait for an image", loadable_checks.check_frames_wait),
        ("hostile layers", loadable_checks.check_hostile_layers),
        ("pauses, damaged frames and images", loadable_checks.check_trials),
        ("resets", loadable_checks.check_resets),
    )
    plan = loadable_engines.engine_of(kind)
    return Subject(
        plan=plan, design=engine_design(plan), checks=tuple((name, partial(check, kind)) for name, check in checks)
    )


def _block(name: str) -> Subject:
    checks: list[tuple[str, Check]] = [
        ("exact and as fast as predicted", lambda design: block_checks.check_free(name, design)),
        ("pauses", lambda design: block_checks.check_pauses(name, design)),
        ("damaged frames", lambda design: block_checks.check_faults(name, design)),
        ("damaged frame after frame", lambda design: block_checks.check_random_faults(name, SEED, design)),
        ("marked frames", lambda design: block_checks.check_marked(name, design)),
        ("resets", lambda design: block_checks.check_resets(name, SEED, design)),
    ]
    if block(name).kind == "dropout":
        checks.insert(1, ("parameters of each frame", lambda design: block_checks.check_parameters(name, design)))
    return Subject(plan=block(name).plan, design=block_design(name), checks=tuple(checks))
