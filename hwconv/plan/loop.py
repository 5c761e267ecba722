"""The plan of two engines that compute layers in turns: depthwise ones on lanes, those behind them on a dense array.

A network of depthwise separable layers is a loop: its frame goes through a depthwise layer, through a dense one, and
back to the first engine, as often as there are pairs. Each engine runs a program, whose layers are every other one of
the row; both are at work at once, since a layer begins with the first rows of what it reads. So neither array is made
for what it does badly: lanes make a product for each channel, where a dense array makes one a row.

    i -> entry: lanes, frame buffers -> exit: dense array, frame buffers -> o
           ^-------------------- all layers but the last ----'
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..errors import SpecError
from ..layer import Layer
from .cycles import Cycles
from .engine_plan import EnginePlan, lut_elements, module_name
from .loop_array import LoopArray, check_loop, fold_lanes
from .loop_config import LoopConfig
from .loop_schedule import predict_loop
from .requantise import RequantiserPlan
from .rom import RomImage
from .shared_array import best_beat, fold
from .shared_engine import Streams, shared_engine
from .summary import summarise_loop


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopPlan(EnginePlan):
    """A program on two engines. Make it with :func:`~hwconv.plan.program.make_program`."""

    config: LoopConfig  # type: ignore[assignment]  # of two engines

    @property
    def parts(self) -> tuple[EnginePlan, ...]:
        configs = (self.config.entry, self.config.exit)
        return tuple(
            EnginePlan(layers=self.layers[index::2], folding=self.folding, config=config, asked=self.asked)
            for index, config in enumerate(configs)
        )

    @cached_property
    def cycles(self) -> Cycles:
        return predict_loop(self.config)

    @cached_property
    def roms(self) -> list[RomImage]:
        return [rom for part in self.parts for rom in part.roms]

    @property
    def products(self) -> int:
        return sum(part.products for part in self.parts)

    @property
    def multipliers(self) -> int:
        return sum(part.multipliers for part in self.parts)

    @property
    def lut_multipliers(self) -> int:
        return sum(part.lut_multipliers for part in self.parts)

    @property
    def requantiser_multipliers(self) -> int:
        return sum(part.requantiser_multipliers for part in self.parts)

    @property
    def layer_beats(self) -> tuple[int, ...]:
        entry, exit_ = self.config.entry, self.config.exit
        return (entry.output_beat_bytes, exit_.output_beat_bytes) * (len(self.layers) // 2)

    def named(self, name: str) -> "LoopPlan":
        return replace(self, config=self.config.named(name))

    def made_of(self, lut_multipliers: int, block_ram_price: int) -> "LoopPlan":
        """The dense array's elements first: they are the most, and stand closer to each other."""
        dense = min(lut_multipliers, self.parts[1].multipliers)
        entry = replace(self.config.entry, lut_elements=lut_multipliers - dense, block_ram_price=block_ram_price)
        exit_ = replace(self.config.exit, lut_elements=dense, block_ram_price=block_ram_price)
        return replace(self, config=LoopConfig(entry=entry, exit=exit_))

    def summary(self) -> dict[str, Any]:
        return summarise_loop(self)


def make_loop(
    layers: Sequence[Layer],
    array: LoopArray,
    *,
    name: str,
    asked: int,
    lut_multipliers: int = 0,
    beat_bytes: int | None = None,
    units: tuple[tuple[int, RequantiserPlan], ...] | None = None,
) -> LoopPlan:
    """Plans two engines for layers that alternate; the parameters are those of
    :func:`~hwconv.plan.program.make_program`.

    Raises
    ------
    SpecError
        A number out of range.
    UnsupportedError
        A layer that cannot run on its array: names the layer and the field.
    """
    firsts, seconds = layers[0::2], layers[1::2]
    check_loop([layer.spec for layer in layers], array)
    lanes, dense = array.lanes, array.dense
    outside = best_beat(dense.requantisers, lanes.word_channels) if beat_bytes is None else beat_bytes
    inside = best_beat(lanes.requantisers, dense.word_channels)
    if not 1 <= outside <= 128 or outside % dense.requantisers:
        raise SpecError(name, "beat_bytes", outside, f"from 1 to 128, a multiple of {dense.requantisers} requantisers")
    folded = [fold_lanes(layer.spec, lanes) for layer in firsts], [fold(layer.spec, dense) for layer in seconds]
    entry = shared_engine(
        f"{name}_entry",
        firsts,
        folded[0],
        Streams(input=outside, output=inside),
        None if units is None else units[0],
        "entry",
    )
    exit_ = shared_engine(
        f"{name}_exit",
        seconds,
        folded[1],
        Streams(input=inside, output=outside),
        None if units is None else units[1],
        "exit",
    )
    plan = LoopPlan(layers=tuple(layers), folding=folded[0][0], config=LoopConfig(entry=entry, exit=exit_), asked=asked)
    made = lut_elements(module_name(name), plan.multipliers, asked, lut_multipliers)
    return plan.made_of(made, entry.block_ram_price)
