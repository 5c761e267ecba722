"""Damage that knows nothing of a format: bits, words, lengths, and pieces of other files."""

import struct
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

INTEGERS = (
    0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 1 << 20, (1 << 20) + 1, (1 << 31) - 1, 1 << 31,
    (1 << 32) - 1, 1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 100, 10**400,
)  # fmt: skip
NUMBERS = (*INTEGERS, *(-number for number in INTEGERS))
FLOATS = (0.0, -0.0, 1.0, -1.0, float("nan"), float("inf"), float("-inf"), 1e-45, 1e-38, 3.4e38, 1e-20, 1e20, 0.5)
TEXTS = ("", "a", "x" * 300, "x" * 100_000, "two\nlines", "\x1b[31m", "ü\u202e", "conv_s8\0", "\ud800", "OHWI", "same")


def one(random: np.random.Generator, choices: Sequence[T]) -> T:
    """One of several values of any type."""
    return choices[int(random.integers(len(choices)))]


def chance(random: np.random.Generator, share: float) -> bool:
    """True with a probability."""
    return bool(random.random() < share)


def damaged(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The content with one to four damages; `other` is a file that a piece may come from."""
    for _ in range(int(random.integers(1, 5))):
        content = one(random, (_bits, _word, _cut, _removed, _inserted, _repeated, _spliced, _blank))(
            random, content, other
        )
    return content


def _place(random: np.random.Generator, content: bytes) -> int:
    return int(random.integers(len(content) + 1))


def _bits(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 9)) if content else 0):
        changed[int(random.integers(len(content)))] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _word(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    form, step = one(random, (("<B", 1), ("<H", 2), ("<I", 4), ("<Q", 8)))
    if len(content) < step:
        return content
    at = int(random.integers(len(content) // step)) * step
    value = one(random, NUMBERS) & ((1 << 8 * step) - 1)
    return content[:at] + struct.pack(form, value) + content[at + step :]


def _cut(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    return content[: _place(random, content)]


def _removed(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    at = _place(random, content)
    return content[:at] + content[at + int(random.integers(1, 40)) :]


def _inserted(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    at = _place(random, content)
    return content[:at] + random.bytes(int(random.integers(1, 40))) + content[at:]


def _repeated(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    at, to = sorted((_place(random, content), _place(random, content)))
    return content[:to] + content[at:to] + content[to:]


def _spliced(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    return content[: _place(random, content)] + other[_place(random, other) :]


def _blank(random: np.random.Generator, content: bytes, other: bytes) -> bytes:
    at = _place(random, content)
    to = min(at + int(random.integers(1, 200)), len(content))
    return content[:at] + bytes([one(random, (0, 255))]) * (to - at) + content[to:]
