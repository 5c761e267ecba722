"""`hwconv dropout`: Monte-Carlo dropout blocks, from a description to Verilog that equals numpy."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hwconv.cli.options import FamilyName, Json, Simulator, SimulatorName
from hwconv.cli.terminal import print_json, print_text, progress
from hwconv.errors import MismatchError


def dropout(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A description (.toml) of kind dropout, mc_statistics or mc_dropout.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write a package into this folder.")
    ] = None,
    compare: Annotated[bool, typer.Option("--compare", help="Simulate, and compare with numpy bit for bit.")] = False,
    sim: Annotated[bool, typer.Option("--sim", help="Run through pauses, damaged frames and resets.")] = False,
    simulator: Simulator = SimulatorName.verilator,
    frames: Annotated[int, typer.Option("--frames", min=1, metavar="N", help="Output frames of --compare.")] = 4,
    seed: Annotated[int, typer.Option("--seed", min=1, metavar="N", help="Of the frames' values.")] = 1,
    family: Annotated[FamilyName, typer.Option("--family", help="Vendor blocks of the package.")] = FamilyName.generic,
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is not empty.")] = False,
    json: Json = False,
) -> None:
    """Plan a dropout or statistics block; with options, write its package, compare it with numpy, stress it."""
    from hwconv import blocks

    block = blocks.load_block(file)
    found: dict[str, Any] = {"plan": block.plan.summary()}
    lines = [_plan_text(block.plan.top_name, found["plan"])]
    problems = []
    if output is not None:
        with progress("generating"):
            written = blocks.generate_block(block, output, family=family.value, force=force)
        found["package"] = written.to_json()
        lines.append(f"{written.directory}: {len(written.files)} files, top module {written.top}")
    if compare:
        with progress(f"simulating with {simulator.value}"):
            result = blocks.compare_block(block, simulator=simulator.value, results=frames, seed=seed)
        found["comparison"] = result.to_json()
        lines.append(result.describe())
        problems += [] if result.exact else [result.problem]
    if sim:
        with progress(f"simulating with {simulator.value}"):
            runs = blocks.simulate_block(block, simulator=simulator.value, seed=seed)
        found["trials"] = runs.to_json()
        lines.append(runs.describe())
        problems += [f"{each.name}: {each.problem}" for each in runs.trials if not each.passed]
    if json:
        print_json(found)
    else:
        print_text(*lines)
    if problems:
        raise MismatchError(f"{block.plan.top_name}: {problems[0]}")


def _plan_text(name: str, summary: dict[str, Any]) -> str:
    parts = summary.get("blocks", [summary])
    lines = [f"{name}: latency {summary['latency']} cycles, an output frame every {summary['interval']} cycles"]
    for part in parts:
        own = {key: value for key, value in part.items() if key not in ("block", "latency", "interval")}
        lines.append("  " + ", ".join(f"{key} {value}" for key, value in own.items()))
    return "\n".join(lines)
