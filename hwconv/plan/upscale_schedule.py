"""When a block that enlarges frames takes and gives each beat: as :mod:`~hwconv.plan.schedule` has it of engines."""

from dataclasses import dataclass, field

import numpy as np

from .schedule import Times, spaced
from .upscale import APPEAR, RELEASE, UpscaleConfig


@dataclass
class UpscaleSchedule:
    """The beats of some frames through a block.

    A pixel is taken when the memory has a place for it, which the last read of an earlier one leaves, and read when all
    of it is there. A read begins when the output's queue has a place for what it brings.

    Parameters
    ----------
    config : UpscaleConfig
    frames : int
        How many frames come.

    Members
    -------
    taken : of each input beat, the cycle in which its handshake takes place
    ready : of each output beat, the first cycle in which it stands at the output
    """

    config: UpscaleConfig
    frames: int
    taken: Times = field(init=False)
    ready: Times = field(init=False)

    def __post_init__(self) -> None:
        config = self.config
        self.input_beats, self.output_beats = config.input_beats, config.output_beats
        self._pixel_starts = np.arange(self.frames * config.rows * config.width, dtype=np.int64) * config.pixel_beats
        row, column = np.divmod(np.arange(len(self._pixel_starts), dtype=np.int64), config.width)
        line = config.width * config.pixel_reads
        self._first_reads = row * config.phases * line + column * config.pixel_reads
        self._last_reads = self._first_reads + (config.phases - 1) * line + config.pixel_reads - 1
        self._read: Times | None = None
        self._handshakes: Times | None = None

    def take(self, offered: Times) -> None:
        """Takes in the cycles in which the input beats stand at the input, and finds when all else happens.

        Afterwards `taken` and `ready` hold.
        """
        config, slots = self.config, self.config.slots
        earliest = offered.copy()
        if self._read is not None and slots < len(self._pixel_starts):
            later = self._pixel_starts[slots:]
            earliest[later] = np.maximum(earliest[later], self._read[self._last_reads[:-slots]] + RELEASE)
        self.taken = spaced(earliest)
        allowed = np.zeros(self.frames * self.output_beats, np.int64)
        allowed[self._first_reads] = self.taken[self._pixel_starts + config.pixel_beats - 1] + APPEAR
        if self._handshakes is not None and config.queue_depth < len(allowed):
            behind = self._handshakes[: -config.queue_depth] + 1
            allowed[config.queue_depth :] = np.maximum(allowed[config.queue_depth :], behind)
        self._read = spaced(allowed)
        self.ready = self._read + config.latency

    def give(self, handshakes: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        self._handshakes = handshakes

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        assert self._read is not None
        return self.taken, self._read
