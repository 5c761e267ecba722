"""Graphs of engines: exact, at the predicted cycles, whatever source and sink do, with queues that are deep enough."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checked_graphs import GRAPHS, addition, convolution, graph_plan, network_of, skip
from graph_checks import check_free, check_pauses, check_trials, random_frames
from winograd_engines import winograd_case

from hwconv import graphs, simulation
from hwconv.api import design_of
from hwconv.errors import SpecError, UnsupportedError
from hwconv.golden import graph as golden_graph
from hwconv.golden import pool as golden_pool
from hwconv.graph import Add, Concat, Conv, Graph, Pool, Upscale
from hwconv.plan.graph_engines import streams_of
from hwconv.plan.graph_explain import replacements
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.plan.graph_schedule import Deadlock
from hwconv.plan.pool import plan_pool
from hwconv.plan.queue_depths import QueueDepths
from hwconv.plan.schedule import EngineSchedule, spaced
from hwconv.plan.schedules import schedule_of
from hwconv.plan.winograd import WinogradPlan
from hwconv.plan.winograd_schedule import WinogradSchedule
from hwconv.pool import PoolSpec
from hwconv.simulation import Stalls
from hwconv.spec import dtype_range
from hwconv.upscale import UpscaleSpec

PAGE = (Path(__file__).parent.parent / "docs" / "graphs.md").read_text(encoding="utf-8")
EXAMPLES = ("separable", "inception", "pyramid", "factorised")


def write_example(name: str, folder: Path) -> Path:
    """One of the descriptions on docs/graphs.md, as a file."""
    text = PAGE.split(f"# {name}.toml\n")[1].split("```")[0]
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def run(plan: GraphPlan, frames: np.ndarray, **options) -> simulation.SimulationResult:
    binary = simulation.build(design_of(plan), options.pop("simulator", "icarus"))
    return simulation.run(binary, frames, golden_graph.run(plan.network, frames), **options)


def check(plan: GraphPlan) -> None:
    check_free(plan, design_of(plan))


# Pooling engines.

POOLS = {
    "max_border": (dict(kind="max", height=5, width=6, channels=4, kernel=(3, 3), stride=(1, 1), padding="same"), 4),
    "average_border": (
        dict(kind="average", height=5, width=6, channels=4, kernel=(3, 3), stride=(1, 1), padding="same"), 4,
    ),
    "average_wide": (
        dict(kind="average", height=6, width=5, channels=20, kernel=(2, 3), stride=(1, 1), padding=(1, 0, 2, 1)), 20,
    ),
    "average_whole": (dict(kind="average", height=7, width=7, channels=8, kernel=(7, 7)), 4),
    "average_large": (dict(kind="average", height=25, width=24, channels=2, kernel=(24, 24), stride=(1, 1)), 2),
    "max_one_channel": (
        dict(kind="max", height=7, width=6, channels=1, kernel=(3, 2), stride=(2, 2), padding="same",
             activation_min=-20, activation_max=90), 2,
    ),
    "mean_whole": (
        dict(kind="mean", height=5, width=7, channels=8, kernel=(5, 7), input_zero_point=-9, output_zero_point=31,
             **dict(zip(("multiplier", "shift"), golden_pool.mean_multiplier(1.7, 35), strict=True))), 4,
    ),
    "mean_of_rows": (
        dict(kind="mean", height=4, width=6, channels=6, kernel=(1, 6), input_zero_point=3, output_zero_point=3,
             **dict(zip(("multiplier", "shift"), golden_pool.mean_multiplier(1.0, 6), strict=True))), 2,
    ),
    "mean_scaled_up": (  # 40 steps for each of the input's: the multiplier has a left shift
        dict(kind="mean", height=3, width=1, channels=3, kernel=(3, 1), input_zero_point=2, output_zero_point=-5,
             **dict(zip(("multiplier", "shift"), golden_pool.mean_multiplier(40.0, 3), strict=True))), 3,
    ),
    "average_pairs": (dict(kind="average", height=4, width=6, channels=3, kernel=(2, 2), activation_min=-7), 9),
}  # fmt: skip


OF_TYPE = ("activation_min", "activation_max", "input_zero_point", "output_zero_point")
"""Fields whose values are of the type, as int8 has them."""


@pytest.mark.sampled
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
@pytest.mark.parametrize("name", POOLS)
def test_pooling_engines_are_exact_and_as_fast_as_predicted(name, dtype):
    fields, lanes = POOLS[name]
    low, high = dtype_range(dtype)
    moved = {key: value + 128 * (dtype == "uint8") for key, value in fields.items() if key in OF_TYPE}
    spec = PoolSpec(name=name, dtype=dtype, **{**fields, **moved})
    plan, random = plan_pool(spec, lanes=lanes), np.random.default_rng(7)
    x = random.integers(low, high + 1, (4, *spec.input_shape)).astype(dtype)
    x[1], x[2] = low, high
    middle = (low + high + 1) // 2
    x[3] = random.integers(middle - 2, middle + 3, spec.input_shape)  # many ties
    result = simulation.run(simulation.build(design_of(plan), "icarus"), x, golden_pool.run(spec, x))
    assert result.passed, simulation.explain(result)
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)


# The three blocks, as the page has them.


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_the_page_are_exact_and_as_fast_as_predicted(name, tmp_path):
    plan = graphs.plan_file(write_example(name, tmp_path))
    result = graphs.compare_graph(plan, simulator="verilator" if name == "separable" else "icarus")
    assert not result.failure, result.describe()
    assert result.outputs == 4 * np.prod(plan.graph.output_shape)


def test_the_worked_example_is_what_the_page_says(tmp_path):
    plan = graphs.plan_file(write_example("separable", tmp_path))
    assert plan.graph.input_shape == (100, 100, 16)
    assert plan.graph.output_shape == (98, 98, 32)
    (pair,) = replacements(plan.graph)
    assert (pair.weights, pair.dense_weights) == (3 * 3 * 16 + 16 * 32, 3 * 3 * 16 * 32) == (656, 4608)
    assert (pair.macs, pair.dense_macs) == (98 * 98 * 656, 98 * 98 * 4608) == (6_300_224, 44_255_232)
    assert plan.graph.weights == 656
    for figure in ("656", "4,608", "6,300,224", "44,255,232", "98 x 98 x 32"):
        assert figure in PAGE


def test_a_row_and_a_column_stand_for_a_square_kernel(tmp_path):
    (pair,) = replacements(graphs.plan_file(write_example("factorised", tmp_path)).graph)
    assert (pair.weights, pair.dense_weights) == (2 * 7 * 16, 49 * 16)
    assert pair.macs == 10 * 12 * 2 * 7 * 16


# Whatever source and sink do.


@pytest.mark.parametrize("name", ["skip", "pyramid", "octets", "words", "mixed"])
def test_pauses_damaged_frames_and_resets(name, tmp_path):
    if name in GRAPHS:
        plan = plan_graph(network_of(skip(5, 4))) if name == "skip" else graph_plan(name)
    else:
        plan = graphs.plan_file(write_example(name, tmp_path))
    simulator = "icarus" if name == "skip" else "verilator"  # the long runs of large graphs
    check_trials(plan, design_of(plan), simulator)


@pytest.mark.sampled
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_of_every_kind_of_node_are_exact_with_and_without_pauses(name):
    check(graph_plan(name))
    check_pauses(graph_plan(name), design_of(graph_plan(name)))


def test_single_beat_frames_go_through_a_graph():
    first = convolution("first", (1, 1, 4), 8)
    pooled = PoolSpec(name="pooled", kind="average", height=1, width=1, channels=8, kernel=(1, 1))
    graph = Graph(
        height=1, width=1, channels=4, zero_point=3,
        nodes=(Conv(input="input", spec=first), Pool(input="first", spec=pooled),
               Concat(name="both", inputs=("pooled", "first")),
               Conv(input="both", spec=convolution("last", (1, 1, 16), 3))),
    )  # fmt: skip
    plan = plan_graph(network_of(graph))
    check(plan)
    result = run(plan, random_frames(graph, 40), stalls=Stalls(input=90, output=90, seed=5))
    assert result.passed, simulation.explain(result)


@pytest.mark.parametrize(("algorithm", "height"), [("winograd4", 10), ("winograd2", 7)])
def test_winograd_engines_stand_beside_others(algorithm, height):
    """Behind an engine, before an addition with what it reads, and twice in a row."""
    shape = (height, 9, 4)
    first, second = (convolution(name, shape, 4, (3, 3), padding="same") for name in ("first", "second"))
    last = convolution("last", shape, 6, (3, 3))
    graph = Graph(
        name="tiles", height=height, width=9, channels=4, zero_point=3,
        nodes=(Conv(input="input", spec=first), Conv(input="first", spec=second),
               Add(inputs=("second", "first"), spec=addition("sum", shape, (0.04, 0.05, 0.06))),
               Conv(input="sum", spec=last)),
    )  # fmt: skip
    plan = plan_graph(network_of(graph), multipliers=108, algorithms={"second": algorithm, "last": algorithm})
    assert [type(plan.engines[name]) for name in ("second", "last")] == [WinogradPlan] * 2
    check(plan)
    result = run(plan, random_frames(graph, 6), stalls=Stalls(input=90, output=120, seed=5))
    assert result.passed, simulation.explain(result)


def test_an_algorithm_for_what_is_no_convolution_is_refused():
    with pytest.raises(SpecError, match="algorithms to be a convolution: around"):
        plan_graph(network_of(skip()), algorithms={"both": "winograd4"})


# Queues.


def with_depths(plan: GraphPlan, depths) -> GraphPlan:
    """The same graph with other queues, and what the analysis says of it."""
    schedule = streams_of(plan.graph, plan.engines, plan.beats).schedule(depths, plan.settled)
    return replace(plan, queues=QueueDepths(depths=dict(depths), schedule=schedule))


def test_one_beat_less_stalls_and_the_analysis_knows_by_how_much():
    plan = plan_graph(network_of(skip()))
    branch = ("both", 0)
    assert plan.depths[branch] == 46
    assert "whose queue is 46 beats deep" in PAGE
    check(plan)
    shorter = with_depths(plan, {**plan.depths, branch: 45})
    assert (plan.cycles.interval, shorter.cycles.interval) == (108, 117)
    check(shorter)
    check(with_depths(plan, {**plan.depths, branch: 30}))


def test_the_analysis_finds_the_depth_at_which_a_graph_stands_still():
    plan = plan_graph(network_of(skip()))
    barely = with_depths(plan, {**plan.depths, ("both", 0): 18})
    assert barely.cycles.interval == 307
    check(barely)
    result = run(barely, random_frames(plan.graph, 4), stalls=Stalls(input=100, output=100, burst=6, seed=2))
    assert result.passed, simulation.explain(result)
    too_short = {**plan.depths, ("both", 0): 17}
    with pytest.raises(Deadlock):
        with_depths(plan, too_short)
    stuck = replace(plan, queues=QueueDepths(depths=too_short, schedule=plan.queues.schedule))
    result = run(stuck, random_frames(plan.graph, 4), watchdog=3000)
    assert not result.passed
    assert "no progress" in result.problem


@pytest.mark.parametrize("name", ["inception", "pyramid"])
def test_every_queue_of_the_blocks_is_tight(name, tmp_path):
    plan = graphs.plan_file(write_example(name, tmp_path))
    streams = streams_of(plan.graph, plan.engines, plan.beats)
    queued = {edge: depth for edge, depth in plan.depths.items() if depth}
    assert queued
    best = plan.queues.schedule.leaves
    for edge, depth in queued.items():
        if depth == 1:
            continue
        try:
            found = streams.schedule({**plan.depths, edge: depth - 1}, plan.settled).leaves
        except Deadlock:
            continue
        assert any(one > other for one, other in zip(found, best, strict=True)), (edge, depth)
    slowest = max(engine.cycles.interval for engine in plan.engines.values())
    assert plan.cycles.interval == slowest


def settled(config, frames=4) -> EngineSchedule:
    """The schedule of an engine whose input comes as fast as it is taken, the sink never waiting."""
    schedule = schedule_of(config, frames)
    offered, before = np.arange(frames * schedule.input_beats), None
    while True:
        schedule.take(offered)
        schedule.give(schedule.ready)
        offered = spaced(schedule.taken)
        if before is not None and all(map(np.array_equal, before, schedule.state)):
            return schedule
        before = schedule.state


def test_a_winograd_engine_alone_has_the_schedule_that_its_closed_form_says(seed):
    for number in range(40):
        plan = winograd_case(seed, number).plan
        schedule = settled(plan.config)
        assert isinstance(schedule, WinogradSchedule)
        last = schedule.ready[schedule.output_beats - 1 :: schedule.output_beats]
        assert (last[0], last[-1] - last[-2]) == (plan.cycles.latency, plan.cycles.interval), plan.spec


def test_an_engine_alone_has_the_schedule_that_its_closed_form_says(seed):
    from random_engines import random_engine

    random = np.random.default_rng([seed, 77])
    compared = 0
    while compared < 60:
        plan = random_engine(random).plan
        if plan.spec.streaming:
            continue
        schedule = settled(plan.config)
        last = schedule.ready[schedule.output_beats - 1 :: schedule.output_beats]
        assert (last[0], last[-1] - last[-2]) == (plan.cycles.latency, plan.cycles.interval), plan.spec
        compared += 1


# Random graphs.


TYPES = {
    "int8": {},
    "uint8": {"input_dtype": "uint8", "weight_dtype": "uint8", "output_dtype": "uint8", "weight_zero_point": 130},
    "int16": {"input_dtype": "int16", "output_dtype": "int16", "requantisation": "tflite16"},
}


def random_graph(random: np.random.Generator, dtype: str = "int8") -> Graph:
    types = TYPES[dtype]
    height, width = (int(each) for each in random.integers(3, 8, 2))
    channels = int(random.choice([2, 3, 4, 6]))
    nodes, shapes = [], {"input": (height, width, channels)}
    unread = {"input"}

    def add(node, shape, *read):
        nodes.append(node)
        unread.difference_update(read)
        unread.add(node.name)
        shapes[node.name] = shape

    for index in range(int(random.integers(1, 4))):
        source = str(random.choice(list(shapes)))
        shape = shapes[source]
        if random.random() < 0.3:
            kind = str(random.choice(["max", "average"]))
            spec = PoolSpec(name=f"n{index}", kind=kind, height=shape[0], width=shape[1], channels=shape[2],
                            kernel=(3, 2), stride=(1, 1), padding="same", dtype=dtype)  # fmt: skip
            add(Pool(input=source, spec=spec), shape, source)
            continue
        outputs = int(random.choice([2, 4, 6]))
        kernel = tuple(int(each) for each in random.integers(1, 4, 2))
        groups = {}
        if random.random() < 0.3:
            outputs, groups = shape[2], {"groups": shape[2]}
        groups |= types
        dilation = (int(random.integers(1, 3)), 1)
        spec = convolution(f"n{index}", shape, outputs, kernel, padding="same", dilation=dilation, **groups)
        add(Conv(input=source, spec=spec), (*shape[:2], outputs), source)
    if len(unread) > 1:
        inputs = [str(each) for each in random.permutation(sorted(unread))]
        total = sum(shapes[each][2] for each in inputs)
        add(Concat(name="all", inputs=tuple(inputs)), (height, width, total), *inputs)
    if nodes and random.random() < 0.5:
        source = nodes[-1].name
        shape, factor = shapes[source], tuple(int(each) for each in random.integers(1, 4, 2))
        frame = dict(zip(("height", "width", "channels"), shape, strict=True))
        pieces = [] if shape[2] % (factor[0] * factor[1]) else ["DCR", "CRD"]
        kind = {"kind": "nearest"}
        if pieces and random.random() < 0.7:
            kind = {"kind": "depth_to_space", "order": str(random.choice(pieces))}
        spec = UpscaleSpec(name="larger", **frame, **kind, factor=factor, dtype=dtype)
        add(Upscale(input=source, spec=spec), spec.output_shape, source)
    if random.random() < 0.5 or not nodes:
        source = nodes[-1].name
        shape = shapes[source]
        spec = convolution("last", shape, 4, (2, 2), stride=(2, 1), padding=(0, 1, 1, 0), **types)
        add(Conv(input=source, spec=spec), spec.output_shape, source)
    frame = {"height": height, "width": width, "channels": channels, "dtype": dtype, "zero_point": 3}
    return Graph(name="random", **frame, nodes=tuple(nodes))


@pytest.mark.sampled
@pytest.mark.parametrize(("case", "dtype"), [(case, "int8") for case in range(6)] + [(6, "uint8"), (7, "int16")])
def test_random_graphs_are_exact_and_as_fast_as_predicted(seed, case, dtype):
    random = np.random.default_rng([seed, case, 11])
    graph = random_graph(random, dtype)
    multipliers = int(random.integers(len(list(graph.convolutions)), 60))
    plan = plan_graph(network_of(graph, case), multipliers=multipliers)
    check(plan)
    result = run(plan, random_frames(graph, 4, case), stalls=Stalls(input=100, output=80, burst=3, seed=case + 1))
    assert result.passed, f"{graph.to_json()}: {simulation.explain(result)}"


def test_a_description_says_the_type_of_its_frames(tmp_path):
    """Layers and pooling take it from what they read."""
    path = tmp_path / "typed.toml"
    path.write_text("""
