"""Two products of one multiplier, for all operands there are: every pair of weights with every activation."""

import shutil
import subprocess

import pytest
from amaranth.back import verilog

from hwconv.gateware.packed_pe import PackedElement
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.formats import OperandFormat, paired_format
from hwconv.resources import resource_path
from hwconv.spec import ConvSpec

BENCH = """
module bench;
    reg clk = 0;
    reg signed [7:0] x, x_then;
    reg signed [{bits}-1:0] low, high, low_then, high_then;
    wire [{lane}-1:0] weights = high * {scale} + low;
    wire signed [{width}-1:0] o_low, o_high;
    integer sent = 0, right = 0, wrong = 0, skipped = 0, l, h, a;
    pair dut (.clk(clk), .activation(x), .weights(weights), .restart(1'b1), .drain(1'b1), .i_chain({chain}'d0),
        .o_chain({{o_high, o_low}}){reset});

    // What came in, as long ago as the element takes.
    reg [{history}-1:0] past = 0;
    task step;
        begin
            #5 clk = 1;
            #1 {{x_then, high_then, low_then}} = past[{history}-1 -: {entry}];
            past = {{past, x, high, low}};
            #4 clk = 0;
            sent = sent + 1;
            if (sent >= {latency}) begin
                if (o_low == x_then * low_then && o_high == x_then * high_then) right = right + 1;
                else begin
                    wrong = wrong + 1;
                    if (wrong < 4) $display("%d * (%d, %d): %d, %d", x_then, low_then, high_then, o_low, o_high);
                end
            end
        end
    endtask
    initial begin
        for (h = {least}; h <= {most}; h = h + 1)
            for (l = {least}; l <= {most}; l = l + 1)
                for (a = -128; a <= 127; a = a + 1) begin
                    x = a; high = h; low = l;
                    step;
                end
        for (a = 1; a < {latency}; a = a + 1) step;
        $display("RESULT %0d %0d", right, wrong);
    end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize(("bits", "least", "shift"), [(2, -2, 10), (3, -4, 11), (4, -8, 12), (4, -7, 11), (5, -15, 12)])
def test_both_products_are_exact_for_all_operands(bits, least, shift, tmp_path):
    operands = OperandFormat(weight_bits=bits, pair_shift=shift)
    width, most = operands.least_accumulator, (1 << bits - 1) - 1
    text = verilog.convert(PackedElement(width, operands), name="pair", emit_src=False, strip_internal_attrs=True)
    entry, latency = 8 + 2 * bits, PackedElement.latency
    reset = ", .rst(1'b0)" if "input rst" in text else ""
    (tmp_path / "pair.v").write_text(text)
    (tmp_path / "bench.v").write_text(
        BENCH.format(
            bits=bits, lane=operands.lane_bits, scale=1 << bits, width=width, chain=2 * width, entry=entry, least=least,
            most=most, latency=latency, history=entry * (latency - 1), reset=reset,
        )
    )  # fmt: skip
    blocks = [str(resource_path(f"rtl/generic/{name}.v")) for name in ("hwconv_mult", "hwconv_accumulate")]
    command = ["iverilog", "-g2005", "-o", "bench.vvp", "-s", "bench", "bench.v", "pair.v", *blocks]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=300)
    done = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stdout.split()[-3:] == ["RESULT", str((most - least + 1) ** 2 * 256), "0"], done.stdout


def layer_of(weight_dtype: str, least: int, **fields: object) -> Layer:
    spec = ConvSpec(
        height=1, width=1, in_channels=1, out_channels=2, kernel=(1, 1), weight_dtype=weight_dtype,
        requantisation="none", output_dtype="int32", **fields,
    )  # fmt: skip
    return Layer(spec, LayerParameters(weights=[[[[least]]], [[[0]]]]))


@pytest.mark.parametrize(
    ("weight_dtype", "least", "fields", "shift"),
    [
        ("int2", -2, {}, 10),
        ("int3", -4, {}, 11),
        ("int4", -8, {}, 12),
        ("int4", -7, {}, 11),
        ("int5", -15, {}, 12),
        ("int5", -16, {}, None),  # -16 * -128 takes a bit more, and the operand 19
        ("int6", -31, {}, None),
        ("int4", -8, {"input_dtype": "int16"}, None),
        ("int4", -8, {"weight_zero_point": 3}, 12),  # -11 in 5 bits
        ("uint8", 0, {"weight_zero_point": 128}, None),
        ("int8", 1, {}, None),
    ],
)
def test_two_weights_share_a_multiplier_where_the_operand_is_wide_enough(weight_dtype, least, fields, shift):
    paired = paired_format(layer_of(weight_dtype, least, **fields))
    assert (None if paired is None else paired.pair_shift) == shift
