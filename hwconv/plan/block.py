"""What is common to everything that becomes a top level with two streams: engines, dropout, statistics."""

from collections.abc import Sequence
from typing import Any, Protocol

from .rom import RomImage


class BlockCycles(Protocol):
    """The predicted cycles of one output frame."""

    @property
    def latency(self) -> int:
        """First input handshake to last output handshake, pipeline empty."""

    @property
    def interval(self) -> int:
        """Last output handshake of a frame to that of the next, frames back to back."""


class BlockPlan(Protocol):
    """What simulation, packages and synthesis ask of a plan."""

    @property
    def top_name(self) -> str:
        """The top module."""

    @property
    def input_beat_bytes(self) -> int: ...

    @property
    def output_beat_bytes(self) -> int: ...

    @property
    def input_user_bits(self) -> int:
        """Bits of ``s_axis_tuser``; 0 where there is none."""

    @property
    def passes(self) -> int:
        """Input frames of one output frame."""

    @property
    def roms(self) -> Sequence[RomImage]: ...

    @property
    def cycles(self) -> BlockCycles: ...

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has."""
