"""Random small `.tflite` models of several operators, written by `tflite_builder`."""

from dataclasses import dataclass, field, replace

import numpy as np
import tflite
from tflite_builder import Operator, Tensor, build

from hwconv.spec import dtype_range, same_padding

ACTIVATIONS = ("NONE", "NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass
class Network:
    """A model under construction; `last` is the number of the tensor that goes on, of type `dtype`."""

    random: np.random.Generator
    dtype: str = "int8"
    per_channel: bool = True
    tensors: list[Tensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    last: int = 0

    def content(self) -> bytes:
        return build(self.tensors, self.operators, ([0], [self.last]))

    @property
    def kinds(self) -> set[str]:
        return {operator.name for operator in self.operators}

    @property
    def x(self) -> Tensor:
        return self.tensors[self.last]

    def tensor(self, *args, **fields) -> int:
        self.tensors.append(Tensor(*args, **fields))
        return len(self.tensors) - 1

    def constant(self, values) -> int:
        values = np.array(values, np.int32)
        return self.tensor(values.shape, "int32", (), (), data=values)

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def activation(self) -> dict[str, int]:
        return {"FusedActivationFunction": getattr(tflite.ActivationFunctionType, str(self.random.choice(ACTIVATIONS)))}

    def zero_point(self) -> int:
        point = int(self.random.choice([-128, 127, 0, int(self.random.integers(-128, 128))]))
        return 0 if self.dtype == "int16" else point

    def append(self, name: str, inputs: list[int], shape, options=None, like: int | None = None, **fields) -> int:
        """An operator with a new tensor as its output: of random scale and zero point, or those of another one."""
        if like is not None:
            fields |= {"scales": self.tensors[like].scales, "zero_points": self.tensors[like].zero_points}
        fields.setdefault("scales", [float(np.float32(2.0 ** self.random.uniform(-6, 2)))])
        fields.setdefault("zero_points", [self.zero_point()])
        fields.setdefault("dtype", self.dtype)
        self.last = self.tensor(tuple(int(extent) for extent in shape), **fields)
        self.operators.append(Operator(name, inputs, [self.last], options or {}))
        return self.last

    def weighted(self, name: str, x: int, weights: tuple[int, ...], shape, options, like: int | None = None) -> int:
        """A convolution whose outputs spread over their range."""
        channel_axis = 3 if name == "DEPTHWISE_CONV_2D" else 0
        outputs = weights[channel_axis]
        taps = int(np.prod(weights)) // outputs
        own = self.tensors[like] if like is not None else None
        y_scale = own.scales[0] if own else float(np.float32(2.0 ** self.random.uniform(-6, 2)))
        per_channel = name != "FULLY_CONNECTED" and self.chance(0.6) and self.per_channel
        factor = 60 / (np.sqrt(taps) * 74 * 74) * 2.0 ** self.random.uniform(-1, 1, outputs if per_channel else 1)
        scales = (factor * y_scale / self.tensors[x].scales[0]).astype(np.float32)
        values, zeros = self.random.integers(-127, 128, weights), [0] * len(scales)
        numbers = [x, self.tensor(weights, scales=scales, zero_points=zeros, axis=channel_axis, data=values)]
        if self.chance(0.8):
            wide = self.tensors[x].dtype == "int16"
            bias = self.random.integers(-20000, 20000, outputs) * (256 if wide else 1)
            kind = "int64" if wide else "int32"
            numbers.append(self.tensor((outputs,), kind, scales * self.tensors[x].scales[0], zeros, data=bias))
        elif name != "DEPTHWISE_CONV_2D":  # where TensorFlow Lite Micro takes two inputs, but not -1
            numbers.append(-1)
        if name == "TRANSPOSE_CONV":
            numbers = [self.constant(shape), numbers[1], x, *([] if numbers[2] == -1 else numbers[2:])]
        points = own.zero_points if own else [self.zero_point()]
        return self.append(name, numbers, shape, options, scales=[y_scale], zero_points=points)


def window(network: Network, shape, kernel, same: bool, stride=(1, 1), dilation=(1, 1)):
    """Options of a window and the height and width of its output."""
    extents = []
    for axis in range(2):
        size, reach = shape[1 + axis], dilation[axis] * (kernel[axis] - 1) + 1
        pads = sum(same_padding(size, kernel[axis], stride[axis], dilation[axis])) if same else 0
        extents.append((size + pads - reach) // stride[axis] + 1)
    options = {"StrideH": stride[0], "StrideW": stride[1], "Padding": 0 if same else 1}
    return options, extents


def convolution(network: Network, channels: int | None = None, like: int | None = None, shrink: bool = True) -> None:
    """A dense or depthwise convolution; without `shrink` of the same height and width."""
    random, x = network.random, network.last
    shape = network.tensors[x].shape
    kernel = [int(extent) for extent in random.integers(1, 4, 2)]
    stride = (1, 1) if not shrink else tuple(int(each) for each in random.integers(1, 3, 2))
    dilation = (1, 1) if stride != (1, 1) or network.chance(0.7) else (2, 1)
    reaches = [dilation[axis] * (kernel[axis] - 1) + 1 for axis in range(2)]
    same = not shrink or network.chance(0.5) or any(shape[1 + axis] < reaches[axis] for axis in range(2))
    depthwise = channels is None and network.chance(0.4)
    if shrink and network.chance(0.3):
        pads = random.integers(0, 3, (4, 2))
        pads[0] = pads[3] = 0
        padded = [extent + sum(pair) for extent, pair in zip(shape, pads, strict=True)]
        amounts = network.constant(pads)
        if network.chance(0.5):
            network.append("PAD", [x, amounts], padded, like=x)
        else:
            filler = np.array(network.tensors[x].zero_points, network.dtype)
            value = network.tensor((1,), network.dtype, network.tensors[x].scales, network.tensors[x].zero_points,
                                   data=filler)  # fmt: skip
            network.append("PADV2", [x, amounts, value], padded, like=x)
        x, shape = network.last, padded
    options, extents = window(network, shape, kernel, same, stride, dilation)
    options |= {"DilationHFactor": dilation[0], "DilationWFactor": dilation[1], **network.activation()}
    if depthwise:
        multiplier = int(random.integers(1, 3))
        outputs = shape[3] * multiplier
        options["DepthMultiplier"] = multiplier
        network.weighted("DEPTHWISE_CONV_2D", x, (1, *kernel, outputs), (1, *extents, outputs), options, like)
    else:
        outputs = channels or int(random.integers(1, 9))
        network.weighted("CONV_2D", x, (outputs, *kernel, shape[3]), (1, *extents, outputs), options, like)


def addition(network: Network) -> None:
    """A tensor and a convolution of it, or itself twice."""
    x = network.last
    shape = network.x.shape
    if network.chance(0.85):
        convolution(network, channels=shape[3], shrink=False)
    operands = [x, network.last]
    if network.chance(0.5):
        operands.reverse()
    widest = max(network.tensors[each].scales[0] for each in operands)
    scale = float(np.float32(widest * network.random.choice([0.5, 1, 2, 0.7, 1.3, 3])))
    network.append("ADD", operands, shape, network.activation(), scales=[scale])


def constants(network: Network) -> None:
    """A number for each channel added or multiplied, as what is left of a batch normalisation."""
    x, shape = network.last, network.x.shape
    scale = float(np.float32(network.x.scales[0] * 2.0 ** network.random.uniform(-3, 3)))
    size = shape[3] if network.chance(0.8) else 1
    extents = [(size,), (1, 1, 1, size)][int(network.random.integers(2))]
    low, high = dtype_range(network.dtype)
    point, data = network.zero_point(), network.random.integers(low, high + 1, extents)
    operands = [x, network.tensor(extents, network.dtype, [scale], [point], data=data)]
    if network.chance(0.5):
        operands.reverse()
    kind = "MUL" if network.per_channel and network.chance(0.5) else "ADD"
    most = network.x.scales[0] * scale * 74 * 74 / 60 if kind == "MUL" else max(network.x.scales[0], scale)
    scale = float(np.float32(most * 2.0 ** network.random.uniform(-1, 1)))
    network.append(kind, operands, shape, network.activation(), scales=[scale])


def concatenation(network: Network) -> None:
    """Two or three convolutions of one tensor side by side."""
    x = network.last
    parts: list[int] = []
    for _ in range(int(network.random.integers(2, 4))):
        network.last = x
        convolution(
            network, channels=int(network.random.integers(1, 5)), like=parts[0] if parts else None, shrink=False
        )
        parts.append(network.last)
    shape = network.tensors[x].shape
    channels = sum(network.tensors[part].shape[3] for part in parts)
    axis = int(network.random.choice([3, -1]))
    network.append("CONCATENATION", parts, (*shape[:3], channels), {"Axis": axis}, like=parts[0])


def pooling(network: Network) -> None:
    shape = network.x.shape
    kernel = [int(network.random.integers(1, min(4, extent + 1))) for extent in shape[1:3]]
    stride = tuple(int(each) for each in network.random.integers(1, 3, 2))
    options, extents = window(network, shape, kernel, network.chance(0.5), stride)
    options |= network.activation()
    window_of(network, "MAX_POOL_2D" if network.chance(0.5) else "AVERAGE_POOL_2D", kernel, options, extents)


def window_of(network: Network, kind: str, kernel, options=None, extents=None) -> None:
    """Pooling; by default with a stride of 1, and inside the frame."""
    x, shape = network.last, network.x.shape
    if options is None:
        options, extents = window(network, shape, kernel, False)
    options |= {"FilterHeight": kernel[0], "FilterWidth": kernel[1]}
    network.append(kind, [x], (1, *extents, shape[3]), options, like=x)


def mean(network: Network) -> None:
    """Over rows, columns or both, at another scale or the same; the frame keeps four axes."""
    x, shape = network.last, list(network.x.shape)
    axes = [[1], [2], [1, 2], [-2, -3]][int(network.random.integers(4))]
    for axis in axes:
        shape[axis] = 1
    inputs = [x, network.constant(axes)]
    like = x if network.chance(0.3) else None
    scale = float(np.float32(network.x.scales[0] * 2.0 ** network.random.uniform(-2, 1)))
    fields = {} if like is not None else {"scales": [scale]}
    network.append("MEAN", inputs, shape, {"KeepDims": True}, like, **fields)


def resize(network: Network) -> None:
    """Every pixel repeated; with centres of pixels the result is the same."""
    shape, factor = network.x.shape, [int(each) for each in network.random.integers(1, 4, 2)]
    if max(shape[1:3]) > 8:
        return rescale(network)
    size = [extent * each for extent, each in zip(shape[1:3], factor, strict=True)]
    options = {"HalfPixelCenters": network.chance(0.5)}
    inputs = [network.last, network.constant(size)]
    network.append("RESIZE_NEAREST_NEIGHBOR", inputs, (1, *size, shape[3]), options, like=network.last)


def depth_to_space(network: Network) -> None:
    """Of a convolution whose channels are made for it."""
    block = int(network.random.integers(2, 4))
    if max(network.x.shape[1:3]) > 6:
        return rescale(network)
    convolution(network, channels=block * block * int(network.random.integers(1, 4)))
    _, height, width, channels = network.x.shape
    shape = (1, block * height, block * width, channels // block**2)
    network.append("DEPTH_TO_SPACE", [network.last], shape, {"BlockSize": block}, like=network.last)


def rescale(network: Network) -> None:
    """The same at another scale and zero point; a finer scale saturates."""
    scale = float(np.float32(network.x.scales[0] * network.random.choice([1, 0.5, 2, 0.7, 1.6, 5])))
    network.append("QUANTIZE", [network.last], network.x.shape, scales=[scale])


def retype(network: Network) -> None:
    """The same in the other type of int8 and int16, at a scale that leaves it its range."""
    other, factor = ("int16", 1 / 256) if network.dtype == "int8" else ("int8", 256)
    scale = float(np.float32(network.x.scales[0] * factor * network.random.choice([1, 0.7, 1.6])))
    network.dtype = other
    network.append("QUANTIZE", [network.last], network.x.shape, scales=[scale])


def transposed(network: Network) -> None:
    x, shape = network.last, network.x.shape
    kernel, stride = ([int(each) for each in network.random.integers(1, high, 2)] for high in (4, 3))
    same = network.chance(0.5)
    extents = [
        size * step if same else (size - 1) * step + max(reach, step)
        for size, step, reach in zip(shape[1:3], stride, kernel, strict=True)
    ]
    outputs = int(network.random.integers(1, 6))
    options = {"StrideH": stride[0], "StrideW": stride[1], "Padding": 0 if same else 1}
    network.weighted("TRANSPOSE_CONV", x, (outputs, *kernel, shape[3]), (1, *extents, outputs), options)


def draw(random: np.random.Generator, dtype: str = "int8", *, per_channel: bool = True) -> Network:
    """A model of an optional head, one to four blocks, and an optional tail. One of int16 may become int8."""
    network = Network(random, dtype, per_channel)
    shape = (1, *(int(each) for each in random.integers(3, 10, 2)), int(random.integers(1, 6)))
    scale, point = [float(np.float32(2.0 ** random.uniform(-6, 1)))], [network.zero_point()]
    if network.chance(0.2):  # floats come in
        network.tensor(shape, "float32", (), ())
        network.append("QUANTIZE", [0], shape, scales=scale, zero_points=point)
    elif network.chance(0.2):  # a vector comes in
        network.tensor((1, int(np.prod(shape))), dtype, scale, point)
        network.append("RESHAPE", [0, network.constant(shape)], shape, like=0)
    else:
        network.tensor(shape, dtype, scale, point)
    for number in range(int(random.integers(1, 5))):
        blocks = (convolution, convolution, addition, concatenation, pooling, transposed, rescale, mean)
        blocks = (*blocks, resize, depth_to_space, constants)
        if dtype == "int16":
            behind = retype if number else convolution  # the host alone is no network
            blocks = (convolution, convolution, behind, concatenation, pooling, transposed, rescale, mean)
            blocks = (*blocks, resize)  # its DEPTH_TO_SPACE takes no int16
        block = blocks[int(random.integers(len(blocks)))]
        block(network)
    if network.chance(0.6):
        classify(network)
    return network


def classify(network: Network) -> None:
    """Fully connected, then softmax, then what the host makes of it."""
    x = network.last
    inputs = int(np.prod(network.x.shape))
    if network.chance(0.5):
        extents = [-1, inputs] if network.chance(0.5) else [1, inputs]
        x = network.append("RESHAPE", [x, network.constant(extents)], (1, inputs), like=x)
    outputs = int(network.random.integers(2, 13))
    network.weighted("FULLY_CONNECTED", x, (outputs, inputs), (1, outputs), network.activation())
    if network.dtype == "int8" and network.chance(0.7):
        beta = float(network.random.choice([1.0, 0.5, 3.0]))
        network.append("SOFTMAX", [network.last], (1, outputs), {"Beta": beta}, scales=[1 / 256], zero_points=[-128])
    match int(network.random.integers(4)):
        case 0:
            network.append("DEQUANTIZE", [network.last], (1, outputs), dtype="float32", scales=(), zero_points=())
        case 1 if network.dtype == "int8":
            axis = network.constant(1)
            network.append("ARG_MAX", [network.last, axis], (1,), dtype="int32", scales=(), zero_points=())
        case 2 if network.dtype == "int8":
            network.append("QUANTIZE", [network.last], (1, outputs), dtype="uint8",
                           scales=network.x.scales, zero_points=[network.x.zero_points[0] + 128])  # fmt: skip


def coarse(network: Network) -> Network:
    """With scales of twelve significant bits, whose products are exact as float32."""
    for tensor in network.tensors:
        mantissas, exponents = np.frexp(np.array(tensor.scales, np.float64))
        tensor.scales = np.ldexp(np.rint(mantissas * 4096) / 4096, exponents).tolist()
    return network


def unsigned(network: Network) -> Network:
    """The same model in uint8: every int8 number 128 more, and every zero point."""
    tensors = [
        replace(tensor, dtype="uint8", zero_points=[int(point) + 128 for point in tensor.zero_points],
                data=None if tensor.data is None else np.asarray(tensor.data, np.int64) + 128)
        if tensor.dtype == "int8" else tensor
        for tensor in network.tensors
    ]  # fmt: skip
    return replace(network, dtype="uint8", tensors=tensors)


def frames(network: Network, count: int) -> np.ndarray:
    """Input, single frames of hostile values among them."""
    first = network.tensors[0]
    shape = (count, *first.shape[1:])
    if first.dtype == "float32":
        scale = network.tensors[1].scales[0]
        return (network.random.integers(-600, 601, shape) * (scale / 4)).astype(np.float32)  # half-way cases as well
    low, high = dtype_range(first.dtype)
    x = network.random.integers(low, high + 1, shape).astype(first.dtype)
    x[0] = network.random.choice([low, high])
    return x
