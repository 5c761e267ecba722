"""Whole `.tflite` models: real ones against their goldens, what each operator becomes, and what is refused."""

import contextlib
import re
from collections import Counter

import numpy as np
import pytest
import tflite
from tflite_builder import Operator, Tensor, build

from hwconv.errors import FormatError, HwconvError, SpecError, UnsupportedError
from hwconv.frontend.tflite_model import load_model, survey_model
from hwconv.golden.model import run_every_tensor, run_model
from hwconv.graph import Add, Concat, Conv, Pool, Reshape
from hwconv.host import ArgMax, Dequantise, Quantise, Softmax

MODELS = {
    "ad01_int8": (10, 0), "kws_ref_model": (13, 1), "pretrainedResnet_quant": (16, 1), "str_ww_ref_model": (11, 1),
    "vww_96_int8": (31, 1), "person_detect": (31, 1), "micro_speech_quantized": (4, 1),
}  # fmt: skip
"""Real networks, with their operators and the host's."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.tflite"


def model_path(material, name):
    return next(path for path in material.glob(f"*/{name}.tflite"))


@pytest.mark.parametrize("name", MODELS)
def test_real_models_give_every_output_of_their_goldens(material, name):
    model = load_model(model_path(material, name))
    assert (len(model.operators), len(model.host)) == MODELS[name]
    assert all(record.place != "refused" for record in model.operators)
    with np.load(material / "goldens" / f"{name}.npz", allow_pickle=False) as archive:
        x, outputs = archive["input"], [archive[key] for key in archive.files if key.startswith("out0_")]
    found = run_model(model, x)
    for expected in outputs:
        np.testing.assert_array_equal(found, expected.reshape(found.shape), strict=True)
    print(f"{name}: {found.size} outputs of {len(x)} inputs, against {len(outputs)} oracles")


@pytest.mark.parametrize("name", MODELS)
def test_real_models_give_every_tensor_of_their_goldens(material, name):
    model = load_model(model_path(material, name))
    with np.load(material / "goldens" / f"{name}.npz", allow_pickle=False) as archive:
        layers = {int(key.rpartition("_")[2]): archive[key] for key in archive.files if key.startswith("layer_")}
        first = archive["input"][:1]
    tensors = run_every_tensor(model, first)
    assert len(layers) == MODELS[name][0]
    for number, expected in layers.items():
        np.testing.assert_array_equal(tensors[number], expected, err_msg=f"tensor {number}", strict=True)
    print(f"{name}: {sum(each.size for each in layers.values())} values of {len(layers)} tensors")


def test_pads_means_and_transposed_axes_of_a_real_model_equal_its_goldens(material):
    """MCUNet, whose last frame is transposed and averaged along one axis after the other."""
    source = model_path(material, "mcunet_vww")
    model = load_model(source)
    assert (len(model.operators), [type(step.operation) for step in model.host]) == (63, [Quantise, Dequantise])
    assert [record.place for record in model.operators[58:61]] == ["free", "engine", "engine"]
    with np.load(material / "goldens" / "vww_mcunet.npz", allow_pickle=False) as archive:
        layers = {int(key.rpartition("_")[2]): archive[key] for key in archive.files if key.startswith("layer_")}
        x, outputs = archive["input"], [archive[key] for key in archive.files if key.startswith("out0_")]
    tensors = run_every_tensor(model, x)
    assert len(outputs) == 2
    for expected in outputs:
        found = tensors[model.output.number]
        np.testing.assert_array_equal(found, expected.reshape(found.shape), strict=True)
    compared, missing = 0, []
    for record in model.operators:
        number = record.outputs[0].number
        if number not in tensors:
            missing.append(record.name)
            continue
        np.testing.assert_array_equal(tensors[number][:1], layers[number], err_msg=str(record.index), strict=True)
        compared += layers[number].size
    assert missing == ["PAD", "PAD", "PAD", "PAD", "TRANSPOSE", "MEAN"]
    print(f"{compared} values of {len(tensors)} tensors, {outputs[0].size} outputs of {len(x)} inputs")


@pytest.mark.material("mlperf_tiny/*fp32.tflite", "mlperf_tiny/*float*.tflite", "mlperf_tiny/pretrainedResnet.tflite")
def test_float_models_are_refused_with_advice(material_file):
    with pytest.raises(UnsupportedError, match=r"operator 0 .*'float32'.*quantise the model first"):
        load_model(material_file)
    survey = survey_model(material_file)
    assert {record.place for record in survey.operators} == {"refused"}


def test_other_real_models_are_refused_by_name(material):
    with pytest.raises(UnsupportedError, match="subgraphs = 2"):
        load_model(material / "models" / "mww_v1_alexa_streaming_inception.tflite")
    path = material / "models" / "deeplabv3_mnv2_dm05_pascal_quant.tflite"
    with pytest.raises(UnsupportedError, match=r"operator 64 \(RESIZE_BILINEAR\): operator = 'RESIZE_BILINEAR'"):
        load_model(path)
    survey = survey_model(path)
    assert [record.index for record in survey.operators if record.place == "refused"] == [64, 69, 70]
    assert {record.place for record in survey.operators[:64]} == {"engine"}


def cut(content: bytes, operators: int, output: int) -> bytes:
    """A model that ends after some of its operators, with another tensor as its output."""
    changed = bytearray(content)
    table = tflite.Model.GetRootAs(content, 0).Subgraphs(0)._tab
    places = {}
    for field in (8, 10):  # outputs and operators of schema.fbs' SubGraph
        places[field] = table.Vector(table.Offset(field))
    changed[places[10] - 4 : places[10]] = operators.to_bytes(4, "little")
    changed[places[8] : places[8] + 4] = output.to_bytes(4, "little")
    return bytes(changed)


def test_a_real_model_of_uint8_is_read_as_far_as_its_backbone(material, path):
    source = material / "models" / "deeplabv3_mnv2_dm05_pascal_quant.tflite"
    path.write_bytes(cut(source.read_bytes(), 61, 170))
    graph = load_model(path).network.graph
    assert Counter(type(node) for node in graph.nodes) == {Conv: 51, Add: 10}
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"uint8"}
    assert graph.output_shape == (33, 33, 160)


WINDOW = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": tflite.Padding.VALID}
POOL = {"StrideH": 1, "StrideW": 1, "FilterHeight": 2, "FilterWidth": 2, "Padding": tflite.Padding.VALID}
ACTIVATION = Tensor((1, 4, 4, 2), scales=[0.5], zero_points=[-3])


def like(shape=(1, 4, 4, 2), **fields):
    return Tensor(**{**vars(ACTIVATION), "shape": shape, **fields})


def weights(shape, **fields):
    return Tensor(shape, scales=[0.01], data=np.arange(np.prod(shape)) % 100 - 50, **fields)


def int32(values):
    return Tensor(np.shape(values), "int32", (), (), data=np.array(values, np.int32))


def softmax(shape):
    return Tensor(shape, scales=[1 / 256], zero_points=[-128])


def pads(top=1, left=2):
    return int32([[0, 0], [top, 0], [left, 0], [0, 0]])


def everything() -> bytes:
    """A head, a branch that is added, one that is concatenated, and a tail for the host."""
    tensors = [
        Tensor((1, 4, 4, 2), "float32", (), ()),  # 0
        like(),  # 1
        weights((2, 3, 3, 2)), like(scales=[0.25], zero_points=[4]),  # 2, 3: convolution
        like(scales=[1.0], zero_points=[0]),  # 4: sum
        weights((3, 1, 1, 2)), like((1, 4, 4, 3), scales=[1.0], zero_points=[0]),  # 5, 6
        like((1, 4, 4, 5), scales=[1.0], zero_points=[0]),  # 7: both side by side
        like((1, 3, 3, 5), scales=[1.0], zero_points=[0]),  # 8: pooled
        weights((4, 45)), like((1, 4)),  # 9, 10: fully connected
        softmax((1, 4)), Tensor((1, 4), "float32", (), ()), int32(1), Tensor((1,), "int32", (), ()),  # 11 to 14
    ]  # fmt: skip
    return build(tensors, [
        Operator("QUANTIZE", [0], [1]),
        Operator("CONV_2D", [1, 2, -1], [3], {**WINDOW, "Padding": tflite.Padding.SAME}),
        Operator("ADD", [1, 3], [4], {}),
        Operator("CONV_2D", [4, 5, -1], [6], WINDOW),
        Operator("CONCATENATION", [4, 6], [7], {"Axis": 3}),
        Operator("MAX_POOL_2D", [7], [8], POOL),
        Operator("FULLY_CONNECTED", [8, 9, -1], [10]),
        Operator("SOFTMAX", [10], [11], {"Beta": 1.0}),
        Operator("DEQUANTIZE", [11], [12]),
        Operator("ARG_MAX", [12, 13], [14]),
    ])  # fmt: skip


def test_every_operator_has_its_place(path):
    path.write_bytes(everything())
    model = load_model(path)
    graph = model.network.graph
    assert [(type(node), node.name, node.inputs) for node in graph.nodes] == [
        (Conv, "op1_conv_2d", ("input",)),
        (Add, "op2_add", ("input", "op1_conv_2d")),
        (Conv, "op3_conv_2d", ("op2_add",)),
        (Concat, "op4_concatenation", ("op2_add", "op3_conv_2d")),
        (Pool, "op5_max_pool_2d", ("op4_concatenation",)),
        (Reshape, "op6_vector", ("op5_max_pool_2d",)),
        (Conv, "op6_fully_connected", ("op6_vector",)),
    ]
    assert (graph.name, graph.zero_point, graph.input_shape) == ("model", -3, (4, 4, 2))
    assert [type(step.operation) for step in model.before] == [Quantise]
    assert [type(step.operation) for step in model.after] == [Softmax, Dequantise, ArgMax]
    assert [record.place for record in model.operators] == [
        *("host", "engine", "engine", "engine", "free", "engine", "engine", "host", "host", "host")
    ]
    assert [record.macs for record in model.operators] == [0, 16 * 36, 0, 16 * 6, 0, 0, 180, 0, 0, 0]
    assert sum(record.weights for record in model.operators) == graph.weights == 36 + 6 + 180
    assert model.tensors == {1: "input", 3: "op1_conv_2d", 4: "op2_add", 6: "op3_conv_2d", 7: "op4_concatenation",
                             8: "op5_max_pool_2d", 10: "op6_fully_connected"}  # fmt: skip
    assert (model.input.dtype, model.output.dtype, model.output.number) == ("float32", "int32", 14)
    tensors = run_every_tensor(model, np.zeros((3, 4, 4, 2), np.float32))
    assert tensors.keys() == {0, 1, 3, 4, 6, 7, 8, 10, 11, 12, 14}
    assert tensors[14].shape == (3,)
    for wrong in (np.zeros((3, 4, 4, 2), np.int8), np.zeros((1, 4, 4, 3), np.float32), np.zeros((0, 4, 4, 2))):
        with pytest.raises(SpecError, match="expected input to be float32"):
            run_model(model, wrong)


def test_pads_go_into_the_convolution_that_reads_them(path):
    tensors = [like(), pads(), like((1, 5, 6, 2)), weights((2, 3, 3, 2)), like((1, 5, 6, 2))]
    path.write_bytes(build(tensors, [
        Operator("PAD", [0, 1], [2]),
        Operator("CONV_2D", [2, 3, -1], [4], {**WINDOW, "Padding": tflite.Padding.SAME}),
    ]))  # fmt: skip
    model = load_model(path)
    (node,) = model.network.graph.nodes
    assert node.spec.padding == (2, 1, 3, 1)  # one row and two columns, beside one all around
    assert node.spec.input_shape == (4, 4, 2)
    assert [(record.place, record.note) for record in model.operators] == [
        ("free", "pads of operator 1"),
        ("engine", "with the pads of the operator before"),
    ]


def test_reshapes_that_change_nothing_are_no_nodes(path):
    tensors = [Tensor((1, 1, 1, 8)), int32([-1, 8]), Tensor((1, 8)), weights((3, 8)), like((1, 3)), int32([1, 3, 1]),
               like((1, 3, 1)), like((1, 1, 3, 1)), like((1, 3, 1))]  # fmt: skip
    path.write_bytes(build(tensors[:7], [
        Operator("RESHAPE", [0, 1], [2]),
        Operator("FULLY_CONNECTED", [2, 3, -1], [4]),
        Operator("RESHAPE", [4, 5], [6]),
    ]))  # fmt: skip
    model = load_model(path)
    assert [node.name for node in model.network.graph.nodes] == ["op1_fully_connected", "op2_reshape"]
    assert model.tensors == {0: "input", 2: "input", 4: "op1_fully_connected", 6: "op2_reshape"}
    assert run_model(model, np.zeros((2, 1, 1, 8), np.int8)).shape == (2, 3, 1)


def test_another_scale_is_a_convolution_with_weights_of_one(path):
    path.write_bytes(build([like(), like(scales=[0.25], zero_points=[7])], [Operator("QUANTIZE", [0], [1])]))
    model = load_model(path)
    (node,) = model.network.graph.nodes
    assert (node.name, node.spec.groups, node.spec.kernel, model.host) == ("op0_quantize", 2, (1, 1), ())
    x = np.arange(-128, 128, dtype=np.int8).reshape(8, 4, 4, 2)
    expected = np.clip(2 * (x.astype(int) + 3) + 7, -128, 127)
    np.testing.assert_array_equal(run_model(model, x), expected)


def test_other_types_on_the_way_are_convolutions_with_weights_of_one(path):
    """Those at both ends are the host's, unless others read the input as well."""
    wide = {"scales": [0.002], "dtype": "int16", "zero_points": [0]}
    tensors = [like(dtype="uint8", zero_points=[125]), like(), like(**wide), like((1, 3, 3, 2), **wide),
               like((1, 3, 3, 2), scales=[0.4])]  # fmt: skip
    operators = [Operator("QUANTIZE", [0], [1]), Operator("QUANTIZE", [1], [2]),
                 Operator("MAX_POOL_2D", [2], [3], POOL), Operator("QUANTIZE", [3], [4])]  # fmt: skip
    path.write_bytes(build(tensors, operators))
    model = load_model(path)
    assert [(record.place, record.note) for record in model.operators] == [
        ("host", "before the hardware"), ("engine", "as int16"), ("engine", ""), ("host", ""),
    ]  # fmt: skip
    assert [tensor.dtype for tensor in model.network.graph.tensors.values()] == ["int8", "int16", "int16"]
    x = np.random.default_rng(3).integers(0, 256, (9, 4, 4, 2)).astype(np.uint8)
    fine = np.rint((x.astype(int) - 125) * 250.0)
    largest = np.maximum(fine[:, :-1], fine[:, 1:])
    largest = np.clip(np.maximum(largest[:, :, :-1], largest[:, :, 1:]), -32768, 32767)
    steps = largest * 0.005
    expected = np.clip(np.copysign(np.floor(np.abs(steps) + 0.5), steps) - 3, -128, 127).astype(np.int8)
    np.testing.assert_array_equal(run_model(model, x), expected, strict=True)
    path.write_bytes(build([*tensors[:2], like(scales=[0.25]), like(scales=[1.0])], [
        Operator("QUANTIZE", [0], [1]), Operator("QUANTIZE", [0], [2]), Operator("ADD", [1, 2], [3])]))  # fmt: skip
    model = load_model(path)
    assert [(record.place, record.note) for record in model.operators[:2]] == [("engine", "as int8")] * 2
    assert (model.network.graph.dtype, model.network.graph.zero_point, model.host) == ("uint8", 125, ())


