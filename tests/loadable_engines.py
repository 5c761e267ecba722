"""Small engines whose weights are loaded, of every kind, and hostile layers for each."""

import functools
from typing import Any

import numpy as np
from random_engines import random_layer

from hwconv.layer import Layer, LayerParameters
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.spec import ConvSpec

# Name: specification, multipliers, bytes of a beat of the weight stream (None: as planned).
ENGINES: dict[str, tuple[dict[str, Any], int, int | None]] = {
    "dense": (dict(height=5, width=4, in_channels=8, out_channels=8, kernel=(3, 3), padding="same"), 16, None),
    "grouped_shift": (
        dict(height=4, width=5, in_channels=6, out_channels=4, groups=2, kernel=(2, 3), requantisation="shift"),
        8,
        3,
    ),
    "raw": (
        dict(height=5, width=4, in_channels=3, out_channels=4, kernel=(3, 3), stride=(2, 1))
        | dict(requantisation="none", output_dtype="int32"),
        12,
        1,
    ),
    "depthwise": (
        dict(height=6, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3), padding=(1, 0, 2, 1)),
        12,
        16,
    ),
    "transposed": (
        dict(height=3, width=4, in_channels=4, out_channels=6, kernel=(3, 3), stride=(2, 2), padding=(1, 0, 1, 0))
        | dict(transposed=True),
        12,
        None,
    ),
    "streaming": (
        dict(height=2, width=3, in_channels=4, out_channels=4, kernel=(3, 2), padding=(2, 0, 1, 0), streaming=True),
        8,
        None,
    ),
}
KINDS = tuple(ENGINES)
SECOND_POINTS = {"input_zero_point": 77, "output_zero_point": -20}


def spec_of(kind: str, **fields: Any) -> ConvSpec:
    points = {"input_zero_point": -5, "output_zero_point": 0 if kind == "raw" else 9}
    return ConvSpec(**{"name": kind, **points, **ENGINES[kind][0], **fields})


@functools.cache
def layer_of(kind: str, number: int = 0) -> Layer:
    """Layers of a kind: the second one has other zero points and another clamp, the first one's name apart."""
    fields: dict[str, Any] = {}
    if number:
        fields = dict(SECOND_POINTS, name="other", activation_min=-100, activation_max=90)
        if kind == "raw":
            fields = {"name": "other", "input_zero_point": 77}
    return random_layer(np.random.default_rng([number, len(kind)]), spec_of(kind, **fields))


@functools.cache
def engine_of(kind: str) -> EnginePlan:
    """The engine of a kind, holding its first layer."""
    _, multipliers, beat = ENGINES[kind]
    return make_plan(layer_of(kind), multipliers=multipliers, loadable=True, weight_beat_bytes=beat)


def hostile_layers(kind: str) -> dict[str, Layer]:
    """Layers at the ends of what a type allows, each by what is hostile in it."""
    spec = spec_of(kind, name="hostile")
    count = spec.out_channels
    full = {value: np.full(spec.weight_shape, value, np.int8) for value in (-128, 127, 0)}
    signs = np.where(np.indices(spec.weight_shape).sum(0) % 2, 127, -128).astype(np.int8)
    most, some = np.int32((1 << 31) - 1), np.full(count, 1 << 30, np.int32)
    # Left shifts of sums that are small: a bias and no weights, and single weights.
    lone = full[0].copy()
    lone.reshape(count, -1)[:, 0] = 1
    left = np.arange(count, dtype=np.int32) % 20 + 1
    return {
        name: Layer(spec, LayerParameters(**parameters))
        for name, parameters in {
            "all -128": dict(weights=full[-128], multiplier=some, shift=np.full(count, -9)),
            "all 127": dict(weights=full[127], bias=np.full(count, -1000), multiplier=some, shift=np.full(count, -8)),
            "alternating": dict(weights=signs, multiplier=most, shift=np.arange(count) % 32 - 31),
            "zero multipliers": dict(weights=signs, multiplier=np.zeros(count, int), shift=np.zeros(count, int)),
            "zero weights, largest biases": dict(
                weights=full[0], bias=np.where(np.arange(count) % 2, (1 << 31) - 1, -(1 << 31)), multiplier=most,
                shift=np.full(count, -25),
            ),
            "left shifts": dict(weights=lone, multiplier=np.full(count, 3 << 10), shift=left),
            "no shift": dict(weights=lone, multiplier=most, shift=np.zeros(count, int)),
        }.items()
    }  # fmt: skip
