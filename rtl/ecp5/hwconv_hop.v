// hwconv_hop: a register of the array that synthesis must not merge with another one, on the ECP5's TRELLIS_FF.
//
//   q(t + 1) = d(t), 0 at power-up
//
// Same ports and behaviour as rtl/generic/hwconv_hop.v, which is its definition. yosys merges equal registers, kept wires or
// not, but leaves kept cells alone.
`default_nettype none

module hwconv_hop #(
    parameter WIDTH = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] d,
    output wire [WIDTH-1:0] q
);
    genvar i;
    generate
        for (i = 0; i < WIDTH; i = i + 1) begin : g_bit
            (* keep *)
            TRELLIS_FF #(
                .GSR("AUTO"), .CEMUX("1"), .CLKMUX("CLK"), .LSRMUX("LSR"), .REGSET("RESET")
            ) held (.CLK(clk), .LSR(1'b0), .DI(d[i]), .Q(q[i]));
        end
    endgenerate
endmodule

`default_nettype wire
