"""One attempt, judged: a proper result, or one clear line of hwconv's own errors; anything else is a fault."""

import io
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwconv.errors import HwconvError

LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Outcome:
    """What an attempt did: a word for its result or its error's class, what is wrong with that, its processor time."""

    result: str
    fault: str
    seconds: float


def judge(attempt: Callable[[], str]) -> Outcome:
    """Runs an attempt."""
    start = time.process_time()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result, fault = attempt(), ""
        except HwconvError as error:
            result, fault = type(error).__name__, wrong_message(str(error))
        except Exception as error:
            result, fault = type(error).__name__, f"raised {type(error).__name__}: {error}"[:500]
    seconds = time.process_time() - start
    if warned and not fault:
        fault = f"warned: {warned[0].message}"
    return Outcome(result, fault, seconds)


def wrong_message(message: str) -> str:
    """What keeps a message from being one clear line; nothing if it is one."""
    if not message.strip() or message.strip().endswith(":"):
        return f"says nothing: {message!r}"
    if len(message) > LONGEST_MESSAGE:
        return f"{len(message)} characters: {message[:100]}"
    if "MemoryError" in message or "RecursionError" in message:  # it was stopped by the machine, not by a check
        return message[:500]
    return ""


def command(arguments: list[str], folder: Path) -> str:
    """Runs a command line; its folder must hold all of a package or nothing that was not there before."""
    from hwconv.cli import main

    before = tree(folder)
    out, err = io.StringIO(), io.StringIO()
    code: Any = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as finished:
            code = finished.code
    if code == 0:
        for path in tree(folder) - before:
            if path.name == "README.md" and not (path.parent / "manifest.json").exists():
                raise AssertionError(f"half of a package in {path.parent}")
        return "done"
    lines = [
        line for line in err.getvalue().splitlines() if not (line.startswith("hwconv: ") and line.endswith(" ..."))
    ]
    if len(lines) != 1 or not lines[0].startswith("hwconv: error: "):
        raise AssertionError(f"exit code {code} with {lines}")
    if code not in (1, 2) or "internal error" in lines[0] or wrong_message(lines[0]):
        raise AssertionError(f"exit code {code}: {lines[0][:300]}")
    if out.getvalue():
        raise AssertionError(f"printed beside an error: {out.getvalue()[:100]}")
    if tree(folder) != before:
        raise AssertionError(f"left {sorted(map(str, tree(folder) - before))[:3]}")
    return f"exit code {code}"


def tree(folder: Path) -> set[Path]:
    """Everything below a folder."""
    return set(folder.rglob("*"))


def same_layer(one: Any, other: Any) -> bool:
    """Whether two layers are equal in every number."""
    pairs = zip(vars(one.parameters).values(), vars(other.parameters).values(), strict=True)
    return one.spec == other.spec and all(
        (left is None and right is None) or np.array_equal(left, right) for left, right in pairs
    )
