"""The coverage of the random runs: bins, illegal cells, what is recorded, and the aims that steer the draws."""

from itertools import combinations

import numpy as np
import pytest
from aimed_specs import aimed_spec
from functional_coverage import records
from functional_coverage.__main__ import summary
from functional_coverage.aims import aim, held, one_set
from functional_coverage.bins import DIMENSIONS, bins_of, spec_bins
from functional_coverage.cells import cells_of, hit, legal, legal_cells, reason
from random_engines import random_case

from hwconv.errors import HwconvError
from hwconv.simulation import Design
from hwconv.spec import ConvSpec

# Attributes, and the bins that they are by the words of `bins.DIMENSIONS`.
SPECS = {
    "plain": (
        dict(height=5, width=5, in_channels=2, out_channels=3, kernel=(3, 3)),
        dict(stride="1", dilation="1", pads="none", groups="one", kernel="NxN", frame="holds kernel"),
    ),
    "a row, padded on one side": (
        dict(height=1, width=3, in_channels=4, out_channels=4, groups=2, kernel=(1, 3), dilation=(3, 2),
             stride=(1, 2), padding=(0, 0, 3, 0)),
        dict(stride="by axis", dilation="more", pads="different", groups="several", kernel="1xN", frame="smaller"),
    ),
    "dilation without a second tap": (
        dict(height=4, width=4, in_channels=3, out_channels=6, groups=3, kernel=(2, 1), dilation=(1, 4),
             stride=(3, 3), padding=(1, 1, 0, 0)),
        dict(stride="3 or more", dilation="1", pads="symmetric", groups="multiplier", kernel="Nx1",
             frame="holds kernel"),
    ),
    "windows in the padding": (
        dict(height=4, width=4, in_channels=3, out_channels=3, groups=3, kernel=(2, 3), stride=(2, 2),
             padding=(0, 2, 0, 0)),
        dict(stride="2", dilation="1", pads="beyond", groups="depthwise", kernel="MxN", frame="holds kernel"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_attributes_fall_into_their_bins(name):
    fields, bins = SPECS[name]
    assert spec_bins(ConvSpec(name=name, **fields)) == bins


def test_every_cell_is_legal_or_has_a_reason():
    for cross in (*combinations(DIMENSIONS, 2), ("stride", "groups", "kernel")):
        for cell in cells_of(cross):
            assert legal(dict(cell)) == (not reason(dict(cell)))
    assert not legal({"kernel": "1x1", "dilation": "more", "stride": "2"})
    assert legal({"kernel": "1xN", "dilation": "more"})


def test_aims_hold_every_legal_cell_and_no_illegal_one():
    rows = one_set(3, 0)
    assert set.union(*(held(row) for row in rows)) == set(legal_cells())
    assert [aim(3, index) for index in range(len(rows))] == list(rows)
    assert aim(3, len(rows)) == one_set(3, 1)[0]


@pytest.mark.parametrize("number", range(8))
def test_an_aimed_specification_falls_into_the_bins_it_is_drawn_for(number):
    random = np.random.default_rng(number)
    row = aim(11, number)
    wanted = {name: row[name] for name in ("stride", "dilation", "groups", "kernel") if name in row}
    drawn = 0
    while drawn < 20:
        try:
            bins = spec_bins(aimed_spec(random, row))
        except HwconvError:
            continue
        assert {name: bins[name] for name in wanted} == wanted
        drawn += 1


def test_random_cases_fall_into_legal_cells_only(seed):
    for number in range(24):
        engine, stalls = random_case(seed, number)
        assert not reason(bins_of(engine.plan, stalls))


def test_a_passed_run_is_recorded_and_counted_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HWCONV_CACHE", str(tmp_path))
    engine, stalls = random_case(5, 1)
    design = Design(top="e", files={"e.v": "module e; endmodule"}, input_beat_bytes=1, output_beat_bytes=1)
    for _ in range(2):
        records.record(5, 1, engine.plan, design, None)
        records.record(5, 1, engine.plan, design, stalls)
    rows = list(records.recorded())
    assert [row["bins"] for row in rows] == [bins_of(engine.plan, None), bins_of(engine.plan, stalls)]
    result = summary(rows)
    assert (result["runs"], result["engines"], result["seeds"]) == (2, 1, [5])
    filled = {cell for row in rows for cell in hit(row["bins"])}
    assert result["filled"] == len(filled)
    assert len(result["empty"]) == result["cells"] - len(filled) > 0
    assert not result["contradictions"]
