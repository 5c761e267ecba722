// A tensor with two readers: every beat goes to both of their queues in the same cycle, once, and in order.
module fork_harness #(
    parameter FIRST = 1,
    parameter SECOND = 1,
    parameter WIDTH = 1
) (
    input wire             clk,
    input wire             rst,
    input wire             i_valid,
    input wire [WIDTH-1:0] i_payload,
    input wire             o_0_ready,
    input wire             o_1_ready
);
    wire i_ready, o_0_valid, o_1_valid;
    wire [WIDTH-1:0] o_0_payload, o_1_payload;
    dut dut (
        .clk(clk), .rst(rst),
        .i__valid(i_valid), .i__ready(i_ready), .i__payload(i_payload),
        .o_0__valid(o_0_valid), .o_0__ready(o_0_ready), .o_0__payload(o_0_payload),
        .o_1__valid(o_1_valid), .o_1__ready(o_1_ready), .o_1__payload(o_1_payload)
    );
    wire pushing = i_valid && i_ready;
    wire [7:0] held_0, ahead_0, held_1, ahead_1;
    wire watching_0, watching_1;
    wire [WIDTH-1:0] watched_0, watched_1;
    queue_order #(.DEPTH(FIRST), .WIDTH(WIDTH)) order_0 (
        .clk(clk), .rst(rst), .pushing(pushing), .i_payload(i_payload),
        .o_valid(o_0_valid), .o_ready(o_0_ready), .o_payload(o_0_payload),
        .held(held_0), .watching(watching_0), .ahead(ahead_0), .watched(watched_0)
    );
    queue_order #(.DEPTH(SECOND), .WIDTH(WIDTH)) order_1 (
        .clk(clk), .rst(rst), .pushing(pushing), .i_payload(i_payload),
        .o_valid(o_1_valid), .o_ready(o_1_ready), .o_payload(o_1_payload),
        .held(held_1), .watching(watching_1), .ahead(ahead_1), .watched(watched_1)
    );
    (* hierconn *) wire [$clog2(FIRST+1)-1:0] \dut.queue_first_0.count ;
    (* hierconn *) wire [$clog2(FIRST)-1:0] \dut.queue_first_0.write__addr ;
    (* hierconn *) wire [$clog2(FIRST)-1:0] \dut.queue_first_0.read__addr ;
    (* hierconn *) wire [FIRST*WIDTH-1:0] \dut.queue_first_0.storage.words ;
    (* hierconn *) wire [$clog2(SECOND+1)-1:0] \dut.queue_second_0.count ;
    (* hierconn *) wire [$clog2(SECOND)-1:0] \dut.queue_second_0.write__addr ;
    (* hierconn *) wire [$clog2(SECOND)-1:0] \dut.queue_second_0.read__addr ;
    (* hierconn *) wire [SECOND*WIDTH-1:0] \dut.queue_second_0.storage.words ;
    wire [7:0] count_0 = \dut.queue_first_0.count ;
    wire [7:0] write_0 = \dut.queue_first_0.write__addr ;
    wire [7:0] read_0 = \dut.queue_first_0.read__addr ;
    wire [7:0] count_1 = \dut.queue_second_0.count ;
    wire [7:0] write_1 = \dut.queue_second_0.write__addr ;
    wire [7:0] read_1 = \dut.queue_second_0.read__addr ;
    queue_registers #(.DEPTH(FIRST), .WIDTH(WIDTH)) registers_0 (
        .clk(clk), .rst(rst), .i_ready(count_0 != FIRST), .o_valid(o_0_valid), .count(count_0),
        .write_place(write_0), .read_place(read_0), .words(\dut.queue_first_0.storage.words ),
        .held(held_0), .watching(watching_0), .ahead(ahead_0), .watched(watched_0)
    );
    queue_registers #(.DEPTH(SECOND), .WIDTH(WIDTH)) registers_1 (
        .clk(clk), .rst(rst), .i_ready(count_1 != SECOND), .o_valid(o_1_valid), .count(count_1),
        .write_place(write_1), .read_place(read_1), .words(\dut.queue_second_0.storage.words ),
        .held(held_1), .watching(watching_1), .ahead(ahead_1), .watched(watched_1)
    );
    (* hierconn *) wire \dut.queue_first_0.room ;
    (* hierconn *) wire \dut.queue_second_0.room ;
    reg begun = 1'b0;
    always @(posedge clk) begun <= 1'b1;
    always @(posedge clk) if (begun) begin
        i_room :  assert (\dut.queue_first_0.room == (held_0 != FIRST) && \dut.queue_second_0.room == (held_1 != SECOND));
        a_both :  assert (i_ready == (held_0 != FIRST && held_1 != SECOND));
        c_one :   cover (held_0 == FIRST && held_1 == 8'd0 && i_valid);
        c_other : cover (held_1 == SECOND && held_0 == 8'd0 && i_valid);
        c_flows : cover (pushing && o_0_valid && o_0_ready && o_1_valid && o_1_ready);
    end
endmodule
