"""Pairs of arrays for layers that alternate: lanes for depthwise layers, a dense array for those behind them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, gcd

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError, UnsupportedError
from ..spec import ConvSpec
from .array import MOST_PORTS, MOST_WORD_BYTES, Folding, divisors, strip_shape, waiting, walked_phases
from .config import MINIMUM_TILE_CYCLES
from .partition import alternates
from .shared_array import SharedArray, array_cost, best_beat, check_array, fold, shared_arrays

MOST_LANES = 160
"""Multipliers of depthwise layers."""
SHARE = 0.7
"""Multipliers of both arrays that the dense one has at least: depthwise layers make few products."""
LEAST_WORD = 8
"""Channels of an activation word of the dense array at least, where the channels allow: streams are as wide."""
BLOCK_RAM_BYTES = 2048

"""Of a block RAM."""
STEP = 1.05
"""Arrays of a kind whose cycles differ by less are one choice."""
BETWEEN_TURNS = 120
"""Cycles from the last results of a layer to the first tile that waits for them, there and back again."""


@dataclass(frozen=True, kw_only=True)
class SharedLanes:
    """The array of all depthwise layers of a loop: each of `pixels` rows has a read port, and a column for each channel
    of an activation word.
    """

    pixels: int
    word_channels: int
    requantisers: int

    @property
    def columns(self) -> int:
        return self.word_channels

    @property
    def ports(self) -> int:
        return self.pixels

    @property
    def drain(self) -> int:
        return self.columns // self.requantisers


@dataclass(frozen=True, kw_only=True)
class LoopArray:
    """Both arrays of a loop."""

    lanes: SharedLanes
    dense: SharedArray

    @property
    def products(self) -> int:
        return self.lanes.pixels * self.lanes.columns + self.dense.pixels * self.dense.columns


def loop_arrays(specs: Sequence[ConvSpec], multipliers: int) -> Iterator[LoopArray]:
    """Pairs of arrays of at most `multipliers` multipliers for layers that alternate: of each array only those are
    tried of which no smaller one of its kind is as fast.
    """
    if not alternates(specs):
        return
    most = min(MOST_LANES, int(multipliers * (1 - SHARE)))
    lanes = [each for each in _lanes(specs[0::2]) if each.pixels * each.columns <= most]
    dense = list(_dense(specs[1::2], multipliers))
    for one in lanes:
        for other in dense:
            if one.pixels * one.columns + other.products <= multipliers:
                yield LoopArray(lanes=one, dense=other)


def _lanes(specs: Sequence[ConvSpec]) -> Iterator[SharedLanes]:
    """Lanes that are no faster than their requantisers."""
    taps = min(spec.taps for spec in specs)
    for word in divisors(gcd(*(spec.in_channels for spec in specs))):
        if word > MOST_WORD_BYTES:
            break
        fastest = 1 << 62
        for pixels in range(1, MOST_PORTS + 1):
            enough = (count for count in divisors(word) if pixels * word // count <= taps)
            lanes = SharedLanes(pixels=pixels, word_channels=word, requantisers=next(enough, word))
            cycles = sum(fold_lanes(spec, lanes).compute_cycles for spec in specs)
            if cycles * STEP < fastest:
                fastest = cycles
                yield lanes


def _dense(specs: Sequence[ConvSpec], multipliers: int) -> Iterator[SharedArray]:
    """Arrays that read whole words in few cycles."""
    widest = max(item for item in divisors(gcd(*(spec.in_channels for spec in specs))) if item <= LEAST_WORD)
    kinds: dict[tuple[int, int], list[tuple[int, int, SharedArray]]] = {}
    for array in shared_arrays(specs, multipliers):
        if array.word_channels >= widest:
            cycles, area = array_cost(tuple(specs), array)
            kinds.setdefault((array.word_channels, array.ports), []).append((cycles, area, array))
    for alike in kinds.values():
        smallest, fastest = 1 << 62, 0
        for cycles, area, array in sorted(alike, key=lambda each: each[:2]):
            if area < smallest and cycles >= STEP * fastest:
                smallest, fastest = area, cycles
                yield array


def fold_lanes(spec: ConvSpec, lanes: SharedLanes) -> Folding:
    """How a depthwise layer is laid on lanes that it can run on."""
    strips, strip_pixels = strip_shape(spec)
    groups = spec.in_channels // lanes.word_channels
    cycles = max(lanes.pixels * lanes.drain, ceil(MINIMUM_TILE_CYCLES / groups))
    return Folding(
        depthwise=True,
        pixels=lanes.pixels,
        columns=lanes.columns,
        ports=lanes.ports,
        word_channels=lanes.word_channels,
        requantisers=lanes.requantisers,
        strips=strips,
        strip_tiles=ceil(strip_pixels / lanes.pixels),
        groups=groups,
        tiles=1,
        group_outputs=lanes.word_channels,
        active_steps=1,
        block_steps=1,
        blocks=1,
        phases=waiting(walked_phases(spec, 1), 1, cycles, groups),
        input_words=spec.input_elements // lanes.word_channels,
    )


class LoopCost:
    """Cycles of a frame through layers that alternate, roughly, on any pair of arrays; then what both arrays take."""

    def __init__(self, specs: Sequence[ConvSpec]) -> None:
        self._firsts, self._seconds = specs[0::2], specs[1::2]
        self._buffers = _buffer_block_rams(self._firsts), _buffer_block_rams(self._seconds)
        self._moved: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._known: dict[SharedLanes | SharedArray, tuple[NDArray[np.int64], NDArray[np.int64], int]] = {}

    def of(self, array: LoopArray) -> tuple[int, int]:
        return int(self.turns(array).sum()), self._work(array.lanes)[2] + self._work(array.dense)[2]

    def turns(self, array: LoopArray) -> NDArray[np.int64]:
        """Cycles of each turn."""
        lanes, dense = array.lanes, array.dense
        first, first_tile, _ = self._work(lanes)
        second, second_tile, _ = self._work(dense)
        tile = np.where(first > second, second_tile, first_tile)
        busiest = np.maximum(np.maximum(first, second), self._streams(lanes, dense))
        turns: NDArray[np.int64] = busiest + tile + BETWEEN_TURNS
        return turns

    def block_rams(self, array: LoopArray) -> int:
        """Those of both activation memories, roughly."""
        return array.lanes.ports * self._buffers[0] + array.dense.ports * self._buffers[1]

    def _work(self, array: SharedLanes | SharedArray) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Cycles of each layer on an array, and of one of its pixel tiles; what the array takes."""
        if array not in self._known:
            folded = (
                [fold_lanes(spec, array) for spec in self._firsts]
                if isinstance(array, SharedLanes)
                else [fold(spec, array) for spec in self._seconds]
            )
            cycles = np.array([each.compute_cycles for each in folded], np.int64)
            tiles = np.array([each.pixel_tiles for each in folded], np.int64)
            self._known[array] = cycles, cycles // tiles, folded[0].area
        return self._known[array]

    def _streams(self, lanes: SharedLanes, dense: SharedArray) -> NDArray[np.int64]:
        """Cycles in which each turn's frames come in, both at once."""
        rates = _rate(lanes.requantisers, dense.word_channels), _rate(dense.requantisers, lanes.word_channels)
        if rates not in self._moved:
            first, second = (
                np.array([spec.input_elements // rate for spec in specs], np.int64)
                for specs, rate in ((self._firsts, rates[1]), (self._seconds, rates[0]))
            )
            self._moved[rates] = np.maximum(first, second)
        return self._moved[rates]


def _rate(requantisers: int, word: int) -> int:
    """Bytes a cycle that requantisers give and a receiver of such words takes."""
    return min(requantisers, gcd(best_beat(requantisers, word), word))


def _buffer_block_rams(specs: Sequence[ConvSpec]) -> int:
    """Of a copy of the frames of two layers in turn, roughly."""
    frames = (one.input_elements + other.input_elements for one, other in pairwise(specs))
    return ceil(max(frames, default=0) / BLOCK_RAM_BYTES)


def loop_cost(specs: Sequence[ConvSpec], array: LoopArray) -> tuple[int, int]:
    """The same of one pair."""
    return LoopCost(specs).of(array)


def check_loop(specs: Sequence[ConvSpec], array: LoopArray) -> None:
    """Raises an error where layers cannot run on a pair of arrays: says which number of it does not suit."""
    if not alternates(specs):
        names = ", ".join(spec.name for spec in specs)
        raise SpecError("loop", "layers", names, "depthwise and dense ones in turns, two of each at least")
    lanes = array.lanes
    for spec in specs[0::2]:
        if spec.in_channels % lanes.word_channels:
            divides = f"a divisor of {spec.in_channels} channels"
            raise UnsupportedError(spec.name, "word_channels", lanes.word_channels, divides)
    name = specs[0].name
    if lanes.columns % lanes.requantisers:
        raise UnsupportedError(name, "requantisers", lanes.requantisers, f"a divisor of {lanes.columns} columns")
    if not 1 <= lanes.pixels <= MOST_PORTS:
        raise UnsupportedError(name, "pixels", lanes.pixels, f"from 1 to {MOST_PORTS}: each has a read port")
    check_array(specs[1::2], array.dense)
