"""Synthesis, place and route with open tools: what an engine costs on a real FPGA and how fast it runs."""

from hwconv.flow.ecp5 import build
from hwconv.flow.netlist import CELLS, netlist_files
from hwconv.flow.report import BuildResult, CriticalPath, SeedResult
from hwconv.targets import Target, list_targets, load_target

__all__ = [
    "CELLS",
    "BuildResult",
    "CriticalPath",
    "SeedResult",
    "Target",
    "build",
    "list_targets",
    "load_target",
    "netlist_files",
]
