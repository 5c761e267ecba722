"""Where the multipliers of arrays go: beside their neighbours in the array, on the lines of the die that have them.

Placers move look-up tables and registers well, but multipliers only from one of a few sites to another: with most
sites taken, a processing element's multiplier lands anywhere, and its sums must cross the die. An array has an
order, so its multipliers are given sites in that order and everything else follows them. Measured on the 144-PE
engine on the 85k die: a third of the wire length, and a third of the placer's time.

An array of chains, that of a Winograd engine, has another order: its elements hand nothing on but their sums.
"""

import re
from collections import Counter
from collections.abc import Mapping, Set
from math import ceil
from typing import Any

from hwconv.targets import Target

_ELEMENT = re.compile(r"\b(?:pe|pair)_(?P<chain>chain_)?(\d+)_(\d+)\.multiplier\b")
# What an engine is called in a netlist: all that stands before the block in it.
_ENGINE = re.compile(r"^(.*?)(?:array|drain)\b")
# Within a block of nine columns of tiles: the columns and names of its four multipliers.
_SITES = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))


def multiplier_sites(target: Target) -> list[list[str]]:
    """The multipliers' sites (as nextpnr names them), a list for each line of the die, from left to right."""
    return [
        [f"X{block + column}/Y{line}/{name}" for block in target.multiplier_blocks for column, name in _SITES]
        for line in target.multiplier_lines
    ]


def place_elements(rows: int, columns: int, sites: list[list[str]], missing: int = 0) -> dict[tuple[int, int], str]:
    """A site for the multiplier of each processing element `(row, column)`; empty where there are too few.

    Columns of the array lie along the lines, so that operands move a few tiles at each hop. Rows share the lines
    evenly; an array with more columns than a line has sites winds from line to line. The last `missing` elements of
    the last row have none.
    """
    if not sites or rows * columns - missing > sum(len(line) for line in sites):
        return {}
    length = len(sites[0])
    rows_per_line = ceil(rows / len(sites))
    order = [
        (row, column) for column in range(columns) for row in range(rows - (1 if column >= columns - missing else 0))
    ]
    places = {}
    for index, (row, column) in enumerate(order):
        if columns * rows_per_line <= length:
            line = row // rows_per_line
            place = (column * rows_per_line + row % rows_per_line) * length // (columns * rows_per_line)
        else:
            line, place = divmod(index, length)
            place = place if line % 2 == 0 else length - 1 - place
        places[row, column] = sites[line][place]
    return places


def place_chains(chains: int, length: int, sites: list[list[str]]) -> dict[tuple[int, int], str]:
    """A site for each multiplier `(chain, number from the end that gives the sums)`; empty where there are too few.

    A chain lies on neighbouring sites of a line, and ends on the side of the middle of the die, where the sums of all
    chains meet. The first chains, whose sums are added up, are on the left, the last ones on the right; chains that
    follow each other, whose weights lie in the same memories, are on the same line.
    """
    wide = len(sites[0]) if sites else 0
    per_line = ceil(chains / len(sites)) if sites else 0
    if not sites or per_line * length > wide:
        return {}
    pitch = min(wide // per_line, length + 1)
    start = (wide - per_line * pitch) // 2
    places = {}
    middle = ceil(per_line / 2)
    spots = [
        (line, position)
        for side in (range(middle), range(middle, per_line))
        for line in range(len(sites))
        for position in side
    ]
    for chain, (line, position) in zip(range(chains), spots, strict=False):
        left = position < middle
        for number in range(length):
            offset = length - 1 - number if left else pitch - length + number
            places[chain, number] = sites[line][start + position * pitch + offset]
    return places


def floorplan(design: dict[str, Any], target: Target) -> None:
    """Fixes the multipliers of the arrays in a netlist, in yosys' JSON, if it has any and the die is known.

    Several arrays, those of a graph, follow each other along the lines in the order of their engines. Each leaves as
    many sites free behind it as its engine has other multipliers, which the placer then finds beside it.
    """
    arrays: dict[str, dict[tuple[int, int], Any]] = {}
    chained = set()
    engines: Counter[str] = Counter()
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            if cell["type"] != "MULT18X18D":
                continue
            found = _ENGINE.match(name)
            engine = found[1] if found else name
            engines[engine] += 1
            match = _ELEMENT.search(name)
            if match and found:
                arrays.setdefault(engine, {})[int(match[2]), int(match[3])] = cell
                if match["chain"]:
                    chained.add(engine)
    sites = multiplier_sites(target)
    if len(arrays) > 1:
        _place_in_turn(arrays, chained, engines, sites)
        return
    for engine, elements in arrays.items():
        rows, columns = (1 + max(place[axis] for place in elements) for axis in (0, 1))
        if engine in chained:
            places = place_chains(rows, columns, sites)
        else:
            # Elements of look-up tables are the last ones: the last row of hard multipliers may be a part of one.
            places = place_elements(rows, columns, sites, rows * columns - len(elements))
        for element, cell in elements.items():
            if element in places:
                cell["attributes"]["BEL"] = places[element]


def _place_in_turn(
    arrays: Mapping[str, Mapping[tuple[int, int], Any]],
    chained: Set[str],
    engines: Mapping[str, int],
    sites: list[list[str]],
) -> None:
    """One array after the other, winding from line to line, column by column or chain by chain; none, where there are
    too few sites.
    """
    path = [site for index, line in enumerate(sites) for site in (line if index % 2 == 0 else reversed(line))]
    if sum(engines.values()) > len(path):
        return
    first = 0
    for engine in sorted(arrays, key=_natural):
        elements = arrays[engine]
        order = sorted(elements) if engine in chained else sorted(elements, key=lambda place: (place[1], place[0]))
        for offset, element in enumerate(order):
            elements[element]["attributes"]["BEL"] = path[first + offset]
        first += engines[engine]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which `node_10` comes behind `node_9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
