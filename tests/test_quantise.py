"""Float models quantised by onnxruntime: taken, and computed as onnxruntime computes them, or refused by name."""

import builtins
import json

import numpy as np
import onnx
import pytest

from hwconv.cli import main
from hwconv.errors import FormatError, HwconvError, SpecError, ToolError, UnsupportedError
from hwconv.frontend import load_model
from hwconv.golden.model import run_model
from hwconv.graph import Add, Concat, Conv, Pool, Upscale
from hwconv.quantise import quantise_model

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[quantise]'")


class Builder:
    """A float model under construction."""

    def __init__(self, shape, seed=1, batch="N", opset=19):
        self.random = np.random.default_rng(seed)
        self.shape, self.batch, self.opset = shape, batch, opset
        self.nodes, self.constants, self.channels = [], [], shape[0]

    def constant(self, values) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, operator, *inputs, **attributes) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def weights(self, *shape) -> str:
        return self.constant(self.random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32))

    def conv(self, x, inputs, outputs, kernel=3, *, operator="Conv", **attributes) -> str:
        shape = (outputs, inputs // attributes.get("group", 1))
        if operator == "ConvTranspose":
            shape = (inputs, outputs // attributes.get("group", 1))
        bias = self.constant(self.random.normal(0, 0.2, outputs).astype(np.float32))
        pads = [kernel // 2] * 4 if "pads" not in attributes else attributes.pop("pads")
        return self.node(operator, x, self.weights(*shape, kernel, kernel), bias, pads=pads, **attributes)

    def save(self, path, last):
        helper, kind = onnx.helper, onnx.TensorProto.FLOAT
        x = helper.make_tensor_value_info("x", kind, [self.batch, *self.shape])
        y = helper.make_tensor_value_info(last, kind, None)
        graph = helper.make_graph(self.nodes, "network", [x], [y], self.constants)
        ids = [helper.make_opsetid("", self.opset)]
        path.write_bytes(helper.make_model(graph, opset_imports=ids, ir_version=8).SerializeToString())

    def data(self, count=40) -> np.ndarray:
        return self.random.normal(0, 1, (count, *self.shape)).astype(np.float32)


def standard(build: Builder) -> str:
    x = build.node("Relu", build.conv("x", 3, 6))
    x = build.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = build.node("Relu", build.conv(x, 6, 6, group=6))
    x = build.conv(x, 6, 8, 1)
    x = build.node("Flatten", build.conv(x, 8, 8, 3, dilations=[2, 2], pads=[2, 2, 2, 2], group=2))
    return build.node("Gemm", x, build.weights(5, 8 * 4 * 5), build.constant(np.ones(5, np.float32)), transB=1)


def residual(build: Builder) -> str:
    first = build.node("Relu", build.conv("x", 3, 4))
    second = build.conv(build.node("Relu", build.conv(first, 4, 4)), 4, 4)
    return build.conv(build.node("Relu", build.node("Add", first, second)), 4, 2, 1)


def joined(build: Builder) -> str:
    """Branches of other ranges, two of them clamped: the widest one's scale is that of all."""
    low, high = build.constant(np.float32(0)), build.constant(np.float32(0.5))
    parts = [
        build.node("Clip", build.conv("x", 3, 3), low, high),
        build.node("Relu", build.conv("x", 3, 3, 1)),
        build.conv("x", 3, 3),
        build.node("MaxPool", build.conv("x", 3, 2), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    ]
    return build.conv(build.node("Concat", *parts, axis=1), 11, 4, 1)


def pooled(build: Builder) -> str:
    x = build.node("AveragePool", build.conv("x", 3, 4), kernel_shape=[3, 3])
    return build.node("GlobalAveragePool", x)


def normalised(build: Builder) -> str:
    """Batch normalisation ends inside the convolution before it."""
    x = build.conv("x", 3, 4)
    mean, variance = build.random.normal(0, 1, 4), build.random.uniform(0.5, 2, 4)
    parameters = [build.constant(each.astype(np.float32)) for each in (variance, mean, mean, variance)]
    return build.node("Relu", build.node("BatchNormalization", x, *parameters))


def normalised_behind_a_sum(build: Builder) -> str:
    """There is no convolution before it: it becomes one."""
    first = build.node("Relu", build.conv("x", 3, 4))
    x = build.node("Add", first, build.conv(first, 4, 4))
    mean, variance = build.random.normal(0, 1, 4), build.random.uniform(0.5, 2, 4)
    parameters = [build.constant(each.astype(np.float32)) for each in (-variance, mean, mean, variance)]
    x = build.node("Relu", build.node("BatchNormalization", x, *parameters, epsilon=0.25))
    return build.conv(x, 4, 3)


def padded_twice_read(build: Builder) -> str:
    """Pads that onnxruntime leaves, as two convolutions read them."""
    pads = build.constant(np.array([0, 0, 1, 0, 0, 0, 0, 2]))
    x = build.node("Pad", build.node("Relu", build.conv("x", 3, 4)), pads)
    parts = (build.conv(x, 4, 4, pads=[0] * 4), build.conv(x, 4, 4, pads=[0] * 4))
    return build.node("Add", *parts)


def transposed(build: Builder) -> str:
    x = build.node("Relu", build.conv("x", 3, 6, 3, strides=[2, 2]))
    return build.conv(x, 6, 2, 4, operator="ConvTranspose", strides=[2, 2], pads=[1, 1, 1, 1])


def product(build: Builder) -> str:
    x = build.node("Flatten", build.node("Relu", build.conv("x", 3, 4)))
    return build.node("MatMul", x, build.weights(4 * 80, 7))


def enlarged(build: Builder) -> str:
    """Two branches at half the size, enlarged in both ways."""
    small = build.node("MaxPool", build.node("Relu", build.conv("x", 3, 4)), kernel_shape=[2, 2], strides=[2, 2])
    twice = build.constant(np.float32([1, 1, 2, 2]))
    attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    again = build.node("Resize", build.conv(small, 4, 3), "", twice, **attributes)
    spread = build.node("DepthToSpace", build.node("Relu", build.conv(small, 4, 8)), blocksize=2, mode="CRD")
    return build.conv(build.node("Concat", again, spread, axis=1), 5, 2, 1)


NETWORKS = {
    "standard": (standard, "qdq", {Conv: 5, Pool: 1}),
    "residual": (residual, "qdq", {Conv: 4, Add: 1}),
    "joined": (joined, "qdq", {Conv: 5, Concat: 1, Pool: 1}),
    "pooled": (pooled, "qdq", {Conv: 2, Pool: 1}),
    "enlarged": (enlarged, "qdq", {Conv: 4, Pool: 1, Upscale: 2, Concat: 1}),
    "normalised": (normalised, "qdq", {Conv: 1}),
    "normalised behind a sum": (normalised_behind_a_sum, "qdq", {Conv: 4, Add: 1}),
    "pads that two read": (padded_twice_read, "qdq", {Conv: 3, Add: 1}),
    "transposed": (transposed, "qdq", {Conv: 2}),
    "product": (product, "qdq", {Conv: 2}),
    "product of integers": (product, "qoperator", {Conv: 2}),
}


def run_onnxruntime(path, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if not any(node.op_type.startswith("QLinear") for node in onnx.load(path).graph.node):
        # Sums of CPUs without VNNI do not saturate then. For QLinear operators there is no such kernel.
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: each[None]})[0] for each in x])


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("case", NETWORKS)
def test_quantised_networks_are_taken_and_equal_onnxruntime(case, batch, tmp_path):
    make, form, kinds = NETWORKS[case]
    build = Builder((3, 8, 10), batch=batch)
    build.save(tmp_path / "float.onnx", make(build))
    x = build.data()
    result = quantise_model(tmp_path / "float.onnx", x, tmp_path / "quantised.onnx", form=form)
    model = load_model(tmp_path / "quantised.onnx")
    nodes = [type(node) for node in model.network.graph.nodes]
    assert {kind: nodes.count(kind) for kind in kinds} == kinds
    more = build.data(30)
    right, found = run_onnxruntime(tmp_path / "quantised.onnx", more), run_model(model, more)
    step = result.activations[-1].scale
    differ = np.abs(right - found) > step / 2
    print(f"{case}: {result.sqnr_db} dB, {differ.sum()} of {differ.size} outputs differ from onnxruntime")
    # onnxruntime adds and transposes in floats or in its own fixed point
    assert differ.mean() <= (0.001 if case in ("residual", "pooled", "transposed") else 0)
    assert np.abs(right - found).max() < 1.5 * step
    assert result.sqnr_db is not None
    assert 20 < result.sqnr_db < 60
    given = run_onnxruntime(tmp_path / "float.onnx", x)  # as it was before anything was done to it
    noise = ((given - run_onnxruntime(tmp_path / "quantised.onnx", x)) ** 2).sum()
    assert abs(10 * np.log10((given**2).sum() / noise) - result.sqnr_db) < 0.1
    assert result.frames == len(x)
    assert (result.agreement is not None) == (right.ndim == 2 or case == "pooled")


def test_clamps_of_joined_branches_are_kept(tmp_path):
    build = Builder((3, 8, 10))
    build.save(tmp_path / "float.onnx", joined(build))
    quantise_model(tmp_path / "float.onnx", build.data(), tmp_path / "quantised.onnx")
    model = onnx.load(tmp_path / "quantised.onnx")
    assert sorted(node.op_type for node in model.graph.node if node.op_type in ("Clip", "Relu")) == ["Clip", "Relu"]
    specs = [node.spec for node in load_model(tmp_path / "quantised.onnx").network.graph.nodes if type(node) is Conv]
    assert sum(spec.activation_min > -128 for spec in specs) == 2


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_older_models_are_brought_up_to_date(opset, tmp_path):
    build = Builder((3, 8, 10), opset=opset)
    build.save(tmp_path / "float.onnx", residual(build))
    quantise_model(tmp_path / "float.onnx", build.data(5), tmp_path / "quantised.onnx")
    assert load_model(tmp_path / "quantised.onnx").network.graph.input_shape == (8, 10, 3)


def test_the_same_model_and_data_give_the_same_bytes(tmp_path):
    build = Builder((3, 8, 10))
    build.save(tmp_path / "float.onnx", standard(build))
    x = build.data(9)
    for name in ("one.onnx", "other.onnx"):
        quantise_model(tmp_path / "float.onnx", x, tmp_path / name)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "other.onnx").read_bytes()


