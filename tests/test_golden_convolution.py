import numpy as np
import pytest

from hwconv import golden
from hwconv.errors import SpecError
from hwconv.golden.convolution import accumulate, accumulate_fast
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec, dtype_range, storage_dtype


def both(spec, weights, bias, x):
    """The accumulators, after checking that the definition and the fast path agree."""
    slow, fast = accumulate(spec, weights, bias, x), accumulate_fast(spec, weights, bias, x)
    assert slow.dtype == fast.dtype == np.int64
    np.testing.assert_array_equal(slow, fast)
    return slow


def test_a_frame_worked_out_by_hand():
    spec = ConvSpec(height=2, width=3, in_channels=1, out_channels=1, kernel=(2, 2), padding=(0, 0, 1, 0))
    weights = np.array([[1, 2], [3, 4]], np.int8).reshape(1, 2, 2, 1)
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8).reshape(1, 2, 3, 1)
    # first column: 0*1 + 1*2 + 0*3 + 4*4 = 18; then 1+4+12+20 = 37; then 2+6+15+24 = 47
    assert both(spec, weights, np.array([100]), x).ravel().tolist() == [118, 137, 147]


def test_padding_is_the_zero_point_and_adds_nothing():
    spec = ConvSpec(
        height=1, width=1, in_channels=1, out_channels=1, kernel=(3, 3), padding=(1, 1, 1, 1), input_zero_point=83
    )
    weights = np.full((1, 3, 3, 1), 7, np.int8)
    assert both(spec, weights, np.array([5]), np.full((1, 1, 1, 1), 83, np.int8)).item() == 5
    assert both(spec, weights, np.array([5]), np.full((1, 1, 1, 1), 80, np.int8)).item() == 5 - 21


def test_a_kernel_wider_than_the_frame_and_pads_wider_than_the_kernel():
    spec = ConvSpec(height=1, width=2, in_channels=1, out_channels=1, kernel=(1, 3), padding=(0, 0, 4, 5))
    weights = np.array([1, 10, 100], np.int8).reshape(1, 1, 3, 1)
    x = np.array([1, 2], np.int8).reshape(1, 1, 2, 1)
    assert both(spec, weights, np.array([0]), x).ravel().tolist() == [0, 0, 100, 210, 21, 2, 0, 0, 0]


def test_depthwise_outputs_are_channel_major():
    spec = ConvSpec(height=1, width=1, in_channels=2, out_channels=4, groups=2, kernel=(1, 1))
    weights = np.array([1, 2, 3, 4], np.int8).reshape(4, 1, 1, 1)
    x = np.array([10, 100], np.int8).reshape(1, 1, 1, 2)
    assert both(spec, weights, np.zeros(4, int), x).ravel().tolist() == [10, 20, 300, 400]


def test_groups_read_their_own_channels():
    spec = ConvSpec(height=1, width=1, in_channels=4, out_channels=2, groups=2, kernel=(1, 1))
    weights = np.array([[1, 2], [3, 4]], np.int8).reshape(2, 1, 1, 2)
    x = np.array([1, 10, 20, 100], np.int8).reshape(1, 1, 1, 4)
    assert both(spec, weights, np.zeros(2, int), x).ravel().tolist() == [21, 460]


def test_dilation_and_stride_pick_the_right_pixels():
    spec = ConvSpec(height=1, width=8, in_channels=1, out_channels=1, kernel=(1, 2), dilation=(1, 3), stride=(1, 2))
    x = np.array([1, 2, 4, 8, 16, 32, 64, 127], np.int8).reshape(1, 1, 8, 1)
    assert both(spec, np.ones((1, 1, 2, 1), np.int8), np.array([0]), x).ravel().tolist() == [9, 36, 143]


@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("value", [-128, 127])
def test_extreme_values_are_summed_exactly(weight, value):
    spec = ConvSpec(
        height=5, width=5, in_channels=64, out_channels=1, kernel=(5, 5), input_zero_point=127 if value < 0 else -128
    )
    acc = both(spec, np.full((1, 5, 5, 64), weight, np.int8), np.array([0]), np.full((1, 5, 5, 64), value, np.int8))
    assert acc.item() == (value - spec.input_zero_point) * weight * 1600


