"""The golden model of a graph: that of each node, one after the other."""

import numpy as np
from numpy.typing import NDArray

from ..graph import INPUT, Add, Concat, Conv, Network, Reshape, Upscale
from . import add, pool, upscale
from . import run as run_layer


def run_all(network: Network, x: NDArray[np.integer]) -> dict[str, NDArray[np.integer]]:
    """Computes every tensor of a network: name to ``(N, H, W, C)``; `x` is ``(N, H, W, C)`` of the graph's type."""
    tensors: dict[str, NDArray[np.integer]] = {INPUT: x}
    for node in network.graph.nodes:
        inputs = [tensors[name] for name in node.inputs]
        if isinstance(node, Concat):
            tensors[node.name] = np.concatenate(inputs, axis=3)
        elif isinstance(node, Reshape):
            tensors[node.name] = inputs[0].reshape(len(x), node.height, node.width, node.channels)
        elif isinstance(node, Add):
            tensors[node.name] = add.run(node.spec, *inputs)
        elif isinstance(node, Upscale):
            tensors[node.name] = upscale.run(node.spec, inputs[0])
        elif isinstance(node, Conv):
            tensors[node.name] = run_layer(network.layers[node.name], inputs[0])
        else:
            tensors[node.name] = pool.run(node.spec, inputs[0])
    return tensors


def run(network: Network, x: NDArray[np.integer]) -> NDArray[np.integer]:
    """Computes the output of a network on ``(N, H, W, C)`` frames of the graph's type.

    Raises
    ------
    SpecError
        Input of another type or shape; data whose accumulators leave what the requantisation is defined for.
    """
    return run_all(network, x)[network.graph.output]
