"""Operators of models that enlarge frames: against other programs, or refused by name."""

import itertools
import re

import numpy as np
import pytest
from onnx_networks import Network as OnnxNetwork
from onnx_networks import oracle, run_oracles
from test_random_networks import micro
from tflite_builder import Operator, Tensor, build

from hwconv.errors import FormatError, UnsupportedError
from hwconv.frontend import onnx_model, tflite_model
from hwconv.golden.model import run_model


def one(name, options, before, after, size=None) -> bytes:
    like = {"scales": [0.5], "zero_points": [-3]}
    more = [Tensor((2,), "int32", (), (), data=np.array(size or after[1:3], np.int32))]
    tensors = [Tensor(before, **like), *(more if name.startswith("RESIZE") else []), Tensor(after, **like)]
    return build(tensors, [Operator(name, list(range(len(tensors) - 1)), [len(tensors) - 1], options)])


def loaded(load, path):
    """The model, or why it is refused."""
    try:
        return load(path), ""
    except UnsupportedError as error:
        return None, str(error)


def test_depth_to_space_equals_tflite_micro(seed, tmp_path):
    random, path = np.random.default_rng(seed), tmp_path / "model.tflite"
    for _ in range(40):
        block, channels = (int(each) for each in random.integers(2, 5, 2))
        height, width = (int(each) for each in random.integers(1, 6, 2))
        x = random.integers(-128, 128, (3, height, width, channels * block**2)).astype(np.int8)
        after = (1, height * block, width * block, channels)
        content = one("DEPTH_TO_SPACE", {"BlockSize": block}, (1, *x.shape[1:]), after)
        path.write_bytes(content)
        np.testing.assert_array_equal(run_model(tflite_model.load_model(path), x), micro(content, x), strict=True)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("half_pixel_centers", [False, True])
def test_nearest_neighbours_equal_tflite_micro_or_are_refused(seed, tmp_path, align_corners, half_pixel_centers):
    """Refused exactly where TensorFlow Lite Micro does not repeat every row and column alike."""
    random, path = np.random.default_rng([seed, align_corners, half_pixel_centers]), tmp_path / "model.tflite"
    options, refused, compared = {"AlignCorners": align_corners, "HalfPixelCenters": half_pixel_centers}, 0, 0
    for _ in range(60):
        height, width = (int(each) for each in random.choice([1, 2, 3, 5, 7, 41, 55, 107], 2))
        down, across = int(random.integers(1, 6)), int(random.integers(2, 6))
        x = np.arange(height * width).reshape(1, height, width, 1).astype(np.int8)
        after = (1, height * down, width * across, 1)
        content = one("RESIZE_NEAREST_NEIGHBOR", options, (1, *x.shape[1:]), after)
        path.write_bytes(content)
        expected = micro(content, x)
        alike = np.array_equal(expected, x.repeat(down, axis=1).repeat(across, axis=2))
        model, said = loaded(tflite_model.load_model, path)
        assert (model is not None) == alike
        if model is None:
            assert "align_corners, half_pixel_centers = " in said
            refused += 1
            continue
        np.testing.assert_array_equal(run_model(model, x), expected, strict=True)
        compared += 1
    print(f"{compared} compared, {refused} refused")
    assert compared > 0
    assert (refused > 5) == align_corners


def resized(attributes, factor, *, sizes=False, shape=(1, 2, 3, 4), given=None) -> OnnxNetwork:
    network = OnnxNetwork(np.random.default_rng(1), shape, np.float32(0.1), 3)
    made = tuple(extent * each for extent, each in zip(shape, factor, strict=True))
    value = np.array(made, np.int64) if sizes else np.array(factor, np.float32)
    value = network.constant(value if given is None else given)
    inputs = [network.real(), "", *(["", value] if sizes else [value])]
    network.quantise(network.node("Resize", inputs, **attributes), made, 0.1, 3)
    return network


COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@pytest.mark.parametrize("coordinates", COORDINATES)
def test_resize_equals_its_oracles_or_is_refused(tmp_path, coordinates):
    """Refused exactly where onnxruntime or the reference of onnx does not repeat every row and column alike."""
    oracle("onnxruntime")
    path, compared, refused = tmp_path / "model.onnx", 0, 0
    for rounding, down, across, sizes in itertools.product(ROUNDINGS, (1, 2, 3), (2, 3, 4), (False, True)):
        attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding}
        network = resized(attributes, (1, 1, down, across), sizes=sizes)
        model = network.model()
        path.write_bytes(model.SerializeToString())
        x = np.random.default_rng(2).integers(-128, 128, (2, 2, 3, 4)).astype(np.int8)
        runtime, reference = run_oracles(model, x)
        repeated = x.repeat(down, axis=2).repeat(across, axis=3)
        alike = np.array_equal(runtime, repeated) and (reference is None or np.array_equal(reference, repeated))
        made, said = loaded(onnx_model.load_model, path)
        assert (made is not None) == alike, f"{attributes} {down} {across}"
        if made is None:
            assert "coordinate_transformation_mode, nearest_mode = " in said
            refused += 1
            continue
        np.testing.assert_array_equal(run_model(made, x), runtime, strict=True)
        compared += 1
    print(f"{compared} compared, {refused} refused")
    assert compared > 5


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_of_onnx_equals_its_oracles(tmp_path, mode):
    oracle("onnxruntime")
    path = tmp_path / "model.onnx"
    for block, channels in ((2, 1), (2, 3), (3, 2)):
        network = OnnxNetwork(np.random.default_rng(1), (1, channels * block**2, 3, 2), np.float32(0.1), 3)
        made = network.node("DepthToSpace", [network.real()], blocksize=block, mode=mode)
        network.quantise(made, (1, channels, 3 * block, 2 * block), 0.1, 3)
        model = network.model()
        path.write_bytes(model.SerializeToString())
        x = np.random.default_rng(2).integers(-128, 128, (2, *network.given[1:])).astype(np.int8)
        runtime, reference = run_oracles(model, x)
        np.testing.assert_array_equal(run_model(onnx_model.load_model(path), x), runtime, strict=True)
        assert reference is None or np.array_equal(reference, runtime)


