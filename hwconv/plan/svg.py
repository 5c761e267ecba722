"""What pictures of plans are made of: cells of a frame, boxes, lines and words, as SVG."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

CELL = 18
"""Side of a pixel."""
HEAD = 62
"""Where drawings begin, below the titles."""
MOST_CELLS = 18
"""Longest side of a frame that is drawn whole; of a longer one, the part around the tile."""
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
"""The categorical colours of D3, to be used over and over."""
INSIDE = 'text-anchor="middle" font-size="9"'
"""Of a number inside a cell."""
BOLD = 'font-size="14" font-weight="bold"'
LETTER = 7
"""Width of a letter at most, on average over a line."""
OUTSIDE = "url(#outside)"
"""The filling of what lies outside the frame."""


def document(name: str, summary: str, width: float, height: float, parts: Iterable[str]) -> str:
    """The text of a file with these parts."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="11">\n<title>{escape(name)}</title>\n<desc>{escape(summary)}</desc>\n'
        '<defs><pattern id="outside" width="4" height="4" patternUnits="userSpaceOnUse">'
        '<path d="M0 4L4 0" stroke="#999" stroke-width="0.7"/></pattern></defs>\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def span(size: int, used: list[int]) -> range:
    """The part of an axis that is drawn: all of the frame, and what is used outside of it, if that is not too long."""
    low, high = min([0, *used]), max([size - 1, *used])
    if high - low < MOST_CELLS:
        return range(low, high + 1)
    first = max(low, min(min(used) - 2, high - MOST_CELLS + 1))
    return range(first, min(first + MOST_CELLS, high + 1))


def cell(x: float, y: float, fill: str, opacity: float) -> str:
    """A pixel with its left upper corner at `x`, `y`."""
    return box(x, y, CELL, CELL, fill, opacity)


def box(x: float, y: float, width: float, height: float, fill: str, opacity: float = 1, stroke: str = "#bbb") -> str:
    """A rectangle."""
    shade = f' fill-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{shade} stroke="{stroke}"/>'


def line(points: Iterable[tuple[float, float]]) -> str:
    """A line through points."""
    return f'<polyline points="{" ".join(f"{x:g},{y:g}" for x, y in points)}" fill="none" stroke="#555"/>'


def arrow(x: float, y: float) -> str:
    """The head of an arrow that points to the right, its tip at `x`, `y`."""
    return f'<path d="M{x - 6:g} {y - 4:g}L{x:g} {y:g}L{x - 6:g} {y + 4:g}z" fill="#555"/>'


def text(x: float, y: float, content: str, attributes: str = "") -> str:
    """Words on a base line."""
    return f'<text x="{x:g}" y="{y:g}"{" " + attributes if attributes else ""}>{escape(content)}</text>'
