"""Trains, quantises and measures every network of the demo: `python -m hwconv.demo.training`.

Writes the folder hwconv/demo/networks/ and the picture of docs/own-networks.md anew. Float models stay in
build/training/; those that lie there are not trained again.
"""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from hwconv.demo.digits import CLASSIFIERS, DENOISER, FOLDER, NOISE, VARIANTS, noisy, reliability
from hwconv.demo.training import measure
from hwconv.demo.training.data import Parts, parts
from hwconv.demo.training.floats import SEEDS, classifier_path, train
from hwconv.demo.training.picture import draw
from hwconv.quantise import quantise_model

FLOATS = Path("build/training")
PICTURE = Path("docs/own-networks/reliability.svg")
CALIBRATION_NOISE, HELD_OUT_NOISE = 7, 1
"""Seeds of the noise on images."""


def main() -> None:
    """Everything, in order."""
    data = parts()
    train(data, FLOATS)
    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / "digits.npz", images=data.held_out_pixels, labels=data.held_out.labels)
    figures = {
        "images": {"train": len(data.train.labels), "calibration": len(data.calibration.labels),
                   "held_out": len(data.held_out.labels)},
        "trainings": SEEDS,
        "classifier": _classifiers(data),
        "denoiser": _denoiser(data),
    }  # fmt: skip
    (FOLDER / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _classifiers(data: Parts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    curves = {}
    for variant in VARIANTS:
        floats, quantised = [], []
        for seed in range(SEEDS):
            path = classifier_path(FLOATS, variant, seed)
            with TemporaryDirectory() as folder:
                made = Path(folder) / CLASSIFIERS[variant].name
                quantise_model(path, data.calibration.images, made)
                outputs = {
                    "float": measure.run_floats(path, data.held_out.images),
                    "int8": measure.run_int8(made, data.held_out.images),
                }
                if seed == 0:
                    shutil.copyfile(made, CLASSIFIERS[variant])
                    curves[variant] = {key: reliability(each, data.held_out.labels) for key, each in outputs.items()}
            floats.append(measure.answers(outputs["float"], data.held_out))
            quantised.append(measure.answers(outputs["int8"], data.held_out))
        found[variant] = {"float": measure.spread(floats), "int8": measure.spread(quantised)}
    draw(curves, PICTURE)
    return found


def _denoiser(data: Parts) -> dict[str, Any]:
    path = FLOATS / DENOISER.name
    quantise_model(path, noisy(data.calibration.images, seed=CALIBRATION_NOISE), DENOISER)
    clean = data.held_out.images
    given = noisy(clean, seed=HELD_OUT_NOISE)
    found = {"float": measure.run_floats(path, given), "int8": measure.run_int8(DENOISER, given)}
    return {"noise": NOISE, "psnr_db": measure.denoised(given, found, clean)}


if __name__ == "__main__":
    main()
