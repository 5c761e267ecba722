"""Layers split into rows and columns: the parts are laid out as they must be, and every figure is what it says."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import MATERIAL

from hwconv import api, golden
from hwconv.cli import main
from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.factorise import factorise, quantise_filters
from hwconv.frontend import load, load_layer, load_toml
from hwconv.frontend.tflite import read_model
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec, dtype_range, storage_dtype

PAGE = (Path(__file__).parent.parent / "docs" / "factorise.md").read_text(encoding="utf-8")

SHAPES = {
    "dense": {},
    "strided": {"stride": (2, 3), "padding": (2, 0, 1, 3)},
    "dilated": {"dilation": (2, 1), "padding": (1, 3, 0, 2), "input_zero_point": -77},
    "grouped": {"groups": 2, "stride": (1, 2), "dilation": (1, 2), "padding": (1, 1, 2, 2)},
    "depthwise": {"groups": 4, "padding": (1, 1, 1, 1)},
    "transposed": {"transposed": True, "stride": (3, 2), "output_padding": (1, 0), "padding": (1, 0, 0, 2)},
    "transposed and grouped": {"transposed": True, "stride": (2, 3), "dilation": (2, 1), "groups": 2},
    "streaming": {"streaming": True, "stride": (3, 1), "padding": (3, 0, 1, 1)},
    "uint8": {"input_dtype": "uint8", "weight_dtype": "uint8", "output_dtype": "uint8", "input_zero_point": 131,
              "weight_zero_point": 117, "output_zero_point": 12, "requantisation": "onnx", "padding": (1, 1, 1, 1)},
    "shift": {"requantisation": "shift", "activation_min": -100, "activation_max": 90},
    "int4": {"input_dtype": "int4", "weight_dtype": "int4", "padding": (1, 1, 1, 1)},
}  # fmt: skip


def draw_layer(random, changes):
    size = {"height": 9, "width": 11, "in_channels": 4, "out_channels": 8, "kernel": (3, 4)}
    spec = ConvSpec.from_dict({"name": "layer", **size, **changes})
    low, high = dtype_range(spec.weight_dtype)
    weights = random.integers(low, high + 1, spec.weight_shape)
    reach = 50 * high * np.sqrt(spec.taps * spec.group_in_channels)
    x_low, x_high = dtype_range(spec.input_dtype)
    reach *= (x_high - x_low) / 255
    scales = random.uniform(0.5, 1.5, spec.out_channels) * 60 / reach
    exponents = np.ceil(np.log2(scales)).astype(int)
    parameters = LayerParameters(
        weights=weights,
        bias=random.integers(-int(reach / 9) - 1, int(reach / 9) + 2, spec.out_channels),
        multiplier=(scales / 2.0**exponents * (1 << 31)).astype(np.int32),
        shift=exponents.astype(np.int32),
        scale=scales.astype(np.float32),
    )
    x = random.integers(x_low, x_high + 1, (2, *spec.input_shape)).astype(storage_dtype(spec.input_dtype))
    return Layer(spec, parameters), x


def scales_of(layer):
    """What the integers of each mode mean, from the definitions of hwconv/golden/requantise.py."""
    parameters = layer.parameters
    if layer.spec.requantisation == "onnx":
        return parameters.scale.astype(float)
    if layer.spec.requantisation == "shift":
        return 2.0**parameters.shift
    return parameters.multiplier * 2.0 ** (parameters.shift - 31.0)


def kernel_of(layer):
    """Weights in output units, element by element."""
    kernel = np.empty(layer.spec.weight_shape)
    for place in np.ndindex(*kernel.shape):
        kernel[place] = (int(layer.parameters.weights[place]) - layer.spec.weight_zero_point) * scales_of(layer)[
            place[0]
        ]
    return kernel


def convolve(spec, kernel, x):
    """A convolution of real numbers around zero, tap by tap from the definition."""
    if spec.streaming:  # frames with the rows that came before them
        rows = spec.padding.top
        sequence = np.concatenate([np.zeros((rows, *x.shape[2:])), x.reshape(-1, *x.shape[2:])])
        x = np.stack([sequence[n * spec.height : (n + 1) * spec.height + rows] for n in range(len(x))])
        padding = spec.padding._replace(top=0)
        spec = replace(spec, streaming=False, height=spec.height + rows, padding=padding)
    y = np.zeros((len(x), *spec.output_shape))
    inputs, outputs = spec.in_channels // spec.groups, spec.out_channels // spec.groups
    sizes = ((spec.out_height, spec.out_width), (spec.height, spec.width))
    for ky, kx in np.ndindex(*spec.kernel):
        for row, column in np.ndindex(*sizes[spec.transposed]):
            at = (row * spec.stride[0] + ky * spec.dilation[0] - spec.padding.top,
                  column * spec.stride[1] + kx * spec.dilation[1] - spec.padding.left)  # fmt: skip
            limits = sizes[not spec.transposed]
            if not (0 <= at[0] < limits[0] and 0 <= at[1] < limits[1]):
                continue
            (oy, ox), (iy, ix) = (at, (row, column)) if spec.transposed else ((row, column), at)
            for group in range(spec.groups):
                read, written = (slice(group * n, (group + 1) * n) for n in (inputs, outputs))
                y[:, oy, ox, written] += x[:, iy, ix, read] @ kernel[written, ky, kx].T
    return y


@pytest.mark.parametrize("shape", SHAPES)
def test_the_parts_compose_to_the_layer(seed, shape):
    """At full rank, real sums of the parts' own weights and scales are those of the layer, but for the quantisation."""
    random = np.random.default_rng([seed, *shape.encode()])
    layer, x = draw_layer(random, SHAPES[shape])
    full = min(3 * 8 // layer.spec.groups, 4 * 4 // layer.spec.groups)
    parts = factorise(layer, x, rank=full)
    assert parts.full_rank == full
    assert parts.error_before < 1e-12
    first, second = parts.horizontal.spec, parts.vertical.spec
    assert (first.kernel, second.kernel) == ((1, 4), (3, 1))
    assert first.output_shape == second.input_shape
    assert second.output_shape == layer.spec.output_shape
    assert not parts.horizontal.parameters.biases.any()
    real = convolve(layer.spec, kernel_of(layer), x.astype(float) - layer.spec.input_zero_point)
    between = convolve(first, kernel_of(parts.horizontal), x.astype(float) - layer.spec.input_zero_point)
    composed = convolve(second, kernel_of(parts.vertical), between)
    np.testing.assert_allclose(composed, real, atol=0.03 * np.abs(real).max())
    assert np.linalg.norm(composed - real) < 0.01 * np.linalg.norm(real)
    # and in integers: the calibrated range between is used, and not left on these data
    low, high = dtype_range(first.output_dtype)
    rounded = np.rint(between) + first.output_zero_point
    assert low - 1 <= rounded.min() <= rounded.max() <= high + 1
    assert np.ptp(parts.between.astype(int)) > 0.9 * (high - low)
    assert parts.signal_to_noise > 30


@pytest.mark.parametrize("shape", ["dense", "grouped", "depthwise", "transposed", "uint8"])
def test_figures_are_what_they_say(seed, shape):
    random = np.random.default_rng([seed, 1, *shape.encode()])
    layer, x = draw_layer(random, SHAPES[shape])
    spec, kernel = layer.spec, kernel_of(layer)
    inputs, outputs = spec.in_channels // spec.groups, spec.out_channels // spec.groups
    squares = np.zeros(min(3 * outputs, 4 * inputs))
    for group in range(spec.groups):
        matrix = np.empty((outputs * 3, inputs * 4))
        for o, ky, kx, i in np.ndindex(outputs, 3, 4, inputs):
            matrix[o * 3 + ky, i * 4 + kx] = kernel[group * outputs + o, ky, kx, i]
        squares += np.linalg.svd(matrix, compute_uv=False) ** 2
    for rank in range(1, len(squares) + 1):
        parts = factorise(layer, x, rank=rank)
        best = np.sqrt(squares[rank:].sum() / squares.sum())  # Eckart and Young: no separable kernel comes closer
        assert parts.error_before == pytest.approx(best, abs=1e-7)
        across, down = kernel_of(parts.horizontal), kernel_of(parts.vertical)
        composed = np.zeros_like(kernel)
        for o, ky, kx, i in np.ndindex(*kernel.shape):
            group = o // outputs
            for r in range(rank):
                composed[o, ky, kx, i] += down[o, ky, 0, r] * across[group * rank + r, 0, kx, i]
        error = np.linalg.norm(composed - kernel) / np.linalg.norm(kernel)
        assert parts.error_after == pytest.approx(error, rel=1e-9)
        assert best - 1e-6 < error < best + 0.02
        found = golden.run(parts.vertical, golden.run(parts.horizontal, x, fast=False), fast=False).astype(int)
        difference = found - golden.run(layer, x).astype(int)
        signal = golden.run(layer, x).astype(float) - spec.output_zero_point
        assert parts.largest_error == max(abs(difference.min()), difference.max())
        assert parts.mean_error == pytest.approx(sum(map(abs, difference.reshape(-1).tolist())) / difference.size)
        assert parts.equal_share == pytest.approx(difference.reshape(-1).tolist().count(0) / difference.size)
        ratio = 10 * np.log10((signal**2).sum() / (difference.astype(float) ** 2).sum())
        assert parts.signal_to_noise == pytest.approx(ratio)
        if not spec.transposed:
            first = spec.height * parts.horizontal.spec.out_width * spec.groups * rank * 4 * inputs
            second = spec.out_height * spec.out_width * spec.out_channels * 3 * rank
            assert parts.macs == (spec.macs, first + second)


def test_an_error_asks_for_the_least_rank_that_keeps_it(seed):
    layer, x = draw_layer(np.random.default_rng(seed), SHAPES["dense"])
    errors = [factorise(layer, x, rank=rank).error_before for rank in range(1, 17)]
    assert errors == sorted(errors, reverse=True)
    for asked in (0.9, 0.5, 0.2, errors[4], errors[4] * 0.999, 0.0):
        parts = factorise(layer, x, error=asked)
        assert parts.error_before <= asked
        assert parts.rank == 1 or errors[parts.rank - 2] > asked


SOBEL = np.outer([1, 2, 1], [-1, 0, 1])
SEPARABLE = {
    "sobel across": SOBEL,
    "sobel down": SOBEL.T,
    "binomial": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]),
    "box": np.ones((2, 7), int),
    "edge of a box": np.outer([3, -2], [5, 0, 0, -7]),
}


