"""What a read-only memory contains: decided by the plan, written as Verilog by `emit/memories.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RomImage:
    """The contents of one ROM, which becomes one Verilog module with ports `clk`, `addr` and `data`, latency 2.

    Attributes:
        name: name of the module.
        width: bits of a word, at least 1.
        words: the words as unsigned integers below `2 ** width`; at least one. Their number is the depth.
        style: `block` for block RAM, `logic` for look-up tables.

    Raises:
        ValueError: a field is out of its range.
    """

    name: str
    width: int
    words: tuple[int, ...]
    style: str

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"Expected the width of ROM {self.name} to be at least 1, not {self.width!r}")
        if not self.words:
            raise ValueError(f"Expected ROM {self.name} to have at least one word")
        if self.style not in ("block", "logic"):
            raise ValueError(f"Expected the style of ROM {self.name} to be block or logic, not {self.style!r}")
        for address, word in enumerate(self.words):
            if not 0 <= word < 1 << self.width:
                raise ValueError(
                    f"Expected word {address} of ROM {self.name} to be unsigned with {self.width} bits, not {word!r}"
                )

    @property
    def depth(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def address_width(self) -> int:
        """Bits of the address port: `max(1, ceil(log2(depth)))`."""
        return max(1, (self.depth - 1).bit_length())
