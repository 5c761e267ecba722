"""A plan as a picture (SVG): what a pixel tile reads, the array it is laid on, and the pixels that leave it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .array_drawing import draw_array
from .reads import RowReads, tile_reads
from .svg import BOLD, CELL, COLOURS, HEAD, INSIDE, LETTER, OUTSIDE, cell, document, span, text

if TYPE_CHECKING:
    from .engine_plan import EnginePlan

_GAP = 70
_CAPTION = 250
"""Width of the line below the array."""
_MOST_ROWS = 12
_MOST_COLUMNS = 16
_MOST_NUMBERED = 49


def draw_plan(plan: "EnginePlan", *, strip: int | None = None, tile: int | None = None) -> str:
    """The picture of one pixel tile, as the text of an SVG file.

    Input pixels carry the number of the tap that reads them for the tile's first pixel; hatched ones are zero points
    outside the frame. Input, array row and output of a pixel have the same colour.

    Parameters
    ----------
    strip, tile : int, optional
        Which tile (default: one in the middle, which reads no padding if any tile does not).
    """
    config, item, spec = plan.config, plan.config.passes[0], plan.spec
    tiles = item.strip_tiles(config.pixels)
    strip = item.strips // 2 if strip is None else strip
    tile = tiles // 2 if tile is None else tile
    reads = tile_reads(plan, strip, tile)
    cells = [tap for each in reads for tap in each.taps] or [(0, 0)]
    rows = span(spec.height, [y for y, _ in cells])
    columns = span(spec.width, [x for _, x in cells])
    out_rows = span(spec.out_height, [each.output[0] for each in reads])
    out_columns = span(spec.out_width, [each.output[1] for each in reads])
    left = 20
    array_left = left + max(len(columns) * CELL + _GAP, LETTER * len(_input_title(plan)) + 12)
    shown_columns = min(config.columns, _MOST_COLUMNS)
    out_left = array_left + max(shown_columns * CELL, _CAPTION) + _GAP
    width = out_left + max(len(out_columns) * CELL, 120) + 20
    height = HEAD + max(len(rows), len(out_rows), min(len(reads), _MOST_ROWS) + 2) * CELL + 30
    parts = [
        *_titles(plan, left, array_left, out_left),
        *_input(plan, reads, rows, columns, left),
        *_array(plan, reads, array_left, shown_columns),
        *_output(reads, out_rows, out_columns, out_left),
    ]
    return document(spec.name, "\n".join(draw_array(plan)), width, height, parts)


def _titles(plan: "EnginePlan", left: int, array_left: int, out_left: int) -> Iterator[str]:
    config, spec = plan.config, plan.spec
    yield text(left, 22, spec.name, BOLD)
    yield text(left, HEAD - 14, _input_title(plan))
    kind = "depthwise" if config.depthwise else "dense"
    yield text(array_left, HEAD - 14, f"array, {config.pixels} x {config.columns}, {kind}")
    yield text(out_left, HEAD - 14, f"output, {spec.out_height} x {spec.out_width} x {spec.out_channels}")


def _input_title(plan: "EnginePlan") -> str:
    return "input, {} x {} x {}".format(*plan.spec.input_shape)


def _input(plan: "EnginePlan", reads: list[RowReads], rows: range, columns: range, left: int) -> Iterator[str]:
    """The frame and the zero points around it; taps of each array row in its colour, those of the first on top."""
    spec = plan.spec
    readers: dict[tuple[int, int], int] = {}
    for each in reversed(reads):
        readers |= dict.fromkeys(each.taps, each.row)
    numbers = {cell: number for number, cell in enumerate(reads[0].taps)} if reads else {}
    for y in rows:
        for x in columns:
            inside = 0 <= y < spec.height and 0 <= x < spec.width
            if not inside and (y, x) not in readers:
                continue
            reader = readers.get((y, x))
            fill = "white" if reader is None else COLOURS[reader % len(COLOURS)]
            opacity = 1.0 if (y, x) in numbers or reader is None else 0.3
            place = left + (x - columns.start) * CELL, HEAD + (y - rows.start) * CELL
            yield cell(*place, fill, opacity)
            if not inside:
                yield cell(*place, OUTSIDE, 1.0)
            if (y, x) in numbers and len(numbers) <= _MOST_NUMBERED:
                yield text(place[0] + CELL / 2, place[1] + 13, str(numbers[y, x]), INSIDE)


def _array(plan: "EnginePlan", reads: list[RowReads], left: int, columns: int) -> Iterator[str]:
    config = plan.config
    for index, each in enumerate(reads[:_MOST_ROWS]):
        top = HEAD + index * CELL
        yield text(left - 8, top + 13, f"{each.output[0]}, {each.output[1]}", 'text-anchor="end"')
        for column in range(columns):
            yield cell(left + column * CELL, top, COLOURS[each.row % len(COLOURS)], 0.6)
    bottom = HEAD + min(len(reads), _MOST_ROWS) * CELL + 14
    hidden = len(reads) - _MOST_ROWS
    if hidden > 0:
        yield text(left, bottom, f"and {hidden} more rows")
        bottom += 14
    more = f", {columns} of {config.columns} shown" if columns < config.columns else ""
    yield text(left, bottom, f"a row: an output pixel; a column: a channel{more}")


def _output(reads: list[RowReads], rows: range, columns: range, left: int) -> Iterator[str]:
    made = {each.output: each.row for each in reads}
    for y in rows:
        for x in columns:
            row = made.get((y, x))
            fill = "white" if row is None else COLOURS[row % len(COLOURS)]
            place = left + (x - columns.start) * CELL, HEAD + (y - rows.start) * CELL
            yield cell(*place, fill, 0.8)
            if row is not None:
                yield text(place[0] + CELL / 2, place[1] + 13, str(row), INSIDE)
