"""Constant pins of multipliers: each few multipliers get a source of zeros and one of ones beside them.

Reset, clock enable, sign and source pins of a MULT18X18D take constants through the wires of the die. nextpnr draws
those of all multipliers from one source: a thousand connections, which take wires from the design and contend for the
few ways into a multiplier. Measured on the 144-PE engine on the 85k die: with some seeds the router did not end in a
quarter of an hour. With sources of their own it needs a few tiles of wire and half a minute.
"""

from collections import defaultdict
from typing import Any

CONSTANT_PINS = ("CE0", "RST0", "SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB")
"""The pins in question; nextpnr ties the operands' bits and the others off in place."""


def local_constants(design: dict[str, Any]) -> None:
    """Gives the multipliers of a netlist, in yosys' JSON, sources of constants of their own.

    Multipliers that have sites share one with those of the same block of sites, others have their own: where they will
    lie is not known. A source is a look-up table.
    """
    for module in design["modules"].values():
        cells = module["cells"]
        blocks: dict[str, list[Any]] = defaultdict(list)
        for name, cell in cells.items():
            if cell["type"] == "MULT18X18D":
                blocks[_block(cell["attributes"].get("BEL")) or name].append(cell)
        free = 1 + max((bit for cell in cells.values() for bit in _bits(cell) if isinstance(bit, int)), default=1)
        free = max(free, 1 + max((bit for net in _nets(module) for bit in net if isinstance(bit, int)), default=1))
        for number, multipliers in enumerate(blocks.values()):
            for value in "01":
                pins = [
                    (cell["connections"], pin)
                    for cell in multipliers
                    for pin in CONSTANT_PINS
                    if cell["connections"].get(pin) == [value]
                ]
                if not pins:
                    continue
                for connections, pin in pins:
                    connections[pin] = [free]
                cells[f"multiplier_constants_{number}.source_{value}"] = _source(value, free)
                free += 1


def _block(site: str | None) -> str | None:
    """What the sites of a block have in common: ``X4/Y10/MULT18_0`` and ``X9/Y10/MULT18_5`` are of one.

    The number of a site is how many tiles it lies to the right of its block's first.
    """
    if site is None:
        return None
    column, line, kind = site.split("/")
    return f"X{int(column[1:]) - int(kind.rpartition('_')[2])}/{line}"


def _bits(cell: dict[str, Any]) -> list[Any]:
    return [bit for net in cell["connections"].values() for bit in net]


def _nets(module: dict[str, Any]) -> list[list[Any]]:
    return [each["bits"] for kind in ("netnames", "ports") for each in module.get(kind, {}).values()]


def _source(value: str, bit: int) -> dict[str, Any]:
    """A look-up table that has `value` at its output, net `bit`."""
    return {
        "hide_name": 0,
        "type": "LUT4",
        "parameters": {"INIT": 16 * value},
        "attributes": {},
        "port_directions": {**dict.fromkeys("ABCD", "input"), "Z": "output"},
        "connections": {**{pin: ["0"] for pin in "ABCD"}, "Z": [bit]},
    }
