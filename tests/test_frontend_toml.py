"""Layers as people write them: every key reaches the specification, and nothing else does."""

import re
from pathlib import Path

import numpy as np
import pytest
import tflite
from tflite_builder import Tensor, build_layer

from hwconv import golden
from hwconv.cli import main
from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.frontend import LayerFile, load, load_toml, save_layer
from hwconv.frontend.seeded import seeded_integers, split_mix
from hwconv.frontend.tflite import load_layer
from hwconv.spec import ConvSpec, Padding, dtype_range

DOCUMENT = Path(__file__).parent.parent / "docs" / "layer-format.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
SMALL = "height = 5\nwidth = 4\nin_channels = 2\nout_channels = 3\nkernel = 1\n"
WEIGHTS = "weights = { seed = 1 }\n"


@pytest.fixture
def write(tmp_path):
    def write_text(text: str, name: str = "layer.toml") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write_text


@pytest.fixture
def stem(tmp_path):
    """The files that the first example names."""
    random = np.random.default_rng(3)
    arrays = {
        "weights": random.integers(-128, 128, (8, 3, 3, 3)).astype(np.int8),
        "bias": random.integers(-999, 999, 8).astype(np.int32),
        "weight_scale": random.uniform(0.001, 0.01, 8).astype(np.float32),
        "input": random.integers(-128, 128, (2, 24, 32, 3)).astype(np.int8),
    }
    np.save(tmp_path / "stem_weights.npy", arrays["weights"])
    np.save(tmp_path / "stem_input.npy", arrays["input"])
    np.savez(tmp_path / "stem.npz", bias=arrays["bias"], weight_scale=arrays["weight_scale"])
    return arrays


# what the examples of the page mean, written down from their comments and the text around them
MEANT = [
    {"name": "stem", "in_channels": 3, "stride": (2, 2), "padding": (0, 1, 0, 1), "input_zero_point": -128,
     "height": 24, "width": 32, "out_channels": 8, "kernel": (3, 3), "output_zero_point": -128},
    {"height": 24, "width": 32, "in_channels": 3, "out_channels": 8, "kernel": (3, 3), "stride": (2, 2),
     "padding": (0, 1, 0, 1)},
    {"name": "sobel", "height": 64, "width": 64, "in_channels": 1, "out_channels": 1, "kernel": (3, 3),
     "padding": (1, 1, 1, 1), "requantisation": "shift"},
    {"height": 16, "width": 16, "in_channels": 32, "out_channels": 16, "kernel": (1, 1)},
    {"height": 20, "width": 20, "in_channels": 4, "out_channels": 8, "kernel": (3, 5), "dilation": (4, 2),
     "padding": (4, 4, 4, 4)},
    {"height": 16, "width": 16, "in_channels": 16, "out_channels": 32, "kernel": (3, 3), "padding": (1, 1, 1, 1),
     "groups": 4},
    {"height": 16, "width": 16, "in_channels": 16, "out_channels": 32, "kernel": (3, 3), "stride": (2, 2),
     "padding": (0, 1, 0, 1), "groups": 16},
    {"height": 1, "width": 64, "in_channels": 8, "out_channels": 8, "kernel": (1, 3), "dilation": (1, 4),
     "padding": (0, 0, 8, 0)},
    {"height": 4, "width": 1, "in_channels": 8, "out_channels": 8, "kernel": (3, 1), "dilation": (4, 1),
     "padding": (8, 0, 0, 0), "streaming": True},
    {"height": 8, "width": 8, "in_channels": 8, "out_channels": 4, "kernel": (4, 4), "stride": (2, 2),
     "padding": (1, 1, 1, 1), "transposed": True},
    {"height": 1, "width": 16, "in_channels": 4, "out_channels": 4, "kernel": (1, 3), "stride": (1, 3), "groups": 2,
     "padding": (0, 0, 1, 0), "output_padding": (0, 1), "transposed": True},
    {"height": 1, "width": 1, "in_channels": 64, "out_channels": 10, "kernel": (1, 1)},
    {"height": 8, "width": 8, "in_channels": 4, "out_channels": 4, "kernel": (3, 3), "requantisation": "none",
     "output_dtype": "int32"},
    {"height": 8, "width": 8, "in_channels": 16, "out_channels": 8, "kernel": (3, 3), "weight_dtype": "int4"},
    {"height": 8, "width": 8, "in_channels": 4, "out_channels": 8, "kernel": (3, 3), "input_dtype": "int16",
     "output_dtype": "int16", "requantisation": "tflite16"},
    {"height": 8, "width": 8, "in_channels": 4, "out_channels": 8, "kernel": (3, 3), "padding": (1, 1, 1, 1),
     "input_dtype": "uint8", "weight_dtype": "uint8", "output_dtype": "uint8", "input_zero_point": 128,
     "weight_zero_point": 120, "output_zero_point": 140, "requantisation": "onnx"},
]  # fmt: skip


