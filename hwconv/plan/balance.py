"""Shares an FPGA among the engines of a network, one a layer, for the shortest interval or for the shortest latency.

Interval: for a time that no engine may exceed, the cheapest array of each layer that keeps it is independent of all
others: all arrays are enumerated once, and the shortest time whose cheapest arrays fit together is found by halving.
So the result is the best there is, under the estimates of what an engine takes (:mod:`~hwconv.plan.area`).

Latency: a frame is through when the slowest engine is, and after it each engine's last pixel tile. What a cycle of
these is worth in look-up tables is found by halving as well, for some times from the shortest on.

Hard multipliers go to the requantisers first, whose products are wide, then to the arrays; what is left of the arrays'
elements takes look-up tables.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..errors import FitError, UnsupportedError
from ..layer import Layer
from .area import Area, estimate_area, estimate_winograd, lut_multiplier_area
from .array import Folding, foldings
from .engine_plan import EnginePlan, make_plan
from .formats import paired_format
from .images import logic_rom_luts
from .memories import memories
from .winograd import ALGORITHMS, TileFolding, check_winograd, make_winograd_plan, tile_foldings
from .winograd_summary import winograd_memories

if TYPE_CHECKING:
    from ..targets import Target

MOST_MULTIPLIERS = 512
"""Of one array."""
MOST_WINOGRAD_MULTIPLIERS = 144
"""Likewise, all of them hard."""
STEP = 1.02
"""Arrays of a layer whose intervals differ by less are one choice."""
FILL = 0.72
"""Share of a part's look-up tables that a design is given: nextpnr routes more, but more slowly, and slower designs."""
FILL_FFS = 0.78
"""Likewise of flip-flops, of which a slice has as many as look-up tables, but not always for the same signals."""
BLOCK_RAM_PRICES = (0, 30, 60, 120, 240, 480)
"""Look-up tables that a block RAM counts as, where the cheapest arrays take more of them than there are. A ROM that is
cheaper in look-up tables is made of these."""
PIXEL_CLASSES = (1, 2, 4, 8, 1 << 30)
"""Most pixels of the arrays among which the one is chosen with which latency is short."""
STRETCHES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
"""Times that are tried for the shortest latency, in shortest intervals."""
MOST_WORTH, WORTH_STEPS = 64.0, 12
"""Look-up tables that a cycle of latency may be worth, and how often that is halved."""
BESIDE = Area(luts=700, ffs=700)
"""The guard, the queue of marks and the ports of a graph."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a part has, or what a design takes of it."""

    multipliers: int
    luts: int
    ffs: int
    block_rams: int

    def shortfall(self, taken: "Budget") -> dict[str, tuple[int, int]]:
        """What more is taken than there is: name to both."""
        pairs = {
            "multipliers": (taken.multipliers, self.multipliers),
            "look-up tables": (taken.luts, self.luts),
            "flip-flops": (taken.ffs, self.ffs),
            "block RAMs": (taken.block_rams, self.block_rams),
        }
        return {name: pair for name, pair in pairs.items() if pair[0] > pair[1]}


@dataclass(frozen=True, kw_only=True)
class Rom:
    """ROMs of one purpose: what they take of either kind."""

    luts: int
    block_rams: int

    def in_luts(self, price: int) -> bool:
        """Whether look-up tables are cheaper."""
        return 0 < self.luts <= price * self.block_rams


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An array for a layer, and what its engine takes when all its multipliers are hard.

    Members:
        plan: of the engine by itself. interval: in cycles.
        area: estimated. block_rams: of its memories but the ROMs. roms: these.
        element: of one multiplier made of look-up tables. soft: multipliers that may be made of them.
    """

    plan: EnginePlan
    interval: int
    area: Area
    block_rams: int
    roms: tuple[Rom, ...]
    element: Area
    soft: int

    @property
    def hard(self) -> int:
        """Hard multipliers, if no element is made of look-up tables."""
        return self.plan.multipliers + self.plan.requantiser_multipliers

    def luts(self, price: int) -> int:
        """Look-up tables, where a block RAM is worth so many."""
        return self.area.luts + sum(rom.luts for rom in self.roms if rom.in_luts(price))

    def blocks(self, price: int) -> int:
        """Block RAMs then."""
        return self.block_rams + sum(rom.block_rams for rom in self.roms if not rom.in_luts(price))

    def cost(self, price: int) -> int:
        """All that it takes in look-up tables, a multiplier being worth what replaces it."""
        return self.luts(price) + self.element.luts * self.hard + price * self.blocks(price)

    @property
    def tail(self) -> int:
        """Cycles of its last pixel tile, from the last input to the last output."""
        return self.plan.cycles.tail


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What was chosen: see :func:`balance`.

    Members:
        choices: of each layer. lut_multipliers: elements of each array that look-up tables make.
        interval: of the slowest engine. price: of a block RAM in look-up tables.
        budget, taken: what there is, and what is taken of it.
        binds: what there is too little of to be faster, or the layer that has no faster array.
    """

    choices: Mapping[str, Choice]
    lut_multipliers: Mapping[str, int] = field(default_factory=dict)
    interval: int
    price: int
    budget: Budget
    taken: Budget
    binds: str

    def length(self, what: str) -> int:
        """What is to be short: the interval, or what the latency is made of."""
        return self.interval + (sum(choice.tail for choice in self.choices.values()) if what == "latency" else 0)


