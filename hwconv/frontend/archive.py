"""Reads and writes the members of an ``.npz`` archive with bounded memory, never unpickling anything.

numpy's own loader allocates what a header claims before it looks at the data; here a header is believed only when it
agrees with the size of its member, and the sizes of all members together are limited first.
"""

import io
import math
import os
import struct
import sys
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, HwconvError
from .source_file import open_file, read_file

MAX_ARCHIVE_BYTES = 1 << 28
"""Limit of an archive, of its decompressed members together, and of an .npy file."""
_MAX_MEMBERS = 1000
_MAX_DIRECTORY_BYTES = 1 << 20  # of a zip file's list of members
_END = struct.Struct("<4s4H2LH")  # the record at the end of a zip file
_END_MAGIC, _LOCATOR_64_MAGIC = b"PK\x05\x06", b"PK\x06\x07"
_LOCATOR_64_BYTES, _MAX_COMMENT = 20, 65535
_MAX_HEADER = 1000  # of an array of numbers; numpy's own default lets nesting exhaust the parser of its literals
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip archive can state: equal content gives equal bytes


def read_array(path: Path) -> NDArray[np.generic]:
    """The array of an ``.npy`` file, in the machine's byte order. Raises :class:`FormatError` as for a member."""
    content = read_file(path, MAX_ARCHIVE_BYTES)
    try:
        return _parse_array(content)
    except Exception as error:
        raise FormatError(path, f"not an .npy file of numbers ({_one_line(error)})") from error


def read_archive(path: Path) -> dict[str, NDArray[np.generic]]:
    """All arrays of an archive by name, in the machine's byte order.

    Raises
    ------
    FormatError
        A file that is missing, truncated or no archive; a member that is damaged, of objects, of records, or of a size
        other than it claims; an archive above :data:`MAX_ARCHIVE_BYTES`.
    """
    try:
        with open_file(path) as stream:
            _check_size(path, stream)
            with zipfile.ZipFile(stream) as archive:
                return _read_members(path, archive)
    except HwconvError:
        raise
    except zipfile.BadZipFile as error:
        raise FormatError(path, "not an .npz archive, or a truncated one") from error
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:  # zipfile and its decompressors raise anything on damaged bytes
        raise FormatError(path, f"a damaged .npz archive ({_one_line(error)})") from error


def _check_size(path: Path, stream: BinaryIO) -> None:
    """Refuses an archive whose list of members alone would fill the memory: zipfile reads it whole, at once."""
    size = stream.seek(0, os.SEEK_END)
    if size > MAX_ARCHIVE_BYTES:
        raise FormatError(path, f"{size} bytes; at most {MAX_ARCHIVE_BYTES} are read")
    tail_bytes = min(size, _LOCATOR_64_BYTES + _END.size + _MAX_COMMENT)
    stream.seek(-tail_bytes, os.SEEK_END)
    tail = stream.read(tail_bytes)
    for at in {len(tail) - _END.size, tail.rfind(_END_MAGIC)}:  # where zipfile looks
        if not 0 <= at <= len(tail) - _END.size or not tail.startswith(_END_MAGIC, at):
            continue  # zipfile says what is wrong
        if tail.startswith(_LOCATOR_64_MAGIC, max(at - _LOCATOR_64_BYTES, 0)):
            raise FormatError(path, "a ZIP64 archive, as only files of more than 4 GiB need it")
        listed = _END.unpack_from(tail, at)[5]
        if listed > _MAX_DIRECTORY_BYTES:
            raise FormatError(path, f"a list of members of {listed} bytes; at most {_MAX_DIRECTORY_BYTES} are read")


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _read_members(path: Path, archive: zipfile.ZipFile) -> dict[str, NDArray[np.generic]]:
    members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    if not members:
        raise FormatError(path, "an archive without arrays")
    if len(members) > _MAX_MEMBERS or len({info.filename for info in members}) != len(members):
        raise FormatError(path, f"an archive with more than {_MAX_MEMBERS} members or with two of the same name")
    total = sum(info.file_size for info in members)
    if total > MAX_ARCHIVE_BYTES:
        raise FormatError(path, f"claims {total} bytes of arrays; at most {MAX_ARCHIVE_BYTES} are read")
    arrays = {}
    for info in members:
        name = info.filename.removesuffix(".npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile unpacks the others without a limit
            raise FormatError(
                path, f"member {name!r} is compressed by method {info.compress_type}, not deflated or stored"
            )
        with archive.open(info) as stream:
            content = stream.read(info.file_size)
        try:
            arrays[name] = _parse_array(content)
        except Exception as error:  # numpy parses the header as Python literals: any error means a damaged member
            raise FormatError(path, f"member {name!r} cannot be read ({_one_line(error)})") from error
    return arrays


def _parse_array(content: bytes) -> NDArray[np.generic]:
    stream = io.BytesIO(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers written by Python 2 read as well
        shape, fortran, dtype = _read_header(stream)
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None or dtype.kind not in "biufU":
        raise ValueError(f"type {dtype}; numbers and text are read")
    if any(extent < 0 for extent in shape) or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"shape {shape} of {dtype} contradicts the {len(content) - stream.tell()} bytes of data")
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype) if math.prod(shape) <= 1 else np.zeros(0, dtype)
    if dtype.kind == "U" and np.frombuffer(content, dtype.str[0] + "u4", offset=stream.tell()).max() > sys.maxunicode:
        raise ValueError(
            "text of characters that do not exist"
        )  # Python's own strings fail on them later, as SystemError
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), order="C")


def _read_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    reader = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if reader is None:
        raise ValueError(f"version {version} of the .npy format")
    shape, fortran, dtype = reader(stream, max_header_size=_MAX_HEADER)
    return shape, fortran, dtype


def write_archive(path: Path, arrays: Mapping[str, object]) -> None:
    """Writes arrays as an ``.npz`` archive: the same arrays give the same bytes, and no half of a file is left behind.

    Members are stored, not compressed, as the bytes of a compressor depend on its version.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, values in arrays.items():
            array = np.asarray(values)
            member = io.BytesIO()
            np.lib.format.write_array(
                member, np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).reshape(array.shape),
                version=(1, 0), allow_pickle=False,
            )  # fmt: skip
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", _EPOCH), member.getvalue())
    write_whole(Path(path), buffer.getvalue())


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file, or leaves what was there; raises :class:`FormatError` for a path that cannot be written."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise FormatError(path, f"cannot be written ({error.strerror or error})") from error


def require(path: Path, arrays: Mapping[str, object], names: Collection[str]) -> None:
    """Raises :class:`FormatError` for the first of ``names`` that the archive lacks."""
    for name in names:
        if name not in arrays:
            raise FormatError(path, f"no member {name!r}: not a layer file")
