"""Verilator's lint, every rule of it, on generated and hand-written Verilog: clean but for what is named here.

A waiver is a rule for one file and one kind of message, with its reason. One that nothing needs fails a test as well.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from checked_blocks import block
from checked_graphs import GRAPHS, graph_plan
from every_kind import KINDS, engine_of

from hwconv.emit.package import engine_files, model_files
from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.resources import resource_path
from hwconv.simulation.tools import find_verilator

_WARNING = re.compile(r"^%(?:Warning|Error)(?:-(\w+))?: (?:(\S+?):(\d+):\d+: )?(.*)$", re.MULTILINE)
_HARNESS = ("harness_top.v", "stream_harness.v")

ENGINE = "<engine>"
ROM = "<rom>"
# File, rule, start of the message, why it is right as it is.
WAIVERS = (
    (ENGINE, "DECLFILENAME", "", "an engine is one file with many modules"),
    (ENGINE, "PROCASSINIT", "", "a register's value at power-up, beside what it takes at a clock edge"),
    (ENGINE, "WIDTHEXPAND", "Operator ", "of operands that Verilog extends as Amaranth does"),
    (ENGINE, "WIDTHTRUNC", "Operator ASSIGNW expects", "a part of a wide beat, which a shift brings down"),
    (ENGINE, "UNUSEDSIGNAL", "Bits of signal are not used", "sums and products are named whole"),
    (ENGINE, "UNUSEDSIGNAL", "Signal is not used", "equal modules are one, with the outputs of all"),
    (ENGINE, "CASEINCOMPLETE", "Case values incompletely", "what it gives is set before; layers may be three"),
    (ENGINE, "CMPCONST", "Comparison is constant", "a clamp's bound that the sum cannot reach"),
    (ROM, "PINCONNECTEMPTY", "", "pins of the primitive that are left open on purpose"),
    (ROM, "UNUSEDSIGNAL", "Bits of signal are not used", "a block is wider than the word"),
    ("hwconv_accumulate.v", "UNUSEDSIGNAL", "Bits of signal are not used: 'total'", "an odd sum's last pair"),
    ("hwconv_accumulate.v", "UNUSEDSIGNAL", "Signal is not used: 'carry_out'", "of the last pair"),
    ("hwconv_hop.v", "PROCASSINIT", "", "a register's value at power-up"),
    ("hwconv_lut_mult.v", "UNUSEDSIGNAL", "Bits of signal are not used: 'narrow'", "a second sign bit, for odd widths"),
    ("hwconv_lut_mult.v", "UNUSEDSIGNAL", "Signal is not used: 'carry_out'", "of the last pair"),
    ("hwconv_mult.v", "DECLFILENAME", "", "the primitive with its parameters is a module beside its only user"),
    ("hwconv_mult.v", "PINCONNECTEMPTY", "", "clocks and operands of the primitive that are not used"),
    ("hwconv_mult.v", "UNUSEDSIGNAL", "Bits of signal are not used", "the primitive is wider than what is wanted"),
    ("hwconv_ram.v", "DECLFILENAME", "", "the primitive with its parameters is a module beside its only user"),
    ("hwconv_ram.v", "UNUSEDSIGNAL", "Bits of signal are not used", "a bit to spare, and blocks wider than the word"),
    ("hwconv_ram.v", "UNUSEDSIGNAL", "Signal is not used", "the half of a wide word that a narrow one has not"),
    ("hwconv_ram.v", "UNUSEDSIGNAL", "Function variable is not used: 'dummy'", "functions need an argument"),
    ("models.v", "DECLFILENAME", "", "several primitives in a file"),
    ("models.v", "BLKSEQ", "", "the word that is read is worked out before it is kept"),
    ("models.v", "UNUSEDPARAM", "", "parameters that the primitive has and that change nothing modelled"),
    ("models.v", "UNUSEDSIGNAL", "Signal is not used", "pins that the primitive has and that change nothing modelled"),
    ("models.v", "UNUSEDSIGNAL", "Bits of signal are not used", "the sign of operands that are extended by a bit"),
    ("models.v", "UNUSEDSIGNAL", "Bits of function variable are not used: 'address'", "each function reads its part"),
    ("fabric_models.v", "DECLFILENAME", "", "several primitives in a file"),
    ("fabric_models.v", "UNUSEDPARAM", "Parameter is not used: 'GSR'", "the global reset is not modelled"),
    ("harness_top.v", "PROCASSINIT", "Procedural assignment to declaration with initial value: 'clk'", "it begins low"),
    ("stream_harness.v", "PROCASSINIT", "", "a bench has no reset: registers begin with their values"),
    ("stream_harness.v", "BLKSEQ", "", "counting within a cycle, in variables that nothing else reads"),
    ("stream_harness.v", "UNUSEDSIGNAL", "Signal is not used: 'found'", "a plusarg that is missing leaves its default"),
    ("weights_source.v", "PROCASSINIT", "", "a bench has no reset: registers begin with their values"),
    ("weights_source.v", "UNUSEDSIGNAL", "Signal is not used: 'found'", "a plusarg that is missing leaves its default"),
)  # fmt: skip


# The engine's own file is the same for every family: of the others, those that bring every vendor block.
BLOCKS = ("dropout_6", "variance", "moments", "mc_dropout")
ENGINES = {
    "generic": (*KINDS, *BLOCKS, *GRAPHS),
    "ecp5": ("dense", "exact_requantiser", "grouped", "depthwise", "int16", "packed", "look_up_tables"),
}
OF_EVERY_WAIVER = (
    *(("ecp5", kind) for kind in ("grouped", "look_up_tables")),
    *(("generic", kind) for kind in ("loadable", "program", "winograd_line")),
)
"""A few that together have all that is waived."""


@dataclass(frozen=True)
class Complaint:
    """What Verilator says about a line."""

    file: str
    rule: str
    text: str
    where: str

    def waiver(self) -> int | None:
        """The index of the waiver that it falls under."""
        for index, (file, rule, text, _) in enumerate(WAIVERS):
            if (file, rule) == (self.file, self.rule) and self.text.startswith(text):
                return index
        return None


def lint(files: dict[str, str], top: str, arguments: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, str]]:
    """Yields file, rule, message and line of all that Verilator says about files."""
    verilator = find_verilator()
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        sources = sorted(name for name in files if name.endswith(".v"))
        options = ["--lint-only", "-Wall", "-Wno-fatal", "--timing", *arguments, "--top-module", top]
        done = subprocess.run(
            [str(verilator.binary), *options, *sources],
            cwd=folder,
            env=verilator.environment,
            capture_output=True,
            text=True,
            check=False,
        )
    for rule, file, line, text in _WARNING.findall(done.stderr):
        yield file, rule, text, line


def plan_of(kind: str) -> BlockPlan:
    """Of an engine, a block or a graph."""
    if kind in GRAPHS:
        return graph_plan(kind)
    return engine_of(kind) if kind in KINDS else block(kind).plan


def warnings_of(family: str, kind: str) -> tuple[Complaint, ...]:
    """What Verilator says about an engine or a block under the harness."""
    plan = plan_of(kind)
    files = engine_files(plan, family) | model_files(family)
    loading = plan.config.loading if isinstance(plan, EnginePlan) else None
    harness = (*_HARNESS, *(("weights_source.v",) if loading else ()))
    files |= {name: resource_path(f"sim/{name}").read_text() for name in harness}
    roms = {f"{rom.name}.v" for rom in plan.roms}
    shown = {f"{plan.top_name}.v": ENGINE} | dict.fromkeys(roms, ROM)
    arguments = (
        f"-DHWCONV_TOP={plan.top_name}",
        f"-GIN_BYTES={plan.input_beat_bytes}",
        f"-GOUT_BYTES={plan.output_beat_bytes}",
        *([f"-DHWCONV_TUSER={plan.input_user_bits}"] if plan.input_user_bits else []),
        "--timescale",
        "1ns/1ps",
    )
    if loading is not None:
        arguments += ("-DHWCONV_LOADABLE", f"-GWEIGHT_BYTES={loading.beat_bytes}")
    return tuple(
        Complaint(shown.get(file, file), rule, text, f"{family} {kind}, {file}:{line}")
        for file, rule, text, line in lint(files, "harness_top", arguments)
    )


@pytest.mark.sampled
@pytest.mark.parametrize(("family", "kind"), [(family, kind) for family, kinds in ENGINES.items() for kind in kinds])
def test_all_that_is_generated_is_clean_but_for_the_named_waivers(family: str, kind: str) -> None:
    new = [item for item in warnings_of(family, kind) if item.waiver() is None]
    assert not new, "\n".join(f"{item.where}: {item.rule}: {item.text}" for item in new[:20])


def test_each_waiver_is_needed() -> None:
    found = {item.waiver() for family, kind in OF_EVERY_WAIVER for item in warnings_of(family, kind)}
    unneeded = set(range(len(WAIVERS))) - found
    assert not unneeded, [WAIVERS[index] for index in sorted(unneeded)]


def test_the_lint_sees_what_is_wrong() -> None:
    latch = "module latch (input wire a, input wire b, output reg q);\nalways @* if (a) q = b;\nendmodule\n"
    assert ("latch.v", "LATCH") in [item[:2] for item in lint({"latch.v": latch}, "latch")]
    broken = "module broken (input wire a);\nnothing at all\nendmodule\n"
    assert any(rule == "" for _, rule, _, _ in lint({"broken.v": broken}, "broken"))
