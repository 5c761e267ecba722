"""Which layers two engines can compute in turns, on which pairs of arrays, and where their frames lie."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from checked_graphs import graph_plan
from loop_cases import (
    CASES,
    SMALL,
    Case,
    Fields,
    deep,
    graph_of,
    layers_of,
    loop_of,
    pair,
    plan_of_case,
    points,
    separable,
)

from hwconv.designs import design_of
from hwconv.errors import SpecError, UnsupportedError
from hwconv.graph import Conv
from hwconv.plan.config import EngineConfig
from hwconv.plan.loop import LoopPlan
from hwconv.plan.loop_array import LoopArray, check_loop, loop_arrays
from hwconv.plan.partition import MOST_LOOPS, alternates, partitions_of
from hwconv.plan.program import cost_of, make_program
from hwconv.plan.shared_array import SharedArray, shared_arrays
from hwconv.spec import ConvSpec

PAIR = pair((2, 2, 1), (2, 4, 1, 4, 2))
"""An array that layers of 4 channels suit."""
every_case = pytest.mark.parametrize("name", CASES)


def specs_of(layers: Sequence[Fields], shape: tuple[int, int, int] = (4, 4, 4)) -> list[ConvSpec]:
    graph, names, _ = graph_of(Case(shape=shape, layers=tuple(layers), array=PAIR), "specs")
    nodes = [graph.node(name) for name in names]
    return [node.spec for node in nodes if isinstance(node, Conv)]


def test_layers_that_alternate_are_depthwise_ones_and_dense_ones_in_turns_twice_at_least():
    turns = specs_of(SMALL)
    assert alternates(turns)
    assert not alternates(turns[:2])
    assert not alternates(turns[:3])
    assert not alternates(turns[1:])
    assert not alternates([*turns, turns[0]])
    assert alternates([*turns, *specs_of(SMALL)])
    assert not alternates([replace(turns[0], out_channels=8), *turns[1:]])  # two outputs of each channel
    assert not alternates([turns[0], replace(turns[1], groups=2), *turns[2:]])
    single = specs_of((deep(), points(4)), (4, 4, 1))  # of one channel: a dense layer
    assert not alternates([*single, *turns[2:]])


@pytest.mark.parametrize("last", [False, True])
def test_partitions_of_a_separable_network_have_loops_from_each_of_its_first_layers(last):
    graph = separable(MOST_LOOPS + 3, last=last)
    row = tuple(node.name for node in graph.nodes)
    pairs = row[1 : 2 * (MOST_LOOPS + 3) + 1]
    found = partitions_of(graph, "auto")
    loops = [(pairs[2 * index :],) for index in range(MOST_LOOPS)]
    assert all(loop in found for loop in loops)
    assert (pairs[2 * MOST_LOOPS :],) not in found or not last
    assert len(set(found)) == len(found)
    for kind in ("engines", "program"):
        assert not any(loop in partitions_of(graph, kind) for loop in loops)


def test_one_pair_is_no_loop():
    """Two engines in a row are the same."""
    graph = separable(1, last=False)
    assert partitions_of(graph) == [(), (("first", "deep_0", "points_0"),), (("deep_0", "points_0"),)]


def test_a_program_that_alternates_gets_the_cheapest_array_or_pair():
    specs = specs_of(SMALL)
    for multipliers in (4, 12, 40):
        plan = make_program(layers_of(specs), multipliers=multipliers)
        assert plan.multipliers <= multipliers
        every = [*shared_arrays(specs, multipliers), *loop_arrays(specs, multipliers)]
        best = min(every, key=lambda array: cost_of(specs, array))
        assert isinstance(plan, LoopPlan) == isinstance(best, LoopArray), multipliers
        assert plan.products == best.products
    assert isinstance(plan, LoopPlan)
    assert isinstance(loop_of(graph_plan("turns")), LoopPlan)


def test_pairs_of_arrays_have_at_most_so_many_multipliers_and_suit_the_layers():
    specs = specs_of((deep(), points(6), deep(), points(9), deep(stride=(2, 2)), points(3)))
    assert list(loop_arrays(specs[:2], 60)) == []
    for multipliers in (4, 12, 60):
        arrays = list(loop_arrays(specs, multipliers))
        assert arrays
        assert len(set(arrays)) == len(arrays)
        for array in arrays:
            assert array.products <= multipliers
            check_loop(specs, array)


REFUSED = {
    "layers": (SMALL[:2], PAIR, {}, SpecError, "loop: .*layers .* in turns, two of each at least"),
    "layer": ((*SMALL[:2], points(4), points(4)), PAIR, {}, SpecError, "loop: .*layers .*layer_0, layer_1, layer_2"),
    "word": (SMALL, pair((1, 3, 1), (2, 4, 1, 4, 2)), {}, UnsupportedError, "layer_0: word_channels = 3 .*4 channels"),
    "word of a later layer": (
        (deep(), points(6), deep(), points(4)),
        pair((1, 4, 1), (1, 2, 1, 2, 1)),
        {},
        UnsupportedError,
        "layer_2: word_channels = 4 .*6 channels",
    ),
    "requantisers": (
        SMALL,
        pair((1, 4, 3), (2, 4, 1, 4, 2)),
        {},
        UnsupportedError,
        "layer_0: requantisers = 3 .*4 col",
    ),
    "no pixels": (SMALL, pair((0, 4, 1), (2, 4, 1, 4, 2)), {}, UnsupportedError, "layer_0: pixels = 0 .*from 1 to 16"),
    "pixels": (SMALL, pair((17, 4, 1), (2, 4, 1, 4, 2)), {}, UnsupportedError, "layer_0: pixels = 17 .*from 1 to 16"),
    "dense word": (SMALL, pair((1, 4, 1), (2, 4, 1, 3, 2)), {}, UnsupportedError, "layer_1: word_channels = 3"),
    "dense requantisers": (SMALL, pair((1, 4, 1), (3, 3, 1, 4, 3)), {}, UnsupportedError, "layer_1: requantisers = 3"),
    "dense ports": (SMALL, pair((1, 4, 1), (3, 4, 2, 4, 2)), {}, UnsupportedError, "layer_1: ports = 2"),
    "beat": (SMALL, PAIR, {"beat_bytes": 3}, SpecError, "beat_bytes .*a multiple of 2 requantisers, not 3"),
    "wide beat": (SMALL, PAIR, {"beat_bytes": 130}, SpecError, "beat_bytes .*from 1 to 128.*not 130"),
    "no beat": (SMALL, PAIR, {"beat_bytes": 0}, SpecError, "beat_bytes .*not 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_engines_in_turns_cannot_run_is_refused_by_name(case):
    fields, array, options, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        make_program(layers_of(specs_of(fields)), array=array, **options)


def spans(config: EngineConfig) -> list[range]:
    """Words of the frame buffer of each layer."""
    return [
        range(base, base + item.height * item.row_words) for item in config.passes for base in [item.activation_base]
    ]


@every_case
def test_no_two_layers_that_follow_each_other_on_an_engine_share_a_word_of_their_buffers(name):
    """The second of an engine's layers comes while the first is read; after the last one, the next frame's first."""
    for part in loop_of(plan_of_case(name)).parts:
        found = spans(part.config)
        for one, other in pairwise([*found, found[0]]):
            assert not set(one) & set(other)
        assert max(span.stop for span in found) <= part.config.activation_depth


def test_only_a_single_last_pixel_may_leave_requantisers_idle():
    """Between pixels every word is full, and what another layer reads."""
    dense = SharedArray(pixels=1, columns=8, ports=1, word_channels=4, requantisers=4)
    for layers, refused in (
        ((points(4), points(6)), "layer_1: requantisers = 4"),
        ((points(6), points(4)), "layer_0: requantisers = 4"),
    ):
        with pytest.raises(UnsupportedError, match=refused):
            make_program(layers_of(specs_of(layers)), array=dense)


def test_two_engines_in_turns_are_a_part_of_a_graph():
    plan = plan_of_case("uint8").engines["layer_3"]
    with pytest.raises(UnsupportedError, match=r"array = 'two in turns'.*plan_graph"):
        design_of(plan)
