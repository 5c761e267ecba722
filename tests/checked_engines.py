"""Small engines of every kind, on which the tests do everything that can be done to an engine."""

import functools

import numpy as np
from engines import plan_of
from random_engines import exact_requantisers, random_layer

from hwconv.plan.array import foldings
from hwconv.plan.engine_plan import EnginePlan
from hwconv.spec import ConvSpec

OUTPUT_BEATS = {"wide_beats": 4}
"""Bytes of output beats that the plan would not choose: the last one of a frame is partial."""
# Name: spec, multipliers, input beat. Words are 4, 1 and 3 bytes; beats wider, narrower, and of no common divisor.
ENGINES = {
    "narrow_beats": (dict(height=5, width=4, in_channels=8, out_channels=4, kernel=(2, 3), padding="same"), 40, 2),
    "wide_beats": (dict(height=4, width=5, in_channels=4, out_channels=5, kernel=(2, 3), stride=(1, 2)), 8, 12),
    "odd_beats": (dict(height=5, width=4, in_channels=6, out_channels=4, kernel=(3, 2), padding="same"), 8, 4),
    "few_channels": (dict(height=7, width=5, in_channels=3, out_channels=8, kernel=(3, 3), stride=(2, 2)), 16, 5),
    "depthwise": (dict(height=5, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3)), 12, 4),
    "depthwise_multiplier": (dict(height=4, width=5, in_channels=3, out_channels=6, groups=3, kernel=(2, 2)), 6, 1),
    "single_beat_frames": (dict(height=1, width=1, in_channels=9, out_channels=7, kernel=(1, 1)), 4, 12),
    "grouped_shift": (
        dict(height=3, width=3, in_channels=16, out_channels=6, groups=2, kernel=(2, 2), dilation=(2, 1),
             padding=(1, 0, 2, 1), requantisation="shift"), 8, 3,
    ),
    "raw_sums": (
        dict(height=4, width=6, in_channels=2, out_channels=4, kernel=(2, 3), dilation=(1, 2), padding=(0, 1, 3, 0),
             requantisation="none", output_dtype="int32", output_zero_point=0), 9, 3,
    ),
    "transposed": (
        dict(height=3, width=4, in_channels=4, out_channels=3, kernel=(3, 4), stride=(2, 3), padding=(1, 1, 2, 0),
             transposed=True, output_padding=(1, 0)), 9, 3,
    ),
    "streaming": (
        dict(height=2, width=3, in_channels=4, out_channels=4, kernel=(3, 2), dilation=(2, 1), padding=(4, 0, 1, 0),
             streaming=True), 9, 4,
    ),
    "look_up_tables": (
        dict(height=4, width=3, in_channels=4, out_channels=4, kernel=(2, 3), padding="same"), 8, 4,
    ),
    "exact_unit": (dict(height=3, width=4, in_channels=4, out_channels=4, kernel=(1, 3), padding="same"), 6, 4),
}  # fmt: skip
LUT_MULTIPLIERS = {"look_up_tables": 5}
"""Multipliers of look-up tables of an engine that has both kinds."""
EXACT = ("exact_unit",)
"""Engines with TensorFlow Lite's exact unit, although a narrow one would do."""


@functools.cache
def engine(name: str) -> EnginePlan:
    fields, multipliers, beat = ENGINES[name]
    spec = ConvSpec(**{"name": name, "input_zero_point": -5, "output_zero_point": 9, **fields})
    layer = random_layer(np.random.default_rng(3), spec)
    folding = None
    if name == "grouped_shift":  # two channel blocks and two column tiles in each group, the last one partial
        folding = next(
            item for item in foldings(spec, multipliers) if item.blocks == item.tiles == 2 and item.pixels == 4
        )
    with exact_requantisers(name in EXACT):
        return plan_of(
            layer,
            folding,
            multipliers=multipliers,
            lut_multipliers=LUT_MULTIPLIERS.get(name, 0),
            input_beat_bytes=beat,
            output_beat_bytes=OUTPUT_BEATS.get(name),
        )
