"""Splits a layer with a K x L kernel into a 1 x L layer and a K x 1 layer of few channels between them.

The kernel of a group, in output units (weights less their zero point times the channel's scale), is a matrix with a row
for each output channel and kernel row, and a column for each kernel column and input channel. Its singular value
decomposition, cut off at rank R, is the best approximation in the Frobenius norm (Eckart and Young 1936), and is a
separable convolution: R horizontal filters, then vertical ones that sum them up (scheme 2 of Jaderberg, Vedaldi,
Zisserman: Speeding up convolutional neural networks with low rank expansions, 2014, which has the other order of the
axes). A depthwise layer is the case of one input channel in a group.

Both parts are quantised layers like any other, and what they compute together is exactly the golden model of the second
after that of the first. Horizontal attributes (stride, dilation, pads, output padding) belong to the first, vertical
ones to the second; the bias, the output's zero point and the clamp to the second alone, so that zero rows of padding
between them are what zero rows of input would give.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .. import golden
from ..errors import SpecError, UnsupportedError
from ..golden.convolution import accumulate_fast
from ..golden.requantise import quantise_multiplier
from ..layer import Layer, LayerParameters
from ..spec import ConvSpec, dtype_range
from .factorisation import Factorisation, real_scales, real_weights

MAX_UNFOLDED = 1 << 24
"""Elements of a group's kernel as a matrix."""
MAX_SIDE = 1 << 12
"""The smaller side of that matrix: the work grows with its third power."""
_LARGEST_BIAS = 1 << 30  # in steps of the second part: int32, with room for the sums
_FINEST, _COARSEST = 127, 64
_INPUTS = ("int8", "uint8", "int4")
_MODES = ("tflite", "shift", "onnx")
_WHOLE = 1e-9  # of a singular value's part of the largest: below, it is the rounding of the decomposition


def factorise(
    layer: Layer, x: NDArray[np.integer], *, rank: int | None = None, error: float | None = None
) -> Factorisation:
    """Splits a layer, and measures what that changes.

    Parameters
    ----------
    layer:
        Any convolution of int8, uint8 or int4 inputs and requantised outputs whose kernel has several rows and columns:
        dense, grouped, depthwise, strided, dilated, padded, transposed.
    x:
        ``(N, H, W, C)`` in the layer's input type, ``N`` at least 1: the range of each channel between the parts is
        what these reach.
    rank:
        Channels between the parts, for each group; from 1 to the smaller side of the kernel as a matrix.
    error:
        Instead of the rank: the largest relative error of the weights before quantisation; the least rank that keeps it
        is taken.

    Raises
    ------
    UnsupportedError
        A layer that cannot be split: a kernel of one row or column, another type or mode, a kernel that is too large.
    SpecError
        A rank or error that is out of range; a part that no layer can be.
    """
    spec = layer.spec
    _check(spec)
    if (rank is None) == (error is None):
        raise SpecError(spec.name, "rank", rank, "given, or else an error")
    triples = [_decompose(matrix) for matrix in _unfolded(spec, real_weights(layer))]
    rank, error_before = _choose(spec, [values for _, values, _ in triples], rank, error)
    columns = np.concatenate([right[:rank] for _, _, right in triples])
    filters, steps = quantise_filters(columns)
    horizontal, signs = _horizontal(layer, filters, x, rank)
    # a step of a channel between stands for this much of what its filter gives
    unit = signs * steps / real_scales(horizontal)
    parts = []
    for group, (left, values, _) in enumerate(triples):
        scaled = left[:, :rank] * values[:rank] * unit[_part(group, rank)]
        parts.append(scaled.reshape(spec.group_out_channels, spec.kernel[0], rank))
    vertical = _vertical(layer, np.concatenate(parts), horizontal.spec)
    between = golden.run(horizontal, x)
    return Factorisation(
        layer=layer,
        horizontal=horizontal,
        vertical=vertical,
        rank=rank,
        full_rank=len(triples[0][1]),
        error_before=error_before,
        input=x,
        between=between,
        expected=golden.run(layer, x),
        found=golden.run(vertical, between),
    )


