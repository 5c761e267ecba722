"""Graphs and their golden model: pooling and concatenation against TensorFlow Lite Micro, and what is refused."""

import json

import numpy as np
import pytest
import tflite
from checked_graphs import addition, mixed, octets, words
from tflite_builder import Operator, Tensor, build

from hwconv.errors import SpecError, UnsupportedError
from hwconv.golden import graph as golden_graph
from hwconv.golden import pool as golden_pool
from hwconv.graph import Add, Concat, Conv, Graph, Network, Pool
from hwconv.layer import LayerParameters
from hwconv.pool import PoolSpec
from hwconv.spec import ConvSpec, dtype_range

ACTIVATIONS = {"NONE": (-128, 127), "RELU": (0, 127), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}
"""With scale 1 and zero point 0 the clamp is the activation's own."""


def micro(model, x):
    runtime = pytest.importorskip("tflite_micro", reason="not installed: pip install '.[oracles]'").runtime
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    for index, each in enumerate(x):
        interpreter.set_input(each, index)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("kind", ["max", "average"])
def test_pooling_equals_tflite_micro(seed, kind, dtype):
    random = np.random.default_rng([seed, *kind.encode()])
    least, most = dtype_range(dtype)
    border = ties = 0
    for case in range(120):
        kernel, stride = ([int(each) for each in random.integers(1, high, 2)] for high in (6, 4))
        same = bool(random.random() < 0.6)
        height, width = (int(random.integers(1 if same else k, 10 + k)) for k in kernel)
        channels = int(random.integers(1, 6))
        activation = str(random.choice(list(ACTIVATIONS)))
        low, high = (least if end == -128 else most if end == 127 else end for end in ACTIVATIONS[activation])
        spec = PoolSpec(
            kind=kind, height=height, width=width, channels=channels, kernel=kernel, stride=stride,
            padding="same" if same else "valid", dtype=dtype, activation_min=low, activation_max=high,
        )  # fmt: skip
        x = random.integers(least, most + 1, (1, height, width, channels)).astype(dtype)
        if random.random() < 0.3:  # small sums, so that half-way cases are frequent
            x = random.integers(-2, 3, x.shape).astype(dtype)
        options = {
            "Padding": tflite.Padding.SAME if same else tflite.Padding.VALID, "StrideH": stride[0],
            "StrideW": stride[1], "FilterHeight": kernel[0], "FilterWidth": kernel[1],
            "FusedActivationFunction": getattr(tflite.ActivationFunctionType, activation),
        }  # fmt: skip
        tensors = [Tensor(x.shape, dtype), Tensor((1, *spec.output_shape), dtype)]
        model = build(tensors, [Operator(f"{kind.upper()}_POOL_2D", [0], [1], options)])
        found = golden_pool.run(spec, x)
        np.testing.assert_array_equal(found, micro(model, [x]), err_msg=f"case {case}: {spec}", strict=True)
        border += len(spec.counts) > 1
        ties += any(count % 2 == 0 for count in spec.counts)
    assert border > 20
    assert ties > 20


@pytest.mark.parametrize("kind", ["max", "average"])
def test_pooling_of_uint8_equals_tflite_micro_on_the_same_numbers_as_int16(seed, kind):
    """It has no uint8; its int16 kernels compute the same of numbers from 0 to 255."""
    random = np.random.default_rng([seed, *kind.encode()])
    for case in range(60):
        kernel, stride = ([int(each) for each in random.integers(1, high, 2)] for high in (6, 4))
        height, width = (int(random.integers(k, 10 + k)) for k in kernel)
        low, high = sorted(int(end) for end in random.choice([0, 0, 3, 100, 200, 255, 255], 2))
        shape = {"height": height, "width": width, "channels": int(random.integers(1, 6))}
        spec = PoolSpec(kind=kind, **shape, kernel=kernel, stride=stride, padding="same", dtype="uint8",
                        activation_min=low, activation_max=high)  # fmt: skip
        x = random.integers(0, 256, (1, *shape.values())).astype(np.uint8)
        if random.random() < 0.3:
            x = random.integers(0, 3, x.shape).astype(np.uint8)
        options = {
            "Padding": tflite.Padding.SAME, "StrideH": stride[0], "StrideW": stride[1], "FilterHeight": kernel[0],
            "FilterWidth": kernel[1],
        }  # fmt: skip
        tensors = [Tensor(x.shape, "int16"), Tensor((1, *spec.output_shape), "int16")]
        model = build(tensors, [Operator(f"{kind.upper()}_POOL_2D", [0], [1], options)])
        expected = np.clip(micro(model, [x.astype(np.int16)]), low, high).astype(np.uint8)
        np.testing.assert_array_equal(golden_pool.run(spec, x), expected, err_msg=f"case {case}: {spec}", strict=True)


