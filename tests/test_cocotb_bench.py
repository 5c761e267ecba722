"""The cocotb bench of `sim/` on a stand-in for an engine, called as hwconv and as a package's `make sim` call it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from standin import FAULTS_WITHIN_A_CYCLE, answer, standin

from hwconv.resources import resource_path
from hwconv.simulation import SIMULATORS, bench_description, expected, run_cocotb, stimulus

BEAT = 4
LOADED = "weights_may_be_loaded_again_and_damaged_images_are_told"
"""Skipped where the weights are constants."""
both = pytest.mark.parametrize("simulator", SIMULATORS)


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (3, 3, 2, 3), dtype=np.int8)


@both
def test_a_right_design_passes_every_test(simulator, frames):
    result = run_cocotb(standin(18, BEAT), frames, answer(frames), simulator, latency=5, interval=5)
    assert result.passed, result.failures
    assert {name for name, outcome in result.tests.items() if outcome != "pass"} == {LOADED}
    assert len(result.tests) >= 14


def test_a_frame_of_one_beat_skips_what_it_cannot_do(frames):
    result = run_cocotb(standin(18, 18), frames, answer(frames), "icarus", latency=1, interval=1)
    assert result.passed, result.failures
    skipped = [name for name, outcome in result.tests.items() if outcome == "skip"]
    assert LOADED in skipped
    assert len(skipped) > 1
    assert all("early_tlast" in name for name in skipped if name != LOADED)


@pytest.mark.parametrize(
    ("fault", "test", "says"),
    [
        ("wrong byte", "frames_back_to_back", "frame 0, beat 1, cycle 12, lane 1: expected"),
        ("no TLAST", "frames_back_to_back", "expected TKEEP, TLAST, TUSER = 0x3, True, False, got 0x3, False, False"),
        ("extra beat", "frames_back_to_back", "beats too many"),
        ("missing beat", "frames_back_to_back", "hang: 0 beats were not offered"),
        ("VALID dropped", "random_stalls", "VALID fell before READY"),
        ("payload changed", "random_stalls", "the payload changed"),
        ("unknown VALID", "frames_back_to_back", "m_axis_tvalid is unknown"),
        ("overflow", "a_sink_that_waits", ""),
        ("early TLAST ignored", "early_tlast", ""),
        ("no frame_error", "late_tlast", "frame_error was high for 0 cycles, not 3"),
        ("long frame_error", "missing_tlast", "frame_error was high for"),
        ("nothing discarded", "missing_tlast", ""),
        ("TKEEP ignored", "wrong_tkeep", "frame with TKEEP"),
        ("state kept over reset", "reset_in_mid_frame", ""),
        *((fault, "no_input_reaches", "with the inputs alone") for fault in FAULTS_WITHIN_A_CYCLE),
    ],
)
def test_the_bench_notices_a_fault(fault, test, says, frames):
    result = run_cocotb(standin(18, BEAT, fault), frames, answer(frames), "icarus", latency=5, only=test)
    assert not result.passed
    assert any(says in message for message in result.failures.values()), result.failures


@pytest.mark.parametrize(("latency", "interval"), [(6, None), (None, 4)])
def test_other_cycles_than_predicted_are_a_failure(latency, interval, frames):
    only = "frames_back_to_back"
    result = run_cocotb(
        standin(18, BEAT), frames, answer(frames), "icarus", latency=latency, interval=interval, only=only
    )
    assert any("predicted" in message for message in result.failures.values())


@pytest.mark.parametrize("right", [True, False])
def test_a_folder_runs_its_bench_without_hwconv(right, frames, tmp_path: Path):
    design = standin(18, BEAT, None if right else "wrong byte")
    bench = tmp_path / "sim"
    bench.mkdir()
    for name in ("run.py", "test_engine.py", "axi_stream.py"):
        shutil.copy(resource_path(f"sim/{name}"), bench)
    for name, text in design.files.items():
        (tmp_path / name).write_text(text)
    description = bench_description(
        design, frames, answer(frames), latency=5, sources=["../standin.v"], images=["../mask.mem"]
    )
    (bench / "bench.json").write_text(json.dumps(description))
    (bench / "stimulus.mem").write_text(stimulus(frames, BEAT).image())
    (bench / "expected.mem").write_text(expected(answer(frames), BEAT).image())
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_CURRENT_TEST")
    }
    command = [sys.executable, "sim/run.py", "icarus", "--only", "frames_back_to_back|random_stalls"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == right, done.stdout + done.stderr
    assert f"3 tests, {0 if right else 3} failed" in done.stdout
