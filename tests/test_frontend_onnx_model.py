"""Whole `.onnx` models: against onnxruntime and the reference of onnx where these agree, and what is refused."""

import contextlib
from collections import Counter

import numpy as np
import onnx_networks
import pytest
from onnx_networks import Network, oracle, run_oracles

from hwconv import frontend
from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.frontend.onnx_model import load_model, survey_model
from hwconv.frontend.onnx_steps import Quantisation, add_of
from hwconv.golden import add as golden_add
from hwconv.golden.model import run_every_tensor, run_model
from hwconv.graph import Add, Concat, Conv, Pool, Reshape
from hwconv.host import Dequantise, Quantise


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def write(path, network: Network):
    model = network.model()
    path.write_bytes(model.SerializeToString())
    return model


def compare(path, network: Network, x, case="", *, alone=False) -> tuple[int, int, bool]:
    """Checks a model where its oracles agree: outputs, those where they do not, whether there were two oracles."""
    model = write(path, network)
    runtime, reference = run_oracles(model, x, alone=alone)
    found = run_model(load_model(path), x)
    agreed = np.ones(runtime.shape, bool) if reference is None else runtime == reference
    assert (found.shape, found.dtype) == (runtime.shape, runtime.dtype)
    np.testing.assert_array_equal(found[agreed], runtime[agreed], err_msg=f"case {case}: {network.kinds}")
    return found.size, int((~agreed).sum()), reference is not None


