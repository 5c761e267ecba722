"""Handwritten digits that no training saw, noise on them, and how good answers about them are.

The digits are those of scikit-learn's `load_digits` (8 x 8 pixels, 17 greys): the test set of E. Alpaydin and
C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository (1998), doi 10.24432/C50P49.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent / "networks"
VARIANTS = ("plain", "dropout", "smoothing", "dropout_smoothing")
"""How the classifier was trained: with or without dropout, with or without label smoothing."""
CLASSIFIERS = {variant: FOLDER / f"classifier_{variant}.onnx" for variant in VARIANTS}
CLASSIFIER = CLASSIFIERS["dropout"]
"""The one of the demo, whose last features Monte-Carlo dropout drops."""
DENOISER = FOLDER / "denoiser.onnx"
WHITE = 16
"""The brightest value of a pixel."""
CLASSES = 10
BINS = 15
"""Bins of confidence, as in C. Guo et al., "On Calibration of Modern Neural Networks" (2017)."""
NOISE = 0.3
"""Standard deviation of the noise that the encoder-decoder removes; white is 1."""

Images = NDArray[np.float32]
Labels = NDArray[np.uint8]
Reals = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Digits:
    """Images `(N, 1, 8, 8)` from 0 (black) to 1 (white), and their digits `(N,)`."""

    images: Images
    labels: Labels


@functools.cache
def held_out() -> Digits:
    """The digits that were kept apart when the networks were trained."""
    with np.load(FOLDER / "digits.npz", allow_pickle=False) as file:
        return Digits(scaled(file["images"]), file["labels"])


def scaled(images: NDArray[np.uint8]) -> Images:
    """Pixels from 0 to 16 as `(N, 1, 8, 8)` from 0 to 1."""
    return (images[:, np.newaxis] / np.float32(WHITE)).astype(np.float32)


def noisy(images: Images, *, seed: int, deviation: float = NOISE) -> Images:
    """Images with Gaussian noise, clipped to what a picture can have."""
    noise = np.random.default_rng(seed).normal(0, deviation, images.shape)
    return np.clip(images + noise, 0, 1).astype(np.float32)


def probabilities(logits: Reals) -> NDArray[np.float64]:
    """Softmax of each row."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Reliability:
    """How often a classifier is right when it is so sure, bin by bin: mean confidence, accuracy, images."""

    confidence: tuple[float, ...]
    accuracy: tuple[float, ...]
    count: tuple[int, ...]

    @property
    def expected_calibration_error(self) -> float:
        """Mean distance between confidence and accuracy, weighted by images."""
        gaps = np.abs(np.array(self.confidence) - np.array(self.accuracy)) * np.array(self.count)
        return float(gaps.sum() / sum(self.count))


def reliability(logits: Reals, labels: Labels) -> Reliability:
    """Sorts answers into :data:`BINS` bins of equal width by confidence; empty bins are left out."""
    answers = probabilities(logits)
    confidence, right = answers.max(axis=1), answers.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    used = [bins == each for each in np.unique(bins)]
    return Reliability(
        confidence=tuple(float(confidence[each].mean()) for each in used),
        accuracy=tuple(float(right[each].mean()) for each in used),
        count=tuple(int(each.sum()) for each in used),
    )


def accuracy(logits: Reals, labels: Labels) -> float:
    """Share of images whose largest output is their digit."""
    return float((logits.argmax(axis=1) == labels).mean())


def negative_log_likelihood(logits: Reals, labels: Labels) -> float:
    """Mean of minus the logarithm of the probability that the digit was given."""
    return float(-np.log(probabilities(logits)[np.arange(len(labels)), labels]).mean())


def psnr(images: Reals, clean: Reals) -> float:
    """Peak signal-to-noise ratio of all pixels together, in dB; the peak is 1."""
    return float(-10 * np.log10(((images.astype(np.float64) - clean) ** 2).mean()))


def entropy(mean: Reals, variance: Reals) -> NDArray[np.float64]:
    """Uncertainty of outputs with a mean and a variance `(N, classes)`, in nats: 0 is sure, `ln 10` knows nothing.

    The entropy of the mean-field softmax, `softmax(mean / sqrt(1 + pi / 8 * variance))`: D. J. C. MacKay, "The Evidence
    Framework Applied to Classification Networks" (1992), for two classes; Z. Lu, E. Ie and F. Sha, "Mean-Field
    Approximation to Gaussian-Softmax Integral" (2020), for more.
    """
    answers = probabilities(mean / np.sqrt(1 + np.pi / 8 * variance))
    return np.asarray(-(answers * np.log(np.maximum(answers, 1e-300))).sum(axis=1))