def one(name, output, *more, options=None, x=ACTIVATION, inputs=None):
    """A model of one operator: input, what else it reads, output."""
    tensors = [x, *more, output]
    numbers = list(range(len(tensors) - 1)) if inputs is None else inputs
    return build(tensors, [Operator(name, numbers, [len(tensors) - 1], options or {})])


def then_convolution(name, first, *more, options=None, x=ACTIVATION, others=(), reads=()):
    """An operator, then a 1x1 convolution of its result."""
    tensors = [x, *more, first, weights((2, 1, 1, first.shape[-1])), *others, like((*first.shape[:3], 2))]
    at = len(more) + 1
    return build(tensors, [
        Operator(name, list(range(at)), [at], options or {}),
        Operator("CONV_2D", [at, at + 1, -1, *reads][:3], [len(tensors) - 1], WINDOW),
    ])  # fmt: skip


SECOND = like((1, 4, 4, 2), scales=[0.25])
WORD = like(dtype="int16", zero_points=[0])
BYTE = like(dtype="uint8", zero_points=[3])
CONV = [like(), weights((2, 1, 1, 2)), like()]
REFUSED = {
    "unknown operator": (one("RELU", like()), "operator 0 (RELU): operator = 'RELU'"),
    "float": (one("ADD", like(dtype="float32"), like(dtype="float32"), x=like(dtype="float32")),
              "type of tensor 0 = 'float32' is not supported (supported: int8, uint8, int16 in whole models: quantise"),
    "int32": (one("MAX_POOL_2D", like((1, 3, 3, 2), dtype="int32"), options=POOL, x=like(dtype="int32")),
              "operator 0 (MAX_POOL_2D): type of tensor 0 = 'int32' is not supported (supported: int8, uint8, int16"),
    "zero point of int16": (one("MAX_POOL_2D", WORD, options=POOL, x=like(dtype="int16")),
                            "operator 0 (MAX_POOL_2D): zero point of tensor 0 = -3 is not supported (supported: 0 to"),
    "pool's type": (one("MAX_POOL_2D", like((1, 3, 3, 2), dtype="uint8", zero_points=[3]), options=POOL, x=WORD),
                    "operator 0 (MAX_POOL_2D): type of tensor 1 = 'uint8' is not supported (supported: int16, that of"),
    "sum of int16": (build([WORD, WORD], [Operator("ADD", [0, 0], [1])]),
                     "operator 0 (ADD): type of tensor 0 = 'int16' is not supported (supported: int8, uint8, the same"),
    "sum's type": (build([like(zero_points=[0]), BYTE], [Operator("ADD", [0, 0], [1])]),
                   "operator 0 (ADD): type of tensor 1 = 'uint8' is not supported"),
    "weights of uint8": (build([BYTE, weights((2, 1, 1, 2)), BYTE],
                               [Operator("CONV_2D", [0, 1, -1], [2], WINDOW)]),
                         "operator 0 (CONV_2D): weight type = 'int8' is not supported (supported: uint8 with uint8"),
    "softmax of int16": (one("SOFTMAX", Tensor((1, 4), "int16", [2.0**-15]), options={"Beta": 1.0},
                             x=Tensor((1, 4), "int16", [0.1])),
                         "operator 0 (SOFTMAX): types = 'int16 to int16' is not supported (supported: int8 to int8, "),
    "softmax of uint8": (one("SOFTMAX", Tensor((1, 4), "uint8", [1 / 256], [128]), options={"Beta": 1.0},
                             x=Tensor((1, 4), "uint8", [0.1])),
                         "operator 0 (SOFTMAX): scale and zero point of the output = (0.00390625, 128)"),
    "uint8 to int16": (one("QUANTIZE", WORD, x=BYTE),
                       "operator 0 (QUANTIZE): types = 'uint8 to int16' is not supported (supported: int8 to int8,"),
    "dynamic": (one("MAX_POOL_2D", like((1, 3, 3, 2)), options=POOL, x=like(signature=(-1, -1, 4, 2))),
                "operator 0 (MAX_POOL_2D): shape of tensor 0 = (-1, -1, 4, 2)"),
    "batch": (one("MAX_POOL_2D", like((2, 3, 3, 2)), options=POOL, x=like((2, 4, 4, 2))),
              "operator 0 (MAX_POOL_2D): shape of tensor 0 = (2, 4, 4, 2)"),
    "rank": (one("RESHAPE", like((1, 2, 2, 4, 2)), int32([1, 2, 2, 4, 2])), "shape of tensor 2 = (1, 2, 2, 4, 2)"),
    "variable": (one("MAX_POOL_2D", like((1, 3, 3, 2)), options=POOL, x=like(variable=True)),
                 "operator 0 (MAX_POOL_2D): tensor 0 = 'a variable'"),
    "constant operand": (one("ADD", like(), like(data=np.zeros((1, 4, 4, 2), np.int8))),
                         "operator 0 (ADD): shape of tensor 1 = (1, 4, 4, 2) is not supported (supported: one"),
    "constants of a row": (one("MUL", like(), like((4, 2), data=np.zeros((4, 2), np.int8))),
                           "operator 0 (MUL): shape of tensor 1 = (4, 2) is not supported (supported: one"),
    "computed factors": (build([like(), like()], [Operator("MUL", [0, 0], [1])]),
                         "operator 0 (MUL): factors = 'tensors (0, 0), both computed' is not supported"),
    "product of int16": (one("MUL", WORD, like((1,), dtype="int16", zero_points=[0], data=np.ones(1)), x=WORD),
                         "operator 0 (MUL): type of tensor 0 = 'int16' is not supported (supported: int8, uint8, the"),
    "broadcast": (build([like(), weights((2, 4, 4, 2)), like((1, 1, 1, 2)), like()],
                        [Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("ADD", [0, 2], [3])]),
                  "operator 1 (ADD): shapes = ((1, 4, 4, 2), (1, 1, 1, 2))"),
    "sum's scale": (build([like(), like(scales=[2.0**-20])], [Operator("ADD", [0, 0], [1])]),
                    "operator 0 (ADD): scale of tensor 1 = 9.5367431640625e-07"),
    "sum's activation": (build([like(), like()], [Operator("ADD", [0, 0], [1], {"FusedActivationFunction": 4})]),
                         "operator 0 (ADD): fused activation = 4"),
    "pool's scale": (one("MAX_POOL_2D", like((1, 3, 3, 2), scales=[0.25]), options=POOL),
                     "operator 0 (MAX_POOL_2D): scale of tensor 1 = 0.25 is not supported (supported: 0.5"),
    "pool's zero point": (one("MAX_POOL_2D", like((1, 3, 3, 2), zero_points=[3]), options=POOL),
                          "operator 0 (MAX_POOL_2D): zero point of tensor 1 = 3"),
    "pool's padding": (one("MAX_POOL_2D", like((1, 3, 3, 2)), options={**POOL, "Padding": 3}), "padding = 3"),
    "concatenated scales": (build([like(), weights((2, 1, 1, 2)), SECOND, like((1, 4, 4, 4))], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("CONCATENATION", [0, 2], [3], {"Axis": 3})]),
        "operator 1 (CONCATENATION): scale of tensor 2 = 0.25"),
    "concatenated rows": (build([like(), like((1, 8, 4, 2))], [Operator("CONCATENATION", [0, 0], [1], {"Axis": 1})]),
                          "operator 0 (CONCATENATION): axis = 1 is not supported (supported: the channels, 3)"),
    "concatenated, active": (build([like(), like((1, 4, 4, 4))], [
        Operator("CONCATENATION", [0, 0], [1], {"Axis": 3, "FusedActivationFunction": 1})]),
        "operator 0 (CONCATENATION): fused activation = 1"),
    "reshaped scale": (one("RESHAPE", like((1, 32), scales=[0.25]), int32([1, 32])), "scale of tensor 2 = 0.25"),
    "reshape's own shape": (one("RESHAPE", like((1, 32)), int32([2, 16])), "operator 0 (RESHAPE): shape = (2, 16)"),
    "reshape at run time": (one("RESHAPE", like((1, 32)), Tensor((2,), "int32", (), ())),
                            "operator 0 (RESHAPE): shape = 'computed at run time'"),
    "vectors": (one("FULLY_CONNECTED", like((1, 4)), weights((4, 16)), Tensor((4,), "int32", data=np.arange(4))),
                "operator 0 (FULLY_CONNECTED): input shape = (1, 4, 4, 2) is not supported (supported: one vector of"),
    "pad of pool": (build([like(), pads(), like((1, 5, 6, 2)), like((1, 4, 5, 2))],
                          [Operator("PAD", [0, 1], [2]), Operator("MAX_POOL_2D", [2], [3], POOL)]),
                    "operator 0 (PAD): read by = 'MAX_POOL_2D (operator 1)'"),
    "pad's value": (then_convolution("PADV2", like((1, 5, 6, 2)), pads(), like((1,), data=np.array([7], np.int8))),
                    "operator 0 (PADV2): value = 7 is not supported (supported: the zero point, -3)"),
    "pad of channels": (then_convolution("PAD", like((1, 4, 4, 3)), int32([[0, 0], [0, 0], [0, 0], [1, 0]])),
                        "operator 0 (PAD): paddings = [[0, 0], [0, 0], [0, 0], [1, 0]]"),
    "pads at run time": (then_convolution("PAD", like((1, 5, 6, 2)), Tensor((4, 2), "int32", (), ())),
                         "operator 0 (PAD): paddings = 'computed at run time'"),
    "softmax first": (then_convolution("SOFTMAX", softmax((1, 4, 4, 2)), options={"Beta": 1.0}),
                      "operator 1 (CONV_2D): tensor 1 = 'made by operator 0 (SOFTMAX) on the host'"),
    "softmax's scale": (build([*CONV, like()], [Operator("CONV_2D", [0, 1, -1], [2], WINDOW),
                                                Operator("SOFTMAX", [2], [3], {"Beta": 1.0})]),
                        "operator 1 (SOFTMAX): scale and zero point of the output = (0.5, -3)"),
    "softmax's beta": (build([*CONV, softmax((1, 4, 4, 2))], [Operator("CONV_2D", [0, 1, -1], [2], WINDOW),
                                                              Operator("SOFTMAX", [2], [3], {"Beta": -1.0})]),
                       "operator 1 (SOFTMAX): beta x input scale = -0.5"),
    "softmax's width": (one("SOFTMAX", softmax((1, 5000)), options={"Beta": 1.0}, x=like((1, 5000))),
                        "operator 0 (SOFTMAX): channels = 5000"),
    "float softmax": (build([*CONV, Tensor((1, 4, 4, 2), "float32"), Tensor((1, 4, 4, 2), "float32")],
                            [Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("DEQUANTIZE", [2], [3]),
                             Operator("SOFTMAX", [3], [4], {"Beta": 1.0})]),
                      "operator 2 (SOFTMAX): types = 'float32 to float32'"),
    "another axis": (build([*CONV, int32(1), Tensor((1, 4, 2), "int32")], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("ARG_MAX", [2, 3], [4])]),
        "operator 1 (ARG_MAX): axis = 1"),
    "two inputs": (build([like(), like(), like()], [Operator("ADD", [0, 1], [2])], ([0, 1], [2])), "inputs = 2"),
    "two outputs": (build([*CONV, weights((2, 1, 1, 2)), like()], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("CONV_2D", [0, 3, -1], [4], WINDOW)], ([0], [2, 4])),
        "outputs = 2"),
    "no output": (build(CONV, [Operator("CONV_2D", [0, 1, -1], [2], WINDOW)], ([0], [])), "outputs = 0"),
    "result that nobody reads": (build([*CONV, weights((2, 1, 1, 2)), like()], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("CONV_2D", [0, 3, -1], [4], WINDOW)]),
        "operator 0 (CONV_2D): tensor 2 = 'read by no operator'"),
    "output that is read": (build([*CONV, like((1, 3, 3, 2))], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("MAX_POOL_2D", [2], [3], POOL)], ([0], [2])),
        "operator 0 (CONV_2D): tensor 2 = 'the output, and read by operator 1'"),
    "host beside hardware": (build([*CONV, Tensor((1, 4, 4, 2), "float32"), like((1, 3, 3, 2))], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW), Operator("DEQUANTIZE", [2], [3]),
        Operator("MAX_POOL_2D", [2], [4], POOL)], ([0], [3])),
        "operator 1 (DEQUANTIZE): tensor 2 = 'read by operator 2 too'"),
    "subgraphs": (build(CONV, [Operator("CONV_2D", [0, 1, -1], [2], WINDOW)], graphs=2), "subgraphs = 2"),
    "nothing to compute": (one("RESHAPE", like((1, 32)), int32([1, 32])), "operators = 'RESHAPE'"),
    "weights at run time": (build([like(), like((2, 1, 1, 2)), like()], [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW)]), "operator 0 (CONV_2D): weights = 'computed at run time'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_operator_and_field(path, case):
    content, words = REFUSED[case]
    path.write_bytes(content)
    with pytest.raises(UnsupportedError) as refused:
        load_model(path)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    survey = survey_model(path)
    assert survey.model is None
    assert str(survey.problems[0]) == str(refused.value)
    for record in survey.operators:
        assert (record.place == "refused") == (record.error is not None) == (str(record.error) == record.note)


