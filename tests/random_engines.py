"""Random layers and foldings: the whole attribute space, with values that are hostile on purpose."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import numpy as np
from aimed_specs import aimed_spec, arithmetic, some_clamp
from functional_coverage.aims import aim
from functional_coverage.bins import FOLDING_DIMENSIONS, Bins, bins_of, folding_bins

from hwconv.errors import HwconvError
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.array import foldings
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.simulation import Stalls
from hwconv.spec import ConvSpec, dtype_range, storage_dtype

CHANNELS = (1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 19, 23)
GROUPS = (1, 1, 2, 3, 5)
MULTIPLIERS = (1, 4, 6, 9, 16, 24, 36, 48)
KINDS = ("dense", "dense", "grouped", "depthwise", "depthwise", "depthwise_multiplier", "line", "fully_connected")
MODES = ("tflite", "tflite", "shift", "none")
MOST_WORK = 60_000
"""Cycles of a frame times multipliers, which is what simulating it costs."""
MOST_CYCLES = 4_000
AIMED_DRAWS = 24
"""Specifications drawn for an aim before the nearest engine is taken."""
Frames = np.ndarray


@dataclass(frozen=True, kw_only=True)
class RandomEngine:
    """A plan for a random layer, and frames for it."""

    plan: EnginePlan
    frames: Frames

    @property
    def layer(self) -> Layer:
        return self.plan.layer


def random_engine(random: np.random.Generator, kind: str | None = None) -> RandomEngine:
    """Draws until a layer, a folding and beat widths are legal together and small enough to simulate."""
    chosen = str(random.choice(KINDS)) if kind is None else kind
    while True:
        try:
            layer = random_layer(random, random_spec(random, chosen))
        except HwconvError:
            continue  # the frame is too small for the kernel, or sums leave 32 bits
        plan = random_plan(random, layer)
        if plan is not None:
            return RandomEngine(plan=plan, frames=hostile_frames(random, layer.spec, int(random.integers(3, 5))))


def random_case(seed: int, number: int) -> tuple[RandomEngine, Stalls]:
    """The engine and the pauses of a random test: a function of the seed and the test's number.

    Every second one is drawn for a row of bins (`functional_coverage.aims`), so that what free draws seldom bring
    together comes too.
    """
    random = np.random.default_rng([seed, number])
    wanted = aim(seed, number // 2) if number % 2 else {}
    engine = aimed_engine(random, wanted) if wanted else random_engine(random)
    shares = {"input": int(random.integers(1, 200)), "output": int(random.integers(1, 200))}
    chosen = wanted.get("stalls", "none")
    if chosen == "none":
        chosen = str(random.choice(["input", "output", "both", "both"]))
    stalls = Stalls(
        input=shares["input"] if chosen != "output" else 0,
        output=shares["output"] if chosen != "input" else 0,
        burst=int(random.integers(0, 6)),
        seed=number + 1,
    )
    return engine, stalls


def aimed_engine(random: np.random.Generator, bins: Bins) -> RandomEngine:
    """Draws engines with the attributes and foldings of an aim; the nearest of some, where none has all of them."""
    best: tuple[int, EnginePlan] | None = None
    for _ in range(AIMED_DRAWS):
        try:
            layer = random_layer(random, aimed_spec(random, bins))
        except HwconvError:
            continue
        plan = random_plan(random, layer, bins)
        if plan is None:
            continue
        got = bins_of(plan, None)
        missed = sum(got[name] != wanted for name, wanted in bins.items() if name != "stalls")
        if best is None or missed < best[0]:
            best = missed, plan
        if missed == 0:
            break
    if best is None:
        return random_engine(random)
    spec = best[1].spec
    return RandomEngine(plan=best[1], frames=hostile_frames(random, spec, int(random.integers(3, 5))))


def random_spec(random: np.random.Generator, kind: str) -> ConvSpec:
    """A spec of a kind; raises SpecError where its numbers do not go together."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(random.integers(low, high + 1)), int(random.integers(low, high + 1))

    kernel, stride, dilation = pair(1, 7), pair(1, 4), pair(1, 4)
    pads = tuple(int(value) if random.random() < 0.6 else 0 for value in random.integers(0, 5, 4))
    height, width = (int(random.integers(1, 7 + 2 * size)) for size in kernel)
    groups = int(random.choice(GROUPS)) if kind == "grouped" else 1
    inputs, outputs = (groups * int(random.choice(CHANNELS)) for _ in range(2))
    if kind.startswith("depthwise"):
        groups = inputs
        outputs = inputs * (int(random.integers(2, 6)) if kind == "depthwise_multiplier" else 1)
    if kind == "line":
        height, kernel, stride, dilation, pads = 1, (1, kernel[1]), (1, stride[1]), (1, dilation[1]), (0, 0, *pads[2:])
    if kind == "fully_connected":
        height, width, kernel, stride, dilation, pads = 1, 1, (1, 1), (1, 1), (1, 1), (0, 0, 0, 0)
        inputs, outputs = int(random.integers(1, 120)), int(random.integers(1, 60))
    mode = str(random.choice(MODES))
    clamp = some_clamp(random, mode)
    return ConvSpec(
        name=f"random_{kind}",
        height=height,
        width=width,
        in_channels=inputs,
        out_channels=outputs,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=pads,
        groups=groups,
        **arithmetic(random, mode, clamp),
    )


