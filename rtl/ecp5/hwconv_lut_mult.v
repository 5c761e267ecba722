// hwconv_lut_mult: signed multiplier of look-up tables, on the ECP5's CCU2C; no hard multiplier.
//
//   p(t + 4) = a(t) * b(t), both signed; p is A_WIDTH + B_WIDTH bits and never overflows.
//
// Latency 4 cycles, one product per cycle, no reset: p is undefined for the first four cycles after power-up. Same ports
// and behaviour as rtl/generic/hwconv_lut_mult.v, which is its definition. The narrower operand has at most 8 bits.
//
//   cycle   registers   what is in them (8 x 8 bits)
//   1       16          operands
//   2       40          four rows: digit * a, a digit being two bits of b, the last one signed
//   3       24          two sums of two rows
//   4       16          the product
//
// A row is low + 2 * high, two multiples of a by one bit of b. A CCU2C has a table of four inputs for each bit of its
// carry chain, so both multiplications take place inside the chain:
//   low + 2 * high   A = a[i], B = bit 0, C = a[i-1], D = bit 1: propagate (A & B) ^ (C & D), generate A & B
//   low - 2 * high   A = a[i-1], B = bit 1, C = a[i], D = bit 0: propagate ~(A & B) ^ (C & D), generate ~(A & B)
// Generate counts only where both terms are equal. The subtraction's carry comes from a table that holds a one.
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
    // Rows are as wide as the wider operand, and as many as the narrower one has pairs of bits.
    localparam WIDE   = (A_WIDTH > B_WIDTH) ? A_WIDTH : B_WIDTH;
    localparam NARROW = (A_WIDTH > B_WIDTH) ? B_WIDTH : A_WIDTH;
    localparam ROWS   = (NARROW + 1) / 2;
    localparam LAST   = ROWS - 1;
    // Bits of a row, of the sum of two, and of that of four.
    localparam ROW = WIDE + 2;
    localparam SUM = WIDE + 4;
    localparam ALL = WIDE + 8;
    // Cells of a row's chain, two bits each.
    localparam CELLS = (ROW + 1) / 2;

    genvar r, i;
    generate
        if (NARROW > 8) begin : g_refused
            // Not a module of hwconv: elaboration stops here and names the reason.
            hwconv_lut_mult_takes_one_operand_of_at_most_8_bits refused ();
            assign p = 0;
        end else begin : g_rows
            wire [WIDE-1:0]   wide;
            wire [NARROW:0]   narrow;
            reg  [WIDE-1:0]   multiplicand;
            reg  [2*ROWS-1:0] digits;
            if (A_WIDTH > B_WIDTH) begin : g_b_is_narrow
                assign wide   = a;
                assign narrow = {b[B_WIDTH-1], b};
            end else begin : g_a_is_narrow
                assign wide   = b;
                assign narrow = {a[A_WIDTH-1], a};
            end
            always @(posedge clk) begin
                multiplicand <= wide;
                digits       <= narrow[2*ROWS-1:0];
            end

            // As wide as the chains, and twice that.
            wire [2*CELLS-1:0] once  = {{(2*CELLS-WIDE){multiplicand[WIDE-1]}}, multiplicand};
            wire [2*CELLS-1:0] twice = {once[2*CELLS-2:0], 1'b0};

            for (r = 0; r < 4; r = r + 1) begin : g_row
                wire [SUM-1:0] row;
                if (r > LAST) begin : g_none
                    assign row = {SUM{1'b0}};
                end else begin : g_some
                    wire [2*CELLS-1:0] sum;
                    reg  [ROW-1:0]     kept;
                    for (i = 0; i < CELLS; i = i + 1) begin : g_cell
                        // Wires of their own: a simulator that keeps a vector whole would take a chain for a loop.
                        wire carry_in;
                        wire carry_out;
                        if (i == 0) begin : g_first
                            assign carry_in = 1'b0;
                        end else begin : g_next
                            assign carry_in = g_cell[i-1].carry_out;
                        end
                        if (r < LAST) begin : g_plus
                            CCU2C #(
                                .INIT0(16'h7888), .INIT1(16'h7888), .INJECT1_0("NO"), .INJECT1_1("NO")
                            ) adder (
                                .CIN(carry_in),
                                .A0(once[2*i]),    .B0(digits[2*r]), .C0(twice[2*i]),   .D0(digits[2*r+1]),
                                .A1(once[2*i+1]),  .B1(digits[2*r]), .C1(twice[2*i+1]), .D1(digits[2*r+1]),
                                .S0(sum[2*i]), .S1(sum[2*i+1]), .COUT(carry_out)
                            );
                        end else begin : g_minus
                            // Bit 0 has nothing to subtract, and its place in the chain is where the carry is made.
                            wire low;
                            CCU2C #(
                                .INIT0(i == 0 ? 16'h000F : 16'h8777), .INIT1(16'h8777),
                                .INJECT1_0("NO"), .INJECT1_1("NO")
                            ) subtractor (
                                .CIN(carry_in),
                                .A0(twice[2*i]), .B0(digits[2*r+1]),
                                .C0(i == 0 ? 1'b1 : once[2*i]), .D0(i == 0 ? 1'b1 : digits[2*r]),
                                .A1(twice[2*i+1]), .B1(digits[2*r+1]), .C1(once[2*i+1]), .D1(digits[2*r]),
                                .S0(low), .S1(sum[2*i+1]), .COUT(carry_out)
                            );
                            assign sum[2*i] = (i == 0) ? multiplicand[0] & digits[2*r] : low;
                        end
                    end
                    always @(posedge clk) kept <= sum[ROW-1:0];
                    assign row = {{2{kept[ROW-1]}}, kept};
                end
            end

            reg  [SUM-1:0] lower;
            reg  [SUM-1:0] upper;
            wire [ALL-1:0] total = {{4{lower[SUM-1]}}, lower} + {upper, 4'b0000};
            reg  [A_WIDTH+B_WIDTH-1:0] product;
            always @(posedge clk) begin
                lower   <= g_row[0].row + (g_row[1].row << 2);
                upper   <= g_row[2].row + (g_row[3].row << 2);
                product <= total[A_WIDTH+B_WIDTH-1:0];
            end
            assign p = product;
        end
    endgenerate
endmodule

`default_nettype wire
