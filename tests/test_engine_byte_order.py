"""Bytes and beats against literals written by hand: nothing here goes through the module that packs tensors."""

import subprocess

import numpy as np
import pytest

from hwconv.api import design_of
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.engine_plan import make_plan
from hwconv.simulation.build import write_sources
from hwconv.simulation.tools import find_icarus
from hwconv.spec import ConvSpec

BENCH = """\
`timescale 1ns/1ps
module bench;
    reg aclk = 0, aresetn = 0, valid = 0, last = 0;
    reg [{in_high}:0] data = 0;
    reg [{in_keep}:0] keep = 0;
    wire s_axis_tready, m_axis_tlast, m_axis_tuser, m_axis_tvalid, frame_error;
    wire [{out_high}:0] m_axis_tdata;
    wire [{out_keep}:0] m_axis_tkeep;
    {top} dut (.aclk(aclk), .aresetn(aresetn), .s_axis_tdata(data), .s_axis_tkeep(keep), .s_axis_tlast(last),
        .s_axis_tvalid(valid), .s_axis_tready(s_axis_tready), .m_axis_tdata(m_axis_tdata),
        .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast), .m_axis_tuser(m_axis_tuser),
        .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(1'b1), .frame_error(frame_error));
    always #5 aclk = ~aclk;
    task send(input [{in_high}:0] beat, input [{in_keep}:0] lanes, input ends);
        begin
            data <= beat; keep <= lanes; last <= ends; valid <= 1;
            @(posedge aclk);
            while (!s_axis_tready) @(posedge aclk);
            valid <= 0;
        end
    endtask
    always @(posedge aclk) if (aresetn && m_axis_tvalid)
        $display("BEAT %h %b %b %b", m_axis_tdata, m_axis_tkeep, m_axis_tlast, m_axis_tuser);
    initial begin
        repeat (4) @(posedge aclk);
        aresetn <= 1;
        @(posedge aclk);
{beats}
        repeat (400) @(posedge aclk);
        $finish;
    end
endmodule
"""


def beats_of(layer: Layer, beats: list[str], in_bytes: int, out_bytes: int, folder) -> list[str]:
    """Sends literal beats, ``data, keep, last`` in Verilog, and returns what comes out, ``data keep last user``.

    Bytes that TKEEP does not mark are written as dots.
    """
    plan = make_plan(layer, multipliers=4, input_beat_bytes=in_bytes, output_beat_bytes=out_bytes)
    design = design_of(plan)
    bench = BENCH.format(
        top=plan.top_name,
        in_high=8 * in_bytes - 1,
        in_keep=in_bytes - 1,
        out_high=8 * out_bytes - 1,
        out_keep=out_bytes - 1,
        beats="\n".join(f"        send({beat});" for beat in beats),
    )
    write_sources(folder, {**design.files, "bench.v": bench})
    icarus = find_icarus()
    command = [icarus.compiler, "-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", *design.sources]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([icarus.runtime, "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    return [masked(*line.split()[1:]) for line in done.stdout.splitlines() if line.startswith("BEAT ")]


def masked(data: str, keep: str, last: str, user: str) -> str:
    lanes = [data[2 * lane : 2 * lane + 2] if keep[lane] == "1" else ".." for lane in range(len(keep))]
    return f"{''.join(lanes)} {keep} {last} {user}"


def test_accumulators_leave_as_little_endian_int32(tmp_path):
    spec = ConvSpec(
        height=1, width=2, in_channels=2, out_channels=3, kernel=(1, 1), requantisation="none", output_dtype="int32"
    )
    # c0, c1, 100 * c0 - c1 + 0x01020304
    weights = np.array([[1, 0], [0, 1], [100, -1]], np.int8).reshape(3, 1, 1, 2)
    layer = Layer(spec, LayerParameters(weights=weights, bias=np.array([0, 0, 0x01020304])))
    # Pixels (1, 2) and (-3, 127): 1, 2, 0x01020366 and -3, 127, 0x01020159.
    assert beats_of(layer, ["32'h7ffd0201, 4'b1111, 1'b1"], 4, 8, tmp_path) == [
        "0000000200000001 11111111 0 0",
        "fffffffd01020366 11111111 0 0",
        "010201590000007f 11111111 1 0",
    ]


def test_lane_0_is_the_first_channel_of_the_first_pixel(tmp_path):
    spec = ConvSpec(height=2, width=2, in_channels=3, out_channels=3, kernel=(1, 1), output_zero_point=1)
    weights = np.eye(3, dtype=np.int8).reshape(3, 1, 1, 3)
    # 2**30 / 2**31 * 2**1 = 1: every output is its input and 1.
    layer = Layer(
        spec, LayerParameters(weights=weights, bias=None, multiplier=np.array([1 << 30]), shift=np.array([1]))
    )
    beats = [
        "40'h21_20_12_11_10, 5'b11111, 1'b0",
        "40'hf0_32_31_30_22, 5'b11111, 1'b0",
        "40'h00_00_00_f2_f1, 5'b00011, 1'b1",
    ]
    assert beats_of(layer, beats, 5, 9, tmp_path) == [
        "333231232221131211 111111111 0 0",
        "............f3f2f1 000000111 1 0",
    ]


def test_pixels_come_row_after_row_and_a_kernel_is_not_mirrored(tmp_path):
    spec = ConvSpec(
        height=2, width=3, in_channels=1, out_channels=1, kernel=(1, 2), requantisation="none", output_dtype="int32"
    )
    layer = Layer(spec, LayerParameters(weights=np.array([1, 100], np.int8).reshape(1, 1, 2, 1), bias=None))
    # 1 2 3     1 + 200, 2 + 300
    # 4 5 6     4 + 500, 5 + 600
    beats = ["16'h02_01, 2'b11, 1'b0", "16'h04_03, 2'b11, 1'b0", "16'h06_05, 2'b11, 1'b1"]
    assert beats_of(layer, beats, 2, 4, tmp_path) == [
        "000000c9 1111 0 0",
        "0000012e 1111 0 0",
        "000001f8 1111 0 0",
        "0000025d 1111 1 0",
    ]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_channel_goes_through_its_own_lane_of_weights(tmp_path, position):
    """Input channels 1, 2 and 4 in the bytes of a beat; an output reads one of them."""
    spec = ConvSpec(
        height=1, width=1, in_channels=3, out_channels=2, kernel=(1, 1), requantisation="none", output_dtype="int32"
    )
    weights = np.zeros((2, 1, 1, 3), np.int8)
    weights[1, 0, 0, position] = -128
    layer = Layer(spec, LayerParameters(weights=weights, bias=None))
    result = {0: "ffffff80", 1: "ffffff00", 2: "fffffe00"}[position]
    assert beats_of(layer, ["24'h04_02_01, 3'b111, 1'b1"], 3, 8, tmp_path) == [f"{result}00000000 11111111 1 0"]
