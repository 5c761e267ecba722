"""Real scales as the constants that a requantisation mode works with."""

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..golden.requantise import quantise_multiplier
from ..layer import INT32, SHIFT_RANGE
from ..spec import ConvSpec, dtype_range

_BLOCK_ELEMENTS = 1 << 20

Constants = dict[str, NDArray[np.int32] | NDArray[np.float32]]
"""``multiplier``, ``shift``, ``scale``: what :class:`~hwconv.layer.LayerParameters` calls them."""


def real_scales(inputs: np.float32, weights: NDArray[np.float32], outputs: np.float32, *, single: bool) -> list[float]:
    """``input scale * weight scale / output scale`` of each weight scale, rounded exactly as TensorFlow Lite does.

    All three are widened to double first (``PopulateConvolutionQuantizationParams``). ``single``: the first two are
    multiplied as float32, as for uint8 layers and fully connected ones with one scale
    (``GetQuantizedConvolutionMultipler``, tensorflow/lite/kernels/kernel_util.cc).
    """
    if single:
        with np.errstate(over="ignore", under="ignore"):
            return [float(inputs * scale) / float(outputs) for scale in weights]
    return [float(inputs) * float(scale) / float(outputs) for scale in weights]


def onnx_scales(inputs: np.float32, weights: NDArray[np.float32], outputs: np.float32) -> NDArray[np.float32]:
    """``x_scale * w_scale / y_scale`` of each weight scale, in float32 throughout (QLinearConv of onnxruntime)."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return ((inputs * weights).astype(np.float32) / outputs).astype(np.float32)


def constants_of(spec: ConvSpec, scales: list[float]) -> Constants:
    """The constants of a mode for real scales, one or one per output channel.

    ``tflite`` and ``tflite16``: :func:`~hwconv.golden.requantise.quantise_multiplier`; ``onnx``: rounded to float32;
    ``shift``: powers of two only.

    Raises
    ------
    SpecError
        A scale that is negative or not finite; one that the mode cannot state; any with requantisation ``none``.
    """
    for scale in scales:
        if not math.isfinite(scale) or scale < 0:
            raise SpecError(spec.name, "scale", scale, "finite and not negative")
    match spec.requantisation:
        case "onnx":
            with np.errstate(over="ignore"):
                return {"scale": np.array(scales, np.float64).astype(np.float32)}
        case "shift":
            return {"shift": np.array([_shift_of(spec, scale) for scale in scales], np.int32)}
        case "none":
            raise SpecError(spec.name, "scale", scales[0], "absent with requantisation none")
    pairs = [quantise_multiplier(scale) for scale in scales]
    return {
        "multiplier": np.array([multiplier for multiplier, _ in pairs], np.int32),
        "shift": np.array([shift for _, shift in pairs], np.int32),
    }


def _shift_of(spec: ConvSpec, scale: float) -> int:
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5 or not SHIFT_RANGE[0] <= exponent - 1 <= SHIFT_RANGE[1]:
        expected = f"a power of two from 2**{SHIFT_RANGE[0]} to 2**{SHIFT_RANGE[1]} with requantisation shift"
        raise SpecError(spec.name, "scale", scale, expected)
    return exponent - 1


def default_scale(spec: ConvSpec, spread: float) -> float:
    """The scale by which sums from ``-spread`` to ``spread`` take up the outputs that the clamp leaves.

    With requantisation ``shift`` the largest power of two not above it; 1 where nothing is ever summed up.
    """
    scale = (spec.activation_max - spec.activation_min) / (2 * spread) if spread else 1.0
    if spec.requantisation != "shift":
        return scale
    exponent = math.frexp(scale)[1] - 1 if scale else SHIFT_RANGE[0]
    return math.ldexp(1.0, min(max(exponent, SHIFT_RANGE[0]), SHIFT_RANGE[1]))


def spread_of(spec: ConvSpec, weights: NDArray[np.integer], bias: NDArray[np.integer] | None = None) -> float:
    """How far from zero the sums of a layer with typical data go, over all channels.

    Of a channel: ``m * min(sum(|w|), 2.5 * sqrt(sum(w * w))) + |bias|``, with the effective weights ``w`` and the
    largest ``m = |x - zero point|`` of the input type. The first is the worst case; the second is 4.3 standard
    deviations where inputs spread evenly from ``-m`` to ``m``, which with many taps is far less.

    Parameters
    ----------
    spec:
        The convolution.
    weights:
        Integers, OHWI, of its type.
    bias:
        ``(O,)`` or one element, or ``None``.
    """
    flat = weights.reshape(spec.out_channels, -1)
    total, squares = np.zeros((2, spec.out_channels), np.int64)
    step = max(_BLOCK_ELEMENTS // spec.out_channels, 1)
    for tap in range(0, flat.shape[1], step):  # the widest type is never in memory for all weights
        block = flat[:, tap : tap + step].astype(np.int64) - spec.weight_zero_point
        total += np.abs(block).sum(axis=1)
        squares += (block * block).sum(axis=1)
    largest = max(abs(value - spec.input_zero_point) for value in dtype_range(spec.input_dtype))
    sums = largest * np.minimum(total.astype(np.float64), 2.5 * np.sqrt(squares.astype(np.float64)))
    offset = np.zeros(1) if bias is None else np.minimum(np.abs(bias.astype(np.float64)), -float(INT32[0]))
    return float((sums + offset).max())
