"""The synthesised netlist, cell by cell: the golden model's values at the predicted cycles, through pauses, damage and
resets. A netlist with one wrong bit in a look-up table is noticed.
"""

import functools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checked_graphs import graph_plan
from engines import MEASURED_FRAMES, check_exact, random_frames
from every_kind import KINDS as EVERY_KIND
from every_kind import engine_of, outputs_of
from graph_checks import check_free, check_trials
from random_engines import hostile_frames
from small_layer import write_small_layer

from hwconv import api, simulation
from hwconv.simulation import Design, EarlyLast, Fault, LateLast, MissingLast, Reset, Stalls, explain

pytestmark = pytest.mark.eda

# All but those that differ from one of these in nothing that synthesis sees.
KINDS = tuple(kind for kind in EVERY_KIND if kind not in ("exact_requantiser", "grouped", "winograd_line"))
every_kind = pytest.mark.parametrize("kind", KINDS)
# An inverter of the fabric: its table, and its name.
INVERTER = re.compile(r"\.INIT\(16'h(00ff)\)\n  \) \\core\.(address_generator|ledger|receiver)\.")


@functools.cache
def netlist(kind: str) -> Design:
    return api.netlist_of(engine_of(kind))


@every_kind
def test_a_netlist_is_exact_and_takes_the_predicted_cycles(kind: str) -> None:
    plan = engine_of(kind)
    frames = hostile_frames(np.random.default_rng(6), plan.spec, MEASURED_FRAMES)
    check_exact(plan, frames, outputs_of(plan, frames), "verilator", netlist(kind))


@every_kind
def test_a_netlist_takes_pauses_damage_and_resets(kind: str, seed: int) -> None:
    plan = engine_of(kind)
    random = np.random.default_rng([seed, len(kind)])
    faults: dict[int, Fault] = {3: LateLast(extra=3), 5: MissingLast()}
    if plan.spec.input_bytes > plan.input_beat_bytes:
        faults[1] = EarlyLast(beat=0)
    frames = random_frames(plan.spec, 9, random)
    feed = simulation.stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=plan.spec.input_zero_point)
    target = simulation.expected(
        outputs_of(plan, feed.seen), plan.output_beat_bytes, damaged=feed.damaged, comparable=feed.comparable
    )
    binary = simulation.build(netlist(kind), "verilator")
    for number in range(24):
        pauses = (int(each) for each in random.integers(160, size=2))
        stalls = Stalls(input=next(pauses), output=next(pauses), burst=number % 5, seed=number)
        cycle = int(random.integers(9, 3 * plan.cycles.latency))
        reset = Reset(cycle=cycle, length=1 + number % 3, count=2, period=cycle + 19) if number % 2 else None
        result = simulation.run(binary, feed, target, stalls=stalls, reset=reset, watchdog=20_000)
        assert result.passed, f"{stalls}, {reset}: {explain(result)}"


def test_the_netlist_of_enlarged_frames_is_exact_through_pauses_damage_and_resets() -> None:
    plan = graph_plan("woven")
    design = api.netlist_of(plan)
    check_free(plan, design)
    check_trials(plan, design)


def test_what_a_netlist_says_has_no_unknown_bit() -> None:
    """Icarus knows X, and starts multipliers and the registers of block RAM with it."""
    plan = engine_of("depthwise")
    frames = hostile_frames(np.random.default_rng(8), plan.spec, MEASURED_FRAMES)
    check_exact(plan, frames, outputs_of(plan, frames), "icarus", netlist("depthwise"))


@pytest.mark.parametrize("block", ["address_generator", "ledger", "receiver"])
def test_one_wrong_bit_in_a_look_up_table_is_noticed(block: str) -> None:
    """An inverter of a counter that is stuck, which every frame must show."""
    plan, right = engine_of("depthwise"), netlist("depthwise")
    name = f"{right.top}.v"
    text = right.files[name]
    table = next(each for each in INVERTER.finditer(text) if each[2] == block)
    stuck = text[: table.start(1)] + "00fe" + text[table.end(1) :]
    wrong = replace(right, files={**right.files, name: stuck})
    frames = random_frames(plan.spec, MEASURED_FRAMES, np.random.default_rng(9))
    outputs = outputs_of(plan, frames)
    result = simulation.run(simulation.build(wrong, "icarus"), frames, outputs, watchdog=500)
    assert not result.passed, table[0]
    assert result.status == "hang" or result.mismatches


def test_a_user_compares_the_netlist_of_a_layer(tmp_path: Path) -> None:
    layer = write_small_layer(tmp_path / "layer.npz")
    result = api.compare(layer, netlist=True, multipliers=4)
    assert result.exact
    assert (result.latency, result.interval) == (result.predicted_latency, result.predicted_interval)
    assert result.to_json()["netlist"] is True
    assert "the netlist of ECP5 cells" in result.describe()
