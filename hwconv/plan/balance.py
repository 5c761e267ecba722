"""Shares an FPGA among the engines of a network, for the shortest interval or for the shortest latency.

Interval: for a time that no engine may exceed, the cheapest array of each layer that keeps it is independent of all
others: all arrays are enumerated once, and the shortest time whose cheapest arrays fit together is found by halving.
So the result is the best there is, under the estimates of what an engine takes (:mod:`~hwconv.plan.area`).

Latency: an engine begins with the rows that its first pixel tile reads, and ends no sooner than its last input and
that tile's own cycles after it. What a cycle of that lag is worth in look-up tables is found by halving as well, for
some times from the shortest on.

Partitions, which layers share an engine, are tried one after the other (:mod:`~hwconv.plan.partition`): a program of
several layers is to the solver one layer with arrays of its own, whose time is its interval and its latency.

Hard multipliers go to the requantisers first, whose products are wide, then to the arrays; what is left of the arrays'
elements takes look-up tables.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FitError
from ..layer import Layer
from ..spec import dtype_bits
from .area import Area
from .block_ram import BLOCK_RAM_BITS
from .choices import Choice, choices_of, program_choices
from .partition import Programs

if TYPE_CHECKING:
    from ..targets import Target

FILL = 0.72
"""Share of a part's look-up tables that a design is given: nextpnr routes more, but more slowly, and slower designs."""
FILL_FFS = 0.78
"""Likewise of flip-flops, of which a slice has as many as look-up tables, but not always for the same signals."""
BLOCK_RAM_PRICES = (0, 30, 60, 120, 240, 480)
"""Look-up tables that a block RAM counts as, where the cheapest arrays take more of them than there are. A ROM that is
cheaper in look-up tables is made of these."""
FF_PRICES = (0.0, 1.0, 3.0)
"""Look-up tables that a flip-flop counts as, where these run out first."""
PIXEL_CLASSES = (1, 2, 4, 8, 1 << 30)
"""Most pixels of the arrays among which the one is chosen with which latency is short."""
STRETCHES = (1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0)
"""Times that are tried for the shortest latency, in shortest intervals."""
QUICKER = (0.2, 0.3, 0.45, 0.6, 0.8)
"""Likewise of engines before a program."""
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

    def __add__(self, other: "Budget") -> "Budget":
        return Budget(
            multipliers=self.multipliers + other.multipliers,
            luts=self.luts + other.luts,
            ffs=self.ffs + other.ffs,
            block_rams=self.block_rams + other.block_rams,
        )

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
class Balance:
    """What was chosen: see :func:`balance`.

    Members:
        choices: of each layer, or program, by its last layer. programs: the layers that share an engine.
        lut_multipliers: elements of each array that look-up tables make.
        interval: of the slowest engine. price: of a block RAM in look-up tables.
        budget, taken: what there is, and what is taken of it.
        binds: what there is too little of to be faster, or the layer that has no faster array.
    """

    choices: Mapping[str, Choice]
    programs: Programs = ()
    lut_multipliers: Mapping[str, int] = field(default_factory=dict)
    interval: int
    price: int
    budget: Budget
    taken: Budget
    binds: str

    def length(self, what: str) -> int:
        """What is to be short: the interval, or the latency, of engines that follow each other."""
        return self.interval if what == "interval" else round(self.latency)

    @property
    def latency(self) -> float:
        """Cycles until a frame is through all engines, one after the other, roughly."""
        return _latency(self.choices.values())


def budget_of(target: "Target", others: Sequence[Area] = (), other_block_rams: int = 0, other_hard: int = 0) -> Budget:
    """What a part has for the engines of layers, beside what other blocks take."""
    taken = sum((BESIDE, *others), start=Area(luts=0, ffs=0))
    return Budget(
        multipliers=target.multipliers - other_hard,
        luts=int(FILL * target.luts) - taken.luts,
        ffs=int(FILL_FFS * target.ffs) - taken.ffs,
        block_rams=target.block_rams - other_block_rams,
    )


def whole_area(balanced: Balance, target: "Target") -> Area:
    """All of a design by estimate, what is beside the engines of layers too."""
    beside = int(FILL * target.luts) - balanced.budget.luts, int(FILL_FFS * target.ffs) - balanced.budget.ffs
    return Area(luts=beside[0] + balanced.taken.luts, ffs=beside[1] + balanced.taken.ffs)


