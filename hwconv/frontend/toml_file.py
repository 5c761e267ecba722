"""A ``.toml`` file as tables of numbers, texts and lists, with bounded work and nothing in it that could surprise.

The parser of the standard library takes time and memory that grow with the square of a dotted key's parts, numbers of
any length, and dates. What no description of a layer needs is refused, before it is parsed where it must be.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from ..errors import FormatError
from .source_file import read_file

MAX_FILE_BYTES = 1 << 18
"""Largest file that is read; tensors that are larger have files of their own."""
MAX_TEXT = 200
"""Characters of a key or a text."""
MAX_DEPTH = 6
"""Of tables and lists in each other."""
_INT64 = (-(1 << 63), (1 << 63) - 1)  # what TOML 1.0 asks of every reader
_PARTS = 8  # of a dotted key
_DOTTED = re.compile(rf"(?:\.[ \t]*[A-Za-z0-9_-]+[ \t]*){{{_PARTS}}}\.")
_QUOTED = re.compile(r"""["'][ \t]*\.[ \t]*["'A-Za-z0-9_-]""")


def read_toml(path: Path) -> dict[str, Any]:
    """The top-level table: its values are booleans, 64-bit integers, floats, short texts, lists and tables.

    Raises
    ------
    FormatError
        A file that is missing, too large or not TOML 1.0; a date; a number, text, key or nesting beyond the limits.
    """
    content = read_file(path, MAX_FILE_BYTES)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not UTF-8 text (byte {error.start})") from error
    if _DOTTED.search(text) or any(len(_QUOTED.findall(line)) > _PARTS for line in text.split("\n")):
        raise FormatError(path, f"more than {_PARTS} names joined by dots")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(path, f"not TOML: {_one_line(error)}") from error
    except RecursionError as error:
        raise FormatError(path, f"nested deeper than {MAX_DEPTH}") from error
    except ValueError as error:  # a date that does not exist, a number of too many digits
        raise FormatError(path, f"not TOML: {_one_line(error)}") from error
    _check(path, document, "", 0)
    return document


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:MAX_TEXT]


def _check(path: Path, value: object, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError(path, f"{where} is nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key, item in value.items():
            if len(key) > MAX_TEXT:
                raise FormatError(path, f"a key of {len(key)} characters; at most {MAX_TEXT} are read")
            _check(path, item, f"{where}.{key}" if where else key, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(path, item, where, depth + 1)
    elif isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise FormatError(path, f"{where} has {len(value)} characters; at most {MAX_TEXT} are read")
    elif isinstance(value, int):
        if not _INT64[0] <= value <= _INT64[1]:
            raise FormatError(path, f"{where} is an integer of more than 64 bits")
    elif not isinstance(value, float):
        raise FormatError(path, f"{where} is a {type(value).__name__}, not a number, text, list or table")