@pytest.mark.parametrize("name", SEPARABLE)
def test_a_separable_filter_is_exact_in_its_weights(seed, name):
    """Before and after quantisation; outputs differ by the one rounding between the parts."""
    kernel = SEPARABLE[name]
    spec = ConvSpec(height=12, width=10, in_channels=1, out_channels=1, kernel=kernel.shape, padding=(2, 1, 3, 0))
    scale = 100 / (128 * np.abs(kernel).sum())
    exponent = int(np.ceil(np.log2(scale)))
    multiplier = np.array([int(scale / 2.0**exponent * (1 << 31))], np.int32)
    weights = kernel.reshape(1, *kernel.shape, 1)
    layer = Layer(spec, LayerParameters(weights=weights, multiplier=multiplier, shift=np.array([exponent], np.int32)))
    x = np.random.default_rng(seed).integers(-128, 128, (3, *spec.input_shape)).astype(np.int8)
    parts = factorise(layer, x, rank=1)
    assert parts.error_before == 0
    assert parts.error_after < 1e-8
    assert parts.largest_error <= 2
    assert factorise(layer, x, error=0.0).rank == 1


def test_filters_take_the_grid_that_fits_them():
    filters, steps = quantise_filters(np.array([[1.0, 2, 1], [-1, 0, 1], [0, 0, 0], [0.3, -0.9, 0.7]]))
    assert filters[:3].tolist() == [[63, 126, 63], [-127, 0, 127], [0, 0, 0]]
    assert (steps > 0).all()
    np.testing.assert_allclose(filters[3] * steps[3], [0.3, -0.9, 0.7], atol=0.9 / 127)
    grids = [
        np.linalg.norm(np.rint(np.array([0.3, -0.9, 0.7]) / 0.9 * n) * 0.9 / n - [0.3, -0.9, 0.7])
        for n in range(64, 128)
    ]
    assert np.linalg.norm(filters[3] * steps[3] - [0.3, -0.9, 0.7]) == pytest.approx(min(grids))


