"""The golden model of a whole model: the host's steps and the network between them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import SpecError
from ..model import HostStep, Model
from . import graph, host


def run_model(model: Model, x: NDArray[Any]) -> NDArray[Any]:
    """Computes a model's output.

    Parameters
    ----------
    x:
        Frames in the type of the model's input, and in its shape without the batch: ``(N, ...)``.

    Returns
    -------
    ``(N, ...)``, of the type and shape of the model's output.

    Raises
    ------
    SpecError
        Input of another type or shape.
    """
    return run_every_tensor(model, x)[model.output.number]


def run_every_tensor(model: Model, x: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """Every tensor of a model by its number in the file, but those of pads that a convolution makes itself."""
    expected = model.input.shape[1:]
    if x.dtype != model.input.dtype or x.shape[1:] != expected or not len(x):
        raise SpecError(
            model.name, "input", f"{x.dtype} of shape {x.shape}", f"{model.input.dtype} of shape (N, *{expected})"
        )
    tensors = {model.input.number: x}
    for step in model.before:
        _take(tensors, step)
    first = model.before[-1].output.number if model.before else model.input.number
    given = tensors[first]
    if model.channels_first and given.ndim > 2:
        given = np.moveaxis(given, 1, -1)
    frame = model.network.graph.input_shape
    found = graph.run_all(model.network, given.reshape(len(x), *frame))
    for number, name in model.tensors.items():
        shape = model.shapes[number][1:]
        if model.channels_first and len(shape) > 1:
            tensors[number] = np.moveaxis(found[name].reshape(len(x), *shape[1:], shape[0]), -1, 1)
        else:
            tensors[number] = found[name].reshape(len(x), *shape)
    for step in model.after:
        _take(tensors, step)
    return tensors


def _take(tensors: dict[int, NDArray[Any]], step: HostStep) -> None:
    x = tensors[step.input.number]
    tensors[step.output.number] = host.run(step.operation, x).reshape(len(x), *step.output.shape[1:])
