"""The plan of a dropout block: its pipeline, and its latency and interval in closed form."""

from dataclasses import dataclass
from math import gcd
from typing import Any

from ..dropout import USER_BITS, DropoutSpec
from .engine_plan import module_name
from .frame import GUARD_LATENCY, SEND_LATENCY, FrameConfig, StreamCycles, frame_config
from .rom import RomImage

ROUNDS = 13
"""Of Threefry, a pipeline stage each."""
GENERATOR_LATENCY = ROUNDS + ROUNDS // 4
"""Cycles from a counter to its block: the key is added in a stage of its own."""
NUMBERS_LATENCY = 1 + GENERATOR_LATENCY + 1
"""Cycles from a beat to the numbers of its elements: a counter, the generator, the choice of each lane's part."""
SCALE_LATENCY = 9
"""Cycles from an element to its scaled value: zero point off, shift, product (4), rounding, clamp (2)."""
BLOCK_NUMBERS = 4
"""Elements that share a block of 64 bits."""
QUEUE_DEPTH = 32
"""Beats of the output queue, those that are still in the pipeline included: more than the pipeline holds, so that it
flows again at once after a pause."""


@dataclass(frozen=True, kw_only=True)
class DropoutConfig:
    """The numbers a dropout block is built from."""

    name: str
    frame: FrameConfig
    stream: int

    @property
    def phases(self) -> tuple[int, ...]:
        """Parts of a block that are used up when a beat begins, in ascending order."""
        return tuple(range(0, BLOCK_NUMBERS, gcd(self.frame.beat_bytes, BLOCK_NUMBERS)))

    @property
    def generators(self) -> int:
        """Blocks that the numbers of a beat lie in, at most."""
        return -(-(self.phases[-1] + self.frame.beat_bytes) // BLOCK_NUMBERS)

    @property
    def latency(self) -> int:
        """Cycles from a beat behind the guard to its result: numbers, comparison, choice."""
        return NUMBERS_LATENCY + 2


@dataclass(frozen=True, kw_only=True)
class DropoutPlan:
    """Everything that is decided about a dropout block. Make it with :func:`plan_dropout`."""

    spec: DropoutSpec
    config: DropoutConfig

    @property
    def top_name(self) -> str:
        return self.config.name

    @property
    def input_beat_bytes(self) -> int:
        return self.config.frame.beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.config.frame.beat_bytes

    @property
    def input_user_bits(self) -> int:
        return USER_BITS

    @property
    def passes(self) -> int:
        return 1

    @property
    def roms(self) -> list[RomImage]:
        return []

    @property
    def cycles(self) -> StreamCycles:
        """One beat a cycle, so the interval is the beats of a frame; the latency is that and the pipeline."""
        beats = self.config.frame.beats
        return StreamCycles(
            latency=beats - 1 + GUARD_LATENCY + self.config.latency + SEND_LATENCY,
            interval=beats,
        )

    def summary(self) -> dict[str, Any]:
        return {
            "block": self.spec.name,
            "kind": "dropout",
            "latency": self.cycles.latency,
            "interval": self.cycles.interval,
            "beat_bytes": self.input_beat_bytes,
            "beats": self.config.frame.beats,
            "generators": self.config.generators,
            "multipliers": self.config.frame.beat_bytes,
            "pipeline": self.config.latency,
        }


def plan_dropout(spec: DropoutSpec, beat_bytes: int | None = None) -> DropoutPlan:
    """Plans a dropout block.

    Parameters
    ----------
    beat_bytes : int, optional
        Bytes of a beat on both sides, from 1 to 128; by default 4, or the frame if it is smaller. The values that come
        out do not depend on it.

    Raises
    ------
    SpecError
        A beat out of range.
    """
    frame = frame_config(spec.name, spec.elements, spec.zero_point, beat_bytes, USER_BITS - 1)
    return DropoutPlan(spec=spec, config=DropoutConfig(name=module_name(spec.name), frame=frame, stream=spec.stream))
