// An engine of one or several layers, from any state, once its reset has come: streams, rows, results, and that it
// goes on.
//
// The source is free: it may pause, change its mind, and damage frames in every way. So is the sink. Memories and products
// may be anything (free_blocks.v), since nothing here depends on data.
module engine_harness #(
    parameter BEAT_IN_BITS  = 8,
    parameter BEAT_OUT_BITS = 32,
    parameter BITS          = 8,  // of all counts; depth and frames are so few that none wraps
    parameter ACCEPT_BOUND  = 250,
    parameter LEAVE_BOUND   = 250
) (
    input wire                       clk,
    input wire                       aresetn,
    input wire [BEAT_IN_BITS-1:0]    s_axis_tdata,
    input wire [BEAT_IN_BITS/8-1:0]  s_axis_tkeep,
    input wire                       s_axis_tlast,
    input wire                       s_axis_tvalid,
    input wire                       m_axis_tready
);
`include "engine_config.svh"
    wire s_axis_tready, m_axis_tlast, m_axis_tuser, m_axis_tvalid, frame_error;
    wire [BEAT_OUT_BITS-1:0] m_axis_tdata;
    wire [BEAT_OUT_BITS/8-1:0] m_axis_tkeep;
    dut dut (
        .aclk(clk), .aresetn(aresetn),
        .s_axis_tdata(s_axis_tdata), .s_axis_tkeep(s_axis_tkeep), .s_axis_tlast(s_axis_tlast),
        .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
        .m_axis_tdata(m_axis_tdata), .m_axis_tkeep(m_axis_tkeep), .m_axis_tlast(m_axis_tlast),
        .m_axis_tuser(m_axis_tuser), .m_axis_tvalid(m_axis_tvalid), .m_axis_tready(m_axis_tready),
        .frame_error(frame_error)
    );

`include "engine_taps.svh"
    reg begun = 1'b0;
    always @(posedge clk) begin
        begun <= 1'b1;
        assume (aresetn);
        assume (reset == !begun);  // the registered reset: high in the first cycle, and never again
    end

`ifdef STREAMS
    // Every stream, inside and outside, keeps AXI4-Stream's rule.
    stream_rules #(.WIDTH(BEAT_OUT_BITS / 8 * 9 + 2)) m_axis_rules (
        .clk(clk), .rst(reset), .valid(m_axis_tvalid), .ready(m_axis_tready),
        .payload({m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata})
    );
    stream_rules #(.WIDTH($bits(received_payload))) received_rules (
        .clk(clk), .rst(reset), .valid(received_valid), .ready(received_ready), .payload(received_payload)
    );
    stream_rules #(.WIDTH($bits(leaving_payload))) leaving_rules (
        .clk(clk), .rst(reset), .valid(leaving_valid), .ready(leaving_ready), .payload(leaving_payload)
    );
`ifdef PROGRAM
    stream_rules #(.WIDTH($bits(returning_payload))) returning_rules (
        .clk(clk), .rst(reset), .valid(returning_valid), .ready(returning_ready), .payload(returning_payload)
    );
`endif
`endif

    // The output's queue: what its unary count says, and that no beat comes that finds no room.
`ifdef QUEUE
    reg [7:0] queued;
    wire [OUTPUT_QUEUE-1:0] unary = (1 << queued) - 1;
    always @(posedge clk) queued <= reset ? 0 : queued + queue_push - queue_taken;
    always @(posedge clk) if (begun) begin
        a_queue_count :      assert (queued <= OUTPUT_QUEUE && queue_filled == unary);
        i_queue_addresses :  assert (queue_write_address == (queue_read_address + queued) % OUTPUT_QUEUE);
        a_queue_no_overrun : assert (!queue_push || queued < OUTPUT_QUEUE);
        c_queue_waits :      cover (queued >= (LAYERS > 1 ? 1 : 2));  // two frames of a program take too long
    end
`endif

`ifdef ROWS
    // Words in memory carry the order in which they came: around a ring, or each layer's frame in its buffer.
    reg [BITS-1:0] came;
    reg [BITS-1:0] tags [0:ACTIVATION_WORDS-1];
    reg [2:0] reads;
    always @(posedge clk) begin
        if (reset) came <= 0;
        else if (activation_write) begin
            tags[activation_write_address] <= came;
            came <= came + 1;
        end
        reads <= reset ? 3'd0 : {reads, read};
    end
    always @(posedge clk) if (begun) begin
        a_write_in_memory : assert (!activation_write || activation_write_address < ACTIVATION_WORDS);
`ifdef RING
        a_ring_rows :       assert ($signed(rows_written - rows_released) <= RING_ROWS);
