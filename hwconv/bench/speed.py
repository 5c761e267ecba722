"""How fast the tools are: figures of the machine they were measured on, kept apart from those of the engines."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from hwconv import golden, simulation
from hwconv.bench.run import Engine, generate
from hwconv.comparison import with_random
from hwconv.emit.package import model_files
from hwconv.plan.cycles import predict
from hwconv.simulation.build import Options, build_with

ENGINE = ("3x3", 64)
"""The engine whose simulation is timed: dense, 64 multipliers."""
FRAMES = 40
RUNS = 3


def simulation_speed(engine: Engine) -> dict[str, Any]:
    """Times the simulation of an engine, compiled with optimisation; the fastest of several runs counts."""
    plan = engine.plan
    sent = with_random(plan.layer, None, FRAMES, seed=1)
    right = golden.run(plan.layer, sent)
    design = simulation.Design(
        top=plan.top_name,
        files=engine.files | model_files("generic"),
        input_beat_bytes=plan.input_beat_bytes,
        output_beat_bytes=plan.output_beat_bytes,
    )
    beats = FRAMES * max(
        -(-plan.spec.input_bytes // plan.input_beat_bytes), -(-plan.spec.output_bytes // plan.output_beat_bytes)
    )
    binary = build_with(design, Options(optimise=True, depth=1 << (beats - 1).bit_length()))
    results = [simulation.run(binary, sent, right) for _ in range(RUNS)]
    best = max(results, key=lambda each: each.cycles_per_second)
    return {
        "layer": engine.layer,
        "multipliers": plan.multipliers,
        "cycles": best.cycles,
        "cycles_per_second": round(best.cycles_per_second),
        "build_seconds": round(binary.build_seconds, 1),
        "rtl": engine.rtl,
    }


def machine() -> dict[str, Any]:
    """What ran the tools: processor and cores."""
    model = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = next(iter(names), model)
    return {"processor": model, "cores": os.cpu_count()}


def generation_speed(layers: Sequence[str], progress: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """Times the way from each layer to its Verilog at 64 multipliers, and the prediction of its cycles.

    Nothing else of this process runs meanwhile. `cpu_seconds` is what it takes on a machine that does nothing else.
    """
    rows = []
    for layer in layers:
        start, before = perf_counter(), sum(os.times()[:4])
        engine = generate(layer, ENGINE[1])
        seconds, used = perf_counter() - start, sum(os.times()[:4]) - before
        start = perf_counter()
        predict(engine.plan.config)
        rows.append(
            {
                "layer": layer,
                "multipliers_asked": ENGINE[1],
                "seconds": round(seconds, 2),
                "cpu_seconds": round(used, 2),
                "prediction_ms": round(1000 * (perf_counter() - start), 2),
            }
        )
        progress()
    return rows
