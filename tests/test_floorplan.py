"""The floorplan: each multiplier of an array gets a site of its own, neighbours near each other."""

from itertools import pairwise

import pytest

from hwconv.flow.floorplan import floorplan, multiplier_sites, place_chains, place_elements
from hwconv.targets import load_target

SHAPES = [(9, 16), (1, 64), (2, 64), (4, 4), (16, 9), (1, 128), (12, 13), (1, 1)]


def test_the_85k_die_has_its_156_sites_on_three_lines():
    sites = multiplier_sites(load_target("lfe5u-85f-6"))
    assert [len(line) for line in sites] == [52, 52, 52]
    assert sites[0][:5] == [
        "X4/Y10/MULT18_0",
        "X5/Y10/MULT18_1",
        "X8/Y10/MULT18_4",
        "X9/Y10/MULT18_5",
        "X13/Y10/MULT18_0",
    ]
    assert sites[2][-1] == "X119/Y58/MULT18_5"
    assert len({site for line in sites for site in line}) == 156


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_no_two_elements_share_a_site(rows, columns):
    sites = multiplier_sites(load_target("lfe5u-85f-6"))
    places = place_elements(rows, columns, sites)
    assert set(places) == {(row, column) for row in range(rows) for column in range(columns)}
    assert len(set(places.values())) == rows * columns
    assert set(places.values()) <= {site for line in sites for site in line}


@pytest.mark.parametrize(
    ("rows", "columns", "missing"), [(10, 16, 10), (10, 16, 4), (8, 20, 19), (3, 52, 0), (2, 90, 24)]
)
def test_a_row_may_be_there_in_part(rows, columns, missing):
    sites = multiplier_sites(load_target("lfe5u-85f-6"))
    places = place_elements(rows, columns, sites, missing)
    there = {(row, column) for row in range(rows) for column in range(columns)}
    assert set(places) == there - {(rows - 1, column) for column in range(columns - missing, columns)}
    assert len(set(places.values())) == rows * columns - missing


def test_an_array_that_is_too_large_is_left_to_the_placer():
    assert place_elements(13, 13, multiplier_sites(load_target("lfe5u-85f-6"))) == {}


def test_a_die_that_has_not_been_looked_up_is_left_to_the_placer():
    assert place_elements(2, 2, multiplier_sites(load_target("lfe5u-12f-6"))) == {}


@pytest.mark.parametrize(("chains", "length"), [(12, 12), (6, 2), (6, 24), (12, 13), (1, 1), (4, 16), (2, 52)])
def test_a_chain_lies_on_neighbouring_sites_and_ends_on_the_side_of_the_middle(chains, length):
    sites = multiplier_sites(load_target("lfe5u-85f-6"))
    numbers = {site: (line, index) for line, row in enumerate(sites) for index, site in enumerate(row)}
    places = place_chains(chains, length, sites)
    assert set(places) == {(chain, number) for chain in range(chains) for number in range(length)}
    assert len(set(places.values())) == chains * length
    for chain in range(chains):
        spots = [numbers[places[chain, number]] for number in range(length)]
        assert len({line for line, _ in spots}) == 1
        indices = [index for _, index in spots]
        steps = {after - before for before, after in pairwise(indices)}
        assert steps <= {1} or steps <= {-1}
        assert abs(indices[0] - 25.5) <= abs(indices[-1] - 25.5) or chains <= 3


def test_chains_that_are_longer_than_a_line_are_left_to_the_placer():
    assert place_chains(4, 53, multiplier_sites(load_target("lfe5u-85f-6"))) == {}
    assert place_chains(13, 12, multiplier_sites(load_target("lfe5u-85f-6"))) == {}
    assert place_chains(2, 2, multiplier_sites(load_target("lfe5u-12f-6"))) == {}


def test_an_array_of_chains_is_placed_chain_by_chain():
    names = [f"core.array.pe_chain_{chain}_{number}.multiplier.mult" for chain in range(12) for number in range(12)]
    cells = {name: {"type": "MULT18X18D", "attributes": {}} for name in names}
    floorplan({"modules": {"top": {"cells": cells}}}, load_target("lfe5u-85f-6"))
    sites = multiplier_sites(load_target("lfe5u-85f-6"))
    assert [cells[name]["attributes"]["BEL"] for name in names[:12]] == sites[0][11::-1]
    assert [cells[name]["attributes"]["BEL"] for name in names[-12:]] == sites[2][40:]


def test_only_the_arrays_multipliers_are_fixed():
    def cell(kind: str) -> dict:
        return {"type": kind, "attributes": {}}

    cells = {
        "core.array.pe_0_0.multiplier.mult": cell("MULT18X18D"),
        "core.array.pe_0_1.multiplier.mult": cell("MULT18X18D"),
        "core.array.pe_0_1.multiplier.lut": cell("LUT4"),
        "core.drain.requantiser_0.multiplier_0.mult": cell("MULT18X18D"),
    }
    floorplan({"modules": {"top": {"cells": cells}}}, load_target("lfe5u-85f-6"))
    assert [name for name, each in cells.items() if "BEL" in each["attributes"]] == list(cells)[:2]
    assert cells["core.array.pe_0_0.multiplier.mult"]["attributes"]["BEL"] == "X4/Y10/MULT18_0"


def test_arrays_follow_each_other_and_leave_room_for_what_else_their_engines_have():
    names = [
        "core.node_10_last.array.pe_0_0.multiplier.mult",
        "core.node_9_first.array.pe_1_0.multiplier.mult",
        "core.node_9_first.array.pe_0_1.multiplier.mult",
        "core.node_9_first.array.pe_0_0.multiplier.mult",
        "core.node_9_first.drain.requantiser_0.multiplier_0.mult",
        "core.node_9_first.drain.requantiser_0.multiplier_17.mult",
    ]
    cells = {name: {"type": "MULT18X18D", "attributes": {}} for name in names}
    floorplan({"modules": {"top": {"cells": cells}}}, load_target("lfe5u-85f-6"))
    line = multiplier_sites(load_target("lfe5u-85f-6"))[0]
    placed = {name: each["attributes"].get("BEL") for name, each in cells.items()}
    assert [placed[name] for name in names] == [line[5], line[1], line[2], line[0], None, None]


def test_arrays_that_are_too_large_together_are_left_to_the_placer():
    cells = {
        f"core.node_{node}_a.array.pe_0_{column}.multiplier.mult": {"type": "MULT18X18D", "attributes": {}}
        for node in (0, 1)
        for column in range(79)
    }
    floorplan({"modules": {"top": {"cells": cells}}}, load_target("lfe5u-85f-6"))
    assert not any(each["attributes"] for each in cells.values())
