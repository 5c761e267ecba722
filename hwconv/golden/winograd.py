"""Winograd's minimal filtering in integers: what the fast engines compute, written from the paper.

``F(m, 3)`` computes ``m`` neighbouring outputs of a correlation with three taps from ``n = m + 2`` inputs with ``n``
multiplications (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308, section 4):

    y = A^T [(G g) * (B^T d)]                        one axis
    Y = A^T [(G g G^T) * (B^T d B)] A                two axes

``G`` has fractions. Times their common denominator (2 for ``m = 2``, 24 for ``m = 4``) everything is an integer, and an
output comes out that many times too large, once for each axis: 4 or 576 times in two dimensions. An axis without taps
takes its inputs as they are, factor 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..spec import ConvSpec
from .convolution import check_input


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis: ``b`` is ``B^T`` (n, n), ``g`` is ``factor * G`` (n, taps), ``a`` is ``A^T`` (m, n), all int64."""

    b: NDArray[np.int64]
    g: NDArray[np.int64]
    a: NDArray[np.int64]
    factor: int


def _axis(b: list[list[int]], g: list[list[int]], a: list[list[int]], factor: int) -> Axis:
    return Axis(np.array(b, np.int64), np.array(g, np.int64), np.array(a, np.int64), factor)


F2 = _axis(
    [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    [[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]],
    [[1, 1, 1, 0], [0, 1, -1, -1]],
    2,
)
"""F(2, 3), G times 2."""
F4 = _axis(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]],
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    24,
)
"""F(4, 3), G times 24."""


def axis_of(outputs: int, taps: int) -> Axis:
    """The transforms of an axis with 3 taps (2 or 4 outputs) or with 1 (any number of outputs)."""
    if taps == 1:
        one = np.eye(outputs, dtype=np.int64)
        return Axis(one, np.ones((outputs, 1), np.int64), one, 1)
    return {2: F2, 4: F4}[outputs]


def accumulate_winograd(
    spec: ConvSpec,
    weights: NDArray[np.integer],
    bias: NDArray[np.integer],
    x: NDArray[np.integer],
    tile: tuple[int, int],
) -> NDArray[np.int64]:
    """The accumulators of a layer by Winograd's algorithm: equal to :func:`~hwconv.golden.convolution.accumulate`.

    Parameters
    ----------
    spec, weights, bias, x:
        As there; kernels of 3 or 1 taps an axis, stride and dilation 1.
    tile:
        Output rows and columns of a tile. What the last ones compute beyond the frame is dropped.

    Returns
    -------
    ``(N, OH, OW, O)`` int64.

    Raises
    ------
    SpecError
        Input of the wrong type, shape or range; or a product of transforms that its factor does not divide, which
        would be a mistake in this module.
    """
    check_input(spec, x)
    vertical, horizontal = (axis_of(size, taps) for size, taps in zip(tile, spec.kernel, strict=True))
    rows, columns = (-(-size // of) for size, of in zip((spec.out_height, spec.out_width), tile, strict=True))
    reach = rows * tile[0] + spec.kernel[0] - 1, columns * tile[1] + spec.kernel[1] - 1
    before = spec.padding.top, spec.padding.left
    frame = np.zeros((len(x), max(reach[0], before[0] + spec.height), max(reach[1], before[1] + spec.width),
                      spec.in_channels), np.int64)  # fmt: skip
    frame[:, before[0] : before[0] + spec.height, before[1] : before[1] + spec.width] = (
        x.astype(np.int64) - spec.input_zero_point
    )
    # (n, n, O, I): every weight plane, transformed
    kernel = weights.astype(np.int64) - spec.weight_zero_point
    planes = np.einsum("iy,oyxc,jx->ijoc", vertical.g, kernel, horizontal.g, optimize=True)
    factor = vertical.factor * horizontal.factor
    acc = np.zeros((len(x), rows * tile[0], columns * tile[1], spec.out_channels), np.int64)
    inputs, outputs = spec.group_in_channels, spec.group_out_channels
    for ty, tx in np.ndindex(rows, columns):
        y, across = ty * tile[0], tx * tile[1]
        patch = frame[:, y : y + vertical.b.shape[0], across : across + horizontal.b.shape[0]]
        turned = np.einsum("iy,nyxc,jx->nijc", vertical.b, patch, horizontal.b, optimize=True)
        for group in range(spec.groups):
            read = slice(group * inputs, (group + 1) * inputs)
            written = slice(group * outputs, (group + 1) * outputs)
            sums = np.einsum("nijc,ijoc->nijo", turned[..., read], planes[:, :, written], optimize=True)
            scaled = np.einsum("yi,nijo,xj->nyxo", vertical.a, sums, horizontal.a, optimize=True)
            if np.any(scaled % factor):
                raise SpecError(spec.name, "Winograd transform", factor, "a divisor of every output")
            acc[:, y : y + tile[0], across : across + tile[1], written] = scaled // factor
    return acc[:, : spec.out_height, : spec.out_width] + bias.astype(np.int64)
