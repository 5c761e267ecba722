"""Builds kept by the hash of everything that went into them."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import platformdirs

from hwconv.errors import ToolError


def cache_folder() -> Path:
    """Where builds are kept: below `$HWCONV_CACHE`, or below the user's cache directory."""
    chosen = os.environ.get("HWCONV_CACHE")
    root = Path(chosen) if chosen else platformdirs.user_cache_path("hwconv")
    return root / "simulation"


def content_hash(content: object) -> str:
    """Returns the hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def cached(name: str, fill: Callable[[Path], None]) -> tuple[Path, bool]:
    """Returns the folder `name` of the cache, and whether `fill` had to make it.

    It appears whole or not at all, and two processes that want it at once make it once.
    """
    root = cache_folder()
    folder = root / name
    if folder.is_dir():
        return folder, False
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        if folder.is_dir():
            return folder, False
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=root))
        try:
            fill(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            (root / f"{name}.lock").unlink(missing_ok=True)
    return folder, True


def call(command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str] | None = None) -> None:
    """Runs a tool in `folder` and appends what it says to `log`.

    Raises:
        ToolError: it failed; the message carries its first complaint and the path of a copy of the log.
    """
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    with log.open("a") as file:
        file.write(" ".join(command) + "\n" + done.stdout)
    if done.returncode != 0:
        kept = cache_folder() / f"failed-{content_hash([list(command), done.stdout])}.log"
        shutil.copyfile(log, kept)
        lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
        complaints = [line for line in lines if "rror" in line or "arning" in line]
        first = next(iter(complaints or lines), f"exit code {done.returncode}")
        raise ToolError(f"{Path(command[0]).name} refused the design: {first} (log: {kept})")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
