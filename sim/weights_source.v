// Sends images to the weight stream of an engine, each when as many frames as its entry says have been taken.
//
// Memory, loaded by $readmemh, one entry a beat: { frames (4 bytes), flags (1 byte), tdata }
//   frames    the beat is offered once so many frames (TLASTs) were taken; 0 at the start: frames do not wait for it
//   flags[0]  tlast     flags[1]  the engine has a whole image after this beat
//
// Plusargs (the default in brackets): +weights=FILE [weights.mem] +weight_beats=N +weight_stall=R [0], with +burst and
// +seed as in stream_harness.v; +weight_delay=N [0] cycles out of reset before the first beat; +reset_weights=BEAT [0]:
// where to start again after a reset.
`default_nettype none

module weights_source #(
    parameter integer BYTES = 1,
    parameter integer DEPTH = 65536
) (
    input  wire               clk,
    input  wire               aresetn,
    input  wire               restart,
    input  wire [63:0]        cycle,
    input  wire [31:0]        frames,     // TLASTs taken
    input  wire               ending,     // one more is offered: what is offered next is another frame
    output reg  [8*BYTES-1:0] tdata,
    output reg                tlast,
    output reg                tvalid,
    input  wire               tready,
    output wire               hold,       // the next frame has to wait for the first beat of an image
    output reg                loaded,
    output wire               complete
);
    reg [8*BYTES+39:0] image[0:DEPTH-1];
    reg [8*512-1:0] file;
    integer beats = 0;
    integer stall = 0;
    integer delay = 0;
    integer burst = 0;
    integer seed = 1;
    integer reset_beat = 0;
    integer found;
    reg [31:0] random;
    reg [15:0] burst_mask;

    initial begin
        tdata = 0;
        tlast = 1'b0;
        tvalid = 1'b0;
        loaded = 1'b0;
        file = "weights.mem";
        found = $value$plusargs("weights=%s", file);
        found = $value$plusargs("weight_beats=%d", beats);
        found = $value$plusargs("weight_stall=%d", stall);
        found = $value$plusargs("weight_delay=%d", delay);
        found = $value$plusargs("burst=%d", burst);
        found = $value$plusargs("seed=%d", seed);
        found = $value$plusargs("reset_weights=%d", reset_beat);
        if (beats < 1 || beats > DEPTH) begin
            $display("HWCONV error text=memory_depth weights=%0d of=%0d", beats, DEPTH);
            if ($test$plusargs("fatal") != 0) $fatal(1, "the memory is too small");
            $finish;
        end else begin
            $readmemh(file, image, 0, beats - 1);
        end
        burst_mask = (16'd1 << burst) - 16'd1;
        random = (seed * 32'hC2B2AE35) ^ 32'h165667B1;
        if (random == 0) random = 32'd1;
    end

    function [31:0] xorshift(input [31:0] value);
        reg [31:0] mixed;
        begin
            mixed = value ^ (value << 13);
            mixed = mixed ^ (mixed >> 17);
            xorshift = mixed ^ (mixed << 5);
        end
    endfunction

    integer index = 0;           // next entry to offer
    integer accepted = 0;
    integer waited = 0;
    reg start = 1'b1;            // the next beat taken is the first of its image
    reg flag = 1'b0;             // flags[1] of the beat offered
    reg [31:0] due = 0;          // frames of the beat offered
    reg [63:0] first = 0;
    reg [15:0] pause = 0;
    reg choice = 1'b0;
    wire stalled = pause == 0 ? {24'd0, random[7:0]} < stall : choice;
    wire fire = aresetn && tvalid && tready === 1'b1;
    wire [8*BYTES+39:0] entry = image[index];
    wire [31:0] entry_frames = entry[8*BYTES+8+:32];
    wire [31:0] next_due = tvalid ? due : entry_frames;

    assign complete = accepted >= beats;
    // Of the beats after an image's first one none keeps a frame back: the engine does that.
    assign hold = !complete && start && next_due != 0 && next_due <= frames + {31'd0, ending};

    always @(posedge clk) begin
        random <= xorshift(random);
        if (pause == 0) begin
            choice <= stalled;
            pause <= random[23:8] & burst_mask;
        end else begin
            pause <= pause - 1;
        end
        waited <= aresetn ? waited + 1 : 0;
        if (restart || !aresetn) begin
            tvalid <= 1'b0;
            loaded <= 1'b0;
            if (restart) begin
                index <= reset_beat;
                accepted <= reset_beat;
                start <= 1'b1;
            end
        end else begin
            if (!tvalid || fire) begin
                if (index < beats && !stalled && waited >= delay && entry_frames <= frames) begin
                    tdata <= entry[8*BYTES-1:0];
                    tlast <= entry[8*BYTES];
                    flag <= entry[8*BYTES+1];
                    due <= entry_frames;
                    tvalid <= 1'b1;
                    index <= index + 1;
                end else begin
                    // What stands beside a low VALID must not matter: put noise there.
                    tdata <= {BYTES{random[31:24]}};
                    tlast <= random[10];
                    tvalid <= 1'b0;
                end
            end
            if (fire) begin
                accepted <= accepted + 1;
                start <= tlast;
                loaded <= flag;
                if (start) first <= cycle;
                if (tlast) $display("HWCONV weights first=%0d last=%0d", start ? cycle : first, cycle);
            end
        end
    end
endmodule

`default_nettype wire
