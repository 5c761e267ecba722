"""The plan of an engine that runs several layers, one after the other, on one array."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from ..errors import SpecError
from ..layer import Layer
from .array import Folding
from .config import EngineConfig, PassConfig
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
from .partition import check_shared
from .requantise import RequantiserPlan, plan_requantisers
from .shared_array import SharedArray, array_cost, check_array, fold, program_beat, shared_arrays

PROGRAM_CLUSTER = 8
"""Columns that share a hop register: every layer waits for the hops of the one before."""


def make_program(
    layers: Sequence[Layer],
    *,
    name: str = "program",
    multipliers: int | None = None,
    lut_multipliers: int = 0,
    array: SharedArray | None = None,
    beat_bytes: int | None = None,
    requantiser: tuple[int, RequantiserPlan] | None = None,
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
    requantiser:
        Bits of the accumulators and a unit that stand for those of the layers, where a plan is only looked at
        (:func:`shared_unit`).
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
        array = min(shared_arrays(specs, asked), key=lambda item: array_cost(tuple(specs), item))
    else:
        check_array(specs, array)
    beat = program_beat(array) if beat_bytes is None else beat_bytes
    if not 1 <= beat <= 128 or beat % array.requantisers:
        raise SpecError(name, "beat_bytes", beat, f"from 1 to 128, a multiple of {array.requantisers} requantisers")
    operands = shared_format(specs)
    width, unit = shared_unit(tuple(layers)) if requantiser is None else requantiser
    folded = [fold(spec, array) for spec in specs]
    config = EngineConfig(
        name=module_name(name),
        depthwise=False,
        pixels=array.pixels,
        columns=array.columns,
        ports=array.ports,
        word_channels=array.word_channels,
        cluster=cluster_columns(array.columns, operands, PROGRAM_CLUSTER),
        requantisers=array.requantisers,
        accumulator_width=width,
        input_beat_bytes=beat,
        output_beat_bytes=beat,
        ring_rows=sum(spec.height for spec in specs),
        row_margin=0,
        units=2,
        requantiser=unit,
        passes=_placed(layers, folded, array.drain),
        operands=operands,
        lut_elements=lut_elements(name, folded[0].multipliers, asked, lut_multipliers),
    )
    config = replace(config, units=units_needed(config))
    return EnginePlan(layers=tuple(layers), folding=folded[0], config=config, asked=asked)


@lru_cache(maxsize=64)
def shared_unit(layers: tuple[Layer, ...]) -> tuple[int, RequantiserPlan]:
    """Bits of the accumulators of all layers, and their requantiser: they are the same whatever the array."""
    bounds = [array_sum_range(layer) for layer in layers]
    width = max(signed_bits(int(low.min()), int(high.max())) for low, high in bounds)
    width = max(width, shared_format([layer.spec for layer in layers]).least_accumulator)
    return width, plan_requantisers(layers, width)


def _placed(layers: Sequence[Layer], folded: Sequence[Folding], drain: int) -> tuple[PassConfig, ...]:
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


def _check_layers(layers: Sequence[Layer]) -> None:
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
