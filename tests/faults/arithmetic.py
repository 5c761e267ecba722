"""Faults of what is computed: operands, weights, sums, their way out, requantisers and their tables."""

from faults.edits import Described, Field, Swapped, Verilog, Word, late

FAULTS = (
    Described(
        name="restart mark dropped: sums go on from stale ones",
        kind="stale accumulator",
        engine="odd_beats",
        edit=Verilog("pe_1_0", r"\.restart\(\w+\[0\]\)", ".restart(1'h0)"),
    ),
    Described(
        name="restart mark dropped in a depthwise array",
        kind="stale accumulator",
        engine="depthwise",
        edit=Verilog("hwconv_accumulate.v", r"restart \? \{WIDTH\{1'b0\}\} : sum", "sum"),
    ),
    Described(
        name="sign of a product lost",
        kind="sign",
        engine="odd_beats",
        edit=Verilog("pe_0_0", r"product <= hard_product", "product <= { 1'h0, hard_product[14:0] }"),
    ),
    Described(
        name="product's sign not extended to the sum",
        kind="sign",
        engine="few_channels",
        edit=Verilog("hwconv_accumulate.v", r"\{product\[PRODUCT_WIDTH-1\]\}", "{1'b0}"),
    ),
    Described(
        name="multiplier takes activations for unsigned",
        kind="sign",
        engine="few_channels",
        edit=Verilog("pe_0_0", r"(\.A_WIDTH\(32'd)8(\)[^;]*\.a\()activation\)", r"\g<1>9\2{ 1'h0, activation })"),
    ),
    Described(
        name="drain chain broken: a row sends its own sum again",
        kind="drain",
        engine="odd_beats",
        edit=Verilog("pe_0_0", r"\w+\[0\] \? total : i_chain", "total"),
    ),
    Described(
        name="weights of two columns exchanged",
        kind="channels",
        engine="odd_beats",
        edit=Verilog(
            "weights",
            r"o\[15:8\] = weights_0\[15:8\];\n    o\[23:16\] = weights_0\[23:16\]",
            "o[15:8] = weights_0[23:16];\n    o[23:16] = weights_0[15:8]",
        ),
    ),
    Described(name="one weight off by one", kind="weight", engine="odd_beats", edit=Word("weights_0", 17, 1 << 8)),
    Described(name="a weight's sign flipped", kind="weight", engine="depthwise", edit=Word("weights_0", 4, 1 << 23)),
    Described(name="last weight word altered", kind="weight", engine="grouped_shift", edit=Word("weights_0", 127, 1)),
    Described(
        name="two weight words exchanged", kind="weight", engine="few_channels", edit=Swapped("weights_1", (3, 4))
    ),
    Described(
        name="weights do not start over with a tile",
        kind="weight",
        engine="odd_beats",
        edit=Verilog("weights", r"== 6'h24", "== 6'h00"),
    ),
    Described(
        name="weights start over one word early",
        kind="count",
        engine="odd_beats",
        edit=Verilog("weights", r"== 6'h24", "== 6'h23"),
    ),
    Described(
        name="a byte of padding is 0 and not the zero point",
        kind="zero point",
        engine="odd_beats",
        edit=Verilog("operands", r"(row_0_channel_1;\n  assign N = inside_2 \? words\[15:8\] :) 8'hfb", r"\1 8'h00"),
    ),
    Described(
        name="a lane pads with a zero point off by one",
        kind="zero point",
        engine="raw_sums",
        edit=Verilog("operands", r"(words\[15:8\] :) 8'hfb(;\n  assign row_1_channel_1_next)", r"\1 8'hfc\2"),
    ),
    Described(
        name="two channels of a word exchanged",
        kind="channels",
        engine="few_channels",
        edit=Verilog("operands", r"(assign row_0_channel_0_next = load \?) (N) :", r"\1 words[15:8] :"),
    ),
    Described(
        name="two lanes of a depthwise word exchanged",
        kind="channels",
        engine="depthwise",
        edit=Verilog("operands", r"(o\[7:0\] = )row_0_lane_0", r"\1row_0_lane_1"),
    ),
    Described(
        name="a row's last lane keeps streaming: idle steps add",
        kind="stale accumulator",
        engine="odd_beats",
        edit=Verilog("operands", r"load_lane_1 \? N : 8'h00", "load_lane_1 ? words[47:40] : row_1_channel_0"),
    ),
    Described(
        name="two columns exchanged on their way out",
        kind="channels",
        engine="odd_beats",
        edit=Verilog("drain", r"near_select_0 == 2'h2", "near_select_0 == 2'h0"),
    ),
    Described(
        name="requantisers' results exchanged",
        kind="channels",
        engine="depthwise",
        edit=Verilog("core", r"(\.in_\d+)\(drain_o\),(\n    \.in_\d+)\(drain_o_2\)", r"\1(drain_o_2),\2(drain_o)"),
    ),
    Described(
        name="one live pixel too many in the last tile",
        kind="last tile",
        engine="depthwise",
        edit=Verilog(
            "drain",
            r"(drain_pixel_count < )1'h1(;\n(?:  assign N = .+;\n){2}  assign N = drain_word_count \+)",
            r"\g<1>2'h2\2",
        ),
    ),
    Described(
        name="one live channel too many in the last column tile",
        kind="last tile",
        engine="grouped_shift",
        edit=Verilog("drain", r"drain_word_count < 1'h1", "drain_word_count < 2'h2"),
    ),
    Described(
        name="table goes on with each pixel",
        kind="table",
        engine="odd_beats",
        edit=Verilog(
            "drain", r"(?<=  )table_address_next = fold_table_address", "table_address_next = fold_table_address + 1'h1"
        ),
    ),
    Described(
        name="table address late by a cycle",
        kind="mark",
        engine="grouped_shift",
        edit=late("drain", "address_d2"),
    ),
    Described(name="result marks late by a cycle", kind="mark", engine="odd_beats", edit=late("drain", "marks_d3")),
    Described(name="column chosen a cycle late", kind="mark", engine="odd_beats", edit=late("drain", "select_d2")),
    Described(
        name="the array is not cleared after a reset",
        kind="reset",
        engine="odd_beats",
        edit=Verilog("core", r"fold_last_d6 \| flushing", "fold_last_d6"),
    ),
    Described(
        name="a narrow unit's multiplier off by one",
        kind="requantiser",
        engine="odd_beats",
        edit=Field("multiplier", 1 << 12, 1),
    ),
    Described(
        name="a positive rounding offset off", kind="rounding", engine="odd_beats", edit=Field("positive", 1 << 12, 0)
    ),
    Described(
        name="a negative rounding offset off",
        kind="rounding",
        engine="narrow_beats",
        edit=Field("negative", 1 << 12, 2),
    ),
    Described(
        name="a threshold between offsets off",
        kind="requantiser",
        engine="single_beat_frames",
        edit=Field("threshold", 13, 3),
    ),
    Described(name="a saturating base off", kind="requantiser", engine="wide_beats", edit=Field("base", 2, 1)),
    Described(
        name="a digit of a multiplier off", kind="requantiser", engine="depthwise", edit=Field("digits", 1, 1, 1)
    ),
    Described(
        name="two channels' table entries exchanged",
        kind="channels",
        engine="grouped_shift",
        edit=Swapped("table_0", (0, 1)),
    ),
    Described(name="a raw sum's bias off by one", kind="rounding", engine="raw_sums", edit=Field("bias", 1, 2)),
    Described(name="exact unit's bias off by one", kind="rounding", engine="exact_unit", edit=Field("bias", 1, 1)),
    Described(
        name="exact unit's multiplier altered",
        kind="requantiser",
        engine="exact_unit",
        edit=Field("multiplier", 1 << 24, 0),
    ),
    Described(name="exact unit's shift one short", kind="requantiser", engine="exact_unit", edit=Field("right", -1, 2)),
    Described(
        name="exact unit's zero point one off",
        kind="zero point",
        engine="exact_unit",
        edit=Verilog(
            "requantiser_0", r"\$signed\(short_21\) \+ \$signed\(5'h09\)", "$signed(short_21) + $signed(5'h0a)"
        ),
    ),
    Described(
        name="exact unit rounds negative halves up",
        kind="rounding",
        engine="exact_unit",
        edit=Verilog("requantiser_0", r"(right_13 == 3'h7;\n  assign N = )product_49_13\[14\] \? N : (N)", r"\1\2"),
    ),
    Described(
        name="exact unit's first rounding one bit low",
        kind="rounding",
        engine="exact_unit",
        edit=Verilog("requantiser_0", r"1'h1 << 5'h1e", "1'h1 << 5'h1d"),
    ),
    Described(
        name="saturation above dropped",
        kind="clamp",
        engine="grouped_shift",
        edit=Verilog("requantiser_0", r"above_8 \? 9'h07f : ", ""),
    ),
    Described(
        name="saturation below one too high",
        kind="clamp",
        engine="grouped_shift",
        edit=Verilog("requantiser_0", r"below_8 \? 9'h080", "below_8 ? 9'h081"),
    ),
    Described(
        name="a narrow unit's carry between segments dropped",
        kind="carry",
        engine="grouped_shift",
        edit=Verilog("requantiser_0", r"total_0_over_6 <= N\[17\]", "total_0_over_6 <= 1'h0"),
    ),
    Described(
        name="a raw sum's carry between segments dropped",
        kind="carry",
        engine="raw_sums",
        edit=Verilog("requantiser_0", r"sum_0_over_1 <= N\[16\]", "sum_0_over_1 <= 1'h0"),
    ),
    Described(
        name="a carry of a multiplier of look-up tables dropped",
        kind="carry",
        engine="look_up_tables",
        edit=Verilog(
            "hwconv_lut_mult.v", r"carry_in = g_cell\[i-1\]\.carry_out", "carry_in = i != 3 & g_cell[i-1].carry_out"
        ),
    ),
    Described(
        name="sign of a row of look-up tables not extended",
        kind="sign",
        engine="look_up_tables",
        edit=Verilog("hwconv_lut_mult.v", r"\{\{2\{kept\[ROW-1\]\}\}, kept\}", "{2'b00, kept}"),
    ),
    Described(
        name="a multiplier of look-up tables takes weights for unsigned",
        kind="sign",
        engine="look_up_tables",
        edit=Verilog("hwconv_lut_mult.v", r"if \(r < LAST\)", "if (r < ROWS)"),
    ),
    Described(
        name="a row of look-up tables subtracts one too little",
        kind="carry",
        engine="look_up_tables",
        edit=Verilog("hwconv_lut_mult.v", r"16'h000F", "16'h0000"),
    ),
    Described(
        name="the lowest bit of a subtracted row of look-up tables lost",
        kind="carry",
        engine="look_up_tables",
        edit=Verilog("hwconv_lut_mult.v", r"multiplicand\[0\] & digits\[2\*r\]", "1'b0"),
    ),
)
