"""The harness of `sim/` on a stand-in for an engine: right designs pass, and each kind of fault is noticed."""

import functools
from pathlib import Path

import numpy as np
import pytest
from standin import FAULTS, answer, standin

from hwconv.errors import ToolError
from hwconv.simulation import (
    SIMULATORS,
    Design,
    EarlyLast,
    LateLast,
    MissingLast,
    Reset,
    SimulationResult,
    Simulator,
    Stalls,
    WrongKeep,
    build,
    expected,
    explain,
    run,
    run_many,
    stimulus,
)

BEAT = 4
SHAPE = (3, 2, 3)  # 18 bytes: four whole beats and one of two bytes
both = pytest.mark.parametrize("simulator", SIMULATORS)
FAST: Simulator = "icarus"  # to build a design this small


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (12, *SHAPE), dtype=np.int8)


def damage(frames: np.ndarray) -> tuple:
    faults = {
        1: EarlyLast(beat=1),
        3: LateLast(extra=3),
        5: MissingLast(),
        8: WrongKeep(beat=2, keep=0b0111),
        10: EarlyLast(beat=0),
    }
    sent = stimulus(frames, BEAT, faults=faults)
    return sent, expected(answer(sent.seen), BEAT, damaged=sent.damaged, comparable=sent.comparable)


@both
def test_a_right_design_passes_and_its_cycles_are_measured(simulator, frames):
    result = run(build(standin(18, BEAT), simulator), frames, answer(frames))
    assert result.passed, explain(result)
    assert result.outputs == 12 * 18
    assert (result.mismatches, result.frame_errors, result.protocol_errors) == (0, 0, 0)
    # One cycle through the queue, then a beat a cycle: 5 beats.
    assert result.latency == 5
    assert result.intervals == (5,) * 11
    assert result.interval == 5
    assert explain(result).startswith("exact: 216 values compared, latency 5 cycles, interval 5 cycles")


@both
@pytest.mark.parametrize(
    "stalls", [Stalls(input=128), Stalls(output=200), Stalls(input=60, output=60, burst=4)], ids=str
)
def test_stalls_slow_a_right_design_down_and_change_nothing_else(simulator, stalls, frames):
    binary = build(standin(18, BEAT), simulator)
    result = run(binary, frames, answer(frames), stalls=stalls)
    assert result.passed, explain(result)
    assert result.frames[-1].last_out - result.frames[0].first_in > 12 * 5 + 20


def test_both_simulators_count_the_same_cycles(frames):
    first, second = (
        run(build(standin(18, BEAT), simulator), frames, answer(frames), stalls=Stalls(input=90, output=90, seed=7))
        for simulator in SIMULATORS
    )
    assert first.frames == second.frames


@both
@pytest.mark.parametrize("stall", [0, 100])
def test_damaged_frames_are_expected_as_the_contract_says(simulator, stall, frames):
    sent, target = damage(frames)
    assert sent.damaged == (False, True, False, True, False, True, False, True, False, True, False)
    result = run(build(standin(18, BEAT), simulator), sent, target, stalls=Stalls(input=stall, output=stall))
    assert result.passed, explain(result)
    assert result.frame_errors == 5
    assert result.outputs == 10 * 18  # all but the frame whose TKEEP was wrong, whose bytes nobody defines


@both
@pytest.mark.parametrize("cycle", range(15, 80, 7))
def test_after_a_reset_in_mid_frame_every_frame_is_right(simulator, cycle, frames):
    binary = build(standin(18, BEAT), simulator)
    reset = Reset(cycle=cycle, count=3, period=37, frame=1)
    result = run(binary, frames, answer(frames), reset=reset, capture=True)
    assert result.passed, explain(result)
    assert np.array_equal(result.captured, answer(frames))


def provoke(fault: str, simulator: Simulator, frames: np.ndarray) -> list[SimulationResult]:
    """Runs a design with a fault in all the ways the harness has."""
    binary = build(standin(18, BEAT, fault), simulator)
    sent, target = damage(frames)
    settings = {"watchdog": 200, "drain": 100}
    stalls = [Stalls(), Stalls(output=128), Stalls(input=128)]
    clean = [run(binary, frames, answer(frames), stalls=choice, **settings) for choice in stalls]
    damaged = [run(binary, sent, target, stalls=choice, **settings) for choice in stalls]
    return [*clean, *damaged, run(binary, frames, answer(frames), reset=Reset(cycle=33), **settings)]


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_design_is_noticed(fault, frames):
    results = provoke(fault, FAST, frames)
    assert not all(result.passed for result in results)
    for result in results:
        assert result.passed != bool(result.problem)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("VALID dropped", "breaches of AXI4-Stream, the first: valid_dropped"),
        ("payload changed", "payload_changed"),
        ("unknown VALID", "unknown_handshake"),
        ("hang at the output", "no progress any more"),
        ("output without end", "no progress any more"),
        ("hang at the input", "no progress any more"),
        ("missing beat", "no progress any more"),
        ("no frame_error", "frame_error pulsed 0 times, not 5"),
        ("extra beat", "a beat too many"),
        ("no TLAST", "expected TUSER,TLAST,TKEEP = 0,1,0011, got 0,0,0011"),
        ("TUSER on a good frame", "got 1,1,0011"),
        ("wrong TKEEP", "got 0,1,1111"),
        ("no TUSER on a damaged frame", "frame 1, beat 4: expected TUSER,TLAST,TKEEP = 1,1,0011, got 0,1,0011"),
    ],
)
def test_the_report_names_the_kind_of_fault(fault, says, frames):
    reports = [explain(result) for result in provoke(fault, FAST, frames)]
    assert any(says in report for report in reports), reports


