// A statistics block of two passes over frames of two beats, of two values and one: its output keeps AXI4-Stream's rule,
// no result is lost on its way to the queue, and the queue never overflows.
module statistics_harness (
    input wire        clk,
    input wire        aresetn,
    input wire [15:0] s_tdata,
    input wire [1:0]  s_tkeep,
    input wire        s_tlast,
    input wire        s_tuser,
    input wire        s_tvalid,
    input wire        m_tready
);
    wire s_tready, m_tvalid, m_tlast, m_tuser, frame_error;
    wire [7:0] m_tkeep;
    wire [63:0] m_tdata;
    dut dut (
        .aclk(clk), .aresetn(aresetn),
        .s_axis_tdata(s_tdata), .s_axis_tkeep(s_tkeep), .s_axis_tlast(s_tlast), .s_axis_tuser(s_tuser),
        .s_axis_tvalid(s_tvalid), .s_axis_tready(s_tready),
        .m_axis_tdata(m_tdata), .m_axis_tkeep(m_tkeep), .m_axis_tlast(m_tlast), .m_axis_tuser(m_tuser),
        .m_axis_tvalid(m_tvalid), .m_axis_tready(m_tready),
        .frame_error(frame_error)
    );
    stream_rules #(.WIDTH(2)) rules (
        .clk(clk), .rst(!aresetn), .valid(m_tvalid), .ready(m_tready), .payload({m_tlast, m_tuser})
    );

    // The block's own reset is a register behind the port: after a first cycle of reset, both are known.
    reg [1:0] age = 2'd0;
    always @(posedge clk) begin
        if (age != 2'd2) age <= age + 2'd1;
        assume (age == 2'd2 || !aresetn);
    end
    wire begun = age == 2'd2;

    (* hierconn *) wire \dut.core.guard.open_ ;
    (* hierconn *) wire \dut.core.guard.fill ;
    (* hierconn *) wire [5:0] \dut.core.room ;
    (* hierconn *) wire [31:0] \dut.core.queue.filled ;
    (* hierconn *) wire \dut.core.queue.push ;
    (* hierconn *) wire [1:0] \dut.core.left ;
    wire [5:0] room = \dut.core.room ;
    wire [31:0] filled = \dut.core.queue.filled ;
    wire [1:0] left = \dut.core.left ;
    // Beats behind the guard, those of them that are of a last pass, and frames' ends; values on their way to the queue.
    wire [5:0] valid = {VALID};
    wire [5:0] results = {RESULTS};
    wire [5:0] last = {LAST};
    wire [4:0] pushed = {PUSHED};
    wire [5:0] words = valid & results;

    reg [5:0] inside;
    integer index;
    always @* begin
        inside = {4'd0, left};
        for (index = 0; index < 6; index = index + 1)
            if (words[index]) inside = inside + (last[index] ? 6'd1 : 6'd2);
        for (index = 0; index < 5; index = index + 1) inside = inside + {5'd0, pushed[index]};
        for (index = 0; index < 32; index = index + 1) inside = inside + {5'd0, filled[index]};
    end
    wire opening = \dut.core.guard.open_ || \dut.core.guard.fill ;

    always @(posedge clk) if (begun) begin
        i_unary :    assert ((filled & (filled + 32'd1)) == 32'd0);
        i_room :     assert (room <= 6'd32 && inside == 6'd32 - room);
        i_allowed :  assert (!opening || room >= 6'd2);
        i_apart :    assert ((words[5:1] & ~last[5:1] & words[4:0]) == 5'd0);
        i_pauses :   assert (!(words[0] && !last[0] && opening));
        i_left :     assert (left <= 2'd2);
        a_loads :    assert (!words[5] || left <= 2'd1);
        a_fits :     assert (!\dut.core.queue.push || !filled[31]);
        c_fills :    cover (room < 6'd20);  // to the end takes more cycles than a solver follows
    end
endmodule
