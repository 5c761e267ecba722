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
    tensors = _before(model, x)
    found = graph.run_all(model.network, _frames(model, tensors))
    for number, name in model.tensors.items():
        shape = model.shapes[number][1:]
        if model.channels_first and len(shape) > 1:
            tensors[number] = np.moveaxis(found[name].reshape(len(x), *shape[1:], shape[0]), -1, 1)
        else:
            tensors[number] = found[name].reshape(len(x), *shape)
    for step in model.after:
        _take(tensors, step)
    return tensors


def network_input(model: Model, x: NDArray[Any]) -> NDArray[np.integer]:
    """What goes into the hardware for a model's input: frames ``(N, H, W, C)``; raises as :func:`run_model`."""
    return _frames(model, _before(model, x))


def _before(model: Model, x: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """The model's input, and what the host makes of it."""
    expected = model.input.shape[1:]
    if x.dtype != model.input.dtype or x.shape[1:] != expected or not len(x):
        raise SpecError(
            model.name, "input", f"{x.dtype} of shape {x.shape}", f"{model.input.dtype} of shape (N, *{expected})"
        )
    tensors = {model.input.number: x}
    for step in model.before:
        _take(tensors, step)
    return tensors


def _frames(model: Model, tensors: dict[int, NDArray[Any]]) -> NDArray[np.integer]:
    first = tensors[model.before[-1].output.number if model.before else model.input.number]
    if model.channels_first and first.ndim > 2:
        first = np.moveaxis(first, 1, -1)
    return first.reshape(len(first), *model.network.graph.input_shape)


def _take(tensors: dict[int, NDArray[Any]], step: HostStep) -> None:
    x = tensors[step.input.number]
    tensors[step.output.number] = host.run(step.operation, x).reshape(len(x), *step.output.shape[1:])
