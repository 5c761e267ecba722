"""Simulates engines under Verilator and Icarus: build (cached by content), run, compare, report.

>>> design = Design(top="engine", files=files, input_beat_bytes=16, output_beat_bytes=16)
>>> print(explain(run(build(design), frames, outputs)))
"""

from hwconv.simulation.bench import CocotbResult, bench_description, run_cocotb
from hwconv.simulation.build import SIMULATORS, Binary, Simulator, build
from hwconv.simulation.design import (
    Design,
    EarlyLast,
    Expected,
    Fault,
    LateLast,
    Load,
    Loads,
    MissingLast,
    Stimulus,
    WrongKeep,
    expected,
    stimulus,
    with_user,
)
from hwconv.simulation.report import FrameTiming, Mismatch, SimulationResult, explain
from hwconv.simulation.run import Reset, Stalls, run, run_many

__all__ = [
    "SIMULATORS",
    "Binary",
    "CocotbResult",
    "Design",
    "EarlyLast",
    "Expected",
    "Fault",
    "FrameTiming",
    "LateLast",
    "Load",
    "Loads",
    "Mismatch",
    "MissingLast",
    "Reset",
    "SimulationResult",
    "Simulator",
    "Stalls",
    "Stimulus",
    "WrongKeep",
    "bench_description",
    "build",
    "expected",
    "explain",
    "run",
    "run_cocotb",
    "run_many",
    "stimulus",
    "with_user",
]
