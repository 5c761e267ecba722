"""Hostile `.onnx` models: other attributes, shapes, types and connections, and damaged protocol buffers."""

from pathlib import Path

import numpy as np
import onnx
from onnx_networks import draw_integer, draw_real

from fuzzing.mutate import FLOATS, chance, damaged, one

OPERATORS = (
    "Conv",
    "ConvTranspose",
    "Add",
    "Relu",
    "MaxPool",
    "Gemm",
    "Flatten",
    "QuantizeLinear",
    "DequantizeLinear",
    "Softmax",
    "Concat",
    "ReduceMean",
    "Resize",
    "DepthToSpace",
)
INT64 = (-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 7, 1 << 20, 1 << 31, (1 << 63) - 1)


def write(random: np.random.Generator, path: Path) -> None:
    """Writes one hostile model."""
    network = draw_real(random) if chance(random, 0.7) else draw_integer(random)
    model = network.model()
    if chance(random, 0.7):
        for _ in range(int(random.integers(0, 3))):
            edits = [*([_attribute, _connection, _operator] if model.graph.node else []), _end]
            one(random, [*edits, *([_constant] if model.graph.initializer else [])])(random, model.graph)
        content = model.SerializeToString()
    else:
        content = model.SerializeToString()
        content = damaged(random, content, content[::-1])
    path.write_bytes(content)


def _attribute(random: np.random.Generator, graph: onnx.GraphProto) -> None:
    node = one(random, graph.node)
    if node.attribute and chance(random, 0.7):
        attribute = one(random, node.attribute)
        if attribute.ints:
            attribute.ints[int(random.integers(len(attribute.ints)))] = one(random, INT64)
        else:
            attribute.i = one(random, INT64)
    else:
        name = one(
            random, ("axis", "group", "pads", "auto_pad", "ceil_mode", "x" * 300, "alpha", "axes", "blocksize", "mode")
        )
        value = one(random, (one(random, INT64), "SAME_LOWER", [1] * one(random, (0, 1, 4, 40)), 1.5))
        node.attribute.append(onnx.helper.make_attribute(name, value, attr_type=7 if value == [] else None))


def _connection(random: np.random.Generator, graph: onnx.GraphProto) -> None:
    node = one(random, graph.node)
    names = [name for each in graph.node for name in (*each.input, *each.output)]
    if node.input and chance(random, 0.8):
        node.input[int(random.integers(len(node.input)))] = one(random, (*names, "", "nothing"))
    else:
        node.output[:] = [one(random, names) for _ in range(one(random, (0, 1, 2)))]


def _operator(random: np.random.Generator, graph: onnx.GraphProto) -> None:
    node = one(random, graph.node)
    if chance(random, 0.5):
        node.op_type = one(random, OPERATORS)
    elif chance(random, 0.5):
        node.domain = one(random, ("com.microsoft", "x" * 300))
    else:
        graph.node.remove(node)
        graph.node.insert(int(random.integers(len(graph.node) + 1)), node)


def _constant(random: np.random.Generator, graph: onnx.GraphProto) -> None:
    tensor = one(random, graph.initializer)
    match int(random.integers(5)):
        case 0:
            tensor.data_type = one(random, (1, 2, 3, 6, 7, 10, 16, 99))
        case 1:
            tensor.dims[:] = [one(random, INT64) for _ in range(one(random, (0, 1, 2, 9)))]
        case 2 if tensor.data_type == 1:
            count = len(tensor.raw_data) // 4
            tensor.raw_data = np.array([one(random, FLOATS) for _ in range(count)], np.float32).tobytes()
        case 3:
            tensor.data_location = 1
        case _:
            tensor.raw_data = tensor.raw_data[: int(random.integers(len(tensor.raw_data) + 1))]


def _end(random: np.random.Generator, graph: onnx.GraphProto) -> None:
    end = one(random, (*graph.input, *graph.output))
    match int(random.integers(4)):
        case 0:
            end.type.tensor_type.elem_type = one(random, (0, 1, 2, 3, 7, 99))
        case 1:
            end.name = one(random, ("x", "v0", "", "y" * 300))
        case 2:
            graph.output.append(end)
        case _:
            dims = end.type.tensor_type.shape.dim
            if dims:
                one(random, dims).dim_value = one(random, INT64)
