import itertools

import numpy as np
import pytest

from hwconv.errors import SpecError, UnsupportedError
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec

MULTIPLIER, SHIFT = np.array([1 << 30], np.int32), np.array([-8], np.int32)


def spec(**fields):
    return ConvSpec(**{"height": 4, "width": 4, "in_channels": 1, "out_channels": 2, "kernel": (1, 2), **fields})


def layer(weights=((3, -2), (0, 5)), *, made=None, **parameters):
    made = made or spec()
    if not isinstance(weights, np.ndarray):
        weights = np.array(weights).reshape(made.weight_shape)
    defaults = {"multiplier": MULTIPLIER, "shift": SHIFT}
    return Layer(made, LayerParameters(**{"weights": weights, **defaults, **parameters}), "test")


def test_parameters_take_their_normal_form():
    made = layer(bias=None)
    assert made.parameters.weights.dtype == np.int8
    assert made.parameters.weights.shape == (2, 1, 2, 1)
    for array, dtype in (
        (made.parameters.bias, np.int64),
        (made.parameters.multiplier, np.int32),
        (made.parameters.shift, np.int32),
    ):
        assert array.dtype == dtype
        assert array.shape == (2,)
    assert made.parameters.bias.tolist() == [0, 0]
    assert made.parameters.scale is None