def test_activations_are_int8_and_weights_symmetric_per_channel(tmp_path):
    build = Builder((3, 8, 10))
    build.save(tmp_path / "float.onnx", standard(build))
    result = quantise_model(tmp_path / "float.onnx", build.data(), tmp_path / "quantised.onnx")
    assert sorted(each.scales for each in result.weights) == [5, 6, 6, 8, 8]
    assert all(each.smallest < each.largest for each in result.weights)
    assert result.activations[0].name == "x"
    assert any(each.zero_point == -128 for each in result.activations)  # behind Relu
    for spec in (
        node.spec for node in load_model(tmp_path / "quantised.onnx").network.graph.nodes if type(node) is Conv
    ):
        assert (spec.input_dtype, spec.weight_dtype, spec.weight_zero_point) == ("int8", "int8", 0)


def floats(tmp_path, make=standard, **fields) -> Builder:
    build = Builder((3, 8, 10), **fields)
    build.save(tmp_path / "float.onnx", make(build))
    return build


def with_sigmoid(build):
    return build.node("Sigmoid", build.conv("x", 3, 4))


def with_groups(build):
    return build.conv("x", 3, 3, 4, operator="ConvTranspose", group=3, pads=[1, 1, 1, 1])


def with_even_window(build):
    return build.node("AveragePool", build.conv("x", 3, 4), kernel_shape=[2, 2])


