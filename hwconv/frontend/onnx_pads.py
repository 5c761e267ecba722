"""``Pad`` of ONNX: rows and columns of zeros around a frame, which the convolutions that read it make."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .onnx_file import Node
from .onnx_nodes import FrameValue, NodeReader, Pads, WeightValue


class PadReader(NodeReader):
    """Keeps pads with the frame that they surround."""

    def padded(self, node: Node) -> FrameValue:
        """What ``Pad`` gives: the same frame, with its pads beside it."""
        attributes = self.attributes(node, mode="constant", pads=None, value=0.0)
        if attributes["mode"] != "constant":
            self.refuse(node, "mode", attributes["mode"], "constant")
        frame = self.picture(node, 0)
        rank = len(frame.shape)
        pads = self._amounts(node, rank, attributes["pads"])
        if any(min(pair) < 0 for pair in pads):
            self.refuse(node, "pads", pads, "none that is negative: nothing is cropped")
        if any(map(any, pads[:2])):
            self.refuse(node, "pads", pads, "of rows and columns only")
        if not any(map(any, pads)):
            return frame
        self._check_value(node, frame, attributes["value"])
        return replace(frame, pads=tuple(pads[2:]))

    def _amounts(self, node: Node, rank: int, attribute: Any) -> list[tuple[int, int]]:
        """Before and behind each axis: an attribute until opset 10, then an input, of some axes only since 18."""
        given = attribute if attribute is not None else self.constant(node, 1, "pads").reshape(-1).tolist()
        axes = list(range(rank))
        if self.optional(node, 3):
            axes = [int(axis) for axis in self.constant(node, 3, "axes").reshape(-1)[:8]]
        if not isinstance(given, Sequence) or len(given) != 2 * len(axes):
            self.contradicts(node, f"pads {len(axes)} axes by {given if attribute is not None else len(given)}")
        if any(not -rank <= axis < rank for axis in axes) or len({axis % rank for axis in axes}) != len(axes):
            self.contradicts(node, f"pads the axes {axes} of {rank}")
        pads = [(0, 0)] * rank
        for axis, before, behind in zip(axes, given[: len(axes)], given[len(axes) :], strict=True):
            pads[axis % rank] = int(before), int(behind)
        return pads

    def _check_value(self, node: Node, frame: FrameValue, attribute: float) -> None:
        """Refuses all but what stands for the real number 0."""
        expected = 0 if frame.real is not None else frame.zero_point
        value = attribute
        if self.optional(node, 2):
            name = node.inputs[2]
            read = self.values.get(name)
            if isinstance(read, WeightValue):
                point = 0 if read.zero_point is None else read.zero_point.astype(np.int64)
                found = (read.values.astype(np.int64) - point) * read.scale.astype(np.float64)
            else:
                found = self.constant(node, 2, "value")
            if found.size != 1:
                self.refuse(node, "value", f"of shape {found.shape}", "one number")
            value = found.reshape(-1)[0].item()
        if value != expected:
            what = "0" if frame.real is not None else f"{expected}, the zero point"
            self.refuse(node, "value", value, what)

    def with_pads(self, node: Node, pads: Pads | None) -> Mapping[str, Any]:
        """The attributes of a convolution with the pads before it as its own."""
        if pads is None:
            return node.attributes
        rule = node.attributes.get("auto_pad", "NOTSET")
        if rule not in ("NOTSET", "VALID"):
            self.refuse(node, "auto_pad", rule, "NOTSET, VALID behind Pad")
        own = node.attributes.get("pads", [0] * 2 * len(pads))
        wrong = not isinstance(own, Sequence) or len(own) != 2 * len(pads) or min(own) < 0
        if wrong or (rule == "VALID" and any(own)):
            return node.attributes  # and the convolution says what is wrong
        added = [pair[side] for side in (0, 1) for pair in pads]
        return {**node.attributes, "auto_pad": "NOTSET", "pads": [a + b for a, b in zip(own, added, strict=True)]}
