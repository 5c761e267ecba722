"""Engines whose weights are loaded: what is in an image, what it may hold, and what the engine does with it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from engines import engine_design, random_frames
from loadable_checks import (
    check_damaged_images,
    check_frames_wait,
    check_hostile_layers,
    check_resets,
    check_trials,
    check_two_layers,
)
from loadable_engines import KINDS, engine_of, hostile_layers, layer_of, spec_of
from small_layer import write_small_layer

from hwconv import api, golden
from hwconv.cli import main
from hwconv.emit.package import engine_files
from hwconv.errors import FormatError, SpecError, UnsupportedError
from hwconv.frontend import save_layer
from hwconv.golden.requantise import requantise_channel
from hwconv.layer import Layer, LayerParameters
from hwconv.load_trials import load_trials
from hwconv.packing import bytes_to_words
from hwconv.plan.array import foldings
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.loadable import engine_for, fill, loadable_requantiser, type_accumulator
from hwconv.plan.requantiser_model import evaluate
from hwconv.plan.weight_image import image_bytes, image_layout
from hwconv.simulation import Load, Stalls, build, explain, run
from hwconv.spec import ConvSpec


def unpacked(plan):
    """The words of an image by section, read with nothing but the layout."""
    layout, content, start = image_layout(plan.config), image_bytes(plan), 0
    found = {}
    for section in layout.sections:
        size = section.beats * layout.beat_bytes
        words = bytes_to_words(content[start : start + size], section.word_beats * layout.beat_bytes)
        found[section.name] = words
        start += size
    assert start == len(content) == layout.bytes
    return found


# ------------------------------------------------------------------------------------------------------- the image
@pytest.mark.parametrize("kind", KINDS)
def test_an_image_holds_the_words_of_the_roms_of_an_engine_with_these_weights(kind):
    plan = engine_of(kind)
    fixed = make_plan(plan.layer, multipliers=plan.asked, folding=plan.folding)
    words = unpacked(plan)
    roms = {rom.name.removeprefix(f"{fixed.config.name}_"): list(rom.words) for rom in fixed.roms}
    weights = [name for name in roms if name.startswith("weights")]
    assert weights == [name for name in words if name.startswith("weights")]
    assert all(words[name] == roms[name] for name in weights)
    tables = {
        rom.name.removeprefix(f"{plan.config.name}_"): list(rom.words) for rom in plan.roms if "table" in rom.name
    }
    assert {name: entries for name, entries in words.items() if name.startswith("table")} == tables


def test_the_bytes_of_an_image_are_those_that_the_documentation_shows():
    # A 1x1 layer of two inputs and two outputs on two columns: one cluster, one requantiser.
    spec = ConvSpec(
        name="tiny", height=1, width=1, in_channels=2, out_channels=2, kernel=(1, 1), input_zero_point=2,
        output_zero_point=-3,
    )  # fmt: skip
    parameters = LayerParameters(
        weights=np.array([1, -2, 3, -128], np.int8).reshape(2, 1, 1, 2),
        bias=np.array([5, -6]),
        multiplier=np.array([0x40000000, 0x7FFFFFFF]),
        shift=np.array([3, -31]),
    )
    folding = next(item for item in foldings(spec, 2) if (item.columns, item.requantisers) == (2, 1))
    plan = make_plan(Layer(spec, parameters), folding=folding, loadable=True, weight_beat_bytes=2)
    assert (plan.config.pixels, plan.config.columns, plan.config.requantisers) == (1, 2, 1)
    identity = plan.config.loading.identity.to_bytes(4, "little")
    # bias - zero point * sum of weights: 5 - 2 * (-1) = 7 and -6 - 2 * (-125) = 244
    header = identity + bytes.fromhex("0200 fdff 80ff 7f00")
    weights = bytes.fromhex("0103 fe80")
    tables = bytes.fromhex("07000000 00000040 0300") + bytes.fromhex("f4000000 ffffff7f e003")
    assert image_bytes(plan) == header + weights + tables


@pytest.mark.parametrize("kind", KINDS)
def test_the_verilog_does_not_depend_on_the_layer_and_has_no_roms(kind):
    plan, other = engine_of(kind), engine_for(engine_of(kind), layer_of(kind, 1))
    files = engine_files(plan)
    assert engine_files(other) == files
    assert not [name for name in files if name.endswith(".mem")]
    bare = make_plan(
        spec_of(kind), multipliers=plan.asked, loadable=True, weight_beat_bytes=plan.config.loading.beat_bytes
    )
    assert bare.config == plan.config
    assert image_bytes(other) != image_bytes(plan)


def test_another_shape_beat_or_folding_has_another_identity():
    plan = engine_of("dense")
    found = {plan.config.loading.identity}
    for fields, options in (
        ({"stride": (1, 2)}, {}), ({"kernel": (1, 9)}, {}), ({"height": 6}, {}), ({"weight_dtype": "int4"}, {}),
        ({}, {"weight_beat_bytes": 2}), ({}, {"multipliers": 32}), ({"requantisation": "shift"}, {}),
    ):  # fmt: skip
        found.add(
            make_plan(
                spec_of("dense", **fields), **{"multipliers": 16, **options}, loadable=True
            ).config.loading.identity
        )
    assert len(found) == 8


# ---------------------------------------------------------------------------------------------- what fits, what not
def test_accumulators_hold_the_sums_of_any_weights_of_the_types():
    # 3 * 3 * 8 products from -128 * 127 to 128 * 128
    assert type_accumulator(spec_of("dense")) == (-72 * 128 * 127, 72 * 128 * 128)
    assert engine_of("dense").config.accumulator_width == 22
    # 2 x 2 taps at most in a phase of a 3 x 3 kernel with stride 2
    assert type_accumulator(spec_of("transposed")) == (-16 * 128 * 127, 16 * 128 * 128)
    assert type_accumulator(spec_of("dense", weight_dtype="int4")) == (-72 * 127 * 8, 72 * 128 * 8)


@pytest.mark.parametrize("kind", KINDS)
def test_entries_of_hostile_layers_equal_the_definition_at_the_ends_and_around_zero(kind):
    plan = engine_of(kind)
    for name, layer in hostile_layers(kind).items():
        filled = engine_for(plan, layer).requantiser
        assert filled.proof.channels == len(filled.entries)
        low, high = layer.raw_accumulator_range()
        if layer.spec.transposed:
            continue  # the entries of its phases are proven; the sums of a phase are not those of the layer
        for channel in range(layer.spec.out_channels):
            sums = np.unique(np.concatenate([np.linspace(low[channel], high[channel], 500).astype(np.int64),
                                             np.clip(np.arange(-9, 10), low[channel], high[channel])]))  # fmt: skip
            weights = layer.parameters.weights[channel].astype(np.int64).sum()
            offset = int(layer.parameters.biases[channel]) - layer.spec.input_zero_point * int(weights)
            right = requantise_channel(layer.spec, layer.parameters, channel, sums + offset)
            assert np.array_equal(evaluate(filled, filled.entries[channel], sums), right), name


@pytest.mark.parametrize("shift", [30, 7, 1, 0, -1, -2, -15, -30, -31])
def test_a_shift_is_exact_for_every_accumulator_that_it_may_have(shift):
    spec = spec_of("grouped_shift", out_channels=2, activation_min=-128, activation_max=127)
    largest = ((1 << 31) - 1) >> max(shift, 0)
    bias = np.array([largest - 128, -largest + 128])
    weights = np.zeros(spec.weight_shape, np.int8)
    weights[:, 0, 0, 0] = 0 if shift > 20 else 1
    bias = bias if shift <= 20 else np.array([largest, -largest])
    layer = Layer(replace(spec, input_zero_point=0), LayerParameters(weights=weights, bias=bias, shift=np.int32(shift)))
    filled = fill(loadable_requantiser(spec, 32), layer)
    for channel in range(2):
        sums = np.arange(-128, 128) if shift <= 20 else np.zeros(1, int)
        # floor(acc / 2**n + 1/2) plus the zero point, in Python's integers
        accumulators = [int(value) + int(bias[channel]) for value in sums]
        scaled = [(a << shift) if shift > 0 else (a + (1 << -shift >> 1)) >> -shift for a in accumulators]
        right = [min(max(value + 9, -128), 127) for value in scaled]
        assert evaluate(filled, filled.entries[channel], sums).tolist() == right


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kernel": (1, 3)}, "kernel"), ({"stride": (2, 1)}, "stride"), ({"height": 6}, "height"),
        ({"padding": (1, 1, 1, 0)}, "padding"), ({"requantisation": "shift"}, "requantisation"),
        ({"dilation": (1, 2), "padding": (1, 1, 2, 2)}, "dilation"), ({"input_dtype": "int4"}, "input_dtype"),
        ({"output_dtype": "uint8"}, "output_dtype"),
    ],
)  # fmt: skip
def test_another_shape_attribute_type_or_mode_is_refused_by_its_name(fields, field):
    layer = Layer(
        spec_of("dense", name="stranger", **fields),
        LayerParameters(
            weights=np.ones(spec_of("dense", **fields).weight_shape, np.int8),
            multiplier=np.int32(5),
            shift=np.int32(-5),
        ),
    )
    with pytest.raises(SpecError) as caught:
        engine_for(engine_of("dense"), layer)
    assert caught.value.layer == "stranger"
    assert caught.value.field in (field, "padding")
    assert "in the engine dense" in str(caught.value)


def test_narrower_weights_fit_and_wider_ones_do_not():
    narrow, wide = spec_of("dense", weight_dtype="int4", name="narrow"), spec_of("dense")
    weights = np.full(wide.weight_shape, -8, np.int8)
    parameters = LayerParameters(weights=weights, multiplier=np.int32(5), shift=np.int32(0))
    plan = engine_of("dense")
    assert len(image_bytes(engine_for(plan, Layer(narrow, parameters)))) == len(image_bytes(plan))
    with pytest.raises(SpecError, match="weight_dtype"):
        engine_for(make_plan(narrow, loadable=True), Layer(wide, parameters))


def test_a_channel_that_does_not_fit_its_fields_is_refused_by_channel_and_field():
    unit = engine_of("dense").config.requantiser
    layer = hostile_layers("dense")["left shifts"]
    less = replace(unit, fields=tuple((name, 3 if name == "left" else width) for name, width in unit.fields))
    with pytest.raises(UnsupportedError, match=r"hostile, channel 7: left = 8 .*0 to 7, 3 bits"):
        fill(less, layer)
    with pytest.raises(UnsupportedError, match=r"channel 0: accumulator = -?\d+ .*17 bits"):
        fill(replace(unit, accumulator_width=17), hostile_layers("dense")["all -128"])


def test_shifts_out_of_range_and_modes_without_hardware_are_refused():
    spec = spec_of("dense")
    ones = np.ones(spec.weight_shape, np.int8)
    with pytest.raises(SpecError, match="shift"):
        Layer(spec, LayerParameters(weights=ones, multiplier=np.int32(5), shift=np.int32(-32)))
    with pytest.raises(UnsupportedError, match="onnx"):
        make_plan(spec_of("dense", requantisation="onnx"), loadable=True)
    with pytest.raises(SpecError, match="weights"):
        make_plan(spec)
    with pytest.raises(SpecError, match="loadable"):
        engine_for(make_plan(layer_of("dense")), layer_of("dense", 1))


# ------------------------------------------------------------------------------------------------------- the engine
@pytest.mark.sampled
@pytest.mark.parametrize("kind", KINDS)
def test_two_layers_one_after_the_other_are_exact_and_as_fast_as_predicted(kind):
    check_two_layers(kind, engine_design(engine_of(kind)))


def test_hostile_layers_are_exact_in_one_engine_one_after_the_other():
    check_hostile_layers("dense", engine_design(engine_of("dense")))


def test_images_damaged_in_every_beat_are_told_once_and_the_next_whole_one_is_right():
    check_damaged_images("grouped_shift", engine_design(engine_of("grouped_shift")))


def test_no_frame_is_accepted_before_an_image_and_none_after_a_damaged_one():
    check_frames_wait("grouped_shift", engine_design(engine_of("grouped_shift")))


def test_the_harness_notices_wrong_weights_and_an_error_that_is_not_due():
    plan = engine_of("grouped_shift")
    frames = random_frames(plan.spec, 2, np.random.default_rng(5))
    binary, right = build(engine_design(plan), "icarus"), golden.run(plan.layer, frames)
    other = image_bytes(engine_for(plan, layer_of("grouped_shift", 1)))
    assert run(binary, frames, right, loads=[Load(image=other)]).mismatches
    image = image_bytes(plan)
    wrong = run(binary, frames, right, loads=[Load(image=image[:-3]), Load(image=image)])
    assert "weights_error pulsed 1 times, not 0" in wrong.problem


def test_after_a_reset_in_any_cycle_of_a_load_or_a_frame_the_image_comes_again_and_is_right():
    check_resets("grouped_shift", engine_design(engine_of("grouped_shift")))


def test_damaged_frames_and_all_hard_runs_pass_in_an_engine_that_is_loaded():
    check_trials("depthwise", engine_design(engine_of("depthwise")))


def test_verilator_agrees_with_pauses_and_random_bits_in_every_register():
    plan = engine_of("dense")
    other = engine_for(plan, layer_of("dense", 1))
    frames = random_frames(plan.spec, 6, np.random.default_rng(1))
    outputs = np.concatenate([golden.run(plan.layer, frames[:3]), golden.run(other.layer, frames[3:])])
    binary = build(engine_design(plan), "verilator", random_initial=True)
    loads = [Load(image=image_bytes(plan)), Load(image=image_bytes(other), after=3)]
    for seed in range(1, 4):
        stalls = Stalls(input=90, output=110, weights=120, burst=3, seed=seed) if seed > 1 else None
        result = run(binary, frames, outputs, loads=loads, stalls=stalls, initial_seed=seed)
        assert result.passed, explain(result)


def test_the_trials_load_both_layers_and_damage_images():
    chosen = list(load_trials([bytes(40), bytes(40)], 4, 4, 100, 1))
    assert {layer for trial in chosen for layer in trial.layers} == {0, 1}
    assert sum(not load.whole for trial in chosen for load in trial.loads) >= 6
    assert any(trial.delay for trial in chosen)
    assert any(trial.reset for trial in chosen)


# ------------------------------------------------------------------------------------------------- the command line
def command(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


def test_a_package_is_packed_for_by_the_command_line(tmp_path, capsys):
    first = write_small_layer(tmp_path / "first.npz")
    layer = api.plan(first).layer
    other = Layer(replace(layer.spec, name="second", input_zero_point=-9), layer.parameters)
    save_layer(tmp_path / "second.npz", other)
    package = tmp_path / "package"
    assert command("generate", first, "-o", package, "--multipliers", "8", "--loadable") == 0
    capsys.readouterr()
    assert command("pack", first, "-o", tmp_path / "first.bin", "--engine", package, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    image = (tmp_path / "first.bin").read_bytes()
    assert image == (package / "weights.bin").read_bytes()
    assert report["bytes"] == len(image) == report["beats"] * report["beat_bytes"]
    header = next((package / "include").glob("*.h")).read_text()
    assert f"_WEIGHTS_BYTES {len(image)}\n" in header
    assert f"_WEIGHTS_IDENTITY 0x{int.from_bytes(image[:4], 'little'):08x}u\n" in header
    assert command("pack", tmp_path / "second.npz", "-o", tmp_path / "second.bin", "--engine", package) == 0
    second = (tmp_path / "second.bin").read_bytes()
    assert second[:4] == image[:4]
    assert int.from_bytes(second[4:6], "little", signed=True) == -9
    wrong = Layer(replace(layer.spec, name="wrong", padding=(1, 1, 2, 0)), layer.parameters)
    save_layer(tmp_path / "wrong.npz", wrong)
    assert command("pack", tmp_path / "wrong.npz", "-o", tmp_path / "wrong.bin", "--engine", package) == 1
    assert "wrong: expected padding to be" in capsys.readouterr().err
    assert not (tmp_path / "wrong.bin").exists()


def test_a_package_with_roms_or_none_is_refused(tmp_path):
    first = write_small_layer(tmp_path / "first.npz")
    with pytest.raises(FormatError, match="not found"):
        api.pack(first, tmp_path / "image", engine=tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(FormatError, match="ROMs"):
        api.pack(first, tmp_path / "image", engine=tmp_path)
    (tmp_path / "manifest.json").write_text('{"weights": {"beat_bytes": 1}}')
    with pytest.raises(FormatError, match="not the manifest"):
        api.pack(first, tmp_path / "image", engine=tmp_path)


def test_compare_is_exact_with_loaded_weights(tmp_path):
    result = api.compare(write_small_layer(tmp_path / "x.npz"), simulator="icarus", multipliers=8, loadable=True)
    assert result.exact, result.problem
    assert (result.latency, result.interval) == (result.predicted_latency, result.predicted_interval)
