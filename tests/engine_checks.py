"""What the tests ask of an engine: exact and as fast as predicted, under pauses, with damaged frames, after resets.

Every check takes a plan and, if it is not the plan's own, the Verilog to run: `tests/faults` gives it Verilog with a
fault and asks whether a check notices. Expected values are the golden model's, cycles the plan's.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from engines import describe, engine_design, random_frames
from requantiser_bench import in_digits, outputs_by_cycle

from hwconv import golden
from hwconv.golden.requantise import requantise_channel
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.requantiser_model import evaluate
from hwconv.plan.winograd import WinogradPlan
from hwconv.plan.winograd_transforms import transform_weights
from hwconv.simulation import (
    Design,
    EarlyLast,
    Fault,
    LateLast,
    MissingLast,
    Reset,
    SimulationResult,
    Simulator,
    Stalls,
    Stimulus,
    WrongKeep,
    build,
    expected,
    explain,
    run,
    stimulus,
)
from hwconv.spec import dtype_range, storage_dtype

STALLED = Stalls(input=90, output=110, burst=4, seed=7)
PAUSES = (None, STALLED)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """An engine on a simulator.

    Members:
        plan: what it should be. design: its Verilog. initial_seed: of registers that no reset sets (Verilator).
        watchdog: cycles without a handshake that count as a hang. timeout: seconds after which a run is killed.
    """

    plan: EnginePlan
    design: Design
    simulator: Simulator = "icarus"
    initial_seed: int | None = None
    watchdog: int = 20_000
    timeout: float = 3600.0

    def seeded(self, number: int) -> "Bench":
        """The same engine with other initial values, where it has any."""
        return self if self.initial_seed is None else replace(self, initial_seed=self.initial_seed + number)

    def send(self, feed: Stimulus, stalls: Stalls | None = None, reset: Reset | None = None) -> SimulationResult:
        """Sends beats; what must come out is what the layers compute of the frames that an engine sees in them."""
        target = expected(
            outputs_of(self.plan, feed.seen.astype(storage_dtype(self.plan.spec.input_dtype))),
            self.plan.output_beat_bytes,
            damaged=feed.damaged,
            comparable=feed.comparable,
        )
        return run(
            build(self.design, self.simulator, random_initial=self.initial_seed is not None),
            feed,
            target,
            stalls=stalls,
            reset=reset,
            watchdog=self.watchdog,
            timeout=self.timeout,
            initial_seed=self.initial_seed,
        )


def bench_of(plan: EnginePlan, simulator: Simulator = "icarus", initial_seed: int | None = None) -> Bench:
    """A plan's own Verilog."""
    return Bench(plan=plan, design=engine_design(plan), simulator=simulator, initial_seed=initial_seed)


def outputs_of(plan: EnginePlan, frames: np.ndarray) -> np.ndarray:
    """What the plan's layers compute one after the other."""
    for layer in plan.layers:
        frames = golden.run(layer, frames.reshape(len(frames), *layer.spec.input_shape))
    return frames


def cycles_of(plan: EnginePlan) -> tuple[int, int]:
    """Latency and interval."""
    return plan.cycles.latency, plan.cycles.interval


