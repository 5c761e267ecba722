"""Makes the modules that Amaranth emits readable, and equal ones one.

Amaranth emits one module per instance, names what several components call alike with a number (`a$6`), keeps a wire
for every alias of a signal, and leaves out the outputs that a parent does not use. So a 4x4 array of equal processing
elements has sixteen modules of nine kinds. Here

1. wires that are nothing but another name are dropped, the outputs of a submodule are called after it, the input of a
   register after the register, and what remains unnamed is numbered in order of appearance (:func:`tidy`);
2. modules that are equal up to their name, the order of their ports and which of their wires are outputs become one,
   with all the outputs that any of them has (:func:`merge`);
3. modules get names that a reader recognises, all starting with the top level's (:func:`merge` too).

None of this changes what the design does; `tests/test_emit_verilog.py` simulates both.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

from hwconv.emit.fold import fold
from hwconv.emit.rtlil import Block, Module, Wire, whole
from hwconv.keywords import KEYWORDS

_NUMBERED = re.compile(r"\$\d+$")
_SLICE_OF_UNNAMED = re.compile(r"\$\d+ \[[\d:]+\]$")
_INDICES = re.compile(r"(_\d+)+$")
_UNNAMED_PORT = re.compile(r"\\port\$(\d+)(\$\d+)?$")


def tidy(modules: list[Module]) -> None:
    """Drops aliases and renames wires, in place; the behaviour and the ports of the first module stay."""
    top = modules[0].name
    ports_of: dict[str, dict[str, str]] = {}
    outputs_of: dict[str, list[str]] = {}
    for module in reversed(modules):  # children come after their parents
        _connect_renamed_ports(module, ports_of)
        fold(module)
        _drop_aliases(module)
        before = {name for name, wire in module.wires.items() if wire.direction}
        _rename_cells(module, before)
        renames = _readable_names(module, before if module.name == top else set(), outputs_of)
        module.rename(renames)
        outputs_of[module.name] = module.ports("output")
        ports_of[module.name] = {name: renames.get(name, name) for name in before}


def _connect_renamed_ports(module: Module, ports_of: dict[str, dict[str, str]]) -> None:
    for cell in module.cells():
        if cell.cell_type in ports_of:
            names = ports_of[cell.cell_type]
            pairs = [(names[port], signal) for port, signal in cell.connections().items()]
            cell.body = [f"  connect {port} {signal}" for port, signal in sorted(pairs)]


def _drop_aliases(module: Module) -> None:
    """Removes wires that only rename others; a named slice of an unnamed wire is read by its name instead."""
    _name_by_aliases(module)
    by_process = {line.split()[1] for block in module.blocks if not block.is_cell for line in _assigns(block)}
    kept: list[tuple[str, str]] = []
    names: dict[str, str] = {}
    for left, right in module.connects:
        wire = module.wires[left]
        if wire.direction == "output":
            kept.append((left, right))
        elif _SLICE_OF_UNNAMED.match(right) and right.split()[0] not in by_process and right not in names:
            names[right] = f"{left} [{wire.width - 1}:0]" if wire.width > 1 else f"{left} [0]"
            kept.append((left, right))
        else:
            del module.wires[left]
    if names:
        pattern = re.compile(rf"(?<!\S)(?:{'|'.join(re.escape(slice_) for slice_ in names)})")
        module.connects = []
        module.map_signals(lambda text: pattern.sub(lambda match: names[match[0]], text))
    definitions = {name.split()[0]: slice_ for slice_, name in names.items()}
    module.connects = [(left, definitions.get(left) or names.get(right, right)) for left, right in kept]


def _name_by_aliases(module: Module) -> None:
    """Gives a wire without a name that of a signal which is nothing but this wire."""
    names: dict[str, str] = {}
    for left, right in module.connects:
        name = right.split()[0]
        unnamed = name.startswith("$") and right in whole(name, module.wires[name])
        if unnamed and name not in names and not module.wires[left].direction:
            names[name] = left
    for name, better in names.items():
        module.wires[name].attributes += module.wires.pop(better).attributes
    module.connects = [(left, right) for left, right in module.connects if names.get(right.split()[0]) != left]
    module.rename(names)


def _assigns(block: Block) -> Iterable[str]:
    return (line for line in block.body if line.lstrip().startswith("assign "))


def _rename_cells(module: Module, ports: set[str]) -> None:
    """Takes the numbers off the names of submodules that were called like a signal; they choose before the signals."""
    taken = set(ports)
    for cell in module.cells():
        cell.head = f"cell {cell.cell_type} {_free(_plain(cell.name), taken)}"


def _plain(name: str) -> str:
    """Returns a name without what Verilog would have to escape: a lone backslash if nothing is left."""
    return "\\" + re.sub(r"[^A-Za-z0-9_]+", "_", _NUMBERED.sub("", name).strip("\\$")).strip("_")


def _driven_by_cells(module: Module, outputs_of: dict[str, list[str]]) -> dict[str, str]:
    """Returns `cell_port` for each wire that a submodule drives and that has no name of this module's own."""
    wires = module.wires
    port_names: dict[str, set[str]] = defaultdict(set)  # a wire without a name is called like some port it is on
    for cell in module.cells():
        for port, signal in cell.connections().items():
            port_names[signal.split()[0]].add(port)
    wanted: dict[str, str] = {}
    for cell in module.cells():
        for port, signal in cell.connections().items():
            name = signal.split()[0]
            if name not in wires or wires[name].direction or signal not in whole(name, wires[name]):
                continue
            borrowed = _NUMBERED.sub("", name) in ("", *port_names[name])
            if borrowed and port in outputs_of.get(cell.cell_type, [port] if name.startswith("$") else []):
                wanted.setdefault(name, f"{cell.name}_{port[1:]}")
    return wanted


