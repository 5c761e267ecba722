// The clock for simulators that run time themselves: wraps stream_harness, and writes a waveform with +waveform=FILE.

`timescale 1ns / 1ps
`default_nettype none

module harness_top #(
    parameter integer IN_BYTES = 1,
    parameter integer OUT_BYTES = 1,
    parameter integer IN_DEPTH = 65536,
    parameter integer OUT_DEPTH = 65536
`ifdef HWCONV_LOADABLE
    ,
    parameter integer WEIGHT_BYTES = 1,
    parameter integer WEIGHT_DEPTH = 65536
`endif
);
    reg clk = 1'b0;
    reg [8*512-1:0] waveform;

    always #5 clk = ~clk;

    stream_harness #(
        .IN_BYTES(IN_BYTES),
        .OUT_BYTES(OUT_BYTES),
        .IN_DEPTH(IN_DEPTH),
        .OUT_DEPTH(OUT_DEPTH)
`ifdef HWCONV_LOADABLE
        ,
        .WEIGHT_BYTES(WEIGHT_BYTES),
        .WEIGHT_DEPTH(WEIGHT_DEPTH)
`endif
    ) harness (
        .clk(clk)
    );

    initial begin
        if ($value$plusargs("waveform=%s", waveform)) begin
            $dumpfile(waveform);
            $dumpvars(0, harness);
        end
    end
endmodule

`default_nettype wire
