"""`hwconv quantise`: a float `.onnx` model to int8, as the other commands take it."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwconv.cli.options import Json
from hwconv.cli.terminal import print_json, print_text, progress

if TYPE_CHECKING:
    from hwconv.quantise import QuantiseResult


class FormName(Enum):
    """How a quantised model states its quantisation."""

    qdq = "qdq"
    qoperator = "qoperator"


def quantise(
    file: Annotated[Path, typer.Argument(metavar="FLOAT.onnx", help="A model of floats.", show_default=False)],
    calibration: Annotated[
        Path,
        typer.Option("--calibration", metavar="X.npy", help="Frames (N, ...) in float32, as the model will see them."),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="Q.onnx", help="The model to write.")],
    form: Annotated[
        FormName, typer.Option("--form", help="DequantizeLinear and QuantizeLinear around operators, or QLinearConv.")
    ] = FormName.qdq,
    json: Json = False,
) -> None:
    """Quantise a float model to int8 with onnxruntime; say every scale, and what the outputs lost.

    What is written is a model that compile takes; anything else is refused by name, and nothing is written.
    """
    from hwconv.quantise import quantise_model

    with progress("quantising"):
        result = quantise_model(file, calibration, output, form=form.value)
    if json:
        print_json(result.to_json())
    else:
        print_text(_scales(result), *_summary(result))


def _scales(result: "QuantiseResult") -> object:
    from rich.table import Table

    table = Table(title=result.output, title_justify="left")
    for heading in ("tensor", "scale", "zero point"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "tensor" else "right")
    for each in result.activations:
        table.add_row(each.name, f"{each.scale:.6g}", str(each.zero_point))
    for weight in result.weights:
        span = f"{weight.smallest:.4g} to {weight.largest:.4g}" if weight.scales > 1 else f"{weight.smallest:.6g}"
        table.add_row(f"{weight.name} ({weight.scales})", span, "0")
    return table


def _summary(result: "QuantiseResult") -> list[str]:
    noise = "-" if result.sqnr_db is None else f"{result.sqnr_db:.1f} dB"
    lines = [
        f"{result.frames} frames: signal to quantisation noise {noise}, largest error {result.largest_error:.4g}",
        ", ".join(f"{count} {place}" for place, count in result.operators.items()) + f"; compile {result.output}",
    ]
    if result.agreement is not None:
        lines.insert(1, f"the largest output is the same one for {result.agreement:.2%} of the frames")
    return lines
