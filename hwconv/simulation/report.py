"""What a simulation found, and how to say it to people."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from hwconv.packing import bytes_to_tensor, tensor_to_bytes
from hwconv.simulation.design import Expected, Values

Status = Literal["pass", "fail", "hang"]
Line = dict[str, str]


@dataclass(frozen=True, kw_only=True)
class FrameTiming:
    """The cycles of one frame's handshakes: first and last beat in, first and last beat out; `None` did not happen."""

    first_in: int | None = None
    last_in: int | None = None
    first_out: int | None = None
    last_out: int | None = None


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One way in which a beat differs from what was expected.

    Members:
        kind: `data` (a value differs), `framing` (TUSER, TLAST or TKEEP, in this order) or `extra` (a beat too many).
        frame, beat: where; the beat counts within its frame.
        index: for `data`, the index of the value within its frame, as (y, x, channel).
        expected, got: the values, or the bits of the framing. A value with unknown bits is `None`.
        cycle: when.
    """

    kind: str
    frame: int
    beat: int
    cycle: int
    expected: int | str
    got: int | str | None
    index: tuple[int, ...] = ()

    @property
    def pixel(self) -> tuple[int, ...]:
        """The index without the channel: (y, x)."""
        return self.index[:-1]

    @property
    def channel(self) -> int | None:
        """The last part of the index."""
        return self.index[-1] if self.index else None

    def __str__(self) -> str:
        if self.kind == "extra":
            return f"a beat too many after the last one expected (beat {self.beat}, {self.got}), cycle {self.cycle}"
        where = f"frame {self.frame}"
        if self.kind == "framing":
            return (
                f"{where}, beat {self.beat}: expected TUSER,TLAST,TKEEP = {self.expected}, got {self.got}, "
                f"cycle {self.cycle}"
            )
        if len(self.index) == 3:
            where += f", pixel (y={self.index[0]}, x={self.index[1]}), channel {self.index[2]}"
        elif self.index:
            where += f", value {', '.join(map(str, self.index))}"
        got = "unknown bits" if self.got is None else self.got
        return f"{where}: expected {self.expected}, got {got}, cycle {self.cycle}"


@dataclass(frozen=True, kw_only=True)
class SimulationResult:
    """What a run found.

    Members:
        status: `pass` only if at least one value was compared, every beat came and was right, no protocol rule was
            broken, and `frame_error` pulsed as often as it had to.
        problem: why it did not pass, in one sentence; empty if it did.
        outputs: output values compared.
        mismatches: values that differ, and beats whose framing differs or that should not have come.
        first_mismatch: the earliest of these.
        protocol_errors: breaches of AXI4-Stream on the output: VALID dropped, payload changed, unknown handshake.
        frame_errors: pulses of `frame_error`.
        weights_errors: pulses of `weights_error`. loads: first and last beat of each image that was taken.
        frames: the cycles of each frame's handshakes.
        cycles: cycles of the whole run, reset and drain included.
        seconds: wall time of the run.
        waveform: the file written, if one was asked for.
        captured: with `capture`, the values as the hardware gave them, shaped as the expected frames.
    """

    status: Status
    problem: str
    outputs: int
    mismatches: int
    first_mismatch: Mismatch | None
    protocol_errors: int
    frame_errors: int
    frames: tuple[FrameTiming, ...]
    cycles: int
    seconds: float
    waveform: Path | None = None
    captured: Values | None = None
    weights_errors: int = 0
    loads: tuple[tuple[int, int], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the status is `pass`."""
        return self.status == "pass"

    @property
    def latency(self) -> int | None:
        """Cycles from the first input handshake of frame 0 to its last output handshake."""
        frame = self.frames[0] if self.frames else FrameTiming()
        return None if frame.first_in is None or frame.last_out is None else frame.last_out - frame.first_in

    @property
    def intervals(self) -> tuple[int, ...]:
        """Cycles between the last output handshakes of successive frames."""
        ends = [frame.last_out for frame in self.frames if frame.last_out is not None]
        return tuple(after - before for before, after in itertools.pairwise(ends))

    @property
    def interval(self) -> int | None:
        """The last of the intervals; `None` for a single frame."""
        return self.intervals[-1] if self.intervals else None

    @property
    def cycles_per_second(self) -> float:
        """Simulated cycles per second of wall time."""
        return self.cycles / self.seconds if self.seconds > 0 else 0.0


def explain(result: SimulationResult) -> str:
    """Formats a result for people: one line if it passed, else what went wrong first and where."""
    if result.passed:
        return (
            f"exact: {result.outputs} values compared, latency {result.latency} cycles"
            + (f", interval {result.interval} cycles" if result.interval is not None else "")
            + f" ({result.cycles} cycles simulated, {result.cycles_per_second:,.0f} a second)"
        )
    lines = [f"{result.status}: {result.problem}"]
    if result.first_mismatch is not None:
        lines.append(f"first difference: {result.first_mismatch}")
    if result.waveform is not None:
        lines.append(f"waveform: {result.waveform}")
    return "\n".join(lines)


