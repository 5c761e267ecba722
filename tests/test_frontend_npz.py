import contextlib
import io
import os
import zipfile

import numpy as np
import pytest

from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.frontend import LayerFile, load, load_npz, save_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec, Padding, dtype_range, storage_dtype

# a 2x2 kernel of stride 2 on 3x4x2, padded by one row above; its output has 2x2 pixels of 3 channels
MEMBERS = {
    "kind": "conv_s8",
    "weights": np.arange(24, dtype=np.int8).reshape(3, 2, 2, 2),
    "bias": np.array([1, -2, 3], np.int32),
    "multiplier": np.array([1 << 30, 1 << 30, 1 << 30], np.int32),
    "shift": np.array([-3, -4, -5], np.int32),
    "input": np.zeros((1, 3, 4, 2), np.int8),
    "expected": np.zeros((1, 2, 2, 3), np.int8),
    "input_offset": 128,
    "filter_offset": 0,
    "output_offset": -7,
    "act_min": -100,
    "act_max": 99,
    "stride": [2, 2],
    "pad_tl": [1, 0],
    "dilation": [1, 1],
    "groups": 1,
}


@pytest.fixture
def write(tmp_path):
    def write_members(**changes):
        members = {**MEMBERS, **changes}
        np.savez(tmp_path / "layer.npz", **{name: value for name, value in members.items() if value is not None})
        return tmp_path / "layer.npz"

    return write_members


def test_members_become_a_layer(write):
    found = load_npz(write(name="first"))
    assert found.layer.spec == ConvSpec(
        name="first", height=3, width=4, in_channels=2, out_channels=3, kernel=(2, 2), stride=(2, 2),
        padding=(1, 0, 0, 0), input_zero_point=-128, output_zero_point=-7, activation_min=-100, activation_max=99,
    )  # fmt: skip
    parameters = found.layer.parameters
    np.testing.assert_array_equal(parameters.weights, MEMBERS["weights"], strict=True)
    assert parameters.bias.tolist() == [1, -2, 3]
    assert parameters.shift.tolist() == [-3, -4, -5]
    assert found.layer.origin == "layer.npz"
    assert found.input.shape == (1, 3, 4, 2)
    assert found.expected.shape == (1, 2, 2, 3)


def test_a_file_without_a_name_is_called_after_the_file(write):
    assert load_npz(write()).layer.spec.name == "layer"


# last output pixel at row 2 * (OH - 1) - 1: it reads up to row 2 * OH - 2, of three rows
@pytest.mark.parametrize(("rows", "bottom"), [(2, 0), (3, 2), (4, 4)])
def test_bottom_and_right_pads_follow_from_the_output(write, rows, bottom):
    found = load_npz(write(expected=np.zeros((1, rows, 2, 3), np.int8)))
    assert found.layer.spec.padding == Padding(1, bottom, 0, 0)


def test_an_output_smaller_than_the_frame_gives_is_refused(write):
    with pytest.raises(FormatError, match="'expected' has frames of"):
        load_npz(write(expected=np.zeros((1, 2, 1, 3), np.int8)))


def test_without_an_output_the_pads_are_symmetric_unless_given(write):
    assert load_npz(write(expected=None, pad_tl=[1, 2])).layer.spec.padding == Padding(1, 1, 2, 2)
    given = load_npz(write(expected=None, pad_tl=None, padding=[1, 2, 3, 4]))
    assert given.layer.spec.padding == Padding(1, 2, 3, 4)
    assert given.expected is None


def test_given_pads_must_agree_with_the_output(write):
    with pytest.raises(FormatError, match="expected"):
        load_npz(write(padding=[1, 2, 0, 0]))


def test_the_frame_may_be_stated_instead_of_given(write):
    found = load_npz(write(input=None, input_shape=[3, 4, 2]))
    assert found.input is None
    assert found.layer.spec.input_shape == (3, 4, 2)
    with pytest.raises(FormatError, match="'input_shape'"):
        load_npz(write(input=None))


@pytest.mark.parametrize("bias", [None, np.zeros(0, np.int32)])
def test_a_bias_that_is_missing_or_empty_is_zero(write, bias):
    assert load_npz(write(bias=bias)).layer.parameters.bias.tolist() == [0, 0, 0]


def test_one_multiplier_serves_all_channels(write):
    found = load_npz(write(multiplier=[5 << 20], shift=[-3]))
    assert found.layer.parameters.multiplier.tolist() == [5 << 20] * 3


