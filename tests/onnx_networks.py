"""Small quantised `.onnx` models of several nodes, written with onnx's own helper, and what their oracles give."""

from dataclasses import dataclass, field

import numpy as np
import pytest

OPSET, IR = 19, 9


def oracle(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[oracles]'")


@dataclass
class Network:
    """A model under construction. ``last`` is the value that goes on, of ``dtype``, ``shape``, ``scale``, ``point``."""

    random: np.random.Generator
    shape: tuple[int, ...]
    scale: np.float32
    point: int
    last: str = "x"
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=dict)
    kinds: list = field(default_factory=list)
    floats: bool = False
    given: tuple[int, ...] = ()
    dtypes: tuple[str, str] = ("int8", "int8")
    dtype: str = "int8"
    first_dtype: str = ""

    def __post_init__(self):
        self.given, self.first_dtype = self.given or self.shape, self.first_dtype or self.dtype

    def chance(self, share):
        return bool(self.random.random() < share)

    def constant(self, value) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def node(self, kind, inputs, **attributes) -> str:
        helper = oracle("onnx").helper
        name = f"v{len(self.nodes)}"
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(kind, list(inputs), [name], domain=domain, **attributes))
        self.kinds.append(kind)
        return name

    def said(self, scale=None, point=None) -> list[str]:
        """Scale and zero point of the present value, or others, as constants."""
        return [self.constant(np.float32(self.scale if scale is None else scale)),
                self.constant(np.array(self.point if point is None else point, self.dtype))]  # fmt: skip

    def real(self) -> str:
        return self.node("DequantizeLinear", [self.last, *self.said()])

    def quantise(self, name: str, shape, scale, point) -> None:
        self.shape, self.scale, self.point = tuple(shape), np.float32(scale), int(point)
        self.last = self.node("QuantizeLinear", [name, *self.said()])

    def weights(self, shape, axis: int, per_channel: bool):
        """int8 weights and their scales, by which outputs spread over their range for an output scale of 1."""
        count = shape[axis]
        taps = int(np.prod(shape)) // count
        scale = (
            60 / (np.sqrt(taps) * 74 * 74) / self.scale * 2.0 ** self.random.uniform(-1, 1, count if per_channel else 1)
        )
        scale = scale.astype(np.float32)
        return self.random.integers(-127, 128, shape).astype(np.int8), scale if per_channel else scale[0]

    def typed(self, values, scale):
        """Weights and their zero points: int8, or in a network of uint8 the same ones as uint8, or half as large ones.

        Larger int8 ones beside uint8 saturate in onnxruntime's kernels for processors without VNNI.
        """
        if self.dtype == "int8":
            return values, np.zeros(np.shape(scale), np.int8)
        if self.chance(0.3):
            return values // 2, np.zeros(np.shape(scale), np.int8)
        return (values.astype(int) + 128).astype(np.uint8), np.full(np.shape(scale), 128, np.uint8)

    def real_weights(self, values, scale, axis: int) -> str:
        values, zeros = self.typed(values, scale)
        attributes = {"axis": axis} if np.ndim(scale) else {}
        name = self.node(
            "DequantizeLinear", [self.constant(values), self.constant(scale), self.constant(zeros)], **attributes
        )
        self.kinds.pop()
        return name

    def real_bias(self, count: int, scale) -> str:
        values = self.random.integers(-3000, 3000, count).astype(np.int32)
        products = (self.scale * scale).astype(np.float32)
        inputs = [self.constant(values), self.constant(products)]
        attributes = {"axis": 0} if np.ndim(products) else {}
        name = self.node("DequantizeLinear", inputs, **attributes)
        self.kinds.pop()
        return name

    def model(self):
        onnx = oracle("onnx")
        helper = onnx.helper
        element = {"int8": onnx.TensorProto.INT8, "float32": onnx.TensorProto.FLOAT, "uint8": onnx.TensorProto.UINT8}
        x = helper.make_tensor_value_info(
            "x", element["float32" if self.floats else self.first_dtype], list(self.given)
        )
        made = self.dtype if self.dtypes[1] == "int8" else self.dtypes[1]
        y = helper.make_tensor_value_info(self.last, element[made], [None] * len(self.shape))
        constants = [onnx.numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "network", [x], [y], constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR)


