"""What the plans of stream blocks share: the frames that come in, and the cycles in which they leave."""

from dataclasses import dataclass

from ..errors import SpecError

MAX_BEAT_BYTES = 128


@dataclass(frozen=True, kw_only=True)
class FrameConfig:
    """A stream of frames, as :class:`~hwconv.gateware.frame_guard.FrameGuard` takes it."""

    elements: int
    """Bytes of a frame."""
    beat_bytes: int
    zero_point: int
    """What completes a frame that ends early."""
    value_bytes: int = 1
    """Bytes of a value, of which a beat has a whole number."""
    parameter_bits: int = 0
    """Bits that come with a frame's first beat."""

    @property
    def beats(self) -> int:
        return -(-self.elements // self.beat_bytes)

    @property
    def last_bytes(self) -> int:
        """Bytes of a frame's last beat."""
        return self.elements - (self.beats - 1) * self.beat_bytes


@dataclass(frozen=True, kw_only=True)
class StreamCycles:
    """The predicted cycles of one output frame."""

    latency: int
    """First input handshake to last output handshake, pipeline empty."""
    interval: int
    """Last output handshake of a frame to that of the next, frames back to back."""


GUARD_LATENCY = 2
"""Cycles from an input handshake to the beat behind the guard: skid buffer, guard."""
SEND_LATENCY = 2
"""Cycles from a result to its output handshake: queue, skid buffer."""


def frame_config(name: str, elements: int, zero_point: int, beat_bytes: int | None, parameter_bits: int) -> FrameConfig:
    """The input stream of a block; raises :class:`SpecError` for a beat out of range."""
    chosen = min(4, elements) if beat_bytes is None else beat_bytes
    if not 1 <= chosen <= MAX_BEAT_BYTES:
        raise SpecError(name, "beat_bytes", chosen, f"from 1 to {MAX_BEAT_BYTES}")
    return FrameConfig(elements=elements, beat_bytes=chosen, zero_point=zero_point, parameter_bits=parameter_bits)