def beats_of(plan: EnginePlan) -> int:
    return -(-plan.spec.input_bytes // plan.input_beat_bytes)


def faults_of(plan: EnginePlan) -> Iterator[Fault]:
    """Every kind of fault in the first beat, somewhere inside, in the last row and in the last beat."""
    beats, lanes = beats_of(plan), plan.input_beat_bytes
    last_row = beats - -(-beats // plan.spec.height)
    full = (1 << lanes) - 1
    positions = sorted({0, beats // 2, last_row, beats - 2} & set(range(beats - 1)))
    yield from (EarlyLast(beat=beat) for beat in positions)
    yield from (LateLast(extra=extra) for extra in (1, 2, beats, 3 * beats + 1))
    yield MissingLast()
    for beat in sorted({*positions, beats - 1}):
        right = full if beat < beats - 1 else (1 << (plan.spec.input_bytes - 1) % lanes + 1) - 1
        yield from (WrongKeep(beat=beat, keep=keep) for keep in {0, full, full >> 1, full - 1} - {right})


def check_free(bench: Bench) -> None:
    """Frames back to back: every output is right, latency and interval are those of the plan."""
    plan = bench.plan
    frames = random_frames(plan.spec, 4, np.random.default_rng(1))
    result = bench.send(stimulus(frames, plan.input_beat_bytes))
    assert result.passed, f"{describe(plan)}: {explain(result)}"
    assert (result.latency, result.interval) == cycles_of(plan), f"{describe(plan)}: latency and interval"


@dataclass(frozen=True, kw_only=True)
class TableEntry:
    """An entry of a requantiser's table as it is written.

    Members:
        channel: whose it is. requantiser: which one reads it. entry: its word.
        sums: all that the channel's weights can add up to, without zero points and bias, in ascending order.
        right: what the golden function makes of each.
    """

    channel: int
    requantiser: int
    entry: int
    sums: np.ndarray
    right: np.ndarray


def table_entries(plan: EnginePlan, design: Design) -> Iterator[TableEntry]:
    """The entries of all layers, phases and channels."""
    config = plan.config
    for layer, item in zip(plan.layers, config.passes, strict=True):
        spec, per_group = layer.spec, layer.spec.out_channels // item.groups
        phases = [(row, column) for row in spec.phase_taps(0) for column in spec.phase_taps(1)]
        for (number, (rows, columns)), channel in itertools.product(enumerate(phases), range(spec.out_channels)):
            group, inside = divmod(channel, per_group)
            tile, place = divmod(inside, config.columns)
            turn, requantiser = divmod(place, config.requantisers)
            fold = (number * item.groups + group) * item.tiles + tile
            lines = design.files[f"{config.name}_table_{requantiser}.mem"].split()
            weights = layer.parameters.weights[channel][list(rows)][:, list(columns)].astype(np.int64)
            ends = -128 * weights, 127 * weights
            sums = np.arange(np.minimum(*ends).sum(), np.maximum(*ends).sum() + 1)
            offset = int(layer.parameters.biases[channel]) - spec.input_zero_point * int(weights.sum())
            yield TableEntry(
                channel=channel,
                requantiser=requantiser,
                entry=int(lines[item.table_base + fold * config.drain + turn], 16),
                sums=sums,
                right=requantise_channel(spec, layer.parameters, channel, sums + offset).astype(np.int64),
            )


def check_tables(bench: Bench) -> None:
    """The requantisers' tables as they are written mean the golden function of their channels, for every sum.

    Frames of a few thousand values do not find a threshold that is a little off.
    """
    plan = bench.plan
    for each in table_entries(plan, bench.design):
        wrong = np.flatnonzero(evaluate(plan.config.requantiser, each.entry, each.sums) != each.right)
        assert not len(wrong), (
            f"{plan.spec.name}: the table entry of channel {each.channel} is wrong for {each.sums[wrong[0]]}"
        )


def check_requantisers(bench: Bench, every_sum: bool = False) -> int:
    """The requantisers as they are written compute the golden function on both sides of every change of the output.

    They run by themselves, a channel's sum after that of another, so that no frame has to be found for a sum.

    Parameters:
        every_sum: try all that the weights can add up to.

    Returns:
        how many sums were tried, over all channels.
    """
    plan, unit = bench.plan, bench.plan.config.requantiser
    tried: dict[int, list[tuple[int, int, int]]] = {}
    for each in table_entries(plan, bench.design):
        chosen = np.arange(len(each.sums)) if every_sum else _turns(each.right)
        rows = zip(each.sums[chosen].tolist(), each.right[chosen].tolist(), strict=True)
        tried.setdefault(each.requantiser, []).extend((each.entry, a, value) for a, value in rows)
    sources = {name: text for name, text in bench.design.files.items() if name.endswith(".v")}
    for requantiser, rows in tried.items():
        np.random.default_rng(4).shuffle(rows)
        lines = outputs_by_cycle(unit, sources, _requantiser_module(bench, requantiser), [row[:2] for row in rows])
        got = lines[unit.latency : unit.latency + len(rows)]
        for line, wanted, (_, a, _) in zip(got, in_digits(unit, [row[2] for row in rows]), rows, strict=True):
            assert line == wanted, f"{plan.spec.name}: requantiser {requantiser} makes {line} of {a}, not {wanted}"
    return sum(len(rows) for rows in tried.values())


def _turns(right: np.ndarray) -> np.ndarray:
    """Both ends, both sides of every change of the output, and some in between; where each sum has an output of its
    own, only the ends and the latter."""
    changes = np.flatnonzero(np.diff(right))
    if len(changes) == len(right) - 1:
        changes = changes[:0]
    between = np.linspace(0, len(right) - 1, min(len(right), 300)).astype(np.int64)
    return np.unique(np.concatenate([changes, changes + 1, between]))


def _requantiser_module(bench: Bench, number: int) -> str:
    """The module of a requantiser: those that are equal are one module, whose name has no number."""
    merged = f"{bench.plan.top_name}_requantiser"
    alone = f"{merged}_{number}"
    return alone if f"\nmodule {alone}(" in bench.design.files[f"{bench.design.top}.v"] else merged


def check_extreme_tiles(bench: Bench) -> None:
    """Frames that drive the sum of each position of a Winograd tile to the largest and to the smallest that it can be.

    Sums of random frames are far from there: one that wraps a bit early would hardly show.
    """
    plan = bench.plan
    assert isinstance(plan, WinogradPlan)
    result = bench.send(stimulus(np.stack(list(extreme_tiles(plan))), plan.input_beat_bytes))
    assert result.passed, explain(result)


def extreme_tiles(plan: WinogradPlan) -> Iterator[np.ndarray]:
    """Two frames for each position: the tile and the output channel that reach farthest, all else zero points."""
    spec, config = plan.spec, plan.config
    axes = config.vertical, config.horizontal
    weights = transform_weights(*axes, plan.layer.parameters.weights)
    low, high = dtype_range(spec.input_dtype)
    down, across = (axis.input.matrices()[-1] for axis in axes)
    # Of every tile, where its pixels are in the frame; beyond it there is nothing to choose.
    tiles = [
        np.ix_(*(
            np.arange(size) + tile * axis.outputs - pad
            for size, tile, axis, pad in zip(
                (axes[0].inputs, axes[1].inputs), tile, axes, (spec.padding.top, spec.padding.left), strict=True
            )
        ))
        for tile in np.ndindex(config.bands, config.tiles_across)
    ]  # fmt: skip
    for row, column in np.ndindex(weights.shape[:2]):
        pattern = np.outer(down[row], across[column])
        channel = int(np.abs(weights[row, column]).sum(axis=1).argmax())
        first = channel // spec.group_out_channels * spec.group_in_channels
        signs = np.sign(pattern)[..., np.newaxis] * np.sign(weights[row, column, channel])

        def reach(tile: tuple[np.ndarray, ...], pattern: np.ndarray = pattern) -> int:
            inside = (tile[0] >= 0) & (tile[0] < spec.height) & (tile[1] >= 0) & (tile[1] < spec.width)
            return int(np.abs(pattern)[inside].sum())

        ys, xs = max(tiles, key=reach)
        for sign in (1, -1):
            frame = np.full(spec.input_shape, spec.input_zero_point)
            for (y, x), each in zip(np.ndindex(pattern.shape), signs.reshape(-1, signs.shape[-1]), strict=True):
                if 0 <= ys[y, 0] < spec.height and 0 <= xs[0, x] < spec.width:
                    chosen = np.where(sign * each > 0, high, np.where(each == 0, spec.input_zero_point, low))
                    frame[ys[y, 0], xs[0, x], first : first + len(chosen)] = chosen
            yield frame.astype(storage_dtype(spec.input_dtype))


def check_long_pauses(bench: Bench) -> None:
    """The sink rests for longer than the engine can work ahead: every buffer fills up, back to the input."""
    plan = bench.plan
    burst = min(15, (8 * cycles_of(plan)[1]).bit_length())
    frames = random_frames(plan.spec, 16, np.random.default_rng(2))
    patient = replace(bench, watchdog=bench.watchdog + (16 << burst))
    result = patient.send(stimulus(frames, plan.input_beat_bytes), Stalls(output=128, burst=burst, seed=5))
    assert result.passed, explain(result)


def check_double_faults(bench: Bench) -> None:
    """Frames with several faults are told once each: TKEEP wrong in every beat, and TLAST early, late or missing."""
    plan = bench.plan
    frames = random_frames(plan.spec, 12, np.random.default_rng(3))
    wrong: dict[int, Fault] = {1: WrongKeep(beat=0, keep=0), 5: LateLast(extra=2), 7: MissingLast()}
    if beats_of(plan) > 2:
        wrong[9] = EarlyLast(beat=beats_of(plan) - 2)
    feed = stimulus(frames, plan.input_beat_bytes, faults=wrong, zero_point=plan.spec.input_zero_point)
    keep = feed.keep.copy()
    starts = [*feed.frame_starts, len(keep)]
    for index, bad in enumerate(feed.damaged):
        if bad:
            end = min(starts[index] + beats_of(plan), starts[index + 1])
            keep[starts[index] : end] = False
    told = replace(feed, keep=keep, comparable=tuple(not bad for bad in feed.damaged))
    for stalls in PAUSES:
        result = bench.send(told, stalls)
        assert result.passed, explain(result)
        assert result.frame_errors == sum(feed.damaged) == len(wrong)


def check_faults(bench: Bench, stalls: Stalls | None) -> None:
    """Damages every second frame, so that each fault is followed by a frame that must be right."""
    plan = bench.plan
    faults = list(faults_of(plan))
    random = np.random.default_rng(11)
    frames = random_frames(plan.spec, 2 * len(faults) + 2, random)
    placed: dict[int, Fault] = {2 * index + 1: fault for index, fault in enumerate(faults)}
    feed = stimulus(frames, plan.input_beat_bytes, faults=placed, zero_point=plan.spec.input_zero_point)
    result = bench.send(feed, stalls)
    assert result.passed, explain(result)
    assert result.frame_errors == sum(feed.damaged) == len(faults)
    print(f"{plan.spec.name}: {len(faults)} faults told, {result.outputs} outputs exact")


def check_random_faults(bench: Bench, seed: int) -> None:
    """Damages frame after frame, with and without pauses."""
    plan = bench.plan
    random = np.random.default_rng([seed, len(plan.spec.name)])
    faults = list(faults_of(plan))
    count = 24
    placed = {index: faults[random.integers(len(faults))] for index in range(count - 1) if random.random() < 0.7}
    frames = random_frames(plan.spec, count, random)
    feed = stimulus(frames, plan.input_beat_bytes, faults=placed, zero_point=plan.spec.input_zero_point)
    for stalls in PAUSES:
        result = bench.send(feed, stalls)
        assert result.passed, explain(result)
        assert result.frame_errors == sum(feed.damaged)


def resets_of(plan: EnginePlan, random: np.random.Generator, count: int) -> Iterator[tuple[Reset, Stalls | None]]:
    """Resets in any cycle of the first frames, single and several, one cycle long and longer, some while the engine is
    still clearing itself after the one before."""
    latency, interval = cycles_of(plan)
    latest = 20 + latency + 2 * interval
    for index in range(count):
        reset = Reset(
            cycle=int(random.integers(9, latest)),
            length=int(random.choice([1, 1, 2, 3, 17])),
            count=int(random.integers(1, 4)),
            period=int(random.choice([18, 25, 60, latency + 31])),
            frame=0 if plan.spec.streaming else int(random.integers(0, 3)),  # a sequence begins anew
        )
        yield reset, PAUSES[index % len(PAUSES)]


def check_resets(bench: Bench, seed: int, count: int) -> None:
    """After each reset both sides start again, in the middle of whatever was going on, damaged frames included."""
    plan = bench.plan
    random = np.random.default_rng([seed, 5, len(plan.spec.name)])
    frames = random_frames(plan.spec, 8, random)
    faults: dict[int, Fault] = {1: LateLast(extra=4), 4: MissingLast()}
    if beats_of(plan) > 1:
        faults[3] = EarlyLast(beat=0)
    feed = stimulus(frames, plan.input_beat_bytes, faults=faults, zero_point=plan.spec.input_zero_point)
    for number, (reset, stalls) in enumerate(resets_of(plan, random, count)):
        result = bench.seeded(number).send(feed, stalls, reset)
        assert result.passed, f"{reset}, {stalls}: {explain(result)}"
