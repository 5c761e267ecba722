"""The loop nest: strips, pixel tiles, column phases, groups, column tiles, kernel rows and columns, blocks, steps."""

from collections.abc import Callable

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, range_shape
from hwconv.plan.config import EngineConfig, FoldPhase
from hwconv.plan.settling import settling_cycles

SEQUENCER_MARKS = (
    "start",
    "start_last",
    "upcoming_last",
    "read",
    "block_first",
    "scan_last",
    "active",
    "fold_last",
    "next_block",
    "next_column",
    "next_row",
    "next_tile",
    "next_group",
    "next_pixels",
    "tile_end",
)


def row_phase_shape(program: ProgramCounter) -> Shape:
    """Of a signal that holds a row phase."""
    return range_shape(0, max(1, program.largest(lambda item: item.row_phases) - 1))


class Sequencer(wiring.Component):
    """Walks the loop nest of one layer after the other, one step a cycle, without a gap while `go` holds.

    A pixel tile starts in the first cycle in which the previous one has ended and `go` is high; within a tile
    nothing is ever waited for. Marks come one cycle after the step they describe; `start` one cycle before the
    first mark of its tile.

    Members
    -------
    go : In
        The rows of the next tile are in memory and its results have room.
    start : Out
        The next tile starts; `start_last`: it is the last of its frame.
    read : Out
        This step reads a word for one lane of every port; `scan_last`: the last lane of the block.
    block_first : Out
        This step reads for the first lane of a block.
    active : Out
        The array multiplies in this step. `fold_last`: the last such step of a fold.
    next_block, next_column, next_row, next_tile, next_group, next_pixels, next_phase : Out
        This step is the last of its channel block, and this loop goes on (one of them at most, the outermost that
        does). `next_phase` is there where a layer has several phases.
    tile_end : Out
        The tile has ended, idle steps included.
    upcoming_last : Out
        The tile that starts next is the last of its frame.
    row_phase : Out, where a layer has several phases
        The row phase of the tile that `start` announces, until the next one.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.program = ProgramCounter("sequencer", config.passes)
        members = {"go": In(1), **{name: Out(1) for name in SEQUENCER_MARKS}}
        if self.program.phased:
            members |= {"next_phase": Out(1), "row_phase": Out(row_phase_shape(self.program))}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, program = self._config, self.program
        running = Signal()
        idling = Signal()
        block_end = Signal()
        tap_end = Signal()
        fold_end = Signal()
        tile_end = Signal()
        start = Signal()
        layer_end = Signal()
        reload = Signal()

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        stepping = running & ~idling
        phase = _Phase(m, program, self.row_phase if program.phased else Const(0, 1))
        step = loop("step", lambda item: item.block_steps, stepping)
        block = phase.loop("block", lambda fold: fold.blocks, block_end, reload)
        column = phase.loop("kernel_column", lambda fold: fold.columns, block_end & block.last, reload)
        row = phase.loop("kernel_row", lambda fold: fold.rows, block_end & block.last & column.last, reload)
        tile = loop("column_tile", lambda item: item.tiles, fold_end)
        group = loop("group", lambda item: item.groups, fold_end & tile.last)
        phase_last = phase.across(loop, fold_end & tile.last & group.last)
        pixels = loop("pixel_tile", lambda item: item.strip_tiles(config.pixels), start)
        frame_last = phase.down(loop, start, pixels.last)
        tap_last = block.last & column.last & row.last
        tile_last = tile.last & group.last
        m.d.comb += [block_end.eq(stepping & step.last), tap_end.eq(block_end & tap_last)]
        phase.follow(tap_last, tile_last, phase_last)
        self._idle(m, phase, idling, tap_end, fold_end, reload)
        m.d.comb += [
            tile_end.eq(fold_end & tile_last & phase_last),
            layer_end.eq(tile_end & self._was_last(m, start, frame_last)),
        ]
        if program.single:
            m.d.comb += [start.eq((~running | tile_end) & self.go), reload.eq(0)]
        else:
            cycles = settling_cycles(config)
            settling = Signal(range(cycles + 1))
            m.d.comb += [
                start.eq(((~running & (settling == 0)) | (tile_end & ~layer_end)) & self.go),
                reload.eq(settling == cycles),
            ]
            with m.If(layer_end):
                m.d.sync += [settling.eq(cycles), *program.advance()]
            with m.Elif(settling != 0):
                m.d.sync += settling.eq(settling - 1)
        with m.If(start):
            m.d.sync += running.eq(1)
        with m.Elif(tile_end):
            m.d.sync += running.eq(0)

        m.d.comb += self.upcoming_last.eq(frame_last)
        live = phase.live
        lane_last = step.count == config.lanes - 1
        reading = step.count < config.lanes
        active_steps = program.bound(lambda item: item.active_steps)
        m.d.sync += [
            self.start.eq(start),
            self.start_last.eq(frame_last),
            self.read.eq(stepping & reading & live),
            self.block_first.eq(stepping & (step.count == 0) & live),
            self.scan_last.eq(stepping & lane_last & live),
            self.active.eq(stepping & (step.count < active_steps) & live),
            self.fold_last.eq(stepping & tap_last & (step.count + 1 == active_steps)),
            self.next_block.eq(block_end & ~block.last),
            self.next_column.eq(block_end & block.last & ~column.last),
            self.next_row.eq(block_end & block.last & column.last & ~row.last),
            self.next_tile.eq(tap_end & ~tile.last),
            self.next_group.eq(tap_end & tile.last & ~group.last),
            self.next_pixels.eq(tap_end & tile_last & phase_last),
            self.tile_end.eq(tile_end),
        ]
        if program.phased:
            m.d.sync += self.next_phase.eq(tap_end & tile_last & ~phase_last)
        return m

    def _idle(
        self, m: Module, phase: "_Phase", idling: Signal, tap_end: Signal, fold_end: Signal, reload: Signal
    ) -> None:
        """The idle steps after a fold, where the drain or the next tile's preparation needs them."""
        folds = [fold for item in self._config.passes for row in item.phases for fold in row]
        longest = max(fold.idle_steps for fold in folds)
        if longest == 0:
            m.d.comb += fold_end.eq(tap_end)
            return
        # With several phases the loop's bound is that of the fold which ends: it starts over with each.
        restart = reload | tap_end if self.program.phased else reload
        idle = LoopCounter(
            m,
            "idle",
            phase.bound(lambda fold: max(1, fold.idle_steps)),
            longest,
            idling,
            restart,
            first=max(1, folds[0].idle_steps),
        )
        needed = phase.bound(lambda fold: int(fold.idle_steps > 0))
        m.d.comb += fold_end.eq((tap_end & ~needed) | (idling & idle.last))
        with m.If(tap_end & needed):
            m.d.sync += idling.eq(1)
        with m.Elif(idling & idle.last):
            m.d.sync += idling.eq(0)

    @staticmethod
    def _was_last(m: Module, start: Signal, last: Signal) -> Signal:
        """The tile being computed is the last of its frame."""
        current = Signal(name="computing_last_tile")
        with m.If(start):
            m.d.sync += current.eq(last)
        return current


