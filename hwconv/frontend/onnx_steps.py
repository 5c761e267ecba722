"""Operators of ONNX that are no convolutions, each as the value that says what is computed.

Floats leave a choice of order and rounding. What is meant by an operator between ``DequantizeLinear`` and
``QuantizeLinear`` stands with each function; where the hardware's arithmetic is another, it is taken only if it gives
the same for every input that there is.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..add import LEFT_SHIFT, AddSpec
from ..errors import UnsupportedError
from ..golden import add as golden_add
from ..golden.requantise import quantise_multiplier
from ..layer import INT32, Layer, LayerParameters
from ..pool import PoolSpec
from ..spec import ConvSpec, Padding, dtype_range

MAX_ODD_WINDOW = 180
"""Elements of a window whose mean in float32 is always nearer to the exact one than that is to a half-way value.

The sum of ``n`` values of up to 255 steps is wrong by at most ``255 * n * 2**-24`` steps of the mean, and a mean of an
odd number is ``1 / (2 * n)`` away from half-way values at least.
"""

_CLOSE = 1e-3
"""Steps from a half-way value within which two multipliers may disagree: what decides is tried first there."""


BYTES = ("int8", "uint8")
"""Types of activations."""


class Quantisation(NamedTuple):
    """Scale, zero point and type of an activation."""

    scale: np.float32
    zero_point: int
    dtype: str = "int8"

    @property
    def shown(self) -> tuple[float, int, str]:
        """How messages have it."""
        return float(self.scale), self.zero_point, self.dtype


def quantised(values: NDArray[np.float32], made: Quantisation) -> NDArray[np.int64]:
    """``QuantizeLinear``: ties to even, saturated."""
    with np.errstate(over="ignore"):
        steps = np.rint((values / made.scale).astype(np.float32)).astype(np.float64)
    result: NDArray[np.int64] = np.clip(steps + made.zero_point, *dtype_range(made.dtype)).astype(np.int64)
    return result


def add_of(
    label: str, name: str, shape: tuple[int, int, int], operands: list[Quantisation], made: Quantisation,
    clamp: tuple[int, int],
) -> AddSpec:  # fmt: skip
    """``round((sa * (a - za) + sb * (b - zb)) / s) + z`` in float32, step by step, ties to even.

    The hardware adds as TensorFlow Lite does, by three multipliers of 31 bits. Those of the scales, and some that are
    near them, are compared with the definition for all 65,536 pairs of operands; where all differ the addition is
    refused. They do if half-way values are many, which are rounded in other ways.
    """
    types = tuple(each.dtype for each in (*operands, made))
    if len(set(types)) > 1:
        raise UnsupportedError(label, "types", types, "one for both operands and their sum")
    height, width, channels = shape
    scales = [float(operand.scale) for operand in operands]
    common = 2 * max(scales)
    factor = common / ((1 << LEFT_SHIFT) * float(made.scale))
    pairs = [quantise_multiplier(scale / common) for scale in scales]
    multiplier, shift = quantise_multiplier(factor) if factor < 1 else (0, 1)
    if shift > 0:
        least = common / (1 << LEFT_SHIFT)
        raise UnsupportedError(label, "scale of the sum", float(made.scale), f"above {least}")
    spec = AddSpec(
        name=name, height=height, width=width, channels=channels,
        input_zero_points=(operands[0].zero_point, operands[1].zero_point), output_zero_point=made.zero_point,
        multipliers=(pairs[0][0], pairs[1][0]), shifts=(pairs[0][1], pairs[1][1]),
        output_multiplier=multiplier, output_shift=shift, dtype=made.dtype, activation_min=clamp[0],
        activation_max=clamp[1],
    )  # fmt: skip
    least, most = dtype_range(made.dtype)
    a, b = (each.reshape(-1) for each in np.meshgrid(*[np.arange(least, most + 1)] * 2))
    with np.errstate(over="ignore"):
        real = [(each - by.zero_point).astype(np.float32) * by.scale for each, by in zip((a, b), operands, strict=True)]
        total = real[0] + real[1]
        meant = np.clip(quantised(total, made), *clamp)
        beyond = np.abs((total / made.scale).astype(np.float64))
    close = np.abs(beyond - np.floor(beyond) - 0.5) < _CLOSE
    for tried in _near(spec):
        near = np.array_equal(_sums(tried, a[close], b[close]), meant[close])
        if near and np.array_equal(_sums(tried, a, b), meant):
            return tried
    different = int((_sums(spec, a, b) != meant).sum())
    shown = tuple(float(each.scale) for each in (*operands, made))
    supported = f"scales for which the hardware's rounding is the same; here {different} of 65536 pairs differ"
    raise UnsupportedError(label, "scales", shown, supported)


def _sums(spec: AddSpec, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    return golden_add.output(spec, golden_add.operand(spec, 0, a) + golden_add.operand(spec, 1, b))


def _near(spec: AddSpec) -> Iterator[AddSpec]:
    """The addition, and those whose multipliers are up to a part in two million larger or smaller."""
    yield spec
    numbers = (*spec.multipliers, spec.output_multiplier)
    for step in (1 << bit for bit in range(11)):
        for signs in itertools.product((0, 1, -1), repeat=3):
            moved = [number + sign * step for number, sign in zip(numbers, signs, strict=True)]
            if any(signs) and all(0 < number <= INT32[1] for number in moved):
                yield replace(spec, multipliers=(moved[0], moved[1]), output_multiplier=moved[2])


def mean_of_all(
    name: str, shape: tuple[int, int, int], read: Quantisation, made: Quantisation, clamp: tuple[int, int]
) -> Layer:
    """The mean of each channel, as onnxruntime's ``QLinearGlobalAveragePool`` has it.

    The sum is exact, and then scaled by ``s_x / (s_y * n)`` in float32: a depthwise convolution with weights of 1.
    """
    height, width, channels = shape
    spec = ConvSpec(
        name=name, height=height, width=width, in_channels=channels, out_channels=channels, groups=channels,
        kernel=(height, width), input_zero_point=read.zero_point, output_zero_point=made.zero_point,
        input_dtype=read.dtype, output_dtype=made.dtype, requantisation="onnx", activation_min=clamp[0],
        activation_max=clamp[1],
    )  # fmt: skip
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        scale = np.float32(read.scale / np.float32(made.scale * np.float32(height * width)))
    weights = np.ones(spec.weight_shape, np.int8)
    return Layer(spec, LayerParameters(weights=weights, scale=np.array([scale], np.float32)))


def check_mean(label: str, spec: PoolSpec) -> None:
    """Refuses an average whose half-way values depend on the order of a sum of floats, or round otherwise."""
    for count in spec.counts:
        if count > 1 and (count % 2 == 0 or count > MAX_ODD_WINDOW):
            supported = f"odd numbers up to {MAX_ODD_WINDOW}, which have no half-way values"
            raise UnsupportedError(label, "elements of a window", count, supported)


def window_of(
    label: str, attributes: dict[str, Any], rank: int
) -> tuple[tuple[int, int], tuple[int, int], Padding | str]:
    """Kernel, stride and pads of pooling; one dimension becomes a row."""

    def pair(field: str, count: int, default: list[int]) -> list[int]:
        values = attributes[field] if attributes[field] is not None else default
        if not isinstance(values, list) or len(values) != count:
            raise UnsupportedError(label, field, values, f"{count} integers")
        return values

    if attributes["kernel_shape"] is None:
        raise UnsupportedError(label, "kernel_shape", None, f"{rank} integers")
    kernel = pair("kernel_shape", rank, [])
    stride, dilations = pair("strides", rank, [1] * rank), pair("dilations", rank, [1] * rank)
    for field, value, expected in (
        ("ceil_mode", attributes["ceil_mode"], 0),
        ("storage_order", attributes.get("storage_order", 0), 0),
        ("dilations", dilations, [1] * rank),
    ):
        if value != expected:
            raise UnsupportedError(label, field, value, str(expected))
    pads, rule = pair("pads", 2 * rank, [0] * 2 * rank), attributes["auto_pad"]
    missing = 2 - rank
    kernel, stride = [1] * missing + kernel, [1] * missing + stride
    padding: Padding | str = "same"
    if rule in ("NOTSET", "VALID"):
        given = pads if rule == "NOTSET" else [0] * 2 * rank
        before, after = [0] * missing + given[:rank], [0] * missing + given[rank:]
        padding = Padding(before[0], after[0], before[1], after[1])
    elif rule != "SAME_UPPER":
        raise UnsupportedError(label, "auto_pad", rule, "NOTSET, VALID, SAME_UPPER")
    return (kernel[0], kernel[1]), (stride[0], stride[1]), padding
