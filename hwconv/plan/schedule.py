"""When an engine takes each beat and gives each beat, whatever comes when: recurrences over whole arrays of times.

An engine is a machine whose events wait for each other and for nothing else: each happens at the latest of some earlier
events, plus a constant. (Its constants are those of :mod:`~hwconv.plan.cycles`.) So the times of all beats are the
smallest solution of a system of ``max`` and ``+``. What comes before in the same array is a running maximum; what comes
from later stages (rows released, results sent, room behind the output) is taken from the last round, beginning with
nothing to wait for: rounds are repeated until nothing changes. No cycle is stepped through.
"""

from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, gcd
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig
from .cycles import (
    COLLECT,
    CREDIT,
    OPERANDS,
    PERMIT,
    RECEIVE,
    RELEASE,
    SEND,
    first_input_row,
    row_units,
    rows_needed,
    tile_durations,
)

Times = NDArray[np.int64]
"""Cycles, in ascending order: one for each event of a kind."""

SKID = 2
"""Beats that stand in an engine's input register when it takes none."""
QUEUED = 12
"""Beats in an engine's output queue with which it stops reading results; what is on its way then still finds room."""
PUSH = 3
"""A result read to its beat in the queue."""
NOTICE = 2
"""The output's register emptied, into which the queue's next beat goes, to the next result read."""
NEVER = np.int64(1) << 60
MOST_ROUNDS = 4000


def spaced(earliest: Times, steps: Times | int = 1) -> Times:
    """The times of events that follow each other at a distance, each no sooner than it may.

    Parameters
    ----------
    steps : array or int
        Cycles from each event to the next one.
    """
    index = np.arange(len(earliest), dtype=np.int64) * steps if isinstance(steps, int) else np.cumsum(steps) - steps
    times: Times = earliest - index
    np.maximum.accumulate(times, out=times)
    times += index
    return times


def room_behind(sent: Times, ends: Times, handshakes: Times) -> Times:
    """When there was room behind an engine for each result, by the times of the round before.

    Those beats count that had come into the queue when the result was read: of results that come fast, more are on
    their way when the queue is found full. A later time finds more beats there, never fewer, so that rounds lead to the
    first time with room.

    Parameters
    ----------
    sent : when each result was read, and `ends`, those that end a beat
    handshakes : when each beat left
    """
    first_behind = sent.searchsorted(ends + (PUSH + 1), side="right")  # of each beat, the first result that finds it
    pushed = np.bincount(first_behind, minlength=len(sent) + 1)[:-1].cumsum()
    before = pushed - QUEUED - 1  # one more is in the output's register
    room: Times = np.where(before >= 0, handshakes[np.maximum(before, 0)] + NOTICE, -NEVER)
    return room


