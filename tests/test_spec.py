import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwconv.errors import SpecError
from hwconv.spec import ConvSpec, Padding, conv1d_spec, dtype_range, fully_connected_spec, same_padding


def spec(**fields):
    return ConvSpec(**{"height": 8, "width": 8, "in_channels": 4, "out_channels": 8, "kernel": (3, 3), **fields})


def test_a_spec_is_a_hashable_value_that_cannot_be_changed():
    assert spec() == spec()
    assert len({spec(), spec(), spec(stride=(2, 2))}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec().height = 3
    with pytest.raises(TypeError):
        ConvSpec("conv", 8, 8)


def test_sequences_and_numpy_integers_are_normalised():
    made = spec(height=np.int64(8), kernel=[3, np.int32(3)], padding=[1, 2, 3, 4])
    assert made.kernel == (3, 3)
    assert made.padding == Padding(top=1, bottom=2, left=3, right=4)
    assert isinstance(made.padding, Padding)
    assert type(made.height) is int
    assert made == spec(padding=Padding(1, 2, 3, 4))


# output extents worked out by hand: floor((in + pads - dilation * (kernel - 1) - 1) / stride) + 1
@pytest.mark.parametrize(
    ("fields", "out_height", "out_width"),
    [
        ({}, 6, 6),
        ({"padding": (1, 1, 1, 1)}, 8, 8),
        ({"stride": (2, 3)}, 3, 2),
        ({"dilation": (2, 3)}, 4, 2),
        ({"padding": (0, 1, 2, 0)}, 7, 8),
        ({"kernel": (9, 1), "padding": (1, 0, 0, 0)}, 1, 8),
        ({"padding": (5, 5, 0, 0), "stride": (4, 1)}, 4, 6),
        ({"kernel": (1, 1), "stride": (3, 3)}, 3, 3),
    ],
)
def test_output_size_follows_the_formula(fields, out_height, out_width):
    made = spec(**fields)
    assert (made.out_height, made.out_width) == (out_height, out_width)
    assert made.output_shape == (out_height, out_width, 8)


# from TensorFlow's documentation of SAME: output ceil(size / stride), the odd pad after
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "pads"),
    [
        (8, 3, 1, 1, (1, 1)),
        (8, 3, 2, 1, (0, 1)),
        (7, 3, 2, 1, (1, 1)),
        (8, 4, 1, 1, (1, 2)),
        (8, 3, 1, 2, (2, 2)),
        (49, 10, 2, 1, (4, 5)),
        (8, 1, 2, 1, (0, 0)),
        (1, 5, 1, 1, (2, 2)),
        (4, 3, 7, 1, (0, 0)),
    ],
)
def test_same_padding_is_tflites(size, kernel, stride, dilation, pads):
    assert same_padding(size, kernel, stride, dilation) == pads
    made = ConvSpec(
        height=size, width=1, in_channels=1, out_channels=1, kernel=(kernel, 1), stride=(stride, 1),
        dilation=(dilation, 1), padding="same",
    )  # fmt: skip
    assert made.padding == Padding(*pads, 0, 0)
    assert made.out_height == -(-size // stride)


def test_valid_is_no_padding():
    assert spec(padding="valid") == spec(padding=(0, 0, 0, 0)) == spec()


def test_derived_numbers_of_a_grouped_layer():
    made = spec(in_channels=6, out_channels=9, groups=3, dilation=(2, 1))
    assert (made.group_in_channels, made.group_out_channels, made.taps, made.receptive_rows) == (2, 3, 9, 5)
    assert made.macs == 4 * 6 * 9 * 9 * 2
    assert not made.depthwise
    assert made.channel_multiplier == 1
    assert made.weight_shape == (9, 3, 3, 2)
    assert (made.input_bytes, made.output_bytes) == (8 * 8 * 6, 4 * 6 * 9)


def test_depthwise_is_one_input_channel_per_output_of_several():
    made = spec(in_channels=4, out_channels=12, groups=4)
    assert made.depthwise
    assert made.channel_multiplier == 3
    assert not spec(in_channels=1).depthwise


def test_wider_types_take_more_bytes():
    raw = spec(requantisation="none", output_dtype="int32")
    assert raw.output_bytes == 4 * raw.output_elements
    assert spec(input_dtype="int16").input_bytes == 2 * 8 * 8 * 4
    assert spec(input_dtype="int4").input_bytes == 8 * 8 * 4


def test_a_fully_connected_layer_is_a_1x1_convolution_on_a_1x1_frame():
    made = fully_connected_spec(inputs=640, outputs=128, name="dense", input_zero_point=5)
    assert made.fully_connected
    assert (made.macs, made.output_shape, made.input_zero_point) == (640 * 128, (1, 1, 128), 5)
    assert not spec().fully_connected


def test_a_one_dimensional_layer_has_height_1():
    made = conv1d_spec(length=100, in_channels=2, out_channels=3, kernel=2, dilation=8, padding=(8, 0))
    assert (made.height, made.kernel, made.dilation, made.padding) == (1, (1, 2), (1, 8), Padding(0, 0, 8, 0))
    assert made.output_shape == (1, 100, 3)
    assert conv1d_spec(length=9, in_channels=1, out_channels=1, kernel=3, stride=2, padding="same").out_width == 5


def test_the_clamp_defaults_to_the_output_type():
    assert (spec().activation_min, spec().activation_max) == (-128, 127)
    made = spec(output_dtype="uint8", activation_max=6)
    assert (made.activation_min, made.activation_max) == (0, 6)


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ({"height": 0}, "height", 0),
        ({"height": -3}, "height", -3),
        ({"height": 2.5}, "height", 2.5),
        ({"height": True}, "height", True),
        ({"height": "8"}, "height", "8"),
        ({"width": 1 << 30}, "width", 1 << 30),
        ({"groups": 3}, "in_channels", 4),
        ({"groups": 4, "out_channels": 6}, "out_channels", 6),
        ({"kernel": (3,)}, "kernel", (3,)),
        ({"kernel": 3}, "kernel", 3),
        ({"kernel": (0, 3)}, "kernel", 0),
        ({"stride": (1, 0)}, "stride", 0),
        ({"dilation": (0, 1)}, "dilation", 0),
        ({"padding": (0, 0, 0, -1)}, "padding", -1),
        ({"padding": (1, 1)}, "padding", (1, 1)),
        ({"padding": "full"}, "padding", "full"),
        ({"kernel": (9, 3)}, "height", 8),
        ({"dilation": (1, 4)}, "width", 8),
        ({"input_dtype": "float32"}, "input_dtype", "float32"),
        ({"weight_dtype": "int16"}, "weight_dtype", "int16"),
        ({"output_dtype": "int4"}, "output_dtype", "int4"),
        ({"requantisation": "magic"}, "requantisation", "magic"),
        ({"requantisation": ["tflite"]}, "requantisation", ["tflite"]),
        ({"requantisation": "none"}, "output_dtype", "int8"),
        ({"output_dtype": "int32"}, "output_dtype", "int32"),
        ({"requantisation": "tflite16"}, "input_dtype", "int8"),
        ({"input_zero_point": 128, "padding": "same"}, "input_zero_point", 128),
        ({"input_zero_point": 256}, "input_zero_point", 256),
        ({"weight_zero_point": -129}, "weight_zero_point", -129),
        ({"output_zero_point": 300}, "output_zero_point", 300),
        ({"activation_min": -129}, "activation_min", -129),
        ({"activation_min": 5, "activation_max": 4}, "activation_min", 5),
        ({"requantisation": "none", "output_dtype": "int32", "activation_min": 0}, "activation_min", 0),
        ({"requantisation": "none", "output_dtype": "int32", "output_zero_point": 1}, "output_zero_point", 1),
        ({"name": ""}, "name", ""),
        ({"name": "two\nlines"}, "name", "two\nlines"),
    ],
)
def test_an_invalid_field_is_refused_by_layer_field_and_value(fields, field, value):
    with pytest.raises(SpecError) as refused:
        spec(**{"name": "conv", **fields})
    assert (refused.value.layer, refused.value.field, refused.value.value) == ("conv", field, value)
    assert "\n" not in str(refused.value)


