"""What people and programs read of a plan: nothing is lost without a reason, and the sum is exact."""

import itertools
import json
import re

import numpy as np
import pytest
from rich.console import Console

from hwconv.layer import Layer, LayerParameters
from hwconv.plan import EnginePlan, make_plan
from hwconv.plan.array_drawing import draw_array
from hwconv.plan.explain import explain
from hwconv.plan.losses import account
from hwconv.spec import ConvSpec
from hwconv.targets import load_target


def make_layer(**fields: object) -> Layer:
    """A layer with zero weights: none of the figures here depends on them, but for widths."""
    spec = ConvSpec(**{"requantisation": "none", "output_dtype": "int32", **fields})
    return Layer(spec, LayerParameters(weights=np.zeros(spec.weight_shape, np.int8)))


def rendered(plan: EnginePlan, width: int = 120, **options: object) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(explain(plan, **options), markup=False, highlight=False)
    return capture.get()


def random_plan(random: np.random.Generator) -> EnginePlan:
    groups = int(random.choice([1, 1, 2, 3]))
    channels = groups * int(random.choice([1, 2, 3, 4, 5, 16, 17]))
    if random.random() < 0.3:
        groups = channels
    kernel = tuple(int(each) for each in random.integers(1, 5, 2))
    transposed = bool(random.random() < 0.3)
    layer = make_layer(
        height=int(random.integers(1, 20)) + kernel[0] - 1,
        width=int(random.integers(1, 20)) + kernel[1] - 1,
        in_channels=channels,
        out_channels=groups * int(random.integers(1, 9)),
        kernel=kernel,
        stride=tuple(int(each) for each in random.integers(1, 4, 2)),
        padding=str(random.choice(["same", "valid"])),
        groups=groups,
        transposed=transposed,
        output_padding=tuple(int(each) for each in random.integers(0, 3, 2)) if transposed else (0, 0),
    )
    return make_plan(layer, multipliers=int(random.choice([1, 2, 7, 16, 30, 64, 144])))


def test_every_multiplier_cycle_is_accounted_for_exactly(seed: int) -> None:
    random = np.random.default_rng(seed)
    seen: set[str] = set()
    for _ in range(400):
        plan = random_plan(random)
        losses = account(plan)
        assert plan.spec.macs + sum(loss.amount for loss in losses) == plan.cycles.interval * plan.asked, plan.spec
        assert all(loss.amount >= 0 for loss in losses), plan.spec
        assert all(bool(loss.reason) == bool(loss.amount) for loss in losses)
        seen |= {loss.name for loss in losses if loss.amount}
    assert seen == {loss.name for loss in losses}, "the random layers lose nothing for some reason"


