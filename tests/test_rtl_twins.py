"""The vendor blocks: rtl/generic/ and rtl/ecp5/ (on the models of its primitives) compute what their headers say.

Expected values come from Python integers and a dictionary. What the headers call undefined is not compared; that the
generic memory shows it as X is.
"""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from hwconv.resources import resource_path

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")

FAMILIES = ("generic", "ecp5")

MULT_BENCH = """
module bench;
    reg clk = 0;
    reg signed [{a_width}-1:0] a;
    reg signed [{b_width}-1:0] b;
    wire signed [{a_width}+{b_width}-1:0] p;
    reg [{a_width}+{b_width}-1:0] stimulus [0:{cycles}-1];
    integer t;
    {module} #(.A_WIDTH({a_width}), .B_WIDTH({b_width}){style}) dut (.clk(clk), .a(a), .b(b), .p(p));
    initial begin
        $readmemh("stimulus.mem", stimulus);
        for (t = 0; t < {cycles}; t = t + 1) begin
            {{a, b}} = stimulus[t];
            #1 $display("%b", p);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""

RAM_BENCH = """
module bench;
    reg clk = 0;
    reg w_en;
    reg [{address}-1:0] w_addr;
    reg [{address}-1:0] r_addr;
    reg [{width}-1:0] w_data;
    wire [{width}-1:0] r_data;
    reg [1+2*{address}+{width}-1:0] stimulus [0:{cycles}-1];
    integer t;
    hwconv_ram #(.WIDTH({width}), .DEPTH({depth})) dut (
        .clk(clk), .w_en(w_en), .w_addr(w_addr), .w_data(w_data), .r_addr(r_addr), .r_data(r_data));
    initial begin
        $readmemh("stimulus.mem", stimulus);
        for (t = 0; t < {cycles}; t = t + 1) begin
            {{w_en, w_addr, r_addr, w_data}} = stimulus[t];
            #1 $display("%b", r_data);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""

