// hwconv_lut_mult: signed multiplier of look-up tables, for any tool and any FPGA; it takes no hard multiplier.
//
//   p(t + 4) = a(t) * b(t), both signed; p is A_WIDTH + B_WIDTH bits and never overflows.
//
// Latency 4 cycles, one product per cycle, no reset: p is undefined for the first four cycles after power-up. That is
// one cycle more than hwconv_mult: behind a hard multiplier, which may lie far away, an element has a register in the
// fabric; here the last adder's is in its place. rtl/ecp5/ has the same module built of carry chains.
`default_nettype none

module hwconv_lut_mult #(
    parameter A_WIDTH = 8,
    parameter B_WIDTH = 8
) (
    input  wire                              clk,
    input  wire signed [A_WIDTH-1:0]         a,
    input  wire signed [B_WIDTH-1:0]         b,
    output wire signed [A_WIDTH+B_WIDTH-1:0] p
);
    reg signed [A_WIDTH-1:0] operand_a;
    reg signed [B_WIDTH-1:0] operand_b;
    (* use_dsp = "no", multstyle = "logic" *) reg signed [A_WIDTH+B_WIDTH-1:0] pipeline;
    reg signed [A_WIDTH+B_WIDTH-1:0] delayed;
    reg signed [A_WIDTH+B_WIDTH-1:0] result;

    always @(posedge clk) begin
        operand_a <= a;
        operand_b <= b;
        pipeline  <= operand_a * operand_b;
        delayed   <= pipeline;
        result    <= delayed;
    end
    assign p = result;
endmodule

`default_nettype wire
