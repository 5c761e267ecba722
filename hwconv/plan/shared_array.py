"""Arrays that several layers share, one after the other: which suit, how each layer is laid on them, what they cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, gcd
from typing import NamedTuple

from ..errors import UnsupportedError
from ..spec import ConvSpec
from .array import MOST_PORTS, MOST_WORD_BYTES, Folding, array_area, divisors, strip_shape, waiting, walked_phases
from .config import MINIMUM_TILE_CYCLES

MOST_BEAT_BYTES = 16
"""Widest stream that is chosen; a wider one can be asked for."""
MOST_UNIT_BYTES = 8
"""Bytes that are taken from a beat in a cycle; more are not looked for."""
BETWEEN_LAYERS = 50
"""Cycles from the end of a layer's last fold to the next layer's first, beside those in which its last pixels drain."""


@dataclass(frozen=True, kw_only=True)
class SharedArray:
    """The array of all layers of a program, and what feeds and drains it; the numbers are those of a `Folding`."""

    pixels: int
    columns: int
    ports: int
    word_channels: int
    requantisers: int

    @property
    def lanes(self) -> int:
        return self.pixels // self.ports

    @property
    def products(self) -> int:
        """Products that the array makes in a cycle."""
        return self.pixels * self.columns

    @property
    def drain(self) -> int:
        return self.columns // self.requantisers


def shared_arrays(specs: Sequence[ConvSpec], multipliers: int) -> Iterator[SharedArray]:
    """Every sensible array of at most `multipliers` multipliers that all layers can run on."""
    counts = {spec.out_height * spec.out_width for spec in specs}
    whole = _whole_words(specs)
    # More pixels at once are worth nothing unless some layer then has fewer tiles.
    useful = sorted({ceil(count / tiles) for count in counts for tiles in range(1, count + 1)})
    words = [item for item in divisors(gcd(*(spec.in_channels for spec in specs))) if item <= MOST_WORD_BYTES]
    for word in words:
        laid = [_laid(spec, word) for spec in specs]
        if any(item is None for item in laid):
            continue
        outputs = [item.outputs for item in laid if item is not None]
        kept = outputs[:whole]
        least = max((item.outputs for item in laid if item is not None and item.word_groups > 1), default=1)
        for columns in sorted({ceil(item / tiles) for item in outputs for tiles in range(1, item + 1)}):
            if not least <= columns <= multipliers:
                continue
            for pixels in useful:
                if pixels * columns > multipliers:
                    break
                for ports in divisors(pixels):
                    if ports > MOST_PORTS:
                        continue
                    for requantisers in divisors(gcd(columns, *kept)):
                        if columns // requantisers >= 2 or pixels in (1, ports):
                            yield SharedArray(
                                pixels=pixels,
                                columns=columns,
                                ports=ports,
                                word_channels=word,
                                requantisers=requantisers,
                            )
                    if ports * word >= pixels:  # more ports bring nothing
                        break


def _whole_words(specs: Sequence[ConvSpec]) -> int:
    """Of how many layers words of results hold nothing else: of all but a last one of a single pixel."""
    last = specs[-1]
    single = last.out_height * last.out_width == 1 and last.groups == 1
    return len(specs) - 1 if single and len(specs) > 1 else len(specs)


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """The channels of a layer in words: `groups` times `blocks` words of a pixel give `outputs` channels."""

    groups: int
    blocks: int
    word_groups: int
    outputs: int


def _laid(spec: ConvSpec, word: int) -> _Laid | None:
    """Nothing where neither a word is a part of a group, nor a group a part of a word."""
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    if inputs % word == 0:
        return _Laid(groups=spec.groups, blocks=inputs // word, word_groups=1, outputs=outputs)
    if word % inputs == 0 and spec.in_channels % word == 0:
        together = word // inputs
        return _Laid(groups=spec.groups // together, blocks=1, word_groups=together, outputs=together * outputs)
    return None


def fold(spec: ConvSpec, array: SharedArray) -> Folding:
    """How a layer is laid on an array that it can run on."""
    laid = _laid(spec, array.word_channels)
    assert laid is not None  # of arrays that do not suit, none is asked
    tiles = ceil(laid.outputs / array.columns)
    block_steps = max(array.word_channels, array.lanes)
    walked = walked_phases(spec, laid.blocks)
    cycles = max(array.pixels * array.drain, ceil(MINIMUM_TILE_CYCLES / (len(walked[0]) * laid.groups * tiles)))
    strips, strip_pixels = strip_shape(spec)
    return Folding(
        depthwise=False,
        pixels=array.pixels,
        columns=array.columns,
        ports=array.ports,
        word_channels=array.word_channels,
        word_groups=laid.word_groups,
        requantisers=array.requantisers,
        strips=strips,
        strip_tiles=ceil(strip_pixels / array.pixels),
        groups=laid.groups,
        tiles=tiles,
        group_outputs=laid.outputs,
        active_steps=array.word_channels,
        block_steps=block_steps,
        blocks=laid.blocks,
        phases=waiting(walked, block_steps, cycles, laid.groups * tiles),
        input_words=spec.input_elements // array.word_channels,
    )


def array_cost(specs: tuple[ConvSpec, ...], array: SharedArray) -> tuple[int, int]:
    """Cycles of a frame through all layers, roughly; then what the array takes."""
    unit = gcd(program_beat(array), array.word_channels)
    block_steps = max(array.word_channels, array.lanes)
    cycles = specs[0].input_elements // unit + BETWEEN_LAYERS * len(specs)
    drain = array.pixels * array.drain
    for work in _works(specs, array.word_channels):
        folds = work.groups * ceil(work.outputs / array.columns)
        fold_cycles = max(work.tap_blocks * block_steps, drain, ceil(MINIMUM_TILE_CYCLES / folds))
        last = min(array.pixels, work.pixels) * work.channels // unit
        cycles += ceil(work.pixels / array.pixels) * folds * fold_cycles + max(drain, last)
    word = array.word_channels
    return cycles, array_area(array.pixels, array.columns, array.ports, array.requantisers, word, word)


class _Work(NamedTuple):
    """What a layer asks of an array, in words of some width."""

    pixels: int
    channels: int
    groups: int
    outputs: int
    tap_blocks: int


@lru_cache(maxsize=256)
def _works(specs: tuple[ConvSpec, ...], word: int) -> tuple[_Work, ...]:
    found = []
    for spec in specs:
        laid = _laid(spec, word)
        assert laid is not None  # of arrays that do not suit, none is asked
        found.append(
            _Work(
                pixels=spec.out_height * spec.out_width,
                channels=spec.out_channels,
                groups=laid.groups,
                outputs=laid.outputs,
                tap_blocks=spec.taps * laid.blocks,
            )
        )
    return tuple(found)


def program_beat(array: SharedArray) -> int:
    """The beat that brings most bytes a cycle, with the results between layers in it; then the narrowest."""
    return best_beat(array.requantisers, array.word_channels)


@lru_cache(maxsize=1024)
def best_beat(requantisers: int, word_channels: int) -> int:
    """The same for results of so many requantisers that are read in words of so many channels."""
    choices = range(requantisers, max(MOST_BEAT_BYTES, requantisers) + 1, requantisers)
    return max(choices, key=lambda item: (min(MOST_UNIT_BYTES, gcd(item, word_channels)), -item))


def check_array(specs: Sequence[ConvSpec], array: SharedArray) -> None:
    """Raises UnsupportedError where a layer cannot run on an array: says which number of it does not suit."""
    for index, spec in enumerate(specs):
        laid = _laid(spec, array.word_channels)
        if laid is None:
            fits = f"a divisor or a multiple of {spec.group_in_channels}, the input channels of a group"
            expected = f"{fits}, and a divisor of all {spec.in_channels}"
            raise UnsupportedError(spec.name, "word_channels", array.word_channels, expected)
        if laid.word_groups > 1 and laid.outputs > array.columns:
            expected = f"at least {laid.outputs}, the channels that the {laid.word_groups} groups of a word give"
            raise UnsupportedError(spec.name, "columns", array.columns, expected)
        if laid.outputs % array.requantisers and index < _whole_words(specs):
            divides = f"a divisor of {laid.outputs}, the output channels of the groups of a word"
            raise UnsupportedError(spec.name, "requantisers", array.requantisers, divides)
    name = specs[0].name
    if array.columns % array.requantisers:
        raise UnsupportedError(name, "requantisers", array.requantisers, f"a divisor of {array.columns} columns")
    if array.pixels % array.ports or array.ports > MOST_PORTS:
        raise UnsupportedError(name, "ports", array.ports, f"a divisor of {array.pixels} pixels, at most {MOST_PORTS}")
    if array.drain < 2 and array.pixels not in (1, array.ports):
        raise UnsupportedError(name, "requantisers", array.requantisers, "fewer than columns, or a port for each pixel")