@both
def test_the_first_wrong_value_is_named_by_frame_pixel_and_channel(simulator, frames):
    right = answer(frames)
    wrong = right.copy()
    wrong[7, 1, 0, 2] ^= 64
    wrong[7, 2, 1, 0] ^= 1
    wrong[9, 0, 0, 0] ^= 1
    result = run(build(standin(18, BEAT), simulator), frames, wrong, capture=True)
    assert (result.status, result.mismatches, result.outputs) == ("fail", 3, 216)
    first = result.first_mismatch
    assert (first.frame, first.pixel, first.channel) == (7, (1, 0), 2)
    assert (first.expected, first.got) == (wrong[7, 1, 0, 2], right[7, 1, 0, 2])
    assert first.cycle == result.frames[7].first_out + 2  # byte 8 is in beat 2
    assert "frame 7, pixel (y=1, x=0), channel 2: expected" in explain(result)
    assert np.array_equal(result.captured, right)


@both
def test_a_value_of_four_bytes_counts_once_even_across_beats(simulator):
    frames = np.arange(-20, 10, dtype=np.int32).reshape(2, 5, 1, 3)
    right = answer(frames)
    wrong = right.copy()
    wrong[1, 2, 0, 1] ^= 0x01010101
    result = run(build(standin(60, 3), simulator), frames, wrong)
    assert (result.mismatches, result.outputs) == (1, 30)
    assert (result.first_mismatch.expected, result.first_mismatch.got) == (wrong[1, 2, 0, 1], right[1, 2, 0, 1])
    assert result.first_mismatch.index == (2, 0, 1)


@both
@pytest.mark.parametrize("beat_bytes", [1, 7, 8, 9, 32])
def test_every_width_of_a_beat_works(simulator, beat_bytes, frames):
    if simulator == "verilator" and beat_bytes != 9:
        pytest.skip("a build each: one width is enough")
    result = run(build(standin(18, beat_bytes), simulator), frames, answer(frames), stalls=Stalls(output=40))
    assert result.passed, explain(result)


def test_nothing_compared_is_a_failure(frames):
    sent = stimulus(frames[:1], BEAT, faults={0: WrongKeep(beat=0, keep=1)})
    target = expected(answer(sent.seen), BEAT, damaged=sent.damaged, comparable=sent.comparable)
    result = run(build(standin(18, BEAT), FAST), sent, target)
    assert (result.status, result.problem, result.outputs) == ("fail", "nothing was compared", 0)


def test_beat_entries_have_lane_0_in_the_low_bits():
    frame = np.array([[1, 2, 3, 4, 5]], np.int8)
    assert stimulus(frame, 4).image() == "000f04030201\n010100000005\n"
    assert expected(frame, 4, damaged=[True]).image() == "040f04030201\n070100000005\n"
    assert expected(frame, 4, comparable=[False]).image() == "000f04030201\n010100000005\n"


def test_other_rom_contents_need_no_other_build(frames):
    first, second = (build(standin(18, BEAT, mask=mask)) for mask in (0x5A, 0x11))
    assert first.path == second.path
    assert run(second, frames, answer(frames, 0x11)).passed
    assert not run(second, frames, answer(frames)).passed


def test_memories_grow_with_the_stimulus():
    frames = np.zeros((1, 700, 100, 1), np.int8)
    result = run(build(standin(70_000, 1), FAST), frames, answer(frames))
    assert result.passed, explain(result)


@both
def test_a_waveform_is_written_on_request(simulator, frames, tmp_path: Path):
    file = tmp_path / "run.vcd"
    result = run(build(standin(18, BEAT), simulator, waveform=True), frames, answer(frames), waveform=file)
    assert result.waveform == file
    text = file.read_text()
    assert "m_axis_tdata" in text
    assert "$enddefinitions" in text


def test_a_waveform_of_a_binary_without_is_refused(frames, tmp_path: Path):
    with pytest.raises(ValueError, match="waveform=True"):
        run(build(standin(18, BEAT)), frames, answer(frames), waveform=tmp_path / "run.vcd")


@both
def test_verilog_that_does_not_compile_is_one_clear_line(simulator):
    design = Design(top="broken", files={"broken.v": "module broken (\n"}, input_beat_bytes=1, output_beat_bytes=1)
    with pytest.raises(ToolError, match=r"refused the design: .*broken\.v.*\(log: .*\.log\)"):
        build(design, simulator)


def test_handwritten_verilog_has_no_warning_waived(frames):
    text = standin(18, BEAT).files["standin.v"].replace("wire [7:0] mask = ", "wire [3:0] mask = ")
    files = {"standin.v": text}
    with pytest.raises(ToolError, match="WIDTH"):
        build(Design(top="standin", files=files, input_beat_bytes=BEAT, output_beat_bytes=BEAT, generated=()))


def test_an_unknown_simulator_is_refused():
    with pytest.raises(ToolError, match="verilator, icarus"):
        build(standin(18, BEAT), "modelsim")


def test_several_runs_share_the_cores_and_come_back_in_order(frames):
    binary = build(standin(18, BEAT), FAST)
    calls = [functools.partial(run, binary, frames[:count], answer(frames[:count])) for count in (1, 2, 3, 4)]
    assert [result.outputs for result in run_many(calls)] == [18, 36, 54, 72]
