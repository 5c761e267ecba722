"""The numbers a Winograd engine is built from; docs/winograd.md has a drawing of what they are numbers of."""

from dataclasses import dataclass
from functools import cached_property

from .config import EngineConfig
from .winograd_transforms import AxisTransform, inverse_steps, odd_part

INPUT_BITS = 8
LEAST_TILE_CYCLES = 16
"""Shortest tile: addresses and permission of the next one are prepared in this time."""
TILE_SLOTS = 2
"""Transformed tiles in memory: one is written while the other is multiplied."""
BRAM_LATENCY = 2
PRODUCT_LATENCY = 4
"""Operands to a product in a register of the fabric."""
ENTRY_LATENCY = 3
"""Table address to the entry at its requantiser: the ROM (2) and a register."""


@dataclass(frozen=True, kw_only=True)
class WinogradConfig(EngineConfig):
    """An engine that multiplies transformed tiles.

    Of an :class:`~hwconv.plan.config.EngineConfig` it is: `pixels` the outputs of a tile, `columns` the output channels
    at once, `requantisers` the pixels of a tile's row that are requantised at once, `word_bytes` the channels of an
    activation word, `units` the rows of tiles that the output buffer holds, `passes` the one layer. A *fold* is one
    column tile: all positions, all input channels; it takes `turns` turns.
    """

    vertical: AxisTransform
    horizontal: AxisTransform
    slice_columns: int
    """Columns of a tile's positions that are multiplied at once; the array's rows are those columns' positions."""
    fetch_columns: int
    """Columns of a tile that are read at once, of one channel."""
    row_units: int
    """Rows of a tile that are transformed at once."""
    drain_columns: int
    """Columns of a tile's sums that leave the array at once, of one output channel."""
    channel_lanes: int
    """Output channels of a result word."""
    slots: int
    """Rows that each row bank of the activation memory holds."""
    turn_idle: int
    """Cycles after each turn in which nothing is multiplied, so that the sums of the turn before are out."""
    tile_idle: int
    """The same after each tile: its successor's input or its results take longer than its products."""
    weight_widths: tuple[int, ...]
    """Bits of the weights of each of :attr:`weight_slots`."""

    @property
    def rows(self) -> int:
        """Rows of the array: positions of a tile that are multiplied at once."""
        return self.vertical.inputs * self.slice_columns

    @property
    def turns(self) -> int:
        return self.horizontal.inputs // self.slice_columns

    @property
    def channels(self) -> int:
        return self.passes[0].pixel_words * self.word_bytes

    @property
    def group_channels(self) -> int:
        return self.channels // self.passes[0].groups

    @property
    def group_outputs(self) -> int:
        return self.passes[0].group_out_words

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.passes[0].groups * self.group_outputs

    @property
    def live_columns(self) -> int:
        """Columns of a group's last column tile that compute a channel."""
        return self.group_outputs - (self.passes[0].tiles - 1) * self.columns

    @property
    def bands(self) -> int:
        """Rows of tiles of a frame."""
        return -(-self.passes[0].out_height // self.vertical.outputs)

    @property
    def tiles_across(self) -> int:
        """Tiles of a band."""
        return -(-self.passes[0].out_width // self.horizontal.outputs)

    @property
    def fetch_groups(self) -> int:
        """Cycles in which one channel of a tile is read."""
        return self.horizontal.inputs // self.fetch_columns

    @property
    def fetch_cycles(self) -> int:
        """Cycles in which a tile is read and transformed."""
        return self.fetch_groups * self.channels

    @property
    def turn_cycles(self) -> int:
        return self.group_channels + self.turn_idle

    @property
    def folds(self) -> int:
        """Folds of a tile."""
        return self.passes[0].groups * self.passes[0].tiles

    @property
    def tile_cycles(self) -> int:
        """Cycles of a tile when nothing is waited for."""
        return self.folds * self.turns * self.turn_cycles + self.tile_idle

    @property
    def row_cycles(self) -> int:
        """Cycles in which a tile's row of outputs of one channel is requantised."""
        return self.horizontal.outputs // self.requantisers

    @property
    def arrivals(self) -> int:
        """Cycles in which the sums of one channel arrive at the horizontal transform."""
        return self.horizontal.inputs // self.drain_columns

    @property
    def channel_cycles(self) -> int:
        """Cycles from one output channel to the next behind the array."""
        return max(self.vertical.outputs * self.row_cycles, self.arrivals)

    @property
    def factor(self) -> int:
        return self.vertical.factor * self.horizontal.factor

    @property
    def zeros(self) -> int:
        """Low bits that are zero in every output of the transforms."""
        return odd_part(self.factor)[0]

    @property
    def sum_width(self) -> int:
        """Bits of the transforms' outputs. All that leads there is computed modulo ``2**sum_width``.

        An output is the factor times the accumulator, and its lower bits depend on lower bits alone; so the
        accumulator, without what the factor's odd part takes, is right modulo ``2**accumulator_width``: right.
        """
        return self.accumulator_width + self.zeros

    @property
    def divider(self) -> list[tuple[int, int]]:
        """The steps that divide by the odd part of the factor."""
        return inverse_steps(odd_part(self.factor)[1], self.accumulator_width)

    @cached_property
    def column_widths(self) -> list[list[int]]:
        """Bits of every node of the vertical transform: of the inputs, then of each level."""
        inputs = [self.input_range] * self.vertical.inputs
        return [[_bits(item) for item in level] for level in self.vertical.input.ranges(inputs)]

    @property
    def input_range(self) -> tuple[int, int]:
        return -(1 << INPUT_BITS - 1), (1 << INPUT_BITS - 1) - 1

    def row_widths(self, row: int) -> list[list[int]]:
        """Bits of every node of the horizontal transform of a row of vertically transformed values."""
        column = self.vertical.input.ranges([self.input_range] * self.vertical.inputs)[-1]
        levels = self.horizontal.input.ranges([column[row]] * self.horizontal.inputs)
        return [[_bits(item) for item in level] for level in levels]

    @cached_property
    def operand_widths(self) -> list[list[int]]:
        """Bits of the transformed activations, row by row of a tile."""
        return [self.row_widths(row)[-1] for row in range(self.vertical.inputs)]

    @cached_property
    def output_row_widths(self) -> list[list[int]]:
        """Bits of every node of the horizontal transform behind the array."""
        return self.horizontal.output.modular_widths([self.sum_width] * self.horizontal.outputs)

    @cached_property
    def output_column_widths(self) -> list[list[list[int]]]:
        """The same of the vertical one, for each column of a tile."""
        return [
            self.vertical.output.modular_widths([bits] * self.vertical.outputs) for bits in self.output_row_widths[0]
        ]

    def columns_of(self, place: int, count: int) -> list[int]:
        """Columns of a tile that meet at one of `count` places, one after the other."""
        return list(range(place, self.horizontal.inputs, count))

    def sum_bits(self, row: int, column: int) -> int:
        """Bits of the sum of position (`row`, `column`) that the outputs depend on."""
        return self.output_column_widths[column][0][row]

    @property
    def weight_slots(self) -> list[tuple[int, int]]:
        """The positions (row, column of the slice) of the array that have weights of their own: see `weight_slot`."""
        rows = 1 if self.vertical.plain else self.vertical.inputs
        columns = 1 if self.horizontal.plain else self.slice_columns
        return [(row, column) for column in range(columns) for row in range(rows)]

    def weight_slot(self, row: int, column: int) -> int:
        """Which of :attr:`weight_slots` a position of the array takes its weights from: equal ones are kept once."""
        place = (0 if self.vertical.plain else row, 0 if self.horizontal.plain else column)
        return self.weight_slots.index(place)

    @property
    def weight_roms(self) -> list[list[int]]:
        """The slots whose weights share a ROM: those of a column of the slice."""
        rows = 1 if self.vertical.plain else self.vertical.inputs
        return [list(range(start, start + rows)) for start in range(0, len(self.weight_slots), rows)]

    @property
    def weight_depth(self) -> int:
        """Words of a weight ROM: every step of a tile."""
        return self.folds * self.turns * self.group_channels

    @property
    def table_depth(self) -> int:
        return self.folds * self.columns

    @property
    def frame_slots(self) -> int:
        """Rows that a frame takes of each row bank: each frame begins in the first bank."""
        return -(-self.passes[0].height // self.vertical.inputs)

    @property
    def slot_words(self) -> int:
        """Words of a row in a bank."""
        item = self.passes[0]
        return -(-item.width // self.fetch_columns) * item.pixel_words

    @property
    def bank_depth(self) -> int:
        return self.slots * self.slot_words

    @property
    def activation_depth(self) -> int:
        """The receiver's own address is not used."""
        return 1

    @property
    def pixel_out_words(self) -> int:
        """Result words of an output pixel."""
        return self.outputs // self.channel_lanes

    @property
    def result_bytes(self) -> int:
        return self.channel_lanes * self.value_bytes

    @property
    def row_out_words(self) -> int:
        """Words of a row of outputs in one bank of the output buffer."""
        return self.tiles_across * self.row_cycles * self.pixel_out_words

    @property
    def unit_words(self) -> int:
        """Words of a band in one bank of the output buffer."""
        return self.vertical.outputs * self.row_out_words

    @property
    def frames_in_flight(self) -> int:
        return self.slots // self.frame_slots + self.units + TILE_SLOTS + 3

    # Latencies of the blocks, in cycles.

    @property
    def transform_latency(self) -> int:
        """Last pixels of a channel to its last write of the transformed tile."""
        steps = self.vertical.inputs // self.row_units
        return self.vertical.input.latency + 1 + steps - 1 + self.horizontal.input.latency

    @property
    def result_latency(self) -> int:
        """A channel's sums, complete in registers, to its first accumulators at the requantisers."""
        serial = 1 if self.row_cycles > 1 else 0
        whole = self.horizontal.output.latency + serial + len(self.divider)
        return max(whole, ENTRY_LATENCY)


def _bits(ends: tuple[int, int]) -> int:
    """Bits of a signed number between two ends, both included."""
    low, high = ends
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1
