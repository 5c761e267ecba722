"""Shares an FPGA among the engines of a network, one a layer, so that the slowest of them is as fast as can be.

For a time that no engine may exceed, the cheapest array of each layer that keeps it is independent of all others: all
arrays are enumerated once, and the shortest time whose cheapest arrays fit together is found by halving. So the
result is the best there is, under the estimates of what an engine takes (:mod:`~hwconv.plan.area`).

Hard multipliers go to the requantisers first, whose products are wide, then to the arrays; what is left of the arrays'
elements takes look-up tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING

from ..errors import FitError
from ..layer import Layer
from .area import Area, estimate_area, lut_multiplier_area
from .array import Folding, foldings
from .engine_plan import EnginePlan, make_plan
from .formats import paired_format
from .memories import memories

if TYPE_CHECKING:
    from ..targets import Target

MOST_MULTIPLIERS = 512
"""Of one array."""
STEP = 1.02
"""Arrays of a layer whose intervals differ by less are one choice."""
FILL = 0.72
"""Share of a part's look-up tables that a design is given: nextpnr routes more, but more slowly, and slower designs."""
BLOCK_RAM_PRICES = (0, 30, 100, 300, 1000)
"""Look-up tables that a block RAM counts as, where the cheapest arrays take more of them than there are."""
BESIDE = Area(luts=700, ffs=700)
"""The guard, the queue of marks and the ports of a graph."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a part has, or what a design takes of it."""

    multipliers: int
    luts: int
    block_rams: int

    def shortfall(self, taken: "Budget") -> dict[str, tuple[int, int]]:
        """What more is taken than there is: name to both."""
        pairs = {
            "multipliers": (taken.multipliers, self.multipliers),
            "look-up tables": (taken.luts, self.luts),
            "block RAMs": (taken.block_rams, self.block_rams),
        }
        return {name: pair for name, pair in pairs.items() if pair[0] > pair[1]}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An array for a layer, and what its engine takes when all its multipliers are hard.

    Members:
        plan: of the engine by itself. interval: in cycles.
        area: estimated. block_rams: counted. element: of one multiplier made of look-up tables.
    """

    plan: EnginePlan
    interval: int
    area: Area
    block_rams: int
    element: Area

    @property
    def hard(self) -> int:
        """Hard multipliers, if no element is made of look-up tables."""
        return self.plan.multipliers + self.plan.requantiser_multipliers

    def price(self, block_ram: int) -> int:
        """In look-up tables, a multiplier being worth what replaces it."""
        return self.area.luts + self.element.luts * self.hard + block_ram * self.block_rams


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What was chosen: see :func:`balance`.

    Members:
        choices: of each layer. lut_multipliers: elements of each array that look-up tables make.
        interval: of the slowest engine. budget, taken: what there is, and what is taken of it.
        binds: what there is too little of to be faster, or the layer that has no faster array.
    """

    choices: Mapping[str, Choice]
    lut_multipliers: Mapping[str, int] = field(default_factory=dict)
    interval: int
    budget: Budget
    taken: Budget
    binds: str

    @property
    def shares(self) -> dict[str, tuple[Folding, int]]:
        """The folding of each layer, and how many of its multipliers look-up tables make."""
        return {name: (each.plan.folding, self.lut_multipliers[name]) for name, each in self.choices.items()}


def budget_of(target: "Target", others: Sequence[Area] = (), other_block_rams: int = 0, other_hard: int = 0) -> Budget:
    """What a part has for the engines of layers, beside what other blocks take."""
    taken = sum((BESIDE, *others), start=Area(luts=0, ffs=0))
    return Budget(
        multipliers=target.multipliers - other_hard,
        luts=int(FILL * target.luts) - taken.luts,
        block_rams=target.block_rams - other_block_rams,
    )


def balance(name: str, layers: Mapping[str, Layer], budget: Budget) -> Balance:
    """Chooses the arrays of all layers.

    Parameters
    ----------
    name:
        Of the network, for messages.
    layers:
        By name.
    budget:
        What they may take together.

    Raises
    ------
    FitError
        The smallest arrays take more than there is: says of what, how much, and how much there is.
    """
    tables = {each: choices_of(layer) for each, layer in layers.items()}
    times = sorted({choice.interval for table in tables.values() for choice in table})
    found: Balance | None = None
    for price in BLOCK_RAM_PRICES:
        best = _shortest(tables, times, budget, price)
        if best is not None and (found is None or best.interval < found.interval):
            found = best
    if found is None:
        taken = _taken(_cheapest(tables, times[-1], BLOCK_RAM_PRICES[-1]) or {}, budget)
        lacking = budget.shortfall(taken) or {"look-up tables": (taken.luts, budget.luts)}
        said = ", ".join(f"{needed:,} {what} of {there:,}" for what, (needed, there) in lacking.items())
        raise FitError(f"{name}: an engine for each of {len(layers)} layers takes {said}: take a larger target")
    return found


