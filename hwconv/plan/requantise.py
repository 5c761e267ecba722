"""Chooses and proves the requantiser of one layer, or of several that share an engine.

The narrow unit replaces the mode's definition by ``clamp((multiplier * a + offset) >> shift)`` with far fewer bits, the
offset being one of two: rounding away from zero is not a straight line. Its integers are searched for each channel
(:mod:`hwconv.plan.narrow`) and then proven: each of its halves is monotone, so that it equals the definition
everywhere if it does so on both sides of every threshold, at both ends of the accumulator's range and on both sides of
the accumulator where the offset changes. A plan whose proof fails is never returned.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import UnsupportedError
from ..golden.requantise import reduced_multiplier, requantise_channel
from ..layer import ACCUMULATOR_16, INT32, Layer
from ..spec import dtype_bits
from .exact_requantisers import plan_exact, plan_none
from .formats import array_sum_range, array_zero_point
from .narrow import Channel, cost, narrow_plans
from .requantiser_config import RequantiserPlan, RequantiserProof
from .requantiser_model import evaluate, turning_points
from .staircase import Int64, Staircase, some_steps, trace

MOST_LEFT = 15
"""Longest left shift that the unit of one product takes as a factor."""
SOME_STEPS = 256
"""Thresholds at which a unit of 16-bit outputs, which has up to 65,535, is compared with its definition."""

__all__ = ["Channel", "RequantiserPlan", "RequantiserProof", "evaluate", "plan_channels", "plan_requantisers", "prove"]


def plan_requantisers(
    layers: Layer | Sequence[Layer],
    accumulator_width: int | None = None,
    ranges: Sequence[tuple[Int64, Int64]] | None = None,
    style: str = "block",
) -> RequantiserPlan:
    """Plans one requantiser for all channels of the layers, with one entry a channel in their order.

    Parameters
    ----------
    layers:
        Layers that the unit serves one after the other.
    accumulator_width:
        Bits of the accumulators that arrive; default: what the ranges need.
    ranges:
        Smallest and largest sum of the array of each channel, ``(O,)`` each, for each layer;
        default: :func:`~hwconv.plan.formats.array_sum_range`.
    style:
        ``block`` or ``logic``: where a narrow unit's products are made.

    Raises
    ------
    UnsupportedError
        An output type or mode that there is no hardware for, or a channel that no unit can compute.
    """
    chosen = [layers] if isinstance(layers, Layer) else list(layers)
    known = [array_sum_range(layer) for layer in chosen] if ranges is None else ranges
    channels = []
    for layer, (lows, highs) in zip(chosen, known, strict=True):
        spec = layer.spec
        if spec.output_dtype != chosen[0].spec.output_dtype:
            raise UnsupportedError(
                spec.name,
                "output_dtype",
                spec.output_dtype,
                f"{chosen[0].spec.output_dtype} in all layers of an engine",
            )
        channels += [
            layer_channel(layer, index, int(lows[index]), int(highs[index])) for index in range(spec.out_channels)
        ]
    needed = max(max((-channel.low - 1).bit_length(), channel.high.bit_length()) + 1 for channel in channels)
    width = needed if accumulator_width is None else accumulator_width
    if needed > width:
        raise ValueError(f"Expected accumulator_width of at least {needed}, not {width}")
    if chosen[0].spec.requantisation == "none":
        plan = plan_none(channels, width)
        return replace(plan, proof=prove(plan, channels, None))
    return plan_channels(channels, width, style, dtype_bits(chosen[0].spec.output_dtype))


@lru_cache(maxsize=1 << 14)
def layer_channel(layer: Layer, index: int, low: int, high: int) -> Channel:
    """What a requantiser must compute for one channel of a layer, whose raw accumulators are `low` to `high`.

    Raises
    ------
    UnsupportedError
        Accumulators with their bias that leave int32.
    """
    spec, parameters = layer.spec, layer.parameters
    beta = int(parameters.biases[index]) - array_zero_point(spec) * int(
        layer.effective_weights[index].sum(dtype=np.int64)
    )
    name = f"{spec.name}, channel {index}"
    limits = ACCUMULATOR_16 if spec.requantisation == "tflite16" else INT32
    # The sums of an int16 layer with a 32-bit bias fit in 32 bits for any data that its definition covers. The unit
    # saturates those of other data.
    saturates = spec.requantisation == "tflite" and spec.input_dtype == "int16"
    if not saturates and (low + beta < limits[0] or high + beta > limits[1]):
        raise UnsupportedError(name, "accumulator range", (low + beta, high + beta), f"{limits[0]} to {limits[1]}")

    def definition(raw: Int64) -> Int64:
        accumulators = np.clip(raw + beta, *limits)
        return requantise_channel(spec, parameters, index, accumulators).astype(np.int64)

    return Channel(
        name=name, definition=definition, low=low, high=high, zero=-beta,
        out_min=spec.activation_min, out_max=spec.activation_max, **_scheme(layer, index),
    )  # fmt: skip


def _scheme(layer: Layer, index: int) -> dict[str, Any]:
    """The numbers of a channel's mode, as its exact unit takes them."""
    spec, parameters = layer.spec, layer.parameters
    zero_point = spec.output_zero_point
    if spec.requantisation == "onnx":
        assert parameters.scale is not None  # a layer of this mode has one
        return {"scale": (float(parameters.scale[index]), zero_point)}
    if spec.requantisation == "none":
        return {}
    assert parameters.shift is not None
    shift = int(parameters.shift[index])
    if spec.requantisation == "shift":
        # a rounding needs a bit to round, so that the factor is doubled where nothing is shifted out
        factor = 1 if shift < 0 else 2 << shift
        return {"single": (factor, max(-shift, 1), zero_point)} if shift <= MOST_LEFT else {}
    assert parameters.multiplier is not None
    multiplier = parameters.multiplier[index]
    if spec.requantisation == "tflite16":
        return {"single": (int(reduced_multiplier(multiplier)), 15 - shift, zero_point)}
    return {"exact": (int(multiplier), shift, zero_point)}


