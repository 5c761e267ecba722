"""Verilog: equal modules once, readable names, the same bytes every time, and the same behaviour as unmerged."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import ClockSignal, Instance, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.emit import rtlil
from hwconv.emit.verilog import design_hash, to_verilog

SIZE = 4


class Cell(wiring.Component):
    """A multiplier with an accumulator; operands move on to the neighbours."""

    def __init__(self) -> None:
        super().__init__(
            {
                "i_a": In(signed(8)),
                "i_b": In(signed(8)),
                "first": In(1),
                "o_a": Out(signed(8)),
                "o_b": Out(signed(8)),
                "o_sum": Out(signed(20)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        product = Signal(signed(16))
        m.d.sync += [self.o_a.eq(self.i_a), self.o_b.eq(self.i_b), product.eq(self.i_a * self.i_b)]
        with m.If(self.first):
            m.d.sync += self.o_sum.eq(product)
        with m.Else():
            m.d.sync += self.o_sum.eq(self.o_sum + product)
        return m


class Array(wiring.Component):
    def __init__(self) -> None:
        super().__init__(
            {
                "i_a": In(data.ArrayLayout(signed(8), SIZE)),
                "i_b": In(data.ArrayLayout(signed(8), SIZE)),
                "first": In(1),
                "o_sums": Out(data.ArrayLayout(signed(20), SIZE * SIZE)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cells = {}
        for row in range(SIZE):
            for column in range(SIZE):
                cell = cells[row, column] = m.submodules[f"pe_{row}_{column}"] = Cell()
                m.d.comb += [
                    cell.i_a.eq(cells[row, column - 1].o_a if column else self.i_a[row]),
                    cell.i_b.eq(cells[row - 1, column].o_b if row else self.i_b[column]),
                    cell.first.eq(self.first),
                    self.o_sums[row * SIZE + column].eq(cell.o_sum),
                ]
        return m


class Top(wiring.Component):
    """Two arrays, one of them fed with a constant, so that not all of their cells are equal, and a vendor block."""

    def __init__(self, twist: int = 3) -> None:
        self._twist = twist
        super().__init__({"a": In(32), "b": In(32), "first": In(1), "o": Out(320), "p": Out(16), "low": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.left = left = Array()
        m.submodules.right = right = Array()
        total = Signal(320)
        difference = Signal(4)  # narrower than what drives it
        product = Signal(signed(16))
        m.submodules.multiplier = Instance(
            "hwconv_mult",
            p_A_WIDTH=8,
            p_B_WIDTH=8,
            i_clk=ClockSignal(),
            i_a=self.a[:8],
            i_b=self.b[:8],
            o_p=product,
        )
        m.d.comb += [
            left.i_a.as_value().eq(self.a),
            left.i_b.as_value().eq(self.b),
            left.first.eq(self.first),
            right.i_a.as_value().eq(self.b),
            right.i_b.as_value().eq(self._twist),
            right.first.eq(self.first),
            total.eq(left.o_sums.as_value() + right.o_sums.as_value()),
            difference.eq(self.a[:8] - self.b[:8]),
        ]
        m.d.sync += [self.o.eq(total), self.p.eq(product), self.low.eq(difference)]
        return m


@pytest.fixture(scope="module")
def merged() -> str:
    return to_verilog(Top(), "engine", "A test.\nTwo lines.")


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\S+?)\s*\(", text, re.MULTILINE)


BENCH = """
`timescale 1ns / 1ps
module bench;
  reg clk = 0, rst = 1, first = 0;
  reg [31:0] a = 0, b = 0;
  wire [319:0] o1, o2;
  wire [15:0] p1, p2;
  wire [3:0] low1, low2;
  plain plain(.clk(clk), .rst(rst), .a(a), .b(b), .first(first), .o(o1), .p(p1), .low(low1));
  engine merged(.clk(clk), .rst(rst), .a(a), .b(b), .first(first), .o(o2), .p(p2), .low(low2));
  integer cycle, wrong = 0, moved = 0;
  initial begin
    for (cycle = 0; cycle < 500; cycle = cycle + 1) begin
      #1 a = $random; b = $random; first = ($random & 7) == 0; rst = cycle < 2 || ($random & 63) == 0;
      #1 if ({o1, p1, low1} !== {o2, p2, low2}) wrong = wrong + 1;
      if (o1 != 0) moved = moved + 1;
      clk = 1;
      #1 clk = 0;
    end
    $display("wrong %0d moved %0d", wrong, moved);
  end
endmodule
"""


def test_equal_cells_are_emitted_once(merged: str) -> None:
    # The right array's columns 1 to 3 get the constant 0 as operand: only its first row is another design.
    names = modules(merged)
    assert names[0] == "engine"
    assert len(names) < 10
    assert "engine_pe" in names
    assert all(name == "engine" or name.startswith("engine_") for name in names)
    assert len(set(names)) == len(names)


def test_a_uniform_array_has_one_kind_of_cell() -> None:
    assert modules(to_verilog(Array(), "grid", "")) == ["grid", "grid_pe"]


def test_names_of_the_design_are_in_the_text(merged: str) -> None:
    assert merged.startswith("// A test.\n// Two lines.\n")
    for name in ("product", "product_next", "pe_1_2", "pe_1_2_o_sum", "difference"):
        assert re.search(rf"\b{name}\b", merged), name
    assert "\\" not in merged  # no escaped identifiers
    assert "$auto" not in merged
    assert "osys" not in merged  # no banner: the bytes do not depend on the tool's build


def test_two_conversions_give_the_same_bytes(merged: str) -> None:
    assert to_verilog(Top(), "engine", "A test.\nTwo lines.") == merged


def test_the_hash_is_of_the_design_not_of_its_comments(merged: str) -> None:
    assert design_hash(merged) == design_hash(to_verilog(Top(), "engine", "Another header."))
    assert design_hash(merged) != design_hash(to_verilog(Top(twist=4), "engine", "A test.\nTwo lines."))


def test_rtlil_that_amaranth_does_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected RTLIL as Amaranth"):
        rtlil.parse("module \\m\nfrobnicate\nend\n")


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed: make setup")
def test_merged_and_unmerged_behave_alike(tmp_path: Path, merged: str) -> None:
    (tmp_path / "merged.v").write_text(merged)
    (tmp_path / "plain.v").write_text(to_verilog(Top(), "plain", "", merge=False))
    (tmp_path / "bench.v").write_text(BENCH)
    multiplier = Path(__file__).parent.parent / "rtl" / "generic" / "hwconv_mult.v"
    sources = ["merged.v", "plain.v", "bench.v", str(multiplier)]
    subprocess.run(["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", *sources], cwd=tmp_path, check=True)
    done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    match = re.fullmatch(r"wrong (\d+) moved (\d+)\s*", done.stdout)
    assert match, done.stdout
    assert int(match[1]) == 0
    assert int(match[2]) > 300
