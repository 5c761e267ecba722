"""The plan of one engine for layers whose results meet again: residual blocks, as a program.

    i -> engine: array, frame buffers -> [+ kept] -> o
           ^--------- back, kept, or both -------'

What is added to a layer's results is kept beside the engine in the order in which it came. To the engine, it is a
program like any other, but that a layer in a shortcut and the one beside it read the same frame.

A first layer with fewer channels than a word gets more, whose weights are zero: a pixel is then a beat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import gcd
from typing import Any

from ..add import AddSpec
from ..errors import SpecError, UnsupportedError
from ..graph import Add, Network
from ..layer import Layer
from .add import add_block_rams, add_roms, plan_additions
from .block_ram import block_ram_count
from .config import EngineConfig, PassConfig
from .cycles import Cycles
from .engine_plan import DEFAULT_MULTIPLIERS, EnginePlan, lut_elements, module_name
from .padded_layer import padded
from .partition import check_shared, members_of
from .requantise import RequantiserPlan
from .residual_config import ResidualConfig, Way
from .residual_rows import Step, steps_of
from .residual_schedule import predict_residual
from .rom import RomImage
from .shared_array import SharedArray, array_cost, check_array, fold, program_beat, shared_arrays
from .shared_engine import Streams, buffer_bases, shared_engine
from .summary import summarise_residual

PADDINGS = (4, 8, 16)
"""Channels that a first layer of fewer may be given."""


@dataclass(frozen=True, kw_only=True)
class ResidualArray:
    """The array of a residual program, and the channels that its first layer is given, where it has fewer."""

    shared: SharedArray
    padding: int | None = None

    @property
    def products(self) -> int:
        return self.shared.products

    @property
    def beat(self) -> int | None:
        """Bytes of a beat of results; none where they would come faster than they are taken, or pixels be no beats."""
        beat = program_beat(self.shared) if self.padding is None else self.padding
        requantisers = self.shared.requantisers
        if beat % requantisers or gcd(beat, self.shared.word_channels) < requantisers:
            return None
        return beat


@dataclass(frozen=True, kw_only=True, eq=False)
class ResidualPlan(EnginePlan):
    """A program with additions. Make it with :func:`make_residual`."""

    config: ResidualConfig  # type: ignore[assignment]  # of an engine and what is beside it
    steps: tuple[Step, ...]
    additions: tuple[AddSpec, ...]

    @property
    def parts(self) -> tuple[EnginePlan, ...]:
        layers = (self.padded_first, *self.layers[1:])
        return (EnginePlan(layers=layers, folding=self.folding, config=self.config.engine, asked=self.asked),)

    @property
    def padded_first(self) -> Layer:
        """The first layer with as many channels as come in."""
        item = self.config.passes[0]
        return padded(self.layers[0], item.row_words * self.config.engine.word_channels // self.layers[0].spec.width)

    @cached_property
    def cycles(self) -> Cycles:
        return predict_residual(self.config)

    @cached_property
    def roms(self) -> list[RomImage]:
        return [*self.parts[0].roms, *add_roms(self.config.addition)]

    @property
    def products(self) -> int:
        return self.parts[0].products

    @property
    def lut_multipliers(self) -> int:
        return self.config.engine.lut_elements

    @property
    def requantiser_multipliers(self) -> int:
        addition = self.config.addition
        return self.parts[0].requantiser_multipliers + addition.requantisers * addition.requantiser.multipliers

    @property
    def layer_beats(self) -> tuple[int, ...]:
        return (self.config.output_beat_bytes,) * (len(self.layers) + len(self.additions))

    @property
    def beside_block_rams(self) -> int:
        """Block RAMs of an ECP5 beside the engine's: of what is kept, and of the additions' tables."""
        kept = block_ram_count(8 * self.config.output_beat_bytes + 1, self.config.kept_beats)
        return kept + add_block_rams(self.config.addition)

    def named(self, name: str) -> "ResidualPlan":
        return replace(self, config=self.config.named(name))

    def made_of(self, lut_multipliers: int, block_ram_price: int) -> "ResidualPlan":
        engine = replace(self.config.engine, lut_elements=lut_multipliers, block_ram_price=block_ram_price)
        return replace(self, config=replace(self.config, engine=engine))

    def summary(self) -> dict[str, Any]:
        return summarise_residual(self)


def make_residual(
    network: Network,
    names: Sequence[str],
    *,
    multipliers: int | None = None,
    lut_multipliers: int = 0,
    array: "ResidualArray | None" = None,
    units: tuple[tuple[int, RequantiserPlan], ...] | None = None,
) -> ResidualPlan:
    """Plans one engine for a row of layers and additions.

    Parameters
    ----------
    network:
        That has them.
    names:
        Layers in order, each addition behind the layer that it adds to; see
        :func:`~hwconv.plan.residual_rows.steps_of`.
    multipliers, lut_multipliers, array, units
        See :func:`~hwconv.plan.program.make_program`.

    Raises
    ------
    SpecError
        A number out of range.
    UnsupportedError
        A row that is no residual program, or a layer that the engine cannot run beside the others.
    """
    graph, name = network.graph, names[-1]
    steps = steps_of(graph, names)
    layers = members_of(network, [step.layer for step in steps])
    _check(layers)
    asked = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    if not 1 <= asked <= 4096:
        raise SpecError(name, "multipliers", asked, "from 1 to 4096")
    if array is None:
        known = residual_arrays(steps, layers, asked)
        if not known:
            raise UnsupportedError(name, "multipliers", asked, "more of them: no array suits all layers")
        array = min(known, key=lambda each: each[:2])[2]
    first = layers[0] if array.padding is None else padded(layers[0], array.padding)
    specs = [first.spec, *(layer.spec for layer in layers[1:])]
    check_array(specs, array.shared)
    beat = array.beat
    if beat is None:
        expected = "a divisor of a beat, and no more than the channels that are taken in a cycle"
        raise UnsupportedError(name, "requantisers", array.shared.requantisers, expected)
    folded = [fold(spec, array.shared) for spec in specs]
    engine = shared_engine(
        f"{name}_engine",
        [first, *layers[1:]],
        folded,
        Streams(input=beat, output=beat),
        None if units is None else units[0],
        "residual",
    )
    for spec in specs:
        if spec.output_elements % beat:
            raise UnsupportedError(spec.name, "elements", spec.output_elements, f"a multiple of {beat}, a beat")
    ways = tuple(step.way for step in steps)
    engine = replace(
        _placed(engine, steps), lut_elements=lut_elements(name, folded[0].multipliers, asked, lut_multipliers)
    )
    additions = [graph.node(step.add) for step in steps if step.add is not None]
    added = tuple(node.spec for node in additions if isinstance(node, Add))
    config = ResidualConfig(
        engine=engine,
        ways=ways,
        addition=plan_additions(
            f"{name}_addition",
            added,
            beat_bytes=beat,
            exchanged=[step.exchanged for step in steps if step.add is not None],
        ),
        kept_beats=_kept_beats(ways, [spec.output_elements // beat for spec in specs]),
        input_bytes=beat if array.padding is None else layers[0].spec.in_channels,
    )
    plan = ResidualPlan(
        layers=tuple(layers), folding=folded[0], config=config, asked=asked, steps=steps, additions=added
    )
    return plan.named(module_name(name))


def residual_arrays(
    steps: Sequence[Step], layers: Sequence[Layer], multipliers: int
) -> list[tuple[int, int, ResidualArray]]:
    """Arrays for the layers of a residual program: cycles, roughly, what the array takes, and the array."""
    spec, rest = layers[0].spec, tuple(layer.spec for layer in layers[1:])
    paddings: list[int | None] = [None]
    if spec.groups == 1 and not steps[0].stays:  # nothing else reads what has more channels then
        paddings += [each for each in PADDINGS if each > spec.in_channels]
    found = []
    for padding in paddings:
        specs = (spec if padding is None else padded(layers[0], padding).spec, *rest)
        for shared in shared_arrays(specs, multipliers):
            array = ResidualArray(shared=shared, padding=padding)
            if array.beat is not None and not any(each.output_elements % array.beat for each in specs):
                found.append((*array_cost(specs, shared), array))
    return found


def _check(layers: Sequence[Layer]) -> None:
    """Raises UnsupportedError for a layer that cannot share an engine with the others."""
    for layer in layers:
        check_shared(layer.spec)
        if layer.spec.input_dtype != layers[0].spec.input_dtype:
            expected = f"{layers[0].spec.input_dtype}, as of all layers of an engine"
            raise UnsupportedError(layer.spec.name, "input_dtype", layer.spec.input_dtype, expected)


def _kept_beats(ways: Sequence[Way], beats: Sequence[int]) -> int:
    """The most that is kept at a time."""
    kept: list[int] = []
    most = 1
    for way, count in zip(ways, beats, strict=True):
        if way.keeps:
            kept.append(count)
        if way.adds is not None:  # a beat leaves before its sum comes
            kept.pop(0)
        most = max(most, sum(kept))
    return most


def _placed(engine: EngineConfig, steps: Sequence[Step]) -> EngineConfig:
    """With the frame buffers of layers that read the same frame in one place."""
    marked = replace(
        engine, passes=tuple(replace(item, stays=step.stays) for item, step in zip(engine.passes, steps, strict=True))
    )
    bases = iter(buffer_bases([item.height * item.row_words for item in marked.received]))
    passes: list[PassConfig] = []
    for item in marked.passes:
        base = passes[-1].activation_base if passes and passes[-1].stays else next(bases)
        passes.append(replace(item, activation_base=base))
    return replace(marked, passes=tuple(passes))
