"""The golden model against vectors of CMSIS-NN, TensorFlow Lite Micro and TensorFlow Lite: no output may differ."""

import numpy as np
import pytest

from hwconv import golden
from hwconv.frontend import load_npz


@pytest.mark.material(
    *(f"cmsis_nn/{kind}_*.npz" for kind in ("conv", "conv1x1", "conv1xn", "gconv", "dw", "fc", "tconv")),
    "seanet/*conv_s16__*.npz",
    "goldens/dw_u8__*.npz",
)
def test_golden_model_reproduces_a_vector(material_file):
    case = load_npz(material_file)
    assert case.expected.size > 0
    found = golden.run(case.layer, case.input)
    np.testing.assert_array_equal(found, case.expected, strict=True)


@pytest.mark.material(
    "cmsis_nn/*_s8__*dilation*.npz", "cmsis_nn/gconv_*.npz", "cmsis_nn/dw_s16__*.npz", "*/tconv_*.npz"
)
def test_the_definition_reproduces_a_vector(material_file):
    case = load_npz(material_file)
    np.testing.assert_array_equal(golden.run(case.layer, case.input, fast=False), case.expected, strict=True)