def test_sums_beyond_float64_take_the_integer_path():
    spec = ConvSpec(
        height=1, width=1, in_channels=2, out_channels=1, kernel=(1, 1), input_dtype="int16", output_dtype="int16",
        requantisation="tflite16",
    )  # fmt: skip
    bias = np.array([(1 << 53) + 1])
    x = np.array([3, 5], np.int16).reshape(1, 1, 1, 2)
    assert both(spec, np.ones((1, 1, 1, 2), np.int8), bias, x).item() == (1 << 53) + 9


def test_sums_beyond_int64_are_refused():
    spec = ConvSpec(height=1, width=1, in_channels=1, out_channels=1, kernel=(1, 1))
    for path in (accumulate, accumulate_fast):
        with pytest.raises(SpecError, match="accumulator"):
            path(spec, np.ones((1, 1, 1, 1), np.int8), np.array([(1 << 63) - 1]), np.ones((1, 1, 1, 1), np.int8))


def random_case(random):
    groups = int(random.choice([1, 1, 2, 3]))
    inputs, outputs = (int(random.integers(1, 4)) for _ in range(2))
    kernel = tuple(int(random.integers(1, 5)) for _ in range(2))
    dilation = tuple(int(random.integers(1, 4)) for _ in range(2))
    input_dtype = str(random.choice(["int8", "uint8", "int4", "int16"]))
    weight_dtype = str(random.choice(["int8", "int4", "int2", "uint8"]))
    low, high = dtype_range(input_dtype)
    weight_low, weight_high = dtype_range(weight_dtype)
    pads = [int(random.integers(0, 4)) for _ in range(4)]
    height, width = (
        int(random.integers(max(d * (k - 1) + 1 - pads[2 * axis] - pads[2 * axis + 1], 1), 12))
        for axis, (k, d) in enumerate(zip(kernel, dilation, strict=True))
    )
    spec = ConvSpec(
        height=height, width=width, in_channels=groups * inputs, out_channels=groups * outputs, kernel=kernel,
        stride=tuple(int(random.integers(1, 4)) for _ in range(2)), dilation=dilation, padding=pads, groups=groups,
        input_dtype=input_dtype, weight_dtype=weight_dtype, input_zero_point=int(random.integers(low, high + 1)),
        weight_zero_point=int(random.integers(weight_low, weight_high + 1)),
    )  # fmt: skip
    weights = random.integers(weight_low, weight_high + 1, spec.weight_shape).astype(storage_dtype(weight_dtype))
    x = random.integers(low, high + 1, (2, *spec.input_shape)).astype(storage_dtype(input_dtype))
    return spec, weights, random.integers(-(1 << 20), 1 << 20, spec.out_channels), x


def test_the_fast_path_equals_the_definition_on_random_layers(seed):
    random = np.random.default_rng(seed)
    for _ in range(150):
        both(*random_case(random))


def test_the_fast_path_unfolds_in_pieces(monkeypatch, seed):
    monkeypatch.setattr("hwconv.golden.convolution._WINDOW_ELEMENTS", 1)
    random = np.random.default_rng(seed)
    for _ in range(20):
        both(*random_case(random))


def identity():
    spec = ConvSpec(height=2, width=2, in_channels=1, out_channels=1, kernel=(1, 1), requantisation="shift")
    return Layer(spec, LayerParameters(weights=np.ones((1, 1, 1, 1), np.int8), shift=np.array([0])))


@pytest.mark.parametrize("fast", [True, False])
def test_run_requantises_frames(fast):
    x = np.array([-128, -1, 0, 127], np.int8).reshape(1, 2, 2, 1)
    y = golden.run(identity(), x, fast=fast)
    assert y.dtype == np.int8
    np.testing.assert_array_equal(y, x)
    assert golden.run(identity(), x[:0], fast=fast).shape == (0, 2, 2, 1)


@pytest.mark.parametrize(
    "x", [np.zeros((1, 2, 2, 1), np.int16), np.zeros((2, 2, 1), np.int8), np.zeros((1, 2, 2, 2), np.int8), np.zeros(4)]
)
def test_input_of_another_type_or_shape_is_refused(x):
    with pytest.raises(SpecError, match="input"):
        golden.run(identity(), x)


def test_input_outside_a_narrow_type_is_refused():
    spec = ConvSpec(height=1, width=1, in_channels=1, out_channels=1, kernel=(1, 1), input_dtype="int4")
    with pytest.raises(SpecError, match="int4"):
        accumulate(spec, np.ones((1, 1, 1, 1), np.int8), np.array([0]), np.full((1, 1, 1, 1), 8, np.int8))
