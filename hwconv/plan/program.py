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
    """Plans one engine for several layers, each of which reads what the one before computed.

    The array is a dense one (a depthwise layer runs on it in words of one channel). Every layer has a frame buffer of
    its own for its input. While the last layer is computed, the next frame comes in. The cycles of a program are not
    predicted.

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
        array = min(shared_arrays(specs, asked), key=lambda item: _cost(specs, item))
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
    inputs = gcd(*(spec.group_in_channels for spec in specs))
    outputs = gcd(*(spec.group_out_channels for spec in specs))
    most_pixels = max(spec.out_height * spec.out_width for spec in specs)
    words = [item for item in divisors(inputs) if item <= MOST_WORD_BYTES]
    for columns in range(1, min(multipliers, max(spec.group_out_channels for spec in specs)) + 1):
        for pixels in range(1, min(multipliers // columns, most_pixels) + 1):
            for ports in divisors(pixels):
                for word in words if ports <= MOST_PORTS else ():
                    for requantisers in divisors(gcd(columns, outputs)):
                        drain = columns // requantisers
                        if drain >= 2 or pixels in (1, ports):
                            yield SharedArray(
                                pixels=pixels,
                                columns=columns,
                                ports=ports,
                                word_channels=word,
                                requantisers=requantisers,
                            )


def fold(spec: ConvSpec, array: SharedArray) -> Folding:
    """How a layer is laid on the array."""
    blocks, tiles = spec.group_in_channels // array.word_channels, ceil(spec.group_out_channels / array.columns)
    block_steps = max(array.word_channels, array.lanes)
    walked = walked_phases(spec, blocks)
    cycles = max(array.pixels * array.drain, ceil(MINIMUM_TILE_CYCLES / (len(walked[0]) * spec.groups * tiles)))
    strips, strip_pixels = strip_shape(spec)
    return Folding(
        depthwise=False,
        pixels=array.pixels,
        columns=array.columns,
        ports=array.ports,
        word_channels=array.word_channels,
        requantisers=array.requantisers,
        strips=strips,
        strip_tiles=ceil(strip_pixels / array.pixels),
        groups=spec.groups,
        tiles=tiles,
        group_outputs=spec.group_out_channels,
        active_steps=array.word_channels,
        block_steps=block_steps,
        blocks=blocks,
        phases=waiting(walked, block_steps, cycles, spec.groups * tiles),
        input_words=spec.input_elements // array.word_channels,
    )


def _placed(specs: Sequence[ConvSpec], folded: Sequence[Folding], drain: int) -> tuple[PassConfig, ...]:
    """The descriptors of all layers: buffers, weights and tables lie one after the other."""
    passes: list[PassConfig] = []
    activation_base = weight_base = table_base = 0
    for spec, folding in zip(specs, folded, strict=True):
        item = replace(
            pass_config(spec, folding),
            activation_base=activation_base,
            weight_base=weight_base,
            table_base=table_base,
        )
        passes.append(item)
        activation_base += item.height * item.row_words
        weight_base += item.weight_words
        table_base += item.table_words(drain)
    return tuple(passes)


def _cost(specs: Sequence[ConvSpec], array: SharedArray) -> tuple[int, int]:
    """Cycles of the array for a frame through all layers; then what the array takes."""
    folded = [fold(spec, array) for spec in specs]
    return sum(item.compute_cycles for item in folded), folded[0].area


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
        if after.spec.input_shape != before.spec.output_shape:
            expected = f"{before.spec.output_shape}, which {before.spec.name} computes"
            raise SpecError(after.spec.name, "input shape", after.spec.input_shape, expected)


def _check_array(specs: Sequence[ConvSpec], array: SharedArray) -> None:
    for spec in specs:
        if spec.group_in_channels % array.word_channels:
            divides = f"a divisor of {spec.group_in_channels}, the input channels of a group"
            raise UnsupportedError(spec.name, "word_channels", array.word_channels, divides)
        if spec.group_out_channels % array.requantisers:
            divides = f"a divisor of {spec.group_out_channels}, the output channels of a group"
            raise UnsupportedError(spec.name, "requantisers", array.requantisers, divides)
    name = specs[0].name
    if array.columns % array.requantisers:
        raise UnsupportedError(name, "requantisers", array.requantisers, f"a divisor of {array.columns} columns")
    if array.pixels % array.ports or array.ports > MOST_PORTS:
        raise UnsupportedError(name, "ports", array.ports, f"a divisor of {array.pixels} pixels, at most {MOST_PORTS}")
    if array.drain < 2 and array.pixels not in (1, array.ports):
        raise UnsupportedError(name, "requantisers", array.requantisers, "fewer than columns, or a port for each pixel")
