"""The number formats of a layer as the array computes with them, which is not always as the layer states them.

An activation is a signed number of 8 or 16 bits. One of type uint8 is taken as ``x - 128``: the same bits but for the
top one, which the receiver inverts, and a zero point that is 128 less. A weight is ``w - weight_zero_point``, as wide
as its type makes it: 4 bits for int4, 9 for uint8 with most zero points. Constants of the requantisers make up for the
activations' offset, so that it costs nothing in the array.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer
from ..spec import ConvSpec, dtype_bits, dtype_range, storage_dtype
from .requantiser_config import HARD_WIDTH

UINT8_OFFSET = 128
"""What is subtracted from uint8 activations."""


@dataclass(frozen=True, kw_only=True)
class OperandFormat:
    """What the array multiplies."""

    activation_bits: int = 8
    """Bits of an activation, in streams and memory too: 8 or 16, signed."""
    offset: int = 0
    """What the receiver subtracts from the values of the stream: 0, or 128 from those of type uint8."""
    weight_bits: int = 8
    """Bits of a signed weight."""
    pair_shift: int = 0
    """Two weights share a multiplier, as ``high * 2**pair_shift + low``; 0: each has its own."""

    @property
    def activation_bytes(self) -> int:
        """Bytes of an activation."""
        return self.activation_bits // 8

    @property
    def product_bits(self) -> int:
        """Bits of a product."""
        return self.activation_bits + self.weight_bits

    @property
    def least_accumulator(self) -> int:
        """Bits of the narrowest accumulator: more than a product has."""
        return self.product_bits + 1

    @property
    def products(self) -> int:
        """Products that a multiplier makes in a cycle."""
        return 2 if self.pair_shift else 1

    @property
    def lane_bits(self) -> int:
        """Bits of what a multiplier takes from a weight ROM: a weight, or ``high * 2**weight_bits + low``."""
        return 2 * self.weight_bits + 1 if self.pair_shift else self.weight_bits


BYTES = OperandFormat()
"""8-bit activations and weights."""


def operand_format(spec: ConvSpec) -> OperandFormat:
    """The format of a layer's operands, each weight with a multiplier of its own."""
    low, high = (bound - spec.weight_zero_point for bound in dtype_range(spec.weight_dtype))
    return OperandFormat(
        activation_bits=dtype_bits(storage_dtype(spec.input_dtype)),
        offset=UINT8_OFFSET if spec.input_dtype == "uint8" else 0,
        weight_bits=signed_bits(low, high),
    )


def shared_format(specs: Sequence[ConvSpec]) -> OperandFormat:
    """A format for the operands of several layers, which have activations of one format."""
    formats = [operand_format(spec) for spec in specs]
    return replace(formats[0], weight_bits=max(item.weight_bits for item in formats))


def paired_format(layer: Layer) -> OperandFormat | None:
    """The format in which a multiplier makes two products, or None where no hard multiplier is wide enough.

    The operand is ``high * 2**shift + low``, and its product with an activation holds both products when the lower one
    fits in ``shift`` bits. 4-bit weights always fit; 5-bit ones do unless the smallest of them, -16, occurs.
    """
    alone = operand_format(layer.spec)
    half = 1 << alone.weight_bits - 1
    least = -half if int(layer.effective_weights.min()) == -half else 1 - half
    largest_activation = 1 << alone.activation_bits - 1
    shift = signed_bits(-largest_activation * max(half - 1, 1), -largest_activation * least)
    return replace(alone, pair_shift=shift) if shift + alone.weight_bits + 1 <= HARD_WIDTH else None


def array_zero_point(spec: ConvSpec) -> int:
    """The input zero point of the activations that the array sees."""
    return spec.input_zero_point - operand_format(spec).offset


def array_sum_range(layer: Layer) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Smallest and largest sum that the array computes for each channel, ``(O,)`` int64 each; see
    :meth:`~hwconv.layer.Layer.raw_accumulator_range`.
    """
    low, high = layer.raw_accumulator_range()
    offset = operand_format(layer.spec).offset
    if offset:
        weights = layer.effective_weights.reshape(layer.spec.out_channels, -1).sum(axis=1, dtype=np.int64)
        low, high = low - offset * weights, high - offset * weights
    return low, high


def signed_bits(low: int, high: int) -> int:
    """Bits of a signed number that holds `low` to `high`."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
