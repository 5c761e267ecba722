"""Hostile input of every kind gives a proper result or one clear line: no other exception, no hang, bounded memory.

The cases are those of `fuzzing/`, in a process of their own whose address space and time per case are bounded. More of
them, and one of them again:

    HWCONV_SEED=7 .venv/bin/pytest -m slow tests/test_fuzz.py -s
    PYTHONPATH=.:tests .venv/bin/python -m fuzzing --seed 7 --case npz:1234 --keep /some/folder
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import MATERIAL
from fuzzing import trial
from fuzzing.kinds import KINDS

from hwconv.errors import FormatError

TESTS = Path(__file__).parent
SAMPLE, FULL = 300, 12_000
LONGEST_SECONDS = 10
"""Of the processor's time."""
MEMORY_BYTES = 1 << 30
"""What a process may hold beside what it held before the first case: the largest archive and a layer made of it."""


def run(seed: int, count: int, folder: Path) -> dict[str, Any]:
    """Tries cases in a process of their own and returns its report."""
    command = [sys.executable, "-m", "fuzzing", "--seed", str(seed), "--count", str(count)]
    if MATERIAL.is_dir():
        command += ["--material", str(MATERIAL)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    environment |= {"HWCONV_CACHE": str(folder / "cache")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, f"the process ended with {done.returncode} at this case: {done.stderr[-3000:]}"
    report: dict[str, Any] = json.loads(done.stdout)
    total: Counter[str] = Counter()
    for kind, results in report["results"].items():
        print(f"{kind}: " + ", ".join(f"{count} {result}" for result, count in results.items()))
        for result, number in results.items():
            total["taken" if result in ACCEPTED else "refused"] += number
    held = report["peak_bytes"] - report["peak_before_bytes"]
    slowest = f"longest {report['longest_seconds']} s ({report['longest']})"
    print(f"seed {seed}: {report['cases']} inputs; {dict(total)}; {slowest}; {held >> 20} MB held at most")
    return report


ACCEPTED = {"taken", "done", "1 layers", "2 layers", "3 layers"}


def check(report: dict[str, Any], count: int) -> None:
    assert report["faults"] == []
    assert report["cases"] >= count
    assert report["longest_seconds"] < LONGEST_SECONDS
    assert report["peak_bytes"] - report["peak_before_bytes"] < MEMORY_BYTES
    for kind, results in report["results"].items():
        refused = sum(number for result, number in results.items() if result not in ACCEPTED)
        assert refused, f"nothing of {kind} was refused: the cases are not hostile"
    for kind in ("npz", "tflite", "toml", "network", "onnx"):
        assert ACCEPTED & report["results"][kind].keys(), f"nothing of {kind} was taken: the cases do not reach far"


def test_hostile_input_is_refused_in_one_line_or_taken(seed: int, tmp_path: Path) -> None:
    check(run(seed, SAMPLE, tmp_path), SAMPLE)


@pytest.mark.slow
def test_ten_thousand_hostile_inputs(seed: int, tmp_path: Path) -> None:
    check(run(seed, FULL, tmp_path), 10_000)


def raising(error: Exception) -> Callable[[], str]:
    def attempt() -> str:
        raise error

    return attempt


def test_the_judge_knows_a_fault() -> None:
    assert trial.judge(lambda: "taken").fault == ""
    assert trial.judge(raising(FormatError("x.npz", "no such file"))).fault == ""
    for error in (
        KeyError("stride"),
        MemoryError(),
        FormatError("x.npz", ""),
        FormatError("x", "MemoryError: of 9 GiB"),
    ):
        assert trial.judge(raising(error)).fault
    assert "warned" in trial.judge(lambda: str(np.float32(3e38) * np.float32(10))).fault


def test_the_same_case_is_the_same_input(seed: int, tmp_path: Path) -> None:
    from fuzzing import seeds

    for name in ("seeds", "one", "two"):
        (tmp_path / name).mkdir()
    files = seeds.make(tmp_path / "seeds", None)
    for kind in ("npz", "toml", "tflite", "npy", "bench", "network", "onnx"):
        for name in ("one", "two"):
            KINDS[kind][0](np.random.default_rng([seed, 5]), tmp_path / name, files)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
