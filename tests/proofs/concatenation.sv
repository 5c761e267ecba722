// Concatenation of three inputs: each gives its beats of a pixel in turn, none is lost or comes twice, and a frame ends
// where the last input says.
module concatenation_harness #(
    parameter FIRST = 1,
    parameter SECOND = 1,
    parameter THIRD = 1
) (
    input wire       clk,
    input wire       rst,
    input wire [2:0] i_valid,
    input wire [8:0] i_0_payload,
    input wire [8:0] i_1_payload,
    input wire [8:0] i_2_payload,
    input wire       o_ready
);
    wire [2:0] i_ready;
    wire o_valid;
    wire [8:0] o_payload;
    dut dut (
        .clk(clk), .rst(rst),
        .i_0__valid(i_valid[0]), .i_0__ready(i_ready[0]), .i_0__payload(i_0_payload),
        .i_1__valid(i_valid[1]), .i_1__ready(i_ready[1]), .i_1__payload(i_1_payload),
        .i_2__valid(i_valid[2]), .i_2__ready(i_ready[2]), .i_2__payload(i_2_payload),
        .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_payload)
    );
    stream_rules #(.WIDTH(9)) rules (
        .clk(clk), .rst(rst), .valid(o_valid), .ready(o_ready), .payload(o_payload)
    );

    // Whose turn it is, and the beat of its part of a pixel, counted by what has been taken.
    reg [1:0] input_now = 2'd0;
    reg [3:0] beat = 4'd0;
    reg held = 1'b0;
    reg [8:0] kept;
    wire taken = |(i_valid & i_ready);
    wire [3:0] part = input_now == 2'd0 ? FIRST : input_now == 2'd1 ? SECOND : THIRD;
    wire [7:0] data = input_now == 2'd0 ? i_0_payload[7:0] : input_now == 2'd1 ? i_1_payload[7:0] : i_2_payload[7:0];
    always @(posedge clk) begin
        if (taken) begin
            beat <= beat + 4'd1 == part ? 4'd0 : beat + 4'd1;
            if (beat + 4'd1 == part) input_now <= input_now == 2'd2 ? 2'd0 : input_now + 2'd1;
            kept <= {input_now == 2'd2 && i_2_payload[8], data};
        end
        held <= taken || held && !o_ready;
        if (rst) begin
            input_now <= 2'd0;
            beat <= 4'd0;
            held <= 1'b0;
        end
    end

    (* hierconn *) wire [2:0] \dut.turn ;
    (* hierconn *) wire [COUNT_BITS-1:0] \dut.count ;
    localparam MOST = FIRST > SECOND ? (FIRST > THIRD ? FIRST : THIRD) : (SECOND > THIRD ? SECOND : THIRD);
    localparam COUNT_BITS = MOST > 2 ? $clog2(MOST) : 1;
    wire [3:0] count = \dut.count ;
    reg begun = 1'b0;
    always @(posedge clk) begin
        begun <= 1'b1;
        assume (begun || rst);
    end
    always @(posedge clk) if (begun) begin
        i_turn :  assert (input_now != 2'd3 && \dut.turn == 3'd1 << input_now);
        i_beat :  assert (beat < part && count == beat);
        a_turn :  assert (i_ready == ((o_ready || !o_valid) ? 3'd1 << input_now : 3'd0));
        a_valid : assert (o_valid == held);
        a_order : assert (!o_valid || o_payload == kept);
        c_pixel : cover (taken && input_now == 2'd2 && beat + 4'd1 == part && o_valid);
        c_ends :  cover (o_valid && o_payload[8] && o_ready);
    end
endmodule
