"""Faults of a program with additions: which results are added to what, and where they go."""

from faults.edits import Described, Verilog

RESNET = "three_blocks_of_a_resnet"
SHORT = "a_shortcut_past_two_layers"

FAULTS = (
    Described(
        name="a sum goes past its addition",
        kind="value",
        engine=SHORT,
        edit=Verilog("residuals", r"going_added \? addition_o__payload", "going_added ? entering_o__payload"),
    ),
    Described(
        name="sums all have the first addition's constants",
        kind="value",
        engine=RESNET,
        edit=Verilog("residuals", r"\.which\(which\)", ".which(2'h0)"),
    ),
    Described(
        name="the constants of a sum stay one layer longer",
        kind="value",
        engine=RESNET,
        edit=Verilog("residuals", r"(which_next = )N;", r"\g<1>which;"),
    ),
    Described(
        name="a lane's rounding is always the first addition's",
        kind="value",
        engine="shortcuts_of_shortcuts",
        edit=Verilog("lane", r"casez \(which_d\d+\)", "casez (2'h0)"),
    ),
    Described(
        name="results of a layer in a shortcut come back as well",
        kind="layer",
        engine=RESNET,
        edit=Verilog("residuals", r"(assign i__valid_\d+ = N) & going_returns;", r"\1;"),
    ),
    Described(
        name="sums leave their addition whether there is room or not",
        kind="stall",
        engine=SHORT,
        edit=Verilog("residuals", r"(assign o__ready_\d+ = )N & (going_added;)", r"\1\2"),
    ),
    Described(
        name="every layer's results are kept",
        kind="layer",
        engine=RESNET,
        edit=Verilog("residuals", r"(assign i__valid_\d+ = N) & going_keeps;", r"\1;"),
    ),
    Described(
        name="a frame that stays counts as another one",
        kind="stall",
        engine="a_layer_in_the_shortcut",
        edit=Verilog("ledger", r"(assign N = upcoming_frame \+ )N;", r"\g<1>3'h6;"),
    ),
    Described(
        name="a frame is waited for that does not come",
        kind="layer",
        engine="a_layer_in_the_shortcut",
        edit=Verilog("receiver", r"(receiver_layer_next = )N(\[1:0\])?;", r"\g<1>1'h0;"),
    ),
)