ACCUMULATE_BENCH = """
module bench;
    reg clk = 0;
    reg restart;
    reg signed [{product_width}-1:0] product;
    wire signed [{width}-1:0] sum;
    reg [{product_width}:0] stimulus [0:{cycles}-1];
    integer t;
    hwconv_accumulate #(.WIDTH({width}), .PRODUCT_WIDTH({product_width})) dut (
        .clk(clk), .restart(restart), .product(product), .sum(sum));
    initial begin
        $readmemh("stimulus.mem", stimulus);
        for (t = 0; t < {cycles}; t = t + 1) begin
            {{restart, product}} = stimulus[t];
            #1 $display("%b", sum);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""


def simulate(folder: Path, bench: str, family: str, stimulus: list[int]) -> list[str]:
    """One line of output per cycle, in binary, with x for unknown bits."""
    (folder / "bench.v").write_text(bench)
    (folder / "stimulus.mem").write_text("".join(f"{word:x}\n" for word in stimulus))
    sources = sorted(resource_path(f"rtl/{family}").glob("*.v"))
    binary = folder / f"{family}.vvp"
    subprocess.run(
        ["iverilog", "-g2005", "-Wall", "-Wno-portbind", "-s", "bench", "-o", binary, *sources, folder / "bench.v"],
        check=True,
        timeout=120,
    )
    run = subprocess.run(["vvp", "-n", binary], cwd=folder, check=True, capture_output=True, text=True, timeout=120)
    lines = run.stdout.split()
    assert len(lines) == len(stimulus), run.stdout[-1000:]
    return lines


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("a_width", "b_width", "style"),
    [
        (8, 8, "block"),
        (9, 8, "block"),
        (18, 18, "block"),
        (1, 5, "block"),
        (2, 2, "block"),
        (19, 18, "block"),
        (18, 23, "block"),
        (23, 20, "block"),
        (35, 35, "block"),
        (8, 8, "logic"),
        (9, 8, "logic"),
        (8, 5, "logic"),
        (3, 1, "logic"),
        (18, 23, "logic"),
    ],
)
def test_a_product_leaves_three_cycles_after_its_operands(family, a_width, b_width, style, tmp_path):
    generator = random.Random(20240)
    corners = [
        (a, b)
        for a in {0, 1, -1, 2 ** (a_width - 1) - 1, -(2 ** (a_width - 1)), 2**17 - 1, 2**17, -(2**17), -(2**17) - 1}
        for b in {0, 1, -1, 2 ** (b_width - 1) - 1, -(2 ** (b_width - 1)), 2**17 - 1, 2**17, -(2**17), -(2**17) - 1}
        if -(2 ** (a_width - 1)) <= a < 2 ** (a_width - 1) and -(2 ** (b_width - 1)) <= b < 2 ** (b_width - 1)
    ]
    pairs = sorted(corners)
    for _ in range(500):
        a = generator.randrange(2**a_width) - 2 ** (a_width - 1)
        pairs.append((a, generator.randrange(2**b_width) - 2 ** (b_width - 1)))
    generator.shuffle(pairs)
    multiply(tmp_path, family, f'hwconv_mult,.STYLE("{style}")', (a_width, b_width), pairs, latency=3)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("widths", [(8, 8), (8, 4), (4, 8)])
def test_a_multiplier_of_look_up_tables_is_exact_for_all_operands(family, widths, tmp_path):
    pairs = [(a, b) for a in signed_range(widths[0]) for b in signed_range(widths[1])]
    assert len(pairs) == 2 ** sum(widths)
    multiply(tmp_path, family, "hwconv_lut_mult", widths, pairs, latency=4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("widths", [(9, 8), (8, 9), (16, 8), (7, 6), (5, 5), (3, 8), (8, 2), (8, 1), (1, 1)])
def test_a_multiplier_of_look_up_tables_takes_other_widths(family, widths, tmp_path):
    generator = random.Random(77)
    ends = [
        [low, low + 1, -1, 0, 1, high] for low, high in ((-(1 << width - 1), (1 << width - 1) - 1) for width in widths)
    ]
    pairs = [(a, b) for a in ends[0] for b in ends[1] if a in signed_range(widths[0]) and b in signed_range(widths[1])]
    pairs += [tuple(generator.choice(signed_range(width)) for width in widths) for _ in range(1500)]
    generator.shuffle(pairs)
    multiply(tmp_path, family, "hwconv_lut_mult", widths, pairs, latency=4)


def signed_range(width: int) -> range:
    return range(-(1 << width - 1), 1 << width - 1)


def multiply(
    folder: Path, family: str, module: str, widths: tuple[int, int], pairs: list[tuple[int, int]], latency: int
) -> None:
    """A pair of operands each cycle; each product must come `latency` cycles later. After the module its parameters."""
    a_width, b_width = widths
    words = [((a % 2**a_width) << b_width) | (b % 2**b_width) for a, b in pairs] + [0] * latency
    name, _, style = module.partition(",")
    style = f", {style}" if style else ""
    bench = MULT_BENCH.format(module=name, style=style, a_width=a_width, b_width=b_width, cycles=len(words))
    lines = simulate(folder, bench, family, words)
    for (a, b), line in zip(pairs, lines[latency:], strict=True):
        assert line == f"{(a * b) % 2 ** (a_width + b_width):0{a_width + b_width}b}", (a, b)


# Each shape of the block (36, 18, 9, 4, 2, 1 bits), partial columns, banks, and distributed memory.
RAM_SHAPES = [
    (5, 1), (1, 2), (8, 5), (33, 16), (8, 32), (40, 32), (8, 33), (130, 40), (36, 512), (37, 512), (128, 300),
    (16, 1024), (18, 700), (9, 2048), (12, 2000), (4, 4096), (2, 8192), (1, 16384), (8, 9000), (36, 1536), (3, 20000),
]  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("width", "depth"), RAM_SHAPES)
def test_a_read_gives_the_last_word_written_two_cycles_later(family, width, depth, tmp_path):
    generator = random.Random(width * 100_000 + depth)
    address_bits = max(1, (depth - 1).bit_length())
    pool = {0, depth - 1, depth // 2, *(2**n for n in range(15)), *(2**n - 1 for n in range(15)), 1536, 8192 + 511}
    pool = sorted({address for address in pool if address < depth} | {generator.randrange(depth) for _ in range(12)})
    memory: dict[int, int] = {}
    words = []
    expected: list[int | None] = [None, None]
    for _ in range(1500):
        write = generator.random() < 0.6
        w_addr = generator.choice(pool)
        r_addr = generator.choice(pool)
        data = generator.choice((0, 2**width - 1, generator.randrange(2**width)))
        words.append((((((write << address_bits) | w_addr) << address_bits) | r_addr) << width) | data)
        expected.append(None if write and w_addr == r_addr else memory.get(r_addr))
        if write:
            memory[w_addr] = data
    bench = RAM_BENCH.format(width=width, depth=depth, address=address_bits, cycles=len(words))
    lines = simulate(tmp_path, bench, family, words)
    compared = 0
    for cycle, (line, value) in enumerate(zip(lines, expected, strict=False)):
        if value is None:
            assert family != "generic" or line == "x" * width, f"cycle {cycle}: undefined, but not X"
        else:
            compared += 1
            assert line == f"{value:0{width}b}", f"cycle {cycle}"
    assert compared > (300 if depth > 2 else 100)


def test_a_multiplier_wider_than_the_primitives_allow_is_refused_at_elaboration(tmp_path):
    bench = MULT_BENCH.format(module="hwconv_mult", style="", a_width=36, b_width=8, cycles=1)
    (tmp_path / "bench.v").write_text(bench)
    sources = sorted(resource_path("rtl/ecp5").glob("*.v"))
    run = subprocess.run(
        ["iverilog", "-g2005", "-s", "bench", "-o", tmp_path / "x", *sources, tmp_path / "bench.v"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode != 0
    assert "hwconv_mult_operands_are_limited_to_35_bits" in run.stderr


def test_two_wide_operands_are_refused_by_a_multiplier_of_look_up_tables(tmp_path):
    bench = MULT_BENCH.format(module="hwconv_lut_mult", style="", a_width=9, b_width=9, cycles=1)
    (tmp_path / "bench.v").write_text(bench)
    sources = sorted(resource_path("rtl/ecp5").glob("*.v"))
    run = subprocess.run(
        ["iverilog", "-g2005", "-s", "bench", "-o", tmp_path / "x", *sources, tmp_path / "bench.v"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode != 0
    assert "hwconv_lut_mult_takes_one_operand_of_at_most_8_bits" in run.stderr


def test_a_model_ends_the_simulation_on_a_parameter_it_does_not_know(tmp_path):
    (tmp_path / "bench.v").write_text(
        'module bench; MULT18X18D #(.REG_INPUTA_CLK("CLK1")) u (); DP16KD #(.DATA_WIDTH_A(7)) v (); endmodule'
    )
    models = resource_path("rtl/ecp5/models.v")
    subprocess.run(["iverilog", "-g2005", "-o", tmp_path / "x", models, tmp_path / "bench.v"], check=True, timeout=60)
    run = subprocess.run(["vvp", "-n", tmp_path / "x"], capture_output=True, text=True, timeout=60, check=True)
    assert "does not know" in run.stdout


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("width", "product_width"), [(17, 16), (21, 16), (22, 16), (32, 16), (5, 4)])
def test_a_sum_starts_over_with_the_product_of_its_restart(family, width, product_width, tmp_path):
    generator = random.Random(7)
    low, high = -(1 << product_width - 1), (1 << product_width - 1) - 1
    moves = [(True, low), *((False, low) for _ in range(40)), (True, high), *((False, high) for _ in range(40))]
    moves += [(generator.random() < 0.3, generator.randint(low, high)) for _ in range(400)]
    moves += [(True, generator.choice((low, -1, 0, 1, high))) for _ in range(50)]
    bench = ACCUMULATE_BENCH.format(width=width, product_width=product_width, cycles=len(moves))
    lines = simulate(
        tmp_path,
        bench,
        family,
        [restart << product_width | product % (1 << product_width) for restart, product in moves],
    )
    total = None
    for (restart, product), line in zip(moves, lines, strict=True):
        if total is not None:
            assert int(line, 2) == total % (1 << width)
        total = product if restart or total is None else total + product


HOP_BENCH = """
module bench;
    reg clk = 0;
    reg [{width}-1:0] d;
    wire [{width}-1:0] q;
    reg [{width}-1:0] stimulus [0:{cycles}-1];
    integer t;
    hwconv_hop #(.WIDTH({width})) dut (.clk(clk), .d(d), .q(q));
    initial begin
        $readmemh("stimulus.mem", stimulus);
        for (t = 0; t < {cycles}; t = t + 1) begin
            d = stimulus[t];
            #1 $display("%b", q);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_hop_is_one_cycle_and_starts_at_zero(family, width, tmp_path):
    generator = random.Random(3)
    values = [generator.randrange(1 << width) for _ in range(60)]
    lines = simulate(tmp_path, HOP_BENCH.format(width=width, cycles=len(values)), family, values)
    assert [int(line, 2) for line in lines] == [0, *values[:-1]]
