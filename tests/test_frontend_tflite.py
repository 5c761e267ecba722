import contextlib
import re

import numpy as np
import pytest
import tflite
from tflite_builder import Operator, Tensor, build, build_layer

from hwconv import golden
from hwconv.errors import FormatError, HwconvError, UnsupportedError
from hwconv.frontend import load
from hwconv.frontend.tflite import layer_count, load_layer, read_model, supported_layers
from hwconv.spec import Padding


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.tflite"


X = Tensor((1, 6, 5, 2), scales=[0.5], zero_points=[-3])
WEIGHTS = Tensor((4, 3, 3, 2), scales=[0.25], data=np.arange(72) - 36)
Y = Tensor((1, 4, 3, 4), scales=[2.0], zero_points=[5])
BIAS = Tensor((4,), "int32", [0.125], data=np.array([1, -2, 3, 70000]))


def changed(tensor, **fields):
    return Tensor(**{**vars(tensor), **fields})


def test_a_convolution_becomes_a_layer(path):
    path.write_bytes(build_layer("CONV_2D", X, WEIGHTS, Y, BIAS))
    layer = load_layer(path, 0)
    spec = layer.spec
    assert (spec.input_shape, spec.output_shape, spec.kernel) == ((6, 5, 2), (4, 3, 4), (3, 3))
    assert (spec.input_zero_point, spec.output_zero_point, spec.weight_zero_point) == (-3, 5, 0)
    assert (spec.activation_min, spec.activation_max, spec.requantisation) == (-128, 127, "tflite")
    np.testing.assert_array_equal(layer.parameters.weights.ravel(), np.arange(72) - 36)
    assert layer.parameters.bias.tolist() == [1, -2, 3, 70000]
    # 0.5 * 0.25 / 2 = 2**-4 = 0.5 * 2**-3
    assert layer.parameters.multiplier.tolist() == [1 << 30] * 4
    assert layer.parameters.shift.tolist() == [-3] * 4
    assert spec.name == "model_op0_conv_2d"
    assert layer.origin == "model.tflite, operator 0 (CONV_2D)"


def test_scales_per_channel_become_multipliers_per_channel(path):
    path.write_bytes(build_layer("CONV_2D", X, changed(WEIGHTS, scales=[0.25, 0.5, 1, 0.75], zero_points=[0] * 4), Y))
    parameters = load_layer(path, 0).parameters
    assert parameters.shift.tolist() == [-3, -2, -1, -2]
    assert parameters.multiplier.tolist() == [1 << 30, 1 << 30, 1 << 30, 3 << 29]
    assert parameters.bias.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "shape", "padding"),
    [
        ({"Padding": tflite.Padding.SAME}, (6, 5), (1, 1, 1, 1)),
        ({"Padding": tflite.Padding.SAME, "StrideH": 2, "StrideW": 2}, (3, 3), (0, 1, 1, 1)),
        ({"Padding": tflite.Padding.SAME, "DilationHFactor": 2}, (6, 5), (2, 2, 1, 1)),
        ({"StrideH": 3}, (2, 3), (0, 0, 0, 0)),
        ({"DilationWFactor": 2}, (4, 1), (0, 0, 0, 0)),
    ],
)
def test_window_options_are_honoured(path, options, shape, padding):
    path.write_bytes(build_layer("CONV_2D", X, WEIGHTS, changed(Y, shape=(1, *shape, 4)), BIAS, **options))
    spec = load_layer(path, 0).spec
    assert spec.padding == Padding(*padding)
    assert (spec.out_height, spec.out_width) == shape
    assert spec.stride == (options.get("StrideH", 1), options.get("StrideW", 1))
    assert spec.dilation == (options.get("DilationHFactor", 1), options.get("DilationWFactor", 1))


