"""What a plan promises: no multiplication too many, cycles in no time, and a folding for every layer."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
from amaranth.sim import Simulator
from engines import plan_of
from random_engines import random_engine, random_layer

from hwconv.errors import SpecError
from hwconv.gateware.sequencer import Sequencer
from hwconv.plan.array import best_folding, foldings
from hwconv.plan.cycles import predict
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.spec import ConvSpec

# Name: height, width, input and output channels, kernel, and what else is not usual.
LAYERS = {
    "dense": (6, 6, 8, 8, (3, 3), dict(padding="same")),
    "stride": (8, 8, 4, 6, (3, 3), dict(padding="same", stride=(2, 2))),
    "dilation": (8, 8, 4, 4, (3, 3), dict(padding="same", dilation=(2, 2))),
    "pointwise": (4, 6, 12, 8, (1, 1), {}),
    "grouped": (4, 6, 12, 8, (3, 3), dict(padding="same", groups=4)),
    "depthwise": (4, 6, 6, 12, (3, 3), dict(padding="same", groups=6)),
    "few_channels": (9, 9, 3, 4, (7, 7), dict(padding="same", stride=(2, 2))),
    "fully_connected": (1, 1, 60, 12, (1, 1), {}),
}


def plans_of(name: str) -> Iterator[EnginePlan]:
    """Some engines of a layer whose lanes divide it: no row and no column is ever idle."""
    height, width, inputs, outputs, kernel, other = LAYERS[name]
    spec = ConvSpec(
        name=name, height=height, width=width, in_channels=inputs, out_channels=outputs, kernel=kernel, **other
    )
    layer = random_layer(np.random.default_rng(1), spec)
    found = {
        (item.depthwise, item.pixels, item.columns): item
        for item in foldings(spec, 24)
        if spec.out_height * spec.out_width % item.pixels == 0 and item.group_outputs == item.tiles * item.columns
    }
    for folding in list(found.values())[:: max(1, len(found) // 4)]:
        yield plan_of(layer, folding)


def active_steps(plan: EnginePlan) -> int:
    """Steps of a frame in which the array multiplies, counted at the sequencer while nothing holds it up."""
    sequencer = Sequencer(plan.config)
    simulator = Simulator(sequencer)
    simulator.add_clock(1e-6)
    counted = 0

    async def bench(context) -> None:
        nonlocal counted
        context.set(sequencer.go, 1)
        begun = 0
        while True:
            _, _, start, active = await context.tick().sample(sequencer.start, sequencer.active)
            # A start is seen a cycle before the first mark of its tile.
            counted += active
            begun += start
            if begun > plan.folding.pixel_tiles:
                return

    simulator.add_testbench(bench)
    simulator.run()
    return counted


@pytest.mark.parametrize("name", LAYERS)
def test_an_engine_multiplies_exactly_as_often_as_its_layer_needs(name):
    plans = list(plans_of(name))
    assert plans
    for plan in plans:
        assert plan.spec.macs % plan.multipliers == 0
        planned = plan.spec.macs // plan.multipliers
        assert plan.folding.compute_cycles >= planned
        assert active_steps(plan) == planned
    arrays = ", ".join(f"{plan.config.pixels}x{plan.config.columns}" for plan in plans)
    print(f"{name}: {plans[0].spec.macs} MACs needed and issued by {arrays}")


def test_the_cycles_of_any_layer_are_predicted_in_milliseconds(seed):
    """The aim is 10 ms; the bound is lax, since other work may share the machine."""
    large = ConvSpec(
        height=224, width=224, in_channels=3, out_channels=32, kernel=(3, 3), stride=(2, 2), padding="same"
    )
    wide = ConvSpec(height=100, width=100, in_channels=16, out_channels=32, kernel=(3, 3))
    random = np.random.default_rng(seed)
    plans = [plan_of(random_layer(random, spec), multipliers=64) for spec in (large, wide)]
    plans += [random_engine(random).plan for _ in range(5)]
    slowest = 0.0
    for plan in plans:
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            predict(plan.config)
            times.append(time.perf_counter() - begin)
        slowest = max(slowest, min(times))
    print(f"slowest prediction: {1e3 * slowest:.2f} ms")
    assert slowest < 0.1


@pytest.mark.parametrize("multipliers", [8, 36])
def test_a_layer_of_one_output_channel_gets_the_rows_that_it_was_promised(multipliers):
    spec = ConvSpec(height=16, width=16, in_channels=16, out_channels=1, kernel=(3, 3), padding="same")
    folding = best_folding(spec, multipliers)
    assert folding.multipliers >= min(multipliers, 16)
    assert folding.compute_cycles * folding.multipliers == spec.macs


def test_an_output_beat_that_holds_no_whole_results_is_refused_by_name():
    layer = random_layer(
        np.random.default_rng(0), ConvSpec(name="even", height=4, width=4, in_channels=4, out_channels=4, kernel=(1, 1))
    )
    folding = next(item for item in foldings(layer.spec, 16) if item.requantisers == 2)
    with pytest.raises(SpecError, match=r"even: expected output_beat_bytes to be a multiple of 2, .*, not 3"):
        make_plan(layer, folding=folding, output_beat_bytes=3)
