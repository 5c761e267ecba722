// AXI4-Stream's rule for one stream: once VALID is high, VALID and payload stay as they are until READY takes them.
module stream_rules #(
    parameter WIDTH = 1
) (
    input wire             clk,
    input wire             rst,
    input wire             valid,
    input wire             ready,
    input wire [WIDTH-1:0] payload
);
    reg             started = 1'b0;
    reg             was_waiting;
    reg [WIDTH-1:0] was;

    always @(posedge clk) begin
        started     <= 1'b1;
        was_waiting <= valid && !ready && !rst;
        was         <= payload;
    end

    always @(posedge clk) begin
        if (started && was_waiting && !rst) begin
            a_valid_holds :   assert (valid);
            a_payload_holds : assert (payload == was);
        end
        c_waits : cover (started && was_waiting && valid && ready);
    end
endmodule
