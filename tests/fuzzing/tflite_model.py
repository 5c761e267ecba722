"""Hostile `.tflite` models: wrong tensors and options, and FlatBuffers whose offsets, lengths and tables lie."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
from random_networks import draw
from tflite_builder import Operator, Tensor, build

from fuzzing.mutate import FLOATS, NUMBERS, chance, damaged, one

OPTIONS = (
    "StrideH", "StrideW", "DilationHFactor", "DilationWFactor", "Padding", "FusedActivationFunction",
)  # fmt: skip
NAMES = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "RELU", "TRANSPOSE_CONV")
MORE_NAMES = (*NAMES, "ADD", "MUL", "MAX_POOL_2D", "CONCATENATION", "RESHAPE", "PAD", "SOFTMAX", "QUANTIZE", "ARG_MAX",
              "MEAN", "TRANSPOSE", "RESIZE_NEAREST_NEIGHBOR", "DEPTH_TO_SPACE")  # fmt: skip
DTYPES = ("int8", "uint8", "int16", "int32", "int64", "int4", "float32")
BYTES = ("Padding", "FusedActivationFunction")
INT32 = (-(1 << 31), (1 << 31) - 1)


def write(random: np.random.Generator, path: Path, seeds: list[Path]) -> None:
    """Writes one hostile model."""
    content = one(random, seeds).read_bytes() if seeds and chance(random, 0.15) else valid(random)
    match int(random.integers(10)):
        case 0 | 1 | 2 | 3:
            content = _built(random)
        case 4 | 5 | 6 | 7:
            content = _rewired(random, content)
        case _:
            content = damaged(random, content, valid(random))
    path.write_bytes(content)


def write_network(random: np.random.Generator, path: Path, seeds: list[Path]) -> None:
    """Writes one hostile model of several operators that read each other's results."""
    network = draw(random)
    tensors, operators, last = network.tensors, network.operators, network.last
    content = one(random, seeds).read_bytes() if seeds and chance(random, 0.1) else network.content()
    match int(random.integers(10)):
        case 0 | 1 | 2 | 3 | 4:
            for _ in range(int(random.integers(0, 3))):
                at = int(random.integers(len(tensors)))
                tensors[at] = _other_tensor(random, tensors[at])
            if chance(random, 0.6):
                at = int(random.integers(len(operators)))
                operators[at] = _other_operator(random, operators[at], len(tensors), MORE_NAMES)
            ends = [[0], [last]]
            if chance(random, 0.1):
                ends[int(random.integers(2))] = [int(each) for each in random.integers(-1, len(tensors), 2)]
            content = build(tensors, operators, (ends[0], ends[1]))
        case 5 | 6 | 7 | 8:
            content = _rewired(random, content)
        case _:
            content = damaged(random, content, network.content())
    path.write_bytes(content)


def valid(random: np.random.Generator) -> bytes:
    """A model of one to three layers that hwconv takes."""
    return build(*_parts(random))


def _parts(random: np.random.Generator) -> tuple[list[Tensor], list[Operator]]:
    tensors = [Tensor((1, 6, 5, 2), scales=[0.5], zero_points=[-3])]
    operators = []
    for _ in range(int(random.integers(1, 4))):
        first = len(tensors)
        kind = one(random, NAMES[:3])
        shapes = {
            "CONV_2D": ((4, 3, 3, 2), (1, 4, 3, 4)),
            "DEPTHWISE_CONV_2D": ((1, 3, 3, 4), (1, 4, 3, 4)),
            "FULLY_CONNECTED": ((4, 60), (1, 4)),
        }
        weights, output = shapes[kind]
        values = random.integers(-127, 128, weights)
        scales = [0.25] if kind == "FULLY_CONNECTED" or chance(random, 0.5) else [0.25, 0.5, 0.75, 0.125]
        axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
        tensors.append(Tensor(weights, scales=scales, zero_points=[0] * len(scales), axis=axis, data=values))
        tensors.append(Tensor((4,), "int32", data=random.integers(-1000, 1000, 4)))
        tensors.append(Tensor(output, scales=[2.0], zero_points=[5]))
        window = {} if kind == "FULLY_CONNECTED" else dict.fromkeys(OPTIONS[:4], 1) | {"Padding": 1}
        window |= {"DepthMultiplier": 2} if kind == "DEPTHWISE_CONV_2D" else {}
        operators.append(Operator(kind, [0, first, first + 1], [first + 2], window))
    return tensors, operators


def _built(random: np.random.Generator) -> bytes:
    """A well-formed FlatBuffer whose tensors and operators say impossible things."""
    tensors, operators = _parts(random)
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(len(tensors)))
        tensors[at] = _other_tensor(random, tensors[at])
    if chance(random, 0.4):
        at = int(random.integers(len(operators)))
        operators[at] = _other_operator(random, operators[at], len(tensors))
    return build(tensors, operators)


