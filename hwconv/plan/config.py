"""The numbers an engine is built from: one :class:`EngineConfig`, one :class:`PassConfig` for each layer it runs.

Everything here is decided by the plan; the gateware only reads it. Words are activation words of
``EngineConfig.word_channels`` channels of one pixel; result words are ``EngineConfig.requantisers`` values.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .formats import BYTES, OperandFormat

if TYPE_CHECKING:
    from hwconv.plan.requantise import RequantiserPlan

MINIMUM_TILE_CYCLES = 8
"""Shortest pixel tile: the sequencer prepares the next tile's position and permission in this time."""

ARRAY_LATENCY = 6
"""Multiplier (3), product register (1), accumulator (1) and drain register (1)."""


@dataclass(frozen=True, kw_only=True)
class PassConfig:
    """One layer of an engine's program: loop bounds, address strides and table offsets.

    The loop nest, outermost first: pixel tiles, word groups, column tiles, kernel rows, kernel columns,
    channel blocks, steps. A *fold* is one turn of the column tile loop: the work between two drains of the array.
    """

    height: int
    """Rows of the input frame."""
    width: int
    """Columns of the input frame."""
    pixel_words: int
    """Activation words of one input pixel."""
    out_height: int
    out_width: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    top: int
    left: int
    input_zero_point: int
    """Of the activations as the array sees them."""
    groups: int
    """Word groups: groups of a dense layer, channel words of a depthwise one."""
    group_words: int
    """Activation words between two word groups; the channel blocks of one tap of a dense layer."""
    tiles: int
    """Column tiles of a word group."""
    group_out_words: int
    """Result words of a word group for one pixel."""
    active_steps: int
    """Steps of a channel block in which the array multiplies."""
    block_steps: int
    """Steps of a channel block, those included in which lanes still load."""
    idle_steps: int
    """Steps after each fold in which the array waits for its drain."""
    activation_base: int = 0
    weight_base: int = 0
    table_base: int = 0

    @property
    def row_words(self) -> int:
        return self.width * self.pixel_words

    @property
    def blocks(self) -> int:
        """Channel blocks of one tap."""
        return self.group_words

    @property
    def taps(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def folds(self) -> int:
        """Folds of one pixel tile."""
        return self.groups * self.tiles

    @property
    def out_pixels(self) -> int:
        return self.out_height * self.out_width

    @property
    def out_pixel_words(self) -> int:
        """Result words of one output pixel."""
        return self.groups * self.group_out_words

    @property
    def depth(self) -> int:
        """Active steps of one fold: the terms each accumulator adds."""
        return self.taps * self.blocks * self.active_steps

    @property
    def fold_cycles(self) -> int:
        return self.taps * self.blocks * self.block_steps + self.idle_steps

    @property
    def tile_cycles(self) -> int:
        """Cycles of one pixel tile when nothing is waited for."""
        return self.folds * self.fold_cycles


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """The structure of an engine, shared by all layers of its program."""

    name: str
    depthwise: bool
    """Operand supply: False, one activation a row moves right; True, every column has its own lane of the word."""
    pixels: int
    """Rows of the array: output pixels computed at once."""
    columns: int
    """Columns of the array: output channels computed at once."""
    ports: int
    """Activation memory read ports; each serves ``pixels / ports`` rows."""
    word_channels: int
    """Channels of one activation word."""
    cluster: int
    """Columns that share one hop register and one weight ROM."""
    requantisers: int
    """Results requantised each cycle."""
    accumulator_width: int
    input_beat_bytes: int
    output_beat_bytes: int
    ring_rows: int
    """Rows the activation memory holds (one layer); the rows of all frames of the program (several)."""
    row_margin: int
    """Rows of the ring that the writer keeps free, so that it may look late."""
    units: int
    """Pixel tiles of results that the output buffer holds."""
    requantiser: "RequantiserPlan"
    passes: tuple[PassConfig, ...]
    operands: OperandFormat = BYTES
    """What the array multiplies."""

    @property
    def lanes(self) -> int:
        """Rows served by each read port, one after the other."""
        return self.pixels // self.ports

    @property
    def word_bytes(self) -> int:
        """Bytes of one activation word."""
        return self.word_channels * self.operands.activation_bytes

    @property
    def clusters(self) -> int:
        return self.columns // self.cluster

    @property
    def weight_lanes(self) -> int:
        """Multipliers of a row of the array, each with a lane of the weight ROMs."""
        return self.columns // self.operands.products

    @property
    def cluster_lanes(self) -> int:
        """Lanes of one weight ROM."""
        return self.cluster // self.operands.products

    def lane_columns(self, lane: int) -> tuple[int, ...]:
        """The column that takes its weight from a lane; two where they share a multiplier, the lower product first.

        They need the same activation: neighbours of a dense array, neighbouring channels of a depthwise one.
        """
        count = self.operands.products
        together = range(lane * count, (lane + 1) * count)
        return tuple(self.channel_column(item) if self.depthwise and count > 1 else item for item in together)

    @property
    def drain(self) -> int:
        """Cycles a pixel's results take to leave the array: columns of one requantiser."""
        return self.columns // self.requantisers

    @property
    def skews(self) -> tuple[int, ...]:
        """Cycles by which each requantiser works later than the first: the hops its columns lie to the right."""
        return tuple(index * self.drain // self.cluster for index in range(self.requantisers))

    @property
    def column_stages(self) -> int:
        """Registers of the 4:1 multiplexer tree that picks a requantiser's column."""
        stages, choices = 0, self.drain
        while choices > 1:
            choices = -(-choices // 4)
            stages += 1
        return max(1, stages)

    @property
    def drain_latency(self) -> int:
        """Cycles from the array's `last` mark to the first result word.

        Array, choice of the column and a register on its way, skew, requantiser.
        """
        return ARRAY_LATENCY + self.column_stages + 1 + self.skews[-1] + self.requantiser.latency

    @property
    def lanes_per_channel(self) -> int:
        """Columns fed by one lane of the activation word (depthwise channel multiplier)."""
        return self.columns // self.word_channels

    def column_channel(self, column: int) -> int:
        """The output channel of its tile that a column computes (see `gateware.drain`)."""
        requantiser, turn = divmod(column, self.drain)
        return turn * self.requantisers + requantiser

    def channel_column(self, channel: int) -> int:
        """The column that computes an output channel of its tile."""
        turn, requantiser = divmod(channel, self.requantisers)
        return requantiser * self.drain + turn

    @property
    def ring(self) -> bool:
        """Rows wrap around the activation memory; with several layers each has its own frame buffer."""
        return len(self.passes) == 1

    @property
    def activation_depth(self) -> int:
        if self.ring:
            return self.ring_rows * self.passes[0].row_words
        return max(item.activation_base + item.height * item.row_words for item in self.passes)

    @property
    def weight_depth(self) -> int:
        return max(item.weight_base + item.folds * item.depth for item in self.passes)

    @property
    def table_depth(self) -> int:
        return max(item.table_base + item.folds * self.drain for item in self.passes)

    @property
    def unit_words(self) -> int:
        """Result words reserved for one pixel tile in the output buffer."""
        return self.pixels * max(item.out_pixel_words for item in self.passes)

    @property
    def value_bytes(self) -> int:
        """Bytes of one output value."""
        return self.requantiser.output_width // 8

    @property
    def result_bytes(self) -> int:
        """Bytes of one result word."""
        return self.requantisers * self.value_bytes

    @property
    def frames_in_flight(self) -> int:
        """Most frames between the end of their input and the end of their output."""
        rows = min(item.height for item in self.passes)
        return self.ring_rows // rows + self.units + 2
