"""A whole model as a file has it: the network that hardware computes, and what is left to the host before and after.

Tensors are known by their numbers in the file; :class:`Model` says which of them are tensors of the network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import HwconvError, SpecError, UnsupportedError
from .graph import INPUT, Network
from .host import HostOperation

PLACES = ("engine", "free", "host", "refused")
"""What becomes of an operator: an engine computes it, nothing has to be computed, the host does it, or nobody can."""


@dataclass(frozen=True, kw_only=True)
class ModelTensor:
    """A tensor of a file.

    Parameters
    ----------
    number:
        In the file.
    shape:
        With the batch, which is 1.
    dtype:
        ``int8``, ``float32`` and the like.
    constant:
        Whether it is none of the activations: weights, shapes and the like.
    label:
        Its name in the file, where tensors have names and no numbers: these count names as they occur.
    """

    number: int
    shape: tuple[int, ...]
    dtype: str
    constant: bool = False
    label: str = ""

    @property
    def bytes(self) -> int:
        """Bytes of its values; 0 for a type that has no size here."""
        sizes = {"float32": 4, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1}
        return math.prod(self.shape) * sizes.get(self.dtype, 0)


@dataclass(frozen=True, kw_only=True)
class OperatorRecord:
    """An operator of a model, and what becomes of it.

    Parameters
    ----------
    index, name:
        Its number in the file, and ``CONV_2D`` and the like.
    place:
        One of :data:`PLACES`.
    node:
        The node of the network that computes it, or ``None``.
    inputs, outputs:
        Its tensors, those of weights and the like included.
    macs, weights:
        Multiply-accumulates of one frame and weights of a convolution, 0 for all others.
    note:
        Why it is refused, or what else is to be said.
    error:
        What loading the model raises for it.
    """

    index: int
    name: str
    place: str
    node: str | None = None
    inputs: tuple[ModelTensor, ...] = ()
    outputs: tuple[ModelTensor, ...] = ()
    macs: int = 0
    weights: int = 0
    note: str = ""
    error: HwconvError | None = None


@dataclass(frozen=True, kw_only=True)
class HostStep:
    """An operator that the host computes.

    Parameters
    ----------
    index, name:
        As of :class:`OperatorRecord`.
    operation:
        What is computed.
    input, output:
        The one tensor that it reads, and the one that it makes.
    """

    index: int
    name: str
    operation: HostOperation
    input: ModelTensor
    output: ModelTensor


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """A model that can be computed.

    Parameters
    ----------
    name:
        The file's, without its ending.
    network:
        All that hardware computes.
    before, after:
        The host's steps, in order.
    operators:
        Every operator of the file; none is refused.
    tensors:
        Names of the network's tensors by the numbers that they have in the file. Several numbers may have one name:
        those of a tensor and of its reshaped forms.
    shapes:
        Shapes of those numbers, with the batch.
    input, output:
        The model's.
    channels_first:
        Whether the file has ``(N, C, H, W)``, rather than the network's ``(N, H, W, C)``.
    """

    name: str
    network: Network
    before: tuple[HostStep, ...] = ()
    after: tuple[HostStep, ...] = ()
    operators: tuple[OperatorRecord, ...]
    tensors: Mapping[int, str]
    shapes: Mapping[int, tuple[int, ...]]
    input: ModelTensor
    output: ModelTensor
    channels_first: bool = False

    def __post_init__(self) -> None:
        graph = self.network.graph
        for number, name in self.tensors.items():
            if name not in graph.tensors:
                raise SpecError(self.name, f"name of tensor {number}", name, "a tensor of the network")
            if math.prod(self.shapes[number]) != math.prod(graph.tensors[name].shape):
                raise SpecError(self.name, f"shape of tensor {number}", self.shapes[number], "that of the network's")
        first = self.before[-1].output if self.before else self.input
        last = self.after[0].input if self.after else self.output
        for tensor, name in ((first, INPUT), (last, graph.output)):
            if self.tensors.get(tensor.number) != name:
                raise SpecError(self.name, f"tensor {tensor.number}", self.tensors.get(tensor.number), name)

    @property
    def host(self) -> tuple[HostStep, ...]:
        """All steps of the host."""
        return self.before + self.after


@dataclass(frozen=True, eq=False, kw_only=True)
class Survey:
    """A file as it is, whether or not it can be computed.

    Parameters
    ----------
    name:
        The file's, without its ending.
    operators:
        Every operator, also those that are refused.
    problems:
        All that keeps the model from being loaded, in the order in which it was found.
    model:
        The model, if nothing does.
    """

    name: str
    operators: tuple[OperatorRecord, ...]
    problems: tuple[HwconvError, ...]
    model: Model | None

    def loaded(self) -> Model:
        """The model; raises the first of the problems."""
        if self.problems:
            raise self.problems[0]
        if self.model is None:
            raise UnsupportedError(self.name, "model", None, "one that can be computed")
        return self.model
