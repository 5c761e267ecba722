"""Causal convolutions on pieces of one sequence: what came before is kept from frame to frame."""

import numpy as np
import pytest
from aimed_specs import arithmetic, some_clamp
from engines import check_exact, describe, engine_design
from random_engines import hostile_frames, random_layer, random_plan

from hwconv import golden
from hwconv.errors import HwconvError, SpecError, UnsupportedError
from hwconv.golden.convolution import accumulate, accumulate_fast
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.program import make_program
from hwconv.simulation import Stalls, build, explain, run
from hwconv.spec import ConvSpec, causal1d_spec

DEFAULT_PAIRS = 16
ALL_PAIRS = 120


def raw(spec: ConvSpec, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The accumulators without a bias, after checking that the definition and the fast path agree."""
    bias = np.zeros(spec.out_channels, int)
    slow = accumulate(spec, weights, bias, x)
    np.testing.assert_array_equal(slow, accumulate_fast(spec, weights, bias, x))
    return slow


def test_samples_worked_out_by_hand():
    spec = causal1d_spec(length=2, in_channels=1, out_channels=1, kernel=2, dilation=3, input_zero_point=10)
    weights = np.array([100, 1], np.int8).reshape(1, 2, 1, 1)
    samples = np.array([11, 12, 13, 14, 15, 16], np.int8).reshape(3, 2, 1, 1)
    # less the zero point: 1 2 3 4 5 6; three samples ago: 0 0 0 1 2 3
    assert raw(spec, weights, samples).ravel().tolist() == [1, 2, 3, 104, 205, 306]


@pytest.mark.sampled
@pytest.mark.parametrize(("kernel", "dilation", "stride"), [(2, 1, 1), (3, 4, 1), (2, 7, 1), (3, 1, 2), (4, 2, 2)])
@pytest.mark.parametrize("length", [2, 4, 6, 12])
def test_pieces_give_what_the_whole_sequence_gives(kernel, dilation, stride, length):
    """Against a convolution of the whole sequence that is padded above, which is not a streaming one."""
    random = np.random.default_rng(length)
    common = dict(in_channels=3, out_channels=2, kernel=kernel, dilation=dilation, stride=stride, input_zero_point=-3)
    whole = causal1d_spec(length=24, streaming=False, **common)
    pieces = causal1d_spec(length=length, **common)
    weights = random.integers(-128, 128, whole.weight_shape).astype(np.int8)
    x = random.integers(-128, 128, (1, 24, 1, 3)).astype(np.int8)
    expected = raw(whole, weights, x)
    found = raw(pieces, weights, x.reshape(-1, length, 1, 3))
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"padding": (2, 1, 0, 0)}, "padding"), ({"transposed": True}, "transposed"), ({"streaming": "yes"}, "streaming")],
)
def test_what_no_sequence_has_is_refused(fields, field):
    with pytest.raises(SpecError) as refused:
        ConvSpec(
            **{"height": 4, "width": 1, "in_channels": 1, "out_channels": 1, "kernel": (3, 1), "streaming": True}
            | fields
        )
    assert refused.value.field == field


def test_a_program_refuses_to_keep_rows():
    layers = [
        random_layer(np.random.default_rng(1), causal1d_spec(length=8, in_channels=4, out_channels=4, kernel=2))
        for _ in range(2)
    ]
    with pytest.raises(UnsupportedError, match="streaming"):
        make_program(layers)


def random_streaming_spec(random: np.random.Generator) -> ConvSpec:
    line = random.random() < 0.6
    kernel, stride = [int(random.integers(1, 5)), 1 if line else int(random.integers(1, 4))], [1, 1]
    stride[0] = int(random.choice([1, 1, 2, 3]))
    dilation = [int(random.choice([1, 2, 3, 8])), 1]
    depthwise = random.random() < 0.3
    inputs = int(random.choice([1, 2, 3, 4, 8]))
    outputs = inputs if depthwise else int(random.choice([1, 3, 4, 8]))
    above = (kernel[0] - 1) * dilation[0] if random.random() < 0.7 else int(random.integers(0, 12))
    sides = (0, 0) if line else tuple(int(value) for value in random.integers(0, 3, 2))
    mode = str(random.choice(["tflite", "shift", "none"]))
    return ConvSpec(
        name="streaming", height=int(random.integers(1, 8)), width=1 if line else int(random.integers(1, 6)),
        in_channels=inputs, out_channels=outputs, groups=inputs if depthwise and inputs > 1 else 1, kernel=kernel,
        stride=stride, dilation=dilation, padding=(above, 0, *sides), streaming=True,
        **arithmetic(random, mode, some_clamp(random, mode)),
    )  # fmt: skip


def check_pair(seed: int, number: int) -> None:
    random = np.random.default_rng([seed, number, 0x57])
    while True:
        try:
            plan = random_plan(random, random_layer(random, random_streaming_spec(random)))
        except HwconvError:
            continue
        if plan is not None:
            break
    print(f"case {number}: {describe(plan)}")
    frames = hostile_frames(random, plan.spec, 4 + plan.spec.padding.top // plan.spec.height)
    outputs = golden.run(plan.layer, frames)
    check_exact(plan, frames, outputs)
    stalls = Stalls(input=int(random.integers(0, 200)), output=int(random.integers(1, 200)), burst=3, seed=number + 1)
    result = run(build(engine_design(plan), "icarus"), frames, outputs, stalls=stalls)
    assert result.passed, f"{stalls}: {explain(result)}"


@pytest.mark.sampled
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS))
def test_a_random_streaming_engine_is_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(DEFAULT_PAIRS, ALL_PAIRS))
def test_many_random_streaming_engines_are_exact_and_as_fast_as_predicted(seed, number):
    check_pair(seed, number)


@pytest.mark.parametrize(
    ("height", "kernel", "dilation", "stride", "above"),
    [(2, 1, 1, 1, 3), (4, 2, 1, 1, 3), (2, 4, 1, 1, 6), (4, 3, 3, 3, 9), (3, 2, 2, 1, 11)],
)
def test_a_frame_keeps_all_rows_that_the_next_one_begins_with(height, kernel, dilation, stride, above):
    """More rows above than the kernel reaches: the last tiles of a frame are past rows that the next one needs."""
    spec = ConvSpec(
        height=height, width=5, in_channels=3, out_channels=2, kernel=(kernel, 1), dilation=(dilation, 1),
        stride=(stride, 1), padding=(above, 0, 0, 0), streaming=True, requantisation="none", output_dtype="int32",
    )  # fmt: skip
    random = np.random.default_rng(above)
    layer = Layer(spec, LayerParameters(weights=random.integers(-128, 128, spec.weight_shape).astype(np.int8)))
    frames = random.integers(-128, 128, (6, *spec.input_shape)).astype(np.int8)
    check_exact(make_plan(layer, multipliers=1), frames, golden.run(layer, frames))


@pytest.mark.sampled
@pytest.mark.parametrize("length", [1, 16])
@pytest.mark.parametrize(("kernel", "dilation"), [(2, 1), (2, 64), (2, 512), (3, 1), (3, 256)])
def test_wavenet_shapes_sample_by_sample(kernel, dilation, length):
    """One sample in, one out: the sample of `dilation` samples ago is read from the ring of rows."""
    spec = causal1d_spec(
        length=length, in_channels=4, out_channels=8, kernel=kernel, dilation=dilation, input_zero_point=-7
    )
    random = np.random.default_rng([kernel, dilation])
    plan = make_plan(random_layer(random, spec), multipliers=8)
    rows = (kernel - 1) * dilation
    frames = random.integers(-128, 128, (-(-(2 * rows + 24) // length), *spec.input_shape)).astype(np.int8)
    result = check_exact(plan, frames, golden.run(plan.layer, frames))
    assert plan.config.ring_rows < rows + 2 * length + 40
    assert result.outputs == frames.shape[0] * length * 8


def test_an_accumulator_range_counts_the_zero_points_before_the_beginning():
    spec = causal1d_spec(
        length=1, in_channels=1, out_channels=1, kernel=2, input_zero_point=100, requantisation="shift"
    )
    layer = Layer(spec, LayerParameters(weights=np.array([1, 1], np.int8).reshape(1, 2, 1, 1), shift=np.array([0])))
    low, high = layer.accumulator_range()
    assert (low.item(), high.item()) == (-228 - 228, 27 + 27)
