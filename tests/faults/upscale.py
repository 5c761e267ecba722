"""Faults of blocks that enlarge frames: what is there and what is free, the walk through the memory, TLAST, resets."""

from faults.edits import Described, Verilog

AGAIN, SPREAD = "node_1_again", "node_3_spread"
"""Repeated pixels, and channels laid out as pixels."""

FAULTS = (
    Described(
        name="a pixel is read before it is there",
        kind="row",
        engine="enlarged",
        edit=Verilog(SPREAD, r"(assign read = places\[0\]) & N", r"\1"),
    ),
    Described(
        name="a pixel is there with its first word",
        kind="row",
        engine="enlarged",
        edit=Verilog(SPREAD, r"(assign filled = taken) & word_last", r"\1 & (word_count == 2'h0)"),
    ),
    Described(
        name="a pixel that comes while another begins is forgotten",
        kind="count",
        engine="enlarged",
        edit=Verilog(SPREAD, r"(assign N = )begun \^ filled_d1", r"\1filled_d1 & ~ begun"),
    ),
    Described(
        name="a pixel's place is free before its last line is read",
        kind="row",
        engine="woven",
        edit=Verilog("node_0_pixels", r"(assign released = N) & phase_last;", r"\1 & opening;"),
    ),
    Described(
        name="the memory takes a pixel more than it holds",
        kind="row",
        engine="enlarged",
        edit=Verilog(AGAIN, r"(if \(near_reset\) begin\n      free_next = 3'h)4", r"\g<1>5"),
    ),
    Described(
        name="a repeated pixel is free after the first time",
        kind="row",
        engine="woven",
        edit=Verilog(
            "node_1_wide",
            r"assign released = read & pixel_ends;",
            "assign released = read & run_count & (repeat_count == 2'h0);",
        ),
    ),
    Described(
        name="only the first row waits for its pixels",
        kind="row",
        engine="enlarged",
        edit=Verilog(SPREAD, r"(opening_next = )phase_last;", r"\g<1>1'h0;"),
    ),
    Described(
        name="reads go on when the output's queue is full",
        kind="queue",
        engine="enlarged",
        edit=Verilog(AGAIN, r"(assign read = )places\[0\] & (N)", r"\1\2"),
    ),
    Described(
        name="a place of the output's queue is not given back",
        kind="queue",
        engine="enlarged",
        edit=Verilog(AGAIN, r"assign popped = o__valid & o__ready;", "assign popped = o__valid & o__ready & ~opening;"),
    ),
    Described(
        name="the second line is the first one again",
        kind="address",
        engine="enlarged",
        edit=Verilog(SPREAD, r"(assign N = line_ends \? 4'h)d( : N;[\s\S]*?line_ends \? 5'h1)d", r"\1b\2b"),
    ),
    Described(
        name="the address does not turn around at the end of the memory",
        kind="address",
        engine="woven",
        edit=Verilog(
            "node_0_pixels",
            r"(assign N = )N \? \{ 1'h0, following \} : \{ N\[\d\], wrapped \}",
            r"\1{ 1'h0, following }",
        ),
    ),
    Described(
        name="a row is written over the one before",
        kind="address",
        engine="enlarged",
        edit=Verilog(SPREAD, r"write_place == 4'hf", "write_place == 4'h7"),
    ),
    Described(
        name="every row ends a frame",
        kind="TLAST",
        engine="woven",
        edit=Verilog("node_1_wide", r"assign frame_ends = line_ends & row_last", "assign frame_ends = line_ends"),
    ),
    Described(
        name="reads go on where they were after a reset",
        kind="reset",
        engine="enlarged",
        edit=Verilog(
            SPREAD,
            r"(if \(near_reset\) begin\s+read_place_next = )4'h0",
            r"\1read_place",
        ),
    ),
    Described(
        name="a mean takes the offset of the other side of zero",
        kind="rounding",
        engine="enlarged",
        edit=Verilog(
            "node_5_columns_drain_requantiser_0",
            r"upper_1 \? positive_1 : negative_1",
            "upper_1 ? negative_1 : positive_1",
        ),
    ),
)
