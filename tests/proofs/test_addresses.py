"""Addresses equal the index formula, whenever tiles start: every run of so many cycles from a reset."""

from dataclasses import replace

import pytest
from proof_engines import address_files
from prover import Proof
from tiny import WALKS, frames_of_cycles, walk_config

LEAD = 20
"""Cycles from a reset to the first read, and as many in which tiles may come late."""
QUICK = "one port for two pixels"


def proof(config, mode="bmc", built=None):
    (item,) = config.passes
    files = address_files(config)
    if built is not None:
        files["dut.il"] = address_files(built)["dut.il"]
    cycles = frames_of_cycles(config, 1) + item.tile_cycles + LEAD  # a frame, and the first tile of the next one
    return Proof(files=files, top="addresses_harness", mode=mode, depth=cycles)


@pytest.mark.proof
@pytest.mark.parametrize("name", WALKS)
def test_addresses_equal_the_formula(name):
    config = walk_config(name)
    assert proof(config).run().proven
    assert proof(config, "cover").run().proven


def test_another_stride_is_found_out():
    config = walk_config(QUICK)
    (item,) = config.passes
    wrong = replace(config, passes=(replace(item, row_advances=(2,)),))
    assert proof(config, built=wrong).run().refuted


def test_another_ring_is_found_out():
    config = walk_config(QUICK)
    assert proof(config, built=replace(config, ring_rows=config.ring_rows + 1)).run().refuted
