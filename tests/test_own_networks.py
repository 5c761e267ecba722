"""The networks that were trained here: as accurate as is said, in onnxruntime, in numpy, and in simulated hardware."""

import json
from pathlib import Path

import numpy as np
import pytest

from hwconv.demo import digits, digits_run
from hwconv.demo.digits import CLASSIFIER, CLASSIFIERS, DENOISER, FOLDER, held_out, noisy
from hwconv.demo.uncertainty import PASSES, PROBABILITY, Uncertain, uncertain_classifier
from hwconv.dropout import pass_seed
from hwconv.errors import MismatchError
from hwconv.frontend import load_model
from hwconv.golden import dropout as golden_dropout
from hwconv.golden import run as run_layer
from hwconv.golden.model import run_model
from hwconv.graph import Conv, Pool
from hwconv.networks import compare_network

FIGURES = json.loads((FOLDER / "figures.json").read_text(encoding="utf-8"))
PAGE = Path(__file__).parent.parent / "docs" / "own-networks.md"
QUICK = 40
"""Digits of the quick runs in hardware."""


def given(path: Path) -> np.ndarray:
    """What a network is tried on: all digits that were held out, with noise for the one that removes it."""
    images = held_out().images
    return noisy(images, seed=digits_run.NOISE_SEED) if path == DENOISER else images


