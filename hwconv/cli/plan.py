"""`hwconv plan`: what will be built, how fast it will be, and where each lost cycle goes."""

from pathlib import Path
from typing import Annotated

import typer

from hwconv.cli.options import (
    Algorithm,
    AlgorithmName,
    Json,
    LayerIndex,
    Loadable,
    LutMultipliers,
    ModelFile,
    Multipliers,
    Target,
)
from hwconv.cli.terminal import print_json, print_text


def plan(
    file: ModelFile,
    layer: LayerIndex = None,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    target: Target = None,
    algorithm: Algorithm = AlgorithmName.direct,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock", min=1, max=10_000, metavar="MHZ", help="The clock of times; by default 100.", show_default=False
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="F.svg", help="Draw what a tile reads, or a graph.", show_default=False),
    ] = None,
    loadable: Loadable = False,
    json: Json = False,
) -> None:
    """Print the loop nest, the array, the memories, the cycles, and where each lost cycle goes.

    For a .tflite model without --layer: its layers. For a graph: its engines and the queues between them.
    """
    from hwconv import api
    from hwconv.frontend.graph_file import is_graph

    if is_graph(file):
        others = (layer, lut_multipliers, target, loadable or None)
        if any(each is not None for each in others) or algorithm != AlgorithmName.direct:
            raise typer.BadParameter("of the options only --multipliers, --clock, --picture and --json go with a graph")
        _plan_graph(file, multipliers, clock, picture, json)
        return
    if layer is None and api.is_model(file):
        if picture is not None:
            raise typer.BadParameter("--picture goes with one layer: --layer N")
        layers = api.list_layers(file)
        if json:
            print_json({"layers": layers})
        else:
            print_text(_table(str(file), layers))
        return
    engine = api.plan(
        file,
        layer=layer,
        multipliers=multipliers,
        target=target,
        lut_multipliers=lut_multipliers,
        algorithm=algorithm.value,
        loadable=loadable,
    )
    if picture is not None:
        api.draw(engine, picture)
    if json:
        print_json(engine.summary())
        return
    from hwconv.plan.explain import explain
    from hwconv.plan.winograd import WinogradPlan
    from hwconv.plan.winograd_explain import explain_winograd
    from hwconv.targets import load_target

    chosen = load_target(target) if target else None
    if isinstance(engine, WinogradPlan):
        print_text(explain_winograd(engine, target=chosen, clock_mhz=clock))
    else:
        print_text(explain(engine, target=chosen, clock_mhz=clock))


def _plan_graph(file: Path, multipliers: int | None, clock: float | None, picture: Path | None, json: bool) -> None:
    from hwconv import api, graphs
    from hwconv.plan.graph_explain import explain_graph

    plan = graphs.plan_file(file, multipliers=multipliers)
    if picture is not None:
        api.draw(plan, picture)
    if json:
        print_json(plan.summary())
    else:
        print_text(explain_graph(plan, clock_mhz=clock))


def _table(title: str, layers: list[dict[str, object]]) -> object:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for key in layers[0] if layers else ("layer",):
        table.add_column(str(key))
    for row in layers:
        table.add_row(*(str(value) for value in row.values()))
    return table