FoldValue = Callable[[FoldPhase], int]


class _Phase:
    """The output phase that is walked, and the loops whose turns depend on it; nothing where there is only one.

    Column phases follow each other within a pixel tile, row phases from strip to strip.
    """

    def __init__(self, m: Module, program: ProgramCounter, row: Value) -> None:
        self._m, self._program = m, program
        self._row = row
        self._column = Signal(range(max(2, program.largest(lambda item: item.column_phases))), name="column_phase")
        self._next_row = Signal.like(row, name="next_row_phase")
        self._next_column = Signal.like(self._column, name="next_column_phase")
        self._upcoming_row = Signal.like(row, name="upcoming_row_phase")

    def bound(self, value: FoldValue) -> Value:
        """The value of the current fold."""
        return self._pick(value, self._row, self._column)

    @property
    def live(self) -> Value:
        """The current fold has taps."""
        return self.bound(lambda fold: int(fold.live))

    def loop(self, name: str, value: FoldValue, advance: Value, reload: Value) -> LoopCounter:
        """A loop within a fold, of `value` turns."""
        program = self._program
        largest = program.largest(lambda item: max(value(fold) for row in item.phases for fold in row))
        first = value(program.first.phases[0][0])
        following = self._pick(value, self._next_row, self._next_column) if program.phased else None
        return LoopCounter(self._m, name, self.bound(value), largest, advance, reload, first=first, following=following)

    def across(self, loop: Callable[..., LoopCounter], advance: Value) -> Value:
        """The loop over column phases; returns whether it is in its last turn."""
        if not self._program.phased:
            return Const(1, 1)
        counter = loop("column_phase", lambda item: item.column_phases, advance)
        self._m.d.comb += self._column.eq(counter.count)
        return counter.last

    def down(self, loop: Callable[..., LoopCounter], start: Value, strip_end: Value) -> Value:
        """The loops over strips and their row phases, of the tile that starts next; whether it is its frame's last."""
        if not self._program.phased:
            return strip_end
        m = self._m
        strip = loop("strip", lambda item: item.strips, start & strip_end)
        upcoming, following = self._upcoming_row, Signal.like(self._row, name="following_row_phase")
        last = self._program.bound(lambda item: item.row_phases - 1)
        m.d.comb += following.eq(Mux(strip.last | (upcoming == last), 0, upcoming + 1))
        with m.If(start):
            m.d.sync += self._row.eq(upcoming)
            with m.If(strip_end):
                m.d.sync += upcoming.eq(following)
        return strip_end & strip.last

    def follow(self, tap_last: Value, tile_last: Value, phase_last: Value) -> None:
        """Which phase the next turn of the inner loops belongs to: from the end of a fold on, that of the next fold."""
        if not self._program.phased:
            return
        self._m.d.comb += [
            self._next_row.eq(Mux(tap_last & tile_last & phase_last, self._upcoming_row, self._row)),
            self._next_column.eq(
                Mux(tap_last & tile_last, Mux(phase_last, 0, self._column + 1), self._column),
            ),
        ]

    def _pick(self, value: FoldValue, row: Value, column: Value) -> Value:
        return self._program.phase_bound(lambda item, down, across: value(item.phases[down][across]), row, column)
