"""Operators of a ``.tflite`` model that enlarge frames without computing anything."""

import numpy as np
from numpy.typing import NDArray

from ..upscale import UpscaleSpec
from .tflite_file import Tensor
from .tflite_operator import OperatorReader

UPSCALES = ("RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE")


def upscale_of(reader: OperatorReader, name: str) -> UpscaleSpec:
    """The operator's frame and factors; refused where pixels are not all repeated alike.

    ``DEPTH_TO_SPACE`` is tensorflow/lite/kernels/internal/reference/depth_to_space.h.
    """
    inputs, y = reader.tensors(1, 2)
    x = inputs[0]
    if len(x.shape) != 4:
        reader.refuse("input shape", x.shape, "four extents, NHWC")
    reader.same_quantisation(y, x)
    height, width, channels = reader.frame(x)
    frame = {"name": name, "height": height, "width": width, "channels": channels, "dtype": x.dtype}
    if reader.operator == "RESIZE_NEAREST_NEIGHBOR":
        factor = _factor(reader, x, y)
        resized = UpscaleSpec(**frame, kind="nearest", factor=factor)  # type: ignore[arg-type]  # by name
        _check_repetition(reader, resized)
        return resized
    block = int(reader.options.BlockSize())
    if block < 1 or channels % (block * block):
        reader.contradicts(f"has blocks of {block} and {channels} channels")
    return UpscaleSpec(**frame, kind="depth_to_space", factor=(block, block))  # type: ignore[arg-type]  # by name


def nearest_rows(before: int, after: int, *, align_corners: bool, half_pixel_centers: bool) -> NDArray[np.int64]:
    """The row of the input that each row of the output is, all in float32 (``GetNearestNeighbor`` in
    tensorflow/lite/kernels/internal/reference/resize_nearest_neighbor.h).
    """
    aligned = align_corners and after > 1
    scale = np.float32(before - 1) / np.float32(after - 1) if aligned else np.float32(before) / np.float32(after)
    offset = np.float32(0.5 if half_pixel_centers else 0)
    place = (np.arange(after).astype(np.float32) + offset) * scale
    found = np.floor(place.astype(np.float64) + 0.5) if align_corners else np.floor(place)
    rows: NDArray[np.int64] = np.clip(found, 0, before - 1).astype(np.int64)
    return rows


def _factor(reader: OperatorReader, x: Tensor, y: Tensor) -> tuple[int, int]:
    inputs, _ = reader.tensors(2, 2)
    size = inputs[1].constant()
    if size is None:
        reader.refuse("size", "computed at run time", "a constant")
    if inputs[1].dtype != "int32" or size.shape != (2,):
        reader.contradicts(f"has a size of shape {size.shape}, {inputs[1].dtype}")
    after = [int(extent) for extent in size]
    if after != list(y.shape[1:3]) or x.shape[3] != y.shape[3]:
        reader.contradicts(f"makes {y.shape} of {x.shape} with the size {after}")
    if any(made < 1 or made % before for before, made in zip(x.shape[1:3], after, strict=True)):
        reader.refuse("size", after, f"multiples of the input's, {x.shape[1]} and {x.shape[2]}")
    return after[0] // x.shape[1], after[1] // x.shape[2]


def _check_repetition(reader: OperatorReader, spec: UpscaleSpec) -> None:
    flags = {"align_corners": bool(reader.options.AlignCorners()),
             "half_pixel_centers": bool(reader.options.HalfPixelCenters())}  # fmt: skip
    for before, factor in zip(spec.input_shape[:2], spec.factor, strict=True):
        after = before * factor
        if not np.array_equal(nearest_rows(before, after, **flags), np.arange(after) // factor):
            said = ", ".join(name for name, given in flags.items() if given) or "neither"
            what = f"{said} from {before} to {after}"
            reader.refuse("align_corners, half_pixel_centers", what, f"what repeats each {factor} times")