def _check(spec: ConvSpec) -> None:
    if min(spec.kernel) < 2:
        raise UnsupportedError(spec.name, "kernel", spec.kernel, "several rows and columns, to be split")
    if spec.input_dtype not in _INPUTS:
        raise UnsupportedError(spec.name, "input_dtype", spec.input_dtype, ", ".join(_INPUTS))
    if spec.requantisation not in _MODES:
        raise UnsupportedError(spec.name, "requantisation", spec.requantisation, ", ".join(_MODES))
    sides = spec.kernel[0] * spec.group_out_channels, spec.kernel[1] * spec.group_in_channels
    if min(sides) > MAX_SIDE or sides[0] * sides[1] > MAX_UNFOLDED:
        supported = f"{MAX_UNFOLDED} elements, of which the smaller side has {MAX_SIDE}"
        raise UnsupportedError(spec.name, "kernel as a matrix", sides, supported)


def _part(group: int, size: int) -> slice:
    return slice(group * size, (group + 1) * size)


def _unfolded(spec: ConvSpec, kernel: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The kernel of each group as a matrix: output channel and row by column and input channel."""
    for group in range(spec.groups):
        part = kernel[_part(group, spec.group_out_channels)]
        yield part.reshape(spec.group_out_channels * spec.kernel[0], spec.kernel[1] * spec.group_in_channels)


def _decompose(
    matrix: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """``left @ diag(values) @ right``, values falling. The entry of a right vector that is largest is positive.

    A decomposition leaves the signs open; of entries that are equally large (to a part of 10**6) the first counts.
    Values that only rounding made are 0.
    """
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    magnitude = np.abs(right)
    largest = np.argmax(magnitude > magnitude.max(axis=1, keepdims=True) * (1 - 1e-6), axis=1)
    signs = np.where(right[np.arange(len(right)), largest] < 0, -1.0, 1.0)
    values = np.where(values > _WHOLE * values[0], values, 0.0)
    return left * signs, values, right * signs[:, None]


def _choose(
    spec: ConvSpec, values: list[NDArray[np.float64]], rank: int | None, error: float | None
) -> tuple[int, float]:
    """The rank, and the relative error of the weights that it leaves."""
    squares = sum(each**2 for each in values)
    assert isinstance(squares, np.ndarray)
    left_out = np.sqrt(np.append(np.cumsum(squares[::-1])[::-1], 0.0))  # by rank, from 0 on
    relative = left_out / left_out[0] if left_out[0] else left_out
    if rank is None:
        assert error is not None
        if not 0 <= error < 1:
            raise SpecError(spec.name, "error", error, "from 0 to less than 1, relative to the weights")
        rank = max(int(np.argmax(relative <= error)), 1)
    if not 1 <= rank <= len(squares):
        raise SpecError(spec.name, "rank", rank, f"from 1 to {len(squares)}, where nothing is lost")
    return rank, float(relative[rank])


def quantise_filters(filters: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """Filters as int8, and the step of each: of the grids of 64 to 127 steps to the largest value, the closest one.

    The finest grid is not always the best: 1, 2, 1 is exact on 126 steps and not on 127.

    Parameters
    ----------
    filters:
        ``(F, ...)``.

    Returns
    -------
    Integers of the same shape and ``(F,)`` steps, positive, with ``filters`` about ``integers * steps``.
    """
    flat = filters.reshape(len(filters), -1)
    largest = np.abs(flat).max(axis=1)
    largest = np.where(largest > 0, largest, 1.0)
    best = np.full(len(flat), np.inf)
    steps, integers = largest / _FINEST, np.zeros(flat.shape, np.int8)
    for grid in range(_FINEST, _COARSEST - 1, -1):
        step = largest / grid
        rounded = np.rint(flat / step[:, None])
        squares = ((rounded * step[:, None] - flat) ** 2).sum(axis=1)
        better = squares < best * (1 - 1e-9) - 1e-24 * largest**2  # grids that differ by rounding alone are equal
        best, steps = np.where(better, squares, best), np.where(better, step, steps)
        integers[better] = rounded[better].astype(np.int8)
    return integers.reshape(filters.shape), steps


def _constants(spec: ConvSpec, scales: NDArray[np.float64]) -> dict[str, NDArray[np.int32] | NDArray[np.float32]]:
    if spec.requantisation == "onnx":
        return {"scale": scales.astype(np.float32)}
    pairs = np.array([quantise_multiplier(float(scale)) for scale in scales], np.int32)
    return {"multiplier": pairs[:, 0], "shift": pairs[:, 1]}


def _mode(spec: ConvSpec) -> str:
    return "onnx" if spec.requantisation == "onnx" else "tflite"


def _horizontal(
    layer: Layer, filters: NDArray[np.int8], x: NDArray[np.integer], rank: int
) -> tuple[Layer, NDArray[np.float64]]:
    """The first part, and the signs that its filters were given.

    A filter is turned round where its sums over the data go further down than up. All channels share one zero point: as
    low as the channel allows whose sums go down furthest in relation. Each has its own scale, at which its sums over
    the data just fit.
    """
    spec = layer.spec
    pads = spec.padding
    between = "uint8" if spec.input_dtype == "uint8" else "int8"
    fields: dict[str, object] = {
        **spec.to_dict(),
        "name": f"{spec.name}_1x{spec.kernel[1]}",
        "out_channels": spec.groups * rank,
        "kernel": (1, spec.kernel[1]),
        "stride": (1, spec.stride[1]),
        "dilation": (1, spec.dilation[1]),
        "padding": (0, 0, pads.left, pads.right),
        "output_padding": (0, spec.output_padding[1]),
        "streaming": False,
        "output_zero_point": 0,
        "weight_zero_point": 0,
        "weight_dtype": "int8",
        "output_dtype": between,
        "requantisation": _mode(spec),
        "activation_min": None,
        "activation_max": None,
    }
    weights = filters.reshape(spec.groups * rank, 1, spec.kernel[1], spec.group_in_channels)
    raw = ConvSpec.from_dict(fields)
    low, high = _sums(raw, weights, x)
    signs = np.where(-low > high, -1.0, 1.0)
    weights = (weights * signs[:, None, None, None]).astype(np.int8)
    high, low = np.where(signs < 0, -low, high), np.where(signs < 0, -high, low)
    most = np.abs(weights.astype(np.int64)).sum(axis=(1, 2, 3)) * float(np.ptp(dtype_range(spec.input_dtype)))
    high = np.where(high > 0, high, np.maximum(most, 1.0))  # of a channel that the data do not reach
    smallest, largest = dtype_range(between)
    down = float((-low / high).max())  # at most 1
    zero_point = smallest + math.ceil((largest - smallest) * down / (1 + down))
    below = np.where(low < 0, (zero_point - smallest) / np.maximum(-low, 1.0), np.inf)
    room = np.minimum((largest - zero_point) / high, below)
    spec = ConvSpec.from_dict({**fields, "output_zero_point": zero_point})
    parameters = LayerParameters(weights=weights, **_constants(spec, room))  # type: ignore[arg-type]  # by mode
    return Layer(spec, parameters, f"{layer.origin}, horizontal part"), signs


def _sums(
    spec: ConvSpec, weights: NDArray[np.int8], x: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and largest sum of each channel over the data, or 0 if that is beyond."""
    low, high = np.zeros((2, spec.out_channels))
    for frame in x:  # the sums of one frame at a time are in memory
        acc = accumulate_fast(spec, weights, np.zeros(1, np.int64), frame[None])
        low, high = np.minimum(low, acc.min(axis=(0, 1, 2))), np.maximum(high, acc.max(axis=(0, 1, 2)))
    return low, high


def _vertical(layer: Layer, filters: NDArray[np.float64], before: ConvSpec) -> Layer:
    """The second part, from real filters of output units for each step of its input: ``(O, kernel rows, rank)``."""
    spec = layer.spec
    pads = spec.padding
    fields: dict[str, object] = {
        **spec.to_dict(),
        "name": f"{spec.name}_{spec.kernel[0]}x1",
        "width": before.out_width,
        "in_channels": before.out_channels,
        "kernel": (spec.kernel[0], 1),
        "stride": (spec.stride[0], 1),
        "dilation": (spec.dilation[0], 1),
        "padding": (pads.top, pads.bottom, 0, 0),
        "output_padding": (spec.output_padding[0], 0),
        "input_zero_point": before.output_zero_point,
        "weight_zero_point": 0,
        "input_dtype": before.output_dtype,
        "weight_dtype": "int8",
        "requantisation": _mode(spec),
    }
    weights, steps = quantise_filters(filters)
    bias = layer.parameters.biases * real_scales(layer)
    coarse = np.abs(bias) > steps * _LARGEST_BIAS  # a filter of next to nothing, beside its bias
    steps = np.where(coarse, np.abs(bias) / _LARGEST_BIAS, steps)
    weights[coarse] = np.rint(filters[coarse] / steps[coarse, None, None]).astype(np.int8)
    second = ConvSpec.from_dict(fields)
    parameters = LayerParameters(
        weights=weights[:, :, None, :],
        bias=np.rint(bias / steps).astype(np.int64),
        **_constants(second, steps),  # type: ignore[arg-type]  # by mode
    )
    return Layer(second, parameters, f"{layer.origin}, vertical part")