def balance(
    name: str,
    layers: Mapping[str, Layer],
    budget: Budget,
    optimise: Literal["interval", "latency"] = "interval",
    partitions: Iterable[Programs] = ((),),
    spared: Mapping[str, Budget] | None = None,
    residual: Mapping[tuple[str, ...], list[Choice]] | None = None,
) -> list[Balance]:
    """Chooses the arrays of all layers, and which of them share one: the best choices by estimate, the best one first.

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
    partitions:
        Programs to choose among, by default none: an engine a layer.
    spared:
        Nodes that have no engine here unless they are in a program: what the budget gains then.
    residual:
        Of programs with additions, the choices.

    Raises
    ------
    FitError
        The smallest arrays take more than there is: says of what, how much, and how much there is.
    """
    classes = PIXEL_CLASSES if optimise == "latency" else PIXEL_CLASSES[-1:]
    known: dict[tuple[str, ...], list[Choice]] = dict(residual or {})
    found: list[Balance] = []
    lacking: dict[str, tuple[int, int]] = {}
    count = 0
    every = list(partitions)
    for programs in every:
        members = {each: together for together in programs for each in together}
        tables: dict[str, list[Choice]] = {}
        gained = spared or {}
        own = sum((gained[each] for each in members if each in gained), start=budget)
        for each in layers:
            together = members.get(each, (each,))
            if each in gained and each not in members:
                continue
            if each != [name for name in together if name in layers][-1]:
                continue
            if together not in known:
                alone = len(together) == 1
                known[together] = choices_of(layers[each], classes) if alone else _shared(together, layers, every)
            tables[together[-1]] = known[together]
        best, missing = _best(tables, programs, own, optimise)
        found += best
        if not best and (not lacking or _missing(missing) < _missing(lacking)):
            lacking, count = missing, len(tables)
    if not found:
        convolutions = [layer for each, layer in layers.items() if each not in (spared or {})]
        raise FitError(f"{name}: {_too_much(convolutions, count, lacking)}")
    return sorted(found, key=lambda each: each.length(optimise))


def _too_much(layers: Sequence[Layer], engines: int, lacking: Mapping[str, tuple[int, int]]) -> str:
    """What so many engines lack, in words."""
    taken = f"{engines} engines for {len(layers)} layers take"
    if engines == 1:
        taken = "one engine for all layers takes"
    elif engines == len(layers):
        taken = f"an engine for each of {engines} layers takes"
    said = ", ".join(f"{needed:,} {what} of {there:,}" for what, (needed, there) in lacking.items())
    if "block RAMs" not in lacking:
        return f"{taken} {said}"
    bits = sum(each.parameters.weights.size * dtype_bits(each.spec.weight_dtype) for each in layers)
    return f"{taken} {said} (weights alone: {-(-bits // BLOCK_RAM_BITS):,})"


def _shared(together: tuple[str, ...], layers: Mapping[str, Layer], every: Sequence[Programs]) -> list[Choice]:
    """The arrays of a program, with the requantiser of the longest one that has all of its layers."""
    wider = (other for programs in every for other in programs if set(together) <= set(other) <= set(layers))
    longest = max(wider, key=len)
    return program_choices(
        together[-1], tuple(layers[each] for each in together), tuple(layers[each] for each in longest)
    )


class _Arrays:
    """The arrays of all layers and programs as columns of numbers, in which the cheapest of each is found at once.

    An array's lag, from a frame's last input to its last output where the frame comes in some time, is its tail, or
    what is left of its own interval once that time is over.
    """

    def __init__(self, known: Mapping[str, Sequence[Choice]]) -> None:
        self.names = tuple(known)
        self._choices = [choice for choices in known.values() for choice in choices]
        self._layers = np.repeat(np.arange(len(known)), [len(choices) for choices in known.values()])
        self._firsts = self._layers.searchsorted(np.arange(len(known)))
        self._intervals = np.array([each.interval for each in self._choices])
        self._tails = np.array([each.tail for each in self._choices])
        self._covered = np.array([1 - each.fill for each in self._choices])
        self._costs: dict[_Prices, NDArray[np.float64]] = {}

    @property
    def times(self) -> list[int]:
        """The intervals of all arrays, ascending."""
        found: list[int] = np.unique(self._intervals).tolist()
        return found

    def slow(self, time: int) -> list[str]:
        """The layers that have no array that fast."""
        fastest = np.minimum.reduceat(self._intervals, self._firsts)
        return [name for name, interval in zip(self.names, fastest, strict=True) if interval > time]

    def cheapest(
        self, time: int, prices: "_Prices", worth: float = 0.0, slower: Set[str] = frozenset()
    ) -> dict[str, Choice] | None:
        """The cheapest array of each layer that is no slower, of several the fastest; nothing where a layer has none.

        `worth`: look-up tables for a cycle of its lag. `slower`: those that may be slower.
        """
        if prices not in self._costs:
            self._costs[prices] = np.array([each.cost(*prices) for each in self._choices], np.float64)
        lags = np.maximum(self._tails, self._intervals - self._covered * time)
        allowed = np.array([name in slower for name in self.names])[self._layers] | (self._intervals <= time)
        costs = np.where(allowed, self._costs[prices] + worth * lags, np.inf)
        least = np.minimum.reduceat(costs, self._firsts)
        if least.max() == np.inf:
            return None
        intervals = np.where(costs == least[self._layers], self._intervals, np.iinfo(np.int64).max)
        chosen = np.flatnonzero(intervals == np.minimum.reduceat(intervals, self._firsts)[self._layers])
        first = chosen[self._layers[chosen].searchsorted(np.arange(len(self.names)))]
        return {name: self._choices[index] for name, index in zip(self.names, first.tolist(), strict=True)}


