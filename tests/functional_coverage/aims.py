"""What the steered half of the random runs aims at: rows of bins that together hold every legal cell.

A row fixes a bin of every dimension. Rows are drawn greedily, each around a cell that no row before holds, so that some
eighty hold all; then the next set begins. What a row asks cannot always be had as a whole: then the nearest is taken.
"""

from functools import lru_cache

import numpy as np

from functional_coverage.bins import DIMENSIONS, Bins
from functional_coverage.cells import CROSSES, Cell, legal, legal_cells

CANDIDATES = 6
"""Rows drawn for each row taken."""
_CROSSES_OF = {name: tuple(cross for cross in CROSSES if name in cross) for name in DIMENSIONS}


def aim(seed: int, index: int) -> Bins:
    """Row `index` for a seed: those of the first set, then those of the next."""
    number = 0
    while index >= len(rows := one_set(seed, number)):
        index -= len(rows)
        number += 1
    return dict(rows[index])


@lru_cache(maxsize=32)
def one_set(seed: int, number: int) -> tuple[Bins, ...]:
    """Rows that together hold every legal cell."""
    random = np.random.default_rng([seed, 31, number])
    empty = set(legal_cells())
    rows = []
    while empty:
        start = sorted(empty)[random.integers(len(empty))]
        drawn = [_row(random, dict(start), empty) for _ in range(CANDIDATES)]
        best = max(drawn, key=lambda row: len(held(row) & empty))
        empty -= held(best)
        rows.append(best)
    return tuple(rows)


def held(row: Bins) -> set[Cell]:
    """The cells that a row, or what there is of it, holds."""
    return {cell for cross in CROSSES if (cell := _cell(row, cross))}


def _row(random: np.random.Generator, row: Bins, empty: set[Cell]) -> Bins:
    """Completes a row, dimension after dimension in any order, by the bin that fills most cells."""
    for name in random.permutation([name for name in DIMENSIONS if name not in row]).tolist():
        bins = [item for item in DIMENSIONS[name] if legal({**row, name: item})]
        gains = [
            sum(_cell({**row, name: item}, cross) in empty for cross in _CROSSES_OF[name]) + random.random()
            for item in bins
        ]
        if bins:  # else what is fixed already leaves no choice: the dimension stays open
            row[name] = bins[int(np.argmax(gains))]
    return row


def _cell(row: Bins, cross: tuple[str, ...]) -> Cell:
    """The row's cell of a cross; empty where it leaves a dimension open."""
    return tuple((name, row[name]) for name in cross) if all(name in row for name in cross) else ()
