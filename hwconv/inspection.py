"""What is in a model, and what would become of it: operator by operator, without planning anything."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwconv.errors import HwconvError
from hwconv.frontend import survey_model
from hwconv.graph import INPUT, Conv, Graph, Pool, Reshape, Upscale
from hwconv.model import OperatorRecord, Survey

_ROWS = 64
"""Output rows and columns that are looked at: how far each sees differs between phases of transposed layers only."""
_TOTALS = ("macs", "weights", "activation_bytes", "engine", "free", "host", "refused")

Interval = tuple[int, int]
"""First and last row, or column."""


@dataclass(frozen=True, kw_only=True)
class OperatorRow:
    """One operator, as it is shown.

    Parameters
    ----------
    index, operator:
        Its number, and ``CONV_2D`` and the like.
    place:
        ``engine``, ``free``, ``host`` or ``refused``: see :class:`~hwconv.model.OperatorRecord`.
    node:
        The name of what computes it in the network.
    reads, makes:
        Shapes of its activations, with the batch.
    macs, weights:
        Of a convolution.
    activation_bytes:
        Bytes of what it makes; 0 of an operator that is free and makes no tensor of the network.
    note:
        Why it is refused, or what else is to be said.
    """

    index: int
    operator: str
    place: str
    node: str | None
    reads: tuple[tuple[int, ...], ...]
    makes: tuple[tuple[int, ...], ...]
    macs: int
    weights: int
    activation_bytes: int
    note: str


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """A model, as it is shown.

    Parameters
    ----------
    name:
        The model's.
    rows:
        Its operators.
    problems:
        What keeps it from being loaded, a sentence each; empty if nothing does.
    frame:
        Height, width and channels of what comes into the network, or ``None`` if it cannot be loaded.
    receptive_field:
        Rows and columns of that frame, or of what lies around it, that one output depends on; or ``None``.
    """

    name: str
    rows: tuple[OperatorRow, ...]
    problems: tuple[str, ...]
    frame: tuple[int, int, int] | None
    receptive_field: tuple[int, int] | None

    @property
    def totals(self) -> dict[str, int]:
        """Sums over the operators, and how many there are of each place."""
        sums = {key: sum(getattr(row, key) for row in self.rows) for key in _TOTALS[:3]}
        return sums | {place: sum(row.place == place for row in self.rows) for place in _TOTALS[3:]}

    def to_json(self) -> dict[str, Any]:
        """All of it as values that JSON has."""
        return {
            "model": self.name,
            "operators": [asdict(row) for row in self.rows],
            "totals": self.totals,
            "problems": list(self.problems),
            "frame": None if self.frame is None else list(self.frame),
            "receptive_field": None if self.receptive_field is None else list(self.receptive_field),
        }

    def check(self) -> None:
        """Raises :class:`HwconvError` with the first problem if there is one."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            raise HwconvError(self.problems[0] + more)


def inspect_model(path: str | Path) -> Inspection:
    """Looks at a model, whether or not it is supported.

    Raises
    ------
    FormatError
        A file that is missing, damaged or no model.
    """
    survey = survey_model(path)
    graph = None if survey.model is None else survey.model.network.graph
    start = None if graph is None else _frame_of(graph)
    return Inspection(
        name=survey.name,
        rows=tuple(map(_row, survey.operators)),
        problems=_sentences(survey),
        frame=None if graph is None or start is None else graph.tensors[start].shape,
        receptive_field=None if graph is None or start is None else receptive_field(graph, start),
    )


def _sentences(survey: Survey) -> tuple[str, ...]:
    return tuple(" ".join(str(problem).split()) for problem in survey.problems)


def _row(record: OperatorRecord) -> OperatorRow:
    return OperatorRow(
        index=record.index,
        operator=record.name,
        place=record.place,
        node=record.node,
        reads=tuple(tensor.shape for tensor in record.inputs if not tensor.constant),
        makes=tuple(tensor.shape for tensor in record.outputs),
        macs=record.macs,
        weights=record.weights,
        activation_bytes=_activation_bytes(record),
        note=record.note,
    )


def _activation_bytes(record: OperatorRecord) -> int:
    """Bytes of the values that an operator makes: int8 in the network, even if the file has floats there."""
    if record.place in ("host", "refused"):
        return sum(tensor.bytes for tensor in record.outputs)
    return sum(math.prod(tensor.shape) for tensor in record.outputs) if record.node is not None else 0


def _frame_of(graph: Graph) -> str:
    """The tensor that is a picture: the input, or what a first reshape makes of it."""
    name = INPUT
    while True:
        readers = [node for node in graph.nodes if name in node.inputs]
        if len(readers) != 1 or not isinstance(readers[0], Reshape) or readers[0].name == graph.output:
            return name
        name = readers[0].name


def receptive_field(graph: Graph, start: str = INPUT) -> tuple[int, int]:
    """Rows and columns of a tensor that one pixel of the output depends on, those outside the frame included.

    A reshape to other frames reads all of what it reshapes.
    """
    rows, columns = (max(_reach(graph, start, axis), default=0) for axis in (0, 1))
    return rows, columns


def _reach(graph: Graph, start: str, axis: int) -> Iterator[int]:
    """How far each of some output rows or columns sees."""
    size = graph.output_shape[axis]
    first = max(size - _ROWS, 0) // 2
    for position in range(first, min(first + _ROWS, size)):
        needed: dict[str, Interval] = {graph.output: (position, position)}
        for node in reversed(graph.nodes):
            if node.name not in needed or node.name == start:
                continue
            for name in node.inputs:
                read = _read(graph, node, name, axis, needed[node.name])
                if read[0] <= read[1]:
                    known = needed.get(name, read)
                    needed[name] = min(known[0], read[0]), max(known[1], read[1])
        if start in needed:
            yield needed[start][1] - needed[start][0] + 1


def _read(graph: Graph, node: object, name: str, axis: int, made: Interval) -> Interval:
    """What a node reads of a tensor to make some rows; an interval whose end is before its start is empty."""
    low, high = made
    if isinstance(node, Reshape):
        before = graph.tensors[name]
        if before.shape[:2] == (node.height, node.width):
            return made
        return 0, before.shape[axis] - 1
    if isinstance(node, Upscale):
        return low // node.spec.factor[axis], high // node.spec.factor[axis]
    if not isinstance(node, Conv | Pool):
        return made
    spec = node.spec
    stride, pad, reach = spec.stride[axis], spec.padding[2 * axis], spec.kernel[axis] - 1
    if isinstance(node, Conv):
        reach *= node.spec.dilation[axis]
        if node.spec.transposed:
            return -((reach - low - pad) // stride), (high + pad) // stride
    return low * stride - pad, high * stride - pad + reach
