"""The golden model against programs that other people wrote, over random layers.

``tflite`` and ``tflite16`` against TensorFlow Lite Micro, on models that the test builds and hwconv imports; ``onnx``
and ``none`` against onnxruntime, where the onnx ReferenceEvaluator agrees with it: its kernels may saturate on some
processors, and the evaluator computes in float64.
"""

import numpy as np
import pytest
import tflite
from tflite_builder import Tensor, build_layer

from hwconv import golden
from hwconv.errors import UnsupportedError
from hwconv.frontend.tflite import load_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec, dtype_range, same_padding

ACTIVATIONS = [getattr(tflite.ActivationFunctionType, name) for name in ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")]


def import_oracle(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[oracles]'")


def pick(random, *values):
    return values[int(random.integers(len(values)))]


def extent(random, low, high):
    return int(random.integers(low, high + 1))


def values(random, low, high, shape):
    """Random integers; sometimes nothing but the extremes."""
    if random.random() < 0.15:
        return random.choice([low, high], shape)
    return random.integers(low, high + 1, shape)


def random_window(random):
    """Kernel, stride, dilation, SAME or VALID, a frame that the kernel fits, and the output's extents."""
    kernel, dilation = ([extent(random, 1, high) for _ in range(2)] for high in (4, 3))
    stride = [extent(random, 1, 3) for _ in range(2)]
    same = random.random() < 0.5
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    frame = [extent(random, 1 if same else r, r + 6) for r in reach]
    pads = [sum(same_padding(*axis)) if same else 0 for axis in zip(frame, kernel, stride, dilation, strict=True)]
    output = [(f + p - r) // s + 1 for f, p, r, s in zip(frame, pads, reach, stride, strict=True)]
    options = {
        "StrideH": stride[0], "StrideW": stride[1], "DilationHFactor": dilation[0], "DilationWFactor": dilation[1],
        "Padding": tflite.Padding.SAME if same else tflite.Padding.VALID,
    }  # fmt: skip
    return kernel, frame, output, options


def random_transposed_window(random, kernel):
    """A frame, the output's extents, stride, SAME or VALID. VALID outputs may have rows beyond the kernel's reach."""
    stride = [extent(random, 1, 4) for _ in range(2)]
    frame = [extent(random, 1, 6) for _ in range(2)]
    same = random.random() < 0.5
    if same:
        output = [f * s - extent(random, 0, min(s, f * s) - 1) for f, s in zip(frame, stride, strict=True)]
    else:
        output = [(f - 1) * s + k + extent(random, 0, s - 1) for f, s, k in zip(frame, stride, kernel, strict=True)]
    padding = tflite.Padding.SAME if same else tflite.Padding.VALID
    return frame, output, {"StrideH": stride[0], "StrideW": stride[1], "Padding": padding}


def random_tflite_model(random, kind, dtype, bias_dtype):
    """The bytes of a model of one operator, and an input for it."""
    kernel, frame, output, options = random_window(random)
    channels, multiplier = extent(random, 1, 6), extent(random, 1, 3)
    outputs = extent(random, 1, 7)
    weight_dtype = pick(random, "int8", "int8", "int8", "int4") if dtype == "int8" else "int8"
    if kind == "FULLY_CONNECTED":
        channels, frame, options = extent(random, 1, 80), [1, 1], {}
        shape, x_shape, y_shape, taps = (outputs, channels), (1, channels), (1, outputs), channels
    elif kind == "TRANSPOSE_CONV":
        frame, output, options = random_transposed_window(random, kernel)
        weight_dtype = "int8"  # TFLM has no such kernel for int4
        shape, taps = (outputs, *kernel, channels), kernel[0] * kernel[1] * channels
    elif kind == "DEPTHWISE_CONV_2D":
        outputs, options = channels * multiplier, {**options, "DepthMultiplier": multiplier}
        shape, taps = (1, *kernel, outputs), kernel[0] * kernel[1]
    else:
        groups = pick(random, 1, 1, 2, 3) if dtype == "int8" and weight_dtype == "int8" else 1
        inputs, channels, outputs = channels, channels * groups, outputs * groups
        shape, taps = (outputs, *kernel, inputs), kernel[0] * kernel[1] * inputs
    if kind != "FULLY_CONNECTED":
        x_shape, y_shape = (1, *frame, channels), (1, *output, outputs)
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    low, high = dtype_range(weight_dtype)
    # TFLM has no fully connected kernel for int4 weights with several scales
    per_channel = kind != "FULLY_CONNECTED" or (weight_dtype == "int8" and random.random() < 0.3)
    x_scale = np.float32(random.uniform(0.001, 0.5))
    weight_scales = random.uniform(0.001, 0.1, outputs if per_channel else 1).astype(np.float32)
    # an output scale that spreads the sums over the output type, or is much too small: multipliers above one
    spread = float(x_scale) * float(weight_scales.mean()) * 80 * high / 2 * np.sqrt(taps)
    spread *= 1.0 if dtype == "int8" else 2.0
    y_scale = np.float32(spread / 100 * 10 ** random.uniform(-2.5, 0.5))
    zero_points = [0, 0] if dtype == "int16" else [extent(random, -128, 127) for _ in range(2)]
    bias = None
    if kind == "DEPTHWISE_CONV_2D" or random.random() < 0.8:  # TFLM crashes where a depthwise layer has no bias
        reach = int(high * 60 * np.sqrt(taps))
        data = values(random, -reach, reach, outputs)
        bias = Tensor((outputs,), bias_dtype, x_scale * weight_scales, [0] * len(weight_scales), data=data)
    model = build_layer(
        kind,
        Tensor(x_shape, dtype, [x_scale], [zero_points[0]]),
        Tensor(shape, weight_dtype, weight_scales, [0] * len(weight_scales), axis, values(random, low, high, shape)),
        Tensor(y_shape, dtype, [y_scale], [zero_points[1]]),
        bias,
        FusedActivationFunction=pick(random, *ACTIVATIONS),
        **options,
    )
    return model, values(random, *dtype_range(dtype), x_shape).astype(dtype)


def run_tflite_micro(runtime, model, x):
    interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return np.array(interpreter.get_output(0))


@pytest.mark.parametrize(
    ("kind", "dtype", "bias_dtype", "cases"),
    [
        ("CONV_2D", "int8", "int32", 150),
        ("DEPTHWISE_CONV_2D", "int8", "int32", 120),
        ("FULLY_CONNECTED", "int8", "int32", 100),
        ("CONV_2D", "int16", "int64", 60),
        ("CONV_2D", "int16", "int32", 40),
        ("DEPTHWISE_CONV_2D", "int16", "int64", 60),
        ("FULLY_CONNECTED", "int16", "int64", 60),
        ("TRANSPOSE_CONV", "int8", "int32", 150),
        ("TRANSPOSE_CONV", "int16", "int64", 60),
    ],
)
def test_golden_equals_tflite_micro(tmp_path, seed, kind, dtype, bias_dtype, cases):
    runtime = import_oracle("tflite_micro").runtime
    random = np.random.default_rng([seed, *kind.encode(), *dtype.encode(), *bias_dtype.encode()])
    path, compared, refused, outputs, seen = tmp_path / "model.tflite", 0, [], 0, set()
    for case in range(cases):
        model, x = random_tflite_model(random, kind, dtype, bias_dtype)
        path.write_bytes(model)
        try:
            layer = load_layer(path, 0)
        except UnsupportedError as error:
            refused.append(error.field)
            continue
        expected = run_tflite_micro(runtime, model, x).reshape(1, *layer.spec.output_shape)
        found = golden.run(layer, x.reshape(1, *layer.spec.input_shape))
        np.testing.assert_array_equal(found, expected, err_msg=f"case {case}: {layer.spec}", strict=True)
        compared, outputs = compared + 1, outputs + expected.size
        seen |= {"left shift"} if layer.parameters.shift.max() > 0 else {"right shift"}
        seen |= {"groups"} if layer.spec.groups > 1 else set()
    print(f"{compared} layers, {outputs} outputs compared, {len(refused)} refused; seen: {sorted(seen)}")
    assert compared >= 0.7 * cases
    assert all(field.startswith("shift of channel") for field in refused)  # left shifts that could leave int32
    assert "right shift" in seen
    assert "left shift" in seen or dtype == "int16"


def random_onnx_spec(random, input_dtype, weight_dtype, **fields):
    groups, inputs, per_group = pick(random, 1, 1, 2, 4), extent(random, 1, 4), extent(random, 1, 4)
    inputs = 1 if random.random() < 0.2 else inputs
    kernel, dilation, stride = ([extent(random, 1, high) for _ in range(2)] for high in (4, 3, 3))
    pads = [extent(random, 0, 4) for _ in range(4)]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    sizes = [extent(random, max(r - pads[2 * i] - pads[2 * i + 1], 1), r + 5) for i, r in enumerate(reach)]
    return ConvSpec(
        height=sizes[0], width=sizes[1], in_channels=groups * inputs, out_channels=groups * per_group, kernel=kernel,
        stride=stride, dilation=dilation, padding=pads, groups=groups,
        input_dtype=input_dtype, input_zero_point=extent(random, *dtype_range(input_dtype)),
        weight_dtype=weight_dtype,
        weight_zero_point=extent(random, *dtype_range(weight_dtype)) if random.random() < 0.3 else 0,
        **fields,
    )  # fmt: skip


def onnx_model(onnx, spec, operator, constants):
    """One operator; input ``x`` NCHW and its output ``y``, everything else constant."""
    helper, types = onnx.helper, onnx.TensorProto
    pads = [spec.padding.top, spec.padding.left, spec.padding.bottom, spec.padding.right]
    node = helper.make_node(
        operator, ["x", *constants], ["y"], kernel_shape=list(spec.kernel), strides=list(spec.stride),
        dilations=list(spec.dilation), group=spec.groups, pads=pads,
    )  # fmt: skip
    frames = {"x": spec.input_shape, "y": spec.output_shape}
    dtypes = {"x": getattr(types, spec.input_dtype.upper()), "y": getattr(types, spec.output_dtype.upper())}
    x, y = (helper.make_tensor_value_info(n, dtypes[n], [1, frames[n][2], *frames[n][:2]]) for n in ("x", "y"))
    initial = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph([node], "layer", [x], [y], initial)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run_onnxruntime(model, x):
    """What onnxruntime computes, NHWC."""
    onnxruntime = import_oracle("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0].transpose(0, 2, 3, 1)


def run_both_onnx(onnx, model, x):
    """What onnxruntime and the ReferenceEvaluator compute, NHWC."""
    feed = {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
    evaluated = onnx.reference.ReferenceEvaluator(model).run(None, feed)[0]
    return run_onnxruntime(model, x), evaluated.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("input_dtype", "weight_dtype"), [("uint8", "uint8"), ("uint8", "int8"), ("int8", "int8")])
def test_golden_equals_onnxruntime_on_qlinearconv(seed, input_dtype, weight_dtype):
    import_oracle("onnx.reference")
    onnx = import_oracle("onnx")
    random = np.random.default_rng([seed, *input_dtype.encode(), *weight_dtype.encode()])
    agreed = total = 0
    for case in range(60):
        low, high = dtype_range(input_dtype)
        spec = random_onnx_spec(
            random, input_dtype, weight_dtype, requantisation="onnx", output_dtype=input_dtype,
            output_zero_point=extent(random, low, high),
        )  # fmt: skip
        weights = values(random, *dtype_range(weight_dtype), spec.weight_shape).astype(weight_dtype)
        bias = values(random, -5000, 5000, spec.out_channels).astype(np.int32)
        x_scale = np.float32(random.uniform(0.001, 0.5))
        w_scale = random.uniform(0.001, 0.1, spec.out_channels).astype(np.float32)
        if random.random() < 0.3:  # powers of two: ties in the rounding
            x_scale, w_scale = np.float32(0.25), np.exp2(random.integers(-5, 0, spec.out_channels)).astype(np.float32)
        y_scale = np.float32(x_scale * w_scale.max() * np.float32(2.0) ** extent(random, 2, 9))
        scale = (x_scale * w_scale / y_scale).astype(np.float32)
        layer = Layer(spec, LayerParameters(weights=weights, bias=bias, scale=scale))
        x = values(random, low, high, (1, *spec.input_shape)).astype(input_dtype)
        model = onnx_model(onnx, spec, "QLinearConv", {
            "x_scale": x_scale, "x_zero_point": np.array(spec.input_zero_point, input_dtype),
            "w": weights.transpose(0, 3, 1, 2), "w_scale": w_scale,
            "w_zero_point": np.full(spec.out_channels, spec.weight_zero_point, weight_dtype),
            "y_scale": y_scale, "y_zero_point": np.array(spec.output_zero_point, input_dtype), "b": bias,
        })  # fmt: skip
        runtime, reference = run_both_onnx(onnx, model, x)
        counts = runtime == reference
        np.testing.assert_array_equal(golden.run(layer, x)[counts], runtime[counts], err_msg=f"case {case}: {spec}")
        agreed, total = agreed + int(counts.sum()), total + counts.size
    print(f"{agreed} of {total} outputs of onnxruntime count")
    assert agreed > total / 2  # nearly all, but on processors whose kernels saturate


@pytest.mark.parametrize("weight_dtype", ["uint8", "int8"])
def test_golden_equals_onnxruntime_on_convinteger(seed, weight_dtype):
    import_oracle("onnx.reference")
    onnx = import_oracle("onnx")
    random = np.random.default_rng([seed, *weight_dtype.encode()])
    agreed = total = 0
    for case in range(60):
        spec = random_onnx_spec(random, "uint8", weight_dtype, requantisation="none", output_dtype="int32")
        weights = values(random, *dtype_range(weight_dtype), spec.weight_shape).astype(weight_dtype)
        x = values(random, 0, 255, (1, *spec.input_shape)).astype(np.uint8)
        model = onnx_model(onnx, spec, "ConvInteger", {
            "w": weights.transpose(0, 3, 1, 2), "x_zero_point": np.array(spec.input_zero_point, np.uint8),
            "w_zero_point": np.array(spec.weight_zero_point, weight_dtype),
        })  # fmt: skip
        runtime, reference = run_both_onnx(onnx, model, x)
        counts = runtime == reference
        found = golden.run(Layer(spec, LayerParameters(weights=weights)), x)
        np.testing.assert_array_equal(found[counts], runtime[counts], err_msg=f"case {case}: {spec}")
        agreed, total = agreed + int(counts.sum()), total + counts.size
    print(f"{agreed} of {total} outputs of onnxruntime count")
    assert agreed > total / 2  # nearly all, but on processors whose kernels saturate


def test_golden_equals_onnxruntime_on_convtranspose(seed):
    """Integers in float32: exact, as no sum comes near 2**24."""
    import_oracle("onnxruntime")
    onnx = import_oracle("onnx")
    helper, types = onnx.helper, onnx.TensorProto
    random = np.random.default_rng([seed, 0x7C])
    for case in range(120):
        groups, inputs, per_group = pick(random, 1, 1, 2, 4), extent(random, 1, 3), extent(random, 1, 3)
        kernel, dilation, stride = ([extent(random, 1, high) for _ in range(2)] for high in (4, 3, 4))
        sizes = [extent(random, 1, 5) for _ in range(2)]
        full = [
            (size - 1) * s + d * (k - 1) + 1
            for size, s, d, k in zip(sizes, stride, dilation, kernel, strict=True)
        ]  # fmt: skip
        before = [extent(random, 0, min(3, rest - 1)) for rest in full]
        after = [extent(random, 0, min(3, rest - 1 - pad)) for rest, pad in zip(full, before, strict=True)]
        added = [extent(random, 0, s - 1) for s in stride]
        spec = ConvSpec(
            height=sizes[0], width=sizes[1], in_channels=groups * inputs, out_channels=groups * per_group,
            kernel=kernel, stride=stride, dilation=dilation, padding=(before[0], after[0], before[1], after[1]),
            transposed=True, output_padding=added, groups=groups, input_zero_point=extent(random, -128, 127),
            requantisation="none", output_dtype="int32",
        )  # fmt: skip
        weights = values(random, -128, 127, spec.weight_shape).astype(np.int8)
        bias = values(random, -5000, 5000, spec.out_channels)
        x = values(random, -128, 127, (1, *spec.input_shape)).astype(np.int8)
        by_group = weights.reshape(groups, per_group, *kernel, inputs).transpose(0, 4, 1, 2, 3)
        node = helper.make_node(
            "ConvTranspose", ["x", "w", "b"], ["y"], kernel_shape=kernel, strides=stride, dilations=dilation,
            group=groups, pads=[*before, *after], output_padding=added,
        )  # fmt: skip
        frames = {"x": spec.input_shape, "y": spec.output_shape}
        ends = [helper.make_tensor_value_info(n, types.FLOAT, [1, frame[2], *frame[:2]]) for n, frame in frames.items()]
        constants = {
            "w": by_group.reshape(spec.in_channels, per_group, *kernel).astype(np.float32),
            "b": bias.astype(np.float32),
        }
        initial = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
        graph = helper.make_graph([node], "layer", ends[:1], ends[1:], initial)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        expected = run_onnxruntime(model, (x.astype(np.int64) - spec.input_zero_point).astype(np.float32))
        layer = Layer(spec, LayerParameters(weights=weights, bias=bias))
        for fast in (True, False):
            np.testing.assert_array_equal(golden.run(layer, x, fast), expected, err_msg=f"case {case}: {spec}")
