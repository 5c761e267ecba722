"""Latency and interval of an engine in closed form: equal to the simulation, cycle for cycle.

Time 0 is the cycle of a frame's first input handshake, the pipeline being empty and both sides never stalling. With

    A(r) = r * row_units + 3                 rows 0 .. r-1 are written (the count is visible to the ledger)
    n(i)                                     rows that pixel tile i needs
    T(i)                                     cycles of pixel tile i: the same for all, but for a transposed layer's

tile `i` starts at ``max over j <= i of A(n(j)) + 1 + T(j) + .. + T(i - 1)``: the array waits for rows, then never again
for anything else. The plan makes the ring of rows and the output buffer as large as it takes for that to be true
(:func:`ring_rows_needed`, :func:`units_needed`), so latency is the start of the last tile and a constant, and the
interval is the larger of the array's cycles and the input's.
"""

from dataclasses import dataclass
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from .config import EngineConfig, PassConfig

RECEIVE = 3
"""First unit of a row in the input register to the row's count, less the units themselves."""
PERMIT = 1
"""A row's count to the start of a tile that waited for it."""
OPERANDS = 8
"""Start of a tile to the array's operands of its first step."""
SEND = 5
"""First word read from the output buffer to the handshake of its beat."""
COLLECT = 1
"""A complete pixel to the first word read."""
RELEASE = 9
"""End of a tile to the receiver's permission to overwrite its rows."""
CREDIT = 3
"""A unit sent to the start of a tile that waited for it."""
FRAMES_CHECKED = 4
"""Frames over which the ring's size is checked: the pattern repeats from the second one on."""


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """The predicted cycles of one frame, and where they go."""

    latency: int
    """First input handshake to last output handshake, pipeline empty."""
    interval: int
    """Last output handshake of a frame to that of the next, frames back to back."""
    compute: int
    """Cycles of the array for one frame: pixel tiles x folds x fold cycles."""
    input: int
    """Cycles of the input stream for one frame."""
    last_start: int
    """Start of the frame's last pixel tile."""
    waited: int
    """Cycles before that start in which the array had nothing to do (rows still coming)."""
    tail: int
    """Start of the last pixel tile to the last output handshake."""


def predict(config: EngineConfig) -> Cycles:
    """Latency and interval of an engine that runs one layer.

    Raises
    ------
    ValueError
        The engine runs several layers: see :func:`~hwconv.plan.program_schedule.predict_program`.
    """
    item = _only(config)
    starts = _starts(config, item, 1)
    last_start = int(starts[-1])
    last_phase = (item.strips - 1) % item.row_phases
    tail = _tail(config, item, last_phase, (item.strip_pixels - 1) % config.pixels + 1, item.last_pixel_words)
    durations = tile_durations(config, item)
    compute = int(durations.sum())
    input_cycles = item.height * row_units(config, item)
    return Cycles(
        latency=last_start + tail,
        interval=max(compute, input_cycles),
        compute=compute,
        input=input_cycles,
        last_start=last_start,
        waited=last_start - int(durations[:-1].sum()),
        tail=tail,
    )


def row_units(config: EngineConfig, item: PassConfig) -> int:
    """Cycles in which one input row arrives: its bytes in units that divide both beat and word."""
    return item.row_words * config.word_bytes // gcd(config.input_beat_bytes, config.word_bytes)


