"""Hostile `.npz` layer files: wrong members, lying zip directories, bombs."""

import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np

from fuzzing import npy
from fuzzing.mutate import FLOATS, NUMBERS, TEXTS, chance, damaged, one

Members = dict[str, np.ndarray]
VECTORS = ("stride", "dilation", "pad_tl", "padding", "input_shape")
TEXT_MEMBERS = ("name", "kind", "weights_layout", "activation_layout", "requantisation", "weight_dtype", "input_dtype",
    "op", "attrs", "input_names", "layout")  # fmt: skip
KINDS = (
    "conv_s8",
    "dw_s8",
    "gconv_s8",
    "fc_s8",
    "conv_s4",
    "conv_s16",
    "dw_u8",
    "conv1x1_s8",
    "tconv_s8",
    "_",
    "conv_",
    "Conv",
    "ConvTranspose",
    "QLinearConv",
    "{}",
    '{"pads": [1, 0, 2, 1], "group": 2}',
    '{"auto_pad": "SAME_UPPER", "strides": [3, 1000000000000]}',
    '{"output_shape": [3, -3], "output_padding": [1, 1]}',
    '{"kernel_shape": ' + "[" * 900 + "}",
    '{"group": 1e999, "strides": NaN}',
    '["x", "", "x"]',
)
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
BOMB_BYTES = 1 << 28
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
# offset and size of the fields of a local header, of an entry of the directory, and of the record at the end
FIELDS = {
    LOCAL: ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    CENTRAL: ((4, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4)),
    END: ((4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}


def write(random: np.random.Generator, path: Path, seeds: list[Path]) -> None:
    """Writes one hostile layer file."""
    content, other = one(random, seeds).read_bytes(), one(random, seeds).read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        members = {name: archive[name] for name in archive.files}
    match int(random.integers(10)):
        case 0 | 1 | 2:
            for _ in range(int(random.integers(1, 4))):
                _other_member(random, members)
            content = pack({name: npy.dump(array) for name, array in members.items()})
        case 3 | 4:
            packed = {name: npy.dump(array) for name, array in members.items()}
            name = one(random, sorted(packed))
            packed[name] = npy.hostile(random, members[name], other)
            content = pack(packed, one(random, METHODS[:2]))
        case 5 | 6:
            content = _lying(random, content)
        case 7:
            content = _strange_zip(random, members)
        case _:
            content = damaged(random, content, other)
    path.write_bytes(content)


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """An archive of members; a name that comes with its suffix keeps it."""
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")  # of two members with one name
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content, method)
    return stream.getvalue()


def _other_member(random: np.random.Generator, members: Members) -> None:
    """Changes, removes or adds a member."""
    name = one(random, sorted(members)) if members else "kind"
    match int(random.integers(9)):
        case 0:
            members.pop(name, None)
        case 1:
            members[one(random, VECTORS)] = _vector(random, one(random, (2, 2, 4, 3, 1)))
        case 2:
            members[one(random, ("groups", "ch_mult", "input_offset", "filter_offset", "output_offset", "act_min"))] = (
                _vector(random, 1).reshape(one(random, ((), (1,))))
            )
        case 3:
            members[one(random, TEXT_MEMBERS)] = np.array(one(random, (*TEXTS[:3], *TEXTS[4:8], *TEXTS[9:], *KINDS)))
        case 4:
            text = np.array([one(random, KINDS)])
            members["kind"] = npy.other_array(random, text) if chance(random, 0.3) else text
        case 5:
            members["scale"] = np.array([one(random, FLOATS)], np.float32)
            members["requantisation"] = np.array(one(random, ("onnx", "shift", "none", "tflite", "tflite16")))
        case 6:
            members[one(random, ("multiplier", "shift", "bias"))] = _vector(random, one(random, (1, 1, 2, 3, 0)))
        case 7:
            members[one(random, ("extra", "output_padding", "../../name", "", name))] = members.get(name, np.zeros(1))
        case _:
            if name in members and members[name].dtype.kind != "U":
                members[name] = npy.other_array(random, members[name])


def _vector(random: np.random.Generator, count: int) -> np.ndarray:
    values = [one(random, NUMBERS) if chance(random, 0.3) else int(random.integers(-2, 6)) for _ in range(count)]
    dtype = one(random, (np.int64, np.int64, np.int32, np.uint64, np.int8))
    limits = np.iinfo(dtype)
    return np.array([min(max(value, int(limits.min)), int(limits.max)) for value in values], dtype)


def _lying(random: np.random.Generator, content: bytes) -> bytes:
    """An archive with one to three fields of its headers overwritten."""
    changed = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        magic = one(random, sorted(FIELDS))
        places = [at for at in range(len(content) - 3) if content[at : at + 4] == magic]
        offset, size = one(random, FIELDS[magic])
        at = one(random, places) + offset
        value = one(random, NUMBERS) & ((1 << 8 * size) - 1)
        if at + size <= len(changed):
            changed[at : at + size] = value.to_bytes(size, "little")
    return bytes(changed)


def _strange_zip(random: np.random.Generator, members: Members) -> bytes:
    """Archives that are right as zip files, and no layer files."""
    packed = {name: npy.dump(array) for name, array in members.items()}
    match int(random.integers(7)):
        case 0:
            return pack(packed, one(random, METHODS))
        case 1:
            return random.bytes(int(random.integers(1, 3000))) + pack(packed)
        case 2:
            return pack(packed) + pack({"kind": b""})
        case 3:
            return pack(packed | {f"note{number}": npy.dump(np.array("note")) for number in range(1200)})
        case 4:
            doubled = pack(packed | {"kinx": packed.get("kind", b"")})
            return doubled.replace(b"kinx.npy", b"kind.npy")
        case 5:
            empty = struct.pack("<4s4H2LH", END, 0, 0, one(random, (0, 1, 65535)), 0, 0, 0, one(random, (0, 9)))
            return one(random, (b"", LOCAL)) + empty
        case _:
            return bomb(random, packed)


def bomb(random: np.random.Generator, packed: dict[str, bytes]) -> bytes:
    """A member that unpacks to far more than the file, true or not to what the directory says."""
    header = npy.frame(f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({BOMB_BYTES},), }}", b"")
    content = pack({**packed, "weights": header + bytes(BOMB_BYTES)}, one(random, METHODS[1:3]))
    if chance(random, 0.5):
        stated = (len(header) + BOMB_BYTES).to_bytes(4, "little")
        content = content.replace(stated, one(random, (100, 1 << 20)).to_bytes(4, "little"))
    return content