def run_onnxruntime(path: Path, x: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install '.[oracles]'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1")  # no sums that saturate, on any CPU
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_the_classifier_has_every_kind_of_convolution():
    nodes = load_model(CLASSIFIER).network.graph.nodes
    specs = [node.spec for node in nodes if isinstance(node, Conv)]
    assert [spec.dilation for spec in specs[:2]] == [(1, 1), (2, 2)]
    assert [(spec.groups, spec.in_channels, spec.out_channels) for spec in specs[2:5]] == [
        (16, 16, 16),  # depthwise
        (1, 16, 32),  # pointwise
        (4, 32, 32),  # grouped
    ]
    assert sum(isinstance(node, Pool) for node in nodes) == 1


def test_the_decoder_has_two_transposed_convolutions_of_stride_2():
    specs = [node.spec for node in load_model(DENOISER).network.graph.nodes]
    assert [(spec.stride, spec.transposed) for spec in specs if spec.transposed] == [((2, 2), True)] * 2
    assert [spec.output_shape[:2] for spec in specs] == [(8, 8), (4, 4), (2, 2), (4, 4), (8, 8), (8, 8)]


@pytest.mark.parametrize("variant", CLASSIFIERS)
def test_classifiers_equal_onnxruntime_on_every_digit(variant):
    path = CLASSIFIERS[variant]
    found, right = run_model(load_model(path), given(path)), run_onnxruntime(path, given(path))
    np.testing.assert_array_equal(found, right)
    labels = held_out().labels
    np.testing.assert_array_equal(found.argmax(axis=1) == labels, right.argmax(axis=1) == labels)


def test_the_encoder_decoder_equals_onnxruntime_but_for_half_way_values():
    """onnxruntime adds floats in transposed convolutions of QDQ models, so that ties may fall either way."""
    found, right = run_model(load_model(DENOISER), given(DENOISER)), run_onnxruntime(DENOISER, given(DENOISER))
    differ = found != right
    print(f"{differ.sum()} of {differ.size} pixels differ")
    assert differ.mean() < 0.0005
    assert np.abs(found - right).max() < 1.5 / 255


@pytest.mark.parametrize("variant", CLASSIFIERS)
def test_the_figures_of_the_classifiers_are_those_of_the_files(variant):
    labels = held_out().labels
    logits = run_model(load_model(CLASSIFIERS[variant]), held_out().images)
    said = {key: each["first"] for key, each in FIGURES["classifier"][variant]["int8"].items()}
    assert said == {
        "accuracy": pytest.approx(digits.accuracy(logits, labels), abs=1e-5),
        "expected_calibration_error": pytest.approx(
            digits.reliability(logits, labels).expected_calibration_error, abs=1e-5
        ),
        "negative_log_likelihood": pytest.approx(digits.negative_log_likelihood(logits, labels), abs=1e-5),
    }
    assert said["accuracy"] > 0.97


def test_the_encoder_decoder_removes_noise_as_is_said():
    clean = held_out().images
    said = FIGURES["denoiser"]["psnr_db"]
    assert said["noisy"] == pytest.approx(digits.psnr(given(DENOISER), clean), abs=1e-3)
    assert said["int8"] == pytest.approx(digits.psnr(run_model(load_model(DENOISER), given(DENOISER)), clean), abs=1e-3)
    assert said["int8"] > said["noisy"] + 4


def test_the_page_says_the_figures_of_the_file():
    page = PAGE.read_text(encoding="utf-8")
    for variant, kinds in FIGURES["classifier"].items():
        for kind, said in kinds.items():
            parts = [f"{100 * said['accuracy']['mean']:.1f} ± {100 * said['accuracy']['deviation']:.1f}"]
            for key in ("expected_calibration_error", "negative_log_likelihood"):
                parts.append(f"{said[key]['mean']:.3f} ± {said[key]['deviation']:.3f}")
            assert f"| {variant.replace('_', ' and ')} | {kind} | {' | '.join(parts)} |" in page
    for kind, value in FIGURES["denoiser"]["psnr_db"].items():
        assert f"| {kind} | {value:.2f} dB |" in page


def test_the_digits_are_those_that_no_training_saw():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install '.[training]'")
    from hwconv.demo.training.data import parts

    data = parts()
    np.testing.assert_array_equal(data.held_out.images, held_out().images)
    np.testing.assert_array_equal(data.held_out.labels, held_out().labels)
    seen = {each.tobytes() for part in (data.train, data.calibration) for each in part.images}
    assert not seen & {each.tobytes() for each in held_out().images}
    assert FIGURES["images"] == {"train": 1000, "calibration": 200, "held_out": 597}


@pytest.mark.parametrize("path", [CLASSIFIER, DENOISER], ids=["classifier", "denoiser"])
def test_hardware_gives_what_the_golden_model_gives(path, tmp_path):
    accelerator = digits_run.Accelerator.of(path)
    images = given(path)[:QUICK]
    compared, outputs = accelerator.run(images, tmp_path / "captured.npy")
    assert not compared.failure, compared.describe()
    right = run_model(accelerator.model, images)
    np.testing.assert_array_equal(outputs, right)
    if path == CLASSIFIER:
        labels = held_out().labels[:QUICK]
        np.testing.assert_array_equal(outputs.argmax(axis=1) == labels, right.argmax(axis=1) == labels)


@pytest.mark.slow
@pytest.mark.parametrize("path", [CLASSIFIER, DENOISER], ids=["classifier", "denoiser"])
def test_hardware_is_exact_on_every_digit_in_every_tensor(path, tmp_path):
    images = given(path)
    right = run_model(load_model(path), images)
    result = compare_network(
        path,
        input=images,
        expected=right,
        target=digits_run.TARGET,
        every_tensor=True,
        capture=tmp_path / "captured.npy",
    )
    assert not result.failure, result.describe()
    assert result.frames >= len(images)
    assert all(each.mismatches == 0 for each in result.tensors)
    outputs = digits_run.Accelerator.of(path).outputs(np.load(tmp_path / "captured.npy")[: len(images)])
    np.testing.assert_array_equal(outputs, right)
    if path == CLASSIFIER:
        said = FIGURES["classifier"]["dropout"]["int8"]["accuracy"]["first"]
        assert digits.accuracy(outputs, held_out().labels) == pytest.approx(said, abs=1e-5)


# Monte-Carlo dropout


@pytest.fixture(scope="module")
def unsure() -> Uncertain:
    return uncertain_classifier()


def test_mean_and_variance_in_hardware_equal_the_golden_twins(unsure):
    images = np.concatenate([held_out().images[:6], noisy(held_out().images[:6], seed=3)])
    features = unsure.features(images)
    found = unsure.simulate(features)  # raises where a bit differs
    np.testing.assert_array_equal(found, unsure.golden(features))
    assert (found[..., 1] > 0).any()
    mean, variance = unsure.moments(found)
    logits = run_model(unsure.model, images)
    # The mean of what dropout leaves is near what no dropout gives: within a standard deviation, most of them.
    assert (np.abs(mean - logits) < np.sqrt(variance) + 1e-9).mean() > 0.9


def test_mean_and_variance_are_those_of_the_passes(unsure):
    features = unsure.features(held_out().images[:3])
    mean, variance = unsure.moments(unsure.golden(features))
    scale, point = unsure.model.after[0].operation.scale, unsure.model.after[0].operation.zero_point
    for image, parameters in enumerate(np.array_split(np.array(unsure.parameters(3)), 3)):
        assert [each.seed for each in parameters] == [pass_seed(image + 1, at) for at in range(PASSES)]
        assert all(abs(each.probability - PROBABILITY) < 1e-4 for each in parameters)
        kept = golden_dropout.run(unsure.dropout, features[[image] * PASSES], list(parameters))
        real = scale * (run_layer(unsure.layer, kept).reshape(PASSES, -1).astype(np.float64) - point)
        np.testing.assert_allclose(mean[image], real.mean(axis=0), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(variance[image], real.var(axis=0), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("count", [80, pytest.param(None, marks=pytest.mark.slow)])
def test_the_classifier_is_less_sure_of_digits_that_are_less_clear(unsure, count):
    """On some digits, and on all of them, as the page says; the golden twins, which equal the hardware."""
    clean = held_out().images[:count]
    blank = clean.copy()
    blank[:, :, 2:5] = 0
    found = {}
    for name, images in (
        ("clean", clean),
        *((f"noise {deviation}", noisy(clean, seed=1, deviation=deviation)) for deviation in (0.2, 0.3, 0.5)),
        ("three rows blank", blank),
    ):
        found[name] = float(unsure.entropy(unsure.golden(unsure.features(images))).mean())
    print(found)
    assert found["clean"] < found["noise 0.2"] < found["noise 0.3"] < found["noise 0.5"]
    assert found["three rows blank"] > 3 * found["clean"]
    if count is None:
        rows = [line.split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines()]
        for name, entropy in found.items():
            assert next(row[4] for row in rows if row[0] == f"| {name}" and len(row) == 7) == f"{entropy:.3f}"


def test_hardware_that_differs_is_not_accepted(unsure, monkeypatch):
    features = unsure.features(held_out().images[:2])
    right = unsure.golden(features)
    wrong = right.copy()
    wrong[1, 0, 0, 3, 1] ^= 1
    monkeypatch.setattr(Uncertain, "golden", lambda *_: wrong)
    with pytest.raises(MismatchError, match="uncertainty"):
        unsure.simulate(features)


# The measures


def test_calibration_error_is_the_distance_from_confidence_to_accuracy():
    """Ten answers of confidence 0.8, of which six are right: 0.2."""
    logits = np.log(np.array([[0.8, 0.2]] * 10))
    labels = np.array([0] * 6 + [1] * 4, np.uint8)
    found = digits.reliability(logits, labels)
    assert found.count == (10,)
    assert found.expected_calibration_error == pytest.approx(0.2)
    assert digits.accuracy(logits, labels) == pytest.approx(0.6)
    assert digits.negative_log_likelihood(logits, labels) == pytest.approx(-0.6 * np.log(0.8) - 0.4 * np.log(0.2))


def test_bins_of_confidence_are_weighted_by_their_images():
    logits = np.log(np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]]))
    found = digits.reliability(logits, np.array([0, 0, 0, 1], np.uint8))
    assert found.count == (1, 3)
    assert found.expected_calibration_error == pytest.approx((3 * 0.1 + 0.6) / 4)


def test_psnr_of_a_tenth_is_20_db():
    clean = np.zeros((2, 1, 8, 8), np.float32)
    assert digits.psnr(clean + 0.1, clean) == pytest.approx(20, abs=1e-5)


def test_entropy_grows_with_the_variance_and_ends_at_ln_10():
    mean = np.array([[9.0] + [0.0] * 9])
    found = [float(digits.entropy(mean, np.full_like(mean, each))[0]) for each in (0, 10, 100, 1e9)]
    assert found == sorted(found)
    assert found[0] < 0.02
    assert found[-1] == pytest.approx(np.log(10), abs=1e-3)
