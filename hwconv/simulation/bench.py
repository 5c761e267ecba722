"""Runs the cocotb bench of `sim/` on a design, as a package's `make sim` does, with a simulator from the cache."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from hwconv.cache import cached, content_hash
from hwconv.errors import ToolError
from hwconv.resources import resource_path
from hwconv.simulation.build import Simulator, check_simulator, write_sources
from hwconv.simulation.compile import WAIVED, Program, compile_icarus, compile_verilator
from hwconv.simulation.design import Design, Loads, Stimulus, Values, expected, stimulus
from hwconv.simulation.tools import find_icarus, find_verilator

_FORMAT = 1  # of what a cache entry holds


@dataclass(frozen=True, kw_only=True)
class CocotbResult:
    """What a run of the bench found.

    Members:
        tests: name of each test to `pass`, `fail` or `skip`.
        failures: name of each failed test to what it said.
        seconds: wall time of the run, without the build.
        log: what the simulator printed.
    """

    tests: Mapping[str, str]
    failures: Mapping[str, str]
    seconds: float
    log: str

    @property
    def passed(self) -> bool:
        """Whether a test ran and none failed."""
        return "pass" in self.tests.values() and not self.failures


def bench_description(
    design: Design,
    frames: Values | Stimulus,
    outputs: Values,
    *,
    latency: int | None = None,
    interval: int | None = None,
    seed: int = 1,
    sources: list[str] | None = None,
    images: list[str] | None = None,
) -> dict[str, object]:
    """Returns what `bench.json` says to sim/run.py and sim/test_engine.py.

    Parameters:
        design: the engine; frames, outputs: [frames, ...], as in `run`.
        latency, interval: the cycles predicted, if they are to be checked. From the latency follows how many cycles
            without a handshake count as a hang.
        seed: of stalls, noise, and where faults and resets come.
        sources, images: paths relative to the file; by default the names in `design`, in the same folder.
    """
    feed = frames if isinstance(frames, Stimulus) else stimulus(frames, design.input_beat_bytes)
    return {
        "top": design.top,
        "sources": list(design.sources) if sources is None else sources,
        "images": list(design.images) if images is None else images,
        "generated": list(design.waived),
        "waived": list(WAIVED),
        "stimulus": "stimulus.mem",
        "expected": "expected.mem",
        "frames": len(outputs),
        "passes": design.passes,
        "input_beat_bytes": design.input_beat_bytes,
        "output_beat_bytes": design.output_beat_bytes,
        "input_user_bits": design.input_user_bits,
        "input_beats": int(np.flatnonzero(feed.last)[0]) + 1,
        "output_beats": -(-outputs[0].nbytes // design.output_beat_bytes),
        "watchdog": 100_000 if latency is None else 4 * latency + 2_000,
        "latency": latency,
        "interval": interval,
        "seed": seed,
        **({"weights": "weights.mem", "weight_beat_bytes": design.weight_beat_bytes} if design.weights else {}),
    }


def run_cocotb(
    design: Design,
    frames: Values | Stimulus,
    outputs: Values,
    simulator: Simulator = "icarus",
    *,
    latency: int | None = None,
    interval: int | None = None,
    seed: int = 1,
    only: str | None = None,
    timeout: float = 3600.0,
    folder: Path | None = None,
) -> CocotbResult:
    """Runs the cocotb bench on a design.

    Parameters:
        design, frames, outputs, latency, interval, seed: as in `bench_description`.
        only: a regular expression of test names; by default all run.
        timeout: seconds of wall time after which the run is killed.
        folder: where to run; by default a temporary folder.

    Raises:
        ToolError: the simulator is missing or refuses the design, cocotb does not start, or the time is over.
    """
    check_simulator(simulator)
    program = _build(design, simulator)
    feed = frames if isinstance(frames, Stimulus) else stimulus(frames, design.input_beat_bytes)
    description = bench_description(design, feed, outputs, latency=latency, interval=interval, seed=seed)
    with _working(folder) as place:
        write_sources(place, design.images)
        (place / "bench.json").write_text(json.dumps(description, indent=2) + "\n")
        (place / "stimulus.mem").write_text(feed.image())
        (place / "expected.mem").write_text(expected(outputs, design.output_beat_bytes).image())
        if design.weights:
            (place / "weights.mem").write_text(Loads.of(design).text())
        command = [sys.executable, str(resource_path("sim/run.py")), simulator, "--bench", str(place / "bench.json")]
        command += ["--build", str(place), "--program", str(program)]
        command += ["--only", only] if only is not None else []
        # Under pytest, cocotb's runner would name its results after the test that calls it.
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        start = time.perf_counter()
        try:
            log = _call(command, place, environment, timeout)
        except subprocess.TimeoutExpired as late:
            raise ToolError(f"the cocotb bench of {design.top} did not end within {timeout:.0f} s") from late
        seconds = time.perf_counter() - start
        results = place / simulator / "run" / "results.xml"
        if not results.exists():
            last = (log.strip().splitlines() or ["no output"])[-1]
            raise ToolError(f"cocotb did not run {design.top}: {last}")
        tests, failures = _parse(results)
    return CocotbResult(tests=tests, failures=failures, seconds=seconds, log=log)


def _call(command: list[str], place: Path, environment: dict[str, str], timeout: float) -> str:
    """Runs a command with all it starts as one group, so that a time-out ends the simulator too."""
    process = subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=timeout)[0]
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _build(design: Design, simulator: Simulator) -> Path:
    """Compiles a design without the harness, with VPI, where cocotb's runner looks for it."""
    version = find_icarus().version if simulator == "icarus" else find_verilator().version
    name = "sim.vvp" if simulator == "icarus" else design.top

    def fill(folder: Path) -> None:
        write_sources(folder / "source", {**design.sources, "cocotb.f": "+timescale+1ns/1ps\n"})
        if simulator == "icarus":
            arguments = ["-s", design.top, "-f", "cocotb.f"]
            compile_icarus(find_icarus(), folder, name, arguments, list(design.sources))
        else:
            compile_verilator(find_verilator(), folder, name, _program(design))

    key = [_FORMAT, simulator, version, design.top, design.sources, vars(_program(design)), WAIVED]
    return cached("simulation", f"{design.top}-cocotb-{simulator}-{content_hash(key)}", fill)[0] / name


def _program(design: Design) -> Program:
    from cocotb_tools import config

    libraries = str(config.libs_dir)
    return Program(
        top=design.top,
        prefix="Vtop",
        sources=list(design.sources),
        waived=design.waived,
        # The bench sees ports only; what lies below stays optimised.
        arguments=["--vpi", "--public-depth", "1", "--timescale", "1ns/1ps"],
        main=str(config.share_dir / "lib" / "verilator" / "verilator.cpp"),
        modules=["verilated_vpi"],
        # cocotb's main keeps the time itself: no VL_TIME_CONTEXT.
        link=[f"-Wl,-rpath,{libraries}", f"-L{libraries}", "-lcocotbvpi_verilator"],
    )


def _parse(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    tests: dict[str, str] = {}
    failures: dict[str, str] = {}
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = case.get("name", "")
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failure is not None:
            tests[name] = "fail"
            failures[name] = failure.get("error_msg") or failure.get("message") or (failure.text or "failed").strip()
        else:
            tests[name] = "skip" if case.find("skipped") is not None else "pass"
    return tests, failures


@contextlib.contextmanager
def _working(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="hwconv-") as name:
            yield Path(name)
