"""`hwconv factorise`: two layers of one row and one column for one with both, and what that costs."""

from pathlib import Path
from typing import Annotated

import typer

from hwconv.cli.options import Json, LayerIndex, ModelFile
from hwconv.cli.terminal import print_json, print_text, progress


def factorise(
    file: ModelFile,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", help="Write horizontal.npz and vertical.npz there.", show_default=False
        ),
    ] = None,
    layer: LayerIndex = None,
    rank: Annotated[
        int | None,
        typer.Option(
            "--rank", min=1, metavar="R", help="Channels between the two, for each group.", show_default=False
        ),
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(
            "--error",
            min=0,
            max=1,
            metavar="E",
            help="Instead: the least rank whose weights have this relative error.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npy", help="Frames to measure with; by default the file's, or random ones."),
    ] = None,
    frames: Annotated[int, typer.Option("--frames", min=1, metavar="N", help="How many random ones.")] = 4,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the random frames.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    json: Json = False,
) -> None:
    """Split a KxL layer into a 1xL and a Kx1 layer; report the error in weights and outputs, and what is saved."""
    from hwconv import api

    if (rank is None) == (error is None):
        raise typer.BadParameter("give one of --rank and --error")
    with progress("factorising"):
        result = api.factorise(
            file,
            output,
            layer=layer,
            rank=rank,
            error=error,
            input=input,
            frames=frames,
            seed=seed,
            force=force,
        )
    if json:
        print_json(result.to_json())
        return
    print_text(result.describe())
    if output is not None:
        print_text(f"  {output / 'horizontal.npz'}, then {output / 'vertical.npz'}")