def test_a_frame_too_large_to_be_meant_is_refused():
    with pytest.raises(SpecError, match="height x width x in_channels"):
        spec(height=1 << 16, width=1 << 16)


def test_a_zero_point_outside_the_type_is_an_offset_where_nothing_is_padded():
    assert spec(input_zero_point=200).input_zero_point == 200
    assert spec(output_zero_point=128).output_zero_point == 128


def test_json_has_every_field_in_order():
    text = spec(name="a", padding=(1, 2, 3, 4)).to_json()
    assert list(json.loads(text)) == [field.name for field in dataclasses.fields(ConvSpec)]
    assert json.loads(text)["padding"] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "nul", "[" * 100_000, '{"height": 1}', '{"depth": 3}', '{"height": null}']
)
def test_text_that_is_no_spec_is_refused(text):
    with pytest.raises(SpecError) as refused:
        ConvSpec.from_json(text)
    assert "\n" not in str(refused.value)


@st.composite
def specs(draw):
    groups, multiplier, inputs = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size, kernel = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    pads = [draw(st.integers(kernel, 2 * kernel)) for _ in range(4)]
    input_dtype = draw(st.sampled_from(["int8", "int4", "int16", "uint8"]))
    low, high = dtype_range(input_dtype)
    return ConvSpec(
        name=draw(st.sampled_from(["a", "layer 7", "Ünï"])),
        height=size,
        width=draw(st.integers(1, 9)),
        in_channels=groups * inputs,
        out_channels=groups * multiplier,
        kernel=(kernel, draw(st.integers(1, 4))),
        stride=(draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        padding=[max(pad, 4) for pad in pads],
        groups=groups,
        input_dtype=input_dtype,
        input_zero_point=draw(st.integers(low, high)),
        output_zero_point=draw(st.integers(-128, 127)),
        requantisation=draw(st.sampled_from(["tflite", "onnx", "shift"])),
        activation_min=draw(st.integers(-128, 0)),
    )


@settings(deadline=None)
@given(specs())
def test_json_round_trip_gives_an_equal_spec(made):
    again = ConvSpec.from_json(made.to_json())
    assert again == made
    assert hash(again) == hash(made)
    assert again.to_json() == made.to_json()
