"""Whole models as one accelerator: exact on every input of the material, at the predicted cycles; what is refused."""

import json
from pathlib import Path

import numpy as np
import onnx_networks
import pytest
import random_networks
from checked_graphs import graph_plan, network_of, residual
from test_random_networks import micro

from hwconv.cli import main
from hwconv.errors import FormatError, SpecError, UnsupportedError
from hwconv.golden import graph as golden_graph
from hwconv.graphs.run import compare_graph
from hwconv.networks import compare_network, load_network, plan_network
from hwconv.plan.graph_plan import plan_graph

TARGET = "lfe5u-85f-6"
MODELS = {
    "micro_speech_quantized": "models/micro_speech_quantized.tflite",
    "str_ww_ref_model": "mlperf_tiny/str_ww_ref_model.tflite",
    "person_detect": "models/person_detect.tflite",
    "pretrainedResnet_quant": "mlperf_tiny/pretrainedResnet_quant.tflite",
    "kws_ref_model": "mlperf_tiny/kws_ref_model.tflite",
    "vww_96_int8": "mlperf_tiny/vww_96_int8.tflite",
    "ad01_int8": "mlperf_tiny/ad01_int8.tflite",
}
QUICK = ("micro_speech_quantized",)


def known_of(material: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, and the outputs that TensorFlow Lite Micro gave for them."""
    with np.load(material / "goldens" / f"{name}.npz", allow_pickle=False) as goldens:
        x, y = goldens["input"], goldens["out0_tflm"]
    return x, y.reshape(len(x), -1)


def outcome(*arguments) -> int:
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    return int(ending.value.code or 0)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]
)
def test_every_known_output_and_every_tensor_is_exact(name, material):
    path = material / MODELS[name]
    x, y = known_of(material, name)
    loaded = load_network(path)
    assert loaded.model is not None
    x = x.reshape(len(x), *loaded.model.input.shape[1:])
    result = compare_network(
        path, input=x, expected=y.reshape(len(y), *loaded.model.output.shape[1:]), target=TARGET, every_tensor=True
    )
    assert not result.failure, result.describe()
    assert result.expected_outputs == y.size
    # What a reshape gives is not moved again.
    computed = {node.name for node in loaded.network.graph.computed} | {"input"}
    assert {each.name for each in result.tensors} == computed
    sizes = {tensor: int(np.prod(loaded.network.graph.tensors[tensor].shape)) for tensor in computed}
    for each in result.tensors:
        assert each.mismatches == 0
        assert each.values >= len(x) * sizes[each.name]


def of_many_kinds(random: np.random.Generator, dtype: str) -> random_networks.Network:
    """A convolution, a window of each kind, several side by side, and a vector at the end, quantised as one of int8."""
    network = random_networks.Network(random, "int8" if dtype == "uint8" else dtype, per_channel=dtype != "uint8")
    network.tensor((1, 8, 7, 4), network.dtype, [0.25], [network.zero_point()])
    random_networks.convolution(network, channels=4, shrink=False)
    random_networks.window_of(network, "MAX_POOL_2D", (2, 2))
    random_networks.concatenation(network)
    if dtype == "uint8":
        random_networks.addition(network)
    random_networks.window_of(network, "AVERAGE_POOL_2D", (3, 3))
    random_networks.transposed(network)
    inputs = int(np.prod(network.x.shape))
    network.weighted("FULLY_CONNECTED", network.last, (6, inputs), (1, 6), {})
    return network


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_networks_of_other_types_are_exact_in_hardware(dtype, seed, tmp_path, capsys):
    """TensorFlow Lite Micro's outputs, every tensor between engines, latency and interval; the package says the type.

    It has no kernels for uint8: there it computes the same network with every value and zero point 128 lower.
    """
    network = of_many_kinds(np.random.default_rng([seed, *dtype.encode()]), dtype)
    x = random_networks.frames(network, 3)
    path, known = tmp_path / "network.tflite", micro(random_networks.coarse(network).content(), x)
    path.write_bytes(network.content())
    if dtype == "uint8":
        path.write_bytes(random_networks.unsigned(network).content())
        x, known = ((each.astype(int) + 128).astype(np.uint8) for each in (x, known))
    assert len(np.unique(known)) > 4
    fields = {"input": x, "expected": known, "target": "lfe5u-45f-6"}
    result = compare_network(path, **fields, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert result.expected_outputs == known.size
    graph = load_network(path).network.graph
    assert {tensor.dtype for tensor in graph.tensors.values()} == {dtype}
    assert {each.name for each in result.tensors} == {node.name for node in graph.computed} | {"input"}
    assert outcome("compile", path, "--multipliers", 24, "-o", tmp_path / "package") == 0
    header = (tmp_path / "package" / "include" / "network.h").read_text()
    value_bytes = 2 if dtype == "int16" else 1
    for side, values in (("INPUT", 8 * 7 * 4), ("OUTPUT", 6)):
        assert f"{side}_VALUE_BYTES {value_bytes}\n" in header
        assert f"{side}_BYTES {value_bytes * values}\n" in header
    assert f"8 x 7 x 4 {dtype}, zero point" in (tmp_path / "package" / "README.md").read_text()


@pytest.mark.parametrize("partition", ["auto", "program"])
def test_layers_of_a_uint8_network_may_share_an_engine(partition, tmp_path):
    """What TensorFlow Lite Micro gives for the same network 128 lower, at the predicted cycles."""
    network = random_networks.Network(np.random.default_rng(9), per_channel=False)
    network.tensor((1, 7, 6, 4), scales=[0.25], zero_points=[-4])
    for channels in (8, 4, 8):
        random_networks.convolution(network, channels=channels, shrink=False)
    path, x = tmp_path / "network.tflite", random_networks.frames(network, 4)
    known = micro(random_networks.coarse(network).content(), x)
    path.write_bytes(random_networks.unsigned(network).content())
    x, known = ((each.astype(int) + 128).astype(np.uint8) for each in (x, known))
    assert len(np.unique(known)) > 8
    target = "lfe5u-25f-6"
    plan = plan_network(path, target=target, partition=partition)
    assert partition == "auto" or [len(layers) for layers in plan.programs] == [3]
    result = compare_network(
        path, input=x, expected=known, target=target, partition=partition, simulator="icarus", every_tensor=True
    )
    assert not result.failure, result.describe()
    assert result.expected_outputs == known.size


def test_an_onnx_network_of_uint8_is_exact_in_hardware(tmp_path):
    """onnxruntime's outputs, with weights of both types."""
    network = onnx_networks.start(np.random.default_rng(11), real=False, dtype="uint8")
    network.given = network.shape = (1, 3, 7, 6)
    onnx_networks.convolution(network, channels=4, shrink=False)
    onnx_networks.max_pool(network)
    onnx_networks.concatenation(network)
    onnx_networks.convolution(network, channels=5)
    path, x, model = tmp_path / "network.onnx", onnx_networks.frames(network, 4), network.model()
    path.write_bytes(model.SerializeToString())
    known, _ = onnx_networks.run_oracles(model, x, alone=True)
    assert known.dtype == np.uint8
    assert len(np.unique(known)) > 8
    result = compare_network(path, input=x, expected=known, multipliers=24, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert result.expected_outputs == known.size
    graph = load_network(path).network.graph
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"uint8"}
    assert {node.spec.weight_dtype for node in graph.convolutions} == {"int8", "uint8"}


def test_a_model_of_every_operator_that_moves_or_averages_is_exact_in_hardware(tmp_path):
    """Frames enlarged in both ways, axes in another order, means along one axis after the other; known from TensorFlow
    Lite Micro.
    """
    network = random_networks.Network(np.random.default_rng(12))
    network.tensor((1, 4, 3, 4), scales=[0.05], zero_points=[-9])
    random_networks.convolution(network, channels=8, shrink=False)
    shape = {"DEPTH_TO_SPACE": (1, 8, 6, 2), "RESIZE_NEAREST_NEIGHBOR": (1, 8, 18, 2), "TRANSPOSE": (1, 2, 8, 18)}
    network.append("DEPTH_TO_SPACE", [network.last], shape["DEPTH_TO_SPACE"], {"BlockSize": 2}, like=network.last)
    for name, numbers in (("RESIZE_NEAREST_NEIGHBOR", (8, 18)), ("TRANSPOSE", (0, 3, 1, 2))):
        network.append(name, [network.last, network.constant(numbers)], shape[name], like=network.last)
    for axis, left in ((3, (1, 2, 8)), (2, (1, 2))):
        network.append("MEAN", [network.last, network.constant([axis])], left, {"KeepDims": False},
                       scales=[0.02 * axis], zero_points=[axis])  # fmt: skip
    path, content = tmp_path / "moved.tflite", network.content()
    path.write_bytes(content)
    x = random_networks.frames(network, 5)
    known = micro(content, x)
    assert len(np.unique(known)) > 4
    result = compare_network(path, input=x, expected=known, simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    assert result.expected_outputs == known.size
    made = ("conv_2d", "depth_to_space", "resize_nearest_neighbor", "", "mean", "mean")
    computed = {f"op{index}_{name}" for index, name in enumerate(made) if name}
    assert {each.name for each in result.tensors} == {"input", *computed}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "target", "optimise"),
    [
        ("ad01_int8", TARGET, "latency"),
        ("kws_ref_model", "lfe5u-25f-6", "latency"),
        ("kws_ref_model", "lfe5u-12f-6", "interval"),
        ("vww_96_int8", TARGET, "latency"),
        ("pretrainedResnet_quant", TARGET, "latency"),
    ],
)
def test_layers_that_share_an_engine_give_every_known_output_and_every_tensor(name, target, optimise, material):
    path = material / MODELS[name]
    x, y = known_of(material, name)
    loaded = load_network(path)
    assert loaded.model is not None
    assert plan_network(loaded, target=target, optimise=optimise).programs
    result = compare_network(
        path,
        input=x.reshape(len(x), *loaded.model.input.shape[1:]),
        expected=y.reshape(len(y), *loaded.model.output.shape[1:]),
        target=target,
        optimise=optimise,
        every_tensor=True,
    )
    assert not result.failure, result.describe()
    assert {each.name for each in result.tensors} == {node.name for node in loaded.network.graph.computed} | {"input"}
    assert not any(each.mismatches for each in result.tensors)


