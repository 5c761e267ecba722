"""Engines that run several layers one after the other on one array, against the layers' golden models in sequence."""

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from aimed_specs import zero_point
from engines import engine_design, random_frames
from hypothesis import given
from hypothesis import strategies as st
from random_engines import hostile_frames, lively_layer, random_layer

from hwconv import golden
from hwconv.errors import HwconvError, SpecError, UnsupportedError
from hwconv.layer import Layer
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.program import make_program
from hwconv.plan.shared_array import SharedArray, fold, shared_arrays
from hwconv.plan.shared_engine import buffer_bases
from hwconv.simulation import (
    EarlyLast,
    Fault,
    LateLast,
    MissingLast,
    Reset,
    Stalls,
    WrongKeep,
    build,
    expected,
    explain,
    run,
    stimulus,
)
from hwconv.spec import ConvSpec

STALLED = Stalls(input=100, output=120, burst=4, seed=3)
MOST_CYCLES = 3000
# Name: the layers, multipliers or the array, beat bytes.
PROGRAMS = {
    "3x3_then_1x1": (
        [
            dict(height=6, width=5, in_channels=4, out_channels=8, kernel=(3, 3), padding="same"),
            dict(height=6, width=5, in_channels=8, out_channels=4, kernel=(1, 1)),
        ],
        12,
        None,
    ),
    "narrowing_and_fully_connected": (
        [
            dict(height=7, width=6, in_channels=2, out_channels=4, kernel=(3, 2), stride=(2, 2), padding=(1, 0, 0, 1)),
            dict(height=3, width=3, in_channels=4, out_channels=12, kernel=(3, 3)),
            dict(height=1, width=1, in_channels=12, out_channels=6, kernel=(1, 1)),
        ],
        16,
        2,
    ),
    "depthwise_then_1x1": (
        [
            dict(height=5, width=5, in_channels=6, out_channels=6, groups=6, kernel=(3, 3), padding="same"),
            dict(height=5, width=5, in_channels=6, out_channels=9, kernel=(1, 1)),
        ],
        9,
        3,
    ),
    "widening_with_dilation": (
        [
            dict(height=2, width=3, in_channels=4, out_channels=2, kernel=(1, 1), padding=(3, 4, 2, 5)),
            dict(height=9, width=10, in_channels=2, out_channels=4, kernel=(3, 3), dilation=(4, 3), stride=(1, 2)),
        ],
        20,
        6,
    ),
    "drain_longer_than_the_next_fold": (
        [
            dict(height=5, width=6, in_channels=1, out_channels=2, kernel=(5, 5), padding="same"),
            dict(height=5, width=6, in_channels=2, out_channels=2, kernel=(1, 1)),
        ],
        SharedArray(pixels=24, columns=2, ports=8, word_channels=1, requantisers=1),
        1,
    ),
    "one_pixel": (
        [
            dict(height=1, width=1, in_channels=3, out_channels=4, kernel=(1, 1)),
            dict(height=1, width=1, in_channels=4, out_channels=1, kernel=(1, 1)),
        ],
        4,
        8,
    ),
}
PROGRAMS |= {
    # Words of 4 channels: four groups in a word, then one over two words, then two in a word of which each gives two.
    "groups_side_by_side": (
        [
            dict(height=5, width=4, in_channels=4, out_channels=4, groups=4, kernel=(3, 3), padding="same"),
            dict(height=5, width=4, in_channels=4, out_channels=8, kernel=(1, 1)),
            dict(height=5, width=4, in_channels=8, out_channels=8, groups=4, kernel=(2, 3), stride=(2, 1)),
        ],
        SharedArray(pixels=4, columns=4, ports=1, word_channels=4, requantisers=2),
        4,
    ),
    "more_columns_than_a_word_has_channels": (
        [
            dict(height=4, width=4, in_channels=6, out_channels=12, groups=6, kernel=(2, 2), dilation=(2, 1)),
            dict(height=2, width=3, in_channels=12, out_channels=7, kernel=(1, 1)),
        ],
        SharedArray(pixels=3, columns=8, ports=1, word_channels=3, requantisers=1),
        3,
    ),
    "another_shape": (
        [
            dict(height=3, width=2, in_channels=4, out_channels=4, kernel=(2, 2), padding=(1, 0, 0, 1)),
            dict(height=1, width=1, in_channels=24, out_channels=5, kernel=(1, 1)),
            dict(height=1, width=5, in_channels=1, out_channels=4, kernel=(1, 2)),
        ],
        6,
        None,
    ),
    "last_pixel_leaves_requantisers_idle": (
        [
            dict(height=3, width=4, in_channels=4, out_channels=8, kernel=(2, 2)),
            dict(height=2, width=3, in_channels=8, out_channels=4, kernel=(2, 3)),
            dict(height=1, width=1, in_channels=4, out_channels=6, kernel=(1, 1)),
        ],
        SharedArray(pixels=2, columns=8, ports=1, word_channels=4, requantisers=4),
        4,
    ),
}
every_program = pytest.mark.parametrize("name", PROGRAMS)


