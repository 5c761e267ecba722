// Sequencer and address generator against the loop nest and the index formula (walk.sv), whenever tiles may start.
//
// Words are counted from the first one that came in, and lie around the ring in this order.
module addresses_harness #(
    parameter BITS = 8
) (
    input wire clk,
    input wire go
);
    localparam LAYER = 0;
`include "engine_config.svh"
`include "layer_config.svh"
    reg [7:0] cycle = 8'd0;
    wire rst = cycle == 8'd0;
    wire read, block_first, scan_last;
    wire [PORTS*ADDRESS_BITS-1:0] address;
    wire [PORTS-1:0] inside;
    dut dut (
        .clk(clk), .rst(rst), .go(go), .read(read), .block_first(block_first), .scan_last(scan_last),
        .address(address), .inside(inside)
    );
    reg [2:0] reads;
    always @(posedge clk) begin
        cycle <= cycle + !(&cycle);
        reads <= rst ? 3'd0 : {reads, read};
        assume (!go || cycle > GO_AFTER_RESET);
    end

    wire [PORTS-1:0] first_lane, last_lane, second_frame;
    genvar port;
    generate
        for (port = 0; port < PORTS; port = port + 1) begin : g_port
            wire live, should_be_inside;
            wire [BITS-1:0] word, frame_word;
            walk #(.PORT(port), .BITS(BITS)) at_address (
                .clk(clk), .rst(rst), .step(reads[2]), .live(live), .inside(should_be_inside), .word(word),
                .frame_word(frame_word)
            );
            walk #(.PORT(port), .BITS(BITS)) at_marks (
                .clk(clk), .rst(rst), .step(read), .first_lane(first_lane[port]), .last_lane(last_lane[port])
            );
            // word modulo ACTIVATION_WORDS: no run is so long that the ring goes round more than three times
            wire [BITS-1:0] once = word >= 2 * ACTIVATION_WORDS ? word - 2 * ACTIVATION_WORDS : word;
            wire [BITS-1:0] expected = once >= ACTIVATION_WORDS ? once - ACTIVATION_WORDS : once;
            assign second_frame[port] = frame_word != 0;
            always @(posedge clk) if (!rst && reads[2] && live) begin
                assert (inside[port] == should_be_inside);
                if (should_be_inside) begin
                    assert (word < 4 * ACTIVATION_WORDS && address[port*ADDRESS_BITS +: ADDRESS_BITS] == expected);
                end
            end
        end
    endgenerate
    always @(posedge clk) if (!rst) begin
        a_block_first : assert (block_first == (read && first_lane[0]));
        a_scan_last :   assert (scan_last == (read && last_lane[0]));
        c_outside : cover (TOP + LEFT == 0 || (reads[2] && inside == 0));
        c_second_frame : cover (reads[2] && second_frame[0]);
    end
endmodule
