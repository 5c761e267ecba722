"""Compiles a design and the harness of `sim/` into a simulator, once for each content.

A build is named by the hash of everything that went into it (Verilog, harness, options, tool versions) and kept in a
cache, so that asking again costs milliseconds, and designs that differ only in the images of their ROMs share one.
"""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from hwconv.cache import cached, content_hash
from hwconv.errors import ToolError
from hwconv.resources import resource_path
from hwconv.simulation.compile import WAIVED, Program, compile_icarus, compile_verilator
from hwconv.simulation.design import Design
from hwconv.simulation.tools import find_icarus, find_verilator

Simulator = Literal["verilator", "icarus"]
SIMULATORS: tuple[Simulator, ...] = ("verilator", "icarus")

_FORMAT = 1  # of what a cache entry holds


@dataclass(frozen=True, kw_only=True)
class Options:
    """What else than the design decides about a build.

    Parameters:
        simulator: `verilator` or `icarus`.
        waveform: whether runs can write a waveform (a build of its own under Verilator; slower).
        optimise: compile with -O3 rather than -O1: for runs of millions of cycles.
        random_initial: registers without an initial value start with random bits (Verilator only).
        depth: beats that the stimulus and the expected memory can hold.
    """

    simulator: Simulator = "verilator"
    waveform: bool = False
    optimise: bool = False
    random_initial: bool = False
    depth: int = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Binary:
    """A compiled simulator.

    Members:
        design: what it simulates; its images are put beside each run.
        options: how it was built.
        path: the program (Verilator) or the file for `vvp` (Icarus).
        build_seconds: what this build took; 0 if it came from the cache.
    """

    design: Design
    options: Options
    path: Path
    build_seconds: float = 0.0

    @property
    def command(self) -> list[str]:
        """The command line that runs it, without plusargs."""
        if self.options.simulator == "icarus":
            return [find_icarus().runtime, "-n", str(self.path)]
        return [str(self.path)]

    def holding(self, beats: int) -> "Binary":
        """Returns this simulator with memories of at least `beats` entries, built if need be."""
        if beats <= self.options.depth:
            return self
        return build_with(self.design, replace(self.options, depth=1 << (beats - 1).bit_length()))


def build(
    design: Design,
    simulator: Simulator = "verilator",
    *,
    waveform: bool = False,
    optimise: bool = False,
    random_initial: bool = False,
) -> Binary:
    """Compiles `design` with the harness, or finds it in the cache. The parameters are those of `Options`.

    Raises:
        ToolError: the simulator is missing, or refuses the design (with its first complaint and the path of its log).
    """
    check_simulator(simulator)
    return build_with(
        design,
        Options(simulator=simulator, waveform=waveform, optimise=optimise, random_initial=random_initial),
    )


def check_simulator(simulator: str) -> None:
    """Raises ToolError for a simulator that hwconv does not drive."""
    if simulator not in SIMULATORS:
        raise ToolError(f"Expected the simulator to be one of {', '.join(SIMULATORS)}, not {simulator!r}")


def build_with(design: Design, options: Options) -> Binary:
    """Compiles `design` as `options` say; see `build`."""
    if options.simulator == "icarus":
        version, name = find_icarus().version, "harness.vvp"
        # The harness comes first: with it comes the time scale, which the design leaves to its user.
        shipped = ("harness_top.v", "stream_harness.v", *_weights_source(design))
        # Icarus writes waveforms without another build, and does not optimise.
        options = replace(options, waveform=True, optimise=False, random_initial=False)
    else:
        version, name = find_verilator().version, "harness"
        shipped = ("verilator_main.cpp", "stream_harness.v", *_weights_source(design))
    harness = {file: resource_path(f"sim/{file}").read_text() for file in shipped}
    settings = vars(_program(design, options))
    key = [_FORMAT, vars(options), version, design.top, design.sources, settings, harness, WAIVED]

    def fill(folder: Path) -> None:
        write_sources(folder / "source", {**harness, **design.sources})
        if options.simulator == "icarus":
            arguments = ["-s", "harness_top", *_macros(design)]
            arguments += [f"-Pharness_top.{name}={value}" for name, value in _parameters(design, options).items()]
            compile_icarus(find_icarus(), folder, name, arguments, [*shipped, *design.sources])
        else:
            compile_verilator(find_verilator(), folder, name, _program(design, options))
        shutil.rmtree(folder / "source")

    start = time.perf_counter()
    folder, fresh = cached("simulation", f"{design.top}-{options.simulator}-{content_hash(key)}", fill)
    seconds = time.perf_counter() - start if fresh else 0.0
    return Binary(design=design, options=options, path=folder / name, build_seconds=seconds)


def write_sources(folder: Path, files: Mapping[str, str]) -> None:
    """Writes files by their relative names."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _parameters(design: Design, options: Options) -> dict[str, int]:
    weights = {"WEIGHT_BYTES": design.weight_beat_bytes, "WEIGHT_DEPTH": options.depth}
    return {
        "IN_BYTES": design.input_beat_bytes,
        "OUT_BYTES": design.output_beat_bytes,
        "IN_DEPTH": options.depth,
        "OUT_DEPTH": options.depth,
        **(weights if design.weight_beat_bytes else {}),
    }


def _weights_source(design: Design) -> list[str]:
    return ["weights_source.v"] if design.weight_beat_bytes else []


def _macros(design: Design) -> list[str]:
    user = [f"-DHWCONV_TUSER={design.input_user_bits}"] if design.input_user_bits else []
    return [f"-DHWCONV_TOP={design.top}", *user, *(["-DHWCONV_LOADABLE"] if design.weight_beat_bytes else [])]


def _program(design: Design, options: Options) -> Program:
    arguments = _macros(design)
    arguments += [f"-G{name}={value}" for name, value in _parameters(design, options).items()]
    arguments += ["--x-initial", "unique", "--x-assign", "unique"] if options.random_initial else []
    return Program(
        top="stream_harness",
        prefix="Vharness",
        sources=["stream_harness.v", *_weights_source(design), *design.sources],
        waived=design.waived,
        arguments=arguments,
        main="verilator_main.cpp",
        defines=["VL_TIME_CONTEXT"],
        waveform=options.waveform,
        optimise=options.optimise,
    )
