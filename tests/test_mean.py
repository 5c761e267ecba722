"""Means over rows and columns: against TensorFlow Lite Micro, in hardware, of frames in another order, and refusals."""

import re
from itertools import permutations

import numpy as np
import pytest
from random_engines import exact_requantisers
from test_random_networks import micro
from tflite_builder import Operator, Tensor, build

from hwconv import simulation
from hwconv.api import design_of
from hwconv.errors import FormatError, SpecError, UnsupportedError
from hwconv.frontend.graph_file import load_graph
from hwconv.frontend.tflite_model import load_model
from hwconv.golden import pool as golden_pool
from hwconv.golden.model import run_model
from hwconv.graph import Graph, Pool
from hwconv.plan.pool import plan_pool
from hwconv.pool import PoolSpec
from hwconv.spec import dtype_range

SHAPE = (1, 3, 5, 2)


def int32(values) -> Tensor:
    return Tensor(np.shape(values), "int32", (), (), data=np.array(values, np.int32))


def mean(axes, keep, *, shape=SHAPE, made=None, scales=(0.5, 0.5), points=(3, 3), dtype="int8") -> bytes:
    """A model of one operator."""
    reduced = {axis % len(shape) for axis in axes}
    left = [1 if axis in reduced else extent for axis, extent in enumerate(shape) if keep or axis not in reduced]
    tensors = [Tensor(shape, dtype, scales[:1], points[:1]), int32(axes),
               Tensor(left if made is None else made, dtype, scales[1:], points[1:])]  # fmt: skip
    return build(tensors, [Operator("MEAN", [0, 1], [2], {"KeepDims": keep})])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mean.tflite"


def check(path, content, x):
    path.write_bytes(content)
    found = run_model(load_model(path), x)
    np.testing.assert_array_equal(found, micro(content, x), strict=True)
    return found.size


def draw(random, case, dtype):
    """A model, and hostile frames."""
    low, high = dtype_range(dtype)
    shape = (1, *(int(extent) for extent in random.integers(1, 9, 3)))
    axes = [[1], [2], [1, 2], [2, 1], [-2, -3], [1, 2, -2]][int(random.integers(6))]
    first = float(np.float32(2.0 ** random.uniform(-6, 2)))
    second = first if case % 3 == 0 else float(np.float32(first * 2.0 ** random.uniform(-6, 3)))
    points = [0, 0] if dtype == "int16" else [int(point) for point in random.integers(low, high + 1, 2)]
    x = random.integers(low, high + 1, (5, *shape[1:])).astype(dtype)
    x[0] = random.choice([low, high])
    x[1:3] = np.clip(random.integers(-2, 3, (2, *shape[1:])) + points[0], low, high)  # many half-way values
    fields = {"shape": shape, "scales": (first, second), "points": points, "dtype": dtype}
    return (axes, bool(random.integers(2))), fields, x


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_means_equal_tflite_micro(seed, path, dtype):
    random, compared = np.random.default_rng(seed), 0
    for case in range(150):
        axes, fields, x = draw(random, case, dtype)
        compared += check(path, mean(*axes, **fields), x)
    print(f"{compared} means")


def test_means_of_uint8_equal_those_of_int8_128_lower(seed, path):
    """TensorFlow Lite Micro has no kernel for uint8; the definition takes the zero point off the sum."""
    random = np.random.default_rng([seed, 8])
    for case in range(150):
        axes, fields, x = draw(random, case, "uint8")
        path.write_bytes(mean(*axes, **fields))
        found = run_model(load_model(path), x)
        signed = mean(*axes, **{**fields, "dtype": "int8", "points": [point - 128 for point in fields["points"]]})
        expected = micro(signed, (x.astype(int) - 128).astype(np.int8)).astype(int) + 128
        np.testing.assert_array_equal(found, expected.astype(np.uint8), strict=True)


@pytest.mark.parametrize("axis", [1, 2])
def test_frames_of_three_extents_have_no_height(path, axis):
    x = np.arange(-15, 15, dtype=np.int8).reshape(1, 5, 6)
    if axis == 1:
        assert check(path, mean([1], True, shape=(1, 5, 6)), x)
        return
    path.write_bytes(mean([2], True, shape=(1, 5, 6)))
    with pytest.raises(
        UnsupportedError, match=re.escape("axes = [2] is not supported (supported: rows and columns, 1)")
    ):
        load_model(path)