def budget_of(target: "Target", others: Sequence[Area] = (), other_block_rams: int = 0, other_hard: int = 0) -> Budget:
    """What a part has for the engines of layers, beside what other blocks take."""
    taken = sum((BESIDE, *others), start=Area(luts=0, ffs=0))
    return Budget(
        multipliers=target.multipliers - other_hard,
        luts=int(FILL * target.luts) - taken.luts,
        ffs=int(FILL_FFS * target.ffs) - taken.ffs,
        block_rams=target.block_rams - other_block_rams,
    )


def balance(
    name: str, layers: Mapping[str, Layer], budget: Budget, optimise: Literal["interval", "latency"] = "interval"
) -> Balance:
    """Chooses the arrays of all layers.

    Parameters
    ----------
    name:
        Of the network, for messages.
    layers:
        By name.
    budget:
        What they may take together.
    optimise:
        What is to be short.

    Raises
    ------
    FitError
        The smallest arrays take more than there is: says of what, how much, and how much there is.
    """
    classes = PIXEL_CLASSES if optimise == "latency" else PIXEL_CLASSES[-1:]
    tables = {each: choices_of(layer, classes) for each, layer in layers.items()}
    times = sorted({choice.interval for table in tables.values() for choice in table})
    found: Balance | None = None
    for price in BLOCK_RAM_PRICES:
        best = _shortest(tables, times, budget, price)
        if best is not None and optimise == "latency":
            best = _quickest(tables, best, budget, price)
        if best is not None and (found is None or best.length(optimise) < found.length(optimise)):
            found = best
    if found is None:
        smallest = [_taken(_cheapest(tables, times[-1], price) or {}, budget, price) for price in BLOCK_RAM_PRICES]
        lacking = min((budget.shortfall(taken) for taken in smallest), key=_missing)
        said = ", ".join(f"{needed:,} {what} of {there:,}" for what, (needed, there) in lacking.items())
        raise FitError(f"{name}: an engine for each of {len(layers)} layers takes {said}: take a larger target")
    return found


def _missing(lacking: Mapping[str, tuple[int, int]]) -> float:
    """How much is missing at most, as a share of what there is."""
    return max((needed / max(1, there) for needed, there in lacking.values()), default=0.0)


def choices_of(layer: Layer, classes: Sequence[int] = (1 << 30,)) -> list[Choice]:
    """The arrays of a layer that no other beats, a few per cent apart.

    `classes`: most pixels of each class of arrays; those of few pixels have short tiles. Each class has its own.
    """
    packable = paired_format(layer) is not None
    known = list(foldings(layer.spec, MOST_MULTIPLIERS, packable=packable))
    chosen: dict[Folding, None] = {}
    for most in classes:
        chosen |= dict.fromkeys(_unbeaten([folding for folding in known if folding.pixels <= most]))
    return [_choice(layer, folding) for folding in chosen] + list(_winograd_choices(layer))


def _winograd_choices(layer: Layer) -> Iterator[Choice]:
    """The Winograd engines of a layer, where it has any; their multipliers are wide, and all hard."""
    try:
        check_winograd(layer.spec)
    except UnsupportedError:
        return
    for algorithm in ALGORITHMS:
        fewest: dict[int, TileFolding] = {}
        for folding in tile_foldings(layer.spec, algorithm, MOST_WINOGRAD_MULTIPLIERS):
            other = fewest.get(folding.multipliers)
            if other is None or folding.cost < other.cost:
                fewest[folding.multipliers] = folding
        fastest = 1 << 62
        for count in sorted(fewest):
            folding = fewest[count]
            if STEP * folding.compute_cycles >= fastest:
                continue
            fastest = folding.compute_cycles
            plan = make_winograd_plan(layer, algorithm=algorithm, multipliers=count, folding=folding)
            yield Choice(
                plan=plan,
                interval=plan.cycles.interval,
                area=estimate_winograd(plan),
                block_rams=sum(each.block_rams() for each in winograd_memories(plan)),
                roms=(),
                element=lut_multiplier_area(8, 8),
                soft=0,
            )


