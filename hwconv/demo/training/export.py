"""A trained network as a float `.onnx` model, written operator by operator: the same bytes every time."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

OPSET, IR = 19, 9
"""Versions that every onnxruntime of the extra `oracles` reads."""


def export(network: nn.Sequential, shape: tuple[int, ...], path: Path) -> None:
    """Writes a network that takes float32 `(N, *shape)` as `x` and gives `y`."""
    nodes: list[Any] = []
    constants: list[Any] = []
    layers = [layer for layer in network if not isinstance(layer, nn.Dropout)]

    def constant(name: str, values: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    last = "x"
    for index, layer in enumerate(layers):
        made = "y" if index == len(layers) - 1 else f"v{index}"
        inputs, attributes = [last], {}
        match layer:
            case nn.Conv2d() | nn.ConvTranspose2d():
                operator = type(layer).__name__.removesuffix("2d")
                attributes = {
                    "kernel_shape": list(layer.kernel_size),
                    "strides": list(layer.stride),
                    "pads": [*layer.padding] * 2,
                    "dilations": list(layer.dilation),
                    "group": layer.groups,
                }
            case nn.Linear():
                operator, attributes = "Gemm", {"transB": 1}
            case nn.MaxPool2d():
                operator = "MaxPool"
                attributes = {"kernel_shape": [layer.kernel_size] * 2, "strides": [layer.stride] * 2}
            case nn.Hardtanh():
                operator = "Clip"
                inputs += [constant("low", layer.min_val), constant("high", layer.max_val)]
            case nn.ReLU():
                operator = "Relu"
            case nn.Flatten():
                operator = "Flatten"
            case _:
                raise TypeError(f"Expected a layer that is exported, not {layer}")
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            inputs += [constant(f"w{index}", layer.weight.detach()), constant(f"b{index}", layer.bias.detach())]
        nodes.append(helper.make_node(operator, inputs, [made], name=f"n{index}", **attributes))
        last = made
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])]
    results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "network", ends, results, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
