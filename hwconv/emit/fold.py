"""Folds constants in the RTLIL of a module, and removes what nothing reads.

Gateware is written with bounds that are constants in one engine and signals in another; what is left of a constant
bound (`step_count < 1 & 1`) says nothing to a reader and costs an interpreting simulator time. Synthesis folds the same
way: nothing changes but the text.
"""

import re
from collections.abc import Callable, Iterator

from hwconv.emit.rtlil import Block, Module

Bit = str | tuple[str, int]
"""A constant, "0", "1" or "x", or a wire and an index."""

_TERM = re.compile(r"(\d+)'([01x]+)|([\\$]\S+)(?: \[(\d+)(?::(\d+))?\])?")

_ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "$add": lambda a, b: a + b,
    "$sub": lambda a, b: a - b,
    "$mul": lambda a, b: a * b,
    "$eq": lambda a, b: a == b,
    "$ne": lambda a, b: a != b,
    "$lt": lambda a, b: a < b,
    "$le": lambda a, b: a <= b,
    "$gt": lambda a, b: a > b,
    "$ge": lambda a, b: a >= b,
}
# For each: the bit that decides the result, and the bit that leaves the other operand.
_LOGIC = {"$and": ("0", "1"), "$or": ("1", "0")}
_PURE = {*_ARITHMETIC, *_LOGIC, "$not", "$neg", "$xor", "$mux", "$shl", "$shr", "$sshr", "$shift"}
_PURE |= {"$reduce_bool", "$reduce_or", "$reduce_and", "$reduce_xor"}


def fold(module: Module) -> None:
    """Folds constants in one module, in place, until nothing changes; ports and registers stay."""
    known: dict[Bit, Bit] = {}
    while _fold_once(module, known):
        _substitute(module, known)
    while _remove_unread(module):
        pass


def _fold_once(module: Module, known: dict[Bit, Bit]) -> bool:
    """Finds cells and processes whose result is known, removes them, and notes the result."""
    kept: list[Block] = []
    for block in module.blocks:
        if block.is_cell:
            found = _fold_cell(block, module) if block.cell_type in _PURE else None
        else:
            block.body = _fold_process(block.body)
            found = _only_assignment(block, module)
        if found is None:
            kept.append(block)
            continue
        target, bits = found
        for index, bit in enumerate(bits):
            known[target, index] = _resolve(bit, known)
        # What people called this, and ports, keep their wire.
        module.connects.append((target, _write(bits)))
    changed = len(kept) < len(module.blocks)
    module.blocks = kept
    return changed


def _substitute(module: Module, known: dict[Bit, Bit]) -> None:
    """Puts what is known in place of what it is known of, wherever signals are read."""

    def replaced(text: str) -> str:
        return _write([_resolve(bit, known) for bit in _read(text, module)])

    module.connects = [(left, replaced(right)) for left, right in module.connects]
    for block in module.blocks:
        for index, line in enumerate(block.body):
            indent = line[: len(line) - len(line.lstrip())]
            keyword, _, rest = line.strip().partition(" ")
            if keyword == "connect":
                port, signal = rest.split(None, 1)
                block.body[index] = f"{indent}connect {port} {replaced(signal)}"
            elif keyword == "assign":
                target, value = _split_assignment(line)
                block.body[index] = f"{indent}assign {target} {replaced(value)}"
            elif keyword == "switch":
                block.body[index] = f"{indent}switch {replaced(rest)}"


def _resolve(bit: Bit, known: dict[Bit, Bit]) -> Bit:
    while bit in known:
        bit = known[bit]
    return bit


