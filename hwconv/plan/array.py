"""Chooses how a layer's loops are laid on an array: the folding."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, gcd
from typing import Any

from ..errors import UnsupportedError
from ..spec import ConvSpec, dtype_bits
from .config import MINIMUM_TILE_CYCLES, FoldPhase
from .formats import operand_format
from .phases import axis_phases, has_phases

MOST_WORD_BYTES = 64
"""Widest activation word: one read port of sixteen 36-bit block RAMs."""

LEAST_WORD_CHANNELS = 4
DENSE_WORD_CHANNELS = 16
"""Channels a dense lane loads at once, where the channels allow; more only where a port serves more lanes."""

MOST_PORTS = 16

PORT_COST = 0.02
"""Share of the interval that one more copy of the activation memory must save."""

REQUANTISER_COST = 0.004
"""Share of the interval that one more requantiser must save."""


TYPICAL_ACCUMULATOR = 21
"""Accumulator bits that the comparison of foldings assumes."""

BLOCK_RAM_AREA = 100


@dataclass(frozen=True, kw_only=True)
class Folding:
    """One way to lay a convolution on an array; docs/architecture.md has the loop nest and what each number buys."""

    depthwise: bool
    pixels: int
    columns: int
    ports: int
    word_channels: int
    requantisers: int
    strips: int
    strip_tiles: int
    """Pixel tiles of one strip."""
    groups: int
    tiles: int
    group_outputs: int
    """Output channels of one word group."""
    active_steps: int
    block_steps: int
    blocks: int
    """Channel blocks of one kernel tap."""
    phases: tuple[tuple[FoldPhase, ...], ...]
    """The folds of each row phase and column phase."""

    packed: bool = False
    """Two columns share a multiplier."""
    word_groups: int = 1
    """Groups side by side in a word: see `PassConfig.word_groups`."""
    activation_bytes: int = 1

    @property
    def products(self) -> int:
        """Products that the array makes in a cycle, each in an accumulator of its own."""
        return self.pixels * self.columns

    @property
    def multipliers(self) -> int:
        return self.products // 2 if self.packed else self.products

    @property
    def pixel_tiles(self) -> int:
        """Pixel tiles of one frame."""
        return self.strips * self.strip_tiles

    @property
    def folds(self) -> int:
        """Folds of one pixel tile."""
        return len(self.phases[0]) * self.groups * self.tiles

    @property
    def idle_steps(self) -> int:
        """Idle steps after the folds of one tile of each row phase, for one word group and column tile."""
        return sum(phase.idle_steps for row in self.phases for phase in row)

    @property
    def compute_cycles(self) -> int:
        """Cycles of one frame on the array."""
        rows = [
            sum(phase.tap_blocks * self.block_steps + phase.idle_steps for phase in row) * self.groups * self.tiles
            for row in self.phases
        ]
        tiles = [len(range(index, self.strips, len(rows))) * self.strip_tiles for index in range(len(rows))]
        return sum(count * cycles for count, cycles in zip(tiles, rows, strict=True))

    input_words: int
    """Activation words of a frame: they arrive one a cycle at most."""

    @property
    def area(self) -> int:
        """Look-up tables that depend on the folding, roughly: :func:`array_area`."""
        word_bytes = self.word_channels * self.activation_bytes
        lane_bytes = 0 if self.depthwise else word_bytes
        return array_area(self.pixels, self.columns, self.ports, self.requantisers, word_bytes, lane_bytes)

    @property
    def cost(self) -> tuple[float, int]:
        """What the search minimises: the interval, weighed with what it takes to get it; then the area."""
        weight = 1 + PORT_COST * (self.ports - 1) + REQUANTISER_COST * (self.requantisers - 1)
        return (max(self.compute_cycles, self.input_words) * weight, self.area)


def array_area(pixels: int, columns: int, ports: int, requantisers: int, word_bytes: int, lane_bytes: int) -> int:
    """Look-up tables of an array, roughly; a block RAM counts as BLOCK_RAM_AREA of them.

    `lane_bytes`: of the words that a row's steps go through, one channel after the other; lanes have none.
    """
    lanes = 8 * pixels * lane_bytes
    array = 2 * TYPICAL_ACCUMULATOR * pixels * columns
    choice = ceil(0.6 * TYPICAL_ACCUMULATOR * columns)
    blocks = ceil(columns / 4) + ports * ceil(word_bytes / 4)
    return lanes + array + choice + 250 * (requantisers + ports) + BLOCK_RAM_AREA * blocks


@lru_cache(maxsize=4096)
def divisors(value: int) -> tuple[int, ...]:
    """All divisors of `value`, ascending."""
    return tuple(item for item in range(1, value + 1) if value % item == 0)


def foldings(
    spec: ConvSpec, multipliers: int, result_limit: int | None = None, *, packable: bool = False
) -> Iterator[Folding]:
    """Every sensible folding of `spec` on at most `multipliers` multipliers.

    Parameters
    ----------
    result_limit : int, optional
        Bytes of an output beat, where the user fixed it: result words must divide it.
    packable : bool
        Two weights fit in one multiplier (see :func:`hwconv.plan.formats.paired_format`).
    """
    for packed in (False, True) if packable else (False,):
        if spec.group_in_channels == 1 and spec.groups > 1:
            yield from depthwise_foldings(spec, multipliers, result_limit, packed)
        yield from _dense_foldings(spec, multipliers, result_limit, packed)


def best_folding(
    spec: ConvSpec, multipliers: int, result_limit: int | None = None, *, packable: bool = False
) -> Folding:
    """The folding with the least interval for what it takes (see :attr:`Folding.cost`).

    Raises
    ------
    UnsupportedError
        No folding has result words that divide the output beat asked for.
    """
    best = min(foldings(spec, multipliers, result_limit, packable=packable), key=lambda item: item.cost, default=None)
    if best is None:
        raise UnsupportedError(spec.name, "output_beat_bytes", result_limit, "a multiple of the bytes of one output")
    return best


def _dense_foldings(spec: ConvSpec, multipliers: int, result_limit: int | None, packed: bool) -> Iterator[Folding]:
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    pixels_out = strip_shape(spec)[1]
    activation_bytes = operand_format(spec).activation_bytes
    # Columns come in pairs where two share a multiplier; the last one may idle.
    pair = 2 if packed else 1
    most_columns = min(pair * multipliers, outputs + outputs % pair)
    for columns in range(pair, most_columns + 1, pair):
        if outputs > columns and outputs % columns and columns * ceil(outputs / columns) > outputs * 1.5:
            continue
        for pixels in _row_counts(pair * multipliers // columns, pixels_out):
            for ports in divisors(pixels):
                if ports > MOST_PORTS:
                    break
                lanes = pixels // ports
                words = _dense_words(inputs, lanes, MOST_WORD_BYTES // activation_bytes)
                found = False
                for word in words:
                    for folding in _complete(
                        spec,
                        result_limit,
                        depthwise=False,
                        packed=packed,
                        activation_bytes=activation_bytes,
                        pixels=pixels,
                        columns=columns,
                        ports=ports,
                        word_channels=word,
                        groups=spec.groups,
                        tiles=ceil(outputs / columns),
                        group_outputs=outputs,
                        active_steps=word,
                        block_steps=max(word, lanes),
                        blocks=inputs // word,
                    ):
                        found = True
                        yield folding
                # More ports buy nothing once a word reaches all lanes; but a single column drains too fast for
                # several lanes, so that it takes a port for each row.
                if found and lanes <= words[0]:
                    break


def depthwise_foldings(
    spec: ConvSpec, multipliers: int, result_limit: int | None, packed: bool = False
) -> Iterator[Folding]:
    """The foldings of :func:`foldings` in which every column has its own lane of an activation word."""
    channels, multiplier = spec.in_channels, spec.channel_multiplier
    pixels_out = strip_shape(spec)[1]
    activation_bytes = operand_format(spec).activation_bytes
    products = 2 * multipliers if packed else multipliers
    shapes = [(word, word * multiplier, 1) for word in divisors(channels) if word * multiplier <= products]
    shapes += [(1, columns, multiplier // columns) for columns in divisors(multiplier) if columns <= products]
    for word, columns, tiles in shapes:
        if word > MOST_WORD_BYTES // activation_bytes:
            continue
        if packed and columns // word % 2:
            continue  # only columns of one lane see the same activation
        for pixels in _row_counts(min(MOST_PORTS, products // columns), pixels_out):
            yield from _complete(
                spec,
                result_limit,
                depthwise=True,
                packed=packed,
                activation_bytes=activation_bytes,
                pixels=pixels,
                columns=columns,
                ports=pixels,
                word_channels=word,
                groups=channels // word,
                tiles=tiles,
                group_outputs=word * multiplier,
                active_steps=1,
                block_steps=1,
                blocks=1,
            )


def _row_counts(most: int, pixels_out: int) -> list[int]:
    """Row counts worth trying: no more than need be for their number of pixel tiles."""
    counts = {ceil(pixels_out / ceil(pixels_out / rows)) for rows in range(1, min(most, pixels_out) + 1)}
    return sorted(counts)


@lru_cache(maxsize=4096)
def _dense_words(inputs: int, lanes: int, most: int) -> tuple[int, ...]:
    """Channels of a word worth trying: divisors of the group's channels that reach for all lanes of a port, if any."""
    reaching = tuple(item for item in divisors(inputs) if lanes <= item <= most)
    if not reaching:
        return (max(item for item in divisors(inputs) if item <= most),)
    usual = [item for item in reaching if LEAST_WORD_CHANNELS <= item <= DENSE_WORD_CHANNELS]
    if reaching[-1] < LEAST_WORD_CHANNELS:
        return reaching[-1:]
    return tuple(usual) or reaching[:1]


