"""One small engine of every kind, between them with every requantiser: what checks of whole engines run on."""

import functools
from typing import Any

import numpy as np
from engines import plan_of
from format_layers import format_layer
from random_engines import exact_requantisers, lively_layer, random_layer

from hwconv import golden
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.program import make_program
from hwconv.plan.winograd import make_winograd_plan
from hwconv.spec import ConvSpec, storage_dtype

# Name: the layers (several are a program), multipliers.
_KINDS: dict[str, tuple[list[dict[str, Any]], int]] = {
    "dense": ([dict(height=5, width=4, in_channels=8, out_channels=8, kernel=(3, 3), padding="same")], 16),
    "exact_requantiser": ([dict(height=4, width=4, in_channels=4, out_channels=4, kernel=(2, 2))], 8),
    "grouped": (
        [dict(height=4, width=5, in_channels=6, out_channels=4, groups=2, kernel=(2, 3), requantisation="shift")],
        8,
    ),
    "few_channels": (
        [
            dict(height=7, width=6, in_channels=3, out_channels=4, kernel=(3, 3), stride=(2, 1))
            | dict(requantisation="none", output_dtype="int32")
        ],
        24,
    ),
    "depthwise": (
        [dict(height=6, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3), stride=(2, 1))],
        9,
    ),
    "transposed": (
        [
            dict(height=3, width=4, in_channels=4, out_channels=6, kernel=(3, 3), stride=(2, 2), padding=(1, 0, 1, 0))
            | dict(transposed=True)
        ],
        12,
    ),
    "streaming": (
        [
            dict(height=1, width=1, in_channels=4, out_channels=6, kernel=(3, 1), dilation=(2, 1), padding=(4, 0, 0, 0))
            | dict(streaming=True)
        ],
        12,
    ),
    "uint8": (
        [
            dict(height=5, width=4, in_channels=4, out_channels=6, kernel=(2, 2), requantisation="onnx", padding="same")
            | dict(input_dtype="uint8", weight_dtype="uint8", output_dtype="uint8", weight_zero_point=121)
        ],
        12,
    ),
    "int16": (
        [
            dict(height=5, width=4, in_channels=4, out_channels=4, kernel=(2, 2), requantisation="tflite16")
            | dict(input_dtype="int16", output_dtype="int16")
        ],
        8,
    ),
    "packed": ([dict(height=5, width=4, in_channels=8, out_channels=8, kernel=(3, 3), weight_dtype="int4")], 8),
    "look_up_tables": (
        [dict(height=4, width=4, in_channels=4, out_channels=4, kernel=(2, 3), padding="same", stride=(1, 2))],
        8,
    ),
    "loadable": ([dict(height=3, width=3, in_channels=4, out_channels=4, kernel=(1, 2), padding=(0, 0, 1, 0))], 8),
    "program": (
        [
            dict(height=6, width=5, in_channels=4, out_channels=4, groups=4, kernel=(3, 3), padding="same"),
            dict(height=6, width=5, in_channels=4, out_channels=8, kernel=(1, 1)),
            dict(height=1, width=1, in_channels=240, out_channels=4, kernel=(1, 1)),
        ],
        16,
    ),
}
LUT_MULTIPLIERS = {"look_up_tables": 5}
"""Multipliers of look-up tables of an engine that has both kinds."""
# Name: the layer, multipliers, algorithm.
_WINOGRAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "winograd": (
        dict(height=6, width=7, in_channels=4, out_channels=6, kernel=(3, 3), padding="same", groups=2),
        24,
        "winograd4",
    ),
    "winograd_line": (
        dict(height=5, width=7, in_channels=3, out_channels=2, kernel=(1, 3), padding=(0, 1, 2, 0))
        | dict(requantisation="none", output_dtype="int32"),
        16,
        "winograd2",
    ),
}
KINDS = (*_KINDS, *_WINOGRAD)
FORMATS = ("uint8", "int16", "packed")
"""Kinds that are there for their number formats: of the first, requantisers that compute in float32."""


@functools.cache
def engine_of(kind: str) -> EnginePlan:
    """The plan of a kind's engine."""
    if kind in _WINOGRAD:
        fields, multipliers, algorithm = _WINOGRAD[kind]
        random = np.random.default_rng(len(kind))
        layer = random_layer(random, ConvSpec(name=kind, input_zero_point=-7, **fields))
        return make_winograd_plan(layer, algorithm=algorithm, multipliers=multipliers)
    layers, multipliers = _KINDS[kind]
    random = np.random.default_rng(len(kind))
    draw = format_layer if kind in FORMATS else lively_layer if len(layers) > 1 else random_layer
    made = [
        draw(random, ConvSpec(name=f"{kind}_{index}", input_zero_point=7 if kind == "uint8" else index - 7, **fields))
        for index, fields in enumerate(layers)
    ]
    if len(made) > 1:
        return make_program(made, name=kind, multipliers=multipliers)
    with exact_requantisers(kind in ("exact_requantiser", "uint8")):
        options = {"lut_multipliers": LUT_MULTIPLIERS.get(kind, 0), "loadable": kind == "loadable"}
        return plan_of(made[0], multipliers=multipliers, **options)


def outputs_of(plan: EnginePlan, frames: np.ndarray) -> np.ndarray:
    """What an engine must give for frames: its layers' golden models, one after the other."""
    values = frames.astype(storage_dtype(plan.spec.input_dtype))
    for layer in plan.layers:
        values = golden.run(layer, values.reshape(len(values), *layer.spec.input_shape))
    return values
