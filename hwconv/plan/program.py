"""The plan of engines that run several layers, one after the other: on one array, or on two in turns."""

from collections.abc import Sequence
from dataclasses import replace

from ..errors import SpecError
from ..layer import Layer
from ..spec import ConvSpec
from .engine_plan import DEFAULT_MULTIPLIERS, EnginePlan, lut_elements
from .loop import make_loop
from .loop_array import LoopArray, loop_arrays, loop_cost
from .requantise import RequantiserPlan
from .shared_array import SharedArray, array_cost, check_array, fold, program_beat, shared_arrays
from .shared_engine import Streams, check_layers, shared_engine

Units = tuple[tuple[int, RequantiserPlan], ...]
"""Bits of the accumulators and a requantiser, of each engine."""


def make_program(
    layers: Sequence[Layer],
    *,
    name: str = "program",
    multipliers: int | None = None,
    lut_multipliers: int = 0,
    array: SharedArray | LoopArray | None = None,
    beat_bytes: int | None = None,
    units: Units | None = None,
) -> EnginePlan:
    """Plans one engine for several layers, each of which reads what the one before computed, in any shape that has as
    many elements; or two engines, where a depthwise layer and a dense one follow each other again and again.

    The array is a dense one. Groups that are narrower than an activation word, those of a depthwise layer first of all,
    lie side by side in it: each column multiplies in the steps of its own group, and weights are stored once. Layers
    that follow each other have different frame buffers, others may share one. While the last layer is computed, the
    next frame comes in. Two engines: see :mod:`~hwconv.plan.loop`.

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
        An array chosen by hand (see :func:`shared_arrays`), or a pair of them (:func:`loop_arrays`).
    units:
        Bits of the accumulators and a requantiser that stand for those of the layers, for each engine, where a plan is
        only looked at (:func:`~hwconv.plan.shared_engine.shared_unit`).
    beat_bytes:
        Bytes of a beat of both streams, which the results between layers take as well; a multiple of the requantisers.

    Raises
    ------
    SpecError
        Layers that do not fit each other, or a number out of range.
    UnsupportedError
        A layer that the engine cannot run beside the others: names the layer and the field.
    """
    check_layers(layers)
    asked = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    specs = tuple(layer.spec for layer in layers)
    if not 1 <= asked <= 4096:
        raise SpecError(name, "multipliers", asked, "from 1 to 4096")
    if array is None:
        every: list[SharedArray | LoopArray] = [*shared_arrays(specs, asked), *loop_arrays(specs, asked)]
        array = min(every, key=lambda each: cost_of(specs, each))
    if isinstance(array, LoopArray):
        return make_loop(
            layers, array, name=name, asked=asked, lut_multipliers=lut_multipliers, beat_bytes=beat_bytes, units=units
        )
    check_array(specs, array)
    beat = program_beat(array) if beat_bytes is None else beat_bytes
    if not 1 <= beat <= 128 or beat % array.requantisers:
        raise SpecError(name, "beat_bytes", beat, f"from 1 to 128, a multiple of {array.requantisers} requantisers")
    folded = [fold(spec, array) for spec in specs]
    config = shared_engine(name, layers, folded, Streams(input=beat, output=beat), None if units is None else units[0])
    config = replace(config, lut_elements=lut_elements(name, folded[0].multipliers, asked, lut_multipliers))
    return EnginePlan(layers=tuple(layers), folding=folded[0], config=config, asked=asked)


def cost_of(specs: Sequence[ConvSpec], array: SharedArray | LoopArray) -> tuple[int, int]:
    """Cycles of a frame through all layers, roughly; then what the array or the arrays take."""
    return loop_cost(specs, array) if isinstance(array, LoopArray) else array_cost(tuple(specs), array)
