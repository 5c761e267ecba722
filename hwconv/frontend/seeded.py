"""Integers drawn from a seed, by a generator that fits in four lines: the same in any version of any library.

numpy promises the bits of its generators but not what its distributions make of them. Here value ``i`` of a seed is

    z = seed + (i + 1) * 0x9E3779B97F4A7C15                  modulo 2**64, as everything below
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9
    z = (z ^ z >> 27) * 0x94D049BB133111EB
    value = low + ((z ^ z >> 31) >> 32) * (high - low + 1) >> 32

The first three are SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014), which
is a function of the index, so that blocks of a large tensor can be drawn apart.
"""

import math

import numpy as np
from numpy.typing import NDArray

_GOLDEN, _FIRST, _SECOND = (np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_BLOCK = 1 << 20  # values drawn at a time


def split_mix(seed: int, start: int, count: int) -> NDArray[np.uint64]:
    """Numbers ``start`` to ``start + count - 1`` of the sequence that SplitMix64 gives for a seed: ``(count,)``."""
    index = np.arange(start + 1, start + 1 + count, dtype=np.uint64)
    z = np.uint64(seed) + index * _GOLDEN
    z = (z ^ z >> np.uint64(30)) * _FIRST
    z = (z ^ z >> np.uint64(27)) * _SECOND
    return z ^ z >> np.uint64(31)


def seeded_integers(seed: int, shape: tuple[int, ...], low: int, high: int, dtype: str) -> NDArray[np.integer]:
    """A tensor of integers, filled in C order.

    Parameters
    ----------
    seed:
        From 0 to ``2**64 - 1``.
    shape, dtype:
        Of the tensor; the type must hold both bounds.
    low, high:
        Both included; they lie less than ``2**32`` apart.

    Returns
    -------
    Integers whose probabilities differ from each other by less than ``2**-32``.
    """
    values = np.empty(math.prod(shape), dtype)
    for start in range(0, values.size, _BLOCK):
        upper = split_mix(seed, start, min(_BLOCK, values.size - start)) >> np.uint64(32)
        offset = (upper * np.uint64(high - low + 1)) >> np.uint64(32)
        values[start : start + _BLOCK] = offset.astype(np.int64) + low
    return values.reshape(shape)
