"""The crosses, their cells, and why some cells can never be filled."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product

from functional_coverage.bins import DIMENSIONS, Bins

Cell = tuple[tuple[str, str], ...]
"""Dimensions and bins, in the order of `DIMENSIONS`."""

TRIPLES = (
    ("stride", "groups", "kernel"),
    ("dilation", "pads", "kernel"),
    ("groups", "rows", "stalls"),
    ("rows", "ports", "requantisers"),
)
CROSSES: tuple[tuple[str, ...], ...] = (*combinations(DIMENSIONS, 2), *TRIPLES)
"""Every pair of dimensions, and some triples."""


@dataclass(frozen=True)
class Illegal:
    """Bins that exclude each other, and why."""

    bins: Mapping[str, tuple[str, ...]]
    why: str

    def covers(self, cell: Mapping[str, str]) -> bool:
        """Whether a cell, or a whole run, holds these bins."""
        return all(cell.get(dimension) in bins for dimension, bins in self.bins.items())


ILLEGAL = (
    Illegal({"dilation": ("more",), "kernel": ("1x1",)}, "one tap has no distance to another"),
    Illegal({"kernel": ("1x1",), "frame": ("smaller",)}, "no frame is smaller than one tap"),
    Illegal({"pads": ("symmetric", "different"), "kernel": ("1x1",)}, "any pad holds a whole window of one tap"),
    Illegal({"pads": ("none",), "frame": ("smaller",)}, "the kernel would not fit: the specification is refused"),
    Illegal({"rows": ("one",), "ports": ("several",)}, "a row reads from one port"),
    Illegal({"rows": ("one",), "tile": ("partial",)}, "a tile of one pixel is whole"),
    Illegal({"groups": ("one", "several"), "supply": ("lanes",)}, "lanes are channels of a depthwise layer"),
    Illegal({"groups": ("depthwise",), "columns": ("partial",)}, "a group has one output channel, or a word has all"),
    Illegal({"groups": ("depthwise", "multiplier"), "words": ("several",)}, "a group has one input channel"),
    Illegal(
        {"supply": ("lanes",), "columns": ("partial",)}, "lanes times the multiplier are the columns, or divide it"
    ),
    Illegal({"supply": ("lanes",), "words": ("several",)}, "a word of lanes is a tap's only word"),
)


def legal(bins: Mapping[str, str]) -> bool:
    """Whether bins, of a cell or of some dimensions of a run, can come together."""
    return not any(rule.covers(bins) for rule in ILLEGAL)


def reason(bins: Mapping[str, str]) -> str:
    """Why bins cannot come together; empty if they can."""
    return next((rule.why for rule in ILLEGAL if rule.covers(bins)), "")


def cells_of(cross: Iterable[str]) -> Iterator[Cell]:
    """All cells of a cross, the illegal ones too."""
    names = tuple(cross)
    for bins in product(*(DIMENSIONS[name] for name in names)):
        yield tuple(zip(names, bins, strict=True))


def hit(run: Bins) -> Iterator[Cell]:
    """The cells that a run falls into, one of each cross."""
    for cross in CROSSES:
        yield tuple((name, run[name]) for name in cross)


def legal_cells() -> list[Cell]:
    """Every cell that runs must fill."""
    return [cell for cross in CROSSES for cell in cells_of(cross) if legal(dict(cell))]
