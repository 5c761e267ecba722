"""Constant pins of multipliers: what they are tied to stays the same, and each has its source nearby."""

from hwconv.flow.constants import CONSTANT_PINS, local_constants

VALUES = {"CE0": "1", "RST0": "0", "SIGNEDA": "1", "SIGNEDB": "1", "SOURCEA": "0", "SOURCEB": "0"}


def multiplier(site: str | None = None) -> dict:
    tied = {pin: [value] for pin, value in VALUES.items()}
    attributes = {} if site is None else {"BEL": site}
    return {
        "type": "MULT18X18D",
        "attributes": attributes,
        "connections": {**tied, "A0": ["0"], "A17": [7], "P0": [40]},
    }


def netlist(*sites: str | None) -> dict:
    cells = {f"mult_{index}": multiplier(site) for index, site in enumerate(sites)}
    return {"modules": {"top": {"cells": cells, "netnames": {"high": {"bits": [90]}}, "ports": {}}}}


def test_every_pin_keeps_its_value():
    design = netlist("X4/Y10/MULT18_0", "X9/Y10/MULT18_5", None)
    local_constants(design)
    cells = design["modules"]["top"]["cells"]
    driven = {each["connections"]["Z"][0]: each for each in cells.values() if each["type"] == "LUT4"}
    for name in ("mult_0", "mult_1", "mult_2"):
        for pin in CONSTANT_PINS:
            (bit,) = cells[name]["connections"][pin]
            assert set(driven[bit]["parameters"]["INIT"]) == {VALUES[pin]}
        assert cells[name]["connections"]["A0"] == ["0"]


def test_a_block_of_sites_shares_its_sources_and_others_have_their_own():
    design = netlist("X4/Y10/MULT18_0", "X5/Y10/MULT18_1", "X9/Y10/MULT18_5", "X13/Y10/MULT18_0", None, None)
    local_constants(design)
    cells = design["modules"]["top"]["cells"]
    resets = [cells[f"mult_{index}"]["connections"]["RST0"][0] for index in range(6)]
    assert resets[0] == resets[1] == resets[2]
    assert len(set(resets[2:])) == 4


def test_sources_drive_nets_that_nothing_else_has():
    design = netlist("X4/Y10/MULT18_0", None)
    local_constants(design)
    cells = design["modules"]["top"]["cells"]
    bits = [each["connections"]["Z"][0] for each in cells.values() if each["type"] == "LUT4"]
    assert len(set(bits)) == len(bits) == 4
    assert min(bits) > 90


def test_a_design_without_multipliers_is_left_alone():
    design = netlist()
    local_constants(design)
    assert design == netlist()
