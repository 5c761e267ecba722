"""Blocks in a row as one top level: what one gives, the next takes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..dropout import USER_BITS, DropoutSpec
from ..errors import SpecError
from ..mc_statistics import StatisticsSpec
from .block import BlockPlan
from .dropout import DropoutPlan, plan_dropout
from .engine_plan import EnginePlan, module_name
from .frame import StreamCycles
from .mc_statistics import StatisticsPlan, plan_statistics
from .rom import RomImage

ChainBlock = EnginePlan | DropoutPlan | StatisticsPlan


@dataclass(frozen=True, kw_only=True)
class ChainPlan:
    """Everything that is decided about a row of blocks. Make it with :func:`plan_chain`.

    All dropout blocks of a row take the parameters that come with the input frame's first beat; they draw different
    numbers because their streams differ.
    """

    name: str
    blocks: tuple[ChainBlock, ...]

    @property
    def top_name(self) -> str:
        return module_name(self.name)

    @property
    def input_beat_bytes(self) -> int:
        return self.blocks[0].input_beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.blocks[-1].output_beat_bytes

    @property
    def dropouts(self) -> tuple[DropoutPlan, ...]:
        return tuple(block for block in self.blocks if isinstance(block, DropoutPlan))

    @property
    def input_user_bits(self) -> int:
        """Those of a dropout block, if there is one; a mark of damaged frames comes in any case."""
        return USER_BITS if self.dropouts else 1

    @property
    def passes(self) -> int:
        return self.blocks[-1].passes

    @property
    def roms(self) -> list[RomImage]:
        return [rom for block in self.blocks for rom in block.roms]

    @property
    def cycles(self) -> StreamCycles:
        """Dropout and statistics: the pipeline of the first, then the cycles of the second.

        The dropout block has the next beat ready whenever the statistics block takes one: its queue holds more than its
        pipeline.

        Raises
        ------
        ValueError
            There are other blocks: engines pause, and no closed form is claimed.
        """
        match self.blocks:
            case (DropoutPlan() as dropout, StatisticsPlan() as statistics):
                pipeline = dropout.cycles.latency - (dropout.cycles.interval - 1)
                after = statistics.cycles
                return StreamCycles(latency=pipeline + after.latency, interval=after.interval)
        raise ValueError(f"Expected a dropout block and a statistics block, not {len(self.blocks)} blocks")

    def summary(self) -> dict[str, Any]:
        described: dict[str, Any] = {
            "block": self.name,
            "kind": "chain",
            "blocks": [block.summary() for block in self.blocks],
        }
        if [type(block) for block in self.blocks] == [DropoutPlan, StatisticsPlan]:
            described |= {"latency": self.cycles.latency, "interval": self.cycles.interval}
        return described


def plan_chain(name: str, blocks: tuple[ChainBlock, ...]) -> ChainPlan:
    """Puts planned blocks in a row.

    Raises
    ------
    SpecError
        Fewer than two blocks; neighbours whose frames or beats differ; a statistics block that is not the last; equal
        names, or dropout blocks with equal streams.
    """
    if len(blocks) < 2:
        raise SpecError(name, "blocks", len(blocks), "at least 2")
    for before, after in pairwise(blocks):
        if isinstance(before, StatisticsPlan):
            raise SpecError(name, "blocks", before.top_name, "last, as it is a statistics block")
        found = (_output_bytes(before), before.output_beat_bytes)
        wanted = (_input_bytes(after), after.input_beat_bytes)
        if found != wanted:
            expected = "frames of {} bytes in beats of {}, as {} takes them".format(*wanted, after.top_name)
            raise SpecError(name, "output of " + before.top_name, "{} bytes in beats of {}".format(*found), expected)
    names = [block.top_name for block in blocks]
    streams = [str(block.spec.stream) for block in blocks if isinstance(block, DropoutPlan)]
    for field, values in (("names of blocks", names), ("streams", streams)):
        if len(set(values)) < len(values):
            raise SpecError(name, field, ", ".join(values), "all different")
    return ChainPlan(name=name, blocks=blocks)


def plan_monte_carlo(
    dropout: DropoutSpec, statistics: StatisticsSpec, *, name: str = "mc_dropout", beat_bytes: int | None = None
) -> ChainPlan:
    """Plans a dropout block and a statistics block behind it as one top level; raises :class:`SpecError`."""
    return plan_chain(name, (plan_dropout(dropout, beat_bytes), plan_statistics(statistics, beat_bytes)))


def _input_bytes(block: BlockPlan) -> int:
    if isinstance(block, DropoutPlan | StatisticsPlan):
        return block.spec.elements
    assert isinstance(block, EnginePlan)
    return block.spec.input_bytes


def _output_bytes(block: BlockPlan) -> int:
    if isinstance(block, DropoutPlan | StatisticsPlan):
        return block.spec.elements
    assert isinstance(block, EnginePlan)
    return block.layers[-1].spec.output_bytes
