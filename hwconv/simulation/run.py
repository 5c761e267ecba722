"""Runs a compiled simulator on frames and compares what comes out with what was expected."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from hwconv.packing import bytes_to_tensor
from hwconv.simulation.build import Binary, write_sources
from hwconv.simulation.design import Expected, Load, Loads, Stimulus, Values, expected, stimulus
from hwconv.simulation.report import SimulationResult, parse

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """Random pauses on either side.

    Parameters:
        input, output: share of the cycles, out of 256, in which no beat is offered or none is taken. 0 never pauses.
        weights: likewise of the weight stream, where there is one.
        burst: each choice is kept for 1 to `2 ** burst` cycles: long pauses fill buffers that short ones never fill.
        seed: the choices are a function of it.
    """

    input: int = 0
    output: int = 0
    weights: int = 0
    burst: int = 0
    seed: int = 1

    def __post_init__(self) -> None:
        shares = (self.input, self.output, self.weights)
        if not (all(0 <= share < 256 for share in shares) and 0 <= self.burst <= 15):
            raise ValueError(f"Expected stalls of 0 to 255 and a burst of 0 to 15, not {self}")


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Resets in mid-run; after each, both sides start again with frame `frame`.

    Parameters:
        cycle: when the first one begins.
        length: cycles of each.
        count, period: how many, and the cycles between their beginnings.
    """

    cycle: int
    length: int = 4
    count: int = 1
    period: int = 0
    frame: int = 0


def run(
    binary: Binary,
    frames: Values | Stimulus,
    outputs: Values | Expected,
    *,
    stalls: Stalls | None = None,
    reset: Reset | None = None,
    frame_errors: int | None = None,
    loads: Sequence[Load] | None = None,
    load_delay: int = 0,
    power_up_reset: int = 8,
    watchdog: int = 100_000,
    drain: int = 256,
    waveform: Path | None = None,
    capture: bool = False,
    initial_seed: int | None = None,
    timeout: float = 3600.0,
    folder: Path | None = None,
) -> SimulationResult:
    """Sends frames through a simulated engine. A difference or a hang raises nothing: the result carries it.

    Parameters:
        binary: what `build` returned.
        frames: [frames, ...] in the order the values are sent, or a `Stimulus` with faults.
        outputs: [frames, ...] of the type of an output value, or an `Expected`. For a `Stimulus` with faults, these are
            the outputs for `Stimulus.seen`.
        stalls, reset: pauses and resets; by default none.
        frame_errors: how often `frame_error` must pulse; by default once for each output frame that is damaged.
        loads: what goes into the weight stream of a loadable engine; by default the design's own image.
        load_delay: cycles after each reset before its first beat.
        power_up_reset: cycles of reset at the start; with 0 the engine has nothing but its values at power-up.
        watchdog: cycles without a handshake that was due that count as a hang.
        drain: cycles after the last beat in which no further one may come.
        waveform: a VCD file to write; `binary` must be built with `waveform=True`.
        capture: keep the values the hardware gave.
        initial_seed: for a binary built with `random_initial`.
        timeout: seconds of wall time after which the run is killed.
        folder: where to run; by default a temporary folder. It is left as it is after the run.

    Raises:
        ValueError: a waveform is asked of a binary built without.
    """
    feed = frames if isinstance(frames, Stimulus) else stimulus(frames, binary.design.input_beat_bytes)
    if isinstance(outputs, Expected):
        target = outputs
    else:
        damage = (feed.damaged, feed.comparable) if len(outputs) == len(feed.damaged) else (None, None)
        target = expected(outputs, binary.design.output_beat_bytes, damaged=damage[0], comparable=damage[1])
    if waveform is not None and not binary.options.waveform:
        raise ValueError("Expected a binary built with waveform=True")
    images = _loads(binary, loads)
    binary = binary.holding(max(len(feed.data), len(target.data), images.beats if images else 0))
    stalls = Stalls() if stalls is None else stalls

    plusargs = {
        "input_beats": len(feed.data),
        "output_beats": len(target.data),
        "frame_beats": max(1, target.frame_beats),
        "value_bytes": target.value_bytes,
        "input_stall": stalls.input,
        "output_stall": stalls.output,
        "burst": stalls.burst,
        "seed": stalls.seed,
        "power_up_reset": power_up_reset,
        "watchdog": watchdog,
        "drain": drain,
        # Pulses before a reset belong to frames that are sent again: their number is not known.
        "frame_errors": -1 if reset is not None else sum(target.damaged) if frame_errors is None else frame_errors,
    }
    if reset is not None:
        plusargs |= {
            "reset_cycle": reset.cycle,
            "reset_length": reset.length,
            "reset_count": reset.count,
            "reset_period": reset.period,
            "reset_stimulus": feed.frame_starts[reset.frame],
            "reset_expected": reset.frame * target.frame_beats,
            "reset_frame": reset.frame,
        }
    if images is not None:
        plusargs |= {
            "weight_beats": images.beats,
            "weight_stall": stalls.weights,
            "weight_delay": load_delay,
            "weights_errors": images.errors if reset is None else -1,
            "reset_weights": images.start(0 if reset is None else reset.frame),
        }
    command = [*binary.command, *(f"+{name}={value}" for name, value in plusargs.items())]
    command += ["+capture=captured.hex"] if capture else []
    command += [f"+waveform={waveform.resolve()}"] if waveform is not None else []
    if initial_seed is not None and binary.options.random_initial:
        command += ["+verilator+rand+reset+2", f"+verilator+seed+{initial_seed}"]

    with _working(folder) as place:
        write_sources(place, binary.design.images)
        (place / "stimulus.mem").write_text(feed.image())
        (place / "expected.mem").write_text(target.image())
        if images is not None:
            (place / "weights.mem").write_text(images.text())
        start = time.perf_counter()
        stopped = None
        try:
            done = subprocess.run(
                command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False
            )
            text = done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            stopped, text = timeout, (late.stdout or b"").decode(errors="replace")
        seconds = time.perf_counter() - start
        captured = _captured(place / "captured.hex", target) if capture else None
    return parse(
        text,
        target,
        frame_errors=plusargs["frame_errors"],
        seconds=seconds,
        waveform=waveform,
        captured=captured,
        input_beats=len(feed.data),
        timeout=stopped,
        weights_errors=plusargs.get("weights_errors", 0),
    )


