"""Pictures and the gallery: drawn from plans, and what is drawn is what the definition reads."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from small_layer import write_small_layer
from test_graph_engines import write_example
from test_transposed_random import random_transposed

from hwconv.cli import main
from hwconv.gallery import GRAPHS, TILED, VARIANTS, gallery_files, graph_plan_of, plan_of, tiled_plan_of
from hwconv.plan.graph_picture import draw_graph
from hwconv.plan.picture import draw_plan
from hwconv.plan.reads import tile_reads
from hwconv.plan.svg import CELL, LETTER, OUTSIDE
from hwconv.plan.winograd_picture import draw_winograd
from hwconv.spec import ConvSpec

DOCS = Path(__file__).parents[1] / "docs"
SVG = "{http://www.w3.org/2000/svg}"


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
    texts = [element.text for element in picture.iter(f"{SVG}text")]
    taps = len(tile_reads(plan, 0, 0)[0].taps)
    rows = len(tile_reads(plan, 0, 0))
    numbers = [int(text) for text in texts if re.fullmatch(r"\d+", text or "")]
    assert sorted(numbers) == sorted([*range(taps), *(each.row for each in tile_reads(plan, 0, 0))])
    assert f"array, {plan.config.pixels} x {plan.config.columns}" in " ".join(map(str, texts))
    assert rows <= plan.config.pixels


def places_of_words(picture: ElementTree.Element) -> list[tuple[float, float, float, float, str]]:
    """Left, top, right, bottom of every text, and what it says."""
    found = []
    for element in picture.iter(f"{SVG}text"):
        words, size = element.text or "", float(element.get("font-size", "11"))
        x, y = float(element.get("x", "")), float(element.get("y", ""))
        wide = len(words) * LETTER * size / 11 * 0.95
        left = {"middle": x - wide / 2, "end": x - wide}.get(element.get("text-anchor", ""), x)
        found.append((left, y - 0.8 * size, left + wide, y + 0.2 * size, words))
    return found


def test_no_words_of_a_picture_lie_on_others_or_beyond_its_edge():
    for name, content in gallery_files().items():
        if not name.endswith(".svg"):
            continue
        picture = ElementTree.fromstring(content)
        width, height = float(picture.get("width", "")), float(picture.get("height", ""))
        places = places_of_words(picture)
        for number, (left, top, right, bottom, words) in enumerate(places):
            assert left >= 0, f"{name}: {words}"
            assert top >= 0, f"{name}: {words}"
            assert right <= width, f"{name}: {words}"
            assert bottom <= height, f"{name}: {words}"
            for other in places[:number]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                assert apart, f"{name}: {words!r} lies on {other[4]!r}"


@pytest.mark.parametrize("variant", TILED, ids=lambda variant: variant.spec.name)
def test_a_tile_is_drawn_with_the_pixels_that_its_outputs_need(variant):
    """By the numbered cells of the first and of the last panel: as many each time as the cycle takes, and those that
    the definition reads for the outputs drawn."""
    plan = tiled_plan_of(variant)
    config, spec = plan.config, plan.spec
    picture = ElementTree.fromstring(draw_winograd(plan))
    cells = [
        tuple(float(each.get(key, "")) for key in ("x", "y"))
        for each in picture.iter(f"{SVG}rect")
        if each.get("width") == str(CELL) and each.get("fill") not in ("white", OUTSIDE)
    ]
    panels: list[list[tuple[float, ...]]] = [[]]
    for each in sorted(cells):  # a panel ends where no cell is beside the last
        if panels[-1] and each[0] - panels[-1][-1][0] > 2 * CELL:
            panels.append([])
        panels[-1].append(each)
    positions, outputs = (
        (config.vertical.inputs, config.horizontal.inputs),
        (config.vertical.outputs, config.horizontal.outputs),
    )
    elements = positions[0] * config.slice_columns * min(config.columns, 3)
    sizes = [positions[0] * positions[1]] * 2 + [elements] + [outputs[0] * outputs[1]] * 2
    assert [len(panel) for panel in panels] == sizes
    top, left = config.bands // 2 * outputs[0], config.tiles_across // 2 * outputs[1]
    wanted = set().union(*(needed(spec, (top + y, left + x)) for y, x in np.ndindex(*outputs)))
    origin = 20, 62  # of the first panel, whose frame has no cell outside
    drawn = {(int(y - origin[1]) // CELL, int(x - origin[0]) // CELL) for x, y in panels[0]}
    assert drawn == wanted


@pytest.mark.parametrize("variant", GRAPHS, ids=lambda variant: variant.graph.name)
def test_a_graph_is_drawn_with_all_of_its_engines_streams_and_queues(variant):
    plan = graph_plan_of(variant)
    picture = ElementTree.fromstring(draw_graph(plan))
    words = [element.text for element in picture.iter(f"{SVG}text")]
    for name in plan.graph.tensors:
        assert words.count(name) == 1 + (name == plan.graph.name)
    depths = [str(depth) for depth in plan.depths.values() if depth]
    assert sorted(each for each in words if re.fullmatch(r"\d+", each or "")) == sorted(depths)
    assert sum(1 for each in picture.iter(f"{SVG}rect") if each.get("fill") == OUTSIDE) == len(depths)
    streams = [[*map(float, re.split("[ ,]", each.get("points", "")))] for each in picture.iter(f"{SVG}polyline")]
    inside = sum(len(layers) - 1 for layers in plan.programs)  # from layer to layer of one engine
    assert len(streams) == len(plan.depths) + inside
    ends = {tuple(each[-2:]) for each in streams}
    assert len(ends) == len(streams)
    assert len({tuple(each[:2]) for each in streams}) == sum(
        1 for name in plan.graph.tensors if plan.graph.readers(name)
    )


def test_plan_draws_the_picture_of_what_it_plans(tmp_path, capsys):
    layer = write_small_layer(tmp_path / "layer.npz")
    graph = write_example("factorised", tmp_path)
    for arguments, words in (([layer, "--algorithm", "winograd4"], "B^T d B"), ([graph], "7 x 1 convolution")):
        with pytest.raises(SystemExit) as left:
            main(["plan", *map(str, arguments), "--picture", str(tmp_path / "a.svg")])
        assert not left.value.code
        assert words in (tmp_path / "a.svg").read_text()
    capsys.readouterr()


def test_plan_draws_a_picture_or_says_why_not(tmp_path, capsys):
    path = write_small_layer(tmp_path / "layer.npz")
    for name, code in (("a.svg", 0), ("none/a.svg", 1)):
        with pytest.raises(SystemExit) as left:
            main(["plan", str(path), "--picture", str(tmp_path / name)])
        assert (left.value.code or 0) == code
    assert ElementTree.fromstring((tmp_path / "a.svg").read_text()).tag.endswith("svg")
    assert "cannot be written" in capsys.readouterr().err
