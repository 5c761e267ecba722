"""Damaged `.npy` content: headers that lie, types and shapes that no tensor has."""

import io

import numpy as np

from fuzzing.mutate import NUMBERS, chance, damaged, one

DESCRIPTIONS = (
    "'|i1'", "'<i8'", "'>i4'", "'<u8'", "'<f4'", "'<c16'", "'|b1'", "'|O'", "'|V8'", "'|S3'", "'<U7'", "'<U0'",
    "'<i99'", "'<U999999999999'", "[('a', '<i4')]", "('<i4', (2, 2))", "('<i4', (1 << 40,))", "None", "7",
    "'i1,i1'", "''", "'<M8[s]'",
    "'|i1" + "1" * 200 + "'",
)  # fmt: skip
TEXTS = (
    "", "{", "{}", "(" * 3000, "[" * 9000 + "]" * 9000, "None", "__import__('os')", "{'descr': '|i1'}", "\0", "\xff",
    "{'descr': '|i1', 'fortran_order': False, 'shape': (4L,), }", "{'descr': '|i1', 'fortran_order': 3, 'shape': (4,)}",
    "{'descr': '|i1', 'fortran_order': False, 'shape': 4}", "9" * 5000, "1 +\\\n", "'''", "-" * 5000 + "1",
)  # fmt: skip


def dump(array: np.ndarray) -> bytes:
    """The array as numpy writes it, objects included."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def frame(text: str, data: bytes, version: tuple[int, int] = (1, 0), length: int | None = None) -> bytes:
    """Magic, version, length and text of a header before the data, whether or not they agree."""
    raw = text.encode("latin1", "replace") + b"\n"
    size = 2 if version == (1, 0) else 4
    stated = (len(raw) if length is None else length) & ((1 << 8 * size) - 1)
    return b"\x93NUMPY" + bytes(version) + stated.to_bytes(size, "little") + raw + data


def hostile(random: np.random.Generator, array: np.ndarray, other: bytes) -> bytes:
    """An array's file, damaged in its header, its size or anywhere."""
    content = dump(array)
    data = array.tobytes()
    match int(random.integers(8)):
        case 0:
            return damaged(random, content, other)
        case 1:
            shape = list(array.shape) or [1]
            shape[int(random.integers(len(shape)))] = one(random, NUMBERS)
            return frame(_header(array.dtype.str, shape), data)
        case 2:
            shape = [one(random, (0, 1, 1 << 31, 1 << 62, *array.shape)) for _ in range(one(random, (0, 1, 5, 33, 70)))]
            return frame(_header(array.dtype.str, shape), data)
        case 3:
            text = _header(array.dtype.str, array.shape).replace(repr(array.dtype.str), one(random, DESCRIPTIONS), 1)
            return frame(text, data)
        case 4:
            return frame(one(random, TEXTS), data, one(random, ((1, 0), (2, 0), (3, 0))))
        case 5:
            version = one(random, ((1, 0), (2, 0), (3, 0), (9, 0), (1, 7), (0, 0), (255, 255)))
            length = one(random, NUMBERS) if chance(random, 0.5) else None
            return frame(_header(array.dtype.str, array.shape), data, version, length)
        case 6:
            return content + random.bytes(int(random.integers(1, 100)))
        case _:
            return content[: int(random.integers(len(content)))]


def other_array(random: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """The array with other values, another type, another shape or another order."""
    match int(random.integers(10)):
        case 0 if array.dtype.kind != "U":
            return array.astype(
                one(random, ("int8", "uint8", "int16", ">i2", "int64", "uint64", "float32", "bool", "U3"))
            )
        case 1 if array.dtype.kind in "iu" and array.size:
            limits = np.iinfo(array.dtype)
            changed = array.copy()
            changed.flat[int(random.integers(array.size))] = one(random, (limits.min, limits.max, 0, 1))
            return changed
        case 2:
            return np.full(array.shape, one(random, NUMBERS[:-1]) % (1 << 63), np.int64)
        case 3:
            return array[..., None] if chance(random, 0.5) else array.reshape(-1)
        case 4:
            return np.zeros(one(random, ((0,), (), (1,), (2, 0, 2), (1, 1, 1, 1), (3, 70))), array.dtype)
        case 5:
            return np.asfortranarray(np.flip(array))
        case 6:
            return np.array([{"a": 1}], object)
        case 7:
            return np.frombuffer(random.bytes(8), one(random, ("<U1", ">U2", "S8")))
        case 8:
            return np.zeros(2, [("a", "i4"), ("b", "f4")])
        case _:
            return np.concatenate([array.reshape(-1)] * 2)


def _header(descr: str, shape: object) -> str:
    extents = "".join(f"{extent}, " for extent in shape)
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': ({extents}), }}"
