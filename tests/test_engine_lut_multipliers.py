"""Engines with multipliers of look-up tables: none, some and all of them, exact and as fast as with hard ones."""

import re

import numpy as np
import pytest
from engines import MEASURED_FRAMES, check_exact, describe, engine_design, plan_of
from every_kind import engine_of, outputs_of
from random_engines import exact_requantisers, hostile_frames

from hwconv.api import design_of
from hwconv.emit.package import engine_files
from hwconv.errors import SpecError
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.program import make_program
from hwconv.simulation import build, explain, run

KINDS = ("dense", "grouped", "depthwise", "transposed", "uint8", "int16", "packed")


def with_luts(kind: str, count: int) -> EnginePlan:
    """The engine of a kind with so many multipliers of look-up tables."""
    plan = engine_of(kind)
    with exact_requantisers(kind == "uint8"):
        same = plan_of(plan.layer, plan.folding, lut_multipliers=count)
    assert same.lut_multipliers == count
    return same


def elements(plan: EnginePlan) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Row and lane of each hard multiplier of the array, and of each of look-up tables, as the Verilog has them."""
    text = engine_files(plan)[f"{plan.top_name}.v"]
    array = text[text.index(f"module {plan.top_name}_array(") :]
    array = array[: array.index("\nendmodule")]
    found = re.findall(r"\b(lut_pe|pe|pair)_(\d+)_(\d+)(?:_low)? \(", array)
    hard = {(int(row), int(lane)) for name, row, lane in found if name != "lut_pe"}
    return hard, {(int(row), int(lane)) for name, row, lane in found if name == "lut_pe"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", ["some", "all"])
def test_an_engine_is_exact_at_the_cycles_of_one_with_hard_multipliers(kind: str, share: str) -> None:
    multipliers = engine_of(kind).multipliers
    plan = with_luts(kind, multipliers if share == "all" else multipliers // 2 + 1)
    assert plan.cycles == engine_of(kind).cycles
    frames = hostile_frames(np.random.default_rng(14), plan.spec, MEASURED_FRAMES)
    check_exact(plan, frames, outputs_of(plan, frames))


@pytest.mark.parametrize("kind", [pytest.param("dense", marks=pytest.mark.slow), "depthwise"])
def test_the_carry_chains_are_exact_in_an_engine(kind: str) -> None:
    """The ECP5 vendor blocks, on the models of its fabric."""
    plan = with_luts(kind, engine_of(kind).multipliers - 3)
    frames = hostile_frames(np.random.default_rng(15), plan.spec, MEASURED_FRAMES)
    check_exact(plan, frames, outputs_of(plan, frames), "verilator", design_of(plan, "ecp5"))


@pytest.mark.parametrize("kind", ["dense", "depthwise", "packed"])
def test_the_last_elements_are_the_ones_of_look_up_tables(kind: str) -> None:
    plan = engine_of(kind)
    lanes = plan.config.weight_lanes
    for count in (0, 1, lanes, plan.multipliers):
        hard, luts = elements(with_luts(kind, count))
        order = [(row, lane) for row in range(plan.config.pixels) for lane in range(lanes)]
        assert hard == set(order[: plan.multipliers - count]), describe(plan)
        assert luts == set(order[plan.multipliers - count :])


def test_an_engine_brings_the_block_only_where_it_has_one() -> None:
    assert "hwconv_lut_mult.v" not in engine_files(engine_of("dense"), "ecp5")
    assert "hwconv_lut_mult.v" in engine_files(with_luts("dense", 1), "ecp5")
    without = with_luts("dense", 0)
    assert engine_files(without) == engine_files(engine_of("dense"))
    assert engine_design(without).files == engine_design(engine_of("dense")).files


def test_hard_multipliers_are_taken_first() -> None:
    layer = engine_of("dense").layer
    asked = 17  # of which the array has 16
    plan = make_plan(layer, multipliers=asked, lut_multipliers=5)
    assert (plan.multipliers, plan.hard_multipliers, plan.lut_multipliers) == (16, 12, 4)
    summary = plan.summary()
    assert (summary["multipliers"], summary["lut_multipliers"]) == (16, 4)


@pytest.mark.parametrize("count", [-1, 9])
def test_more_than_there_are_multipliers_is_refused(count: int) -> None:
    with pytest.raises(SpecError, match=f"lut_multipliers to be from 0 to 8.*not {count}"):
        make_plan(engine_of("dense").layer, multipliers=8, lut_multipliers=count)


def test_a_program_runs_on_an_array_of_both_kinds() -> None:
    hard = engine_of("program")
    plan = make_program(list(hard.layers), name="program", multipliers=12, lut_multipliers=5)
    assert plan.lut_multipliers == 5 - (12 - plan.multipliers)
    frames = hostile_frames(np.random.default_rng(16), plan.spec, MEASURED_FRAMES)
    result = run(build(engine_design(plan), "icarus"), frames, outputs_of(plan, frames))
    assert result.passed, explain(result)
