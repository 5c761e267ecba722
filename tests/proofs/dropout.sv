// A dropout block: its output keeps AXI4-Stream's rule, and its queue never overflows, whatever comes and whoever waits.
module dropout_harness (
    input wire        clk,
    input wire        aresetn,
    input wire [7:0]  s_tdata,
    input wire        s_tkeep,
    input wire        s_tlast,
    input wire [71:0] s_tuser,
    input wire        s_tvalid,
    input wire        m_tready
);
    wire s_tready, m_tvalid, m_tlast, m_tuser, frame_error;
    wire m_tkeep;
    wire [7:0] m_tdata;
    dut dut (
        .aclk(clk), .aresetn(aresetn),
        .s_axis_tdata(s_tdata), .s_axis_tkeep(s_tkeep), .s_axis_tlast(s_tlast), .s_axis_tuser(s_tuser),
        .s_axis_tvalid(s_tvalid), .s_axis_tready(s_tready),
        .m_axis_tdata(m_tdata), .m_axis_tkeep(m_tkeep), .m_axis_tlast(m_tlast), .m_axis_tuser(m_tuser),
        .m_axis_tvalid(m_tvalid), .m_axis_tready(m_tready),
        .frame_error(frame_error)
    );
    stream_rules #(.WIDTH(3)) rules (
        .clk(clk), .rst(!aresetn), .valid(m_tvalid), .ready(m_tready), .payload({m_tkeep, m_tlast, m_tuser})
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
    wire [5:0] room = \dut.core.room ;
    wire [31:0] filled = \dut.core.queue.filled ;
    // Beats behind the guard that are not yet in the queue.
    wire [20:0] pipeline = {PIPELINE};

    reg [5:0] inside;
    integer index;
    always @* begin
        inside = 6'd0;
        for (index = 0; index < 21; index = index + 1) inside = inside + {5'd0, pipeline[index]};
        for (index = 0; index < 32; index = index + 1) inside = inside + {5'd0, filled[index]};
    end

    always @(posedge clk) if (begun) begin
        i_unary :    assert ((filled & (filled + 32'd1)) == 32'd0);
        i_room :     assert (room <= 6'd32 && inside == 6'd32 - room);
        i_allowed :  assert (!(\dut.core.guard.open_ || \dut.core.guard.fill ) || room != 6'd0);
        a_fits :     assert (!\dut.core.queue.push || !filled[31]);
        c_full :     cover (room == 6'd0);
    end
endmodule