def _fold_cell(cell: Block, module: Module) -> tuple[str, list[Bit]] | None:
    """Returns the output wire of a cell and the bits it always has, if these are known."""
    signals = cell.connections()
    target = signals["\\Y"].split()[0]
    width = module.wires[target].width
    a = _read(signals["\\A"], module)
    b = _read(signals["\\B"], module) if "\\B" in signals else []
    bits: list[Bit] | None = None
    if cell.cell_type == "$mux":
        select = _read(signals["\\S"], module)[0]
        bits = a if select == "0" or a == b else b if select == "1" else None
    elif cell.cell_type in _LOGIC:
        decides, leaves = _LOGIC[cell.cell_type]
        bits = _fold_logic(_extend(a, width), _extend(b, width), decides, leaves)
    elif _constant(a) and cell.cell_type == "$not":
        bits = ["1" if bit == "0" else "0" for bit in _extend(a, width)]
    elif cell.cell_type in _ARITHMETIC and _constant(a) and _constant(b):
        signed = _parameter(cell, "A_SIGNED") == 1
        value = int(_ARITHMETIC[cell.cell_type](_integer(a, signed), _integer(b, signed)))
        bits = [str(value >> index & 1) for index in range(width)]
    return None if bits is None else (target, bits)


def _fold_logic(a: list[Bit], b: list[Bit], decides: str, leaves: str) -> list[Bit] | None:
    result: list[Bit] = []
    for left, right in zip(a, b, strict=True):
        if decides in (left, right):
            result.append(decides)
        elif left in (leaves, right):
            result.append(right)
        elif right == leaves:
            result.append(left)
        else:
            return None
    return result


def _extend(bits: list[Bit], width: int) -> list[Bit]:
    # Amaranth shortens the operands of logic by zeros only.
    return [*bits, *["0"] * (width - len(bits))][:width]


def _constant(bits: list[Bit]) -> bool:
    return all(bit in ("0", "1") for bit in bits)


def _integer(bits: list[Bit], signed: bool) -> int:
    value = sum(1 << index for index, bit in enumerate(bits) if bit == "1")
    return value - (1 << len(bits)) if signed and bits and bits[-1] == "1" else value


def _parameter(cell: Block, name: str) -> int:
    return next(int(line.split()[-1]) for line in cell.body if line.split()[:2] == ["parameter", f"\\{name}"])


def _fold_process(lines: list[str]) -> list[str]:
    """Decides the switches of a process whose selector is a constant."""
    result: list[str] = []
    index = 0
    while index < len(lines):
        words = lines[index].split(None, 1)
        if words[0] != "switch":
            result.append(lines[index])
            index += 1
            continue
        end = _end_of_switch(lines, index)
        cases = list(_cases(lines[index + 1 : end]))
        if match := re.fullmatch(r"\d+'([01]+)|{ *}", words[1].strip()):
            selector = match[1] or ""
            chosen = next((body for patterns, body in cases if _matches(patterns, selector)), [])
            result += _fold_process(chosen)
        else:
            result.append(lines[index])
            for patterns, body in cases:
                result += [patterns, *_fold_process(body)]
            result.append(lines[end])
        index = end + 1
    return result


def _end_of_switch(lines: list[str], start: int) -> int:
    depth = 0
    for index in range(start, len(lines)):
        keyword = lines[index].split(None, 1)[0]
        depth += (keyword == "switch") - (keyword == "end")
        if depth == 0:
            return index
    raise ValueError("Expected an RTLIL switch to be closed, not the end of its process")


