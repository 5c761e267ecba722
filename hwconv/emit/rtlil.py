"""RTLIL text, as Amaranth writes it, as modules that can be tidied, compared and written again.

Only the subset that `amaranth.back.rtlil` emits is understood: one statement a line, every identifier a word that
starts with a backslash or a dollar sign. Anything else is refused, so that a new Amaranth shows here first.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

_WIRE = re.compile(r"wire width (\d+)(?: (input|output) \d+)?\s*( signed)? ([\\$]\S+)$")
_NAME = re.compile(r"[\\$]\S+")


@dataclass
class Wire:
    """A wire or port of a module."""

    width: int
    direction: str  # "input", "output" or "" for an internal wire
    signed: bool
    attributes: list[str]


@dataclass
class Block:
    """A cell or a process: its attributes, its first line, the lines inside, without the closing `end`."""

    attributes: list[str]
    head: str
    body: list[str]

    @property
    def is_cell(self) -> bool:
        """Whether this is a cell, not a process."""
        return self.head.startswith("cell ")

    @property
    def cell_type(self) -> str:
        """What a cell instantiates: a primitive (`$add`) or a module (its name, with a backslash)."""
        return self.head.split()[1]

    @property
    def name(self) -> str:
        """The name of the cell or process."""
        return self.head.split()[-1]

    def connections(self) -> dict[str, str]:
        """Returns what each port of a cell is connected to."""
        pairs = (line.split(None, 2)[1:] for line in self.body if line.lstrip().startswith("connect "))
        return {port: signal for port, signal in pairs}


@dataclass
class Module:
    """One module: wires by name, memories, cells and processes in order, and module-level connections."""

    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    memories: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    connects: list[tuple[str, str]] = field(default_factory=list)

    def ports(self, direction: str) -> list[str]:
        """Returns the names of the ports of one direction, in alphabetical order."""
        return sorted(name for name, wire in self.wires.items() if wire.direction == direction)

    def cells(self) -> Iterable[Block]:
        """Returns the cells that instantiate other modules (not primitives)."""
        return [block for block in self.blocks if block.is_cell and block.cell_type.startswith("\\")]

    def rename(self, names: dict[str, str]) -> None:
        """Renames wires everywhere in this module. Names of a cell's ports, of cells and of memories stay."""

        def renamed(text: str) -> str:
            return _NAME.sub(lambda match: names.get(match[0], match[0]), text)

        self.wires = {names.get(name, name): wire for name, wire in self.wires.items()}
        self.map_signals(renamed)

    def map_signals(self, change: Callable[[str], str]) -> None:
        """Applies `change` to every place where signals are read or driven, on the text of the signals alone."""
        self.connects = [(change(left), change(right)) for left, right in self.connects]
        for block in self.blocks:
            for index, line in enumerate(block.body):
                indent = line[: len(line) - len(line.lstrip())]
                keyword, _, rest = line.strip().partition(" ")
                if keyword == "connect":
                    port, signal = rest.split(None, 1)
                    block.body[index] = f"{indent}connect {port} {change(signal)}"
                elif keyword in ("assign", "switch"):
                    block.body[index] = f"{indent}{keyword} {change(rest)}"


def parse(text: str) -> list[Module]:
    """Reads the modules of an RTLIL text, in order.

    Raises:
        ValueError: the text holds something that Amaranth 0.5 does not write.
    """
    modules: list[Module] = []
    attributes: list[str] = []
    lines = iter(text.splitlines())
    for raw in lines:
        line = raw.strip()
        keyword = line.partition(" ")[0]
        if not line:
            continue
        if keyword == "attribute":
            attributes.append(line)
            continue
        if keyword == "module":
            modules.append(Module(line.split()[1]))
        elif keyword == "wire" and (match := _WIRE.match(line)):
            modules[-1].wires[match[4]] = Wire(int(match[1]), match[2] or "", bool(match[3]), attributes)
        elif keyword == "memory":
            modules[-1].memories.append("\n".join([*attributes, line]))
        elif keyword in ("cell", "process"):
            modules[-1].blocks.append(Block(attributes, line, _read_block(lines)))
        elif keyword == "connect":
            left, right = _split_signals(line.removeprefix("connect "))
            modules[-1].connects.append((left, right))
        elif keyword != "end":
            raise ValueError(f"Expected RTLIL as Amaranth 0.5 writes it, not {raw!r}")
        attributes = []
    return modules


def _read_block(lines: Iterable[str]) -> list[str]:
    """Reads up to the `end` of a cell or process; switches nest."""
    body: list[str] = []
    depth = 1
    for line in lines:
        keyword = line.split(None, 1)[0] if line.strip() else ""
        depth += (keyword == "switch") - (keyword == "end")
        if not depth:
            return body
        if keyword:
            body.append(line)
    raise ValueError("Expected an RTLIL block to be closed, not the end of the text")


def _split_signals(text: str) -> tuple[str, str]:
    """Splits the two signals of a module-level connection; the left one is always a whole wire."""
    left, right = text.split(None, 1)
    return left, right


def whole(name: str, wire: Wire) -> frozenset[str]:
    """Returns the spellings of a whole wire: its name, and its name with the full range."""
    last = wire.width - 1
    return frozenset({name, f"{name} [0]"} if last == 0 else {name, f"{name} [{last}:0]"})


def write(modules: Iterable[Module]) -> str:
    """Returns RTLIL text. Ports are in the order: clocks and resets, inputs, outputs, each alphabetical."""
    out: list[str] = []
    for module in modules:
        out.append(f"module {module.name}")
        number = {name: index for index, name in enumerate(_port_order(module), start=1)}
        for name, wire in module.wires.items():
            out += wire.attributes
            direction = f" {wire.direction} {number[name]}" if wire.direction else ""
            out.append(f"wire width {wire.width}{direction}{' signed' if wire.signed else ''} {name}")
        out += module.memories
        for block in module.blocks:
            out += [*block.attributes, block.head, *block.body, "end"]
        out += [f"connect {left} {right}" for left, right in module.connects]
        out.append("end")
    return "\n".join(out) + "\n"


def _port_order(module: Module) -> list[str]:
    clocks = [name for name in ("\\aclk", "\\aresetn", "\\clk", "\\rst") if name in module.ports("input")]
    return [*clocks, *(name for name in module.ports("input") if name not in clocks), *module.ports("output")]
