// Drives an engine from memories at one beat a cycle and checks every beat that leaves it.
//
// The engine is the module named by the macro HWCONV_TOP, with the ports of docs/architecture.md. The clock is an
// input, so that one text serves Icarus (harness_top.v) and Verilator (verilator_main.cpp, no --timing needed).
// With the macro HWCONV_TUSER, the module has a port s_axis_tuser of as many bits as the macro says.
//
// Memories, both loaded by $readmemh, one entry a beat, every field in whole bytes:
//   stimulus  { flags, tuser, tkeep, tdata }     flags[0] = tlast; tuser with HWCONV_TUSER only
//   expected  { flags, tkeep, tdata }            flags[0] = tlast, flags[1] = tuser, flags[2] = compare tdata
//
// Plusargs (the default in brackets):
//   +stimulus=FILE [stimulus.mem]   +expected=FILE [expected.mem]   +capture=FILE [none]: every output beat as hex
//   +input_beats=N +output_beats=N  entries in the two memories
//   +frame_beats=N                  output beats of a frame; +value_bytes=N [1] bytes of an output value
//   +input_stall=R +output_stall=R  [0] share of stalled cycles out of 256, +burst=M [0] each choice is kept for
//                                   1 .. 2^M cycles; +seed=N [1]
//   +watchdog=N [100000]            cycles without a handshake that was due that count as a hang
//   +drain=N [256]                  cycles after the last beat in which no further one may come
//   +power_up_reset=N [8]           cycles of reset at the start; 0: the engine never sees a reset
//   +reset_cycle=N [0: never] +reset_length=N [4] +reset_count=N [1] +reset_period=N
//                                   resets in mid-run; after one, both sides restart at +reset_stimulus=BEAT [0],
//                                   +reset_expected=BEAT [0], which is frame +reset_frame=N [0]
//   +frame_errors=N [0]             how often frame_error must pulse; -1: as often as it likes
//   +weights_errors=N [0]           likewise weights_error
//   +report=N [16]                  mismatching beats printed in full
//   +fatal                          ends with an error, and not only a line, if anything was wrong
//
// An engine whose weights are loaded (the macro HWCONV_LOADABLE is defined) has its images from weights_source.v. It
// must accept no frame without a whole image.
//
// Prints lines that start with HWCONV, one fact each; the last one is HWCONV done. Cycle numbers count rising edges
// of the clock from the start of the run; a frame on the input side is what ends with a TLAST.

`default_nettype none

module stream_harness #(
    parameter integer IN_BYTES = 1,
    parameter integer OUT_BYTES = 1,
    parameter integer IN_DEPTH = 65536,
    parameter integer OUT_DEPTH = 65536
`ifdef HWCONV_LOADABLE
    ,
    parameter integer WEIGHT_BYTES = 1,
    parameter integer WEIGHT_DEPTH = 65536
