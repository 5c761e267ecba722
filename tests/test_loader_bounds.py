"""What a file may cost before it is refused: each of these once hung, filled the memory or raised something foreign."""

import io
import os
import signal
import socket
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_layer import write_small_layer
from tflite_builder import Operator, Tensor, build

from hwconv import api
from hwconv import layer as layer_module
from hwconv.comparison import read_frames, with_random
from hwconv.errors import FormatError, SpecError
from hwconv.frontend import load, load_npz, tflite_file
from hwconv.frontend.tflite import read_model
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec


def packed(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def frames(path: Path) -> np.ndarray:
    return read_frames(path, "layer", "input", (5, 4, 3), "int8")


def give_up(number: int, frame: object) -> None:
    raise TimeoutError("waited for a pipe")


READERS = {"load": load, "read_model": read_model, "is_model": api.is_model, "read_frames": frames}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_pipe_is_refused_before_it_is_read(tmp_path: Path, read) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    before = signal.signal(signal.SIGALRM, give_up)  # a reader that does read waits for the end, which does not come
    signal.alarm(10)
    try:
        os.write(writer, b"PK\x03\x04" + bytes(100))
        with pytest.raises(FormatError, match="not a regular file"):
            read(path)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        os.close(writer)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("what", ["missing", "folder", "loop", "socket", "device", "nul"])
def test_whatever_is_no_file_is_an_error_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("thing")
    match what:
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("thing")
        case "device":
            path.symlink_to("/dev/zero")
        case "nul":
            path = Path("a\0b")
    with pytest.raises(FormatError):
        read(path)


def test_members_that_unpack_without_a_limit_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
            archive.writestr("kind.npy", packed(np.array("conv_s8")))
        with pytest.raises(FormatError, match=f"compressed by method {int(method)}"):
            load_npz(tmp_path / "a.npz")


def test_a_list_of_members_that_fills_the_memory_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for number in range(17):
            info = zipfile.ZipInfo(f"{number}.npy")
            info.comment = bytes(65_000)
            archive.writestr(info, b"")
    with pytest.raises(FormatError, match="a list of members of 110"):
        load_npz(tmp_path / "a.npz")


def test_an_archive_cannot_hide_its_list_of_members_behind_zip64(tmp_path: Path) -> None:
    path = write_small_layer(tmp_path / "a.npz")
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    path.write_bytes(content[:end] + locator + content[end:])
    with pytest.raises(FormatError, match="ZIP64"):
        load_npz(path)


def test_text_of_characters_that_do_not_exist_is_refused(tmp_path: Path) -> None:
    path = write_small_layer(tmp_path / "a.npz")
    with np.load(path) as archive:
        members = dict(archive)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in members.items():
            content = packed(array)
            if name == "kind":
                content = content[: -array.nbytes] + b"\xff\xff\xff\x7f" * (array.nbytes // 4)
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(FormatError, match="'kind' cannot be read"):
        load_npz(path)


HEADERS = {
    "claims a terabyte": "{'descr': '|i1', 'fortran_order': False, 'shape': (1099511627776,), }",
    "ends in a text": "'''",
    "nested": "(" * 900,
    "of nothing": "",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_an_npy_file_that_lies_is_refused(tmp_path: Path, header: str) -> None:
    text = header.encode() + b"\n"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(60))
    with pytest.raises(FormatError, match=r"not an \.npy file of numbers"):
        frames(tmp_path / "x.npy")


def test_an_npy_file_of_python_2_and_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    text = b"{'descr': '|i1', 'fortran_order': False, 'shape': (5L, 4L, 3L), }\n"
    values = np.arange(60, dtype=np.int8)
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values.tobytes())
    assert frames(tmp_path / "x.npy").ravel().tolist() == values.tolist()
    np.save(tmp_path / "x.npy", values.reshape(5, 4, 3).astype(">i2"))
    assert read_frames(tmp_path / "x.npy", "layer", "input", (5, 4, 3), "int16").ravel().tolist() == values.tolist()


def test_operators_that_share_tensors_cannot_keep_the_reader_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Tensor((4, 3, 3, 2), scales=[0.25], data=np.arange(72))
    window = {"StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1, "Padding": 1}
    layers = [Operator("CONV_2D", [0, 1, -1], [2], window)] * 20
    path = tmp_path / "model.tflite"
    path.write_bytes(build([Tensor((1, 6, 5, 2)), weights, Tensor((1, 4, 3, 4))], layers))
    assert len([operator for operator in read_model(path) if operator.supported]) == 20
    monkeypatch.setattr(tflite_file, "MAX_READ", 10 * 72)
    with pytest.raises(FormatError, match="share tensors"):
        read_model(path)


def test_the_range_of_a_sum_is_right_in_blocks(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    random = np.random.default_rng(seed)
    spec = ConvSpec(
        height=4, width=4, in_channels=5, out_channels=3, kernel=(2, 3), weight_zero_point=7, input_zero_point=-9
    )
    weights = random.integers(-128, 128, spec.weight_shape)
    bias = random.integers(-1000, 1000, 3)
    monkeypatch.setattr(layer_module, "_BLOCK_ELEMENTS", 7)
    layer = Layer(spec, LayerParameters(weights=weights, bias=bias, multiplier=np.int32(1 << 30), shift=np.int32(-9)))
    low, high = layer.accumulator_range()
    for channel in range(3):
        products = [[(x + 9) * (int(w) - 7) for x in (-128, 127)] for w in weights[channel].ravel()]
        assert low[channel] == sum(map(min, products)) + bias[channel]
        assert high[channel] == sum(map(max, products)) + bias[channel]


def test_a_layer_takes_little_more_memory_than_its_weights() -> None:
    count = 1 << 23
    spec = ConvSpec(height=1, width=1, in_channels=count // 64, out_channels=64, kernel=(1, 1), requantisation="shift")
    weights = np.zeros(spec.weight_shape, np.int8)
    tracemalloc.start()
    try:
        Layer(spec, LayerParameters(weights=weights, shift=np.int32(-9)))
        assert tracemalloc.get_traced_memory()[1] < 3 * count
    finally:
        tracemalloc.stop()


def test_frames_that_no_memory_holds_are_refused(tmp_path: Path) -> None:
    loaded = load(write_small_layer(tmp_path / "a.npz"))
    with pytest.raises(SpecError, match="expected frames to be at most"):
        with_random(loaded.layer, None, 1_000_000_000, 1)
