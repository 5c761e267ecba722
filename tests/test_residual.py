"""Programs with additions on the way back, against the golden models of their layers and sums."""

import functools
import re
from dataclasses import replace

import numpy as np
import pytest
from checked_graphs import addition
from graph_checks import check_free, check_pauses, check_resets, check_trials, patience
from loop_cases import lively_network
from random_engines import hostile_values
from residual_cases import CASES, Case, array, block, conv, graph_of, plan_of_case, random_case, residual_of

from hwconv.api import design_of
from hwconv.errors import SpecError, UnsupportedError
from hwconv.golden import graph as golden_graph
from hwconv.graph import Add, Graph
from hwconv.graphs import compare_graph
from hwconv.plan.add import NIBBLE, plan_additions
from hwconv.plan.graph_picture import draw_graph
from hwconv.plan.graph_plan import plan_graph
from hwconv.plan.partition import partitions_of
from hwconv.plan.residual import make_residual
from hwconv.plan.residual_config import Way
from hwconv.plan.residual_rows import residual_rows, steps_of
from hwconv.simulation import Stalls, build, explain, run

every_case = pytest.mark.parametrize("name", CASES)
QUICK = ("one_pixel", "beside_one_after_an_odd_row", "a_layer_in_the_shortcut_beside_one", "octets_and_sums")
"""Cases that take few cycles."""
plan_of = functools.cache(plan_of_case)
quick_cases = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in CASES]
)


@pytest.mark.sampled
@every_case
def test_every_tensor_is_exact_and_as_early_as_predicted(name):
    plan = plan_of(name)
    result = compare_graph(plan, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)
    seen = {each.name for each in result.tensors if each.values and not each.mismatches}
    assert seen == set(plan.graph.tensors)


@quick_cases
def test_pauses_of_source_and_sink_change_nothing(name):
    check_pauses(plan_of(name), design_of(plan_of(name)))


@quick_cases
def test_pauses_damaged_frames_and_resets_leave_whole_frames_right(name):
    if plan_of(name).graph.input_shape == (1, 1, 4):
        pytest.skip("a frame of one beat cannot be cut")
    check_trials(plan_of(name), design_of(plan_of(name)), "verilator")


@quick_cases
def test_a_program_starts_with_its_first_layer_after_a_reset_in_any_cycle(name, seed):
    check_resets(plan_of(name), design_of(plan_of(name)), seed, "verilator")


def test_the_cases_reach_the_corners_that_they_aim_at():
    programs = {name: residual_of(plan_of(name)) for name in CASES}
    kinds = {
        (program.config.addition.additions > 1, program.config.addition.terms[0].bits == NIBBLE)
        for program in programs.values()
    }
    assert kinds == {(several, lines) for several in (False, True) for lines in (False, True)}
    assert {step.exchanged for program in programs.values() for step in program.steps if step.add} == {False, True}
    assert {len(program.config.engine.received) % 2 for program in programs.values()} == {0, 1}
    last = [program.config.passes[-2].stays for program in programs.values()]
    assert set(last) == {False, True}  # the next frame comes while one is read once more, or not
    assert {program.padded_first is program.layers[0] for program in programs.values()} == {False, True}


def test_what_is_kept_fits_exactly():
    """With a beat less, the last one of a shortcut waits for what waits for it."""
    plan = plan_of("a_shortcut_past_two_layers")
    program = residual_of(plan)
    # 6 x 5 x 4 values, four a beat.
    assert program.config.kept_beats == 30
    name = plan.programs[0][-1]
    shorter = replace(program, config=replace(program.config, kept_beats=29))
    design = design_of(replace(plan, engines={**plan.engines, name: shorter}))
    frames = np.zeros((2, *plan.graph.input_shape), np.int8)
    result = run(build(design, "icarus"), frames, golden_graph.run(plan.network, frames), watchdog=patience(plan))
    assert not result.passed
    assert not result.outputs


