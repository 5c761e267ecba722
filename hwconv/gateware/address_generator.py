"""One address generator for every variant: input row = oy * stride + ky * dilation - top, the column likewise.

A transposed layer's phases are convolutions of stride 1: their taps begin at an offset of each phase, and a step from
one row of pixels to the next moves on by what the row's phase says.
"""

from collections.abc import Callable
from typing import NamedTuple

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import PassValue, ProgramCounter, delayed, range_shape
from hwconv.gateware.sequencer import Sequencer, row_phase_shape
from hwconv.plan.config import EngineConfig, PassConfig

MARKS = (
    "start",
    "start_last",
    "read",
    "scan_last",
    "next_block",
    "next_column",
    "next_row",
    "next_tile",
    "next_group",
    "next_pixels",
)
"""The marks of the sequencer that addresses depend on."""


class AddressGenerator(wiring.Component):
    """Word addresses of the activation memory for every port, from the marks of the sequencer.

    A port scans its lanes pixel by pixel in raster order, across row ends. Stride and dilation are factors of
    constants, so they cost nothing; outside the frame `inside` is low and no memory word is meant.

    Latency: `latency` cycles from a `read` mark to `address`. Throughput: one address a port and cycle. It never
    stalls. All paths are cut by registers.

    Members
    -------
    marks of the sequencer : In
    addresses : Out, one a port
    inside : Out, one bit a port
    next_row : Out, signed
        First input row that the tile after the current one reads (may be negative: padding).
    """

    latency = 3

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        # A position is several sums of such values.
        self.program = ProgramCounter("address", config.passes, registered=True)
        passes = config.passes
        self.row_shape = range_shape(
            min(min(-item.top, 0) for item in passes) - 1,
            max(
                (item.out_height + config.pixels) * item.stride[0] + item.height + max(-item.top, 0) for item in passes
            ),
        )
        self._address_bits = max(1, (config.activation_depth - 1).bit_length())
        super().__init__(
            {
                **{name: In(1) for name in MARKS},
                "addresses": Out(data.ArrayLayout(self._address_bits, config.ports)),
                "inside": Out(config.ports),
                "upcoming_row": Out(self.row_shape),
                **(
                    {"next_phase": In(1), "row_phase": In(row_phase_shape(self.program))} if self.program.phased else {}
                ),
            }
        )

    def marks_from(self, sequencer: Sequencer) -> list:
        """Connections from the marks of `sequencer`."""
        names = (*MARKS, "next_phase", "row_phase") if self.program.phased else MARKS
        return [getattr(self, name).eq(getattr(sequencer, name)) for name in names]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        taps = _TapOffsets(m, self)
        computing_last = Signal(init=1)
        frame_base = self._frame_base(m, computing_last)
        with m.If(self.start):
            m.d.sync += computing_last.eq(self.start_last)
        first_row = self._first_row(m, computing_last)
        for port in range(config.ports):
            pixel = _PortPixel(m, self, port, computing_last, frame_base)
            address, inside = self._address(m, port, pixel, taps, first_row)
            m.d.comb += [self.addresses[port].eq(address), self.inside[port].eq(inside)]
            if port == 0:
                m.d.comb += self.upcoming_row.eq(pixel.upcoming.y)
        m.d.sync += self.program.follow()
        return m

    @property
    def config(self) -> EngineConfig:
        return self._config

    @property
    def address_bits(self) -> int:
        return self._address_bits

    @property
    def ring_words(self) -> int:
        return self._config.activation_depth

    def bound(self, value: PassValue) -> Value:
        return self.program.bound(value)

    @property
    def row_phase_index(self) -> Value:
        """The row phase of the tile that `start` announces."""
        return self.row_phase if self.program.phased else Const(0, 1)

    def wrapped(self, m: Module, name: str, value: Value) -> Value:
        """`value` modulo the ring, two cycles later; `value` is below twice the ring. Frame buffers do not wrap."""
        first = Signal(self._address_bits + 1, name=f"{name}_first", reset_less=True)
        m.d.sync += first.eq(value)
        result = Signal(self._address_bits, name=f"{name}_wrapped", reset_less=True)
        if not self._config.ring:
            m.d.sync += result.eq(first)
            return result
        reduced = Signal(self._address_bits + 2, name=f"{name}_reduced")
        m.d.comb += reduced.eq(first - self.ring_words)
        m.d.sync += result.eq(Mux(reduced[-1], first, reduced))
        return result

    def _frame_base(self, m: Module, computing_last: Signal) -> Signal:
        """Word address of row ``-top`` of the frame that begins next."""
        config = self._config
        first = config.passes[0]
        if not config.ring:
            base = Signal(self._address_bits)
            mask = (1 << self._address_bits) - 1
            m.d.comb += base.eq(self.bound(lambda item: (item.activation_base - item.top * item.row_words) & mask))
            return base
        base = Signal(self._address_bits, init=(-first.top % config.ring_rows) * first.row_words)
        following = self.wrapped(m, "frame_base", base + (first.height % config.ring_rows) * first.row_words)
        with m.If(delayed(m, "frame_start", self.start & computing_last, 1)):
            m.d.sync += base.eq(following)
        return base

    def _first_row(self, m: Module, computing_last: Signal) -> Value:
        """The highest row that is there: 0, or that of the earlier frames that are kept, once they have come."""
        kept = self.program.largest(lambda item: item.state_rows)
        if not kept:
            return Const(0, 1)
        height = self.program.first.height
        first, following = (Signal(range_shape(-kept, 0), name=f"{kind}_kept_row") for kind in ("first", "following"))
        further = Signal.like(following, name="further_kept_row")
        m.d.comb += further.eq(Mux(following <= height - kept, -kept, following - height))
        with m.If(delayed(m, "frame_begin", self.start & computing_last, 1)):
            m.d.sync += [first.eq(following), following.eq(further)]
        return first

    def _tap_shape(self, origin: Signal, axis: int) -> Shape:
        """The shape of a tap's row (axis 0) or column (1): a kernel may be far wider than all its origins together."""
        bits, reach = len(origin), self.program.largest(lambda item: item.reach[axis])
        return range_shape(-1 << bits, max(1 << bits, (1 << bits - 1) + reach))

    def _address(
        self, m: Module, port: int, pixel: "_PortPixel", taps: "_TapOffsets", first_row: Value
    ) -> tuple[Value, Value]:
        name = f"port_{port}"
        row = self.wrapped(m, f"{name}_row", pixel.current.row + taps.row_offset)
        column = Signal(self._address_bits, name=f"{name}_column", reset_less=True)
        y = Signal(self._tap_shape(pixel.current.y, 0), name=f"{name}_y_tap", reset_less=True)
        x = Signal(self._tap_shape(pixel.current.x, 1), name=f"{name}_x_tap", reset_less=True)
        m.d.sync += [
            column.eq(pixel.current.column + taps.column_offset),
            y.eq(pixel.current.y + taps.y),
            x.eq(pixel.current.x + taps.x),
        ]
        row_inside, column_inside, inside = (
            Signal(name=f"{name}_{kind}") for kind in ("row_in", "column_in", "inside_q")
        )
        address = Signal(self._address_bits, name=f"{name}_address", reset_less=True)
        m.d.sync += [
            row_inside.eq((y >= first_row) & (y < self.bound(lambda item: item.height))),
            column_inside.eq((x >= 0) & (x < self.bound(lambda item: item.width))),
            inside.eq(row_inside & column_inside),
            address.eq(row + delayed(m, f"{name}_column", column, 1, reset=False)),
        ]
        return address, inside


