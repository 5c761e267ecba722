"""Faults between the engines of a graph: guard, marks, forks, queues, concatenations."""

from faults.edits import Described, Verilog

FAULTS = (
    Described(
        name="a concatenation's turn is one beat short",
        kind="concatenation",
        engine="uneven",
        edit=Verilog("node_2_together", r"count == 2'h2", "count == 2'h1"),
    ),
    Described(
        name="a concatenation ends a frame with its first input",
        kind="concatenation",
        engine="uneven",
        edit=Verilog("node_2_together", r"turn\[2\] & i_2__payload\[32\]", "turn[0] & i_0__payload[32]"),
    ),
    Described(
        name="a concatenation takes a beat out of turn",
        kind="concatenation",
        engine="uneven",
        edit=Verilog("node_2_together", r"(assign i_1__ready = )turn\[1\] & ", r"\1"),
    ),
    Described(
        name="a concatenation goes on where it was after a reset",
        kind="reset",
        engine="uneven",
        edit=Verilog(
            "node_2_together",
            r"(if \(near_reset\) begin\n      turn_next = )3'h1",
            r"\1turn",
        ),
    ),
    Described(
        name="a fork hands a beat on before all readers have room",
        kind="fork",
        engine="skip",
        edit=Verilog("core", r"(assign i__valid_3 = skid_conv_input_o__valid) & N;", r"\1;"),
    ),
    Described(
        name="a fork's beat is gone when one reader has room",
        kind="fork",
        engine="skip",
        edit=Verilog("core", r"assign o__ready_2 = & (\{ queue_both_0)", r"assign o__ready_2 = | \1"),
    ),
    Described(
        name="the mark of a damaged frame is lost",
        kind="mark",
        engine="skip",
        edit=Verilog("core", r"skid_out_o__payload\[32\] & mark_out_o__payload", "1'h0"),
    ),
    Described(
        name="a mark is kept for the first frame only",
        kind="mark",
        engine="words",  # in which frames overlap
        edit=Verilog(
            "core", r"assign push_2 = push & guard_last", "assign push_2 = push & guard_last & ~marks_filled[0]"
        ),
    ),
    Described(
        name="marks stay when their frame has left",
        kind="mark",
        engine="skip",
        edit=Verilog("core", r"(assign o__ready_\d = N & )skid_out_o__payload\[32\]", r"\g<1>1'h0"),
    ),
    Described(
        name="the guard passes a short frame",
        kind="guard",
        engine="skip",
        edit=Verilog("guard", r"(assign filling_next = )N \| (N);", r"\1\2;"),
    ),
    Described(
        name="the guard passes what comes behind a frame",
        kind="guard",
        engine="skip",
        edit=Verilog("guard", r"(assign discarding_next = )N \| (N);", r"\1\2;"),
    ),
    Described(
        name="the guard fills up with zeros",
        kind="guard",
        engine="skip",
        edit=Verilog("guard", r"fill \? 32'd50529027", "fill ? 32'd0"),
    ),
    Described(
        name="the guard fills up with the lower bytes of int16 zero points",
        kind="guard",
        engine="words",
        edit=Verilog("guard", r"fill \? 32'd4249156932", "fill ? 32'h44444444"),
    ),
    Described(
        name="a maximum of uint8 is that of signed bytes",
        kind="sign",
        engine="octets",
        edit=Verilog("node_2_most_receiver", r" \^ 32'd2155905152", ""),
    ),
)