def test_every_example_of_the_page_is_listed_here():
    assert len(EXAMPLES) == len(MEANT)


@pytest.mark.usefixtures("stem")
@pytest.mark.parametrize("number", range(len(MEANT)))
def test_an_example_of_the_page_is_what_it_says(write, tmp_path, number):
    found = load(write(EXAMPLES[number], "example.toml"))
    assert found.layer.spec == ConvSpec.from_dict({"name": "example", **MEANT[number]})
    frames = found.input
    if frames is None:
        low, high = dtype_range(found.layer.spec.input_dtype)
        spec = found.layer.spec
        frames = np.random.default_rng(number).integers(low, high + 1, (1, *spec.input_shape)).astype(spec.input_dtype)
    found_output = golden.run(found.layer, frames)
    assert np.unique(found_output).size > 20  # its scale makes sense
    save_layer(tmp_path / "again.npz", found.layer)
    again = load(tmp_path / "again.npz").layer
    for one, other in zip(vars(again.parameters).values(), vars(found.layer.parameters).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_tensors_of_the_first_example_come_from_its_files(write, stem):
    found = load(write(EXAMPLES[0]))
    parameters = found.layer.parameters
    for o, y, x, i in np.ndindex(8, 3, 3, 3):
        assert parameters.weights[o, y, x, i] == stem["weights"][o, i, y, x]
    np.testing.assert_array_equal(parameters.bias, stem["bias"])
    np.testing.assert_array_equal(found.input, stem["input"])
    scales = float(np.float32(0.00784)) * stem["weight_scale"].astype(float) / float(np.float32(0.0235))
    np.testing.assert_allclose(parameters.multiplier * 2.0 ** (parameters.shift - 31.0), scales, rtol=2**-31)


def test_split_mix_is_the_published_generator():
    # of the seed 1234567, as printed by the reference implementations in C and Java
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert split_mix(1234567, 0, 5).tolist() == known
    assert split_mix(1234567, 2, 3).tolist() == known[2:]


def drawn(seed: int, index: int, low: int, high: int) -> int:
    """The formulas of the page, in Python's own integers."""
    mask = (1 << 64) - 1
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return low + ((z ^ z >> 31) >> 32) * (high - low + 1) // (1 << 32)


@pytest.mark.parametrize(
    ("seed", "low", "high"), [(0, -128, 127), (5, 7, 7), ((1 << 63) - 1, -(1 << 31), (1 << 31) - 1)]
)
def test_seeded_integers_are_what_the_page_says(seed, low, high):
    found = seeded_integers(seed, (3, 50), low, high, "int64").reshape(-1).tolist()
    assert found == [drawn(seed, index, low, high) for index in range(150)]
    assert low <= min(found) <= max(found) <= high


def test_a_large_tensor_is_drawn_in_blocks_without_a_seam():
    found = seeded_integers(9, ((1 << 20) + 5,), -8, 7, "int8")
    for index in (0, (1 << 20) - 1, 1 << 20, (1 << 20) + 4):
        assert found[index] == drawn(9, index, -8, 7)
    assert found.dtype == np.int8


def test_seeded_weights_bias_and_input_reach_the_layer(write):
    text = SMALL + "weights = { seed = 4, low = -5, high = 6 }\nbias = { seed = 5, low = -70000, high = 70000 }\n"
    found = load_toml(write(text + "input = { seed = 6, frames = 2 }\n"))
    assert found.layer.parameters.weights.reshape(-1).tolist() == [drawn(4, index, -5, 6) for index in range(6)]
    assert found.layer.parameters.bias.tolist() == [drawn(5, index, -70000, 70000) for index in range(3)]
    assert found.input.shape == (2, 5, 4, 2)
    assert found.input.reshape(-1).tolist() == [drawn(6, index, -128, 127) for index in range(80)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('padding = "same"\nkernel = [2, 3]\n', (0, 1, 1, 1)),
        ('padding = "valid"\nkernel = 1\n', (0, 0, 0, 0)),
        ("padding = [1, 2, 3, 4]\nkernel = 1\n", (1, 2, 3, 4)),
        ("padding = [[1, 2], [3, 4]]\nkernel = 1\n", (1, 2, 3, 4)),
    ],
)
def test_padding_has_four_forms(write, text, expected):
    spec = load_toml(write(SMALL.replace("kernel = 1\n", text) + WEIGHTS)).layer.spec
    assert spec.padding == Padding(*expected)


