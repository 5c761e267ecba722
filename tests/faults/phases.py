"""Faults of what only some layers have: the phases of a transposed one, and the rows that a streaming one keeps."""

from faults.edits import Described, Verilog

AG = "address_generator"

FAULTS = (
    Described(
        name="row phases of a tile take the taps of the first one",
        kind="phase",
        engine="transposed",
        edit=Verilog(AG, r"(tap_y_next = )N(;\n    end\n    if \(rst\))", r"\g<1>1'h1\2"),
    ),
    Described(
        name="a column phase begins where the one before did",
        kind="phase",
        engine="transposed",
        edit=Verilog(AG, r"(if \(next_phase\) begin\n      tap_column_offset_next = )\{ 3'h0, N \};", r"\g<1>5'h01;"),
    ),
    Described(
        name="column phases not counted from the start of the next tile",
        kind="phase",
        engine="transposed",
        edit=Verilog(AG, r"if \(next_pixels\) begin\n      (tap_phase_next)", r"if (1'h0) begin\n      \1"),
    ),
    Described(
        name="row phases change with every tile of a row",
        kind="phase",
        engine="transposed",
        edit=Verilog(
            "sequencer",
            r"if \(pixel_tile_last\) begin\n        (upcoming_row_phase_next)",
            r"if (1'h1) begin\n        \1",
        ),
    ),
    Described(
        name="weights of the first row phase for every row",
        kind="phase",
        engine="transposed",
        edit=Verilog("weights", r"(1'h1:\n          N = )5'h10;", r"\g<1>5'h00;"),
    ),
    Described(
        name="the last pixel of a row has all of its columns",
        kind="phase",
        engine="transposed",
        edit=Verilog("output", r"(assign N = send_pixel_last \? 4'h)6( : 4'h9;)", r"\g<1>9\2"),
    ),
    Described(
        name="kept rows are read before they have come",
        kind="state",
        engine="streaming",
        edit=Verilog(AG, r"(\$signed\(port_0_y_tap\) >= )\$signed\(first_kept_row\)", r"\1$signed(3'h4)"),
    ),
    Described(
        name="kept rows are not read at all",
        kind="state",
        engine="streaming",
        edit=Verilog(AG, r"(\$signed\(port_0_y_tap\) >= )\$signed\(first_kept_row\)", r"\1$signed(1'h0)"),
    ),
    Described(
        name="a frame's rows are released with its last tile, kept ones too",
        kind="state",
        engine="streaming",
        edit=Verilog("ledger", r"(assign N = all_rows \? \d'h)\w( : some_rows;)", r"\g<1>2\2"),
    ),
)
