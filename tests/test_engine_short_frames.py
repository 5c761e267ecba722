"""Frames shorter than what their kernel reaches over, and strides longer than the rows kept: every row is found.

An address is wrapped once around the ring of rows, so the ring must hold as many rows as an address runs ahead. Every
folding of small arrays; `test_engine_tall_pads.py` has more shapes on the best ones.
"""

import numpy as np
import pytest
from engines import check_exact, plan_of, random_frames
from random_engines import random_layer

from hwconv import golden
from hwconv.plan.array import foldings
from hwconv.plan.cycles import rows_ahead
from hwconv.spec import ConvSpec

FRAMES = 7
"""Enough for frames to begin in any row of these rings."""
MULTIPLIERS = 4
SPECS = {
    "tall pads": dict(height=2, width=2, in_channels=4, out_channels=2, kernel=(5, 2), padding=(4, 5, 0, 1)),
    "one row": dict(height=1, width=4, in_channels=3, out_channels=6, groups=3, kernel=(2, 1), dilation=(4, 1),
                    padding=(4, 0, 0, 0)),
    "far apart": dict(height=2, width=4, in_channels=2, out_channels=2, kernel=(3, 2), dilation=(3, 1), stride=(2, 2),
                      padding=(9, 4, 0, 0)),
    "long stride": dict(height=13, width=3, in_channels=4, out_channels=4, groups=4, kernel=(1, 3), stride=(6, 1),
                        padding=(0, 0, 1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", ["one row", "long stride"])
def test_every_row_is_found_in_a_short_ring(name):
    spec = ConvSpec(name=name, input_zero_point=7, **SPECS[name])
    layer = random_layer(np.random.default_rng(3), spec)
    frames = random_frames(spec, FRAMES, np.random.default_rng(5))
    outputs = golden.run(layer, frames)
    tried = {(item.depthwise, item.pixels, item.columns): item for item in foldings(spec, MULTIPLIERS)}
    for folding in tried.values():
        check_exact(plan_of(layer, folding), frames, outputs)


# Rows from the first of a tile to the lowest in the frame that it reads, and to the first of the next tile, by hand.
ROWS_AHEAD = {
    "tall pads": (1, 4),  # from row -4 with five taps down to row 0; from -3 to 1; from -2 the last row is 1, not 2
    "one row": (4, 4),  # from -4, two taps four apart, to row 0
    "far apart": (1, 6),  # from -5, taps three apart, to row 1; the tile at -9 sees rows -9 to -3 only
    "long stride": (3, 6),  # three pixels are a row: a tile reads one row, and the next tile is six further
}


@pytest.mark.parametrize("name", ROWS_AHEAD)
def test_rows_ahead_are_counted_as_by_hand(name):
    pixels, rows = ROWS_AHEAD[name]
    spec = ConvSpec(name=name, **SPECS[name])
    folding = next(item for item in foldings(spec, MULTIPLIERS) if item.pixels == pixels)
    plan = plan_of(random_layer(np.random.default_rng(3), spec), folding)
    assert rows_ahead(plan.config, plan.config.passes[0]) == rows
    assert plan.config.ring_rows >= rows