def numbered(shape):
    return np.arange(np.prod(shape), dtype=np.int8).reshape(shape)


@pytest.mark.parametrize("layout", ["OHWI", "HWIO", "OIHW", "IOHW", "WIHO", "OHW1I", "1OHWI"])
def test_weights_in_any_order_of_axes(write, tmp_path, layout):
    sizes = {"O": 3, "H": 2, "W": 4, "I": 5, "1": 1}
    array = numbered([sizes[letter] for letter in layout])
    np.save(tmp_path / "w.npy", array)
    text = "height = 5\nwidth = 4\nin_channels = 5\nout_channels = 3\nkernel = [2, 4]\n"
    weights = load_toml(write(text + f'weights = "w.npy"\nweights_layout = "{layout}"\n')).layer.parameters.weights
    for place in np.ndindex(3, 2, 4, 5):
        at = dict(zip("OHWI", place, strict=True)) | {"1": 0}
        assert weights[place] == array[tuple(at[letter] for letter in layout)]


@pytest.mark.parametrize("shape", [(2, 6, 1, 1), (4, 3, 1, 1)])
def test_grouped_weights_with_the_inputs_first_are_told_by_their_shape(write, tmp_path, shape):
    # two groups, four inputs, six outputs: the inputs of a group by all outputs, or all inputs by a group's outputs
    array = numbered(shape)
    np.save(tmp_path / "w.npy", array)
    text = "height = 3\nwidth = 3\nin_channels = 4\nout_channels = 6\nkernel = 1\ngroups = 2\n"
    weights = load_toml(write(text + 'weights = "w.npy"\nweights_layout = "IOHW"\n')).layer.parameters.weights
    for o, i in np.ndindex(6, 2):
        group = o // 3
        assert weights[o, 0, 0, i] == (array[i, o, 0, 0] if shape[1] == 6 else array[2 * group + i, o % 3, 0, 0])