@dataclass
class EngineSchedule:
    """The beats of some frames through one engine.

    Parameters
    ----------
    config : EngineConfig
        Of an engine that runs one layer, without rows kept from frame to frame.
    frames : int
        How many frames come.

    Members
    -------
    taken : of each input beat, the cycle in which its handshake takes place
    ended : of each input beat, the cycle in which the receiver takes the last of it
    ready : of each output beat, the first cycle in which it stands at the output
    """

    permit: ClassVar[int] = PERMIT
    """Cycles from when all that a tile reads is there until it may begin."""

    config: EngineConfig
    frames: int
    taken: Times = field(init=False)
    ended: Times = field(init=False)
    ready: Times = field(init=False)

    def __post_init__(self) -> None:
        self._lay_out_input()
        self._lay_out_tiles()
        self._lay_out_words()
        self._starts = np.zeros(len(self._durations), np.int64)
        self._sent: Times | None = None
        self._handshakes: Times | None = None

    def _lay_out_tiles(self) -> None:
        """Of each tile: its cycles, the rows that it needs, and those that it releases."""
        config = self.config
        item = config.passes[0]
        tiles = item.strips * item.strip_tiles(config.pixels)
        self._durations = np.tile(tile_durations(config, item), self.frames)
        base = np.repeat(np.arange(self.frames, dtype=np.int64) * item.height, tiles)
        self._needed = base + np.tile(rows_needed(config, item), self.frames)
        following = np.arange(1, tiles + 1, dtype=np.int64)
        first_row = np.clip(first_input_row(item, following * config.pixels // item.out_width), 0, item.height)
        first_row[-1] = item.height
        self._released = base + np.tile(first_row, self.frames)

    def _lay_out_input(self) -> None:
        config = self.config
        item = config.passes[0]
        unit = gcd(config.input_beat_bytes, config.word_bytes)
        per_beat, per_row = config.input_beat_bytes // unit, row_units(config, item)
        frame_units = item.height * per_row
        beats = ceil(frame_units / per_beat)
        index = np.arange(self.frames * frame_units, dtype=np.int64)
        frame, unit_of_frame = np.divmod(index, frame_units)
        self._beat_of_unit = frame * beats + unit_of_frame // per_beat
        self._row_starts = np.arange(self.frames * item.height, dtype=np.int64) * per_row
        self._row_ends = self._row_starts + per_row - 1
        beat_ends = np.minimum(np.arange(1, beats + 1, dtype=np.int64) * per_beat, frame_units) - 1
        self._beat_ends = (np.arange(self.frames, dtype=np.int64)[:, None] * frame_units + beat_ends).reshape(-1)
        self.input_beats = beats

    def _lay_out_words(self) -> None:
        """Of each result word: its tile, the cycles from the tile's start until it may be read, and its beat."""
        config = self.config
        item = config.passes[0]
        per_strip, offsets, words = item.strip_tiles(config.pixels), [], []
        pixels = np.arange(config.pixels, dtype=np.int64)
        for strip in range(item.strips):
            phase = strip % item.row_phases
            last = item.phases[phase][-1]
            last_step = (last.tap_blocks - 1) * item.block_steps + item.active_steps - 1
            last_word = item.group_out_words - (item.tiles - 1) * config.drain - 1
            last_fold = item.row_cycles(phase) - item.fold_cycles(last)
            first = OPERANDS + last_step + last_fold + config.drain_latency + last_word + COLLECT
            offsets.append(np.tile(first + pixels * config.drain, per_strip)[: item.strip_pixels])
            count = np.full(item.strip_pixels, item.out_pixel_words, np.int64)
            count[-1] = item.last_pixel_words
            words.append(count)
        counts = np.tile(np.concatenate(words), self.frames)
        self._offset = np.repeat(np.tile(np.concatenate(offsets), self.frames), counts)
        pixel = np.arange(item.strip_pixels, dtype=np.int64) // config.pixels
        tile = (np.arange(self.frames * item.strips, dtype=np.int64)[:, None] * per_strip + pixel).reshape(-1)
        self._tile_of_word = np.repeat(tile, counts)
        self._tile_ends = np.searchsorted(self._tile_of_word, np.arange(len(self._durations)), side="right") - 1
        self._lay_out_beats()

    def _lay_out_beats(self) -> None:
        """The beat of each result word."""
        config = self.config
        per_frame, per_beat = len(self._offset) // self.frames, config.output_beat_bytes // config.result_bytes
        beats = ceil(per_frame / per_beat)
        frame, word = np.divmod(np.arange(len(self._offset), dtype=np.int64), per_frame)
        self._beat_of_word = frame * beats + word // per_beat
        ends = np.minimum(np.arange(1, beats + 1, dtype=np.int64) * per_beat, per_frame) - 1
        self._word_ends = (np.arange(self.frames, dtype=np.int64)[:, None] * per_frame + ends).reshape(-1)
        self.output_beats = beats

    def take(self, offered: Times) -> None:
        """Takes in the cycles in which the input beats stand at the input, and finds when all else happens.

        Afterwards `taken`, `ended` and `ready` hold.
        """
        earliest = offered[self._beat_of_unit] + 1
        if self._sent is not None:  # rows are free when tiles that came before have read theirs
            earliest[self._row_starts] = np.maximum(earliest[self._row_starts], self._permitted())
        units = spaced(earliest)
        self.ended = units[self._beat_ends]
        self.taken = offered.copy()
        self.taken[SKID:] = np.maximum(self.taken[SKID:], self.ended[:-SKID] + 1)
        allowed = units[self._last_units] + (RECEIVE + self.permit)
        if self._sent is not None:
            self._await_units(allowed, self._sent)
        self._starts = spaced(allowed, self._durations)
        ready = self._starts[self._tile_of_word] + self._offset
        if self._handshakes is not None and self._sent is not None:
            ready = np.maximum(ready, room_behind(self._sent, self._sent[self._word_ends], self._handshakes))
        self._sent = spaced(ready)
        self.ready = self._sent[self._word_ends] + SEND

    @cached_property
    def _last_units(self) -> Times:
        """Of each tile, the last unit of the rows that it needs."""
        units: Times = self._row_ends[self._needed - 1]
        return units

    def _permitted(self) -> Times:
        """When each row may come, by what was found in the round before."""
        at_once, release = self._awaited
        permitted: Times = np.where(at_once, 1, np.append(self._released_at(), NEVER)[release])
        return permitted

    @cached_property
    def _awaited(self) -> tuple[NDArray[np.bool_], Times]:
        """Of each row, whether it has a place from the start, and else which release it waits for."""
        wanted = self._wanted()
        return wanted <= 0, self._released.searchsorted(wanted)

    def _wanted(self) -> Times:
        """Of each row, how many must have been released before it comes."""
        config = self.config
        return np.arange(len(self._row_starts), dtype=np.int64) - (config.ring_rows - config.row_margin) + 1

    def _released_at(self) -> Times:
        """When rows were released, each time that some are."""
        return self._starts + self._durations + RELEASE

    def _await_units(self, allowed: Times, sent: Times) -> None:
        """No tile starts before a unit of the output buffer is free."""
        units = self.config.units
        allowed[units:] = np.maximum(allowed[units:], sent[self._tile_ends[:-units]] + CREDIT)

    def give(self, handshakes: Times) -> None:
        """Takes in when the output beats have left, for the next round."""
        self._handshakes = handshakes

    @property
    def state(self) -> tuple[Times, ...]:
        """What the next round depends on, and all that has been found."""
        assert self._sent is not None
        return self.ended, self._starts, self._sent


class Scheduled(Protocol):
    """What has a schedule: see :class:`EngineSchedule`."""

    input_beats: int
    output_beats: int
    taken: Times
    ready: Times

    def take(self, offered: Times) -> None: ...
    def give(self, handshakes: Times) -> None: ...

    @property
    def state(self) -> tuple[Times, ...]: ...


def leaves_alone(schedule: Scheduled, frames: int) -> Times:
    """The last output handshake of each frame, frames coming back to back and leaving as soon as they can."""
    arrivals = np.arange(frames * schedule.input_beats, dtype=np.int64)
    offered = arrivals
    before: tuple[Times, ...] = ()
    for _ in range(MOST_ROUNDS):
        schedule.take(offered)
        schedule.give(schedule.ready)
        offered = spaced(np.maximum(arrivals, schedule.taken))
        now = (*schedule.state, offered)
        if before and all(np.array_equal(one, other) for one, other in zip(before, now, strict=True)):
            return schedule.ready[schedule.output_beats - 1 :: schedule.output_beats]
        before = now
    raise AssertionError("the schedule does not settle")
