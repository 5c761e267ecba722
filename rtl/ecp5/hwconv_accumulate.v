// hwconv_accumulate: accumulator that starts over without losing a cycle, on the ECP5's CCU2C.
//
//   sum(t + 1) = (restart(t) ? 0 : sum(t)) + product(t), signed, modulo 2^WIDTH
//
// One product per cycle, no reset. Same ports and behaviour as rtl/generic/hwconv_accumulate.v, which is its definition.
//
// Each bit of a CCU2C adds with a table of four inputs: A = product, B = sum, C = restart, D = 1. Propagate is A ^ B, or
// A when restarting; generate is A in both cases (it counts only where the operands are equal, or the kept sum is 0).
// Synthesis would put the choice into tables of their own in front of the chain.
`default_nettype none

module hwconv_accumulate #(
    parameter WIDTH         = 24,
    parameter PRODUCT_WIDTH = 16
) (
    input  wire                            clk,
    input  wire                            restart,
    input  wire signed [PRODUCT_WIDTH-1:0] product,
    output reg  signed [WIDTH-1:0]         sum
);
    localparam PAIRS = (WIDTH + 1) / 2;

    wire [2*PAIRS-1:0] extended = {{(2*PAIRS-PRODUCT_WIDTH){product[PRODUCT_WIDTH-1]}}, product};
    wire [2*PAIRS-1:0] kept     = {{(2*PAIRS-WIDTH+1){sum[WIDTH-1]}}, sum[WIDTH-2:0]};
    wire [2*PAIRS-1:0] total;

    genvar i;
    generate
        for (i = 0; i < PAIRS; i = i + 1) begin : g_pair
            // Wires of their own: a simulator that keeps a vector whole would take a chain of its bits for a loop.
            wire carry_in;
            wire carry_out;
            if (i == 0) begin : g_first
                assign carry_in = 1'b0;
            end else begin : g_next
                assign carry_in = g_pair[i-1].carry_out;
            end
            CCU2C #(
                .INIT0(16'hA6AA), .INIT1(16'hA6AA), .INJECT1_0("NO"), .INJECT1_1("NO")
            ) adder (
                .CIN(carry_in),
                .A0(extended[2*i]),   .B0(kept[2*i]),   .C0(restart), .D0(1'b1),
                .A1(extended[2*i+1]), .B1(kept[2*i+1]), .C1(restart), .D1(1'b1),
                .S0(total[2*i]), .S1(total[2*i+1]), .COUT(carry_out)
            );
        end
    endgenerate

    always @(posedge clk) sum <= total[WIDTH-1:0];
endmodule

`default_nettype wire
