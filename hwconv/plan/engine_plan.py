"""The plan of an engine: what is built, from what, how fast it is."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from re import sub
from typing import Any

from ..errors import SpecError, UnsupportedError
from ..keywords import KEYWORDS
from ..layer import Layer
from ..spec import ConvSpec
from .array import Folding, best_folding, divisors, strip_shape
from .config import EngineConfig, LoadConfig, PassConfig
from .cycles import Cycles, predict, ring_rows_needed, units_needed
from .formats import BYTES, OperandFormat, array_sum_range, array_zero_point, operand_format, paired_format, signed_bits
from .images import rom_images
from .loadable import check_loadable, fill, loadable_requantiser, type_accumulator, unloaded
from .phases import axis_phases, has_phases, phase_layers
from .program_schedule import predict_program
from .requantise import RequantiserPlan, plan_requantisers
from .rom import RomImage
from .summary import summarise, summarise_program
from .weight_image import image_identity

DEFAULT_MULTIPLIERS = 64
PERMISSION_LAG = 5
"""Words that the receiver may write before it notices that a row is complete."""
CLUSTER = 4
"""Columns that share a hop register: as many weights as a block RAM is wide."""
BLOCK_RAM_WIDTH = 36
"""Bits of the widest word of a block RAM."""
LEAST_BEAT_BYTES = 4
"""Streams are at least this wide where the channels allow, although a narrower one would keep up."""
RATE_MARGIN = 0.8
"""Share of the interval that the input may take: the rest hides the start of a frame."""
WIDEST_ACCUMULATOR = 32
"""Of a loadable engine: layers whose sums need more are refused anyway, or when their weights are packed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class EnginePlan:
    """Everything that is decided about an engine before it is built. Make it with :func:`make_plan`."""

    layers: tuple[Layer, ...]
    folding: Folding
    config: EngineConfig
    asked: int
    """Multipliers the user asked for; the array may use fewer."""

    @property
    def layer(self) -> Layer:
        return self.layers[0]

    @property
    def spec(self) -> ConvSpec:
        return self.layers[0].spec

    @property
    def top_name(self) -> str:
        return self.config.name

    @property
    def input_beat_bytes(self) -> int:
        return self.config.input_beat_bytes

    @property
    def output_beat_bytes(self) -> int:
        return self.config.output_beat_bytes

    @property
    def input_user_bits(self) -> int:
        return 0

    @property
    def passes(self) -> int:
        """Input frames of one output frame."""
        return 1

    @cached_property
    def cycles(self) -> Cycles:
        return predict(self.config) if self.config.ring else predict_program(self.config)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one frame, over all layers."""
        return sum(layer.spec.macs for layer in self.layers)

    @property
    def parts(self) -> tuple["EnginePlan", ...]:
        """The engines of a program that takes two of them; by default there is one."""
        return (self,)

    @property
    def layer_beats(self) -> tuple[int, ...]:
        """Bytes of a beat of what each layer computes."""
        return (self.config.output_beat_bytes,) * len(self.layers)

    def named(self, name: str) -> "EnginePlan":
        """The same engine, with modules called after `name`."""
        return replace(self, config=replace(self.config, name=name))

    def made_of(self, lut_multipliers: int, block_ram_price: int) -> "EnginePlan":
        """The same engine with so many multipliers of look-up tables, and ROMs of them where these are cheaper."""
        return replace(self, config=replace(self.config, lut_elements=lut_multipliers, block_ram_price=block_ram_price))

    @property
    def loadable(self) -> bool:
        """Weights, requantisation and zero points come by a stream; the layer's own are the image of its package."""
        return self.config.loading is not None

    @cached_property
    def requantiser(self) -> RequantiserPlan:
        """The requantiser with the entries of the layers' channels."""
        return fill(self.config.requantiser, self.layer) if self.loadable else self.config.requantiser

    @cached_property
    def roms(self) -> list[RomImage]:
        """Contents of the ROMs; of the memories that are loaded, what they hold for the layer."""
        return rom_images(replace(self.config, requantiser=self.requantiser), self.layers)

    @property
    def products(self) -> int:
        """Products that the array makes in a cycle."""
        return self.config.pixels * self.config.columns

    @property
    def peak_macs(self) -> float:
        """MACs of the layer in a cycle in which no multiplier idles."""
        return self.products

    @property
    def products_asked(self) -> int:
        """Products that the multipliers asked for would make in a cycle."""
        return self.asked * self.config.operands.products

    @property
    def multipliers(self) -> int:
        """Multipliers of the array: half as many as products where two columns share one."""
        return self.products // self.config.operands.products

    @property
    def lut_multipliers(self) -> int:
        """Those of the array's multipliers that are made of look-up tables."""
        return self.config.lut_elements

    @property
    def hard_multipliers(self) -> int:
        """Hard multipliers of the array."""
        return self.multipliers - self.lut_multipliers

    @property
    def requantiser_multipliers(self) -> int:
        """Hard 18x18 multipliers of all requantisers together."""
        return self.config.requantisers * self.config.requantiser.multipliers

    @property
    def utilisation(self) -> float:
        """MACs needed / (interval x products of the array in a cycle)."""
        return self.macs / (self.cycles.interval * self.products)

    @property
    def utilisation_asked(self) -> float:
        """MACs needed / (interval x products that the multipliers asked for would make)."""
        return self.macs / (self.cycles.interval * self.products_asked)

    def summary(self) -> dict[str, Any]:
        """Everything decided and predicted, as values that JSON has; see :mod:`hwconv.plan.summary`."""
        return summarise(self) if self.config.ring else summarise_program(self)