class _TapOffsets:
    """Offsets of the current kernel tap and channel block from a pixel's first one, kept by increments."""

    def __init__(self, m: Module, generator: AddressGenerator) -> None:
        bound, furthest, program = generator.bound, generator.program.largest, generator.program
        first = program.first
        mask = (1 << generator.address_bits) - 1
        row = generator.row_phase_index
        column = self._column_phase(m, generator)

        def of_row(value: Callable[[PassConfig, int], int]) -> Value:
            return program.phase_bound(lambda item, down, _: value(item, down), row, column)

        def of_column(value: Callable[[PassConfig, int], int]) -> Value:
            return program.phase_bound(lambda item, _, across: value(item, across), row, column)

        def next_start(item: PassConfig, phase: int) -> int:
            """Column where the phase after this one begins."""
            return item.column_starts[(phase + 1) % item.column_phases]

        def kernel_row(item: PassConfig, down: int, across: int) -> int:
            """Words from the first to the last block of a kernel row."""
            fold = item.phases[down][across]
            return ((fold.columns - 1) * item.dilation[1]) * item.pixel_words + fold.blocks - 1

        self.x = Signal(range_shape(0, furthest(lambda item: item.reach[1])), name="tap_x", init=first.column_starts[0])
        self.y = Signal(range_shape(0, furthest(lambda item: item.reach[0])), name="tap_y", init=first.row_starts[0])
        self.column_offset = Signal(
            generator.address_bits, name="tap_column_offset", init=first.column_starts[0] * first.pixel_words & mask
        )
        self.row_offset = Signal(
            generator.address_bits, name="tap_row_offset", init=first.row_starts[0] * first.row_words & mask
        )
        within_tile = generator.next_tile | generator.next_group
        if program.phased:
            within_tile |= generator.next_phase
        fold_end = within_tile | generator.next_pixels
        walked = program.phase_bound(kernel_row, row, column)
        with m.If(generator.next_block):
            m.d.sync += self.column_offset.eq(self.column_offset + 1)
        with m.If(generator.next_column):
            m.d.sync += [
                self.x.eq(self.x + bound(lambda item: item.dilation[1])),
                self.column_offset.eq(
                    self.column_offset + bound(lambda item: item.dilation[1] * item.pixel_words - item.blocks + 1)
                ),
            ]
        with m.If(generator.next_row | generator.next_tile):
            m.d.sync += self.column_offset.eq(self.column_offset - walked)
        with m.If(generator.next_group):
            m.d.sync += self.column_offset.eq(
                self.column_offset
                + program.phase_bound(lambda item, *phase: item.group_words - kernel_row(item, *phase), row, column)
            )
        with m.If(generator.next_pixels):
            m.d.sync += self.column_offset.eq(bound(lambda item: (item.column_starts[0] * item.pixel_words) & mask))
        with m.If(generator.next_row | fold_end):
            m.d.sync += self.x.eq(of_column(lambda item, across: item.column_starts[across]))
        with m.If(generator.next_row):
            m.d.sync += [
                self.y.eq(self.y + bound(lambda item: item.dilation[0])),
                self.row_offset.eq(self.row_offset + bound(lambda item: item.dilation[0] * item.row_words)),
            ]
        if not program.phased:
            with m.If(fold_end):
                m.d.sync += [self.y.eq(0), self.row_offset.eq(0)]
            return
        with m.If(generator.next_phase):
            m.d.sync += [
                self.x.eq(of_column(next_start)),
                self.column_offset.eq(
                    of_column(lambda item, across: next_start(item, across) * item.pixel_words & mask)
                ),
            ]
        with m.If(generator.next_pixels):
            m.d.sync += self.x.eq(bound(lambda item: item.column_starts[0]))
        with m.If(within_tile | generator.start):
            m.d.sync += [
                self.y.eq(of_row(lambda item, down: item.row_starts[down])),
                self.row_offset.eq(of_row(lambda item, down: item.row_starts[down] * item.row_words & mask)),
            ]

    @staticmethod
    def _column_phase(m: Module, generator: AddressGenerator) -> Value:
        """The column phase of the current fold."""
        if not generator.program.phased:
            return Const(0, 1)
        phase = Signal(range(max(2, generator.program.largest(lambda item: item.column_phases))), name="tap_phase")
        with m.If(generator.next_phase):
            m.d.sync += phase.eq(phase + 1)
        with m.If(generator.next_pixels):
            m.d.sync += phase.eq(0)
        return phase


