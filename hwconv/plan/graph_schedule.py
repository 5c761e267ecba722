"""When every beat of a graph moves: the streams between guard, forks, queues, engines, additions, concatenations.

The whole graph is one system of ``max`` and ``+`` like each of its engines (:mod:`~hwconv.plan.schedule`): a beat moves
when it is there and there is room for it. Which events happen in such a system does not depend on when: if all times
are finite for one behaviour of source and sink, they are for any. So queues with which the frames of
:func:`schedule` leave can never deadlock, and queues with which they leave as early as with unbounded ones never stall
the graph at full rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .add import AddConfig
from .config import EngineConfig
from .frame import GUARD_LATENCY
from .loop_config import LoopConfig
from .residual_config import ResidualConfig
from .schedule import SKID, Times, spaced
from .schedules import schedule_of
from .upscale import UpscaleConfig

FRAMES = 4
"""Frames over which queues are chosen, and the interval is predicted: the first fill the pipeline."""
UNBOUNDED = 1 << 40
"""The depth of a queue that never fills."""
ENTRY_LATENCY = GUARD_LATENCY + 1
"""First input handshake to the beat behind the guard's queue."""
EXIT_LATENCY = 1
"""The last node's output handshake to the graph's."""
GUARD_ROOM = 10
"""Beats in the guard's queue when it stops the source, at least."""
GUARD_NOTICE = 4
"""A beat taken from it to the next one from the source, at most."""
MOST_ROUNDS = 4000

Edge = tuple[str, int]
"""Who reads, and by which of its inputs."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A node as streams see it: an engine, an addition, or a concatenation of `parts` beats of each input a pixel.
    A block that enlarges frames is an engine.

    `inputs` are names of tensors; its own result has the stage's name.
    """

    name: str
    inputs: tuple[str, ...]
    engine: EngineConfig | UpscaleConfig | LoopConfig | ResidualConfig | None = None
    add: AddConfig | None = None
    parts: tuple[int, ...] = ()
    pixels: int = 0


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """What was found.

    Members:
        leaves: the last output handshake of each frame, from the first input handshake on.
        rounds: until nothing changed.
    """

    leaves: tuple[int, ...]
    rounds: int

    @property
    def latency(self) -> int:
        """Of the first frame, the pipeline being empty."""
        return self.leaves[0]

    @property
    def interval(self) -> int:
        """From the last frame but one to the last."""
        return self.leaves[-1] - self.leaves[-2]


class Deadlock(Exception):
    """Some beat never moves."""


class TooSlow(Exception):
    """The frames leave later than asked for."""


class Streams:
    """A graph's stages in their order, and the beats of a frame that comes in.

    Parameters
    ----------
    source : str
        The name of the tensor that comes in, and `beats`, those of a frame.
    stages : tuple of Stage
        In an order in which each reads what comes before it; the last one gives the output.
    """

    def __init__(self, source: str, beats: int, stages: tuple[Stage, ...]) -> None:
        self.source, self.beats, self.stages = source, beats, stages
        self._alone: dict[str, int] = {}
        self.readers: dict[str, list[Edge]] = {source: [], **{stage.name: [] for stage in stages}}
        for stage in stages:
            for index, name in enumerate(stage.inputs):
                self.readers[name].append((stage.name, index))

    @property
    def edges(self) -> list[Edge]:
        return [edge for edges in self.readers.values() for edge in edges]

    def forked(self, edge: Edge) -> bool:
        """Whether the tensor that is read has other readers: its beats then wait in a queue for each."""
        return any(edge in edges and self.parts(name) for name, edges in self.readers.items())

    def parts(self, name: str) -> bool:
        """Whether a tensor has several readers."""
        return len(self.readers[name]) > 1

    def alone(self, stage: Stage) -> int:
        """Cycles of a frame through an engine that never waits."""
        assert stage.engine is not None
        if stage.name not in self._alone:
            schedule = schedule_of(stage.engine, 1)
            schedule.take(np.arange(schedule.input_beats, dtype=np.int64))
            self._alone[stage.name] = int(schedule.ready[-1])
        return self._alone[stage.name]

    def schedule(self, depths: Mapping[Edge, int], frames: int = FRAMES, *, target: Schedule | None = None) -> Schedule:
        """Finds when frames leave that come back to back, the sink never waiting.

        Parameters
        ----------
        depths :
            Beats that the queue of each edge holds; 0: there is none.
        target :
            A schedule than which no frame may be later.

        Raises
        ------
        Deadlock
            Not all of them ever leave.
        TooSlow
            They leave later than `target` says.
        """
        run = _Run(self, depths, frames)
        before: list[Times] = []
        for rounds in range(1, MOST_ROUNDS):
            now = run.round()
            last = run.leaves
            if last[-1] > run.horizon:
                raise Deadlock
            if target is not None and np.any(last > np.array(target.leaves)):
                raise TooSlow
            if _alike(before, now):
                return Schedule(leaves=tuple(last.tolist()), rounds=rounds)
            before = now
        raise Deadlock


