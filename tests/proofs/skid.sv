// SkidBuffer and StreamRegister: the output keeps AXI4-Stream's rule, and what goes in comes out, in order, once.
// SKID_BUFFER is defined for the first, which holds up to two transfers, and not for the second, which holds one.
module stream_harness #(
    parameter WIDTH = 8
) (
    input wire             clk,
    input wire             rst,
    input wire             i_valid,
    input wire [WIDTH-1:0] i_payload,
    input wire             o_ready
);
    wire i_ready, o_valid;
    wire [WIDTH-1:0] o_payload;
    dut dut (
        .clk(clk), .rst(rst),
        .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_payload),
        .o__valid(o_valid), .o__ready(o_ready), .o__payload(o_payload)
    );
    stream_rules #(.WIDTH(WIDTH)) rules (
        .clk(clk), .rst(rst), .valid(o_valid), .ready(o_ready), .payload(o_payload)
    );

    reg begun = 1'b0;
    always @(posedge clk) begin
        begun <= 1'b1;
        assume (begun || rst);
    end

    // A queue without limits would hold `held` transfers, `first` and `second` the oldest.
    reg [2:0] held = 3'd0;
    reg [WIDTH-1:0] first, second;
    wire pushing = i_valid && i_ready;
    wire popping = o_valid && o_ready;
    wire [2:0] kept = held - popping;
    always @(posedge clk) begin
        if (rst) held <= 3'd0;
        else held <= kept + pushing;
        if (popping) first <= second;
        if (pushing && kept == 3'd0) first <= i_payload;
        if (pushing && kept == 3'd1) second <= i_payload;
    end
`ifdef SKID_BUFFER
    localparam ROOM = 3'd2;
    (* hierconn *) wire \dut.waiting_valid ;
    (* hierconn *) wire [WIDTH-1:0] \dut.waiting ;
    wire waiting_valid = \dut.waiting_valid ;
    wire [WIDTH-1:0] waiting = \dut.waiting ;
    always @(posedge clk) if (begun) begin
        i_held :  assert (held == o_valid + waiting_valid);
        i_waits : assert (!waiting_valid || (o_valid && !i_ready && waiting == second));
    end
`else
    localparam ROOM = 3'd1;
    always @(posedge clk) if (begun) i_held : assert (held == o_valid);
`endif
    always @(posedge clk) if (begun) begin
        a_never_more : assert (held <= ROOM);
        a_leaves :     assert (o_valid == (held != 3'd0));
        a_order :      assert (!o_valid || o_payload == first);
        c_full :       cover (held == ROOM);
        c_flows :      cover (pushing && popping);
    end
endmodule
