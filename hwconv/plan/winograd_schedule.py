"""When a Winograd engine takes each beat and gives each beat: as :mod:`~hwconv.plan.schedule`, with its own tiles."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .schedule import EngineSchedule, Times
from .winograd_config import WinogradConfig
from .winograd_cycles import COLLECT, CREDIT, PERMIT, RELEASE, band_rows_needed, band_words, result_cycles


@dataclass
class WinogradSchedule(EngineSchedule):
    """The beats of some frames through a Winograd engine.

    Its tiles start as those of other engines do; rows are released, and results leave, a band of tiles at a time.
    """

    permit: ClassVar[int] = PERMIT

    config: WinogradConfig

    def _lay_out_tiles(self) -> None:
        config, item = self.config, self.config.passes[0]
        across, bands = config.tiles_across, config.bands
        self._durations = np.full(self.frames * bands * across, config.tile_cycles, np.int64)
        base = np.repeat(np.arange(self.frames, dtype=np.int64) * item.height, bands * across)
        self._needed = base + np.tile(np.repeat(band_rows_needed(config), across), self.frames)
        taken = config.frame_slots * config.vertical.inputs
        frame, band = np.divmod(np.arange(self.frames * bands, dtype=np.int64), bands)
        following = np.clip((band + 1) * config.vertical.outputs - item.top, 0, item.height)
        # Bands, unlike tiles elsewhere: the end of a frame skips what is left of its last rows' slots.
        self._released = frame * taken + np.where(band + 1 == bands, taken, following)

    def _lay_out_words(self) -> None:
        config = self.config
        words = np.tile(band_words(config), self.frames)
        band = np.repeat(np.arange(len(words), dtype=np.int64), words)
        self._tile_of_word = (band + 1) * config.tiles_across - 1
        self._offset = np.full(len(band), result_cycles(config) + COLLECT, np.int64)
        self._band_ends = np.cumsum(words) - 1
        self._lay_out_beats()

    def _wanted(self) -> Times:
        config, height = self.config, self.config.passes[0].height
        index = np.arange(len(self._row_starts), dtype=np.int64)
        frames_ahead, row_ahead = np.divmod(index + config.row_margin, height)
        n = config.vertical.inputs
        wanted: Times = frames_ahead * config.frame_slots * n + row_ahead - config.slots * n + 1
        return wanted

    def _released_at(self) -> Times:
        last_of_band = self._starts[self.config.tiles_across - 1 :: self.config.tiles_across]
        released: Times = last_of_band + self.config.fetch_cycles + RELEASE
        return released

    def _await_units(self, allowed: Times, sent: Times) -> None:
        units = self.config.units
        first = allowed[:: self.config.tiles_across]
        first[units:] = np.maximum(first[units:], sent[self._band_ends[:-units]] + CREDIT)
