"""Where the block RAMs of weights go: near the multipliers that they feed, which have their sites from the floorplan.

Weights that take several block RAMs one behind the other are chosen among them, and each of those blocks must reach the
same multipliers. Placers spread such blocks over the die: wires from block to choice were five of the eight
nanoseconds of ten layers on 128 multipliers. The blocks of the activations, which would find what is left, are put
beside the array's first column before.
"""

import re
from collections import defaultdict
from typing import Any

import numpy as np

from hwconv.targets import Target

_BLOCK = re.compile(r"^(?P<engine>.*?)weights\.rom_(?P<rom>\d+)\.block_(?P<bank>\d+)_(?P<column>\d+)$")
_ACTIVATIONS = re.compile(r"^(?P<engine>.*?)activations_\d+\.")
_ELEMENT = re.compile(r"^(?P<engine>.*?)array\.(?:pe|pair)_0_(?P<column>\d+)\.multiplier\b")
_SITE = re.compile(r"^X(\d+)/Y(\d+)/")
# Within a block of nine columns of tiles: the columns and names of its four block RAMs.
_SITES = ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))

Point = tuple[float, float]


def block_ram_sites(target: Target) -> dict[str, Point]:
    """The block RAMs' sites, as nextpnr names them, and where they are, in tiles; none, if that is not known."""
    return {
        f"X{block + column}/Y{line}/{name}": (block + column, line)
        for line in target.block_ram_lines
        for block in target.multiplier_blocks
        for column, name in _SITES
    }


def nearest_sites(points: list[Point], sites: list[Point]) -> list[int]:
    """A site of its own for each point, by its index: the sum of squared distances is small, no swap makes it smaller.

    Raises:
        ValueError: there are more points than sites.
    """
    if len(points) > len(sites):
        raise ValueError(f"Expected at most {len(sites)} points, not {len(points)}")
    if not points:
        return []
    cost = ((np.array(points)[:, None, :] - np.array(sites)[None, :, :]) ** 2).sum(axis=2)
    owner = np.full(len(sites), -1)
    chosen = np.zeros(len(points), dtype=np.int64)
    for point, row in enumerate(cost):
        chosen[point] = np.argmin(np.where(owner < 0, row, np.inf))
        owner[chosen[point]] = point
    better = True
    while better:
        better = False
        for point, row in enumerate(cost):
            own = chosen[point]
            # What a site's owner, if it has one, would lose by taking this point's.
            lost = np.where(owner < 0, 0, cost[owner, own] - cost[owner, np.arange(len(sites))])
            gain = row[own] - row - lost
            gain[own] = 0
            best = int(np.argmax(gain))
            if gain[best] <= 0:
                continue
            other = owner[best]
            owner[own] = other
            if other >= 0:
                chosen[other] = own
            chosen[point], owner[best] = best, point
            better = True
    return [int(site) for site in chosen]


def place_weights(design: dict[str, Any], target: Target) -> None:
    """Fixes the block RAMs of weights that lie several deep, in a netlist, in yosys' JSON, with its arrays placed.

    Weights enter an array at its first row, so many columns from each memory, the first in the lowest bits.
    """
    elements: dict[str, dict[int, Point]] = defaultdict(dict)
    blocks: dict[str, list[tuple[int, int, int, Any]]] = defaultdict(list)
    activations: dict[str, list[Any]] = defaultdict(list)
    for module in design["modules"].values():
        for name, cell in sorted(module["cells"].items()):
            if cell["type"] == "MULT18X18D" and (found := _ELEMENT.match(name)):
                if place := _SITE.match(cell["attributes"].get("BEL", "")):
                    elements[found["engine"]][int(found["column"])] = (int(place[1]), int(place[2]))
            elif cell["type"] == "DP16KD" and (found := _BLOCK.match(name)):
                place_of = (int(found["rom"]), int(found["bank"]), int(found["column"]))
                blocks[found["engine"]].append((*place_of, cell))
            elif cell["type"] == "DP16KD" and (found := _ACTIVATIONS.match(name)):
                activations[found["engine"]].append(cell)
    deep = [engine for engine in sorted(blocks) if elements[engine] and max(bank for _, bank, _, _ in blocks[engine])]
    first = [(cell, elements[engine][min(elements[engine])]) for engine in deep for cell in activations[engine]]
    weights = [each for engine in deep for each in _weights(blocks[engine], elements[engine])]
    sites = block_ram_sites(target)
    if len(first) + len(weights) > len(sites):
        return
    for wanted in (first, weights):
        names = list(sites)
        found_sites = nearest_sites([point for _, point in wanted], list(sites.values()))
        for (cell, _), site in zip(wanted, found_sites, strict=True):
            cell["attributes"]["BEL"] = names[site]
            del sites[names[site]]


def _weights(blocks: list[tuple[int, int, int, Any]], elements: dict[int, Point]) -> list[tuple[Any, Point]]:
    """The blocks of an engine, and the middle of what each of them feeds, as far as that has sites."""
    lanes = (1 + max(elements)) / (1 + max(rom for rom, _, _, _ in blocks))
    wide = 1 + max(column for _, _, column, _ in blocks)
    found = []
    for rom, _, column, cell in sorted(blocks, key=lambda each: each[:3]):
        low = int((rom + column / wide) * lanes)
        high = max(low + 1, int(np.ceil((rom + (column + 1) / wide) * lanes)))
        fed = [elements[lane] for lane in range(low, high) if lane in elements]
        if fed:
            found.append((cell, (float(np.mean([x for x, _ in fed])), float(np.mean([y for _, y in fed])))))
    return found