def test_what_goes_from_layer_to_layer_of_one_engine_is_compared_too():
    result = compare_graph(graph_plan("shared"), simulator="icarus", every_tensor=True)
    assert not result.failure, result.describe()
    sizes = {each.name: each.values for each in result.tensors}
    assert sizes.keys() == {"input", "first", "channels", "points", "halves", "flat", "pooled", "full", "both"}
    assert sizes["points"] >= 4 * 5 * 6 * 8


def test_a_tensor_that_differs_is_named(monkeypatch):
    """The golden model of one tensor is wrong by one value; what leaves is right."""
    plan = plan_graph(network_of(residual()))
    right = golden_graph.run_all

    def wrong(network, x):
        tensors = right(network, x)
        tensors["deep"] = tensors["deep"].copy()
        tensors["deep"][1, 2, 3, 1] ^= 1
        return tensors

    monkeypatch.setattr(golden_graph, "run_all", wrong)
    result = compare_graph(plan, simulator="icarus", every_tensor=True)
    assert result.mismatches == 1
    assert result.failure.startswith("tensor deep: frame 1, element (2, 3, 1): ")


def test_compare_says_exact_of_a_model_and_compile_writes_its_package(material, tmp_path, capsys):
    path = material / MODELS["micro_speech_quantized"]
    x, y = known_of(material, "micro_speech_quantized")
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    sent = ("--input", tmp_path / "x.npy", "--expected", tmp_path / "y.npy")
    assert outcome("compare", path, "--target", TARGET, *sent, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["exact"]
    assert found["as_predicted"]
    assert found["expected_outputs"] == y.size
    y[0, 0] ^= 1
    np.save(tmp_path / "y.npy", y)
    assert outcome("compare", path, "--target", TARGET, *sent) == 1
    assert "differs from the known outputs" in capsys.readouterr().err
    assert outcome("compile", path, "--target", TARGET, "--explain", "-o", tmp_path / "package") == 0
    text = capsys.readouterr().out
    assert "what binds" in text
    manifest = json.loads((tmp_path / "package" / "manifest.json").read_text())
    assert manifest["top"] == "micro_speech_quantized"


def test_a_part_that_is_too_small_says_by_how_much_and_what_would_do(material, capsys):
    """The weights of the visual wake words model take more block RAMs than the smallest ECP5 has, however shared."""
    layers = load_network(material / MODELS["vww_96_int8"]).network.layers.values()
    blocks = -(-8 * sum(layer.parameters.weights.size for layer in layers) // 18_432)
    for partition, engines in (("engines", "an engine for each of 28 layers takes"), ("auto", "take")):
        arguments = ("--target", "lfe5u-12f-6", "--partition", partition)
        assert outcome("compile", material / MODELS["vww_96_int8"], *arguments) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("hwconv: error: vww_96_int8: ")
        assert engines in said
        assert " block RAMs of 32" in said
        assert f"(weights alone: {blocks})" in said
        assert said.endswith(": by estimate lfe5u-85f-6 holds it")


@pytest.mark.slow
def test_a_network_that_no_part_holds_says_so(material, capsys):
    assert outcome("compile", material / "models" / "mcunet_vww.tflite", "--target", TARGET) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert " block RAMs of 208 " in said
    assert said.endswith(": there is no larger target")


def test_what_is_no_network_is_refused(material, tmp_path):
    with pytest.raises(UnsupportedError, match="float32"):
        load_network(material / "mlperf_tiny" / "ad01_fp32.tflite")
    (tmp_path / "nothing.txt").write_text("nothing at all")
    with pytest.raises(FormatError, match="neither a model"):
        load_network(tmp_path / "nothing.txt")
    path = material / MODELS["micro_speech_quantized"]
    with pytest.raises(SpecError, match="input"):
        compare_network(path, input=np.zeros((2, 7), np.int8))
    with pytest.raises(SpecError, match="together with the input"):
        compare_network(path, expected=np.zeros((2, 4), np.int8), frames=2)


def test_a_plan_is_the_same_for_a_file_and_for_what_was_read(material):
    path = material / MODELS["micro_speech_quantized"]
    one, other = plan_network(path, target=TARGET), plan_network(load_network(path), target=TARGET)
    assert one.summary() == other.summary()


def test_what_to_optimise_is_never_ignored(material, capsys):
    path = material / MODELS["micro_speech_quantized"]
    for fields in ({}, {"target": TARGET, "multipliers": 9}):
        with pytest.raises(SpecError, match="optimise"):
            plan_network(path, optimise="latency", **fields)
    assert outcome("compare", path, "--layer", 1, "--optimise", "latency") == 2
    assert outcome("build", path, "--layer", 1, "--target", TARGET, "--optimise", "latency") == 2
    assert capsys.readouterr().err.count("--optimise") == 2
