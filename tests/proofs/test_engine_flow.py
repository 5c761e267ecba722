"""A tiny engine with any source, any sink and any data: no row, result or verdict is lost, and nothing waits for ever.

Bounded proofs: every run of so many cycles from a reset, which is more than two frames take.
"""

from dataclasses import replace
from unittest.mock import patch

import pytest
from tiny import engine_config, engine_proof

from hwconv.gateware.address_generator import AddressGenerator
from hwconv.gateware.drain import Drain
from hwconv.gateware.row_ledger import RowLedger, WritePermission
from hwconv.plan.config import EngineConfig

ROWS, RESULTS, PROGRESS = 64, 92, 96
"""Cycles: 20 to clear the array, two frames of 16, and what a frame takes to its results or to its last beat."""

pytestmark = pytest.mark.proof

ENGINE = "hwconv.gateware.engine."


@pytest.mark.parametrize(
    ("part", "cycles"),
    [("ROWS", ROWS), ("RESULTS", RESULTS), ("UNITS", RESULTS), ("ENVIRONMENT", RESULTS), ("PROGRESS", PROGRESS)],
)
def test_an_engine_keeps_its_rules(part, cycles):
    assert engine_proof(part, cycles, "bmc").run().proven


@pytest.mark.parametrize(("part", "cycles"), [("STREAMS", 80), ("ROWS", ROWS), ("RESULTS", RESULTS), ("PROGRESS", 92)])
def test_what_the_rules_speak_of_happens(part, cycles):
    assert engine_proof(part, cycles, "cover").run().proven


def test_a_writer_that_overruns_the_ring_is_found_out():
    with patch(ENGINE + "WritePermission", lambda config: WritePermission(replace(config, row_margin=-1))):
        assert engine_proof("ROWS", ROWS, "bmc").run().refuted


def test_a_tile_that_starts_before_its_rows_is_found_out():
    (item,) = engine_config().passes
    eager = replace(item, top=1)  # the ledger believes in a row of padding that is not there
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(replace(config, passes=(eager,)), shape)):
        assert engine_proof("ROWS", ROWS, "bmc").run().refuted


class WrongStride(AddressGenerator):
    """Addresses of a layer whose columns are two apart."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(replace(config, passes=(replace(config.passes[0], stride=(1, 2)),)))


def test_a_wrong_address_is_found_out():
    with patch(ENGINE + "AddressGenerator", WrongStride):
        assert engine_proof("ROWS", ROWS, "bmc").run().refuted


def test_a_ledger_that_counts_a_unit_too_many_is_found_out():
    with patch(ENGINE + "RowLedger", lambda config, shape: RowLedger(replace(config, units=config.units + 1), shape)):
        assert engine_proof("UNITS", 110, "bmc").run().refuted


def test_a_queue_that_forgets_what_is_in_flight_is_found_out():
    short = patch(ENGINE + "OUTPUT_QUEUE", 4), patch("proof_engines.OUTPUT_QUEUE", 4)
    with short[0], short[1], patch(ENGINE + "OutputBuffer.in_flight", 0):
        assert engine_proof("QUEUE", 90, "bmc").run().refuted


class ForgetfulDrain(Drain):
    """Moves no row but the first out of the array."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(replace(config, pixels=1))


def test_a_drain_that_leaves_rows_in_the_array_is_found_out():
    with patch(ENGINE + "Drain", ForgetfulDrain):
        assert engine_proof("ENVIRONMENT", 60, "bmc").run().refuted


def test_a_ring_that_is_never_free_is_found_out():
    with patch(
        ENGINE + "WritePermission", lambda config: WritePermission(replace(config, row_margin=config.ring_rows))
    ):
        assert engine_proof("PROGRESS", PROGRESS, "bmc").run().refuted
