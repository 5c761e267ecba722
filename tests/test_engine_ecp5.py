"""Engines on the vendor blocks of the ECP5 and the models of its primitives, under both simulators.

Verilator takes hand-written Verilog as it is: no warning of it is waived.
"""

from typing import Any

import numpy as np
import pytest
from engines import MEASURED_FRAMES, describe, plan_of
from random_engines import hostile_frames, random_layer

from hwconv import golden
from hwconv.api import design_of
from hwconv.simulation import SIMULATORS, Simulator, build, explain, run
from hwconv.spec import ConvSpec

# Name: the layer, multipliers.
ENGINES: dict[str, tuple[dict[str, Any], int]] = {
    "dense": (dict(height=5, width=4, in_channels=3, out_channels=8, kernel=(3, 3), padding="same"), 12),
    "depthwise": (dict(height=6, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3), stride=(2, 1)), 9),
}


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_on_the_blocks_of_the_ecp5_is_exact_and_takes_the_predicted_cycles(name: str, simulator: Simulator):
    attributes, multipliers = ENGINES[name]
    random = np.random.default_rng(5)
    layer = random_layer(random, ConvSpec(name=f"{name}_on_ecp5", **attributes))
    plan = plan_of(layer, multipliers=multipliers)
    frames = hostile_frames(random, layer.spec, MEASURED_FRAMES)
    result = run(build(design_of(plan, family="ecp5"), simulator), frames, golden.run(layer, frames))
    assert result.passed, f"{describe(plan)}: {explain(result)}"
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval), describe(plan)
