"""An FPGA shared among the engines of a network: the best there is, within what it has, or a shortfall by name."""

from itertools import product

import pytest
from checked_graphs import convolution, network_of, residual

from hwconv.errors import FitError, SpecError
from hwconv.graph import Conv, Graph
from hwconv.plan.area import Area
from hwconv.plan.balance import BLOCK_RAM_PRICES, Budget, balance, budget_of, choices_of
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.graph_plan import plan_graph
from hwconv.plan.images import logic_rom_luts
from hwconv.plan.memories import memories
from hwconv.plan.winograd import WinogradPlan
from hwconv.plan.winograd_summary import winograd_memories
from hwconv.targets import load_target


def three_layers():
    first = convolution("first", (8, 8, 4), 8, (3, 3), padding="same")
    second = convolution("second", (8, 8, 8), 8, (3, 3), padding="same", groups=8)
    third = convolution("third", (8, 8, 8), 12)
    return network_of(
        Graph(height=8, width=8, channels=4, zero_point=3, nodes=(
            Conv(input="input", spec=first), Conv(input="first", spec=second), Conv(input="second", spec=third),
        ))
    )  # fmt: skip


def fits(chosen, budget: Budget, price: int) -> bool:
    """From the definition: hard multipliers first, look-up tables for all others, the cheapest elements being these."""
    missing = max(0, sum(each.hard for each in chosen) - budget.multipliers)
    if missing > sum(each.soft for each in chosen):
        return False
    luts, ffs = sum(each.luts(price) for each in chosen), sum(each.area.ffs for each in chosen)
    element = chosen[0].element  # that of all int8 layers
    return (
        luts + missing * element.luts <= budget.luts
        and ffs + missing * element.ffs <= budget.ffs
        and sum(each.blocks(price) for each in chosen) <= budget.block_rams
    )


@pytest.mark.parametrize(
    "budget",
    [
        Budget(multipliers=28, luts=8_000, ffs=10_000, block_rams=20),
        Budget(multipliers=60, luts=7_000, ffs=8_600, block_rams=40),
        Budget(multipliers=14, luts=20_000, ffs=20_000, block_rams=12),
    ],
)
def test_nothing_that_fits_is_faster(budget):
    network = three_layers()
    found = balance("three", network.layers, budget)[0]
    tables = [choices_of(layer) for layer in network.layers.values()]
    assert all(len(table) > 5 for table in tables)
    for price in BLOCK_RAM_PRICES:
        for chosen in product(*tables):
            if max(each.interval for each in chosen) < found.interval:
                # What costs less altogether is preferred; what costs more in one kind may still fit in another.
                cheaper = sum(each.cost(price) for each in chosen) <= sum(
                    each.cost(price) for each in found.choices.values()
                )
                assert not (cheaper and fits(chosen, budget, price))
    assert fits(list(found.choices.values()), budget, found.price)
    assert not budget.shortfall(found.taken)
    assert found.interval == max(each.interval for each in found.choices.values())


def test_what_is_taken_is_what_the_plans_have():
    every = balance("three", three_layers().layers, Budget(multipliers=20, luts=20_000, ffs=20_000, block_rams=40))
    (found,) = (each for each in every if each.price == 0)  # no ROM is made of look-up tables
    plans = [each.plan for each in found.choices.values()]
    made = sum(found.lut_multipliers.values())
    assert found.taken.multipliers == sum(p.multipliers + p.requantiser_multipliers for p in plans) - made == 20
    assert made > 0
    stores = [winograd_memories(plan) if isinstance(plan, WinogradPlan) else memories(plan) for plan in plans]
    assert found.taken.block_rams == sum(memory.block_rams() for known in stores for memory in known)


def test_too_little_of_anything_is_said_by_name_and_number():
    layers = three_layers().layers
    with pytest.raises(FitError, match=r"three: an engine for each of 3 layers takes .*look-up tables of 100"):
        balance("three", layers, Budget(multipliers=156, luts=100, ffs=80_000, block_rams=200))
    with pytest.raises(FitError, match=r"multipliers of 2"):
        balance("three", layers, Budget(multipliers=2, luts=80_000, ffs=80_000, block_rams=200))
    with pytest.raises(FitError, match=r"block RAMs of 0"):
        balance("three", layers, Budget(multipliers=156, luts=80_000, ffs=80_000, block_rams=0))


def test_scarce_block_rams_are_replaced_by_look_up_tables():
    network = three_layers()
    plenty = balance("three", network.layers, Budget(multipliers=60, luts=30_000, ffs=30_000, block_rams=60))[0]
    assert plenty.price == 0
    fewest = sum(min(choice.blocks(0) for choice in choices_of(layer)) for layer in network.layers.values())
    few = Budget(multipliers=60, luts=30_000, ffs=30_000, block_rams=fewest - 1)
    scarce = balance("three", network.layers, few)[0]
    assert scarce.price > 0
    assert scarce.taken.block_rams <= few.block_rams


def test_look_up_tables_of_a_rom():
    assert [logic_rom_luts(8, depth) for depth in (1, 16, 17, 128, 129, 256, 257)] == [8, 8, 16, 64, 80, 136, 0]


def test_a_graph_stays_within_its_target():
    target = load_target("lfe5u-12f-6")
    plan = plan_graph(network_of(residual()), target=target)
    assert plan.balance is not None
    engines = [engine for engine in plan.engines.values() if isinstance(engine, EnginePlan)]
    hard = sum(engine.hard_multipliers for engine in engines) + plan.requantiser_multipliers
    assert hard <= target.multipliers
    assert {
        name: engine.lut_multipliers for name, engine in plan.engines.items() if isinstance(engine, EnginePlan)
    } == (dict(plan.balance.lut_multipliers))
    beside = sum(each.requantiser_multipliers for each in plan.engines.values() if not isinstance(each, EnginePlan))
    assert plan.balance.budget == budget_of(target, [Area(luts=1000, ffs=1400)] * 2, other_hard=beside)
    with pytest.raises(SpecError, match="multipliers"):
        plan_graph(network_of(residual()), target=target, multipliers=9)


def test_the_same_network_gives_the_same_balance():
    budget = Budget(multipliers=28, luts=9_000, ffs=9_000, block_rams=20)
    one, other = (balance("three", three_layers().layers, budget)[0] for _ in range(2))
    assert one.taken == other.taken
    assert [each.plan.folding for each in one.choices.values()] == [
        each.plan.folding for each in other.choices.values()
    ]