def test_signs_do_not_depend_on_the_decomposition(seed):
    """A kernel and its negative have the same horizontal part, unless the data say otherwise."""
    layer, x = draw_layer(np.random.default_rng(seed), {"weight_dtype": "int4"})
    parameters = layer.parameters
    weights = np.clip(parameters.weights, -7, 7)
    found = []
    for sign in (1, -1):
        given = LayerParameters(weights=weights * sign, multiplier=parameters.multiplier, shift=parameters.shift)
        found.append(factorise(Layer(layer.spec, given), x, rank=3))
    one, other = (parts.horizontal.parameters.weights for parts in found)
    np.testing.assert_array_equal(one, other)
    one, other = (parts.vertical.parameters.weights for parts in found)
    np.testing.assert_array_equal(one, -other)


def test_data_and_channels_that_are_nothing(seed):
    """A channel without weights keeps its bias; data that reach nothing leave the range to the worst case."""
    layer, x = draw_layer(np.random.default_rng(seed), {})
    weights = np.array(layer.parameters.weights)
    weights[2] = 0
    parameters = LayerParameters(weights=weights, bias=layer.parameters.bias, multiplier=layer.parameters.multiplier,
                                 shift=layer.parameters.shift)  # fmt: skip
    silent = Layer(layer.spec, parameters)
    parts = factorise(silent, x, rank=16)
    np.testing.assert_array_equal(parts.found[..., 2], golden.run(silent, x)[..., 2])
    zero = np.zeros_like(x)
    parts = factorise(silent, zero, rank=4)
    assert parts.equal_share == 1
    assert parts.signal_to_noise == np.inf
    assert parts.to_json()["outputs"]["signal_to_noise_db"] is None
    found = golden.run(parts.vertical, golden.run(parts.horizontal, x)).astype(int)
    assert np.corrcoef(found.reshape(-1), golden.run(silent, x).reshape(-1))[0, 1] > 0.5
    nothing = Layer(layer.spec, LayerParameters(weights=weights * 0, multiplier=layer.parameters.multiplier,
                                                shift=layer.parameters.shift))  # fmt: skip
    assert factorise(nothing, x, rank=1).equal_share == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kernel": (1, 4)}, "kernel"),
        ({"kernel": (3, 1)}, "kernel"),
        ({"requantisation": "none", "output_dtype": "int32"}, "requantisation"),
        ({"input_dtype": "int16", "output_dtype": "int16"}, "input_dtype"),
        ({"input_dtype": "int16", "output_dtype": "int16", "requantisation": "tflite16"}, "input_dtype"),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(seed, changes, field):
    layer, x = draw_layer(np.random.default_rng(seed), changes)
    with pytest.raises(UnsupportedError) as caught:
        factorise(layer, x, rank=1)
    assert caught.value.field == field


