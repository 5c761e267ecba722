"""`MUL` and `ADD` of `.tflite` models with a constant for each channel: exact on every value, and in hardware."""

import numpy as np
import pytest
import tflite
from random_networks import Network, frames
from test_random_networks import ACTIVATIONS, micro
from tflite_builder import Operator, Tensor, build

from hwconv.frontend.tflite_model import load_model
from hwconv.golden.model import run_model
from hwconv.graph import Add, Conv
from hwconv.networks import compare_network, load_network

CHANNELS = 8


def with_constants(
    kind: str, data, scales, points, *, rank: int = 4, dtype: str = "int8", first: bool = False, activation="NONE"
) -> bytes:
    """One operator on a frame of every value of its type, the constants its first operand or its second."""
    shape = (1, 16, 16, CHANNELS)[4 - rank :] if rank == 4 else (1, *(256,) * (rank == 3), CHANNELS)
    x, y = (Tensor(shape, dtype, [scales[at]], [points[at]]) for at in (0, 2))
    constant = Tensor(np.shape(data), dtype, [scales[1]], [points[1]], data=np.array(data, dtype))
    options = {"FusedActivationFunction": getattr(tflite.ActivationFunctionType, activation)}
    return build([x, constant, y], [Operator(kind, [1, 0] if first else [0, 1], [2], options)])


def every_value(rank: int, dtype: str = "int8") -> np.ndarray:
    values = np.arange(256) + np.iinfo(dtype).min
    shape = {4: (16, 16, CHANNELS), 3: (256, CHANNELS)}[rank]
    return np.repeat(values[:, None], CHANNELS, axis=1).reshape(1, *shape).astype(dtype)


@pytest.mark.parametrize("kind", ["MUL", "ADD"])
def test_every_value_with_constants_equals_tflite_micro(kind, seed, tmp_path):
    random, path, compared = np.random.default_rng([seed, *kind.encode()]), tmp_path / "model.tflite", 0
    for case in range(60):
        rank, size = int(random.integers(3, 5)), int(random.choice([1, CHANNELS, CHANNELS]))
        data = random.choice([-128, 127, 0, *random.integers(-128, 128, 9)], size)
        shaped = data.reshape((1,) * int(random.integers(0, rank)) + (size,))
        scales, points = 2.0 ** random.uniform(-7, 1, 3), random.integers(-128, 128, 3)
        points[case % 3] = random.choice([-128, 127])
        activation = str(random.choice(ACTIVATIONS))
        content = with_constants(kind, shaped, scales, points, rank=rank, first=bool(case % 2), activation=activation)
        path.write_bytes(content)
        x = every_value(rank)
        found = run_model(load_model(path), x)
        np.testing.assert_array_equal(found, micro(content, x), err_msg=f"case {case}", strict=True)
        compared += found.size
    print(f"{compared} results of {kind}")
    assert compared == 60 * 256 * CHANNELS


def test_what_becomes_of_them(tmp_path):
    """A product is one layer; a sum is an addition of a frame that a layer with weights of 0 makes."""
    path = tmp_path / "model.tflite"
    data = np.arange(CHANNELS) - 3
    for kind, first in (("MUL", False), ("MUL", True), ("ADD", False), ("ADD", True)):
        path.write_bytes(with_constants(kind, data, (0.5, 0.25, 1), (3, 1, -4), first=first))
        network = load_model(path).network
        convolution, *others = network.graph.nodes
        assert isinstance(convolution, Conv)
        assert convolution.spec.groups == CHANNELS
        weights = network.layers[convolution.name].parameters.weights.reshape(-1)
        if kind == "MUL":
            assert not others
            np.testing.assert_array_equal(weights, data)
            continue
        (addition,) = others
        assert isinstance(addition, Add)
        assert not weights.any()
        assert addition.inputs == (("op0_constants", "input") if first else ("input", "op0_constants"))


def test_products_of_uint8_take_their_scale_in_float32(tmp_path):
    """tensorflow/lite/kernels/mul.cc multiplies and divides the scales as floats; its numbers, by exact arithmetic.

    The real multiplier is one half only as a float: as a double it is just below, and its Q31 number is another.
    """
    third, seventh = np.float32(1 / 3), np.float32(1 / 7)
    made = np.float32(third * seventh * np.float32(2))
    assert np.float32(third * seventh) / made == 0.5
    assert float(third) * float(seventh) / float(made) != 0.5
    path, x = tmp_path / "model.tflite", every_value(4, "uint8")
    data = np.arange(CHANNELS) * 30 + 20
    path.write_bytes(with_constants("MUL", data, (third, seventh, made), (100, 90, 128), dtype="uint8"))
    layer = next(iter(load_model(path).network.layers.values()))
    assert (int(layer.parameters.multiplier[0]), int(layer.parameters.shift[0])) == (1 << 30, 0)
    products = (x.astype(int) - 100) * (data - 90)
    halves = (products + 1) // 2  # half-way values up, as SaturatingRoundingDoublingHighMul has it
    np.testing.assert_array_equal(run_model(load_model(path), x), np.clip(halves + 128, 0, 255))


@pytest.mark.parametrize("optimise", ["interval", "latency"])
def test_a_batch_normalisation_that_is_left_is_exact_in_hardware(optimise, seed, tmp_path):
    """What TensorFlow Lite Micro gives, and every tensor between engines, at the predicted cycles."""
    network = Network(np.random.default_rng([seed, 77]))
    network.tensor((1, 6, 7, 3), scales=[0.25], zero_points=[-4])
    window = {"StrideH": 1, "StrideW": 1, "Padding": 0, "DilationHFactor": 1, "DilationWFactor": 1}
    network.weighted("CONV_2D", 0, (6, 3, 3, 3), (1, 6, 7, 6), window)
    for kind, factor in (("MUL", 74 * 74 / 60), ("ADD", 1.5)):
        scale = float(network.x.scales[0])
        constant = network.tensor((6,), scales=[scale], zero_points=[5], data=network.random.integers(-128, 128, 6))
        made = scale * scale * factor if kind == "MUL" else scale * factor
        operands = [network.last, constant] if kind == "MUL" else [constant, network.last]
        network.append(kind, operands, network.x.shape, scales=[float(np.float32(made))], zero_points=[-9])
    path, x = tmp_path / "network.tflite", frames(network, 4)
    path.write_bytes(network.content())
    known = micro(network.content(), x)
    assert len(np.unique(known)) > 8
    result = compare_network(
        path, input=x, expected=known, target="lfe5u-25f-6", optimise=optimise, simulator="icarus", every_tensor=True
    )
    assert not result.failure, result.describe()
    assert result.expected_outputs == known.size
    assert {each.name for each in result.tensors} == {
        node.name for node in load_network(path).network.graph.computed
    } | {"input"}