def test_multipliers_of_look_up_tables_change_nothing():
    plan = plan_of("a_layer_in_the_shortcut")
    program = residual_of(plan)
    made = program.made_of(program.multipliers - 5, 0)
    assert made.lut_multipliers == program.multipliers - 5
    changed = replace(plan, engines={**plan.engines, plan.programs[0][-1]: made})
    check_free(changed, design_of(changed))


def check_random_row(seed: int, number: int) -> None:
    random = np.random.default_rng([seed, 77, number])
    plan = random_case(random)
    program = residual_of(plan)
    print(program.config.name, program.config.engine.pixels, program.config.engine.columns, plan.graph.to_json())
    design = design_of(plan)
    check_free(plan, design)
    frames = np.stack([hostile_values(random, plan.graph.input_shape, plan.graph.dtype) for _ in range(4)])
    right = golden_graph.run(plan.network, frames)
    stalls = Stalls(input=int(random.integers(200)), output=int(random.integers(200)), burst=int(random.integers(6)))
    result = run(build(design, "icarus"), frames, right, stalls=stalls, watchdog=patience(plan))
    assert result.passed, explain(result)


@pytest.mark.sampled
@pytest.mark.parametrize("number", range(20))
def test_a_random_row_computes_its_layers_and_sums(seed, number):
    check_random_row(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20, 120))
def test_many_random_rows_compute_their_layers_and_sums(seed, number):
    check_random_row(seed, number)


# Rows: what becomes of each result.


def resnet() -> tuple[Graph, list[str]]:
    return graph_of(CASES["three_blocks_of_a_resnet"], "resnet")


def test_rows_are_found_in_the_order_in_which_an_engine_computes_them():
    graph, names = resnet()
    (row,) = residual_rows(graph, lambda name: not isinstance(graph.node(name), Add))
    assert list(row) == names
    steps = steps_of(graph, row)
    assert [(step.layer, step.add, step.stays) for step in steps] == [
        ("layer_0", None, False),
        ("layer_1_0", None, False),
        ("layer_1_1", "sum_1", False),
        ("beside_2", None, True),
        ("layer_2_0", None, False),
        ("layer_2_1", "sum_2", False),
        ("beside_3", None, True),
        ("layer_3_0", None, False),
        ("layer_3_1", "sum_3", False),
    ]
    back, kept, both = Way(returns=True), Way(keeps=True), Way(returns=True, keeps=True)
    assert [step.way for step in steps] == [
        both,
        back,
        Way(adds=0, returns=True),
        kept,
        back,
        Way(adds=1, returns=True),
        kept,
        back,
        Way(adds=2),
    ]


def test_a_partition_has_one_engine_for_all_blocks_or_one_for_each_layer():
    graph, names = resnet()
    assert partitions_of(graph, "program") == [(tuple(names),)]
    assert partitions_of(graph, "engines") == [()]
    assert {(), (tuple(names),)} <= set(partitions_of(graph))


