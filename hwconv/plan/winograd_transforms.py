"""Winograd's transforms as the hardware makes them: networks of adders, and how wide each of their nodes is.

An axis of ``F(m, 3)`` takes ``n = m + 2`` inputs to ``m`` outputs with ``n`` multiplications (Lavin and Gray,
arXiv:1509.09308). ``G`` is made integral by the axis' factor; what a whole row of it has in common then moves into
``A``, where it costs a shift or one adder, so that weights stay short:

    F(2, 3)   factor  2   rows of 2 G divided by (2, 1, 1, 2)             weights 3 x, activations 2 x as large
    F(4, 3)   factor 24   rows of 24 G divided by (6, -4, -4, 1, 1, 24)    weights 7 x, activations 10 x as large

at most, in each axis. An axis without taps (kernels of 1x3 and 3x1) takes its inputs as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Term = tuple[int, int]
"""A node of the level before, and its coefficient: plus or minus a power of two."""
Node = tuple[Term, ...]
"""One or two terms, added."""


@dataclass(frozen=True)
class Network:
    """A linear map as levels of two-operand adders, a register behind each: latency ``len(levels)``.

    Attributes
    ----------
    inputs : int
    levels : tuple
        Each level is a tuple of nodes, whose terms name nodes of the level before (the first: inputs). The last
        level's nodes are the outputs.
    """

    inputs: int
    levels: tuple[tuple[Node, ...], ...]

    @property
    def outputs(self) -> int:
        return len(self.levels[-1]) if self.levels else self.inputs

    @property
    def latency(self) -> int:
        """Cycles from inputs to outputs."""
        return len(self.levels)

    def matrices(self) -> list[NDArray[np.int64]]:
        """What the nodes of each level are of the inputs: first the inputs themselves."""
        found = [np.eye(self.inputs, dtype=np.int64)]
        for level in self.levels:
            found.append(np.array([sum(factor * found[-1][source] for source, factor in node) for node in level]))
        return found

    @property
    def matrix(self) -> NDArray[np.int64]:
        """``(outputs, inputs)``."""
        return self.matrices()[-1]

    def ranges(self, inputs: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
        """Smallest and largest value of every node, for independent inputs within bounds; first the inputs'."""
        low, high = (np.array([item[end] for item in inputs], np.int64) for end in (0, 1))
        found = []
        for matrix in self.matrices():
            up, down = np.maximum(matrix, 0), np.minimum(matrix, 0)
            lows, highs = up @ low + down @ high, up @ high + down @ low
            found.append(list(zip(lows.tolist(), highs.tolist(), strict=True)))
        return found

    def modular_widths(self, outputs: Sequence[int]) -> list[list[int]]:
        """Bits of every node that outputs modulo ``2**bits`` depend on; first the inputs'.

        A term times ``2**s`` needs ``s`` bits less of its source: upper bits of a source never reach lower bits of a
        sum.
        """
        found = [list(outputs)]
        for index, level in reversed(list(enumerate(self.levels))):
            needed = [1] * (len(self.levels[index - 1]) if index else self.inputs)
            for node, bits in zip(level, found[0], strict=True):
                for source, factor in node:
                    needed[source] = max(needed[source], bits - (abs(factor).bit_length() - 1))
            found.insert(0, needed)
        return found


@dataclass(frozen=True)
class AxisTransform:
    """One axis of a tile.

    Attributes
    ----------
    name : str
        For people: ``F(4,3)``; ``4`` for an axis without taps.
    outputs, taps : int
        Outputs of a tile, taps of the kernel; a tile reads ``outputs + taps - 1`` inputs.
    factor : int
        Times which outputs come out.
    input, output : Network
        ``B^T``, and ``A^T`` with the row factors of ``G`` in it.
    kernel : tuple
        ``G`` without them, ``(inputs, taps)``.
    """

    name: str
    outputs: int
    taps: int
    factor: int
    input: Network
    output: Network
    kernel: tuple[tuple[int, ...], ...]

    @property
    def inputs(self) -> int:
        """Inputs of a tile, and multiplications."""
        return self.outputs + self.taps - 1

    @property
    def plain(self) -> bool:
        """Nothing is transformed: all inputs of a tile meet the same weight."""
        return self.taps == 1