`endif
    end

    // What the array reads is what the formula says: written, and not overwritten.
    wire [PORTS-1:0] first_lane, last_lane;
    genvar port;
    generate
        for (port = 0; port < PORTS; port = port + 1) begin : g_port
            wire live, inside, last_tile;
            wire [7:0] layer;
            wire [BITS-1:0] word, frame_word, after_word;
            walk #(.PORT(port), .BITS(BITS)) at_address (
                .clk(clk), .rst(reset), .step(reads[2]), .layer(layer), .live(live), .inside(inside),
                .last_tile(last_tile), .word(word), .frame_word(frame_word), .after_word(after_word)
            );
            walk #(.PORT(port), .BITS(BITS)) at_marks (
                .clk(clk), .rst(reset), .step(read), .first_lane(first_lane[port]), .last_lane(last_lane[port])
            );
            wire [ADDRESS_BITS-1:0] address = activation_read_address[port*ADDRESS_BITS +: ADDRESS_BITS];
            always @(posedge clk) if (begun && reads[2]) begin
                assert (!live || activation_inside[port] == inside);
                if (live && inside) begin
                    assert (address < ACTIVATION_WORDS);
                    assert (tags[address] == word && word < came);
                    assert (!(activation_write && activation_write_address == address));
                end
                assert (!last_tile || came >= after_word);
                cover (frame_word >= PROGRAM_WORDS && last_tile);
                cover (layer == LAYERS - 1 && last_tile);
            end
        end
    endgenerate
    always @(posedge clk) if (begun) begin
        a_block_first : assert (block_first == (read && first_lane[0]));
        a_scan_last :   assert (scan_last == (read && last_lane[0]));
    end
`endif

`ifdef RESULTS
    // Results: every word is written once, leaves once, and in the order of the output tensor.
    wire [BITS-1:0] result;
    results #(.BITS(BITS)) come (.clk(clk), .rst(reset), .step(result_write), .index(result));
    reg [BITS-1:0] result_tags [0:OUTPUT_WORDS-1];
    reg [OUTPUT_WORDS-1:0] full;
    reg [BITS-1:0] sent_words;
    reg [OUTPUT_ADDRESS_BITS-1:0] read_from, wrote_to;
    reg wrote;
    always @(posedge clk) begin
        read_from <= result_read_address;
        wrote_to <= result_write_address;
        wrote <= result_write && !reset;
        if (reset) begin
            full <= 0;
            sent_words <= 0;
        end else begin
            if (result_was_read) begin
                full[read_from] <= 1'b0;
                sent_words <= sent_words + 1;
            end
            if (result_write) begin
                full[result_write_address] <= 1'b1;
                result_tags[result_write_address] <= result;
            end
        end
    end
    always @(posedge clk) if (begun) begin
        if (result_write) begin
            a_result_in_buffer :  assert (result_write_address < OUTPUT_WORDS);
            a_result_no_overrun : assert (!full[result_write_address]);
        end
        if (result_was_read) begin
            a_result_there :        assert (full[read_from]);
            a_result_in_order :     assert (result_tags[read_from] == sent_words);
            a_result_no_collision : assert (!(wrote && wrote_to == read_from));
        end
    end
`endif

