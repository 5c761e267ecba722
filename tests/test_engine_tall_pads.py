"""Frames shorter than what a tile reads: pads come first, and addresses run far ahead in the ring of rows."""

import numpy as np
import pytest
from engines import MEASURED_FRAMES, check_exact, plan_of, random_frames
from random_engines import random_layer

from hwconv import golden
from hwconv.spec import ConvSpec

SPECS = {
    "kernel": dict(height=2, width=3, kernel=(9, 1), padding=(8, 8, 0, 0)),
    "dilation": dict(height=3, width=4, kernel=(3, 3), dilation=(5, 1), padding=(10, 10, 1, 1)),
    "stride": dict(height=3, width=3, kernel=(8, 1), stride=(5, 1), padding=(7, 7, 0, 0)),
}


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("multipliers", [4, 8, 24])
def test_pads_taller_than_the_frame_are_exact(name, multipliers):
    random = np.random.default_rng(3)
    layer = random_layer(random, ConvSpec(name=name, in_channels=4, out_channels=4, **SPECS[name]))
    frames = random_frames(layer.spec, MEASURED_FRAMES, random)
    check_exact(plan_of(layer, multipliers=multipliers), frames, golden.run(layer, frames), "icarus")
