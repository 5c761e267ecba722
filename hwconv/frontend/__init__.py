"""Front ends: files of other people's making turned into layers.

:func:`load` takes any file that is supported; :mod:`~hwconv.frontend.npz`, :mod:`~hwconv.frontend.toml` and
:mod:`~hwconv.frontend.tflite` say more about each kind. :func:`load_model` takes whole models:
:mod:`~hwconv.frontend.tflite_model` and :mod:`~hwconv.frontend.onnx_model`.
"""

from pathlib import Path

from ..errors import FormatError, UnsupportedError, one_of
from ..model import Model, Survey
from . import onnx_model, tflite_model
from .layer_file import LayerFile
from .npz import load_npz, save_layer
from .source_file import read_start
from .tflite import load_layer, supported_layers
from .toml import load_toml

__all__ = [
    "LayerFile",
    "load",
    "load_layer",
    "load_model",
    "load_npz",
    "load_toml",
    "save_layer",
    "supported_layers",
    "survey_model",
]


def load(path: str | Path, layer: int | None = None) -> LayerFile:
    """Reads a layer from a file, whichever kind its first bytes say it is; text is known by its ending.

    Parameters
    ----------
    path:
        An ``.npz`` layer file, a layer in ``.toml``, or a ``.tflite`` model.
    layer:
        For a model: the operator's index. May be left out where the model has one layer only.

    Raises
    ------
    FormatError
        A file that is missing, damaged or of another kind.
    UnsupportedError
        A layer, or a feature of one, that is not supported; an index where there is nothing to choose.
    SpecError
        Values that no layer can have.
    """
    path = Path(path)
    head = read_start(path, 8)
    archive = head[:4] == b"PK\x03\x04"
    if archive or path.suffix == ".toml":
        if layer is not None:
            raise UnsupportedError(path.name, "layer", layer, "no index, as such a file holds one layer")
        return load_npz(path) if archive else load_toml(path)
    if head[4:8] == b"TFL3":
        return LayerFile(load_layer(path, _only_layer(path) if layer is None else layer))
    if path.suffix == ".onnx":
        raise FormatError(path, "an .onnx model is one design, not one layer: see hwconv compile, compare and build")
    raise FormatError(path, "neither an .npz or .toml layer file nor a .tflite model")


def load_model(path: str | Path) -> Model:
    """Reads a whole model, ``.tflite`` or ``.onnx``.

    Raises
    ------
    UnsupportedError
        What cannot be done exactly: says which operator, which field, and what is supported.
    SpecError
        Values that no layer can have.
    FormatError
        A file that is missing, damaged or of another kind.
    """
    return survey_model(path).loaded()


def survey_model(path: str | Path) -> Survey:
    """Reads a whole model whether or not it is supported; raises :class:`FormatError` as :func:`load_model` does."""
    path = Path(path)
    if read_start(path, 8)[4:8] == b"TFL3":
        return tflite_model.survey_model(path)
    if path.suffix == ".onnx":
        return onnx_model.survey_model(path)
    raise FormatError(path, "neither a .tflite nor an .onnx model")


def _only_layer(path: Path) -> int:
    layers = supported_layers(path)
    if len(layers) != 1:
        choice = f"one of the operators {one_of(layers)}; whole models by hwconv compile, compare and build"
        raise UnsupportedError(path.name, "layer", None, choice if layers else "none")
    return layers[0]
