"""Faults of two engines that compute layers in turns: what each takes from the other, and when."""

from faults.edits import Described, Verilog

ENTRY, EXIT = "entry", "exit"
"""Lanes, and the dense array."""
SLOW = "a_frame_comes_in_slower_than_its_layer_is_computed"
"""Results of the first layers are there before its frame has come."""

FAULTS = (
    Described(
        name="layers of lanes wait for their whole frames",
        kind="stall",
        engine="turns",
        edit=Verilog(f"{ENTRY}_ledger", r"upcoming_last \| N", "1'h1"),
    ),
    Described(
        name="the first layer of a loop waits for nothing",
        kind="stall",
        engine="turns",
        edit=Verilog(f"{ENTRY}_ledger", r"(assign N = )~ N\[\d\](;\n  assign N = units != 1'h0)", r"\g<1>1'h1\2"),
    ),
    Described(
        name="the second engine does not wait for the first one",
        kind="stall",
        engine="turns",
        edit=Verilog(f"{EXIT}_ledger", r"(assign N = )~ N\[\d\](;\n  assign N = units != 1'h0)", r"\g<1>1'h1\2"),
    ),
    Described(
        name="the lanes' zero point stays that of the first layer",
        kind="zero point",
        engine="turns",
        edit=Verilog(ENTRY, r"(operands_layer_next = )operand_layer_d5;", r"\g<1>1'h0;"),
    ),
    Described(
        name="the lanes' weights stay those of the first layer",
        kind="layer",
        engine="turns",
        edit=Verilog(ENTRY, r"(\n    weights_layer <= ).+;", r"\g<1>1'h0;"),
    ),
    Described(
        name="results of a loop's last layer go back",
        kind="layer",
        engine="turns",
        edit=Verilog(f"{EXIT}_output", r"issue_final_d1_next = N", "issue_final_d1_next = 1'h0"),
    ),
    Described(
        name="results of the second engine's every layer leave",
        kind="layer",
        engine="turns",
        edit=Verilog(f"{EXIT}_output", r"issue_final_d1_next = N", "issue_final_d1_next = 1'h1"),
    ),
    Described(
        name="results that leave a loop go back as well",
        kind="layer",
        engine="turns",
        edit=Verilog(EXIT, r"(assign i__valid_\d+ = o__valid_\d+) & N;", r"\1;"),
    ),
    Described(
        name="results leave a loop without waiting for the sink",
        kind="stall",
        engine=SLOW,
        edit=Verilog(EXIT, r"(front_o__payload\[\d+\]) \? o__ready_2 : skid_back", r"\1 | skid_back"),
    ),
    Described(
        name="the second engine's receiver does not go on to its next layer",
        kind="layer",
        engine="turns",
        edit=Verilog(f"{EXIT}_receiver", r"(receiver_layer_next = )N\[0\];", r"\g<1>1'h0;"),
    ),
    Described(
        name="all layers of lanes come from outside",
        kind="layer",
        engine="turns",
        edit=Verilog(f"{ENTRY}_receiver", r"near_first \? i__payload : back__payload", "i__payload"),
    ),
    Described(
        name="the next frame is taken while results come back",
        kind="stall",
        engine="turns",
        edit=Verilog(f"{ENTRY}_receiver", r"(assign i__ready = open) & first;", r"\1;"),
    ),
    Described(
        name="results that come back are taken while the frame comes in",
        kind="stall",
        engine=SLOW,
        edit=Verilog(f"{ENTRY}_receiver", r"(assign back__ready = )open & N;", r"\g<1>1'h1;"),
    ),
    Described(
        name="results that come back are written over the first layer's frame",
        kind="address",
        engine="turns",
        edit=Verilog(f"{ENTRY}_receiver", r"(address_next = )\{ 2'h0, N \};", r"\g<1>7'h00;"),
    ),
    Described(
        name="the second engine's last layer is written over the one before",
        kind="address",
        engine="turns",
        edit=Verilog(f"{EXIT}_receiver", r"(address_next = )N;", r"\g<1>5'h00;"),
    ),
    Described(
        name="results that are on their way to an engine, or back, stay there through a reset",
        kind="reset",
        engine=SLOW,
        edit=Verilog("skid_in", r"(o__valid_next = )1'h0;\n    end\n  end", r"\1o__valid;\n    end\n  end"),
    ),
)