REFUSED = {
    "an order in which nothing comes": (
        ["layer_2_0", "layer_1_1", "sum_1"], "program = "),
    "an addition of what is not kept": (
        ["layer_1_0", "layer_1_1", "sum_1"], "sum_1: program = 'adds layer_0, layer_1_1' is not supported"),
    "the layer of a shortcut behind those beside it": (
        ["layer_0", "layer_1_0", "layer_1_1", "sum_1", "layer_2_0", "beside_2", "layer_2_1", "sum_2"],
        "program = "),
    "two additions in a row": (["layer_0", "layer_1_0", "layer_1_1", "sum_1", "sum_2"], "sum_2: program = 'Add'"),
    "a part whose tensor is read outside": (["layer_0", "layer_1_0"], "program = "),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_rows_that_no_engine_computes_are_refused_by_name(name):
    names, said = REFUSED[name]
    graph, _ = resnet()
    with pytest.raises(UnsupportedError) as caught:
        plan_graph(lively_network(graph, np.random.default_rng(1)), programs=[names])
    assert said in str(caught.value)


def test_a_row_in_which_nothing_comes_back_is_refused_and_not_tried():
    sides = {"stride": (2, 2)}
    case = Case(
        shape=(4, 4, 4), row=(block(conv(8, **sides), shortcut=conv(8, 1, **sides)),), array=array(1, 1, 1, 1, 1)
    )
    graph, names = graph_of(case, "two_readers")
    with pytest.raises(UnsupportedError, match="sum_0: program = 'all layers read what comes in' is not supported"):
        plan_graph(lively_network(graph, np.random.default_rng(1)), programs=[names])
    assert all(not programs for programs in partitions_of(graph))


def test_other_nodes_and_names_that_occur_twice_are_refused():
    graph, names = resnet()
    network = lively_network(graph, np.random.default_rng(1))
    with pytest.raises(SpecError, match="that is in no other program"):
        plan_graph(network, programs=[names, names[-2:]])
    with pytest.raises(SpecError, match="from 1 to 4096"):
        make_residual(network, names, multipliers=0)


def test_an_engine_with_additions_is_only_there_as_a_part_of_a_graph():
    with pytest.raises(UnsupportedError, match="plan_graph"):
        design_of(residual_of(plan_of("one_pixel")))


# What users see.


def test_a_plan_says_what_each_layer_takes_and_where_its_results_go():
    plan = plan_of("three_blocks_of_a_resnet")
    layers = residual_of(plan).summary()["layers"]
    assert [layer.get("addition") for layer in layers if "addition" in layer] == ["sum_1", "sum_2", "sum_3"]
    assert [layer["layer"] for layer in layers if layer.get("keeps")] == ["layer_0", "beside_2", "beside_3"]
    assert sum(layer["macs"] for layer in layers) == plan.graph.macs  # zeros of the padding are not counted
    said = "One engine computes layers and sums, one after the other: layer_0, layer_1_0, layer_1_1, sum_1, beside_2,"
    assert said in " ".join(design_of(plan).files[f"{plan.top_name}.v"][:5000].replace("//", "").split())


def test_a_picture_says_that_a_sum_is_the_end_of_a_program():
    said = re.findall(r">([^<>]+)</text>", draw_graph(plan_of("three_blocks_of_a_resnet")))
    cycles = residual_of(plan_of("three_blocks_of_a_resnet")).cycles.interval
    assert said[said.index("sum_3") + 1 :][:3] == ["sum", "2 x 2 x 16", f"program on array 8 x 8, {cycles:,} cycles"]
    assert said.count("in sum_3") == 11


# Additions by turns.


def test_one_block_adds_with_each_set_of_constants_in_turn():
    """Every pair of bytes, through the tables that the hardware has."""
    scales = ((0.037, 0.051, 0.06), (0.02, 0.07, 0.05), (0.4, 0.41, 0.3))
    specs = [addition(f"sum_{index}", (1, 1, 4), each, (3, -7, 11)) for index, each in enumerate(scales)]
    config = plan_additions("together", specs, beat_bytes=4, exchanged=[False, True, False])
    assert config.additions == 3
    from hwconv.golden.add import operand, output
    from hwconv.plan.requantise import evaluate

    values = np.arange(-128, 128)
    a, b = (each.reshape(-1) for each in np.meshgrid(values, values))
    for index, spec in enumerate(specs):
        first, second = (b, a) if index == 1 else (a, b)
        right = output(spec, operand(spec, 0, first) + operand(spec, 1, second))
        totals = np.zeros(len(a), np.int64)
        for term in config.terms:
            bits = ((a, b)[term.operand] & 255) >> term.low & (1 << term.bits) - 1
            totals += np.array(term.words)[(index << term.bits) + bits]
        entry = config.requantiser.entries[index]
        assert np.array_equal(evaluate(config.requantiser, entry, totals), right)