@lru_cache(maxsize=1 << 14)
def _staircase(channel: Channel) -> Staircase:
    """The steps of a channel: a layer may be looked at with others beside it, again and again."""
    return trace(channel.definition, channel.low, channel.high, channel.out_min, channel.out_max, channel.line)


def plan_channels(
    channels: Sequence[Channel], accumulator_width: int, style: str = "block", output_width: int = 8
) -> RequantiserPlan:
    """Plans a narrow unit for any monotone definitions of 8-bit outputs; else, the exact one of the channels' scheme.

    Raises
    ------
    UnsupportedError
        There is no narrow unit, and a channel has no exact scheme: names the channel.
    """
    if style not in ("block", "logic"):
        raise ValueError(f"Expected style 'block' or 'logic', not {style!r}")
    if output_width != 8:
        plan = plan_exact(channels, accumulator_width, output_width)
        return replace(plan, proof=prove(plan, channels, None))
    stairs = [_staircase(item) for item in channels]
    plans = narrow_plans(channels, stairs, accumulator_width, style)
    plan = min(plans, key=cost) if plans else plan_exact(channels, accumulator_width, output_width)
    return replace(plan, proof=prove(plan, channels, stairs))


def prove(plan: RequantiserPlan, channels: Sequence[Channel], stairs: Sequence[Staircase] | None) -> RequantiserProof:
    """Compares the plan's entries with the definitions wherever a difference would have to begin.

    Raises
    ------
    RuntimeError
        A difference: a mistake in this module.
    """
    compared = steps = 0
    for index, (entry, channel) in enumerate(zip(plan.entries, channels, strict=True)):
        if stairs is not None:
            thresholds = stairs[index].points
            points, outputs = _defined_around(channel, stairs[index])
        else:
            thresholds = _steps(plan, channel)
            points, outputs = _defined(channel, thresholds)
        turns = np.array(turning_points(plan, entry), np.int64)
        if len(turns):
            turns = np.setdiff1d(np.clip(turns, channel.low, channel.high), points)
            points, outputs = np.append(points, turns), np.append(outputs, channel.definition(turns))
        if not np.array_equal(evaluate(plan, entry, points), outputs):
            raise RuntimeError(f"{channel.name}: the planned requantiser differs from its definition")
        steps += len(thresholds)
        compared += len(points)
    return RequantiserProof(channels=len(channels), thresholds=steps, points=compared)


def _defined(channel: Channel, thresholds: Int64) -> tuple[Int64, Int64]:
    """The accumulators on both sides of thresholds, of the range's ends and of 0; and the outputs there."""
    edges = np.array([channel.low, channel.high, channel.zero, channel.zero + 1], np.int64)
    points = np.unique(np.clip(np.concatenate([edges, thresholds, thresholds - 1]), channel.low, channel.high))
    return points, channel.definition(points)


@lru_cache(maxsize=1 << 13)
def _defined_around(channel: Channel, stair: Staircase) -> tuple[Int64, Int64]:
    """The same of all steps: a channel's plans differ with what is beside it, its definition does not."""
    return _defined(channel, stair.points)


def _steps(plan: RequantiserPlan, channel: Channel) -> Int64:
    """Some thresholds of a channel whose outputs have too many to look at all."""
    if plan.kind == "none":
        return np.zeros(0, np.int64)
    return some_steps(channel.definition, channel.low, channel.high, SOME_STEPS)
