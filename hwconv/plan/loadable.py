"""Engines whose weights are not known when they are made: widths from the types, and layers that fit them.

A loadable engine is a function of the specification without its name, zero points and clamp: those, the weights and
each channel's requantisation are loaded. Its accumulators hold the sums of any weights of the type, and its
requantisers are the exact unit (kind ``wide``) with the widest fields that a :class:`~hwconv.layer.Layer` may need, so
that whatever the golden model computes fits. A narrow unit would not do: that it has a solution is known for given
channels only.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import SpecError, UnsupportedError, one_of
from ..layer import SHIFT_RANGE, Layer, LayerParameters
from ..spec import WEIGHT_DTYPES, ConvSpec, dtype_range
from .narrow import NOT_PROVEN, Channel
from .phases import phase_layers
from .requantise import layer_channel, prove
from .requantiser_config import SIGNED_FIELDS, WIDE_OPERAND, RequantiserPlan
from .requantiser_model import pack
from .staircase import trace

if TYPE_CHECKING:
    from .engine_plan import EnginePlan

MODES = ("tflite", "shift", "none")
LOADED_FIELDS = ("name", "input_zero_point", "output_zero_point", "activation_min", "activation_max")
"""Fields of a specification in which a layer may differ from the engine: all but the name come with the weights."""
LARGEST_MULTIPLIER = (1 << 31) - 1


def unloaded(spec: ConvSpec) -> Layer:
    """A layer of zeros, for an engine of which nothing but the specification is known."""
    zeros = np.zeros(spec.out_channels, np.int32)
    parameters = LayerParameters(
        weights=np.zeros(spec.weight_shape, np.int8), multiplier=zeros, shift=zeros, scale=zeros.astype(np.float32)
    )
    return Layer(spec, parameters, origin="no weights")


def type_accumulator(spec: ConvSpec) -> tuple[int, int]:
    """Smallest and largest ``sum(x * w)`` over all inputs and weights of the types, in any phase."""
    inputs, weights = dtype_range(spec.input_dtype), dtype_range(spec.weight_dtype)
    rows, columns = (max(len(taps) for taps in spec.phase_taps(axis)) for axis in (0, 1))
    products = [x * w for x in inputs for w in weights]
    terms = rows * columns * spec.group_in_channels
    return terms * min(products), terms * max(products)


def loadable_requantiser(spec: ConvSpec, accumulator_width: int) -> RequantiserPlan:
    """The requantiser that serves any layer of the types and the mode: without entries.

    Raises
    ------
    UnsupportedError
        A mode for which there is no such unit.
    """
    mode = spec.requantisation
    if mode not in MODES:
        raise UnsupportedError(spec.name, "requantisation", mode, f"{', '.join(MODES)} where weights are loaded")
    low, high = dtype_range(spec.output_dtype)
    shifts = {"left": SHIFT_RANGE[1].bit_length(), "right": (-SHIFT_RANGE[0]).bit_length()}
    widths = {
        "none": {"bias": WIDE_OPERAND},
        "shift": {"bias": WIDE_OPERAND, "multiplier": WIDE_OPERAND, "left": shifts["left"]},
        "tflite": {"bias": WIDE_OPERAND, "multiplier": WIDE_OPERAND, **shifts},
    }[mode]
    raw = mode == "none"
    return RequantiserPlan(
        kind="none" if raw else "wide",
        style="block",
        accumulator_width=accumulator_width,
        output_width=32 if raw else 8,
        out_min=low,
        out_max=high,
        fields=tuple(widths.items()),
        entries=(),
        proof=NOT_PROVEN,
        entry_clamp=not raw,
        shared=() if raw else (("zero_point", 10), ("minimum", 10), ("maximum", 10)),
    )


def check_loadable(spec: ConvSpec) -> None:
    """Refuses a number format that loadable engines do not have, by the name of the field.

    Raises
    ------
    UnsupportedError
    """
    for field, supported in (
        ("input_dtype", ("int8", "int4")),
        ("weight_dtype", tuple(name for name in WEIGHT_DTYPES if name != "uint8")),
        ("output_dtype", ("int8", "int32")),
        ("requantisation", MODES),
    ):
        if getattr(spec, field) not in supported:
            expected = f"{one_of(supported)} where weights are loaded"
            raise UnsupportedError(spec.name, field, getattr(spec, field), expected)
    if spec.weight_zero_point:
        expected = "0 where weights are loaded"
        raise UnsupportedError(spec.name, "weight_zero_point", spec.weight_zero_point, expected)


def check_fits(engine: ConvSpec, spec: ConvSpec) -> None:
    """Refuses a layer of another shape, other attributes or other types than those of a loadable engine.

    Weights may be of a narrower type.

    Raises
    ------
    SpecError
        Names the first field that differs.
    """
    wanted, given = engine.to_dict(), spec.to_dict()
    for field, value in wanted.items():
        if field in LOADED_FIELDS or given[field] == value:
            continue
        if field == "weight_dtype":
            (low, high), (least, most) = dtype_range(engine.weight_dtype), dtype_range(spec.weight_dtype)
            if low <= least and most <= high:
                continue
        raise SpecError(spec.name, field, given[field], f"{value!r}, as in the engine {engine.name}")


def fill(unit: RequantiserPlan, layer: Layer) -> RequantiserPlan:
    """A loadable requantiser with the entries of a layer's channels, proven against the layer's definition.

    Raises
    ------
    UnsupportedError
        A channel that does not fit the unit: names the channel and the field.
    """
    channels, rows = [], []
    for _, _, part in phase_layers(layer):
        lows, highs = part.raw_accumulator_range()
        for index in range(part.spec.out_channels):
            channel = layer_channel(part, index, int(lows[index]), int(highs[index]))
            _check_number(channel.name, "accumulator", channel.low, unit.accumulator_width)
            _check_number(channel.name, "accumulator", channel.high, unit.accumulator_width)
            channels.append(channel)
            rows.append(_row(channel, layer, index))
    entries = []
    for channel, row in zip(channels, rows, strict=True):
        for name, width in unit.fields:
            _check_number(channel.name, name, row[name], width, signed=name in SIGNED_FIELDS)
        entries.append(pack(unit.fields, row))
    spec = layer.spec
    filled = replace(
        unit,
        entries=tuple(entries),
        out_min=spec.activation_min,
        out_max=spec.activation_max,
        output_zero_point=spec.output_zero_point,
    )
    stairs = None
    if unit.kind != "none":
        stairs = [trace(item.definition, item.low, item.high, item.out_min, item.out_max) for item in channels]
    return replace(filled, proof=prove(filled, channels, stairs))


def _row(channel: Channel, layer: Layer, index: int) -> Mapping[str, int]:
    """The fields of a channel's entry."""
    parameters, row = layer.parameters, {"bias": -channel.zero}
    if layer.spec.requantisation == "none":
        return row
    assert parameters.shift is not None  # both other modes have it
    shift = int(parameters.shift[index])
    row["left"] = max(shift, 0)
    if layer.spec.requantisation == "tflite":
        assert parameters.multiplier is not None
        return row | {"multiplier": int(parameters.multiplier[index]), "right": max(-shift, 0)}
    # The doubling high multiply rounds halves upwards, so that a shift is a power of two. Without one the multiplier
    # is one less than that: what it lacks is below half a unit, or far beyond the clamp.
    return row | {"multiplier": min(1 << 31 + min(shift, 0), LARGEST_MULTIPLIER)}


def _check_number(channel: str, field: str, value: int, width: int, *, signed: bool = True) -> None:
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
    if not low <= value <= high:
        raise UnsupportedError(channel, field, value, f"{low} to {high}, {width} bits in this engine")


def engine_for(plan: "EnginePlan", layer: Layer) -> "EnginePlan":
    """The same loadable engine with the weights of another layer.

    Raises
    ------
    SpecError, UnsupportedError
        The engine's weights are not loaded, or the layer does not fit.
    """
    if not plan.loadable:
        raise SpecError(plan.spec.name, "loadable", False, "true, to take the weights of another layer")
    check_fits(plan.spec, layer.spec)
    filled = replace(plan, layers=(layer,))
    assert filled.requantiser.entries  # refuses what does not fit
    return filled
