"""Faults of dropout and statistics blocks: numbers, thresholds, scales, parameters of frames, sums."""

from faults.edits import Described, Verilog, late

FAULTS = (
    Described(
        name="the counter of blocks is one bit short",
        kind="numbers",
        engine="dropout_4",
        edit=Verilog("numbers", r"base_next = (N)\[3:0\]", r"base_next = { 1'h0, \1[2:0] }"),
    ),
    Described(
        name="the counter of blocks goes on from frame to frame",
        kind="numbers",
        engine="dropout_4",
        edit=Verilog("numbers", r"(assign N = )last \? 5'h00 : ", r"\1"),
    ),
    Described(
        name="halves of a word of numbers exchanged",
        kind="numbers",
        engine="dropout_4",
        edit=Verilog("numbers", r"(o_next\[15:0\] = generator_0_first_12)\[15:0\]", r"\1[31:16]"),
    ),
    Described(
        name="a number that is the threshold is dropped",
        kind="threshold",
        engine="dropout_4",
        edit=Verilog("core", r"numbers_o\[31:16\] < threshold_18", "numbers_o[31:16] <= threshold_18"),
    ),
    Described(
        name="the threshold comes a beat late",
        kind="threshold",
        engine="dropout_4",
        edit=late("core", "threshold_18"),
    ),
    Described(
        name="halves are not rounded up",
        kind="rounding",
        engine="dropout_4",
        edit=Verilog("scaler", r"(\$signed\(product_6\[32:13\]\) \+ \$signed\(5'h1)3\)", r"\g<1>2)"),
    ),
    Described(
        name="the largest shift counts as none",
        kind="scale",
        engine="dropout_4",
        edit=Verilog("scaler", r"shift\[3\] \? N : ", ""),
    ),
    Described(
        name="a scaled value wraps instead of saturating",
        kind="scale",
        engine="dropout_4",
        edit=Verilog("scaler", r"clamped_inside_8 \? clamped_kept_8\[6:0\] : \{ .* \}", "clamped_kept_8[6:0]"),
    ),
    Described(
        name="a deterministic frame is dropped from",
        kind="scale",
        engine="dropout_4",
        edit=Verilog("core", r"guard_parameters\[0\] \? 16'h0000 : ", ""),
    ),
    Described(
        name="a deterministic frame is scaled",
        kind="scale",
        engine="dropout_4",
        edit=Verilog("core", r"guard_parameters\[0\] \? 15'h4000 : ", ""),
    ),
    Described(
        name="squares of the passes before are not forgotten",
        kind="sums",
        engine="variance",
        edit=Verilog("accumulator", r"restart_d4 \? 17'h00000 : (before_\d\[27:11\])", r"\1"),
    ),
    Described(
        name="a sum of squares is one bit short",
        kind="sums",
        engine="variance",
        edit=Verilog("accumulator", r"sums_next\[27:11\] = (N)\[16:0\]", r"sums_next[27:11] = { 1'h0, \1[15:0] }"),
    ),
    Described(
        name="a pass of the variance's factor is missing",
        kind="sums",
        engine="variance",
        edit=Verilog("variance", r"(multiple_0_odd_d\d_next = sums\[27:11\] << )2'h2", r"\g<1>2'h1"),
    ),
)
