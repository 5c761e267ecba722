// hwconv_ram with its words side by side in one register, which a proof can speak of. What rtl/generic/ leaves undefined,
// the word of an address that is written in the same cycle, may be anything.
module hwconv_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 512
) (
    input  wire                                         clk,
    input  wire                                         w_en,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] w_addr,
    input  wire [WIDTH-1:0]                             w_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] r_addr,
    output reg  [WIDTH-1:0]                             r_data
);
    (* anyseq *) wire [WIDTH-1:0] free;
    reg [DEPTH*WIDTH-1:0] words;
    reg [WIDTH-1:0] first;
    integer index;
    always @(posedge clk) begin
        for (index = 0; index < DEPTH; index = index + 1)
            if (w_en && w_addr == index) words[index*WIDTH +: WIDTH] <= w_data;
        first <= free;
        for (index = 0; index < DEPTH; index = index + 1)
            if (r_addr == index && !(w_en && w_addr == r_addr)) first <= words[index*WIDTH +: WIDTH];
        r_data <= first;
    end
endmodule
