"""The numbers an engine is built from: one :class:`EngineConfig`, one :class:`PassConfig` for each layer it runs.

Everything here is decided by the plan; the gateware only reads it. Words are activation words of
``EngineConfig.word_channels`` channels of one pixel; result words are ``EngineConfig.requantisers`` values.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .formats import BYTES, OperandFormat

if TYPE_CHECKING:
    from hwconv.plan.requantise import RequantiserPlan

MINIMUM_TILE_CYCLES = 8
"""Shortest pixel tile: the sequencer prepares the next tile's position and permission in this time."""

ARRAY_LATENCY = 6
"""Multiplier (3), product register (1), accumulator (1) and drain register (1)."""


@dataclass(frozen=True, kw_only=True)
class FoldPhase:
    """What is walked in the folds of one output phase; a layer has one, a transposed one has ``stride x stride``."""

    rows: int
    """Kernel rows."""
    columns: int
    """Kernel columns."""
    blocks: int
    """Channel blocks of one tap."""
    live: bool
    """Whether there are taps at all; otherwise one block of steps goes by in which the array adds nothing."""
    idle_steps: int
    """Steps after each fold in which the array waits for its drain."""

    @property
    def tap_blocks(self) -> int:
        """Channel blocks of a fold."""
        return self.rows * self.columns * self.blocks