def test_parameters_are_read_only_copies():
    weights = np.array([[[[3], [-2]]], [[[0], [5]]]])
    made = layer(weights)
    weights[:] = 0
    assert made.parameters.weights.ravel().tolist() == [3, -2, 0, 5]
    with pytest.raises(ValueError, match="read-only"):
        made.parameters.weights[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        made.parameters.bias[0] = 1


def test_constants_that_the_mode_does_not_use_are_dropped():
    made = layer(made=spec(requantisation="onnx"), scale=np.array([0.5], np.float32))
    assert made.parameters.multiplier is None
    assert made.parameters.shift is None
    assert made.parameters.scale.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"weights": np.zeros((2, 2, 1, 1), int)}, "weights"),
        ({"weights": np.zeros((1, 2), int)}, "weights"),
        ({"weights": np.zeros((2, 1, 2, 1))}, "weights"),
        ({"weights": np.full((2, 1, 2, 1), 128)}, "weights"),
        ({"weights": np.full((2, 1, 2, 1), -129)}, "weights"),
        ({"bias": np.array([1 << 31, 0])}, "bias"),
        ({"bias": np.zeros(3, int)}, "bias"),
        ({"bias": np.zeros(2)}, "bias"),
        ({"multiplier": np.array([-1, 5])}, "multiplier"),
        ({"multiplier": np.array([1 << 31, 5])}, "multiplier"),
        ({"multiplier": None}, "multiplier"),
        ({"multiplier": np.zeros((2, 1), int)}, "multiplier"),
        ({"shift": np.array([-32, 0])}, "shift"),
        ({"shift": np.array([31, 0])}, "shift"),
        ({"shift": None}, "shift"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_by_name(changes, field):
    with pytest.raises(SpecError) as refused:
        layer(**changes)
    assert (refused.value.layer, refused.value.field) == ("conv", field)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("scale", [None, [0.5], [np.inf], [np.nan], [-1.0], [1.0, 1.0, 1.0]])
def test_an_invalid_float_scale_is_refused(scale):
    values = None if scale is None else np.array(scale, np.float64 if scale == [0.5] else np.float32)
    with pytest.raises(SpecError, match="scale"):
        layer(made=spec(requantisation="onnx"), scale=values)


@pytest.mark.parametrize(
    ("dtype", "limits"), [("int2", (-2, 1)), ("int4", (-8, 7)), ("int7", (-64, 63)), ("uint8", (0, 255))]
)
def test_weights_stay_in_the_range_of_their_type(dtype, limits):
    made = spec(weight_dtype=dtype)
    assert layer([[limits[0], limits[1]], [0, 0]], made=made).parameters.weights.min() == limits[0]
    for outside in (limits[0] - 1, limits[1] + 1):
        with pytest.raises(SpecError, match="weights"):
            layer([[outside, 0], [0, 0]], made=made)


def brute_force(made, parameters, values, zero_point):
    """Smallest and largest sums over every combination of tap values."""
    weights = parameters.weights.astype(int).reshape(len(parameters.weights), -1) - made.weight_zero_point
    sums = [
        [sum((x - zero_point) * w for x, w in zip(taps, row, strict=True)) for row in weights]
        for taps in itertools.product(values, repeat=weights.shape[1])
    ]
    return np.min(sums, axis=0), np.max(sums, axis=0)


@pytest.mark.parametrize("zero_point", [-8, 0, 3, 7])
@pytest.mark.parametrize("weight_zero_point", [0, 4])
def test_accumulator_ranges_equal_a_search_over_all_inputs(zero_point, weight_zero_point):
    made = spec(
        input_dtype="int4",
        input_zero_point=zero_point,
        weight_zero_point=weight_zero_point,
        padding=(0, 0, 1, 0),
        kernel=(1, 3),
    )
    one = layer([[3, -2, 7], [-5, 0, -128]], made=made, bias=np.array([1000, -7]))
    low, high = brute_force(made, one.parameters, range(-8, 8), 0)
    assert [bound.tolist() for bound in one.raw_accumulator_range()] == [low.tolist(), high.tolist()]
    low, high = brute_force(made, one.parameters, range(-8, 8), zero_point)
    expected = [(bound + np.array([1000, -7])).tolist() for bound in (low, high)]
    assert [bound.tolist() for bound in one.accumulator_range()] == expected


def test_an_offset_outside_the_type_counts_without_padding():
    one = layer([[1, 0], [-1, 0]], made=spec(input_zero_point=200))
    assert [bound.tolist() for bound in one.accumulator_range()] == [[-328, 73], [-73, 328]]
    assert [bound.tolist() for bound in one.raw_accumulator_range()] == [[-128, -127], [127, 128]]


def test_a_left_shift_that_could_leave_int32_is_refused_by_channel():
    made = spec()  # channel 1: 127 * 127 * 2 = 32258, 15 bits; -128 * 127 * 2 = -32512
    weights = [[1, 1], [127, 127]]
    layer(weights, made=made, shift=np.array([16, 16]))
    layer(weights, made=made, shift=np.array([17, 16]))
    with pytest.raises(UnsupportedError, match="shift of channel 1 = 17"):
        layer(weights, made=made, shift=np.array([17, 17]))
    with pytest.raises(UnsupportedError, match="shift of channel 0 = 30"):
        layer(weights, made=spec(requantisation="shift"), shift=np.array([30, 0]))


def test_an_accumulator_that_could_leave_int32_is_refused():
    with pytest.raises(UnsupportedError, match="accumulator range of channel 1"):
        layer([[0, 0], [0, 1]], bias=np.array([(1 << 31) - 1, (1 << 31) - 100]))
    raw = spec(requantisation="none", output_dtype="int32")
    with pytest.raises(UnsupportedError, match="accumulator range of channel 0"):
        layer([[1, 0], [0, 1]], made=raw, bias=np.array([-(1 << 31), 0]))


def sixteen(**fields):
    return spec(input_dtype="int16", output_dtype="int16", **fields)


def test_int16_layers_take_biases_beyond_int32_with_tflite16_only():
    bias = np.array([1 << 40, -(1 << 40)])
    assert (
        layer(made=sixteen(requantisation="tflite16"), bias=bias, shift=np.array([-20])).parameters.bias[0] == 1 << 40
    )
    with pytest.raises(SpecError, match="bias"):
        layer(made=sixteen(), bias=bias)


def test_a_tflite16_layer_stays_in_48_bits_and_its_result_in_32():
    made = sixteen(requantisation="tflite16")
    with pytest.raises(SpecError, match="bias"):
        layer(made=made, bias=np.array([1 << 47, 0]))
    with pytest.raises(UnsupportedError, match="accumulator range of channel 0"):
        layer(made=made, bias=np.array([(1 << 47) - 1, 0]), shift=np.array([-31]))
    with pytest.raises(UnsupportedError, match="shift of channel 1 = 7"):
        layer(made=made, bias=np.array([0, 1 << 30]), shift=np.array([7]))
    with pytest.raises(SpecError, match="shift"):
        layer(made=made, shift=np.array([8]))
