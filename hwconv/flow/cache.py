"""Results of tools, kept by the hash of everything that went into them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Where results are kept: below `$HWCONV_CACHE`, or below the user's cache directory."""
    chosen = os.environ.get("HWCONV_CACHE")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("hwconv")) / "flow"


def cached(name: str, fill: Callable[[Path], None]) -> Path:
    """Returns the folder `name` of the cache; `fill` makes its contents if it is not there.

    It appears whole or not at all, and of two processes that want it at once the second waits for the first.
    """
    root = cache_folder()
    folder = root / name
    if folder.is_dir():
        return folder
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=root))
        try:
            fill(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
