"""What the tests ask of a stream block; each check takes its name, and the Verilog to run if it is not its own."""

import numpy as np
from checked_blocks import PAUSES, STALLED, block, block_design, faults_of, frames_with_faults, send

from hwconv.dropout import FrameParameters, inverted
from hwconv.golden import dropout as golden_dropout
from hwconv.simulation import Design, LateLast, MissingLast, Reset, Stalls, build, explain, run, stimulus, with_user

RESULTS = 4
EXTREMES = [
    FrameParameters(seed=0, drop_threshold=0),
    FrameParameters(seed=0xFFFFFFFF, drop_threshold=65535, multiplier=16384, shift=8),
    FrameParameters(seed=1, drop_threshold=1, multiplier=32767, shift=8),
    FrameParameters(seed=2, drop_threshold=32768, multiplier=32767, shift=0),
    FrameParameters(seed=3, drop_threshold=65535, multiplier=32767, shift=8, deterministic=True),
    *(inverted(p, seed=index) for index, p in enumerate((0.01, 0.1, 0.25, 0.5, 0.75, 0.8, 0.9, 0.97, 0.99, 0.995))),
]


def check_free(name: str, design: Design | None = None) -> None:
    result = send(name, block(name).frames(RESULTS, seed=1), design=design)
    cycles = block(name).plan.cycles
    assert (result.latency, result.interval) == (cycles.latency, cycles.interval), f"{name}: latency and interval"


def check_pauses(name: str, design: Design | None = None) -> None:
    frames = block(name).frames(RESULTS, seed=2)
    for stalls in (
        STALLED,
        Stalls(input=160, seed=3),
        Stalls(output=200, burst=6, seed=4),
        Stalls(output=128, burst=8),
    ):
        send(name, frames, stalls=stalls, design=design)


def check_faults(name: str, design: Design | None = None) -> None:
    """Every kind of damage in every second frame."""
    placed = {2 * index + 1: fault for index, fault in enumerate(faults_of(name))}
    frames = frames_with_faults(name, placed, 2 * len(placed) + 2, seed=3)
    for stalls in PAUSES:
        result = send(name, frames, placed, stalls=stalls, design=design)
    assert result.frame_errors == len(placed)


def check_random_faults(name: str, seed: int, design: Design | None = None) -> None:
    random = np.random.default_rng([seed, len(name)])
    faults = faults_of(name)
    placed = {index: faults[random.integers(len(faults))] for index in range(24) if random.random() < 0.7}
    for stalls in PAUSES:
        send(name, frames_with_faults(name, placed, 26, seed=4), placed, stalls=stalls, design=design)


def check_marked(name: str, design: Design | None = None) -> None:
    """Frames that come marked leave marked, without a new pulse."""
    frames = block(name).frames(RESULTS, seed=5)
    before = (1, len(frames) - 1)
    for stalls in PAUSES:
        assert send(name, frames, before=before, stalls=stalls, design=design).frame_errors == 0


def check_resets(name: str, seed: int, design: Design | None = None) -> None:
    random = np.random.default_rng([seed, 5, len(name)])
    cycles = block(name).plan.cycles
    placed = {1: LateLast(extra=4), 4: MissingLast()}
    frames = frames_with_faults(name, placed, 8, seed=6)
    for index in range(8):
        reset = Reset(
            cycle=int(random.integers(9, 20 + cycles.latency + 2 * cycles.interval)),
            length=int(random.choice([1, 2, 3, 17])),
            count=int(random.integers(1, 4)),
            period=int(random.choice([18, 25, cycles.latency + 31])),
        )
        send(name, frames, placed, stalls=PAUSES[index % 2], reset=reset, design=design)


def check_parameters(name: str, design: Design | None = None) -> None:
    """A dropout block's frames have parameters of their own, at both ends of all ranges and anywhere between; and for
    every lane of a beat there is a frame whose threshold is the number of one of its elements, which is just kept.
    """
    described, random = block(name), np.random.default_rng(3)
    spec, lanes = described.dropout, min(described.plan.input_beat_bytes, described.spec.elements)
    drawn = golden_dropout.numbers(11, spec.stream, spec.elements)
    ties = [FrameParameters(seed=11, drop_threshold=int(drawn[lane]), multiplier=25000) for lane in range(lanes)]
    parameters = (
        EXTREMES
        + ties
        + [
            FrameParameters(
                seed=int(random.integers(1 << 32)),
                drop_threshold=int(random.integers(1 << 16)),
                multiplier=int(random.integers(1 << 14, 1 << 15)),
                shift=int(random.integers(0, 9)),
                deterministic=bool(random.integers(4) == 0),
            )
            for _ in range(48)
        ]
    )
    frames = described.frames(len(parameters), seed=4)
    frames[len(EXTREMES) : len(EXTREMES) + lanes] = 100 if spec.zero_point < 50 else -100
    feed = with_user(stimulus(frames, described.plan.input_beat_bytes), 72, [each.to_user() for each in parameters])
    right = golden_dropout.run(described.dropout, frames, parameters)
    for stalls in PAUSES:
        result = run(build(design or block_design(name), "icarus"), feed, right, stalls=stalls)
        assert result.passed, f"{name}: {explain(result)}"