def rows_needed(config: EngineConfig, item: PassConfig) -> NDArray[np.int64]:
    """Rows of its frame that each pixel tile needs before it starts, ``(tiles,)``; the last one needs all."""
    last_pixel = np.minimum((np.arange(_tiles(config, item), dtype=np.int64) + 1) * config.pixels, item.out_pixels) - 1
    lowest = first_input_row(item, last_pixel // item.out_width) + item.reach[0] + 1
    needed: NDArray[np.int64] = np.clip(lowest, 1, item.height)
    needed[-1] = item.height
    return needed


def first_input_row(item: PassConfig, row: NDArray[np.int64]) -> NDArray[np.int64]:
    """The input row in which the window of each pixel row begins; above the frame where it is negative."""
    into = np.concatenate([[0], np.cumsum(item.row_advances)])
    turns, phase = np.divmod(row, item.row_phases)
    first: NDArray[np.int64] = turns * into[-1] + into[phase] - item.top
    return first


def tile_durations(config: EngineConfig, item: PassConfig) -> NDArray[np.int64]:
    """Cycles of every pixel tile of a frame, when nothing is waited for."""
    cycles = np.array([item.row_cycles(phase) for phase in range(item.row_phases)], dtype=np.int64)
    durations: NDArray[np.int64] = np.repeat(
        cycles[np.arange(item.strips) % item.row_phases], item.strip_tiles(config.pixels)
    )
    return durations


def _tiles(config: EngineConfig, item: PassConfig) -> int:
    return item.strips * item.strip_tiles(config.pixels)


def ring_rows_needed(config: EngineConfig) -> int:
    """The smallest ring of rows in which the receiver never delays the array.

    The receiver may write a row when enough earlier ones are released; the ring is large enough when every row is
    nevertheless complete before the first tile that needs it would start anyway. Nor is it smaller than what an address
    may run ahead of its row in the ring: it is wrapped once.
    """
    item = _only(config)
    low = max(1 + config.row_margin, rows_ahead(config, item))
    high = max(low, 4 * item.height + item.state_rows + 8 + config.row_margin)
    ring = _Ring(config, item)
    while low < high:
        middle = (low + high) // 2
        if ring.suffices(middle):
            high = middle
        else:
            low = middle + 1
    return low


def rows_ahead(config: EngineConfig, item: PassConfig) -> int:
    """Rows by which an address is ahead of a tile's first row, at most: down to its lowest tap inside the frame, and on
    to the first row of the next tile.

    Where frames are as tall as what a tile reads, the ring holds more than this anyway. A short frame with tall pads
    starts far above its first row; and a stride may be longer than the rows that are kept.
    """
    first_pixel = np.arange(_tiles(config, item), dtype=np.int64) * config.pixels
    last_pixel = np.minimum(first_pixel + config.pixels, item.out_pixels) - 1
    first = first_input_row(item, first_pixel // item.out_width)
    lowest = np.minimum(first_input_row(item, last_pixel // item.out_width) + item.reach[0], item.height - 1)
    return int(max((lowest - first).max(), np.diff(first).max(initial=0)))


def units_needed(config: EngineConfig) -> int:
    """The smallest output buffer, in pixel tiles, that never delays the array."""
    needed = [2]
    for item in config.passes:
        phases = range(item.row_phases)
        freed = max(_tail(config, item, phase, config.pixels, item.out_pixel_words) for phase in phases) - SEND + CREDIT
        needed.append(ceil(freed / min(item.row_cycles(phase) for phase in phases)))
    return max(needed)


def _only(config: EngineConfig) -> PassConfig:
    if len(config.passes) != 1:
        raise ValueError(f"Expected an engine with one layer, not {len(config.passes)}")
    return config.passes[0]


def _starts(config: EngineConfig, item: PassConfig, frames: int) -> NDArray[np.int64]:
    """Start of every pixel tile of `frames` frames back to back."""
    needed = rows_needed(config, item)
    base = np.repeat(np.arange(frames, dtype=np.int64) * item.height, len(needed))
    rows = base + np.tile(needed, frames)
    durations = np.tile(tile_durations(config, item), frames)
    index = np.cumsum(durations) - durations
    allowed = rows * row_units(config, item) + RECEIVE + PERMIT
    starts: NDArray[np.int64] = np.maximum.accumulate(allowed - index) + index
    return starts


def _tail(config: EngineConfig, item: PassConfig, row_phase: int, live: int, last_words: int) -> int:
    """Start of a pixel tile to the last output handshake of its `live` pixels, the last one of so many words."""
    last = item.phases[row_phase][-1]
    last_step = (last.tap_blocks - 1) * item.block_steps + item.active_steps - 1
    last_word = item.group_out_words - (item.tiles - 1) * config.drain - 1
    last_fold = item.row_cycles(row_phase) - item.fold_cycles(last)
    first_pixel = OPERANDS + last_step + last_fold + config.drain_latency + last_word
    spread = (live - 1) * max(config.drain, item.out_pixel_words)
    return first_pixel + COLLECT + spread + last_words - 1 + SEND


class _Ring:
    """Rows of some frames: when tiles that never wait for more than rows need them, and when they release them."""

    def __init__(self, config: EngineConfig, item: PassConfig) -> None:
        frames = FRAMES_CHECKED + ceil(item.state_rows / item.height)
        self._starts = _starts(config, item, frames)
        tiles = len(self._starts) // frames
        frame, tile = np.divmod(np.arange(len(self._starts), dtype=np.int64), tiles)
        following = tile + 1
        kept = item.state_rows
        # A frame never releases the rows that the next one begins with, even where its own tiles are past them.
        next_row = first_input_row(item, following * config.pixels // item.out_width)
        first_row = np.clip(next_row, -kept, item.height - kept)
        self._released = frame * item.height + np.where(following == tiles, item.height - kept, first_row)
        released_at = self._starts + np.tile(tile_durations(config, item), frames) + RELEASE
        self._released_at = np.append(released_at, np.iinfo(np.int64).max // 4)
        self._rows = np.arange(frames * item.height, dtype=np.int64)
        self._taking = self._rows * row_units(config, item)
        # Where rows of earlier frames are kept, the count of released rows begins at 0 and falls with the first tile.
        self._early = self._taking + RELEASE < self._released_at[0]
        self._units, self._margin = row_units(config, item), config.row_margin
        self._needed = frame * item.height + np.tile(rows_needed(config, item), frames)

    def suffices(self, ring_rows: int) -> bool:
        """Whether a ring of so many rows never delays a tile."""
        wanted = self._rows - (ring_rows - self._margin) + 1
        free = (wanted <= 0) & ((wanted <= self._released[0]) | self._early)
        permitted = np.where(free, 1, self._released_at[np.searchsorted(self._released, wanted, side="left")])
        finished = np.maximum.accumulate(np.maximum(permitted, 1) - self._taking) + self._taking + self._units
        visible = finished + RECEIVE - 1
        return bool(np.all(visible[self._needed - 1] + PERMIT <= self._starts))