def test_one_dimensional_and_fully_connected_tensors_leave_axes_out(write, tmp_path):
    np.save(tmp_path / "w.npy", numbered((3, 4, 2)))
    np.save(tmp_path / "x.npy", numbered((6, 2)))
    np.save(tmp_path / "y.npy", numbered((2, 6, 3)))
    text = 'length = 6\nin_channels = 2\nout_channels = 3\nkernel = 4\npadding = [2, 1]\nweights = "w.npy"\n'
    found = load_toml(write(text + 'input = "x.npy"\n'))
    np.testing.assert_array_equal(found.layer.parameters.weights, numbered((3, 1, 4, 2)))
    np.testing.assert_array_equal(found.input, numbered((1, 1, 6, 2)), strict=True)
    np.save(tmp_path / "x.npy", numbered((2, 6, 2)))
    found = load_toml(write(text + 'input = "x.npy"\nexpected = "y.npy"\n'))
    np.testing.assert_array_equal(found.expected, numbered((2, 1, 6, 3)), strict=True)
    text = (
        "inputs = 4\noutputs = 2\nweights = [[1, 2, 3, 4], [5, 6, 7, 8]]\ninput = [[1, 2, 3, 4], [-128, 0, 0, 127]]\n"
    )
    found = load_toml(write(text))
    np.testing.assert_array_equal(found.layer.parameters.weights, np.arange(1, 9, dtype=np.int8).reshape(2, 1, 1, 4))
    np.testing.assert_array_equal(
        found.input, np.array([1, 2, 3, 4, -128, 0, 0, 127], np.int8).reshape(2, 1, 1, 4), strict=True
    )


def test_a_causal_layer_has_its_time_along_the_rows(write, tmp_path):
    np.save(tmp_path / "w.npy", numbered((3, 2, 4)))
    np.save(tmp_path / "x.npy", numbered((2, 6, 2)))
    text = 'length = 6\nin_channels = 2\nout_channels = 3\nkernel = 4\npadding = "causal"\nweights = "w.npy"\n'
    found = load_toml(write(text + 'weights_layout = "OIW"\ninput = "x.npy"\n'))
    assert (found.layer.spec.input_shape, found.layer.spec.output_shape) == ((6, 1, 2), (6, 1, 3))
    for o, k, i in np.ndindex(3, 4, 2):
        assert found.layer.parameters.weights[o, k, 0, i] == numbered((3, 2, 4))[o, i, k]
    np.testing.assert_array_equal(found.input, numbered((2, 6, 1, 2)), strict=True)
    for wrong in ("transposed = true\n", "dilation = [1, 1]\n"):
        with pytest.raises(SpecError):
            load_toml(write(text + 'weights_layout = "OIW"\n' + wrong))
    with pytest.raises(SpecError, match="streaming"):
        load_toml(write(text.replace('"causal"', "[3, 0]") + "streaming = true\n"))


def scales_of(parameters):
    return parameters.multiplier * 2.0 ** (parameters.shift - 31.0)


@pytest.mark.parametrize("kind", ["CONV_2D", "FULLY_CONNECTED"])
def test_three_scales_give_what_a_tflite_model_of_them_gives(write, tmp_path, seed, kind):
    random = np.random.default_rng(seed)
    convolution = kind == "CONV_2D"
    for _ in range(40):
        x_scale, w_scale, y_scale = random.uniform(0.001, 0.1, 3).astype(np.float32)
        frame = (1, 5, 4, 2) if convolution else (1, 2)
        shape = (3, 1, 1, 2) if convolution else (3, 2)
        output = (1, 5, 4, 3) if convolution else (1, 3)
        window = {
            "StrideH": 1,
            "StrideW": 1,
            "DilationHFactor": 1,
            "DilationWFactor": 1,
            "Padding": tflite.Padding.VALID,
        }
        (tmp_path / "model.tflite").write_bytes(build_layer(
            kind, Tensor(frame, "int8", [x_scale], [0]), Tensor(shape, "int8", [w_scale], [0], 0, np.ones(shape)),
            Tensor(output, "int8", [y_scale], [0]), None, **(window if convolution else {}),
        ))  # fmt: skip
        text = SMALL if convolution else "inputs = 2\noutputs = 3\n"
        text += f"input_scale = {x_scale}\nweight_scale = {w_scale}\noutput_scale = {y_scale}\n"
        found = load_toml(write(text + WEIGHTS)).layer.parameters
        model = load_layer(tmp_path / "model.tflite", 0).parameters
        assert (found.multiplier.tolist(), found.shift.tolist()) == (model.multiplier.tolist(), model.shift.tolist())


