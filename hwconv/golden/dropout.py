"""Dropout from its definition.

Element ``n`` of a frame becomes

    zero_point                                                       if number(n) < drop_threshold
    clamp(zero_point + round((x - zero_point) * scale), -128, 127)   otherwise

`number(n)` is the 16-bit part ``n % 4`` (the low half of the first word first) of Threefry's block for the counter
``(n // 4, seed)`` and the key ``(0, stream)``; elements count in NHWC order within their frame. The scale is
``multiplier * 2**(shift - 14)`` and rounds as the requantisation `tflite16` does, ties upwards.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..dropout import THRESHOLD_BITS, DropoutSpec, FrameParameters
from ..errors import SpecError
from .requantise import by_reduced_multiplier
from .threefry import threefry2x32

NUMBERS_OF_A_BLOCK = 4


def numbers(seed: int, stream: int, count: int) -> NDArray[np.int64]:
    """The random numbers of the elements 0 to ``count - 1`` of a frame, each from 0 to ``2**16 - 1``."""
    blocks = np.arange(-(-count // NUMBERS_OF_A_BLOCK), dtype=np.uint64)
    words = threefry2x32((blocks, np.full_like(blocks, seed)), (0, stream))
    half, mask = np.uint64(THRESHOLD_BITS), np.uint64((1 << THRESHOLD_BITS) - 1)
    parts = [part for word in words for part in (word & mask, word >> half)]
    return np.stack(parts, axis=1).reshape(-1)[:count].astype(np.int64)


def dropped(spec: DropoutSpec, parameters: FrameParameters) -> NDArray[np.bool_]:
    """Which elements of a frame are dropped, ``(H, W, C)``."""
    if parameters.deterministic:
        return np.zeros(spec.frame_shape, np.bool_)
    drawn = numbers(parameters.seed, spec.stream, spec.elements)
    mask: NDArray[np.bool_] = (drawn < parameters.drop_threshold).reshape(spec.frame_shape)
    return mask


def run(spec: DropoutSpec, x: NDArray[np.int8], parameters: Sequence[FrameParameters]) -> NDArray[np.int8]:
    """Applies dropout to frames.

    Parameters
    ----------
    spec:
        The block.
    x:
        ``(N, H, W, C)`` int8.
    parameters:
        One for each frame.

    Returns
    -------
    ``(N, H, W, C)`` int8.

    Raises
    ------
    SpecError
        Frames of another type or shape, or another number of parameters.
    """
    check_frames(spec.name, x, spec.frame_shape)
    if len(parameters) != len(x):
        raise SpecError(spec.name, "parameters", len(parameters), f"one for each of {len(x)} frames")
    return np.stack([_frame(spec, frame, each) for frame, each in zip(x, parameters, strict=True)]) if len(x) else x


def _frame(spec: DropoutSpec, frame: NDArray[np.int8], parameters: FrameParameters) -> NDArray[np.int8]:
    if parameters.deterministic:
        return frame
    centred = frame.astype(np.int64) - spec.zero_point
    # the mode's multiplier has 31 bits, and its shift counts from a mantissa below one
    multiplier, shift = np.array(parameters.multiplier << 16), np.array(parameters.shift + 1)
    scaled = np.clip(by_reduced_multiplier(centred, multiplier, shift) + spec.zero_point, -128, 127)
    return np.where(dropped(spec, parameters), spec.zero_point, scaled).astype(np.int8)


def check_frames(name: str, x: NDArray[np.int8], shape: tuple[int, int, int]) -> None:
    """Raises :class:`SpecError` unless ``x`` is int8 of ``(N, *shape)``."""
    if x.dtype != np.int8:
        raise SpecError(name, "input", str(x.dtype), "an array of int8")
    if x.ndim != 4 or x.shape[1:] != shape:
        raise SpecError(name, "input", f"an array of shape {x.shape}", "of shape (N, {}, {}, {}), NHWC".format(*shape))
