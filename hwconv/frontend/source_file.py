"""Opens what a user names as a file. Only a regular file is read: a pipe could keep the reader waiting for ever."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import FormatError


def open_file(path: Path) -> BinaryIO:
    """Opens a regular file for reading.

    Raises
    ------
    FormatError
        A path that does not exist, cannot be read, or is a folder, a pipe or a device.
    """
    try:
        # Without O_NONBLOCK, opening a pipe waits until someone writes to it.
        stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 - the caller closes it
    except FileNotFoundError as error:
        raise FormatError(path, "no such file") from error
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a null character in the path
        raise FormatError(ascii(str(path)), f"cannot be read ({error})") from error
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise FormatError(path, "not a regular file")
    return stream


def read_start(path: Path, count: int) -> bytes:
    """The first bytes of a file; raises as :func:`open_file` does."""
    with open_file(path) as stream:
        return _read(path, stream, count)


def read_file(path: Path, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes; raises :class:`FormatError` for a longer one too."""
    with open_file(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > limit:
            raise FormatError(path, f"{size} bytes; at most {limit} are read")
        return _read(path, stream, size)


def _read(path: Path, stream: BinaryIO, count: int) -> bytes:
    try:
        return stream.read(count)
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from error
