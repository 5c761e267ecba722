"""Measures the engines of the table: each is planned, generated, simulated under Verilator and compared.

Latency and interval are those of the simulation; a measurement stands beside the hash of the Verilog that was measured,
so that a figure which is older than the engine shows.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hwconv import golden, simulation
from hwconv.bench import variants
from hwconv.bench.goals import UTILISATION, UTILISATION_ASKED
from hwconv.bench.layers import ALGORITHMS, SPECS, bench_layer
from hwconv.bench.variants import FAMILIES, Measured
from hwconv.comparison import with_random
from hwconv.emit.package import engine_files, model_files
from hwconv.emit.verilog import design_hash
from hwconv.errors import HwconvError, one_of
from hwconv.plan import EnginePlan, plan_layer
from hwconv.plan.winograd_config import WinogradConfig

MULTIPLIERS = (16, 64, 144)
FRAMES = 4


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine of the table, generated.

    Members:
        layer, asked: which one: name of the layer, and multipliers asked for.
        plan: its plan. files: its Verilog and memory images. rtl: the hash of its Verilog.
    """

    layer: str
    asked: int
    plan: EnginePlan
    files: dict[str, str]
    rtl: str


def chosen(layers: Sequence[str] | None, multipliers: Sequence[int] | None) -> list[tuple[str, int]]:
    """The engines to measure, in the order of the table; those of another algorithm and variants only by name.

    Raises:
        HwconvError: a layer that is not in the table, or no multipliers at all.
    """
    for name in layers or ():
        if name not in SPECS and name not in FAMILIES:
            raise HwconvError(f"there is no layer {name!r} in the table (choose from {one_of([*SPECS, *FAMILIES])})")
    for count in multipliers or ():
        if count < 1:
            raise HwconvError(f"expected multipliers of at least 1, not {count}")
    names = [name for name in SPECS if (name not in ALGORITHMS if layers is None else name in layers)]
    engines = [(name, count) for count in multipliers or MULTIPLIERS for name in names]
    named = [name for name in FAMILIES if name in (layers or ())]
    return engines + [(name, count) for name in named for count in multipliers or variants.sizes(name)]


def row_of(engine: Engine | Measured) -> dict[str, Any]:
    """Simulates an engine or a variant and returns its row."""
    if isinstance(engine, Measured):
        return variants.measured_row(engine, rtl_hash(engine.files))
    return measured_row(engine)


def generate(layer: str, asked: int, family: str = "generic") -> Engine:
    """Plans an engine of the table and generates its Verilog."""
    plan = plan_layer(bench_layer(layer), ALGORITHMS.get(layer, "direct"), multipliers=asked)
    files = engine_files(plan, family)
    return Engine(layer=layer, asked=asked, plan=plan, files=files, rtl=rtl_hash(files))


def rtl_hash(files: dict[str, str]) -> str:
    """The hash of an engine's Verilog without its comments: what a figure is keyed by."""
    return design_hash("".join(files[name] for name in sorted(files) if name.endswith(".v")))


def planned_row(engine: Engine) -> dict[str, Any]:
    """What the plan says of an engine, as a row of the table."""
    plan, config = engine.plan, engine.plan.config
    mode = "depthwise" if config.depthwise else "dense"
    return {
        "layer": engine.layer,
        "multipliers_asked": engine.asked,
        "mode": ALGORITHMS.get(engine.layer, mode),
        "rows": config.rows if isinstance(config, WinogradConfig) else config.pixels,
        "columns": config.columns,
        "ports": config.ports,
        "word_bytes": config.word_bytes,
        "multipliers": plan.multipliers,
        "products": plan.products,
        "requantisers": config.requantisers,
        "requantiser_multipliers": plan.requantiser_multipliers,
        "macs": plan.spec.macs,
        "predicted_latency": plan.cycles.latency,
        "predicted_interval": plan.cycles.interval,
        "losses": {name: amount for name, amount in plan.summary()["losses"].items() if amount},
        "rtl": engine.rtl,
    }


def measured_row(engine: Engine, frames: int = FRAMES, seed: int = 1) -> dict[str, Any]:
    """Simulates an engine and returns its row with what was measured. A difference raises nothing; see `problems`."""
    plan = engine.plan
    sent = with_random(plan.layer, None, frames, seed)
    design = simulation.Design(
        top=plan.top_name,
        files=engine.files | model_files("generic"),
        input_beat_bytes=plan.input_beat_bytes,
        output_beat_bytes=plan.output_beat_bytes,
    )
    result = simulation.run(simulation.build(design), sent, golden.run(plan.layer, sent))
    row = planned_row(engine)
    interval = result.interval
    return row | {
        "frames": frames,
        "outputs": result.outputs,
        "mismatches": result.mismatches,
        "passed": result.passed,
        "latency": result.latency,
        "interval": interval,
        "utilisation": round(plan.spec.macs / (interval * plan.products), 6) if interval else None,
        "utilisation_asked": round(plan.spec.macs / (interval * plan.products_asked), 6) if interval else None,
    }


def measure(
    engines: Sequence[tuple[str, int]], jobs: int = 1, progress: Callable[[], None] = lambda: None
) -> Iterator[tuple[Engine | Measured, dict[str, Any]]]:
    """Generates and simulates engines and variants, and yields each with its row, in the order asked for.

    Parameters:
        engines: layer and multipliers of each.
        jobs: simulations at a time, beside the generation of the next engine.
        progress: called after each.
    """
    with ThreadPoolExecutor(jobs) as pool:
        waiting: list[tuple[Engine | Measured, Future[dict[str, Any]]]] = []

        def oldest() -> tuple[Engine | Measured, dict[str, Any]]:
            engine, future = waiting.pop(0)
            row = future.result()
            progress()
            return engine, row

        for layer, asked in engines:
            engine = variants.generate(layer, asked) if layer in FAMILIES else generate(layer, asked)
            waiting.append((engine, pool.submit(row_of, engine)))
            if len(waiting) > jobs:
                yield oldest()
        while waiting:
            yield oldest()


def problems(row: dict[str, Any]) -> list[str]:
    """What is wrong with a measured row; nothing if it is exact and its cycles are those predicted."""
    unit = "lanes" if row.get("family") == variants.BLOCK else "multipliers"
    name = f"{row['layer']} at {asked_for(row)} {unit}"
    found = []
    if not row["passed"] or row["mismatches"] or not row["outputs"]:
        found.append(f"{name}: {row['mismatches']} mismatches in {row['outputs']} outputs")
    for what in ("latency", "interval"):
        if row[what] != row[f"predicted_{what}"]:
            found.append(f"{name}: {what} is {row[what]} cycles, predicted were {row[f'predicted_{what}']}")
    return found


def asked_for(row: dict[str, Any]) -> int:
    """Multipliers, or lanes, that a row's engine was asked to have."""
    return int(row["asked"] if "family" in row else row["multipliers_asked"])


def verdicts(row: dict[str, Any]) -> tuple[str, str]:
    """Which goals a measured row reaches: against the array's multipliers, and against those asked for."""
    return UTILISATION.verdict(row["utilisation"]), UTILISATION_ASKED.verdict(row["utilisation_asked"])