@dataclass(frozen=True, kw_only=True)
class PassConfig:
    """One layer of an engine's program: loop bounds, address strides and table offsets.

    The loop nest, outermost first: strips, pixel tiles, column phases, word groups, column tiles, kernel rows, kernel
    columns, channel blocks, steps. A *fold* is one turn of the column tile loop: the work between two drains of the
    array. A *strip* is what no pixel tile crosses the end of: the whole frame, or an output row of a transposed layer.

    The pixels of a transposed layer are its *super pixels*: as many neighbouring output columns as the stride, which
    the column phases compute one after the other. Its row phases follow each other from strip to strip.
    """

    height: int
    """Rows of the input frame."""
    width: int
    """Columns of the input frame."""
    pixel_words: int
    """Activation words of one input pixel."""
    out_height: int
    """Rows of pixels."""
    out_width: int
    """Pixels of a row; of a transposed layer, as many as its pixel tiles have."""
    strips: int
    strip_pixels: int
    """Pixels of a strip that there are; the last tile of a strip may have more rows than that."""
    stride: tuple[int, int]
    """Input rows and columns between pixels; rows of a transposed layer: see `row_advances`."""
    dilation: tuple[int, int]
    """Input rows and columns between the taps of a phase."""
    top: int
    left: int
    """Rows and columns from the first pixel's window to the frame: pads. Negative where a crop skips input."""
    reach: tuple[int, int]
    """Rows and columns from a window's first tap to its last one, of all phases."""
    row_starts: tuple[int, ...]
    """Rows from a window's origin to its first tap, for each row phase."""
    row_advances: tuple[int, ...]
    """Input rows from a pixel row of each row phase to the next one."""
    column_starts: tuple[int, ...]
    """Columns from a window's origin to its first tap, for each column phase."""
    phases: tuple[tuple[FoldPhase, ...], ...]
    """The folds of each row phase and column phase."""
    input_zero_point: int
    """Of the activations as the array sees them."""
    groups: int
    """Word groups: groups of a dense layer, channel words of a depthwise one."""
    group_words: int
    """Activation words between two word groups; the channel blocks of one tap of a dense layer."""
    tiles: int
    """Column tiles of a word group."""
    group_out_words: int
    """Result words of a word group for one pixel and column phase."""
    last_phases: int
    """Column phases that the last pixel of a strip has."""
    active_steps: int
    """Steps of a channel block in which the array multiplies."""
    block_steps: int
    """Steps of a channel block, those included in which lanes still load."""
    word_groups: int = 1
    """Groups of the layer side by side in one activation word. A channel block's weights are read once for each, and
    then reach the columns of that group only: what lies off the diagonal is not stored."""
    uniform: bool = False
    """All weights are 1, as where pooling adds: one word serves all steps."""
    stays: bool = False
    """Its frame is the next layer's, too: for that one nothing comes in."""
    state_rows: int = 0
    """Rows of earlier frames that are kept, and read above a frame."""
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
    def kernel(self) -> tuple[int, int]:
        """Kernel rows and columns of the first phase: all of them, unless the layer is transposed."""
        return self.phases[0][0].rows, self.phases[0][0].columns

    @property
    def row_phases(self) -> int:
        return len(self.phases)

    @property
    def column_phases(self) -> int:
        return len(self.phases[0])

    @property
    def out_groups(self) -> int:
        """Word groups of results of one pixel: those of all column phases."""
        return self.column_phases * self.groups

    @property
    def folds(self) -> int:
        """Folds of one pixel tile."""
        return self.out_groups * self.tiles

    @property
    def out_pixels(self) -> int:
        """Pixels, those included that are not there but have rows of the array."""
        return self.out_height * self.out_width

    @property
    def out_pixel_words(self) -> int:
        """Result words of one pixel."""
        return self.out_groups * self.group_out_words

    @property
    def last_pixel_words(self) -> int:
        """Result words of the last pixel of a strip."""
        return self.last_phases * self.groups * self.group_out_words

    def strip_tiles(self, pixels: int) -> int:
        """Pixel tiles of a strip on so many rows of the array."""
        return -(-self.strip_pixels // pixels)

    def depth(self, phase: FoldPhase) -> int:
        """Active steps of one fold: the terms each accumulator adds."""
        return phase.tap_blocks * self.active_steps if phase.live else 0

    def fold_cycles(self, phase: FoldPhase) -> int:
        return phase.tap_blocks * self.block_steps + phase.idle_steps

    def row_weights(self, row_phase: int) -> int:
        """Weights of each column that the tiles of a row phase read."""
        if self.uniform:
            return 1
        depth = sum(self.depth(phase) for phase in self.phases[row_phase])
        return self.groups * self.tiles * depth // self.word_groups

    @property
    def block_weights(self) -> int:
        """Words of weights of a channel block."""
        return self.active_steps // self.word_groups

    @property
    def weight_words(self) -> int:
        return sum(self.row_weights(row_phase) for row_phase in range(self.row_phases))

    def table_words(self, drain: int) -> int:
        """Entries of each requantiser: every phase has its own, since zero points add up to something else."""
        return self.row_phases * self.folds * drain

    def row_cycles(self, row_phase: int) -> int:
        """Cycles of a pixel tile of a row phase when nothing is waited for."""
        return self.groups * self.tiles * sum(self.fold_cycles(phase) for phase in self.phases[row_phase])

    @property
    def tile_cycles(self) -> int:
        """Cycles of the longest pixel tile when nothing is waited for."""
        return max(self.row_cycles(row_phase) for row_phase in range(self.row_phases))


OPERATIONS = ("multiply", "add", "maximum")
"""What an element does with activations: adds their products with weights; adds them; keeps the largest."""

ENTRY_WAIT = 3
"""Cycles from a pixel's results to the table entry that is chosen by their count, less one stage of the choice."""


@dataclass(frozen=True, kw_only=True)
class LoadConfig:
    """What an engine whose weights are loaded has beside the others."""

    beat_bytes: int
    """Bytes of a beat of the stream that brings them."""
    identity: int
    """32 bits that every image for this engine begins with; see `plan.weight_image`."""


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
    lut_elements: int = 0
    """Multipliers of the array that are made of look-up tables: see :meth:`in_luts`."""
    block_ram_price: int = 0
    """Look-up tables that a block RAM is worth: ROMs that cost less in these are made of them."""
    loading: LoadConfig | None = None
    """Weights, requantisation and zero points come by a stream of their own; `None`: they are in ROMs."""
    operation: str = "multiply"
    """One of :data:`OPERATIONS`; others than the first have no weights, and need depthwise operands."""
    loop: Literal["", "entry", "exit", "residual"] = ""
    """Where a program's results go: `""`, from each layer to its next; ``entry`` and ``exit``, the first and the second
    of two engines that compute layers in turns (:mod:`hwconv.plan.loop`); ``residual``, out, and what comes back is
    another stream's (:mod:`hwconv.plan.residual`)."""
    idle_results: int = 0
    """Results of a frame's last word that are none: its channels are no multiple of the requantisers."""
    largest_count: int = 0
    """Where the requantiser's entry depends on how many elements of a window lie inside the frame: the most that do."""

    @property
    def entry_wait(self) -> int:
        """Cycles that results wait for an entry that is chosen by their count."""
        return max(0, ENTRY_WAIT - self.column_stages) if self.largest_count else 0

    @property
    def variable_zero_point(self) -> bool:
        """Depthwise: what is outside of the frame is no constant."""
        return self.loading is not None or not self.ring

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

    def in_luts(self, row: int, lane: int) -> bool:
        """Whether a multiplier is made of look-up tables.

        They are the last ones, row by row. Hard multipliers stand on lines of the die, and take the array's first rows
        (see :mod:`hwconv.flow.floorplan`); the rows below go where there is fabric, beside those that feed them.
        """
        return row * self.weight_lanes + lane >= self.pixels * self.weight_lanes - self.lut_elements

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
        choice = self.column_stages + 1 + self.entry_wait
        return ARRAY_LATENCY + choice + self.skews[-1] + self.requantiser.latency

    @property
    def lanes_per_channel(self) -> int:
        """Columns fed by one lane of the activation word (depthwise channel multiplier)."""
        return self.columns // self.word_channels

    def column_channel(self, column: int) -> int:
        """The output channel of its tile that a column computes (see `gateware.drain`)."""
        requantiser, turn = divmod(column, self.drain)
        return turn * self.requantisers + requantiser

    def column_groups(self, item: PassConfig) -> tuple[int, ...]:
        """Which of a layer's `word_groups` each column computes; beyond the last one it is idle. Empty where there is
        one, for which all columns work.
        """
        if item.word_groups == 1:
            return ()
        outputs = item.group_out_words * self.requantisers // item.word_groups
        return tuple(self.column_channel(column) // outputs for column in range(self.columns))

    def channel_column(self, channel: int) -> int:
        """The column that computes an output channel of its tile."""
        turn, requantiser = divmod(channel, self.requantisers)
        return requantiser * self.drain + turn

    @property
    def received(self) -> tuple[PassConfig, ...]:
        """The layers whose frames come in: not those that read the one of the layer before."""
        return tuple(item for index, item in enumerate(self.passes) if index == 0 or not self.passes[index - 1].stays)

    @property
    def results_leave(self) -> bool:
        """All layers' results leave, and a stream from outside brings the frames of all layers but the first."""
        return self.loop in ("entry", "residual")

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
        """Words of a weight ROM; a depthwise array has one of zeros, which its idle steps read."""
        return max(item.weight_base + item.weight_words for item in self.passes) + (1 if self.depthwise else 0)

    @property
    def table_depth(self) -> int:
        if self.largest_count:
            return self.largest_count + 1
        return max(item.table_base + item.table_words(self.drain) for item in self.passes)

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
    def flush_cycles(self) -> int:
        """Cycles in which operands of before a reset, or of before weights were loaded, run out of the array."""
        return self.word_channels + self.lanes + self.clusters + 16

    @property
    def frames_in_flight(self) -> int:
        """Most frames between the end of their input and the end of their output."""
        rows = min(item.height for item in self.passes)
        return (self.ring_rows - self.passes[0].state_rows) // rows + self.units + 2
