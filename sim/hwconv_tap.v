// Writes every beat that moves on a stream inside a graph to the file tap_<ID>.hex, a line a beat: for simulation only.
module hwconv_tap #(
    parameter BYTES = 1,
    parameter ID    = 0
) (
    input wire               clk,
    input wire               moving,
    input wire [8*BYTES-1:0] data
);
    integer        file;
    reg [8*16-1:0] name;

    initial begin
        $sformat(name, "tap_%0d.hex", ID);
        file = $fopen(name, "w");
    end

    always @(posedge clk) if (moving) $fdisplay(file, "%h", data);
endmodule
