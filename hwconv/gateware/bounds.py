"""Values of a program's descriptors: constants when the engine runs one layer, ROM outputs when it runs several."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Array, ClockSignal, Const, Instance, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.utils import bits_for

from hwconv.plan.config import PassConfig


def range_shape(low: int, high: int) -> Shape:
    """The narrowest shape that holds every integer from `low` to `high`."""
    if low < 0:
        return signed(max(bits_for(low, require_sign_bit=True), bits_for(high, require_sign_bit=True)))
    return unsigned(bits_for(high))


PassValue = Callable[[PassConfig], int]
PhaseValue = Callable[[PassConfig, int, int], int]
"""A number of a layer, a row phase and a column phase."""


class ProgramCounter:
    """The layer a block of the engine is working on, and the descriptor values of that layer.

    Each block that works at its own time (receiver, sequencer, drain, sender) has its own counter. With one
    layer every bound is a constant and the counter disappears.

    Parameters
    ----------
    registered : bool
        Values come from registers, a cycle after the layer has changed; the block adds what `follow` gives at its end.
    """

    def __init__(self, name: str, passes: Sequence[PassConfig], *, registered: bool = False) -> None:
        self._passes = passes
        self._name, self._registered = name, registered
        self._registers: dict[tuple[int, ...], tuple[Signal, Value]] = {}
        self.index = Signal(range(max(2, len(passes))), name=f"{name}_layer")

    @property
    def single(self) -> bool:
        return len(self._passes) == 1

    @property
    def first(self) -> PassConfig:
        """The first layer: what registers hold after a reset."""
        return self._passes[0]

    @property
    def is_last(self) -> Value:
        """The current layer is the program's last."""
        return Const(1, 1) if self.single else self.index == len(self._passes) - 1

    @property
    def is_first(self) -> Value:
        """The current layer is the program's first."""
        return Const(1, 1) if self.single else self.index == 0

    def bound(self, value: PassValue) -> Value:
        """The value of the current layer; its shape holds the values of all layers."""
        values = tuple(value(item) for item in self._passes)
        shape = range_shape(min(values), max(values))
        if len(set(values)) == 1:
            return Const(values[0], shape)
        chosen = Array([Const(item, shape) for item in values])[self.index]
        if not self._registered:
            return chosen
        if values not in self._registers:
            register = Signal(shape, name=f"{self._name}_bound_{len(self._registers)}", init=values[0])
            self._registers[values] = register, chosen
        return self._registers[values][0]

    def follow(self) -> list:
        """Statements by which the registers of values take those of the current layer."""
        return [register.eq(chosen) for register, chosen in self._registers.values()]

    def phase_bound(self, value: PhaseValue, row: Value, column: Value) -> Value:
        """The value of the current layer and of given phases; its shape holds all values."""
        if not self.phased:
            return self.bound(lambda item: value(item, 0, 0))
        grids = [
            [[value(item, down, across) for across in range(item.column_phases)] for down in range(item.row_phases)]
            for item in self._passes
        ]
        values = [number for grid in grids for line in grid for number in line]
        shape = range_shape(min(values), max(values))

        def pick(choices: list, *indexes: Value) -> Value:
            if not indexes:
                return Const(choices, shape)
            if all(choice == choices[0] for choice in choices):
                return pick(choices[0], *indexes[1:])
            return Array([pick(choice, *indexes[1:]) for choice in choices])[indexes[0]]

        return pick(grids, self.index, row, column)

    @property
    def phased(self) -> bool:
        """Some layer has several phases."""
        return any(item.row_phases * item.column_phases > 1 for item in self._passes)

    def largest(self, value: PassValue) -> int:
        """The largest value of any layer."""
        return max(value(item) for item in self._passes)

    def loop(self, m: Module, name: str, value: PassValue, advance: Value, reload: Value) -> "LoopCounter":
        """A loop of `value` turns."""
        return LoopCounter(
            m, name, self.bound(value), self.largest(value), advance, reload, first=value(self._passes[0])
        )

    def changed(self, m: Module) -> Value:
        """The layer has changed in the cycle before."""
        if self.single:
            return Const(0, 1)
        previous = Signal.like(self.index, name=f"{self.index.name}_previous")
        m.d.sync += previous.eq(self.index)
        return previous != self.index

    def advance(self) -> list:
        """Statements that go on to the next layer of the program."""
        if self.single:
            return []
        return [self.index.eq(Mux(self.is_last, 0, self.index + 1))]


class LoopCounter:
    """One loop of the nest: counts 0 to ``bound - 1`` and knows in advance, in a register, that it is at its end.

    Parameters
    ----------
    advance : the loop goes on (and wraps after its last turn)
    reload : the bound may have changed (the next layer began): start over; only used with several layers or phases
    first : the bound after a reset, that of the first layer; by default the largest one
    following : the bound of the loop's next turns, seen in its last one; by default the same
    """

    def __init__(
        self,
        m: Module,
        name: str,
        bound: Value,
        largest: int,
        advance: Value,
        reload: Value,
        *,
        first: int | None = None,
        following: Value | None = None,
    ) -> None:
        self.count = Signal(range(max(2, largest)), name=f"{name}_count")
        single_turn = Value.cast(bound == 1)
        next_single_turn = single_turn if following is None else Value.cast(following == 1)
        self.last = Signal(name=f"{name}_last", init=int((largest if first is None else first) == 1))
        if largest == 1:
            return
        with m.If(advance):
            m.d.sync += [
                self.count.eq(Mux(self.last, 0, self.count + 1)),
                self.last.eq(Mux(self.last, next_single_turn, self.count + 2 == bound)),
            ]
        with m.If(reload):
            m.d.sync += [self.count.eq(0), self.last.eq(single_turn)]


def delayed(m: Module, name: str, value: Value, cycles: int, *, reset: bool = True) -> Value:
    """`value`, `cycles` later."""
    for stage in range(1, cycles + 1):
        register = Signal.like(value, name=f"{name}_d{stage}", reset_less=not reset)
        m.d.sync += register.eq(value)
        value = register
    return value


def hop(m: Module, name: str, value: Value) -> Signal:
    """`value`, a cycle later, from a register that synthesis merges with no equal one: it lies beside its own loads."""
    near = Signal(len(value), name=f"near_{name}")
    m.submodules[f"hop_{name}"] = Instance("hwconv_hop", p_WIDTH=len(value), i_clk=ClockSignal(), i_d=value, o_q=near)
    return near
