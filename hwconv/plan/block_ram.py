"""How a memory is cut into the block RAMs of a device, and how many it takes.

The ECP5's DP16KD holds 18 kbit as 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2 or 16384 x 1; 512 x 36 is a mode of its own
for one write and one read port, and a ROM gets it by reading both ports. `rtl/ecp5/hwconv_ram.v` does the same sum for
itself; a test routes both and compares.
"""

from dataclasses import dataclass

BLOCK_RAM_BITS = 18 << 10
"""Of a DP16KD."""
_ECP5_BLOCK_WIDTHS = {9: 36, 10: 18, 11: 9, 12: 4, 13: 2, 14: 1}

# A block weighs as much as this many look-up tables. An LFE5U has 400 of them per block; less than that, since the
# selection between banks sits between the memory and what reads it, and costs clock.
_LUTS_PER_BLOCK = 64

# No RAM of more words is distributed RAM: the selection between its 16-word parts would limit the clock.
_DISTRIBUTED_RAM_DEPTH = 32


@dataclass(frozen=True)
class BlockShape:
    """A memory as a grid of equal blocks: `banks` in depth, `columns` in width."""

    block_depth: int
    block_width: int
    banks: int
    columns: int

    @property
    def blocks(self) -> int:
        """Number of block RAMs."""
        return self.banks * self.columns


def block_shape(width: int, depth: int) -> BlockShape:
    """The cheapest grid of ECP5 blocks for a memory of `depth` words of `width` bits.

    Cost is 64 per block and 1 per bit and bank after the first (the selection between banks); of equals, the fewest
    blocks win, then the deepest one.
    """
    best: BlockShape | None = None
    best_cost = 0, 0
    for log2_depth, block_width in _ECP5_BLOCK_WIDTHS.items():
        block_depth = 1 << log2_depth
        shape = BlockShape(block_depth, block_width, -(-depth // block_depth), -(-width // block_width))
        cost = _cost(width, shape), shape.blocks
        if best is None or cost <= best_cost:
            best, best_cost = shape, cost
    assert best is not None
    return best


def is_distributed_ram(width: int, depth: int) -> bool:
    """Whether `hwconv_ram` is made of distributed RAM on ECP5: at most 32 words, and cheaper than blocks.

    16 x 4 bits are six look-up tables with their write port, and each further 16 words one more per bit to select.
    """
    banks = -(-depth // 16)
    cost = 6 * banks * -(-width // 4) + width * (banks - 1)
    return depth <= _DISTRIBUTED_RAM_DEPTH and cost <= _cost(width, block_shape(width, depth))


def _cost(width: int, shape: BlockShape) -> int:
    """Look-up tables that a grid of blocks is worth, the selection between its banks included."""
    return _LUTS_PER_BLOCK * shape.blocks + width * (shape.banks - 1)


def block_ram_count(width: int, depth: int, family: str = "ecp5", kind: str = "ram") -> int:
    """The block RAMs that `hwconv_ram` (`kind="ram"`) or a ROM of style `block` (`kind="rom"`) takes.

    A small RAM takes none (`is_distributed_ram`), and nothing does in the family `generic`, which names no device.

    Raises:
        ValueError: an unknown family or kind.
    """
    if kind not in ("ram", "rom"):
        raise ValueError(f"Expected kind to be ram or rom, not {kind!r}")
    if family == "generic":
        return 0
    if family != "ecp5":
        raise ValueError(f"Expected family to be generic or ecp5, not {family!r}")
    if kind == "ram" and is_distributed_ram(width, depth):
        return 0
    return block_shape(width, depth).blocks