# output scale 2, zero point 5: 0 is 5, 6 is 5 + 3, -1 is 5 - 0.5, a tie, away from zero: 4; 1 is 6
@pytest.mark.parametrize(
    ("activation", "clamp"),
    [("NONE", (-128, 127)), ("RELU", (5, 127)), ("RELU6", (5, 8)), ("RELU_N1_TO_1", (4, 6))],
)
def test_fused_activations_become_clamps(path, activation, clamp):
    number = getattr(tflite.ActivationFunctionType, activation)
    path.write_bytes(build_layer("CONV_2D", X, WEIGHTS, Y, BIAS, FusedActivationFunction=number))
    spec = load_layer(path, 0).spec
    assert (spec.activation_min, spec.activation_max) == clamp


def test_a_depthwise_layer_with_a_multiplier(path):
    weights = Tensor((1, 3, 3, 6), scales=[0.25], data=np.arange(54))
    path.write_bytes(build_layer("DEPTHWISE_CONV_2D", X, weights, changed(Y, shape=(1, 4, 3, 6)), DepthMultiplier=3))
    layer = load_layer(path, 0)
    assert layer.spec.depthwise
    assert layer.spec.channel_multiplier == 3
    assert layer.parameters.weights[4].ravel().tolist() == list(range(4, 54, 6))


def test_a_fully_connected_layer_reads_all_channels_as_one_vector(path):
    weights = Tensor((4, 60), scales=[0.25], zero_points=[2], data=np.arange(240) % 100)
    path.write_bytes(build_layer("FULLY_CONNECTED", X, weights, changed(Y, shape=(1, 4)), BIAS))
    layer = load_layer(path, 0)
    assert layer.spec.fully_connected
    assert (layer.spec.in_channels, layer.spec.weight_zero_point) == (60, 2)


def test_fewer_weight_channels_than_inputs_are_groups(path):
    weights = Tensor((4, 3, 3, 1), scales=[0.25], data=np.arange(36))
    path.write_bytes(build_layer("CONV_2D", X, weights, Y))
    assert load_layer(path, 0).spec.groups == 2


def test_int4_weights_are_unpacked(path):
    data = np.arange(45) % 16 - 8
    weights = Tensor((1, 3, 3, 5), "int4", [0.25], data=data)
    path.write_bytes(build_layer("CONV_2D", changed(X, shape=(1, 6, 5, 5)), weights, changed(Y, shape=(1, 4, 3, 1))))
    layer = load_layer(path, 0)
    assert layer.spec.weight_dtype == "int4"
    assert layer.parameters.weights.ravel().tolist() == data.tolist()


@pytest.mark.parametrize(("bias", "mode"), [("int64", "tflite16"), ("int32", "tflite"), (None, "tflite16")])
def test_int16_layers_follow_the_type_of_their_bias(path, bias, mode):
    x, y = (changed(tensor, dtype="int16", zero_points=[0]) for tensor in (X, Y))
    path.write_bytes(build_layer("CONV_2D", x, WEIGHTS, y, None if bias is None else changed(BIAS, dtype=bias)))
    spec = load_layer(path, 0).spec
    assert (spec.requantisation, spec.input_dtype, spec.output_dtype) == (mode, "int16", "int16")