`ifdef CARRIED
    // The output buffer answers each word with its number. These numbers leave in the order of the output tensor, in whole
    // beats but a frame's last one, which alone has TLAST; those of all layers but the last go back to the memory.
    localparam PLACES = BEAT_OUT_BITS / 8 / RESULT_BYTES;
    reg [7:0] sent_number, number_d1;
    always @(posedge clk) begin
        sent_number <= reset ? 0 : sent_number + result_was_read;
        assume (!result_valid || result_word[7:0] == number_d1);
        number_d1 <= sent_number;
    end
    reg [7:0] first_number, position;  // of the frame's first result; of the beat's first one in its frame
    wire [7:0] left = FRAME_RESULTS - position;
    wire [7:0] words = left < PLACES ? left : PLACES;
    genvar place;
    generate
        for (place = 0; place < PLACES; place = place + 1) begin : g_place
            always @(posedge clk) if (begun && m_axis_tvalid) begin
                assert (m_axis_tkeep[place*RESULT_BYTES +: RESULT_BYTES] == {RESULT_BYTES{place < words}});
                assert (place >= words || m_axis_tdata[8*place*RESULT_BYTES +: 8] == first_number + position + place);
            end
        end
    endgenerate
    always @(posedge clk) begin
        if (reset) begin
            first_number <= PROGRAM_RESULTS - FRAME_RESULTS;
            position <= 0;
        end else if (m_axis_tvalid && m_axis_tready) begin
            position <= left == words ? 0 : position + words;
            if (left == words) first_number <= first_number + PROGRAM_RESULTS;
        end
        if (begun && m_axis_tvalid) a_tlast : assert (m_axis_tlast == (left == words));
    end
    wire frame_left = m_axis_tvalid && m_axis_tready && m_axis_tlast;
    always @(posedge clk) if (begun) c_frame_left : cover (frame_left && (LAYERS > 1 || first_number != 0));
`ifdef PROGRAM
    reg [7:0] written, back_number;  // word of the program's frames; number of the next word that comes back
    reg was_first;
    wire program_written = written == PROGRAM_WORDS - 1;
    always @(posedge clk) begin
        was_first <= receiver_layer == 0;
        if (reset) {written, back_number} <= 0;
        else if (activation_write) begin
            written <= program_written ? 0 : written + 1;
            if (written >= FRAME_WORDS) back_number <= back_number + 1 + (program_written ? FRAME_RESULTS : 0);
        end
    end
    always @(posedge clk) if (begun) begin
        a_back_in_order : assert (!activation_write || written < FRAME_WORDS || activation_word[7:0] == back_number);
        a_back_whole :    assert (!receiver_fault || was_first);
    end
`endif
`endif

`ifdef UNITS
    // Units of the output buffer and verdicts of frames.
    reg [7:0] units, verdicts;
    always @(posedge clk) begin
        units <= reset ? 0 : units + start - unit_free;
        verdicts <= reset ? 0 : verdicts + verdict_push - verdict_pop;
    end
    always @(posedge clk) if (begun) begin
        a_units :            assert (units <= UNITS);
        a_units_some :       assert (!unit_free || units != 0);
        a_verdicts :         assert (verdicts <= FRAMES_IN_FLIGHT);
        a_verdicts_some :    assert (!verdict_pop || verdicts != 0);
        c_units_full :       cover (units == UNITS);
    end
`endif

`ifdef ENVIRONMENT
    // What the proofs of single blocks take for granted.
    reg [7:0] since_reset, since_last;
    reg last_seen;
    always @(posedge clk) begin
        since_reset <= reset ? 0 : since_reset + !(&since_reset);
        since_last <= array_last ? 1 : since_last + !(&since_last);
        last_seen <= !reset && !flushing && (last_seen || array_last);
    end
    wire shifting = since_last % DRAIN == 0 && since_last / DRAIN < PIXELS;
    always @(posedge clk) if (begun) begin
        e_go_after_reset : assert (!go || since_reset >= GO_AFTER_RESET);
        e_last_gap :       assert (!(last_seen && array_last) || since_last >= PIXELS * DRAIN);
        e_drain :          assert (!last_seen || array_drain == shifting);
    end
`endif

`ifdef PROGRESS
    // It goes on, whatever happened before: while the sink takes beats, input is taken and complete frames leave.
    reg [BITS-1:0] refused, kept;
    reg [7:0] frames;
    wire frame_leaves = m_axis_tvalid && m_axis_tready && m_axis_tlast;
    always @(posedge clk) begin
        frames <= reset ? 0 : frames + verdict_push - frame_leaves;
        refused <= reset || !m_axis_tready || s_axis_tready ? 0 : refused + 1;
        kept <= reset || !m_axis_tready || frame_leaves || frames == 0 ? 0 : kept + 1;
    end
    always @(posedge clk) if (begun) begin
        l_accepts : assert (refused < ACCEPT_BOUND);
        l_leaves :  assert (kept < LEAVE_BOUND);
        a_frames :  assert (!frame_leaves || frames != 0);
        c_frame_leaves : cover (frame_leaves);
        c_damaged_frame_leaves : cover (frame_leaves && m_axis_tuser);
        c_frame_behind_frame : cover (frame_leaves && frames > 1);
    end
`endif

endmodule
