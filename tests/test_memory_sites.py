"""Block RAMs of weights lie near the multipliers that they feed."""

import numpy as np
import pytest

from hwconv.flow.floorplan import floorplan
from hwconv.flow.memory_sites import block_ram_sites, nearest_sites, place_weights
from hwconv.targets import load_target

TARGET = load_target("lfe5u-85f-6")
Cells = dict[str, dict]


def squared(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2


def engine(prefix: str, columns: int, roms: int, banks: int, wide: int = 1, rows: int = 1) -> Cells:
    """Multipliers and memories of weights, as synthesis names them."""
    multipliers = [
        f"{prefix}array.pe_{row}_{column}.multiplier.mult" for row in range(rows) for column in range(columns)
    ]
    memories = [
        f"{prefix}weights.rom_{rom}.block_{bank}_{column}"
        for rom in range(roms)
        for bank in range(banks)
        for column in range(wide)
    ]
    return {name: {"type": "MULT18X18D", "attributes": {}} for name in multipliers} | {
        name: {"type": "DP16KD", "attributes": {}} for name in memories
    }


def placed(cells: Cells) -> dict[str, str]:
    """The sites of the cells that have one."""
    design = {"modules": {"top": {"cells": cells}}}
    floorplan(design, TARGET)
    place_weights(design, TARGET)
    return {name: cell["attributes"]["BEL"] for name, cell in cells.items() if "BEL" in cell["attributes"]}


def test_the_85k_die_has_its_208_sites_on_four_lines() -> None:
    sites = block_ram_sites(TARGET)
    assert len(sites) == TARGET.block_rams == 208
    assert {y for _, y in sites.values()} == {22, 46, 70, 82}
    assert sites["X4/Y22/EBR0"] == (4, 22)
    assert sites["X120/Y82/EBR3"] == (120, 82)


@pytest.mark.parametrize("number", range(20))
def test_each_point_has_a_site_of_its_own_and_no_swap_is_better(number: int) -> None:
    random = np.random.default_rng(number)
    points = [(float(x), float(y)) for x, y in random.integers(0, 30, (5, 2))]
    sites = [(float(x), float(y)) for x, y in random.integers(0, 30, (7, 2))]
    chosen = nearest_sites(points, sites)
    assert len(set(chosen)) == 5

    def cost(choice: tuple[int, ...]) -> float:
        return sum(squared(point, sites[site]) for point, site in zip(points, choice, strict=True))

    found = cost(tuple(chosen))
    for first in range(5):
        for second in range(first):
            swapped = list(chosen)
            swapped[first], swapped[second] = chosen[second], chosen[first]
            assert cost(tuple(swapped)) >= found
        for free in set(range(7)) - set(chosen):
            assert cost(tuple(free if at == first else site for at, site in enumerate(chosen))) >= found


def test_too_many_points_are_an_error() -> None:
    assert nearest_sites([], [(0, 0)]) == []
    with pytest.raises(ValueError, match="at most 1"):
        nearest_sites([(0, 0), (1, 1)], [(0, 0)])


def test_every_block_lies_near_the_multipliers_that_it_feeds() -> None:
    cells = engine("core.", columns=32, roms=4, banks=3, wide=2)
    sites = placed(cells)
    assert len(sites) == len(cells)
    assert len(set(sites.values())) == len(sites)
    where = {name: tuple(int(part[1:]) for part in site.split("/")[:2]) for name, site in sites.items()}
    for rom in range(4):
        for column in range(2):
            fed = [where[f"core.array.pe_0_{8 * rom + 4 * column + lane}.multiplier.mult"] for lane in range(4)]
            middle = tuple(np.mean(fed, axis=0))
            for bank in range(3):
                # Twelve tiles from a line of multipliers to the next one of block RAMs, and some to the side.
                assert squared(middle, where[f"core.weights.rom_{rom}.block_{bank}_{column}"]) <= 12**2 + 15**2


ACTIVATIONS = "core.activations_0.g_block.g_bank[0].g_column[0].block.ebr"


def others() -> Cells:
    names = ("core.drain.table_0.block_1_0", ACTIVATIONS)
    return {name: {"type": "DP16KD", "attributes": {}} for name in names}


def test_engines_whose_weights_are_one_block_deep_are_left_to_the_placer() -> None:
    shallow = engine("core.", columns=8, roms=2, banks=1) | others()
    assert not [name for name in placed(shallow) if "multiplier" not in name]


def test_activations_are_beside_the_first_column_and_all_else_finds_its_own_place() -> None:
    sites = placed(engine("core.", columns=8, roms=2, banks=2) | others())
    assert sorted(name for name in sites if "multiplier" not in name) == [
        ACTIVATIONS,
        *(f"core.weights.rom_{rom}.block_{bank}_0" for rom in range(2) for bank in range(2)),
    ]
    assert sites["core.array.pe_0_0.multiplier.mult"].startswith("X4/Y10/")
    assert sites[ACTIVATIONS].startswith("X4/Y22/")


def test_weights_follow_the_first_row_of_their_own_engine() -> None:
    cells = engine("core.node_0_a.", columns=8, roms=1, banks=2, rows=2)
    cells |= engine("core.node_1_b.", columns=8, roms=1, banks=2, rows=2)
    sites = placed(cells)
    left, right = (int(sites[f"core.node_{node}.weights.rom_0.block_0_0"].split("/")[0][1:]) for node in ("0_a", "1_b"))
    assert left < right


def test_a_design_without_sites_of_its_multipliers_is_left_to_the_placer() -> None:
    large = engine("core.", columns=160, roms=1, banks=2)
    assert placed(large) == {}
    design = {"modules": {"top": {"cells": engine("core.", columns=8, roms=1, banks=2)}}}
    place_weights(design, load_target("lfe5u-12f-6"))
    assert not any(cell["attributes"] for cell in design["modules"]["top"]["cells"].values())
