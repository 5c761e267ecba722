// One axis of a Winograd engine against the direct sum: whatever the inputs and weights, LATENCY cycles later
// output y is w[0] * d[y] + w[1] * d[y + 1] + w[2] * d[y + 2].
module winograd_harness #(
    parameter INPUTS      = 4,
    parameter OUTPUTS     = 2,
    parameter INPUT_BITS  = 3,
    parameter WEIGHT_BITS = 3,
    parameter OUTPUT_BITS = 8
) (
    input wire                          clk,
    input wire [INPUTS*INPUT_BITS-1:0]  d,
    input wire [3*WEIGHT_BITS-1:0]      w
);
    wire signed [WEIGHT_BITS-1:0] w0 = w[0 +: WEIGHT_BITS];
    wire signed [WEIGHT_BITS-1:0] w1 = w[WEIGHT_BITS +: WEIGHT_BITS];
    wire signed [WEIGHT_BITS-1:0] w2 = w[2*WEIGHT_BITS +: WEIGHT_BITS];
    wire [OUTPUTS*OUTPUT_BITS-1:0] o;
`include "winograd_unit.svh"

    reg [7:0] age = 8'd0;
    always @(posedge clk) age <= age + !(&age);

    genvar y;
    generate
        for (y = 0; y < OUTPUTS; y = y + 1) begin : g_output
            wire signed [INPUT_BITS-1:0] d0 = d[y*INPUT_BITS +: INPUT_BITS];
            wire signed [INPUT_BITS-1:0] d1 = d[(y+1)*INPUT_BITS +: INPUT_BITS];
            wire signed [INPUT_BITS-1:0] d2 = d[(y+2)*INPUT_BITS +: INPUT_BITS];
            wire signed [OUTPUT_BITS-1:0] sum = w0 * d0 + w1 * d1 + w2 * d2;
            reg [OUTPUT_BITS*LATENCY-1:0] line;
            always @(posedge clk) begin
                line <= {line, sum};
                if (age >= LATENCY) assert (o[y*OUTPUT_BITS +: OUTPUT_BITS] == line[OUTPUT_BITS*LATENCY-1 -: OUTPUT_BITS]);
                cover (age >= LATENCY && o[y*OUTPUT_BITS +: OUTPUT_BITS] != 0);
            end
        end
    endgenerate
endmodule