KINDS = {
    "real": ("Conv", "Add", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "ReduceMean", "Gemm", "MatMul",
             "Flatten", "Reshape", "Relu", "Clip", "ConvTranspose", "Resize", "DepthToSpace", "Pad"),
    "integer": ("QLinearConv", "QLinearMatMul", "MaxPool", "Concat", "Flatten", "Pad"),
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("kind", KINDS)
def test_random_networks_equal_onnxruntime_and_the_reference(seed, path, kind, dtype):
    oracle("onnxruntime")
    draw = {"real": onnx_networks.draw_real, "integer": onnx_networks.draw_integer}[kind]
    seen: Counter[str] = Counter()
    outputs = disputed = alone = refused = 0
    for case in range(120):
        random = np.random.default_rng([seed, case])
        network = draw(random, dtype)
        try:
            size, unclear, two = compare(path, network, onnx_networks.frames(network, 3), case)
        except UnsupportedError as error:
            if "of 65536 pairs differ" not in str(error):
                raise
            refused += 1
            continue
        seen.update(set(network.kinds))
        outputs, disputed, alone = outputs + size, disputed + unclear, alone + (not two)
    print(f"{outputs} outputs, {disputed} disputed; of 120 networks {refused} refused, {alone} by onnxruntime alone")
    assert refused < 8
    assert disputed < outputs / 50
    assert alone < 60
    for each in KINDS[kind]:
        assert seen[each] > 8, each


def steps(random, scale, point, made, made_point, name, **attributes) -> Network:
    """One operator on floats, on 7 x 9 pixels."""
    network = Network(random, (1, 3, 7, 9), np.float32(scale), point)
    result = network.node(name, [network.real()], **attributes)
    shapes = {"GlobalAveragePool": (1, 3, 1, 1), "AveragePool": (1, 3, 5, 7), "MaxPool": (1, 3, 5, 7)}
    network.quantise(result, shapes[name], made, made_point)
    return network


@pytest.mark.parametrize("name", ["AveragePool", "MaxPool", "GlobalAveragePool"])
def test_pools_equal_their_oracles(seed, path, name):
    oracle("onnxruntime")
    random = np.random.default_rng([seed, *name.encode()])
    attributes = {} if name.startswith("Global") else {"kernel_shape": [3, 3]}
    compared = disputed = 0
    for _ in range(25):
        scale, point = 2.0 ** random.uniform(-7, 2), int(random.integers(-128, 128))
        made = (scale, point)
        if name.startswith("Global"):
            made = scale * random.uniform(0.2, 2), int(random.integers(-128, 128))
        network = steps(random, scale, point, *made, name, **attributes)
        x = random.integers(-128, 128, (20, 3, 7, 9)).astype(np.int8)
        x[:10] = np.clip(random.integers(-4, 5, (10, 3, 7, 9)) + point, -128, 127)
        size, unclear, _ = compare(path, network, x)
        compared, disputed = compared + size, disputed + unclear
    print(f"{compared} outputs, {disputed} disputed")
    assert disputed <= compared / 500


def test_pools_of_one_dimension_equal_onnxruntime(seed, path):
    oracle("onnxruntime")
    random = np.random.default_rng(seed)
    for _ in range(20):
        network = Network(random, (1, 3, int(random.integers(5, 12))), np.float32(0.1), -4)
        kernel = [int(random.integers(1, 5))]
        attributes, extents = onnx_networks.window(network, kernel, [1], dilated=False)
        real = bool(random.integers(2))
        result = network.node("MaxPool", [network.real() if real else network.last], **attributes)
        if real:
            network.quantise(result, (1, 3, *extents), network.scale, network.point)
        else:
            network.last, network.shape = result, (1, 3, *extents)
        compare(path, then_convolution(network), onnx_networks.frames(network, 3), alone=True)


def then_convolution(network: Network) -> Network:
    """So that the zero point is stated somewhere."""
    onnx_networks.convolution(network)
    return network


def meant(of_a, of_b, made):
    """An addition between DequantizeLinear and QuantizeLinear on all pairs, from the definition."""
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij")
    total = (a - of_a.zero_point).astype(np.float32) * of_a.scale + (b - of_b.zero_point).astype(
        np.float32
    ) * of_b.scale
    return np.clip(np.rint(total / made.scale) + made.zero_point, -128, 127).astype(np.int8)


def test_additions_are_exact_on_every_pair_of_operands_or_refused(seed):
    random = np.random.default_rng(seed)
    x = np.meshgrid(np.arange(-128, 128, dtype=np.int8), np.arange(-128, 128, dtype=np.int8), indexing="ij")
    taken = 0
    for _ in range(60):
        scales = np.float32(2.0 ** random.uniform(-7, 1, 2))
        points = [int(point) for point in random.integers(-128, 128, 3)]
        made = Quantisation(np.float32(scales.max() * random.uniform(0.5, 3)), points[2])
        of_a, of_b = (Quantisation(scale, point) for scale, point in zip(scales, points[:2], strict=True))
        with contextlib.suppress(UnsupportedError):
            spec = add_of("sum", "sum", (256, 256, 1), [of_a, of_b], made, (-128, 127))
            found = golden_add.run(spec, *(each[None, :, :, None] for each in x))[0, :, :, 0]
            np.testing.assert_array_equal(found, meant(of_a, of_b, made))
            taken += 1
    print(f"{taken} of 60 additions taken, on 65536 pairs each")
    assert taken > 50


def test_additions_of_many_half_way_values_are_refused():
    half = Quantisation(np.float32(0.5), 0)
    with pytest.raises(UnsupportedError, match=r"sum: scales = \(0.5, 0.5, 1.0\).* pairs differ"):
        add_of("sum", "sum", (1, 1, 1), [half, half], Quantisation(np.float32(1), 0), (-128, 127))


def small() -> Network:
    """Floats come in and go out; a residual, a concatenation, pooling, and a product."""
    network = Network(np.random.default_rng(3), (1, 2, 6, 4), np.float32(0.11), -5)
    network.floats = True
    network.quantise("x", (1, 2, 6, 4), 0.11, -5)
    onnx_networks.addition(network)
    first = network.real()
    name = network.node("Concat", [first, first], axis=-3)
    network.quantise(name, (1, 4, 6, 4), network.scale, network.point)
    name = network.node("MaxPool", [network.real()], kernel_shape=[2, 2], strides=[2, 2])
    network.quantise(name, (1, 4, 3, 2), network.scale, network.point)
    flat = network.node("Flatten", [network.real()])
    values, scale = network.weights((24, 5), 1, False)
    product = network.node("MatMul", [flat, network.real_weights(values, scale, 1)])
    network.quantise(product, (1, 5), 0.9, 4)
    network.last, network.dtypes = network.real(), ("int8", "float32")
    return network


def test_every_node_has_its_place(path):
    oracle("onnx")
    network = small()
    write(path, network)
    model = load_model(path)
    graph = model.network.graph
    assert [type(node) for node in graph.nodes] == [Conv, Add, Concat, Pool, Reshape, Conv]
    assert graph.input_shape == (6, 4, 2)
    assert [type(step.operation) for step in model.host] == [Quantise, Dequantise]
    assert model.before[0].operation.ties == "even"
    places = Counter(record.place for record in model.operators)
    assert places == {"engine": 4, "host": 2, "free": len(model.operators) - 6}
    assert model.channels_first
    x = onnx_networks.frames(network, 4)
    tensors = run_every_tensor(model, x)
    pooled = next(record.outputs[0] for record in model.operators if record.name == "Concat")
    assert pooled.shape == (1, 4, 6, 4)
    concatenated = next(number for number, name in model.tensors.items() if "concat" in name)
    assert tensors[concatenated].shape == (4, 4, 6, 4)
    assert tensors[model.output.number].dtype == np.float32
    assert frontend.load_model(path).network.graph == graph
    if compare(path, network, x)[2]:
        print("equal to both oracles")


def test_constants_may_be_nodes_and_typed_fields(path):
    onnx = oracle("onnx")
    network = Network(np.random.default_rng(4), (1, 2, 5, 5), np.float32(0.1), 3)
    onnx_networks.convolution(network, channels=3, shrink=False)
    model = write(path, network)
    expected = load_model(path)
    held = list(model.graph.initializer)
    del model.graph.initializer[:]
    for number, tensor in enumerate(held):
        array = onnx.numpy_helper.to_array(tensor)
        typed = onnx.helper.make_tensor(tensor.name, tensor.data_type, array.shape, array.reshape(-1).tolist())
        assert not typed.raw_data
        if number % 2:
            model.graph.initializer.append(typed)
        else:
            model.graph.node.insert(0, onnx.helper.make_node("Constant", [], [tensor.name], value=typed))
    path.write_bytes(model.SerializeToString())
    found = load_model(path)
    assert found.network.graph == expected.network.graph
    for name, layer in found.network.layers.items():
        np.testing.assert_array_equal(layer.parameters.weights, expected.network.layers[name].parameters.weights)
        np.testing.assert_array_equal(layer.parameters.scale, expected.network.layers[name].parameters.scale)


def plain(shape=(1, 2, 6, 6), scale=0.1, point=3) -> Network:
    return Network(np.random.default_rng(1), shape, np.float32(scale), point)


def then(network: Network, *, real=True, quantised=True, name="Relu6", inputs=None, **attributes) -> Network:
    """A network with one more node, between quantisers or not."""
    x = network.real() if real else network.last
    result = network.node(name, [x, *(inputs or [])], **attributes)
    if quantised:
        network.quantise(result, network.shape, network.scale, network.point)
    else:
        network.last = result
    return network


def convolved(**changes) -> Network:
    """A convolution with one thing wrong."""
    network = plain()
    values = np.ones((3, 2, 1, 1), np.int8)
    scale = np.float32(0.02)
    weights = {"values": values, "scale": scale, "axis": 0, **changes.pop("weights", {})}
    x = network.real()
    w = network.real_weights(weights["values"], weights["scale"], weights["axis"])
    inputs = [x, network.constant(np.ones((3, 2, 1, 1), np.float32)) if "float weights" in changes else w]
    if "bias" in changes:
        network.constants["bias"], network.constants["bias scale"] = changes["bias"]
        inputs.append(network.node("DequantizeLinear", ["bias", "bias scale"]))
    if "float bias" in changes:
        inputs.append(network.constant(np.zeros(3, np.float32)))
    result = network.node("Conv", inputs, **changes.get("attributes", {}))
    network.quantise(result, (1, 3, 6, 6), 0.3, -7)
    return network


def padded(pads, value=None, *, behind="Relu", mode="constant", **attributes) -> Network:
    """A frame with pads, which something reads."""
    network = plain()
    constants = [network.constant(np.array(pads)), *([] if value is None else [network.constant(value)])]
    network.shape = tuple(int(each) for each in np.array(network.shape) + pads[:4] + pads[4:])
    made = network.node("Pad", [network.real(), *constants], mode=mode)
    network.quantise(network.node(behind, [made], **attributes), network.shape, network.scale, network.point)
    return network


def with_zero_point(value) -> Network:
    network = plain()
    inputs = [network.last, network.constant(np.float32(0.1))]
    x = network.node("DequantizeLinear", inputs if value is None else [*inputs, network.constant(value)])
    network.quantise(network.node("Relu", [network.node("MaxPool", [x], kernel_shape=[1, 1])]), network.shape, 0.1, 3)
    return network


def retyped(name, *, twice=False, **attributes) -> Network:
    """A node whose result is quantised as another type."""
    network = plain()
    x = network.real()
    result = network.node(name, [x, x] if twice else [x], **attributes)
    network.dtype = "uint8"
    network.quantise(result, network.shape, network.scale, network.point)
    return network


def floating() -> Network:
    """Floats that are not quantised."""
    network = then(plain(), real=False, quantised=False, name="MaxPool", kernel_shape=[1, 1])
    network.floats, network.dtypes = True, ("int8", "float32")
    return network


REFUSED = {
    "unknown": (lambda: then(plain(), name="Sigmoid"), "node 1 (Sigmoid): operator = 'Sigmoid' is not supported"),
    "another domain": (lambda: then(plain(), name="QLinearAdd", domain="com.microsoft"),
                       "(com.microsoft.QLinearAdd): operator = 'com.microsoft.QLinearAdd'"),
    "another type": (lambda: with_zero_point(np.uint8(3)),
                     "node 0 (DequantizeLinear): type of the zero point = 'uint8' is not supported (supported: int8,"),
    "int32": (lambda: with_zero_point(np.int32(3)), "node 0 (DequantizeLinear): type of the activation = 'int32'"),
    "types of a sum": (lambda: retyped("Add", twice=True), "(Add): types = ('int8', 'int8', 'uint8') is not supported"),
    "type of a mean": (lambda: retyped("AveragePool", kernel_shape=[3, 3]),
                       "(AveragePool): scale, zero point and type of the output = (0.10000000149011612, 3, 'uint8')"),
    "type between": (lambda: retyped("MaxPool", kernel_shape=[3, 3]),
                     "(QuantizeLinear): scale, zero point and type = (0.10000000149011612, 3, 'uint8') is not"),
    "type and zero point": (lambda: then(plain(), name="QuantizeLinear", quantised=False, output_dtype=2,
                                         inputs=["c0", "c1"]),
                            "(QuantizeLinear): output_dtype = 'uint8' is not supported (supported: int8, the type of"),
    "float model": (floating, "x = 'floats' is not supported (supported: a value that is quantised to int8, uint8: qu"),
    "not quantised": (lambda: then(plain(), name="GlobalAveragePool", quantised=False),
                      "node 1 (GlobalAveragePool): v1 = 'floats that are not quantised'"),
    "int8 in floats": (lambda: then(plain(), name="GlobalAveragePool", real=False, quantised=False),
                       "node 0 (GlobalAveragePool): x = 'int8' is not supported (supported: floats behind"),
    "float weights": (lambda: convolved(**{"float weights": 1}), "(Conv): weights = 'floats, or computed at run time'"),
    "float bias": (lambda: convolved(**{"float bias": 1}), "(Conv): bias = 'floats, or computed at run time'"),
    "scale of the bias": (lambda: convolved(bias=(np.ones(3, np.int32), np.float32(0.5))),
                          "(Conv): scale of the bias = [0.5]"),
    "axis of the scales": (lambda: convolved(weights={"values": np.ones((2, 2, 1, 1), np.int8), "axis": 1,
                                                      "scale": np.float32([0.1, 0.2])}),
                           "(Conv): axis of the scales = 1"),
    "attribute": (lambda: convolved(attributes={"activation": "relu"}), "op2_conv: attribute = 'activation'"),
    "auto_pad": (lambda: convolved(attributes={"auto_pad": "SAME"}), "op2_conv: auto_pad = 'SAME'"),
    "even window": (lambda: then(plain(), name="AveragePool", kernel_shape=[2, 3]),
                    "(AveragePool): elements of a window = 6 is not supported (supported: odd numbers up to 180"),
    "large window": (lambda: then(plain((1, 1, 15, 15)), name="AveragePool", kernel_shape=[15, 15]),
                     "(AveragePool): elements of a window = 225"),
    "counted pads": (lambda: then(plain(), name="AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
                                  count_include_pad=1), "(AveragePool): count_include_pad = 1"),
    "ceil_mode": (lambda: then(plain(), name="MaxPool", kernel_shape=[3, 3], ceil_mode=1), "(MaxPool): ceil_mode = 1"),
    "dilated pool": (lambda: then(plain(), name="MaxPool", kernel_shape=[3, 3], dilations=[2, 2]),
                     "(MaxPool): dilations = [2, 2]"),
    "rows side by side": (lambda: then(plain(), name="Concat", inputs=["v0"], axis=2), "(Concat): axis = 2"),
    "alpha": (lambda: then(plain((1, 8)), name="Gemm", inputs=["v0"], alpha=0.5), "(Gemm): alpha = 0.5"),
    "matrix at run time": (lambda: then(plain((1, 8)), name="MatMul", inputs=["v0"]), "(MatMul): weights = 'floats"),
    "shape": (lambda: then(plain(), name="Reshape", inputs=["v0"]), "(Reshape): shape = 'computed at run"),
    "broadcast": (lambda: then(plain(), name="Add", inputs=["c0"]), "(Add): c0 = 'a constant'"),
    "dynamic": (lambda: then(plain((1, 2, -1, 6)), name="Relu"), "model.onnx: shape of x = (1, 2, -1, 6)"),
    "batch": (lambda: then(plain((4, 2, 6, 6)), name="Relu"), "model.onnx: shape of x = (4, 2, 6, 6)"),
    "rank": (lambda: then(plain((1, 2, 6, 6, 6)), name="Relu"), "model.onnx: shape of x = (1, 2, 6, 6, 6)"),
    "mean of rows": (lambda: then(plain(), name="ReduceMean", axes=[2]), "(ReduceMean): axes = [2] is not supported"),
    "cropped": (lambda: padded([0, 0, -1, 0, 0, 0, 0, 0]), "(Pad): pads = [(0, 0), (0, 0), (-1, 0), (0, 0)] is not"),
    "padded channels": (lambda: padded([0, 1, 0, 0, 0, 0, 0, 0]), "(Pad): pads = [(0, 0), (1, 0), (0, 0), (0, 0)] is"),
    "pads of ones": (lambda: padded([0, 0, 1, 1, 0, 0, 1, 1], np.float32(1)), "(Pad): value = 1.0 is not"),
    "reflected": (lambda: padded([0, 0, 1, 1, 0, 0, 1, 1], mode="reflect"), "(Pad): mode = 'reflect' is not supported"),
    "pads of a pool": (lambda: padded([0, 0, 1, 1, 0, 0, 1, 1], behind="MaxPool", kernel_shape=[2, 2]),
                       "(MaxPool): v1 = 'made by Pad' is not supported (supported: read by Conv and QLinearConv"),
    "clamped before": (lambda: then(plain(), name="Relu"), "(Relu): v0 = 'quantised before'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_node_and_field(path, case):
    oracle("onnx")
    make, words = REFUSED[case]
    write(path, make())
    with pytest.raises(UnsupportedError) as refused:
        load_model(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    survey = survey_model(path)
    assert survey.model is None
    assert str(survey.problems[0]) == str(refused.value)


@pytest.mark.parametrize(
    "attributes", [{"auto_pad": "VALID", "pads": [0, 1, 0, 0]}, {"pads": [-1, 0, 0, 0]}, {"pads": [1, 1]}]
)
def test_wrong_pads_of_a_convolution_stay_wrong_behind_pad(path, attributes):
    """They are not added to those before it, which would hide them."""
    oracle("onnx")
    network = plain()
    network.last = network.node("Pad", [network.real(), network.constant(np.array([0, 0, 2, 2, 0, 0, 2, 2]))])
    weights = network.real_weights(np.ones((3, 2, 1, 1), np.int8), np.float32(0.02), 0)
    network.quantise(network.node("Conv", [network.last, weights], **attributes), (1, 3, 10, 10), 0.3, -7)
    write(path, network)
    with pytest.raises(SpecError, match="pad"):
        load_model(path)


@pytest.mark.material("models/onnx_light/*.onnx")
def test_real_models_of_floats_are_refused_by_name(material_file):
    oracle("onnx")
    with pytest.raises(UnsupportedError, match=r"node 0 \(ConstantOfShape\): operator = 'ConstantOfShape'"):
        load_model(material_file)
    assert {record.place for record in survey_model(material_file).operators} <= {"refused", "free"}


def test_types_may_change_from_layer_to_layer(seed, path):
    """A convolution reads and makes int8 or uint8, whatever its weights are."""
    oracle("onnxruntime")
    network = Network(np.random.default_rng(seed), (1, 3, 6, 7), np.float32(0.1), -9)
    for dtype in ("int8", "uint8", "int8"):
        before, network.dtype = network.dtype, dtype
        made = onnx_networks.new_scale(network)
        network.dtype = before
        values, scale = network.weights((3, 3, 2, 2), 0, per_channel=True)
        x, w = network.real(), network.real_weights(values, (scale * np.float32(made[0])).astype(np.float32), 0)
        network.dtype = dtype
        shape = (1, 3, *(extent - 1 for extent in network.shape[2:]))
        network.quantise(network.node("Conv", [x, w], kernel_shape=[2, 2]), shape, *made)
    compare(path, network, onnx_networks.frames(network, 20))
    graph = load_model(path).network.graph
    assert [tensor.dtype for tensor in graph.tensors.values()] == ["int8", "int8", "uint8", "int8"]


def test_without_a_zero_point_it_is_0(seed, path):
    """Of the type that is read where floats are made, of uint8 where they are quantised."""
    oracle("onnxruntime")
    network = Network(np.random.default_rng(seed), (1, 2, 5, 6), np.float32(0.1), 0)
    values, scale = network.weights((4, 2, 3, 3), 0, per_channel=False)
    x = network.node("DequantizeLinear", ["x", network.constant(np.float32(0.1))])
    result = network.node("Conv", [x, network.real_weights(values, np.float32(scale), 0)], kernel_shape=[3, 3])
    network.last = network.node("QuantizeLinear", [result, network.constant(np.float32(0.5))])
    network.shape, network.dtype = (1, 4, 3, 4), "uint8"
    network.first_dtype = "int8"
    x = np.random.default_rng(seed).integers(-128, 128, (20, 2, 5, 6)).astype(np.int8)
    compare(path, network, x)
    graph = load_model(path).network.graph
    assert [(each.dtype, each.zero_point) for each in graph.tensors.values()] == [("int8", 0), ("uint8", 0)]


@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
def test_what_onnxruntime_quantises_to_uint8_is_taken(path, tmp_path, weights):
    """Activations as its quantiser made them by default for years."""
    oracle("onnxruntime")
    onnx = oracle("onnx")
    from onnxruntime import quantization

    random = np.random.default_rng(5)
    constants = {"a": (6, 3, 3, 3), "b": (6, 1, 3, 3), "c": (6, 6, 1, 1), "d": (6, 5)}
    held = [onnx.numpy_helper.from_array(random.normal(0, 0.2, shape).astype(np.float32), name)
            for name, shape in constants.items()]  # fmt: skip
    node = onnx.helper.make_node
    nodes = [
        node("Conv", ["x", "a"], ["1"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Relu", ["1"], ["2"]),
        node("Conv", ["2", "b"], ["3"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=6),
        node("Add", ["3", "2"], ["4"]), node("Conv", ["4", "c"], ["5"], kernel_shape=[1, 1]),
        node("MaxPool", ["5"], ["6"], kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", ["6"], ["7"]), node("Flatten", ["7"], ["8"]), node("MatMul", ["8", "d"], ["y"]),
    ]  # fmt: skip
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in (("x", [1, 3, 8, 10]), ("y", [1, 5]))]  # fmt: skip
    graph = onnx.helper.make_graph(nodes, "network", ends[:1], ends[1:], held)
    opsets = [onnx.helper.make_opsetid("", onnx_networks.OPSET)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=onnx_networks.IR), tmp_path / "float.onnx")
    x = random.normal(0, 1, (40, 3, 8, 10)).astype(np.float32)

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.feeds = iter([{"x": each[None]} for each in x])

        def get_next(self):
            return next(self.feeds, None)

    kinds = {"activation_type": quantization.QuantType.QUInt8, "weight_type": quantization.QuantType[weights]}
    quantization.quantize_static(tmp_path / "float.onnx", path, Reader(), **kinds)
    model = load_model(path)
    graph = model.network.graph
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"uint8"}
    assert Counter(map(type, graph.nodes)) == {Conv: 5, Add: 1, Pool: 1}
    assert model.before[0].operation.output_dtype == "uint8"
    runtime, _ = run_oracles(onnx.load(path), x, alone=True)
    step = model.after[0].operation.scale
    assert len(np.unique(runtime)) > 20
    assert (np.abs(run_model(model, x) - runtime) < step / 2).mean() > 0.99  # which adds in its own fixed point
    assert np.abs(run_model(model, x) - runtime).max() < 1.5 * step


def test_files_that_contradict_themselves_are_refused(path):
    oracle("onnx")
    network = small()
    network.nodes[0], network.nodes[1] = network.nodes[1], network.nodes[0]
    write(path, network)
    with pytest.raises(FormatError, match=r"reads v0, which nothing makes before it"):
        load_model(path)
    network = small()
    network.nodes[2].output[0] = "v0"
    write(path, network)
    with pytest.raises(FormatError, match="value v0 is made more than once"):
        load_model(path)
    model = small().model()
    next(each for each in model.graph.initializer if len(each.dims) > 1).dims[0] += 1
    path.write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match=r"constant c\d+ has \d+ numbers for the shape"):
        load_model(path)


def test_numbers_in_other_files_are_not_read(path, tmp_path):
    onnx = oracle("onnx")
    model = small().model()
    tensor = next(each for each in model.graph.initializer if len(each.dims) > 1)
    (tmp_path / "secret").write_bytes(tensor.raw_data)
    onnx.external_data_helper.set_external_data(tensor, "secret")
    tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedError, match="data_location = 'external'"):
        load_model(path)


def test_truncated_and_damaged_models_raise_nothing_else(path, seed):
    oracle("onnx")
    content = small().model().SerializeToString()
    random = np.random.default_rng(seed)
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        with pytest.raises(HwconvError):
            load_model(path)
    for _ in range(400):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), int(random.integers(1, 6))):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(HwconvError):
            load_model(path)
    for foreign in (b"", b"\x89PNG\r\n\x1a\n", b"\x08\x07", bytes(100)):
        path.write_bytes(foreign)
        for read in (load_model, frontend.load_model):
            with pytest.raises(FormatError):
                read(path)
