"""Command lines whose values are out of range or make no sense, on a layer that is right."""

from pathlib import Path

import numpy as np

from fuzzing.mutate import chance, one

COUNTS = (
    "-1",
    "0",
    "1",
    "4",
    "4096",
    "4097",
    "1000000000",
    "1" + "0" * 40,
    "1" * 5000,
    "1.5",
    "nan",
    "",
    "many",
    "٣",
    "0x10",
)
CLOCKS = ("-1", "0", "nan", "inf", "-inf", "1e-300", "1e308", "1e999", "100", "fast", "")
TARGETS = ("", "lfe5u-85f-6", "lfe5u-12f-6", "LFE5U-85F-6", "abacus", "../x", "\n", "ecp5-" + "9" * 5000 + "k-6")
NAMES = ("", " ", "a b", "module", "x" * 200, "x" * 201, "ü", "two\nlines", "../../x", "\x1b[31m", "0", "'\"; $x")
SIMULATORS = ("icarus", "verilator", "spice", "")
# commands that run no tool where what is tried is refused: the rest of the line is made invalid for those that would
OPTIONS = {
    "plan": {"--multipliers": COUNTS, "--target": TARGETS, "--clock": CLOCKS, "--layer": COUNTS},
    "generate": {
        "--multipliers": COUNTS,
        "--target": TARGETS,
        "--name": NAMES,
        "--family": ("ecp5", "generic", "x", ""),
    },
    "compare": {
        "--frames": COUNTS,
        "--seed": COUNTS,
        "--simulator": SIMULATORS,
        "--multipliers": COUNTS,
        "--layer": COUNTS,
    },
    "sim": {"--frames": COUNTS, "--seed": COUNTS, "--simulator": SIMULATORS, "--multipliers": COUNTS},
    "build": {"--seeds": COUNTS, "--clock": CLOCKS, "--target": TARGETS, "--multipliers": COUNTS},
    "bench": {"--layers": ("", ",", "fc,,fc", "nothing"), "--multipliers": (*COUNTS, "16,", ","), "--jobs": COUNTS},
}


def choose(random: np.random.Generator, folder: Path, layer: Path) -> list[str]:
    """The arguments of one run; what would start a simulator or a router has one wrong argument at least."""
    command = one(random, sorted(OPTIONS))
    line = [command] if command == "bench" else [command, str(layer)]
    for option in OPTIONS[command]:
        if chance(random, 0.5):
            line += [option, one(random, OPTIONS[command][option])]
    match command:
        case "generate":
            line += ["-o", _output(random, folder)]
        case "compare" | "sim" | "build":
            line += ["--target", "abacus"]
        case "bench":
            line += ["--layers", "nothing"]
    if chance(random, 0.1):
        line.insert(int(random.integers(1, len(line) + 1)), one(random, ("--", "-", "--nonsense", "", "--json", "-h=")))
    return line


def _output(random: np.random.Generator, folder: Path) -> str:
    """A folder to write to that exists, does not, cannot, or is something else."""
    (folder / "file").touch()
    (folder / "full").mkdir(exist_ok=True)
    (folder / "full" / "thesis.txt").write_text("mine")
    (folder / "empty").mkdir(exist_ok=True)
    places = (
        "file",
        "full",
        "file/below",
        "new",
        "new/deep",
        "empty",
        "z" * 300,
        "two\nlines",
        "../" * 60 + "dev/null/x",
    )
    return str(folder / one(random, places))
