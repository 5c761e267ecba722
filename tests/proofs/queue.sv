// What a queue of `DEPTH` payloads promises, and a payload of its stream that is watched: any one of them, from its
// arrival until it leaves. `held` counts what is inside, `ahead` what must leave before the watched one.
module queue_order #(
    parameter DEPTH = 1,
    parameter WIDTH = 1
) (
    input wire             clk,
    input wire             rst,
    input wire             pushing,
    input wire [WIDTH-1:0] i_payload,
    input wire             o_valid,
    input wire             o_ready,
    input wire [WIDTH-1:0] o_payload,
    output reg [7:0]       held,
    output reg             watching,
    output reg [7:0]       ahead,
    output reg [WIDTH-1:0] watched
);
    (* anyseq *) wire choose;
    wire popping = o_valid && o_ready;
    initial held = 8'd0;
    initial watching = 1'b0;
    always @(posedge clk) begin
        held <= held + pushing - popping;
        if (watching && popping) begin
            if (ahead == 8'd0) watching <= 1'b0;
            ahead <= ahead - 8'd1;
        end
        if (!watching && pushing && choose) begin
            watching <= 1'b1;
            ahead <= held - popping;
            watched <= i_payload;
        end
        if (rst) begin
            held <= 8'd0;
            watching <= 1'b0;
        end
    end

    reg begun = 1'b0;
    always @(posedge clk) begin
        begun <= 1'b1;
        assume (begun || rst);
    end
    always @(posedge clk) if (begun) begin
        a_never_more : assert (held <= DEPTH);
        a_nothing :    assert (!o_valid || held != 8'd0);
        a_kept :       assert (!watching || ahead < held);
        a_order :      assert (!(watching && o_valid && ahead == 8'd0) || o_payload == watched);
        c_full :       cover (held == DEPTH);
        c_leaves :     cover (watching && o_valid && o_ready && ahead == 8'd0 && held == DEPTH);
    end
endmodule

// A queue in distributed RAM: what holds between its registers.
module queue_registers #(
    parameter DEPTH = 1,
    parameter WIDTH = 1
) (
    input wire                   clk,
    input wire                   rst,
    input wire                   i_ready,
    input wire                   o_valid,
    input wire [7:0]             count,
    input wire [7:0]             write_place,
    input wire [7:0]             read_place,
    input wire [DEPTH*WIDTH-1:0] words,
    input wire [7:0]             held,
    input wire                   watching,
    input wire [7:0]             ahead,
    input wire [WIDTH-1:0]       watched
);
    wire [7:0] filled_to = read_place + held;
    wire [7:0] watched_at = read_place + ahead;
    wire [7:0] end_place = filled_to >= DEPTH ? filled_to - DEPTH : filled_to;
    wire [7:0] watched_place = watched_at >= DEPTH ? watched_at - DEPTH : watched_at;
    reg begun = 1'b0;
    always @(posedge clk) begun <= 1'b1;
    integer index;
    always @(posedge clk) if (begun) begin
        i_count :  assert (count == held);
        i_places : assert (read_place < DEPTH && write_place == end_place);
        for (index = 0; index < DEPTH; index = index + 1)
            assert (!(watching && watched_place == index) || words[index*WIDTH +: WIDTH] == watched);
        a_room :   assert (i_ready == (held != DEPTH));
        a_valid :  assert (o_valid == (held != 8'd0));
    end
endmodule
