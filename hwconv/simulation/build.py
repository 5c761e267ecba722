"""Compiles a design and the harness of `sim/` into a simulator, once for each content.

A build is named by the hash of everything that went into it (Verilog, harness, options, tool versions) and kept in a
cache, so that asking again costs milliseconds, and designs that differ only in the images of their ROMs share one.

Verilator's own run time is the larger part of what a C++ compiler sees in a small design. It is compiled once, with a
precompiled header, and each design's files are compiled as one or two units against it.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import platformdirs

from hwconv.errors import ToolError
from hwconv.resources import resource_path
from hwconv.simulation.design import Design
from hwconv.simulation.tools import Icarus, Verilator, find_icarus, find_verilator

Simulator = Literal["verilator", "icarus"]
SIMULATORS: tuple[Simulator, ...] = ("verilator", "icarus")

# Warnings about how Amaranth writes Verilog, waived for its output and for nothing else.
WAIVED = (
    "WIDTHEXPAND",  # operands of different widths, which it relies on being extended
    "WIDTHTRUNC",  # and assignments that cut them
    "CASEINCOMPLETE",  # a default assignment stands before the case instead
    "CASEOVERLAP",  # patterns in order of priority
    "UNSIGNED",  # comparisons of an unsigned signal with zero
    "CMPCONST",  # comparisons that a constant operand decides
    "PINMISSING",  # unused outputs of instances
)

_FORMAT = 1  # of what a cache entry holds
_SPLIT = 400_000  # bytes of generated C++ from which on two compilers share a design
_DEFINES = ("VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0", "VL_TIME_CONTEXT")


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


def cache_folder() -> Path:
    """Where builds are kept: `$HWCONV_CACHE`, or the user's cache directory."""
    chosen = os.environ.get("HWCONV_CACHE")
    root = Path(chosen) if chosen else platformdirs.user_cache_path("hwconv")
    return root / "simulation"


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
    if simulator not in SIMULATORS:
        raise ToolError(f"Expected the simulator to be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    return build_with(
        design,
        Options(simulator=simulator, waveform=waveform, optimise=optimise, random_initial=random_initial),
    )


def build_with(design: Design, options: Options) -> Binary:
    """Compiles `design` as `options` say; see `build`."""
    if options.simulator == "icarus":
        icarus = find_icarus()
        # Icarus writes waveforms without another build, and does not optimise.
        options = replace(options, waveform=True, optimise=False, random_initial=False)
        name, version, shipped = "harness.vvp", icarus.version, ("harness_top.v", "stream_harness.v")
    else:
        verilator = find_verilator()
        name, version, shipped = "harness", verilator.version, ("verilator_main.cpp", "stream_harness.v")
    harness = {file: resource_path(f"sim/{file}").read_text() for file in shipped}
    key = _hash([_FORMAT, vars(options), version, design.top, design.sources, design.waived, harness, WAIVED])

    def fill(folder: Path) -> None:
        for file, text in {**harness, **design.sources}.items():
            path = folder / "source" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if options.simulator == "icarus":
            _compile_icarus(design, options, icarus, folder, name)
        else:
            _compile_verilator(design, options, verilator, folder, name)
        shutil.rmtree(folder / "source")

    start = time.perf_counter()
    folder, fresh = _cached(f"{design.top}-{options.simulator}-{key}", fill)
    seconds = time.perf_counter() - start if fresh else 0.0
    return Binary(design=design, options=options, path=folder / name, build_seconds=seconds)


def _parameters(design: Design, options: Options) -> dict[str, int]:
    return {
        "IN_BYTES": design.input_beat_bytes,
        "OUT_BYTES": design.output_beat_bytes,
        "IN_DEPTH": options.depth,
        "OUT_DEPTH": options.depth,
    }


def _compile_icarus(design: Design, options: Options, tool: Icarus, folder: Path, name: str) -> None:
    # A project's folder may hold characters that a shell or Icarus' own command file would read as more than a name:
    # everything runs inside the folder, with relative names.
    command = [tool.compiler, "-g2012", "-s", "harness_top", f"-DHWCONV_TOP={design.top}", "-o", f"../{name}"]
    command += [f"-Pharness_top.{key}={value}" for key, value in _parameters(design, options).items()]
    # The harness comes first: with it comes the time scale, which the design leaves to its user.
    _call([*command, "harness_top.v", "stream_harness.v", *design.sources], folder / "source", folder / "build.log")


