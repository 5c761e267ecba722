// hwconv_ram: memory with one write port and one read port, on the ECP5's DP16KD with its output register.
//
//   write:  mem[w_addr] = w_data at a clock edge with w_en
//   read:   r_data(t + 2) = mem[r_addr(t)], as written by the clock edges before the one that takes r_addr
//
// Read latency 2 cycles, one read and one write per cycle. Undefined: what was never written, an address of DEPTH or
// more, and the result of reading an address in the cycle in which it is written. Same ports and behaviour as
// rtl/generic/hwconv_ram.v, which is its definition.
//
// STYLE "auto" takes distributed RAM up to 32 words where that is cheaper, else block RAM; "block" and "distributed"
// force one. A block is used as 512 x 36, 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2 or 16384 x 1. The cheapest shape is
// taken, where a memory deeper than the shape is cut into banks, and a block counts as much as 64 look-up tables
// (block_ram_count in hwconv/plan/block_ram.py is the same sum). Banks are selected behind the output registers.
`default_nettype none

module hwconv_ram #(
    parameter            WIDTH = 8,
    parameter            DEPTH = 512,
    parameter [8*11-1:0] STYLE = "auto"
) (
    input  wire                                         clk,
    input  wire                                         w_en,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] w_addr,
    input  wire [WIDTH-1:0]                             w_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] r_addr,
    output wire [WIDTH-1:0]                             r_data
);
    localparam ADDR_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;

    // The bits of a word in a block of 2^log2_depth words.
    function integer block_width(input integer log2_depth);
        case (log2_depth)
            9: block_width = 36;
            10: block_width = 18;
            11: block_width = 9;
            12: block_width = 4;
            13: block_width = 2;
            default: block_width = 1;
        endcase
    endfunction

    function integer banks_of(input integer log2_depth);
        banks_of = (DEPTH + (1 << log2_depth) - 1) >> log2_depth;
    endfunction

    function integer blocks(input integer log2_depth);
        blocks = banks_of(log2_depth) * ((WIDTH + block_width(log2_depth) - 1) / block_width(log2_depth));
    endfunction

    function integer cost(input integer log2_depth);
        cost = 64 * blocks(log2_depth) + WIDTH * (banks_of(log2_depth) - 1);
    endfunction

    function integer cheapest(input integer dummy);
        integer log2_depth;
        begin
            cheapest = 9;
            for (log2_depth = 10; log2_depth <= 14; log2_depth = log2_depth + 1)
                if (cost(log2_depth) < cost(cheapest) || (cost(log2_depth) == cost(cheapest)
                    && blocks(log2_depth) <= blocks(cheapest))) cheapest = log2_depth;
        end
    endfunction

    // Distributed RAM: 16 x 4 bits are six look-up tables, and each further 16 words one more per bit to select.
    function integer distributed_cost(input integer dummy);
        integer banks;
        begin
            banks = (DEPTH + 15) / 16;
            distributed_cost = 6 * banks * ((WIDTH + 3) / 4) + WIDTH * (banks - 1);
        end
    endfunction

    localparam IS_SMALL = DEPTH <= 32 && distributed_cost(0) <= cost(cheapest(0));

    genvar bank;
    genvar column;
    generate
        if (STYLE == "distributed" || (STYLE == "auto" && IS_SMALL)) begin : g_distributed
            (* ram_style = "distributed", no_rw_check *) reg [WIDTH-1:0] mem [0:DEPTH-1];
            reg [WIDTH-1:0] read;
            reg [WIDTH-1:0] result;
            always @(posedge clk) begin
                if (w_en) mem[w_addr] <= w_data;
            end
            always @(posedge clk) begin
                read   <= mem[r_addr];
                result <= read;
            end
            assign r_data = result;
        end else begin : g_block
            localparam LOG2_DEPTH  = cheapest(0);
            localparam BLOCK_WIDTH = block_width(LOG2_DEPTH);
            localparam COLUMNS     = (WIDTH + BLOCK_WIDTH - 1) / BLOCK_WIDTH;
            localparam BANKS       = banks_of(LOG2_DEPTH);
            localparam BANK_BITS   = (BANKS > 1) ? $clog2(BANKS) : 1;

            // Each with a bit to spare, so that nothing is extended by nothing.
            localparam FULL_BITS   = LOG2_DEPTH + BANK_BITS + 1;
            localparam FULL_WIDTH  = BLOCK_WIDTH * COLUMNS + 1;
            wire [FULL_BITS-1:0]            w_address = {{(FULL_BITS-ADDR_BITS){1'b0}}, w_addr};
            wire [FULL_BITS-1:0]            r_address = {{(FULL_BITS-ADDR_BITS){1'b0}}, r_addr};
            wire [BANK_BITS-1:0]            w_bank    = w_address[LOG2_DEPTH +: BANK_BITS];
            wire [BANK_BITS-1:0]            r_bank    = r_address[LOG2_DEPTH +: BANK_BITS];
            wire [FULL_WIDTH-1:0]           padded    = {{(FULL_WIDTH-WIDTH){1'b0}}, w_data};
            wire [BLOCK_WIDTH*COLUMNS-1:0]  read [0:BANKS-1];

            for (bank = 0; bank < BANKS; bank = bank + 1) begin : g_bank
                wire write = w_en && (BANKS == 1 || w_bank == bank);
                for (column = 0; column < COLUMNS; column = column + 1) begin : g_column
                    hwconv_ram_block #(.LOG2_DEPTH(LOG2_DEPTH), .WIDTH(BLOCK_WIDTH)) block (
                        .clk(clk),
                        .w_en(write),
                        .w_addr(w_address[LOG2_DEPTH-1:0]),
                        .w_data(padded[column*BLOCK_WIDTH +: BLOCK_WIDTH]),
                        .r_addr(r_address[LOG2_DEPTH-1:0]),
                        .r_data(read[bank][column*BLOCK_WIDTH +: BLOCK_WIDTH])
                    );
                end
            end

            if (BANKS == 1) begin : g_one
                assign r_data = read[0][WIDTH-1:0];
            end else begin : g_select
                reg [BANK_BITS-1:0] select_1;
                reg [BANK_BITS-1:0] select_2;
                always @(posedge clk) begin
                    select_1 <= r_bank;
                    select_2 <= select_1;
                end
                wire [BLOCK_WIDTH*COLUMNS-1:0] selected = read[select_2];
                assign r_data = selected[WIDTH-1:0];
            end
        end
    endgenerate
endmodule

// hwconv_ram_block: one DP16KD of 2^LOG2_DEPTH words; port A writes, port B reads, two cycles.
//
// A word of 36 bits (pseudo dual port) leaves on both data outputs, bits 17..0 on DOA and 35..18 on DOB, and is written
// under the byte enables ADA3..ADA0 with WEA high: as yosys maps such a memory. The primitive PDPW16KD is avoided: its
// DO pins carry the two halves exchanged.
module hwconv_ram_block #(
    parameter LOG2_DEPTH = 10,
    parameter WIDTH      = 18
) (
    input  wire                  clk,
    input  wire                  w_en,
    input  wire [LOG2_DEPTH-1:0] w_addr,
    input  wire [WIDTH-1:0]      w_data,
    input  wire [LOG2_DEPTH-1:0] r_addr,
    output wire [WIDTH-1:0]      r_data
);
    wire        wide   = (WIDTH == 36);
    wire [3:0]  enable = (WIDTH == 36) ? {4{w_en}} : (WIDTH == 18) ? 4'b0011 : 4'b0000;
    // Each with a bit to spare, so that nothing is extended by nothing.
    wire [14:0] w_cell = {w_addr, {(15-LOG2_DEPTH){1'b0}}};
    wire [14:0] r_cell = {r_addr, {(15-LOG2_DEPTH){1'b0}}};
    wire [36:0] di     = {{(37-WIDTH){1'b0}}, w_data};
    wire [13:0] ada    = w_cell[14:1] | {10'd0, enable};
    wire [13:0] adb    = r_cell[14:1];
    wire [17:0] do_a;
    wire [17:0] do_b;

    generate
        if (WIDTH == 36) begin : g_wide
            assign r_data = {do_b, do_a};
        end else begin : g_narrow
            assign r_data = do_b[WIDTH-1:0];
        end
    endgenerate

    DP16KD #(
        .DATA_WIDTH_A(WIDTH),
        .DATA_WIDTH_B(WIDTH),
        .REGMODE_A("OUTREG"),
        .REGMODE_B("OUTREG"),
        .RESETMODE("SYNC"),
        .ASYNC_RESET_RELEASE("SYNC"),
        .WRITEMODE_A("NORMAL"),
        .WRITEMODE_B("NORMAL"),
        .CSDECODE_A("0b000"),
        .CSDECODE_B("0b000"),
        .GSR("DISABLED")
    ) ebr (
        .CLKA(clk), .CEA(1'b1), .OCEA(1'b1), .WEA(wide | w_en), .RSTA(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0),
        .CLKB(clk), .CEB(1'b1), .OCEB(1'b1), .WEB(1'b0), .RSTB(1'b0), .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0),
        .ADA0(ada[0]), .ADA1(ada[1]), .ADA2(ada[2]), .ADA3(ada[3]), .ADA4(ada[4]), .ADA5(ada[5]), .ADA6(ada[6]),
        .ADA7(ada[7]), .ADA8(ada[8]), .ADA9(ada[9]), .ADA10(ada[10]), .ADA11(ada[11]), .ADA12(ada[12]),
        .ADA13(ada[13]),
        .ADB0(adb[0]), .ADB1(adb[1]), .ADB2(adb[2]), .ADB3(adb[3]), .ADB4(adb[4]), .ADB5(adb[5]), .ADB6(adb[6]),
        .ADB7(adb[7]), .ADB8(adb[8]), .ADB9(adb[9]), .ADB10(adb[10]), .ADB11(adb[11]), .ADB12(adb[12]),
        .ADB13(adb[13]),
        .DIA0(di[0]), .DIA1(di[1]), .DIA2(di[2]), .DIA3(di[3]), .DIA4(di[4]), .DIA5(di[5]), .DIA6(di[6]),
        .DIA7(di[7]), .DIA8(di[8]), .DIA9(di[9]), .DIA10(di[10]), .DIA11(di[11]), .DIA12(di[12]), .DIA13(di[13]),
        .DIA14(di[14]), .DIA15(di[15]), .DIA16(di[16]), .DIA17(di[17]),
        .DIB0(di[18]), .DIB1(di[19]), .DIB2(di[20]), .DIB3(di[21]), .DIB4(di[22]), .DIB5(di[23]), .DIB6(di[24]),
        .DIB7(di[25]), .DIB8(di[26]), .DIB9(di[27]), .DIB10(di[28]), .DIB11(di[29]), .DIB12(di[30]), .DIB13(di[31]),
        .DIB14(di[32]), .DIB15(di[33]), .DIB16(di[34]), .DIB17(di[35]),
        .DOA0(do_a[0]), .DOA1(do_a[1]), .DOA2(do_a[2]), .DOA3(do_a[3]), .DOA4(do_a[4]), .DOA5(do_a[5]),
        .DOA6(do_a[6]), .DOA7(do_a[7]), .DOA8(do_a[8]), .DOA9(do_a[9]), .DOA10(do_a[10]), .DOA11(do_a[11]),
        .DOA12(do_a[12]), .DOA13(do_a[13]), .DOA14(do_a[14]), .DOA15(do_a[15]), .DOA16(do_a[16]), .DOA17(do_a[17]),
        .DOB0(do_b[0]), .DOB1(do_b[1]), .DOB2(do_b[2]), .DOB3(do_b[3]), .DOB4(do_b[4]), .DOB5(do_b[5]),
        .DOB6(do_b[6]), .DOB7(do_b[7]), .DOB8(do_b[8]), .DOB9(do_b[9]), .DOB10(do_b[10]), .DOB11(do_b[11]),
        .DOB12(do_b[12]), .DOB13(do_b[13]), .DOB14(do_b[14]), .DOB15(do_b[15]), .DOB16(do_b[16]), .DOB17(do_b[17])
    );
endmodule

`default_nettype wire
