"""Things that are no files, where a file is expected."""

import os
import socket
from pathlib import Path

import numpy as np

from fuzzing.mutate import one

NAMES = ("plain", "two\nlines", "\x1b[31mred", "-o", "ü", "x" * 200, os.fsdecode(b"\xff\xfe"), "a.npz", "a.tflite")
KINDS = (
    "missing", "empty", "folder", "loop", "dangling", "link", "fifo", "null", "zero", "random", "socket", "sparse",
    "below a file", "link to a folder", "name too long", "nul",
)  # fmt: skip
SPARSE_BYTES = 1 << 34


def make(random: np.random.Generator, folder: Path, valid: Path) -> Path:
    """Makes one of the :data:`KINDS` and returns its path."""
    path = folder / one(random, NAMES)
    match one(random, KINDS):
        case "empty":
            path.touch()
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to(folder / "nothing")
        case "link":
            path.symlink_to(valid.resolve())
        case "link to a folder":
            path.symlink_to(folder)
        case "fifo":
            os.mkfifo(path)
        case "null":
            path.symlink_to("/dev/null")
        case "zero":
            path.symlink_to("/dev/zero")
        case "random":
            path.symlink_to("/dev/urandom")
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                os.chdir(folder)  # a socket's path is short
                server.bind("s")
            path = folder / "s"
        case "sparse":
            path.write_bytes(valid.read_bytes()[:100])
            os.truncate(path, SPARSE_BYTES)
        case "below a file":
            path.touch()
            path = path / "file"
        case "name too long":
            path = folder / ("y" * 300)
        case "nul":
            path = folder / "a\0b"
    return path
