"""The FPGAs that hwconv routes for, as data: one TOML file per part, one target per speed grade.

A target's name is part and speed grade, as `lfe5u-85f-6`; `ecp5-85k-6` names the same one by the size of its die.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hwconv.errors import HwconvError, one_of

__all__ = ["Target", "list_targets", "load_target"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One part at one speed grade.

    Attributes:
        name: part and speed grade, in lower case.
        family: which implementation of the vendor blocks it takes: `ecp5`.
        part: the vendor's name without speed grade and package.
        size: the size of the die as nextpnr names it.
        speed: speed grade; 6 is the slowest.
        package: the package that is routed for.
        luts: four-input look-up tables.
        ffs: flip-flops.
        multipliers: 18 x 18 multipliers.
        block_rams: block RAMs of 18 kbit.
        multiplier_lines, multiplier_blocks: rows and first columns of the tiles that hold the multipliers, four to a
            block; empty where they have not been looked up.
        block_ram_lines: rows of the tiles that hold the block RAMs, four to each of the same blocks.
    """

    name: str
    family: str
    part: str
    size: str
    speed: int
    package: str
    luts: int
    ffs: int
    multipliers: int
    block_rams: int
    multiplier_lines: tuple[int, ...] = ()
    multiplier_blocks: tuple[int, ...] = ()
    block_ram_lines: tuple[int, ...] = ()


def list_targets() -> list[Target]:
    """Every target, the smallest part and the slowest grade first."""
    return list(_all_targets())


def load_target(name: str) -> Target:
    """Returns the target of a name, as `lfe5u-85f-6`, `LFE5U-85F-6` or `ecp5-85k-6`.

    Raises:
        HwconvError: there is none of this name; the message lists those there are.
    """
    wanted = re.sub(r"^ecp5-(\d+)k", r"lfe5u-\1f", name.strip().lower())
    for target in _all_targets():
        if target.name == wanted:
            return target
    choices = one_of(target.name for target in _all_targets())
    raise HwconvError(f"there is no target {name[:80]!r} (choose one of {choices})")


@cache
def _all_targets() -> tuple[Target, ...]:
    targets = []
    for path in Path(__file__).resolve().parent.glob("*.toml"):
        data = tomllib.loads(path.read_text())
        grades = data.pop("speed_grades")
        data = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
        targets += [Target(name=f"{data['part'].lower()}-{speed}", speed=speed, **data) for speed in grades]
    return tuple(sorted(targets, key=lambda target: (target.luts, target.part, target.speed)))
