// The order in which results come from the array, against the order of the output tensor: one result word a step, the
// layers of a program in turn, frame after frame.
//
// A result is counted from the first one that ever came: frame, layer, pixel, word of the pixel.
module layer_results #(
    parameter LAYER = 0,
    parameter BITS  = 8
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            step,
    output wire [BITS-1:0] index,
    output wire            frame_end
);
`include "engine_config.svh"
`include "layer_config.svh"
    reg [BITS-1:0] frame_base, tile, group, turn, pixel, word;
    wire [BITS-1:0] pixels_left = OUT_WIDTH * OUT_HEIGHT - tile * PIXELS;
    wire [BITS-1:0] live_pixels = pixels_left < PIXELS ? pixels_left : PIXELS;
    wire [BITS-1:0] live_words = turn == TILES - 1 ? GROUP_OUT_WORDS - (TILES - 1) * DRAIN : DRAIN;
    assign index = frame_base + (tile * PIXELS + pixel) * PIXEL_OUT_WORDS + group * GROUP_OUT_WORDS + turn * DRAIN + word;
    wire word_end = word == live_words - 1;
    wire pixel_end = word_end && pixel == live_pixels - 1;
    wire turn_end = pixel_end && turn == TILES - 1;
    wire group_end = turn_end && group == GROUPS - 1;
    assign frame_end = group_end && tile == PIXEL_TILES - 1;
    always @(posedge clk) begin
        if (rst) begin
            frame_base <= FIRST_RESULT;
            {tile, group, turn, pixel, word} <= 0;
        end else if (step) begin
            word <= word_end ? 0 : word + 1;
            if (word_end) pixel <= pixel_end ? 0 : pixel + 1;
            if (pixel_end) turn <= turn_end ? 0 : turn + 1;
            if (turn_end) group <= group_end ? 0 : group + 1;
            if (group_end) tile <= frame_end ? 0 : tile + 1;
            if (frame_end) frame_base <= frame_base + PROGRAM_RESULTS;
        end
    end
endmodule

module results #(
    parameter BITS = 8
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            step,
    output wire [BITS-1:0] index
);
`include "engine_config.svh"
    wire [7:0] layer;
    wire [LAYERS-1:0] frame_ends;
    wire [LAYERS*BITS-1:0] indices;
    assign index = indices[layer*BITS +: BITS];
    turn whose (.clk(clk), .rst(rst), .next(step && frame_ends[layer]), .layer(layer));
    genvar of;
    generate
        for (of = 0; of < LAYERS; of = of + 1) begin : g_layer
            layer_results #(.LAYER(of), .BITS(BITS)) nest (
                .clk(clk), .rst(rst), .step(step && layer == of), .index(indices[of*BITS +: BITS]),
                .frame_end(frame_ends[of])
            );
        end
    endgenerate
endmodule
