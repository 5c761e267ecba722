// Sequencer and address generator of a transposed layer against its definition, whenever tiles may start, for every port.
//
// Output row oy meets kernel row ky if (oy + PAD_Y - ky * DILATION_Y) is a multiple of STRIDE_Y, and reads the input row
// that is the quotient; columns likewise. Taps are read in the order of input rows and columns: ky and kx descending.
// A fold is what lies between two `fold_last` marks; one whose output meets no tap reads nothing.
module polyphase_harness #(
    parameter BITS = 8
) (
    input wire clk,
    input wire go
);
`include "polyphase_config.svh"
    reg [7:0] cycle = 8'd0;
    wire rst = cycle == 8'd0;
    wire read, block_first, scan_last, fold_last;
    wire [PORTS*ADDRESS_BITS-1:0] address;
    wire [PORTS-1:0] inside;
    dut dut (
        .clk(clk), .rst(rst), .go(go), .read(read), .block_first(block_first), .scan_last(scan_last),
        .fold_last(fold_last), .address(address), .inside(inside)
    );
    always @(posedge clk) begin
        cycle <= cycle + !(&cycle);
        assume (!go || cycle > GO_AFTER_RESET);
    end

    function automatic signed [BITS-1:0] largest(
        input signed [BITS-1:0] place, input signed [BITS-1:0] kernel, input signed [BITS-1:0] dilation,
        input signed [BITS-1:0] stride
    );
        integer k;
        begin
            largest = -1;
            for (k = 0; k < MOST_KERNEL; k = k + 1)
                if (k < kernel && (place + 64 * stride - k * dilation) % stride == 0) largest = k;
        end
    endfunction

    function automatic signed [BITS-1:0] count(
        input signed [BITS-1:0] place, input signed [BITS-1:0] kernel, input signed [BITS-1:0] dilation,
        input signed [BITS-1:0] stride
    );
        integer k;
        begin
            count = 0;
            for (k = 0; k < MOST_KERNEL; k = k + 1)
                if (k < kernel && (place + 64 * stride - k * dilation) % stride == 0) count = count + 1;
        end
    endfunction

    // The n-th largest one.
    function automatic signed [BITS-1:0] tap(
        input signed [BITS-1:0] place, input signed [BITS-1:0] kernel, input signed [BITS-1:0] dilation,
        input signed [BITS-1:0] stride, input [BITS-1:0] number
    );
        integer k;
        reg [BITS-1:0] seen;
        begin
            tap = 0;
            seen = 0;
            for (k = MOST_KERNEL - 1; k >= 0; k = k - 1)
                if (k < kernel && (place + 64 * stride - k * dilation) % stride == 0) begin
                    if (seen == number) tap = k;
                    seen = seen + 1;
                end
        end
    endfunction

    reg [BITS-1:0] base, oy, tile, phase, group, turn, ky, kx, block, lane;
    wire signed [BITS-1:0] down = oy + PAD_Y;
    wire signed [BITS-1:0] across = phase + PAD_X;  // of the first super pixel: its phase is everyone's
    wire signed [BITS-1:0] rows = count(down, KERNEL_Y, DILATION_Y, STRIDE_Y);
    wire signed [BITS-1:0] columns = count(across, KERNEL_X, DILATION_X, STRIDE_X);
    wire live_fold = rows != 0 && columns != 0;

    wire lane_end = lane == LANES - 1;
    wire block_end = lane_end && block == BLOCKS - 1;
    wire kx_end = block_end && kx == columns - 1;
    wire ky_end = kx_end && ky == rows - 1;
    reg fold_read;  // all taps of this fold have been read
    wire turn_end = turn == TILES - 1;
    wire group_end = turn_end && group == GROUPS - 1;
    wire phase_end = group_end && phase == STRIDE_X - 1;
    wire tile_end = phase_end && tile == STRIP_TILES - 1;
    wire frame_end = tile_end && oy == OUT_HEIGHT - 1;
    always @(posedge clk) begin
        if (rst) {base, oy, tile, phase, group, turn, ky, kx, block, lane, fold_read} <= 0;
        else begin
            if (read) begin
                lane <= lane_end ? 0 : lane + 1;
                if (lane_end) block <= block_end ? 0 : block + 1;
                if (block_end) kx <= kx_end ? 0 : kx + 1;
                if (kx_end) ky <= ky_end ? 0 : ky + 1;
                if (ky_end) fold_read <= 1;
                a_expected : assert (live_fold && !fold_read);
            end
            if (fold_last) begin
                a_complete : assert (!live_fold || fold_read || (read && ky_end));
                fold_read <= 0;
                turn <= turn_end ? 0 : turn + 1;
                if (turn_end) group <= group_end ? 0 : group + 1;
                if (group_end) phase <= phase_end ? 0 : phase + 1;
                if (phase_end) tile <= tile_end ? 0 : tile + 1;
                if (tile_end) oy <= frame_end ? 0 : oy + 1;
                if (frame_end) base <= base + HEIGHT * WIDTH * PIXEL_WORDS;
            end
            a_block_first : assert (block_first == (read && lane == 0));
            a_scan_last : assert (scan_last == (read && lane_end));
        end
    end

    reg [2:0] reads;
    always @(posedge clk) reads <= rst ? 3'd0 : {reads, read};
    genvar port;
    generate
        for (port = 0; port < PORTS; port = port + 1) begin : g_port
            wire signed [BITS-1:0] pixel = tile * PIXELS + lane * PORTS + port;
            wire signed [BITS-1:0] y = (down - tap(down, KERNEL_Y, DILATION_Y, STRIDE_Y, ky) * DILATION_Y + 64 * STRIDE_Y)
                / STRIDE_Y - 64;
            wire signed [BITS-1:0] x = pixel
                + (across - tap(across, KERNEL_X, DILATION_X, STRIDE_X, kx) * DILATION_X + 64 * STRIDE_X) / STRIDE_X - 64;
            wire should_be_inside = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
            wire [BITS-1:0] word = base + (y * WIDTH + x) * PIXEL_WORDS + group * GROUP_WORDS + block;
            wire live = pixel * STRIDE_X + phase < OUT_WIDTH;
            reg [BITS-1:0] words [0:2];
            reg [2:0] insides, lives;
            always @(posedge clk) begin
                words[0] <= word;
                words[1] <= words[0];
                words[2] <= words[1];
                insides <= {insides, should_be_inside};
                lives <= {lives, live};
            end
            always @(posedge clk) if (!rst && reads[2] && lives[2]) begin
                assert (inside[port] == insides[2]);
                if (insides[2])
                    assert (words[2] < 3 * RING_WORDS
                        && address[port*ADDRESS_BITS +: ADDRESS_BITS] == words[2] % RING_WORDS);
            end
        end
    endgenerate
    always @(posedge clk) if (!rst) begin
        c_empty : cover (EMPTY == 0 || (fold_last && !live_fold));
        c_second_row : cover (fold_last && (OUT_HEIGHT == 1 || oy == 1));
        c_second_frame : cover (base != 0 && reads[2] && (inside != 0));
    end
endmodule
