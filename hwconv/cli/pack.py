"""`hwconv pack`: the weights of a layer, as the weight stream of a loadable engine takes them."""

from pathlib import Path
from typing import Annotated

import typer

from hwconv.cli.options import Json, LayerIndex, ModelFile, Multipliers, Target
from hwconv.cli.terminal import print_json, print_text


def pack(
    file: ModelFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The image to write.")],
    engine: Annotated[
        Path | None,
        typer.Option(
            "--engine", metavar="DIR", help="The engine's package; by default the engine of the layer itself."
        ),
    ] = None,
    layer: LayerIndex = None,
    multipliers: Multipliers = None,
    target: Target = None,
    json: Json = False,
) -> None:
    """Write the image that loads a layer into an engine generated with --loadable; refuses what does not fit."""
    from hwconv import api

    if engine is not None and (multipliers is not None or target is not None):
        raise typer.BadParameter("--multipliers and --target say which engine, as --engine does: give one or the other")
    result = api.pack(file, output, engine=engine, layer=layer, multipliers=multipliers, target=target)
    if json:
        print_json(result.to_json())
    else:
        print_text(
            f"{result.file}: {result.bytes} bytes, {result.beats} beats of {result.beat_bytes}, for {result.engine}",
            f"  loaded in {result.cycles} cycles; {result.channels} channels proven at {result.points} points",
        )
