"""Faults of positions and addresses: pads, strides, dilation, taps, rings."""

from faults.edits import Described, Verilog, count_short

AG = "address_generator"

FAULTS = (
    Described(
        name="top pad one row larger",
        kind="pad",
        engine="odd_beats",
        edit=Verilog(AG, r"computing_last \? 6'h3f", "computing_last ? 6'h3e"),
    ),
    Described(
        name="left pad one column larger",
        kind="pad",
        engine="raw_sums",
        edit=Verilog(AG, r"(N = computing_last \? 5'h)1d", r"\g<1>1c"),
    ),
    Described(
        name="left pad's column is taken for padding",
        kind="pad",
        engine="narrow_beats",
        edit=Verilog(AG, r"\$signed\(port_0_x_tap\) >= \$signed\(1'h0\)", "$signed(port_0_x_tap) > $signed(1'h0)"),
    ),
    Described(
        name="frame one row taller below",
        kind="pad",
        engine="odd_beats",
        edit=Verilog(AG, r"\$signed\(port_0_y_tap\) < \$signed\(4'h5\)", "$signed(port_0_y_tap) < $signed(4'h6)"),
    ),
    Described(
        name="frame one column wider to the right",
        kind="pad",
        engine="odd_beats",
        edit=Verilog(AG, r"\$signed\(port_0_x_tap\) < \$signed\(4'h4\)", "$signed(port_0_x_tap) < $signed(4'h5)"),
    ),
    Described(
        name="sign of the tap's row lost",
        kind="sign",
        engine="odd_beats",
        edit=Verilog(AG, r"port_0_y_tap <= \{ N\[5\], (N) \}", r"port_0_y_tap <= { 1'h0, \1 }"),
        equivalent="a row above the frame, taken for one far below it, is outside just as well",
    ),
    Described(
        name="row is not checked against the frame",
        kind="pad",
        engine="grouped_shift",
        edit=Verilog(AG, r"port_0_row_in & port_0_column_in", "port_0_column_in"),
    ),
    Described(
        name="vertical dilation taken for one",
        kind="dilation",
        engine="grouped_shift",
        edit=Verilog(AG, r"tap_row_offset \+ 5'h18", "tap_row_offset + 5'h0c"),
    ),
    Described(
        name="horizontal dilation taken for one",
        kind="dilation",
        engine="raw_sums",
        edit=Verilog(AG, r"tap_x \+ 2'h2", "tap_x + 2'h1"),
    ),
    Described(
        name="next kernel row's words one short",
        kind="address",
        engine="odd_beats",
        edit=Verilog(AG, r"tap_row_offset \+ 3'h4", "tap_row_offset + 3'h3"),
    ),
    Described(
        name="column of the tap not put back at a kernel row's end",
        kind="address",
        engine="narrow_beats",
        edit=Verilog(AG, r"if \(N\) begin\n      tap_x_next = 2'h0", r"if (1'h0) begin\n      tap_x_next = 2'h0"),
    ),
    Described(
        name="next channel block not addressed",
        kind="address",
        engine="grouped_shift",
        edit=Verilog(
            AG,
            r"if \(next_block\) begin\n      tap_column_offset_next",
            r"if (1'h0) begin\n      tap_column_offset_next",
        ),
    ),
    Described(
        name="next group reads the last one's channels",
        kind="channels",
        engine="grouped_shift",
        edit=Verilog(AG, r"if \(next_group\) begin\n      (tap_column_offset_next)", r"if (1'h0) begin\n      \1"),
    ),
    Described(
        name="carry into the next row dropped",
        kind="carry",
        engine="grouped_shift",
        edit=Verilog(AG, r"(port_0_pixel_row_next = )N\[\d+:0\]", r"\1port_0_pixel_row"),
    ),
    Described(
        name="carries of a word's address dropped",
        kind="carry",
        engine="few_channels",
        edit=Verilog(AG, r"port_0_row_wrapped \+ port_0_column_d1", "port_0_row_wrapped ^ port_0_column_d1"),
    ),
    Described(
        name="row end noticed one pixel late",
        kind="stride",
        engine="exact_unit",
        edit=Verilog(
            AG, r"\$signed\(port_0_pixel_x\) >= \$signed\(\d'h1\)", "$signed(port_0_pixel_x) >= $signed(3'h2)"
        ),
    ),
    Described(
        name="tile's position not carried across a row's end",
        kind="stride",
        engine="exact_unit",
        edit=Verilog(AG, r"(assign port_0_first_crossing_next = ).+;", r"\g<1>1'h0;"),
    ),
    Described(
        name="vertical stride one row short",
        kind="stride",
        engine="depthwise",
        edit=Verilog(AG, r"(assign N = port_0_upcoming_crossing \? )(1'h1)( : 1'h0;)", r"\g<1>1'h0\3"),
    ),
    Described(
        name="reader's ring one word short",
        kind="ring",
        engine="odd_beats",
        edit=Verilog(AG, r"port_0_row_first - 5'h18", "port_0_row_first - 5'h17"),
    ),
    Described(
        name="reader's ring does not wrap",
        kind="ring",
        engine="odd_beats",
        edit=Verilog(
            AG,
            r"port_0_row_reduced\[6\] \? \{ 1'h0, port_0_row_first \} : port_0_row_reduced",
            "{ 1'h0, port_0_row_first }",
        ),
    ),
    Described(
        name="next frame's base one row off",
        kind="ring",
        engine="odd_beats",
        edit=Verilog(AG, r"base \+ 5'h14", "base + 5'h10"),
    ),
    Described(
        name="writer's ring one word short",
        kind="ring",
        engine="odd_beats",
        edit=count_short("receiver", "ring"),
    ),
    Described(name="a kernel row missed", kind="tap", engine="odd_beats", edit=count_short("sequencer", "kernel_row")),
    Described(
        name="a kernel column missed", kind="tap", engine="narrow_beats", edit=count_short("sequencer", "kernel_column")
    ),
)
