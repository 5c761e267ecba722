"""What an engine takes of the fabric of an ECP5, estimated from its plan.

The array is counted bit by bit, which is most of an engine. Of what surrounds it, requantisers have the weights of nine
that were synthesised, the rest such that nine engines come out that were synthesised for the LFE5U-85F, of 1 to 72
elements: within 2 % at best, 20 % too much for depthwise ones, and up to 40 % for fully connected ones of a single
element, whose addresses fold away. It is an estimate: place and route has the last word.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .requantiser_config import RequantiserPlan
from .winograd_config import WinogradConfig

if TYPE_CHECKING:
    from .config import EngineConfig
    from .engine_plan import EnginePlan


@dataclass(frozen=True, kw_only=True)
class Area:
    """Four-input look-up tables and flip-flops. A cell of a carry chain is two look-up tables."""

    luts: int
    ffs: int

    def __add__(self, other: "Area") -> "Area":
        return Area(luts=self.luts + other.luts, ffs=self.ffs + other.ffs)

    def __mul__(self, count: int) -> "Area":
        return Area(luts=self.luts * count, ffs=self.ffs * count)


_NARROW_LUTS = 1.8
"""Look-up tables of a narrow requantiser for each bit of an entry."""
_EXACT = {
    "wide": Area(luts=335, ffs=905),
    "float": Area(luts=340, ffs=710),
    "single": Area(luts=110, ffs=520),
}
_PORT = Area(luts=250, ffs=150)
_CONTROL = Area(luts=400, ffs=750)
_POSITION, _PRODUCT, _BESIDE = Area(luts=107, ffs=147), Area(luts=36, ffs=80), Area(luts=20, ffs=17)
"""Of a Winograd engine: for each position of a tile, for each multiplier, and again for each position and result more
than one that leaves at once.
"""


def estimate_area(plan: "EnginePlan") -> Area:
    """What the engine of a plan takes, the vendor blocks of ECP5 in it."""
    config, operands = plan.config, plan.config.operands
    width, products = config.accumulator_width, plan.products
    in_luts = plan.lut_multipliers * operands.products
    # Accumulator and drain register of each product; the product's register where a hard multiplier makes it.
    array = Area(luts=even(width) + width, ffs=2 * width) * products
    array += Area(luts=0, ffs=operands.product_bits) * (products - in_luts)
    array += lut_multiplier_area(operands.activation_bits, operands.weight_bits) * in_luts
    # A depthwise word passes several registers on its way to all columns at once.
    supply = Area(luts=1, ffs=4 if config.depthwise else 1) * (8 * config.word_bytes * config.pixels)
    if config.depthwise:
        hops = 0
    else:
        hops = operands.activation_bits * config.pixels * (config.clusters - 1)
        hops += operands.lane_bits * config.weight_lanes * (config.lanes - 1)
    marks = 2 * config.pixels * -(-config.weight_lanes // 4)
    # A tree of choices of four, each with a register, for each requantiser.
    choices = config.requantisers * sum(-(-config.drain >> 2 * stage) for stage in range(1, config.column_stages + 1))
    drain = Area(luts=2 * width, ffs=width) * choices
    requantisers = requantiser_area(config.requantiser) * config.requantisers
    total: Area = array + supply + Area(luts=0, ffs=hops + marks) + drain + requantisers + _PORT * config.ports
    return total + _CONTROL + (Area(luts=0, ffs=0) if config.ring else _program_area(config))


def _program_area(config: "EngineConfig") -> Area:
    """What an engine of several layers has beside that: deep ROMs and wide arrays make it noticeable."""
    layers = len(config.passes)
    weights = config.operands.lane_bits * config.weight_lanes
    masks = config.columns if any(item.word_groups > 1 for item in config.passes) else 0
    addresses = config.clusters * config.weight_depth.bit_length()
    waiting = config.requantiser.output_width * sum(config.skews[-1] - skew for skew in config.skews)
    tables = config.requantisers * config.requantiser.entry_width
    banks = weights * -(-config.weight_depth // 1024)
    return Area(
        luts=banks + (weights + 2 * masks if masks else 0) + 60 * layers,
        ffs=2 * weights + 2 * masks + 2 * addresses + waiting + tables,
    )


def estimate_winograd(plan: "EnginePlan") -> Area:
    """What a Winograd engine takes: most of it are the transforms, which go with a tile's positions.

    Within 9 % of the seventeen it is fitted to, of 4 to 72 multipliers; up to 40 % too much where kernels are lines.
    """
    config = plan.config
    assert isinstance(config, WinogradConfig)
    positions = config.vertical.inputs * config.horizontal.inputs
    requantisers = requantiser_area(config.requantiser) * config.requantisers
    position = _POSITION + _BESIDE * (config.requantisers - 1)
    return position * positions + _PRODUCT * plan.multipliers + requantisers


def requantiser_area(unit: RequantiserPlan) -> Area:
    """Of one requantiser: its sum is kept in every stage of the narrow one, the others differ little."""
    if unit.kind == "narrow":
        return Area(luts=round(_NARROW_LUTS * unit.entry_width), ffs=unit.sum_width * unit.latency)
    return _EXACT.get(unit.kind, Area(luts=unit.output_width, ffs=unit.output_width))


def lut_multiplier_area(width_a: int, width_b: int) -> Area:
    """Of `rtl/ecp5/hwconv_lut_mult.v`, which says what is added to what; exact for even widths of the narrower one."""
    wide, narrow = max(width_a, width_b), min(width_a, width_b)
    rows = -(-narrow // 2)
    pairs, alone = divmod(rows, 2)
    sums = even(wide + 2) * pairs + (even(wide + 2 * rows - 4) if rows > 2 else 0)
    kept = (wide + 2) * (rows + alone) + (wide + 4) * pairs
    return Area(luts=even(wide + 2) * rows + 1 + sums, ffs=2 * (wide + narrow) + kept)


def even(bits: int) -> int:
    """Look-up tables of a carry chain: its cells have two bits each."""
    return bits + bits % 2
