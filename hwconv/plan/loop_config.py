"""The numbers of two engines that compute layers in turns."""

from dataclasses import dataclass, replace
from itertools import chain

from .config import EngineConfig, PassConfig
from .formats import OperandFormat


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Both engines: `entry` computes layers 0, 2, 4, .., `exit` layers 1, 3, 5, .. of as many."""

    entry: EngineConfig
    exit: EngineConfig

    @property
    def name(self) -> str:
        return self.entry.name.removesuffix("_entry")

    def named(self, name: str) -> "LoopConfig":
        """The same, with modules called after `name`."""
        entry = replace(self.entry, name=f"{name}_entry")
        return LoopConfig(entry=entry, exit=replace(self.exit, name=f"{name}_exit"))

    @property
    def passes(self) -> tuple[PassConfig, ...]:
        """The descriptors of all layers, in order."""
        return tuple(chain.from_iterable(zip(self.entry.passes, self.exit.passes, strict=True)))

    @property
    def input_beat_bytes(self) -> int:
        return self.entry.input_beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.exit.output_beat_bytes

    @property
    def operands(self) -> OperandFormat:
        """What both arrays multiply."""
        return self.exit.operands

    @property
    def word_bytes(self) -> int:
        """Of an activation word that comes in."""
        return self.entry.word_bytes

    @property
    def result_bytes(self) -> int:
        """Of a word of results that leave."""
        return self.exit.result_bytes

    @property
    def requantisers(self) -> int:
        """Of both engines."""
        return self.entry.requantisers + self.exit.requantisers

    @property
    def flush_cycles(self) -> int:
        """Cycles in which operands of before a reset run out of both arrays."""
        return max(self.entry.flush_cycles, self.exit.flush_cycles)