def run_oracles(model, x, *, alone=False):
    """What onnxruntime and the reference of onnx give, frame after frame.

    The reference makes other shapes of some frames of one dimension and some pads, and fails on some pools of bytes;
    there it is ``None``, as where onnxruntime is to be alone.
    """
    onnxruntime = oracle("onnxruntime")
    from onnx.reference import ReferenceEvaluator

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    kinds = {node.op_type for node in model.graph.node}
    if not kinds & {"QLinearConv", "QLinearMatMul"}:  # of which it finds no kernels then
        options.add_session_config_entry("session.x64quantprecision", "1")  # sums of uint8 by int8 that do not saturate
    if "Pad" in kinds:  # of bytes, or with axes: its further optimisers fail
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = np.concatenate([session.run(None, {"x": each[None]})[0] for each in x])
    if alone:
        return found, None
    try:
        reference = ReferenceEvaluator(model)
        other = np.concatenate([reference.run(None, {"x": each[None]})[0] for each in x])
    except (ValueError, IndexError, TypeError, RuntimeWarning, RuntimeError):  # or pads that are not numbers
        return found, None
    return found, other if other.shape == found.shape else None


def start(random, *, real: bool, dtype: str = "int8") -> Network:
    shape = (1, int(random.integers(1, 5)), *(int(each) for each in random.integers(4, 10, 2)))
    if random.random() < 0.15:
        shape = shape[:3]
    scale, point = np.float32(2.0 ** random.uniform(-6, 0)), int(random.integers(-128, 128))
    network = Network(random, shape, scale, point + (128 if dtype == "uint8" else 0), dtype=dtype)
    if real and random.random() < 0.3:
        network.floats = True
        network.quantise("x", shape, network.scale, network.point)
    return network


