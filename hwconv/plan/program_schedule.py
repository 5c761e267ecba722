"""When a program takes each beat and gives each beat: as :mod:`~hwconv.plan.schedule`, layer after layer.

Receiver, sequencer and sender each go through the layers in the same order. What a layer gives comes back in as if it
came from outside; nothing on the way back ever waits, since results enter at least as fast as they come. The first
layer waits for its whole frame, whose results could not come back before. So a frame's times follow from those of the
layer before, and from the frame before; rounds are needed for the output buffer and for what waits behind the output.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from .config import EngineConfig
from .cycles import CREDIT, PERMIT, RECEIVE, SEND, Cycles, tile_durations
from .schedule import NEVER, SKID, EngineSchedule, Times, leaves_alone, room_behind, spaced
from .settling import settling_cycles

RECEIVER_CHANGE = 2
"""Last unit of a layer's frame to the first one of the next layer's."""
SENDER_CHANGE = 3
"""Last word of a layer read from the output buffer to the first one of the next layer's."""
SEQUENCER_CHANGE = 1
"""End of a layer's last tile to the first cycle in which all blocks settle."""
FRAMES = 4
"""Frames over which the interval is found: the first ones fill the pipeline."""


class _Layer(EngineSchedule):
    """One frame of one layer: what happens when, after what came before."""

    def __init__(self, config: EngineConfig, index: int, *, waits: bool) -> None:
        super().__init__(replace(config, passes=(config.passes[index],)), 1)
        self.rereads = index > 0 and config.passes[index - 1].stays
        if waits:
            self._needed = np.full_like(self._needed, config.passes[0].height)

    @property
    def tiles(self) -> int:
        return len(self._durations)

    def receive(self, offered: Times, not_before: int) -> Times:
        """When each unit is taken; `ended` holds afterwards."""
        earliest = offered[self._beat_of_unit] + 1
        earliest[0] = max(earliest[0], not_before)
        units = spaced(earliest)
        self.ended = units[self._beat_ends]
        return units

    def start(self, units: Times, not_before: int, units_free: Times) -> Times:
        """When each tile starts; `units_free`: when its unit of the output buffer was sent."""
        allowed = units[self._last_units] + (RECEIVE + PERMIT)
        allowed[0] = max(allowed[0], not_before)
        self._starts = spaced(np.maximum(allowed, units_free + CREDIT), self._durations)
        return self._starts

    @property
    def through(self) -> int:
        """The cycle in which the last tile ends."""
        return int(self._starts[-1] + self._durations[-1])

    def send(self, not_before: int, room: Times) -> Times:
        """When each result word is read; `room`: when there was room for it behind."""
        ready = np.maximum(self._starts[self._tile_of_word] + self._offset, room)
        ready[0] = max(ready[0], not_before)
        self._sent = spaced(ready)
        return self._sent

    @property
    def words(self) -> int:
        return len(self._offset)

    @property
    def beats_sent(self) -> Times:
        """When the last word of each beat was read."""
        assert self._sent is not None
        ends: Times = self._sent[self._word_ends]
        return ends

    @property
    def units_sent(self) -> Times:
        """When the last word of each tile was read."""
        assert self._sent is not None
        ends: Times = self._sent[self._tile_ends]
        return ends

    @property
    def beats_ready(self) -> Times:
        """When each beat stands at the output, what is before it having left."""
        assert self._sent is not None
        ready: Times = self._sent[self._word_ends] + SEND
        return ready


