"""Which layers share an engine: what may, what the choices are, and what is refused by name."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from checked_graphs import convolution, mixed, network_of, residual, shared, skip, words
from test_networks import MODELS, TARGET, outcome

from hwconv.errors import FitError, SpecError, UnsupportedError
from hwconv.graph import Conv, Graph
from hwconv.networks import load_network, plan_network
from hwconv.plan.graph_plan import plan_graph
from hwconv.plan.partition import blocks_of, chains_of, check_programs, check_shared, partitions_of
from hwconv.plan.program_schedule import predict_program
from hwconv.targets import load_target

CHAIN = ("channels", "points", "halves", "flat")


def test_rows_of_layers_end_where_something_else_reads_or_computes():
    assert chains_of(shared()) == [("first", *CHAIN)]  # what `flat` gives goes to two
    assert chains_of(residual()) == []  # sums between all
    assert chains_of(skip()) == []


def test_blocks_of_a_graph_with_a_program_read_what_its_first_layer_reads():
    blocks = {block.name: block for block in blocks_of(shared(), (CHAIN,))}
    assert list(blocks) == ["first", "flat", "pooled", "full", "both"]
    assert blocks["flat"].inputs == ("first",)
    assert blocks["flat"].layers == CHAIN


@pytest.mark.parametrize(
    ("programs", "error", "words"),
    [
        ([("points",)], SpecError, "two layers at least"),
        ([("points", "both")], SpecError, "both"),
        ([("points", "pooled")], UnsupportedError, "pooled: program"),
        ([("channels", "points"), ("points", "halves")], SpecError, "no other program"),
        ([("channels", "halves")], UnsupportedError, "halves: program"),
        ([("flat", "full")], UnsupportedError, "flat: program = 'flat' .* nothing but full reads"),
    ],
)
def test_programs_that_do_not_fit_the_graph_are_refused_by_name(programs, error, words):
    with pytest.raises(error, match=words):
        check_programs(shared(), programs)


def test_what_cannot_share_an_engine_is_refused_by_name_and_left_alone_by_choices():
    up = convolution("up", (3, 3, 4), 4, (2, 2), transposed=True)
    with pytest.raises(UnsupportedError, match="up: transposed"):
        check_shared(up)
    one, last = convolution("one", (3, 3, 4), 4), convolution("last", (4, 4, 4), 4)
    graph = Graph(
        height=3, width=3, channels=4, zero_point=3,
        nodes=(Conv(input="input", spec=one), Conv(input="one", spec=up), Conv(input="up", spec=last)),
    )  # fmt: skip
    assert chains_of(graph) == []
    with pytest.raises(UnsupportedError, match="up: transposed"):
        plan_graph(network_of(graph), programs=[("one", "up", "last")])


def test_layers_of_uint8_share_an_engine_and_those_of_int16_and_of_two_types_do_not():
    target = load_target("lfe5u-25f-6")
    for partition in ("auto", "program"):
        plan = plan_graph(network_of(shared("uint8")), target=target, partition=partition)
        assert plan.programs == (("first", *CHAIN),) or partition == "auto"
        for graph in (words(), mixed()):
            assert plan_graph(network_of(graph), target=target, partition=partition).programs == ()
    types = {"input_dtype": "int16", "output_dtype": "int16", "requantisation": "tflite", "input_zero_point": 0}
    for changes, said in (
        ({**types, "output_zero_point": 0}, "input_dtype = 'int16'.*int8, uint8 in a program"),
        ({"output_dtype": "uint8"}, "output_dtype = 'uint8'.*int8, as what comes in"),
    ):
        with pytest.raises(UnsupportedError, match=said):
            check_shared(convolution("one", (3, 3, 4), 4, **changes))


def test_partitions_go_from_an_engine_a_layer_to_one_for_all():
    found = partitions_of(shared())
    assert found[0] == ()
    assert (("first", *CHAIN),) in found
    for (program,) in found[1:]:
        assert program == ("first", *CHAIN)[-len(program) :]
    assert partitions_of(shared(), "engines") == [()]
    assert partitions_of(shared(), "program") == [(("first", *CHAIN),)]


def test_what_a_target_has_is_not_exceeded_by_a_program():
    target = load_target("lfe5u-12f-6")
    plan = plan_graph(network_of(shared()), target=target, partition="program")
    assert plan.programs == (("first", *CHAIN),)
    engine = plan.engines["flat"]
    assert engine.hard_multipliers + plan.requantiser_multipliers <= target.multipliers
    with pytest.raises(SpecError, match="programs"):
        plan_graph(network_of(shared()), target=target, programs=[CHAIN])


def test_a_program_fits_where_an_engine_a_layer_does_not(material, capsys):
    """The keyword spotter of MLPerf Tiny on the smallest ECP5: ten engines take more than it has."""
    path = material / MODELS["kws_ref_model"]
    with pytest.raises(FitError, match="an engine for each of 10 layers takes"):
        plan_network(path, target="lfe5u-12f-6", partition="engines")
    assert outcome("compile", path, "--target", "lfe5u-12f-6", "--explain", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    nodes = {node["node"]: node for node in summary["nodes"]}
    (program,) = (node for node in nodes.values() if node.get("kind") == "program" and "layers" in node)
    inner = [node["node"] for node in nodes.values() if node.get("program") == program["node"]]
    assert [each["layer"] for each in program["layers"]] == [*inner, program["node"]]
    # Of a depthwise layer only the channel's own products count: one element of a row works at a time.
    deep = next(each for each in program["layers"] if "depthwise" in each["layer"])
    assert deep["macs"] == 125 * 64 * 9
    assert deep["utilisation"] == deep["macs"] / (deep["cycles"] * program["products"])


def test_one_engine_for_ten_small_layers_has_the_shorter_latency(material):
    path = material / MODELS["ad01_int8"]
    loaded = load_network(path)
    apart = plan_network(loaded, target=TARGET, optimise="latency", partition="engines")
    chosen = plan_network(loaded, target=TARGET, optimise="latency")
    assert chosen.programs
    assert 2 * chosen.cycles.latency < apart.cycles.latency


def test_what_is_chosen_is_not_slower_than_an_engine_a_layer(material):
    """Also where the blocks beside the arrays take multipliers that these were given at first."""
    loaded = load_network(material / MODELS["kws_ref_model"])
    apart, chosen = (plan_network(loaded, target=TARGET, partition=each) for each in ("engines", "auto"))
    assert chosen.cycles.interval <= apart.cycles.interval


def test_layers_of_a_program_do_not_overlap_in_time_but_frames_do():
    """The array's cycles are a lower bound; what is between layers is the way of results back, and it is all there."""
    engine = plan_graph(network_of(shared()), programs=[CHAIN], multipliers=20).engines["flat"]
    cycles = predict_program(engine.config)
    assert cycles.compute < cycles.interval < cycles.latency
    assert cycles.last_start + cycles.tail == cycles.latency
    assert cycles.waited == cycles.last_start - cycles.compute + engine.config.passes[-1].tile_cycles


def test_weights_and_tables_of_a_program_lie_one_after_the_other():
    config = plan_graph(network_of(shared()), programs=[CHAIN]).engines["flat"].config
    for one, other in pairwise(config.passes):
        assert other.weight_base == one.weight_base + one.weight_words
        assert other.table_base == one.table_base + one.table_words(config.drain)


def test_beats_that_meet_at_a_program_are_its_own():
    plan = plan_graph(network_of(shared()), programs=[CHAIN])
    engine = plan.engines["flat"]
    assert plan.beats["first"] == plan.beats["flat"] == engine.input_beat_bytes == engine.output_beat_bytes
    assert replace(plan).depths == plan.depths
