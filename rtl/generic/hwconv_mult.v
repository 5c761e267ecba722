// hwconv_mult: signed multiplier with three register stages, for any tool and any FPGA.
//
//   p(t + 3) = a(t) * b(t), both signed; p is A_WIDTH + B_WIDTH bits and never overflows.
//
// Latency 3 cycles (operands, pipeline, result), one product per cycle, no reset: p is undefined for the first
// three cycles after power-up. The registers are placed where hard multipliers have theirs, so that synthesis can
// absorb them. rtl/ecp5/ has the same module built on the MULT18X18D primitive.
//
// STYLE asks for a hard multiplier ("block") or one made of look-up tables ("logic"); both compute the same.
`default_nettype none

module hwconv_mult #(
    parameter A_WIDTH = 8,
    parameter B_WIDTH = 8,
    parameter STYLE   = "block"
) (
    input  wire                              clk,
    input  wire signed [A_WIDTH-1:0]         a,
    input  wire signed [B_WIDTH-1:0]         b,
    output wire signed [A_WIDTH+B_WIDTH-1:0] p
);
    reg signed [A_WIDTH-1:0] operand_a;
    reg signed [B_WIDTH-1:0] operand_b;

    always @(posedge clk) begin
        operand_a <= a;
        operand_b <= b;
    end

    generate
        if (STYLE == "logic") begin : g_logic
            (* use_dsp = "no", multstyle = "logic" *) reg signed [A_WIDTH+B_WIDTH-1:0] pipeline;
            reg signed [A_WIDTH+B_WIDTH-1:0] result;
            always @(posedge clk) begin
                pipeline <= operand_a * operand_b;
                result   <= pipeline;
            end
            assign p = result;
        end else begin : g_block
            (* use_dsp = "yes", multstyle = "dsp" *) reg signed [A_WIDTH+B_WIDTH-1:0] pipeline;
            reg signed [A_WIDTH+B_WIDTH-1:0] result;
            always @(posedge clk) begin
                pipeline <= operand_a * operand_b;
                result   <= pipeline;
            end
            assign p = result;
        end
    endgenerate
endmodule

`default_nettype wire