class Machine:
    """One engine of a program while its layers' frames go through, in their order; a round goes through all of them.

    Parameters
    ----------
    waits_for_frame : bool
        The first layer waits for its whole frame: results could not come back before.
    """

    def __init__(self, config: EngineConfig, frames: int, *, waits_for_frame: bool) -> None:
        self.config = config
        self.layers = [
            _Layer(config, index, waits=waits_for_frame and index == 0) for index in range(len(config.passes))
        ]
        self.ended: Times = np.zeros(0, np.int64)
        """Of each beat of the frame that was read last, when the receiver took the last of it."""
        self._units: Times = np.zeros(0, np.int64)
        """When the units of that frame were taken."""
        self.last_start = 0
        self._settling = SEQUENCER_CHANGE + settling_cycles(config)
        self._tile_sent = np.full(frames * sum(layer.tiles for layer in self.layers), -NEVER)
        self._left = np.full(frames * sum(layer.output_beats for layer in self.layers), -NEVER)
        self._words = np.full(frames * sum(layer.words for layer in self.layers), -NEVER)
        self._ends = self._left.copy()
        self._starts: Times = np.zeros(0, np.int64)

    def begin(self) -> None:
        """Of a round; what is waited for behind is known from the one before."""
        self._room = room_behind(self._words, self._ends, self._left)
        self._received = self._was_sent = -NEVER
        self._through = self._leaving = -int(NEVER)
        self._tile = self._word = self._frames = 0
        self._now: list[tuple[Times, Times, Times, Times]] = []
        self._leaves: list[Times] = []

    def run(self, index: int, coming: Times) -> Times:
        """A layer's frame whose beats are offered then: when each beat of its results stands at the output.

        Of a layer that reads the frame of the one before, no beats are offered.
        """
        layer = self.layers[index]
        if not layer.rereads:
            self._units = layer.receive(coming, int(self._received) + RECEIVER_CHANGE)
            self.ended, self._received = layer.ended, self._units[-1]
        units = self._units
        free = self._behind(self._tile_sent, self._tile, layer.tiles, self.config.units)
        starts = layer.start(units, self._through + self._settling, free)
        self._through = layer.through
        words = layer.send(int(self._was_sent) + SENDER_CHANGE, self._room[self._word : self._word + layer.words])
        self._was_sent = words[-1]
        self._now.append((starts, words, layer.beats_sent, layer.units_sent))
        self._tile += layer.tiles
        self._word += layer.words
        ready = layer.beats_ready
        ready[0] = max(ready[0], self._leaving + 1)
        return spaced(ready)

    def leave(self, given: Times) -> None:
        """Takes in when these beats have left."""
        self._leaves.append(given)
        self._leaving = int(given[-1])

    def end_of_frame(self) -> None:
        """The last layer has run."""
        if self._frames == 0:
            self.last_start = int(self._now[-1][0][-1])
        self._frames += 1

    def end(self) -> None:
        """Of the round."""
        starts, words, ends, tiles = zip(*self._now, strict=True)
        self._starts, self._words = np.concatenate(starts), np.concatenate(words)
        self._ends, self._tile_sent = np.concatenate(ends), np.concatenate(tiles)
        self._left = np.concatenate(self._leaves)

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        return self._starts, self._words, self._left

    @staticmethod
    def _behind(times: Times, first: int, count: int, distance: int) -> Times:
        """Of `count` events from `first` on, the times of those so far before them, by the round before."""
        before = np.arange(first, first + count, dtype=np.int64) - distance
        found: Times = np.where(before >= 0, times[np.maximum(before, 0)], -NEVER)
        return found


@dataclass
class ProgramSchedule:
    """The beats of some frames through an engine that runs several layers; members as of an :class:`EngineSchedule`."""

    config: EngineConfig
    frames: int
    taken: Times = field(init=False)
    ended: Times = field(init=False)
    ready: Times = field(init=False)

    def __post_init__(self) -> None:
        self._machine = Machine(self.config, self.frames, waits_for_frame=True)
        self._given: Times | None = None
        layers = self._machine.layers
        self.input_beats, self.output_beats = layers[0].input_beats, layers[-1].output_beats

    @property
    def last_start(self) -> int:
        """Start of the last pixel tile of the first frame."""
        return self._machine.last_start

    def take(self, offered: Times) -> None:
        """Takes in the cycles in which the input beats stand at the input, and finds when all else happens."""
        machine, last = self._machine, len(self._machine.layers) - 1
        ended, ready = [], []
        machine.begin()
        for frame in range(self.frames):
            coming = offered[frame * self.input_beats : (frame + 1) * self.input_beats]
            for index in range(last + 1):
                coming = machine.run(index, coming)
                if index == 0:
                    ended.append(machine.ended)
                if index == last:
                    ready.append(coming)
                    if self._given is not None:
                        coming = self._given[frame * self.output_beats : (frame + 1) * self.output_beats]
                machine.leave(coming)
            machine.end_of_frame()
        machine.end()
        self.ended, self.ready = np.concatenate(ended), np.concatenate(ready)
        self.taken = offered.copy()
        self.taken[SKID:] = np.maximum(self.taken[SKID:], self.ended[:-SKID] + 1)

    def give(self, handshakes: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        self._given = handshakes

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        return self.ended, *self._machine.state


def predict_program(config: EngineConfig) -> Cycles:
    """Latency and interval of an engine that runs several layers, by itself, both sides never stalling."""
    schedule = ProgramSchedule(config, FRAMES)
    leaves = leaves_alone(schedule, FRAMES)
    compute = sum(int(tile_durations(config, item).sum()) for item in config.passes)
    last = int(tile_durations(config, config.passes[-1])[-1])
    return Cycles(
        latency=int(leaves[0]),
        interval=int(leaves[-1] - leaves[-2]),
        compute=compute,
        input=config.passes[0].height * config.passes[0].row_words * config.word_bytes // config.input_beat_bytes,
        last_start=schedule.last_start,
        waited=schedule.last_start - (compute - last),
        tail=int(leaves[0]) - schedule.last_start,
    )
