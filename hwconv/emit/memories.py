"""Writes ROM modules: one file of Verilog per ROM, and its image where the Verilog reads one.

Every ROM has the ports `clk`, `addr` and `data` and takes two cycles. An address past the last word gives anything.
"""

import textwrap
from dataclasses import dataclass

from hwconv.emit import templates
from hwconv.plan.block_ram import BlockShape, block_ram_count, block_shape
from hwconv.plan.rom import RomImage

__all__ = ["block_ram_count", "ecp5_initial_values", "render_rom"]

FAMILIES = ("generic", "ecp5")

_PORT_CELLS = 512  # a block of 512 x 36 is read by port A from cell 0 on and by port B from cell 512 on
_INITVAL_CELLS = 16


@dataclass(frozen=True)
class _Block:
    """One DP16KD of a ROM: its place in the grid, its INITVAL parameters that are not zero, the bits it provides."""

    bank: int
    column: int
    initial: dict[str, str]


def render_rom(rom: RomImage, family: str) -> dict[str, str]:
    """Returns the files of a ROM by name: `<name>.v`, and `<name>.mem` where the Verilog reads an image.

    Parameters:
        rom: contents, name and style.
        family: `generic` infers block RAM; `ecp5` instantiates DP16KD with its output register. Style `logic` is the
            same in both: look-up tables between an address register and an output register.

    Raises:
        ValueError: an unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"Expected family to be one of {', '.join(FAMILIES)}, not {family!r}")
    if family == "ecp5" and rom.style == "block":
        shape = block_shape(rom.width, rom.depth)
        blocks = [
            _Block(bank, column, ecp5_initial_values(rom, shape, bank, column))
            for bank in range(shape.banks)
            for column in range(shape.columns)
        ]
        return {f"{rom.name}.v": templates.render("rom_ecp5.v.j2", rom=rom, shape=shape, blocks=blocks, pins=_pins)}
    digits = (rom.width + 3) // 4
    image = "".join(f"{word:0{digits}x}\n" for word in rom.words)
    return {f"{rom.name}.v": templates.render("rom_generic.v.j2", rom=rom), f"{rom.name}.mem": image}


def ecp5_initial_values(rom: RomImage, shape: BlockShape, bank: int, column: int) -> dict[str, str]:
    """The INITVAL parameters, as 80 hexadecimal digits each, of one block of a ROM; those that are zero are left out.

    A block is 1024 cells of 18 bits; each parameter holds 16 of them, padded to 20 bits. Words of 9 bits take half a
    cell; those of 4, 2 and 1 bits lie in the low 8 bits of each half. In a block of 512 x 36 the low 18 bits of the
    words come first, then the high ones.
    """
    width = shape.block_width
    cells = [0] * (1 << 10)
    first = bank * shape.block_depth
    for address, word in enumerate(rom.words[first : first + shape.block_depth]):
        bits = (word >> (column * width)) & ((1 << width) - 1)
        if width == 36:
            cells[address] = bits & 0x3FFFF
            cells[_PORT_CELLS + address] = bits >> 18
        elif width == 18:
            cells[address] = bits
        else:
            words_per_byte = 1 if width == 9 else 8 // width
            byte = address // words_per_byte
            cells[byte // 2] |= bits << (9 * (byte % 2) + width * (address % words_per_byte))
    values = {}
    for index in range(len(cells) // _INITVAL_CELLS):
        value = sum(cells[index * _INITVAL_CELLS + n] << (20 * n) for n in range(_INITVAL_CELLS))
        if value:
            values[f"INITVAL_{index:02X}"] = f"{value:080x}"
    return values


def _pins(port: str, count: int, signal: str | None = None, *, open: bool = False) -> str:
    """The connections of a primitive's numbered pins to the bits of a signal, to nothing, or to zero, wrapped."""
    values = [f"{signal}[{bit}]" if signal else "" if open else "1'b0" for bit in range(count)]
    pins = [f".{port}{bit}({value})" for bit, value in enumerate(values)]
    return textwrap.fill(", ".join(pins), 110).replace("\n", "\n        ")
