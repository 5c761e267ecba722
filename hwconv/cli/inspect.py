"""`hwconv inspect`: the operators of a model, and what becomes of each."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwconv.cli.options import Json
from hwconv.cli.terminal import print_json, print_text

if TYPE_CHECKING:
    from hwconv.inspection import Inspection


_PLACES = {"engine": "operators in engines", "free": "free", "host": "on the host", "refused": "refused"}


def inspect(
    file: Annotated[Path, typer.Argument(metavar="MODEL", help="A model (.tflite or .onnx).", show_default=False)],
    json: Json = False,
) -> None:
    """List the operators of a model: shapes, MACs, weights, bytes, and where each would be computed.

    Exit code 1 if one is refused: the model is shown all the same.
    """
    from hwconv import api

    found = api.inspect(file)
    if json:
        print_json(found.to_json())
    else:
        print_text(_table(found), *_summary(found))
    found.check()


def _table(found: "Inspection") -> object:
    from rich.table import Table

    table = Table(title=found.name, title_justify="left")
    for heading in ("", "operator", "reads", "makes"):
        table.add_column(heading, justify="right" if not heading else "left", no_wrap=True)
    for heading in ("MACs", "weights", "bytes"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("where", no_wrap=True)
    for row in found.rows:
        numbers = (f"{number:,}" if number else "" for number in (row.macs, row.weights, row.activation_bytes))
        table.add_row(str(row.index), row.operator, _shapes(row.reads), _shapes(row.makes), *numbers, row.place)
    return table


def _shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    """Shapes without the batch; of many, the first two."""
    texts = ["x".join(map(str, shape[1:] if len(shape) > 1 else shape)) or "-" for shape in shapes[:2]]
    return ", ".join(texts) + (f" and {len(shapes) - 2} more" if len(shapes) > 2 else "")


def _summary(found: "Inspection") -> list[str]:
    totals = found.totals
    lines = [
        f"{totals['macs']:,} MACs, {totals['weights']:,} weights, {totals['activation_bytes']:,} bytes of activations",
        ", ".join(f"{totals[place]} {what}" for place, what in _PLACES.items()),
    ]
    if found.receptive_field is not None and found.frame is not None:
        (rows, columns), (height, width, _) = found.receptive_field, found.frame
        lines.append(f"an output sees {rows} x {columns} pixels; the frame has {height} x {width}")
    return lines + [f"refused: {problem}" for problem in found.problems]
