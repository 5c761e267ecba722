"""What the trained networks are worth, in floats and in int8, on the digits that were held out."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from hwconv.demo.digits import (
    Digits,
    Images,
    accuracy,
    negative_log_likelihood,
    psnr,
    reliability,
)
from hwconv.frontend import load_model
from hwconv.golden.model import run_model

Figures = dict[str, float]


def run_floats(path: Path, images: Images) -> Images:
    """What onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found: Images = session.run(None, {"x": images})[0]
    return found


def run_int8(path: Path, images: Images) -> Images:
    """What hwconv's golden model computes."""
    found: Images = run_model(load_model(path), images)
    return found


def answers(logits: Images, digits: Digits) -> Figures:
    """How good a classifier's outputs are."""
    return {
        "accuracy": accuracy(logits, digits.labels),
        "expected_calibration_error": reliability(logits, digits.labels).expected_calibration_error,
        "negative_log_likelihood": negative_log_likelihood(logits, digits.labels),
    }


def spread(figures: list[Figures]) -> dict[str, Any]:
    """Mean and standard deviation of several trainings; the first one's own are those of the committed file."""
    return {
        key: {
            "mean": round(float(np.mean([each[key] for each in figures])), 5),
            "deviation": round(float(np.std([each[key] for each in figures], ddof=1)), 5),
            "first": round(figures[0][key], 5),
        }
        for key in figures[0]
    }


def denoised(images: Images, found: dict[str, Images], clean: Images) -> dict[str, float]:
    """PSNR of noisy images and of what networks make of them, in dB."""
    return {"noisy": round(psnr(images, clean), 3), **{k: round(psnr(v, clean), 3) for k, v in found.items()}}
