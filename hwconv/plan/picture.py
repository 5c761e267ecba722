"""A plan as a picture (SVG): what a pixel tile reads, the array it is laid on, and the pixels that leave it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .array_drawing import draw_array
from .reads import RowReads, tile_reads

if TYPE_CHECKING:
    from .engine_plan import EnginePlan

_CELL = 18
_GAP = 70
_HEAD = 62
_MOST_CELLS = 18
"""Longest side of a frame that is drawn whole; of a longer one, the part around the tile."""
_CAPTION = 250
"""Width of the line below the array."""
_MOST_ROWS = 12
_MOST_COLUMNS = 16
_COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
"""One for each row of the array, over and over (the categorical colours of D3)."""
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
    cells = [cell for each in reads for cell in each.taps] or [(0, 0)]
    rows = _span(spec.height, [y for y, _ in cells])
    columns = _span(spec.width, [x for _, x in cells])
    out_rows = _span(spec.out_height, [each.output[0] for each in reads])
    out_columns = _span(spec.out_width, [each.output[1] for each in reads])
    left = 20
    array_left = left + len(columns) * _CELL + _GAP
    shown_columns = min(config.columns, _MOST_COLUMNS)
    out_left = array_left + max(shown_columns * _CELL, _CAPTION) + _GAP
    width = out_left + max(len(out_columns) * _CELL, 120) + 20
    height = _HEAD + max(len(rows), len(out_rows), min(len(reads), _MOST_ROWS) + 2) * _CELL + 30
    parts = [
        *_titles(plan, left, array_left, out_left),
        *_input(plan, reads, rows, columns, left),
        *_array(plan, reads, array_left, shown_columns),
        *_output(reads, out_rows, out_columns, out_left),
    ]
    summary = escape("\n".join(draw_array(plan)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<title>{escape(spec.name)}</title>\n<desc>{summary}</desc>\n'
        '<defs><pattern id="outside" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path d="M0 4L4 0" stroke="#999" stroke-width="0.7"/></pattern></defs>\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _span(size: int, used: list[int]) -> range:
    """The part of an axis that is drawn: all of the frame, and what is used outside of it, if that is not too long."""
    low, high = min([0, *used]), max([size - 1, *used])
    if high - low < _MOST_CELLS:
        return range(low, high + 1)
    first = max(low, min(min(used) - 2, high - _MOST_CELLS + 1))
    return range(first, min(first + _MOST_CELLS, high + 1))


def _titles(plan: "EnginePlan", left: int, array_left: int, out_left: int) -> Iterator[str]:
    config, spec = plan.config, plan.spec
    yield _text(left, 22, spec.name, 'font-size="14" font-weight="bold"')
    yield _text(left, _HEAD - 14, f"input, {spec.height} x {spec.width} x {spec.in_channels}")
    kind = "depthwise" if config.depthwise else "dense"
    yield _text(array_left, _HEAD - 14, f"array, {config.pixels} x {config.columns}, {kind}")
    yield _text(out_left, _HEAD - 14, f"output, {spec.out_height} x {spec.out_width} x {spec.out_channels}")


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
            fill = "white" if reader is None else _COLOURS[reader % len(_COLOURS)]
            opacity = 1.0 if (y, x) in numbers or reader is None else 0.3
            place = left + (x - columns.start) * _CELL, _HEAD + (y - rows.start) * _CELL
            yield _cell(*place, fill, opacity)
            if not inside:
                yield _cell(*place, "url(#outside)", 1.0)
            if (y, x) in numbers and len(numbers) <= _MOST_NUMBERED:
                yield _text(place[0] + _CELL / 2, place[1] + 13, str(numbers[y, x]), _INSIDE)


def _array(plan: "EnginePlan", reads: list[RowReads], left: int, columns: int) -> Iterator[str]:
    config = plan.config
    for index, each in enumerate(reads[:_MOST_ROWS]):
        top = _HEAD + index * _CELL
        yield _text(left - 8, top + 13, f"{each.output[0]}, {each.output[1]}", 'text-anchor="end"')
        for column in range(columns):
            yield _cell(left + column * _CELL, top, _COLOURS[each.row % len(_COLOURS)], 0.6)
    bottom = _HEAD + min(len(reads), _MOST_ROWS) * _CELL + 14
    hidden = len(reads) - _MOST_ROWS
    if hidden > 0:
        yield _text(left, bottom, f"and {hidden} more rows")
        bottom += 14
    more = f", {columns} of {config.columns} shown" if columns < config.columns else ""
    yield _text(left, bottom, f"a row: an output pixel; a column: a channel{more}")


def _output(reads: list[RowReads], rows: range, columns: range, left: int) -> Iterator[str]:
    made = {each.output: each.row for each in reads}
    for y in rows:
        for x in columns:
            row = made.get((y, x))
            fill = "white" if row is None else _COLOURS[row % len(_COLOURS)]
            place = left + (x - columns.start) * _CELL, _HEAD + (y - rows.start) * _CELL
            yield _cell(*place, fill, 0.8)
            if row is not None:
                yield _text(place[0] + _CELL / 2, place[1] + 13, str(row), _INSIDE)


_INSIDE = 'text-anchor="middle" font-size="9"'


def _cell(x: float, y: float, fill: str, opacity: float) -> str:
    shade = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{_CELL}" height="{_CELL}" fill="{fill}"{shade} stroke="#bbb"/>'


def _text(x: float, y: float, content: str, attributes: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{" " + attributes if attributes else ""}>{escape(content)}</text>'
