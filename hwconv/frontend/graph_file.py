"""Reads a graph as a person writes it: a ``.toml`` file with a table for each layer; docs/graphs.md describes it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, SpecError, one_of
from ..golden.pool import mean_multiplier
from ..graph import INPUT, STREAM_DTYPES, Concat, Conv, Graph, Network, Node, Pool, Tensor, Upscale, result_of
from ..layer import LayerParameters
from ..pool import PoolSpec
from ..spec import dtype_range
from ..upscale import UPSCALE_KINDS, UpscaleSpec
from .tensor_source import Seeded, TensorSource
from .toml import layer_of
from .toml_file import read_toml

TABLE = "layer"
KINDS = ("conv", "max_pool", "average_pool", "mean", *UPSCALE_KINDS, "concat")
_OWN = ("name", "height", "width", "channels", "dtype", "zero_point", "input", "expected", TABLE)
_POOL_KEYS = ("kernel", "stride", "padding", "activation_min", "activation_max")
_MEAN_KEYS = ("kernel", "stride", "scale", "output_zero_point", "activation_min", "activation_max")
_TENSORS_OF_FILES = ("expected", "height", "width", "length", "in_channels", "inputs", "outputs")


@dataclass(frozen=True, eq=False)
class GraphFile:
    """A network read from a file.

    Parameters
    ----------
    network:
        The network.
    input, expected:
        ``(N, H, W, C)`` in the graph's type and what must come out for it, in the output's type, or ``None``.
    """

    network: Network
    input: NDArray[np.integer] | None = None
    expected: NDArray[np.integer] | None = None


def is_graph(path: str | Path) -> bool:
    """Whether a file is a description of a graph, rather than of one layer.

    Raises
    ------
    FormatError
        A ``.toml`` file that cannot be read.
    """
    return Path(path).suffix == ".toml" and isinstance(read_toml(Path(path)).get(TABLE), list)


def load_graph(path: str | Path, *, name: str | None = None) -> GraphFile:
    """Reads a description of a graph; `name` replaces its own.

    Raises
    ------
    FormatError
        A file, or one that it names, that is missing, damaged or beyond the limits.
    SpecError
        A key that is not known, or layers that do not fit together.
    UnsupportedError
        A layer that is not supported.
    """
    path = Path(path)
    values = read_toml(path)
    name = values.get("name", path.stem) if name is None else name
    label = name if isinstance(name, str) else path.stem
    for key in values:
        if key not in _OWN:
            raise SpecError(label, "key", key, f"one of {one_of(_OWN)}")
    tables = values.get(TABLE)
    if not isinstance(tables, list) or not tables or not all(isinstance(each, dict) for each in tables):
        raise FormatError(path, f"no tables [[{TABLE}]]")
    for key in ("height", "width", "channels"):
        if key not in values:
            raise SpecError(label, key, None, "given")
    zero_point = values.get("zero_point", 0)
    frame = {key: values[key] for key in ("height", "width", "channels")}
    for key, value in {**frame, "zero_point": zero_point}.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise SpecError(label, key, value, "an integer")
    dtype = values.get("dtype", "int8")
    if dtype not in STREAM_DTYPES:
        raise SpecError(label, "dtype", dtype, f"one of {one_of(STREAM_DTYPES)}")
    tensors = {INPUT: Tensor(**frame, dtype=dtype, zero_point=zero_point)}
    nodes: list[Node] = []
    parameters: dict[str, LayerParameters] = {}
    for table in tables:
        node, own = _node(path, label, dict(table), tensors)
        if node.name in tensors:
            raise SpecError(label, "name of a layer", node.name, "one that no other tensor has")
        nodes.append(node)
        if own is not None:
            parameters[node.name] = own
        tensors[node.name] = result_of(node, [tensors[each] for each in node.inputs])
    network = Network(Graph(name=label, **frame, dtype=dtype, zero_point=zero_point, nodes=tuple(nodes)), parameters)
    source = TensorSource(path, label)
    given = _frames(source, label, "input", values, tensors[INPUT])
    expected = _frames(source, label, "expected", values, tensors[network.graph.output])
    if expected is not None and (given is None or len(given) != len(expected)):
        count = 0 if given is None else len(given)
        raise SpecError(label, "expected", f"{len(expected)} frames", f"as many as the input, {count}")
    return GraphFile(network, given, expected)


def _node(
    path: Path, label: str, table: dict[str, Any], tensors: Mapping[str, Tensor]
) -> tuple[Node, LayerParameters | None]:
    """The node of a table, and the parameters of a convolution."""
    kind, name = table.pop("kind", "conv"), table.get("name")
    if not isinstance(name, str):
        raise SpecError(label, "name of a layer", name, "given, a text")
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecError(name, "kind", kind, f"one of {one_of(KINDS)}")
    if kind == "concat":
        _only(name, table, ("name", "inputs"))
        node = Concat(name=name, inputs=table.get("inputs", ()))
        for each in node.inputs:
            _tensor(name, each, tensors)
        return node, None
    source = table.pop("input", list(tensors)[-1])
    before = _tensor(name, source, tensors)
    if kind == "conv":
        for key in _TENSORS_OF_FILES:
            if key in table:
                raise SpecError(name, "key", key, f"absent: the layer reads {source}")
        shape = {"height": before.height, "width": before.width, "in_channels": before.channels}
        read = {"input_dtype": before.dtype, "input_zero_point": before.zero_point}
        layer = layer_of(path, {**read, **table, **shape})
        return Conv(input=source, spec=layer.spec), layer.parameters
    if kind in UPSCALE_KINDS:
        return Upscale(input=source, spec=_upscale(name, kind, table, before)), None
    if kind == "mean":
        return Pool(input=source, spec=_mean(name, table, before)), None
    _only(name, table, ("name", *_POOL_KEYS))
    if "kernel" not in table:
        raise SpecError(name, "kernel", None, "given")
    spec = PoolSpec.from_dict({"name": name, "kind": kind.removesuffix("_pool"), **_window(table, before)})
    return Pool(input=source, spec=spec), None


def _upscale(name: str, kind: str, table: dict[str, Any], before: Tensor) -> UpscaleSpec:
    keys = ("factor",) if kind == "nearest" else ("factor", "order")
    _only(name, table, ("name", *keys))
    if "factor" not in table:
        raise SpecError(name, "factor", None, "given")
    given = {key: table[key] for key in keys if key in table}
    if not isinstance(given["factor"], list):
        given["factor"] = [given["factor"]] * 2
    frame = {"height": before.height, "width": before.width, "channels": before.channels, "dtype": before.dtype}
    return UpscaleSpec.from_dict({"name": name, "kind": kind, **frame, **given})


def _window(table: dict[str, Any], before: Tensor) -> dict[str, Any]:
    given = {key: table[key] for key in _POOL_KEYS if key in table}
    for key in ("kernel", "stride"):
        if key in given and not isinstance(given[key], list):
            given[key] = [given[key], given[key]]
    return given | {"height": before.height, "width": before.width, "channels": before.channels, "dtype": before.dtype}


def _mean(name: str, table: dict[str, Any], before: Tensor) -> PoolSpec:
    """The mean of the frame, or of windows, at another scale."""
    _only(name, table, ("name", *_MEAN_KEYS))
    scale = table.get("scale", 1.0)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < math.inf:
        raise SpecError(name, "scale", scale, "a positive number, the input's scale over the output's")
    values = {"kernel": [before.height, before.width], **_window(table, before)}
    points = {"input_zero_point": before.zero_point,
              "output_zero_point": table.get("output_zero_point", before.zero_point)}  # fmt: skip
    windows = PoolSpec.from_dict({"name": name, "kind": "mean", **points, **values})
    multiplier, shift = mean_multiplier(float(scale), windows.kernel[0] * windows.kernel[1])
    return replace(windows, multiplier=multiplier, shift=shift)


def _only(name: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise SpecError(name, "key", key, f"one of {one_of((*known, 'kind', 'input'))}")


def _tensor(name: str, source: object, tensors: Mapping[str, Tensor]) -> Tensor:
    if not isinstance(source, str) or source not in tensors:
        raise SpecError(name, "input", source, f"a tensor before it: {one_of(tensors)}")
    return tensors[source]


def _frames(
    source: TensorSource, label: str, key: str, values: Mapping[str, Any], tensor: Tensor
) -> NDArray[np.integer] | None:
    if key not in values:
        return None
    limits = dtype_range(tensor.dtype)
    found = source.read(key, values[key])
    if isinstance(found, Seeded):
        if key != "input":
            raise SpecError(label, key, "a seed", "numbers or a file")
        return source.draw(key, found, (found.frames, *tensor.shape), limits, tensor.dtype)
    if not found.size or found.shape not in (tensor.shape, (*found.shape[:1], *tensor.shape)):
        raise SpecError(label, key, f"an array of shape {found.shape}", f"of shape {tensor.shape}, or several")
    written = isinstance(values[key], list)  # and without a type as yet
    if written and found.dtype.kind == "i" and limits[0] <= found.min() and found.max() <= limits[1]:
        found = found.astype(tensor.dtype)
    if found.dtype != tensor.dtype:
        raise SpecError(label, key, f"an array of {found.dtype}", f"of {tensor.dtype}")
    return found.reshape(-1, *tensor.shape)
