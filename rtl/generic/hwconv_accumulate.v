// hwconv_accumulate: accumulator that starts over without losing a cycle, for any tool and any FPGA.
//
//   sum(t + 1) = (restart(t) ? 0 : sum(t)) + product(t), signed, modulo 2^WIDTH
//
// One product per cycle, no reset: sum is undefined until the first restart. rtl/ecp5/ has the same module with the
// choice made inside the carry chain, where it costs nothing.
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
    wire signed [WIDTH-1:0] kept     = restart ? {WIDTH{1'b0}} : sum;
    wire signed [WIDTH-1:0] extended = {{(WIDTH-PRODUCT_WIDTH){product[PRODUCT_WIDTH-1]}}, product};

    always @(posedge clk) sum <= kept + extended;
endmodule

`default_nettype wire
