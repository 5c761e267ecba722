"""Who may go on: the sequencer when a tile has its rows and room for results, the receiver when rows are free."""

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import ProgramCounter, delayed, range_shape
from hwconv.gateware.sequencer import row_phase_shape
from hwconv.plan.config import MINIMUM_TILE_CYCLES, EngineConfig, PassConfig

RELEASE_DELAY = 4
"""Cycles from the end of a tile to the release of its rows: its last reads are then done."""

PERMISSION_DELAY = 6
"""Cycles from a start in which the permission for the next tile is computed."""

assert PERMISSION_DELAY < MINIMUM_TILE_CYCLES


def total_width(config: EngineConfig) -> int:
    """Bits of the running row totals, so that differences never wrap."""
    return (2 * (config.ring_rows + 2 * max(item.height for item in config.passes)) + 8).bit_length() + 1


class RowLedger(wiring.Component):
    """Keeps three running totals of rows: written by the receiver, needed by the next tile, released by finished tiles.

    A tile needs the rows down to the lowest tap of its last pixel; the last tile of a frame needs the whole frame,
    so that a frame's result never ends before its input is known to be right.

    Latency: 1 cycle from `written` to `go`, 2 from `unit_free`; RELEASE_DELAY + 1 from `tile_end` to `released`.

    Members
    -------
    start, start_last, tile_end, upcoming_last : In
        Marks of the sequencer.
    upcoming_row : In, signed
        First row that the tile after the current one reads.
    unit_free : In
        A unit of the output buffer has been sent.
    row_phase : In, where a layer has several phases
        That of the tile which `start` announces.
    hold : In
        No tile may start (the array is being cleared after a reset).
    written, released : In, Out
        Running totals of rows, modulo 2**total_width.
    go : Out
    """

    def __init__(self, config: EngineConfig, row_shape: Shape) -> None:
        self._config = config
        self.program = ProgramCounter("ledger", config.passes)
        width = total_width(config)
        super().__init__(
            {
                "start": In(1),
                "start_last": In(1),
                "tile_end": In(1),
                "upcoming_last": In(1),
                "upcoming_row": In(row_shape),
                "unit_free": In(1),
                "hold": In(1),
                **({"row_phase": In(row_phase_shape(self.program))} if self.program.phased else {}),
                "written": In(unsigned(width)),
                "released": Out(unsigned(width)),
                "go": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        width = total_width(config)
        height = self.program.bound(lambda item: item.height)
        computing_last = Signal(init=1)
        upcoming_frame = Signal(width)
        computing_frame = Signal(width)
        with m.If(self.start):
            m.d.sync += [computing_last.eq(self.start_last), computing_frame.eq(upcoming_frame)]
            with m.If(self.start_last):
                done = self.program.bound(lambda item: 0 if item.stays else item.height)
                m.d.sync += upcoming_frame.eq(upcoming_frame + done)

        need = self._rows_needed(m, height)
        needed_total = Signal(width, reset_less=True)
        units = Signal(range(config.units + 1), init=config.units)
        settling = Signal(PERMISSION_DELAY - 1, init=(1 << PERMISSION_DELAY - 1) - 1)
        rows_there = ~(self.written - needed_total)[width - 1]
        settled = ~(settling.any() | self.start | self.hold)
        m.d.sync += [
            needed_total.eq(upcoming_frame + need),
            units.eq(units + self.unit_free - self.start),
            settling.eq((settling << 1) | self.start),
            self.go.eq(rows_there & (units != 0) & settled),
        ]

        kept = self.program.largest(lambda item: item.state_rows)
        released = Signal(range_shape(-kept, max(item.height for item in config.passes)), reset_less=True)
        row = self.upcoming_row
        all_rows = Signal()
        some_rows = Signal.like(row, reset_less=True)
        m.d.sync += [all_rows.eq(computing_last | (row > height - kept)), some_rows.eq(row)]
        if (
            kept
        ):  # rows of frames before this one are released, too; of its own, the last are never: the next begins there
            m.d.sync += released.eq(Mux(all_rows, height - kept, some_rows))
        else:
            no_row = Signal()
            m.d.sync += [
                no_row.eq(row < 0),
                released.eq(Mux(all_rows, height, Mux(no_row, 0, some_rows))),
            ]
        released_total = Signal(width, reset_less=True)
        m.d.sync += released_total.eq(computing_frame + released)
        pending = Signal(width)
        with m.If(self.tile_end):
            m.d.sync += pending.eq(released_total)
        with m.If(delayed(m, "tile_end", self.tile_end, RELEASE_DELAY)):
            m.d.sync += self.released.eq(pending)
        return m

    def _rows_needed(self, m: Module, height: Value) -> Signal:
        """Rows of its frame that the next tile needs, from the position of its last pixel."""
        config, bound = self._config, self.program.bound

        def first_last(item: PassConfig) -> tuple[int, int]:
            return divmod(min(config.pixels, item.out_pixels) - 1, item.out_width)

        def rows(item: PassConfig, out_row: int) -> int:
            """Rows above and including the lowest tap of output row `out_row`, before clamping."""
            return out_row * max(item.row_advances) - item.top + item.reach[0] + 1

        first = config.passes[0]
        shape = range_shape(
            min(-abs(rows(item, 0)) for item in config.passes) - 1,
            max(rows(item, item.out_height + config.pixels) for item in config.passes),
        )
        row = self.row_phase if self.program.phased else Const(0, 1)

        def rows_on(crossed: int) -> Value:
            """Input rows from a tile of the row phase to the next one."""

            def of_phase(item: PassConfig, phase: int, _: int) -> int:
                return (config.pixels // item.out_width + crossed) * item.row_advances[phase]

            return self.program.phase_bound(of_phase, row, Const(0, 1))

        within, across = rows_on(0), rows_on(1)
        column = Signal(range(max(2, *(item.out_width for item in config.passes))), init=first_last(first)[1])
        lowest = Signal(shape, init=rows(first, first_last(first)[0]))
        crossing = Signal()
        remainder = bound(lambda item: config.pixels % item.out_width)
        m.d.sync += crossing.eq(column + remainder >= bound(lambda item: item.out_width))
        with m.If(self.start):
            m.d.sync += [
                column.eq(column + remainder - Mux(crossing, bound(lambda item: item.out_width), 0)),
                lowest.eq(lowest + Mux(crossing, across, within)),
            ]
        with m.If((self.start & self.start_last) | self.program.changed(m)):
            m.d.sync += [
                column.eq(bound(lambda item: first_last(item)[1])),
                lowest.eq(bound(lambda item: rows(item, first_last(item)[0]))),
            ]
        need = Signal(range_shape(0, max(item.height for item in config.passes)), reset_less=True)
        above = Signal()
        below = Signal()
        between = Signal.like(lowest, reset_less=True)
        whole = self.upcoming_last | (lowest > height)
        early = config.loop in ("entry", "exit")
        if not self.program.single and not early:  # no result comes back before the first layer's input is there
            whole |= self.program.is_first
        m.d.sync += [
            above.eq(whole),
            below.eq(lowest < 1),
            between.eq(lowest),
            need.eq(Mux(above, height, Mux(below, 1, between))),
        ]
        return need


class WritePermission(wiring.Component):
    """Rows the receiver may still write: ``written - released < ring_rows - row_margin``, one cycle late."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        width = total_width(config)
        super().__init__({"written": In(unsigned(width)), "released": In(unsigned(width)), "o": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = total_width(self._config)
        # Negative where a stride skips rows that are not even written: those are released before they come.
        waiting = Signal(signed(width), reset_less=True)
        limit = self._config.ring_rows - self._config.row_margin
        m.d.sync += [waiting.eq(self.written - self.released), self.o.eq(waiting < limit)]
        return m