height = 5
width = 4
channels = 2
dtype = "uint8"
zero_point = 131
input = { seed = 3, frames = 2 }

[[layer]]
name = "most"
kind = "max_pool"
kernel = 2
stride = 1

[[layer]]
name = "wide"
kernel = 1
out_channels = 3
output_dtype = "int16"
weights = { seed = 1 }
""")
    read = graphs.load_graph(path)
    graph = read.network.graph
    assert [tensor.dtype for tensor in graph.tensors.values()] == ["uint8", "uint8", "int16"]
    assert graph.node("wide").spec.input_zero_point == 131
    assert (read.input.dtype, read.input.shape) == (np.uint8, (2, 5, 4, 2))
    result = graphs.compare_graph(plan_graph(read.network), given=read.input, simulator="icarus")
    assert not result.failure, result.describe()


# What is refused.


def test_refusals_name_what_is_wrong(tmp_path):
    network = network_of(skip())
    with pytest.raises(SpecError, match="multipliers"):
        plan_graph(network, multipliers=0)
    with pytest.raises(SpecError, match="multipliers of around"):
        plan_graph(network, multipliers={"other": 4})
    assert plan_graph(network, multipliers={"around": 9}).multipliers <= 9
    pool = PoolSpec(name="pooled", kind="max", height=4, width=4, channels=3, kernel=(2, 2))
    with pytest.raises(SpecError, match="lanes"):
        plan_pool(pool, lanes=0)
    wide = PoolSpec(name="wide", kind="average", height=91, width=91, channels=1, kernel=(91, 91), dtype="int16")
    with pytest.raises(UnsupportedError, match=r"wide: elements of a window = 8281 is not supported .*8192"):
        plan_pool(wide)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('kind = "average_pool"', 'kind = "median"', "kind"),
        ('inputs = ["one", ', 'inputs = ["two", ', "'two'"),
        ('inputs = ["one", "three", "five", "fewer_pooled"]', "inputs = 3", "inputs"),
        ('name = "three"', 'name = "one"', "one that no other tensor has"),
        ("height = 9", "", "height"),
        ("height = 9", "height = 9.5", "height"),
        ("height = 9", "height = 9\nheigth = 8", "heigth"),
        ("height = 9", 'height = 9\ndtype = "int32"', "dtype"),
        ("height = 9", "height = 9\ndtype = [8]", "dtype"),
        ('name = "three"', 'name = "three"\ninput_dtype = "int16"', "input_dtype"),
        ('name = "three"', 'name = "three"\nin_channels = 4', "in_channels"),
        ('name = "pooled"', 'name = "pooled"\ngroups = 2', "groups"),
        ('name = "mixed"', "", "name of a layer"),
        ("[[layer]]", "[[later]]", "later"),
    ],
)
def test_other_descriptions_are_refused(before, after, said, tmp_path):
    path = write_example("inception", tmp_path)
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises((SpecError, UnsupportedError), match=said):
        graphs.load_graph(path)
