// A requantiser with the entry of one channel, against the definition of the mode `tflite`, for every accumulator.
//
// The definition is gemmlowp's, once more: SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT. Nothing is said of
// what the unit's registers hold in the first cycle, so that the result LATENCY cycles later is right at any time.
module requantiser_harness (
    input wire clk
);
`include "channel.svh"
    (* anyseq *) wire signed [ACCUMULATOR_WIDTH-1:0] accumulator;
    wire [OUTPUT_WIDTH-1:0] o;
    dut dut (.clk(clk), .rst(1'b0), .accumulator(accumulator), .entry(ENTRY), .o(o));

    reg [7:0] cycle = 8'd0;
    reg signed [ACCUMULATOR_WIDTH-1:0] first;
    always @(posedge clk) begin
        cycle <= cycle + 8'd1;
        if (cycle == 8'd0) first <= accumulator;
    end

    wire signed [63:0] a = first + BIAS;
    wire signed [63:0] product = (a <<< LEFT) * MULTIPLIER;
    wire signed [63:0] nudged = product + (product >= 0 ? 64'sd1 <<< 30 : 64'sd1 - (64'sd1 <<< 30));
    wire signed [63:0] high = nudged >= 0 ? nudged >>> 31 : -(-nudged >>> 31);
    wire signed [63:0] mask = (64'sd1 <<< RIGHT) - 64'sd1;
    wire signed [63:0] remainder = high & mask;
    wire signed [63:0] threshold = (mask >>> 1) + (high < 0 ? 64'sd1 : 64'sd0);
    wire signed [63:0] rounded = (high >>> RIGHT) + (remainder > threshold ? 64'sd1 : 64'sd0) + ZERO_POINT;
    wire signed [63:0] expected = rounded < OUT_MIN ? OUT_MIN : rounded > OUT_MAX ? OUT_MAX : rounded;

    always @(posedge clk) begin
        assume (cycle != 8'd0 || (LOW <= accumulator && accumulator <= HIGH));
        if (cycle == LATENCY) a_definition : assert (o == expected[OUTPUT_WIDTH-1:0]);
        c_result : cover (cycle == LATENCY && expected != OUT_MIN && expected != OUT_MAX);
    end
endmodule
