"""The generated Verilog against vectors of CMSIS-NN, TensorFlow Lite Micro and TensorFlow Lite, at two foldings each.

In the default run Icarus simulates every vector, and Verilator a few; ``pytest -m slow tests/test_engine_vectors.py``
has Verilator simulate all of them.
"""

from pathlib import Path

import pytest
from engines import MEASURED_FRAMES, check_exact, different_foldings, plan_of, repeated

from hwconv.frontend import load_npz
from hwconv.simulation import Simulator

every_vector = pytest.mark.material(
    *(f"cmsis_nn/{kind}_s8__*.npz" for kind in ("conv", "conv1x1", "conv1xn", "gconv", "dw", "fc", "tconv"))
)
ASKED = (8, 36)
"""Multipliers that the two engines of a vector may have."""
ASKED_HEAVY = (36, 144)
"""The same for a layer of more than HEAVY multiplications, which takes Icarus too long otherwise."""
HEAVY = 100_000
both_foldings = pytest.mark.parametrize("which", [0, 1], ids=("small", "large"))


def check_vector(file: Path, which: int, simulator: Simulator) -> None:
    case = load_npz(file)
    assert case.input is not None
    assert case.expected is not None
    heavy = simulator == "icarus" and case.layer.spec.macs > HEAVY
    asked = ASKED_HEAVY if heavy else ASKED
    folding = different_foldings(case.layer.spec, asked[: which + 1])[which]
    count = max(2 if heavy else MEASURED_FRAMES, len(case.input))
    # The expected outputs are the vector's own: the golden model has no part in this.
    result = check_exact(
        plan_of(case.layer, folding), repeated(case.input, count), repeated(case.expected, count), simulator
    )
    print(f"{file.stem}: {folding.pixels} x {folding.columns}, {result.outputs} outputs exact ({simulator})")


@every_vector
@both_foldings
def test_an_engine_reproduces_a_vector(material_file, which):
    check_vector(material_file, which, "icarus")


@pytest.mark.material(*(f"cmsis_nn/{kind}_s4__*.npz" for kind in ("conv", "conv1x1", "dw", "fc")))
def test_an_engine_reproduces_a_vector_of_4_bit_weights(material_file):
    check_vector(material_file, 0, "icarus")


@pytest.mark.material(
    "cmsis_nn/conv_s8__conv_2x3_dilation.npz",
    "cmsis_nn/gconv_s8__grouped_conv_1.npz",
    "cmsis_nn/dw_s8__stride2pad1.npz",
)
def test_an_engine_reproduces_a_vector_under_verilator_too(material_file):
    check_vector(material_file, 1, "verilator")


@pytest.mark.slow
@every_vector
@both_foldings
def test_an_engine_reproduces_every_vector_under_verilator(material_file, which):
    check_vector(material_file, which, "verilator")
