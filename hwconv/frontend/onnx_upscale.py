"""Operators of ONNX that enlarge frames without computing anything: ``Resize`` to nearest, ``DepthToSpace``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError, one_of
from ..graph import Upscale
from ..upscale import ORDERS, UpscaleSpec
from .onnx_file import Node
from .onnx_layers import LayerReader, shape_of
from .onnx_nodes import FrameValue

RESIZE: Mapping[str, Any] = {
    "antialias": 0, "axes": None, "coordinate_transformation_mode": "half_pixel", "cubic_coeff_a": -0.75,
    "exclude_outside": 0, "extrapolation_value": 0.0, "keep_aspect_ratio_policy": "stretch", "mode": "nearest",
    "nearest_mode": "round_prefer_floor",
}  # fmt: skip
"""The attributes of ``Resize`` over their defaults; four of them say nothing of the nearest neighbour."""
_COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners")
_ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def check_resize(label: str, attributes: Mapping[str, Any]) -> None:
    """Refuses all but nearest neighbours of whole frames, by attribute."""
    for field, supported in {
        "mode": ("nearest",), "coordinate_transformation_mode": _COORDINATES, "nearest_mode": _ROUNDINGS,
        "axes": (None,), "keep_aspect_ratio_policy": ("stretch",), "antialias": (0,),
    }.items():  # fmt: skip
        if attributes[field] not in supported:
            raise UnsupportedError(label, field, attributes[field], one_of(map(str, supported)))


def factors_of(
    label: str, shape: tuple[int, ...], scales: NDArray[Any] | None, sizes: NDArray[Any] | None
) -> tuple[int, ...]:
    """By which each axis grows, from the one of `scales` and `sizes` that is given."""
    given, what = (scales, "scales") if scales is not None else (sizes, "sizes")
    if given is None or given.shape != (len(shape),):
        raise UnsupportedError(label, what, None if given is None else given.tolist()[:8], f"{len(shape)} numbers")
    # Sizes of at most 2**20 and their quotients by small integers are exact here.
    wanted = given.astype(np.float64) / (1 if scales is not None else np.array(shape, np.float64))
    whole = np.isfinite(wanted) & (wanted >= 1) & (wanted == np.floor(wanted)) & (wanted < 1 << 21)
    if not whole.all() or (wanted[:2] != 1).any():
        raise UnsupportedError(label, what, given.tolist(), "integer factors of height and width, 1 of all else")
    return tuple(int(factor) for factor in wanted)


def check_repetition(label: str, attributes: Mapping[str, Any], before: int, factor: int) -> None:
    """Refuses coordinates by which pixels are not all repeated alike, in float32 or in float64.

    onnxruntime computes in the one, the reference of onnx in the other.
    """
    expected = np.arange(before * factor) // factor
    for kind in (np.float32, np.float64):
        if not np.array_equal(nearest(attributes, before, factor, kind), expected):
            said = f"{attributes['coordinate_transformation_mode']}, {attributes['nearest_mode']}"
            what = "coordinate_transformation_mode, nearest_mode"
            raise UnsupportedError(label, what, f"{said} from {before} to {before * factor}",
                                   f"what repeats each {factor} times")  # fmt: skip


def nearest(attributes: Mapping[str, Any], before: int, factor: int, kind: type[np.floating[Any]]) -> NDArray[np.int64]:
    """The row of the input that each row of the output is, as the operator's definition has it."""
    after, half = before * factor, kind(0.5)
    place: NDArray[Any] = np.arange(after).astype(kind)
    match attributes["coordinate_transformation_mode"]:
        case "asymmetric":
            place = place / kind(factor)
        case "align_corners":
            place = place * kind(before - 1) / kind(after - 1) if after > 1 else place
        case "pytorch_half_pixel" if after == 1:
            place = np.zeros(1, kind)
        case _:  # symmetric or not: integer factors leave nothing to centre
            place = (place + half) / kind(factor) - half
    match attributes["nearest_mode"]:
        case "floor":
            found = np.floor(place)
        case "ceil":
            found = np.ceil(place)
        case "round_prefer_ceil":
            found = np.floor(place + half)
        case _:
            found = np.ceil(place - half)
    rows: NDArray[np.int64] = np.clip(found, 0, before - 1).astype(np.int64)
    return rows


class UpscaleReader(LayerReader):
    """Takes nodes up that enlarge frames."""

    def resize(self, node: Node) -> None:
        attributes, label = self.attributes(node, **RESIZE), self.label(node)
        check_resize(label, attributes)
        frame = self.picture(node, 0)
        scales, sizes = (self.constant(node, at, what) if self.optional(node, at) else None
                         for at, what in ((2, "scales"), (3, "sizes")))  # fmt: skip
        given = scales if scales is not None and scales.size else None  # which is empty where sizes count
        factors = factors_of(label, frame.shape, given, sizes)
        down, across = (1, 1, *factors[2:])[-2:]
        height, width, channels = frame.tensor.shape
        spec = UpscaleSpec(name=self.node_name(node), kind="nearest", height=height, width=width, channels=channels,
                           factor=(down, across), dtype=frame.dtype)  # fmt: skip
        for extent, each in zip((height, width), spec.factor, strict=True):
            check_repetition(label, attributes, extent, each)
        self._enlarge(node, frame, spec)

    def depth_to_space(self, node: Node) -> None:
        attributes = self.attributes(node, blocksize=0, mode="DCR")
        block, frame = attributes["blocksize"], self.picture(node, 0)
        if attributes["mode"] not in ORDERS:
            self.refuse(node, "mode", attributes["mode"], one_of(ORDERS))
        if len(frame.shape) != 4:
            self.refuse(node, "shape of the input", frame.shape, "four extents")
        if not isinstance(block, int) or block < 1 or frame.shape[1] % (block * block):
            self.refuse(node, "blocksize", block, f"one whose square divides the channels, {frame.shape[1]}")
        height, width, channels = frame.tensor.shape
        spec = UpscaleSpec(name=self.node_name(node), kind="depth_to_space", height=height, width=width,
                           channels=channels, factor=(block, block), order=attributes["mode"],
                           dtype=frame.dtype)  # fmt: skip
        self._enlarge(node, frame, spec)

    def _enlarge(self, node: Node, frame: FrameValue, spec: UpscaleSpec) -> None:
        """Values as they are, as bytes or as the floats that these stand for."""
        if spec.pieces == 1:
            self.places[node.index] = ("free", None, "the same frame")
            self.make(node, frame)
            return
        self.take(Upscale(input=frame.name, spec=spec), [frame.tensor])
        self.places[node.index] = ("engine", spec.name, "")
        self.make(node, replace(frame, name=spec.name, shape=shape_of(spec, frame.shape)))
