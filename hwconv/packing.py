"""Tensors as bytes, stream beats and memory words. The only place that knows the order of bytes and lanes.

Frames are their values in NHWC order, packed without gaps, each value little-endian. Byte 0 of a frame is lane 0 of its
first beat, bits 7..0 of ``tdata``. In a memory word, lane 0 holds the least significant bits.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import SpecError

STREAM_DTYPES = ("int8", "uint8", "int16", "int32")
"""Types of values that a stream carries."""


def tensor_to_bytes(tensor: NDArray[np.integer]) -> bytes:
    """The values of a tensor in C order (for NHWC: channels first, then columns, rows, frames), little-endian.

    Raises :class:`SpecError` for a type that is not one of :data:`STREAM_DTYPES`.
    """
    if tensor.dtype.name not in STREAM_DTYPES:
        raise SpecError("packing", "type", tensor.dtype.name, f"one of {', '.join(STREAM_DTYPES)}")
    return tensor.astype(tensor.dtype.newbyteorder("<")).tobytes(order="C")


def bytes_to_tensor(content: bytes, shape: Sequence[int], dtype: str) -> NDArray[np.integer]:
    """Inverse of :func:`tensor_to_bytes`: a writable array of ``shape`` in the machine's byte order.

    Raises :class:`SpecError` for another type, or another number of bytes than the shape has.
    """
    if dtype not in STREAM_DTYPES:
        raise SpecError("packing", "type", dtype, f"one of {', '.join(STREAM_DTYPES)}")
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise SpecError("packing", "bytes", len(content), f"{expected}, for {dtype} of shape {tuple(shape)}")
    array: NDArray[np.integer] = np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(tuple(shape))
    return array.astype(np.dtype(dtype))


def frame_to_beats(frame: bytes | NDArray[np.integer], beat_bytes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Cuts one frame into stream beats.

    Parameters
    ----------
    frame:
        The bytes of one frame, or a tensor (see :func:`tensor_to_bytes`).
    beat_bytes:
        Lanes of the stream.

    Returns
    -------
    ``(data, keep)``, both uint8 ``(beats, beat_bytes)``: ``data[b, l]`` is bits ``8 * l + 7 .. 8 * l`` of beat ``b``,
    and ``keep[b, l]`` bit ``l`` of its TKEEP. Only the last beat may be partial, its unused lanes are 0. TLAST belongs
    to the last beat.
    """
    if beat_bytes < 1:
        raise SpecError("packing", "beat_bytes", beat_bytes, "at least 1")
    content = frame if isinstance(frame, bytes) else tensor_to_bytes(np.asarray(frame))
    if not content:
        raise SpecError("packing", "frame", 0, "at least one byte")
    beats = -(-len(content) // beat_bytes)
    data, keep = np.zeros((2, beats * beat_bytes), np.uint8)
    data[: len(content)] = np.frombuffer(content, np.uint8)
    keep[: len(content)] = 1
    return data.reshape(beats, beat_bytes), keep.reshape(beats, beat_bytes)


def beats_to_frame(data: NDArray[np.uint8], keep: NDArray[np.uint8]) -> bytes:
    """Inverse of :func:`frame_to_beats`: the bytes that TKEEP marks, in lane order.

    Raises :class:`SpecError` for a partial beat before the last, and for a last one not contiguous from lane 0.
    """
    data, marked = np.asarray(data, np.uint8), np.asarray(keep).astype(bool)
    if data.ndim != 2 or data.shape != marked.shape or not data.size:
        raise SpecError("packing", "beats", f"{data.shape} and {marked.shape}", "two arrays of (beats, lanes)")
    count = int(marked.sum())
    if not marked[:-1].all() or not marked[-1].any() or not marked.reshape(-1)[:count].all():
        raise SpecError("packing", "keep", marked[-1].astype(int).tolist(), "full beats, and a last one from lane 0 on")
    return data.reshape(-1)[:count].tobytes()


def pack_words(values: ArrayLike, lane_bits: int) -> list[int]:
    """Memory words of several lanes.

    Parameters
    ----------
    values:
        ``(words, lanes)`` integers, each from ``-2**(lane_bits - 1)`` to ``2**lane_bits - 1``.
    lane_bits:
        Bits of one lane; negative values are in two's complement.

    Returns
    -------
    One integer per word, not negative: lane ``l`` is bits ``(l + 1) * lane_bits - 1 .. l * lane_bits``.

    Raises
    ------
    SpecError
        A value that does not fit its lane.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "iuO" or lane_bits < 1:
        found = f"{array.dtype} of shape {array.shape}, lanes of {lane_bits} bits"
        raise SpecError("packing", "values", found, "integers of shape (words, lanes), lanes of at least 1 bit")
    low, high, mask = -(1 << lane_bits - 1), (1 << lane_bits) - 1, (1 << lane_bits) - 1
    words = []
    for row in array.tolist():
        word = 0
        for lane, value in enumerate(row):
            if not low <= value <= high:
                raise SpecError("packing", f"value of lane {lane}", value, f"from {low} to {high}, {lane_bits} bits")
            word |= (value & mask) << lane * lane_bits
        words.append(word)
    return words


def unpack_words(words: Iterable[int], lanes: int, lane_bits: int, signed: bool = True) -> list[list[int]]:
    """Inverse of :func:`pack_words`, one list of ``lanes`` values per word."""
    mask, sign = (1 << lane_bits) - 1, (1 << lane_bits - 1) if signed else 0
    return [[((word >> lane * lane_bits & mask) ^ sign) - sign for lane in range(lanes)] for word in words]


def to_hex(words: Iterable[int], width: int) -> str:
    """Memory content for ``$readmemh``: one word of ``width`` bits a line, all digits written, the last line ended.

    Raises :class:`SpecError` for a word that is negative or wider.
    """
    digits = -(-width // 4)
    lines = []
    for word in words:
        if not 0 <= word < 1 << width:
            raise SpecError("packing", "word", word, f"from 0 to 2**{width} - 1")
        lines.append(f"{word:0{digits}x}\n")
    return "".join(lines)


def words_to_bytes(words: Iterable[int], width: int, word_bytes: int) -> bytes:
    """Memory words as a stream carries them: each of ``word_bytes`` bytes, the least significant first.

    Raises :class:`SpecError` for a word that is negative or has more than ``width`` bits, or a width that the bytes do
    not hold.
    """
    if not 1 <= width <= 8 * word_bytes:
        raise SpecError("packing", "width", width, f"from 1 to {8 * word_bytes}, the bits of {word_bytes} bytes")
    content = bytearray()
    for word in words:
        if not 0 <= word < 1 << width:
            raise SpecError("packing", "word", word, f"from 0 to 2**{width} - 1")
        content += word.to_bytes(word_bytes, "little")
    return bytes(content)


def bytes_to_words(content: bytes, word_bytes: int) -> list[int]:
    """Inverse of :func:`words_to_bytes`. Raises :class:`SpecError` for a part of a word at the end."""
    if word_bytes < 1 or len(content) % word_bytes:
        raise SpecError("packing", "bytes", len(content), f"a multiple of {word_bytes}, the bytes of a word")
    starts = range(0, len(content), word_bytes)
    return [int.from_bytes(content[start : start + word_bytes], "little") for start in starts]