def _complete(spec: ConvSpec, result_limit: int | None, **loops: Any) -> Iterator[Folding]:
    """Adds requantisers (as few as keep up with the array) and idle steps."""
    pixels, columns, ports = loops["pixels"], loops["columns"], loops["ports"]
    value_bytes = dtype_bits(spec.output_dtype) // 8
    strips, strip_pixels = strip_shape(spec)
    walked = walked_phases(spec, loops["blocks"])
    least = min(phase.tap_blocks for row in walked for phase in row if phase.live) * loops["block_steps"]
    folds = len(walked[0]) * loops["groups"] * loops["tiles"]
    shortest_drain = 1 if pixels == ports else 2
    choices = [
        count
        for count in divisors(gcd(columns, loops["group_outputs"]))
        if (columns // count >= shortest_drain or pixels == 1)
        and (result_limit is None or result_limit % (count * value_bytes) == 0)
    ]
    if not choices:
        return
    enough = next((count for count in choices if pixels * columns // count <= least), choices[-1])
    # Some phases of a transposed layer are short: whether they are worth more requantisers is weighed.
    for requantisers in choices if has_phases(spec) else (enough,):
        if requantisers > enough:
            break
        fold = max(pixels * columns // requantisers, ceil(MINIMUM_TILE_CYCLES / folds))
        yield Folding(
            **loops,
            requantisers=requantisers,
            input_words=spec.height * spec.width * spec.in_channels // loops["word_channels"],
            strips=strips,
            strip_tiles=ceil(strip_pixels / pixels),
            phases=waiting(walked, loops["block_steps"], fold, loops["groups"] * loops["tiles"]),
        )


def strip_shape(spec: ConvSpec) -> tuple[int, int]:
    """Strips of a layer, and the pixels of each: the frame's pixels, or the super pixels of each row."""
    if has_phases(spec):
        return spec.out_height, ceil(spec.out_width / spec.stride[1])
    return 1, spec.out_height * spec.out_width


def waiting(
    walked: tuple[tuple[FoldPhase, ...], ...], block_steps: int, fold: int, repeats: int
) -> tuple[tuple[FoldPhase, ...], ...]:
    """The same phases with idle steps, so that the results of each fold have `fold` cycles to drain.

    Results drain until the next fold ends: after a fold, as many steps idle as the fold that follows is too short. Each
    phase has `repeats` folds in a row; after the last column phase comes the first one, of any row phase.
    """
    short = [[max(fold - phase.tap_blocks * block_steps, 0) for phase in row] for row in walked]
    first = max(row[0] for row in short)
    return tuple(
        tuple(
            replace(phase, idle_steps=max(own if repeats > 1 else 0, following))
            for phase, own, following in zip(row, needs, [*needs[1:], first], strict=True)
        )
        for row, needs in zip(walked, short, strict=True)
    )


@lru_cache(maxsize=4096)
def walked_phases(spec: ConvSpec, blocks: int) -> tuple[tuple[FoldPhase, ...], ...]:
    """What the folds of every phase walk, without idle steps."""
    rows, columns = (axis_phases(spec, axis).phases for axis in (0, 1))
    empty = FoldPhase(rows=1, columns=1, blocks=1, live=False, idle_steps=0)
    return tuple(
        tuple(
            FoldPhase(rows=len(row.taps), columns=len(column.taps), blocks=blocks, live=True, idle_steps=0)
            if row.taps and column.taps
            else empty
            for column in columns
        )
        for row in rows
    )
