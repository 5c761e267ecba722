"""Faults of the streams: TLAST, TKEEP, TUSER, verdicts, beats, handshakes, the output buffer."""

from faults.edits import Described, Verilog, count_short

FAULTS = (
    Described(
        name="early TLAST not told",
        kind="frame error",
        engine="odd_beats",
        edit=Verilog("receiver", r"(assign N = )N \| (N;\n  assign N = i__payload\[35:32\] != 4'hf;)", r"\1\2"),
    ),
    Described(
        name="late TLAST not told",
        kind="frame error",
        engine="single_beat_frames",
        edit=Verilog("receiver", r"(assign N = N) \| N(;\n  assign N = unit_last \? 12'h1ff : 12'hfff;)", r"\1\2"),
    ),
    Described(
        name="TKEEP not checked",
        kind="frame error",
        engine="odd_beats",
        edit=Verilog("receiver", r"i__payload\[35:32\] != 4'hf", "1'h0"),
    ),
    Described(
        name="TKEEP of a partial last beat expected full",
        kind="frame error",
        engine="wide_beats",
        edit=Verilog("receiver", r"12'h0ff : 12'hfff", "12'hfff : 12'hfff"),
    ),
    Described(
        name="frame_error pulses for each fault of a frame",
        kind="frame error",
        engine="odd_beats",
        edit=Verilog("receiver", r"error_next = N", "error_next = fault"),
    ),
    Described(
        name="verdict stays for the next frame",
        kind="verdict",
        engine="odd_beats",
        edit=Verilog("receiver", r"assign (N) = ~ frame_complete", r"assign \1 = 1'h1"),
    ),
    Described(
        name="filler is 0 and not the zero point",
        kind="zero point",
        engine="odd_beats",
        edit=Verilog("receiver", r"16'hfbfb", "16'h0000"),
    ),
    Described(
        name="discarding ends without a valid beat",
        kind="frame error",
        engine="odd_beats",
        edit=Verilog("receiver", r"i__valid & i__payload\[36\]", "i__payload[36]"),
    ),
    Described(
        name="beats after a missing TLAST are not discarded",
        kind="frame error",
        engine="depthwise",
        edit=Verilog("receiver", r"(\w+ = )discarding_next;", r"\g<1>1'h0;"),
    ),
    Described(
        name="an early end is not filled up",
        kind="frame error",
        engine="few_channels",
        edit=Verilog("receiver", r"fill_next = N", "fill_next = 1'h0"),
    ),
    Described(
        name="halves of a beat exchanged",
        kind="channels",
        engine="odd_beats",
        edit=Verilog("receiver", r"(assign N = i__payload\[31:0\] >> )(N)", r"\1(5'h10 - \2)"),
    ),
    Described(
        name="units of a word gathered in the wrong order",
        kind="channels",
        engine="odd_beats",
        edit=Verilog("receiver", r"\{ incoming, gathered\[47:16\] \}", "{ gathered[31:0], incoming }"),
    ),
    Described(
        name="a row counted twice",
        kind="count",
        engine="odd_beats",
        edit=Verilog("receiver", r"written \+ 1'h1", "written + 2'h2"),
    ),
    Described(name="a unit of a word missed", kind="count", engine="odd_beats", edit=count_short("receiver", "unit")),
    Described(
        name="verdicts are not taken out",
        kind="verdict",
        engine="odd_beats",
        edit=Verilog("verdicts", r"assign shifted = pop \? N : (\w+)", r"assign shifted = \1"),
    ),
    Described(
        name="verdict put one place too far",
        kind="verdict",
        engine="single_beat_frames",
        edit=Verilog("verdicts", r"count - pop", "count"),
    ),
    Described(
        name="TLAST of the output dropped",
        kind="TLAST",
        engine="odd_beats",
        edit=Verilog("packer", r"(beat_next\[36\] =) word\[8\]", r"\1 1'h0"),
    ),
    Described(
        name="TLAST of the output on every beat",
        kind="TLAST",
        engine="odd_beats",
        edit=Verilog("packer", r"(beat_next\[36\] =) word\[8\]", r"\1 1'h1"),
    ),
    Described(
        name="TUSER dropped",
        kind="TUSER",
        engine="odd_beats",
        edit=Verilog("packer", r"(beat_next\[37\] =) word\[10\]", r"\1 1'h0"),
    ),
    Described(
        name="TUSER while the frame before is still to be sent",
        kind="TUSER",
        engine="odd_beats",
        edit=Verilog("output", r"frame_sent & damaged", "damaged"),
    ),
    Described(
        name="TKEEP of the output always full",
        kind="TKEEP",
        engine="wide_beats",
        edit=Verilog("packer", r"\{ N, N, N, (N) \}", r"{ \1, \1, \1, \1 }"),
    ),
    Described(
        name="a partial beat's place is not put back",
        kind="TKEEP",
        engine="wide_beats",
        edit=Verilog("packer", r"(assign N = )N( \? 5'h01 : N)", r"\1place[3]\2"),
    ),
    Described(
        name="queue of beats taken for four beats deeper",
        kind="queue",
        engine="raw_sums",
        edit=Verilog("core", r"(assign room = ~ queue_filled)\[11\]", r"\1[15]"),
    ),
    Described(
        name="queue of beats taken for one beat",
        kind="queue",
        engine="raw_sums",
        edit=Verilog("core", r"(assign room = ~ queue_filled)\[11\]", r"\1[0]"),
    ),
    Described(
        name="output reads before a pixel is complete",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("output", r"(assign N = )N & room", r"\1room"),
    ),
    Described(
        name="output ignores that its queue is full",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("output", r"(assign N = N) & room", r"\1"),
    ),
    Described(
        name="a pixel of a frame not sent", kind="count", engine="odd_beats", edit=count_short("output", "send_pixel")
    ),
    Described(
        name="a word of a pixel not sent", kind="count", engine="odd_beats", edit=count_short("output", "send_word")
    ),
    Described(
        name="reader of the output buffer wraps one unit early",
        kind="output buffer",
        engine="odd_beats",
        edit=Verilog("output", r"send_next_unit == 5'h10", "send_next_unit == 5'h08"),
    ),
    Described(
        name="writer of the output buffer wraps one unit early",
        kind="output buffer",
        engine="odd_beats",
        edit=Verilog("output", r"collect_next_unit == 5'h10", "collect_next_unit == 5'h08"),
    ),
    Described(
        name="a sent pixel is not counted off",
        kind="output buffer",
        engine="odd_beats",
        edit=Verilog("output", r"(assign N = pending \+ marks\[1\];\n  assign N = N) - \w+", r"\1"),
    ),
    Described(
        name="second register of the input never fills: a beat is lost",
        kind="handshake",
        engine="odd_beats",
        edit=Verilog("skid_in", r"(\w+_next = )1'h1", r"\g<1>1'h0"),
    ),
    Described(
        name="output's register takes over while its beat waits",
        kind="handshake",
        engine="odd_beats",
        edit=Verilog("front", r"assign i__ready = o__ready \| N", "assign i__ready = 1'h1"),
    ),
    Described(
        name="the output does not fall silent in a reset",
        kind="reset",
        engine="odd_beats",
        edit=Verilog("front", r"if \(resetting\) begin\n      valid_next", r"if (1'h0) begin\n      valid_next"),
    ),
    Described(
        name="ring's address is not put back by a reset",
        kind="reset",
        engine="odd_beats",
        edit=Verilog("receiver", r"if \(rst\) begin\n      ring_count_next", r"if (1'h0) begin\n      ring_count_next"),
    ),
    Described(
        name="verdicts are kept across a reset",
        kind="reset",
        engine="odd_beats",
        edit=Verilog("verdicts", r"if \(rst\) begin\n      count_next", r"if (1'h0) begin\n      count_next"),
    ),
)
