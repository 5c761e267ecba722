"""The sum of a convolution, exactly: from the definition, and a fast path that is proven equal before it is used.

Both give ``acc[n, oy, ox, o] = bias[o] + sum over ky, kx, i of (x[n, iy, ix, c] - zx) * (w[o, ky, kx, i] - zw)`` with
``iy = oy * stride + ky * dilation - top``, ``ix`` likewise, and channel ``i`` of the group of ``o``,
``c = (o // group_out_channels) * group_in_channels + i``.
Outside the frame ``x`` is the input zero point ``zx``, so such a tap adds nothing. A transposed layer instead adds the
product of ``x[n, iy, ix, c]`` and ``w[o, ky, kx, i]`` at ``oy = iy * stride + ky * dilation - top``, ``ox`` likewise.
The frames of a streaming layer are pieces of one sequence: the rows above a frame are those of the frames before it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..spec import ConvSpec, dtype_range, storage_dtype

_WINDOW_ELEMENTS = 1 << 22
"""How many operands the fast path unfolds at a time: 32 MiB of float64."""


def accumulate(
    spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[np.integer], x: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The accumulators of a layer, straight from the definition.

    Parameters
    ----------
    spec:
        The convolution.
    weights:
        OHWI integers.
    bias:
        ``(O,)`` integers.
    x:
        ``(N, H, W, C)`` in the storage type of ``spec.input_dtype``.

    Returns
    -------
    ``(N, OH, OW, O)`` int64, never wrapped.

    Raises
    ------
    SpecError
        Input of the wrong type, shape or range, or sums that could leave int64.
    """
    check_input(spec, x)
    _magnitude(spec, weights, bias)
    if spec.streaming:
        return accumulate(*_with_rows_before(spec, weights, bias, x))
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    x_offset = x.astype(np.int64) - spec.input_zero_point
    w_offset = weights.astype(np.int64) - spec.weight_zero_point
    acc = np.zeros((len(x), *spec.output_shape), np.int64)
    acc += bias.astype(np.int64)
    if spec.transposed:
        _scatter(spec, w_offset, x_offset, acc)
        return acc
    for oy, ox in np.ndindex(spec.out_height, spec.out_width):
        for ky, kx in np.ndindex(*spec.kernel):
            iy = oy * spec.stride[0] + ky * spec.dilation[0] - spec.padding.top
            ix = ox * spec.stride[1] + kx * spec.dilation[1] - spec.padding.left
            if not (0 <= iy < spec.height and 0 <= ix < spec.width):
                continue  # the zero point: x_offset is 0
            for group in range(spec.groups):
                read = slice(group * inputs, (group + 1) * inputs)
                written = slice(group * outputs, (group + 1) * outputs)
                acc[:, oy, ox, written] += x_offset[:, iy, ix, read] @ w_offset[written, ky, kx, :].T
    return acc


def _with_rows_before(
    spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[np.integer], x: NDArray[np.integer]
) -> tuple[ConvSpec, NDArray[np.integer], NDArray[np.integer], NDArray[np.integer]]:
    """A streaming layer as one that is not: each frame with the rows that came before it, in place of the pad above."""
    rows, height = spec.state_rows, spec.height
    begin = np.full((rows, *x.shape[2:]), spec.input_zero_point, x.dtype)
    sequence = np.concatenate([begin, x.reshape(-1, *x.shape[2:])])
    frames = np.stack([sequence[n * height : (n + 1) * height + rows] for n in range(len(x))])
    padding = spec.padding._replace(top=0)
    return replace(spec, height=height + rows, padding=padding, streaming=False), weights, bias, frames


def _scatter(spec: ConvSpec, w_offset: NDArray[np.int64], x_offset: NDArray[np.int64], acc: NDArray[np.int64]) -> None:
    """Adds every input pixel times every tap to the output pixel that they meet."""
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    for iy, ix in np.ndindex(spec.height, spec.width):
        for ky, kx in np.ndindex(*spec.kernel):
            oy = iy * spec.stride[0] + ky * spec.dilation[0] - spec.padding.top
            ox = ix * spec.stride[1] + kx * spec.dilation[1] - spec.padding.left
            if not (0 <= oy < spec.out_height and 0 <= ox < spec.out_width):
                continue  # cropped by the pads
            for group in range(spec.groups):
                read = slice(group * inputs, (group + 1) * inputs)
                written = slice(group * outputs, (group + 1) * outputs)
                acc[:, oy, ox, written] += x_offset[:, iy, ix, read] @ w_offset[written, ky, kx, :].T


