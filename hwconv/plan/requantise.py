"""Chooses and proves the requantiser of one layer, or of several that share an engine.

The narrow unit replaces the mode's definition by ``clamp((multiplier * a + offset) >> shift)`` with far fewer bits, the
offset being one of two: rounding away from zero is not a straight line. Its integers are searched for each channel
(:mod:`hwconv.plan.narrow`) and then proven: each of its halves is monotone, so that it equals the definition
everywhere if it does so on both sides of every threshold, at both ends of the accumulator's range and on both sides of
the accumulator where the offset changes. A plan whose proof fails is never returned.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import UnsupportedError
from ..golden.requantise import requantise_channel
from ..layer import Layer
from .narrow import MULTIPLIER_LIMIT, NOT_PROVEN, Channel, cost, narrow_plans, signed_width
from .requantiser_config import WIDE_OPERAND, RequantiserPlan, RequantiserProof
from .requantiser_model import evaluate, pack, turning_points
from .staircase import Int64, Staircase, trace

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
        Smallest and largest raw accumulator ``sum(x * (w - zw))`` of each channel, ``(O,)`` each, for each layer;
        default: :meth:`~hwconv.layer.Layer.raw_accumulator_range`.
    style:
        ``block`` or ``logic``: where a narrow unit's products are made.

    Raises
    ------
    UnsupportedError
        An output type or mode that there is no hardware for, or a channel that no unit can compute.
    """
    chosen = [layers] if isinstance(layers, Layer) else list(layers)
    known = [layer.raw_accumulator_range() for layer in chosen] if ranges is None else ranges
    channels = []
    for layer, (lows, highs) in zip(chosen, known, strict=True):
        spec = layer.spec
        if spec.requantisation == "tflite16":
            raise UnsupportedError(spec.name, "requantisation", "tflite16", "tflite, onnx, shift or none in hardware")
        if spec.output_dtype == "int16":
            raise UnsupportedError(spec.name, "output_dtype", "int16", "int8, uint8 or int32 in hardware")
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
        return _plan_none(channels, width)
    return plan_channels(channels, width, style)


def layer_channel(layer: Layer, index: int, low: int, high: int) -> Channel:
    """What a requantiser must compute for one channel of a layer, whose raw accumulators are `low` to `high`.

    Raises
    ------
    UnsupportedError
        Accumulators with their bias that leave int32.
    """
    spec, parameters = layer.spec, layer.parameters
    beta = int(parameters.biases[index]) - spec.input_zero_point * int(
        layer.effective_weights[index].sum(dtype=np.int64)
    )
    name = f"{spec.name}, channel {index}"
    if low + beta < -(1 << 31) or high + beta >= 1 << 31:
        raise UnsupportedError(name, "accumulator range", (low + beta, high + beta), "int32")
    exact = None
    if spec.requantisation == "tflite":
        assert parameters.multiplier is not None  # a layer of this mode has both
        assert parameters.shift is not None
        exact = int(parameters.multiplier[index]), int(parameters.shift[index]), spec.output_zero_point

    def definition(raw: Int64) -> Int64:
        return requantise_channel(spec, parameters, index, raw + beta).astype(np.int64)

    return Channel(
        name=name, definition=definition, low=low, high=high, zero=-beta,
        out_min=spec.activation_min, out_max=spec.activation_max, exact=exact,
    )  # fmt: skip


def plan_channels(channels: Sequence[Channel], accumulator_width: int, style: str = "block") -> RequantiserPlan:
    """Plans a narrow unit for any monotone definitions; the exact one where none exists and all are TensorFlow Lite's.

    Raises
    ------
    UnsupportedError
        There is no narrow unit, and a channel has no exact scheme: names the channel.
    """
    if style not in ("block", "logic"):
        raise ValueError(f"Expected style 'block' or 'logic', not {style!r}")
    stairs = [trace(item.definition, item.low, item.high, item.out_min, item.out_max) for item in channels]
    plans = narrow_plans(channels, stairs, accumulator_width, style)
    plan = min(plans, key=cost) if plans else _plan_wide(channels, accumulator_width)
    return replace(plan, proof=prove(plan, channels, stairs))


def _plan_wide(channels: Sequence[Channel], accumulator_width: int) -> RequantiserPlan:
    for channel in channels:
        if channel.exact is None:
            what = (
                f"its staircase is a straight line with a multiplier of {MULTIPLIER_LIMIT} bits, or the mode is tflite"
            )
            raise UnsupportedError(channel.name, "requantisation", "no narrow unit", what)
    exact = [channel.exact for channel in channels if channel.exact is not None]
    common = len({(zero, c.out_min, c.out_max) for c, (_, _, zero) in zip(channels, exact, strict=True)}) == 1
    rows = [
        {
            "bias": -channel.zero,
            "multiplier": multiplier,
            "left": max(shift, 0),
            "right": max(-shift, 0),
            "zero_point": zero_point,
            "minimum": channel.out_min,
            "maximum": channel.out_max,
        }
        for channel, (multiplier, shift, zero_point) in zip(channels, exact, strict=True)
    ]
    widths = {
        "bias": signed_width(row["bias"] for row in rows),
        "multiplier": WIDE_OPERAND,
        "left": max(row["left"] for row in rows).bit_length(),
        "right": max(row["right"] for row in rows).bit_length(),
        **({} if common else {"zero_point": 10, "minimum": 8, "maximum": 8}),
    }
    fields = tuple((name, width) for name, width in widths.items() if width)
    return RequantiserPlan(
        kind="wide",
        style="block",
        accumulator_width=accumulator_width,
        output_width=8,
        out_min=min(channel.out_min for channel in channels),
        out_max=max(channel.out_max for channel in channels),
        fields=fields,
        entries=tuple(pack(fields, row) for row in rows),
        proof=NOT_PROVEN,
        entry_clamp=not common,
        output_zero_point=exact[0][2] if common else 0,
    )


def _plan_none(channels: Sequence[Channel], accumulator_width: int) -> RequantiserPlan:
    fields = (("bias", signed_width(-channel.zero for channel in channels)),)
    plan = RequantiserPlan(
        kind="none",
        style="block",
        accumulator_width=accumulator_width,
        output_width=32,
        out_min=-(1 << 31),
        out_max=(1 << 31) - 1,
        fields=fields,
        entries=tuple(pack(fields, {"bias": -channel.zero}) for channel in channels),
        proof=NOT_PROVEN,
    )
    return replace(plan, proof=prove(plan, channels, None))


def prove(plan: RequantiserPlan, channels: Sequence[Channel], stairs: Sequence[Staircase] | None) -> RequantiserProof:
    """Compares the plan's entries with the definitions wherever a difference would have to begin.

    Raises
    ------
    RuntimeError
        A difference: a mistake in this module.
    """
    compared = steps = 0
    for index, (entry, channel) in enumerate(zip(plan.entries, channels, strict=True)):
        edges = [channel.low, channel.high, channel.zero, channel.zero + 1, *turning_points(plan, entry)]
        points = np.clip(np.array(edges, np.int64), channel.low, channel.high)
        if stairs is not None:
            points = np.concatenate([points, stairs[index].points, stairs[index].points - 1])
            steps += len(stairs[index].points)
        points = np.unique(points)
        if not np.array_equal(evaluate(plan, entry, points), channel.definition(points)):
            raise RuntimeError(f"{channel.name}: the planned requantiser differs from its definition")
        compared += len(points)
    return RequantiserProof(channels=len(channels), thresholds=steps, points=compared)