`endif
) (
    input wire clk
);
    localparam integer IN_KEEP_BYTES = (IN_BYTES + 7) / 8;
    localparam integer OUT_KEEP_BYTES = (OUT_BYTES + 7) / 8;
`ifdef HWCONV_TUSER
    localparam integer IN_USER_BYTES = (`HWCONV_TUSER + 7) / 8;
`else
    localparam integer IN_USER_BYTES = 0;
`endif
    localparam integer IN_WIDTH = 8 * (IN_BYTES + IN_KEEP_BYTES + IN_USER_BYTES + 1);
    localparam integer OUT_WIDTH = 8 * (OUT_BYTES + OUT_KEEP_BYTES + 1);
    localparam integer IN_FLAGS = 8 * (IN_BYTES + IN_KEEP_BYTES + IN_USER_BYTES);
    localparam integer OUT_FLAGS = 8 * (OUT_BYTES + OUT_KEEP_BYTES);

    // ------------------------------------------------------------------------------------------------ settings
    reg [IN_WIDTH-1:0] stimulus[0:IN_DEPTH-1];
    reg [OUT_WIDTH-1:0] expected[0:OUT_DEPTH-1];
    reg [8*512-1:0] stimulus_file;
    reg [8*512-1:0] expected_file;
    reg [8*512-1:0] capture_file;
    integer capture = 0;

    integer input_beats = 0;
    integer output_beats = 0;
    integer frame_beats = 1;
    integer value_bytes = 1;
    integer wanted_errors = 0;
    integer wanted_weights_errors = 0;
    integer input_stall = 0;
    integer output_stall = 0;
    integer burst = 0;
    integer seed = 1;
    integer watchdog = 100000;
    integer drain = 256;
    integer reset_cycle = 0;
    integer reset_length = 4;
    integer reset_count = 1;
    integer reset_period = 0;
    integer reset_stimulus = 0;
    integer reset_expected = 0;
    integer reset_frame = 0;
    integer report = 16;
    integer found;

    reg [31:0] input_random;
    reg [31:0] output_random;
    reg [15:0] burst_mask;

    initial begin
        stimulus_file = "stimulus.mem";
        expected_file = "expected.mem";
        found = $value$plusargs("stimulus=%s", stimulus_file);
        found = $value$plusargs("expected=%s", expected_file);
        found = $value$plusargs("input_beats=%d", input_beats);
        found = $value$plusargs("output_beats=%d", output_beats);
        found = $value$plusargs("frame_beats=%d", frame_beats);
        found = $value$plusargs("value_bytes=%d", value_bytes);
        found = $value$plusargs("input_stall=%d", input_stall);
        found = $value$plusargs("output_stall=%d", output_stall);
        found = $value$plusargs("burst=%d", burst);
        found = $value$plusargs("seed=%d", seed);
        found = $value$plusargs("watchdog=%d", watchdog);
        found = $value$plusargs("drain=%d", drain);
        found = $value$plusargs("power_up_reset=%d", reset_left);
        aresetn = reset_left == 0;
        found = $value$plusargs("reset_cycle=%d", reset_cycle);
        found = $value$plusargs("reset_length=%d", reset_length);
        found = $value$plusargs("reset_count=%d", reset_count);
        found = $value$plusargs("reset_period=%d", reset_period);
        found = $value$plusargs("reset_stimulus=%d", reset_stimulus);
        found = $value$plusargs("reset_expected=%d", reset_expected);
        found = $value$plusargs("reset_frame=%d", reset_frame);
        found = $value$plusargs("frame_errors=%d", wanted_errors);
        found = $value$plusargs("weights_errors=%d", wanted_weights_errors);
        found = $value$plusargs("report=%d", report);
        if (input_beats < 1 || input_beats > IN_DEPTH || output_beats > OUT_DEPTH) begin
            $display("HWCONV error text=memory_depth input=%0d of=%0d output=%0d of=%0d", input_beats, IN_DEPTH,
                     output_beats, OUT_DEPTH);
            if ($test$plusargs("fatal") != 0) $fatal(1, "the memories are too small");
            $finish;
        end else begin
            $readmemh(stimulus_file, stimulus, 0, input_beats - 1);
            if (output_beats > 0) $readmemh(expected_file, expected, 0, output_beats - 1);
        end
        if ($value$plusargs("capture=%s", capture_file) != 0) capture = $fopen(capture_file, "w");
        burst_mask = (16'd1 << burst) - 16'd1;
        // Two streams of one generator; xorshift must not start at zero.
        input_random = (seed * 32'h9E3779B1) ^ 32'h5BD1E995;
        output_random = (seed * 32'h85EBCA77) ^ 32'h27D4EB2F;
        if (input_random == 0) input_random = 32'd1;
        if (output_random == 0) output_random = 32'd1;
    end

    // ----------------------------------------------------------------------------------------------- the engine
    reg aresetn = 1'b0;
    reg [8*IN_BYTES-1:0] s_axis_tdata = 0;
    reg [IN_BYTES-1:0] s_axis_tkeep = 0;
    reg s_axis_tlast = 1'b0;
`ifdef HWCONV_TUSER
    reg [`HWCONV_TUSER-1:0] s_axis_tuser = 0;
`endif
    reg s_axis_tvalid = 1'b0;
    wire s_axis_tready;
    wire [8*OUT_BYTES-1:0] m_axis_tdata;
    wire [OUT_BYTES-1:0] m_axis_tkeep;
    wire m_axis_tlast;
    wire m_axis_tuser;
    wire m_axis_tvalid;
    reg m_axis_tready = 1'b0;
    wire frame_error;
    wire hold;                   // the next frame waits for an image
    wire weights_left;           // images are still to be taken
    wire weights_missing;        // no frame may be accepted
    wire weights_fire;
    wire weights_error;
`ifdef HWCONV_LOADABLE
    wire [8*WEIGHT_BYTES-1:0] w_axis_tdata;
    wire w_axis_tlast;
    wire w_axis_tvalid;
    wire w_axis_tready;
    wire weights_complete;
    wire weights_loaded;

    weights_source #(
        .BYTES(WEIGHT_BYTES),
        .DEPTH(WEIGHT_DEPTH)
    ) weights (
        .clk(clk),
        .aresetn(aresetn),
        .restart(restart),
        .cycle(cycle),
        .frames(input_frame),
        .ending(s_axis_tvalid && s_axis_tlast),
        .tdata(w_axis_tdata),
        .tlast(w_axis_tlast),
        .tvalid(w_axis_tvalid),
        .tready(w_axis_tready),
        .hold(hold),
        .loaded(weights_loaded),
        .complete(weights_complete)
    );
    assign weights_left = !weights_complete;
    assign weights_missing = !weights_loaded;
    assign weights_fire = aresetn && w_axis_tvalid && w_axis_tready === 1'b1;
`else
    assign hold = 1'b0;
    assign weights_left = 1'b0;
    assign weights_missing = 1'b0;
    assign weights_fire = 1'b0;
    assign weights_error = 1'b0;
`endif

    `HWCONV_TOP dut (
`ifdef HWCONV_LOADABLE
        .w_axis_tdata(w_axis_tdata),
        .w_axis_tlast(w_axis_tlast),
        .w_axis_tvalid(w_axis_tvalid),
        .w_axis_tready(w_axis_tready),
        .weights_error(weights_error),
`endif
        .aclk(clk),
        .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata),
        .s_axis_tkeep(s_axis_tkeep),
        .s_axis_tlast(s_axis_tlast),
`ifdef HWCONV_TUSER
        .s_axis_tuser(s_axis_tuser),
`endif
        .s_axis_tvalid(s_axis_tvalid),
        .s_axis_tready(s_axis_tready),
        .m_axis_tdata(m_axis_tdata),
        .m_axis_tkeep(m_axis_tkeep),
        .m_axis_tlast(m_axis_tlast),
        .m_axis_tuser(m_axis_tuser),
        .m_axis_tvalid(m_axis_tvalid),
        .m_axis_tready(m_axis_tready),
        .frame_error(frame_error)
    );

    // ------------------------------------------------------------------------------------------- cycles, resets
    reg [63:0] cycle = 0;
    reg [63:0] next_reset = 0;
    integer resets = 0;
    integer reset_left = 8;
    wire restart = resets < reset_count && reset_cycle != 0 && cycle != 0 && cycle == next_reset;

    always @(posedge clk) begin
        cycle <= cycle + 1;
        if (cycle == 0) next_reset <= {32'd0, reset_cycle};
        if (restart) begin
            $display("HWCONV reset cycle=%0d frame=%0d", cycle, reset_frame);
            aresetn <= 1'b0;
            reset_left <= reset_length;
            resets <= resets + 1;
            next_reset <= cycle + {32'd0, reset_period};
        end else if (reset_left > 0) begin
            reset_left <= reset_left - 1;
            if (reset_left == 1) aresetn <= 1'b1;
        end
    end

    function [31:0] xorshift(input [31:0] value);
        reg [31:0] mixed;
        begin
            mixed = value ^ (value << 13);
            mixed = mixed ^ (mixed >> 17);
            xorshift = mixed ^ (mixed << 5);
        end
    endfunction

    // ------------------------------------------------------------------------------------------------- stimulus
    integer input_index = 0;     // next entry to offer
    integer accepted = 0;        // beats the engine has taken since the last restart
    integer input_frame = 0;
    reg input_start = 1'b1;      // the next beat taken is the first of its frame
    reg offer_start = 1'b1;      // the next beat offered is the first of its frame
    reg [63:0] input_first = 0;
    reg [15:0] input_hold = 0;
    reg input_choice = 1'b0;
    wire input_stalled = input_hold == 0 ? {24'd0, input_random[7:0]} < input_stall : input_choice;
    wire input_fire = aresetn && s_axis_tvalid && s_axis_tready === 1'b1;
    wire [IN_WIDTH-1:0] entry = stimulus[input_index];

    always @(posedge clk) begin
        input_random <= xorshift(input_random);
        if (input_hold == 0) begin
            input_choice <= input_stalled;
            input_hold <= input_random[23:8] & burst_mask;
        end else begin
            input_hold <= input_hold - 1;
        end
        if (restart || !aresetn) begin
            s_axis_tvalid <= 1'b0;
            if (restart) begin
                input_index <= reset_stimulus;
                accepted <= reset_stimulus;
                input_frame <= reset_frame;
                input_start <= 1'b1;
                offer_start <= 1'b1;
            end
        end else begin
            if (!s_axis_tvalid || input_fire) begin
                if (input_index < input_beats && !input_stalled && !(offer_start && hold)) begin
                    offer_start <= entry[IN_FLAGS];
                    s_axis_tdata <= entry[8*IN_BYTES-1:0];
                    s_axis_tkeep <= entry[8*IN_BYTES+:IN_BYTES];
                    s_axis_tlast <= entry[IN_FLAGS];
`ifdef HWCONV_TUSER
                    s_axis_tuser <= entry[8*(IN_BYTES+IN_KEEP_BYTES)+:`HWCONV_TUSER];
`endif
                    s_axis_tvalid <= 1'b1;
                    input_index <= input_index + 1;
                end else begin
                    // What stands beside a low VALID must not matter: put noise there.
                    s_axis_tdata <= {IN_BYTES{input_random[31:24]}};
                    s_axis_tkeep <= {IN_BYTES{input_random[9]}};
                    s_axis_tlast <= input_random[10];
`ifdef HWCONV_TUSER
                    s_axis_tuser <= {`HWCONV_TUSER{input_random[11]}};
`endif
                    s_axis_tvalid <= 1'b0;
                end
            end
            if (input_fire) begin
                accepted <= accepted + 1;
                input_start <= s_axis_tlast;
                if (input_start) input_first <= cycle;
                if (s_axis_tlast) begin
                    $display("HWCONV input frame=%0d first=%0d last=%0d", input_frame,
                             input_start ? cycle : input_first, cycle);
                    input_frame <= input_frame + 1;
                end
            end
        end
    end

    // -------------------------------------------------------------------------------------------------- compare
    integer output_index = 0;    // next entry to compare with
    integer output_frame = 0;
    integer output_beat = 0;     // within its frame
    integer mismatches = 0;      // output values that differ, and beats whose framing differs
    integer reported = 0;
    integer protocol_errors = 0;
    integer frame_errors = 0;
    integer weights_errors = 0;
    integer last_value = -1;     // the last value counted, so that one split over two beats counts once
    reg [63:0] compared = 0;     // bytes
    reg [63:0] output_first = 0;
    reg [15:0] output_hold = 0;
    reg output_choice = 1'b0;
    wire output_stalled = output_hold == 0 ? {24'd0, output_random[7:0]} < output_stall : output_choice;
    wire output_fire = aresetn && m_axis_tvalid === 1'b1 && m_axis_tready;
    wire [OUT_WIDTH-1:0] target = expected[output_index];
    wire [8*OUT_BYTES-1:0] target_data = target[8*OUT_BYTES-1:0];
    wire [OUT_BYTES-1:0] target_keep = target[8*OUT_BYTES+:OUT_BYTES];
    wire target_last = target[OUT_FLAGS];
    wire target_user = target[OUT_FLAGS+1];
    wire target_compare = target[OUT_FLAGS+2];
    reg [8*OUT_BYTES-1:0] data_mask;
    reg [31:0] kept;
    wire data_differs = ((m_axis_tdata ^ target_data) & data_mask) !== {8 * OUT_BYTES{1'b0}};
    wire framing_differs = m_axis_tkeep !== target_keep || m_axis_tlast !== target_last
                           || m_axis_tuser !== target_user;
    integer lane;

    always @* begin
        kept = 0;
        for (lane = 0; lane < OUT_BYTES; lane = lane + 1) begin
            data_mask[8*lane+:8] = {8{target_keep[lane] & target_compare}};
            kept = kept + {31'd0, target_keep[lane] & target_compare};
        end
    end

    integer byte_lane;
    integer value;
    integer counted;
    integer latest;

    always @(posedge clk) begin
        output_random <= xorshift(output_random);
        if (output_hold == 0) begin
            output_choice <= output_stalled;
            output_hold <= output_random[23:8] & burst_mask;
        end else begin
            output_hold <= output_hold - 1;
        end
        m_axis_tready <= aresetn && !restart && !output_stalled;
        if (capture != 0 && output_fire) $fdisplay(capture, "%h", m_axis_tdata);
        if (restart) begin
            output_index <= reset_expected;
            output_frame <= reset_frame;
            output_beat <= 0;
            last_value <= -1;
            if (capture != 0) $fdisplay(capture, "// reset %0d", reset_expected);
        end else if (output_fire && output_index >= output_beats) begin
            if (reported < report)
                $display("HWCONV mismatch kind=extra frame=%0d beat=%0d cycle=%0d expected=none got=%h", output_frame,
                         output_beat, cycle, m_axis_tdata);
            reported <= reported + 1;
            mismatches <= mismatches + 1;
            output_index <= output_index + 1;
        end else if (output_fire) begin
            counted = 0;
            if (framing_differs) begin
                counted = 1;
                if (reported < report)
                    $display(
                        "HWCONV mismatch kind=framing frame=%0d beat=%0d cycle=%0d expected=%b,%b,%b got=%b,%b,%b",
                        output_frame, output_beat, cycle, target_user, target_last, target_keep, m_axis_tuser,
                        m_axis_tlast, m_axis_tkeep);
            end
            if (data_differs) begin
                if (reported < report)
                    $display("HWCONV mismatch kind=data frame=%0d beat=%0d cycle=%0d expected=%h got=%h mask=%h",
                             output_frame, output_beat, cycle, target_data, m_axis_tdata, data_mask);
                latest = last_value;
                for (byte_lane = 0; byte_lane < OUT_BYTES; byte_lane = byte_lane + 1) begin
                    value = (output_index * OUT_BYTES + byte_lane) / value_bytes;
                    if (((m_axis_tdata[8*byte_lane+:8] ^ target_data[8*byte_lane+:8])
                         & data_mask[8*byte_lane+:8]) !== 8'd0 && value != latest) begin
                        counted = counted + 1;
                        latest = value;
                    end
                end
                last_value <= latest;
            end
            if (counted != 0) reported <= reported + 1;
            mismatches <= mismatches + counted;
            compared <= compared + {32'd0, kept};
            output_index <= output_index + 1;
            if (output_beat == 0) output_first <= cycle;
            if (output_beat == frame_beats - 1) begin
                $display("HWCONV output frame=%0d first=%0d last=%0d", output_frame,
                         output_beat == 0 ? cycle : output_first, cycle);
                output_frame <= output_frame + 1;
                output_beat <= 0;
            end else begin
                output_beat <= output_beat + 1;
            end
        end
    end

    // ----------------------------------------------------------------------------------------- protocol, the end
    reg settled = 1'b0;          // out of reset for a cycle or more
    reg waiting = 1'b0;          // the engine offered a beat that was not taken
    reg [8*OUT_BYTES-1:0] held_data = 0;
    reg [OUT_BYTES-1:0] held_keep = 0;
    reg held_last = 1'b0;
    reg held_user = 1'b0;
    integer idle = 0;            // cycles since the last handshake that was due
    integer drained = 0;         // cycles since the last beat expected, in which beats too many may come
    wire complete = accepted >= input_beats && output_index >= output_beats && !weights_left;
    wire resets_left = reset_cycle != 0 && resets < reset_count;
    wire right = mismatches == 0 && protocol_errors == 0 && compared != 0
                 && (wanted_errors < 0 || frame_errors == wanted_errors)
                 && (wanted_weights_errors < 0 || weights_errors == wanted_weights_errors);
    reg finished = 1'b0;

    always @(posedge clk) begin
        settled <= aresetn && !restart;
        waiting <= aresetn && !restart && m_axis_tvalid === 1'b1 && !m_axis_tready;
        held_data <= m_axis_tdata;
        held_keep <= m_axis_tkeep;
        held_last <= m_axis_tlast;
        held_user <= m_axis_tuser;
        if (settled && aresetn) begin
            if ((s_axis_tready ^ s_axis_tready) !== 1'b0 || (m_axis_tvalid ^ m_axis_tvalid) !== 1'b0
                || (frame_error ^ frame_error) !== 1'b0 || (weights_error ^ weights_error) !== 1'b0) begin
                if (protocol_errors < 4) $display("HWCONV protocol rule=unknown_handshake cycle=%0d", cycle);
                protocol_errors <= protocol_errors + 1;
            end else if (waiting && !m_axis_tvalid) begin
                if (protocol_errors < 4) $display("HWCONV protocol rule=valid_dropped cycle=%0d", cycle);
                protocol_errors <= protocol_errors + 1;
            end else if (waiting && (m_axis_tdata !== held_data || m_axis_tkeep !== held_keep
                                     || m_axis_tlast !== held_last || m_axis_tuser !== held_user)) begin
                if (protocol_errors < 4) $display("HWCONV protocol rule=payload_changed cycle=%0d", cycle);
                protocol_errors <= protocol_errors + 1;
            end else if (input_fire && weights_missing) begin
                if (protocol_errors < 4) $display("HWCONV protocol rule=frame_without_weights cycle=%0d", cycle);
                protocol_errors <= protocol_errors + 1;
            end
            if (weights_error) begin
                if (weights_errors < 16) $display("HWCONV weights_error cycle=%0d", cycle);
                weights_errors <= weights_errors + 1;
            end
            if (frame_error) begin
                if (frame_errors < 16)
                    $display("HWCONV frame_error cycle=%0d input_frame=%0d", cycle, input_frame);
                frame_errors <= frame_errors + 1;
            end
        end
        // A beat too many is no progress: an engine that gives them without end must not run without end.
        idle <= input_fire || weights_fire || (output_fire && output_index < output_beats) || !aresetn ? 0 : idle + 1;
        drained <= complete && !resets_left ? drained + 1 : 0;
        if (!finished && (drained >= drain || (!complete && idle >= watchdog))) begin
            finished <= 1'b1;
            if (capture != 0) $fclose(capture);
            $display(
                "HWCONV done accepted=%0d received=%0d bytes=%0d mismatches=%0d frame_errors=%0d weights_errors=%0d protocol=%0d cycles=%0d status=%0s",
                accepted, output_index, compared, mismatches, frame_errors, weights_errors, protocol_errors, cycle,
                !complete ? "hang" : right ? "pass" : "fail");
            // With +fatal the simulator's exit code says it too, for those who do not read the line above.
            if (!(complete && right) && $test$plusargs("fatal") != 0) $fatal(1, "the engine is wrong");
            $finish;
        end
    end
endmodule

`default_nettype wire
