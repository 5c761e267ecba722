"""The demo's second half: digits through whole networks, an engine for each layer.

An encoder-decoder removes noise, a classifier reads digits, and says how sure it is. Both were trained by the scripts
of hwconv/demo/training/ (docs/own-networks.md); every figure here comes from the simulated Verilog.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwconv import graphs
from hwconv.comparison import ComparisonResult
from hwconv.demo.digits import CLASSIFIER, DENOISER, Digits, Images, accuracy, held_out, noisy, psnr
from hwconv.demo.picture import draw_digits
from hwconv.demo.uncertainty import uncertain_classifier
from hwconv.errors import MismatchError
from hwconv.golden import host
from hwconv.golden.model import network_input
from hwconv.graph import Network
from hwconv.graphs.run import Frames
from hwconv.model import Model
from hwconv.networks import load_network, plan_network
from hwconv.plan.graph_plan import GraphPlan
from hwconv.targets import load_target

TARGET = "lfe5u-25f-6"
"""The smallest ECP5 but one, which holds either network."""
DIGITS = 150
UNSURE = 40
"""Digits whose uncertainty is measured, clean and noisy."""
NOISE_SEED = 1
STEPS = 5


@dataclass(frozen=True, eq=False, kw_only=True)
class DigitsResult:
    """What became of the digits.

    Members:
        classifier, denoiser: the comparisons of the simulated networks with the golden model.
        accuracy: share of digits that are read rightly: clean, noisy, and with the noise removed.
        psnr_db: of noisy digits, and of those with the noise removed, in dB.
        entropy: mean uncertainty about clean and about noisy digits, in nats.
        files: names of what was written to their paths.
    """

    classifier: ComparisonResult
    denoiser: ComparisonResult
    accuracy: dict[str, float]
    psnr_db: dict[str, float]
    entropy: dict[str, float]
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        own = {name: getattr(self, name) for name in ("accuracy", "psnr_db", "entropy", "files")}
        return {"classifier": self.classifier.to_json(), "denoiser": self.denoiser.to_json(), **own}


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A planned network of the demo."""

    model: Model
    network: Network
    plan: GraphPlan

    @classmethod
    def of(cls, path: Path, target: str = TARGET) -> "Accelerator":
        """Plans the network of a file."""
        loaded = load_network(path)
        assert loaded.model is not None
        return cls(loaded.model, loaded.network, plan_network(loaded, target=target))

    def write(self, folder: Path, images: Images) -> None:
        """Writes the package, with some images for its benches."""
        given, family = network_input(self.model, images[:2]), load_target(TARGET).family
        graphs.generate_graph(self.plan, folder, given=given, family=family, force=True)

    def run(
        self, images: Images, capture: Path, *, simulator: str = "verilator", every_tensor: bool = False
    ) -> tuple[ComparisonResult, Images]:
        """Sends images through the simulated hardware.

        Parameters:
            images: in the type and shape of the model's input.
            capture: an .npy file to write, with the bytes that the hardware gave.
            simulator, every_tensor: as for :func:`hwconv.networks.compare_network`.

        Returns:
            The comparison with the golden model, and the model's outputs, from the hardware's bytes.

        Raises:
            MismatchError: the hardware differs from the golden model.
        """
        given = network_input(self.model, images)
        compared = graphs.compare_graph(
            self.plan, given=given, simulator=simulator, capture=capture, every_tensor=every_tensor
        )
        if not compared.exact:
            raise MismatchError(f"{self.plan.graph.name}: {compared.problem}")
        return compared, self.outputs(np.load(capture)[: len(images)])

    def outputs(self, captured: Frames) -> Images:
        """What the host makes of the hardware's bytes: the model's outputs."""
        values = np.moveaxis(captured, -1, 1)
        for step in self.model.after:
            values = host.run(step.operation, values.reshape(len(values), *step.input.shape[1:]))
        return values.reshape(len(values), *self.model.output.shape[1:]).astype(np.float32)


def run_digits(folder: Path, *, count: int = DIGITS, step: Callable[[str], None] = lambda _: None) -> DigitsResult:
    """Runs the digits through both networks and draws them.

    Parameters:
        folder: where everything is written.
        count: digits to send.
        step: called with what begins, `STEPS` times.

    Raises:
        HwconvError: a tool is missing; or the hardware differs from the golden model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / name for name in ("classifier", "denoiser")}
    paths |= {"digits": folder / "digits.png", "answers": folder / "answers.npy", "denoised": folder / "denoised.npy"}
    digits = Digits(held_out().images[:count], held_out().labels[:count])
    given = noisy(digits.images, seed=NOISE_SEED)

    step(f"compiling an encoder-decoder and a classifier for {TARGET}")
    denoiser, classifier = Accelerator.of(DENOISER), Accelerator.of(CLASSIFIER)
    denoiser.write(paths["denoiser"], given)
    classifier.write(paths["classifier"], digits.images)
    step(f"simulating the encoder-decoder on {count} noisy digits and comparing with numpy")
    removed, clear = denoiser.run(given, paths["denoised"])
    step(f"simulating the classifier on {3 * count} digits: clean, noisy, denoised")
    classified, logits = classifier.run(np.concatenate([digits.images, given, clear]), paths["answers"])
    clean_logits, noisy_logits, clear_logits = logits.reshape(3, count, -1)
    step("asking the classifier how sure it is: dropout at random, mean and variance in hardware")
    unsure = uncertain_classifier()
    images = np.concatenate([digits.images[:UNSURE], given[:UNSURE]])
    entropy = unsure.entropy(unsure.simulate(unsure.features(images)))
    step("drawing what the hardware computed")
    result = DigitsResult(
        classifier=classified,
        denoiser=removed,
        accuracy={
            "clean": accuracy(clean_logits, digits.labels),
            "noisy": accuracy(noisy_logits, digits.labels),
            "denoised": accuracy(clear_logits, digits.labels),
        },
        psnr_db={"noisy": psnr(given, digits.images), "denoised": psnr(clear, digits.images)},
        entropy={
            "clean": float(entropy[: len(entropy) // 2].mean()),
            "noisy": float(entropy[len(entropy) // 2 :].mean()),
        },
        files={name: str(path) for name, path in paths.items()},
    )
    rows = {
        "noisy": (given, noisy_logits.argmax(axis=1)),
        "denoised": (clear, clear_logits.argmax(axis=1)),
        "clean": (digits.images, clean_logits.argmax(axis=1)),
    }
    draw_digits(rows, digits.labels, _caption(result, count), paths["digits"])
    return result


def _caption(result: DigitsResult, count: int) -> str:
    outputs = result.classifier.outputs + result.denoiser.outputs
    read = ", ".join(f"{share:.0%} {kind}" for kind, share in result.accuracy.items())
    parts = [
        f"of {count} digits it reads {read}",
        f"{result.psnr_db['noisy']:.1f} dB before, {result.psnr_db['denoised']:.1f} dB after",
        f"{outputs:,} outputs compared with numpy, {result.classifier.mismatches + result.denoiser.mismatches} differ",
    ]
    return "  ·  ".join(parts)
