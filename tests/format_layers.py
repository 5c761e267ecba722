"""Random layers of every number format beside int8, with values that are hostile on purpose, and plans for them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from random_engines import hostile_frames, hostile_values, random_spec

from hwconv.errors import HwconvError
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.array import Folding, foldings
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.formats import paired_format
from hwconv.spec import ConvSpec, dtype_range, storage_dtype

MOST_WORK = 20_000
"""Cycles of a frame times products of the array, which is what simulating it costs."""
MOST_CYCLES = 2_500

_UINT8 = {"input_dtype": "uint8", "weight_dtype": "uint8", "output_dtype": "uint8"}
_INT16 = {"input_dtype": "int16", "output_dtype": "int16"}
_RAW = {"requantisation": "none", "output_dtype": "int32"}
FORMATS: dict[str, dict[str, Any]] = {
    "uint8_tflite": {**_UINT8, "requantisation": "tflite"},
    "uint8_onnx": {**_UINT8, "requantisation": "onnx"},
    "uint8_raw": {**_UINT8, **_RAW},
    "uint8_by_int8": {"input_dtype": "uint8", "output_dtype": "uint8", "requantisation": "onnx"},
    "int8_onnx": {"requantisation": "onnx"},
    "int8_zero_point": {"requantisation": "tflite"},
    "int16_tflite": {**_INT16, "requantisation": "tflite"},
    "int16_tflite16": {**_INT16, "requantisation": "tflite16"},
    "int16_shift": {**_INT16, "requantisation": "shift"},
    "int16_raw": {"input_dtype": "int16", **_RAW},
    "int16_to_int8": {"input_dtype": "int16", "requantisation": "tflite"},
    "int8_to_int16": {"output_dtype": "int16", "requantisation": "tflite"},
    "int4_weights": {"weight_dtype": "int4", "requantisation": "tflite"},
    "int4_raw": {"weight_dtype": "int4", **_RAW},
    "int2_weights": {"weight_dtype": "int2", "requantisation": "shift"},
    "int5_weights": {"weight_dtype": "int5", "requantisation": "tflite"},
    "int4_by_uint8": {"weight_dtype": "int4", "input_dtype": "uint8", "requantisation": "onnx"},
    "int4_by_int16": {"weight_dtype": "int4", **_INT16, "requantisation": "tflite16"},
}
"""Name to the fields of a specification that make the format."""
WEIGHTS_WITH_ZERO_POINT = ("int8_zero_point", "int4_by_uint8")
KINDS = ("dense", "grouped", "depthwise", "depthwise_multiplier", "line", "fully_connected")


@dataclass(frozen=True, kw_only=True)
class FormatEngine:
    """A plan for a random layer of a format, and frames for it."""

    plan: EnginePlan
    frames: np.ndarray


def format_engine(random: np.random.Generator, name: str, kind: str) -> FormatEngine:
    """Draws until a layer and a folding are legal together and small enough to simulate."""
    while True:
        try:
            layer = format_layer(random, format_spec(random, name, kind))
            folding = some_folding(random, layer)
            if folding is None:
                continue
            plan = make_plan(layer, multipliers=48, folding=folding, **some_beats(random, layer))
        except HwconvError:
            continue
        return FormatEngine(plan=plan, frames=hostile_frames(random, layer.spec, 4))


def format_spec(random: np.random.Generator, name: str, kind: str) -> ConvSpec:
    """A specification of a kind with the formats of a name; raises SpecError where its numbers do not go together."""
    fields = FORMATS[name]
    drawn = random_spec(random, kind)
    formats = replace(
        ConvSpec(height=1, width=1, in_channels=1, out_channels=1, kernel=(1, 1), **fields), name=f"{name}_{kind}"
    )
    zero_points = {
        "input_zero_point": some_of(random, formats.input_dtype),
        "output_zero_point": 0 if formats.requantisation == "none" else some_of(random, formats.output_dtype),
        "weight_zero_point": 0,
    }
    if formats.weight_dtype == "uint8" or name in WEIGHTS_WITH_ZERO_POINT:
        zero_points["weight_zero_point"] = some_of(random, formats.weight_dtype)
    clamp = {"activation_min": formats.activation_min, "activation_max": formats.activation_max}
    if formats.requantisation != "none" and random.random() < 0.3:
        low, high = sorted(some_of(random, formats.output_dtype) for _ in range(2))
        clamp = {"activation_min": low, "activation_max": high}
    return replace(drawn, name=formats.name, **{**fields, **zero_points, **clamp})


def some_of(random: np.random.Generator, dtype: str) -> int:
    """A number of a type, often an end of it."""
    low, high = dtype_range(dtype)
    return int(random.choice([low, high, 0, int(random.integers(low, high + 1))]))


def format_layer(random: np.random.Generator, spec: ConvSpec) -> Layer:
    """Weights, biases and scales for a specification; outputs mostly use their range."""
    weights = hostile_values(random, spec.weight_shape, spec.weight_dtype)
    if spec.weight_dtype == "int5" and random.random() < 0.7:
        weights = np.maximum(weights, -15)  # two of them share a multiplier
    terms = spec.taps * spec.group_in_channels
    x, w = (np.ptp(dtype_range(item)) / 4 for item in (spec.input_dtype, spec.weight_dtype))
    spread = x * w * np.sqrt(terms)
    bias = random.integers(-int(spread) - 1, int(spread) + 2, spec.out_channels)
    constants: dict[str, np.ndarray] = {}
    scale = (
        np.ptp(dtype_range(spec.output_dtype))
        / 4
        / spread
        * 2.0 ** (random.uniform(-3, 3) + random.uniform(-1, 1, spec.out_channels))
    )
    if spec.requantisation == "onnx":
        # A power of two makes ties, which no straight line rounds to even.
        exact = random.random() < 0.3
        constants["scale"] = (2.0 ** np.rint(np.log2(scale)) if exact else scale).astype(np.float32)
    elif spec.requantisation in ("tflite", "tflite16"):
        constants["shift"] = np.ceil(np.log2(scale)).astype(int)
        constants["multiplier"] = random.integers(1 << 30, 1 << 31, spec.out_channels)
    elif spec.requantisation == "shift":
        constants["shift"] = np.minimum(np.rint(np.log2(scale)).astype(int), 0)
    return Layer(spec, LayerParameters(weights=weights, bias=bias, **constants), origin="random")


def some_folding(random: np.random.Generator, layer: Layer) -> Folding | None:
    """Any folding that is small enough; one of packed columns where there are any."""
    spec, packable = layer.spec, paired_format(layer) is not None
    known = foldings(spec, int(random.choice([4, 9, 16, 24])), packable=packable)
    possible = [
        item
        for item in known
        if item.compute_cycles <= MOST_CYCLES
        and item.compute_cycles * (item.products + 8) <= MOST_WORK
        and spec.input_bytes <= MOST_CYCLES
    ]
    packed = [item for item in possible if item.packed]
    possible = packed or possible
    return possible[int(random.integers(len(possible)))] if possible else None


def some_beats(random: np.random.Generator, layer: Layer) -> dict[str, int]:
    """Any width of the input beat in whole values, or the plan's own."""
    value_bytes = np.dtype(storage_dtype(layer.spec.input_dtype)).itemsize
    return {} if random.random() < 0.4 else {"input_beat_bytes": value_bytes * int(random.integers(1, 12))}
