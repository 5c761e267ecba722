"""Pictures and the gallery: drawn from plans, and what is drawn is what the definition reads."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from small_layer import write_small_layer
from test_transposed_random import random_transposed

from hwconv.cli import main
from hwconv.gallery import VARIANTS, gallery_files, plan_of
from hwconv.plan.picture import draw_plan
from hwconv.plan.reads import tile_reads
from hwconv.spec import ConvSpec

DOCS = Path(__file__).parents[1] / "docs"


def needed(spec: ConvSpec, output: tuple[int, int]) -> set[tuple[int, int]]:
    """Input pixels of an output pixel, inside the frame or not, from the definition."""
    (oy, ox), (sh, sw), (dh, dw) = output, spec.stride, spec.dilation
    top, left = spec.padding.top, spec.padding.left
    found = set()
    for ky, kx in np.ndindex(*spec.kernel):
        if not spec.transposed:
            found.add((oy * sh + ky * dh - top, ox * sw + kx * dw - left))
            continue
        y, x = oy + top - ky * dh, ox + left - kx * dw
        if y % sh == 0 and x % sw == 0:
            found.add((y // sh, x // sw))
    return found


def check_reads(plan) -> None:
    item, spec = plan.config.passes[0], plan.spec
    seen = set()
    for strip in range(item.strips):
        for tile in range(item.strip_tiles(plan.config.pixels)):
            for phase in range(item.column_phases):
                for each in tile_reads(plan, strip, tile, phase):
                    assert set(each.taps) == needed(spec, each.output)
                    assert len(set(each.taps)) == len(each.taps)
                    assert each.output not in seen
                    seen.add(each.output)
    assert seen == set(np.ndindex(spec.out_height, spec.out_width))


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.spec.name)
def test_a_variant_reads_what_its_definition_says(variant):
    check_reads(plan_of(variant))


@pytest.mark.parametrize("number", range(20))
def test_a_random_transposed_plan_reads_what_its_definition_says(seed, number):
    check_reads(random_transposed(seed, number)[0].plan)


def test_the_gallery_is_what_the_code_draws():
    files = gallery_files()
    for name, content in files.items():
        assert (DOCS / name).read_text() == content, f"docs/{name} is older than the code: make gallery"
    assert {f"gallery/{path.name}" for path in (DOCS / "gallery").iterdir()} == {*files} - {
        "gallery.md",
        "attributes.md",
    }


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.spec.name)
def test_a_picture_is_well_formed_and_numbers_the_taps_of_the_first_pixel(variant):
    plan = plan_of(variant)
    picture = ElementTree.fromstring(draw_plan(plan, strip=0, tile=0))
    texts = [element.text for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    taps = len(tile_reads(plan, 0, 0)[0].taps)
    rows = len(tile_reads(plan, 0, 0))
    numbers = [int(text) for text in texts if re.fullmatch(r"\d+", text or "")]
    assert sorted(numbers) == sorted([*range(taps), *(each.row for each in tile_reads(plan, 0, 0))])
    assert f"array, {plan.config.pixels} x {plan.config.columns}" in " ".join(map(str, texts))
    assert rows <= plan.config.pixels


def test_plan_draws_a_picture_or_says_why_not(tmp_path, capsys):
    path = write_small_layer(tmp_path / "layer.npz")
    for name, code in (("a.svg", 0), ("none/a.svg", 1)):
        with pytest.raises(SystemExit) as left:
            main(["plan", str(path), "--picture", str(tmp_path / name)])
        assert (left.value.code or 0) == code
    assert ElementTree.fromstring((tmp_path / "a.svg").read_text()).tag.endswith("svg")
    assert "cannot be written" in capsys.readouterr().err
