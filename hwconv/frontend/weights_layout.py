"""Weights in the order of axes that a framework has them in, brought into OHWI."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..spec import ConvSpec

_AXES = "OHWI"


def to_ohwi(spec: ConvSpec, weights: NDArray[Any], layout: object) -> NDArray[np.integer]:
    """Weights as :attr:`~hwconv.spec.ConvSpec.weight_shape` has them.

    Parameters
    ----------
    spec:
        The layer.
    weights:
        Integers.
    layout:
        One letter for each axis: ``O`` output channels, ``H`` and ``W`` the kernel's rows and columns, ``I`` input
        channels of a group, ``1`` an axis of one element. An axis that is not named has one element. With groups and
        ``I`` before ``O``, ``I`` may also count all input channels and ``O`` the output channels of a group, as in the
        transposed layers of ONNX and PyTorch: the shape says which it is.

    Raises
    ------
    SpecError
        Another layout; weights of another type or shape.
    """
    named = [letter for letter in layout if letter != "1"] if isinstance(layout, str) else []
    if not isinstance(layout, str) or not named or len(set(named)) < len(named) or not set(named) <= set(_AXES):
        raise SpecError(spec.name, "weights_layout", layout, "letters of OHWI and 1, each letter once")
    if weights.dtype.kind not in "iu":
        raise SpecError(spec.name, "weights", str(weights.dtype), "integers")
    sizes = dict(zip(_AXES, spec.weight_shape, strict=True)) | {"1": 1}
    shape = tuple(sizes[letter] for letter in layout)
    by_input = False
    if weights.shape != shape and spec.groups > 1 and [each for each in named if each in "IO"] == ["I", "O"]:
        swapped = sizes | {"I": spec.in_channels, "O": spec.group_out_channels}
        by_input = weights.shape == tuple(swapped[letter] for letter in layout)
        shape = weights.shape if by_input else shape
    absent = [letter for letter in _AXES if letter not in named and sizes[letter] != 1]
    if weights.shape != shape or absent:
        expected = f"of shape {shape} ({layout})" if not absent else f"in a layout with {absent[0]}, as it is not 1"
        raise SpecError(spec.name, "weights", f"an array of shape {weights.shape}", expected)
    kept = weights.reshape([size for letter, size in zip(layout, shape, strict=True) if letter != "1"])
    full = kept.reshape(*kept.shape, *[1] * (len(_AXES) - len(named)))
    order = named + [letter for letter in _AXES if letter not in named]
    if by_input:
        axis = order.index("I")
        full = full.reshape(*full.shape[:axis], spec.groups, spec.group_in_channels, *full.shape[axis + 1 :])
        order.insert(axis, "G")
        grouped = full.transpose([order.index(letter) for letter in "GOHWI"])
        return np.ascontiguousarray(grouped).reshape(spec.weight_shape)
    return full.transpose([order.index(letter) for letter in _AXES])
