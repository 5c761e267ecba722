"""The dimensions of the coverage, and the bin that a run of a plan falls into."""

from hwconv.plan.array import Folding
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation import Stalls
from hwconv.spec import ConvSpec

DIMENSIONS: dict[str, tuple[str, ...]] = {
    "stride": ("1", "2", "3 or more", "by axis"),
    "dilation": ("1", "more"),
    "pads": ("none", "symmetric", "different", "beyond"),
    "groups": ("one", "several", "depthwise", "multiplier"),
    "kernel": ("1x1", "1xN", "Nx1", "NxN", "MxN"),
    "frame": ("holds kernel", "smaller"),
    "supply": ("dense", "lanes"),
    "columns": ("whole", "partial"),
    "words": ("one", "several"),
    "rows": ("one", "several"),
    "ports": ("one", "several"),
    "requantisers": ("one", "several"),
    "tile": ("whole", "partial"),
    "unit": ("narrow", "wide", "none"),
    "stalls": ("none", "input", "output", "both"),
}
"""Name to bins. `pads` beyond: a window lies wholly in the padding. `kernel` MxN: both sides longer than one and
different. `frame` smaller: the dilated kernel is longer than the frame. `supply`: of operands, to a dense array or to
lanes of channels. `columns` partial: the last column tile has idle columns. `words`: of the channels of one tap.
`tile` partial: the frame's last pixel tile has idle rows."""

FOLDING_DIMENSIONS = ("supply", "columns", "words", "rows", "ports", "requantisers", "tile")

Bins = dict[str, str]


def bins_of(plan: EnginePlan, stalls: Stalls | None) -> Bins:
    """The bin of every dimension for a run."""
    return {
        **spec_bins(plan.spec),
        **folding_bins(plan.spec, plan.folding),
        "unit": plan.config.requantiser.kind,
        "stalls": stall_bin(stalls),
    }


def folding_bins(spec: ConvSpec, folding: Folding) -> Bins:
    """The bins that follow from how the loops lie on the array."""
    return {
        "supply": "lanes" if folding.depthwise else "dense",
        "columns": "partial" if folding.group_outputs % folding.columns else "whole",
        "words": _number(folding.blocks),
        "rows": _number(folding.pixels),
        "ports": _number(folding.ports),
        "requantisers": _number(folding.requantisers),
        "tile": "partial" if spec.out_height * spec.out_width % folding.pixels else "whole",
    }


def extents(spec: ConvSpec) -> tuple[int, int]:
    """Rows and columns from the first to the last tap."""
    rows, columns = (spec.dilation[axis] * (spec.kernel[axis] - 1) + 1 for axis in (0, 1))
    return rows, columns


def spec_bins(spec: ConvSpec) -> Bins:
    """The bins that follow from the attributes."""
    pads, reach = spec.padding, extents(spec)
    if max(pads.top, pads.bottom) >= reach[0] or max(pads.left, pads.right) >= reach[1]:
        padding = "beyond"
    elif pads.top != pads.bottom or pads.left != pads.right:
        padding = "different"
    else:
        padding = "symmetric" if pads.top or pads.left else "none"
    groups = _number(spec.groups)
    if spec.depthwise:
        groups = "multiplier" if spec.channel_multiplier > 1 else "depthwise"
    stride = min(spec.stride)
    return {
        "stride": "by axis" if len(set(spec.stride)) > 1 else str(stride) if stride < 3 else "3 or more",
        "dilation": "more" if reach != spec.kernel else "1",
        "pads": padding,
        "groups": groups,
        "kernel": kernel_bin(spec.kernel),
        "frame": "smaller" if reach[0] > spec.height or reach[1] > spec.width else "holds kernel",
    }


def kernel_bin(kernel: tuple[int, int]) -> str:
    """The shape of a kernel."""
    rows, columns = kernel
    if 1 in kernel:
        return {(True, True): "1x1", (True, False): "1xN", (False, True): "Nx1"}[rows == 1, columns == 1]
    return "NxN" if rows == columns else "MxN"


def stall_bin(stalls: Stalls | None) -> str:
    """Which sides pause."""
    paused = (stalls is not None and stalls.input > 0, stalls is not None and stalls.output > 0)
    return {(False, False): "none", (True, False): "input", (False, True): "output", (True, True): "both"}[paused]


def _number(value: int) -> str:
    return "one" if value == 1 else "several"
