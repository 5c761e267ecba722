// The array against the dot product: o shows, row after row, the sums over the steps since the `last` mark before.
//
// Row group l takes a step's activations l cycles after row group 0, cluster c its weights c cycles after cluster 0.
module delay #(
    parameter WIDTH  = 1,
    parameter CYCLES = 1
) (
    input  wire             clk,
    input  wire [WIDTH-1:0] i,
    output wire [WIDTH-1:0] o
);
    reg [WIDTH*CYCLES-1:0] line = 0;
    always @(posedge clk) line <= {line, i};
    assign o = line[WIDTH*CYCLES-1 -: WIDTH];
endmodule

module array_harness #(
    parameter PIXELS            = 2,
    parameter COLUMNS           = 2,
    parameter PORTS             = 1,
    parameter CLUSTER           = 1,
    parameter DRAIN             = 2,
    parameter LANES_OF_A_ROW    = 1,
    parameter DEPTHWISE         = 0,
    parameter ACCUMULATOR_WIDTH = 17
) (
    input wire                                  clk,
    input wire [8*PIXELS*LANES_OF_A_ROW-1:0]    activations,
    input wire [8*COLUMNS-1:0]                  weights,
    input wire                                  last,
    input wire                                  drain
);
    wire [ACCUMULATOR_WIDTH*COLUMNS-1:0] o;
    dut dut (
        .clk(clk), .rst(1'b0), .activations(activations), .weights(weights), .last(last), .drain(drain), .o(o)
    );

    reg [7:0] since_last = 8'hff;
    always @(posedge clk) begin
        since_last <= last ? 8'd1 : since_last + !(&since_last);
        assume (!last || since_last >= PIXELS * DRAIN);
        assume (drain == (since_last % DRAIN == 0 && since_last / DRAIN < PIXELS));
    end
    reg started = 1'b0;  // a fold has ended: the sums after it start over
    always @(posedge clk) if (last) started <= 1'b1;

    genvar row, column;
    generate
        for (row = 0; row < PIXELS; row = row + 1) begin : g_row
            for (column = 0; column < COLUMNS; column = column + 1) begin : g_column
                localparam GROUP = row / PORTS;
                localparam HOPS = column / CLUSTER;
                wire signed [7:0] a, w;
                wire ends, counts, ended, right;
                delay #(.WIDTH(8), .CYCLES(HOPS + 4)) of_a (
                    .clk(clk), .o(a), .i(activations[8*(row*LANES_OF_A_ROW + (DEPTHWISE ? column : 0)) +: 8])
                );
                delay #(.WIDTH(8), .CYCLES(GROUP + 4)) of_w (.clk(clk), .i(weights[8*column +: 8]), .o(w));
                delay #(.WIDTH(2), .CYCLES(GROUP + HOPS + 4)) of_last (.clk(clk), .i({started, last}), .o({counts, ends}));
                reg signed [ACCUMULATOR_WIDTH-1:0] sum;
                reg first = 1'b0, complete = 1'b0, whole = 1'b0;
                always @(posedge clk) begin
                    sum <= (first ? 0 : sum) + a * w;
                    first <= ends;
                    complete <= ends;
                    whole <= counts;
                end
                wire signed [ACCUMULATOR_WIDTH-1:0] expected;
                delay #(.WIDTH(ACCUMULATOR_WIDTH + 2), .CYCLES(row * DRAIN + 1 - GROUP)) of_sum (
                    .clk(clk), .i({whole, complete, sum}), .o({right, ended, expected})
                );
                always @(posedge clk) begin
                    if (ended && right) assert (o[ACCUMULATOR_WIDTH*column +: ACCUMULATOR_WIDTH] == expected);
                    cover (ended && right && expected != 0);
                end
            end
        end
    endgenerate
`include "array_taps.svh"
endmodule
