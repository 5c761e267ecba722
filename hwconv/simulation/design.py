"""What a simulation is made of: a design's texts, the beats that go in, and the beats that must come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv.packing import frame_to_beats

Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]
Values = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Design:
    """An engine as text.

    Parameters:
        top: name of the top module; its ports are those of docs/architecture.md.
        files: relative file name to text. Names that end in `.v` or `.sv` are compiled; all others (the images of ROMs)
            are put beside the running simulation, where `$readmemh` finds them, so that other weights need no other
            build.
        input_beat_bytes, output_beat_bytes: bytes of `s_axis_tdata` and of `m_axis_tdata`.
        generated: the files for which Verilator's warnings about Amaranth's style are waived, each by its name. `None`
            means `<top>.v`. Hand-written Verilog waives nothing.
        input_user_bits: bits of `s_axis_tuser`; 0 where there is no such port.
        passes: input frames of one output frame.
        weight_beat_bytes: bytes of `w_axis_tdata`; 0 for an engine without a weight stream.
        weights: the image that a run loads first, if it is not told another one; bytes as the stream carries them.
    """

    top: str
    files: Mapping[str, str]
    input_beat_bytes: int
    output_beat_bytes: int
    generated: tuple[str, ...] | None = None
    input_user_bits: int = 0
    passes: int = 1
    weight_beat_bytes: int = 0
    weights: bytes = b""

    @property
    def sources(self) -> dict[str, str]:
        """The files that are compiled."""
        return {name: text for name, text in sorted(self.files.items()) if name.endswith((".v", ".sv"))}

    @property
    def images(self) -> dict[str, str]:
        """The files that the running simulation reads."""
        return {name: text for name, text in sorted(self.files.items()) if not name.endswith((".v", ".sv"))}

    @property
    def waived(self) -> tuple[str, ...]:
        """The files for which style warnings are waived."""
        return (f"{self.top}.v",) if self.generated is None else self.generated


@dataclass(frozen=True, kw_only=True)
class Load:
    """An image on the weight stream of a loadable engine.

    Parameters:
        image: its bytes, whole beats. TLAST comes with the last one.
        after: frames that are sent before it: the frame after these waits for its first beat. With 0 no frame waits.
        whole: whether the engine has weights after it; if not, it must pulse `weights_error`, once.
        last: the beats with TLAST, where that is not the last one alone.
    """

    image: bytes
    after: int = 0
    whole: bool = True
    last: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Loads:
    """What goes into the weight stream: the entries of sim/weights_source.v.

    Members:
        loads: the images, in order; the frames before which they come never become fewer.
        beat_bytes: bytes of a beat.
    """

    loads: tuple[Load, ...]
    beat_bytes: int

    def __post_init__(self) -> None:
        if any(not load.image or len(load.image) % self.beat_bytes for load in self.loads):
            raise ValueError(f"Expected images of whole beats of {self.beat_bytes} bytes")

    @classmethod
    def of(cls, design: Design, loads: Sequence[Load] | None = None) -> "Loads":
        """The images given, or the one that comes with a design."""
        chosen = (Load(image=design.weights),) if loads is None else tuple(loads)
        return cls(loads=chosen, beat_bytes=design.weight_beat_bytes)

    @property
    def beats(self) -> int:
        return sum(len(load.image) for load in self.loads) // self.beat_bytes

    @property
    def errors(self) -> int:
        """Pulses of `weights_error`."""
        return sum(not load.whole for load in self.loads)

    def start(self, frame: int) -> int:
        """The first beat of the image that frame `frame` is computed with."""
        beat, found = 0, 0
        for load in self.loads:
            if load.whole and load.after <= frame:
                found = beat
            beat += len(load.image) // self.beat_bytes
        return found

    def text(self) -> str:
        """The text of the memory of sim/weights_source.v."""
        lines = []
        for load in self.loads:
            beats = np.frombuffer(load.image, np.uint8).reshape(-1, self.beat_bytes)[:, ::-1]
            last = {len(beats) - 1} if load.last is None else set(load.last)
            for index, beat in enumerate(beats):
                whole = load.whole and index == len(beats) - 1
                flags = (index in last) | whole << 1
                lines.append(f"{load.after:08x}{flags:02x}{beat.tobytes().hex()}\n")
        return "".join(lines)


@dataclass(frozen=True, kw_only=True)
class EarlyLast:
    """TLAST on beat `beat` (which is not the last of its frame); the frame's other beats are never sent."""

    beat: int


@dataclass(frozen=True, kw_only=True)
class LateLast:
    """No TLAST on the last beat; it comes `extra` beats of noise later."""

    extra: int = 1


@dataclass(frozen=True, kw_only=True)
class MissingLast:
    """No TLAST at all: the frame runs into the next one, which is discarded up to and including its TLAST."""


