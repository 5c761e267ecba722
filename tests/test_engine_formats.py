"""Number formats beside int8 in generated Verilog: exact, and as fast as predicted.

Vectors of CMSIS-NN, TensorFlow Lite Micro and TensorFlow Lite against their own expected outputs; random layers of
every format on random foldings, with and without pauses, against the golden model. The default run simulates small ones
under Icarus, ``pytest -m slow`` the large ones under Verilator.
"""

import numpy as np
import pytest
from engines import MEASURED_FRAMES, check_exact, describe, engine_design, plan_of, random_frames, repeated
from format_layers import FORMATS, KINDS, FormatEngine, format_engine

from hwconv import golden
from hwconv.errors import SpecError, UnsupportedError
from hwconv.frontend import load_npz
from hwconv.golden.convolution import accumulate_fast
from hwconv.golden.requantise import requantise
from hwconv.layer import INT32, Layer, LayerParameters
from hwconv.plan.array import foldings
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.formats import paired_format
from hwconv.simulation import EarlyLast, LateLast, Simulator, Stalls, build, expected, explain, run, stimulus
from hwconv.spec import ConvSpec, fully_connected_spec

MULTIPLIERS = 16
SMALL = 100_000
"""Multiplications of a layer that Icarus simulates in the default run."""
CASES = [(name, KINDS[number % len(KINDS)]) for number, name in enumerate(FORMATS)]
MORE_CASES = [(name, kind) for name in FORMATS for kind in KINDS]
FORMAT_VECTORS = ("cmsis_nn/*_s16__*.npz", "cmsis_nn/*_s4__*.npz", "seanet/conv_s16__*.npz", "goldens/dw_u8__*.npz")


def outputs_of(layer: Layer, frames: np.ndarray) -> np.ndarray:
    """The golden model; of an int16 layer with a 32-bit bias, a sum beyond 32 bits counts as the nearest of 32."""
    if layer.spec.requantisation == "tflite" and layer.spec.input_dtype == "int16":
        sums = accumulate_fast(layer.spec, layer.parameters.weights, layer.parameters.biases, frames)
        return requantise(layer.spec, layer.parameters, np.clip(sums, *INT32))
    return golden.run(layer, frames)


def check_vector(file, simulator: Simulator, multipliers: int) -> None:
    case = load_npz(file)
    count = max(2 if case.layer.spec.macs > SMALL else MEASURED_FRAMES, len(case.input))
    plan = plan_of(case.layer, multipliers=multipliers)
    # The expected outputs are the vector's own: the golden model has no part in this.
    check_exact(plan, repeated(case.input, count), repeated(case.expected, count), simulator)


@pytest.mark.material("cmsis_nn/*_s16__*.npz", "cmsis_nn/*_s4__*.npz")
def test_an_engine_reproduces_a_small_vector(material_file):
    if load_npz(material_file).layer.spec.macs > SMALL:
        pytest.skip("large: simulated by the slow tests")
    check_vector(material_file, "icarus", MULTIPLIERS)


@pytest.mark.slow
@pytest.mark.material(*FORMAT_VECTORS)
def test_an_engine_reproduces_every_vector_under_verilator(material_file):
    check_vector(material_file, "verilator", 4 * MULTIPLIERS)


@pytest.mark.material(*FORMAT_VECTORS)
def test_no_vector_is_refused_and_its_cycles_are_predicted(material_file):
    layer = load_npz(material_file).layer
    plan = make_plan(layer, multipliers=MULTIPLIERS)
    assert 0 < plan.utilisation <= 1
    assert plan.cycles.latency > plan.cycles.tail
    assert plan.config.accumulator_width <= 48
    assert (plan.config.requantiser.output_width == 16) == (layer.spec.output_dtype == "int16")


def check_random(engine: FormatEngine, stalls: Stalls) -> None:
    plan, layer = engine.plan, engine.plan.layer
    print(describe(plan))
    outputs = outputs_of(layer, engine.frames)
    check_exact(plan, engine.frames, outputs)
    result = run(build(engine_design(plan), "icarus"), engine.frames, outputs, stalls=stalls)
    assert result.passed, f"{stalls}: {explain(result)}"


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_random_layer_of_a_format_is_exact_and_as_fast_as_predicted(seed, name, kind):
    random = np.random.default_rng([seed, list(FORMATS).index(name)])
    check_random(format_engine(random, name, kind), Stalls(input=90, output=110, burst=4, seed=7))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize(("name", "kind"), MORE_CASES)
