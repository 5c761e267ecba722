"""The loop nest: pixel tiles, word groups, column tiles, kernel rows, kernel columns, channel blocks, steps."""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter
from hwconv.plan.config import EngineConfig

SETTLING_CYCLES = 20
"""Cycles between two layers of a program, at least, in which every block takes over the next layer's bounds."""


def settling_cycles(config: EngineConfig) -> int:
    """Cycles between two layers of a program: the first fold of a layer must not end before the last one's drain."""
    passes = config.passes
    longest = SETTLING_CYCLES
    for before, after in zip(passes, passes[1:] + passes[:1], strict=True):
        behind = before.block_steps - before.active_steps + before.idle_steps
        ahead = (after.taps * after.blocks - 1) * after.block_steps + after.active_steps
        longest = max(longest, config.pixels * config.drain - behind - ahead)
    return longest


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
    next_block, next_column, next_row, next_tile, next_group, next_pixels : Out
        This step is the last of its channel block, and this loop goes on (one of them at most, the outermost that
        does).
    tile_end : Out
        The tile has ended, idle steps included.
    upcoming_last : Out
        The tile that starts next is the last of its frame.
    """

    go: In(1)
    start: Out(1)
    start_last: Out(1)
    upcoming_last: Out(1)
    read: Out(1)
    block_first: Out(1)
    scan_last: Out(1)
    active: Out(1)
    fold_last: Out(1)
    next_block: Out(1)
    next_column: Out(1)
    next_row: Out(1)
    next_tile: Out(1)
    next_group: Out(1)
    next_pixels: Out(1)
    tile_end: Out(1)

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.program = ProgramCounter("sequencer", config.passes)
        super().__init__()

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
        step = loop("step", lambda item: item.block_steps, stepping)
        block = loop("block", lambda item: item.blocks, block_end)
        column = loop("kernel_column", lambda item: item.kernel[1], block_end & block.last)
        row = loop("kernel_row", lambda item: item.kernel[0], block_end & block.last & column.last)
        tile = loop("column_tile", lambda item: item.tiles, fold_end)
        group = loop("group", lambda item: item.groups, fold_end & tile.last)
        pixels = loop("pixel_tile", lambda item: -(-item.out_pixels // config.pixels), start)
        tap_last = block.last & column.last & row.last
        m.d.comb += [block_end.eq(stepping & step.last), tap_end.eq(block_end & tap_last)]
        self._idle(m, idling, tap_end, fold_end, reload)
        m.d.comb += [
            tile_end.eq(fold_end & tile.last & group.last),
            layer_end.eq(tile_end & self._was_last(m, start, pixels.last)),
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

        m.d.comb += self.upcoming_last.eq(pixels.last)
        lane_last = step.count == config.lanes - 1
        reading = step.count < config.lanes
        active_steps = program.bound(lambda item: item.active_steps)
        m.d.sync += [
            self.start.eq(start),
            self.start_last.eq(pixels.last),
            self.read.eq(stepping & reading),
            self.block_first.eq(stepping & (step.count == 0)),
            self.scan_last.eq(stepping & lane_last),
            self.active.eq(stepping & (step.count < active_steps)),
            self.fold_last.eq(stepping & tap_last & (step.count + 1 == active_steps)),
            self.next_block.eq(block_end & ~block.last),
            self.next_column.eq(block_end & block.last & ~column.last),
            self.next_row.eq(block_end & block.last & column.last & ~row.last),
            self.next_tile.eq(tap_end & ~tile.last),
            self.next_group.eq(tap_end & tile.last & ~group.last),
            self.next_pixels.eq(tap_end & tile.last & group.last),
            self.tile_end.eq(tile_end),
        ]
        return m

    def _idle(self, m: Module, idling: Signal, tap_end: Signal, fold_end: Signal, reload: Signal) -> None:
        """The idle steps after a fold, where the drain or the next tile's preparation needs them."""
        passes = self._config.passes
        longest = max(item.idle_steps for item in passes)
        if longest == 0:
            m.d.comb += fold_end.eq(tap_end)
            return
        idle = self.program.loop(m, "idle", lambda item: max(1, item.idle_steps), idling, reload)
        needed = self.program.bound(lambda item: int(item.idle_steps > 0))
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
