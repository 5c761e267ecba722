"""An engine whose layers share everything: the requantiser of all of them, and where each has its memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from ..errors import SpecError
from ..layer import Layer
from .array import Folding
from .config import EngineConfig, PassConfig
from .cycles import units_needed
from .engine_plan import cluster_columns, module_name, pass_config
from .formats import array_sum_range, shared_format, signed_bits
from .partition import check_shared
from .requantise import RequantiserPlan, plan_requantisers

PROGRAM_CLUSTER = 8
"""Columns that share a hop register: every layer waits for the hops of the one before."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Bytes of a beat of an engine's streams."""

    input: int
    output: int


def shared_engine(
    name: str,
    layers: Sequence[Layer],
    folded: Sequence[Folding],
    streams: Streams,
    unit: tuple[int, RequantiserPlan] | None,
    loop: Literal["", "entry", "exit", "residual"] = "",
) -> EngineConfig:
    """The numbers of an engine that runs layers one after the other, each laid on its array by one of `folded`."""
    specs, folding = [layer.spec for layer in layers], folded[0]
    operands = shared_format(specs)
    width, requantiser = shared_unit(tuple(layers)) if unit is None else unit
    config = EngineConfig(
        name=module_name(name),
        depthwise=folding.depthwise,
        pixels=folding.pixels,
        columns=folding.columns,
        ports=folding.ports,
        word_channels=folding.word_channels,
        cluster=folding.columns if folding.depthwise else cluster_columns(folding.columns, operands, PROGRAM_CLUSTER),
        requantisers=folding.requantisers,
        accumulator_width=width,
        input_beat_bytes=streams.input,
        output_beat_bytes=streams.output,
        ring_rows=sum(spec.height for spec in specs),
        row_margin=0,
        units=2,
        requantiser=requantiser,
        passes=_placed(tuple(layers), tuple(folded)),
        operands=operands,
        loop=loop,
        idle_results=-specs[-1].out_channels % folding.requantisers,
    )
    return replace(config, units=units_needed(config))


@lru_cache(maxsize=64)
def shared_unit(layers: tuple[Layer, ...]) -> tuple[int, RequantiserPlan]:
    """Bits of the accumulators of all layers, and their requantiser: they are the same whatever the array."""
    bounds = [array_sum_range(layer) for layer in layers]
    width = max(signed_bits(int(low.min()), int(high.max())) for low, high in bounds)
    width = max(width, shared_format([layer.spec for layer in layers]).least_accumulator)
    return width, plan_requantisers(layers, width)


@lru_cache(maxsize=256)
def _placed(layers: tuple[Layer, ...], folded: tuple[Folding, ...]) -> tuple[PassConfig, ...]:
    """The descriptors of all layers: weights and tables lie one after the other."""
    passes: list[PassConfig] = []
    weight_base = table_base = 0
    for layer, folding in zip(layers, folded, strict=True):
        item = replace(
            pass_config(layer.spec, folding),
            weight_base=weight_base,
            table_base=table_base,
            uniform=not layer.spec.transposed and bool((layer.effective_weights == 1).all()),
        )
        passes.append(item)
        weight_base += item.weight_words
        table_base += item.table_words(folding.columns // folding.requantisers)
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


def check_layers(layers: Sequence[Layer]) -> None:
    """Raises an error where layers cannot share an engine."""
    if len(layers) < 2:
        raise SpecError("program", "layers", len(layers), "at least two")
    for layer in layers:
        check_shared(layer.spec)
    for before, after in pairwise(layers):
        if after.spec.input_elements != before.spec.output_elements:
            expected = f"as many elements as {before.spec.output_shape}, which {before.spec.name} computes"
            raise SpecError(after.spec.name, "input shape", after.spec.input_shape, expected)
        if after.spec.input_dtype != before.spec.output_dtype:
            expected = f"{before.spec.output_dtype}, which {before.spec.name} computes"
            raise SpecError(after.spec.name, "input_dtype", after.spec.input_dtype, expected)
