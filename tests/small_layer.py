"""A layer that simulates in a moment, as a file: for tests of what happens around an engine."""

from pathlib import Path

import numpy as np

from hwconv.frontend import save_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec


def write_small_layer(path: Path, name: str = "small") -> Path:
    """Writes a layer with one frame of input and no expected output. Verilog reserves the word `small`."""
    random = np.random.default_rng(7)
    spec = ConvSpec(
        name=name,
        height=5,
        width=4,
        in_channels=3,
        out_channels=4,
        kernel=(3, 3),
        padding="same",
        input_zero_point=3,
    )
    parameters = LayerParameters(
        weights=random.integers(-128, 128, spec.weight_shape).astype(np.int8),
        bias=random.integers(-1000, 1000, 4),
        multiplier=np.full(4, 1 << 30, np.int32),
        shift=np.full(4, -7, np.int32),
    )
    frames = random.integers(-128, 128, (1, *spec.input_shape)).astype(np.int8)
    save_layer(path, Layer(spec, parameters), frames)
    return path