F2 = AxisTransform(
    name="F(2,3)",
    outputs=2,
    taps=3,
    factor=2,
    input=Network(4, ((((0, 1), (2, -1)), ((1, 1), (2, 1)), ((2, 1), (1, -1)), ((1, 1), (3, -1))),)),
    output=Network(
        4,
        (
            (((0, 2), (1, 1)), ((2, 1),), ((1, 1), (2, -1)), ((3, 1),)),
            (((0, 1), (1, 1)), ((2, 1), (3, -2))),
        ),
    ),
    kernel=((1, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 1)),
)
F4 = AxisTransform(
    name="F(4,3)",
    outputs=4,
    taps=3,
    factor=24,
    input=Network(
        6,
        (
            (
                ((0, 1), (2, -1)),
                ((4, 1), (2, -1)),
                ((4, 1), (2, -4)),
                ((3, 1), (1, -4)),
                ((3, 1), (1, -1)),
                ((5, 1), (3, -1)),
            ),
            (
                ((0, 4), (1, 1)),
                ((2, 1), (3, 1)),
                ((2, 1), (3, -1)),
                ((1, 1), (4, 2)),
                ((1, 1), (4, -2)),
                ((5, 1), (4, -4)),
            ),
        ),
    ),
    output=Network(
        6,
        (
            (
                ((0, 1), (0, 2)),
                ((1, 1), (2, 1)),
                ((1, 1), (2, -1)),
                ((3, 1), (4, 1)),
                ((3, 1), (4, -1)),
                ((5, 1), (5, 2)),
            ),
            (((0, 2), (3, 1)), ((1, 1),), ((4, 2), (2, -4)), ((3, 4), (1, -4)), ((5, 8), (4, 8)), ((2, 1),)),
            (((0, 1), (1, -4)), ((2, 1),), ((3, 1),), ((4, 1), (5, -4))),
        ),
    ),
    kernel=((1, 0, 0), (1, 1, 1), (1, -1, 1), (1, 2, 4), (1, -2, 4), (0, 0, 1)),
)


@lru_cache(maxsize=32)
def plain_axis(outputs: int) -> AxisTransform:
    """An axis without taps, any number of outputs at once."""
    nothing = Network(outputs, ())
    return AxisTransform(
        name=str(outputs),
        outputs=outputs,
        taps=1,
        factor=1,
        input=nothing,
        output=nothing,
        kernel=((1,),) * outputs,
    )


def transform_weights(
    vertical: AxisTransform, horizontal: AxisTransform, weights: NDArray[np.integer]
) -> NDArray[np.int64]:
    """``G w G^T`` of OHWI weights: ``(rows, columns, O, I)``, one plane for each position of a tile."""
    planes: NDArray[np.int64] = np.einsum(
        "iy,oyxc,jx->ijoc",
        np.array(vertical.kernel, np.int64),
        weights.astype(np.int64),
        np.array(horizontal.kernel, np.int64),
    )
    return planes


def odd_part(factor: int) -> tuple[int, int]:
    """A factor as ``(zeros, odd)``: ``2**zeros * odd``."""
    zeros = (factor & -factor).bit_length() - 1
    return zeros, factor >> zeros


def inverse_steps(odd: int, width: int) -> list[tuple[int, int]]:
    """Division by 1, 3 or 9 of a multiple of it, modulo ``2**width``, as steps ``x <- x + sign * (x << shift)``.

    ``1/(1 + q) = (1 - q)(1 + q**2)(1 + q**4)...`` with ``q`` 2 or 8, as far as the powers reach into ``width``.
    Returns ``(sign, shift)`` of each step.
    """
    if odd == 1:
        return []
    shift = {3: 1, 9: 3}[odd]
    steps = [(-1, shift)]
    while shift * 2 < width:
        shift *= 2
        steps.append((1, shift))
    return steps
