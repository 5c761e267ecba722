"""Targets: their names, their figures, and what is said of a name there is none of."""

import pytest

from hwconv.errors import HwconvError
from hwconv.flow.targets import list_targets, load_target


@pytest.mark.parametrize("name", ["lfe5u-85f-6", "LFE5U-85F-6", "ecp5-85k-6", "ECP5-85K-6", " lfe5u-85f-6 "])
def test_a_target_is_found_by_each_of_its_names(name):
    target = load_target(name)
    assert (target.name, target.part, target.size, target.speed) == ("lfe5u-85f-6", "LFE5U-85F", "85k", 6)


@pytest.mark.parametrize(
    ("name", "luts", "multipliers", "block_rams"),
    [
        ("lfe5u-12f-6", 12_000, 28, 32),
        ("lfe5u-25f-7", 24_288, 28, 56),
        ("lfe5u-45f-8", 43_848, 72, 108),
        ("lfe5u-85f-8", 83_640, 156, 208),
    ],
)
def test_the_figures_are_those_of_the_data_sheet(name, luts, multipliers, block_rams):
    target = load_target(name)
    assert (target.luts, target.ffs) == (luts, luts)
    assert (target.multipliers, target.block_rams) == (multipliers, block_rams)
    assert target.family == "ecp5"


def test_every_part_has_three_speed_grades_and_the_smallest_comes_first():
    names = [target.name for target in list_targets()]
    assert names == [f"lfe5u-{size}f-{speed}" for size in (12, 25, 45, 85) for speed in (6, 7, 8)]
    assert all(load_target(name).name == name for name in names)


@pytest.mark.parametrize("name", ["lfe5u-85f", "lfe5u-85f-5", "ice40-hx8k", "", "../lfe5u-85f-6"])
def test_an_unknown_target_is_one_line_with_the_choices(name):
    with pytest.raises(HwconvError) as caught:
        load_target(name)
    message = str(caught.value)
    assert "\n" not in message
    assert repr(name) in message
    assert "lfe5u-12f-6" in message
    assert "lfe5u-85f-8" in message


def test_a_name_without_end_is_not_repeated_in_full():
    with pytest.raises(HwconvError) as caught:
        load_target("x" * 100_000)
    assert len(str(caught.value)) < 1000
