"""Which input pixels the rows of the array read for one pixel tile: the addresses of a plan, as coordinates."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .cycles import first_input_row

if TYPE_CHECKING:
    from .engine_plan import EnginePlan


@dataclass(frozen=True, kw_only=True)
class RowReads:
    """What one row of the array works on.

    Attributes
    ----------
    row : int
        Row of the array.
    output : tuple of int
        Row and column of the output pixel.
    taps : tuple of pairs
        Row and column of the input pixel of each tap, in the order in which they are read; those outside the frame are
        zero points.
    """

    row: int
    output: tuple[int, int]
    taps: tuple[tuple[int, int], ...]


def tile_reads(plan: "EnginePlan", strip: int, tile: int, column_phase: int = 0) -> list[RowReads]:
    """What the rows of the array read in a pixel tile; rows without a pixel are left out.

    Parameters
    ----------
    strip, tile : int
        Which tile: of which strip (0, unless the layer is transposed with a stride), and which of its tiles.
    column_phase : int
        Which of the neighbouring outputs of a super pixel.
    """
    config, item = plan.config, plan.config.passes[0]
    row_phase = strip % item.row_phases
    phase = item.phases[row_phase][column_phase]
    found = []
    for row in range(config.pixels):
        pixel = tile * config.pixels + row
        if pixel >= item.strip_pixels:
            continue
        line, place = (strip, pixel) if item.strips > 1 else divmod(pixel, item.out_width)
        output = line, place * item.column_phases + column_phase
        if output[1] >= plan.spec.out_width:
            continue
        top = int(first_input_row(item, np.array(line))) + item.row_starts[row_phase]
        left = place * item.stride[1] - item.left + item.column_starts[column_phase]
        taps = tuple(
            (top + ky * item.dilation[0], left + kx * item.dilation[1])
            for ky, kx in np.ndindex(phase.rows, phase.columns)
        )
        found.append(RowReads(row=row, output=output, taps=taps if phase.live else ()))
    return found