def test_a_fully_connected_file_holds_vectors(write):
    found = load_npz(
        write(kind="fc_s8", weights=np.arange(6, dtype=np.int8).reshape(3, 2), input=np.ones((5, 2), np.int8),
              expected=np.ones((5, 3), np.int8), stride=[1, 1], pad_tl=[0, 0])
    )  # fmt: skip
    assert found.layer.spec.fully_connected
    assert found.input.shape == (5, 1, 1, 2)
    assert found.expected.shape == (5, 1, 1, 3)
    assert found.layer.parameters.weights[:, 0, 0, :].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_depthwise_weights_are_1hwo(write):
    weights = np.arange(16, dtype=np.int8).reshape(1, 2, 2, 4)
    constants = {"bias": None, "multiplier": [1 << 30], "shift": [-3]}
    fields = {
        "kind": "dw_s8",
        "weights": weights,
        "groups": 2,
        "expected": np.zeros((1, 2, 2, 4), np.int8),
        **constants,
    }
    found = load_npz(write(**fields))
    assert found.layer.spec.depthwise
    assert found.layer.spec.channel_multiplier == 2
    assert found.layer.parameters.weights[3].ravel().tolist() == [3, 7, 11, 15]
    with pytest.raises(FormatError, match="ch_mult"):
        load_npz(write(**fields, ch_mult=3))


def test_an_int16_layer_is_tflite16_where_its_bias_has_64_bits(write):
    fields = {"kind": "conv_s16", "input": np.zeros((1, 3, 4, 2), np.int16), "expected": None, "input_offset": 0}
    assert load_npz(write(**fields)).layer.spec.requantisation == "tflite"
    wide = load_npz(write(**fields, bias=np.zeros(3, np.int64)))
    assert wide.layer.spec.requantisation == "tflite16"
    assert wide.layer.spec.output_dtype == "int16"
    assert load_npz(write(**fields, bias=None)).layer.spec.requantisation == "tflite16"
    assert load_npz(write(**fields, bias=np.zeros(0, np.int32))).layer.spec.requantisation == "tflite"
    named = load_npz(write(**fields, bias=np.zeros(3, np.int64), requantisation="tflite"))
    assert named.layer.spec.requantisation == "tflite"


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"kind": None}, FormatError, "no member 'kind'"),
        ({"weights": None}, FormatError, "no member 'weights'"),
        ({"stride": None}, FormatError, "no member 'stride'"),
        ({"pad_tl": None}, FormatError, "no member 'pad_tl'"),
        ({"kind": "lstm_s8"}, UnsupportedError, "kind = 'lstm_s8'"),
        ({"kind": "conv_s3"}, UnsupportedError, "kind = 'conv_s3'"),
        ({"kind": 7}, FormatError, "'kind' is not a text"),
        ({"activation_layout": "NCHW"}, UnsupportedError, "activation_layout = 'NCHW'"),
        ({"weights_layout": "HWIO"}, UnsupportedError, "weights_layout = 'HWIO'"),
        ({"output_padding": [1, 1]}, UnsupportedError, "member = 'output_padding'"),
        ({"requantisation": "magic"}, UnsupportedError, "requantisation = 'magic'"),
        ({"weight_dtype": "float"}, UnsupportedError, "weight_dtype = 'float'"),
        ({"weights": np.zeros((3, 2, 2), np.int8)}, FormatError, "'weights'"),
        ({"weights": np.zeros((3, 2, 2, 2))}, FormatError, "'weights' is float64"),
        ({"weights": np.zeros((3, 2, 2, 5), np.int8)}, FormatError, "weights for 5 channels"),
        ({"weights": np.zeros((0, 2, 2, 2), np.int8)}, FormatError, "'weights'"),
        ({"weights": np.full((3, 2, 2, 2), 200, np.int16)}, SpecError, "weights"),
        ({"input": np.zeros((1, 3, 4, 2), np.int16)}, FormatError, "'input' is int16"),
        ({"input": np.zeros((3, 4, 2), np.int8)}, FormatError, "'input'"),
        ({"expected": np.zeros((2, 2, 2, 3), np.int8)}, FormatError, "1 frames of input and 2"),
        ({"expected": np.zeros((1, 2, 2, 4), np.int8)}, FormatError, "'expected' has frames of"),
        ({"bias": np.zeros(2, np.int32)}, SpecError, "bias"),
        ({"bias": np.zeros(3)}, SpecError, "bias"),
        ({"shift": None}, SpecError, "shift"),
        ({"multiplier": np.array(["a"])}, SpecError, "multiplier"),
        ({"stride": [1]}, FormatError, "'stride'"),
        ({"stride": [0, 1]}, SpecError, "stride"),
        ({"stride": [1.5, 1]}, FormatError, "'stride'"),
        ({"pad_tl": [-1, 0], "expected": None}, SpecError, "padding"),
        ({"groups": 0}, FormatError, "groups"),
        ({"input_offset": 300}, SpecError, "input_zero_point"),
        ({"act_min": 100}, SpecError, "activation_min"),
        ({"name": "two\nlines"}, SpecError, "name"),
    ],
)
def test_a_file_that_is_no_layer_is_refused_in_one_line(write, changes, error, words):
    with pytest.raises(error) as refused:
        load_npz(write(**changes))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_text_that_is_not_known_is_a_note(write):
    assert load_npz(write(generator="by hand")).layer.spec.name == "layer"


