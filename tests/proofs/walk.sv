// The loop nests and the index formula as the specification has them, one read a step, for one port: the layers of a
// program in turn, frame after frame.
//
//   pixel = tile * PIXELS + lane * PORTS + PORT, oy = pixel / OUT_WIDTH, ox = pixel % OUT_WIDTH
//   row = oy * STRIDE_Y + ky * DILATION_Y - TOP, column = ox * STRIDE_X + kx * DILATION_X - LEFT
//
// The word it names is counted from the first word that ever came in: frame, layer, row, column, word of the pixel.
module layer_walk #(
    parameter LAYER = 0,
    parameter PORT  = 0,
    parameter BITS  = 8
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            step,
    output wire            live,       // the pixel exists: the last tile of a frame may have fewer
    output wire            inside,
    output wire [BITS-1:0] word,
    output wire [BITS-1:0] frame_word, // of the layer's frame: its first word
    output wire [BITS-1:0] after_word, // and the first one behind it
    output wire            first_lane,
    output wire            last_lane,
    output wire            last_tile,
    output wire            frame_end
);
`include "engine_config.svh"
`include "layer_config.svh"
    reg [BITS-1:0] frame_base, tile, group, turn, ky, kx, block, lane;
    wire signed [BITS-1:0] pixel = tile * PIXELS + lane * PORTS + PORT;
    wire signed [BITS-1:0] row = (pixel / OUT_WIDTH) * STRIDE_Y + $signed(ky) * DILATION_Y - TOP;
    wire signed [BITS-1:0] column = (pixel % OUT_WIDTH) * STRIDE_X + $signed(kx) * DILATION_X - LEFT;
    assign live = pixel < OUT_WIDTH * OUT_HEIGHT;
    assign inside = row >= 0 && row < HEIGHT && column >= 0 && column < WIDTH;
    assign word = frame_base + (row * WIDTH + column) * PIXEL_WORDS + group * GROUP_WORDS + block;
    assign frame_word = frame_base;
    assign after_word = frame_base + HEIGHT * WIDTH * PIXEL_WORDS;
    assign first_lane = lane == 0;
    assign last_lane = lane == LANES - 1;
    assign last_tile = tile == PIXEL_TILES - 1;

    wire lane_end = lane == LANES - 1;
    wire block_end = lane_end && block == BLOCKS - 1;
    wire kx_end = block_end && kx == KERNEL_X - 1;
    wire ky_end = kx_end && ky == KERNEL_Y - 1;
    wire turn_end = ky_end && turn == TILES - 1;
    wire group_end = turn_end && group == GROUPS - 1;
    assign frame_end = group_end && tile == PIXEL_TILES - 1;
    always @(posedge clk) begin
        if (rst) begin
            frame_base <= FIRST_WORD;
            tile <= 0;
            group <= 0;
            turn <= 0;
            ky <= 0;
            kx <= 0;
            block <= 0;
            lane <= 0;
        end else if (step) begin
            lane <= lane_end ? 0 : lane + 1;
            if (lane_end) block <= block_end ? 0 : block + 1;
            if (block_end) kx <= kx_end ? 0 : kx + 1;
            if (kx_end) ky <= ky_end ? 0 : ky + 1;
            if (ky_end) turn <= turn_end ? 0 : turn + 1;
            if (turn_end) group <= group_end ? 0 : group + 1;
            if (group_end) tile <= frame_end ? 0 : tile + 1;
            if (frame_end) frame_base <= frame_base + PROGRAM_WORDS;
        end
    end
endmodule

// Which layer's turn it is.
module turn (
    input  wire       clk,
    input  wire       rst,
    input  wire       next,
    output wire [7:0] layer
);
`include "engine_config.svh"
    generate
        if (LAYERS == 1) assign layer = 8'd0;
        else begin : g_turn
            reg [7:0] now;
            assign layer = now;
            always @(posedge clk) if (rst) now <= 0; else if (next) now <= now == LAYERS - 1 ? 0 : now + 1;
        end
    endgenerate
endmodule

module walk #(
    parameter PORT = 0,
    parameter BITS = 8
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            step,
    output wire [7:0]      layer,
    output wire            live,
    output wire            inside,
    output wire [BITS-1:0] word,
    output wire [BITS-1:0] frame_word,
    output wire [BITS-1:0] after_word,
    output wire            first_lane,
    output wire            last_lane,
    output wire            last_tile
);
`include "engine_config.svh"
    wire [LAYERS-1:0] lives, insides, first_lanes, last_lanes, last_tiles, frame_ends;
    wire [LAYERS*BITS-1:0] words, frame_words, after_words;
    assign {live, inside, last_tile} = {lives[layer], insides[layer], last_tiles[layer]};
    assign {first_lane, last_lane} = {first_lanes[layer], last_lanes[layer]};
    assign word = words[layer*BITS +: BITS];
    assign frame_word = frame_words[layer*BITS +: BITS];
    assign after_word = after_words[layer*BITS +: BITS];
    turn whose (.clk(clk), .rst(rst), .next(step && frame_ends[layer]), .layer(layer));
    genvar of;
    generate
        for (of = 0; of < LAYERS; of = of + 1) begin : g_layer
            layer_walk #(.LAYER(of), .PORT(PORT), .BITS(BITS)) nest (
                .clk(clk), .rst(rst), .step(step && layer == of), .live(lives[of]), .inside(insides[of]),
                .word(words[of*BITS +: BITS]), .frame_word(frame_words[of*BITS +: BITS]),
                .after_word(after_words[of*BITS +: BITS]), .first_lane(first_lanes[of]), .last_lane(last_lanes[of]),
                .last_tile(last_tiles[of]), .frame_end(frame_ends[of])
            );
        end
    endgenerate
endmodule
