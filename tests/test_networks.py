"""Whole models as one accelerator: exact on every input of the material, at the predicted cycles; what is refused."""

import json
from pathlib import Path

import numpy as np
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


def test_a_part_that_is_too_small_says_by_how_much(material, capsys):
    """The weights of the visual wake words model take more block RAMs than the smallest ECP5 has, however shared."""
    for partition, engines in (("engines", "an engine for each of 28 layers takes"), ("auto", "take")):
        arguments = ("--target", "lfe5u-12f-6", "--partition", partition)
        assert outcome("compile", material / MODELS["vww_96_int8"], *arguments) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.startswith("hwconv: error: vww_96_int8: ")
        assert engines in said
        assert " block RAMs of 32" in said
        assert "take a larger target" in said


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
