"""Operators of ONNX as layers: the golden model of what is imported equals what the operator gives."""

import json

import numpy as np
import pytest

from hwconv import golden
from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.frontend import load, load_npz, save_layer

X = np.arange(2 * 3 * 5 * 4).reshape(2, 3, 5, 4).astype(np.float32) - 60  # NCHW
W = (np.arange(4 * 3 * 3 * 2) % 11 - 5).reshape(4, 3, 3, 2).astype(np.float32)


@pytest.fixture
def write(tmp_path):
    def write_case(operator, attributes, inputs, expected=None, **members):
        """An archive as the test material has them; an input that is None gets an empty name."""
        names = ["" if array is None else f"input{index}" for index, array in enumerate(inputs)]
        arrays = {f"in{i}_{name}": array for i, (name, array) in enumerate(zip(names, inputs, strict=True)) if name}
        texts = {"op": operator, "attrs": json.dumps(attributes), "input_names": json.dumps(names)}
        given = {} if expected is None else {"expected": expected}
        content = {**texts, **arrays, **given, **members}
        np.savez(tmp_path / "case.npz", **{name: value for name, value in content.items() if value is not None})
        return tmp_path / "case.npz"

    return write_case


@pytest.mark.material("onnx_int/*.npz")
def test_golden_model_reproduces_an_operator(material_file):
    if "3d" in material_file.name.lower():
        with pytest.raises(UnsupportedError, match=r"spatial dimensions = 3 .*supported: 1, 2"):
            load_npz(material_file)
        return
    case = load_npz(material_file)
    assert case.expected.size > 0
    for fast in (True, False):
        np.testing.assert_array_equal(golden.run(case.layer, case.input, fast), case.expected, strict=True)


@pytest.mark.material("onnx_int/*.npz")
def test_an_imported_operator_survives_as_a_layer_file(material_file, tmp_path):
    if "3d" in material_file.name.lower():
        pytest.skip("of three dimensions: refused, as another test says")
    case = load_npz(material_file)
    save_layer(tmp_path / "layer.npz", case.layer, case.input, case.expected)
    again = load(tmp_path / "layer.npz")
    np.testing.assert_array_equal(golden.run(again.layer, again.input), case.expected)


def import_oracle(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[oracles]'")


def run_onnxruntime(operator, attributes, inputs, output_type, rank):
    """What onnxruntime gives, and the model; constants are initialisers."""
    onnx, onnxruntime = import_oracle("onnx"), import_oracle("onnxruntime")
    helper, types = onnx.helper, onnx.TensorProto
    names = ["" if array is None else f"i{index}" for index, array in enumerate(inputs)]
    node = helper.make_node(operator, names, ["y"], **attributes)
    x = helper.make_tensor_value_info("i0", helper.np_dtype_to_tensor_dtype(inputs[0].dtype), list(inputs[0].shape))
    y = helper.make_tensor_value_info("y", getattr(types, output_type.upper()), [None] * (rank + 2))
    constants = [
        onnx.numpy_helper.from_array(np.asarray(array), name)
        for array, name in list(zip(inputs, names, strict=True))[1:]
        if array is not None
    ]
    graph = helper.make_graph([node], "case", [x], [y], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"i0": inputs[0]})[0], model


def draw(random, low, high):
    return int(random.integers(low, high + 1))