def _compile_verilator(design: Design, options: Options, tool: Verilator, folder: Path, name: str) -> None:
    runtime = _runtime(tool, options)
    source, log = folder / "source", folder / "build.log"
    waivers = [f'lint_off -rule {rule} -file "{file}"' for file in design.waived for rule in WAIVED]
    (source / "waivers.vlt").write_text("\n".join(["`verilator_config", *waivers, ""]))
    command = [str(tool.binary), "--cc", "--Mdir", "generated", "--prefix", "Vharness"]
    command += [
        "--top-module",
        "stream_harness",
        "--no-timing",
        "-O3",
        "--output-split",
        "20000",
        f"-DHWCONV_TOP={design.top}",
    ]
    command += [f"-G{key}={value}" for key, value in _parameters(design, options).items()]
    command += ["--trace-vcd"] if options.waveform else []
    command += ["--x-initial", "unique", "--x-assign", "unique"] if options.random_initial else []
    _call([*command, "waivers.vlt", "stream_harness.v", *design.sources], source, log, tool)

    generated = sorted((source / "generated").glob("*.cpp"), key=lambda path: -path.stat().st_size)
    total = sum(path.stat().st_size for path in generated)
    units: list[list[Path]] = [[] for _ in range(1 if total < _SPLIT else 2)]
    for index, path in enumerate(generated):
        units[index % len(units)].append(path)
    objects = []
    with ThreadPoolExecutor(len(units)) as pool:
        calls = []
        for index, unit in enumerate(units):
            included = [f"generated/{path.name}" for path in unit] + (["verilator_main.cpp"] if index == 0 else [])
            (source / f"unit_{index}.cpp").write_text("".join(f'#include "{path}"\n' for path in included))
            objects.append(f"unit_{index}.o")
            compile_unit = [tool.compiler, *_flags(tool, options), "-I.", "-Igenerated", f"-I{runtime}"]
            compile_unit += ["-include", "runtime.h", "-c", f"unit_{index}.cpp", "-o", objects[-1]]
            calls.append(pool.submit(_call, compile_unit, source, log))
        for call in calls:
            call.result()
    archives = [str(path) for path in sorted(runtime.glob("*.o"))]
    _call([tool.compiler, *objects, *archives, "-pthread", "-o", f"../{name}"], source, log)


def _flags(tool: Verilator, options: Options) -> list[str]:
    """The flags of the C++ compiler; a precompiled header serves only those who share all of them."""
    include = tool.root / "include"
    defines = [f"-D{define}" for define in (*_DEFINES, f"VM_TRACE={options.waveform:d}")]
    defines += ["-DVM_TRACE_VCD=1", "-DHWCONV_TRACE"] if options.waveform else ["-DVM_TRACE_VCD=0"]
    level = "-O3" if options.optimise else "-O1"
    return [level, "-std=c++20", "-faligned-new", "-w", f"-I{include}", f"-I{include}/vltstd", *defines]


def _runtime(tool: Verilator, options: Options) -> Path:
    """Compiles Verilator's run time and precompiles its header, once for each set of flags."""
    flags = _flags(tool, options)
    sources = ["verilated", "verilated_threads", *(["verilated_vcd_c"] if options.waveform else [])]
    headers = ["verilated.h", "verilated_syms.h", *(["verilated_vcd_c.h"] if options.waveform else [])]

    def fill(folder: Path) -> None:
        log = folder / "build.log"
        (folder / "runtime.h").write_text("".join(f'#include "{name}"\n' for name in headers))
        commands = [[tool.compiler, *flags, "-x", "c++-header", "runtime.h", "-o", "runtime.h.gch"]]
        for name in sources:
            file = tool.root / "include" / f"{name}.cpp"
            commands.append([tool.compiler, *flags, "-O2", "-c", str(file), "-o", f"{name}.o"])
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda command: _call(command, folder, log), commands))

    return _cached(f"runtime-{_hash([_FORMAT, tool.version, flags, headers])}", fill)[0]


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def _call(command: Sequence[str], folder: Path, log: Path, tool: Verilator | None = None) -> None:
    environment = None if tool is None else tool.environment
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    with log.open("a") as file:
        file.write(" ".join(command) + "\n" + done.stdout)
    if done.returncode != 0:
        kept = cache_folder() / f"failed-{_hash([list(command), done.stdout])}.log"
        shutil.copyfile(log, kept)
        complaints = [line for line in done.stdout.splitlines() if "rror" in line or "arning" in line]
        first = complaints[0] if complaints else (done.stdout.strip().splitlines() or ["no message"])[0]
        raise ToolError(f"{Path(command[0]).name} refused the design: {first.strip()} (log: {kept})")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cached(name: str, fill: Callable[[Path], None]) -> tuple[Path, bool]:
    """Returns the folder `name` of the cache, and whether `fill` had to make it.

    It appears whole or not at all, and two processes that want it at once make it once.
    """
    root = cache_folder()
    folder = root / name
    if folder.is_dir():
        return folder, False
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        if folder.is_dir():
            return folder, False
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=root))
        try:
            fill(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        (root / f"{name}.lock").unlink(missing_ok=True)
    return folder, True