def _cases(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yields the cases of a switch: the line with the patterns, and the lines that follow it."""
    depth, head, body = 0, "", list[str]()
    for line in lines:
        keyword = line.split(None, 1)[0]
        if keyword == "case" and depth == 0:
            if head:
                yield head, body
            head, body = line, []
            continue
        depth += (keyword == "switch") - (keyword == "end")
        body.append(line)
    if head:
        yield head, body


def _matches(case: str, selector: str) -> bool:
    patterns = [each.strip().split("'")[1] for each in case.strip().removeprefix("case").split(",") if each.strip()]
    return not patterns or any(
        all(want in ("-", have) for want, have in zip(pattern, selector, strict=True)) for pattern in patterns
    )


def _only_assignment(process: Block, module: Module) -> tuple[str, list[Bit]] | None:
    """Returns what a process assigns, if it ends with an unconditional assignment to the whole wire it drives."""
    if not process.body or process.body[-1].split(None, 1)[0] != "assign":
        return None
    target, value = _split_assignment(process.body[-1])
    driven = _read(target, module)
    name = target.split()[0]
    if driven != [(name, index) for index in range(module.wires[name].width)] or module.wires[name].attributes:
        return None
    return name, _read(value, module)


def _split_assignment(line: str) -> tuple[str, str]:
    """Splits `assign TARGET VALUE`; the target is a wire or a part of one."""
    match = re.match(r"\s*assign ([\\$]\S+(?: \[[\d:]+\])?) (.+)$", line)
    if match is None:
        raise ValueError(f"Expected an RTLIL assignment to a part of a wire, not {line!r}")
    return match[1], match[2]


def _remove_unread(module: Module) -> bool:
    """Removes unnamed wires that nothing reads, and what computes them."""
    used: set[str] = {name for name, wire in module.wires.items() if wire.direction or not name.startswith("$")}
    for left, right in module.connects:
        if left in used:
            used.update(_names(right))
    drivers: list[str] = []
    for block in module.blocks:
        driven = _driven(block)
        drivers.append(driven)
        for line in block.body:
            words = line.split(None, 2)
            if words[0] == "assign":
                used.update(_names(_split_assignment(line)[1]))
            elif words[0] == "switch":
                used.update(_names(line))
            elif words[0] == "connect" and words[2].split()[0] != driven:
                used.update(_names(words[2]))
    kept = [block for block, driven in zip(module.blocks, drivers, strict=True) if not driven or driven in used]
    changed = len(kept) < len(module.blocks)
    module.blocks = kept
    module.connects = [(left, right) for left, right in module.connects if left in used]
    driven_now = {driven for block in kept if (driven := _driven(block))}
    read_by_cells = {name for block in kept for line in block.body for name in _names(line)}
    module.wires = {
        name: wire for name, wire in module.wires.items() if name in used or name in driven_now or name in read_by_cells
    }
    return changed


def _driven(block: Block) -> str:
    """The wire that a pure cell or a process computes; empty for everything that has an effect of its own."""
    if block.is_cell:
        return block.connections()["\\Y"].split()[0] if block.cell_type in _PURE else ""
    targets = {line.split()[1] for line in block.body if line.split(None, 1)[0] == "assign"}
    return targets.pop() if len(targets) == 1 else ""


def _names(text: str) -> list[str]:
    return [word for word in text.split() if word[0] in "\\$"]


def _read(text: str, module: Module) -> list[Bit]:
    """Returns the bits of a signal, least significant first."""
    bits: list[Bit] = []
    for match in reversed(list(_TERM.finditer(text))):
        if match[1]:
            bits += reversed(match[2].rjust(int(match[1]), match[2][0] if match[2][0] == "x" else "0"))
            continue
        name = match[3]
        first = module.wires[name].width - 1 if match[4] is None else int(match[4])
        last = first if match[4] is not None and match[5] is None else int(match[5] or 0)
        bits += [(name, index) for index in range(last, first + 1)]
    return bits


def _write(bits: list[Bit]) -> str:
    """Returns the text of bits, as Amaranth writes it; the inverse of :func:`_read`."""
    terms: list[tuple[str, int, int]] = []  # constants: digits, 0, 0; wires: name, first, last
    for bit in bits:
        if isinstance(bit, str):
            if terms and terms[-1][0][0] not in "\\$":
                terms[-1] = (bit + terms[-1][0], 0, 0)
            else:
                terms.append((bit, 0, 0))
        elif terms and terms[-1][0] == bit[0] and terms[-1][2] + 1 == bit[1]:
            terms[-1] = (bit[0], terms[-1][1], bit[1])
        else:
            terms.append((bit[0], bit[1], bit[1]))
    texts = [_term(*term) for term in reversed(terms)]
    return texts[0] if len(texts) == 1 else " ".join(["{", *texts, "}"])


def _term(name: str, first: int, last: int) -> str:
    if name[0] not in "\\$":
        return f"{len(name)}'{name}"
    return f"{name} [{first}]" if first == last else f"{name} [{last}:{first}]"