def test_many_random_layers_of_each_format_are_exact(seed, name, kind, number):
    random = np.random.default_rng([seed, list(FORMATS).index(name), KINDS.index(kind), number])
    check_random(
        format_engine(random, name, kind), Stalls(input=60 + 50 * number, output=80, burst=number, seed=number)
    )


def test_the_random_layers_reach_every_unit_and_every_width(seed):
    kinds, packed, weight_bits = set(), set(), set()
    for index, (name, kind) in enumerate(CASES):
        plan = format_engine(np.random.default_rng([seed, index]), name, kind).plan
        kinds.add(plan.config.requantiser.kind)
        packed.add(plan.config.operands.pair_shift > 0)
        weight_bits.add(plan.config.operands.weight_bits)
    assert kinds >= {"narrow", "wide", "single", "float", "none"}
    assert packed == {False, True}
    assert weight_bits >= {2, 4, 5, 8, 9}


@pytest.mark.parametrize(("kernel", "pixels", "requantisers"), [((3, 4), 1, 1), ((2, 2), 1, 3), ((2, 2), 2, 6)])
def test_neighbouring_channels_of_a_depthwise_layer_share_multipliers(kernel, pixels, requantisers):
    """Channel multiplier 4: columns that take the same lane, wherever the order of the drain puts them."""
    spec = ConvSpec(
        name="pairs_of_lanes", height=5, width=4, in_channels=3, out_channels=12, groups=3, kernel=kernel,
        stride=(1, 2), padding="same", weight_dtype="int4", input_zero_point=-9, requantisation="none",
        output_dtype="int32",
    )  # fmt: skip
    random = np.random.default_rng(requantisers)
    weights = random.choice([-8, 7, 0, -1, 3], spec.weight_shape)
    layer = Layer(spec, LayerParameters(weights=weights, bias=random.integers(-99, 99, 12)))
    folding = next(
        item
        for item in foldings(spec, 12, packable=True)
        if item.depthwise and item.packed and (item.word_channels, item.pixels) == (3, pixels)
    )
    assert folding.requantisers == requantisers
    plan = plan_of(layer, folding)
    assert plan.multipliers * 2 == plan.products == folding.pixels * 12
    frames = random_frames(spec, MEASURED_FRAMES, random)
    frames[0] = -128
    check_exact(plan, frames, golden.run(layer, frames))


def fixed_layer(**fields: object) -> Layer:
    """A 2x3 kernel with pads on a small frame, weights of the whole range, and a scale that fills the output's."""
    spec = ConvSpec(height=4, width=5, in_channels=4, out_channels=6, kernel=(2, 3), padding=(1, 0, 1, 1), **fields)
    random = np.random.default_rng(5)
    low, high = {"uint8": (0, 255), "int4": (-8, 7)}.get(spec.weight_dtype, (-128, 127))
    weights = random.choice([low, high, 0, low + 1, high - 1], spec.weight_shape)
    constants = {
        "tflite": {"multiplier": random.integers(1 << 30, 1 << 31, 6), "shift": np.full(6, -8)},
        "onnx": {"scale": random.uniform(0.001, 0.004, 6).astype(np.float32)},
    }
    return Layer(
        spec, LayerParameters(weights=weights, bias=random.integers(-900, 900, 6), **constants[spec.requantisation])
    )


