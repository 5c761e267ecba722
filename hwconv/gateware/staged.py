"""Sums in a free-running pipeline: every part knows its stage, late parts wait in registers for each other."""

from dataclasses import dataclass
from itertools import pairwise

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed


@dataclass(frozen=True, eq=False)
class Part:
    """Bits of a number that are valid together, `stage` cycles after the inputs."""

    value: Value
    stage: int


@dataclass(frozen=True, eq=False)
class Staged:
    """A signed number of ``segments[-1]`` bits, cut in parts at the same bits as all numbers it is added to.

    The parts of one number may be valid at different cycles: that of a sum's upper part is one later than that of the
    part below, whose carry it takes. `low` is the lowest bit that can be set.
    """

    segments: tuple[int, ...]
    parts: tuple[Part, ...]
    low: int


class Pipeline:
    """Builds registers without reset in a module, and names them.

    Parameters
    ----------
    m : Module
        Where the registers go.
    """

    def __init__(self, m: Module) -> None:
        self._m = m
        self._delayed: dict[tuple[int, int], tuple[Value, Value]] = {}

    def register(self, value: Value, stage: int, name: str) -> Part:
        """What `value` is, one cycle later: valid at `stage`."""
        register = Signal(value.shape(), name=f"{name}_{stage}", reset_less=True)
        self._m.d.sync += register.eq(value)
        return Part(register, stage)

    def at(self, part: Part, stage: int, name: str) -> Value:
        """The value of a part at a later stage. Delays are shared."""
        value = part.value
        if isinstance(value, Const):
            return value
        for step in range(part.stage + 1, stage + 1):
            key = (id(part.value), step)
            if key not in self._delayed:
                self._delayed[key] = (part.value, self.register(value, step, name).value)
            value = self._delayed[key][1]
        assert part.stage <= stage
        return value

    def number(self, value: Value, stage: int, low: int, segments: tuple[int, ...]) -> Staged:
        """A signed value times ``2**low`` as an operand, its sign repeated (or its top cut) to the width of the sum."""
        width = segments[-1]
        wide = Signal(signed(width), name="operand")
        self._m.d.comb += wide.eq(value << low)
        parts = []
        for start, end in pairwise(segments):
            inside = Const(0, end - start) if end <= low else wide[start:end]
            parts.append(Part(inside, stage))
        return Staged(segments, tuple(parts), low)

    def add(self, a: Staged, b: Staged, name: str) -> Staged:
        """The sum, modulo the common width. Each segment takes one stage, and the one above it begins a stage later."""
        if a.low > b.low:
            a, b = b, a
        parts = []
        carry: Part | None = None
        for index, (start, end) in enumerate(pairwise(a.segments)):
            x, y = a.parts[index], b.parts[index]
            stage = max(x.stage, y.stage, carry.stage if carry is not None else 0)
            label = f"{name}_{start}"
            # below the higher operand's lowest bit nothing is added
            idle = min(max(b.low - start, 0), end - start)
            if idle == end - start:
                parts.append(x)
                continue
            left = self.at(x, stage, f"{label}_a")
            right = self.at(y, stage, f"{label}_b")[idle:]
            top = left[idle:]
            if carry is not None:
                total = (Cat(1, top) + Cat(self.at(carry, stage, f"{label}_carry"), right))[1:]
            else:
                total = top + right
            last = end == a.segments[-1]
            result = self.register(Cat(left[:idle], total[: end - start - idle]), stage + 1, label)
            parts.append(result)
            if not last:
                carry = self.register(total[end - start - idle], stage + 1, f"{label}_over")
        return Staged(a.segments, tuple(parts), a.low)

    def add_all(self, numbers: list[Staged], name: str) -> Staged:
        """The sum of several, as a balanced tree of neighbours."""
        while len(numbers) > 1:
            level = f"{name}_{len(numbers)}"
            pairs = [
                self.add(numbers[index], numbers[index + 1], f"{level}_{index}")
                for index in range(0, len(numbers) - 1, 2)
            ]
            numbers = pairs + numbers[2 * len(pairs) :]
        return numbers[0]

    def gather(self, number: Staged, name: str, first: int = 0) -> Part:
        """The bits of a number from one up, as one signed part, once the last of them are valid."""
        used = [
            (part, max(first, start) - start, start)
            for part, (start, end) in zip(number.parts, pairwise(number.segments), strict=True)
            if end > first
        ]
        stage = max(part.stage for part, _, _ in used)
        bits = [self.at(Part(part.value[skip:], part.stage), stage, f"{name}_{start}") for part, skip, start in used]
        return Part(Cat(*bits).as_signed(), stage)

    def saturate(self, part: Part, width: int, name: str) -> Part:
        """A signed value clamped to a signed number of `width` bits, two stages later: a test, then a choice.

        In one stage synthesis would repeat the test for every bit.
        """
        value = part.value
        if len(value) <= width:
            return Part(self.at(part, part.stage + 2, name), part.stage + 2)
        sign, above = value[-1], value[width - 1 : -1]
        inside = self.register(Mux(sign, above.all(), ~above.any()), part.stage + 1, f"{name}_inside")
        kept = self.register(Cat(value[: width - 1], sign), part.stage + 1, f"{name}_kept").value
        chosen = Mux(inside.value, kept[:-1], (~kept[-1]).replicate(width - 1))
        return self.register(Cat(chosen, kept[-1]).as_signed(), part.stage + 2, name)
