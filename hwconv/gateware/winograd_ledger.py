"""Who may go on in a Winograd engine: the next tile when its rows and room for its results are there, the receiver when
rows are free.
"""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import delayed, range_shape
from hwconv.gateware.row_ledger import PERMISSION_DELAY, total_width
from hwconv.plan.winograd_config import LEAST_TILE_CYCLES, WinogradConfig

RELEASE_DELAY = 3
"""Cycles from a band's last `read_last` mark to the release of its rows: its last addresses are then taken, what is
released is computed even where a tile is read in one cycle, and not yet that of the tile after.
"""

assert PERMISSION_DELAY < LEAST_TILE_CYCLES


class TileLedger(wiring.Component):
    """Keeps running totals of rows: written by the receiver, needed by the next tile, released by finished bands.

    All tiles of a band need the rows down to their lowest tap; those of the last band need the whole frame, so that a
    frame's result never ends before its input is known to be right. Results need a unit of the output buffer for each
    band.

    Latency: 2 cycles from `written` to `go`, and from `unit_free`; RELEASE_DELAY from `read_last` to `permitted`'s
    change, and 3 more. All paths are cut by registers.

    Members
    -------
    start, start_first, start_across, start_last, read_last, upcoming_first : In, marks of the sequencer
    written : In, running total of rows
    positions : In, running total of rows with those that the end of a frame skips
    unit_free : In, a unit of the output buffer has been sent
    go : Out, the next tile may start
    permitted : Out, the receiver may write
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        width = total_width(config)
        marks = ("start", "start_first", "start_across", "start_last", "read_last", "upcoming_first", "unit_free")
        super().__init__(
            {
                **{name: In(1) for name in marks},
                "written": In(unsigned(width)),
                "positions": In(unsigned(width)),
                "go": Out(1),
                "permitted": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, item = self._config, self._config.passes[0]
        width, height, outputs = total_width(config), item.height, config.vertical.outputs
        taken = config.frame_slots * config.vertical.inputs
        first = config.vertical.inputs - item.top
        shape = range_shape(-abs(first) - 1, first + (config.bands + 1) * outputs)
        lowest = Signal(shape, init=first)
        frame_rows = Signal(width)
        frame_positions = Signal(width)
        first_row = Signal(range_shape(-item.top - 1, (config.bands + 1) * outputs), init=outputs - item.top)
        ending = Signal()
        across = Signal()
        released_row = Signal.like(first_row)
        released_base = Signal(width)
        with m.If(self.start):
            m.d.sync += [
                ending.eq(self.start_last),
                across.eq(self.start_across),
                released_row.eq(first_row),
                released_base.eq(frame_positions),
            ]
            with m.If(self.start_across):
                m.d.sync += [lowest.eq(lowest + outputs), first_row.eq(first_row + outputs)]
            with m.If(self.start_last):
                m.d.sync += [
                    lowest.eq(first),
                    first_row.eq(outputs - item.top),
                    frame_rows.eq(frame_rows + height),
                    frame_positions.eq(frame_positions + taken),
                ]

        need = Signal(range(height + 1), reset_less=True)
        above = Signal()
        below = Signal()
        between = Signal.like(lowest, reset_less=True)
        needed_total = Signal(width, reset_less=True)
        present = Signal()
        units = Signal(range(config.units + 1), init=config.units)
        settling = Signal(PERMISSION_DELAY - 1, init=(1 << PERMISSION_DELAY - 1) - 1)
        m.d.sync += [
            above.eq(lowest > height),
            below.eq(lowest < 1),
            between.eq(lowest),
            need.eq(Mux(above, height, Mux(below, 1, between))),
            needed_total.eq(frame_rows + need),
            present.eq(~(self.written - needed_total)[width - 1]),
            units.eq(units + self.unit_free - (self.start & self.start_first)),
            settling.eq((settling << 1) | self.start),
            self.go.eq(present & ((units != 0) | ~self.upcoming_first) & ~(settling.any() | self.start)),
        ]

        rows = Signal(range(taken + 1), reset_less=True)
        over = Signal()
        none = Signal()
        some = Signal.like(first_row, reset_less=True)
        total, released = (Signal(width, name=name) for name in ("total", "released"))
        m.d.sync += [
            over.eq(released_row > height),
            none.eq(released_row < 0),
            some.eq(released_row),
            rows.eq(Mux(delayed(m, "ending", ending, 1), taken, Mux(over, height, Mux(none, 0, some)))),
            total.eq(delayed(m, "released_base", released_base, 2) + rows),
        ]
        with m.If(delayed(m, "band_read", self.read_last & across, RELEASE_DELAY)):
            m.d.sync += released.eq(total)
        waiting = Signal(signed(width))  # decides whether input is taken, from the first cycle after a reset
        limit = config.ring_rows - config.row_margin
        m.d.sync += [waiting.eq(self.positions - released), self.permitted.eq(waiting < limit)]
        return m
