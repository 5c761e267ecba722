"""`hwconv sim`: keeps hardware correct: pauses, several frames, damaged frames, resets."""

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
    Simulator,
    SimulatorName,
    Target,
)
from hwconv.cli.terminal import print_json, print_text, progress
from hwconv.errors import MismatchError


def sim(
    file: ModelFile,
    layer: LayerIndex = None,
    simulator: Simulator = SimulatorName.verilator,
    multipliers: Multipliers = None,
    lut_multipliers: LutMultipliers = None,
    target: Target = None,
    algorithm: Algorithm = AlgorithmName.direct,
    frames: Annotated[int, typer.Option("--frames", min=4, metavar="N", help="Frames of each run.")] = 4,
    seed: Annotated[int, typer.Option("--seed", min=1, metavar="N", help="Of frames, pauses and faults.")] = 1,
    loadable: Loadable = False,
    json: Json = False,
) -> None:
    """Run the Verilog of a layer through pauses, damaged frames and resets; exit code 1 if a beat is wrong."""
    from hwconv import api

    with progress(f"simulating with {simulator.value}"):
        result = api.simulate(
            file,
            layer=layer,
            simulator=simulator.value,
            multipliers=multipliers,
            lut_multipliers=lut_multipliers,
            target=target,
            algorithm=algorithm.value,
            frames=frames,
            seed=seed,
            loadable=loadable,
        )
    if json:
        print_json(result.to_json())
    else:
        print_text(result.describe())
    if not result.passed:
        runs = len(result.trials) + len(result.cocotb)
        problems = result.problems or ["no cocotb test ran"]
        raise MismatchError(f"{result.layer}: {len(result.problems)} of {runs} runs failed; {problems[0]}")
