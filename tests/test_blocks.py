"""Dropout and statistics in simulation: exact, as fast as predicted, under pauses, with damaged frames, after resets.

Icarus in the default run; ``pytest -m slow tests/test_blocks.py`` repeats it in Verilator, where registers that no
reset sets start with random bits.
"""

import numpy as np
import pytest
from block_checks import (
    EXTREMES,
    check_faults,
    check_free,
    check_marked,
    check_parameters,
    check_pauses,
    check_random_faults,
    check_resets,
)
from checked_blocks import BLOCKS, PAUSES, STALLED, beats_of, block, block_design, faults_of, frames_with_faults, send

from hwconv.api import design_of
from hwconv.blocks import block_from_dict
from hwconv.dropout import FrameParameters, inverted, pass_seed
from hwconv.golden import dropout as golden_dropout
from hwconv.golden import mc_statistics as golden_statistics
from hwconv.simulation import Reset, build, explain, run, stimulus, with_user

every_block = pytest.mark.parametrize("name", BLOCKS)


@every_block
def test_a_block_is_exact_and_as_fast_as_predicted(name):
    check_free(name)


@every_block
def test_pauses_change_no_value(name):
    check_pauses(name)


@every_block
def test_every_damaged_frame_is_told_and_the_next_is_right(name):
    check_faults(name)


@every_block
def test_faults_in_frame_after_frame_are_told_each(name, seed):
    check_random_faults(name, seed)


@every_block
def test_a_frame_that_was_damaged_before_is_marked_and_is_no_new_error(name):
    check_marked(name)


@every_block
def test_a_block_starts_again_after_a_reset_in_any_cycle(name, seed):
    check_resets(name, seed)


@pytest.mark.parametrize("name", [name for name in BLOCKS if name.startswith("dropout")])
def test_every_frame_has_parameters_of_its_own(name):
    check_parameters(name)


@pytest.mark.slow
@every_block
def test_faults_and_resets_in_verilator_with_random_registers(name, seed):
    random = np.random.default_rng([seed, 6, len(name)])
    faults = faults_of(name)
    cycles = block(name).plan.cycles
    for number in range(6):
        placed = {index: faults[random.integers(len(faults))] for index in range(60) if random.random() < 0.5}
        reset = Reset(
            cycle=int(random.integers(9, 40 + 3 * cycles.interval)), count=number % 3, period=cycles.latency + 9
        )
        frames = frames_with_faults(name, placed, 62, seed=number)
        setup = dict(stalls=PAUSES[number % 2], simulator="verilator", initial_seed=seed % 1000 + number)
        send(name, frames, placed, reset=reset if number % 3 else None, **setup)


def dropout_outputs(beat_bytes: int, frames: np.ndarray, parameters: list[FrameParameters], **fields: object):
    """What a dropout block gives; it must be right."""
    shape = dict(zip(("height", "width", "channels"), frames.shape[1:], strict=True))
    described = block_from_dict({"kind": "dropout", **shape, **fields, "beat_bytes": beat_bytes})
    feed = with_user(stimulus(frames, beat_bytes), 72, [each.to_user() for each in parameters])
    right = golden_dropout.run(described.dropout, frames, parameters)
    result = run(build(design_of(described.plan), "icarus"), feed, right, capture=True, stalls=STALLED)
    assert result.passed, explain(result)
    return result.captured


@pytest.mark.parametrize("zero_point", [-128, 0, 127])
def test_every_value_at_every_kind_of_scale_is_exact(zero_point):
    every = np.resize(np.arange(-128, 128), (len(EXTREMES), 1, 16, 32)).astype(np.int8)
    dropout_outputs(4, every, EXTREMES, zero_point=zero_point)


def test_the_beats_change_no_value():
    frames = np.random.default_rng(1).integers(-128, 128, (3, 1, 7, 11)).astype(np.int8)
    parameters = [inverted(0.4, seed=pass_seed(9, index)) for index in range(3)]
    first, *others = (dropout_outputs(beat, frames, parameters, stream=3) for beat in (1, 2, 5, 7, 8, 77))
    assert all(np.array_equal(first, other) for other in others)


def test_each_of_the_parameters_is_that_of_its_frame_when_frames_are_a_beat_long():
    """Twenty frames are in the pipeline at a time, each with its own scale, threshold and seed."""
    random = np.random.default_rng(3)
    frames = random.integers(-128, 128, (64, 1, 1, 3)).astype(np.int8)
    parameters = [
        FrameParameters(
            seed=int(random.integers(1 << 32)),
            drop_threshold=int(random.integers(1 << 16)),
            multiplier=int(random.integers(1 << 14, 1 << 15)),
            shift=int(random.integers(0, 9)),
            deterministic=bool(random.integers(4) == 0),
        )
        for _ in frames
    ]
    dropout_outputs(3, frames, parameters)


@pytest.mark.parametrize("statistics", ["moments", "variance"])
@pytest.mark.parametrize("passes", [1, 2, 255, 256, 363])
def test_statistics_of_the_largest_and_smallest_values_are_exact(passes, statistics):
    described = block_from_dict(
        {"kind": "mc_statistics", "height": 1, "width": 2, "channels": 3, "beat_bytes": 4, "passes": passes}
        | {"statistics": statistics}
    )
    low = np.full((passes, 1, 2, 3), -128, np.int8)
    high = np.full_like(low, 127)
    mixed = np.where(np.arange(passes).reshape(-1, 1, 1, 1) % 2, low, high)
    split = np.where(np.arange(6).reshape(1, 1, 2, 3) % 2, low, mixed)
    frames = np.concatenate([low, high, mixed, split])
    feed = with_user(stimulus(frames, 4), 1, [0] * len(frames))
    right = golden_statistics.run(described.statistics, frames)
    result = run(build(design_of(described.plan), "icarus"), feed, right)
    assert result.passed, explain(result)
    cycles = described.plan.cycles
    assert (result.latency, result.interval) == (cycles.latency, cycles.interval)


def test_passes_with_seeds_from_a_base_give_mean_and_variance_bit_for_bit():
    """What a user of Monte-Carlo dropout does: one frame, T seeds, mean and variance of every output."""
    passes, base = 32, 0xC0FFEE
    described = block_from_dict(
        {"kind": "mc_dropout", "height": 1, "width": 1, "channels": 10, "passes": passes, "zero_point": -3}
    )
    frame = np.random.default_rng(5).integers(-128, 128, (1, 1, 1, 10)).astype(np.int8)
    parameters = [inverted(0.25, seed=pass_seed(base, index)) for index in range(passes)]
    masked = np.concatenate([golden_dropout.run(described.dropout, frame, [each]) for each in parameters])
    right = golden_statistics.run(described.statistics, masked)
    assert np.array_equal(right[0, ..., 0] / passes, masked.mean(axis=0))
    assert np.allclose(right[0, ..., 1] / passes**2, masked.astype(float).var(axis=0))
    feed = with_user(stimulus(frame.repeat(passes, 0), 4), 72, [each.to_user() for each in parameters])
    result = run(build(design_of(described.plan), "icarus"), feed, right)
    assert result.passed, explain(result)
    assert result.latency == described.plan.cycles.latency


def test_blocks_differ_in_their_beats():
    """The cases above are what they say: several beats a frame, one, a partial one, blocks that straddle beats."""
    assert {beats_of(name) == 1 for name in BLOCKS} == {True, False}
    assert {block(name).spec.elements % block(name).plan.input_beat_bytes == 0 for name in BLOCKS} == {True, False}
    assert len({block_design(name).sources[f"{name}.v"] for name in BLOCKS}) == len(BLOCKS)
