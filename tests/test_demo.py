"""The demo shows what the simulated hardware computed."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hwconv import golden
from hwconv.demo import digits, digits_run, picture, run
from hwconv.demo.filters import filter_bank, filters
from hwconv.frontend import load_model
from hwconv.golden.model import run_model

HEIGHT = 20


def test_the_demo_draws_what_the_hardware_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[np.ndarray] = []
    monkeypatch.setattr(run, "draw", lambda *arguments: (drawn.append(arguments[1]), picture.draw(*arguments)))
    steps: list[str] = []
    result = run.run_demo(tmp_path / "demo", route=False, height=HEIGHT, step=steps.append)
    compared = result.comparison
    assert compared.exact
    assert compared.frames == 2
    assert compared.latency == compared.predicted_latency
    assert compared.interval == compared.predicted_interval
    assert len(steps) == run.STEPS - 1
    photograph = picture.read_photograph(HEIGHT)
    layer = filter_bank(*photograph.shape[:2])
    assert np.array_equal(drawn[0], golden.run(layer, picture.to_frame(photograph)[np.newaxis])[0])
    assert all(Path(path).exists() for path in result.files.values())
    assert result.to_json()["build"] is None
    with Image.open(result.files["picture"]) as image:
        assert image.format == "PNG"
        assert image.width >= 1600


@pytest.mark.slow
def test_the_demo_draws_the_digits_that_the_hardware_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 6
    drawn: list[dict] = []
    monkeypatch.setattr(
        digits_run, "draw_digits", lambda *arguments: (drawn.append(arguments[0]), picture.draw_digits(*arguments))
    )
    steps: list[str] = []
    result = digits_run.run_digits(tmp_path / "demo", count=count, step=steps.append)
    for compared in (result.classifier, result.denoiser):
        assert compared.exact
        assert compared.latency == compared.predicted_latency
        assert compared.interval == compared.predicted_interval
    assert result.classifier.frames >= 3 * count
    assert len(steps) == digits_run.STEPS
    given = digits.noisy(digits.held_out().images[:count], seed=digits_run.NOISE_SEED)
    clear = run_model(load_model(digits.DENOISER), given)
    assert np.array_equal(drawn[0]["denoised"][0], clear)
    answers = run_model(load_model(digits.CLASSIFIER), clear).argmax(axis=1)
    assert np.array_equal(drawn[0]["denoised"][1], answers)
    assert result.psnr_db["denoised"] > result.psnr_db["noisy"] + 3
    assert result.entropy["noisy"] > result.entropy["clean"]
    assert all(Path(path).exists() for path in result.files.values())
    assert (tmp_path / "demo" / "classifier" / "manifest.json").exists()
    assert result.to_json().keys() == {"classifier", "denoiser", "accuracy", "psnr_db", "entropy", "files"}
    with Image.open(result.files["digits"]) as image:
        assert image.format == "PNG"
        assert image.width >= 1600


def test_the_photograph_keeps_its_shape_and_its_bytes() -> None:
    photograph = picture.read_photograph(600)
    assert photograph.shape == (600, 512, 3)
    assert picture.read_photograph(60).shape == (60, 51, 3)
    frame = picture.to_frame(photograph)
    assert frame.dtype == np.int8
    assert np.array_equal(frame.astype(int) + 128, photograph)
    assert np.array_equal(picture.to_brightness(frame), photograph)


def test_the_filters_do_what_their_names_say() -> None:
    layer = filter_bank(9, 9)
    weights = layer.parameters.weights.reshape(layer.spec.out_channels, -1)
    assert (np.abs(weights).max(axis=1) == 127).all()
    assert len(np.unique(weights, axis=0)) == len(weights)

    def answers(frame: np.ndarray) -> dict[str, int]:
        outputs = golden.run(layer, picture.to_frame(frame.astype(np.uint8))[np.newaxis])[0, 2, 2]
        return dict(zip((each.name for each in filters()), picture.to_brightness(outputs).tolist(), strict=True))

    flat = answers(np.full((9, 9, 3), 150))
    assert flat["blurred"] == pytest.approx(150, abs=2)
    assert flat["sharpened"] == pytest.approx(150, abs=2)
    for name in ("slopes from left to right", "slopes from top to bottom", "relief"):
        assert flat[name] == pytest.approx(128, abs=1)
    assert flat["pencil"] == pytest.approx(0.96 * 255, abs=1)
    assert flat["neon"] <= 1
    ramp = np.broadcast_to(10 * np.arange(9)[:, np.newaxis, np.newaxis], (9, 9, 3))
    assert answers(ramp)["slopes from top to bottom"] > 140
    assert answers(np.swapaxes(ramp, 0, 1))["slopes from left to right"] > 140
    red, cyan = np.zeros((9, 9, 3)), np.full((9, 9, 3), 255)
    red[..., 0], cyan[..., 0] = 255, 0
    assert answers(red)["red against cyan"] == 255
    assert answers(cyan)["red against cyan"] == 0


def test_the_picture_is_the_same_every_time(tmp_path: Path) -> None:
    photograph = picture.read_photograph(12)
    outputs = np.arange(8 * 6 * 8, dtype=np.int64).astype(np.int8).reshape(8, 6, 8)
    for name in ("first.png", "second.png"):
        picture.draw(photograph, outputs, "a caption", tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
