"""Faults of Winograd engines: tiles, transforms, positions on the array, and the way back."""

from faults.edits import Described, Swapped, Verilog

ENGINE = "winograd"
LINE = "winograd_line"

FAULTS = (
    Described(
        name="a coefficient of the input transform has the other sign",
        kind="transform",
        engine=ENGINE,
        edit=Verilog("transform_column_0", r"(level_1_4_next = \$signed\(N\)) - ", r"\1 + "),
    ),
    Described(
        name="a coefficient of the output transform has the other sign",
        kind="transform",
        engine=ENGINE,
        edit=Verilog(
            "column",
            r"(\$signed\(level_1_0\) << 1'h0;\n  assign N = \$signed\(level_1_1\) << 2'h2;\n"
            r"  assign N = \$signed\(N\)) - ",
            r"\1 + ",
        ),
    ),
    Described(
        name="a coefficient of the output transform is half as large",
        kind="transform",
        engine=ENGINE,
        edit=Verilog("column", r"\$signed\(level_0_5\) << 2'h3", "$signed(level_0_5) << 2'h2"),
    ),
    Described(
        name="a step of the division by the factor is a bit short",
        kind="transform",
        engine=ENGINE,
        edit=Verilog("division", r"\$signed\(quotient_0\) << 3'h6", "$signed(quotient_0) << 3'h5"),
    ),
    Described(
        name="a tile begins one column off",
        kind="tile",
        engine=ENGINE,
        edit=Verilog("fetch", r"upcoming_offset \+ 3'h4", "upcoming_offset + 3'h3"),
    ),
    Described(
        name="a tile's padding is looked for one column off",
        kind="tile",
        engine=ENGINE,
        edit=Verilog("fetch", r"\$signed\(upcoming_x\) \+ \$signed\(4'h4\)", "$signed(upcoming_x) + $signed(4'h3)"),
    ),
    Described(
        name="the next band begins one row off",
        kind="tile",
        engine=ENGINE,
        edit=Verilog(
            "fetch",
            r"\$signed\(upcoming_y\) \+ \$signed\(4'h4\)(;\n  assign N = 3'h3 >>)",
            r"$signed(upcoming_y) + $signed(4'h3)\1",
        ),
    ),
    Described(
        name="rows of a tile are not turned with the banks that they lie in",
        kind="tile",
        engine=ENGINE,
        edit=Verilog("fetch", r"N \? byte_3 : byte_5", "byte_5"),
    ),
    Described(
        name="a tile starts before its last row has come",
        kind="tile",
        engine=ENGINE,
        edit=Verilog("ledger", r"frame_rows \+ need;", "frame_rows + need - 1'h1;"),
    ),
    Described(
        name="a sum that wraps is one bit short",
        kind="accumulator",
        engine=ENGINE,
        edit=Verilog("pe_chain_0_0", r"\? total\[23:0\]", "? { total[22], total[22:0] }"),
    ),
    Described(
        name="a position of a folded lane takes the operand of the one beside it",
        kind="lane",
        engine=ENGINE,
        edit=Verilog(
            "array", r"(operand_6_next = N \? )\{ in_1\[72\], in_1\[72:59\] \}", r"\1{ in_1[58], in_1[58:45] }"
        ),
    ),
    Described(
        name="turns of a folded lane exchanged for one position",
        kind="lane",
        engine=LINE,
        edit=Verilog("array", r"(operand_1_next = )(N) \?", r"\1~\2 ?"),
    ),
    Described(name="weights of two turns exchanged", kind="lane", engine=ENGINE, edit=Swapped("weights_0", (0, 2))),
    Described(
        name="sums of two folds in one place until all turns are there",
        kind="accumulator",
        engine=ENGINE,
        edit=Verilog("store", r"(assign N = half \? 2'h0 : )2'h2(;\n  assign N = ~ half)", r"\g<1>2'h0\2"),
    ),
)