def _unbeaten(known: Sequence[Folding]) -> list[Folding]:
    """Those that are the smallest for their interval."""
    smallest: dict[int, Folding] = {}
    for folding in known:
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
    return chosen[::-1]


def _size(folding: Folding) -> int:
    return folding.area + 100 * folding.multipliers


def _choice(layer: Layer, folding: Folding) -> Choice:
    plan = make_plan(layer, multipliers=folding.multipliers, folding=folding)
    operands = plan.config.operands
    return Choice(
        plan=plan,
        interval=plan.cycles.interval,
        area=estimate_area(plan),
        block_rams=sum(each.block_rams() for each in memories(plan) if each.kind == "ram"),
        roms=tuple(
            Rom(luts=each.copies * logic_rom_luts(each.width, each.depth), block_rams=each.block_rams())
            for each in memories(plan)
            if each.kind == "rom"
        ),
        element=lut_multiplier_area(operands.activation_bits, operands.weight_bits) * operands.products,
        soft=plan.multipliers,
    )


def _shortest(
    tables: Mapping[str, Sequence[Choice]], times: Sequence[int], budget: Budget, price: int
) -> Balance | None:
    """The shortest of some times whose cheapest arrays fit together."""
    low, high, best = 0, len(times) - 1, None
    while low <= high:
        middle = (low + high) // 2
        chosen = _cheapest(tables, times[middle], price)
        taken = _taken(chosen, budget, price) if chosen is not None else None
        if chosen is not None and taken is not None and not budget.shortfall(taken):
            best, high = (chosen, taken), middle - 1
        else:
            low = middle + 1
    if best is None:
        return None
    return _balance(tables, *best, budget, price)


def _quickest(tables: Mapping[str, Sequence[Choice]], shortest: Balance, budget: Budget, price: int) -> Balance:
    """The least latency: for some times from the shortest on, as much as fits is paid for short tiles."""
    best = shortest
    for stretch in STRETCHES:
        time, low, high = round(stretch * shortest.interval), 0.0, MOST_WORTH
        for _ in range(WORTH_STEPS):
            worth = (low + high) / 2
            chosen = _cheapest(tables, time, price, worth)
            taken = _taken(chosen, budget, price) if chosen is not None else None
            if chosen is None or taken is None or budget.shortfall(taken):
                high = worth
                continue
            low = worth
            found = _balance(tables, chosen, taken, budget, price)
            if found.length("latency") < best.length("latency"):
                best = found
    return best


def _balance(
    tables: Mapping[str, Sequence[Choice]], chosen: Mapping[str, Choice], taken: Budget, budget: Budget, price: int
) -> Balance:
    interval = max(choice.interval for choice in chosen.values())
    return Balance(
        choices=chosen,
        lut_multipliers=_lut_multipliers(chosen, budget),
        interval=interval,
        price=price,
        budget=budget,
        taken=taken,
        binds=_binding(tables, interval, budget, price),
    )


def _cheapest(
    tables: Mapping[str, Sequence[Choice]], time: int, price: int, worth: float = 0.0
) -> dict[str, Choice] | None:
    """The cheapest array of each layer that is no slower; `worth`: look-up tables for a cycle of its last tile."""
    chosen = {}
    for name, table in tables.items():
        fast = [choice for choice in table if choice.interval <= time]
        if not fast:
            return None
        chosen[name] = min(fast, key=lambda choice: (choice.cost(price) + worth * choice.tail, choice.interval))
    return chosen


def _taken(chosen: Mapping[str, Choice], budget: Budget, price: int) -> Budget:
    made = _lut_multipliers(chosen, budget)
    elements = sum((chosen[name].element * count for name, count in made.items()), start=Area(luts=0, ffs=0))
    return Budget(
        multipliers=sum(choice.hard for choice in chosen.values()) - sum(made.values()),
        luts=sum(choice.luts(price) for choice in chosen.values()) + elements.luts,
        ffs=sum(choice.area.ffs for choice in chosen.values()) + elements.ffs,
        block_rams=sum(choice.blocks(price) for choice in chosen.values()),
    )


def _lut_multipliers(chosen: Mapping[str, Choice], budget: Budget) -> dict[str, int]:
    """How many elements of each array look-up tables make: of the largest arrays first, so that most have none."""
    missing = max(0, sum(choice.hard for choice in chosen.values()) - budget.multipliers)
    made = dict.fromkeys(chosen, 0)
    for name in sorted(chosen, key=lambda each: -chosen[each].soft):
        made[name] = min(missing, chosen[name].soft)
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
    lacking = budget.shortfall(_taken(chosen, budget, price))
    return ", ".join(lacking) or "no kind alone: what is left is worth less than it costs"