def _loads(binary: Binary, given: Sequence[Load] | None) -> Loads | None:
    """What a run loads: nothing, the images given, or the design's own."""
    design = binary.design
    if not design.weight_beat_bytes:
        if given is not None:
            raise ValueError(f"Expected {design.top} to have a weight stream")
        return None
    return Loads.of(design, given)


def run_many(calls: Iterable[Callable[[], T]], workers: int = 2) -> list[T]:
    """Runs several simulations at once and returns their results in order.

    A call is for example `functools.partial(run, binary, frames, outputs)`. The work is done in processes of the
    simulators; threads wait for them.
    """
    with ThreadPoolExecutor(workers) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


@contextlib.contextmanager
def _working(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="hwconv-") as name:
            yield Path(name)


def _captured(path: Path, target: Expected) -> Values | None:
    """Reads the beats a run wrote, as values; frames that did not leave whole are left out."""
    if not path.exists():
        return None
    beat_bytes = target.data.shape[1]
    kept: list[str] = []
    for line in path.read_text().splitlines():
        if line.startswith("// reset"):
            beat = int(line.split()[-1])
            kept[beat:] = []
            kept += ["x" * 2 * beat_bytes] * (beat - len(kept))
        else:
            kept.append(line)
    whole = min(len(kept), len(target.data)) // max(1, target.frame_beats)
    # An unknown bit, which only Icarus knows, is a mismatch already: here it reads as 0.
    digits = "".join(kept[: whole * target.frame_beats]).translate(str.maketrans("xXzZ", "0000"))
    beats = np.frombuffer(bytes.fromhex(digits), np.uint8).reshape(-1, beat_bytes)[:, ::-1]
    content = beats[target.keep[: whole * target.frame_beats]].tobytes()
    return bytes_to_tensor(content, (whole, *target.frames.shape[1:]), target.frames.dtype.name)