def test_scales_in_the_other_modes(write):
    onnx = SMALL + WEIGHTS + 'requantisation = "onnx"\n'
    one, two, three = np.float32(0.1), np.array([0.3, 0.7, 0.011], np.float32), np.float32(0.013)
    found = load_toml(write(onnx + "input_scale = 0.1\nweight_scale = [0.3, 0.7, 0.011]\noutput_scale = 0.013\n"))
    np.testing.assert_array_equal(found.layer.parameters.scale, one * two / three, strict=True)
    assert load_toml(write(onnx + "scale = 0.1\n")).layer.parameters.scale.tolist() == [float(one)] * 3
    shift = SMALL + WEIGHTS + 'requantisation = "shift"\n'
    assert load_toml(write(shift + "scale = [0.25, 1.0, 4]\n")).layer.parameters.shift.tolist() == [-2, 0, 2]
    assert load_toml(write(shift + "shift = -3\n")).layer.parameters.shift.tolist() == [-3] * 3
    with pytest.raises(SpecError, match="a power of two"):
        load_toml(write(shift + "scale = 0.3\n"))


def test_the_default_scale_is_the_one_of_the_page(write):
    text = "height = 5\nwidth = 4\nin_channels = 3\nout_channels = 2\nkernel = 1\ninput_zero_point = -28\n"
    text += "weights = [[[[3, -4, 12]]], [[[1, 0, 0]]]]\nbias = [-50, 7]\n"
    spread = 155 * min(19, 2.5 * 13) + 50
    for limits, span in (("", 255), ("activation_min = -28\nactivation_max = 100\n", 128)):
        parameters = load_toml(write(text + limits)).layer.parameters
        np.testing.assert_allclose(scales_of(parameters), span / (2 * spread), rtol=2**-30)
        shifted = load_toml(write(text + limits + 'requantisation = "shift"\n')).layer.parameters.shift
        assert 2.0 ** shifted[0] <= span / (2 * spread) < 2.0 ** (shifted[0] + 1)
    many = "height = 5\nwidth = 4\nin_channels = 100\nout_channels = 1\nkernel = 1\nweights = { seed = 1 }\n"
    weights = [drawn(1, index, -128, 127) for index in range(100)]
    spread = 128 * 2.5 * sum(weight * weight for weight in weights) ** 0.5
    assert spread < 128 * sum(map(abs, weights))
    np.testing.assert_allclose(scales_of(load_toml(write(many)).layer.parameters), 255 / (2 * spread), rtol=2**-30)


