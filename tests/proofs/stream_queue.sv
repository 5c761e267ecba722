// StreamQueue alone. BLOCK is defined where its payloads lie in block RAM with a queue behind it.
module stream_queue_harness #(
    parameter DEPTH = 1,
    parameter WIDTH = 1
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
    wire [7:0] held, ahead;
    wire watching;
    wire [WIDTH-1:0] watched;
    queue_order #(.DEPTH(DEPTH), .WIDTH(WIDTH)) order (
        .clk(clk), .rst(rst), .pushing(i_valid && i_ready), .i_payload(i_payload),
        .o_valid(o_valid), .o_ready(o_ready), .o_payload(o_payload),
        .held(held), .watching(watching), .ahead(ahead), .watched(watched)
    );
    localparam COUNT_BITS = $clog2(DEPTH + 1);
    localparam PLACE_BITS = $clog2(DEPTH);
    (* hierconn *) wire [COUNT_BITS-1:0] \dut.count ;
    wire [7:0] count = \dut.count ;
`ifndef BLOCK
    (* hierconn *) wire [DEPTH*WIDTH-1:0] \dut.storage.words ;
`ifdef SINGLE
    wire [7:0] write_place = 8'd0, read_place = 8'd0;
`else
    (* hierconn *) wire [PLACE_BITS-1:0] \dut.write__addr ;
    (* hierconn *) wire [PLACE_BITS-1:0] \dut.read__addr ;
    wire [7:0] write_place = \dut.write__addr ;
    wire [7:0] read_place = \dut.read__addr ;
`endif
    queue_registers #(.DEPTH(DEPTH), .WIDTH(WIDTH)) registers (
        .clk(clk), .rst(rst), .i_ready(i_ready), .o_valid(o_valid), .count(count),
        .write_place(write_place), .read_place(read_place), .words(\dut.storage.words ),
        .held(held), .watching(watching), .ahead(ahead), .watched(watched)
    );
`else
    (* hierconn *) wire [PLACE_BITS-1:0] \dut.write_place ;
    (* hierconn *) wire [PLACE_BITS-1:0] \dut.read_place ;
    (* hierconn *) wire [COUNT_BITS-1:0] \dut.stored ;
    (* hierconn *) wire \dut.empty ;
    (* hierconn *) wire \dut.read ;
    (* hierconn *) wire \dut.written ;
    (* hierconn *) wire \dut.flying_1 ;
    (* hierconn *) wire \dut.flying_2 ;
    (* hierconn *) wire \dut.joined_1 ;
    (* hierconn *) wire \dut.joined_2 ;
    (* hierconn *) wire [WIDTH-1:0] \dut.beside_1 ;
    (* hierconn *) wire [WIDTH-1:0] \dut.beside_2 ;
    (* hierconn *) wire [DEPTH*WIDTH-1:0] \dut.memory.words ;
    (* hierconn *) wire [WIDTH-1:0] \dut.memory.first ;
    (* hierconn *) wire [WIDTH-1:0] \dut.memory.r_data ;
    (* hierconn *) wire \dut.front.push ;
    (* hierconn *) wire [7:0] \dut.front.filled ;
    (* hierconn *) wire [2:0] \dut.front.write__addr ;
    (* hierconn *) wire [2:0] \dut.front.read__addr ;
    (* hierconn *) wire [8*WIDTH-1:0] \dut.front.storage.words ;
    wire [7:0] stored = \dut.stored ;
    wire [7:0] read_place = \dut.read_place ;
    wire [7:0] write_place = \dut.write_place ;
    wire flying_1 = \dut.flying_1 ;
    wire flying_2 = \dut.flying_2 ;
    wire [7:0] flying = {7'd0, flying_1} + {7'd0, flying_2};
    wire [WIDTH-1:0] word_1 = \dut.joined_1 ? \dut.beside_1 : \dut.memory.first ;
    wire [WIDTH-1:0] word_2 = \dut.joined_2 ? \dut.beside_2 : \dut.memory.r_data ;
    wire [7:0] filled = \dut.front.filled ;
    reg [7:0] front;
    integer index;
    always @* begin
        front = 8'd0;
        for (index = 0; index < 8; index = index + 1) front = front + {7'd0, filled[index]};
    end
    wire [2:0] front_end = \dut.front.read__addr + front[2:0];
    wire [2:0] front_place = \dut.front.read__addr + ahead[2:0];
    // The watched payload is in front, on its way there, or in the memory, in this order.
    wire [7:0] behind = ahead - front;
    wire [7:0] deep = behind - flying;
    wire [7:0] filled_to = read_place + stored;
    wire [7:0] watched_at = read_place + deep;
    wire [7:0] end_place = filled_to >= DEPTH ? filled_to - DEPTH : filled_to;
    wire [7:0] watched_place = watched_at >= DEPTH ? watched_at - DEPTH : watched_at;
    wire in_front = ahead < front;
    wire in_second = !in_front && behind == 8'd0 && flying_2;
    wire in_first = !in_front && !in_second && behind == {7'd0, flying_2} && flying_1;
    wire in_memory = !in_front && !in_second && !in_first;
    reg begun = 1'b0;
    always @(posedge clk) begun <= 1'b1;
    always @(posedge clk) if (begun) begin
        i_count :    assert (count == held && held == front + flying + stored);
        i_empty :    assert (\dut.empty == (stored == 8'd0));
        i_unary :    assert ((filled & (filled + 8'd1)) == 8'd0);
        i_front :    assert (\dut.front.write__addr == front_end);
        i_places :   assert (read_place < DEPTH && write_place == end_place && stored <= DEPTH);
        // Never too many on their way for the front queue, and never too few in front of them.
        i_most :     assert ((!flying_1 || front <= 8'd5) && (!flying_2 || front <= 8'd6));
        i_least :    assert ((!flying_1 || front + {7'd0, flying_2} >= 8'd2) && (!flying_2 || front >= 8'd1));
        i_early :    assert (stored == 8'd0 || front + flying >= 8'd4);
        a_fits :     assert (!(\dut.front.push && filled[7]));
        a_apart :    assert (!(\dut.read && \dut.written && read_place == write_place));
        a_room :     assert (i_ready == (held != DEPTH));
        a_valid :    assert (o_valid == (held != 8'd0));
        if (watching) begin
            for (index = 0; index < 8; index = index + 1)
                assert (!(in_front && front_place == index) || \dut.front.storage.words [index*WIDTH +: WIDTH] == watched);
            assert (!in_second || word_2 == watched);
            assert (!in_first || word_1 == watched);
            for (index = 0; index < DEPTH; index = index + 1)
                assert (!(in_memory && watched_place == index) || \dut.memory.words [index*WIDTH +: WIDTH] == watched);
        end
        c_memory :   cover (in_memory && watching && stored != 8'd0);
        c_joined :   cover (in_first && watching && \dut.joined_1 );
    end
`endif
endmodule
