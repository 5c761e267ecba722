"""ROM modules: each family and style holds the words it was given, two cycles after the address."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from hwconv.emit.memories import block_ram_count, ecp5_initial_values, render_rom
from hwconv.plan.block_ram import block_shape
from hwconv.plan.rom import RomImage
from hwconv.resources import resource_path

# Words x bits: every shape of the block, partial columns, a partial bank, banks, and the smallest there is.
SHAPES = [
    (1, 1), (2, 3), (5, 40), (300, 36), (512, 72), (513, 18), (1000, 20), (1025, 9), (2048, 7), (2049, 4), (4096, 3),
    (8192, 2), (16384, 1), (9000, 8), (20000, 2),
]  # fmt: skip

BENCH = """
module bench;
    reg clk = 0;
    reg [{address}-1:0] addr;
    wire [{width}-1:0] data;
    integer t;
    table_of_words dut (.clk(clk), .addr(addr), .data(data));
    initial begin
        for (t = 0; t < {depth} + 2; t = t + 1) begin
            addr = t % {depth};
            #1 if (t >= 2) $display("%h", data);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""


def image(depth: int, width: int, style: str = "block") -> RomImage:
    generator = random.Random(depth * 1000 + width)
    words = [generator.randrange(2**width) for _ in range(depth)]
    words[0] = 2**width - 1
    return RomImage("table_of_words", width, tuple(words), style)


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize(("family", "style"), [("generic", "block"), ("ecp5", "block"), ("ecp5", "logic")])
@pytest.mark.parametrize(("depth", "width"), SHAPES)
def test_a_rom_holds_its_words(depth, width, family, style, tmp_path: Path):
    rom = image(depth, width, style)
    files = render_rom(rom, family)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bench.v").write_text(BENCH.format(address=rom.address_width, width=width, depth=depth))
    sources = ["bench.v", "table_of_words.v"]
    if family == "ecp5":
        sources.append(str(resource_path("rtl/ecp5/models.v")))
    command = ["iverilog", "-g2005", "-Wall", "-Wno-portbind", "-s", "bench", "-o", "x.vvp", *sources]
    build = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert build.returncode == 0, build.stderr
    assert build.stderr == ""
    run = subprocess.run(["vvp", "-n", "x.vvp"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert run.stdout.split() == [f"{word:0{(width + 3) // 4}x}" for word in rom.words]


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(36, 512, 1), (37, 512, 2), (128, 512, 4), (18, 1024, 1), (19, 1024, 2), (128, 1024, 8), (9, 2048, 1),
     (128, 2048, 15), (4, 4096, 1), (2, 8192, 1), (1, 16384, 1), (8, 9000, 5), (1, 1, 1)],
)  # fmt: skip
def test_the_number_of_blocks_is_what_the_device_s_shapes_allow(width, depth, blocks):
    assert block_ram_count(width, depth, "ecp5", "rom") == blocks


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    # look-up tables against blocks of 64: 8 x 32 is 32; 36 x 16 is 54; 40 x 16 is 60; 18 x 32 is 78; 128 x 32 is 512
    [(8, 32, 0), (8, 33, 1), (36, 16, 0), (40, 16, 0), (18, 32, 1), (128, 32, 4), (128, 16, 0), (256, 17, 8)],
)
def test_a_small_ram_takes_no_block_where_look_up_tables_are_cheaper(width, depth, blocks):
    assert block_ram_count(width, depth) == blocks


def test_a_rom_of_style_block_takes_blocks_and_a_generic_memory_none():
    assert block_ram_count(8, 32, kind="rom") == 1
    assert block_ram_count(128, 512, "generic") == 0


def test_initial_values_are_sixteen_cells_of_eighteen_bits_padded_to_twenty():
    rom = RomImage("r", 18, tuple(range(0x3FF00, 0x3FF00 + 17)) + (0,) * 600, "block")
    values = ecp5_initial_values(rom, block_shape(18, rom.depth), 0, 0)
    assert set(values) == {"INITVAL_00", "INITVAL_01"}
    assert values["INITVAL_00"].endswith("3ff023ff013ff00")
    assert int(values["INITVAL_01"], 16) == 0x3FF10


def test_rendering_is_deterministic_and_every_module_keeps_to_the_line_length():
    for depth, width in SHAPES:
        for family in ("generic", "ecp5"):
            for style in ("block", "logic"):
                files = render_rom(image(depth, width, style), family)
                assert files == render_rom(image(depth, width, style), family)
                assert max(len(line) for line in files["table_of_words.v"].splitlines()) <= 120


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("r", 0, (0,), "block"), "width"),
        (("r", 4, (), "block"), "at least one word"),
        (("r", 4, (16,), "block"), "word 0"),
        (("r", 4, (0, -1), "logic"), "word 1"),
        (("r", 4, (0,), "flash"), "style"),
    ],
)
def test_an_impossible_image_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        RomImage(*fields)


def test_an_unknown_family_or_kind_is_refused():
    with pytest.raises(ValueError, match="family"):
        render_rom(image(4, 4), "ice40")
    with pytest.raises(ValueError, match="family"):
        block_ram_count(8, 512, "ice40")
    with pytest.raises(ValueError, match="kind"):
        block_ram_count(8, 512, "ecp5", "fifo")