def test_averages_are_rounded_half_away_from_zero():
    totals = np.arange(-600, 601)
    for count in range(1, 12):
        exact = [(abs(2 * int(total)) + count) // (2 * count) * (-1 if total < 0 else 1) for total in totals]
        assert golden_pool.divide(totals, count).tolist() == exact
    assert golden_pool.divide(np.array([-3, -1, 1, 3]), 2).tolist() == [-2, -1, 1, 2]


def test_counts_are_what_windows_have_inside_the_frame():
    spec = PoolSpec(kind="average", height=5, width=4, channels=1, kernel=(3, 3), stride=(1, 1), padding="same")
    inside = np.pad(np.ones((5, 4), int), 1)
    seen = {inside[y : y + 3, x : x + 3].sum() for y in range(5) for x in range(4)}
    assert spec.counts == tuple(sorted(seen)) == (4, 6, 9)
    assert PoolSpec(kind="max", height=6, width=6, channels=1, kernel=(2, 2)).counts == (4,)


def conv(name, inputs, outputs, before, **fields):
    height, width = before[:2]
    values = {"kernel": (1, 1), "input_zero_point": 3, "output_zero_point": 3, **fields}
    return ConvSpec(name=name, height=height, width=width, in_channels=inputs, out_channels=outputs, **values)


def parameters(spec, random):
    return LayerParameters(
        weights=random.integers(-128, 128, spec.weight_shape).astype(np.int8),
        bias=random.integers(-1000, 1001, spec.out_channels),
        multiplier=np.full(spec.out_channels, 1 << 30),
        shift=np.full(spec.out_channels, -6),
    )


def inception() -> Graph:
    size = (5, 6)
    pool = PoolSpec(name="pooled", kind="max", height=5, width=6, channels=4, kernel=(3, 3), stride=(1, 1),
                    padding="same")  # fmt: skip
    return Graph(
        name="inception", height=5, width=6, channels=4, zero_point=3,
        nodes=(
            Conv(input="input", spec=conv("one", 4, 2, size)),
            Conv(input="input", spec=conv("three", 4, 3, size, kernel=(3, 3), padding="same")),
            Pool(input="input", spec=pool),
            Concat(name="together", inputs=("one", "three", "pooled", "input")),
            Conv(input="together", spec=conv("last", 13, 5, size)),
        ),
    )  # fmt: skip


def test_a_graph_survives_json_and_knows_its_tensors():
    graph = inception()
    assert Graph.from_json(graph.to_json()) == graph
    assert hash(Graph.from_json(graph.to_json())) == hash(graph)
    for make in (octets, words, mixed):
        assert Graph.from_json(make().to_json()) == make()
    assert {each.dtype for each in octets().tensors.values()} == {"uint8"}
    assert [each.dtype for each in mixed().tensors.values()] == ["uint8", "int8", "int16", "int8"]
    assert graph.tensors["together"].shape == (5, 6, 13)
    assert graph.output == "last"
    assert graph.readers("input") == [("one", 0), ("three", 0), ("pooled", 0), ("together", 3)]
    assert graph.macs == 30 * (4 * 2 + 4 * 3 * 9 + 13 * 5)
    assert graph.weights == 4 * 2 + 4 * 3 * 9 + 13 * 5


def test_a_network_is_its_nodes_one_after_the_other():
    graph, random = inception(), np.random.default_rng(5)
    network = Network(graph, {node.name: parameters(node.spec, random) for node in graph.convolutions})
    x = random.integers(-128, 128, (2, 5, 6, 4)).astype(np.int8)
    tensors = golden_graph.run_all(network, x)
    # The concatenation as TensorFlow Lite Micro has it.
    parts = [tensors[name] for name in ("one", "three", "pooled", "input")]
    model_tensors = [*(Tensor((1, *part.shape[1:])) for part in parts), Tensor((1, 5, 6, 13))]
    for frame in range(2):
        given = [part[frame : frame + 1] for part in parts]
        constants = [Tensor((1, *part.shape[1:]), data=part) for part in given[1:]]
        model = build([model_tensors[0], *constants, model_tensors[-1]],
                      [Operator("CONCATENATION", [0, 1, 2, 3], [4], {"Axis": 3})])  # fmt: skip
        np.testing.assert_array_equal(tensors["together"][frame : frame + 1], micro(model, given[:1]))
    # A 1x1 convolution is a matrix product.
    own = network.layers["one"].parameters
    acc = (x.astype(int) - 3) @ own.weights.reshape(2, 4).T.astype(int) + own.biases
    scaled = [[min(max(_tflite(int(value)) + 3, -128), 127) for value in row] for row in acc.reshape(-1, 2)]
    assert tensors["one"].reshape(-1, 2).tolist() == scaled
    assert np.array_equal(golden_graph.run(network, x), tensors["last"])


def _tflite(acc: int) -> int:
    """Times 2**30 / 2**31, then / 2**6: both roundings half away from zero (the first one half up)."""
    high = (acc + 1) // 2
    return (abs(high) + 32) // 64 * (1 if high >= 0 else -1)


def graph_of(*nodes, **fields):
    return Graph(**{"height": 5, "width": 6, "channels": 4, "zero_point": 3, **fields}, nodes=nodes)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ((), "nodes"),
        ((Conv(input="inputs", spec=conv("a", 4, 2, (5, 6))),), "'inputs'"),
        ((Conv(input="input", spec=conv("a", 5, 2, (5, 6))),), "input shape"),
        ((Conv(input="input", spec=conv("a", 4, 2, (5, 6), input_zero_point=4)),), "input_zero_point"),
        ((Conv(input="input", spec=conv("input", 4, 2, (5, 6))),), "name of a node"),
        ((Conv(input="input", spec=conv("a", 4, 2, (5, 6))), Conv(input="input", spec=conv("b", 4, 2, (5, 6)))),
         "read by a node"),
        ((Conv(input="input", spec=conv("a", 4, 2, (5, 6), output_zero_point=9)),
          Concat(name="both", inputs=("a", "input"))), "zero_point of input"),
        ((Conv(input="input", spec=conv("a", 4, 2, (5, 6), kernel=(2, 2))),
          Concat(name="both", inputs=("input", "a"))), "height of a"),
        ((Conv(input="input", spec=conv("a", 4, 2, (5, 6), input_dtype="uint8")),), "input_dtype"),
        ((Pool(input="input", spec=PoolSpec(kind="max", height=5, width=6, channels=4, kernel=(2, 2), dtype="int16")),),
         "dtype to be int8, that of input, not 'int16'"),
        ((Conv(input="input", spec=conv("a", 4, 4, (5, 6), output_dtype="int16")),
          Concat(name="both", inputs=("a", "input"))), "dtype of input"),
        ((Conv(input="input", spec=conv("a", 4, 4, (5, 6), output_dtype="int16")),
          Add(inputs=("a", "input"), spec=addition("sum", (5, 6, 4), (1, 1, 1)))), "dtype to be int16, that of a"),
    ],
)  # fmt: skip
def test_nodes_that_do_not_fit_are_refused(nodes, said):
    with pytest.raises(SpecError, match=said):
        graph_of(*nodes)


