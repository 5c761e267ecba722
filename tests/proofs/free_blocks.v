// Vendor blocks whose outputs may be anything at any time. What is proven with them in place of rtl/generic/ holds for
// every content of a memory and every product, and the solver has no data to follow.
module hwconv_mult #(
    parameter A_WIDTH = 8,
    parameter B_WIDTH = 8,
    parameter STYLE   = "block"
) (
    input  wire                       clk,
    input  wire [A_WIDTH-1:0]         a,
    input  wire [B_WIDTH-1:0]         b,
    output wire [A_WIDTH+B_WIDTH-1:0] p
);
    (* anyseq *) wire [A_WIDTH+B_WIDTH-1:0] free;
    assign p = free;
endmodule

module hwconv_accumulate #(
    parameter WIDTH         = 24,
    parameter PRODUCT_WIDTH = 16
) (
    input  wire                     clk,
    input  wire                     restart,
    input  wire [PRODUCT_WIDTH-1:0] product,
    output wire [WIDTH-1:0]         sum
);
    (* anyseq *) wire [WIDTH-1:0] free;
    assign sum = free;
endmodule

module hwconv_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 512
) (
    input  wire                                         clk,
    input  wire                                         w_en,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] w_addr,
    input  wire [WIDTH-1:0]                             w_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] r_addr,
    output wire [WIDTH-1:0]                             r_data
);
    (* anyseq *) wire [WIDTH-1:0] free;
    assign r_data = free;
endmodule
