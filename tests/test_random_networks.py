"""Whole models of several operators against TensorFlow Lite Micro: random ones, and what each operator may be."""

from collections import Counter

import numpy as np
import pytest
import random_networks
import tflite
from random_networks import Network
from tflite_builder import Operator, Tensor, build

from hwconv.errors import SpecError
from hwconv.frontend.tflite_file import ModelFile, contained
from hwconv.frontend.tflite_model import load_model
from hwconv.frontend.tflite_operator import OperatorReader
from hwconv.frontend.tflite_steps import host_operation
from hwconv.golden import host, softmax
from hwconv.golden.model import run_model
from hwconv.graph import Pool

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


def micro(model: bytes, x: np.ndarray, arena: int = 1 << 20) -> np.ndarray:
    """The output of TensorFlow Lite Micro for each frame."""
    runtime = pytest.importorskip("tflite_micro", reason="not installed: pip install '.[oracles]'").runtime
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=arena)
    found = []
    for frame in x:
        interpreter.set_input(frame[None], 0)
        interpreter.invoke()
        found.append(np.array(interpreter.get_output(0)))
    return np.concatenate(found)


def test_random_networks_equal_tflite_micro(seed, tmp_path):
    path = tmp_path / "network.tflite"
    seen: Counter[str] = Counter()
    values = outputs = 0
    for case in range(150):
        network = random_networks.draw(np.random.default_rng([seed, case]))
        content = network.content()
        path.write_bytes(content)
        x = random_networks.frames(network, 3)
        found = run_model(load_model(path), x)
        kinds = [operator.name for operator in network.operators]
        np.testing.assert_array_equal(found, micro(content, x), err_msg=f"case {case}: {kinds}", strict=True)
        seen.update(network.kinds)
        outputs += found.size
        values += len(np.unique(found)) > 1
    print(f"{outputs} outputs of 150 networks; {dict(seen)}")
    assert values > 90  # outputs that say something
    for kind in (
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D"),
        *(
            "MUL",
            "MEAN",
            "RESIZE_NEAREST_NEIGHBOR",
            "DEPTH_TO_SPACE",
            "CONCATENATION",
            "RESHAPE",
            "PAD",
            "PADV2",
            "SOFTMAX",
        ),
        *("QUANTIZE", "DEQUANTIZE", "ARG_MAX"),
    ):
        assert seen[kind] > 5, kind


def test_random_networks_of_int16_equal_tflite_micro(seed, tmp_path):
    """Those too that become int8 on the way, and int16 again."""
    path, seen, said = tmp_path / "network.tflite", Counter(), 0
    for case in range(120):
        network = random_networks.draw(np.random.default_rng([seed, 16, case]), "int16")
        content = network.content()
        path.write_bytes(content)
        x = random_networks.frames(network, 3)
        found = run_model(load_model(path), x)
        kinds = [operator.name for operator in network.operators]
        np.testing.assert_array_equal(found, micro(content, x), err_msg=f"case {case}: {kinds}", strict=True)
        seen.update(network.kinds | {tensor.dtype for tensor in network.tensors if tensor.data is None})
        said += len(np.unique(found)) > 1
    assert said > 80  # outputs that say something
    for kind in (
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "MAX_POOL_2D", "AVERAGE_POOL_2D"),
        *("CONCATENATION", "RESHAPE", "PAD", "PADV2", "QUANTIZE", "DEQUANTIZE", "float32", "int8", "int16"),
    ):
        assert seen[kind] > 5, kind