def make_plan(
    layer: Layer | ConvSpec,
    *,
    multipliers: int | None = None,
    lut_multipliers: int = 0,
    input_beat_bytes: int | None = None,
    output_beat_bytes: int | None = None,
    folding: Folding | None = None,
    loadable: bool = False,
    weight_beat_bytes: int | None = None,
) -> EnginePlan:
    """Plans the engine of one layer.

    Parameters
    ----------
    layer : Layer or ConvSpec
        A specification alone is enough where the weights are loaded.
    multipliers : int, optional
        Multipliers of the array at most (default 64). Requantisers come on top.
    lut_multipliers : int
        How many of them may be made of look-up tables. The others are taken first where the array has fewer.
    input_beat_bytes, output_beat_bytes : int, optional
        Bytes of a stream beat (default: the narrowest that keeps up).
    folding : Folding, optional
        A folding chosen by hand (see :func:`hwconv.plan.array.foldings`).
    loadable : bool
        Weights, requantisation and zero points are loaded by a stream (docs/loadable.md): the engine depends on the
        specification alone, and its widths are those of the types.
    weight_beat_bytes : int, optional
        Bytes of a beat of that stream (default: up to four, as many as divide a word of weights).

    Raises
    ------
    UnsupportedError
        A type or mode for which there is no hardware.
    SpecError
        A number out of range.
    """
    spec = layer if isinstance(layer, ConvSpec) else layer.spec
    asked = DEFAULT_MULTIPLIERS if multipliers is None else multipliers
    check_request(spec, asked, input_beat_bytes, output_beat_bytes, weight_beat_bytes)
    if isinstance(layer, ConvSpec):
        if not loadable:
            raise SpecError(spec.name, "weights", None, "given, unless they are loaded")
        layer = unloaded(spec)
    packable = not loadable and paired_format(layer) is not None
    folding = folding or best_folding(spec, asked, output_beat_bytes, packable=packable)
    operands = BYTES if loadable else _operands(layer, folding)  # shorter weights are loaded as bytes, too
    if loadable:
        check_loadable(spec)
        width = max(operands.least_accumulator, signed_bits(*type_accumulator(spec)))
        width = min(width, WIDEST_ACCUMULATOR)
        requantiser = loadable_requantiser(spec, width)
    else:
        width, requantiser = _unit(layer, operands.least_accumulator)
    item = pass_config(spec, folding)
    words_out = item.out_pixel_words
    value_bytes = requantiser.output_width // 8
    result_bytes = folding.requantisers * value_bytes
    if output_beat_bytes is not None and output_beat_bytes % result_bytes:
        expected = f"a multiple of {result_bytes}, the bytes of {folding.requantisers} results"
        raise SpecError(spec.name, "output_beat_bytes", output_beat_bytes, expected)
    config = EngineConfig(
        name=module_name(spec.name),
        depthwise=folding.depthwise,
        pixels=folding.pixels,
        columns=folding.columns,
        ports=folding.ports,
        word_channels=folding.word_channels,
        cluster=folding.columns if folding.depthwise else cluster_columns(folding.columns, operands),
        requantisers=folding.requantisers,
        accumulator_width=width,
        input_beat_bytes=input_beat_bytes or _input_beat(spec, folding),
        output_beat_bytes=output_beat_bytes or _output_beat(words_out, result_bytes),
        ring_rows=2 * item.height,
        row_margin=-(-PERMISSION_LAG // item.row_words),
        units=3,
        requantiser=requantiser,
        passes=(item,),
        operands=operands,
        lut_elements=lut_elements(spec.name, folding.multipliers, asked, lut_multipliers),
    )
    config = replace(config, units=units_needed(config))
    config = replace(config, ring_rows=ring_rows_needed(config))
    if loadable:
        config = replace(config, passes=(replace(item, input_zero_point=0),))  # it is loaded, too
        beat = weight_beat_bytes or largest_divisor(config.cluster, LEAST_BEAT_BYTES)
        config = replace(config, loading=LoadConfig(beat_bytes=beat, identity=image_identity(spec, config, beat)))
    return EnginePlan(layers=(layer,), folding=folding, config=config, asked=asked)


@lru_cache(maxsize=256)
def _unit(layer: Layer, least_accumulator: int) -> tuple[int, RequantiserPlan]:
    """Bits of the accumulators of a layer, and its requantiser: they are the same whatever the array."""
    parts = [part for _, _, part in phase_layers(layer)]
    lows, highs = zip(*map(array_sum_range, parts), strict=True)
    low, high = min(int(values.min()) for values in lows), max(int(values.max()) for values in highs)
    width = max(least_accumulator, signed_bits(low, high))
    return width, plan_requantisers(parts, width)


def pass_config(spec: ConvSpec, folding: Folding) -> PassConfig:
    """The descriptor of a layer under a folding."""
    rows, columns = (axis_phases(spec, axis) for axis in (0, 1))
    strips, strip_pixels = strip_shape(spec)
    # The window of a column phase begins where that of its super pixel does, or further on where the phase wraps.
    column_starts, wrapped = [], 0
    for phase in columns.phases:
        column_starts.append(wrapped + phase.start)
        wrapped += phase.advance
    return PassConfig(
        height=spec.height,
        width=spec.width,
        pixel_words=spec.in_channels // folding.word_channels,
        out_height=spec.out_height,
        out_width=folding.strip_tiles * folding.pixels if has_phases(spec) else spec.out_width,
        strips=strips,
        strip_pixels=strip_pixels,
        stride=(1, 1) if spec.transposed else spec.stride,
        dilation=(rows.step, columns.step),
        top=-rows.origin,
        left=-columns.origin,
        reach=(rows.reach, columns.reach + (1 if has_phases(spec) else 0)),
        row_starts=tuple(phase.start for phase in rows.phases),
        row_advances=tuple(phase.advance for phase in rows.phases),
        column_starts=tuple(column_starts),
        phases=folding.phases,
        last_phases=(spec.out_width - 1) % len(columns.phases) + 1,
        input_zero_point=array_zero_point(spec),
        state_rows=spec.state_rows,
        groups=folding.groups,
        group_words=folding.blocks,
        word_groups=folding.word_groups,
        tiles=folding.tiles,
        group_out_words=-(-folding.group_outputs // folding.requantisers),
        active_steps=folding.active_steps,
        block_steps=folding.block_steps,
    )


def module_name(name: str) -> str:
    """A Verilog identifier for a layer's name."""
    cleaned = sub(r"[^0-9a-zA-Z_]+", "_", name).strip("_").lower() or "conv"
    return cleaned if cleaned[0].isalpha() and cleaned not in KEYWORDS else f"conv_{cleaned}"


def cluster_columns(columns: int, operands: OperandFormat, multipliers: int = CLUSTER) -> int:
    """Columns that share a hop register and a weight ROM: so many multipliers, more with short weights."""
    lanes = columns // operands.products
    fitting = min(2 * multipliers, max(multipliers, BLOCK_RAM_WIDTH // operands.lane_bits))
    limit = fitting if operands.products == 1 else multipliers
    return operands.products * largest_divisor(lanes, limit)


def largest_divisor(value: int, limit: int) -> int:
    return max(item for item in divisors(value) if item <= limit)


def _input_beat(spec: ConvSpec, folding: Folding) -> int:
    """The narrowest beat that feeds the array in time, but some bytes where the channels allow."""
    allowed = RATE_MARGIN * folding.compute_cycles
    value_bytes = operand_format(spec).activation_bytes
    choices = [value_bytes * channels for channels in divisors(folding.word_channels)]
    fast_enough = next((item for item in choices if spec.input_bytes / item <= allowed), choices[-1])
    return max(fast_enough, *(item for item in choices if item <= max(LEAST_BEAT_BYTES, value_bytes)))


def _output_beat(words: int, result_bytes: int) -> int:
    """At least a result word, and some bytes where a pixel's channels allow."""
    return result_bytes * largest_divisor(words, max(1, LEAST_BEAT_BYTES // result_bytes))


def check_request(
    spec: ConvSpec, asked: int, input_beat: int | None, output_beat: int | None, weight_beat: int | None = None
) -> None:
    """Refuses numbers out of range, and types and modes for which there is no hardware."""
    if not 1 <= asked <= 4096:
        raise SpecError(spec.name, "multipliers", asked, "from 1 to 4096")
    beats = {"input_beat_bytes": input_beat, "output_beat_bytes": output_beat, "weight_beat_bytes": weight_beat}
    for field, value in beats.items():
        if value is not None and not 1 <= value <= 128:
            raise SpecError(spec.name, field, value, "from 1 to 128")
    value_bytes = operand_format(spec).activation_bytes
    if input_beat is not None and input_beat % value_bytes:
        raise SpecError(spec.name, "input_beat_bytes", input_beat, f"a multiple of {value_bytes}, the bytes of a value")


def lut_elements(name: str, multipliers: int, asked: int, lut_multipliers: int) -> int:
    """How many of an array's multipliers are made of look-up tables: what the hard ones asked for do not cover.

    Raises
    ------
    SpecError
        More were asked for than multipliers of both kinds.
    """
    if not 0 <= lut_multipliers <= asked:
        raise SpecError(name, "lut_multipliers", lut_multipliers, f"from 0 to {asked}, the multipliers asked for")
    return min(lut_multipliers, max(0, multipliers - (asked - lut_multipliers)))


def _operands(layer: Layer, folding: Folding) -> OperandFormat:
    """The operands' format under a folding, which may have been chosen by hand."""
    if not folding.packed:
        return operand_format(layer.spec)
    packed = paired_format(layer)
    if packed is None:
        expected = (
            "weights of 4 bits, or of 5 without the smallest, and activations of 8 where columns share multipliers"
        )
        raise UnsupportedError(layer.spec.name, "folding", "packed", expected)
    return packed