def choices_of(layer: Layer) -> list[Choice]:
    """The arrays of a layer that no other beats, the slowest first: a few per cent apart."""
    packable = paired_format(layer) is not None
    smallest: dict[int, Folding] = {}
    for folding in foldings(layer.spec, MOST_MULTIPLIERS, packable=packable):
        interval = max(folding.compute_cycles, folding.input_words)
        other = smallest.get(interval)
        if other is None or _size(folding) < _size(other):
            smallest[interval] = folding
    chosen: list[Folding] = []
    for interval in sorted(smallest):  # the fastest first: of those nearly as fast only a smaller one counts
        folding = smallest[interval]
        if chosen and _size(folding) >= _size(chosen[-1]):
            continue
        if chosen and interval < STEP * max(chosen[-1].compute_cycles, chosen[-1].input_words):
            chosen[-1] = folding
            continue
        chosen.append(folding)
    return [_choice(layer, folding) for folding in reversed(chosen)]


def _size(folding: Folding) -> int:
    return folding.area + 100 * folding.multipliers


def _choice(layer: Layer, folding: Folding) -> Choice:
    plan = make_plan(layer, multipliers=folding.multipliers, folding=folding)
    operands = plan.config.operands
    return Choice(
        plan=plan,
        interval=plan.cycles.interval,
        area=estimate_area(plan),
        block_rams=sum(each.block_rams() for each in memories(plan)),
        element=lut_multiplier_area(operands.activation_bits, operands.weight_bits) * operands.products,
    )


def _shortest(
    tables: Mapping[str, Sequence[Choice]], times: Sequence[int], budget: Budget, price: int
) -> Balance | None:
    """The shortest of some times whose cheapest arrays fit together."""
    low, high, best = 0, len(times) - 1, None
    while low <= high:
        middle = (low + high) // 2
        chosen = _cheapest(tables, times[middle], price)
        taken = _taken(chosen, budget) if chosen is not None else None
        if chosen is not None and taken is not None and not budget.shortfall(taken):
            best, high = (chosen, taken), middle - 1
        else:
            low = middle + 1
    if best is None:
        return None
    chosen, taken = best
    interval = max(choice.interval for choice in chosen.values())
    return Balance(
        choices=chosen,
        lut_multipliers=_lut_multipliers(chosen, budget),
        interval=interval,
        budget=budget,
        taken=taken,
        binds=_binding(tables, interval, budget, price),
    )


def _cheapest(tables: Mapping[str, Sequence[Choice]], time: int, price: int) -> dict[str, Choice] | None:
    """The cheapest array of each layer that is no slower."""
    chosen = {}
    for name, table in tables.items():
        fast = [choice for choice in table if choice.interval <= time]
        if not fast:
            return None
        chosen[name] = min(fast, key=lambda choice: (choice.price(price), choice.interval))
    return chosen


def _taken(chosen: Mapping[str, Choice], budget: Budget) -> Budget:
    area = sum(choice.area.luts for choice in chosen.values())
    made = _lut_multipliers(chosen, budget)
    area += sum(chosen[name].element.luts * count for name, count in made.items())
    hard = sum(choice.hard for choice in chosen.values()) - sum(made.values())
    return Budget(multipliers=hard, luts=area, block_rams=sum(choice.block_rams for choice in chosen.values()))


def _lut_multipliers(chosen: Mapping[str, Choice], budget: Budget) -> dict[str, int]:
    """How many elements of each array look-up tables make: of the largest arrays first, so that most have none."""
    missing = max(0, sum(choice.hard for choice in chosen.values()) - budget.multipliers)
    made = dict.fromkeys(chosen, 0)
    for name in sorted(chosen, key=lambda each: -chosen[each].plan.multipliers):
        made[name] = min(missing, chosen[name].plan.multipliers)
        missing -= made[name]
    return made


def _binding(tables: Mapping[str, Sequence[Choice]], interval: int, budget: Budget, price: int) -> str:
    """Why nothing is faster."""
    shorter = [choice.interval for table in tables.values() for choice in table if choice.interval < interval]
    if not shorter:
        return "the layers have no faster arrays"
    faster = max(shorter)
    chosen = _cheapest(tables, faster, price)
    if chosen is None:
        slow = [name for name, table in tables.items() if min(each.interval for each in table) > faster]
        return f"{slow[0]} has no faster array"
    lacking = budget.shortfall(_taken(chosen, budget))
    return ", ".join(lacking) or "nothing"


def spare(budget: Budget, taken: Budget) -> dict[str, float]:
    """Which share of each kind is taken."""
    pairs = {
        "multipliers": (taken.multipliers, budget.multipliers),
        "luts": (taken.luts, budget.luts),
        "block_rams": (taken.block_rams, budget.block_rams),
    }
    return {name: used / there if there else float(ceil(used > 0)) for name, (used, there) in pairs.items()}
