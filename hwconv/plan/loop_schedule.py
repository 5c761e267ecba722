"""When two engines that compute layers in turns take and give each beat.

Each is a machine like that of :mod:`~hwconv.plan.program_schedule`; their layers are gone through in the order in which
a frame passes them, and what one gives the other is offered. What waits for a later event, a beat for room at the
receiver that is still at the layer before, is taken from the round before.
"""

from dataclasses import dataclass, field

import numpy as np

from .config import EngineConfig
from .cycles import Cycles, tile_durations
from .loop_config import LoopConfig
from .program_schedule import FRAMES, Machine
from .schedule import SKID, Times, leaves_alone, spaced


class _Link:
    """A stream from one of the engines to the other: beats of all layers and frames, one after the other."""

    def __init__(self) -> None:
        self._limit: Times = np.zeros(0, np.int64)
        self._given: list[Times] = []
        self._ended: list[Times] = []
        self._count = 0

    def begin(self) -> None:
        """Of a round; what was found in the one before limits this one."""
        self._given, self._ended, self._count = [], [], 0

    def give(self, ready: Times) -> Times:
        """When the beats of a layer move that stand at the sender's output."""
        limit = self._limit[self._count : self._count + len(ready)]
        self._count += len(ready)
        given = spaced(np.maximum(ready, limit) if len(limit) else ready)
        self._given.append(given)
        return given

    def take(self, ended: Times) -> None:
        """Takes in when the receiver took the last of each of these beats."""
        self._ended.append(ended)

    def end(self) -> Times:
        """Of a round: when each beat finds room, with those that stand in the receiver's input register."""
        taken = np.concatenate(self._given)
        ended = np.concatenate(self._ended)
        taken[SKID:] = np.maximum(taken[SKID:], ended[:-SKID] + 1)
        self._limit = taken
        return taken


@dataclass
class LoopSchedule:
    """The beats of some frames through two engines; members as of an :class:`~hwconv.plan.schedule.EngineSchedule`."""

    config: LoopConfig
    frames: int
    taken: Times = field(init=False)
    ended: Times = field(init=False)
    ready: Times = field(init=False)

    def __post_init__(self) -> None:
        self._entry = Machine(self.config.entry, self.frames, waits_for_frame=False)
        self._exit = Machine(self.config.exit, self.frames, waits_for_frame=False)
        self._there, self._back = _Link(), _Link()
        self._given: Times | None = None
        self.input_beats = self._entry.layers[0].input_beats
        self.output_beats = self._exit.layers[-1].output_beats
        self._rooms: tuple[Times, ...] = ()

    @property
    def last_start(self) -> int:
        """Start of the last pixel tile of the first frame."""
        return self._exit.last_start

    def take(self, offered: Times) -> None:
        """Takes in the cycles in which the input beats stand at the input, and finds when all else happens."""
        entry, exit_, turns = self._entry, self._exit, len(self.config.entry.passes)
        ended: list[Times] = []
        ready: list[Times] = []
        for each in (entry, exit_, self._there, self._back):
            each.begin()
        for frame in range(self.frames):
            coming = offered[frame * self.input_beats : (frame + 1) * self.input_beats]
            for turn in range(turns):
                results = entry.run(turn, coming)
                (self._back.take if turn else ended.append)(entry.ended)
                there = self._there.give(results)
                entry.leave(there)
                results = exit_.run(turn, there)
                self._there.take(exit_.ended)
                if turn + 1 < turns:
                    coming = self._back.give(results)
                else:
                    ready.append(results)
                    coming = results
                    if self._given is not None:
                        coming = self._given[frame * self.output_beats : (frame + 1) * self.output_beats]
                exit_.leave(coming)
            entry.end_of_frame()
            exit_.end_of_frame()
        entry.end()
        exit_.end()
        self._rooms = (self._there.end(), self._back.end())
        self.ended, self.ready = np.concatenate(ended), np.concatenate(ready)
        self.taken = offered.copy()
        self.taken[SKID:] = np.maximum(self.taken[SKID:], self.ended[:-SKID] + 1)

    def give(self, handshakes: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        self._given = handshakes

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        return self.ended, *self._entry.state, *self._exit.state, *self._rooms


def predict_loop(config: LoopConfig) -> Cycles:
    """Latency and interval of two engines in turns; `compute` is that of the busier array."""
    schedule = LoopSchedule(config, FRAMES)
    leaves = leaves_alone(schedule, FRAMES)
    compute = max(_compute(config.entry), _compute(config.exit))
    return Cycles(
        latency=int(leaves[0]),
        interval=int(leaves[-1] - leaves[-2]),
        compute=compute,
        input=schedule.input_beats,
        last_start=schedule.last_start,
        waited=max(0, schedule.last_start - compute),
        tail=int(leaves[0]) - schedule.last_start,
    )


def _compute(config: EngineConfig) -> int:
    """Cycles of an array for one frame."""
    return sum(int(tile_durations(config, item).sum()) for item in config.passes)
