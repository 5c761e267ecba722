"""Runs the tests' checks on a changed design until one notices."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from faults.subjects import Subject
from hwconv.errors import ToolError
from hwconv.simulation import Design

UNDECIDED = ("the simulator ended early", "s of wall time")
"""What a run says that crashed, or was stopped: no check has noticed anything."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a fault.

    Members:
        killed_by: the check that noticed it; empty if none did. said: its first words. seconds: what it took.
    """

    killed_by: str
    said: str
    seconds: float


def judge(subject: Subject, design: Design) -> Verdict:
    """Runs the checks on a design until one fails.

    Raises:
        ToolError: the design does not compile, or crashes or stops the simulator.
    """
    start = time.perf_counter()
    for name, check in subject.checks:
        try:
            check(design)
        except AssertionError as failed:
            said = next(iter(str(failed).splitlines()), "")
            if any(words in str(failed) for words in UNDECIDED):
                raise ToolError(f"a fault leaves the simulator without a verdict: {said}") from failed
            return Verdict(killed_by=name, said=said, seconds=time.perf_counter() - start)
    return Verdict(killed_by="", said="", seconds=time.perf_counter() - start)


@contextmanager
def own_cache() -> Iterator[None]:
    """Builds of changed engines are wanted once: they go to a folder that is thrown away."""
    before = os.environ.get("HWCONV_CACHE")
    with tempfile.TemporaryDirectory(prefix="hwconv-faults-") as folder:
        os.environ["HWCONV_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["HWCONV_CACHE"]
            if before is not None:
                os.environ["HWCONV_CACHE"] = before
