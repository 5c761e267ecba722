"""Place and route for ECP5: one seed, its log, its report, its configuration."""

import json
import re
from pathlib import Path

from hwconv.errors import FitError
from hwconv.flow.constants import local_constants
from hwconv.flow.floorplan import floorplan
from hwconv.flow.memory_sites import place_weights
from hwconv.flow.tools import Tool, run_tool, tool_failure
from hwconv.targets import Target

REPORT = "report.json"
CONFIGURATION = "configuration.txt"
LOG = "route.log"
# Part of every key: a change of what is done to a netlist before it is placed makes old entries invisible.
PLACEMENT_VERSION = 2

# What nextpnr says when a design is too large for the part.
_TOO_LARGE = re.compile(
    r"no BELs remaining to implement cell type '(?P<cell>\w+)'"
    r"|Unable to find legal placement|probably at utilisation limit|[Ff]ailed to expand region"
    r"|Unable to find a placement location"
)

RESOURCE_NAMES = {
    "TRELLIS_COMB": "look-up tables",
    "TRELLIS_FF": "flip-flops",
    "MULT18X18D": "multipliers",
    "DP16KD": "block RAMs",
    "TRELLIS_RAMW": "distributed RAM write ports",
    "TRELLIS_IO": "pins",
}


def place_and_route(
    netlist: Path, folder: Path, tool: Tool, target: Target, seed: int, clock_mhz: float, key: str
) -> None:
    """Writes the report, the configuration and the log of one seed into `folder`.

    Raises:
        FitError: the design is too large.
        ToolError: nextpnr failed otherwise.
    """
    design = json.loads(netlist.read_text())
    floorplan(design, target)
    place_weights(design, target)
    local_constants(design)
    (folder / "netlist.json").write_text(json.dumps(design))
    code, output = run_tool(
        [
            tool.path,
            f"--{target.size}",
            "--package",
            target.package,
            "--speed",
            str(target.speed),
            "--json",
            "netlist.json",
            "--lpf-allow-unconstrained",  # three pins, wherever they are best
            "--freq",
            f"{clock_mhz:g}",
            "--timing-allow-fail",  # whether the clock is met is said here, with what to change
            "--seed",
            str(seed),
            "--report",
            REPORT,
            "--textcfg",
            CONFIGURATION,
        ],
        folder,
    )
    (folder / LOG).write_text(output)
    (folder / "netlist.json").unlink()
    if code != 0:
        too_large = parse_too_large(output)
        if too_large is not None:
            raise FitError(f"the design does not fit {target.name}: {too_large}")
        raise tool_failure("nextpnr-ecp5", code, output, key)


def parse_too_large(log: str) -> str | None:
    """What a log says about a design that is too large: the resource, used and available; None if it is not that."""
    match = _TOO_LARGE.search(log)
    if match is None:
        return None
    use = {cell: (int(used), int(available)) for cell, used, available in _utilisation(log)}
    over = [
        f"it needs {used} {RESOURCE_NAMES.get(cell, cell)} of {available} ({used - available} too many)"
        for cell, (used, available) in use.items()
        if used > available
    ]
    if over:
        return "; ".join(over)
    cell = match["cell"]
    if cell is not None and cell in use:
        used, available = use[cell]
        return f"its {used} {RESOURCE_NAMES.get(cell, cell)} of {available} could not all be placed"
    fullest = max(use, key=lambda each: use[each][0] / max(1, use[each][1]), default=None)
    if fullest is None:
        return "nextpnr found no legal placement"
    used, available = use[fullest]
    return f"nextpnr found no legal placement ({RESOURCE_NAMES.get(fullest, fullest)}: {used} of {available} used)"


def parse_lut_kinds(log: str) -> dict[str, int]:
    """The look-up tables before packing by what they are for: `logic`, `carry`, `ram` (with its write ports)."""
    found = {kind: int(count) for kind, count in re.findall(r"(logic|carry|RAM|RAMW) LUTs:\s*(\d+)\s*/", log)}
    return {
        "logic": found.get("logic", 0),
        "carry": found.get("carry", 0),
        "ram": found.get("RAM", 0) + found.get("RAMW", 0),
    }


def _utilisation(log: str) -> list[tuple[str, str, str]]:
    return re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", log, re.MULTILINE)
