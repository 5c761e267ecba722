"""A Winograd unit equals the direct sum for all inputs and weights, at small widths.

Transforms, products, sums modulo two to their widths, and the division of the factor. For all widths the transforms are
an identity, which `tests/test_winograd_mathematics.py` checks term by term.
"""

from unittest.mock import patch

import pytest
from prover import Proof
from winograd_unit import WinogradUnit, bits_of, unit_files

from hwconv.plan.winograd_transforms import F2, F4

pytestmark = pytest.mark.proof


def proof(axis, input_bits, weight_bits, mode="bmc"):
    largest = 3 << input_bits + weight_bits - 2
    unit = WinogradUnit(axis, input_bits, weight_bits, bits_of(-largest, largest))
    parameters = {
        "INPUTS": axis.inputs,
        "OUTPUTS": axis.outputs,
        "INPUT_BITS": input_bits,
        "WEIGHT_BITS": weight_bits,
        "OUTPUT_BITS": unit.output_bits,
    }
    # The unit has no feedback: a run one cycle longer than its latency shows every input at every stage.
    return Proof(
        files=unit_files(unit), top="winograd_harness", mode=mode, depth=unit.latency + 2, parameters=parameters
    )


@pytest.mark.parametrize(("axis", "input_bits", "weight_bits"), [(F2, 3, 3), (F4, 2, 2)], ids=["F(2,3)", "F(4,3)"])
def test_the_unit_computes_the_direct_sum(axis, input_bits, weight_bits):
    assert proof(axis, input_bits, weight_bits).run().proven
    assert proof(axis, input_bits, weight_bits, "cover").run().proven


def test_a_sum_that_is_a_bit_too_narrow_is_found_out():
    def narrow(self, outputs):
        return [[max(bits - 1, 1) for bits in level] for level in original(self, outputs)]

    original = type(F2.output).modular_widths
    with patch.object(type(F2.output), "modular_widths", narrow):
        wrong = proof(F2, 2, 2)
    assert wrong.run().refuted
