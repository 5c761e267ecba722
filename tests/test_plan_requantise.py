"""The search for narrow requantisers, and its proof, against definitions written once more in Python's integers."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from requantise_cases import array_function, random_channels, tflite_channel, tflite_value

from hwconv.errors import UnsupportedError
from hwconv.frontend import load, supported_layers
from hwconv.golden.requantise import requantise_channel
from hwconv.layer import Layer, LayerParameters
from hwconv.plan import requantise
from hwconv.plan.narrow import MULTIPLIER_LIMIT
from hwconv.plan.requantise import Channel, evaluate, plan_channels, plan_requantisers
from hwconv.plan.requantiser_config import pieces
from hwconv.plan.requantiser_model import pack, unpack
from hwconv.plan.staircase import Line, constrain, roundest, slopes, trace, trailing_zeros
from hwconv.spec import ConvSpec

STYLES = ("block", "logic")
EXHAUSTIVE = 1 << 20


def assert_equal_everywhere(plan, channels):
    for entry, channel in zip(plan.entries, channels, strict=True):
        accumulators = np.arange(channel.low, channel.high + 1)
        different = np.flatnonzero(evaluate(plan, entry, accumulators) != channel.definition(accumulators))
        assert not len(different), (channel.zero, accumulators[different[:3]])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("zero_point", [-128, -127, 0, 17, 127])
def test_a_narrow_unit_equals_the_definition_on_every_accumulator(zero_point, style):
    channels = random_channels(4, 15, seed=zero_point + 500, zero_point=zero_point)
    plan = plan_channels(channels, 15, style)
    assert plan.kind == "narrow"
    assert_equal_everywhere(plan, channels)


@pytest.mark.parametrize("style", STYLES)
def test_a_window_changes_no_output(style):
    channels = [tflite_channel(-130_000, 150_000, 7_000 * index - 9_999, 2**-5.1 * (1 + index), 9) for index in (0, 1)]
    plan = plan_channels(channels, 19, style)
    assert plan.window_width
    assert_equal_everywhere(plan, channels)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("exponent", [1, 2, 3, 5])
def test_ties_round_as_defined(exponent, style):
    channel = tflite_channel(-5_000, 5_000, 0, 2.0**-exponent, 3)
    half = 1 << exponent - 1
    # the first of the two roundings goes up at ties, the second one away from zero
    assert channel.definition(np.array([half, -half])).tolist() == [4, 3 if exponent == 1 else 2]
    plan = plan_channels([channel], 14, style)
    assert plan.signed_select == (exponent > 1)
    assert_equal_everywhere(plan, [channel])


@pytest.mark.parametrize("style", STYLES)
def test_tiny_ranges_and_constant_channels_have_entries(style):
    channels = [
        tflite_channel(0, 0, 5, 0.01),
        tflite_channel(-3, -3, 100_000, 0.01),  # always above the clamp
        tflite_channel(7, 8, -7, 0.99),
        tflite_channel(-1, 0, 0, 0.5),
        tflite_channel(-2048, 2047, 0, 0.0),  # a multiplier of zero
        tflite_channel(-2048, 2047, 1 << 20, 1.0),
        tflite_channel(-2048, 2047, -(1 << 20), 1.0),
        tflite_channel(-2048, 2047, 0, 0.9, 4, 6, 6),
    ]
    for chosen in [channels, *([channel] for channel in channels)]:
        plan = plan_channels(chosen, 12, style)
        assert plan.kind == "narrow"
        assert_equal_everywhere(plan, chosen)


def test_scales_above_one_skip_levels():
    channels = [
        tflite_channel(-500, 400, 11, 2.6, 1),
        tflite_channel(-90, 100, -3, 40.5),
        tflite_channel(-9, 9, 0, 900.0),
    ]
    assert_equal_everywhere(plan_channels(channels, 11), channels)


def test_a_huge_spread_of_scales_takes_the_exact_unit():
    near = [
        tflite_channel(-8_000_000, 8_000_000, 0, 2**-15.7, 3),
        tflite_channel(-8_000_000, 8_000_000, 0, 2**-13.1, 3),
    ]
    assert plan_channels(near, 24).kind == "narrow"
    far = [near[0], tflite_channel(-8_000_000, 8_000_000, 1234, 0.9, -7)]
    plan = plan_channels(far, 24)
    assert plan.kind == "wide"
    generator = random.Random(9)
    for entry, channel in zip(plan.entries, far, strict=True):
        some = [generator.randint(-8_000_000, 8_000_000) for _ in range(3000)] + list(range(-2000, 2000))
        accumulators = np.array([*some, -8_000_000, 8_000_000])
        assert np.array_equal(evaluate(plan, entry, accumulators), channel.definition(accumulators))


def test_without_a_narrow_unit_other_modes_are_refused_by_name():
    far = [
        replace(tflite_channel(-8_000_000, 8_000_000, 0, scale, 3), exact=None, name=f"conv, channel {index}")
        for index, scale in enumerate((2**-15.7, 0.9))
    ]
    with pytest.raises(UnsupportedError, match="conv, channel 0: requantisation"):
        plan_channels(far, 24)


def test_a_layer_of_rectified_outputs_needs_one_offset_only():
    plan = plan_channels(random_channels(6, 18, seed=4, zero_point=-128), 18)
    assert not plan.signed_select
    assert not {"negative", "threshold"} & {name for name, _ in plan.fields}
    assert plan_channels(random_channels(6, 18, seed=4, zero_point=0), 18).signed_select


def test_the_smallest_shift_and_all_its_multipliers_are_found():
    for seed in range(12):
        channel = random_channels(1, 7, seed=seed, zero_point=-128)[0]
        stair = trace(channel.definition, channel.low, channel.high, channel.out_min, channel.out_max)
        fit = slopes(constrain(stair, stair.low, stair.high))
        shift = fit.shift(30)
        accumulators = np.arange(channel.low, channel.high + 1)
        wanted = channel.definition(accumulators)
        found = [
            [m for m in range(20 << size) if some_offset(m, size, accumulators, wanted)] for size in range(shift + 1)
        ]
        low, high = fit.multipliers(shift)
        assert found == [[]] * shift + [list(range(low, high + 1))]


def some_offset(multiplier, shift, accumulators, wanted):
    """Whether an offset is right for every accumulator."""
    least = (wanted << shift) - multiplier * accumulators
    most = least + (1 << shift) - 1
    return max(least[wanted > -128], default=-np.inf) <= min(most[wanted < 127], default=np.inf)


def test_slopes_are_the_exact_bounds():
    staircase = trace(lambda a: (3 * a + 1) // 7, -40, 50, -100, 100)
    fit = slopes(constrain(staircase, -40, 50))
    assert fit.above < Fraction(3, 7) < fit.below
    for bound, outside in ((fit.above, -1), (fit.below, 1)):
        for nudge, expected in ((-outside, True), (0, False), (outside, False)):
            slope = bound + Fraction(nudge, 10**9)
            lows = [Fraction(level) - slope * x for x, level in lower_points(staircase)]
            highs = [Fraction(level) - slope * x for x, level in upper_points(staircase)]
            assert (max(lows) < min(highs)) == expected


def lower_points(staircase):
    return [(a, staircase.level(a)) for a in range(staircase.low, staircase.high + 1)]


def upper_points(staircase):
    return [(a, staircase.level(a) + 1) for a in range(staircase.low, staircase.high + 1)]


@pytest.mark.parametrize("slope", [3 / 7, 0.1, 40.0, 0.0, -1.0])
def test_a_line_far_from_the_definition_leaves_the_trace_as_it_is(slope):
    for low, high in ((-300, 310), (-2, 1)):
        line = Line(slope, 13, -5)
        found = trace(lambda a: np.clip((3 * a + 1) // 7, -100, 100), low, high, -100, 100, line)
        steps = [a for a in range(low + 1, high + 1) if clipped(a) > clipped(a - 1)]
        assert (found.points.tolist(), found.levels.tolist()) == (steps, [clipped(a) for a in [low, *steps]])


def clipped(accumulator):
    return min(max((3 * accumulator + 1) // 7, -100), 100)


def test_a_trace_finds_every_step():
    for seed in range(5):
        channel = random_channels(1, 11, seed=seed, zero_point=-3)[0]
        stair = trace(channel.definition, channel.low, channel.high, -128, 127)
        accumulators = np.arange(channel.low, channel.high + 1)
        outputs = channel.definition(accumulators)
        assert stair.points.tolist() == accumulators[1:][np.diff(outputs) > 0].tolist()
        assert [stair.level(int(a)) for a in accumulators] == outputs.tolist()


def test_the_roundest_numbers_of_ranges_are_found():
    generator = random.Random(2)
    for _ in range(300):
        ranges = [(low := generator.randint(-300, 300), low + generator.randint(0, 90)) for _ in range(3)]
        zeros, chosen = roundest(ranges, 12)
        assert all(
            low <= value <= high and value % (1 << zeros) == 0
            for (low, high), value in zip(ranges, chosen, strict=True)
        )
        above = 1 << zeros + 1
        assert zeros == 12 or not all(any(n % above == 0 for n in range(low, high + 1)) for low, high in ranges)
        low, high = ranges[0]
        best = max(64 if n == 0 else (n & -n).bit_length() - 1 for n in range(low, high + 1))
        assert trailing_zeros(low, high) == best


@pytest.mark.parametrize("field", ["multiplier", "positive", "negative"])
def test_a_wrong_entry_fails_the_proof(field):
    channels = [tflite_channel(-3_000, 3_000, 17, 0.11, 5), tflite_channel(-3_000, 3_000, 17, 0.1, 5)]
    plan = plan_channels(channels, 13)
    stairs = [trace(c.definition, c.low, c.high, c.out_min, c.out_max) for c in channels]
    assert requantise.prove(plan, channels, stairs) == plan.proof
    values = unpack(plan, plan.entries[1])
    values[field] += 1 << 6
    wrong = replace(plan, entries=(plan.entries[0], pack(plan.fields, values)))
    with pytest.raises(RuntimeError, match="differs from its definition"):
        requantise.prove(wrong, channels, stairs)


def test_entries_survive_packing():
    plan = plan_channels(random_channels(5, 18, seed=8, zero_point=3), 18)
    for entry in plan.entries:
        assert pack(plan.fields, unpack(plan, entry)) == entry
        assert 0 <= entry < 1 << plan.entry_width


def test_pieces_counts_eighteen_bit_multipliers():
    assert [pieces(*widths) for widths in ((18, 18), (19, 18), (35, 18), (36, 18), (22, 20), (2, 30))] == [
        1,
        2,
        2,
        3,
        4,
        2,
    ]


def small_layer(mode, *, weights=None, **fields):
    weights = np.arange(-20, 20).reshape(2, 1, 1, 20).astype(np.int8) if weights is None else weights
    constants = {
        "tflite": {"multiplier": np.array([1 << 30, (1 << 31) - 1]), "shift": np.array([-5, -6])},
        "shift": {"shift": np.array([-6, -9])},
        "onnx": {"scale": np.array([0.0123, 0.0071], np.float32)},
        "none": {},
    }[mode]
    if "scale" in fields:
        constants["scale"] = np.array(fields.pop("scale"), np.float32)
    spec = ConvSpec(
        height=1, width=1, in_channels=20, out_channels=2, kernel=(1, 1), requantisation=mode,
        **{"output_dtype": "int32" if mode == "none" else "int8", "input_zero_point": -100, **fields},
    )  # fmt: skip
    return Layer(spec, LayerParameters(weights=weights, bias=np.array([1000, -2000]), **constants))


def replace_mode(layer, mode):
    return Layer(replace(layer.spec, requantisation=mode), layer.parameters)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("mode", ["tflite", "shift", "onnx", "none"])
def test_every_mode_is_planned_and_equals_its_definition_everywhere(mode, style):
    layer = small_layer(mode)
    plan = plan_requantisers(layer, style=style)
    assert plan.kind == ("none" if mode == "none" else "narrow")
    lows, highs = layer.raw_accumulator_range()
    for channel in range(2):
        raw = np.arange(lows[channel], highs[channel] + 1)
        true = raw + layer.parameters.biases[channel] + 100 * int(layer.parameters.weights[channel].sum(dtype=int))
        wanted = requantise_channel(layer.spec, layer.parameters, channel, true)
        assert np.array_equal(evaluate(plan, plan.entries[channel], raw), wanted)
        if mode == "tflite":
            multiplier, shift = (int(v[channel]) for v in (layer.parameters.multiplier, layer.parameters.shift))
            again = array_function(lambda a, m=multiplier, s=shift: min(max(tflite_value(a, m, s), -128), 127))
            assert np.array_equal(wanted, again(true))


def test_a_power_of_two_scale_needs_a_power_of_two_multiplier():
    plan = plan_requantisers(small_layer("shift"))
    assert plan.multiplier_width <= 4
    assert not plan.signed_select


def test_the_worst_accumulators_are_in_the_range():
    weights = np.stack([np.full((1, 1, 20), -128), np.full((1, 1, 20), 127)]).astype(np.int8)
    plan = plan_requantisers(small_layer("tflite", weights=weights))
    assert plan.accumulator_width == 20  # 20 * -128 * -128 = 327,680
    assert plan.proof.channels == 2


def test_layers_share_a_unit():
    layers = [small_layer("tflite"), small_layer("tflite", output_zero_point=7, activation_min=0, activation_max=99)]
    plan = plan_requantisers(layers)
    assert plan.entry_clamp
    assert len(plan.entries) == 4
    raw = np.arange(-3000, 3000)
    for index, layer in enumerate(layers):
        for channel in range(2):
            true = raw + layer.parameters.biases[channel] + 100 * int(layer.parameters.weights[channel].sum(dtype=int))
            wanted = requantise_channel(layer.spec, layer.parameters, channel, true)
            assert np.array_equal(evaluate(plan, plan.entries[2 * index + channel], raw), wanted)


def test_what_no_hardware_computes_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="conv, channel 0: requantisation = 'no exact unit' is not supported"):
        plan_requantisers(small_layer("onnx", output_dtype="int16"))
    with pytest.raises(UnsupportedError, match="int8 in all layers"):
        plan_requantisers([small_layer("tflite"), small_layer("none")])
    with pytest.raises(UnsupportedError, match="int8 in all layers"):
        plan_requantisers([small_layer("tflite"), small_layer("tflite", output_dtype="uint8")])


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (small_layer("tflite", output_dtype="int16"), "wide"),
        (small_layer("shift", output_dtype="int16"), "single"),
        (replace_mode(small_layer("tflite", output_dtype="int16", input_dtype="int16"), "tflite16"), "single"),
        (replace_mode(small_layer("tflite", output_dtype="uint8", input_dtype="int16"), "tflite16"), "narrow"),
        (small_layer("tflite", output_dtype="uint8", output_zero_point=250), "narrow"),
        (small_layer("onnx", output_dtype="uint8", scale=[0.5, 0.25]), "float"),  # a tie at every second sum
    ],
    ids=lambda item: item.spec.requantisation if isinstance(item, Layer) else item,
)
def test_16_bit_outputs_and_ties_to_even_have_exact_units(layer, kind):
    plan = plan_requantisers(layer)
    assert plan.kind == kind
    assert plan.output_width == (16 if layer.spec.output_dtype == "int16" else 8)
    lows, highs = layer.raw_accumulator_range()
    for channel in range(2):
        beta = int(layer.parameters.biases[channel]) + 100 * int(layer.parameters.weights[channel].sum(dtype=int))
        raw = np.concatenate([np.linspace(lows[channel], highs[channel], 20_000), np.arange(-20_000, 20_000) - beta])
        raw = np.unique(np.clip(raw.astype(np.int64), lows[channel], highs[channel]))
        wanted = requantise_channel(layer.spec, layer.parameters, channel, raw + beta)
        assert len(np.unique(wanted)) > 40
        assert np.array_equal(evaluate(plan, plan.entries[channel], raw), wanted)


def test_uint8_inputs_are_planned_for_sums_of_128_less():
    layer = small_layer("onnx", input_dtype="uint8", input_zero_point=100)
    plan = plan_requantisers(layer)
    for channel in range(2):
        weights = int(layer.parameters.weights[channel].sum(dtype=int))
        raw = np.arange(-3000, 3000)  # sum((x - 128) * w); the definition has sum((x - 100) * w) + bias
        wanted = requantise_channel(layer.spec, layer.parameters, channel, raw + 28 * weights + (1000, -2000)[channel])
        assert np.array_equal(evaluate(plan, plan.entries[channel], raw), wanted)


def test_mistaken_arguments_are_refused():
    with pytest.raises(ValueError, match="Expected accumulator_width of at least 16, not 9"):
        plan_requantisers(small_layer("tflite"), 9)
    with pytest.raises(ValueError, match="Expected style 'block' or 'logic', not 'fast'"):
        plan_requantisers(small_layer("tflite"), style="fast")


def check_layer(layer, style, samples, seed):
    plan = plan_requantisers(layer, style=style)
    assert plan.kind == ("none" if layer.spec.requantisation == "none" else "narrow")
    assert plan.proof.channels == layer.spec.out_channels
    if plan.kind == "narrow":
        assert plan.multiplier_width <= MULTIPLIER_LIMIT
    lows, highs = layer.raw_accumulator_range()
    sums = layer.effective_weights.reshape(layer.spec.out_channels, -1).sum(axis=1, dtype=np.int64)
    betas = layer.parameters.biases - layer.spec.input_zero_point * sums
    generator = np.random.default_rng(seed)
    for channel, entry in enumerate(plan.entries):
        low, high = int(lows[channel]), int(highs[channel])
        raw = generator.integers(low, high + 1, samples)
        if channel == layer.spec.out_channels // 2 and high - low < EXHAUSTIVE:
            raw = np.arange(low, high + 1)
        wanted = requantise_channel(layer.spec, layer.parameters, channel, raw + betas[channel])
        assert np.array_equal(evaluate(plan, entry, raw), wanted), (layer.spec.name, channel)


@pytest.mark.material("mlperf_tiny/kws_ref_model.tflite", "mlperf_tiny/pretrainedResnet_quant.tflite")
def test_layers_of_trained_networks_have_narrow_units(material_file, seed):
    for index in supported_layers(material_file):
        check_layer(load(material_file, index).layer, "block", 2_000, seed)


@pytest.mark.material(
    *(f"cmsis_nn/{kind}_s{bits}__*.npz" for kind in ("conv*", "gconv", "dw", "fc") for bits in (4, 8))
)
def test_layers_of_other_peoples_vectors_have_narrow_units(material_file, seed):
    for style in STYLES:
        check_layer(load(material_file).layer, style, 500, seed)


def test_a_channel_of_any_monotone_definition_is_planned():
    def cubic(values):
        return np.clip(np.floor_divide(values * 3 + 5 * (values > 40), 100) + 2, -10, 12)

    channel = Channel(name="c", definition=cubic, low=-1500, high=1200, zero=40, out_min=-10, out_max=12)
    assert_equal_everywhere(plan_channels([channel], 12), [channel])