def test_what_has_no_stream_between_engines_is_refused():
    raw = conv("raw", 4, 2, (5, 6), requantisation="none", output_dtype="int32", output_zero_point=0)
    assert graph_of(Conv(input="input", spec=raw)).output == "raw"
    with pytest.raises(UnsupportedError, match="type of raw"):
        graph_of(Conv(input="input", spec=raw), Conv(input="raw", spec=conv("b", 2, 2, (5, 6), input_zero_point=0)))
    piece = conv("piece", 4, 2, (5, 6), kernel=(2, 1), padding=(1, 0, 0, 0), streaming=True)
    with pytest.raises(UnsupportedError, match="streaming"):
        graph_of(Conv(input="input", spec=piece))


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("height"),
        lambda values: values.update(nodes={}),
        lambda values: values.update(nodes=[3]),
        lambda values: values["nodes"][0].update(kind="relu"),
        lambda values: values["nodes"][0].update(more=1),
        lambda values: values["nodes"][2]["spec"].update(padding=[3, 0, 0, 0]),
        lambda values: values["nodes"][2]["spec"].update(kind="median"),
        lambda values: values["nodes"][3].update(inputs=["one"]),
        lambda values: values.update(zero_point=200),
        lambda values: values.update(zero_point=True),
        lambda values: values.update(dtype="int4"),
        lambda values: values.update(dtype=["int8"]),
        lambda values: values.update(dtype="uint8", zero_point=-1),
        lambda values: values["nodes"][2]["spec"].update(dtype="int32"),
    ],
)
def test_other_json_is_refused(damage):
    values = json.loads(inception().to_json())
    damage(values)
    with pytest.raises(SpecError):
        Graph.from_dict(values)


def test_parameters_belong_to_convolutions():
    graph, random = inception(), np.random.default_rng(5)
    known = {node.name: parameters(node.spec, random) for node in graph.convolutions}
    for wrong in ({**known, "pooled": known["one"]}, {name: each for name, each in known.items() if name != "one"}):
        with pytest.raises(SpecError, match="parameters of"):
            Network(graph, wrong)