def random_window(random, rank, transposed):
    """Frame, kernel, and attributes of all kinds that agree with them."""
    rule = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", None)[draw(random, 0, 4)]
    most = 1 if rule and rule.startswith("SAME") and not transposed else 3  # onnxruntime dilates no SAME
    kernel, dilations = [draw(random, 1, 4) for _ in range(rank)], [draw(random, 1, most) for _ in range(rank)]
    strides = [draw(random, 1, 4) for _ in range(rank)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    frame = [draw(random, 1 if transposed else r, r + 6) for r in reach]
    attributes = {"strides": strides, "dilations": dilations}
    attributes |= {"kernel_shape": kernel} if random.random() < 0.5 else {}
    if rule:
        attributes["auto_pad"] = rule
    full = [(size - 1) * s + r for size, s, r in zip(frame, strides, reach, strict=True)]
    pads = [min(2, (f - 1) // 2) if transposed else 2 for f in full]
    if rule in ("NOTSET", None):
        attributes["pads"] = [draw(random, 0, each) for each in pads * 2]
    if transposed and random.random() < 0.4:
        attributes["output_padding"] = [draw(random, 0, s - 1) for s in strides]
    if transposed and rule != "VALID" and random.random() < 0.4:
        attributes["output_shape"] = [
            draw(random, max(1, f - 4), f + s - 1) for f, s in zip(full, strides, strict=True)
        ]
        attributes.pop("pads", None)
    return frame, kernel, attributes


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_float_operators_equal_onnxruntime(write, seed, operator):
    """Integers in float32: exact, as no sum comes near 2**24."""
    import_oracle("onnxruntime")
    random = np.random.default_rng([seed, *operator.encode()])
    transposed, seen, refused = operator == "ConvTranspose", set(), 0
    for case in range(150):
        rank, batch = draw(random, 1, 2), draw(random, 1, 3)
        groups, inputs, per_group = (1, 1, 2, 4)[draw(random, 0, 3)], draw(random, 1, 3), draw(random, 1, 3)
        frame, kernel, attributes = random_window(random, rank, transposed)
        attributes |= {"group": groups} if groups > 1 or random.random() < 0.5 else {}
        low, high = ((-128, 127), (0, 255), (-32768, 32767))[draw(random, 0, 2)]
        high = min(high, 3000)  # keeps sums below 2**24
        low = max(low, -3000)
        x = random.integers(low, high + 1, (batch, groups * inputs, *frame)).astype(np.float32)
        shape = (groups * inputs, per_group) if transposed else (groups * per_group, inputs)
        weights = random.integers(-128, 128, (*shape, *kernel)).astype(np.float32)
        bias = random.integers(-5000, 5000, groups * per_group).astype(np.float32)
        given = [x, weights, bias] if random.random() < 0.6 else [x, weights]
        expected, _ = run_onnxruntime(operator, attributes, given, "float", rank)
        assert np.abs(expected).max() < 1 << 24
        try:
            loaded = load(write(operator, attributes, given, expected))
        except UnsupportedError as error:
            sizes = [size * stride for size, stride in zip(frame, attributes["strides"], strict=True)]
            if error.field != "auto_pad" or sizes == list(expected.shape[2:]):
                raise
            refused += 1  # onnxruntime does not give the size that ONNX states
            continue
        message = f"case {case}: {operator} {attributes} on {x.shape}"
        np.testing.assert_array_equal(golden.run(loaded.layer, loaded.input), loaded.expected, err_msg=message)
        seen |= {attributes.get("auto_pad"), rank, *attributes}
    assert {"SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", None, 1, 2, "pads"} <= seen
    assert not transposed or {"output_padding", "output_shape"} <= seen
    assert refused <= (15 if transposed else 0)


@pytest.mark.parametrize("operator", ["ConvInteger", "QLinearConv"])
@pytest.mark.parametrize("weight_dtype", ["uint8", "int8"])
def test_integer_operators_equal_onnxruntime(write, seed, operator, weight_dtype):
    import_oracle("onnx.reference")
    onnx = import_oracle("onnx")
    random = np.random.default_rng([seed, *operator.encode(), *weight_dtype.encode()])
    agreed = total = 0
    for case in range(80):
        batch = draw(random, 1, 3)
        groups, inputs, per_group = (1, 1, 2, 4)[draw(random, 0, 3)], draw(random, 1, 3), draw(random, 1, 3)
        frame, kernel, attributes = random_window(random, 2, False)
        attributes["group"] = groups
        outputs = groups * per_group
        limits = np.iinfo(weight_dtype)
        x = random.integers(0, 256, (batch, groups * inputs, *frame)).astype(np.uint8)
        weights = random.integers(limits.min, limits.max + 1, (outputs, inputs, *kernel)).astype(weight_dtype)
        point = np.array(draw(random, limits.min, limits.max) if random.random() < 0.4 else 0, weight_dtype)
        if operator == "ConvInteger":
            given = [x, weights, np.array(draw(random, 0, 255), np.uint8), point]
            given = given[: draw(random, 2, 4)]
            output_type = "int32"
        else:
            scales = random.uniform(0.001, 0.1, outputs).astype(np.float32)
            given = [
                x, np.float32(random.uniform(0.001, 0.5)), np.array(draw(random, 0, 255), np.uint8),
                weights, scales if random.random() < 0.7 else scales[0], point,
                np.float32(random.uniform(0.5, 50)), np.array(draw(random, 0, 255), np.uint8),
                random.integers(-5000, 5000, outputs).astype(np.int32),
            ]  # fmt: skip
            given = given[: draw(random, 8, 9)]
            output_type = "uint8"
        expected, model = run_onnxruntime(operator, attributes, given, output_type, 2)
        reference = onnx.reference.ReferenceEvaluator(model).run(None, {"i0": x})[0]
        loaded = load(write(operator, attributes, given, expected))
        counts = np.moveaxis(expected == reference, 1, -1)
        found = golden.run(loaded.layer, loaded.input)
        message = f"case {case}: {attributes} on {x.shape}"
        np.testing.assert_array_equal(found[counts], loaded.expected[counts], err_msg=message)
        agreed, total = agreed + int(counts.sum()), total + counts.size
    print(f"{agreed} of {total} outputs of onnxruntime count")
    assert agreed > total / 2  # nearly all, but on processors whose kernels saturate


@pytest.mark.parametrize(
    ("weights", "points"),
    [
        (np.array([1, 1], np.uint8), np.array([0, 1], np.uint8)),
        (np.array([0, 255], np.uint8), np.array([200, 200], np.uint8)),
        (np.array([0, 5], np.uint8), np.array([255, 250], np.uint8)),
        (np.array([255, 250], np.uint8), np.array([0, 10], np.uint8)),
        (np.array([-128, 127], np.int8), np.array([127, 127], np.int8)),
        (np.array([127, 0], np.int8), np.array([-128, -3], np.int8)),
    ],
)
def test_zero_points_of_channels_are_subtracted(write, weights, points):
    x = np.array([[[[3, 255], [0, 7]]]], np.uint8)
    given = [x, weights.reshape(2, 1, 1, 1), np.uint8(9), points]
    loaded = load(write("ConvInteger", {}, given))
    found = golden.run(loaded.layer, loaded.input)
    for channel in range(2):
        weight = int(weights[channel]) - int(points[channel])
        assert found[0, :, :, channel].tolist() == ((x[0, 0].astype(int) - 9) * weight).tolist()


def test_zero_points_of_channels_that_no_type_holds_are_refused(write):
    given = [
        X[:, :1].astype(np.uint8),
        np.array([0, 255], np.uint8).reshape(2, 1, 1, 1),
        None,
        np.array([255, 0], np.uint8),
    ]
    with pytest.raises(UnsupportedError, match="from -255 to 255"):
        load(write("ConvInteger", {}, given))


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"operator": "Gemm"}, UnsupportedError, "op = 'Gemm'"),
        ({"attributes": {"strides": [1]}}, SpecError, "strides"),
        ({"attributes": {"strides": [0, 1]}}, SpecError, "strides"),
        ({"attributes": {"strides": "1, 1"}}, SpecError, "strides"),
        ({"attributes": {"strides": ["1", "1"]}}, SpecError, "integers"),
        ({"attributes": {"dilations": [1, 1 << 40]}}, SpecError, "32 bits"),
        ({"attributes": {"pads": [1, 1, 1]}}, SpecError, "pads"),
        ({"attributes": {"pads": [-1, 1, 1, 1]}}, SpecError, "padding"),
        ({"attributes": {"pads": [1, 1, 1, 1], "auto_pad": "SAME_UPPER"}}, SpecError, "pads"),
        ({"attributes": {"auto_pad": "SAME"}}, UnsupportedError, "auto_pad = 'SAME'"),
        ({"attributes": {"kernel_shape": [3, 3]}}, SpecError, "kernel_shape"),
        ({"attributes": {"group": 2}}, SpecError, "in_channels"),
        ({"attributes": {"group": "1"}}, SpecError, "groups"),
        ({"attributes": {"output_padding": [0, 0]}}, UnsupportedError, "attribute = 'output_padding'"),
        ({"attributes": {"activation": "Relu"}}, UnsupportedError, "attribute = 'activation'"),
        ({"attrs": "{"}, FormatError, "not JSON"),
        ({"attrs": "[" * 3000}, FormatError, "not JSON"),
        ({"attrs": '{"pads": [[1], 1, 1, 1]}'}, FormatError, "not a JSON dict"),
        ({"attrs": '{"pads": [1.0, 1, 1, 1]}'}, FormatError, "not a JSON dict"),
        ({"attrs": "x" * 5000}, FormatError, "at most 4000 characters"),
        ({"attrs": None}, FormatError, "no member 'attrs'"),
        ({"layout": "NHWC"}, UnsupportedError, "layout = 'NHWC'"),
        ({"input_names": '["input0", "w"]'}, FormatError, "no member 'in1_w'"),
        ({"input_names": '["input0", "input1", "", ""]'}, FormatError, "4 inputs"),
        ({"extra": np.zeros(1)}, UnsupportedError, "member = 'extra'"),
        ({"inputs": [X + 0.5, W]}, UnsupportedError, "X = -59.5"),
        ({"inputs": [X * np.nan, W]}, UnsupportedError, "X = nan"),
        ({"inputs": [X * 1000, W]}, UnsupportedError, "X = -60000.0"),
        ({"inputs": [X, W + 0.25]}, UnsupportedError, "W = -4.75"),
        ({"inputs": [X, W + 200]}, None, ""),
        ({"inputs": [X, W + 300]}, UnsupportedError, "W = 295.0"),
        ({"inputs": [X, W[:, :2]]}, SpecError, "weights"),
        ({"inputs": [X, W[0]]}, SpecError, "weights"),
        ({"inputs": [X, W[:0]]}, SpecError, "weights"),
        ({"inputs": [X, W, np.full(4, 0.5)]}, UnsupportedError, "B = 0.5"),
        ({"inputs": [X, W, np.zeros(3)]}, SpecError, "bias"),
        ({"inputs": [X, None]}, UnsupportedError, "W = 'absent"),
        ({"inputs": [None, W]}, FormatError, "first input"),
        ({"inputs": [X[0, 0, 0], W]}, FormatError, "first input"),
        ({"inputs": [X[0, 0], W]}, UnsupportedError, "spatial dimensions = 0"),
        ({"expected": np.zeros((2, 4, 3, 2))}, FormatError, "expected"),
        ({"expected": np.full((2, 4, 3, 3), 0.5)}, UnsupportedError, "expected = 0.5"),
        ({"expected": np.zeros((2, 4, 3, 3))}, None, ""),
        ({"operator": "ConvInteger"}, UnsupportedError, "type of x = 'float32'"),
        ({"operator": "ConvInteger", "inputs": [X, W.astype(np.int8)]}, UnsupportedError, "type of x = 'float32'"),
        (
            {"operator": "ConvInteger", "inputs": [X.astype(np.int8), W.astype(np.int8), np.uint8(1)]},
            SpecError,
            "x_zero_point",
        ),
        (
            {"operator": "ConvInteger", "inputs": [X.astype(np.int8), W.astype(np.int8), None, np.zeros(3, np.int8)]},
            SpecError,
            "w_zero_point",
        ),
        ({"operator": "ConvTranspose", "attributes": {"output_shape": [3, 3]}}, SpecError, "weights"),
        (
            {"operator": "ConvTranspose", "inputs": [X, W[:3]], "attributes": {"output_shape": [1]}},
            SpecError,
            "output_shape",
        ),
    ],
)
def test_what_is_not_a_layer_is_refused_by_name(write, change, error, word):
    given = {"operator": "Conv", "attributes": {}, "inputs": [X, W], **change}
    path = write(given.pop("operator"), given.pop("attributes"), given.pop("inputs"), **given)
    if error is None:
        load(path)
        return
    with pytest.raises(HwconvError) as caught:
        load(path)
    assert type(caught.value) is error
    assert word in str(caught.value)
    assert len(str(caught.value)) < 400


