"""The demo: a photograph through a bank of filters, from the layer to a bitstream.

The photograph is matplotlib's sample of Grace Hopper. Everything that is shown comes from the simulated Verilog.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv import api, flow
from hwconv.comparison import ComparisonResult
from hwconv.errors import MismatchError
from hwconv.frontend import LayerFile, save_layer
from hwconv.golden.requantise import quantise_multiplier
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec

SIDE = 96
"""Rows and columns of the photograph that the engine sees."""
TARGET = "lfe5u-25f-6"
GREY = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in a grey value, ITU-R BT.601."""

# Each filter: a 3x3 kernel, the weights of the colours, and the gain to the full range of an output.
_FILTERS: dict[str, tuple[list[list[int]], NDArray[np.float64], float]] = {
    "blur": ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], GREY, 1 / 16),
    "edges from left to right": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], GREY, 1 / 3),
    "edges from top to bottom": ([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], GREY, 1 / 3),
    "diagonal edges, falling": ([[0, 1, 2], [-1, 0, 1], [-2, -1, 0]], GREY, 1 / 3),
    "diagonal edges, rising": ([[2, 1, 0], [1, 0, -1], [0, -1, -2]], GREY, 1 / 3),
    "details": ([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], GREY, 1 / 3),
    "sharpened": ([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], GREY, 1.0),
    "red against green": ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.array([1.0, -1.0, 0.0]), 1 / 12),
}


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo made.

    Members:
        comparison: of the simulated Verilog with the golden model.
        build: of place and route, if it ran.
        files: names of what was written to their paths.
    """

    comparison: ComparisonResult
    build: flow.BuildResult | None
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        build = None if self.build is None else self.build.as_json()
        return {"comparison": self.comparison.to_json(), "build": build, "files": self.files}


def run_demo(folder: Path, *, route: bool = True, step: Callable[[str], None] = lambda _: None) -> DemoResult:
    """Runs the demo.

    Parameters:
        folder: where everything is written.
        route: whether to synthesise, place and route, the longest part.
        step: called with what begins.

    Raises:
        HwconvError: a tool is missing; or the hardware differs from the golden model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    step("quantising a bank of filters, reading the photograph")
    layer, photograph = filter_bank(), read_photograph()
    source = LayerFile(layer, to_frames(photograph))
    layer_path, bitstream_path = folder / "filters.npz", folder / "filters.bit"
    outputs_path, picture_path = folder / "outputs.npy", folder / "picture.png"
    save_layer(layer_path, layer, source.input)

    step(f"generating the engine for {TARGET}")
    package = api.generate(source, folder / "engine", target=TARGET, force=True)
    step("simulating its Verilog under Verilator and comparing with the golden model")
    comparison = api.compare(source, target=TARGET, capture=outputs_path)
    if not comparison.exact:
        raise MismatchError(f"demo: {comparison.problem}")
    step("drawing what the hardware computed")
    draw(photograph, np.load(outputs_path)[0], picture_path)
    build = None
    if route:
        step(f"synthesising, placing and routing for {TARGET}")
        build = api.build(source, target=TARGET)
        if build.bitstream is not None:
            shutil.copyfile(build.bitstream, bitstream_path)
    files = {
        "layer": str(layer_path),
        "package": str(package.directory),
        "outputs": str(outputs_path),
        "picture": str(picture_path),
    }
    if build is not None and build.bitstream is not None:
        files["bitstream"] = str(bitstream_path)
    return DemoResult(comparison=comparison, build=build, files=files)


def filter_bank() -> Layer:
    """Returns the filters as one quantised layer, three colours in and one channel for each filter out."""
    spec = ConvSpec(
        name="filters",
        height=SIDE,
        width=SIDE,
        in_channels=3,
        out_channels=len(_FILTERS),
        kernel=(3, 3),
        padding="same",
    )
    weights = np.zeros(spec.weight_shape, np.int8)
    multipliers, shifts = [], []
    for channel, (kernel, colours, gain) in enumerate(_FILTERS.values()):
        real = np.array(kernel)[:, :, np.newaxis] * colours
        scale = np.abs(real).max() / 127
        weights[channel] = np.rint(real / scale)
        multiplier, shift = quantise_multiplier(float(scale * gain))
        multipliers.append(multiplier)
        shifts.append(shift)
    parameters = LayerParameters(
        weights=weights, multiplier=np.array(multipliers, np.int32), shift=np.array(shifts, np.int32)
    )
    return Layer(spec, parameters, "hwconv demo")


def read_photograph() -> NDArray[np.uint8]:
    """Returns matplotlib's sample photograph, its middle square, as (SIDE, SIDE, 3)."""
    import matplotlib as mpl
    from PIL import Image

    with Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        side = min(image.size)
        box = (0, 0, side, side)
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box), np.uint8)


def to_frames(photograph: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Returns a photograph as one int8 frame: a value of 128 becomes 0, the zero point."""
    return (photograph.astype(np.int16) - 128).astype(np.int8)[np.newaxis]


def draw(photograph: NDArray[np.uint8], outputs: NDArray[np.int8], path: Path) -> None:
    """Writes a picture of the photograph and, beside it, what the hardware made of it, a panel for each filter."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(3, 3).flat
    pictures: list[tuple[str, NDArray[np.integer[Any]]]] = [("the photograph", photograph)]
    pictures += [(name, outputs[:, :, index]) for index, name in enumerate(_FILTERS)]
    for panel, (title, picture) in zip(panels, pictures, strict=True):
        grey = {} if picture.ndim == 3 else {"cmap": "gray", "vmin": -128, "vmax": 127}
        panel.imshow(picture, interpolation="nearest", **grey)
        panel.set_title(title)
        panel.set_axis_off()
    figure.savefig(path, dpi=100, metadata={"Software": None})