DAMAGED = {
    "uint8": fixed_layer(
        name="damaged_uint8", input_dtype="uint8", weight_dtype="uint8", output_dtype="uint8", requantisation="onnx",
        input_zero_point=117, weight_zero_point=130, output_zero_point=9,
    ),
    "int16": fixed_layer(
        name="damaged_int16", input_dtype="int16", output_dtype="int16", requantisation="tflite", input_zero_point=-3000
    ),
    "packed": fixed_layer(name="damaged_packed", weight_dtype="int4", requantisation="tflite", input_zero_point=-77),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_frame_that_ends_early_is_completed_with_its_zero_point(name):
    """A damaged frame is what the engine sees: what is missing reads as the zero point, of the stream's own type."""
    layer = DAMAGED[name]
    plan = make_plan(layer, multipliers=8)
    dtype = {"uint8": np.uint8, "int16": np.int16}.get(layer.spec.input_dtype, np.int8)
    ends = np.iinfo(dtype)
    frames = np.random.default_rng(2).integers(ends.min, ends.max + 1, (6, *layer.spec.input_shape)).astype(dtype)
    faults = {1: EarlyLast(beat=3), 3: LateLast(extra=2), 4: EarlyLast(beat=0)}
    feed = stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=layer.spec.input_zero_point)
    target = expected(
        outputs_of(layer, feed.seen), plan.output_beat_bytes, damaged=feed.damaged, comparable=feed.comparable
    )
    assert all(feed.comparable)
    for stalls in (None, Stalls(input=90, output=110, burst=4, seed=7)):
        result = run(build(engine_design(plan), "icarus"), feed, target, stalls=stalls)
        assert result.passed, explain(result)
        assert result.frame_errors == 3


def saturating_plan() -> EnginePlan:
    """600 products of -2**15 and -128 leave 32 bits; with a bias, and a scale under which it would show."""
    spec = fully_connected_spec(
        inputs=600, outputs=2, input_dtype="int16", output_dtype="int16", requantisation="tflite", name="beyond"
    )
    parameters = LayerParameters(
        weights=np.full(spec.weight_shape, -128), bias=[5, -7], multiplier=[1 << 30, (1 << 31) - 1], shift=[-16, -17]
    )
    return make_plan(Layer(spec, parameters), multipliers=4)


def test_sums_beyond_32_bits_count_as_the_nearest_of_32():
    plan = saturating_plan()
    frames = np.full((4, 1, 1, 600), -(1 << 15), np.int16)
    frames[1], frames[2, ..., ::2], frames[3] = 32767, 32767, 0
    with pytest.raises(SpecError, match="accumulator"):
        golden.run(plan.layer, frames)
    # 600 * 2**22 is above 2**31 - 1, half of which is 2**30: by 16 to the right, or twice as much by 17, 2**14.
    outputs = outputs_of(plan.layer, frames)
    assert outputs[0, 0, 0].tolist() == [16384, 16384]
    assert outputs[1, 0, 0].tolist() == [-16384, -16384]
    check_exact(plan, frames, outputs)


def test_activations_in_beats_of_half_a_value_are_refused():
    layer = DAMAGED["int16"]
    with pytest.raises(SpecError, match="input_beat_bytes to be a multiple of 2, the bytes of a value, not 3"):
        make_plan(layer, multipliers=8, input_beat_bytes=3)


def test_a_packed_folding_for_weights_that_do_not_fit_is_refused():
    packed = make_plan(DAMAGED["packed"], multipliers=8).folding
    assert packed.packed
    plain = fixed_layer(name="plain", requantisation="tflite")
    with pytest.raises(UnsupportedError, match="plain: folding = 'packed'"):
        make_plan(plain, multipliers=8, folding=packed)


def test_16_bit_outputs_of_float32_scales_are_refused():
    layer = fixed_layer(name="wide_onnx", output_dtype="int16", requantisation="onnx")
    with pytest.raises(UnsupportedError, match="wide_onnx, channel 0: requantisation"):
        make_plan(layer, multipliers=8)


def test_short_weights_double_the_products_of_a_multiplier():
    fields = {"height": 8, "width": 8, "in_channels": 16, "out_channels": 16, "kernel": (3, 3), "padding": "same"}
    plans = []
    for dtype in ("int8", "int4"):
        spec = ConvSpec(weight_dtype=dtype, requantisation="none", output_dtype="int32", **fields)
        plans.append(make_plan(Layer(spec, LayerParameters(weights=np.full(spec.weight_shape, -8))), multipliers=64))
    alone, packed = plans
    assert (alone.multipliers, alone.products) == (64, 64)
    assert (packed.multipliers, packed.products) == (64, 128)
    assert 2 * packed.cycles.compute == alone.cycles.compute
    assert paired_format(packed.layer) == packed.config.operands
    bits = [sum(rom.width * rom.depth for rom in plan.roms[: plan.config.clusters]) for plan in plans]
    assert bits[1] * 16 == bits[0] * 9  # 9 bits for two weights, where there were 16