def accumulate_fast(
    spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[np.integer], x: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The same as :func:`accumulate`, by matrix products over unfolded windows (depthwise: products of whole planes).

    The products run in float64, which is exact as long as no partial sum reaches 2**53; where the worst case does not
    stay below, they run in int64. Memory beyond input and output is bounded.
    """
    check_input(spec, x)
    if spec.streaming:
        return accumulate_fast(*_with_rows_before(spec, weights, bias, x))
    number = np.float64 if _magnitude(spec, weights, bias) < 1 << 53 else np.int64
    w_offset = (weights.astype(np.int64) - spec.weight_zero_point).astype(number)
    acc = np.empty((len(x), *spec.output_shape), np.int64)
    for index, frame in enumerate(x):
        if spec.transposed:
            acc[index] = _transposed_by_taps(spec, w_offset, frame.astype(number) - number(spec.input_zero_point))
            continue
        pads = (spec.padding[0:2], spec.padding[2:4], (0, 0))
        padded = np.pad(frame.astype(number) - number(spec.input_zero_point), pads)
        if spec.group_in_channels == 1:
            acc[index] = _by_planes(spec, w_offset, padded).astype(np.int64)
        else:
            _by_windows(spec, w_offset, padded, acc[index])
    acc += bias.astype(np.int64)
    return acc


def _transposed_by_taps(spec: ConvSpec, weights: NDArray[Any], x: NDArray[Any]) -> NDArray[np.int64]:
    """Tap by tap: the whole frame times the tap's matrix, added where the tap puts it; cropped. ``(OH, OW, O)``."""
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    reach = [
        (size - 1) * stride + dilation * (kernel - 1) + 1
        for size, stride, dilation, kernel in zip(x.shape, spec.stride, spec.dilation, spec.kernel, strict=False)
    ]
    grouped = x.reshape(-1, spec.groups, inputs).transpose(1, 0, 2)
    full = np.zeros((*reach, spec.out_channels), weights.dtype)
    for ky, kx in np.ndindex(*spec.kernel):
        matrices = weights[:, ky, kx].reshape(spec.groups, outputs, inputs).transpose(0, 2, 1)
        sums = (grouped @ matrices).transpose(1, 0, 2).reshape(*x.shape[:2], spec.out_channels)
        y, z = ky * spec.dilation[0], kx * spec.dilation[1]
        rows, columns = spec.stride
        full[y : y + (x.shape[0] - 1) * rows + 1 : rows, z : z + (x.shape[1] - 1) * columns + 1 : columns] += sums
    cropped = full[spec.padding.top :, spec.padding.left :][: spec.out_height, : spec.out_width]
    acc = np.zeros(spec.output_shape, np.int64)
    acc[: cropped.shape[0], : cropped.shape[1]] = cropped
    return acc


def _by_planes(spec: ConvSpec, weights: NDArray[Any], padded: NDArray[Any]) -> NDArray[Any]:
    """One input channel per output channel: tap by tap, all pixels and channels at once. ``(OH, OW, O)``."""
    rows, columns = spec.out_height, spec.out_width
    acc = np.zeros((rows, columns, spec.in_channels, spec.group_out_channels), weights.dtype)
    for ky, kx in np.ndindex(*spec.kernel):
        y, x = ky * spec.dilation[0], kx * spec.dilation[1]
        plane = padded[y:, x:][: (rows - 1) * spec.stride[0] + 1 : spec.stride[0]]
        plane = plane[:, : (columns - 1) * spec.stride[1] + 1 : spec.stride[1]]
        acc += plane[..., None] * weights[:, ky, kx, 0].reshape(spec.in_channels, spec.group_out_channels)
    return acc.reshape(spec.output_shape)


def _by_windows(spec: ConvSpec, weights: NDArray[Any], padded: NDArray[Any], acc: NDArray[np.int64]) -> None:
    """Unfolds some output rows at a time into one row of operands per pixel, and multiplies. Fills ``(OH, OW, O)``."""
    reach = tuple(d * (k - 1) + 1 for d, k in zip(spec.dilation, spec.kernel, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axis=(0, 1))
    windows = windows[:: spec.stride[0], :: spec.stride[1], :, :: spec.dilation[0], :: spec.dilation[1]]
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    operands = inputs * spec.taps
    step = max(_WINDOW_ELEMENTS // (operands * spec.out_width), 1)
    for group in range(spec.groups):
        written = slice(group * outputs, (group + 1) * outputs)
        matrix = weights[written].transpose(3, 1, 2, 0).reshape(operands, outputs)  # input, ky, kx: as the windows lie
        for row in range(0, spec.out_height, step):
            unfolded = windows[row : row + step, :, group * inputs : (group + 1) * inputs].reshape(-1, operands)
            acc[row : row + step, :, written] = (unfolded @ matrix).reshape(-1, spec.out_width, outputs)


def check_input(spec: ConvSpec, x: NDArray[np.integer]) -> None:
    """Raises :class:`SpecError` unless ``x`` is ``(N, H, W, C)`` in the input's storage type and range."""
    if x.dtype != storage_dtype(spec.input_dtype):
        raise SpecError(spec.name, "input", str(x.dtype), f"an array of {storage_dtype(spec.input_dtype)}")
    if x.ndim != 4 or x.shape[1:] != spec.input_shape:
        expected = "of shape (N, {}, {}, {}), NHWC".format(*spec.input_shape)
        raise SpecError(spec.name, "input", f"an array of shape {x.shape}", expected)
    low, high = dtype_range(spec.input_dtype)
    if x.size and not (low <= x.min() and x.max() <= high):
        raise SpecError(spec.name, "input", f"{x.min()} to {x.max()}", f"of type {spec.input_dtype}, {low} to {high}")


def _magnitude(spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[np.integer]) -> int:
    """A bound of every sum and partial sum's magnitude, in Python's integers; refuses one that int64 cannot hold."""
    largest_x = max(abs(value - spec.input_zero_point) for value in dtype_range(spec.input_dtype))
    largest_w = max(abs(int(value) - spec.weight_zero_point) for value in (weights.min(), weights.max()))
    largest_bias = max(abs(int(bias.min())), abs(int(bias.max())))
    bound = largest_x * largest_w * spec.taps * spec.group_in_channels + largest_bias
    if bound >= 1 << 63:
        raise SpecError(spec.name, "accumulator", bound, "below 2**63 in magnitude")
    return bound
