"""Plans for a target: hard multipliers while there are any, look-up tables beyond, and refusals that say what lacks."""

import numpy as np
import pytest
from test_explain import make_layer, rendered

from hwconv import api
from hwconv.errors import FitError
from hwconv.frontend import LayerFile
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.fit import plan_for_target
from hwconv.spec import ConvSpec
from hwconv.targets import load_target

SMALL, LARGE = load_target("lfe5u-12f-6"), load_target("lfe5u-85f-6")


def layer(**fields: object) -> Layer:
    shape = {"height": 16, "width": 16, "in_channels": 16, "out_channels": 16, "kernel": (3, 3), "padding": "same"}
    return make_layer(**{**shape, **fields})


def requantised() -> Layer:
    """One whose requantisers take hard multipliers, too: as many as 20-bit sums and full int32 multipliers ask for."""
    spec = ConvSpec(name="scaled", height=16, width=16, in_channels=16, out_channels=16, kernel=(3, 3), padding="same")
    random = np.random.default_rng(4)
    return Layer(
        spec,
        LayerParameters(
            weights=random.integers(-127, 128, spec.weight_shape).astype(np.int8),
            multiplier=random.integers(1 << 30, 1 << 31, 16).astype(np.int32),
            shift=np.full(16, -9, np.int32),
        ),
    )


def test_hard_multipliers_and_no_others_where_nothing_is_asked_for():
    plan = plan_for_target(layer(), SMALL)
    assert plan.lut_multipliers == 0
    assert plan.multipliers + plan.requantiser_multipliers <= 28


@pytest.mark.parametrize("made", [layer, requantised])
def test_what_the_hard_multipliers_do_not_cover_is_made_of_look_up_tables(made):
    plan = plan_for_target(made(), SMALL, multipliers=32)
    assert plan.multipliers == 32
    assert plan.hard_multipliers + plan.requantiser_multipliers == 28
    assert plan.lut_multipliers == 32 - plan.hard_multipliers
    assert (plan.requantiser_multipliers > 0) == (made is requantised)


def test_nothing_is_made_of_look_up_tables_where_all_multipliers_fit():
    assert plan_for_target(layer(), LARGE, multipliers=144).lut_multipliers == 0


def test_multipliers_of_look_up_tables_come_on_top_of_a_targets_own():
    plan = plan_for_target(layer(), SMALL, lut_multipliers=4)
    assert plan.multipliers == 32
    assert plan.lut_multipliers == 4


def test_none_of_look_up_tables_can_be_asked_for():
    with pytest.raises(
        FitError, match=r"32 multipliers \(32 of the array, 0 of .* do not fit lfe5u-12f-6, which has 28"
    ):
        plan_for_target(layer(), SMALL, multipliers=32, lut_multipliers=0)


def test_too_few_of_look_up_tables_are_refused():
    with pytest.raises(FitError, match=r"29 multipliers \(29 of the array"):
        plan_for_target(layer(), SMALL, multipliers=32, lut_multipliers=3)


@pytest.mark.parametrize(("multipliers", "target"), [(256, SMALL), (1024, LARGE)])
def test_more_than_the_fabric_holds_is_refused_with_both_figures(multipliers, target):
    with pytest.raises(FitError) as caught:
        plan_for_target(layer(out_channels=64), target, multipliers=multipliers)
    message = str(caught.value)
    assert f"of the array's {multipliers} multipliers are made of look-up tables" in message
    assert f"do not fit {target.name}, which has {target.luts:,}" in message
    assert "\n" not in message


def test_the_text_shows_both_kinds_and_what_they_take():
    text = rendered(plan_for_target(layer(), SMALL, multipliers=32), target=SMALL)
    assert "28 of 28 multipliers, 4 more of look-up tables" in text
    assert "of 12,000 look-up tables" in text
    assert "[LUTs]" in text
    assert "hard multiplier: 28" in text
    assert "32 multipliers (4 of look-up tables)" in text


def test_every_command_takes_the_number():
    same = api.plan(LayerFile(layer(), None, None), multipliers=32, lut_multipliers=7)
    assert same.lut_multipliers == 7
    assert api.plan(LayerFile(layer(), None, None), multipliers=32, target=SMALL.name).lut_multipliers == 4