REFUSED = {
    "size": (one("RESIZE_NEAREST_NEIGHBOR", {}, (1, 2, 3, 1), (1, 3, 3, 1)),
             "(RESIZE_NEAREST_NEIGHBOR): size = [3, 3] is not supported (supported: multiples of the input's"),
    "smaller": (one("RESIZE_NEAREST_NEIGHBOR", {}, (1, 4, 4, 1), (1, 2, 2, 1)), "size = [2, 2]"),
    "corners": (one("RESIZE_NEAREST_NEIGHBOR", {"AlignCorners": True, "HalfPixelCenters": True}, (1, 5, 5, 1),
                    (1, 10, 10, 1)),
                "align_corners, half_pixel_centers = 'align_corners, half_pixel_centers from 5 to 10'"),
    "scale": (build([Tensor((1, 2, 2, 4)), Tensor((1, 4, 4, 1), scales=[0.5])],
                    [Operator("DEPTH_TO_SPACE", [0], [1], {"BlockSize": 2})]),
              "operator 0 (DEPTH_TO_SPACE): scale of tensor 1 = 0.5"),
    "rank": (build([Tensor((1, 2, 4)), Tensor((1, 4, 1))], [Operator("DEPTH_TO_SPACE", [0], [1], {"BlockSize": 2})]),
             "operator 0 (DEPTH_TO_SPACE): input shape = (1, 2, 4)"),
    "int32": (build([Tensor((1, 2, 2, 4), "int32"), Tensor((1, 4, 4, 1), "int32")],
                    [Operator("DEPTH_TO_SPACE", [0], [1], {"BlockSize": 2})]), "type of tensor 0 = 'int32'"),
    "size at run time": (build([Tensor((1, 2, 2, 1)), Tensor((2,), "int32", (), ()), Tensor((1, 4, 4, 1))],
                               [Operator("RESIZE_NEAREST_NEIGHBOR", [0, 1], [2], {})]),
                         "operator 0 (RESIZE_NEAREST_NEIGHBOR): size = 'computed at run time'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_operator_and_field(tmp_path, case):
    content, said = REFUSED[case]
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match=re.escape(said)):
        tflite_model.load_model(path)


def test_files_that_contradict_themselves_are_refused(tmp_path):
    path = tmp_path / "model.tflite"
    for content, said in (
        (one("RESIZE_NEAREST_NEIGHBOR", {}, (1, 2, 3, 1), (1, 4, 6, 1), size=(4, 3)), "with the size [4, 3]"),
        (one("DEPTH_TO_SPACE", {"BlockSize": 3}, (1, 2, 3, 4), (1, 4, 6, 1)), "has blocks of 3 and 4 channels"),
        (one("DEPTH_TO_SPACE", {"BlockSize": 2}, (1, 2, 3, 4), (1, 4, 5, 1)), "makes frames of (4, 6, 1)"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=re.escape(said)):
            tflite_model.load_model(path)


ONNX_REFUSED = {
    "linear": (lambda: resized({"mode": "linear"}, (1, 1, 2, 2)), "(Resize): mode = 'linear' is not supported"),
    "crop": (lambda: resized({"coordinate_transformation_mode": "tf_crop_and_resize"}, (1, 1, 2, 2)),
             "(Resize): coordinate_transformation_mode = 'tf_crop_and_resize'"),
    "ratio": (lambda: resized({"keep_aspect_ratio_policy": "not_larger"}, (1, 1, 2, 2), sizes=True),
              "(Resize): keep_aspect_ratio_policy = 'not_larger'"),
    "axes": (lambda: resized({"axes": [2, 3]}, (1, 1, 2, 2), given=np.float32([2, 2])), "(Resize): axes = [2, 3]"),
    "fraction": (lambda: resized({}, (1, 1, 2, 2), given=np.float32([1, 1, 1.5, 2])),
                 "(Resize): scales = [1.0, 1.0, 1.5, 2.0] is not supported (supported: integer factors"),
    "channels": (lambda: resized({}, (1, 1, 2, 2), given=np.float32([1, 2, 2, 2])), "(Resize): scales = [1.0, 2.0"),
    "not a number": (lambda: resized({}, (1, 1, 2, 2), given=np.float32([1, 1, np.nan, 2])), "(Resize): scales = [1.0"),
    "smaller": (lambda: resized({}, (1, 1, 1, 1), sizes=True, given=np.int64([1, 2, 3, 2])), "(Resize): sizes = [1, 2"),
    "shift": (lambda: resized({"coordinate_transformation_mode": "asymmetric", "nearest_mode": "ceil"}, (1, 1, 2, 2)),
              "(Resize): coordinate_transformation_mode, nearest_mode = 'asymmetric, ceil from 3 to 6'"),
}  # fmt: skip


@pytest.mark.parametrize("case", ONNX_REFUSED)
def test_what_is_not_supported_of_onnx_is_refused_by_node_and_field(tmp_path, case):
    oracle("onnx")
    make, said = ONNX_REFUSED[case]
    path = tmp_path / "model.onnx"
    path.write_bytes(make().model().SerializeToString())
    with pytest.raises(UnsupportedError, match=re.escape(said)):
        onnx_model.load_model(path)
