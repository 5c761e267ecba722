"""Faults of engines whose weights are loaded: where words go, which images count, and when they are taken."""

from faults.edits import Described, Verilog

FAULTS = (
    Described(
        name="a word of an image goes to the next address",
        kind="image",
        engine="loaded_dense",
        edit=Verilog("loader", r"(address_next = image_word_count);", r"\1 + 1'h1;"),
    ),
    Described(
        name="an image of another engine counts",
        kind="image",
        engine="loaded_dense",
        edit=Verilog("loader", r"(assign N = )gathered\[31:0\] != 32'd\d+", r"\g<1>1'h0"),
    ),
    Described(
        name="an image that was cut counts",
        kind="image",
        engine="loaded_grouped_shift",
        edit=Verilog(
            "loader",
            r"(assign N = w__payload\[24\]) & N(;\n  assign N = ~ foreign;\n  assign N = N & N;\n"
            r"  assign N = end_\d & section_last)",
            r"\1\2",
        ),
    ),
    Described(
        name="an image that is too long is told twice",
        kind="image",
        engine="loaded_grouped_shift",
        edit=Verilog(
            "loader",
            r"(discarding_next = )N(;\n    end\n    if \(N\) begin\n      discarding_next = 1'h0)",
            r"\g<1>1'h0\2",
        ),
    ),
    Described(
        name="the input's zero point is not loaded",
        kind="zero point",
        engine="loaded_dense",
        edit=Verilog(
            "loader", r"numbers_next = gathered\[95:32\]", "numbers_next = { gathered[95:48], numbers[15:0] }"
        ),
    ),
    Described(
        name="the clamp is not loaded",
        kind="clamp",
        engine="loaded_dense",
        edit=Verilog("loader", r"numbers_next = gathered\[95:32\]", "numbers_next = { 32'h007fff80, gathered[63:32] }"),
    ),
    Described(
        name="an image is taken while frames are inside",
        kind="stall",
        engine="loaded_dense",
        edit=Verilog("loader", r"(assign N = request) & idle", r"\1"),
    ),
    Described(
        name="frames begin while an image waits",
        kind="stall",
        engine="loaded_dense",
        edit=Verilog("core", r"(assign allowed = loader_loaded) & N", r"\1"),
    ),
    Described(
        name="frames begin before any image has come",
        kind="stall",
        engine="loaded_dense",
        edit=Verilog("core", r"assign allowed = loader_loaded & (N)", r"assign allowed = \1"),
        equivalent="an engine without weights is being flushed, and takes no frame for that reason, too",
    ),
)