def linear(**change):
    members = {
        "x": X.astype(np.int8), "x_scale": np.float32(0.5), "x_zero_point": np.int8(3),
        "w": W.astype(np.int8), "w_scale": np.full(4, 0.25, np.float32), "w_zero_point": np.int8(0),
        "y_scale": np.float32(4), "y_zero_point": np.int8(-5), "B": np.arange(4, dtype=np.int32),
    }  # fmt: skip
    return list((members | change).values())


def test_qlinearconv_from_its_definition(write):
    loaded = load(write("QLinearConv", {}, linear()))
    found = golden.run(loaded.layer, loaded.input)
    for n, o, y, x in np.ndindex(2, 4, 3, 3):
        window = X.astype(np.int8)[n, :, y : y + 3, x : x + 2].astype(int) - 3
        total = int((window * W[o].astype(int)).sum()) + o
        assert found[n, y, x, o] == min(max(round(total * 0.5 * 0.25 / 4) - 5, -128), 127)  # round: ties to even


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"x_scale": np.float64(0.5)}, "x_scale"),
        ({"x_scale": np.full(2, 0.5, np.float32)}, "x_scale"),
        ({"x_scale": np.float32(0)}, "x_scale"),
        ({"w_scale": np.full(3, 0.5, np.float32)}, "scale"),
        ({"w_scale": np.float32("nan")}, "w_scale"),
        ({"y_scale": np.float32("inf")}, "y_scale"),
        ({"y_scale": None}, "y_scale = 'absent"),
        ({"x_zero_point": np.uint8(3)}, "x_zero_point"),
        ({"y_zero_point": np.int32(3)}, "y_zero_point = 'int32'"),
        ({"y_zero_point": None}, "y_zero_point = 'absent"),
        ({"B": np.zeros(4)}, "B"),
    ],
)
def test_qlinearconv_refuses_by_name(write, change, word):
    with pytest.raises(HwconvError) as caught:
        load(write("QLinearConv", {}, linear(**change)))
    assert word in str(caught.value)