class _Prices(NamedTuple):
    """Look-up tables that a block RAM and a flip-flop count as."""

    block_ram: int
    ff: float


def _best(
    known: Mapping[str, Sequence[Choice]],
    programs: Programs,
    budget: Budget,
    optimise: Literal["interval", "latency"],
) -> tuple[list[Balance], dict[str, tuple[int, int]]]:
    """The best arrays of one partition for each price of block RAMs; or what even the smallest lack."""
    if not all(known.values()):
        return [], {"arrays": (1, 0)}
    arrays = _Arrays(known)
    found: list[Balance] = []
    every = [_Prices(block_ram, ff) for block_ram in BLOCK_RAM_PRICES for ff in FF_PRICES]
    for prices in every:
        best = _shortest(arrays, programs, budget, prices)
        if best is not None and optimise == "latency":
            best = _quickest(arrays, best, budget, prices)
        if best is not None and all(best.choices != other.choices for other in found):
            found.append(best)
    if found:
        return found, {}
    smallest = [_taken(arrays.cheapest(arrays.times[-1], prices) or {}, budget, prices.block_ram) for prices in every]
    return [], min((budget.shortfall(taken) for taken in smallest), key=_missing)


def _missing(lacking: Mapping[str, tuple[int, int]]) -> float:
    """How much is missing at most, as a share of what there is."""
    return max((needed / max(1, there) for needed, there in lacking.values()), default=0.0)


def _shortest(arrays: _Arrays, programs: Programs, budget: Budget, prices: _Prices) -> Balance | None:
    """The shortest of some times whose cheapest arrays fit together."""
    times, best = arrays.times, None
    low, high = 0, len(times) - 1
    while low <= high:
        middle = (low + high) // 2
        chosen = arrays.cheapest(times[middle], prices)
        taken = _taken(chosen, budget, prices.block_ram) if chosen is not None else None
        if chosen is not None and taken is not None and not budget.shortfall(taken):
            best, high = (chosen, taken), middle - 1
        else:
            low = middle + 1
    if best is None:
        return None
    return _balance(arrays, *best, programs, budget, prices)


def _quickest(arrays: _Arrays, shortest: Balance, budget: Budget, prices: _Prices) -> Balance:
    """The least latency: for some times from the shortest on, as much as fits is paid for short lags.

    Engines before a program may be faster than it is: for as much as they take, it does nothing.
    """
    best, least = None, shortest.latency
    shared = {names[-1] for names in shortest.programs}
    for stretch in (*QUICKER, *STRETCHES) if shared and len(arrays.names) > len(shared) else STRETCHES:
        time, low, high = round(stretch * shortest.interval), 0.0, MOST_WORTH
        for _ in range(WORTH_STEPS):
            worth = (low + high) / 2
            chosen = arrays.cheapest(time, prices, worth, shared)
            taken = _taken(chosen, budget, prices.block_ram) if chosen is not None else None
            if chosen is None or taken is None or budget.shortfall(taken):
                high = worth
                continue
            low = worth
            latency = _latency(chosen.values())
            if latency < least:
                best, least = (chosen, taken), latency
    return shortest if best is None else _balance(arrays, *best, shortest.programs, budget, prices)


def _balance(
    arrays: _Arrays,
    chosen: Mapping[str, Choice],
    taken: Budget,
    programs: Programs,
    budget: Budget,
    prices: _Prices,
) -> Balance:
    interval = max(choice.interval for choice in chosen.values())
    return Balance(
        choices=chosen,
        programs=programs,
        lut_multipliers=_lut_multipliers(chosen, budget),
        interval=interval,
        price=prices.block_ram,
        budget=budget,
        taken=taken,
        binds=_binding(arrays, interval, budget, prices),
    )


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


def _binding(arrays: _Arrays, interval: int, budget: Budget, prices: _Prices) -> str:
    """Why nothing is faster."""
    shorter = [each for each in arrays.times if each < interval]
    if not shorter:
        return "the layers have no faster arrays"
    faster = max(shorter)
    chosen = arrays.cheapest(faster, prices)
    if chosen is None:
        return f"{arrays.slow(faster)[0]} has no faster array"
    lacking = budget.shortfall(_taken(chosen, budget, prices.block_ram))
    return ", ".join(lacking) or "no kind alone: what is left is worth less than it costs"


def _latency(choices: Iterable[Choice]) -> float:
    """Cycles until a frame is through all engines, one after the other, roughly."""
    first = last = 0.0
    for choice in choices:
        start = first + choice.fill * (last - first)
        first, last = start + min(choice.tail, choice.interval), max(last + choice.tail, start + choice.interval)
        if choice.array is not None:  # its results come with the last of its layers
            first = last - choice.interval / len(choice.plan.layers)
    return last
