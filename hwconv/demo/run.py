"""The demo's steps, from the layer to a bitstream."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwconv import api, flow
from hwconv.comparison import Case, ComparisonResult, compare_engine, prepare
from hwconv.demo.filters import filter_bank
from hwconv.demo.picture import draw, read_photograph, to_frame
from hwconv.errors import MismatchError
from hwconv.frontend import LayerFile, save_layer
from hwconv.plan import EnginePlan
from hwconv.simulation.build import Binary, Options, build_with

HEIGHT = 600
"""Rows of the photograph that the engine sees: all there are."""
TARGET = "lfe5u-25f-6"
STEPS = 6


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo made.

    Members:
        comparison: of the simulated Verilog with the golden model.
        build: of place and route, if it ran.
        frames_per_second: at the clock that was reached.
        files: names of what was written to their paths.
    """

    comparison: ComparisonResult
    build: flow.BuildResult | None
    frames_per_second: float | None
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return {
            "comparison": self.comparison.to_json(),
            "build": None if self.build is None else self.build.as_json(),
            "frames_per_second": self.frames_per_second,
            "files": self.files,
        }


def run_demo(
    folder: Path,
    *,
    route: bool = True,
    height: int = HEIGHT,
    step: Callable[[str], None] = lambda _: None,
) -> DemoResult:
    """Runs the demo.

    Parameters:
        folder: where everything is written.
        route: whether to synthesise, place and route, the longest part.
        height: rows of the photograph, scaled where these are fewer than it has.
        step: called with what begins, `STEPS` times, or one less without `route`.

    Raises:
        HwconvError: a tool is missing; or the hardware differs from the golden model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "picture": folder / "picture.png",
        "layer": folder / "filters.npz",
        "package": folder / "engine",
        "outputs": folder / "outputs.npy",
    }
    step("quantising a bank of filters, reading the photograph")
    photograph = read_photograph(height)
    layer = filter_bank(*photograph.shape[:2])
    # The mirror image follows at once, so that the interval between frames is measured too.
    frames = np.stack([to_frame(photograph), to_frame(photograph[:, ::-1])])
    source = LayerFile(layer, frames)
    save_layer(paths["layer"], layer, frames)

    step(f"planning, and writing the Verilog for {TARGET}")
    engine = api.plan(source, target=TARGET)
    api.generate(source, paths["package"], target=TARGET, force=True)
    step("compiling the Verilog with Verilator")
    case = prepare(source, frames=len(frames))
    binary = _compile(engine, case)
    step(f"simulating {len(frames)} frames and comparing with numpy")
    comparison = compare_engine(engine, binary, case, capture=paths["outputs"])
    if not comparison.exact:
        raise MismatchError(f"demo: {comparison.problem}")
    step("drawing what the hardware computed")
    outputs = np.load(paths["outputs"])[0]
    draw(photograph, outputs, _caption(comparison), paths["picture"])
    build, rate = None, None
    if route:
        step(f"synthesising, placing and routing for {TARGET}")
        build = api.build(source, target=TARGET)
        if comparison.interval:
            rate = build.best.fmax_mhz * 1e6 / comparison.interval
        if build.bitstream is not None:
            paths["bitstream"] = folder / "filters.bit"
            shutil.copyfile(build.bitstream, paths["bitstream"])
        draw(photograph, outputs, _caption(comparison) + _routed(build, rate), paths["picture"])
    files = {name: str(path) for name, path in paths.items()}
    return DemoResult(comparison=comparison, build=build, frames_per_second=rate, files=files)


def _compile(engine: EnginePlan, case: Case) -> Binary:
    """Compiles the engine, with a harness that holds all frames."""
    values = engine.config.value_bytes
    beats = max(-(-case.sent.size // engine.input_beat_bytes), -(-case.right.size * values // engine.output_beat_bytes))
    options = Options(depth=1 << (beats - 1).bit_length())
    return build_with(api.design_of(engine), options)


def _caption(comparison: ComparisonResult) -> str:
    used = f", {comparison.utilisation:.0%} busy" if comparison.utilisation else ""
    parts = [
        f"{comparison.multipliers} multipliers{used}",
        f"{comparison.interval:,} cycles a frame",
        f"{comparison.outputs:,} outputs compared with numpy, {comparison.mismatches} differ",
    ]
    return "  ·  ".join(parts)


def _routed(build: flow.BuildResult, rate: float | None) -> str:
    part = build.target.rpartition("-")[0].upper()
    frames = f", {rate:.0f} frames/s" if rate else ""
    return f"  ·  {part}: {build.best.fmax_mhz:.0f} MHz, {build.best.luts:,} LUTs{frames}"
