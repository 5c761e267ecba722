"""What readers of whole models have in common: what is found on the way, and how it is reported."""

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import HwconvError, SpecError, UnsupportedError, one_of
from ..graph import Node, Reshape
from ..model import HostStep, Model, OperatorRecord, Survey

_LONGEST_NAME = 100
_SHOWN = 8


def name_of(path: Path) -> str:
    """A model's name: its file's, without the ending and what cannot be printed."""
    stem = "".join(letter if letter.isprintable() else "_" for letter in path.stem)
    return stem[:_LONGEST_NAME] or "model"


class ModelReader:
    """A model while it is read: the network and the host's steps so far, and all that keeps it from being loaded.

    Parameters
    ----------
    path:
        The file.
    parts:
        What it calls its operators.
    """

    def __init__(self, path: Path, parts: str) -> None:
        self._path, self._parts = path, parts
        self.name = name_of(path)
        self.nodes: list[Node] = []
        self.before: list[HostStep] = []
        self.after: list[HostStep] = []
        self.problems: list[HwconvError] = []

    def problem(self, field: str, value: object, supported: str) -> None:
        """Notes what is not supported of the file as a whole."""
        self.problems.append(UnsupportedError(self._path.name, field, value, supported))

    def check_ends(self, inputs: Sequence[object], outputs: Sequence[object]) -> None:
        """Notes other numbers of inputs and outputs than one."""
        for what, ends in (("inputs", inputs), ("outputs", outputs)):
            if len(ends) != 1:
                self.problem(what, len(ends), "one")

    def concluded(
        self, operators: tuple[OperatorRecord, ...], make: Callable[[tuple[OperatorRecord, ...]], Model]
    ) -> Survey:
        """All operators, with the model if nothing keeps it from being made."""
        if not self.problems and all(isinstance(node, Reshape) for node in self.nodes):
            names = one_of(record.name for record in operators[:_SHOWN])
            self.problem(self._parts, names, "one at least for an engine")
        model = None
        if not self.problems:
            try:
                model = make(operators)
            except (SpecError, UnsupportedError) as error:
                self.problems.append(error)
        return Survey(name=self.name, operators=operators, problems=tuple(self.problems), model=model)
