"""The memories of an engine, and the block RAMs they take."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .block_ram import block_ram_count
from .images import table_rom, weight_rom

if TYPE_CHECKING:
    from .config import EngineConfig
    from .engine_plan import EnginePlan


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Equal memories that serve one purpose.

    Attributes
    ----------
    name, holds : str
        For programs; for people.
    copies : int
        How many there are.
    width, depth : int
        Bits of a word, and words.
    kind : str
        ``ram``, ``rom`` (block RAM) or ``logic`` (a ROM of look-up tables).
    """

    name: str
    holds: str
    copies: int
    width: int
    depth: int
    kind: str

    @property
    def bits(self) -> int:
        """Bits of all copies."""
        return self.copies * self.width * self.depth

    def block_rams(self, family: str = "ecp5") -> int:
        """Block RAMs of all copies; the family ``generic`` names no device and has none."""
        if self.kind == "logic":
            return 0
        return self.copies * block_ram_count(self.width, self.depth, family, self.kind)


def memories(plan: "EnginePlan") -> list[Memory]:
    """The memories of `plan`, in the order in which data pass them."""
    config = plan.config
    weights, tables = weight_rom(config), table_rom(config)
    kinds = {"block": "rom", "logic": "logic"} if config.loading is None else {"block": "ram", "logic": "ram"}
    return [
        Memory(
            name="activations",
            holds=f"{_held(config)}, one copy a read port",
            copies=config.ports,
            width=8 * config.word_bytes,
            depth=max(2, config.activation_depth),
            kind="ram",
        ),
        Memory(
            name="weights",
            holds=f"weights of {config.cluster} columns each, one word a cycle",
            copies=config.clusters,
            width=weights[0],
            depth=weights[1],
            kind=kinds[weights[2]],
        ),
        Memory(
            name="tables",
            holds="requantisation of each channel",
            copies=config.requantisers,
            width=tables[0],
            depth=tables[1],
            kind=kinds[tables[2]],
        ),
        Memory(
            name="outputs",
            holds=f"{config.units} pixel tiles of results, put in order",
            copies=1,
            width=8 * config.result_bytes,
            depth=max(2, config.units * config.unit_words),
            kind="ram",
        ),
    ]


def _held(config: "EngineConfig") -> str:
    """What the activation memory holds."""
    if config.ring:
        return f"ring of {config.ring_rows} rows x {config.passes[0].row_words} words"
    return f"the frames of {len(config.passes)} layers, two at a time"
