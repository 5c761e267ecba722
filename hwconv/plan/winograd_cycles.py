"""Latency and interval of a Winograd engine in closed form: equal to the simulation, cycle for cycle.

Tiles start as pixel tiles do (:mod:`hwconv.plan.cycles`): tile `i` at ``max over j <= i of A(n(j)) + (i - j) * T``, `T`
being the cycles of a tile and ``A(n)`` when `n` rows are there. From its start to its last result every tile takes the
same time. A band (a row of tiles) leaves when its last tile is done and the band before has left, a word a cycle. The
plan makes the ring of rows and the output buffer just large enough that they never delay a tile.
"""

import numpy as np
from numpy.typing import NDArray

from .cycles import FRAMES_CHECKED, RECEIVE, SEND, Cycles, row_units
from .winograd_config import BRAM_LATENCY, PRODUCT_LATENCY, WinogradConfig

PERMIT = 2
"""A row's count to the start of a tile that waited for it."""
FETCH = 9
"""Start of a tile to the pixels of its first columns."""
OPERANDS = BRAM_LATENCY + 2 + PRODUCT_LATENCY + 2
"""A step of the array's walk to the first cycle in which its turn's sums may leave."""
COLLECT = 2
"""The last result of a band to the first word read."""
RELEASE = 7
"""The last column of a band read to the receiver's permission to overwrite its rows."""
CREDIT = 3
"""The last word of a band read to the start of a tile that waited for its unit."""

Int64 = NDArray[np.int64]


def predict_winograd(config: WinogradConfig) -> Cycles:
    """The cycles of an engine, by formula."""
    item = config.passes[0]
    tiles = config.bands * config.tiles_across
    compute, sent = tiles * config.tile_cycles, int(band_words(config).sum())
    arrives = item.height * row_units(config, item)
    starts = _starts(config, 1)
    left = _left(config, starts, 1)
    return Cycles(
        latency=int(left[-1]) + SEND,
        interval=max(compute, arrives, sent),
        compute=compute,
        input=arrives,
        last_start=int(starts[-1]),
        waited=int(starts[-1]) - (tiles - 1) * config.tile_cycles,
        tail=int(left[-1]) + SEND - int(starts[-1]),
    )


def result_cycles(config: WinogradConfig) -> int:
    """Start of a tile to its last result."""
    turns = config.folds * config.turns
    begin = FETCH - 1 + config.fetch_cycles + config.transform_latency
    captured = begin + (turns - 1) * config.turn_cycles + config.group_channels + OPERANDS
    if config.turns > 1:
        pieces = config.columns * config.slice_columns // config.drain_columns
        captured += pieces + BRAM_LATENCY
    arrived = captured + (config.columns - 1) * config.channel_cycles + config.arrivals - 1
    first = arrived + config.vertical.output.latency + 2 + config.result_latency + config.requantiser.latency
    return first + config.vertical.outputs * config.row_cycles - 1


def band_rows_needed(config: WinogradConfig) -> Int64:
    """Rows of its frame that the tiles of each band need before they start, ``(bands,)``."""
    lowest = np.arange(config.bands, dtype=np.int64) * config.vertical.outputs
    lowest += config.vertical.inputs - config.passes[0].top
    return np.clip(lowest, 1, config.passes[0].height)


def ring_slots_needed(config: WinogradConfig) -> int:
    """The smallest number of rows in each bank with which the receiver never delays a tile."""
    least = -(-(config.vertical.inputs + config.row_margin) // config.vertical.inputs)
    most = least + (4 + config.row_margin) * config.frame_slots + 4
    for slots in range(least, most):
        if _ring_suffices(config, slots):
            return slots
    raise RuntimeError(f"{config.name}: no ring of rows is large enough")


def band_units_needed(config: WinogradConfig) -> int:
    """The smallest output buffer, in bands, that never delays a tile."""
    starts = _starts(config, FRAMES_CHECKED)
    left = _left(config, starts, FRAMES_CHECKED)
    first = starts[:: config.tiles_across]
    for units in range(1, len(left)):
        if np.all(left[:-units] + CREDIT <= first[units:]):
            return units
    return len(left)


def _starts(config: WinogradConfig, frames: int) -> Int64:
    """Start of every tile of `frames` frames back to back."""
    item = config.passes[0]
    needed = np.repeat(band_rows_needed(config), config.tiles_across)
    base = np.repeat(np.arange(frames, dtype=np.int64) * item.height, len(needed))
    rows = base + np.tile(needed, frames)
    index = np.arange(len(rows), dtype=np.int64) * config.tile_cycles
    allowed = rows * row_units(config, item) + RECEIVE + PERMIT
    return np.maximum.accumulate(allowed - index) + index


def band_words(config: WinogradConfig) -> Int64:
    """Words of each band that leave."""
    item = config.passes[0]
    rows = np.minimum(
        config.vertical.outputs, item.out_height - np.arange(config.bands, dtype=np.int64) * config.vertical.outputs
    )
    words: Int64 = rows * item.out_width * config.pixel_out_words
    return words


def _left(config: WinogradConfig, starts: Int64, frames: int) -> Int64:
    """When the last word of every band is read."""
    words = np.tile(band_words(config), frames)
    before = np.cumsum(words) - words
    complete = starts[config.tiles_across - 1 :: config.tiles_across] + result_cycles(config) + COLLECT
    begun = np.maximum.accumulate(complete - before) + before
    left: Int64 = begun + words - 1
    return left


def _ring_suffices(config: WinogradConfig, slots: int) -> bool:
    item, n = config.passes[0], config.vertical.inputs
    units = row_units(config, item)
    starts = _starts(config, FRAMES_CHECKED)
    last_of_band = starts[config.tiles_across - 1 :: config.tiles_across]
    frame, band = np.divmod(np.arange(len(last_of_band), dtype=np.int64), config.bands)
    taken = config.frame_slots * n
    following = np.clip((band + 1) * config.vertical.outputs - item.top, 0, item.height)
    released = frame * taken + np.where(band + 1 == config.bands, taken, following)
    released_at = last_of_band + config.fetch_cycles + RELEASE

    index = np.arange(FRAMES_CHECKED * item.height, dtype=np.int64)
    frames_ahead, row_ahead = np.divmod(index + config.row_margin, item.height)
    wanted = frames_ahead * taken + row_ahead - slots * n + 1
    never = np.iinfo(np.int64).max // 4
    permitted = np.where(wanted <= 0, 1, np.append(released_at, never)[np.searchsorted(released, wanted, side="left")])
    finished = np.maximum.accumulate(np.maximum(permitted, 1) - index * units) + (index + 1) * units
    visible = finished + RECEIVE - 1
    needed = np.repeat(np.tile(band_rows_needed(config), FRAMES_CHECKED) + frame * item.height, config.tiles_across)
    return bool(np.all(visible[needed - 1] + PERMIT <= starts))
