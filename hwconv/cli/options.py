"""The arguments and options that several commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

MODEL = "A layer file (.npz or .toml), a graph (.toml), or a model (.tflite) together with --layer."
WHOLE = "A layer file (.npz or .toml), a graph (.toml), a model (.tflite, .onnx), or one --layer of a .tflite."


class SimulatorName(StrEnum):
    """The simulators."""

    verilator = "verilator"
    icarus = "icarus"


class AlgorithmName(StrEnum):
    """The algorithms."""

    direct = "direct"
    winograd2 = "winograd2"
    winograd4 = "winograd4"
    auto = "auto"


class OptimiseName(StrEnum):
    """What is to be short."""

    interval = "interval"
    latency = "latency"


class PartitionName(StrEnum):
    """Which layers share an engine."""

    auto = "auto"
    engines = "engines"
    program = "program"


class FamilyName(StrEnum):
    """The implementations of the vendor blocks."""

    generic = "generic"
    ecp5 = "ecp5"


ModelFile = Annotated[Path, typer.Argument(metavar="FILE", help=MODEL, show_default=False)]
WholeFile = Annotated[Path, typer.Argument(metavar="FILE", help=WHOLE, show_default=False)]
WholeFiles = Annotated[list[Path], typer.Argument(metavar="FILE...", help=WHOLE, show_default=False)]
LayerIndex = Annotated[
    int | None, typer.Option("--layer", min=0, metavar="N", help="Operator of a .tflite model.", show_default=False)
]
Multipliers = Annotated[
    int | None,
    typer.Option("--multipliers", min=1, metavar="N", help="Multipliers that the array may have.", show_default=False),
]
LutMultipliers = Annotated[
    int | None,
    typer.Option(
        "--lut-multipliers",
        min=0,
        metavar="N",
        help="How many of them may be made of look-up tables; by default what exceeds the target's.",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option("--target", metavar="NAME", help="An FPGA; `hwconv targets` lists them.", show_default=False),
]
Algorithm = Annotated[
    AlgorithmName,
    typer.Option("--algorithm", help="Winograd for 3x3, 1x3 and 3x1 kernels at stride 1; `auto` where it pays."),
]
Simulator = Annotated[SimulatorName, typer.Option("--simulator", help="Which simulator runs the Verilog.")]
Loadable = Annotated[
    bool, typer.Option("--loadable", help="Weights and requantisation come by a stream; see docs/loadable.md.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Partition = Annotated[
    PartitionName,
    typer.Option("--partition", help="Which layers of a network share an engine: none, all in a row, or what is best."),
]
Optimise = Annotated[
    OptimiseName,
    typer.Option("--optimise", help="What is to be short, of a network on a target."),
]
