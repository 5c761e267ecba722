"""The numbers of an engine whose layers' results meet again: a program with additions on its way back."""

from dataclasses import dataclass, replace

from .add import AddConfig
from .config import EngineConfig, PassConfig
from .formats import OperandFormat


@dataclass(frozen=True, kw_only=True)
class Way:
    """What becomes of a layer's results; those of the last layer leave.

    Members:
        adds: the addition that they go through, with the oldest frame that is kept; none.
        keeps: they are kept, after what came before.
        returns: they come back as the next layer's frame.
    """

    adds: int | None = None
    keeps: bool = False
    returns: bool = False


@dataclass(frozen=True, kw_only=True)
class ResidualConfig:
    """An engine, the ways of its layers' results, the additions, and the beats that are kept at most."""

    engine: EngineConfig
    ways: tuple[Way, ...]
    addition: AddConfig
    kept_beats: int
    input_bytes: int
    """Bytes of a beat that comes in: the engine's, or a pixel, which is filled up with zeros to the engine's."""

    @property
    def name(self) -> str:
        return self.engine.name.removesuffix("_engine")

    def named(self, name: str) -> "ResidualConfig":
        """The same, with modules called after `name`."""
        engine = replace(self.engine, name=f"{name}_engine")
        return replace(self, engine=engine, addition=replace(self.addition, name=f"{name}_addition"))

    @property
    def passes(self) -> tuple[PassConfig, ...]:
        """The descriptors of all layers, in order."""
        return self.engine.passes

    @property
    def input_beat_bytes(self) -> int:
        return self.input_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.engine.output_beat_bytes

    @property
    def operands(self) -> OperandFormat:
        return self.engine.operands

    @property
    def word_bytes(self) -> int:
        """Bytes that come in for an activation word."""
        return min(self.input_bytes, self.engine.word_bytes)

    @property
    def result_bytes(self) -> int:
        """Of a word of results that leave."""
        return self.engine.result_bytes

    @property
    def requantisers(self) -> int:
        """Of the engine, and of the addition."""
        return self.engine.requantisers + self.addition.requantisers

    @property
    def flush_cycles(self) -> int:
        """Cycles in which operands of before a reset run out of the array."""
        return self.engine.flush_cycles