def transposed(order, axes, keep=False, back=None) -> bytes:
    """Axes in another order, then a mean over each of some, one after the other."""
    shape = [SHAPE[axis] for axis in order]
    like = {"scales": [0.5], "zero_points": [3]}
    tensors, operators, last = [Tensor(SHAPE, **like), int32(order), Tensor(shape, **like)], [], 2
    operators.append(Operator("TRANSPOSE", [0, 1], [2]))
    for axis in axes:
        shape = [1 if number == axis else extent for number, extent in enumerate(shape) if keep or number != axis]
        tensors += [int32([axis]), Tensor(shape, scales=[0.25], zero_points=[-7])]
        operators.append(Operator("MEAN", [last, len(tensors) - 2], [len(tensors) - 1], {"KeepDims": keep}))
        last = len(tensors) - 1
    if back:
        tensors += [int32(back), Tensor([shape[axis] for axis in back], scales=[0.25], zero_points=[-7])]
        operators.append(Operator("TRANSPOSE", [last, len(tensors) - 2], [len(tensors) - 1]))
    return build(tensors, operators)


def test_means_of_transposed_frames_equal_tflite_micro(path):
    """Every order of the axes; the height and the width go in either order, as they stand there."""
    x = np.random.default_rng(4).integers(-128, 128, (3, *SHAPE[1:])).astype(np.int8)
    for order in permutations((1, 2, 3)):
        order = (0, *order)
        places = [order.index(axis) for axis in (1, 2)]
        for keep in (False, True):
            last_first = sorted(places, reverse=True)
            check(path, transposed(order, last_first, keep), x)
    check(path, transposed((0, 3, 1, 2), [3], True, back=(0, 2, 3, 1)), x)  # and back: only columns go


def test_a_transposed_frame_is_read_by_means_alone(path):
    path.write_bytes(transposed((0, 3, 1, 2), [3]))
    with pytest.raises(UnsupportedError, match=r"operator 1 \(MEAN\): tensor 4 = 'axes in another order'"):
        load_model(path)
    like = {"scales": [0.5], "zero_points": [3]}
    tensors = [Tensor(SHAPE, **like), int32((0, 3, 1, 2)), Tensor((1, 2, 3, 5), **like), Tensor((1, 2, 3, 5), **like)]
    for operator, said in (
        (
            Operator("ADD", [2, 2], [3]),
            r"\(ADD\): tensor 2 = 'axes in another order'.*read by MEAN, TRANSPOSE",
        ),
        (Operator("SOFTMAX", [2], [3], {"Beta": 1.0}), r"operator 1 \(SOFTMAX\): tensor 2 = 'axes in another order'"),
    ):
        path.write_bytes(build(tensors, [Operator("TRANSPOSE", [0, 1], [2]), operator]))
        with pytest.raises(UnsupportedError, match=said):
            load_model(path)


