"""The arrays among which a solver chooses: for each layer, or for layers that share one, and what each takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from ..errors import UnsupportedError
from ..layer import Layer
from ..spec import ConvSpec
from .area import Area, estimate_area, estimate_winograd, lut_multiplier_area
from .array import Folding, foldings
from .cycles import rows_needed
from .engine_plan import EnginePlan, make_plan
from .formats import paired_format
from .images import logic_rom_luts
from .loop_array import LoopArray, LoopCost, loop_arrays
from .memories import memories
from .partition import alternates
from .program import Units, make_program
from .residual import ResidualArray
from .shared_array import SharedArray, array_cost, shared_arrays
from .shared_engine import shared_unit
from .winograd import ALGORITHMS, TileFolding, WinogradPlan, check_winograd, make_winograd_plan, tile_foldings
from .winograd_cycles import band_rows_needed
from .winograd_summary import winograd_memories

MOST_MULTIPLIERS = 512
"""Of one array."""
MOST_WINOGRAD_MULTIPLIERS = 144
"""Likewise, all of them hard."""
MOST_PROGRAM_MULTIPLIERS = 320
"""Likewise of a program: its layers are many, and its arrays few."""
STEP = 1.02
"""Arrays of a layer whose intervals differ by less are one choice."""
MOST_LOOP_MULTIPLIERS = 400
"""Likewise of two engines in turns."""
LOOP_PRICES = (0, 60, 240)
"""Look-up tables that a block RAM of these counts as: with each the best pairs of arrays are choices."""
PROGRAM_STEP = 1.05
"""Likewise of a program."""


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
    """An array for a layer, or for those of a program, and what its engine takes when all its multipliers are hard.

    Members:
        plan: of the engine by itself; its streams may be others in the end. interval: in cycles.
        tail: cycles from a frame's last input to its last output, if it keeps up.
        fill: share of a frame that is there before it begins.
        array: of a program; its requantiser is not yet the one that its layers need.
        area: estimated. block_rams: of its memories but the ROMs. roms: these.
        element: of one multiplier made of look-up tables. soft: multipliers that may be made of them.
    """

    plan: EnginePlan
    interval: int
    tail: int
    fill: float
    area: Area
    block_rams: int
    roms: tuple[Rom, ...]
    element: Area
    soft: int
    array: SharedArray | LoopArray | ResidualArray | None = None

    @cached_property
    def hard(self) -> int:
        """Hard multipliers, if no element is made of look-up tables."""
        return self.plan.multipliers + self.plan.requantiser_multipliers

    def luts(self, price: int) -> int:
        """Look-up tables, where a block RAM is worth so many."""
        return self.area.luts + sum(rom.luts for rom in self.roms if rom.in_luts(price))

    def blocks(self, price: int) -> int:
        """Block RAMs then."""
        return self.block_rams + sum(rom.block_rams for rom in self.roms if not rom.in_luts(price))

    def cost(self, price: int, ff_price: float = 0.0) -> float:
        """All that it takes in look-up tables, a multiplier being worth what replaces it.

        `price`, `ff_price`: look-up tables that a block RAM and a flip-flop count as.
        """
        fabric = self.luts(price) + ff_price * self.area.ffs
        return fabric + (self.element.luts + ff_price * self.element.ffs) * self.hard + price * self.blocks(price)


@lru_cache(maxsize=512)
def choices_of(layer: Layer, classes: tuple[int, ...] = (1 << 30,)) -> list[Choice]:
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
                tail=plan.cycles.tail,
                fill=_fill(plan),
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


@lru_cache(maxsize=64)
def program_choices(name: str, layers: tuple[Layer, ...], known: tuple[Layer, ...]) -> list[Choice]:
    """The arrays of a program: of each kind of activation word those that no other beats.

    Cycles are estimates, which the schedule of each would take long to replace; and the requantiser is that of `known`
    layers, which have these among them: one that serves more of them is no smaller.
    """
    specs = tuple(layer.spec for layer in layers)
    found = []
    costs = LoopCost(specs)
    for cycles, array in _unbeaten_arrays(specs, costs):
        units = _units(known, loops=isinstance(array, LoopArray))
        plan = make_program(layers, name=name, multipliers=array.products, array=array, units=units)
        tail, fill = cycles, 1.0
        if isinstance(array, LoopArray):
            # It begins with the rows that its first pixel tile reads; the second turn waits for the last row.
            tail, fill = cycles - int(costs.turns(array)[0]), _fill(plan.parts[0])
        found.append(replace(choice_of(plan, interval=cycles, tail=tail, fill=fill), array=array))
    return found


def _unbeaten_arrays(specs: tuple[ConvSpec, ...], costs: LoopCost) -> Iterator[tuple[int, SharedArray | LoopArray]]:
    """Arrays of a program with what it takes on them, in cycles, roughly."""
    kinds: dict[tuple[int, ...], list[tuple[int, int, SharedArray | LoopArray]]] = {}
    # Of layers that alternate, a pair of arrays makes more.
    for shared in () if alternates(specs) else shared_arrays(specs, MOST_PROGRAM_MULTIPLIERS):
        cycles, area = array_cost(specs, shared)
        kind = (shared.word_channels, shared.ports)
        kinds.setdefault(kind, []).append((cycles, area + 100 * shared.products, shared))
    for pair in loop_arrays(specs, MOST_LOOP_MULTIPLIERS):
        cycles, area = costs.of(pair)
        block_rams = costs.block_rams(pair)
        for price in LOOP_PRICES:
            size = area + 100 * pair.products + price * block_rams
            kinds.setdefault((price,), []).append((cycles, size, pair))
    yielded = set()
    for alike in kinds.values():
        smallest, fastest = 1 << 62, 0
        for cycles, size, array in sorted(alike, key=lambda each: each[:2]):
            if size < smallest and cycles >= PROGRAM_STEP * fastest:
                smallest, fastest = size, cycles
                if array not in yielded:
                    yielded.add(array)
                    yield cycles, array


@lru_cache(maxsize=64)
def _units(known: tuple[Layer, ...], *, loops: bool) -> Units:
    """The requantiser of all layers, or those of depthwise layers and of the others."""
    if not loops:
        return (shared_unit(known),)
    kinds = [layer.spec.depthwise and layer.spec.channel_multiplier == 1 for layer in known]
    return tuple(
        shared_unit(tuple(layer for layer, kind in zip(known, kinds, strict=True) if kind == lanes))
        for lanes in (True, False)
    )


def _fill(plan: EnginePlan) -> float:
    """The share of a frame that the first pixel tile waits for."""
    if isinstance(plan, WinogradPlan):
        needed = band_rows_needed(plan.config)
    else:
        needed = rows_needed(plan.config, plan.config.passes[0])
    return float(needed[0]) / plan.spec.height


def _choice(layer: Layer, folding: Folding) -> Choice:
    plan = make_plan(layer, multipliers=folding.multipliers, folding=folding)
    return choice_of(plan, interval=plan.cycles.interval, tail=plan.cycles.tail, fill=_fill(plan))


def choice_of(plan: EnginePlan, *, interval: int, tail: int, fill: float) -> Choice:
    """An engine as a choice, with estimates of its area."""
    stores = [each for part in plan.parts for each in memories(part)]
    operands = plan.parts[-1].config.operands
    return Choice(
        plan=plan,
        interval=interval,
        tail=tail,
        fill=fill,
        area=sum((estimate_area(part) for part in plan.parts), start=Area(luts=0, ffs=0)),
        block_rams=sum(each.block_rams() for each in stores if each.kind == "ram"),
        roms=tuple(
            Rom(luts=each.copies * logic_rom_luts(each.width, each.depth), block_rams=each.block_rams())
            for each in stores
            if each.kind == "rom"
        ),
        element=lut_multiplier_area(operands.activation_bits, operands.weight_bits) * operands.products,
        soft=plan.multipliers,
    )