def test_random_networks_of_uint8_equal_tflite_micro_on_the_same_ones_of_int8(seed, tmp_path):
    """It has no kernels for uint8. The definitions have differences from zero points only, so that the same network
    128 lower gives the same 128 lower; but for averages with half-way values, which are left out here.
    """
    path, seen, said = tmp_path / "network.tflite", Counter(), 0
    for case in range(150):
        random = np.random.default_rng([seed, 8, case])
        signed = random_networks.coarse(random_networks.draw(random, per_channel=False))
        content = signed.content()
        path.write_bytes(content)
        pools = [node.spec for node in load_model(path).network.graph.nodes if isinstance(node, Pool)]
        if any(count % 2 == 0 for spec in pools if spec.kind == "average" for count in spec.counts):
            continue
        path.write_bytes(random_networks.unsigned(signed).content())
        model, x = load_model(path), random_networks.frames(signed, 3)
        assert "int8" not in {tensor.dtype for tensor in model.network.graph.tensors.values()}
        expected = micro(content, x)
        if expected.dtype == np.int8:
            expected = (expected.astype(int) + 128).astype(np.uint8)
        found = run_model(model, (x.astype(int) + 128).astype(np.uint8) if x.dtype == np.int8 else x)
        kinds = [operator.name for operator in signed.operators]
        np.testing.assert_array_equal(found, expected, err_msg=f"case {case}: {kinds}", strict=True)
        seen.update(signed.kinds)
        said += len(np.unique(found)) > 1
    assert said > 80  # outputs that say something
    for kind in (
        *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "ADD", "MAX_POOL_2D", "RESHAPE"),
        *("CONCATENATION", "PAD", "PADV2", "SOFTMAX", "QUANTIZE", "DEQUANTIZE", "ARG_MAX"),
    ):
        assert seen[kind] > 3, kind


def test_uint8_frames_that_become_int8_in_several_places_equal_tflite_micro(seed, tmp_path):
    """The input is read by a QUANTIZE for each of two scales, as hardware does where the host has no place."""
    path, random = tmp_path / "network.tflite", np.random.default_rng([seed, 88])
    for case in range(20):
        network = Network(random)
        network.tensor((1, 4, 5, 3), "uint8", [0.1], [int(random.integers(0, 256))])
        parts = []
        for _ in range(2):
            network.append("QUANTIZE", [0], (1, 4, 5, 3), scales=[float(np.float32(random.uniform(0.03, 0.4)))])
            random_networks.convolution(network, channels=2, shrink=False)
            parts.append(network.last)
        network.append("ADD", parts, (1, 4, 5, 2), scales=[4.0])
        content, x = network.content(), random.integers(0, 256, (9, 4, 5, 3)).astype(np.uint8)
        path.write_bytes(content)
        model = load_model(path)
        assert [record.note for record in model.operators if record.name == "QUANTIZE"] == ["as int8"] * 2
        np.testing.assert_array_equal(run_model(model, x), micro(content, x), err_msg=f"case {case}", strict=True)


def sum_of(scales, points, activation="NONE") -> bytes:
    """Both channels of a frame, each at its own scale and zero point, added.

    A 1x1 convolution whose real multiplier is 1 takes a channel out as it is; its bias moves the zero point.
    """
    network = Network(np.random.default_rng(0))
    network.tensor((1, 256, 256, 2), zero_points=[0])
    window = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 1}
    for channel in range(2):
        chosen = np.eye(2, dtype=np.int8)[channel].reshape(1, 1, 1, 2)
        weights = network.tensor((1, 1, 1, 2), scales=[scales[channel]], data=chosen)
        bias = network.tensor((1,), "int32", data=np.array([-points[channel]]))
        network.append("CONV_2D", [0, weights, bias], (1, 256, 256, 1), window, scales=[scales[channel]],
                       zero_points=[points[channel]])  # fmt: skip
    operands = [operator.outputs[0] for operator in network.operators]
    options = {"FusedActivationFunction": getattr(tflite.ActivationFunctionType, activation)}
    network.append("ADD", operands, (1, 256, 256, 1), options, scales=[scales[2]], zero_points=[points[2]])
    return network.content()


def every_pair() -> np.ndarray:
    values = np.arange(-128, 128, dtype=np.int8)
    return np.stack(np.meshgrid(values, values, indexing="ij"), axis=-1)[None]


