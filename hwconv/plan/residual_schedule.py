"""When a residual program takes and gives each beat: as a program, with what stands on its way back.

Nothing on the way back waits for the engine, which takes results at least as fast as they come, and what is kept always
finds room; so a layer's frame is the results of the one before, some cycles later. Rounds are needed for the output
buffer and for what waits behind the output, as for any program.
"""

from dataclasses import dataclass, field

import numpy as np

from .cycles import Cycles, tile_durations
from .program_schedule import FRAMES, Machine
from .residual_config import ResidualConfig
from .schedule import NEVER, SKID, Times, leaves_alone, spaced


@dataclass
class ResidualSchedule:
    """The beats of some frames through a residual program; members as of an
    :class:`~hwconv.plan.schedule.EngineSchedule`.
    """

    config: ResidualConfig
    frames: int
    taken: Times = field(init=False)
    ended: Times = field(init=False)
    ready: Times = field(init=False)

    def __post_init__(self) -> None:
        self._machine = Machine(self.config.engine, self.frames, waits_for_frame=True)
        layers = self._machine.layers
        self.input_beats, self.output_beats = layers[0].input_beats, layers[-1].output_beats
        self._given: Times | None = None
        self._joined: Times = np.zeros(0, np.int64)

    @property
    def last_start(self) -> int:
        """Start of the last pixel tile of the first frame."""
        return self._machine.last_start

    def take(self, offered: Times) -> None:
        """Takes in the cycles in which the input beats stand at the input, and finds when all else happens."""
        machine, ways = self._machine, self.config.ways
        ended, ready = [], []
        self._now: list[Times] = []
        self._before: Times = np.full(SKID, -NEVER)
        machine.begin()
        for frame in range(self.frames):
            coming = offered[frame * self.input_beats : (frame + 1) * self.input_beats]
            kept: list[Times] = []
            for index, way in enumerate(ways):
                results = machine.run(index, coming)
                if index == 0:
                    ended.append(machine.ended)
                limit = self._room(frame) if index == len(ways) - 1 else None
                given, joined = self._through(results, kept.pop(0) if way.adds is not None else None, limit)
                machine.leave(given)
                if index == len(ways) - 1:
                    ready.append(joined + 1)
                coming = joined if way.returns else joined[:0]
                if way.keeps:
                    kept.append(joined + 1)
            machine.end_of_frame()
        machine.end()
        self._joined = np.concatenate(self._now)
        self.ended, self.ready = np.concatenate(ended), np.concatenate(ready)
        self.taken = offered.copy()
        self.taken[SKID:] = np.maximum(self.taken[SKID:], self.ended[:-SKID] + 1)

    def _through(self, results: Times, kept: Times | None, limit: Times | None) -> tuple[Times, Times]:
        """When results that stand at the engine's output leave it, and when they are where ways part.

        `kept`: when what is added to them is there. `limit`: before which there is no room behind. Where the sink
        stalls, pairs are taken as if the addition had no queue of its own, which is too late.
        """
        before = self._now[-1][-1] if self._now else -NEVER
        earliest = results + 1
        if limit is not None:
            earliest = np.maximum(earliest, limit - (0 if kept is None else self.config.addition.latency))
        if kept is None:
            earliest[0] = max(earliest[0], before + 1)
            taken = joined = spaced(earliest)
        else:
            taken = spaced(np.maximum(earliest, kept))
            joined = taken + self.config.addition.latency
        entered = np.concatenate((self._before, taken))[: len(taken)]
        self._before = taken[-SKID:] if len(taken) >= SKID else np.concatenate((self._before, taken))[-SKID:]
        self._now.append(joined)
        return np.maximum(results, entered + 1), joined

    def _room(self, frame: int) -> Times | None:
        """When each beat of a frame's last layer finds room at the output."""
        if self._given is None:
            return None
        beats = self.output_beats
        given = np.concatenate((np.full(SKID, -NEVER), self._given))
        room: Times = given[frame * beats : (frame + 1) * beats] + 1
        return room

    def give(self, handshakes: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        self._given = handshakes

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        return self.ended, *self._machine.state, self._joined


def predict_residual(config: ResidualConfig) -> Cycles:
    """Latency and interval of a residual program by itself, both sides never stalling."""
    schedule = ResidualSchedule(config, FRAMES)
    leaves = leaves_alone(schedule, FRAMES)
    compute = sum(int(tile_durations(config.engine, item).sum()) for item in config.passes)
    return Cycles(
        latency=int(leaves[0]),
        interval=int(leaves[-1] - leaves[-2]),
        compute=compute,
        input=schedule.input_beats,
        last_start=schedule.last_start,
        waited=max(0, schedule.last_start - compute),
        tail=int(leaves[0]) - schedule.last_start,
    )
