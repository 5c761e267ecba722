"""Results of tools, kept by the hash of everything that went into them."""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs


def cache_folder(room: str) -> Path:
    """Where a room of hwconv keeps its results: below `$HWCONV_CACHE`, or below the user's cache directory."""
    chosen = os.environ.get("HWCONV_CACHE")
    return (Path(chosen) if chosen else platformdirs.user_cache_path("hwconv")) / room


def content_hash(content: object) -> str:
    """Returns the hash of anything that JSON can say."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def cached(room: str, name: str, fill: Callable[[Path], None]) -> tuple[Path, bool]:
    """Returns the folder `name` of a room's cache, and whether `fill` had to make its contents.

    It appears whole or not at all, and of two processes that want it at once the second waits for the first.
    """
    root = cache_folder(room)
    folder = root / name
    if folder.is_dir():
        return folder, False
    root.mkdir(parents=True, exist_ok=True)
    # The lock stays: were it removed, a third process would lock a file of its own while a second still waits.
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder, False
        unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=root))
        try:
            fill(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder, True