REFUSED = {
    "stays float": (with_sigmoid, {}, "qdq", r"\(Sigmoid\): operator that stays float = 'Sigmoid'"),
    "no integers": (residual, {}, "qoperator", r"\(Add\): operator that stays float .* --form qdq takes it"),
    "groups": (with_groups, {}, "qdq", r"\(ConvTranspose\): group = 3"),
    "even window": (with_even_window, {}, "qdq", r"\(AveragePool\): elements of a window = 4"),
    "batch": (standard, {"batch": 4}, "qdq", r"shape of x = \(4, 3, 8, 10\)"),
    "form": (standard, {}, "tflite", "form = 'tflite'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_quantised_is_refused_by_name(case, tmp_path):
    make, fields, form, words = REFUSED[case]
    build = floats(tmp_path, make, **fields)
    with pytest.raises(UnsupportedError, match=words) as refused:
        quantise_model(tmp_path / "float.onnx", build.data(3), tmp_path / "quantised.onnx", form=form)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "quantised.onnx").exists()


def test_a_quantised_model_is_refused(tmp_path):
    build = floats(tmp_path)
    for form, make in (("qdq", standard), ("qoperator", product)):
        build = floats(tmp_path, make)
        quantise_model(tmp_path / "float.onnx", build.data(3), tmp_path / "quantised.onnx", form=form)
        with pytest.raises(UnsupportedError, match="quantised already"):
            quantise_model(tmp_path / "quantised.onnx", build.data(3), tmp_path / "again.onnx")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((5, 3, 8, 9), np.float32), r"not 'float32 of shape \(5, 3, 8, 9\)'"),
        (np.zeros((3, 8, 10), np.float32), r"float32 of shape \(N, 3, 8, 10\)"),
        (np.zeros((0, 3, 8, 10), np.float32), "calibration data"),
        (np.zeros((5, 3, 8, 10), np.float64), "not 'float64 of shape"),
        (np.full((5, 3, 8, 10), np.nan, np.float32), "finite numbers"),
    ],
)
def test_calibration_data_of_another_kind_is_refused(x, words, tmp_path):
    floats(tmp_path)
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(SpecError, match=words):
        quantise_model(tmp_path / "float.onnx", tmp_path / "x.npy", tmp_path / "quantised.onnx")


