"""The fixed table of layers that every figure of the project is measured on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..golden.requantise import quantise_multiplier
from ..layer import Layer, LayerParameters
from ..spec import ConvSpec, causal1d_spec, dtype_range, fully_connected_spec

_DTYPES = ("input_dtype", "weight_dtype", "output_dtype")

SEED = 20_24
"""Seed of the weights: fixed, so that the RTL and all figures are reproducible."""


def _specs() -> dict[str, ConvSpec]:
    def conv(name: str, **fields: Any) -> ConvSpec:
        zero_points = {"input_zero_point": 125 if fields.get("input_dtype") == "uint8" else -3, "output_zero_point": 5}
        return ConvSpec(name=name, **zero_points, **fields)  # type: ignore[arg-type]  # ConvSpec checks

    def up(name: str, **fields: object) -> ConvSpec:
        """From 16 x 16 to 32 x 32 pixels."""
        doubled = {"stride": (2, 2), "padding": "same", "transposed": True}
        return conv(name, height=16, width=16, **doubled, **fields)

    def causal(name: str, **fields: Any) -> ConvSpec:
        return causal1d_spec(name=name, input_zero_point=-3, output_zero_point=5, **fields)

    same = {"padding": "same"}
    first = {"height": 32, "width": 32, "in_channels": 16, "out_channels": 16, "kernel": (3, 3), **same}
    return {
        item.name: item
        for item in (
            conv("3x3", **first),
            conv("3x3_s2", height=32, width=32, in_channels=16, out_channels=32, kernel=(3, 3), stride=(2, 2), **same),
            conv("1x1", height=25, width=5, in_channels=64, out_channels=64, kernel=(1, 1)),
            conv(
                "3x3_d2", height=32, width=32, in_channels=32, out_channels=32, kernel=(3, 3), dilation=(2, 2), **same
            ),
            conv(
                "3x3_d4", height=32, width=32, in_channels=32, out_channels=32, kernel=(3, 3), dilation=(4, 4), **same
            ),
            conv("3x3_g4", height=16, width=16, in_channels=64, out_channels=64, kernel=(3, 3), groups=4, **same),
            conv("dw3x3", height=25, width=5, in_channels=64, out_channels=64, kernel=(3, 3), groups=64, **same),
            conv(
                "dw3x3_s2",
                height=24,
                width=24,
                in_channels=64,
                out_channels=64,
                kernel=(3, 3),
                groups=64,
                stride=(2, 2),
                **same,
            ),
            conv("7x7_s2", height=64, width=64, in_channels=3, out_channels=32, kernel=(7, 7), stride=(2, 2), **same),
            conv("10x4_s2", height=49, width=10, in_channels=1, out_channels=64, kernel=(10, 4), stride=(2, 2), **same),
            fully_connected_spec(inputs=640, outputs=128, name="fc", input_zero_point=-3, output_zero_point=5),
            up("t3x3_s2", in_channels=64, out_channels=32, kernel=(3, 3)),
            up("t4x4_s2", in_channels=32, out_channels=16, kernel=(4, 4)),
            up("t2x2_s2", in_channels=64, out_channels=32, kernel=(2, 2)),
            up("dwt4x4_s2", in_channels=64, out_channels=64, kernel=(4, 4), groups=64),
            causal("causal_k2_d512", length=160, in_channels=64, out_channels=64, kernel=2, dilation=512),
            causal("causal_k3_d8", length=160, in_channels=32, out_channels=32, kernel=3, dilation=8),
            # The first one in other number formats, at the end: a layer's weights follow from its place.
            conv("3x3_int4", weight_dtype="int4", **first),
            conv(
                "3x3_int16",
                **dict.fromkeys(("input_dtype", "output_dtype"), "int16"),
                requantisation="tflite16",
                **first,
            ),
            conv("3x3_uint8", **dict.fromkeys(_DTYPES, "uint8"), weight_zero_point=121, requantisation="onnx", **first),
            conv("3x3_w4", height=32, width=32, in_channels=16, out_channels=16, kernel=(3, 3), **same),
            conv("3x3_8x8_w4", height=8, width=8, in_channels=64, out_channels=64, kernel=(3, 3), **same),
            conv("3x3_30x30_w4", height=30, width=30, in_channels=64, out_channels=64, kernel=(3, 3), **same),
        )
    }


SPECS: Mapping[str, ConvSpec] = _specs()
ALGORITHMS: Mapping[str, str] = {name: "winograd4" for name in SPECS if name.endswith("_w4")}
"""How a layer of the table is computed, if not directly."""


def bench_layer(name: str) -> Layer:
    """The layer `name` of the table, with weights as a trained, per-channel quantised layer has them."""
    spec = SPECS[name]
    rng = np.random.default_rng([SEED, list(SPECS).index(name)])
    return Layer(spec, drawn_parameters(spec, rng), origin=f"bench:{name}")


def drawn_parameters(spec: ConvSpec, rng: np.random.Generator) -> LayerParameters:
    """Weights, biases and scales of a layer.

    Weights are normal, each channel scaled so that its largest is that of its type; scales are such that outputs fill
    their range.
    """
    normal = rng.standard_normal(spec.weight_shape)
    largest = np.abs(normal).reshape(spec.out_channels, -1).max(axis=1)
    most = min(abs(end - spec.weight_zero_point) for end in dtype_range(spec.weight_dtype))
    weights = np.rint(normal * (most / largest).reshape(-1, 1, 1, 1)).astype(np.int64)
    # Inputs of all values are spread by 74 of 256.
    inputs, outputs = (np.ptp(dtype_range(dtype)) / 255 for dtype in (spec.input_dtype, spec.output_dtype))
    spread = np.sqrt((weights.astype(np.float64).reshape(spec.out_channels, -1) ** 2).sum(axis=1)) * 74 * inputs
    wanted = 50 * outputs / spread
    scales = [quantise_multiplier(float(value)) for value in wanted]
    return LayerParameters(
        weights=weights + spec.weight_zero_point,
        bias=np.rint(rng.standard_normal(spec.out_channels) * spread / 4).astype(np.int64),
        multiplier=np.array([item[0] for item in scales], dtype=np.int32),
        shift=np.array([item[1] for item in scales], dtype=np.int32),
        scale=wanted.astype(np.float32),
    )
