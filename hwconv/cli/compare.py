"""`hwconv compare`: whether the hardware equals numpy, bit for bit."""

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
    Multipliers,
    Optimise,
    OptimiseName,
    Partition,
    PartitionName,
    Simulator,
    SimulatorName,
    Target,
    WholeFiles,
)
from hwconv.cli.terminal import print_json, print_text, progress
from hwconv.errors import MismatchError


def compare(
    files: WholeFiles,
    layer: LayerIndex = None,
    input: Annotated[
        Path | None,
        typer.Option("--input", metavar="X.npy", help="Input frames; by default the file's, or random ones."),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option("--expected", metavar="Y.npy", help="Outputs known from elsewhere, compared as well."),
    ] = None,
    simulator: Simulator = SimulatorName.verilator,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    target: Target = None,
    algorithm: Algorithm = AlgorithmName.direct,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames", min=1, metavar="N", help="Frames to send; random ones follow the given.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the random frames.")] = 1,
    netlist: Annotated[
        bool, typer.Option("--netlist", help="Simulate what synthesis for ECP5 makes of the Verilog, cell by cell.")
    ] = False,
    waveform: Annotated[
        Path | None, typer.Option("--waveform", metavar="F.vcd", help="Write a waveform.", show_default=False)
    ] = None,
    capture: Annotated[
        Path | None,
        typer.Option("--capture", metavar="Y.npy", help="Write the outputs as the hardware gave them."),
    ] = None,
    loadable: Loadable = False,
    every_tensor: Annotated[
        bool, typer.Option("--every-tensor", help="Of a whole model: compare what moves between its engines, too.")
    ] = False,
    optimise: Optimise = OptimiseName.interval,
    partition: Partition = PartitionName.auto,
    json: Json = False,
) -> None:
    """Simulate the Verilog of a layer or a whole model and compare it with the golden model: exact, or exit code 1.

    Latency and interval must be those that the plan predicts.
    """
    from hwconv import api, networks

    if len(files) > 1 and any((input, expected, waveform, capture)):
        raise typer.BadParameter("--input, --expected, --waveform and --capture go with a single FILE")
    results = []
    with progress(
        f"{'synthesising, then ' if netlist else ''}simulating with {simulator.value}", total=len(files)
    ) as step:
        for file in files:
            if layer is None and networks.is_whole_model(file):
                if netlist or loadable or lut_multipliers is not None or algorithm != AlgorithmName.direct:
                    raise typer.BadParameter(
                        "--netlist, --loadable, --lut-multipliers and --algorithm go with a layer, not a whole model"
                    )
                results.append(
                    networks.compare_network(
                        file,
                        input=input,
                        expected=expected,
                        target=target,
                        multipliers=multipliers,
                        optimise=optimise.value,
                        partition=partition.value,
                        simulator=simulator.value,
                        frames=frames,
                        seed=seed,
                        waveform=waveform,
                        capture=capture,
                        every_tensor=every_tensor,
                    )
                )
                step()
                continue
            if every_tensor or optimise != OptimiseName.interval or partition != PartitionName.auto:
                raise typer.BadParameter("--every-tensor, --optimise and --partition go with a whole model")
            results.append(
                api.compare(
                    file,
                    layer=layer,
                    input=input,
                    expected=expected,
                    simulator=simulator.value,
                    multipliers=multipliers,
                    lut_multipliers=lut_multipliers,
                    target=target,
                    algorithm=algorithm.value,
                    frames=frames,
                    seed=seed,
                    netlist=netlist,
                    waveform=waveform,
                    capture=capture,
                    loadable=loadable,
                )
            )
            step()
    if json:
        print_json(results[0].to_json() if len(results) == 1 else {"results": [each.to_json() for each in results]})
    else:
        print_text(*(each.describe() for each in results))
    failed = [each for each in results if each.failure]
    if failed:
        rest = f" (and {len(failed) - 1} more of {len(results)} layers)" if len(failed) > 1 else ""
        raise MismatchError(f"{failed[0].layer}: {failed[0].failure}{rest}")