def window(network: Network, kernel, dilations, *, dilated: bool = True):
    """Attributes of a window and the extents of its output; pads smaller than the kernel."""
    random, rank = network.random, len(network.shape) - 2
    strides = [int(each) for each in random.integers(1, 3, rank)]
    pads = [int(random.integers(0, extent)) for extent in kernel * 2]
    attributes = {"strides": strides, "pads": pads, "kernel_shape": kernel}
    extents = []
    for axis in range(rank):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        size = network.shape[2 + axis] + pads[axis] + pads[rank + axis]
        extents.append((size - reach) // strides[axis] + 1)
    return (attributes | {"dilations": dilations} if dilated else attributes), extents


def kernel_of(network: Network, most: int):
    return [int(network.random.integers(1, min(most, extent) + 1)) for extent in network.shape[2:]]


def new_scale(network: Network):
    scale, point = 2.0 ** network.random.uniform(-6, 0), int(network.random.integers(-128, 128))
    return scale, point + middle(network)


def middle(network: Network) -> int:
    """The middle of the type's range."""
    return 128 if network.dtype == "uint8" else 0


def clamped(network: Network, name: str) -> str:
    match int(network.random.integers(4)):
        case 0:
            return network.node("Relu", [name])
        case 1:
            return network.node("Clip", [name, network.constant(np.float32(0)), network.constant(np.float32(6))])
        case _:
            return name


def pad(network: Network, name: str) -> str:
    """Rows and columns of what stands for 0 around a value, floats or bytes."""
    rank = len(network.shape)
    pads = network.random.integers(0, 3, (2, rank))
    pads[:, :2] = 0
    zero = np.array(network.point, network.dtype) if name == network.last else np.float32(0)
    inputs = [name, network.constant(pads.reshape(-1)), network.constant(zero)]
    if name != network.last and network.chance(0.3):
        inputs.pop()
    elif network.chance(0.3):  # some axes only
        inputs[1] = network.constant(pads[:, 2:].reshape(-1))
        axes = np.arange(2, rank) - rank * int(network.chance(0.5))
        inputs.append(network.constant(axes))
    network.shape = tuple(int(extent) for extent in network.shape + pads.sum(axis=0))
    return network.node("Pad", inputs)


def convolution(network: Network, *, channels: int | None = None, shrink: bool = True, to=None) -> None:
    random, real = network.random, None
    if shrink and network.chance(0.25):
        real = pad(network, network.real())
        if network.chance(0.5):
            network.quantise(real, network.shape, network.scale, network.point)
            real = None
    shape, rank = network.shape, len(network.shape) - 2
    kernel = kernel_of(network, 3)
    dilations = [1] * rank
    if all(extent > 5 for extent in shape[2:]) and network.chance(0.2):
        dilations = [2] * rank
    attributes, extents = window(network, kernel, dilations)
    if not shrink:
        attributes, extents = {"auto_pad": "SAME_UPPER"}, list(shape[2:])
    groups = shape[1] if channels is None and network.chance(0.4) else 1
    outputs = channels or groups * int(random.integers(1, 4))
    if groups > 1 or network.chance(0.3):
        attributes["group"] = groups
    per_channel = network.chance(0.5)
    values, scale = network.weights((outputs, shape[1] // groups, *kernel), 0, per_channel)
    y_scale, y_point = to or new_scale(network)
    scale = (scale * np.float32(y_scale)).astype(np.float32)
    inputs = [real or network.real(), network.real_weights(values, scale, 0)]
    if network.chance(0.7):
        inputs.append(network.real_bias(outputs, scale))
    name = clamped(network, network.node("Conv", inputs, **attributes))
    network.quantise(name, (1, outputs, *extents), y_scale, y_point)


def transposed_convolution(network: Network) -> None:
    """ConvTranspose on floats; of several groups, scales count the channels of one."""
    random, shape, rank = network.random, network.shape, len(network.shape) - 2
    kernel, strides = ([int(each) for each in random.integers(1, most + 1, rank)] for most in (4, 3))
    pads = [int(random.integers(0, extent)) for extent in kernel * 2]
    added = [int(random.integers(0, stride)) for stride in strides]
    extents = [
        (size - 1) * stride + reach - pads[axis] - pads[rank + axis] + added[axis]
        for axis, (size, stride, reach) in enumerate(zip(shape[2:], strides, kernel, strict=True))
    ]
    if min(extents) < 1 or max(extents) > 24:
        return convolution(network)
    attributes = {"strides": strides, "pads": pads, "kernel_shape": kernel, "output_padding": added}
    groups = shape[1] if network.chance(0.3) else 1
    each = int(random.integers(1, 4))
    if groups > 1 or network.chance(0.3):
        attributes["group"] = groups
    values, scale = network.weights((shape[1], each, *kernel), 1, network.chance(0.6))
    made = new_scale(network)
    scale = (scale * np.float32(made[0])).astype(np.float32)
    inputs = [network.real(), network.real_weights(values, scale, 1)]
    if network.chance(0.7):
        inputs.append(network.real_bias(groups * each, np.tile(scale, groups) if np.ndim(scale) else scale))
    name = clamped(network, network.node("ConvTranspose", inputs, **attributes))
    network.quantise(name, (1, groups * each, *extents), *made)


def addition(network: Network) -> None:
    before = (network.last, network.scale, network.point)
    first = network.real()
    convolution(network, channels=network.shape[1], shrink=False)
    second = network.real()
    total = clamped(network, network.node("Add", [first, second] if network.chance(0.5) else [second, first]))
    widest = max(network.scale, before[1])
    scale, point = widest * network.random.uniform(0.6, 2.5), network.random.integers(-60, 60) + middle(network)
    network.quantise(total, network.shape, scale, point)


def concatenation(network: Network) -> None:
    start_value = (network.last, network.shape, network.scale, network.point)
    to, parts, channels = new_scale(network), [], 0
    for _ in range(int(network.random.integers(2, 4))):
        network.last, network.shape, network.scale, network.point = start_value
        convolution(network, channels=int(network.random.integers(1, 4)), shrink=False, to=to)
        channels += network.shape[1]
        parts.append(network.real())
    name = network.node("Concat", parts, axis=1)
    network.quantise(name, (1, channels, *network.shape[2:]), network.scale, network.point)


def max_pool(network: Network) -> None:
    if len(network.shape) == 3:  # on which the reference fails, or makes another shape
        return convolution(network)
    kernel = kernel_of(network, 3)
    attributes, extents = window(network, kernel, [1] * len(kernel), dilated=False)
    name = network.node("MaxPool", [network.real()], **attributes)
    network.quantise(name, (*network.shape[:2], *extents), network.scale, network.point)


def resize(network: Network) -> None:
    shape, rank = network.shape, len(network.shape)
    factor = [1, 1, *(int(each) for each in network.random.integers(1, 4, rank - 2))]
    made = tuple(extent * each for extent, each in zip(shape, factor, strict=True))
    if max(made[2:]) > 20:
        return convolution(network)
    ways = (
        {}, {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"},
    )  # fmt: skip
    attributes = ways[int(network.random.integers(len(ways)))]
    if network.chance(0.5):
        more = [network.constant(np.array(factor, np.float32))]
    else:
        more = ["", network.constant(np.array(made, np.int64))]
    name = network.node("Resize", [network.real(), "", *more], **attributes)
    network.quantise(name, made, network.scale, network.point)


def depth_to_space(network: Network) -> None:
    if len(network.shape) != 4 or max(network.shape[2:]) > 8:
        return convolution(network)
    convolution(network, channels=4 * int(network.random.integers(1, 4)))
    attributes = {"mode": str(network.random.choice(["DCR", "CRD"]))} if network.chance(0.7) else {}
    name = network.node("DepthToSpace", [network.real()], blocksize=2, **attributes)
    _, channels, height, width = network.shape
    network.quantise(name, (1, channels // 4, 2 * height, 2 * width), network.scale, network.point)


def average_pool(network: Network) -> None:
    kernel = [3 if extent >= 3 else 1 for extent in network.shape[2:]]
    extents = [extent - size + 1 for extent, size in zip(network.shape[2:], kernel, strict=True)]
    name = clamped(network, network.node("AveragePool", [network.real()], kernel_shape=kernel))
    network.quantise(name, (*network.shape[:2], *extents), network.scale, network.point)


def global_average_pool(network: Network) -> None:
    rank = len(network.shape)
    ones = (1,) * (rank - 2)
    if network.chance(0.5):
        name = network.node("GlobalAveragePool", [network.real()])
    else:
        axes = network.constant(np.arange(2, rank) - (rank if network.chance(0.5) else 0))
        keep = network.chance(0.5)
        name = network.node("ReduceMean", [network.real(), axes], **({} if keep else {"keepdims": 0}))
        ones = ones if keep else ()
    network.quantise(name, (*network.shape[:2], *ones), network.scale * network.random.uniform(0.3, 1), 7)


def classify(network: Network) -> None:
    inputs = int(np.prod(network.shape))
    if network.chance(0.5):
        name = network.node("Flatten", [network.real()], **({"axis": 1} if network.chance(0.5) else {}))
    else:
        name = network.node("Reshape", [network.real(), network.constant(np.array([1, -1]))])
    if network.chance(0.5):
        network.quantise(name, (1, inputs), network.scale, network.point)
        name = network.real()
    outputs, y = int(network.random.integers(2, 13)), new_scale(network)
    if network.chance(0.5):
        values, scale = network.weights((outputs, inputs), 0, network.chance(0.5))
        scale = (scale * np.float32(y[0])).astype(np.float32)
        operands = [name, network.real_weights(values, scale, 0), network.real_bias(outputs, scale)]
        result = network.node("Gemm", operands, transB=1)
    else:
        values, scale = network.weights((inputs, outputs), 1, network.chance(0.5))
        scale = (scale * np.float32(y[0])).astype(np.float32)
        result = network.node("MatMul", [name, network.real_weights(values, scale, 1)])
    network.quantise(clamped(network, result), (1, outputs), *y)


def draw_real(random, dtype: str = "int8") -> Network:
    """Operators on floats, with DequantizeLinear before and QuantizeLinear behind each."""
    network = start(random, real=True, dtype=dtype)
    blocks = (convolution, convolution, addition, concatenation, max_pool, average_pool, transposed_convolution)
    blocks = (*blocks, resize, depth_to_space)
    for _ in range(int(random.integers(1, 4))):
        blocks[int(random.integers(len(blocks)))](network)
    if network.chance(0.4):
        global_average_pool(network)
    if network.chance(0.5):
        classify(network)
    if network.chance(0.4):
        network.last, network.dtypes = network.real(), ("int8", "float32")
    return network


def draw_integer(random, dtype: str = "int8") -> Network:
    """Operators of integers: QLinearConv, MaxPool, Concat, Flatten, QLinearMatMul."""
    network = start(random, real=False, dtype=dtype)
    for _ in range(int(random.integers(1, 4))):
        if network.chance(0.25):
            network.last = pad(network, network.last)
        shape = network.shape
        kernel = kernel_of(network, 3)
        attributes, extents = window(network, kernel, [1] * len(kernel))
        outputs, y = int(random.integers(1, 6)), new_scale(network)
        values, scale = network.weights((outputs, shape[1], *kernel), 0, network.chance(0.5))
        scale = (scale * np.float32(y[0])).astype(np.float32)
        values, zeros = network.typed(values, scale)
        bias = [network.constant(random.integers(-3000, 3000, outputs).astype(np.int32))] if network.chance(0.6) else []
        inputs = [network.last, *network.said(), *map(network.constant, (values, scale, zeros))]
        network.last = network.node("QLinearConv", [*inputs, *network.said(*y), *bias], **attributes)
        network.shape, network.scale, network.point = (1, outputs, *extents), np.float32(y[0]), y[1]
        if len(shape) == 4 and network.chance(0.4):
            kernel = kernel_of(network, 3)
            attributes, extents = window(network, kernel, [1] * len(kernel), dilated=False)
            network.last = network.node("MaxPool", [network.last], **attributes)
            network.shape = (*network.shape[:2], *extents)
        if network.chance(0.3):
            network.last = network.node("Concat", [network.last, network.last], axis=1)
            network.shape = (1, 2 * network.shape[1], *network.shape[2:])
    if network.chance(0.5):
        inputs, outputs, y = int(np.prod(network.shape)), int(random.integers(2, 9)), new_scale(network)
        flat = network.node("Flatten", [network.last])
        values, scale = network.weights((inputs, outputs), 1, False)
        scale = np.float32(scale * np.float32(y[0]))
        values, zeros = network.typed(values, scale)
        operands = [flat, *network.said(), *map(network.constant, (values, scale, zeros))]
        network.last = network.node("QLinearMatMul", [*operands, *network.said(*y)])
        network.shape, network.scale, network.point = (1, outputs), np.float32(y[0]), y[1]
    return network


def frames(network: Network, count: int) -> np.ndarray:
    shape = (count, *network.given[1:])
    if network.floats:
        return (network.random.integers(-600, 601, shape) * (network.scale / 4)).astype(np.float32)
    low = middle(network) - 128
    x = network.random.integers(low, low + 256, shape).astype(network.dtype)
    x[0] = network.random.choice([low, low + 255])
    return x