def parse(
    text: str,
    target: Expected,
    *,
    frame_errors: int,
    seconds: float,
    waveform: Path | None,
    captured: Values | None,
    input_beats: int,
    timeout: float | None = None,
    weights_errors: int = 0,
) -> SimulationResult:
    """Reads what sim/stream_harness.v printed.

    Parameters:
        text: its output.
        target: what was expected.
        frame_errors: how often `frame_error` had to pulse; -1 if that is not known.
        seconds, waveform, captured: as in `SimulationResult`.
        input_beats: beats of the stimulus.
        timeout: seconds after which the run was killed, if it was.
        weights_errors: as `frame_errors`.
    """
    timings: dict[int, dict[str, int]] = {}
    differences: list[Line] = []
    protocol: list[Line] = []
    loads: list[tuple[int, int]] = []
    done: Line | None = None
    failure = ""
    for kind, fields in _lines(text):
        if kind in ("input", "output"):
            timing = timings.setdefault(int(fields["frame"]), {})
            suffix = "in" if kind == "input" else "out"
            timing |= {f"first_{suffix}": int(fields["first"]), f"last_{suffix}": int(fields["last"])}
        elif kind == "weights":
            loads.append((int(fields["first"]), int(fields["last"])))
        elif kind == "mismatch":
            differences.append(fields)
        elif kind == "protocol":
            protocol.append(fields)
        elif kind == "error":
            failure = fields.get("text", "")
        elif kind == "done":
            done = fields
    frames = tuple(FrameTiming(**timings.get(index, {})) for index in range(max(timings, default=-1) + 1))
    first = _first_mismatch(differences, target)
    if done is None:
        if timeout is not None:
            problem = f"stopped after {timeout:.0f} s of wall time"
        else:
            problem = f"the simulator ended early: {failure or _tail(text)}"
        done = dict.fromkeys(("bytes", "frame_errors", "protocol", "cycles", "accepted", "received"), "0")
        done |= {"mismatches": str(len(differences)), "status": "hang" if timeout is not None else "fail"}
    else:
        problem = _problem(done, protocol, target, frame_errors, input_beats)
        if not problem and weights_errors not in (-1, int(done["weights_errors"])):
            problem = f"weights_error pulsed {done['weights_errors']} times, not {weights_errors}"
    status: Status = "hang" if done["status"] == "hang" else "fail" if problem else "pass"
    return SimulationResult(
        status=status,
        problem=problem,
        outputs=int(done["bytes"]) // target.value_bytes,
        mismatches=int(done["mismatches"]),
        first_mismatch=first,
        protocol_errors=int(done["protocol"]),
        frame_errors=int(done["frame_errors"]),
        frames=frames,
        cycles=int(done["cycles"]),
        seconds=seconds,
        waveform=waveform,
        captured=captured,
        weights_errors=int(done.get("weights_errors", "0")),
        loads=tuple(loads),
    )


def _lines(text: str) -> Iterator[tuple[str, Line]]:
    for line in text.splitlines():
        if line.startswith("HWCONV "):
            _, kind, *words = line.split()
            yield kind, dict(word.split("=", 1) for word in words if "=" in word)


def _problem(done: Line, protocol: list[Line], target: Expected, frame_errors: int, input_beats: int) -> str:
    if done["status"] == "hang":
        return (
            f"no progress any more at cycle {done['cycles']}: {done['accepted']} of {input_beats} input beats taken, "
            f"{done['received']} of {len(target.data)} output beats given"
        )
    if int(done["mismatches"]):
        return f"{done['mismatches']} mismatches in {int(done['bytes']) // target.value_bytes} values"
    if int(done["protocol"]):
        first = protocol[0]
        return f"{done['protocol']} breaches of AXI4-Stream, the first: {first['rule']} in cycle {first['cycle']}"
    if frame_errors >= 0 and int(done["frame_errors"]) != frame_errors:
        return f"frame_error pulsed {done['frame_errors']} times, not {frame_errors}"
    if not int(done["bytes"]):
        return "nothing was compared"
    return ""


def _tail(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no output"


def _first_mismatch(lines: list[Line], target: Expected) -> Mismatch | None:
    if not lines:
        return None
    first = lines[0]
    whole = Mismatch(
        kind=first["kind"],
        frame=int(first["frame"]),
        beat=int(first["beat"]),
        cycle=int(first["cycle"]),
        expected=first["expected"],
        got=first["got"],
    )
    if first["kind"] != "data":
        return whole

    # Start from the bytes expected and put in what the hardware gave where it differs: a value may span beats.
    beat_bytes = target.data.shape[1]
    frame = target.frames[whole.frame]
    right = np.frombuffer(tensor_to_bytes(frame), np.uint8)
    got = right.copy()
    unknown = np.zeros(len(right), np.bool_)
    lane: int | None = None
    for line in lines:
        if line["kind"] != "data" or line["frame"] != first["frame"]:
            continue
        start = int(line["beat"]) * beat_bytes
        for position in range(min(beat_bytes, len(right) - start)):
            digits = slice(2 * (beat_bytes - 1 - position), 2 * (beat_bytes - position))
            if line["mask"][digits] == "00" or line["expected"][digits] == line["got"][digits]:
                continue
            lane = start + position if lane is None else lane
            try:
                got[start + position] = int(line["got"][digits], 16)
            except ValueError:
                unknown[start + position] = True
    if lane is None:
        return whole
    value = lane // target.value_bytes
    span = slice(value * target.value_bytes, (value + 1) * target.value_bytes)
    return replace(
        whole,
        index=tuple(int(part) for part in np.unravel_index(value, frame.shape)),
        expected=int(frame.reshape(-1)[value]),
        got=None if unknown[span].any() else int(bytes_to_tensor(got[span].tobytes(), (1,), frame.dtype.name)[0]),
    )
