"""A small design with an engine's ports and an engine's rules for damaged frames, to test the harness with.

It computes `x ^ mask` on every byte, the mask (0x5A) coming from a ROM's image. Its zero point is 0, so a frame that
ends early is completed with 0x5A. Each entry of `FAULTS` changes one line of its text, so that a test can ask whether
the harness notices.
"""

import numpy as np

from hwconv.simulation import Design

MASK = 0x5A

_TEXT = """
module standin (
    input wire aclk,
    input wire aresetn,
    input wire [8*{bytes}-1:0] s_axis_tdata,
    input wire [{bytes}-1:0] s_axis_tkeep,
    input wire s_axis_tlast,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    output wire [8*{bytes}-1:0] m_axis_tdata,
    output wire [{bytes}-1:0] m_axis_tkeep,
    output wire m_axis_tlast,
    output wire m_axis_tuser,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output reg frame_error
);
    localparam integer BYTES = {bytes};
    localparam integer BEATS = {beats};
    localparam [BYTES-1:0] FULL = {{BYTES{{1'b1}}}};
    localparam [BYTES-1:0] LAST = FULL >> {missing};
    localparam integer WIDTH = 9 * BYTES + 2;

    reg [7:0] table_mem [0:0];
    initial $readmemh("mask.mem", table_mem);
    wire [7:0] mask = table_mem[0];

    reg [WIDTH-1:0] fifo [0:3];
    reg [1:0] head;
    reg [1:0] tail;
    reg [2:0] level;
    reg [31:0] beat;
    reg damaged;
    reg filling;
    reg discarding;
    reg phase;
    reg [5:0] idle;

    wire at_end = beat == BEATS - 1;
    wire [BYTES-1:0] keep = at_end ? LAST : FULL;
    assign s_axis_tready = !filling && level < 4;
    wire take = s_axis_tvalid && s_axis_tready;
    wire push = (take && !discarding) || (filling && level < 4);
    wire bad = damaged || filling || s_axis_tlast != at_end || s_axis_tkeep != keep;
    wire [8*BYTES-1:0] data = (filling ? {{8*BYTES{{1'b0}}}} : s_axis_tdata) ^ {{BYTES{{mask}}}};
    wire pop = m_axis_tvalid && m_axis_tready;

    assign m_axis_tvalid = level != 0;
    assign {{m_axis_tuser, m_axis_tlast, m_axis_tkeep, m_axis_tdata}} = fifo[tail];

    always @(posedge aclk) begin
        phase <= ~phase;
        idle <= push || pop ? 0 : idle + !(&idle);
        frame_error <= 1'b0;
        if (push) begin
            fifo[head] <= {{at_end && bad, at_end, keep, data}};
            head <= head + 1;
            beat <= at_end ? 0 : beat + 1;
            damaged <= bad && !at_end;
            filling <= (filling || s_axis_tlast) && !at_end;
            discarding <= at_end && !filling && !s_axis_tlast;
            frame_error <= at_end && bad;
        end
        if (take && discarding && s_axis_tlast) discarding <= 1'b0;
        if (pop) tail <= tail + 1;
        level <= level + push - pop;
        if (!aresetn) begin
            head <= 0;
            tail <= 0;
            level <= 0;
            phase <= 1'b0;
            idle <= 0;
            beat <= 0;
            damaged <= 1'b0;
            filling <= 1'b0;
            discarding <= 1'b0;
            frame_error <= 1'b0;
        end
    end
endmodule
"""

# name: (text of the correct design, what replaces it)
FAULTS = {
    "wrong byte": ("{BYTES{mask}};", "{BYTES{mask}} ^ (beat == 1 ? 512 : 0);"),
    "stale data": ("= fifo[tail];", "= fifo[tail ^ phase];"),
    "no TLAST": ("{at_end && bad, at_end,", "{at_end && bad, 1'b0,"),
    "TLAST too often": ("{at_end && bad, at_end,", "{at_end && bad, beat[0],"),
    "wrong TKEEP": ("at_end, keep, data}", "at_end, FULL, data}"),
    "TUSER on a good frame": ("{at_end && bad,", "{at_end,"),
    "no TUSER on a damaged frame": ("{at_end && bad,", "{1'b0,"),
    "missing beat": ("(take && !discarding) ||", "(take && !discarding && beat != 2) ||"),
    "overflow": ("!filling && level < 4;", "!filling;"),
    "hang at the output": ("m_axis_tvalid = level != 0", "m_axis_tvalid = level > 1"),
    "output without end": ("(filling || s_axis_tlast) && !at_end;", "filling || s_axis_tlast;"),
    "hang at the input": ("!filling && level < 4;", "!filling && level < 4 && !(beat == 2 && tail == 3);"),
    "VALID dropped": ("m_axis_tvalid = level != 0;", "m_axis_tvalid = level != 0 && !phase;"),
    "payload changed": ("= fifo[tail];", "= fifo[tail] ^ (phase && !m_axis_tready);"),
    "unknown VALID": ("m_axis_tvalid = level != 0;", "m_axis_tvalid = level != 0 ? 1'b1 : fifo[0][0] & 1'bx;"),
    "extra beat": ("assign m_axis_tvalid = level != 0;", "assign m_axis_tvalid = level != 0 || &idle;"),
    "no frame_error": ("frame_error <= at_end && bad;", "frame_error <= 1'b0;"),
    "long frame_error": ("frame_error <= 1'b0;\n        if", "if"),
    "zero point forgotten": ("{8*BYTES{1'b0}}", "{8*BYTES{1'b1}}"),
    "nothing discarded": ("discarding <= at_end && !filling && !s_axis_tlast;", "discarding <= 1'b0;"),
    "early TLAST ignored": ("(filling || s_axis_tlast) && !at_end", "1'b0"),
    "TKEEP ignored": (" || s_axis_tkeep != keep", ""),
    "state kept over reset": ("            beat <= 0;\n", ""),
    "data used without VALID": ("if (take && discarding", "if (discarding"),
}


# Not to be seen at clock edges: only the cocotb bench looks between them.
FAULTS_WITHIN_A_CYCLE = {
    "READY from READY": ("!filling && level < 4;", "!filling && (level < 4 || m_axis_tready);"),
    "VALID from VALID": ("m_axis_tvalid = level != 0;", "m_axis_tvalid = level > 1 || (level == 1 && s_axis_tvalid);"),
    "READY from TLAST": (
        "!filling && level < 4;",
        "!filling && level < 4 && !(s_axis_tvalid && s_axis_tlast && phase);",
    ),
}


def standin(frame_bytes: int, beat_bytes: int, fault: str | None = None, mask: int = MASK) -> Design:
    beats = -(-frame_bytes // beat_bytes)
    text = _TEXT.format(bytes=beat_bytes, beats=beats, missing=beats * beat_bytes - frame_bytes)
    if fault is not None:
        old, new = (FAULTS | FAULTS_WITHIN_A_CYCLE)[fault]
        assert old in text, fault
        text = text.replace(old, new)
    return Design(
        top="standin",
        files={"standin.v": text, "mask.mem": f"{mask:02x}\n"},
        input_beat_bytes=beat_bytes,
        output_beat_bytes=beat_bytes,
        generated=(),
    )


def answer(frames: np.ndarray, mask: int = MASK) -> np.ndarray:
    return (frames.view(np.uint8) ^ np.uint8(mask)).view(frames.dtype)
