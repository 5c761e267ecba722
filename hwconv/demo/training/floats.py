"""Every network trained and written as a float `.onnx` model."""

import sys
from pathlib import Path

from hwconv.demo.digits import VARIANTS
from hwconv.demo.training.data import Parts
from hwconv.demo.training.export import export
from hwconv.demo.training.networks import train_classifier, train_denoiser

SHAPE = (1, 8, 8)
SEEDS = 3
"""Trainings of each variant of the classifier: the table gives their mean, the files are of the first."""


def classifier_path(folder: Path, variant: str, seed: int) -> Path:
    """Where a trained classifier lies."""
    return folder / f"classifier_{variant}_{seed}.onnx"


def train(data: Parts, folder: Path) -> None:
    """Trains what does not lie in the folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    denoiser = folder / "denoiser.onnx"
    if not denoiser.exists():
        _say(denoiser)
        export(train_denoiser(data.train, seed=0), SHAPE, denoiser)
    for seed in range(SEEDS):
        for variant in VARIANTS:
            path = classifier_path(folder, variant, seed)
            if not path.exists():
                _say(path)
                chosen = {"dropout": "dropout" in variant, "smoothing": "smoothing" in variant}
                export(train_classifier(data.train, seed=seed, **chosen), SHAPE, path)


def _say(path: Path) -> None:
    sys.stderr.write(f"training {path.name} ...\n")
