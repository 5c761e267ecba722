"""How a memory is cut into the block RAMs of a device, and how many it takes.

The ECP5's DP16KD holds 18 kbit as 1024 x 18, 2048 x 9, 4096 x 4, 8192 x 2 or 16384 x 1; 512 x 36 is a mode of its own
for one write and one read port, and a ROM gets it by reading both ports. `rtl/ecp5/hwconv_ram.v` does the same sum for
itself; a test routes both and compares.
"""

from dataclasses import dataclass

_ECP5_BLOCK_WIDTHS = {9: 36, 10: 18, 11: 9, 12: 4, 13: 2, 14: 1}

# A block weighs as much as this many two-to-one selections of a bit. An LFE5U has 400 to 800 LUTs per block; less than
# that, since the selection sits between the memory and what reads it, and costs clock.
_LUTS_PER_BLOCK = 64

# Up to this many words a RAM is distributed RAM: 16 x 4 bits in two slices and their write port.
DISTRIBUTED_RAM_DEPTH = 32


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

    Cost is 64 per block and 1 per bit and bank after the first (the selection between banks); of equals, the deepest
    block wins.
    """
    best: BlockShape | None = None
    best_cost = 0
    for log2_depth, block_width in _ECP5_BLOCK_WIDTHS.items():
        block_depth = 1 << log2_depth
        shape = BlockShape(block_depth, block_width, -(-depth // block_depth), -(-width // block_width))
        cost = _LUTS_PER_BLOCK * shape.blocks + width * (shape.banks - 1)
        if best is None or cost <= best_cost:
            best, best_cost = shape, cost
    assert best is not None
    return best


def block_ram_count(width: int, depth: int, family: str = "ecp5", kind: str = "ram") -> int:
    """The block RAMs that `hwconv_ram` (`kind="ram"`) or a ROM of style `block` (`kind="rom"`) takes.

    A shallow RAM takes none (it is distributed RAM), and nothing does in the family `generic`, which names no device.

    Raises:
        ValueError: an unknown family or kind.
    """
    if kind not in ("ram", "rom"):
        raise ValueError(f"Expected kind to be ram or rom, not {kind!r}")
    if family == "generic":
        return 0
    if family != "ecp5":
        raise ValueError(f"Expected family to be generic or ecp5, not {family!r}")
    if kind == "ram" and depth <= DISTRIBUTED_RAM_DEPTH:
        return 0
    return block_shape(width, depth).blocks
