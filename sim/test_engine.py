"""The cocotb bench of an engine: frames, stalls, damaged frames, resets, and the rules of AXI4-Stream.

It reads `bench.json` and the two memories named there from the folder it runs in, and needs nothing but cocotb. The
memories are those of stream_harness.v: one beat a line, { flags, tuser, tkeep, tdata } in whole bytes.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cocotb
from axi_stream import AxiStreamSink, AxiStreamSource, Beat, CycleCounter, random_pauses
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly, RisingEdge, Timer

DRAIN = 300  # cycles after the last beat in which no other may come


@dataclass(frozen=True)
class Bench:
    """What bench.json says: beats of a frame and bytes of a beat on either side, frames that come out, the input frames
    (passes) of each, the seed, the cycles without a handshake that count as a hang, and the cycles predicted (None if
    they were not).
    """

    input_beats: int
    output_beats: int
    input_beat_bytes: int
    output_beat_bytes: int
    frames: int
    passes: int
    seed: int
    watchdog: int
    latency: int | None
    interval: int | None
    stimulus: list[list[list[Beat]]]
    expected: list[list[Beat]]
    weights: list[Beat]
    """The image that is loaded after each reset; empty for an engine whose weights are in ROMs."""

    @classmethod
    def load(cls, folder: Path) -> "Bench":
        """Reads bench.json and the memories it names."""
        values = json.loads((folder / "bench.json").read_text())
        names = ("input_beats", "output_beats", "input_beat_bytes", "output_beat_bytes", "frames", "passes", "seed")
        user_bytes = (values["input_user_bits"] + 7) // 8
        passes = _frames(folder / values["stimulus"], values["input_beat_bytes"], values["input_beats"], user_bytes)
        return cls(
            **{name: values[name] for name in names},
            watchdog=values["watchdog"],
            latency=values.get("latency"),
            interval=values.get("interval"),
            stimulus=[passes[start : start + values["passes"]] for start in range(0, len(passes), values["passes"])],
            expected=_frames(folder / values["expected"], values["output_beat_bytes"], values["output_beats"]),
            weights=_image(folder / values["weights"], values["weight_beat_bytes"]) if "weights" in values else [],
        )


def _image(path: Path, beat_bytes: int) -> list[Beat]:
    words = [int(line, 16) for line in path.read_text().split()]
    mask = (1 << 8 * beat_bytes) - 1
    return [Beat(word & mask, 0, bool(word >> 8 * beat_bytes & 1)) for word in words]


def _frames(path: Path, beat_bytes: int, frame_beats: int, user_bytes: int = 0) -> list[list[Beat]]:
    beats = []
    for line in path.read_text().split():
        word = int(line, 16)
        data = word & ((1 << 8 * beat_bytes) - 1)
        keep = word >> 8 * beat_bytes & ((1 << beat_bytes) - 1)
        rest = word >> 8 * (beat_bytes + (beat_bytes + 7) // 8)
        flags, sideband = rest >> 8 * user_bytes, rest & ((1 << 8 * user_bytes) - 1)
        beats.append(Beat(data, keep, bool(flags & 1), bool(flags & 2), sideband))
    return [beats[start : start + frame_beats] for start in range(0, len(beats), frame_beats)]


BENCH = Bench.load(Path.cwd())
FULL = (1 << BENCH.input_beat_bytes) - 1


class TB:
    """Owns the clock, the source, the sink, and the list of what must come out."""

    def __init__(self, dut) -> None:
        self.dut = dut
        self.random = random.Random(BENCH.seed)
        self.expected: list[tuple[str, list[Beat], bool]] = []
        self.damaged = 0
        dut.aresetn.value = 0
        cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
        self.cycles = CycleCounter(dut)
        self.cycles.start()
        self.source = AxiStreamSource(dut, "s_axis", self.cycles)
        self.sink = AxiStreamSink(dut, "m_axis", self.cycles)
        self.weights = AxiStreamSource(dut, "w_axis", self.cycles) if BENCH.weights else None

    async def reset(self) -> None:
        """Resets the engine and forgets what was on its way."""
        self.dut.aresetn.value = 0
        self.source.clear()
        if self.weights is not None:
            self.weights.clear()
        await ClockCycles(self.dut.aclk, 8)
        self.source.taken.clear()
        if self.weights is not None:
            self.weights.taken.clear()
            self.weights.queue.extend(BENCH.weights)
        self.sink.taken.clear()
        self.cycles.frame_errors.clear()
        self.expected.clear()
        self.damaged = 0
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    def send(self, beats: list[Beat]) -> None:
        """Queues beats; what must come of them is said by one of the `expect` functions."""
        self.source.queue.extend(beats)

    def send_good(self, index: int) -> None:
        """Queues a frame of the memory, with all its passes, which must come out right."""
        for frame in BENCH.stimulus[index % BENCH.frames]:
            self.send(frame)
        self.expected.append((f"frame {index}", BENCH.expected[index % BENCH.frames], True))

    def send_up_to_last(self, index: int) -> list[Beat]:
        """Queues the passes of a frame of the memory but the last, which is returned: it is to be damaged."""
        *others, last = BENCH.stimulus[index % BENCH.frames]
        for frame in others:
            self.send(frame)
        return list(last)

    def expect_damaged(self, name: str, index: int, data: bool) -> None:
        """Expects a full frame marked by TUSER; with `data`, its bytes are those of a frame of the memory."""
        *others, last = BENCH.expected[index % BENCH.frames]
        self.expected.append((name, [*others, Beat(last.data, last.keep, True, True)], data))
        self.damaged += 1

    async def progress(self) -> None:
        """Waits until everything was taken on both sides; fails when nothing moves any more."""
        wanted = sum(len(beats) for _, beats, _ in self.expected)
        before, since = -1, 0
        while not self.source.idle or len(self.sink.taken) < wanted:
            await ClockCycles(self.dut.aclk, 50)
            moved = len(self.source.taken) + len(self.sink.taken)
            if self.weights is not None:
                moved += len(self.weights.taken)
            since = 0 if moved != before else since + 50
            before = moved
            assert since < BENCH.watchdog, (
                f"hang: {len(self.source.queue)} beats were not offered, {len(self.sink.taken)} of {wanted} came out"
            )

    async def finish(self) -> None:
        """Waits for everything that is expected, and compares all of it; nothing else may come."""
        await self.progress()
        await ClockCycles(self.dut.aclk, DRAIN)
        taken = [handshake.beat for handshake in self.sink.taken]
        cycles = [handshake.cycle for handshake in self.sink.taken]
        position = 0
        for name, beats, compare in self.expected:
            for number, right in enumerate(beats):
                got, where = taken[position], f"{name}, beat {number}, cycle {cycles[position]}"
                assert (got.keep, got.last, got.user) == (right.keep, right.last, right.user), (
                    f"{where}: expected TKEEP, TLAST, TUSER = {right.keep:#x}, {right.last}, {right.user}, "
                    f"got {got.keep:#x}, {got.last}, {got.user}"
                )
                for lane in range(BENCH.output_beat_bytes):
                    if compare and right.keep >> lane & 1:
                        pair = (right.data >> 8 * lane & 255, got.data >> 8 * lane & 255)
                        assert pair[0] == pair[1], f"{where}, lane {lane}: expected {pair[0]:#04x}, got {pair[1]:#04x}"
                position += 1
        assert position, "nothing was compared"
        assert len(taken) == position, f"{len(taken) - position} beats too many came out"
        errors = len(self.cycles.frame_errors)
        assert errors == self.damaged, f"frame_error was high for {errors} cycles, not {self.damaged}"

    def stall(self, rate: float, longest: int = 1) -> None:
        """Lets both sides pause at random."""
        self.source.pauses = random_pauses(rate, self.random.getrandbits(32), longest)
        self.sink.pauses = random_pauses(rate, self.random.getrandbits(32), longest)
        if self.weights is not None:
            self.weights.pauses = random_pauses(rate, self.random.getrandbits(32), longest)


async def start(dut) -> TB:
    tb = TB(dut)
    await tb.reset()
    return tb


def rates() -> Iterator[tuple[float, int]]:
    yield 0.0, 1
    yield 0.4, 6


@cocotb.test()
async def frames_back_to_back_come_out_right_in_the_cycles_predicted(dut):
    tb = await start(dut)
    count = max(3, BENCH.frames)
    for index in range(count):
        tb.send_good(index)
    await tb.finish()
    ends = [handshake.cycle for handshake in tb.sink.taken][BENCH.output_beats - 1 :: BENCH.output_beats]
    latency, interval = ends[0] - tb.source.taken[0].cycle, ends[-1] - ends[-2]
    dut._log.info(f"latency {latency} cycles, interval {interval} cycles")
    assert BENCH.latency in (None, latency), f"predicted a latency of {BENCH.latency} cycles, measured {latency}"
    assert BENCH.interval in (None, interval), f"predicted an interval of {BENCH.interval} cycles, measured {interval}"


@cocotb.test()
@cocotb.parametrize(longest=[1, 40])
async def random_stalls_on_both_sides_change_no_value(dut, longest):
    tb = await start(dut)
    tb.stall(0.5, longest)
    for index in range(max(3, BENCH.frames)):
        tb.send_good(index)
    await tb.finish()


@cocotb.test()
async def a_sink_that_waits_stops_the_source_and_loses_nothing(dut):
    tb = await start(dut)
    tb.sink.pauses = iter(lambda: True, None)
    count = 4
    for index in range(count):
        tb.send_good(index)
    still, before = 0, -1
    # An engine may compute for long between two beats: wait until it has filled everything it has.
    while still < 20 and not tb.source.idle:
        await ClockCycles(dut.aclk, 10 * max(BENCH.input_beats, BENCH.output_beats))
        still = still + 1 if len(tb.source.taken) == before else 0
        before = len(tb.source.taken)
    assert not tb.sink.taken
    tb.sink.pauses = None
    await tb.finish()


@cocotb.test(skip=BENCH.input_beats < 2)
@cocotb.parametrize(stall=list(rates()))
async def after_an_early_tlast_the_next_frame_is_right(dut, stall):
    tb = await start(dut)
    tb.stall(*stall)
    beats = {0, BENCH.input_beats - 2, tb.random.randrange(BENCH.input_beats - 1)}
    index = 0
    for beat in sorted(beats):
        tb.send_good(index)
        cut = tb.send_up_to_last(index + 1)[: beat + 1]
        tb.send([*cut[:-1], replace(cut[-1], last=True)])
        tb.expect_damaged(f"frame cut after beat {beat}", index + 1, data=False)
        index += 2
    tb.send_good(index)
    await tb.finish()


@cocotb.test()
@cocotb.parametrize(stall=list(rates()))
async def after_a_late_tlast_the_next_frame_is_right(dut, stall):
    tb = await start(dut)
    tb.stall(*stall)
    index = 0
    for extra in (1, 2, BENCH.input_beats + 1):
        tb.send_good(index)
        *others, last = tb.send_up_to_last(index + 1)
        noise = [Beat(tb.random.getrandbits(8 * BENCH.input_beat_bytes), FULL, False) for _ in range(extra)]
        noise[-1] = Beat(noise[-1].data, FULL, True)
        tb.send([*others, replace(last, last=False), *noise])
        tb.expect_damaged(f"frame with {extra} beats too many", index + 1, data=True)
        index += 2
    tb.send_good(index)
    await tb.finish()


@cocotb.test()
@cocotb.parametrize(stall=list(rates()))
async def after_a_missing_tlast_the_frame_after_the_next_is_right(dut, stall):
    tb = await start(dut)
    tb.stall(*stall)
    for index in (0, 3):
        tb.send_good(index)
        *others, last = tb.send_up_to_last(index + 1)
        tb.send([*others, replace(last, last=False)])
        tb.send(BENCH.stimulus[(index + 2) % BENCH.frames][0])  # discarded up to its TLAST
        tb.expect_damaged("frame without a TLAST", index + 1, data=True)
    tb.send_good(6)
    await tb.finish()


@cocotb.test()
@cocotb.parametrize(stall=list(rates()))
async def a_wrong_tkeep_damages_its_frame_alone(dut, stall):
    tb = await start(dut)
    tb.stall(*stall)
    index = 0
    for beat in sorted({0, BENCH.input_beats - 1, tb.random.randrange(BENCH.input_beats)}):
        tb.send_good(index)
        beats = tb.send_up_to_last(index + 1)
        right = beats[beat]
        wrong = right.keep ^ (1 << tb.random.randrange(BENCH.input_beat_bytes))
        beats[beat] = replace(right, keep=wrong)
        tb.send(beats)
        tb.expect_damaged(f"frame with TKEEP {wrong:#x} on beat {beat}", index + 1, data=False)
        index += 2
    tb.send_good(index)
    await tb.finish()


@cocotb.test()
async def after_a_reset_in_mid_frame_every_frame_is_right(dut):
    tb = await start(dut)
    tb.stall(0.2, 3)
    for _ in range(4):
        for index in range(3):
            tb.send_good(index)
        beats = tb.random.randint(1, 2 * BENCH.input_beats)
        while len(tb.source.taken) < beats:
            await RisingEdge(dut.aclk)
        await ClockCycles(dut.aclk, tb.random.randint(1, 20))
        await tb.reset()
    for index in range(3):
        tb.send_good(index)
    await tb.finish()


@cocotb.test()
async def no_input_reaches_a_ready_or_valid_output_within_a_cycle(dut):
    tb = await start(dut)
    # A slow sink fills what the engine has: a path may open only then.
    tb.sink.pauses = random_pauses(0.7, BENCH.seed, 20)
    for index in range(3):
        tb.send_good(index)
    inputs = [dut.s_axis_tdata, dut.s_axis_tkeep, dut.s_axis_tlast, dut.s_axis_tvalid, dut.m_axis_tready]
    outputs = [dut.s_axis_tready, dut.m_axis_tvalid]
    if BENCH.weights:
        inputs += [dut.w_axis_tdata, dut.w_axis_tlast, dut.w_axis_tvalid]
        outputs += [dut.w_axis_tready]
    for _ in range(5_000):
        if tb.source.idle and len(tb.sink.taken) == 3 * BENCH.output_beats:
            break
        await FallingEdge(dut.aclk)
        await ReadOnly()
        before = [int(signal.value) for signal in outputs]
        kept = [int(signal.value) for signal in inputs]
        await Timer(1, "ns")
        for signal, value in zip(inputs, kept, strict=True):
            signal.value = value ^ ((1 << len(signal)) - 1)
        await Timer(1, "ns")
        await ReadOnly()
        after = [int(signal.value) for signal in outputs]
        assert after == before, f"tready, tvalid changed from {before} to {after} with the inputs alone"
        await Timer(1, "ns")
        for signal, value in zip(inputs, kept, strict=True):
            signal.value = value
    await tb.finish()


@cocotb.test(skip=not BENCH.weights)
async def weights_may_be_loaded_again_and_damaged_images_are_told(dut):
    tb = await start(dut)
    tb.stall(0.3, 5)
    tb.send_good(0)
    await tb.progress()
    cut = BENCH.weights[: tb.random.randrange(1, len(BENCH.weights))]
    foreign = [Beat(beat.data ^ (index == 0), 0, beat.last) for index, beat in enumerate(BENCH.weights)]
    late = [*BENCH.weights[:-1], Beat(BENCH.weights[-1].data, 0, False), Beat(0, 0, False), Beat(0, 0, True)]
    wrong = [[*cut[:-1], Beat(cut[-1].data, 0, True)], foreign, late]
    errors = 0
    for number, image in enumerate([*wrong, BENCH.weights]):
        tb.weights.queue.extend(image)
        while not tb.weights.idle:
            await RisingEdge(dut.aclk)
            errors += int(dut.weights_error.value)
        if number == 0:
            tb.send_good(1)  # waits for the last image
        for _ in range(100 if number < len(wrong) else 1):
            await RisingEdge(dut.aclk)
            errors += int(dut.weights_error.value)
            assert number == len(wrong) or not int(dut.s_axis_tready.value), "a frame is taken without weights"
    assert errors == len(wrong), f"weights_error was high for {errors} cycles, not {len(wrong)}"
    await tb.finish()