def test_a_layer_of_zeros_has_a_default_scale(write):
    found = load_toml(write("inputs = 2\noutputs = 1\nweights = [[0, 0]]\n"))
    assert scales_of(found.layer.parameters) == [1.0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "expected height"),
        (SMALL, "weights"),
        (SMALL + WEIGHTS + "strides = 2\n", "strides"),
        (SMALL + WEIGHTS + "[other]\n", "other"),
        ("[layer]\n" + SMALL + WEIGHTS + "[other]\n", "'other' beside"),
        ("[[layer]]\n" + SMALL + WEIGHTS, "key"),
        (SMALL + WEIGHTS + "length = 3\n", "height"),
        (SMALL + WEIGHTS + "inputs = 3\n", "kernel"),
        ("outputs = 3\n" + WEIGHTS, "in_channels"),
        (SMALL + WEIGHTS + "padding = 1\n", "padding"),
        (SMALL + WEIGHTS + "padding = [1, 2]\n", "padding"),
        (SMALL + WEIGHTS + "padding = [[1, 2], 3]\n", "padding"),
        (SMALL + WEIGHTS + 'padding = "most"\n', "padding"),
        (SMALL + WEIGHTS + "stride = true\n", "stride"),
        (SMALL + WEIGHTS + "stride = 1.0\n", "stride"),
        (SMALL + WEIGHTS + "stride = 0\n", "stride"),
        (SMALL + WEIGHTS + "scale = 0.1\nshift = 3\n", "absent beside"),
        (SMALL + WEIGHTS + "multiplier = 3\n", "shift"),
        (SMALL + WEIGHTS + "scale = -0.1\n", "scale"),
        (SMALL + WEIGHTS + "scale = nan\n", "scale"),
        (SMALL + WEIGHTS + "scale = [0.1, 0.2]\n", "scale"),
        (SMALL + WEIGHTS + "input_scale = 0.1\noutput_scale = 0.1\n", "weight_scale"),
        (SMALL + WEIGHTS + "input_scale = 0\nweight_scale = 1\noutput_scale = 0.1\n", "input_scale"),
        (SMALL + WEIGHTS + "input_scale = 1e-60\nweight_scale = 1\noutput_scale = 0.1\n", "input_scale"),
        (SMALL + WEIGHTS + "input_scale = [1, 1, 1]\nweight_scale = 1\noutput_scale = 0.1\n", "input_scale"),
        (SMALL + WEIGHTS + 'requantisation = "none"\noutput_dtype = "int32"\nscale = 1\n', "requantisation none"),
        (SMALL + WEIGHTS + 'requantisation = "onnx"\nshift = 1\n', "requantisation onnx"),
        (SMALL + WEIGHTS + "bias = [1, 2]\n", "bias"),
        (SMALL + WEIGHTS + "bias = 1.5\n", "bias"),
        (SMALL + WEIGHTS + "bias = 9223372036854775807\n", "bias"),
        (SMALL + WEIGHTS + "bias = { seed = -1 }\n", "seed of bias"),
        (SMALL + WEIGHTS + "bias = { seed = 1, frames = 2 }\n", "frames of bias"),
        (SMALL + WEIGHTS + "scale = { seed = 1 }\n", "scale"),
        (SMALL + WEIGHTS + "expected = { seed = 1 }\n", "expected"),
        (SMALL + WEIGHTS + "expected = [[[1]]]\n", "expected"),
        (SMALL + "weights = { seed = 1, low = -129 }\n", "low and high of weights"),
        (SMALL + "weights = { seed = 1, high = 1.5 }\n", "high of weights"),
        (SMALL + "weights = { seed = 1, seeds = 1 }\n", "seeds"),
        (SMALL + "weights = { member = 'w' }\n", "file"),
        (SMALL + "weights = 'missing.npy'\n", "no such file"),
        (SMALL + "weights = '.'\n", "cannot be read"),
        (SMALL + 'weights = "a\\u0000b"\n', "cannot be read"),
        (SMALL + "weights = { file = 'w.npy', member = 'w' }\n", "member of weights"),
        (SMALL + "weights = { file = 'two.npz', member = 'w' }\n", "one of those in two.npz: a, b"),
        (SMALL + "weights = 'two.npz'\n", "member of weights"),
        (SMALL + "weights = 'text.npy'\n", "weights"),
        (SMALL + "weights = 'w.npy'\nweights_layout = 'OIHW'\n", "weights"),
        (SMALL + "weights = 'w.npy'\nweights_layout = 'OOHI'\n", "weights_layout"),
        (SMALL + "weights = 'w.npy'\nweights_layout = 7\n", "weights_layout"),
        (SMALL + "weights = [[1, 2], [3]]\n", "weights"),
        (SMALL + "weights = [[[[[1]]]]]\n", "weights"),
        (SMALL + "weights = []\n", "weights"),
        (SMALL + "weights = [[1.0, 2], [3, 4], [5, 6]]\nweights_layout = 'OI'\n", "weights"),
        (SMALL + "weights = [[1, 200], [3, 4], [5, 6]]\nweights_layout = 'OI'\n", "weights"),
        (SMALL + WEIGHTS + "input = [[[1]]]\n", "input"),
        (SMALL + WEIGHTS + "weights_layout = 'OHWI'\n", "weights_layout"),
        (SMALL + WEIGHTS + "name = 1979-05-27\n", "date"),
        (SMALL + WEIGHTS + "stride = 9223372036854775808\n", "64 bits"),
        (SMALL + WEIGHTS + "stride = 0x" + "f" * 60000 + "\n", "64 bits"),
        (SMALL + WEIGHTS + "stride = " + "1" * 60000 + "\n", "not TOML"),
        (SMALL + WEIGHTS + "name = '" + "x" * 201 + "'\n", "characters"),
        (SMALL + WEIGHTS + "kernel2 = " + "[" * 50 + "]" * 50, "nested"),
        (SMALL + WEIGHTS + "kernel2 = " + "[" * 5000 + "]" * 5000, "nested"),
        (SMALL + WEIGHTS + ".".join("a" * 40000) + " = 1", "dots"),
        (SMALL + WEIGHTS + '"a".' * 40000 + "a = 1", "dots"),
        (SMALL + WEIGHTS + "stride = [" + "1," * 60000 + "]", "characters"),
        (SMALL + WEIGHTS + SMALL, "not TOML"),
        ("x" * (1 << 18) + "\n", "bytes"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_line(write, tmp_path, text, word):
    np.save(tmp_path / "w.npy", numbered((3, 1, 1, 2)))
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.savez(tmp_path / "two.npz", a=numbered((3, 1, 1, 2)), b=numbered((3, 1, 1, 2)))
    with pytest.raises(HwconvError, match=re.escape(word)) as caught:
        load_toml(write(text))
    assert len(str(caught.value)) < 1000


def test_a_tensor_that_costs_the_file_nothing_is_bounded(write):
    text = "height = 1\nwidth = 1\nin_channels = 100000\nout_channels = 10000\nkernel = 1\n" + WEIGHTS
    with pytest.raises(SpecError, match="1000000000 values from a seed"):
        load_toml(write(text))
    with pytest.raises(SpecError, match="values from a seed"):
        load_toml(write(SMALL + WEIGHTS + "input = { seed = 1, frames = 60000000 }\n"))


def test_files_are_bounded_together(write, tmp_path, monkeypatch):
    monkeypatch.setattr("hwconv.frontend.tensor_source.MAX_ARCHIVE_BYTES", 100)
    np.save(tmp_path / "w.npy", numbered((3, 1, 1, 2)))
    np.save(tmp_path / "b.npy", np.zeros(3, np.int32))
    text = SMALL + 'weights = "w.npy"\nbias = "b.npy"\n'
    load_toml(write(text))
    np.save(tmp_path / "x.npy", np.zeros((5, 4, 2), np.int8))
    load_toml(write(text + 'input = "x.npy"\n'))
    np.save(tmp_path / "x.npy", np.zeros((3, 5, 4, 2), np.int8))
    with pytest.raises(FormatError, match="with the other files more than 100 bytes"):
        load_toml(write(text + 'input = "x.npy"\n'))


def test_only_the_ending_makes_a_text_a_layer(write):
    text = SMALL + WEIGHTS
    with pytest.raises(FormatError, match=r"neither an \.npz or \.toml layer file"):
        load(write(text, "layer.txt"))
    with pytest.raises(UnsupportedError, match="layer = 1"):
        load(write(text), layer=1)
    assert isinstance(load(write(text)), LayerFile)


def test_the_commands_take_a_description(write, capsys):
    path = write(SMALL + WEIGHTS + "bias = { seed = 2 }\n", "small.toml")
    commands = (
        ["plan", path],
        ["compare", path, "--simulator", "icarus"],
        ["sim", path, "--simulator", "icarus"],
        ["generate", path, "-o", path.parent / "engine"],
    )
    for arguments in commands:
        with pytest.raises(SystemExit) as caught:
            main([str(each) for each in arguments])
        assert caught.value.code == 0, capsys.readouterr().err
    assert "exact" in capsys.readouterr().out
    assert (path.parent / "engine" / "manifest.json").exists()
