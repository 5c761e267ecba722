"""From Verilog to a running program, quickly.

Verilator's own run time is the larger part of what a C++ compiler sees in a small design. It is compiled once, with a
precompiled header, and each design's files are compiled as one or two units against it: 1 s instead of 18 s.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hwconv.cache import cache_folder, cached, content_hash
from hwconv.errors import ToolError
from hwconv.simulation.tools import Icarus, Verilator

# Warnings about how Amaranth writes Verilog, waived for its output and for nothing else.
WAIVED = (
    "WIDTHEXPAND",  # operands of different widths, which it relies on being extended
    "WIDTHTRUNC",  # and assignments that cut them
    "CASEINCOMPLETE",  # a default assignment stands before the case instead
    "CASEOVERLAP",  # patterns in order of priority
    "UNSIGNED",  # comparisons of an unsigned signal with zero
    "CMPCONST",  # comparisons that a constant operand decides
    "PINMISSING",  # unused outputs of instances
)

_FORMAT = 1  # of what the cache holds of the run time
_SPLIT = 400_000  # bytes of generated C++ from which on two compilers share a design
_DEFINES = ("VM_COVERAGE=0", "VM_SC=0", "VM_TIMING=0")


@dataclass(frozen=True, kw_only=True)
class Program:
    """What Verilator makes a program of.

    Parameters:
        top: the top module; `prefix`: of the C++ classes.
        sources: names of the files, in the order they are read; `waived`: those with style warnings waived.
        arguments: further ones of Verilator.
        main: the C++ file with `main`.
        defines: further ones of the C++ compiler.
        modules: parts of Verilator's run time, beside what every program needs.
        link: further arguments of the linker.
        waveform: whether it can write a VCD.
        optimise: -O3 rather than -O1.
    """

    top: str
    prefix: str
    sources: Sequence[str]
    waived: Sequence[str]
    arguments: Sequence[str] = ()
    main: str
    defines: Sequence[str] = ()
    modules: Sequence[str] = ()
    link: Sequence[str] = ()
    waveform: bool = False
    optimise: bool = False


def compile_icarus(tool: Icarus, folder: Path, output: str, arguments: Sequence[str], sources: Sequence[str]) -> None:
    """Compiles the files `sources` of `folder/source` into `folder/output`."""
    # A project's folder may hold characters that a tool would read as more than a name: everything runs inside the
    # folder, with relative names.
    command = [tool.compiler, "-g2012", *arguments, "-o", f"../{output}", *sources]
    _call(command, folder / "source", folder / "build.log")


def compile_verilator(tool: Verilator, folder: Path, output: str, program: Program) -> None:
    """Compiles the files of `folder/source` into the executable `folder/output`."""
    runtime = _runtime(tool, program)
    source, log = folder / "source", folder / "build.log"
    (source / "waivers.vlt").write_text(waivers(program.waived))
    command = [str(tool.binary), "--cc", "--Mdir", "generated", "--prefix", program.prefix, "--top-module", program.top]
    command += ["--no-timing", "-O3", "--output-split", "20000", *program.arguments]
    command += ["--trace-vcd"] if program.waveform else []
    _call([*command, "waivers.vlt", *program.sources], source, log, tool.environment)

    generated = sorted((source / "generated").glob("*.cpp"), key=lambda path: -path.stat().st_size)
    total = sum(path.stat().st_size for path in generated)
    units: list[list[str]] = [[program.main]] if total < _SPLIT else [[], [program.main]]
    for index, path in enumerate(generated):
        units[index % len(units)].append(f"generated/{path.name}")
    commands, objects = [], []
    for index, included in enumerate(units):
        (source / f"unit_{index}.cpp").write_text("".join(f'#include "{path}"\n' for path in included))
        objects.append(f"unit_{index}.o")
        flags = [*_flags(tool, program), "-I.", "-Igenerated", f"-I{runtime}", "-include", "runtime.h"]
        commands.append([tool.compiler, *flags, "-c", f"unit_{index}.cpp", "-o", objects[-1]])
    _parallel(commands, source, log)
    library = [str(path) for path in sorted(runtime.glob("*.o"))]
    _call([tool.compiler, *objects, *library, *program.link, "-pthread", "-o", f"../{output}"], source, log)


def waivers(files: Sequence[str]) -> str:
    """The text of a Verilator configuration that waives `WAIVED` for some files."""
    lines = [f'lint_off -rule {rule} -file "{file}"' for file in files for rule in WAIVED]
    return "\n".join(["`verilator_config", *lines, ""])


def _flags(tool: Verilator, program: Program) -> list[str]:
    """The flags of the C++ compiler; a precompiled header serves only those who share all of them."""
    include = tool.root / "include"
    defines = [f"-D{define}" for define in (*_DEFINES, *program.defines, f"VM_TRACE={program.waveform:d}")]
    defines += ["-DVM_TRACE_VCD=1"] if program.waveform else ["-DVM_TRACE_VCD=0"]
    level = "-O3" if program.optimise else "-O1"
    return [level, "-std=c++20", "-faligned-new", "-w", f"-I{include}", f"-I{include}/vltstd", *defines]


def _runtime(tool: Verilator, program: Program) -> Path:
    """Compiles Verilator's run time and precompiles its header, once for each set of flags."""
    flags = _flags(tool, program)
    modules = ["verilated", *program.modules, *(["verilated_vcd_c"] if program.waveform else [])]

    def fill(folder: Path) -> None:
        headers = ["verilated_syms", *modules]
        (folder / "runtime.h").write_text("".join(f'#include "{name}.h"\n' for name in headers))
        commands = [[tool.compiler, *flags, "-x", "c++-header", "runtime.h", "-o", "runtime.h.gch"]]
        for name in [*modules, "verilated_threads"]:
            file = tool.root / "include" / f"{name}.cpp"
            commands.append([tool.compiler, *flags, "-O2", "-c", str(file), "-o", f"{name}.o"])
        _parallel(commands, folder, folder / "build.log")

    key: Mapping[str, object] = {"format": _FORMAT, "tool": tool.version, "flags": flags, "modules": modules}
    return cached("simulation", f"runtime-{content_hash(key)}", fill)[0]


def _parallel(commands: Sequence[Sequence[str]], folder: Path, log: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(_call, command, folder, log) for command in commands]:
            future.result()


def _call(command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Runs a tool in `folder` and appends what it says to `log`.

    Raises:
        ToolError: it failed; the message carries its first complaint and the path of a copy of the log.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open("a") as file:
        file.write(" ".join(command) + "\n" + done.stdout)
    if done.returncode != 0:
        kept = cache_folder("simulation") / f"failed-{content_hash([list(command), done.stdout])}.log"
        shutil.copyfile(log, kept)
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        complaints = [line for line in lines if "rror" in line or "arning" in line]
        first = next(iter(complaints or lines), f"exit code {done.returncode}")
        raise ToolError(f"{Path(command[0]).name} refused the design: {first} (log: {kept})")
