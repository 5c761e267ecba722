"""Random specifications that fall into given bins of the coverage: constrained, not chosen."""

from typing import Any

import numpy as np
from functional_coverage.bins import DIMENSIONS, Bins

from hwconv.spec import ConvSpec

LARGEST_KERNEL = 5
CHANNELS = (1, 2, 3, 4, 5, 6, 8, 9, 12)
MANY_CHANNELS = (8, 10, 12, 15, 16, 20, 24)
HOSTILE_ZERO_POINTS = (-128, 127, 0)


def aimed_spec(random: np.random.Generator, aim: Bins) -> ConvSpec:
    """A specification in the bins of an aim, any where it names none; raises SpecError where numbers do not fit."""

    def wanted(dimension: str) -> str:
        return aim.get(dimension) or str(random.choice(DIMENSIONS[dimension]))

    kernel = _kernel(random, wanted("kernel"))
    dilation = _dilation(random, kernel) if wanted("dilation") == "more" else (1, 1)
    reach = tuple(apart * (taps - 1) + 1 for apart, taps in zip(dilation, kernel, strict=True))
    pads = _pads(random, wanted("pads"), reach)
    height, width = _frame(random, wanted("frame"), reach, pads)
    groups, inputs, outputs = _channels(random, wanted("groups"), aim.get("words"))
    unit = wanted("unit")
    mode = {"none": "none", "wide": "tflite"}.get(unit) or str(random.choice(["tflite", "tflite", "shift"]))
    clamp = some_clamp(random, mode)
    return ConvSpec(
        name="random_aimed",
        height=height,
        width=width,
        in_channels=inputs,
        out_channels=outputs,
        groups=groups,
        kernel=kernel,
        stride=_stride(random, wanted("stride")),
        dilation=dilation,
        padding=pads,
        **arithmetic(random, mode, clamp),
    )


def some_clamp(random: np.random.Generator, mode: str) -> tuple[int, int] | None:
    """A clamp of the activation, now and then."""
    low, high = sorted(int(value) for value in random.integers(-128, 128, 2))
    return (low, high) if mode != "none" and random.random() < 0.3 else None


def arithmetic(random: np.random.Generator, mode: str, clamp: tuple[int, int] | None) -> dict[str, Any]:
    """Zero points, types and clamp of a spec of a requantisation mode."""
    low, high = clamp or (None, None)
    return {
        "input_zero_point": zero_point(random),
        "output_zero_point": 0 if mode == "none" else zero_point(random),
        "output_dtype": "int32" if mode == "none" else "int8",
        "requantisation": mode,
        "activation_min": low,
        "activation_max": high,
    }


def zero_point(random: np.random.Generator) -> int:
    """Often an end of the type."""
    return int(random.choice(HOSTILE_ZERO_POINTS)) if random.random() < 0.5 else int(random.integers(-128, 128))


def _between(random: np.random.Generator, low: int, high: int) -> int:
    return int(random.integers(low, high + 1))


def _kernel(random: np.random.Generator, shape: str) -> tuple[int, int]:
    one, other = (int(size) for size in random.permutation(np.arange(2, LARGEST_KERNEL + 1))[:2])
    return {"1x1": (1, 1), "1xN": (1, one), "Nx1": (one, 1), "NxN": (one, one), "MxN": (one, other)}[shape]


def _dilation(random: np.random.Generator, kernel: tuple[int, int]) -> tuple[int, int]:
    """Of an axis with several taps, more than one."""
    sizes = [_between(random, 1, 4) for _ in kernel]
    axis = int(random.choice([axis for axis in (0, 1) if kernel[axis] > 1] or [0]))
    sizes[axis] = max(2, sizes[axis])
    return sizes[0], sizes[1]


def _stride(random: np.random.Generator, kind: str) -> tuple[int, int]:
    one, other = (int(size) for size in random.permutation(np.arange(1, 5))[:2])
    equal = {"1": 1, "2": 2, "3 or more": _between(random, 3, 4)}
    return (equal[kind], equal[kind]) if kind in equal else (one, other)


def _pads(random: np.random.Generator, kind: str, reach: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Top, bottom, left, right."""
    rows, columns = ([_between(random, 0, min(4, size - 1)) for _ in range(2)] for size in reach)
    if kind == "none":
        return 0, 0, 0, 0
    if kind == "beyond":
        axis = int(np.argmin(reach))
        (rows, columns)[axis][_between(random, 0, 1)] = reach[axis] + _between(random, 0, 2)
    elif kind == "symmetric":
        rows[1], columns[1] = rows[0], columns[0]
    return rows[0], rows[1], columns[0], columns[1]


def _frame(
    random: np.random.Generator, kind: str, reach: tuple[int, ...], pads: tuple[int, int, int, int]
) -> tuple[int, int]:
    """Height and width: room for the kernel, or on one axis at least only its pads make it fit."""
    padding = (pads[0] + pads[1], pads[2] + pads[3])
    sizes = [size + _between(random, 0, 6) for size in reach]
    if kind == "smaller":
        axes = [axis for axis in (0, 1) if padding[axis] and reach[axis] > 1]
        for axis in random.permutation(axes)[: _between(random, 1, 2)] if axes else []:
            sizes[axis] = _between(random, max(1, reach[axis] - padding[axis]), reach[axis] - 1)
    return sizes[0], sizes[1]


def _channels(random: np.random.Generator, kind: str, words: str | None) -> tuple[int, int, int]:
    """Groups, input and output channels."""
    inputs = int(random.choice(MANY_CHANNELS if words == "several" else CHANNELS))
    outputs = int(random.choice(CHANNELS))
    if kind == "one":
        return 1, inputs, outputs
    if kind == "several":
        groups = _between(random, 2, 4)
        return groups, groups * max(2, inputs), groups * outputs
    inputs = int(random.choice([channels for channels in CHANNELS if channels > 1]))
    return inputs, inputs, inputs * (_between(random, 2, 5) if kind == "multiplier" else 1)