def test_files_that_are_missing_or_damaged_are_refused(tmp_path):
    build = floats(tmp_path)
    with pytest.raises(HwconvError, match=r"none\.npy"):
        quantise_model(tmp_path / "float.onnx", tmp_path / "none.npy", tmp_path / "quantised.onnx")
    with pytest.raises(HwconvError, match=r"none\.onnx"):
        quantise_model(tmp_path / "none.onnx", build.data(2), tmp_path / "quantised.onnx")
    (tmp_path / "damaged.onnx").write_bytes((tmp_path / "float.onnx").read_bytes()[:200])
    with pytest.raises(FormatError, match=r"damaged\.onnx"):
        quantise_model(tmp_path / "damaged.onnx", build.data(2), tmp_path / "quantised.onnx")
    with pytest.raises(UnsupportedError, match="ending of the output"):
        quantise_model(tmp_path / "float.onnx", build.data(2), tmp_path / "quantised.tflite")


def test_a_model_that_contradicts_itself_is_one_line(tmp_path, capfd):
    build = Builder((3, 8, 10))
    build.save(tmp_path / "float.onnx", build.conv("x", 5, 4))  # five channels of three
    with pytest.raises(ToolError, match="onnxruntime does not run it") as refused:
        quantise_model(tmp_path / "float.onnx", build.data(3), tmp_path / "quantised.onnx")
    assert "\n" not in str(refused.value)
    assert capfd.readouterr().err == ""


def outcome(*arguments) -> int:
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    return int(ending.value.code or 0)


def test_without_onnxruntime_the_command_says_what_to_install(tmp_path, monkeypatch, capfd):
    build = floats(tmp_path)
    np.save(tmp_path / "x.npy", build.data(3))
    there = builtins.__import__

    def absent(name, *rest, **more):
        if name.startswith("onnxruntime"):
            raise ImportError(name)
        return there(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    command = ("quantise", tmp_path / "float.onnx", "--calibration", tmp_path / "x.npy", "-o", tmp_path / "q.onnx")
    assert outcome(*command) == 1
    said = capfd.readouterr().err
    assert "pip install 'hwconv[quantise]'" in said
    assert said.count("\n") == 1


def test_the_command_writes_the_model_and_says_what_was_lost(tmp_path, capfd):
    build = floats(tmp_path)
    np.save(tmp_path / "x.npy", build.data())
    command = ("quantise", tmp_path / "float.onnx", "--calibration", tmp_path / "x.npy", "-o", tmp_path / "q.onnx")
    assert outcome(*command) == 0
    text = capfd.readouterr()
    assert "40 frames: signal to quantisation noise" in text.out
    assert text.err == ""
    assert outcome(*command, "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["frames"] == 40
    assert found["operators"]["engine"] == 6
    assert found["activations"][0].keys() == {"name", "scale", "zero_point"}
    assert outcome("compile", tmp_path / "q.onnx", "--multipliers", 16) == 0
    capfd.readouterr()
    assert outcome(*command, "--form", "qoperator") == 1
    assert capfd.readouterr().err.count("\n") == 1