class _Place(NamedTuple):
    """The origin of a pixel's window: coordinates in the frame, and word addresses within a row and of the row."""

    x: Signal
    y: Signal
    column: Signal
    row: Signal


class _PortPixel:
    """The pixel a port reads for.

    `base` is the port's first pixel of the tile, `upcoming` that of the next tile (computed while this one runs),
    and `current` is scanned from `base`, `ports` pixels a step.
    """

    def __init__(
        self, m: Module, generator: AddressGenerator, port: int, computing_last: Signal, frame_base: Signal
    ) -> None:
        self._m, self._generator, self._port = m, generator, port
        config = generator.config
        base = self._place("base")
        self.upcoming = self._upcoming(base, computing_last, frame_base)
        with m.If(generator.start):
            m.d.sync += self._load(base, self.upcoming)
        self.current = base
        if config.lanes == 1:
            return
        self.current = current = self._place("pixel")
        # Whether the next step crosses the row's end is known a step ahead, in a register: the adders wait for nothing.
        crossing, base_crossing, upcoming_crossing = (
            Signal(name=f"port_{port}_{kind}crossing", reset_less=True) for kind in ("", "base_", "first_")
        )
        steps = self._steps(config.ports)
        within, across = (self._limit(config.ports, stepped_across=end) for end in (False, True))
        m.d.sync += upcoming_crossing.eq(self.upcoming.x >= self._limit(config.ports))
        with m.If(generator.start):
            m.d.sync += [
                *self._load(current, self.upcoming),
                crossing.eq(upcoming_crossing),
                base_crossing.eq(upcoming_crossing),
            ]
        with m.Elif(generator.scan_last):
            m.d.sync += [*self._load(current, base), crossing.eq(base_crossing)]
        with m.Elif(generator.read):
            m.d.sync += crossing.eq(Mux(crossing, current.x >= across, current.x >= within))
            for register, step in zip(current, steps, strict=True):
                m.d.sync += register.eq(register + Mux(crossing, step[1], step[0]))

    def _upcoming(self, base: _Place, computing_last: Signal, frame_base: Signal) -> _Place:
        """The port's first pixel of the next tile: one tile further, or its first pixel of the next frame."""
        m, generator, config = self._m, self._generator, self._generator.config
        steps = self._steps(config.pixels)
        crossing = Signal(name=f"port_{self._port}_upcoming_crossing")
        m.d.sync += crossing.eq(base.x >= self._limit(config.pixels))
        origin = self._origin()
        following: list[Signal] = []
        for register, start, source, (within, across) in zip(
            self._place("upcoming")[:3], origin[:3], base[:3], steps[:3], strict=True
        ):
            m.d.sync += register.eq(Mux(computing_last, start, source + Mux(crossing, across, within)))
            following.append(register)
        within, across = steps[3]
        source = Mux(computing_last, frame_base, base.row)
        increment = Mux(computing_last, origin[3], Mux(crossing, across, within))
        x, y, column = following
        return _Place(x, y, column, generator.wrapped(m, f"port_{self._port}_upcoming_row", source + increment))

    def _place(self, kind: str) -> _Place:
        generator, name = self._generator, f"port_{self._port}_{kind}"
        x_shape = range_shape(
            -1 - max(generator.program.largest(lambda item: item.left), 0),
            generator.program.largest(lambda item: (item.out_width + 1) * item.stride[1] + max(-item.left, 0)),
        )
        return _Place(
            Signal(x_shape, name=f"{name}_x", reset_less=True),
            Signal(generator.row_shape, name=f"{name}_y", reset_less=True),
            Signal(generator.address_bits, name=f"{name}_column", reset_less=True),
            Signal(generator.address_bits + 1, name=f"{name}_row", reset_less=True),
        )

    @staticmethod
    def _load(registers: _Place, values: _Place) -> list:
        return [register.eq(value) for register, value in zip(registers, values, strict=True)]

    def _limit(self, pixels: int, *, stepped_across: bool | None = None) -> Value:
        """From this column origin on, `pixels` pixels further is beyond the row's end.

        `stepped_across`: the column origin is that of `pixels` pixels before, within the row or across its end. One
        number of the layer, so that no subtraction lies before the comparison.
        """

        def limit(item: PassConfig) -> int:
            last = (item.out_width - pixels % item.out_width) * item.stride[1] - item.left
            return last if stepped_across is None else last - _columns(item, pixels, across=stepped_across)

        return self._generator.bound(limit)

    def _steps(self, pixels: int) -> list[tuple[Value, Value]]:
        """Increments of a place's registers for `pixels` pixels in raster order: within a row, and across its end."""
        generator = self._generator
        row = generator.row_phase_index

        def rows(item: PassConfig, across: bool, phase: int) -> int:
            return (pixels // item.out_width + across) * item.row_advances[phase]

        def columns(item: PassConfig, across: bool) -> int:
            return _columns(item, pixels, across=across)

        def pair(value: Callable[[PassConfig, bool], int]) -> tuple[Value, Value]:
            bound = generator.bound
            return bound(lambda item: value(item, False)), bound(lambda item: value(item, True))

        def row_pair(value: Callable[[PassConfig, bool, int], int]) -> tuple[Value, Value]:
            bound = generator.program.phase_bound
            return (
                bound(lambda item, phase, _: value(item, False, phase), row, Const(0, 1)),
                bound(lambda item, phase, _: value(item, True, phase), row, Const(0, 1)),
            )

        return [
            pair(columns),
            row_pair(rows),
            pair(lambda item, across: columns(item, across) * item.pixel_words),
            row_pair(lambda item, across, phase: rows(item, across, phase) * item.row_words),
        ]

    def _origin(self) -> list[Value]:
        """The port's first pixel of a frame; its row address relative to that of row ``-top``."""
        generator = self._generator
        words = generator.config.activation_depth if generator.config.ring else 1 << generator.address_bits
        mask = (1 << generator.address_bits) - 1

        def of(value: Callable[[PassConfig, int, int], int]) -> Value:
            return generator.bound(lambda item: value(item, *divmod(self._port, item.out_width)))

        return [
            of(lambda item, oy, ox: ox * item.stride[1] - item.left),
            of(lambda item, oy, ox: oy * item.stride[0] - item.top),
            of(lambda item, oy, ox: ((ox * item.stride[1] - item.left) * item.pixel_words) & mask),
            of(lambda item, oy, ox: (oy * item.stride[0] * item.row_words) % words),
        ]


def _columns(item: PassConfig, pixels: int, *, across: bool) -> int:
    """Columns of the input between the origins of two output pixels that lie `pixels` apart in raster order."""
    return (pixels % item.out_width - across * item.out_width) * item.stride[1]
