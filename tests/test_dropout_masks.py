"""Masks look random: how often, in what runs, and with what in common between elements, frames, seeds and lanes.

Everything is a function of fixed seeds, so a test passes always or never. Bounds are five standard deviations: one in
1.7 million sound draws leaves them. The same tests find fault with weak generators, see the end.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from hwconv.dropout import DropoutSpec, FrameParameters, pass_seed
from hwconv.golden.dropout import dropped, numbers
from hwconv.golden.threefry import threefry2x32

COUNT = 1 << 18
SIGMAS = 5.0
THRESHOLDS = (1, 66, 6554, 16384, 32768, 49152, 58982, 65000, 65535)

Numbers = NDArray[np.int64]
Source = Callable[[int, int], Numbers]
"""Seed and count to numbers."""


def threefry(seed: int, count: int) -> Numbers:
    return numbers(seed, 0, count)


def frequency(drawn: Numbers, threshold: int) -> float:
    """Standard deviations by which the drops differ from what is expected; one drop of slack for rare ones."""
    p = threshold / 65536
    found, mean = int((drawn < threshold).sum()), len(drawn) * p
    return max(0.0, abs(found - mean) - 1) / np.sqrt(mean * (1 - p))


def chi_squared(counts: NDArray[np.int64], expected: float) -> float:
    """Standard deviations of the chi-squared statistic from its mean."""
    freedom = counts.size - 1
    statistic = float(((counts - expected) ** 2).sum() / expected)
    return (statistic - freedom) / np.sqrt(2 * freedom)


def agreement(one: NDArray[np.bool_], other: NDArray[np.bool_], p: float) -> float:
    """Standard deviations of the covariance of two masks from none."""
    covariance = ((one - p) * (other - p)).sum()
    return float(abs(covariance) / (p * (1 - p) * np.sqrt(one.size)))


def runs(mask: NDArray[np.bool_]) -> float:
    """Standard deviations of the number of runs (Wald and Wolfowitz) from its mean, given the drops."""
    ones, zeros = int(mask.sum()), int((~mask).sum())
    total = ones + zeros
    mean = 2 * ones * zeros / total + 1
    variance = (mean - 1) * (mean - 2) / (total - 1)
    return float(abs(1 + int((mask[1:] != mask[:-1]).sum()) - mean) / np.sqrt(variance))


def avalanche(rounds: int) -> float:
    """The largest share, less a half, with which a bit of the index or the seed flips a bit of the block."""
    random = np.random.default_rng(1)
    index, seed = random.integers(0, 1 << 32, (2, 4096)).astype(np.uint64)
    worst = 0.0
    before = threefry2x32((index, seed), (0, 0), rounds)
    for bit in range(64):
        flipped = np.uint64(1 << bit % 32)
        counter = (index ^ flipped, seed) if bit < 32 else (index, seed ^ flipped)
        after = threefry2x32(counter, (0, 0), rounds)
        for one, other in zip(before, after, strict=True):
            shares = ((one ^ other)[:, None] >> np.arange(32, dtype=np.uint64) & np.uint64(1)).mean(axis=0)
            worst = max(worst, float(np.abs(shares - 0.5).max()))
    return worst


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("seed", [0, 1, 0x12345678, 0xFFFFFFFF])
def test_elements_are_dropped_as_often_as_the_threshold_says(seed, threshold):
    assert frequency(threefry(seed, COUNT), threshold) < SIGMAS


def test_numbers_are_uniform_in_their_high_and_low_bits_and_in_pairs():
    drawn = threefry(99, 1 << 20)
    for part in (drawn >> 8, drawn & 255, (drawn >> 4) & 255):
        assert abs(chi_squared(np.bincount(part, minlength=256), len(drawn) / 256)) < SIGMAS
    for lag in (1, 2, 3, 4, 5, 16, 1024):
        pairs = (drawn[:-lag] >> 12) * 16 + (drawn[lag:] >> 12)
        assert abs(chi_squared(np.bincount(pairs, minlength=256), len(pairs) / 256)) < SIGMAS


@pytest.mark.parametrize("threshold", [6554, 32768, 58982])
def test_neighbours_have_nothing_in_common_at_any_distance(threshold):
    mask = threefry(7, COUNT) < threshold
    found = [agreement(mask[:-lag], mask[lag:], threshold / 65536) for lag in [*range(1, 130), 1000, 4096, 65536]]
    assert max(found) < SIGMAS


@pytest.mark.parametrize("threshold", [655, 6554, 32768, 58982])
def test_runs_of_dropped_and_kept_elements_are_as_many_as_chance_has(threshold):
    for seed in range(8):
        assert runs(threefry(seed, COUNT) < threshold) < SIGMAS


def test_each_element_is_dropped_as_often_as_any_over_many_passes():
    passes, p = 512, 0.25
    masks = np.stack([threefry(pass_seed(42, index), 4096) < 16384 for index in range(passes)])
    counts = masks.sum(axis=0)
    statistic = float(((counts - passes * p) ** 2).sum() / (passes * p * (1 - p)))
    assert abs(statistic - 4096) / np.sqrt(2 * 4096) < SIGMAS
    totals = masks.sum(axis=1)
    assert (np.abs(totals - 4096 * p) < SIGMAS * np.sqrt(4096 * p * (1 - p))).all()


def test_seeds_that_differ_little_give_masks_with_nothing_in_common():
    first = threefry(0x5A5A5A5A, 1 << 16) < 32768
    others = [0x5A5A5A5A ^ 1 << bit for bit in range(32)]
    others += [pass_seed(0x5A5A5A5A, index) for index in range(1, 33)] + [0x5A5A5A5A + step for step in range(2, 20)]
    found = [agreement(first, threefry(seed, 1 << 16) < 32768, 0.5) for seed in others]
    assert max(found) < SIGMAS


def test_streams_give_masks_with_nothing_in_common():
    shape = dict(height=64, width=64, channels=16)
    parameters = FrameParameters(seed=3, drop_threshold=32768)
    masks = [dropped(DropoutSpec(**shape, stream=each), parameters) for each in (0, 1, 2, 3, 1 << 31, (1 << 32) - 1)]
    for index, one in enumerate(masks):
        for other in masks[:index]:
            assert agreement(one, other, 0.5) < SIGMAS


@pytest.mark.parametrize("lanes", [3, 4, 16])
def test_lanes_of_a_beat_have_nothing_in_common(lanes):
    mask = (threefry(11, COUNT // lanes * lanes) < 32768).reshape(-1, lanes)
    for lane in range(lanes):
        assert abs(int(mask[:, lane].sum()) - len(mask) / 2) < SIGMAS * np.sqrt(len(mask)) / 2
        for other in range(lane):
            assert agreement(mask[:, lane], mask[:, other], 0.5) < SIGMAS


def test_every_bit_of_index_and_seed_flips_every_bit_of_the_block_half_of_the_time():
    assert avalanche(13) < SIGMAS * 0.5 / np.sqrt(4096)


def test_the_tests_find_fault_with_weak_generators():
    """Fewer rounds of the same, a counter, numbers that neighbours share in part, a biased bit."""
    assert avalanche(6) > 0.1
    counting = np.arange(COUNT) * 3 % 65536
    assert runs(counting < 32768) > SIGMAS
    assert agreement(counting[:-1] < 32768, counting[1:] < 32768, 0.5) > SIGMAS
    drawn = threefry(1, COUNT)
    shared = drawn.copy()
    shared[1::16] = drawn[::16]
    assert runs(shared < 32768) > SIGMAS
    pairs = (shared[:-1] >> 12) * 16 + (shared[1:] >> 12)
    assert abs(chi_squared(np.bincount(pairs, minlength=256), len(pairs) / 256)) > SIGMAS
    biased = threefry(1, COUNT) & ~np.int64(1 << 15) | (threefry(2, COUNT) > 30000) * (1 << 15)
    assert frequency(biased, 32768) > SIGMAS
    assert abs(chi_squared(np.bincount(biased >> 8, minlength=256), COUNT / 256)) > SIGMAS