CONTRADICTIONS = {
    "order": (build([*CONV, like((1, 3, 3, 2))], [Operator("MAX_POOL_2D", [2], [3], POOL),
                                                  Operator("CONV_2D", [0, 1, -1], [2], WINDOW)]),
              "operator 0 (MAX_POOL_2D) reads tensor 2, which operator 1 makes: operators stand in the order"),
    "cycle": (build([like(), like(), like()], [Operator("ADD", [0, 2], [1]), Operator("ADD", [1, 1], [2])]),
              "operator 0 (ADD) reads tensor 2, which operator 1 makes"),
    "itself": (build([like(), like()], [Operator("ADD", [0, 1], [1])]), "operator 0 (ADD) reads tensor 1"),
    "nothing": (build([like(), like(), like()], [Operator("ADD", [0, 1], [2])]), "reads tensor 1, which nothing makes"),
    "twice": (build([*CONV, like()], [Operator("CONV_2D", [0, 1, -1], [2], WINDOW),
                                      Operator("CONV_2D", [0, 1, -1], [2], WINDOW)]),
              "operator 1 makes tensor 2, which operator 0 makes as well"),
    "over the input": (build(CONV, [Operator("CONV_2D", [2, 1, -1], [0], WINDOW)]), "which comes in as well"),
    "pool's shape": (one("MAX_POOL_2D", like((1, 2, 3, 2)), options=POOL), "makes frames of (3, 3, 2)"),
    "sum's shape": (build([like(), like((1, 2, 8, 2))], [Operator("ADD", [0, 0], [1])]), "makes frames of (4, 4, 2)"),
    "concatenated shape": (build([like(), like((1, 4, 4, 3))],
                                 [Operator("CONCATENATION", [0, 0], [1], {"Axis": 3})]), "makes frames of (4, 4, 4)"),
    "elements": (one("RESHAPE", like((1, 31)), int32([1, 31])), "operator 0 (RESHAPE) makes (1, 31) of (1, 4, 4, 2)"),
    "padded shape": (then_convolution("PAD", like((1, 5, 5, 2)), pads()), "operator 0 (PAD) makes (1, 5, 5, 2)"),
    "tensors": (build([like(), like()], [Operator("ADD", [0], [1])]), "operator 0 (ADD) has a wrong number of tensors"),
    "no tensor": (build([like(), like()], [Operator("ADD", [0, 9], [1])]), "names tensor 9"),
    "softmax's shape": (one("SOFTMAX", softmax((1, 5)), options={"Beta": 1.0}, x=like((1, 4))), "makes (1, 5)"),
    "window": (one("MAX_POOL_2D", like(), options={**POOL, "StrideH": 0}), "the stride (0, 1)"),
    "empty": (one("MAX_POOL_2D", like(), options=POOL, x=like((1, 0, 4, 2))), "tensor 0 has the shape (1, 0, 4, 2)"),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_files_that_contradict_themselves_are_refused(path, case):
    content, words = CONTRADICTIONS[case]
    path.write_bytes(content)
    for read in (load_model, survey_model):
        with pytest.raises(FormatError, match=re.escape(words)):
            read(path)


def test_a_network_of_too_many_operators_is_refused(path):
    tensors = [like(), *(like() for _ in range(257))]
    operators = [Operator("ADD", [index, index], [index + 1]) for index in range(257)]
    path.write_bytes(build(tensors, operators))
    with pytest.raises(SpecError, match="nodes to be from 1 to 256, not 257"):
        load_model(path)


def test_truncated_and_damaged_models_raise_nothing_else(path, seed):
    content = everything()
    random = np.random.default_rng(seed)
    for length in range(0, len(content) // 2, 29):
        path.write_bytes(content[:length])
        with pytest.raises(FormatError) as refused:
            load_model(path)
        assert length < 8 or "truncated?" in str(refused.value)
    for _ in range(600):
        damaged = bytearray(content)
        for position in random.integers(0, len(content), int(random.integers(1, 6))):
            damaged[position] = random.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(HwconvError):
            load_model(path)
