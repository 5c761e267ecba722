"""A layer: a specification together with its weights, biases and requantisation constants."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import SpecError, UnsupportedError
from .spec import ConvSpec, dtype_range, storage_dtype

INT32 = (-(1 << 31), (1 << 31) - 1)
SHIFT_RANGE = (-31, 30)
"""Shifts that 32-bit arithmetic can carry out (``RoundingDivideByPOT`` of gemmlowp takes exponents up to 31)."""
SHIFT_RANGE_16 = (-31, 7)
"""Shifts of the 64-bit ``MultiplyByQuantizedMultiplier`` (tensorflow/lite/kernels/internal/common.cc)."""
ACCUMULATOR_16 = (-(1 << 47), (1 << 47) - 1)
"""Accumulators of the same function."""
_BLOCK_ELEMENTS = 1 << 20


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerParameters:
    """The numbers of a layer. Vectors have one element per output channel; one element alone serves every channel.

    Parameters
    ----------
    weights:
        Integers, OHWI: ``(out_channels, kernel height, kernel width, group_in_channels)``.
    bias:
        Integers, ``(O,)``; ``None`` is zero. Kept as int64.
    multiplier:
        For ``tflite`` and ``tflite16``: Q31 multipliers, ``(O,)`` int32, not negative.
    shift:
        ``(O,)`` int32: left where positive, right where negative (TensorFlow Lite's convention). With ``tflite`` and
        ``tflite16`` beside the multiplier; with ``shift`` alone: the right shift is ``-shift``.
    scale:
        For ``onnx``: ``float32(x_scale * w_scale / y_scale)``, ``(O,)`` float32, finite and not negative.
    """

    weights: NDArray[np.integer]
    bias: NDArray[np.int64] | None = None
    multiplier: NDArray[np.int32] | None = None
    shift: NDArray[np.int32] | None = None
    scale: NDArray[np.float32] | None = None

    @property
    def biases(self) -> NDArray[np.int64]:
        """The bias of each channel, zeros where there is none: ``(O,)`` int64."""
        return np.zeros(len(self.weights), np.int64) if self.bias is None else self.bias


@dataclass(frozen=True, eq=False)
class Layer:
    """A specification and parameters that fit it, in their normal form: contiguous, read-only, of fixed types.

    After construction ``parameters`` holds weights in the storage type of ``spec.weight_dtype`` (int8 or uint8), a
    bias vector (never ``None``), and exactly the constants that the requantisation mode needs, one per channel.

    Parameters
    ----------
    spec, parameters:
        What is computed, and with which numbers.
    origin:
        Where the layer comes from, for people: a file and an operator index.

    Raises
    ------
    SpecError
        A parameter of the wrong shape, type or range.
    UnsupportedError
        A layer whose arithmetic could leave the 32 bits (``tflite16``: 48 bits) that its definition is made for.
    """

    spec: ConvSpec
    parameters: LayerParameters
    origin: str = ""

    def __post_init__(self) -> None:
        mode, given = self.spec.requantisation, self.parameters
        multiplied, shifted = mode in ("tflite", "tflite16"), mode in ("tflite", "tflite16", "shift")
        shifts = SHIFT_RANGE_16 if mode == "tflite16" else SHIFT_RANGE
        biases = ACCUMULATOR_16 if mode == "tflite16" else INT32
        checked = LayerParameters(
            weights=self._check_weights(given.weights),
            bias=self._integers("bias", 0 if given.bias is None else given.bias, biases),
            multiplier=self._int32("multiplier", given.multiplier, (0, INT32[1])) if multiplied else None,
            shift=self._int32("shift", given.shift, shifts) if shifted else None,
            scale=self._check_scale(given.scale) if mode == "onnx" else None,
        )
        for array in vars(checked).values():
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "parameters", checked)
        self._check_overflow()

    def _check_weights(self, weights: ArrayLike) -> NDArray[np.integer]:
        array = np.asarray(weights)
        if array.dtype.kind not in "iu":
            raise SpecError(self.spec.name, "weights", str(array.dtype), "an array of integers")
        if array.shape != self.spec.weight_shape:
            expected = f"of shape {self.spec.weight_shape} (OHWI)"
            raise SpecError(self.spec.name, "weights", f"an array of shape {array.shape}", expected)
        low, high = dtype_range(self.spec.weight_dtype)
        for value in (int(array.min()), int(array.max())):
            if not low <= value <= high:
                raise SpecError(self.spec.name, "weights", value, f"of type {self.spec.weight_dtype}, {low} to {high}")
        return np.array(array, dtype=storage_dtype(self.spec.weight_dtype), order="C")

    def _per_channel(self, field: str, values: ArrayLike | None) -> NDArray[np.generic]:
        if values is None:
            expected = f"given with requantisation {self.spec.requantisation}"
            raise SpecError(self.spec.name, field, None, expected)
        array = np.asarray(values)
        if array.size == 1 and array.ndim <= 1:
            array = np.broadcast_to(array.reshape(1), (self.spec.out_channels,))
        if array.shape != (self.spec.out_channels,):
            expected = f"one value or {self.spec.out_channels}, one per output channel"
            raise SpecError(self.spec.name, field, f"an array of shape {array.shape}", expected)
        return array

    def _integers(self, field: str, values: ArrayLike | None, limits: tuple[int, int]) -> NDArray[np.int64]:
        array = self._per_channel(field, values)
        if array.dtype.kind not in "iu":
            raise SpecError(self.spec.name, field, str(array.dtype), "an array of integers")
        for value in (int(array.min()), int(array.max())):
            if not limits[0] <= value <= limits[1]:
                raise SpecError(self.spec.name, field, value, f"from {limits[0]} to {limits[1]}")
        return np.array(array, dtype=np.int64)

    def _int32(self, field: str, values: ArrayLike | None, limits: tuple[int, int]) -> NDArray[np.int32]:
        return self._integers(field, values, limits).astype(np.int32)

    def _check_scale(self, values: ArrayLike | None) -> NDArray[np.float32]:
        array = self._per_channel("scale", values)
        if array.dtype != np.float32:
            raise SpecError(self.spec.name, "scale", str(array.dtype), "an array of float32")
        scale = np.array(array, dtype=np.float32)
        bad = ~(np.isfinite(scale) & (scale >= 0))
        if bad.any():
            raise SpecError(self.spec.name, "scale", float(scale[bad][0]), "finite and not negative")
        return scale

    def _check_overflow(self) -> None:
        """Refuses a layer that its mode's definition does not cover for every input.

        With int16 inputs and mode ``tflite`` (a 32-bit bias) the worst case over all inputs is far above what a trained
        layer reaches, so that only a left shift is refused here; the golden model refuses *data* that leave 32 bits.
        """
        mode, low_high = self.spec.requantisation, self.accumulator_range()
        shifts = self.parameters.shift if self.parameters.shift is not None else np.zeros(1, np.int32)
        limits = ACCUMULATOR_16 if mode == "tflite16" else INT32
        sixteen = mode == "tflite" and self.spec.input_dtype == "int16"
        left = np.zeros_like(shifts) if mode == "tflite16" else np.maximum(shifts, 0)
        # `x << left` is within limits of the form -2**n and 2**n - 1 exactly if x is within them shifted right
        low, high = (np.right_shift(np.int64(limit), left) for limit in limits)
        for channel in np.flatnonzero((low_high[0] < low) | (low_high[1] > high)):
            by = int(left[channel % len(left)])
            extremes = [int(bound[channel]) << by for bound in low_high]
            bits = max(limits[1].bit_length(), 1) + 1
            if by:
                raise UnsupportedError(
                    self.spec.name,
                    f"shift of channel {channel}",
                    by,
                    f"accumulators shifted left stay in {bits} bits; here they reach {extremes[0]} to {extremes[1]}",
                )
            if not sixteen:
                raise UnsupportedError(
                    self.spec.name,
                    f"accumulator range of channel {channel}",
                    tuple(extremes),
                    f"{limits[0]} to {limits[1]}, {bits} bits",
                )
        if mode == "tflite16":
            self._check_result_16(low_high)

    def _check_result_16(self, low_high: tuple[NDArray[np.int64], NDArray[np.int64]]) -> None:
        """Refuses a ``tflite16`` layer whose scaled accumulator, before the clamp, could leave int32."""
        multiplier, shift = self.parameters.multiplier, self.parameters.shift
        assert multiplier is not None  # the mode has both
        assert shift is not None
        for channel in range(self.spec.out_channels):
            reduced = min((int(multiplier[channel]) + (1 << 15)) >> 16, 0x7FFF)
            right = 15 - int(shift[channel])
            extremes = [(int(bound[channel]) * reduced + (1 << right - 1)) >> right for bound in low_high]
            if extremes[0] < INT32[0] or extremes[1] > INT32[1]:
                raise UnsupportedError(
                    self.spec.name,
                    f"shift of channel {channel}",
                    int(shift[channel]),
                    f"scaled accumulators stay in int32; here they reach {extremes[0]} to {extremes[1]}",
                )

    @cached_property
    def effective_weights(self) -> NDArray[np.int16]:
        """``w - weight_zero_point``, OHWI int16, not to be written: what the multipliers see."""
        weights = self.parameters.weights.astype(np.int16) - np.int16(self.spec.weight_zero_point)
        weights.flags.writeable = False
        return weights

    def raw_accumulator_range(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest ``sum(x * (w - zw))`` of each channel, ``(O,)`` int64 each.

        Over all inputs: every tap takes any value of the input type, or the input zero point (a tap outside the frame),
        independently; of a transposed layer, over the taps of each phase. Neither bias nor input zero point is
        subtracted or added.
        """
        low, high = dtype_range(self.spec.input_dtype)
        if self.spec.reads_outside:
            low, high = min(low, self.spec.input_zero_point), max(high, self.spec.input_zero_point)
        return self._sum_range(low, high)

    def accumulator_range(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Smallest and largest ``sum((x - zx) * (w - zw)) + bias`` of each channel, ``(O,)`` int64 each.

        The worst case over all inputs, computed from the real weights: each tap independently takes the value of the
        input type, or the padding, that moves the sum furthest.
        """
        low, high = (value - self.spec.input_zero_point for value in dtype_range(self.spec.input_dtype))
        if self.spec.reads_outside:
            low, high = min(low, 0), max(high, 0)
        smallest, largest = self._sum_range(low, high)
        return smallest + self.parameters.biases, largest + self.parameters.biases

    def _sum_range(self, low: int, high: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows, columns = (self.spec.phase_taps(axis) for axis in (0, 1))
        if (len(rows), len(columns)) == (1, 1):
            return self._taps_range(self.parameters.weights, low, high)
        ranges = [
            self._taps_range(self.parameters.weights[:, list(down)][:, :, list(across)], low, high)
            for down in rows
            for across in columns
        ]
        smallest, largest = (np.stack(bounds) for bounds in zip(*ranges, strict=True))
        return smallest.min(axis=0), largest.max(axis=0)

    def _taps_range(
        self, weights: NDArray[np.integer], low: int, high: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        flat = weights.reshape(self.spec.out_channels, -1)
        positive, negative = np.zeros((2, self.spec.out_channels), np.int64)
        step = max(_BLOCK_ELEMENTS // self.spec.out_channels, 1)
        for tap in range(0, flat.shape[1], step):  # the widest type is never in memory for all weights
            block = flat[:, tap : tap + step].astype(np.int16) - np.int16(self.spec.weight_zero_point)
            positive += np.maximum(block, 0).sum(axis=1, dtype=np.int64)
            negative += np.minimum(block, 0).sum(axis=1, dtype=np.int64)
        return low * positive + high * negative, high * positive + low * negative
