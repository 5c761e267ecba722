"""The order of bytes and lanes against values written by hand, so that a mistake cannot cancel out."""

import numpy as np
import pytest

from hwconv.errors import SpecError
from hwconv.packing import (
    beats_to_frame,
    bytes_to_tensor,
    frame_to_beats,
    pack_words,
    tensor_to_bytes,
    to_hex,
    unpack_words,
)

# one frame of 2 rows, 1 column and 3 channels
FRAME = np.array([[[1, -2, 3]], [[-128, 127, 0]]], np.int8)
FRAME_BYTES = b"\x01\xfe\x03\x80\x7f\x00"


def test_channels_come_first_then_columns_then_rows():
    frame = np.zeros((2, 2, 2), np.int8)
    for y, x, c in np.ndindex(2, 2, 2):
        frame[y, x, c] = 16 * (4 * y + 2 * x + c) if y == 0 else 100 + 2 * x + c
    assert tensor_to_bytes(frame) == b"\x00\x10\x20\x30\x64\x65\x66\x67"


def test_bytes_of_int8_are_twos_complement():
    assert tensor_to_bytes(FRAME) == FRAME_BYTES


def test_memory_layout_of_the_array_does_not_matter():
    assert tensor_to_bytes(np.asfortranarray(FRAME)) == FRAME_BYTES
    assert tensor_to_bytes(np.repeat(FRAME, 2, axis=0)[::2]) == FRAME_BYTES


def test_wide_values_are_little_endian():
    assert tensor_to_bytes(np.array([0x0102, -2], np.int16)) == b"\x02\x01\xfe\xff"
    assert tensor_to_bytes(np.array([0x01020304, -2], np.int32)) == b"\x04\x03\x02\x01\xfe\xff\xff\xff"
    assert tensor_to_bytes(np.array([0x0102], ">i2")) == b"\x02\x01"


def test_bytes_become_tensors():
    found = bytes_to_tensor(FRAME_BYTES, (2, 1, 3), "int8")
    np.testing.assert_array_equal(found, FRAME, strict=True)
    found[0] = 0  # writable
    assert bytes_to_tensor(b"\x04\x03\x02\x01", (1,), "int32").tolist() == [0x01020304]
    assert bytes_to_tensor(b"\xfe\xff", (1,), "int16").tolist() == [-2]
    assert bytes_to_tensor(b"\xfe\xff", (2,), "uint8").tolist() == [254, 255]


def test_tensors_that_no_stream_carries_are_refused():
    with pytest.raises(SpecError, match="int64"):
        tensor_to_bytes(np.zeros(2, np.int64))
    with pytest.raises(SpecError, match="float32"):
        bytes_to_tensor(b"\0\0\0\0", (1,), "float32")
    with pytest.raises(SpecError, match="7"):
        bytes_to_tensor(b"1234567", (2, 4), "int8")


def test_the_first_byte_is_lane_0_of_the_first_beat():
    data, keep = frame_to_beats(FRAME, 4)
    assert data.dtype == keep.dtype == np.uint8
    assert data.tolist() == [[0x01, 0xFE, 0x03, 0x80], [0x7F, 0x00, 0x00, 0x00]]
    assert keep.tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_a_frame_may_fill_its_last_beat_or_be_one_beat():
    assert frame_to_beats(FRAME_BYTES, 3)[1].tolist() == [[1, 1, 1], [1, 1, 1]]
    data, keep = frame_to_beats(b"\x05", 4)
    assert (data.tolist(), keep.tolist()) == ([[5, 0, 0, 0]], [[1, 0, 0, 0]])


def test_beats_become_the_frames_bytes():
    data = np.array([[1, 0xFE, 3, 0x80], [0x7F, 0, 99, 99]], np.uint8)
    assert beats_to_frame(data, np.array([[1, 1, 1, 1], [1, 1, 0, 0]], np.uint8)) == FRAME_BYTES


@pytest.mark.parametrize(
    "keep", [[[1, 1, 0, 0], [1, 1, 1, 1]], [[1, 1, 1, 1], [1, 0, 1, 0]], [[1, 1, 1, 1], [0, 0, 0, 0]]]
)
def test_holes_in_a_frame_are_refused(keep):
    with pytest.raises(SpecError, match="keep"):
        beats_to_frame(np.zeros((2, 4), np.uint8), np.array(keep))


def test_lanes_of_no_bytes_and_frames_of_none_are_refused():
    with pytest.raises(SpecError, match="beat_bytes"):
        frame_to_beats(FRAME, 0)
    with pytest.raises(SpecError, match="frame"):
        frame_to_beats(b"", 4)
    with pytest.raises(SpecError, match="beats"):
        beats_to_frame(np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8))


def test_lane_0_is_least_significant_in_a_word():
    assert pack_words([[1, 2, 3, -1]], 8) == [0xFF030201]
    assert pack_words([[-1, 0, 5]], 5) == [0b00101_00000_11111]
    assert pack_words(np.array([[-8, 7], [1, 15]]), 4) == [0x78, 0xF1]
    assert pack_words([[1 << 70, -1]], 80) == [(((1 << 80) - 1) << 80) | 1 << 70]


def test_words_come_apart_again():
    assert unpack_words([0xFF030201], 4, 8) == [[1, 2, 3, -1]]
    assert unpack_words([0xFF030201], 4, 8, signed=False) == [[1, 2, 3, 255]]


@pytest.mark.parametrize(("value", "bits"), [(256, 8), (-129, 8), (2, 1), (-2, 1)])
def test_a_value_wider_than_its_lane_is_refused(value, bits):
    with pytest.raises(SpecError, match=str(value)):
        pack_words([[0, value]], bits)


def test_values_that_are_no_words_are_refused():
    for values, bits in (([1, 2], 8), ([[1.5]], 8), ([[1]], 0)):
        with pytest.raises(SpecError):
            pack_words(values, bits)


def test_hex_text_has_every_digit_and_one_word_a_line():
    assert to_hex([0, 0xFF030201, 1], 32) == "00000000\nff030201\n00000001\n"
    assert to_hex([0x1F, 0], 5) == "1f\n00\n"
    assert to_hex([], 5) == ""
    for word in (-1, 32):
        with pytest.raises(SpecError, match="word"):
            to_hex([word], 5)


def test_a_frame_survives_any_beat_width(seed):
    random = np.random.default_rng(seed)
    for beat_bytes in (1, 2, 3, 4, 7, 8, 16):
        frame = random.integers(-(1 << 15), 1 << 15, (3, 5, 7)).astype(np.int16)
        content = beats_to_frame(*frame_to_beats(frame, beat_bytes))
        np.testing.assert_array_equal(bytes_to_tensor(content, frame.shape, "int16"), frame, strict=True)
