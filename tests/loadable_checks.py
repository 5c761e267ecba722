"""What the tests ask of an engine whose weights are loaded; each check takes its kind, and the Verilog to run."""

from dataclasses import replace

import numpy as np
from engines import random_frames
from loadable_engines import engine_of, hostile_layers, layer_of

from hwconv import golden
from hwconv.layer import Layer
from hwconv.load_trials import damaged_images, run_load_trials
from hwconv.plan.loadable import engine_for
from hwconv.plan.weight_image import image_bytes, image_layout
from hwconv.simulation import Design, Load, Reset, Stalls, build, explain, run
from hwconv.trials import run_trials


def check_two_layers(kind: str, design: Design) -> None:
    """One layer's image, and another's between frames: exact, at the predicted cycles, and with pauses."""
    plan = engine_of(kind)
    other = engine_for(plan, layer_of(kind, 1))
    frames = random_frames(plan.spec, 6, np.random.default_rng(1))
    if plan.spec.streaming:  # the zero points above the first frame are those of the image it comes after
        other = engine_for(plan, with_point(layer_of(kind, 1), plan.spec.input_zero_point))
    outputs = np.concatenate([golden.run(plan.layer, frames)[:4], golden.run(other.layer, frames)[4:]])
    binary = build(design, "icarus")
    loads = [Load(image=image_bytes(plan)), Load(image=image_bytes(other), after=4)]
    result = run(binary, frames, outputs, loads=loads)
    assert result.passed, explain(result)
    ends = [frame.last_out for frame in result.frames[:4]]
    assert (result.latency, ends[3] - ends[2]) == (plan.cycles.latency, plan.cycles.interval)
    layout = image_layout(plan.config)
    assert [last - first + 1 for first, last in result.loads] == [layout.beats] * 2
    assert result.frames[0].first_in - result.loads[0][0] == layout.cycles
    assert result.frames[4].first_in - result.loads[1][0] == layout.cycles
    stalls = Stalls(input=90, output=110, weights=120, burst=3, seed=7)
    paused = run(binary, frames, outputs, loads=loads, stalls=stalls)
    assert paused.passed, explain(paused)


def with_point(layer: Layer, zero_point: int) -> Layer:
    return Layer(replace(layer.spec, input_zero_point=zero_point), layer.parameters)


def check_hostile_layers(kind: str, design: Design) -> None:
    """One after the other in one engine."""
    plan = engine_of(kind)
    layers = list(hostile_layers(kind).values())
    frames = random_frames(plan.spec, len(layers), np.random.default_rng(5))
    frames[0], frames[1] = -128, 127
    outputs = np.concatenate([golden.run(layer, frames[index : index + 1]) for index, layer in enumerate(layers)])
    loads = [Load(image=image_bytes(engine_for(plan, layer)), after=index) for index, layer in enumerate(layers)]
    result = run(build(design, "icarus"), frames, outputs, loads=loads)
    assert result.passed, explain(result)


def check_damaged_images(kind: str, design: Design) -> None:
    """Cut in many beats, too long, of another identity in each of its bytes; then a whole one."""
    plan = engine_of(kind)
    image, layout = image_bytes(plan), image_layout(plan.config)
    frames = random_frames(plan.spec, 2, np.random.default_rng(5))
    size = layout.beat_bytes
    loads = [Load(image=image[: size * (beat + 1)], whole=False) for beat in range(0, layout.beats - 1, 7)]
    loads += [Load(image=image + bytes(size * extra), whole=False) for extra in (1, 2, layout.beats)]
    loads += [Load(image=bytes([*image[:byte], image[byte] ^ 1, *image[byte + 1 :]]), whole=False) for byte in range(4)]
    loads.append(Load(image=image))
    result = run(build(design, "icarus"), frames, golden.run(plan.layer, frames), loads=loads)
    assert result.passed, explain(result)
    assert result.weights_errors == len(loads) - 1 > 10


def check_frames_wait(kind: str, design: Design) -> None:
    """No frame is accepted before an image, and none after a damaged one: cut, too long, or of another engine."""
    plan = engine_of(kind)
    frames = random_frames(plan.spec, 2, np.random.default_rng(5))
    binary, right = build(design, "icarus"), golden.run(plan.layer, frames)
    late = run(binary, frames, right, load_delay=700)
    assert late.passed, explain(late)
    assert late.frames[0].first_in >= 700 + image_layout(plan.config).cycles, "a frame before the image"
    for bad in damaged_images(image_bytes(plan), design.weight_beat_bytes, np.random.default_rng(0)):
        stuck = run(binary, frames, right, loads=[bad], watchdog=2000)
        assert stuck.status == "hang", "a frame after a damaged image"
        assert stuck.frames == ()


def check_resets(kind: str, design: Design) -> None:
    """After a reset in any cycle of a load or a frame the image comes again and is right."""
    plan = engine_of(kind)
    other = engine_for(plan, layer_of(kind, 1))
    frames = random_frames(plan.spec, 4, np.random.default_rng(5))
    outputs = np.concatenate([golden.run(plan.layer, frames[:2]), golden.run(other.layer, frames[2:])])
    loads = [Load(image=image_bytes(plan)), Load(image=image_bytes(other), after=2)]
    binary, random = build(design, "icarus"), np.random.default_rng(6)
    span = image_layout(plan.config).cycles + plan.cycles.latency
    for number in range(12):
        reset = Reset(
            cycle=int(random.integers(9, 2 * span)), length=int(random.choice([1, 1, 2, 5])), count=2,
            period=int(random.integers(20, span)), frame=int(random.choice([0, 2])),
        )  # fmt: skip
        stalls = Stalls(input=60, output=60, weights=60, burst=2, seed=number + 1) if number % 2 else None
        result = run(binary, frames, outputs, loads=loads, reset=reset, stalls=stalls)
        assert result.passed, f"{reset}: {explain(result)}"


def check_trials(kind: str, design: Design) -> None:
    """The hard runs of `hwconv sim`: those of every engine, and those of the weights' stream."""
    plan = engine_of(kind)
    binary = build(design, "icarus")
    frames = random_frames(plan.spec, 4, np.random.default_rng(5))
    results = [
        *run_trials(plan.layer, binary, frames, plan.cycles.latency, 3),
        *run_load_trials(plan, binary, frames, 3),
    ]
    assert len(results) > 15
    wrong = [(result.name, result.problem) for result in results if not result.passed]
    assert not wrong, wrong[0]