@functools.cache
def program(name: str) -> EnginePlan:
    specs, chosen, beat = PROGRAMS[name]
    wanted = {"array": chosen} if isinstance(chosen, SharedArray) else {"multipliers": chosen}
    random = np.random.default_rng(len(name))
    layers = [
        lively_layer(random, ConvSpec(name=f"layer_{index}", input_zero_point=3 - index, **fields))
        for index, fields in enumerate(specs)
    ]
    return make_program(layers, name=name, beat_bytes=beat, **wanted)


def composed(layers: Sequence[Layer], frames: np.ndarray) -> np.ndarray:
    """What the layers compute one after the other."""
    for layer in layers:
        frames = golden.run(layer, frames.reshape(len(frames), *layer.spec.input_shape))
    return frames


@every_program
def test_a_program_computes_its_layers_in_sequence(name):
    plan = program(name)
    frames = random_frames(plan.spec, 5, np.random.default_rng(1))
    for stalls in (None, STALLED):
        result = run(build(engine_design(plan), "icarus"), frames, composed(plan.layers, frames), stalls=stalls)
        assert result.passed, explain(result)
        assert result.frame_errors == 0
        if stalls is None:
            assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval)


def test_groups_of_a_word_share_its_weights():
    """Each weight is stored once: as many words as each column's filters have elements."""
    plan = program("groups_side_by_side")
    assert [item.word_groups for item in plan.config.passes] == [4, 1, 2]
    assert [item.weight_words for item in plan.config.passes] == [9, 4 * 2, 6 * 2 * 2]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=9))
def test_no_two_neighbours_share_a_word_of_their_buffers(words):
    bases = buffer_bases(words)
    spans = [range(base, base + count) for base, count in zip(bases, words, strict=True)]
    for one, other in pairwise([*spans, spans[0]]):
        assert not set(one) & set(other)
    assert min(bases) == 0
    # Some two neighbours fill the memory, or the first with both that must be clear of it.
    together = [len(one) + len(other) for one, other in pairwise([*spans, spans[0]])]
    assert max(span.stop for span in spans) <= max(*together, words[0] + words[-1] + words[-2])


