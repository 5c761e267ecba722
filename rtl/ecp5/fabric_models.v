// Behavioural models, for simulation only, of the ECP5's fabric cells that rtl/ecp5/ instantiates.
//
// A file of their own: a netlist has every kind of these cells, with the models that its synthesiser brings, and needs
// models.v beside them. A parameter outside of what is modelled ends the simulation with an error.

// CCU2C: two bits of a carry chain, each with a table of four inputs (propagate) whose lowest quarter is generate.
module CCU2C (
    input  wire CIN,
    input  wire A0, B0, C0, D0,
    input  wire A1, B1, C1, D1,
    output wire S0, S1, COUT
);
    parameter [15:0] INIT0     = 16'h0000;
    parameter [15:0] INIT1     = 16'h0000;
    parameter        INJECT1_0 = "YES";
    parameter        INJECT1_1 = "YES";

    initial begin
        if (INJECT1_0 != "NO" || INJECT1_1 != "NO") begin
            $display("CCU2C: INJECT1_0 = %0s, INJECT1_1 = %0s is not modelled", INJECT1_0, INJECT1_1);
            $finish;
        end
    end

    // A table entry, also where B is unknown and does not matter.
    function entry(input [15:0] table_, input pin_d, input pin_c, input pin_b, input pin_a);
        entry = (table_[{pin_d, pin_c, 1'b0, pin_a}] === table_[{pin_d, pin_c, 1'b1, pin_a}])
            ? table_[{pin_d, pin_c, 1'b0, pin_a}] : table_[{pin_d, pin_c, pin_b, pin_a}];
    endfunction

    wire propagate0 = entry(INIT0, D0, C0, B0, A0);
    wire generate0  = entry(INIT0, 1'b0, 1'b0, B0, A0);
    wire carry      = propagate0 ? CIN : generate0;
    wire propagate1 = entry(INIT1, D1, C1, B1, A1);
    wire generate1  = entry(INIT1, 1'b0, 1'b0, B1, A1);

    assign S0   = propagate0 ^ CIN;
    assign S1   = propagate1 ^ carry;
    assign COUT = propagate1 ? carry : generate1;
endmodule

// TRELLIS_FF: a flip-flop without enable and with an unused reset, as hwconv_hop has it.
module TRELLIS_FF (
    input  wire CLK, LSR, DI,
    output reg  Q
);
    parameter GSR    = "ENABLED";
    parameter CEMUX  = "1";
    parameter CLKMUX = "CLK";
    parameter LSRMUX = "LSR";
    parameter REGSET = "RESET";

    initial begin
        Q = 1'b0;
        if (CEMUX != "1" || CLKMUX != "CLK" || LSRMUX != "LSR" || REGSET != "RESET") begin
            $display("TRELLIS_FF: CEMUX = %0s, CLKMUX = %0s, LSRMUX = %0s, REGSET = %0s is not modelled", CEMUX, CLKMUX,
                     LSRMUX, REGSET);
            $finish;
        end
    end

    always @(posedge CLK) Q <= LSR ? 1'b0 : DI;
endmodule