class _Engine:
    """An engine's schedule. A round in which nothing changes that it depends on leaves it as it is."""

    def __init__(self, config: EngineConfig | UpscaleConfig | LoopConfig | ResidualConfig, frames: int) -> None:
        self._schedule = schedule_of(config, frames)
        self._offered: Times = np.zeros(0, np.int64)
        self._left: Times | None = None
        self._steady = False
        self.state: tuple[Times, ...] = ()

    def take(self, offered: Times) -> tuple[Times, Times]:
        """When the input beats are taken that are offered then, and when each output beat stands at the output."""
        schedule = self._schedule
        if not self._steady or not np.array_equal(offered, self._offered):
            schedule.take(offered)
            self._steady = _alike(self.state, schedule.state)
            self._offered, self.state = offered, schedule.state
        return schedule.taken, schedule.ready

    def give(self, left: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        if self._left is None or not np.array_equal(left, self._left):
            self._schedule.give(left)
            self._left, self._steady = left, False


def _alike(before: Sequence[Times], now: Sequence[Times]) -> bool:
    """Whether a round has found what the one before it did."""
    return len(before) == len(now) and all(
        one is other or np.array_equal(one, other) for one, other in zip(before, now, strict=True)
    )


class _Run:
    """The times of one set of queues, round after round."""

    def __init__(self, streams: Streams, depths: Mapping[Edge, int], frames: int) -> None:
        self.streams, self.depths, self.frames = streams, depths, frames
        self.engines = {
            stage.name: _Engine(stage.engine, frames) for stage in streams.stages if stage.engine is not None
        }
        self.sums: dict[str, Times] = {}
        """Of each addition, when its results left in the round before."""
        self.limits: dict[str, Times] = {}
        """Of each tensor, the cycles before which its beats find no room."""
        self._skids: dict[str | Edge, Times] = {}
        """When the beats left each register that cuts the paths at a fork, or before a node that waits for several
        tensors, in the round before."""
        self.left: Times = np.zeros(0, np.int64)
        work = streams.beats * frames
        for stage in streams.stages:
            if stage.add is not None:
                work += frames * (stage.add.frame_beats + stage.add.latency)
            elif stage.engine is None:
                work += frames * stage.pixels * sum(stage.parts)
            else:
                work += 2 * frames * streams.alone(stage)
        self.horizon = work + 1000 * len(streams.stages)
        """What happens at all happens before: no chain of causes is longer than all work, one after the other."""

    @property
    def leaves(self) -> Times:
        """The last output handshake of each frame."""
        beats = len(self.left) // self.frames
        return self.left[beats - 1 :: beats]

    def round(self) -> list[Times]:
        """Times of everything, from those of the round before where a later stage is waited for."""
        streams = self.streams
        self._now: dict[str | Edge, Times] = {}
        given = {streams.source: self._enter()}
        found: list[Times] = [given[streams.source]]
        limits: dict[str, list[Times]] = {name: [] for name in streams.readers}
        for stage in streams.stages:
            offered = []
            for index, name in enumerate(stage.inputs):
                queued = self.depths[stage.name, index] > 0
                offered.append(given[name] + 1 if queued else given[name])
            if stage.engine is None:
                entered = [self._into_skid((stage.name, index), each) for index, each in enumerate(offered)]
                offered = [each + 1 for each in entered]
            if stage.engine is not None:
                engine = self.engines[stage.name]
                one, ready = engine.take(offered[0])
                taken = [one]
                found += engine.state
            elif stage.add is not None:
                taken, ready = self._add(stage.name, stage.add, offered)
            else:
                taken, ready = self._concatenate(stage, offered)
            left, given[stage.name] = self._leave(stage.name, ready)
            if stage.engine is not None:
                self.engines[stage.name].give(left)
            else:
                self.sums[stage.name] = left
                self._now |= {(stage.name, index): each for index, each in enumerate(taken)}
                taken = entered
            found += [left, given[stage.name]]
            for index, name in enumerate(stage.inputs):
                limits[name].append(self._room(taken[index], self.depths[stage.name, index]))
        self.limits = {name: np.maximum.reduce(each) for name, each in limits.items() if each}
        self.left = given[streams.stages[-1].name] + EXIT_LATENCY
        self._skids = self._now
        return [*found, *self.limits.values(), *self._now.values()]

    def _leave(self, name: str, ready: Times) -> tuple[Times, Times]:
        """When a tensor's beats leave the node that gives them, and when they move to its readers: the same, but for a
        register before several of them.
        """
        if not self.streams.parts(name):
            moved = self._handshakes(name, ready)
            return moved, moved
        left = self._into_skid(name, ready)
        self._now[name] = self._handshakes(name, left + 1)
        return left, self._now[name]

    def _into_skid(self, place: str | Edge, offered: Times) -> Times:
        """When beats enter a register that two of them fit in."""
        earliest = offered.copy()
        if place in self._skids:
            earliest[SKID:] = np.maximum(earliest[SKID:], self._skids[place][:-SKID] + 1)
        return spaced(earliest)

    def _handshakes(self, name: str, ready: Times) -> Times:
        """Of a tensor's beats, given when each stands at its output."""
        limit = self.limits.get(name)
        # A queue of one beat is empty every other cycle.
        steps = 2 if any(self.depths[edge] == 1 for edge in self.streams.readers[name]) else 1
        return spaced(ready if limit is None else np.maximum(ready, limit), steps)

    def _enter(self) -> Times:
        """The beats that come in: one a cycle at most, while the guard's queue has room."""
        source = self.streams.source
        count = self.frames * self.streams.beats
        arrivals = np.arange(count, dtype=np.int64)
        if source in self.limits:
            left, _ = self._leave(source, arrivals + ENTRY_LATENCY)
            arrivals[GUARD_ROOM:] = np.maximum(arrivals[GUARD_ROOM:], left[:-GUARD_ROOM] + GUARD_NOTICE)
        return self._leave(source, spaced(arrivals) + ENTRY_LATENCY)[1]

    @staticmethod
    def _room(taken: Times, depth: int) -> Times:
        """When each beat finds room before a reader that takes them when it does."""
        if depth == 0:
            return taken
        room = np.zeros_like(taken)
        if depth < len(taken):
            room[depth:] = taken[:-depth] + 1
        return room

    def _add(self, name: str, config: AddConfig, offered: list[Times]) -> tuple[list[Times], Times]:
        """Pairs of beats: when they are taken, and when each result stands at the output."""
        together = np.maximum(*offered)
        depth = config.queue_depth
        if name in self.sums and depth < len(together):
            together[depth:] = np.maximum(together[depth:], self.sums[name][:-depth] + 1)
        taken = spaced(together)
        return [taken, taken], taken + config.latency

    def _concatenate(self, stage: Stage, offered: list[Times]) -> tuple[list[Times], Times]:
        """A register after a choice: its beats, and when those of each input are taken."""
        pixels = self.frames * stage.pixels
        parts = [each.reshape(pixels, count) for each, count in zip(offered, stage.parts, strict=True)]
        arriving = np.concatenate(parts, axis=1).reshape(-1)
        ready = arriving + 1
        given, _ = self._leave(stage.name, ready)
        taken = arriving.copy()
        taken[1:] = np.maximum(taken[1:], given[:-1])
        columns = np.split(taken.reshape(pixels, -1), np.cumsum(stage.parts)[:-1], axis=1)
        return [each.reshape(-1) for each in columns], ready
