// hwconv_ram: memory with one write port and one read port, for any tool and any FPGA.
//
//   write:  mem[w_addr] = w_data at a clock edge with w_en
//   read:   r_data(t + 2) = mem[r_addr(t)], as written by the clock edges before the one that takes r_addr
//
// Read latency 2 cycles (the memory's own register and an output register), one read and one write per cycle.
// Three things are undefined, and X in simulation: what was never written (there is no initial content and no
// reset), an address of DEPTH or more, and the result of reading an address in the cycle in which it is written
// (block RAM does not promise the old or the new word). rtl/ecp5/ has the same module built on block RAM primitives.
//
// Address ports are max(1, ceil(log2(DEPTH))) bits.
`default_nettype none

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
    (* no_rw_check *) reg [WIDTH-1:0] mem [0:DEPTH-1];  // no logic for what is undefined
    reg [WIDTH-1:0] read;

    always @(posedge clk) begin
        if (w_en) mem[w_addr] <= w_data;
    end

    always @(posedge clk) begin
        read <= mem[r_addr];
`ifndef SYNTHESIS
        if (w_en && w_addr == r_addr) read <= {WIDTH{1'bx}};
`endif
        r_data <= read;
    end
endmodule

`default_nettype wire
