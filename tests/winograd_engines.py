"""Random Winograd engines: any legal layer, any folding, values that are hostile on purpose."""

from dataclasses import dataclass

import numpy as np
from random_engines import exact_requantisers, hostile_frames, random_layer

from hwconv.errors import HwconvError
from hwconv.layer import Layer
from hwconv.plan.winograd import ALGORITHMS, WinogradPlan, make_winograd_plan, tile_foldings
from hwconv.spec import ConvSpec

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 12)
MULTIPLIERS = (4, 12, 16, 36, 48, 72)
MODES = ("tflite", "tflite", "shift", "none")
MOST_WORK = 40_000
"""Cycles of a frame times multipliers, which is what simulating it costs."""
MOST_CYCLES = 2_500


@dataclass(frozen=True, kw_only=True)
class WinogradCase:
    """A plan for a random layer, and frames for it."""

    plan: WinogradPlan
    frames: np.ndarray

    @property
    def layer(self) -> Layer:
        return self.plan.layer


def winograd_case(seed: int, number: int) -> WinogradCase:
    """Draws until a layer and a folding are small enough to simulate."""
    random = np.random.default_rng([seed, 77, number])
    while True:
        try:
            layer = random_layer(random, winograd_spec(random))
            plan = winograd_plan(random, layer)
        except HwconvError:
            continue  # the frame is too small, or sums leave 32 bits
        if plan is not None:
            return WinogradCase(plan=plan, frames=hostile_frames(random, layer.spec, int(random.integers(3, 5))))


def winograd_spec(random: np.random.Generator) -> ConvSpec:
    """Any pads, zero points, groups and clamps, frames that end in whole and in partial tiles."""
    kernel = [(3, 3), (3, 3), (1, 3), (3, 1)][int(random.integers(4))]
    groups = int(random.choice([1, 1, 1, 2, 3]))
    inputs, outputs = (groups * int(random.choice(CHANNELS)) for _ in range(2))
    mode = str(random.choice(MODES))
    low, high = (-128, 127) if mode != "none" else (None, None)
    if mode != "none" and random.random() < 0.5:
        low, high = sorted(int(value) for value in random.integers(-128, 128, 2))
    return ConvSpec(
        name="random_winograd",
        height=int(random.integers(1, 14)),
        width=int(random.integers(1, 14)),
        in_channels=inputs,
        out_channels=outputs,
        kernel=kernel,
        padding=tuple(int(value) if random.random() < 0.6 else 0 for value in random.integers(0, 6, 4)),
        groups=groups,
        input_zero_point=int(random.choice([0, -128, 127, 83, -3])),
        output_zero_point=0 if mode == "none" else int(random.integers(-128, 128)),
        output_dtype="int32" if mode == "none" else "int8",
        requantisation=mode,
        activation_min=low,
        activation_max=high,
    )


def winograd_plan(random: np.random.Generator, layer: Layer) -> WinogradPlan | None:
    """Any tile, any array on its positions and any width of beats; None if all of them are too large."""
    spec = layer.spec
    algorithm = str(random.choice(list(ALGORITHMS)))
    multipliers = int(random.choice(MULTIPLIERS))
    values = 4 if spec.requantisation == "none" else 1
    output_beat = None if random.random() < 0.5 else int(random.integers(1, 17)) * values
    input_beat = None if random.random() < 0.5 else int(random.integers(1, 17))
    possible = [
        item
        for item in tile_foldings(spec, algorithm, multipliers, output_beat)
        if item.compute_cycles <= MOST_CYCLES
        and item.compute_cycles * (item.multipliers + 8) <= MOST_WORK
        and spec.input_bytes <= MOST_CYCLES
    ]
    if not possible:
        return None
    folding = possible[int(random.integers(len(possible)))]
    with exact_requantisers(spec.requantisation == "tflite" and random.random() < 0.1):
        return make_winograd_plan(
            layer,
            algorithm=algorithm,
            multipliers=multipliers,
            folding=folding,
            input_beat_bytes=input_beat,
            output_beat_bytes=output_beat,
        )