class Evil:
    """Unpickled, it would create a file."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def test_nothing_is_ever_unpickled(write, tmp_path, monkeypatch):
    path = write(bias=np.array([Evil()], object))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError, match="'bias' cannot be read"):
        load_npz(path)
    assert not (tmp_path / "unpickled").exists()


def archive(path, content, name="kind.npy", size=None):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(name, content)
    if size is not None:  # a lie in both headers about the size of the member
        raw = path.read_bytes().replace(len(content).to_bytes(4, "little"), size.to_bytes(4, "little"))
        path.write_bytes(raw)
    return path


def header(shape, dtype="<i8"):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 40, 1 << 40), (-1,), (0, 1 << 62), (3,)])
def test_a_size_that_the_data_do_not_have_is_refused(tmp_path, shape):
    with pytest.raises(FormatError, match="kind"):
        load_npz(archive(tmp_path / "a.npz", header(shape)))


def test_a_member_that_claims_gigabytes_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"claims|damaged|cannot be read"):
        load_npz(archive(tmp_path / "a.npz", header((8,)) + bytes(64), size=(1 << 32) - 2))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"TFL3", bytes(1000), b"PK\x05\x06" + bytes(18)])
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    for read in (load_npz, load):
        with pytest.raises(FormatError) as refused:
            read(path)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x09\x00", header((1,), "V8"), header((2,), "|O")])
def test_members_that_are_no_arrays_are_refused(tmp_path, content):
    with pytest.raises(FormatError, match="'kind' cannot be read"):
        load_npz(archive(tmp_path / "a.npz", content))
    with pytest.raises(FormatError, match="without arrays"):
        load_npz(archive(tmp_path / "a.npz", content, name="readme.txt"))


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        for read in (load_npz, load):
            with pytest.raises(FormatError):
                read(path)


def test_truncated_files_are_refused_and_damaged_ones_raise_nothing_else(write, seed):
    path = write()
    content = path.read_bytes()
    random = np.random.default_rng(seed)
    for length in range(0, len(content), 97):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError):
            load_npz(path)
    for _ in range(300):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), int(random.integers(1, 8))):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(HwconvError):
            load_npz(path)


def layers():
    """One layer for each shape of file and each mode."""
    random = np.random.default_rng(5)
    size = {"height": 5, "width": 4, "kernel": (2, 3), "padding": (1, 0, 2, 3)}
    sixteen = {"input_dtype": "int16", "output_dtype": "int16"}
    for fields in (
        {"in_channels": 2, "out_channels": 3, **size},
        {"in_channels": 4, "out_channels": 6, "groups": 2, "stride": (2, 1), "dilation": (1, 2), **size},
        {"in_channels": 3, "out_channels": 6, "groups": 3, "input_zero_point": -3, "output_zero_point": 4, **size},
        {"in_channels": 7, "out_channels": 5, "height": 1, "width": 1, "kernel": (1, 1), "activation_min": 0},
        {"in_channels": 2, "out_channels": 3, "weight_dtype": "int4", **size},
        {"in_channels": 2, "out_channels": 3, "weight_dtype": "int3", "input_dtype": "int4", **size},
        {"in_channels": 2, "out_channels": 3, "requantisation": "tflite16", **sixteen, **size},
        {"in_channels": 2, "out_channels": 3, **sixteen, **size},
        {"in_channels": 2, "out_channels": 3, "requantisation": "onnx", "input_dtype": "uint8", **size},
        {"in_channels": 2, "out_channels": 3, "requantisation": "shift", "weight_dtype": "uint8", **size},
        {"in_channels": 2, "out_channels": 3, "weight_zero_point": 99, **size},
        {"in_channels": 2, "out_channels": 3, "requantisation": "none", "output_dtype": "int32", **size},
    ):  # fmt: skip
        spec = ConvSpec(name="layer", **fields)
        low, high = dtype_range(spec.weight_dtype)
        yield Layer(
            spec,
            LayerParameters(
                weights=random.integers(low, high + 1, spec.weight_shape),
                bias=random.integers(-1000, 1000, spec.out_channels),
                multiplier=random.integers(1 << 30, 1 << 31, spec.out_channels),
                shift=random.integers(-12, 0, spec.out_channels),
                scale=random.random(spec.out_channels, np.float32),
            ),
        )


def assert_same_layer(one, other):
    assert one.spec == other.spec
    for field in ("weights", "bias", "multiplier", "shift", "scale"):
        left, right = getattr(one.parameters, field), getattr(other.parameters, field)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_array_equal(left, right, strict=True)


@pytest.mark.parametrize(
    "layer", list(layers()), ids=lambda layer: f"{layer.spec.requantisation}-{layer.spec.weight_dtype}"
)
@pytest.mark.parametrize("tensors", [False, True])
def test_a_saved_layer_reads_back_the_same(tmp_path, layer, tensors):
    path, spec = tmp_path / "layer.npz", layer.spec
    x = np.ones((2, *spec.input_shape), storage_dtype(spec.input_dtype)) if tensors else None
    y = np.ones((2, *spec.output_shape), spec.output_dtype) if tensors else None
    save_layer(path, layer, x, y)
    found = load(path)
    assert isinstance(found, LayerFile)
    assert_same_layer(found.layer, layer)
    for written, read in ((x, found.input), (y, found.expected)):
        assert (written is None) == (read is None)
        if written is not None:
            np.testing.assert_array_equal(read, written, strict=True)
    with np.load(path, allow_pickle=False) as archive:
        assert str(archive["kind"]).rpartition("_")[0] in ("conv", "gconv", "dw", "fc")


def test_equal_layers_give_equal_bytes_and_no_other_file(tmp_path):
    layer = next(layers())
    save_layer(tmp_path / "a.npz", layer)
    save_layer(tmp_path / "b.npz", layer)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"a.npz", "b.npz"}


def test_tensors_of_another_shape_are_not_saved(tmp_path):
    layer = next(layers())
    with pytest.raises(SpecError, match="expected"):
        save_layer(tmp_path / "a.npz", layer, expected=np.zeros((1, 1, 1, 1), np.int8))
    with pytest.raises(SpecError, match="input"):
        save_layer(tmp_path / "a.npz", layer, np.zeros((1, *layer.spec.input_shape), np.int16))
    assert not list(tmp_path.iterdir())


def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be written"):
        save_layer(tmp_path / "none" / "a.npz", next(layers()))


def test_an_index_for_a_file_of_one_layer_is_refused(write):
    with pytest.raises(UnsupportedError, match="layer = 2"):
        load(write(), layer=2)


@pytest.mark.material("cmsis_nn/conv_s8__*.npz", "cmsis_nn/dw_*.npz", "cmsis_nn/fc_*.npz", "cmsis_nn/gconv_*.npz")
def test_a_vector_saved_again_reads_back_the_same(tmp_path, material_file):
    first = load_npz(material_file)
    save_layer(tmp_path / "again.npz", first.layer, first.input, first.expected)
    again = load_npz(tmp_path / "again.npz")
    assert_same_layer(again.layer, first.layer)
    np.testing.assert_array_equal(again.input, first.input, strict=True)
    np.testing.assert_array_equal(again.expected, first.expected, strict=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"transposed": True, "stride": (2, 3), "padding": (1, 0, 0, 2), "output_padding": (1, 2), "groups": 2},
        {"transposed": True, "kernel": (1, 1), "height": 1, "width": 1},
        {"streaming": True, "padding": (3, 0, 0, 1)},
    ],
)
def test_what_only_some_layers_have_survives_a_file(tmp_path, fields):
    spec = ConvSpec(
        **{"height": 4, "width": 5, "in_channels": 4, "out_channels": 6, "kernel": (3, 2), "requantisation": "shift"}
        | fields
    )
    weights = np.arange(np.prod(spec.weight_shape)).reshape(spec.weight_shape).astype(np.int8)
    layer = Layer(spec, LayerParameters(weights=weights, shift=np.array([-3])))
    save_layer(tmp_path / "layer.npz", layer)
    again = load_npz(tmp_path / "layer.npz").layer
    assert again.spec == spec
    np.testing.assert_array_equal(again.parameters.weights, weights)
