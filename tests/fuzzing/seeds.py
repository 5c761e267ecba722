"""Valid files that hostile ones are made from: written here, and a few of the test material where it is there."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from small_layer import write_small_layer

from hwconv.frontend import save_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec, dtype_range, storage_dtype

_SIZE = {"height": 5, "width": 4, "kernel": (2, 3), "padding": (1, 0, 2, 3), "in_channels": 2, "out_channels": 3}
_LAYERS: tuple[dict[str, object], ...] = (
    {},
    {"in_channels": 3, "out_channels": 6, "groups": 3, "input_zero_point": -3},
    {"height": 1, "width": 1, "kernel": (1, 1), "padding": (0, 0, 0, 0)},
    {"weight_dtype": "int4"},
    {"requantisation": "tflite16", "input_dtype": "int16", "output_dtype": "int16"},
    {"requantisation": "onnx", "input_dtype": "uint8"},
    {"requantisation": "none", "output_dtype": "int32"},
)
_TEXTS = (
    """
height = 3
width = 4
in_channels = 2
out_channels = 3
kernel = [2, 1]
stride = 2
padding = "same"
weights = "x.npy"
bias = [1, 2, 3]
scale = 0.01
""",
    """
[layer]
length = 8
in_channels = 4
out_channels = 2
kernel = 3
dilation = 2
padding = [4, 0]
weights = { seed = 1 }
bias = { seed = 2 }
input = { seed = 3 }
""",
    """
inputs = 4
outputs = 2
weights = [[1, 2, 3, 4], [5, 6, 7, 8]]
input_zero_point = 3
requantisation = "onnx"
input_scale = 0.1
weight_scale = [0.2, 0.3]
output_scale = 4.0
""",
)
_OPERATORS = (
    (
        "ConvInteger",
        '{"pads": [1, 1, 0, 0]}',
        [((2, 1, 3, 3), "uint8"), ((2, 1, 2, 2), "int8"), ((), "uint8"), ((2,), "int8")],
    ),
    ("Conv", '{"auto_pad": "SAME_LOWER", "strides": [2]}', [((2, 2, 5), "float32"), ((3, 2, 3), "float32")]),
    ("ConvTranspose", '{"output_shape": [6, 4], "group": 2}', [((1, 2, 5, 3), "float32"), ((2, 2, 2, 2), "float32")]),
    (
        "QLinearConv",
        "{}",
        [((1, 1, 3, 3), "int8"), ((), "float32"), ((), "int8"), ((1, 1, 2, 2), "int8"), ((), "float32"), ((), "int8"),
         ((), "float32"), ((), "int8")],
    ),
)  # fmt: skip
_MATERIAL = ("cmsis_nn/*.npz", "seanet/*.npz", "onnx_int/Conv*.npz")
_MODELS = (
    "mlperf_tiny/ad01_int8.tflite",
    "mlperf_tiny/kws_ref_model.tflite",
    "mlperf_tiny/pretrainedResnet_quant.tflite",
)


@dataclass(frozen=True)
class Seeds:
    """Layer files, descriptions, models, and the small layer that inputs and command lines go with."""

    layers: list[Path]
    texts: list[Path]
    models: list[Path]
    small: Path


def make(folder: Path, material: Path | None) -> Seeds:
    """Writes the seeds into a folder."""
    random = np.random.default_rng(1)
    layers = []
    for number, changes in enumerate(_LAYERS):
        spec = ConvSpec.from_dict({"name": "layer", **_SIZE, **changes})
        low, high = dtype_range(spec.weight_dtype)
        parameters = LayerParameters(
            weights=random.integers(low, high + 1, spec.weight_shape),
            bias=random.integers(-1000, 1000, spec.out_channels),
            multiplier=random.integers(1 << 30, 1 << 31, spec.out_channels),
            shift=random.integers(-12, -3, spec.out_channels),
            scale=random.random(spec.out_channels, np.float32),
        )
        x = np.ones((2, *spec.input_shape), storage_dtype(spec.input_dtype)) if number % 2 else None
        layers.append(folder / f"layer{number}.npz")
        save_layer(layers[-1], Layer(spec, parameters), x)
    for number, (operator, attributes, shapes) in enumerate(_OPERATORS):
        given = {f"in{at}_x": random.integers(0, 100, shape).astype(dtype) for at, (shape, dtype) in enumerate(shapes)}
        layers.append(folder / f"operator{number}.npz")
        np.savez(
            layers[-1], op=operator, attrs=attributes, input_names=str(["x"] * len(shapes)).replace("'", '"'), **given
        )
    texts = []
    for number, text in enumerate(_TEXTS):
        texts.append(folder / f"layer{number}.toml")
        texts[-1].write_text(text, encoding="utf-8")
    small = write_small_layer(folder / "small.npz")
    models = []
    if material is not None:
        layers += [path for pattern in _MATERIAL for path in sorted(material.glob(pattern))[:6]]
        models = [material / name for name in _MODELS]
    return Seeds(layers=[*layers, small], texts=texts, models=models, small=small)