REFUSED = {
    "channels": (mean([3], True), "operator 0 (MEAN): axes = [3] is not supported (supported: rows and columns, 1, 2)"),
    "batch": (mean([0, 1], True), "operator 0 (MEAN): axes = [0, 1]"),
    "no axes": (mean([], True), "operator 0 (MEAN): axes"),
    "int32": (mean([1], True, dtype="int32"), "type of tensor 0 = 'int32'"),
    "axes at run time": (build([Tensor(SHAPE), Tensor((1,), "int32", (), ()), Tensor((1, 1, 5, 2))],
                               [Operator("MEAN", [0, 1], [2], {"KeepDims": True})]),
                         "operator 0 (MEAN): axes = 'computed at run time'"),
    "batch that moves": (build([Tensor(SHAPE), int32([1, 0, 2, 3]), Tensor((3, 1, 5, 2))],
                               [Operator("TRANSPOSE", [0, 1], [2])]), "(TRANSPOSE): shape of tensor 2 = (3, 1, 5, 2)"),
    "transposed scale": (build([Tensor(SHAPE), int32([0, 2, 1, 3]), Tensor((1, 5, 3, 2), scales=[0.5])],
                               [Operator("TRANSPOSE", [0, 1], [2])]), "(TRANSPOSE): scale of tensor 2 = 0.5"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_name(path, case):
    content, said = REFUSED[case]
    path.write_bytes(content)
    with pytest.raises(UnsupportedError) as refused:
        load_model(path)
    assert said in str(refused.value)


def test_files_that_contradict_themselves_are_refused(path):
    for content, said in (
        (mean([1], True, made=(1, 3, 1, 2)), "makes (1, 3, 1, 2) of (1, 3, 5, 2), which become (1, 1, 5, 2)"),
        (build([Tensor(SHAPE), int32([4]), Tensor(SHAPE)], [Operator("MEAN", [0, 1], [2], {})]), "axes [4] of 4"),
        (build([Tensor(SHAPE), int32([0, 1, 1, 3]), Tensor((1, 3, 3, 2))], [Operator("TRANSPOSE", [0, 1], [2])]),
         "puts 4 axes in the order [0, 1, 1, 3]"),
    ):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(FormatError, match=re.escape(said)):
            load_model(path)


def test_a_scale_that_leaves_int32_is_refused(path):
    path.write_bytes(mean([1, 2], True, scales=(1.0, 2.0**-24)))
    with pytest.raises(SpecError, match=r"op0_mean: expected largest sum, shifted left to be at most 2147483647"):
        load_model(path)


# In hardware.


@pytest.mark.parametrize("exact", [False, True], ids=["narrow", "exact"])
def test_every_sum_is_requantised_as_the_definition_says(exact):
    """A frame for every sum that there is, the extremes included."""
    multiplier, shift = golden_pool.mean_multiplier(0.83, 6)
    spec = PoolSpec(name="every_sum", kind="mean", height=2, width=3, channels=1, kernel=(2, 3),
                    input_zero_point=-11, output_zero_point=7, multiplier=multiplier, shift=shift)  # fmt: skip
    with exact_requantisers(exact):
        plan = plan_pool(spec, lanes=1)
    assert (plan.config.requantiser.kind == "narrow") is not exact
    sums = np.arange(6 * -128, 6 * 127 + 1)
    x = np.stack([(sums + step) // 6 for step in range(6)], axis=1).astype(np.int8).reshape(-1, 2, 3, 1)
    assert x.astype(int).sum(axis=(1, 2, 3)).tolist() == sums.tolist()
    expected = []
    for total in sums.tolist():  # on Python's integers
        product = (total + 66 << max(shift, 0)) * multiplier
        nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
        high = nudged >> 31 if nudged >= 0 else -(-nudged >> 31)
        magnitude = abs(high) + ((1 << max(-shift, 0)) >> 1) >> max(-shift, 0)
        expected.append(min(max((magnitude if high >= 0 else -magnitude) + 7, -128), 127))
    result = simulation.run(
        simulation.build(design_of(plan), "icarus"), x, np.array(expected, np.int8).reshape(-1, 1, 1, 1)
    )
    assert result.passed, simulation.explain(result)
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)


# As a value, and as a person writes it.

FIELDS = {"kind": "mean", "height": 4, "width": 6, "channels": 2, "kernel": (4, 6), "multiplier": 1 << 30, "shift": -4}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"padding": (1, 0, 0, 0)}, "padding to be none with mean"),
        ({"multiplier": 1 << 31}, "multiplier"),
        ({"shift": 31}, "shift"),
        ({"output_zero_point": 128}, "output_zero_point"),
        ({"output_zero_point": -1, "dtype": "uint8"}, "output_zero_point"),
        ({"shift": 12, "dtype": "int16"}, "largest sum, shifted left"),
        ({"kind": "average"}, "multiplier to be absent with average"),
    ],
)
def test_fields_out_of_range_are_refused(changes, said):
    with pytest.raises(SpecError, match=said):
        PoolSpec(**{**FIELDS, **changes})


def test_a_mean_has_the_zero_point_of_its_input_and_gives_its_own():
    spec = PoolSpec(name="m", **FIELDS, input_zero_point=5, output_zero_point=-9)
    frame = {"height": 4, "width": 6, "channels": 2}
    graph = Graph(**frame, zero_point=5, nodes=(Pool(input="input", spec=spec),))
    assert graph.tensors["m"].zero_point == -9
    assert Graph.from_json(graph.to_json()) == graph
    with pytest.raises(SpecError, match="input_zero_point to be 4, that of input"):
        Graph(**frame, zero_point=4, nodes=(Pool(input="input", spec=spec),))


DESCRIPTION = """
height = 4
width = 6
channels = 2
zero_point = 5
[[layer]]
name = "m"
kind = "mean"
"""


def test_descriptions_of_means(tmp_path):
    path = tmp_path / "mean.toml"
    path.write_text(DESCRIPTION + "scale = 0.75\noutput_zero_point = -9\n")
    (node,) = load_graph(path).network.graph.nodes
    # 0.75 = 3 / 4 is 3 * 2**29 in Q31 with shift 0; 24 elements move it left by 4 bits before they divide it.
    assert (node.spec.multiplier, node.spec.shift) == ((3 << 29 << 4) // 24, -4)
    assert (node.spec.kernel, node.spec.input_zero_point, node.spec.output_zero_point) == ((4, 6), 5, -9)
    path.write_text(DESCRIPTION + "kernel = [1, 6]\n")
    (node,) = load_graph(path).network.graph.nodes
    assert (node.spec.output_shape, node.spec.output_zero_point) == ((4, 1, 2), 5)
    for more, said in (("scale = -1", "scale"), ("padding = 1", "padding"), ("scale = true", "scale")):
        path.write_text(DESCRIPTION + more)
        with pytest.raises(SpecError, match=said):
            load_graph(path)
