"""Takes one convolution out of a ``.tflite`` model, with its real weights and scales.

``CONV_2D``, ``DEPTHWISE_CONV_2D``, ``TRANSPOSE_CONV`` and ``FULLY_CONNECTED`` with int8, uint8 or int16 activations
become layers; every other operator, type or attribute is refused by name. All rules are those of TensorFlow Lite's
reference kernels, which the doc comments name.
"""

from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError, HwconvError, UnsupportedError
from ..layer import Layer
from .tflite_convolution import ConvolutionReader
from .tflite_file import ModelFile, contained
from .tflite_operator import tensors_of


@dataclass(frozen=True)
class Operator:
    """One operator of a model.

    Parameters
    ----------
    index:
        Its number in the graph: what ``--layer`` takes.
    name:
        ``CONV_2D`` and the like.
    inputs, outputs:
        Numbers of its tensors; -1 for an optional one that is absent.
    problem:
        Why it is not a layer for hwconv, or ``None``.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    problem: str | None

    @property
    def supported(self) -> bool:
        """Whether :func:`load_layer` takes it."""
        return self.problem is None


def read_model(path: str | Path) -> list[Operator]:
    """All operators of a model's first graph, each with the reason why it cannot be loaded, if there is one.

    Raises :class:`FormatError` for a file that is missing, truncated or no model.
    """
    path = Path(path)
    with contained(path):
        model = ModelFile(path)
        return [_describe(model, index) for index in range(len(model))]


def _describe(model: ModelFile, index: int) -> Operator:
    problem = None
    try:
        ConvolutionReader(model, index).layer()
    except FormatError:
        raise
    except HwconvError as error:
        problem = str(error)
    inputs, outputs = tensors_of(model, index)
    return Operator(index, model.operator_name(index), inputs, outputs, problem)


def supported_layers(path: str | Path) -> list[int]:
    """Indexes of the operators that :func:`load_layer` takes."""
    return [operator.index for operator in read_model(path) if operator.supported]


def layer_count(path: str | Path) -> int:
    """How many operators :func:`load_layer` takes."""
    return len(supported_layers(path))


def load_layer(path: str | Path, index: int) -> Layer:
    """The layer that operator ``index`` of a model computes; its name and origin say the model and the index.

    The batch of the model is ignored: a layer works on frames. A fully connected layer reads its input as one vector of
    all channels, so that a tensor of several vectors is several frames.

    Raises
    ------
    UnsupportedError
        An operator that is not one of the four, or has an attribute or type that is not supported, by name.
    FormatError
        A file that is missing, truncated or no model, or whose tensors contradict each other.
    """
    path = Path(path)
    with contained(path):
        model = ModelFile(path)
        if not 0 <= index < len(model):
            raise UnsupportedError(path.name, "operator", index, f"0 to {len(model) - 1}")
        return ConvolutionReader(model, index).layer()