def _other_tensor(random: np.random.Generator, tensor: Tensor) -> Tensor:
    data = tensor.data
    extents = list(tensor.shape) or [1]
    extents[int(random.integers(len(extents)))] = _int32(random)
    match int(random.integers(9)):
        case 0:
            return replace(tensor, shape=extents)
        case 1:
            return replace(tensor, scales=[one(random, FLOATS) for _ in range(one(random, (0, 1, 1, 2, 4)))])
        case 2:
            points = [one(random, NUMBERS) % (1 << 63) * one(random, (1, -1)) for _ in range(one(random, (0, 1, 1, 4)))]
            return replace(tensor, zero_points=points)
        case 3:
            dtype = one(random, DTYPES)
            return replace(tensor, dtype=dtype, data=data if data is None else np.clip(data, 0, 100))
        case 4:
            return replace(tensor, axis=_int32(random))
        case 5:
            return replace(tensor, shape=one(random, ((), (1,), (0, 0, 0, 0), (1,) * 9, (1 << 16,) * 4, (-1, 6, 5, 2))))
        case 6:
            return replace(tensor, signature=extents)
        case 7:
            return replace(tensor, data=None if data is not None else np.zeros(8, np.int64))
        case _:
            return (
                tensor
                if data is None
                else replace(tensor, data=data.reshape(-1)[: int(random.integers(data.size + 1))])
            )


def _other_operator(
    random: np.random.Generator, operator: Operator, tensors: int, names: tuple[str, ...] = NAMES
) -> Operator:
    numbers = [
        one(random, (0, 1, 2, 3, tensors, -1, -2, INT32[0], INT32[1])) for _ in range(one(random, (0, 1, 2, 3, 4)))
    ]
    match int(random.integers(4)):
        case 0:
            return replace(operator, inputs=numbers)
        case 1:
            return replace(operator, outputs=numbers)
        case 2:
            return replace(operator, name=one(random, names), options={})
        case _:
            if not operator.options:
                return operator
            name = one(random, sorted(operator.options))
            value = int(random.integers(-1, 6)) if name in BYTES else _int32(random)
            if isinstance(operator.options[name], bool):
                value = bool(value)
            return replace(operator, options=operator.options | {name: value})


def _int32(random: np.random.Generator) -> int:
    return min(max(one(random, NUMBERS), INT32[0]), INT32[1])


def _rewired(random: np.random.Generator, content: bytes) -> bytes:
    """A model with one to three of its offsets, lengths, table entries or scalars overwritten."""
    changed = bytearray(content)
    slots = slots_of(content)
    for _ in range(int(random.integers(1, 4))):
        at, size = one(random, slots)
        match int(random.integers(4)):
            case 0:
                value = one(random, NUMBERS)
            case 1:  # somewhere else in the file
                value = int(random.integers(len(content)))
            case 2:  # near what it was
                value = int.from_bytes(changed[at : at + size], "little") + int(random.integers(-8, 9))
            case _:  # what another slot says
                source, width = one(random, slots)
                value = int.from_bytes(content[source : source + width], "little")
        changed[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    return bytes(changed)


def slots_of(content: bytes) -> list[tuple[int, int]]:
    """Places and sizes of a FlatBuffer's offsets, lengths, table entries and fields, found without its schema.

    From the root, everything that looks like a table (its vtable has plausible lengths) is walked; what looks like a
    vector gives its length and its first elements.
    """
    slots, seen, waiting = [(0, 4)], set(), [struct.unpack_from("<I", content, 0)[0]]
    while waiting and len(slots) < 4000:
        at = waiting.pop()
        if at in seen or at + 4 > len(content):
            continue
        seen.add(at)
        (back,) = struct.unpack_from("<i", content, at)
        vtable = at - back
        if not 0 <= vtable <= len(content) - 4:
            waiting += _vector(content, at, slots)
            continue
        size, table = struct.unpack_from("<HH", content, vtable)
        if size < 4 or size % 2 or size > 100 or table < 4 or table > 400 or vtable + size > len(content):
            waiting += _vector(content, at, slots)
            continue
        slots += [(at, 4), *((vtable + offset, 2) for offset in range(0, size, 2))]
        for (offset,) in struct.iter_unpack("<H", content[vtable + 4 : vtable + size]):
            field = at + offset
            if offset and field + 4 <= len(content):
                slots.append((field, 4))
                waiting.append(field + struct.unpack_from("<I", content, field)[0])
    return slots


def _vector(content: bytes, at: int, slots: list[tuple[int, int]]) -> list[int]:
    (length,) = struct.unpack_from("<I", content, at)
    slots.append((at, 4))
    places = [at + 4 * number for number in range(1, min(length, 64) + 1) if at + 4 * number + 4 <= len(content)]
    slots += [(place, 4) for place in places[:8]]
    return [place + struct.unpack_from("<I", content, place)[0] for place in places]