def _readable_names(module: Module, keep: set[str], outputs_of: dict[str, list[str]]) -> dict[str, str]:
    """Chooses new names for the wires of a module, without changing those in `keep`."""
    wanted = _driven_by_cells(module, outputs_of)
    for block in module.blocks:
        if block.is_cell and block.cell_type in ("$dff", "$adff"):
            source, register = block.connections()["\\D"], block.connections()["\\Q"].split()[0]
            name = source.split()[0]
            if name.startswith("$") and source in whole(name, module.wires[name]):
                wanted.setdefault(name, f"{wanted.get(register, register)}_next")
    # A port that has no signal of its own is called after a net's number, which says nothing and differs from one
    # instance to the next.
    ports = [(int(found[1]), name) for name in module.wires if (found := _UNNAMED_PORT.match(name))]
    wanted |= {name: f"\\in_{index}" for index, (_, name) in enumerate(sorted(ports), start=1) if name not in keep}
    names: dict[str, str] = {}
    taken = {*keep, *(cell.name for cell in module.cells())}
    for name, _ in sorted(module.wires.items(), key=lambda item: not item[1].direction):  # ports choose first
        base = _plain(wanted.get(name, name))
        if name not in keep and base != "\\":
            names[name] = _free(base, taken)
    unnamed = [name for name in module.wires if name not in names and name not in keep]
    for index, name in enumerate(unnamed, start=1):
        names[name] = _free(f"\\n{index}", taken)
    return names


def _free(name: str, taken: set[str]) -> str:
    candidate, index = name, 2
    while candidate in taken or candidate[1:] in KEYWORDS:
        candidate, index = f"{name}_{index}", index + 1
    taken.add(candidate)
    return candidate


def merge(modules: list[Module]) -> list[Module]:
    """Returns the modules with equal ones merged, under readable names; the first, the top level, keeps its name."""
    representative: dict[str, Module] = {}
    groups: dict[str, list[Module]] = defaultdict(list)
    for module in sorted(modules[1:], key=lambda each: -each.name.count(".")) + modules[:1]:
        for cell in module.cells():
            if cell.cell_type in representative:
                cell.head = f"cell {representative[cell.cell_type].name} {cell.name}"
        members = groups[_body(module)]
        members.append(module)
        representative[module.name] = members[0]
        for name, wire in module.wires.items():
            if wire.direction == "output":
                members[0].wires[name].direction = "output"
    kept = {members[0].name for members in groups.values()}
    names = _module_names(modules[0].name, [[each.name for each in members] for members in groups.values()])
    result = [module for module in modules if module.name in kept]
    by_name = {module.name: module for module in result}
    for module in result:
        for cell in module.cells():
            if cell.cell_type in by_name:
                _connect_unused(module, cell, by_name[cell.cell_type])
                cell.head = f"cell {names[cell.cell_type]} {cell.name}"
    for module in result:
        module.name = names[module.name]
    return result


def _connect_unused(parent: Module, cell: Block, child: Module) -> None:
    """Gives the outputs that only other instances use a wire of their own, so that no linter asks about them."""
    for port in child.ports("output"):
        if port not in cell.connections():
            wire = _free(f"{cell.name}_{port[1:]}", set(parent.wires))
            parent.wires[wire] = Wire(child.wires[port].width, "", child.wires[port].signed, [])
            cell.body.append(f"  connect {port} {wire}")


def _body(module: Module) -> str:
    """Returns what two modules share when one can stand for the other."""
    wires = [
        f"{name} {wire.width} {wire.signed} {wire.direction == 'input'} {wire.attributes}"
        for name, wire in sorted(module.wires.items())
    ]
    blocks = ["\n".join([*block.attributes, block.head, *block.body]) for block in module.blocks]
    return "\n".join(
        [*wires, *module.memories, *blocks, *(f"{left} {right}" for left, right in sorted(module.connects))]
    )


def _module_names(top: str, groups: list[list[str]]) -> dict[str, str]:
    """Returns a name for the first module of each group: the shortest end of its path that tells it from the others.

    A group of several instances drops their indices (`pe_0_0` and `pe_0_1` are `pe`). Where several groups want a name,
    one that has more instances than any other gets it.
    """
    sizes: dict[str, list[int]] = defaultdict(list)
    candidates: dict[str, list[str]] = {}
    for members in groups:
        if members[0] == top:
            continue
        path = [_plain(part)[1:] for part in members[0].removeprefix(top + ".").split(".")]
        ends = ["_".join(path[start:]) for start in range(len(path) - 1, -1, -1)]
        stems = [_INDICES.sub("", end) for end in ends] if len(members) > 1 else []
        candidates[members[0]] = list(dict.fromkeys([*stems[:1], *ends[:1], *stems[1:], *ends[1:]]))
        for name in candidates[members[0]]:
            sizes[name].append(len(members))
    size = {members[0]: len(members) for members in groups}
    names = {top: top}
    taken = {top}
    for module in sorted(candidates, key=lambda each: -size[each]):
        options = candidates[module]
        own = [each for each in options if _most(sizes[each], size[module])]
        names[module] = _free(f"{top}_{own[0] if own else options[-1]}", taken)
    return names


def _most(sizes: list[int], size: int) -> bool:
    return max(sizes) == size and sizes.count(size) == 1