REFUSED = {
    "float": (dict(x=changed(X, dtype="float32")), "input type = 'float32'"),
    "output": (dict(y=changed(Y, dtype="uint8")), "output type = 'uint8'"),
    "weights": (dict(weights=changed(WEIGHTS, dtype="int16")), "weight type = 'int16'"),
    "bias": (dict(bias=changed(BIAS, dtype="float32")), "bias type = 'float32'"),
    "weight zero point": (dict(weights=changed(WEIGHTS, zero_points=[1])), "zero points of the weights = [1]"),
    "int16 zero point": (
        dict(x=changed(X, dtype="int16"), y=changed(Y, dtype="int16", zero_points=[0])),
        "zero point of tensor 0 = -3",
    ),
    "dynamic weights": (dict(weights=changed(WEIGHTS, data=None)), "weights = 'computed at run time'"),
    "dynamic bias": (dict(bias=changed(BIAS, data=None)), "bias = 'computed at run time'"),
    "dynamic shape": (dict(x=changed(X, signature=(1, -1, 5, 2))), "shape = (1, -1, 5, 2)"),
    "rank": (dict(x=changed(X, shape=(6, 5, 2))), "input shape = (6, 5, 2)"),
    "no scale": (dict(x=changed(X, scales=[])), "scales of tensor 0 = []"),
    "zero scale": (dict(y=changed(Y, scales=[0.0])), "scales of tensor 3 = [0.0]"),
    "some scales": (dict(weights=changed(WEIGHTS, scales=[1.0, 2.0])), "scales of tensor 1 = [1.0, 2.0]"),
    "axis": (dict(weights=changed(WEIGHTS, scales=[1.0] * 4, axis=3)), "quantized_dimension of the weights = 3"),
    "activation": (dict(FusedActivationFunction=tflite.ActivationFunctionType.TANH), "fused activation = 4"),
    "huge scale": (dict(x=changed(X, scales=[1e6])), "shift of channel"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_operator_and_field(path, case):
    changes, words = REFUSED[case]
    parts = {"x": X, "weights": WEIGHTS, "y": Y, "bias": BIAS, **changes}
    path.write_bytes(build_layer("CONV_2D", **parts))
    with pytest.raises(UnsupportedError) as refused:
        load_layer(path, 0)
    assert words in str(refused.value)
    assert "op0" in str(refused.value) or "operator 0 (CONV_2D)" in str(refused.value)
    assert "\n" not in str(refused.value)
    (operator,) = read_model(path)
    assert not operator.supported
    assert operator.problem == str(refused.value)
    assert layer_count(path) == 0


CONTRADICTIONS = {
    "output": (dict(y=changed(Y, shape=(1, 5, 3, 4))), "output of shape"),
    "channels": (dict(x=changed(X, shape=(1, 6, 5, 3))), "3 input channels"),
    "content": (dict(weights=changed(WEIGHTS, data=np.arange(71))), "71 bytes"),
    "stride": (dict(StrideH=0), "stride (0, 1)"),
    "rank": (dict(weights=changed(WEIGHTS, shape=(4, 9, 2))), "weights of shape"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_tensors_that_contradict_each_other_are_refused(path, case):
    changes, words = CONTRADICTIONS[case]
    path.write_bytes(build_layer("CONV_2D", **{"x": X, "weights": WEIGHTS, "y": Y, "bias": BIAS, **changes}))
    with pytest.raises(FormatError, match=re.escape(words)):
        load_layer(path, 0)


def two_layers():
    second = Tensor((3, 48), scales=[0.5], data=np.arange(144) % 50)
    tensors = [X, WEIGHTS, BIAS, Y, second, Tensor((1, 4, 3, 4)), Tensor((1, 3), scales=[8.0])]
    return build(tensors, [
        Operator("CONV_2D", [0, 1, 2], [3], {"StrideH": 1, "StrideW": 1, "Padding": 1}),
        Operator("RELU", [3], [5]),
        Operator("FULLY_CONNECTED", [3, 4, -1], [6]),
    ])  # fmt: skip


def test_a_model_lists_its_operators(path):
    path.write_bytes(two_layers())
    operators = read_model(path)
    assert [operator.name for operator in operators] == ["CONV_2D", "RELU", "FULLY_CONNECTED"]
    assert [operator.supported for operator in operators] == [True, False, True]
    assert operators[2].inputs == (3, 4, -1)
    assert operators[2].outputs == (6,)
    assert "operator 1 (RELU)" in operators[1].problem
    assert supported_layers(path) == [0, 2]
    assert layer_count(path) == 2


def test_the_layer_of_a_model_is_chosen_by_index(path):
    path.write_bytes(two_layers())
    assert load(path, layer=2).layer.spec.fully_connected
    assert load(path, layer=0).input is None
    for index in (None, 1, 3, -1):
        with pytest.raises(UnsupportedError) as refused:
            load(path, layer=index)
        assert "model.tflite" in str(refused.value)
    path.write_bytes(build_layer("CONV_2D", X, WEIGHTS, Y))
    assert load(path).layer.spec.name == "model_op0_conv_2d"


def test_truncated_files_are_refused_and_damaged_ones_raise_nothing_else(path, seed):
    content = two_layers()
    random = np.random.default_rng(seed)
    for length in range(0, len(content) // 2, 13):  # the tables of a FlatBuffer begin at its start
        path.write_bytes(content[:length])
        with pytest.raises(FormatError):
            read_model(path)
    for _ in range(1000):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), int(random.integers(1, 6))):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        for index in (0, 2):
            with contextlib.suppress(HwconvError):
                load_layer(path, index)


@pytest.mark.parametrize(
    "content", [b"", b"1234TFL3", b"\xff\xff\xff\xffTFL3", bytes(100), b"\x08\0\0\0TFL3" + bytes(50)]
)
def test_foreign_files_are_refused_in_one_line(path, content):
    path.write_bytes(content)
    for read in (read_model, load):
        with pytest.raises(FormatError) as refused:
            read(path)
        assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(path):
    with pytest.raises(FormatError, match="no such file"):
        read_model(path)


MODELS = {"ad01_int8": 10, "kws_ref_model": 10, "pretrainedResnet_quant": 10, "vww_96_int8": 28}


@pytest.mark.parametrize("model", MODELS)
def test_every_layer_of_a_network_reproduces_its_tensors(material, model):
    """MLPerf Tiny: all convolutions, depthwise and fully connected layers, on the tensors of a real input."""
    path = material / "mlperf_tiny" / f"{model}.tflite"
    with np.load(material / "goldens" / f"{model}.npz", allow_pickle=False) as archive:
        tensors = {
            int(name.rpartition("_")[2]): archive[name] for name in archive.files if re.match(r"layer_\d+_tensor", name)
        }
        first = archive["input"][:1]
    layers = [
        operator
        for operator in read_model(path)
        if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    ]
    assert len(layers) == MODELS[model]
    for operator in layers:
        layer = load_layer(path, operator.index)
        x = tensors.get(operator.inputs[0], first).reshape(-1, *layer.spec.input_shape)
        expected = tensors[operator.outputs[0]].reshape(-1, *layer.spec.output_shape)
        np.testing.assert_array_equal(golden.run(layer, x), expected, err_msg=layer.spec.name, strict=True)


def test_a_uint8_layer_has_the_multiplier_that_the_vector_states(material):
    layer = load_layer(material / "models" / "deeplabv3_mnv2_dm05_pascal_quant.tflite", 51)
    with np.load(material / "goldens" / "dw_u8__deeplab_layer51_ch64.npz", allow_pickle=False) as vector:
        np.testing.assert_array_equal(layer.parameters.weights[:64, :, :, 0], vector["weights"][0].transpose(2, 0, 1))
        assert set(layer.parameters.multiplier.tolist()) == {vector["multiplier"].item()}
        assert set(layer.parameters.shift.tolist()) == {vector["shift"].item()}
        assert layer.spec.weight_zero_point == -vector["filter_offset"].item()
        assert layer.parameters.bias[:64].tolist() == vector["bias"].tolist()
        assert layer.spec.padding[0::2] == tuple(vector["pad_tl"])
        assert (layer.spec.activation_min, layer.spec.activation_max) == (vector["act_min"], vector["act_max"])


@pytest.mark.material("mlperf_tiny/*fp32.tflite", "mlperf_tiny/*float*.tflite", "models/deeplabv3_257_float.tflite")
def test_float_models_are_refused_layer_by_layer(material_file):
    for operator in read_model(material_file):
        assert not operator.supported
        if operator.name == "CONV_2D":
            assert "input type = 'float32'" in operator.problem
