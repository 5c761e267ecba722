"""`hwconv compile`: from a whole model to one package."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hwconv.cli.options import Json, Optimise, OptimiseName, Partition, PartitionName, Target
from hwconv.cli.terminal import print_json, print_text, progress


def compile(
    file: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model (.tflite, .onnx) or a graph (.toml).", show_default=False)
    ],
    target: Target = None,
    optimise: Optimise = OptimiseName.interval,
    partition: Partition = PartitionName.auto,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="The folder to write; without it, only the plan.", show_default=False
        ),
    ] = None,
    multipliers: Annotated[
        int | None,
        typer.Option(
            "--multipliers",
            min=1,
            metavar="N",
            help="Multipliers of all arrays together, instead of what the target has.",
            show_default=False,
        ),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock", min=1, max=10_000, metavar="MHZ", help="The clock of times and constraints.", show_default=False
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show where the budget went, engine by engine, and what binds.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is not empty.")] = False,
    json: Json = False,
) -> None:
    """Turn a quantised network into one accelerator: engines for its layers, shared or not, balanced for the target.

    Every operator is computed exactly, left to the host by name, or refused before anything is written.
    """
    from hwconv import networks
    from hwconv.plan.graph_explain import explain_budget, explain_graph

    chosen: dict[str, Any] = {
        "target": target,
        "multipliers": multipliers,
        "optimise": optimise.value,
        "partition": partition.value,
    }
    with progress("compiling"):
        if output is None:
            plan, result = networks.plan_network(file, **chosen), None
        else:
            plan, result = networks.compile_network(file, output, clock_mhz=clock, force=force, **chosen)
    if json:
        written = {} if result is None else {"package": result.to_json()}
        print_json({**plan.summary(), **written})
        return
    print_text(explain_graph(plan, clock_mhz=clock))
    if explain:
        print_text(explain_budget(plan))
    if result is not None:
        print_text(
            f"{result.directory}: {len(result.files)} files, top module {result.top}",
            f"simulate it: make -C {result.directory} sim-verilog",
        )
