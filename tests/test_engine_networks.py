"""Every convolution, depthwise and fully connected layer of the MLPerf Tiny networks, simulated with its real weights.

Each engine gets the tensor that TensorFlow Lite Micro computed for a real picture or sound, random frames after it, and
must give TensorFlow Lite Micro's own output for it; the golden model's for the others. The default run takes
the smallest layers; ``pytest -n 2 -m slow tests/test_engine_networks.py`` takes all, in Verilator.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from engines import MEASURED_FRAMES, check_exact, plan_of, random_frames

from hwconv import golden
from hwconv.frontend.tflite import load_layer, read_model
from hwconv.simulation import Simulator

KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
# Operators of each model by their index, all of KINDS.
LAYERS = {
    "ad01_int8": range(10),
    "kws_ref_model": (*range(9), 11),
    "pretrainedResnet_quant": (0, 1, 2, 4, 5, 6, 8, 9, 10, 14),
    "vww_96_int8": (*range(27), 29),
}
SMALLEST = {"ad01_int8": 5, "kws_ref_model": 11, "pretrainedResnet_quant": 14, "vww_96_int8": 29}
MULTIPLIERS = 64
every_layer = pytest.mark.parametrize(
    ("model", "index"), [(model, index) for model, indices in LAYERS.items() for index in indices]
)


@cache
def tensors_of(folder: Path, model: str) -> dict[int | None, np.ndarray]:
    """The tensors of one real input by number; None is the input itself."""
    with np.load(folder / "goldens" / f"{model}.npz", allow_pickle=False) as archive:
        found = {
            int(name.rpartition("_")[2]): archive[name] for name in archive.files if re.match("layer_.*_tensor", name)
        }
        return {None: archive["input"][:1], **found}


def check_layer(folder: Path, model: str, index: int, simulator: Simulator) -> None:
    path = folder / "mlperf_tiny" / f"{model}.tflite"
    operator = next(item for item in read_model(path) if item.index == index)
    layer = load_layer(path, index)
    spec = layer.spec
    tensors = tensors_of(folder, model)
    real = tensors.get(operator.inputs[0], tensors[None]).reshape(-1, *spec.input_shape)[:1]
    expected = tensors[operator.outputs[0]].reshape(-1, *spec.output_shape)[:1]
    more = random_frames(spec, MEASURED_FRAMES - 2, np.random.default_rng(index))
    # The real one first and last, so that one of them comes into an engine at work.
    frames = np.concatenate([real, more, real])
    outputs = np.concatenate([expected, golden.run(layer, more), expected])
    plan = plan_of(layer, multipliers=MULTIPLIERS)
    result = check_exact(plan, frames, outputs, simulator)
    print(
        f"{spec.name}: {result.outputs} outputs exact, latency {result.latency}, interval {result.interval}, "
        f"{plan.multipliers} multipliers, {result.seconds:.1f} s"
    )


@pytest.mark.parametrize(("model", "index"), SMALLEST.items())
def test_a_small_layer_of_a_network_is_exact(material, model, index):
    check_layer(material, model, index, "icarus")


@pytest.mark.slow
@every_layer
def test_every_layer_of_a_network_is_exact(material, model, index):
    check_layer(material, model, index, "verilator")


@pytest.mark.parametrize("model", LAYERS)
def test_all_layers_of_a_network_are_among_those_simulated(material, model):
    operators = read_model(material / "mlperf_tiny" / f"{model}.tflite")
    assert [item.index for item in operators if item.name in KINDS] == list(LAYERS[model])
