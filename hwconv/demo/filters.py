"""The bank of filters, as one quantised convolution: three colours in, one channel for each filter out.

Bytes are brightnesses on both sides: -128 is black, 127 is white. Kernels are real numbers, quantised channel by
channel as a framework would; what a filter's answer of zero looks like (black, grey or white) is its bias.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwconv.golden.requantise import quantise_multiplier
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec

Kernel = NDArray[np.float64]
BLACK = -128
GREY = (0.299, 0.587, 0.114)
"""Brightness of red, green and blue, ITU-R BT.601."""


@dataclass(frozen=True, eq=False)
class Filter:
    """One filter.

    Members:
        name: for people.
        kernel: 5x5, applied to the weighted sum of the colours.
        gain: contrast; from black to white is 1.
        zero: brightness of an answer of zero, from 0 (black) to 1 (white).
        colours: weights of red, green and blue.
    """

    name: str
    kernel: Kernel
    gain: float
    zero: float
    colours: tuple[float, float, float] = GREY


def gaussian(sigma: float) -> Kernel:
    """A 5x5 bell of sum 1."""
    bell = np.exp(-(np.arange(-2, 3) ** 2) / (2 * sigma**2))
    return np.asarray(np.outer(bell, bell) / bell.sum() ** 2)


def _identity() -> Kernel:
    kernel = np.zeros((5, 5))
    kernel[2, 2] = 1
    return kernel


def _slope() -> Kernel:
    """Brightness to the right less brightness to the left."""
    kernel = np.outer(gaussian(1.0).sum(axis=1), [-1, -2, 0, 2, 1])
    return np.asarray(2 * kernel / np.abs(kernel).sum())


def _light_from_above_left() -> Kernel:
    kernel = np.array([[2, 1, 1, 0, 0], [1, 2, 1, 0, 0], [1, 1, 0, -1, -1], [0, 0, -1, -2, -1], [0, 0, -1, -1, -2]])
    return np.asarray(-2 * kernel / np.abs(kernel).sum())


def filters() -> tuple[Filter, ...]:
    """The filters in the order of the channels."""
    blur, ring = gaussian(1.3), gaussian(0.75) - gaussian(1.5)
    return (
        Filter("blurred", blur, 1, 0),
        Filter("sharpened", _identity() + 2 * (_identity() - blur), 1, 0),
        Filter("slopes from left to right", _slope(), 3, 0.5),
        Filter("slopes from top to bottom", _slope().T, 3, 0.5),
        Filter("relief", _light_from_above_left(), 2.2, 0.5),
        Filter("pencil", ring, 9, 0.96),
        Filter("neon", -ring, 16, 0),
        Filter("red against cyan", blur, 1.6, 0.35, (1, -0.5, -0.5)),
    )


def filter_bank(height: int, width: int) -> Layer:
    """The filters as a layer for pictures of this size; no padding, so that the frame's edge draws no line."""
    bank = filters()
    spec = ConvSpec(
        name="filter_bank",
        height=height,
        width=width,
        in_channels=3,
        out_channels=len(bank),
        kernel=(5, 5),
        input_zero_point=BLACK,
        output_zero_point=BLACK,
    )
    weights = np.zeros(spec.weight_shape, np.int8)
    biases, multipliers, shifts = [], [], []
    for channel, each in enumerate(bank):
        real = each.kernel[:, :, np.newaxis] * np.array(each.colours)
        scale = float(np.abs(real).max()) / 127
        weights[channel] = _rounded(real / scale)
        biases.append(round(255 * each.zero / (scale * each.gain)))
        multiplier, shift = quantise_multiplier(scale * each.gain)
        multipliers.append(multiplier)
        shifts.append(shift)
    parameters = LayerParameters(
        weights=weights,
        bias=np.array(biases, np.int64),
        multiplier=np.array(multipliers, np.int32),
        shift=np.array(shifts, np.int32),
    )
    return Layer(spec, parameters, "hwconv demo")


def _rounded(real: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rounds a kernel (5, 5, colours) to integers of the same sum for each colour, so that flat areas keep their grey.

    The weights that were rounded furthest the wrong way go the other way instead.
    """
    flat = real.reshape(-1, real.shape[-1])
    rounded = np.rint(flat)
    for colour in range(flat.shape[1]):
        missing = int(np.rint(flat[:, colour].sum()) - rounded[:, colour].sum())
        order = np.argsort(np.sign(missing) * (rounded - flat)[:, colour], kind="stable")
        rounded[order[: abs(missing)], colour] += np.sign(missing)
    return rounded.reshape(real.shape)
