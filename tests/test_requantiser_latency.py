"""The closed form of a requantiser's latency against the pipelines that its generator builds, for random widths."""

import dataclasses

import numpy as np
import pytest
from random_engines import random_layer

from hwconv.gateware.requantise import Requantiser
from hwconv.plan.narrow import DIGIT_LIMIT, MULTIPLIER_LIMIT, NOT_PROVEN
from hwconv.plan.requantise import plan_requantisers
from hwconv.plan.requantiser_config import HARD_WIDTH, RequantiserPlan
from hwconv.spec import ConvSpec


def random_widths(random: np.random.Generator) -> RequantiserPlan:
    """A narrow unit of legal widths; which numbers stand in its entries does not matter here."""
    accumulator = int(random.integers(16, 33))
    style = "block" if random.random() < 0.8 else "logic"
    digits = int(random.integers(0, DIGIT_LIMIT + 1)) if style == "block" else int(random.integers(1, 9))
    low = 0 if style == "logic" else HARD_WIDTH if digits else int(random.integers(2, 35))
    window = int(random.integers(8, accumulator + 1)) if random.random() < 0.3 else 0
    drop = int(random.integers(0, 8))
    total = max(16, min(63, (window or accumulator) + low + 2 * digits + int(random.integers(-3, 2))))
    selects = bool(random.integers(2))
    fields = {
        "multiplier": low,
        "digits": 2 * digits,
        "positive": total - drop,
        "negative": (total - drop) * selects,
        "base": accumulator * (window > 0),
    }
    return RequantiserPlan(
        kind="narrow",
        style=style,
        accumulator_width=accumulator,
        output_width=8,
        out_min=-128,
        out_max=127,
        fields=tuple((name, width) for name, width in fields.items() if width),
        entries=(0,),
        proof=NOT_PROVEN,
        window_width=window,
        shift=total - 12,
        multiplier_width=low + 2 * digits,
        low_width=low,
        digits=digits,
        sum_width=total,
        offset_drop=drop,
        signed_select=selects,
    )


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # elaborated, but never converted
def test_a_pipeline_is_as_long_as_its_plan_says(seed):
    random = np.random.default_rng(seed)
    for _ in range(500):
        plan = random_widths(random)
        try:
            Requantiser(plan).elaborate(None)  # refuses a pipeline of another length
        except ValueError as error:
            pytest.fail(f"{error}: {dataclasses.replace(plan, proof=NOT_PROVEN)}, segments {plan.sum_segments}")


@pytest.mark.parametrize("seed", [34, 64, 71, 228, 323, 343])
def test_a_multiplier_has_no_more_bits_than_two_pieces_hold(seed):
    """Layers of two modes, among whose multipliers of the smallest shift are some on both sides of the limit."""
    random = np.random.default_rng([9, seed])
    layers = []
    for mode in ("shift", "tflite"):
        channels, zero_point = int(random.integers(1, 9)), int(random.integers(-128, 128))
        spec = ConvSpec(
            height=3, width=3, in_channels=channels, out_channels=6, kernel=(3, 3), requantisation=mode,
            output_zero_point=zero_point,
        )  # fmt: skip
        layers.append(random_layer(random, spec))
    assert plan_requantisers(layers).multiplier_width <= MULTIPLIER_LIMIT
