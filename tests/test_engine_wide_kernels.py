"""Kernels far wider than all their origins lie apart, as those of a global sum: every tap is found inside the frame."""

import numpy as np
import pytest
from engines import check_exact, plan_of, random_frames
from random_engines import random_layer

from hwconv import golden
from hwconv.plan.array import foldings
from hwconv.spec import ConvSpec

WIDE = {
    "whole frame": dict(height=5, width=40, in_channels=2, out_channels=2, kernel=(5, 40)),
    "depthwise": dict(height=3, width=33, in_channels=2, out_channels=2, groups=2, kernel=(3, 33),
                      padding=(0, 0, 1, 0)),
    "one row": dict(height=1, width=150, in_channels=1, out_channels=2, kernel=(1, 147)),
    "dilated": dict(height=2, width=70, in_channels=2, out_channels=3, kernel=(2, 3), dilation=(1, 33)),
    "beyond the frame": dict(height=2, width=9, in_channels=2, out_channels=2, kernel=(2, 49), padding=(0, 0, 21, 20)),
}  # fmt: skip


@pytest.mark.parametrize("name", WIDE)
def test_every_column_of_a_wide_kernel_is_found(name):
    spec = ConvSpec(name=name, input_zero_point=7, **WIDE[name])
    layer = random_layer(np.random.default_rng(3), spec)
    frames = random_frames(spec, 3, np.random.default_rng(5))
    outputs = golden.run(layer, frames)
    tried = {(item.depthwise, item.pixels > 1): item for item in foldings(spec, 4)}
    for folding in tried.values():
        check_exact(plan_of(layer, folding), frames, outputs)