@dataclass(frozen=True, kw_only=True)
class WrongKeep:
    """Beat `beat` carries TKEEP `keep` (bit 0 is lane 0)."""

    beat: int
    keep: int


Fault = EarlyLast | LateLast | MissingLast | WrongKeep


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """The beats that go in.

    Members:
        data: bytes, [beats, lanes].
        keep: [beats, lanes].
        last: [beats].
        seen: the frames as an engine that follows the contract sees them, one for each TLAST: [frames, ...]. Where a
            frame came early to its end, the rest is the zero point.
        damaged: for each of these, whether it must pulse `frame_error` and leave with TUSER.
        comparable: for each of these, whether the contract says what its bytes are.
        user: the bytes of TUSER, [beats, bytes], the lowest first; none without such a port.
    """

    data: Bytes
    keep: Flags
    last: Flags
    seen: Values
    damaged: tuple[bool, ...]
    comparable: tuple[bool, ...]
    user: Bytes | None = None

    @property
    def frame_starts(self) -> list[int]:
        """The index of the first beat of each frame."""
        return [0, *(np.flatnonzero(self.last)[:-1] + 1).tolist()]

    def image(self) -> str:
        """The text of the stimulus memory of sim/stream_harness.v."""
        return _image(self.data, self.keep, self.last.astype(np.uint8), self.user)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The beats that must come out.

    Members:
        frames: the values, [frames, ...]; for images [frames, y, x, channel].
        damaged: which frames carry TUSER on their last beat.
        comparable: which frames' bytes are compared.
        data, keep, last, user, compare: the beats, as in `Stimulus`.
    """

    frames: Values
    damaged: tuple[bool, ...]
    comparable: tuple[bool, ...]
    data: Bytes = field(repr=False)
    keep: Flags = field(repr=False)
    last: Flags = field(repr=False)
    user: Flags = field(repr=False)
    compare: Flags = field(repr=False)

    @property
    def frame_beats(self) -> int:
        """Beats of one frame."""
        return len(self.data) // max(1, len(self.frames))

    @property
    def value_bytes(self) -> int:
        """Bytes of one output value."""
        return int(self.frames.dtype.itemsize)

    def image(self) -> str:
        """The text of the expected memory of sim/stream_harness.v."""
        flags = self.last * np.uint8(1) + self.user * np.uint8(2) + self.compare * np.uint8(4)
        return _image(self.data, self.keep, flags.astype(np.uint8))


def stimulus(
    frames: Values,
    beat_bytes: int,
    *,
    faults: Mapping[int, Fault] | None = None,
    zero_point: int = 0,
) -> Stimulus:
    """Packs frames into beats, and damages some of them.

    Parameters:
        frames: [frames, ...], each frame in the order its values are sent.
        beat_bytes: bytes of a beat.
        faults: index of a frame to what is wrong with it.
        zero_point: the value that completes a frame that ended early.

    Raises:
        ValueError: a fault that cannot be put into the frame it names.
    """
    faults = {} if faults is None else faults
    data: list[Bytes] = []
    keep: list[Flags] = []
    last: list[Flags] = []
    seen: list[Values] = []
    damaged: list[bool] = []
    comparable: list[bool] = []
    swallowed = False
    for index, frame in enumerate(frames):
        beats, kept = _beats(frame, beat_bytes)
        ends = np.zeros(len(beats), np.bool_)
        ends[-1] = True
        fault = faults.get(index)
        view, bad, known = frame, fault is not None, True
        match fault:
            case EarlyLast(beat=beat):
                if not 0 <= beat < len(beats) - 1:
                    raise ValueError(f"Expected an early TLAST before the last of {len(beats)} beats, not on {beat}")
                beats, kept, ends = beats[: beat + 1], kept[: beat + 1], ends[: beat + 1].copy()
                ends[-1] = True
                # A value that is cut in two is not defined: compare such a frame's framing only.
                values = (beat + 1) * beat_bytes // frame.dtype.itemsize
                known = (beat + 1) * beat_bytes % frame.dtype.itemsize == 0
                view = frame.copy()
                # one beyond the type, which a layer without padding may have, is cut to its bits
                view.reshape(-1)[values:] = np.array(zero_point).astype(frame.dtype)
            case LateLast(extra=extra):
                noise = np.arange(extra * beat_bytes, dtype=np.uint8).reshape(extra, beat_bytes)
                beats, kept = np.concatenate([beats, noise]), np.concatenate([kept, np.ones_like(noise, np.bool_)])
                ends = np.zeros(len(beats), np.bool_)
                ends[-1] = True
            case MissingLast():
                if index == len(frames) - 1:
                    raise ValueError("Expected a frame after the one without a TLAST")
                ends = np.zeros(len(beats), np.bool_)
            case WrongKeep(beat=beat, keep=value):
                kept = kept.copy()
                before = kept[beat].copy()
                kept[beat] = [bool(value >> lane & 1) for lane in range(beat_bytes)]
                if np.array_equal(before, kept[beat]):
                    raise ValueError(f"Expected a TKEEP other than the right one, not {value:#x}")
                known = False
            case None:
                pass
        data.append(beats)
        keep.append(kept)
        last.append(ends)
        if not swallowed:
            seen.append(view)
            damaged.append(bad)
            comparable.append(known)
        swallowed = not ends.any()
    return Stimulus(
        data=np.concatenate(data),
        keep=np.concatenate(keep),
        last=np.concatenate(last),
        seen=np.stack(seen),
        damaged=tuple(damaged),
        comparable=tuple(comparable),
    )


def with_user(
    feed: Stimulus, bits: int, first: Sequence[int], *, damaged: Sequence[bool] | None = None, seed: int = 1
) -> Stimulus:
    """Adds TUSER as blocks with parameters take it: bit 0 counts with a frame's last beat, the others with its first.

    All other bits are noise.

    Parameters:
        feed: the beats. bits: of TUSER.
        first: for each frame that the block sees, the value whose bits above the lowest come with its first beat.
        damaged: for each of these, whether bit 0 comes with its last beat: it was damaged before.
        seed: of the noise.
    """
    starts = feed.frame_starts
    ends = [*starts[1:], len(feed.data)]
    marks = [False] * len(starts) if damaged is None else list(damaged)
    if not len(first) == len(marks) == len(starts):
        raise ValueError(f"Expected a value and a mark for each of {len(starts)} frames")
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 256, (len(feed.data), -(-bits // 8)), np.uint8)
    values = [int.from_bytes(row.tobytes(), "little") for row in noise]
    for start, end, value, mark in zip(starts, ends, first, marks, strict=True):
        values[start] = value & ~1 | values[start] & 1
        values[end - 1] = values[end - 1] & ~1 | mark
    width = noise.shape[1]
    packed = b"".join((value & (1 << bits) - 1).to_bytes(width, "little") for value in values)
    return replace(feed, user=np.frombuffer(packed, np.uint8).reshape(-1, width))


def expected(
    frames: Values,
    beat_bytes: int,
    *,
    damaged: Sequence[bool] | None = None,
    comparable: Sequence[bool] | None = None,
) -> Expected:
    """Packs the values that must come out.

    Parameters:
        frames: [frames, ...]; the item size of its type is that of an output value.
        beat_bytes: bytes of an output beat.
        damaged, comparable: as the members of `Stimulus`; by default no frame is damaged.
    """
    count = len(frames)
    damaged = (False,) * count if damaged is None else tuple(damaged)
    comparable = (True,) * count if comparable is None else tuple(comparable)
    if len(damaged) != count or len(comparable) != count:
        raise ValueError(f"Expected one flag for each of {count} frames, not {len(damaged)} and {len(comparable)}")
    packed = [_beats(frame, beat_bytes) for frame in frames]
    beats = len(packed[0][0]) if packed else 0
    last = np.zeros((count, beats), np.bool_)
    last[:, -1:] = True
    return Expected(
        frames=frames,
        damaged=damaged,
        comparable=comparable,
        data=np.concatenate([data for data, _ in packed]) if packed else np.zeros((0, beat_bytes), np.uint8),
        keep=np.concatenate([keep for _, keep in packed]) if packed else np.zeros((0, beat_bytes), np.bool_),
        last=last.reshape(-1),
        user=(last & np.array(damaged, np.bool_).reshape(-1, 1)).reshape(-1),
        compare=np.repeat(np.array(comparable, np.bool_), beats),
    )


def _beats(frame: Values, beat_bytes: int) -> tuple[Bytes, Flags]:
    data, keep = frame_to_beats(frame, beat_bytes)
    return np.asarray(data, np.uint8), np.asarray(keep, np.bool_)


def _image(data: Bytes, keep: Flags, flags: NDArray[np.uint8], user: Bytes | None = None) -> str:
    """Formats { flags, tuser, tkeep, tdata }, each in whole bytes, lane 0 in the least significant."""
    if len(data) == 0:
        return ""
    kept = np.packbits(keep, axis=1, bitorder="little")
    fields = [data, kept, *([] if user is None else [user]), flags.reshape(-1, 1)]
    rows = np.concatenate(fields, axis=1)[:, ::-1]
    text = rows.tobytes().hex()
    width = 2 * rows.shape[1]
    return "\n".join(text[start : start + width] for start in range(0, len(text), width)) + "\n"
