"""The arrays among which a solver chooses for a residual program, and what its engine takes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..graph import Network
from ..layer import Layer
from ..spec import ConvSpec
from .area import Area
from .block_ram import block_ram_count
from .choices import LOOP_PRICES, STEP, Choice, choice_of
from .partition import members_of
from .residual import ResidualArray, ResidualPlan, make_residual, residual_arrays
from .residual_rows import steps_of
from .shared_engine import shared_unit

MOST_MULTIPLIERS = 448
"""Of the array."""
SLOWEST = 30
"""Arrays that take so many times the cycles of the fastest one are not looked at."""
_LANE = Area(luts=250, ffs=350)
"""Of an addition, for a byte of its beats."""
_MORE = Area(luts=125, ffs=0)
"""For each further addition: its tables."""
_STREAM = Area(luts=25, ffs=50)
"""Of the registers between engine, addition and what is kept, for a byte."""


def residual_choices(network: Network, names: Sequence[str]) -> list[Choice]:
    """The arrays of a residual program; of each kind of activation word those that no other beats.

    Cycles are estimates, as those of other programs.
    """
    steps = steps_of(network.graph, names)
    layers = members_of(network, [step.layer for step in steps])
    units = (shared_unit(tuple(layers)),)
    found = []
    for cycles, array in _unbeaten(layers, residual_arrays(steps, layers, MOST_MULTIPLIERS)):
        plan = make_residual(network, names, multipliers=array.products, array=array, units=units)
        choice = choice_of(plan, interval=cycles, tail=cycles, fill=1.0)
        area = choice.area + beside_area(plan)
        found.append(replace(choice, array=array, area=area, block_rams=choice.block_rams + plan.beside_block_rams))
    return found


def beside_area(plan: ResidualPlan) -> Area:
    """What the additions and the streams beside the engine take."""
    return (_LANE + _STREAM + _MORE * (len(plan.additions) - 1)) * plan.config.output_beat_bytes


def _unbeaten(
    layers: Sequence[Layer], arrays: Sequence[tuple[int, int, ResidualArray]]
) -> Iterator[tuple[int, ResidualArray]]:
    """Those that are the smallest for their cycles, some per cent apart, whatever a block RAM is worth."""
    specs = [layer.spec for layer in layers]
    slowest = SLOWEST * min((cycles for cycles, _, _ in arrays), default=0)
    known = [(cycles, area + 100 * array.products, _block_rams(specs, array), array)
             for cycles, area, array in arrays if cycles <= slowest]  # fmt: skip
    yielded = set()
    for price in LOOP_PRICES:
        smallest, fastest = 1 << 62, 0.0
        sized = ((cycles, size + price * rams, array) for cycles, size, rams, array in known)
        for cycles, size, array in sorted(sized, key=lambda each: each[:2]):
            if size < smallest and cycles >= STEP * fastest:
                smallest, fastest = size, cycles
                if array not in yielded:
                    yielded.add(array)
                    yield cycles, array


def _block_rams(specs: Sequence[ConvSpec], array: ResidualArray) -> int:
    """Roughly, without what is the same for all arrays."""
    shared = array.shared
    frames = max(spec.input_elements + spec.output_elements for spec in specs)
    weights = sum(spec.out_channels * spec.taps * spec.group_in_channels for spec in specs)
    activations = shared.ports * block_ram_count(8 * shared.word_channels, -(-frames // shared.word_channels))
    return activations + block_ram_count(8 * shared.columns, -(-weights // shared.columns)) + 3 * shared.requantisers
