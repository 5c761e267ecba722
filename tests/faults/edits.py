"""What a described fault does to a design: one edit that must apply in exactly one place, or it is refused."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Design

PLACEHOLDERS = {r"\bN\b": r"n\\d+", r"(?<!\\)\bS\b": r"signal(?:_\\d+)?"}
"""Names that the generator numbers: nets, and signals without a name of their own."""


class Misfit(Exception):
    """A fault does not apply any more to what the generator makes."""


@dataclass(frozen=True)
class Verilog:
    """Replaces the only match of a pattern in a module of the generated Verilog.

    Parameters:
        module: its name without the engine's; empty for the top. A name with a file suffix is a file of its own.
        find: a regular expression, in which ``N`` and ``S`` stand for names that the generator numbers.
        put: what replaces the match, with ``\\1`` for groups.
    """

    module: str
    find: str
    put: str

    def apply(self, plan: BlockPlan, design: Design) -> Design:
        if self.module.endswith(".v"):
            file, start, text = self.module, 0, design.files[self.module]
            end = len(text)
        else:
            name = "_".join(part for part in (plan.top_name, self.module) if part)
            file = f"{design.top}.v"
            text = design.files[file]
            places = [match.start() for match in re.finditer(rf"^module {name}\(", text, re.MULTILINE)]
            if len(places) != 1:
                raise Misfit(f"{len(places)} modules are called {name}")
            start = places[0]
            end = text.index("\nendmodule", start)
        pattern = self.find
        for placeholder, names in PLACEHOLDERS.items():
            pattern = re.sub(placeholder, names, pattern)
        changed, count = re.subn(pattern, self.put, text[start:end])
        if count != 1 or changed == text[start:end]:
            raise Misfit(f"{self.find!r} changes {count} places of {self.module or 'the top module'}, not one")
        return replace(design, files={**design.files, file: text[:start] + changed + text[end:]})


def late(module: str, register: str) -> Verilog:
    """A register that takes its value a cycle late."""
    return Verilog(
        module,
        rf"(?<=\n)(  reg(?: \[\d+:0\])?) ({register}\b.*;\n[\s\S]*?)"
        rf"(  always @\(posedge clk\)\n    {register} <= )(.+);\n",
        r"\1 seeded_late;\n  always @(posedge clk)\n    seeded_late <= \4;\n\1 \2\3seeded_late;\n",
    )


def count_short(module: str, loop: str) -> Verilog:
    """A loop that ends one turn early: its comparison two turns ahead comes one sooner."""
    return Verilog(module, rf"(assign (N) = {loop}_count \+) 2'h2;", r"\1 2'h3;")


@dataclass(frozen=True)
class Word:
    """Flips bits of one word of a memory image: of a weight ROM, for instance."""

    rom: str
    word: int
    flip: int

    def apply(self, plan: BlockPlan, design: Design) -> Design:
        return _reword(design, f"{plan.top_name}_{self.rom}.mem", self.word, lambda value: value ^ self.flip)


@dataclass(frozen=True)
class Field:
    """Adds to one field of a channel's entry in a requantiser's table, modulo its width."""

    field: str
    add: int
    word: int = 0
    requantiser: int = 0

    def apply(self, plan: BlockPlan, design: Design) -> Design:
        if not isinstance(plan, EnginePlan):
            raise Misfit("only engines have tables of requantisers")
        position, widths = 0, dict(plan.config.requantiser.fields)
        if self.field not in widths:
            raise Misfit(f"entries have no field {self.field}, only {', '.join(widths)}")
        for name, width in plan.config.requantiser.fields:
            if name == self.field:
                break
            position += width
        mask = (1 << widths[self.field]) - 1

        def changed(value: int) -> int:
            field = (value >> position & mask) + self.add & mask
            return value & ~(mask << position) | field << position

        return _reword(design, f"{plan.top_name}_table_{self.requantiser}.mem", self.word, changed)


@dataclass(frozen=True)
class Swapped:
    """Exchanges two words of a memory image."""

    rom: str
    words: tuple[int, int]

    def apply(self, plan: BlockPlan, design: Design) -> Design:
        name = f"{plan.top_name}_{self.rom}.mem"
        lines = design.files[name].splitlines()
        one, other = self.words
        if max(self.words) >= len(lines) or lines[one] == lines[other]:
            raise Misfit(f"words {one} and {other} of {name} are equal or absent")
        lines[one], lines[other] = lines[other], lines[one]
        return replace(design, files={**design.files, name: "".join(f"{line}\n" for line in lines)})


Edit = Verilog | Word | Field | Swapped


@dataclass(frozen=True, kw_only=True)
class Described:
    """A fault that somebody thought of.

    Members:
        name: in words. kind: of mistake. engine: a name that `subjects` knows. edit: what it does.
        equivalent: why nobody can notice it, if nobody can.
    """

    name: str
    kind: str
    engine: str
    edit: Edit
    equivalent: str = ""


def _reword(design: Design, name: str, word: int, change: Callable[[int], int]) -> Design:
    if name not in design.files:
        raise Misfit(f"there is no image {name}")
    lines = design.files[name].splitlines()
    if word >= len(lines):
        raise Misfit(f"{name} has no word {word}")
    digits = len(lines[word])
    value = change(int(lines[word], 16))
    if value >> 4 * digits or value == int(lines[word], 16):
        raise Misfit(f"word {word} of {name} is not changed within its width")
    lines[word] = f"{value:0{digits}x}"
    return replace(design, files={**design.files, name: "".join(f"{line}\n" for line in lines)})