@pytest.mark.parametrize("asked", [{"rank": 0}, {"rank": 17}, {"error": -0.1}, {"error": 1.0}, {"error": np.nan}, {},
                                   {"rank": 1, "error": 0.1}])  # fmt: skip
def test_ranks_and_errors_out_of_range_are_refused(seed, asked):
    layer, x = draw_layer(np.random.default_rng(seed), {})
    with pytest.raises(SpecError):
        factorise(layer, x, **asked)


def test_a_kernel_whose_decomposition_would_take_hours_is_refused(monkeypatch, seed):
    monkeypatch.setattr("hwconv.factorise.split.MAX_SIDE", 15)
    layer, x = draw_layer(np.random.default_rng(seed), {})
    with pytest.raises(UnsupportedError, match=r"kernel as a matrix = \(24, 16\)"):
        factorise(layer, x, rank=1)


TEXT = "name = 'a/b'\nheight = 6\nwidth = 5\nin_channels = 2\nout_channels = 2\nkernel = 3\nweights = { seed = 1 }\n"


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in arguments])
    return caught.value.code


def test_the_command_writes_layers_that_every_command_takes(tmp_path, capsys):
    file, folder = tmp_path / "layer.toml", tmp_path / "parts"
    file.write_text(TEXT)
    assert run("factorise", file, "--rank", 2, "-o", folder, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["rank"] == 2
    first, second = load(folder / "horizontal.npz"), load(folder / "vertical.npz")
    between = golden.run(first.layer, first.input)
    np.testing.assert_array_equal(between, second.input)
    difference = golden.run(second.layer, between).astype(int) - golden.run(load_toml(file).layer, first.input)
    assert report["outputs"]["largest_error"] == np.abs(difference).max()
    assert report["macs"] == {"before": 4 * 3 * 2 * 18, "after": 6 * 3 * 2 * 6 + 4 * 3 * 2 * 6}
    assert run("compare", folder / "horizontal.npz", folder / "vertical.npz", "--simulator", "icarus") == 0
    assert capsys.readouterr().out.count("exact") == 2
    assert run("factorise", file, "--rank", 2, "-o", folder) == 1
    assert "--force" in capsys.readouterr().err
    assert run("factorise", file, "--error", 0.9, "-o", folder, "--force") == 0
    assert "saved" in capsys.readouterr().out
    assert load(folder / "horizontal.npz").layer.spec.out_channels == 1


def test_the_command_measures_with_given_frames(tmp_path, capsys):
    file = tmp_path / "layer.toml"
    file.write_text(TEXT)
    np.save(tmp_path / "x.npy", np.full((1, 6, 5, 2), 5, np.int8))
    assert run("factorise", file, "--rank", 2, "--input", tmp_path / "x.npy", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outputs"]["frames"] == 1
    with pytest.raises(FormatError, match="no such file"):
        api.factorise(file, rank=1, input=tmp_path / "y.npy")
    for wrong in (["--rank", "0"], [], ["--rank", "1", "--error", "0.1"], ["--error", "nan"], ["--error", "2"]):
        assert run("factorise", file, *wrong) in (1, 2)
        error = capsys.readouterr().err
        assert error.startswith("hwconv: error: ")
        assert error.count("\n") == 1


def test_a_refusal_writes_nothing(tmp_path):
    file = tmp_path / "layer.toml"
    file.write_text(TEXT)
    with pytest.raises(HwconvError):
        api.factorise(file, tmp_path / "parts", rank=7)
    assert not (tmp_path / "parts").exists()


def test_the_example_of_the_page(tmp_path, monkeypatch, capsys):
    """The page's file and command give the page's output; only the last figures may differ between processors."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    ((arguments, shown),) = re.findall(r"\$ hwconv (factorise .*?)\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("blur.toml").write_text(text)
    assert run(*arguments.split()) == 0
    found = capsys.readouterr().out
    assert re.sub(r"[\d.e-]+ after", "... after", found) == re.sub(r"[\d.e-]+ after", "... after", shown)
    (after,) = re.findall(r"([\d.e-]+) after", found)
    assert float(after) < 1e-9


ROWS = re.findall(r"^\| (\w+)\.tflite \| (\d+) \|(.*)\|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("model", "index", "cells"), ROWS, ids=[f"{m}-{i}-{c.split('|')[3].strip()}" for m, i, c in ROWS]
)
def test_the_table_of_the_page(material, model, index, cells):
    (path,) = material.glob(f"m*/{model}.tflite")
    tensors = np.load(MATERIAL / "goldens" / f"{ {'mcunet_vww': 'vww_mcunet'}.get(model, model) }.npz")
    layer = load_layer(path, int(index))
    number = read_model(path)[int(index)].inputs[0]
    (name,) = [name for name in tensors.files if name.endswith(f"tensor_{number}")]
    cells = [cell.strip() for cell in cells.split("|")]
    rank, full = map(int, cells[3].split(" of "))
    parts = factorise(layer, tensors[name].reshape(-1, *layer.spec.input_shape), rank=rank)
    assert cells[0] == "{}x{}".format(*layer.spec.kernel)
    assert cells[1] == f"{layer.spec.in_channels} -> {layer.spec.out_channels}"
    assert (int(cells[2]), full) == (layer.spec.groups, parts.full_rank)
    assert tuple(int(number.replace(",", "")) for number in cells[4].split(" -> ")) == parts.macs
    assert float(cells[5]) == pytest.approx(parts.error_before, abs=1e-4)
    assert float(cells[6]) == pytest.approx(parts.error_after, abs=2e-4)
    assert float(cells[7].rstrip("%")) == pytest.approx(100 * parts.equal_share, abs=0.5)
    assert float(cells[8]) == pytest.approx(parts.largest_error, abs=1)
    assert float(cells[9]) == pytest.approx(parts.mean_error, abs=0.02)
    assert float(cells[10]) == pytest.approx(parts.signal_to_noise, abs=0.2)
