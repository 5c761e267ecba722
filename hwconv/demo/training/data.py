"""Digits in three parts: to train on, to calibrate the quantisation on, and held out."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwconv.demo.digits import Digits, scaled

TRAINED, CALIBRATED = 1000, 200
"""Images of the first and the second part."""


class Parts(NamedTuple):
    """`held_out_pixels` are the last part's as they are stored, 0 to 16."""

    train: Digits
    calibration: Digits
    held_out: Digits
    held_out_pixels: NDArray[np.uint8]


def parts() -> Parts:
    """scikit-learn's digits, shuffled once and for all."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    pixels, labels = digits.images[order].astype(np.uint8), digits.target[order].astype(np.uint8)
    ends = (0, TRAINED, TRAINED + CALIBRATED, len(pixels))
    first, second, third = (Digits(scaled(pixels[low:high]), labels[low:high]) for low, high in pairwise(ends))
    return Parts(first, second, third, pixels[ends[2] :])
