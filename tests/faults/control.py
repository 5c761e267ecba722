"""Faults of the walk and of its permissions: loops, marks, stalls."""

from faults.edits import Described, Verilog, count_short, late

FAULTS = (
    Described(
        name="a step of a block missed", kind="count", engine="grouped_shift", edit=count_short("sequencer", "step")
    ),
    Described(
        name="a pixel tile missed", kind="count", engine="odd_beats", edit=count_short("sequencer", "pixel_tile")
    ),
    Described(
        name="a column tile missed by the drain",
        kind="count",
        engine="grouped_shift",
        edit=Verilog("drain", r"(drain_tile_last \?) 1'h0 : N;", r"\1 1'h0 : 1'h0;"),
    ),
    Described(
        name="last channel of a block not multiplied",
        kind="tap",
        engine="odd_beats",
        edit=Verilog("sequencer", r"step_count < 3'h6", "step_count < 3'h5"),
    ),
    Described(
        name="a port's second lane reads for the first one's pixel",
        kind="tap",
        engine="odd_beats",
        edit=Verilog("sequencer", r"step_count < 2'h2", "step_count < 2'h0"),
    ),
    Described(
        name="restart mark late by a cycle", kind="mark", engine="odd_beats", edit=late("sequencer", "fold_last")
    ),
    Described(name="active mark late by a cycle", kind="mark", engine="depthwise", edit=late("sequencer", "active")),
    Described(
        name="block mark late by a cycle", kind="mark", engine="few_channels", edit=late("core", "block_first_d2")
    ),
    Described(name="inside mark late by a cycle", kind="mark", engine="odd_beats", edit=late("core", "inside_d1")),
    Described(
        name="drain mark late by a cycle", kind="mark", engine="odd_beats", edit=late("core", "fold_last_drain_d3")
    ),
    Described(
        name="tiles start without permission",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("sequencer", r"(assign \w+ = N) & go", r"\1"),
    ),
    Described(
        name="tiles do not wait for their rows",
        kind="stall",
        engine="few_channels",
        edit=Verilog("ledger", r"(assign N = )~ N\[\d\](;\n  assign N = units != 1'h0)", r"\g<1>1'h1\2"),
    ),
    Described(
        name="tiles do not wait for room in the output buffer",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("ledger", r"units != 1'h0", "1'h1"),
    ),
    Described(
        name="output buffer taken for one unit larger",
        kind="output buffer",
        engine="raw_sums",
        edit=Verilog("ledger", r"units_next = 3'h4", "units_next = 3'h5"),
    ),
    Described(
        name="output buffer taken for one unit smaller",
        kind="output buffer",
        engine="odd_beats",
        edit=Verilog("ledger", r"units_next = 2'h3", "units_next = 2'h2"),
    ),
    Described(
        name="last tile does not wait for the whole frame",
        kind="verdict",
        engine="odd_beats",
        edit=Verilog("ledger", r"upcoming_last \| N", "1'h0"),
    ),
    Described(
        name="rows needed by a tile one short",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("ledger", r"upcoming_frame \+ need", "upcoming_frame + need - 1'h1"),
    ),
    Described(
        name="a finished tile releases two rows more",
        kind="ring",
        engine="odd_beats",
        edit=Verilog("ledger", r"computing_frame \+ released_2", "computing_frame + released_2 + 2'h2"),
    ),
    Described(
        name="a frame's last rows are not released",
        kind="ring",
        engine="few_channels",
        edit=Verilog("ledger", r"(assign N = )computing_last \| (N)", r"\1\2"),
    ),
    Described(
        name="receiver may write two rows more than are free",
        kind="stall",
        engine="odd_beats",
        edit=Verilog("permission", r"\$signed\(4'h4\)", "$signed(4'h6)"),
    ),
    Described(
        name="receiver never waits for rows",
        kind="stall",
        engine="depthwise",
        edit=Verilog("permission", r"o_next = N", "o_next = 1'h1"),
    ),
)
