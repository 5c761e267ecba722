"""The beats of every tensor of a graph: equal ones where tensors meet, and such as the readers' words are made of."""

from collections.abc import Mapping, Sequence
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING

from ..errors import UnsupportedError
from ..graph import INPUT, Add, Concat, Graph, Upscale
from .array import divisors
from .engine_plan import LEAST_BEAT_BYTES, EnginePlan
from .frame import MAX_BEAT_BYTES
from .partition import Block

if TYPE_CHECKING:
    pass


class TensorBeats:
    """Chooses the beats of all tensors: equal ones where tensors meet, and such as the readers' words are made of."""

    def __init__(self, graph: Graph, drafts: Mapping[str, EnginePlan], pace: int, blocks: Sequence[Block]) -> None:
        self._graph, self._drafts, self._pace, self._blocks = graph, drafts, pace, blocks
        self._family = {name: name for name in graph.tensors if graph.origin(name) == name}
        # Both streams of a program have the beats in which results between its layers go back.
        self._fixed: dict[str, int] = {}
        for block in blocks:
            if block.layers:
                plan = drafts[block.name]
                given = zip(block.layers, plan.layer_beats, strict=True)
                for name, beat in (*dict.fromkeys(block.inputs, plan.input_beat_bytes).items(), *given):
                    if self._fixed.setdefault(name, beat) != beat:
                        expected = f"{self._fixed[name]}, those of the program that gives it"
                        raise UnsupportedError(block.name, f"bytes of a beat of {name}", beat, expected)
        for node in graph.computed:
            if isinstance(node, Concat | Add | Upscale):
                for name in graph.origins(node):
                    self._family[self._head(name)] = self._head(node.name)

    def _head(self, name: str) -> str:
        while self._family[name] != name:
            name = self._family[name]
        return name

    def choose(self) -> dict[str, int]:
        families: dict[str, list[str]] = {}
        for name in self._family:
            families.setdefault(self._head(name), []).append(name)
        beats: dict[str, int] = {}
        for members in families.values():
            beats |= dict.fromkeys(members, self._common(members))
        return {name: beats[self._graph.origin(name)] for name in self._graph.tensors}

    def _common(self, members: list[str]) -> int:
        """The narrowest beat with which every stream of the family keeps up, but some bytes where channels allow."""
        tensors = [self._graph.tensors[name] for name in members]
        joined = (name for node in self._graph.computed if isinstance(node, Concat) for name in node.inputs)
        pixels = [self._graph.tensors[name] for name in joined if self._graph.origin(name) in members]
        channels = reduce(gcd, (*map(self._run, members), *(tensor.channels for tensor in pixels)))
        value_bytes = tensors[0].value_bytes  # of all of them
        choices = [value_bytes * each for each in divisors(channels) if value_bytes * each <= MAX_BEAT_BYTES]
        makers = [self._drafts[name] for name in members if name in self._drafts]
        fixed = {self._fixed[name] for name in members if name in self._fixed}
        if fixed:
            beat = max(fixed)
            if len(fixed) > 1 or (pixels and beat not in choices):
                expected = "equal where tensors meet, and a divisor of their channels where they are concatenated"
                raise UnsupportedError(members[0], "bytes of a program's beats", sorted(fixed), expected)
            return beat
        whole = [beat for beat in choices if all(beat % maker.config.result_bytes == 0 for maker in makers)]
        if whole:  # no engine needs other words
            choices = whole
        elif len(members) == 1:
            choices = [makers[0].output_beat_bytes]
        least = max(each for each in choices if each <= max(choices[0], LEAST_BEAT_BYTES))
        wide = [each for each in choices if each >= least]
        return min(wide, key=lambda beat: (max(self._cycles(members, beat), self._pace), beat))

    def _run(self, name: str) -> int:
        """Of how many values beside each other a beat of a tensor is a part."""
        node = None if name == INPUT else self._graph.node(name)
        return node.spec.run if isinstance(node, Upscale) else self._graph.tensors[name].channels

    def _cycles(self, members: list[str], beat: int) -> int:
        """Cycles of a frame in the slowest stream of a family, or reader of one."""
        slowest = 0
        for name in members:
            size = self._graph.tensors[name].bytes
            slowest = max(slowest, -(-size // beat))
            for block in self._blocks:
                if block.name in self._drafts and name in block.inputs:
                    slowest = max(slowest, size // gcd(beat, self._drafts[block.name].config.word_bytes))
        return slowest
