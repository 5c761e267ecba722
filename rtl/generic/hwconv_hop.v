// hwconv_hop: a register of the array that synthesis must not merge with another one, for any tool and any FPGA.
//
//   q(t + 1) = d(t)
//
// Marks travel through the array in a wave: all elements at one distance see the same value. A synthesiser that notices keeps
// one register for the whole diagonal, whose wires then cross the die. rtl/ecp5/ has the same module made of kept cells.
`default_nettype none

module hwconv_hop #(
    parameter WIDTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
    (* keep = "true", dont_touch = "true" *) reg [WIDTH-1:0] held = {WIDTH{1'b0}};

    always @(posedge clk) held <= d;
    assign q = held;
endmodule

`default_nettype wire
