"""What hwconv is asked about: a layer in a file or as it was read, a graph, a model."""

from pathlib import Path

from hwconv.frontend import LayerFile, load
from hwconv.frontend.graph_file import is_graph as is_graph_file
from hwconv.frontend.source_file import read_start

Source = str | Path | LayerFile


def is_graph(source: Source) -> bool:
    """Whether a source is a description of a graph, see docs/graphs.md. Raises `FormatError` if it cannot be read."""
    return not isinstance(source, LayerFile) and is_graph_file(source)


def is_model(file: str | Path) -> bool:
    """Whether a file is a model, of whose layers one has to be chosen. Raises `FormatError` if it cannot be read."""
    return read_start(Path(file), 8)[4:] == b"TFL3"


def load_source(source: Source, layer: int | None) -> LayerFile:
    """Reads a layer, of a model the operator `layer`, if that is not done yet. Raises as `hwconv.frontend.load`."""
    return source if isinstance(source, LayerFile) else load(Path(source), layer=layer)
