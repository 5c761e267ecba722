// hwconv_mult: signed multiplier with three register stages, on the ECP5's MULT18X18D.
//
//   p(t + 3) = a(t) * b(t), both signed; p is A_WIDTH + B_WIDTH bits and never overflows.
//
// Latency 3 cycles, one product per cycle, no reset: p is undefined for the first three cycles after power-up.
// Same ports and behaviour as rtl/generic/hwconv_mult.v, which is its definition.
//
//   STYLE     operands       what it is
//   "block"   to 18 x 18     one MULT18X18D with its input, pipeline and output registers
//             to 35 x 35     two or four MULT18X18D (input and output registers), summed in logic: slower
//   "logic"   any            partial products and adders in look-up tables, no hard multiplier
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
    // An operand of more than 18 bits is high * 2^17 + low, high signed and low unsigned.
    localparam A_HIGH = (A_WIDTH > 18) ? A_WIDTH - 17 : 0;
    localparam B_HIGH = (B_WIDTH > 18) ? B_WIDTH - 17 : 0;

    genvar i;
    generate
        if (STYLE == "logic") begin : g_logic
            localparam PAIRS = (B_WIDTH + 1) / 2;
            reg  signed [A_WIDTH-1:0]         operand_a;
            reg         [B_WIDTH-1:0]         operand_b;
            reg  signed [A_WIDTH+B_WIDTH-1:0] result;
            wire signed [A_WIDTH+B_WIDTH-1:0] total;

            always @(posedge clk) begin
                operand_a <= a;
                operand_b <= b;
                result    <= total;
            end

            for (i = 0; i < PAIRS; i = i + 1) begin : g_pair
                // Two bits of b; the top bit of b has negative weight. Fits A_WIDTH + 2 bits.
                wire signed [A_WIDTH+1:0] extended = {{2{operand_a[A_WIDTH-1]}}, operand_a};
                wire signed [A_WIDTH+1:0] low  = extended & {(A_WIDTH+2){operand_b[2*i]}};
                wire signed [A_WIDTH+1:0] high = (extended <<< 1)
                                                 & {(A_WIDTH+2){2 * i + 1 < B_WIDTH && operand_b[(2*i+1) % B_WIDTH]}};
                reg  signed [A_WIDTH+1:0] pipeline;
                always @(posedge clk) begin
                    if (2 * i + 2 == B_WIDTH) pipeline <= low - high;
                    else if (2 * i + 1 == B_WIDTH) pipeline <= -low;
                    else pipeline <= low + high;
                end
                wire signed [A_WIDTH+B_WIDTH+1:0] extended_pipeline = {{B_WIDTH{pipeline[A_WIDTH+1]}}, pipeline};
                wire signed [A_WIDTH+B_WIDTH-1:0] term = extended_pipeline[A_WIDTH+B_WIDTH-1:0];
                // Wires of their own, which no simulator takes for a loop.
                wire signed [A_WIDTH+B_WIDTH-1:0] sum;
                if (i == 0) begin : g_first
                    assign sum = term;
                end else begin : g_next
                    assign sum = g_pair[i-1].sum + (term <<< (2 * i));
                end
            end
            assign total = g_pair[PAIRS-1].sum;
            assign p = result;
        end else if (A_WIDTH > 35 || B_WIDTH > 35) begin : g_refused
            // Not a module of hwconv: elaboration stops here and names the reason.
            hwconv_mult_operands_are_limited_to_35_bits refused ();
            assign p = 0;
        end else if (A_HIGH == 0 && B_HIGH == 0) begin : g_block
            // Operands stand at the upper end: zeros below them cost no wires, copies of the sign above them would cost one
            // each, where a die has the fewest to spare. With a bit more, so that no operand is extended by nothing.
            wire [18:0] a_high = {a, {(19-A_WIDTH){1'b0}}};
            wire [18:0] b_high = {b, {(19-B_WIDTH){1'b0}}};
            wire signed [35:0] product;
            hwconv_mult18 #(.PIPELINE("CLK0")) mult18 (
                .clk(clk), .a(a_high[18:1]), .b(b_high[18:1]), .p(product));
            assign p = product[35:36-A_WIDTH-B_WIDTH];
        end else begin : g_wide
            wire signed [35:0] a_wide = {{(36-A_WIDTH){a[A_WIDTH-1]}}, a};
            wire signed [35:0] b_wide = {{(36-B_WIDTH){b[B_WIDTH-1]}}, b};
            wire signed [17:0] a_low  = (A_HIGH > 0) ? {1'b0, a_wide[16:0]} : a_wide[17:0];
            wire signed [17:0] b_low  = (B_HIGH > 0) ? {1'b0, b_wide[16:0]} : b_wide[17:0];
            wire signed [17:0] a_high = a_wide[34:17];
            wire signed [17:0] b_high = b_wide[34:17];
            wire signed [35:0] low_low;
            wire signed [35:0] high_low;
            wire signed [35:0] low_high;
            wire signed [35:0] high_high;

            hwconv_mult18 #(.PIPELINE("NONE")) mult18_low_low (.clk(clk), .a(a_low), .b(b_low), .p(low_low));
            if (A_HIGH > 0) begin : g_high_low
                hwconv_mult18 #(.PIPELINE("NONE")) mult18 (.clk(clk), .a(a_high), .b(b_low), .p(high_low));
            end else begin : g_no_high_low
                assign high_low = 0;
            end
            if (B_HIGH > 0) begin : g_low_high
                hwconv_mult18 #(.PIPELINE("NONE")) mult18 (.clk(clk), .a(a_low), .b(b_high), .p(low_high));
            end else begin : g_no_low_high
                assign low_high = 0;
            end
            if (A_HIGH > 0 && B_HIGH > 0) begin : g_high_high
                hwconv_mult18 #(.PIPELINE("NONE")) mult18 (.clk(clk), .a(a_high), .b(b_high), .p(high_high));
            end else begin : g_no_high_high
                assign high_high = 0;
            end

            // The lowest 17 bits are those of low_low. Above them, with both operands cut, low_low is unsigned and does
            // not overlap high_high, so that three terms are left to add, and two with one operand cut.
            wire signed [53:0] base = (A_HIGH > 0 && B_HIGH > 0)
                                      ? {high_high[35], high_high, low_low[33:17]}
                                      : {{35{low_low[35]}}, low_low[35:17]};
            wire signed [53:0] cross_a = {{18{high_low[35]}}, high_low};
            wire signed [53:0] cross_b = {{18{low_high[35]}}, low_high};
            wire signed [53:0] total = base + cross_a + cross_b;
            reg signed [A_WIDTH+B_WIDTH-18:0] result_high;
            reg        [16:0]                 result_low;
            always @(posedge clk) begin
                result_high <= total[A_WIDTH+B_WIDTH-18:0];
                result_low  <= low_low[16:0];
            end
            assign p = {result_high, result_low};
        end
    endgenerate
endmodule

// hwconv_mult18: one MULT18X18D, signed; PIPELINE "CLK0" (latency 3) or "NONE" (latency 2).
module hwconv_mult18 #(
    parameter PIPELINE = "CLK0"
) (
    input  wire               clk,
    input  wire signed [17:0] a,
    input  wire signed [17:0] b,
    output wire signed [35:0] p
);
    MULT18X18D #(
        .REG_INPUTA_CLK("CLK0"),
        .REG_INPUTA_CE("CE0"),
        .REG_INPUTA_RST("RST0"),
        .REG_INPUTB_CLK("CLK0"),
        .REG_INPUTB_CE("CE0"),
        .REG_INPUTB_RST("RST0"),
        .REG_PIPELINE_CLK(PIPELINE),
        .REG_PIPELINE_CE("CE0"),
        .REG_PIPELINE_RST("RST0"),
        .REG_OUTPUT_CLK("CLK0"),
        .REG_OUTPUT_CE("CE0"),
        .REG_OUTPUT_RST("RST0"),
        .GSR("DISABLED")
    ) multiplier (
        .CLK0(clk), .CE0(1'b1), .RST0(1'b0),
        .SIGNEDA(1'b1), .SIGNEDB(1'b1), .SOURCEA(1'b0), .SOURCEB(1'b0),
        .A0(a[0]), .A1(a[1]), .A2(a[2]), .A3(a[3]), .A4(a[4]), .A5(a[5]), .A6(a[6]), .A7(a[7]), .A8(a[8]), .A9(a[9]),
        .A10(a[10]), .A11(a[11]), .A12(a[12]), .A13(a[13]), .A14(a[14]), .A15(a[15]), .A16(a[16]), .A17(a[17]),
        .B0(b[0]), .B1(b[1]), .B2(b[2]), .B3(b[3]), .B4(b[4]), .B5(b[5]), .B6(b[6]), .B7(b[7]), .B8(b[8]), .B9(b[9]),
        .B10(b[10]), .B11(b[11]), .B12(b[12]), .B13(b[13]), .B14(b[14]), .B15(b[15]), .B16(b[16]), .B17(b[17]),
        .P0(p[0]), .P1(p[1]), .P2(p[2]), .P3(p[3]), .P4(p[4]), .P5(p[5]), .P6(p[6]), .P7(p[7]), .P8(p[8]), .P9(p[9]),
        .P10(p[10]), .P11(p[11]), .P12(p[12]), .P13(p[13]), .P14(p[14]), .P15(p[15]), .P16(p[16]), .P17(p[17]),
        .P18(p[18]), .P19(p[19]), .P20(p[20]), .P21(p[21]), .P22(p[22]), .P23(p[23]), .P24(p[24]), .P25(p[25]),
        .P26(p[26]), .P27(p[27]), .P28(p[28]), .P29(p[29]), .P30(p[30]), .P31(p[31]), .P32(p[32]), .P33(p[33]),
        .P34(p[34]), .P35(p[35]),
        // Not used: further clocks, and the operand of the adder before the multiplier.
        .CLK1(), .CLK2(), .CLK3(), .CE1(), .CE2(), .CE3(), .RST1(), .RST2(), .RST3(),
        .C0(), .C1(), .C2(), .C3(), .C4(), .C5(), .C6(), .C7(), .C8(), .C9(), .C10(), .C11(), .C12(), .C13(), .C14(),
        .C15(), .C16(), .C17()
    );
endmodule

`default_nettype wire