TIES = [((1, 1, 2), (0, 0, 0)), ((1, 1, 4), (-128, 127, -1)), ((0.5, 1, 1), (3, -4, 5)), ((1, 0.25, 1), (0, 0, 0)),
        ((2, 1, 8), (-128, -128, -128)), ((1, 1, 1), (0, 0, 0)), ((1, 3, 2), (1, 2, 3)), ((1, 1, 64), (0, 127, 0)),
        ((0.125, 4, 4), (-5, 6, -7))]  # fmt: skip
"""Scales by which half-way values are many."""
EXTREMES = [((1e-6, 1, 1), (0, 0, 0)), ((1, 1e-6, 0.01), (-128, 127, 0)), ((1e-38, 1e-38, 1e-38), (1, 2, 3)),
            ((1e30, 1e30, 1e31), (0, 0, 0)), ((1, 1, 2.0**-18), (0, 0, 0)), ((1, 1, 1000), (0, 0, 9)),
            ((1, 1, 1e9), (0, 0, -9)), ((1e-30, 1, 1e-4), (-128, -128, 127)),
            ((1, 1, 1.9073488e-06), (0, 0, 0))]  # fmt: skip


def test_additions_equal_tflite_micro_on_every_pair_of_operands(seed, tmp_path):
    random = np.random.default_rng(seed)
    cases = [(scales, points, "NONE") for scales, points in TIES + EXTREMES]
    cases += [(scales, points, activation) for scales, points in TIES[:4] for activation in ACTIVATIONS[1:]]
    for _ in range(24):
        scales = 2.0 ** random.uniform(-8, 2, 3)
        points = [int(point) for point in random.integers(-128, 128, 3)]
        cases.append((tuple(scales), tuple(points), str(random.choice(ACTIVATIONS))))
    x, path, compared = every_pair(), tmp_path / "sum.tflite", 0
    for case in cases:
        content = sum_of(*case)
        path.write_bytes(content)
        found = run_model(load_model(path), x)
        np.testing.assert_array_equal(found, micro(content, x), err_msg=str(case), strict=True)
        compared += found.size
    print(f"{compared} sums of {len(cases)} combinations")
    assert compared == 65536 * len(cases)


def row_model(channels: int, scale: float, beta: float, point: int) -> bytes:
    tensors = [Tensor((1, channels), scales=[scale], zero_points=[point]),
               Tensor((1, channels), scales=[1 / 256], zero_points=[-128])]  # fmt: skip
    return build(tensors, [Operator("SOFTMAX", [0], [1], {"Beta": beta})])


def operation_of(path):
    with contained(path):
        reader = OperatorReader(ModelFile(path), 0)
        inputs, y = reader.tensors(1, 2)
        return host_operation(reader, inputs[0], y)


def rows(random, channels: int, factor: float) -> np.ndarray:
    """Random rows, and those where fixed point is at its ends: equal values, one largest, all values, extremes only.

    Those whose sum of exponentials comes near 512 are left out: TensorFlow Lite Micro ends there.
    """
    found = [random.integers(-128, 128, (12, channels)), np.full((3, channels), [[-128], [0], [127]])]
    found += [random.choice([-128, 127], (3, channels)), random.integers(120, 128, (3, channels))]
    one_hot = np.full((2, channels), -128)
    one_hot[0, 0] = one_hot[1, -1] = 127
    x = np.concatenate([*found, one_hot, [np.arange(channels) % 256 - 128]])
    return x[np.exp(factor * (x - x.max(axis=1, keepdims=True))).sum(axis=1) < 511.5].astype(np.int8)


