"""`hwconv plan`: what will be built, how fast it will be, and where each lost cycle goes."""

from pathlib import Path
from typing import Annotated

import typer

from hwconv.cli.options import Json, LayerIndex, LutMultipliers, ModelFile, Multipliers, Target
from hwconv.cli.terminal import print_json, print_text


def plan(
    file: ModelFile,
    layer: LayerIndex = None,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    target: Target = None,
    clock: Annotated[
        float | None,
        typer.Option(
            "--clock", min=1, max=10_000, metavar="MHZ", help="The clock of times; by default 100.", show_default=False
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="F.svg", help="Draw what a pixel tile reads.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Print the loop nest, the array, the memories, the cycles, and where each lost cycle goes.

    For a .tflite model without --layer: its layers.
    """
    from hwconv import api

    if layer is None and api.is_model(file):
        if picture is not None:
            raise typer.BadParameter("--picture goes with one layer: --layer N")
        layers = api.list_layers(file)
        if json:
            print_json({"layers": layers})
        else:
            print_text(_table(str(file), layers))
        return
    engine = api.plan(file, layer=layer, multipliers=multipliers, lut_multipliers=lut_multipliers, target=target)
    if picture is not None:
        api.draw(engine, picture)
    if json:
        print_json(engine.summary())
        return
    from hwconv.plan.explain import explain
    from hwconv.targets import load_target

    print_text(explain(engine, target=load_target(target) if target else None, clock_mhz=clock))


def _table(title: str, layers: list[dict[str, object]]) -> object:
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for key in layers[0] if layers else ("layer",):
        table.add_column(str(key))
    for row in layers:
        table.add_row(*(str(value) for value in row.values()))
    return table
