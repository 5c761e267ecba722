"""A layer beside the two that it was split into, and every figure that compares them."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Factorisation:
    """A layer, its two parts, and the data they were calibrated and measured with.

    Members:
        layer: what was split.
        horizontal, vertical: its parts, to be run one after the other.
        rank, full_rank: channels between them for each group, and how many would lose nothing.
        error_before: relative error of the weights in the Frobenius norm, before the parts were quantised.
        input, between: frames of the first and of the second, NHWC.
        expected, found: outputs of the layer and of its parts.
    """

    layer: Layer
    horizontal: Layer
    vertical: Layer
    rank: int
    full_rank: int
    error_before: float
    input: NDArray[np.integer]
    between: NDArray[np.integer]
    expected: NDArray[np.integer]
    found: NDArray[np.integer]

    @property
    def error_after(self) -> float:
        """Relative error of the weights that the two quantised parts stand for, in the Frobenius norm."""
        kernel = real_weights(self.layer)
        norm = float(np.linalg.norm(kernel))
        return float(np.linalg.norm(self.composed_weights() - kernel)) / norm if norm else 0.0

    def composed_weights(self) -> NDArray[np.float64]:
        """The kernel that the two quantised parts amount to, in output units: OHWI, as :func:`real_weights`."""
        spec = self.layer.spec
        rows, columns = real_weights(self.vertical)[:, :, 0, :], real_weights(self.horizontal)[:, 0]
        composed = np.empty(spec.weight_shape)
        for group in range(spec.groups):
            written = slice(group * spec.group_out_channels, (group + 1) * spec.group_out_channels)
            read = slice(group * self.rank, (group + 1) * self.rank)
            composed[written] = np.einsum("okr,rli->okli", rows[written], columns[read])
        return composed

    @property
    def macs(self) -> tuple[int, int]:
        """Multiply-accumulates of a frame, before and after."""
        return self.layer.spec.macs, self.horizontal.spec.macs + self.vertical.spec.macs

    @property
    def largest_error(self) -> int:
        """The largest difference of an output."""
        return int(np.abs(self._difference()).max())

    @property
    def mean_error(self) -> float:
        """The mean magnitude of the outputs' differences."""
        return float(np.abs(self._difference()).mean())

    @property
    def equal_share(self) -> float:
        """The share of outputs that are equal."""
        return float((self._difference() == 0).mean())

    @property
    def signal_to_noise(self) -> float:
        """``10 log10`` of the squares of the outputs less their zero point over those of the differences, in dB."""
        signal = self.expected.astype(np.float64) - self.layer.spec.output_zero_point
        noise = float((self._difference().astype(np.float64) ** 2).sum())
        power = float((signal**2).sum())
        return 10 * math.log10(power / noise) if noise and power else math.inf if not noise else -math.inf

    def to_json(self) -> dict[str, Any]:
        """What was measured, as values that JSON has; an infinite ratio is None."""
        ratio = self.signal_to_noise
        return {
            "layer": self.layer.spec.name,
            "rank": self.rank,
            "full_rank": self.full_rank,
            "macs": dict(zip(("before", "after"), self.macs, strict=True)),
            "weight_error": {"before_quantisation": self.error_before, "after_quantisation": self.error_after},
            "outputs": {
                "frames": len(self.input),
                "compared": self.found.size,
                "largest_error": self.largest_error,
                "mean_error": self.mean_error,
                "equal_share": self.equal_share,
                "signal_to_noise_db": ratio if math.isfinite(ratio) else None,
            },
            "parts": [part.spec.to_dict() for part in (self.horizontal, self.vertical)],
        }

    def describe(self) -> str:
        """Returns a few lines for people."""
        spec, (before, after) = self.layer.spec, self.macs
        saved = f"{1 - after / before:.1%} saved" if after <= before else f"{after / before - 1:.1%} MORE"
        groups = f" for each of {spec.groups} groups" if spec.groups > 1 else ""
        return (
            f"{spec.name}: {spec.kernel[0]}x{spec.kernel[1]}, {spec.in_channels} -> {spec.out_channels} channels, "
            f"as 1x{spec.kernel[1]} and {spec.kernel[0]}x1 with {self.rank} of {self.full_rank} channels between"
            f"{groups}\n"
            f"  multiplications of a frame: {before} -> {after}, {saved}\n"
            f"  relative error of the weights: {self.error_before:.4g}, {self.error_after:.4g} after quantisation\n"
            f"  of {self.found.size} outputs ({len(self.input)} frames): {self.equal_share:.1%} equal, largest error "
            f"{self.largest_error}, mean {self.mean_error:.3g}, signal to noise {self.signal_to_noise:.1f} dB"
        )

    def _difference(self) -> NDArray[np.int64]:
        return self.found.astype(np.int64) - self.expected.astype(np.int64)


def real_scales(layer: Layer) -> NDArray[np.float64]:
    """What each channel's sum is multiplied by, ``(O,)``: the real number that the integers of its mode stand for."""
    parameters = layer.parameters
    if parameters.scale is not None:
        return parameters.scale.astype(np.float64)
    shift = np.zeros(1, np.int32) if parameters.shift is None else parameters.shift
    multiplier = 1.0 if parameters.multiplier is None else parameters.multiplier / 2.0**31
    return np.broadcast_to(multiplier * 2.0**shift, (layer.spec.out_channels,)).astype(np.float64)


def real_weights(layer: Layer) -> NDArray[np.float64]:
    """Weights less their zero point, times the channel's scale: what an input's step adds to an output. OHWI."""
    return layer.effective_weights.astype(np.float64) * real_scales(layer)[:, None, None, None]
