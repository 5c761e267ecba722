"""The plan of an engine that runs several layers, one after the other, on one array."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, gcd

from ..errors import SpecError, UnsupportedError
from ..layer import Layer
from ..spec import ConvSpec
from .array import MOST_PORTS, MOST_WORD_BYTES, Folding, divisors, strip_shape, waiting, walked_phases
from .config import MINIMUM_TILE_CYCLES, EngineConfig, PassConfig
from .cycles import units_needed
from .engine_plan import (
    DEFAULT_MULTIPLIERS,
    EnginePlan,
    cluster_columns,
    lut_elements,
    module_name,
    pass_config,
)
from .formats import array_sum_range, shared_format, signed_bits
from .requantise import plan_requantisers

MOST_BEAT_BYTES = 16
"""Widest stream that is chosen; a wider one can be asked for."""
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
    def drain(self) -> int:
        return self.columns // self.requantisers


def make_program(
    layers: Sequence[Layer],
    *,
    name: str = "program",
    multipliers: int | None = None,
    lut_multipliers: int = 0,
    array: SharedArray | None = None,
    beat_bytes: int | None = None,
) -> EnginePlan:
    """Plans one engine for several layers, each of which reads what the one before computed, in any shape that has as
    many elements.

    The array is a dense one. Groups that are narrower than an activation word, those of a depthwise layer first of all,
    lie side by side in it: each column multiplies in the steps of its own group, and weights are stored once. Layers
    that follow each other have different frame buffers, others may share one. While the last layer is computed, the
    next frame comes in.

    Parameters
    ----------
    layers:
        At least two, in order.
    name:
        Of the top module.
    multipliers:
        Multipliers of the array at most (default 64).
    lut_multipliers:
        How many of them may be made of look-up tables.
    array:
        An array chosen by hand (see :func:`shared_arrays`).
    beat_bytes:
        Bytes of a beat of both streams, which the results between layers take as well; a multiple of the requantisers.

    Raises
    ------
    SpecError
        Layers that do not fit each other, or a number out of range.
    UnsupportedError
        A layer that the engine cannot run beside the others: names the layer and the field.
    """
    _check_layers(layers)
    asked = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    specs = [layer.spec for layer in layers]
    if not 1 <= asked <= 4096:
        raise SpecError(name, "multipliers", asked, "from 1 to 4096")
    if array is None:
        array = min(shared_arrays(specs, asked), key=lambda item: array_cost(specs, item))
    else:
        _check_array(specs, array)
    beat = _beat_bytes(array) if beat_bytes is None else beat_bytes
    if not 1 <= beat <= 128 or beat % array.requantisers:
        raise SpecError(name, "beat_bytes", beat, f"from 1 to 128, a multiple of {array.requantisers} requantisers")
    operands = shared_format(specs)
    bounds = [array_sum_range(layer) for layer in layers]
    width = max(signed_bits(int(low.min()), int(high.max())) for low, high in bounds)
    width = max(width, operands.least_accumulator)
    folded = [fold(spec, array) for spec in specs]
    config = EngineConfig(
        name=module_name(name),
        depthwise=False,
        pixels=array.pixels,
        columns=array.columns,
        ports=array.ports,
        word_channels=array.word_channels,
        cluster=cluster_columns(array.columns, operands),
        requantisers=array.requantisers,
        accumulator_width=width,
        input_beat_bytes=beat,
        output_beat_bytes=beat,
        ring_rows=sum(spec.height for spec in specs),
        row_margin=0,
        units=2,
        requantiser=plan_requantisers(layers, width),
        passes=_placed(specs, folded, array.drain),
        operands=operands,
        lut_elements=lut_elements(name, folded[0].multipliers, asked, lut_multipliers),
    )
    config = replace(config, units=units_needed(config))
    return EnginePlan(layers=tuple(layers), folding=folded[0], config=config, asked=asked)


def shared_arrays(specs: Sequence[ConvSpec], multipliers: int) -> Iterator[SharedArray]:
    """Every sensible array of at most `multipliers` multipliers that all layers can run on."""
    most_pixels = max(spec.out_height * spec.out_width for spec in specs)
    words = [item for item in divisors(gcd(*(spec.in_channels for spec in specs))) if item <= MOST_WORD_BYTES]
    for word in words:
        laid = [_laid(spec, word) for spec in specs]
        if any(item is None for item in laid):
            continue
        outputs = [item.outputs for item in laid if item is not None]
        least = max((item.outputs for item in laid if item is not None and item.word_groups > 1), default=1)
        for columns in sorted({ceil(item / tiles) for item in outputs for tiles in range(1, item + 1)}):
            if not least <= columns <= multipliers:
                continue
            for pixels in range(1, min(multipliers // columns, most_pixels) + 1):
                for ports in divisors(pixels):
                    if ports > MOST_PORTS:
                        continue
                    for requantisers in divisors(gcd(columns, *outputs)):
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


def _placed(specs: Sequence[ConvSpec], folded: Sequence[Folding], drain: int) -> tuple[PassConfig, ...]:
    """The descriptors of all layers: weights and tables lie one after the other."""
    passes: list[PassConfig] = []
    weight_base = table_base = 0
    for spec, folding in zip(specs, folded, strict=True):
        item = replace(pass_config(spec, folding), weight_base=weight_base, table_base=table_base)
        passes.append(item)
        weight_base += item.weight_words
        table_base += item.table_words(drain)
    bases = buffer_bases([item.height * item.row_words for item in passes])
    return tuple(replace(item, activation_base=base) for item, base in zip(passes, bases, strict=True))


def buffer_bases(words: Sequence[int]) -> list[int]:
    """Where the frame buffer of each layer begins, so that no two neighbours share a word.

    When a layer's results come, all layers before it are through: only its own input is still read. So buffers
    alternate between both ends of the memory. The next frame comes while the last layer is computed: with an odd number
    of layers both would lie at the same end, and the last one lies above the first instead.
    """
    odd = len(words) % 2 == 1
    depth = max(one + other for one, other in pairwise([*words, words[0]]))
    if odd:
        depth = max(depth, words[0] + words[-1] + words[-2])
    bases = [0 if index % 2 == 0 else depth - count for index, count in enumerate(words)]
    if odd:
        bases[-1] = words[0]
    return bases


def array_cost(specs: Sequence[ConvSpec], array: SharedArray) -> tuple[int, int]:
    """Cycles of a frame through all layers, roughly; then what the array takes."""
    folded = [fold(spec, array) for spec in specs]
    gap = BETWEEN_LAYERS + array.pixels * array.drain
    return sum(item.compute_cycles for item in folded) + gap * len(folded), folded[0].area


def _beat_bytes(array: SharedArray) -> int:
    """The beat that brings most bytes a cycle, with the results between layers in it; then the narrowest."""
    choices = range(array.requantisers, max(MOST_BEAT_BYTES, array.requantisers) + 1, array.requantisers)
    return max(choices, key=lambda item: (min(4, gcd(item, array.word_channels)), -item))


def _check_layers(layers: Sequence[Layer]) -> None:
    if len(layers) < 2:
        raise SpecError("program", "layers", len(layers), "at least two")
    for layer in layers:
        spec = layer.spec
        if spec.requantisation not in ("tflite", "shift"):
            raise UnsupportedError(spec.name, "requantisation", spec.requantisation, "tflite or shift in a program")
        for field in ("transposed", "streaming"):
            if getattr(spec, field):
                raise UnsupportedError(spec.name, field, True, "false in a program")
        for field, value in (("input_dtype", spec.input_dtype), ("output_dtype", spec.output_dtype)):
            if value != "int8":
                raise UnsupportedError(spec.name, field, value, "int8 in a program")
    for before, after in pairwise(layers):
        if after.spec.input_elements != before.spec.output_elements:
            expected = f"as many elements as {before.spec.output_shape}, which {before.spec.name} computes"
            raise SpecError(after.spec.name, "input shape", after.spec.input_shape, expected)


def _check_array(specs: Sequence[ConvSpec], array: SharedArray) -> None:
    for spec in specs:
        laid = _laid(spec, array.word_channels)
        if laid is None:
            fits = f"a divisor or a multiple of {spec.group_in_channels}, the input channels of a group"
            expected = f"{fits}, and a divisor of all {spec.in_channels}"
            raise UnsupportedError(spec.name, "word_channels", array.word_channels, expected)
        if laid.word_groups > 1 and laid.outputs > array.columns:
            expected = f"at least {laid.outputs}, the channels that the {laid.word_groups} groups of a word give"
            raise UnsupportedError(spec.name, "columns", array.columns, expected)
        if laid.outputs % array.requantisers:
            divides = f"a divisor of {laid.outputs}, the output channels of the groups of a word"
            raise UnsupportedError(spec.name, "requantisers", array.requantisers, divides)
    name = specs[0].name
    if array.columns % array.requantisers:
        raise UnsupportedError(name, "requantisers", array.requantisers, f"a divisor of {array.columns} columns")
    if array.pixels % array.ports or array.ports > MOST_PORTS:
        raise UnsupportedError(name, "ports", array.ports, f"a divisor of {array.pixels} pixels, at most {MOST_PORTS}")
    if array.drain < 2 and array.pixels not in (1, array.ports):
        raise UnsupportedError(name, "requantisers", array.requantisers, "fewer than columns, or a port for each pixel")