def faults_of(plan: EnginePlan) -> Iterator[Fault]:
    beats = -(-plan.spec.input_bytes // plan.input_beat_bytes)
    yield from (LateLast(extra=1), LateLast(extra=2 * beats + 1), MissingLast(), WrongKeep(beat=0, keep=0))
    yield from (EarlyLast(beat=beat) for beat in sorted({0, beats // 2, beats - 2} & set(range(beats - 1))))


@every_program
def test_damaged_frames_of_a_program_are_told_and_the_next_is_right(name):
    plan = program(name)
    faults = list(faults_of(plan))
    frames = random_frames(plan.spec, 2 * len(faults) + 2, np.random.default_rng(2))
    placed = {2 * index + 1: fault for index, fault in enumerate(faults)} | {2: LateLast(extra=3)}
    feed = stimulus(frames, plan.input_beat_bytes, faults=placed, zero_point=plan.spec.input_zero_point)
    outputs = composed(plan.layers, feed.seen.astype(np.int8))
    target = expected(outputs, plan.output_beat_bytes, damaged=feed.damaged, comparable=feed.comparable)
    for stalls in (None, STALLED):
        result = run(build(engine_design(plan), "icarus"), feed, target, stalls=stalls, watchdog=10_000)
        assert result.passed, explain(result)
        assert result.frame_errors == sum(feed.damaged)


@every_program
def test_a_program_starts_with_its_first_layer_after_a_reset_in_any_cycle(name, seed):
    plan = program(name)
    random = np.random.default_rng([seed, len(name)])
    frames = random_frames(plan.spec, 4, random)
    outputs = composed(plan.layers, frames)
    binary = build(engine_design(plan), "icarus")
    whole = run(binary, frames, outputs)
    for number in range(8):
        reset = Reset(
            cycle=int(random.integers(9, whole.cycles - 200)),
            length=int(random.choice([1, 2, 9])),
            count=int(random.integers(1, 4)),
            period=int(random.choice([21, 100, 333])),
        )
        result = run(binary, frames, outputs, reset=reset, stalls=(None, STALLED)[number % 2])
        assert result.passed, f"{reset}: {explain(result)}"


@every_program
def test_the_result_of_a_frame_does_not_wait_for_a_missing_tlast(name):
    """Beats are discarded beside the work on the later layers."""
    plan = program(name)
    frames = random_frames(plan.spec, 1, np.random.default_rng(4))
    whole = stimulus(frames, plan.input_beat_bytes)
    endless = dataclasses.replace(whole, last=np.zeros_like(whole.last), damaged=(True,))
    result = run(build(engine_design(plan), "icarus"), endless, composed(plan.layers, frames), watchdog=10_000)
    assert result.passed, explain(result)


def random_program(random: np.random.Generator) -> EnginePlan:
    """Two or three layers of any attributes that fit each other, some in another shape, on any array that can run
    them.
    """
    while True:
        count, kind = int(random.integers(2, 4)), str(random.choice(["int8", "int8", "onnx", "uint8"]))
        shape = (*(int(value) for value in random.integers(1, 9, 2)), int(random.choice([1, 2, 3, 4, 6, 8])))
        layers: list[Layer] = []
        try:
            for index in range(count):
                draw = random_layer if kind == "int8" and random.random() < 0.3 else lively_layer
                layers.append(draw(random, next_spec(random, index, shape, kind)))
                shape = layers[-1].spec.output_shape
                if random.random() < 0.2:
                    shape = (1, shape[0], shape[1] * shape[2])
        except HwconvError:
            continue
        specs = [layer.spec for layer in layers]
        arrays = [
            item
            for item in shared_arrays(specs, int(random.choice([4, 9, 16, 24])))
            if sum(fold(spec, item).compute_cycles for spec in specs) < MOST_CYCLES
        ]
        if arrays and max(spec.input_bytes for spec in specs) < MOST_CYCLES:
            array = arrays[int(random.integers(len(arrays)))]
            beat = None if random.random() < 0.4 else array.requantisers * int(random.integers(1, 9))
            with suppress(UnsupportedError):  # layers of both modes, one of which needs the exact unit of the other
                return make_program(layers, array=array, beat_bytes=beat)


def next_spec(random: np.random.Generator, index: int, shape: tuple[int, ...], kind: str) -> ConvSpec:
    groups = int(random.choice([item for item in (1, 1, 2, 3, shape[2]) if shape[2] % item == 0]))
    offset = 128 if kind == "uint8" else 0
    low, high = sorted(offset + int(value) for value in random.integers(-128, 128, 2))
    modes = {"int8": ["tflite", "tflite", "shift"], "onnx": ["onnx"], "uint8": ["tflite", "onnx"]}
    types = {"input_dtype": "uint8", "output_dtype": "uint8", "weight_dtype": "uint8"} if offset else {}
    clamped = random.random() < 0.3
    return ConvSpec(
        name=f"layer_{index}",
        height=shape[0],
        width=shape[1],
        in_channels=shape[2],
        out_channels=groups * int(random.choice([1, 2, 3, 4, 5, 8])),
        groups=groups,
        kernel=tuple(int(value) for value in random.integers(1, 5, 2)),
        stride=tuple(int(value) for value in random.integers(1, 4, 2)),
        dilation=tuple(int(value) for value in random.integers(1, 4, 2)),
        padding=tuple(int(value) for value in random.integers(0, 4, 4)),
        **types,
        input_zero_point=offset + zero_point(random),
        output_zero_point=offset + zero_point(random),
        weight_zero_point=int(random.integers(100, 156)) if offset else 0,
        requantisation=str(random.choice(modes[kind])),
        activation_min=low if clamped else None,
        activation_max=high if clamped else None,
    )


def check_random_program(seed: int, number: int) -> None:
    random = np.random.default_rng([seed, 77, number])
    plan = random_program(random)
    for layer in plan.layers:
        print(layer.spec.to_json())
    frames = hostile_frames(random, plan.spec, 4)
    outputs = composed(plan.layers, frames)
    stalls = Stalls(input=int(random.integers(200)), output=int(random.integers(200)), burst=int(random.integers(6)))
    for pauses in (None, stalls):
        result = run(build(engine_design(plan), "icarus"), frames, outputs, stalls=pauses, watchdog=20_000)
        assert result.passed, f"{plan.config.passes}: {explain(result)}"
        assert result.frame_errors == 0
        if pauses is None:
            assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval), plan.config.passes


@pytest.mark.parametrize("number", range(12))
def test_a_random_program_computes_its_layers_in_sequence(seed, number):
    check_random_program(seed, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(12, 120))
def test_many_random_programs_compute_their_layers_in_sequence(seed, number):
    check_random_program(seed, number)


def layer(**fields: object) -> Layer:
    return random_layer(np.random.default_rng(0), ConvSpec(**{"kernel": (1, 1), **fields}))


SMALL = layer(name="small", height=2, width=2, in_channels=4, out_channels=4)
NARROW = layer(name="narrow", height=2, width=2, in_channels=3, out_channels=1)
RAW = layer(name="raw", height=2, width=2, in_channels=4, out_channels=4, requantisation="none", output_dtype="int32")
ODD_WORDS = SharedArray(pixels=1, columns=2, ports=1, word_channels=3, requantisers=1)
TRANSPOSED = layer(name="up", height=2, width=2, in_channels=4, out_channels=4, transposed=True)
GROUPED = layer(name="grouped", height=2, width=2, in_channels=4, out_channels=4, groups=4)
FEW_COLUMNS = SharedArray(pixels=1, columns=3, ports=1, word_channels=4, requantisers=1)
ODD_REQUANTISERS = SharedArray(pixels=1, columns=3, ports=1, word_channels=4, requantisers=3)
REFUSED = {
    "one layer": ([SMALL], {}, SpecError, "layers to be at least two, not 1"),
    "shapes": ([SMALL, NARROW], {}, SpecError, "narrow: .* as many elements as .* which small computes"),
    "transposed": ([SMALL, TRANSPOSED], {}, UnsupportedError, "up: transposed = True"),
    "columns": ([SMALL, GROUPED], {"array": FEW_COLUMNS}, UnsupportedError, "grouped: columns = 3"),
    "int32 between": ([RAW, SMALL], {}, UnsupportedError, "raw: requantisation = 'none'"),
    "word": ([SMALL, SMALL], {"array": ODD_WORDS}, UnsupportedError, "small: word_channels = 3"),
    "requantisers": ([SMALL, SMALL], {"array": ODD_REQUANTISERS}, UnsupportedError, "small: requantisers = 3"),
    "beat": ([SMALL, SMALL], {"beat_bytes": 129}, SpecError, "beat_bytes .* not 129"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_program_cannot_run_is_refused_by_name(case):
    layers, options, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        make_program(layers, **options)
