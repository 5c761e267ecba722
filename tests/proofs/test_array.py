"""The array computes dot products, for ever: induction over folds of any length and any operands."""

from dataclasses import replace
from unittest.mock import patch

import pytest
from proof_engines import array_files, array_parameters, tiny_plan
from prover import Proof
from tiny import DEPTHWISE, engine_config

pytestmark = pytest.mark.proof

INDUCTION = 12
"""More cycles than operands take to a result in the last row."""


def proof(config, mode="prove", depth=INDUCTION):
    return Proof(
        files=array_files(config), top="array_harness", mode=mode, depth=depth, parameters=array_parameters(config)
    )


def dense():
    return replace(engine_config(), cluster=1)  # two clusters: activations and marks hop


def depthwise():
    return tiny_plan(DEPTHWISE, pixels=2, depthwise=True, word_channels=2).config


@pytest.mark.parametrize("config", [dense(), depthwise()], ids=["dense", "depthwise"])
def test_the_array_computes_the_dot_product(config):
    assert proof(config).run().proven
    assert proof(config, "cover", 24).run().proven


def test_marks_that_come_a_cycle_early_are_found_out():
    with patch("hwconv.gateware.systolic_array.PRODUCT_LATENCY", 3):
        wrong = proof(dense(), "bmc", 20)
    assert wrong.run().refuted