def random_layer(random: np.random.Generator, spec: ConvSpec) -> Layer:
    """Weights, biases and scales for a spec; outputs mostly use their range, some saturate or are constant."""
    weights = hostile_values(random, spec.weight_shape)
    terms = spec.taps * spec.group_in_channels
    bias = random.integers(-1 - 128 * terms, 128 * terms + 1, spec.out_channels)
    multiplier = shift = None
    if spec.requantisation == "tflite":
        # A sum of `terms` products is some 5000 * sqrt(terms) large; the output should be some 64.
        exponent = np.log2(64 / (5000 * np.sqrt(terms))) + random.uniform(-3, 3) + random.uniform(-1, 1, len(bias))
        multiplier = random.integers(1 << 30, 1 << 31, spec.out_channels)
        shift = np.ceil(exponent).astype(int)
    elif spec.requantisation == "shift":
        shift = random.integers(0, 12 + terms.bit_length(), spec.out_channels)
        shift = -shift
    parameters = LayerParameters(weights=weights, bias=bias, multiplier=multiplier, shift=shift)
    return Layer(spec, parameters, origin="random")


def lively_layer(random: np.random.Generator, spec: ConvSpec) -> Layer:
    """Weights, biases and scales with which outputs use their whole range, where inputs do: of layers in a row, what is
    wrong in the first one is seen behind the last.
    """
    terms = spec.taps * spec.group_in_channels
    size = np.log2(64 / (5000 * np.sqrt(terms)))
    scales: dict[str, object]
    if spec.requantisation == "onnx":
        scales = {"scale": (2**size * random.uniform(0.5, 1, spec.out_channels)).astype(np.float32)}
    else:
        multiplied = spec.requantisation == "tflite"
        exponent = int(np.ceil(size) if multiplied else np.round(size))
        multiplier = random.integers(1 << 30, 1 << 31, spec.out_channels) if multiplied else None
        scales = {"multiplier": multiplier, "shift": np.full(spec.out_channels, exponent)}
    parameters = LayerParameters(
        weights=random.integers(*dtype_range(spec.weight_dtype), spec.weight_shape, endpoint=True).astype(
            spec.weight_dtype
        ),
        bias=random.integers(-64 * terms, 64 * terms + 1, spec.out_channels),
        **scales,
    )
    return Layer(spec, parameters, origin="random")


def random_plan(random: np.random.Generator, layer: Layer, bins: Bins | None = None) -> EnginePlan | None:
    """Any folding, not only the best one, and any width of beats; None if there is none that is small enough.

    With bins to aim at, any of the foldings that come nearest to it.
    """
    spec = layer.spec
    output_beat = None if random.random() < 0.4 else int(random.integers(1, 33)) * layer_value_bytes(spec)
    input_beat = None if random.random() < 0.3 else int(random.integers(1, 33))
    multipliers = int(random.choice(MULTIPLIERS)) if not bins else MULTIPLIERS[-1]
    known = list(foldings(spec, multipliers, output_beat))
    possible = [
        item
        for item in known
        if item.compute_cycles <= MOST_CYCLES
        and item.compute_cycles * (item.multipliers + 8) <= MOST_WORK
        and spec.input_bytes <= MOST_CYCLES
    ]
    if not possible:
        return None
    if not bins and random.random() < 0.6:  # most foldings are of small arrays
        largest = max(item.multipliers for item in possible)
        possible = [item for item in possible if 2 * item.multipliers > largest]
    if bins:
        wanted = {name: value for name, value in bins.items() if name in FOLDING_DIMENSIONS}
        misses = [sum(folding_bins(spec, item)[name] != wanted[name] for name in wanted) for item in possible]
        possible = [item for item, missed in zip(possible, misses, strict=True) if missed == min(misses)]
    folding = possible[int(random.integers(len(possible)))]
    exact = random.random() < 0.1 if not bins or "unit" not in bins else bins["unit"] == "wide"
    with exact_requantisers(spec.requantisation == "tflite" and exact):
        return make_plan(
            layer, multipliers=multipliers, folding=folding, input_beat_bytes=input_beat, output_beat_bytes=output_beat
        )


@contextmanager
def exact_requantisers(wanted: bool) -> Iterator[None]:
    """Plans made inside get TensorFlow Lite's exact unit, which real layers hardly ever need."""
    if not wanted:
        yield
        return
    with patch("hwconv.plan.requantise.narrow_plans", return_value=[]):
        yield


def layer_value_bytes(spec: ConvSpec) -> int:
    """Bytes of an output value."""
    return 4 if spec.requantisation == "none" else 1


def hostile_values(random: np.random.Generator, shape: tuple[int, ...], dtype: str = "int8") -> Frames:
    """All of them the smallest, the largest, 0, one of the ends, or anything; in the type's storage."""
    low, high = dtype_range(dtype)
    stored = np.dtype(storage_dtype(dtype))
    pattern = random.integers(8)
    if pattern < 3:
        return np.full(shape, (low, high, 0)[pattern], stored)
    if pattern == 3:
        return random.choice(np.array([low, high], stored), shape)
    return np.asarray(random.integers(low, high + 1, shape)).astype(stored)


def hostile_frames(random: np.random.Generator, spec: ConvSpec, count: int) -> Frames:
    """Frames, each hostile in its own way."""
    return np.stack([hostile_values(random, spec.input_shape, spec.input_dtype) for _ in range(count)])