@pytest.mark.parametrize("channels", [1, 2, 3, 10, 12, 100, 256, 1001, 4095])
def test_softmax_equals_tflite_micro(seed, tmp_path, channels):
    random = np.random.default_rng([seed, channels])
    path, compared = tmp_path / "softmax.tflite", 0
    factors = [1.0, 2.0**-26 * 1.5, 1e-7, 0.004, 0.0039, 0.05, 0.144692510, 0.171853512, 1.9, 31.0, 32.5, 100.0, 1e4]
    for scale in [*factors, *(2.0 ** random.uniform(-12, 3, 8))]:
        for beta in (1.0, 0.3):
            if np.float32(beta) * np.float32(scale) * (1 << 26) <= 1:
                continue
            content = row_model(channels, float(np.float32(scale)), beta, int(random.integers(-128, 128)))
            path.write_bytes(content)
            x = rows(random, channels, beta * scale)
            if not len(x):
                continue
            found = softmax.run(operation_of(path), x)
            np.testing.assert_array_equal(found, micro(content, x), err_msg=f"{scale} {beta}", strict=True)
            compared += found.size
    print(f"{compared} outputs of rows of {channels}")


def test_rows_of_too_many_equal_values_are_refused(tmp_path):
    path = tmp_path / "softmax.tflite"
    path.write_bytes(row_model(600, 0.5, 1.0, 0))
    x = np.full((1, 600), 3, np.int8)
    x[:, 511:] = -128
    np.testing.assert_array_equal(softmax.run(operation_of(path), x), micro(path.read_bytes(), x))
    x[:, 511] = 3
    with pytest.raises(SpecError, match="sum of exponentials to be below 512"):
        softmax.run(operation_of(path), x)


def test_softmax_of_every_pair_and_scale_equals_tflite_micro(seed, tmp_path):
    """Rows of two: every difference there is."""
    random = np.random.default_rng(seed)
    path, compared = tmp_path / "softmax.tflite", 0
    x = np.stack([np.full(256, -128), np.arange(-128, 128)], axis=1).astype(np.int8)
    for scale in np.float32(2.0 ** random.uniform(-16, 6, 60)):
        content = row_model(2, float(scale), 1.0, 0)
        path.write_bytes(content)
        found = softmax.run(operation_of(path), x)
        np.testing.assert_array_equal(found, micro(content, x), err_msg=str(scale), strict=True)
        compared += found.size
    print(f"{compared} outputs")


@pytest.mark.parametrize("types", [("uint8", "int8"), ("int8", "uint8"), ("float32", "int8"), ("int8", "float32")])
def test_changes_of_type_equal_tflite_micro(seed, tmp_path, types):
    """On every byte, or on floats around every half-way value and beyond both ends."""
    random = np.random.default_rng([seed, *types[0].encode()])
    path, compared = tmp_path / "quantise.tflite", 0
    for case in range(60):
        scales, points = np.float32(2.0 ** random.uniform(-9, 3, 2)), []
        if case < 20:  # as converters write them, and ratios by which half-way values are many
            scales[1] = scales[0] * np.float32((1, 2, 0.5, 4)[case % 4])
        ends = []
        for dtype, scale in zip(types, scales, strict=True):
            low = 0 if dtype == "uint8" else -128
            points.append(int(random.integers(low, low + 256)) if case % 5 else 0)
            plain = dtype == "float32"
            shown = {"scales": () if plain else [scale], "zero_points": () if plain else [points[-1]]}
            ends.append(Tensor((1, 1280), dtype, **shown))
        if types[0] == "float32":
            steps = (np.arange(1280) - 640) / 2
            x = (steps.astype(np.float32) * scales[1])[None]
            x[0, ::3] = np.nextafter(x[0, ::3], np.float32(1e30))
            x[0, :2] = -3e30, 3e30
        else:
            x = (np.arange(1280) % 256).astype(np.uint8).view(types[0])[None]
        name = "DEQUANTIZE" if types[1] == "float32" else "QUANTIZE"
        content = build(ends, [Operator(name, [0], [1])])
        path.write_bytes(content)
        found = host.run(operation_of(path), x)
        if types[0] == "float32":  # where the conversion to int32 overflows, the kernel is not defined
            assert found[0, :2].tolist() == [-128, 127]
            x[0, :2] = 0
            found = host.run(operation_of(path), x)
        np.testing.assert_array_equal(found, micro(content, x), err_msg=f"{scales} {points}", strict=True)
        compared += found.size
    print(f"{compared} values from {types[0]} to {types[1]}")
