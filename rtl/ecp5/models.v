// Behavioural models, for simulation only, of the ECP5's multiplier and block RAM.
// rtl/ecp5/ and synthesised netlists instantiate them, and yosys brings no models of these two.
//
// Written from the behaviour that yosys' own mappings rely on. They know the parameters and ports used there; a
// parameter outside of what is modelled ends the simulation with an error, since a silent guess would prove nothing.

// MULT18X18D: 18 x 18 multiplier; input, pipeline and output registers on CLK0, each optional.
module MULT18X18D (
    input CLK0, CLK1, CLK2, CLK3, CE0, CE1, CE2, CE3, RST0, RST1, RST2, RST3,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
    input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
    input C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
    output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17, P18, P19, P20, P21, P22,
           P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
    parameter REG_INPUTA_CLK = "NONE";
    parameter REG_INPUTA_CE = "CE0";
    parameter REG_INPUTA_RST = "RST0";
    parameter REG_INPUTB_CLK = "NONE";
    parameter REG_INPUTB_CE = "CE0";
    parameter REG_INPUTB_RST = "RST0";
    parameter REG_INPUTC_CLK = "NONE";
    parameter REG_INPUTC_CE = "CE0";
    parameter REG_INPUTC_RST = "RST0";
    parameter REG_PIPELINE_CLK = "NONE";
    parameter REG_PIPELINE_CE = "CE0";
    parameter REG_PIPELINE_RST = "RST0";
    parameter REG_OUTPUT_CLK = "NONE";
    parameter REG_OUTPUT_CE = "CE0";
    parameter REG_OUTPUT_RST = "RST0";
    parameter CLK0_DIV = "ENABLED";
    parameter CLK1_DIV = "ENABLED";
    parameter CLK2_DIV = "ENABLED";
    parameter CLK3_DIV = "ENABLED";
    parameter HIGHSPEED_CLK = "NONE";
    parameter GSR = "ENABLED";
    parameter CAS_MATCH_REG = "FALSE";
    parameter SOURCEB_MODE = "B_SHIFT";
    parameter MULT_BYPASS = "DISABLED";
    parameter RESETMODE = "SYNC";

    wire [17:0] a = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [17:0] b = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [18:0] a_extended = {SIGNEDA & a[17], a};
    wire signed [18:0] b_extended = {SIGNEDB & b[17], b};

    reg signed [18:0] a_register;
    reg signed [18:0] b_register;
    reg signed [37:0] pipeline_register;
    reg signed [37:0] output_register;
    wire signed [18:0] a_operand = (REG_INPUTA_CLK == "NONE") ? a_extended : a_register;
    wire signed [18:0] b_operand = (REG_INPUTB_CLK == "NONE") ? b_extended : b_register;
    wire signed [37:0] product = a_operand * b_operand;
    wire signed [37:0] piped = (REG_PIPELINE_CLK == "NONE") ? product : pipeline_register;
    wire signed [37:0] result = (REG_OUTPUT_CLK == "NONE") ? piped : output_register;
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16,
        P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = result[35:0];

    always @(posedge CLK0) begin
        if (RST0 === 1'b1) begin
            a_register <= 0;
            b_register <= 0;
            pipeline_register <= 0;
            output_register <= 0;
        end else if (CE0 !== 1'b0) begin
            a_register <= a_extended;
            b_register <= b_extended;
            pipeline_register <= product;
            output_register <= piped;
        end
    end

    initial begin
        if ((REG_INPUTA_CLK != "NONE" && REG_INPUTA_CLK != "CLK0")
            || (REG_INPUTB_CLK != "NONE" && REG_INPUTB_CLK != "CLK0")
            || (REG_PIPELINE_CLK != "NONE" && REG_PIPELINE_CLK != "CLK0")
            || (REG_OUTPUT_CLK != "NONE" && REG_OUTPUT_CLK != "CLK0")
            || REG_INPUTA_CE != "CE0" || REG_INPUTB_CE != "CE0" || REG_PIPELINE_CE != "CE0" || REG_OUTPUT_CE != "CE0"
            || REG_INPUTA_RST != "RST0" || REG_INPUTB_RST != "RST0" || REG_PIPELINE_RST != "RST0"
            || REG_OUTPUT_RST != "RST0" || REG_INPUTC_CLK != "NONE" || MULT_BYPASS != "DISABLED" || RESETMODE != "SYNC"
            || SOURCEA === 1'b1 || SOURCEB === 1'b1) begin
            $display("ERROR: %m: MULT18X18D has a parameter that its model does not know");
            $finish;
        end
    end
endmodule

// DP16KD: 18 kbit of memory with two ports of 1, 2, 4, 9 or 18 bits, or one written and one read port of 36 bits.
//
// INITVAL_n holds 16 words of 18 bits, each padded to 20. Reading what the other port writes in the same cycle gives X.
module DP16KD (
    input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
    input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
    input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
    input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8, DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15,
           DIA16, DIA17,
    input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8, DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15,
           DIB16, DIB17,
    output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8, DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15,
           DOA16, DOA17,
    output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8, DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15,
           DOB16, DOB17
);
    parameter DATA_WIDTH_A = 18;
    parameter DATA_WIDTH_B = 18;
    parameter [8*6-1:0] REGMODE_A = "NOREG";
    parameter [8*6-1:0] REGMODE_B = "NOREG";
    parameter [8*5-1:0] RESETMODE = "SYNC";
    parameter ASYNC_RESET_RELEASE = "SYNC";
    parameter CSDECODE_A = "0b000";
    parameter CSDECODE_B = "0b000";
    parameter [8*15-1:0] WRITEMODE_A = "NORMAL";
    parameter [8*15-1:0] WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA";
    parameter CLKBMUX = "CLKB";
    parameter GSR = "ENABLED";
    parameter INIT_DATA = "STATIC";
    parameter [319:0] INITVAL_00 = 320'h0;
    parameter [319:0] INITVAL_01 = 320'h0;
    parameter [319:0] INITVAL_02 = 320'h0;
    parameter [319:0] INITVAL_03 = 320'h0;
    parameter [319:0] INITVAL_04 = 320'h0;
    parameter [319:0] INITVAL_05 = 320'h0;
    parameter [319:0] INITVAL_06 = 320'h0;
    parameter [319:0] INITVAL_07 = 320'h0;
    parameter [319:0] INITVAL_08 = 320'h0;
    parameter [319:0] INITVAL_09 = 320'h0;
    parameter [319:0] INITVAL_0A = 320'h0;
    parameter [319:0] INITVAL_0B = 320'h0;
    parameter [319:0] INITVAL_0C = 320'h0;
    parameter [319:0] INITVAL_0D = 320'h0;
    parameter [319:0] INITVAL_0E = 320'h0;
    parameter [319:0] INITVAL_0F = 320'h0;
    parameter [319:0] INITVAL_10 = 320'h0;
    parameter [319:0] INITVAL_11 = 320'h0;
    parameter [319:0] INITVAL_12 = 320'h0;
    parameter [319:0] INITVAL_13 = 320'h0;
    parameter [319:0] INITVAL_14 = 320'h0;
    parameter [319:0] INITVAL_15 = 320'h0;
    parameter [319:0] INITVAL_16 = 320'h0;
    parameter [319:0] INITVAL_17 = 320'h0;
    parameter [319:0] INITVAL_18 = 320'h0;
    parameter [319:0] INITVAL_19 = 320'h0;
    parameter [319:0] INITVAL_1A = 320'h0;
    parameter [319:0] INITVAL_1B = 320'h0;
    parameter [319:0] INITVAL_1C = 320'h0;
    parameter [319:0] INITVAL_1D = 320'h0;
    parameter [319:0] INITVAL_1E = 320'h0;
    parameter [319:0] INITVAL_1F = 320'h0;
    parameter [319:0] INITVAL_20 = 320'h0;
    parameter [319:0] INITVAL_21 = 320'h0;
    parameter [319:0] INITVAL_22 = 320'h0;
    parameter [319:0] INITVAL_23 = 320'h0;
    parameter [319:0] INITVAL_24 = 320'h0;
    parameter [319:0] INITVAL_25 = 320'h0;
    parameter [319:0] INITVAL_26 = 320'h0;
    parameter [319:0] INITVAL_27 = 320'h0;
    parameter [319:0] INITVAL_28 = 320'h0;
    parameter [319:0] INITVAL_29 = 320'h0;
    parameter [319:0] INITVAL_2A = 320'h0;
    parameter [319:0] INITVAL_2B = 320'h0;
    parameter [319:0] INITVAL_2C = 320'h0;
    parameter [319:0] INITVAL_2D = 320'h0;
    parameter [319:0] INITVAL_2E = 320'h0;
    parameter [319:0] INITVAL_2F = 320'h0;
    parameter [319:0] INITVAL_30 = 320'h0;
    parameter [319:0] INITVAL_31 = 320'h0;
    parameter [319:0] INITVAL_32 = 320'h0;
    parameter [319:0] INITVAL_33 = 320'h0;
    parameter [319:0] INITVAL_34 = 320'h0;
    parameter [319:0] INITVAL_35 = 320'h0;
    parameter [319:0] INITVAL_36 = 320'h0;
    parameter [319:0] INITVAL_37 = 320'h0;
    parameter [319:0] INITVAL_38 = 320'h0;
    parameter [319:0] INITVAL_39 = 320'h0;
    parameter [319:0] INITVAL_3A = 320'h0;
    parameter [319:0] INITVAL_3B = 320'h0;
    parameter [319:0] INITVAL_3C = 320'h0;
    parameter [319:0] INITVAL_3D = 320'h0;
    parameter [319:0] INITVAL_3E = 320'h0;
    parameter [319:0] INITVAL_3F = 320'h0;

    localparam WIDE = (DATA_WIDTH_A == 36);

    // Nine bits a byte; the ninth bits are out of reach of words narrower than nine bits.
    reg [8:0] mem [0:2047];
    wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] dia = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0,
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
        DIA2, DIA1, DIA0};
    wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0};
    wire selected_a = {CSA2, CSA1, CSA0} === 3'b000;
    wire selected_b = {CSB2, CSB1, CSB0} === 3'b000;
    wire write_a = WEA && selected_a && CEA !== 1'b0;
    wire write_b = !WIDE && WEB && selected_b && CEB !== 1'b0;

    // The bytes of a port's word that a write takes, the first byte's number, and the bits within a byte.
    function [3:0] byte_mask(input integer width, input [13:0] address);
        byte_mask = (width == 36) ? address[3:0] : (width == 18) ? {2'b00, address[1:0]} : 4'b0001;
    endfunction

    function integer first_byte(input integer width, input [13:0] address);
        first_byte = {21'd0, (width == 36) ? {address[13:5], 2'b00} : (width == 18) ? {address[13:4], 1'b0}
                             : address[13:3]};
    endfunction

    function integer byte_count(input integer width);
        byte_count = (width == 36) ? 4 : (width == 18) ? 2 : 1;
    endfunction

    function [3:0] bit_offset(input integer width, input [13:0] address);
        bit_offset = (width == 4) ? {1'b0, address[2], 2'b00} : (width == 2) ? {1'b0, address[2:1], 1'b0}
                     : (width == 1) ? {1'b0, address[2:0]} : 4'd0;
    endfunction

    function [8:0] bit_mask(input integer width, input [13:0] address);
        bit_mask = ((width == 4) ? 9'h00f : (width == 2) ? 9'h003 : (width == 1) ? 9'h001 : 9'h1ff)
                   << bit_offset(width, address);
    endfunction

    // The byte that a write leaves, before it is masked by byte_mask.
    function [8:0] merged(input integer width, input [13:0] address, input [8:0] old, input [8:0] data);
        merged = (old & ~bit_mask(width, address))
                 | ((data << bit_offset(width, address)) & bit_mask(width, address));
    endfunction

    function [35:0] word(input integer width, input [13:0] address);
        integer n;
        begin
            word = 0;
            for (n = 0; n < byte_count(width); n = n + 1) word[9*n +: 9] = mem[first_byte(width, address) + n];
            word = word >> bit_offset(width, address);
            if (width < 9) word = word & ((1 << width) - 1);
        end
    endfunction

    // Whether the two ports' words share a byte that the writing one takes.
    function collision(input integer width_w, input [13:0] address_w, input integer width_r, input [13:0] address_r);
        integer n;
        integer k;
        begin
            collision = 0;
            for (n = 0; n < byte_count(width_w); n = n + 1)
                for (k = 0; k < byte_count(width_r); k = k + 1)
                    if (((byte_mask(width_w, address_w) >> n) & 4'd1) != 4'd0
                        && first_byte(width_w, address_w) + n == first_byte(width_r, address_r) + k
                        && (bit_mask(width_w, address_w) & bit_mask(width_r, address_r)) != 0) collision = 1;
        end
    endfunction

    reg [35:0] latch_a;
    reg [35:0] latch_b;
    reg [35:0] register_a;
    reg [35:0] register_b;
    reg [35:0] next_a;
    reg [35:0] next_b;
    integer i;
    integer j;

    task load(input [5:0] number, input [319:0] cells);
        integer n;
        begin
            for (n = 0; n < 32; n = n + 1) mem[32 * number + n] = cells[(n / 2) * 20 + (n % 2) * 9 +: 9];
        end
    endtask

    initial begin
        load(6'h00, INITVAL_00); load(6'h01, INITVAL_01); load(6'h02, INITVAL_02); load(6'h03, INITVAL_03);
        load(6'h04, INITVAL_04); load(6'h05, INITVAL_05); load(6'h06, INITVAL_06); load(6'h07, INITVAL_07);
        load(6'h08, INITVAL_08); load(6'h09, INITVAL_09); load(6'h0A, INITVAL_0A); load(6'h0B, INITVAL_0B);
        load(6'h0C, INITVAL_0C); load(6'h0D, INITVAL_0D); load(6'h0E, INITVAL_0E); load(6'h0F, INITVAL_0F);
        load(6'h10, INITVAL_10); load(6'h11, INITVAL_11); load(6'h12, INITVAL_12); load(6'h13, INITVAL_13);
        load(6'h14, INITVAL_14); load(6'h15, INITVAL_15); load(6'h16, INITVAL_16); load(6'h17, INITVAL_17);
        load(6'h18, INITVAL_18); load(6'h19, INITVAL_19); load(6'h1A, INITVAL_1A); load(6'h1B, INITVAL_1B);
        load(6'h1C, INITVAL_1C); load(6'h1D, INITVAL_1D); load(6'h1E, INITVAL_1E); load(6'h1F, INITVAL_1F);
        load(6'h20, INITVAL_20); load(6'h21, INITVAL_21); load(6'h22, INITVAL_22); load(6'h23, INITVAL_23);
        load(6'h24, INITVAL_24); load(6'h25, INITVAL_25); load(6'h26, INITVAL_26); load(6'h27, INITVAL_27);
        load(6'h28, INITVAL_28); load(6'h29, INITVAL_29); load(6'h2A, INITVAL_2A); load(6'h2B, INITVAL_2B);
        load(6'h2C, INITVAL_2C); load(6'h2D, INITVAL_2D); load(6'h2E, INITVAL_2E); load(6'h2F, INITVAL_2F);
        load(6'h30, INITVAL_30); load(6'h31, INITVAL_31); load(6'h32, INITVAL_32); load(6'h33, INITVAL_33);
        load(6'h34, INITVAL_34); load(6'h35, INITVAL_35); load(6'h36, INITVAL_36); load(6'h37, INITVAL_37);
        load(6'h38, INITVAL_38); load(6'h39, INITVAL_39); load(6'h3A, INITVAL_3A); load(6'h3B, INITVAL_3B);
        load(6'h3C, INITVAL_3C); load(6'h3D, INITVAL_3D); load(6'h3E, INITVAL_3E); load(6'h3F, INITVAL_3F);
        if ((DATA_WIDTH_A != 1 && DATA_WIDTH_A != 2 && DATA_WIDTH_A != 4 && DATA_WIDTH_A != 9 && DATA_WIDTH_A != 18
             && DATA_WIDTH_A != 36)
            || (DATA_WIDTH_B != 1 && DATA_WIDTH_B != 2 && DATA_WIDTH_B != 4 && DATA_WIDTH_B != 9 && DATA_WIDTH_B != 18
                && !(DATA_WIDTH_B == 36 && WIDE))
            || (REGMODE_A != "NOREG" && REGMODE_A != "OUTREG") || (REGMODE_B != "NOREG" && REGMODE_B != "OUTREG")
            || (WRITEMODE_A != "NORMAL" && WRITEMODE_A != "WRITETHROUGH" && WRITEMODE_A != "READBEFOREWRITE")
            || (WRITEMODE_B != "NORMAL" && WRITEMODE_B != "WRITETHROUGH" && WRITEMODE_B != "READBEFOREWRITE")
            || (RESETMODE != "SYNC" && RESETMODE != "ASYNC") || CSDECODE_A != "0b000" || CSDECODE_B != "0b000"
            || CLKAMUX != "CLKA"
            || CLKBMUX != "CLKB" || (WIDE && REGMODE_A != REGMODE_B)) begin
            $display("ERROR: %m: DP16KD has a parameter that its model does not know");
            $finish;
        end
    end

    // yosys asks for an asynchronous reset where there is none; only one that is never used is modelled.
    always @* begin
        if (RESETMODE == "ASYNC" && (RSTA === 1'b1 || RSTB === 1'b1)) begin
            $display("ERROR: %m: the model of DP16KD has no asynchronous reset");
            $finish;
        end
    end

    always @(posedge CLKA) begin
        register_a <= (RSTA === 1'b1) ? 36'd0 : (OCEA !== 1'b0) ? latch_a : register_a;
        if (CEA !== 1'b0 && !WIDE) begin
            next_a = word(DATA_WIDTH_A, ada);
            if (write_b && collision(DATA_WIDTH_B, adb, DATA_WIDTH_A, ada)) next_a = 36'bx;
            if (!write_a || WRITEMODE_A == "READBEFOREWRITE") latch_a <= next_a;
            else if (WRITEMODE_A == "WRITETHROUGH") latch_a <= dia;
        end
        if (RSTA === 1'b1) latch_a <= 0;
    end

    always @(posedge CLKB) begin
        register_b <= (RSTB === 1'b1) ? 36'd0 : (OCEB !== 1'b0) ? latch_b : register_b;
        if (CEB !== 1'b0) begin
            next_b = word(DATA_WIDTH_B, adb);
            if (write_a && collision(DATA_WIDTH_A, ada, DATA_WIDTH_B, adb)) next_b = 36'bx;
            if (!write_b || WRITEMODE_B == "READBEFOREWRITE") latch_b <= next_b;
            else if (WRITEMODE_B == "WRITETHROUGH") latch_b <= {18'd0, dib};
        end
        if (RSTB === 1'b1) latch_b <= 0;
    end

    // The writes; one always block per port, after the reads above have taken the old contents.
    always @(posedge CLKA) begin
        if (write_a) begin
            for (i = 0; i < byte_count(DATA_WIDTH_A); i = i + 1)
                if (((byte_mask(DATA_WIDTH_A, ada) >> i) & 4'd1) != 4'd0)
                    mem[first_byte(DATA_WIDTH_A, ada) + i] <=
                        merged(DATA_WIDTH_A, ada, mem[first_byte(DATA_WIDTH_A, ada) + i], dia[9*i +: 9]);
        end
    end

    always @(posedge CLKB) begin
        if (write_b) begin
            for (j = 0; j < byte_count(DATA_WIDTH_B); j = j + 1)
                if (((byte_mask(DATA_WIDTH_B, adb) >> j) & 4'd1) != 4'd0)
                    mem[first_byte(DATA_WIDTH_B, adb) + j] <=
                        merged(DATA_WIDTH_B, adb, mem[first_byte(DATA_WIDTH_B, adb) + j], dib[9*j +: 9]);
        end
    end

    // Words of 36 bits leave on both outputs; a narrower word read from a wide memory leaves on DOB.
    wire [35:0] out_a = (REGMODE_A == "OUTREG") ? register_a : latch_a;
    wire [35:0] out_b = (REGMODE_B == "OUTREG") ? register_b : latch_b;
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
        DOA2, DOA1, DOA0} = WIDE ? out_b[17:0] : out_a[17:0];
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
        DOB2, DOB1, DOB0} = (DATA_WIDTH_B == 36) ? out_b[35:18] : out_b[17:0];
endmodule
