"""Polyphase decomposition: a transposed convolution as several convolutions of stride 1, one for each output phase.

Output row ``oy`` of a transposed layer meets the kernel rows ``ky`` for which ``oy + top - ky * dilation`` is a
multiple of the stride; they read the input rows ``(oy + top - ky * dilation) / stride``. So the output rows ``p``,
``p + stride``, ... share their kernel rows, and `stride` output rows further on everything is one input row further:
phase ``p`` is a convolution of stride 1 with a part of the kernel, turned around. Columns likewise. No zero is
inserted, stored or multiplied.
(Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016, chapter 4; phases as in polyphase filter
banks.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np

from ..layer import Layer, LayerParameters
from ..spec import ConvSpec


@dataclass(frozen=True)
class AxisPhase:
    """One phase of one axis: which taps it has, and where they read.

    Attributes
    ----------
    taps : tuple of int
        Kernel indices in the order in which they are read: ascending input rows (columns). Empty where no input meets
        the phase.
    start : int
        Input row (column) of the first tap, less the origin of the pixel's window; not negative.
    advance : int
        Input rows from the origin of this phase's output row to that of the next output row.
    """

    taps: tuple[int, ...]
    start: int
    advance: int


@dataclass(frozen=True)
class AxisPhases:
    """One axis of a layer: its phases in the order of output rows (columns), which repeat.

    Attributes
    ----------
    phases : tuple of AxisPhase
    origin : int
        Input row (column) of the window's origin of output 0; may be negative.
    step : int
        Input rows (columns) between two taps of a phase.
    reach : int
        Input rows (columns) from a window's origin to its last tap, in any phase.
    """

    phases: tuple[AxisPhase, ...]
    origin: int
    step: int
    reach: int


def has_phases(spec: ConvSpec) -> bool:
    """Whether a layer has several phases: it is transposed, with a stride."""
    return spec.transposed and spec.stride != (1, 1)


@lru_cache(maxsize=1024)
def axis_phases(spec: ConvSpec, axis: int) -> AxisPhases:
    """The phases of rows (axis 0) or columns (1); a layer that is not transposed has one."""
    kernel, stride, dilation = spec.kernel[axis], spec.stride[axis], spec.dilation[axis]
    pad = spec.padding[2 * axis]
    if not spec.transposed:
        phase = AxisPhase(tuple(range(kernel)), 0, stride)
        return AxisPhases((phase,), -pad, dilation, dilation * (kernel - 1))
    # Input row of tap k in phase p, where the output row is p itself. All of a phase differ by multiples of the step.
    read = [[((p + pad - k * dilation) // stride, k) for k in taps] for p, taps in enumerate(spec.phase_taps(axis))]
    # An output row reads relative to floor((oy + pad) / stride), which moves on where the phase wraps.
    base = [(p + pad) // stride for p in range(stride)]
    offsets = [[row - base[p] for row, _ in rows] for p, rows in enumerate(read)]
    behind = max((-min(found) for found in offsets if found), default=0)
    ahead = max((max(found) for found in offsets if found), default=-behind)
    phases = []
    for p, rows in enumerate(read):
        ascending = sorted(rows)
        start = ascending[0][0] - base[p] + behind if ascending else 0
        advance = (p + 1 + pad) // stride - base[p]
        phases.append(AxisPhase(tuple(k for _, k in ascending), start, advance))
    return AxisPhases(tuple(phases), base[0] - behind, dilation // gcd(dilation, stride), behind + ahead)


def phase_layers(layer: Layer) -> Iterator[tuple[int, int, Layer]]:
    """Each phase of a layer as a layer of stride 1 of its own: row phase, column phase, and what it computes.

    The parts share bias and requantisation; their weights are those of the phase's taps in the order of its reads. A
    phase without taps has one weight, 0, for each channel. A layer that is not transposed is its own only phase.

    Only the arithmetic of a part is that of the phase; its frame, pads and dilation are made up.
    """
    spec, parameters = layer.spec, layer.parameters
    if not spec.transposed:
        yield 0, 0, layer
        return
    rows, columns = (axis_phases(spec, axis).phases for axis in (0, 1))
    for down, row in enumerate(rows):
        for across, column in enumerate(columns):
            weights = parameters.weights[:, list(row.taps)][:, :, list(column.taps)]
            if not weights.size:
                shape = (spec.out_channels, 1, 1, spec.group_in_channels)
                weights = np.full(shape, spec.weight_zero_point, parameters.weights.dtype)
            kernel = weights.shape[1:3]
            part = ConvSpec.from_dict(
                spec.to_dict()
                | {"height": kernel[0], "width": kernel[1], "kernel": kernel, "padding": (1, 1, 1, 1)}
                | {"transposed": False, "output_padding": (0, 0), "stride": (1, 1), "dilation": (1, 1)}
            )
            constants = {name: getattr(parameters, name) for name in ("bias", "multiplier", "shift", "scale")}
            yield down, across, Layer(part, LayerParameters(weights=weights, **constants), layer.origin)
