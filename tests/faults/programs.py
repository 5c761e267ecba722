"""Faults of engines that run several layers: what changes from layer to layer, and the way back."""

from faults.edits import Described, Field, Verilog, Word, count_short, late

PROGRAM = "depthwise_then_1x1"
GROUPS = "groups_side_by_side"
IDLE = "last_pixel_leaves_requantisers_idle"

FAULTS = (
    Described(
        name="results of the last layer go back instead of out",
        kind="layer",
        engine=PROGRAM,
        edit=Verilog("output", r"issue_final_d1_next = N", "issue_final_d1_next = 1'h0"),
    ),
    Described(
        name="results of every layer leave",
        kind="layer",
        engine=PROGRAM,
        edit=Verilog("output", r"issue_final_d1_next = N", "issue_final_d1_next = 1'h1"),
    ),
    Described(
        name="weights stay those of the first layer",
        kind="layer",
        engine=PROGRAM,
        edit=Verilog("core", r"(\n    weights_layer <= ).+;", r"\g<1>1'h0;"),
    ),
    Described(
        name="requantiser's table stays that of the first layer",
        kind="layer",
        engine=PROGRAM,
        edit=Verilog("drain", r"(fold_table_address_next = )\{ 1'h0, N \}", r"\g<1>4'h0"),
    ),
    Described(
        name="second layer's frame written over the first's",
        kind="address",
        engine=PROGRAM,
        edit=Verilog("receiver", r"(address_next = )\{ .* \}", r"\g<1>9'h00"),
    ),
    Described(
        name="input is taken while later layers run",
        kind="stall",
        engine=PROGRAM,
        edit=Verilog("receiver", r"(assign i__ready = \w+ \| )N;", r"\g<1>1'h1;"),
    ),
    Described(
        name="a weight of the second layer altered", kind="weight", engine=PROGRAM, edit=Word("weights_0", 80, 2)
    ),
    Described(
        name="a rounding offset of the second layer off",
        kind="rounding",
        engine=PROGRAM,
        edit=Field("positive", 1 << 14, 8),
    ),
    Described(
        name="no time between two layers",
        kind="stall",
        engine="3x3_then_1x1",
        edit=Verilog("sequencer", r"settling == 1'h0", "1'h1"),
    ),
    Described(
        name="a column multiplies in the steps of another group of its word",
        kind="channels",
        engine=GROUPS,
        edit=Verilog("weights", r"(group_of_word_count ==) 2'h3", r"\1 2'h2"),
    ),
    Described(
        name="all columns multiply in the steps of every group",
        kind="channels",
        engine=GROUPS,
        edit=Verilog("weights", r"(kept_0 <=) working_0", r"\1 4'hf"),
    ),
    Described(
        name="which columns work is known a cycle late", kind="channels", engine=GROUPS, edit=late("weights", "kept_0")
    ),
    Described(
        name="weights are not read again for the next group of a word",
        kind="weight",
        engine=GROUPS,
        edit=Verilog("weights", r"(assign N = )weight_of_block_last & N;", r"\g<1>1'h0;"),
    ),
    Described(
        name="a word has one group less", kind="channels", engine=GROUPS, edit=count_short("weights", "group_of_word")
    ),
    Described(
        name="the first layer does not wait for its whole frame",
        kind="stall",
        engine=PROGRAM,
        edit=Verilog("ledger", r"(assign N =) ledger_layer == 1'h0;", r"\1 1'h0;"),
    ),
    Described(
        name="idle results of the last word are bytes of the frame",
        kind="TKEEP",
        engine=IDLE,
        edit=Verilog("packer", r"place & N(;\n  assign N = N \| N;\n  always)", r"place\1"),
    ),
    Described(
        name="results of every layer's last word are idle",
        kind="TKEEP",
        engine=IDLE,
        edit=Verilog(
            "packer",
            r"word\[32\] & word\[33\](;\n  assign N = ~ N;\n  assign N = place & N;\n  assign N = N \| N;\n  always)",
            r"word[32]\1",
        ),
    ),
)
