"""Threefry-2x32 with 13 rounds: a counter-based generator, a keyed permutation of 64 bits.

From J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC11, 2011,
section 4.1, and its library Random123: `threefry2x32_R(13, counter, key)`. Numbers of one element depend on nothing but
the element's index and the seed.
"""

import numpy as np
from numpy.typing import NDArray

ROUNDS = 13
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
"""Of successive rounds, over and over."""
PARITY = 0x1BD11BDA
"""The third word of the key is this, exclusive-ored with the other two."""

Words = NDArray[np.uint64]


def threefry2x32(counter: tuple[Words, Words], key: tuple[int, int], rounds: int = ROUNDS) -> tuple[Words, Words]:
    """The two output words of each counter.

    Parameters
    ----------
    counter:
        Two arrays of words below ``2**32``, which broadcast.
    key:
        Two words.
    rounds:
        Of mixing; after every fourth one the key is added again.

    Returns
    -------
    Two uint64 arrays of words below ``2**32``.
    """
    mask = np.uint64(0xFFFFFFFF)
    words = [np.uint64(key[0]), np.uint64(key[1]), np.uint64(PARITY ^ key[0] ^ key[1])]
    first = (np.asarray(counter[0], np.uint64) + words[0]) & mask
    second = (np.asarray(counter[1], np.uint64) + words[1]) & mask
    for index in range(rounds):
        rotation = np.uint64(ROTATIONS[index % len(ROTATIONS)])
        first = (first + second) & mask
        second = ((second << rotation) | (second >> (np.uint64(32) - rotation))) & mask ^ first
        if index % 4 == 3:
            turn = index // 4 + 1
            first = (first + words[turn % 3]) & mask
            second = (second + words[(turn + 1) % 3] + np.uint64(turn)) & mask
    return first, second
