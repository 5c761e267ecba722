"""Synthesis: from Verilog files to a netlist of ECP5 cells and what it counts."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hwconv.cache import cached, content_hash
from hwconv.flow.tools import Tool, run_tool, tool_failure
from hwconv.flow.wrapper import WRAPPER, parse_ports, render_wrapper

# yosys has black boxes of its own for the primitives; their models are for simulation.
_NOT_FOR_SYNTHESIS = ("models.v", "fabric_models.v")

# Part of every key: a change of what is run or kept makes old entries invisible.
_FLOW_VERSION = 4

_SYNTHESIS_OPTIONS = ""

# The engines of a graph, as gateware/graph.py names them, by the ports that only they have.
_ENGINE = re.compile(r"^module (\w+_node_\d+_\w+)\([^)]*\bresetting\b[^)]*\);", re.MULTILINE)

NETLIST = "netlist.json"
STATISTICS = "statistics.json"


@dataclass(frozen=True)
class CellCounts:
    """What a module of a netlist is made of, before packing."""

    luts: int
    ffs: int
    multipliers: int
    brams: int


def synthesis(files: Mapping[str, str], top: str, tool: Tool) -> tuple[str, Path]:
    """The key and the folder of a design's synthesis, made once for each content; see `synthesise`."""
    key = content_hash([_FLOW_VERSION, sorted(files.items()), top, tool.version, _SYNTHESIS_OPTIONS])
    folder, _ = cached(
        "flow",
        f"synthesis-{key}",
        lambda unfinished: synthesise(files, top, unfinished, tool, _SYNTHESIS_OPTIONS, key),
    )
    return key, folder


def synthesise(files: Mapping[str, str], top: str, folder: Path, tool: Tool, options: str, key: str) -> None:
    """Writes the netlist of `top` in its wrapper, the statistics and the log into `folder`.

    Everything below `top` is flattened; of a graph, each engine by itself first: registers of several engines that
    happen to be equal must not become one, whose wires would cross the die. `top` itself stays a module of its own, so
    that it can be counted and nothing moves between it and the wrapper.

    Raises:
        ToolError: yosys failed, or the design has no clock.
    """
    sources = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if path.suffix in (".v", ".sv") and PurePosixPath(name).name not in _NOT_FOR_SYNTHESIS:
            sources.append(name)
    read = "".join(f"read_verilog -defer {source}\n" for source in sorted(sources))
    ports = run_script(
        tool, folder, "ports.ys", f"{read}hierarchy -top {top}\ntee -q -o ports.txt portlist {top}\n", key
    )
    wrapper = render_wrapper(top, parse_ports((folder / "ports.txt").read_text()))
    (folder / f"{WRAPPER}.v").write_text(wrapper)
    engines = sorted({name for text in files.values() for name in _ENGINE.findall(text)})
    log = run_script(
        tool,
        folder,
        "synthesis.ys",
        f"{read}read_verilog {WRAPPER}.v\n"
        f"hierarchy -top {WRAPPER}\n"
        f"setattr -mod -set keep_hierarchy 1 {top}\n"
        f"{_apart(engines)}"
        f"synth_ecp5 {options} -top {WRAPPER}\n"
        f"{_together(engines)}"
        f"write_json {NETLIST}\n"
        f"tee -q -o {STATISTICS} stat -json\n",
        key,
    )
    (folder / "synthesis.log").write_text(ports + log)


def _apart(engines: Sequence[str]) -> str:
    return "".join(f"setattr -mod -set keep_hierarchy 1 {name}\n" for name in engines)


def _together(engines: Sequence[str]) -> str:
    """Script lines after synthesis: what was kept apart becomes one."""
    if not engines:
        return ""
    return "".join(f"setattr -mod -unset keep_hierarchy {name}\n" for name in engines) + "flatten\nopt_clean\n"


def count_cells(folder: Path, module: str) -> CellCounts:
    """The cells of one module of the netlist in `folder`."""
    statistics = json.loads((folder / STATISTICS).read_text())
    modules = {name.lstrip("\\"): body for name, body in statistics["modules"].items()}
    cells = modules[module]["num_cells_by_type"]
    # A carry cell is two look-up tables; 16 x 4 bits of distributed RAM are four and the two of the write port.
    luts = cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)
    return CellCounts(luts, cells.get("TRELLIS_FF", 0), cells.get("MULT18X18D", 0), cells.get("DP16KD", 0))


def run_script(tool: Tool, folder: Path, name: str, script: str, key: str) -> str:
    """Runs a script in a folder and returns what yosys said; `key` names the log of a failure.

    Raises:
        ToolError: yosys failed.
    """
    (folder / name).write_text(script)
    code, output = run_tool([tool.path, "-s", name], folder)
    if code != 0:
        raise tool_failure("yosys", code, output, key)
    return output
