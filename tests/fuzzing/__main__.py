"""Runs many cases in this process, whose memory and time are bounded, and prints what came of them as JSON."""

import argparse
import faulthandler
import json
import os
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing import seeds, trial
from fuzzing.kinds import KINDS

MEMORY_BYTES = 3 << 29
"""Address space that cases may take beside what this process has when they begin."""
SECONDS = 60
"""Wall time of one case: the process ends with a stack dump after it. A busy machine makes it long."""


def main() -> int:
    """Runs the cases of a seed, or one of them."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300, help="cases of all kinds together")
    parser.add_argument("--case", help="one case, as npz:1234")
    parser.add_argument("--keep", type=Path, help="a folder for the files of --case")
    parser.add_argument("--material", type=Path, help="the test material")
    options = parser.parse_args()
    cases = [options.case] if options.case else plan(options.count)
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as temporary:
        known = Path(temporary) / "seeds"
        known.mkdir()
        files = seeds.make(known, options.material)
        bound_memory()
        report: dict[str, Any] = {"seed": options.seed, "material": options.material is not None, "faults": []}
        results: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        longest = (0.0, "")
        before = peak()
        for case in cases:
            kind, number = case.split(":")
            folder = options.keep or Path(temporary) / "case"
            folder.mkdir(parents=True, exist_ok=True)
            print(case, file=sys.stderr, flush=True)  # what a process that is ended was doing
            random = np.random.default_rng([options.seed, list(KINDS).index(kind), int(number)])
            attempt = KINDS[kind][0](random, folder, files)
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            outcome = trial.judge(attempt)
            faulthandler.cancel_dump_traceback_later()
            results[kind][outcome.result] += 1
            longest = max(longest, (outcome.seconds, case))
            if outcome.fault:
                report["faults"].append([case, outcome.fault])
            os.chdir(home)
            if not options.keep:
                shutil.rmtree(folder)
    report |= {"cases": len(cases), "results": {kind: dict(sorted(found.items())) for kind, found in results.items()}}
    report |= {"longest_seconds": round(longest[0], 2), "longest": longest[1]}
    report |= {"peak_bytes": peak(), "peak_before_bytes": before}
    print(json.dumps(report))
    return bool(report["faults"])


def plan(count: int) -> list[str]:
    """Names of the cases, kind after kind in their shares."""
    return [f"{kind}:{number}" for kind, (_, share) in KINDS.items() for number in range(round(share * count))]


def bound_memory() -> None:
    """Limits the address space to what there is and :data:`MEMORY_BYTES` more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def peak() -> int:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
