// A block that enlarges frames: every word that leaves is the word of the index formula, in the order of the walk, once,
// with TLAST where a frame ends; VALID and payload hold until READY. Words are numbered as they come.
module upscale_harness #(
    parameter ROWS = 1,
    parameter WIDTH = 1,
    parameter PIXEL = 1,
    parameter PHASES = 1,
    parameter REPEATS = 1,
    parameter RUN = 1,
    parameter PHASE_STRIDE = 0,
    parameter REPEAT_STRIDE = 0,
    parameter RUN_STRIDE = 1
) (
    input wire       clk,
    input wire       rst,
    input wire       i_valid,
    input wire [8:0] i_payload,
    input wire       o_ready
);
    wire i_ready;
    wire o_valid;
    wire [8:0] o_payload;
    dut dut (
        .clk(clk), .rst(rst),
        .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_payload),
        .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_payload)
    );
    stream_rules #(.WIDTH(9)) rules (
        .clk(clk), .rst(rst), .valid(o_valid), .ready(o_ready), .payload(o_payload)
    );

    reg [7:0] taken = 8'd0;
    reg [7:0] base = 8'd0;
    reg [3:0] row = 4'd0;
    reg [3:0] phase = 4'd0;
    reg [3:0] x = 4'd0;
    reg [3:0] repetition = 4'd0;
    reg [3:0] k = 4'd0;
    wire [7:0] expected = base + x * PIXEL + phase * PHASE_STRIDE + repetition * REPEAT_STRIDE + k * RUN_STRIDE;
    wire run_ends = k == RUN - 1;
    wire pixel_ends = run_ends && repetition == REPEATS - 1;
    wire line_ends = pixel_ends && x == WIDTH - 1;
    wire row_ends = line_ends && phase == PHASES - 1;
    wire frame_ends = row_ends && row == ROWS - 1;
    always @(posedge clk) begin
        if (i_valid && i_ready) taken <= taken + 8'd1;
        if (o_valid && o_ready) begin
            k <= run_ends ? 4'd0 : k + 4'd1;
            if (run_ends) repetition <= pixel_ends ? 4'd0 : repetition + 4'd1;
            if (pixel_ends) x <= line_ends ? 4'd0 : x + 4'd1;
            if (line_ends) phase <= row_ends ? 4'd0 : phase + 4'd1;
            if (row_ends) begin
                row <= frame_ends ? 4'd0 : row + 4'd1;
                base <= base + WIDTH * PIXEL;
            end
        end
        if (rst) begin
            taken <= 8'd0;
            base <= 8'd0;
            {row, phase, x, repetition, k} <= 20'd0;
        end
    end

    reg begun = 1'b0;
    reg second = 1'b0;
    always @(posedge clk) begin
        begun <= 1'b1;
        second <= second || o_valid && o_ready && frame_ends;
        assume (begun != rst);
        assume (i_payload[7:0] == taken);
    end
    always @(posedge clk) if (begun && !rst) begin
        a_word : assert (!o_valid || o_payload[7:0] == expected);
        a_last : assert (!o_valid || o_payload[8] == frame_ends);
        a_there : assert (!o_valid || taken - base > x * PIXEL);
        c_full : cover (!i_ready);
        c_second : cover (second && o_valid && o_ready && frame_ends);
    end
endmodule
