"""`hwconv generate`: a folder that a Verilog user can pick up without Python."""

from pathlib import Path
from typing import Annotated

import typer

from hwconv.cli.options import (
    Algorithm,
    AlgorithmName,
    FamilyName,
    Json,
    LayerIndex,
    Loadable,
    LutMultipliers,
    ModelFile,
    Multipliers,
    Target,
)
from hwconv.cli.terminal import print_json, print_text, progress


def generate(
    file: ModelFile,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The folder to write.")],
    layer: LayerIndex = None,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    target: Target = None,
    algorithm: Algorithm = AlgorithmName.direct,
    family: Annotated[
        FamilyName | None,
        typer.Option("--family", help="Vendor blocks; by default those of the target.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the top module; by default the layer's.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that is not empty.")] = False,
    loadable: Loadable = False,
    json: Json = False,
) -> None:
    """Write Verilog, memory images, constraints, benches, stimulus and expected output."""
    from hwconv import api

    with progress("generating"):
        result = api.generate(
            file,
            output,
            layer=layer,
            multipliers=multipliers,
            lut_multipliers=lut_multipliers,
            target=target,
            algorithm=algorithm.value,
            family=family.value if family else None,
            name=name,
            force=force,
            loadable=loadable,
        )
    if json:
        print_json(result.to_json())
    else:
        print_text(
            f"{result.directory}: {len(result.files)} files, top module {result.top}, "
            f"{result.multipliers} multipliers, latency {result.predicted_latency} cycles, "
            f"a frame every {result.predicted_interval} cycles",
            f"simulate it: make -C {result.directory} sim-verilog",
        )