def test_each_loss_is_what_a_count_over_the_loop_nest_gives(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(40):
        plan = random_plan(random)
        config, item = plan.config, plan.config.passes[0]
        per_group = plan.spec.out_channels // item.groups
        counted = dict.fromkeys(("macs", "no_taps", "lane_loading", "idle_steps", "idle_rows", "idle_columns"), 0)
        for strip, first in itertools.product(range(item.strips), range(0, item.strip_pixels, config.pixels)):
            for place, phase in enumerate(item.phases[strip % item.row_phases]):
                # The last pixel of a row may lack its last columns.
                pixels = range(first, min(first + config.pixels, item.strip_pixels))
                live_rows = sum(
                    item.column_phases == 1 or pixel * item.column_phases + place < plan.spec.out_width
                    for pixel in pixels
                )
                # Kernel and channel blocks repeat the same steps.
                repeats = phase.rows * phase.columns * phase.blocks
                for _group, tile in itertools.product(range(item.groups), range(item.tiles)):
                    live_columns = min(config.columns, per_group - tile * config.columns)
                    active = repeats * item.active_steps if phase.live else 0
                    counted["macs"] += active * live_rows * live_columns
                    counted["idle_rows"] += active * (config.pixels - live_rows) * config.columns
                    counted["idle_columns"] += active * live_rows * (config.columns - live_columns)
                    counted["lane_loading" if phase.live else "no_taps"] += (
                        repeats * item.block_steps - active
                    ) * plan.multipliers
                    counted["idle_steps"] += phase.idle_steps * plan.multipliers
        assert counted.pop("macs") == plan.spec.macs
        assert counted.items() <= {loss.name: loss.amount for loss in account(plan)}.items()


def test_the_summary_is_json_and_agrees_with_the_plan() -> None:
    layer = make_layer(height=9, width=8, in_channels=3, out_channels=5, kernel=(3, 3), dilation=(2, 1), padding="same")
    plan = make_plan(layer, multipliers=20)
    summary = json.loads(json.dumps(plan.summary()))
    assert summary["macs"] == 9 * 8 * 5 * 9 * 3
    assert summary["latency"] == plan.cycles.latency
    assert summary["interval"] == plan.cycles.interval
    assert summary["macs"] + sum(summary["losses"].values()) == summary["interval"] * summary["multipliers_asked"]
    assert summary["receptive_field"]["rows"] == 5
    assert summary["receptive_field"]["columns"] == 3
    turns = 1
    for loop in summary["loops"]:
        turns *= loop["count"] if loop["on"] == "time" else 1
    fold_idle = summary["array"]["idle_steps"] * plan.folding.pixel_tiles * plan.folding.folds
    assert turns + fold_idle == summary["cycles"]["compute"]
    assert summary["streams"]["input"]["frame_bytes"] == 9 * 8 * 3
    assert summary["streams"]["output"]["frame_bytes"] == 9 * 8 * 5 * 4
    assert summary["ecp5_block_rams"] == sum(each["ecp5_block_rams"] for each in summary["memories"])


def test_the_memories_are_those_of_the_roms() -> None:
    layer = make_layer(height=6, width=6, in_channels=8, out_channels=40, kernel=(3, 3))
    plan = make_plan(layer, multipliers=40)
    memories = {each["name"]: each for each in plan.summary()["memories"]}
    roms = [rom for rom in plan.roms if "weights" in rom.name]
    assert memories["weights"]["copies"] == len(roms)
    assert memories["weights"]["bits"] == sum(rom.width * rom.depth for rom in roms)
    assert memories["weights"]["bits"] >= 8 * 40 * 9 * 8
    assert memories["activations"]["bits"] == plan.config.ports * plan.config.ring_rows * 6 * 8 * 8


@pytest.mark.parametrize("width", [80, 120])
def test_the_text_says_what_was_decided(width: int) -> None:
    layer = make_layer(name="edge", height=10, width=11, in_channels=16, out_channels=12, kernel=(3, 2), padding="same")
    plan = make_plan(layer, multipliers=50)
    text = rendered(plan, width, target=load_target("lfe5u-25f-6"), clock_mhz=50.0)
    for word in (
        "edge",
        "pixel tile",
        "kernel row",
        "reads 3 x 2 input pixels",
        "latency",
        "interval",
        "at 50 MHz",
        "lfe5u-25f-6",
    ):
        assert word in text
    assert f"{plan.cycles.latency:,} cycles" in text
    assert f"{plan.cycles.interval:,} cycles" in text
    assert f"{plan.spec.macs:,}" in text
    assert "of 28 multipliers" in text
    assert "  1 rows" not in text
    assert all(len(line) <= width for line in text.splitlines())


def test_shares_in_the_text_add_up() -> None:
    layer = make_layer(height=7, width=7, in_channels=5, out_channels=7, kernel=(3, 3))
    text = rendered(make_plan(layer, multipliers=64))
    section = text[text.index("Where the multipliers") :]
    shares = [float(each) for each in re.findall(r"([\d.]+)%", section)]
    assert shares[-1] == 100.0
    assert sum(shares[:-1]) == pytest.approx(100.0, abs=0.05)
    amounts = [int(each.replace(",", "")) for each in re.findall(r" ([\d,]+) +[\d.]+%", section)]
    assert sum(amounts[:-1]) == amounts[-1]


@pytest.mark.parametrize(
    ("fields", "multipliers", "words"),
    [
        ({"in_channels": 16, "out_channels": 16}, 144, ["lane 8", "pixel 8", "16 weights", "rows x 12 pixels", "…"]),
        ({"in_channels": 16, "out_channels": 16, "groups": 16}, 16, ["port 0 ─", "pixel 0", "16 bytes wide"]),
        ({"in_channels": 1, "out_channels": 1}, 1, ["1 weight a cycle from 1 ROM", "1 byte wide", "1 requantiser"]),
    ],
)
def test_the_drawing_shows_rows_columns_and_ports(fields: dict[str, int], multipliers: int, words: list[str]) -> None:
    layer = make_layer(height=12, width=12, kernel=(3, 3), padding="same", **fields)
    lines = draw_array(make_plan(layer, multipliers=multipliers))
    text = "\n".join(lines)
    for word in words:
        assert word in text
    assert len({line.index("│", 1) for line in lines if line.startswith("│") and "├" not in line} or {0}) == 1
    assert max(len(line) for line in lines) <= 100
