"""The hard runs of `hwconv sim` for an engine whose weights are loaded: other weights, damaged images, resets.

Every run is checked beat by beat against the golden model of the layer whose image was whole last.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwconv import golden, simulation
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.loadable import engine_for
from hwconv.plan.weight_image import image_bytes
from hwconv.simulation import Binary, Load, Reset, Stalls
from hwconv.trials import Frames, TrialResult, trial_result


@dataclass(frozen=True, kw_only=True)
class LoadTrial:
    """One run: which images come when, and what else is done to the engine.

    Members:
        name: what people call it.
        loads: the images. layers: which of the two layers each frame is computed with.
        stalls, reset: as in `hwconv.trials.Trial`. delay: cycles before the first image.
    """

    name: str
    loads: tuple[Load, ...]
    layers: tuple[int, ...]
    stalls: Stalls | None = None
    reset: Reset | None = None
    delay: int = 0


def reversed_layer(layer: Layer) -> Layer:
    """Another layer that fits wherever a layer does: its output channels in the opposite order."""
    turned: dict[str, Any] = {
        name: None if value is None else value[::-1] for name, value in vars(layer.parameters).items()
    }
    spec = replace(layer.spec, name=f"{layer.spec.name}, reversed")
    return Layer(spec, LayerParameters(**turned), layer.origin)


def damaged_images(image: bytes, beat_bytes: int, random: np.random.Generator) -> Iterator[Load]:
    """An image that is cut, one without TLAST that runs on into more beats, and one of another engine."""
    beats = len(image) // beat_bytes
    cut = int(random.integers(1, beats)) * beat_bytes
    yield Load(image=image[:cut], whole=False)
    yield Load(image=image + bytes(beat_bytes * int(random.integers(1, 5))), whole=False)
    yield Load(image=bytes([image[0] ^ 1]) + image[1:], whole=False)


def load_trials(images: Sequence[bytes], beat_bytes: int, frames: int, latency: int, seed: int) -> Iterator[LoadTrial]:
    """The trials of an engine.

    Parameters:
        images: of two layers. beat_bytes: of the weight stream. frames: of each run, at least four.
        latency: cycles of a frame. seed: of all choices.
    """
    random = np.random.default_rng(seed)
    first, second = (Load(image=image) for image in images)
    half = frames // 2
    swap = (first, replace(second, after=half))
    swapped = tuple(int(index >= half) for index in range(frames))
    stalls = Stalls(input=64, output=64, weights=96, burst=3, seed=seed)
    yield LoadTrial(name="other weights between frames", loads=swap, layers=swapped)
    yield LoadTrial(name="other weights, pauses of all three", loads=swap, layers=swapped, stalls=stalls)
    often = tuple(replace((first, second)[index % 2], after=index) for index in range(frames))
    turns = tuple(index % 2 for index in range(frames))
    yield LoadTrial(name="other weights before every frame", loads=often, layers=turns)
    yield LoadTrial(name="frames before any weights", loads=(first,), layers=(0,) * frames, delay=latency)
    for name, bad in zip(("cut", "too long", "foreign"), damaged_images(images[0], beat_bytes, random), strict=True):
        between = (first, replace(bad, after=half), replace(second, after=half))
        yield LoadTrial(name=f"image {name}, then a whole one", loads=(bad, *between), layers=swapped, stalls=stalls)
    beats = len(images[0]) // beat_bytes
    reset = Reset(cycle=int(random.integers(9, 9 + beats)), count=3, period=beats + latency // 2 + 31, frame=half)
    yield LoadTrial(
        name="resets while weights are loaded", loads=swap, layers=swapped, stalls=replace(stalls, burst=0), reset=reset
    )


def run_load_trials(engine: EnginePlan, binary: Binary, frames: Frames, seed: int) -> Iterator[TrialResult]:
    """Runs all trials of a loadable engine, one after the other, and yields what each found.

    Parameters:
        engine: the plan, with a layer's weights. binary: the engine, compiled.
        frames: (N, H, W, C) with at least four frames. seed: of all choices.
    """
    other = reversed_layer(engine.layer)
    images = [image_bytes(engine), image_bytes(engine_for(engine, other))]
    outputs = [golden.run(layer, frames) for layer in (engine.layer, other)]
    latency, beat_bytes = engine.cycles.latency, binary.design.weight_beat_bytes
    for trial in load_trials(images, beat_bytes, len(frames), latency, seed):
        if engine.spec.streaming and trial.reset is not None:
            continue  # a sequence begins anew after a reset
        result = simulation.run(
            binary,
            frames,
            np.stack([outputs[layer][index] for index, layer in enumerate(trial.layers)]),
            stalls=trial.stalls,
            reset=trial.reset,
            loads=trial.loads,
            load_delay=trial.delay,
            watchdog=20 * latency + 10_000 + trial.delay,
        )
        yield trial_result(trial.name, result)
