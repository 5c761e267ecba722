"""Which tile is next, and its pixels, column by column and channel by channel."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwconv.gateware.bounds import LoopCounter, delayed, hop, range_shape
from hwconv.gateware.winograd_rows import wrapped
from hwconv.plan.winograd_config import BRAM_LATENCY, WinogradConfig

FETCH_LATENCY = 7
"""A step's `read` mark to its pixels: sums of addresses, choice of the row, memory (2), byte (2), order of the rows."""
BYTES_AT_ONCE = 2
"""Bytes of a word from which one is chosen where they leave the memory: one look-up table a bit, behind a long wire."""


class TileSequencer(wiring.Component):
    """Starts tiles in raster order, one every `tile_cycles` at most, and walks the columns of each: word by word of its
    channels, channel by channel of the word, column group by column group.

    Marks come one cycle after the step they describe; `start` one cycle before the first mark of its tile.

    Members
    -------
    go : In
        The rows of the next tile are in memory and its results have room.
    start : Out
        The next tile starts. With it `start_first`, `start_across`, `start_last`: it is the first of its band, the last
        of its band, the last of its frame.
    upcoming_first : Out
        The tile that starts next is the first of its band.
    read : Out
        This step reads. `next_group`, `next_byte`, `next_word`: this loop goes on; `read_last`: the tile's last step.
    """

    go: In(1)
    start: Out(1)
    start_first: Out(1)
    start_across: Out(1)
    start_last: Out(1)
    upcoming_first: Out(1)
    read: Out(1)
    read_last: Out(1)
    next_group: Out(1)
    next_byte: Out(1)
    next_word: Out(1)

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, item = self._config, self._config.passes[0]
        never = Const(0, 1)
        running = Signal()
        reading = Signal()
        start = Signal()
        tile_end = Signal()
        read_end = Signal()

        def loop(name: str, turns: int, advance: Value) -> LoopCounter:
            return LoopCounter(m, name, Const(turns), turns, advance, never)

        period = loop("period", config.tile_cycles, running)
        group = loop("group", config.fetch_groups, reading)
        byte = loop("byte", config.word_bytes, reading & group.last)
        word = loop("word", item.pixel_words, reading & group.last & byte.last)
        across = loop("across", config.tiles_across, start)
        band = loop("band", config.bands, start & across.last)
        first = Signal(init=1)
        m.d.comb += [
            tile_end.eq(running & period.last),
            read_end.eq(reading & group.last & byte.last & word.last),
            start.eq((~running | tile_end) & self.go),
            self.upcoming_first.eq(first),
        ]
        with m.If(start):
            m.d.sync += [running.eq(1), reading.eq(1), first.eq(across.last)]
        with m.Else():
            with m.If(tile_end):
                m.d.sync += running.eq(0)
            with m.If(read_end):
                m.d.sync += reading.eq(0)
        m.d.sync += [
            self.start.eq(start),
            self.start_first.eq(first),
            self.start_across.eq(across.last),
            self.start_last.eq(across.last & band.last),
            self.read.eq(reading),
            self.read_last.eq(read_end),
            self.next_group.eq(reading & ~group.last),
            self.next_byte.eq(reading & group.last & ~byte.last),
            self.next_word.eq(reading & group.last & byte.last),
        ]
        return m


class TileFetch(wiring.Component):
    """Turns the marks of the sequencer into addresses of all row banks, and what they hold into a tile's columns.

    Latency: FETCH_LATENCY cycles from a `read` mark to `pixels`. Throughput: `fetch_columns` columns of one channel a
    cycle. It never stalls. All paths are cut by registers.

    Members
    -------
    start, start_across, start_last, read, next_group, next_byte, next_word : In, marks of :class:`TileSequencer`
    addresses : Out, `words` : In, of :class:`~hwconv.gateware.winograd_rows.RowBanks`
    pixels : Out, signed 8, ``row * fetch_columns + column``; outside of the frame the zero point
    valid : Out, `pixels` are some. `last` : Out, with the last column group of a channel
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        banks = config.vertical.inputs * config.fetch_columns
        self._address_bits = max(1, (config.bank_depth - 1).bit_length())
        marks = ("start", "start_across", "start_last", "read", "next_group", "next_byte", "next_word")
        super().__init__(
            {
                **{name: In(1) for name in marks},
                "addresses": Out(data.ArrayLayout(unsigned(self._address_bits), banks)),
                "words": In(data.ArrayLayout(8 * config.word_bytes, banks)),
                "pixels": Out(data.ArrayLayout(signed(8), banks)),
                "valid": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        offset, columns_inside = self._column(m)
        rotation, bases, rows_inside = self._band(m, offset)
        later = delayed(m, "rotation", rotation, 1)
        for row in range(config.vertical.inputs):
            for column in range(config.fetch_columns):
                # Banks from the tile's first row on hold its slot, those before it the next one.
                choices = self._choices(m, later, [int(row >= self._first_bank(turn)) for turn in self._turns])
                address = Signal(self._address_bits, name=f"address_{row}_{column}", reset_less=True)
                m.d.sync += address.eq(Mux(choices, bases[0][column], bases[1][column]))
                m.d.comb += self.addresses[row * config.fetch_columns + column].eq(address)
        self._pixels(m, rotation, rows_inside, columns_inside)
        m.d.comb += [
            self.valid.eq(delayed(m, "read", self.read, FETCH_LATENCY)),
            self.last.eq(delayed(m, "group_last", self.read & ~self.next_group, FETCH_LATENCY)),
        ]
        return m

    @property
    def _turns(self) -> range:
        """The rotations of the row banks that tiles meet."""
        config = self._config
        step, size = config.vertical.outputs % config.vertical.inputs, config.vertical.inputs
        count = 1
        while count * step % size:
            count += 1
        return range(count)

    def _first_bank(self, turn: int) -> int:
        """The row bank of a tile's first row after `turn` bands."""
        config = self._config
        return (turn * config.vertical.outputs - config.passes[0].top) % config.vertical.inputs

    @staticmethod
    def _choices(m: Module, turn: Value, values: list[int]) -> Value:
        """One bit for each rotation."""
        if len(set(values)) == 1:
            return Const(values[0], 1)
        return Const(sum(value << index for index, value in enumerate(values)), len(values)).bit_select(turn, 1)

    def _band(self, m: Module, offset: Signal) -> tuple[Signal, list[list[Signal]], Signal]:
        """Rotation, bank addresses (of a tile's first slot and of the next) and rows inside the frame."""
        config, item = self._config, self._config.passes[0]
        n, outputs, depth = config.vertical.inputs, config.vertical.outputs, max(2, config.bank_depth)
        slots = config.slots
        first_slot = (-item.top) // n % slots * config.slot_words
        y_shape = range_shape(-item.top - 1, (config.bands + 1) * outputs + n)
        upcoming_turn = Signal(range(max(2, len(self._turns))))
        upcoming_y = Signal(y_shape, init=-item.top)
        upcoming_base = Signal(range(depth), init=first_slot)
        frame_base = Signal(range(depth))
        # All of these are in use a tile after they changed at the earliest: registers on the way do not matter.
        next_base = wrapped(m, "next_base", upcoming_base + config.slot_words, depth)
        next_frame = wrapped(m, "next_frame", frame_base + config.frame_slots % slots * config.slot_words, depth)
        next_origin = wrapped(m, "next_origin", next_frame + first_slot, depth)
        inside = Signal(n)
        m.d.sync += inside.eq(
            sum(((upcoming_y + row >= 0) & (upcoming_y + row < item.height)) << row for row in range(n))
        )
        turn = Signal.like(upcoming_turn)
        rows_inside = Signal(n)
        # The sum of a base and what a column bank is ahead may reach beyond the banks; the offset takes it back.
        bases = [
            [Signal(self._address_bits, name=f"tile_{name}_{column}") for column in range(config.fetch_columns)]
            for name in ("base", "second_base")
        ]
        carries = [(self._first_bank(turn) + outputs) // n for turn in self._turns]
        with m.If(self.start):
            m.d.sync += [
                turn.eq(upcoming_turn),
                rows_inside.eq(inside),
                *(
                    register.eq(base + ahead)
                    for registers, base in zip(bases, (upcoming_base, next_base), strict=True)
                    for register, ahead in zip(registers, self._offsets, strict=True)
                ),
            ]
            with m.If(self.start_last):
                m.d.sync += [
                    upcoming_turn.eq(0),
                    upcoming_y.eq(-item.top),
                    upcoming_base.eq(next_origin),
                    frame_base.eq(next_frame),
                ]
            with m.Elif(self.start_across):
                m.d.sync += [
                    upcoming_turn.eq(Mux(upcoming_turn == len(self._turns) - 1, 0, upcoming_turn + 1)),
                    upcoming_y.eq(upcoming_y + outputs),
                    upcoming_base.eq(Mux(self._choices(m, upcoming_turn, carries), next_base, upcoming_base)),
                ]
        sums = []
        for name, registers in zip(("first", "second"), bases, strict=True):
            found = []
            for column, base in enumerate(registers):
                address = Signal(self._address_bits, name=f"{name}_address_{column}", reset_less=True)
                m.d.sync += address.eq(base + offset)
                found.append(address)
            sums.append(found)
        return turn, sums, rows_inside

    @property
    def _swap(self) -> int:
        """Columns by which the first column of every tile lies behind a column group."""
        return -self._config.passes[0].left % self._config.fetch_columns

    @property
    def _offsets(self) -> list[int]:
        """What a column bank's address is ahead of the tile's: the group of a tile's first column begins before it."""
        words = self._config.passes[0].pixel_words
        return [words if bank < self._swap else 0 for bank in range(self._config.fetch_columns)]

    def _column(self, m: Module) -> tuple[Signal, list[Signal]]:
        """Walks the offset of the current word in a row, and tells which columns are inside the frame."""
        config, item = self._config, self._config.passes[0]
        words, a, outputs = item.pixel_words, config.fetch_columns, config.horizontal.outputs
        mask = (1 << self._address_bits) - 1
        origin = (-item.left // a) * words & mask
        back = (config.fetch_groups - 1) * words
        across = config.fetch_groups - 1
        x_shape = range_shape(-item.left - 1, config.tiles_across * outputs + config.horizontal.inputs)
        upcoming_x = Signal(x_shape, init=-item.left)
        upcoming_offset = Signal(self._address_bits, init=origin)
        x = Signal(x_shape, name="x")
        offset = Signal(self._address_bits, name="offset", reset_less=True)
        # One sum each, with the step chosen before: a sum for each step would be chosen among behind.
        step = Signal.like(offset, name="offset_step")
        x_step = Signal(range_shape(-across * a, a))
        m.d.comb += [
            step.eq(Mux(self.next_group, words, Mux(self.next_byte, -back, 1 - back))),
            x_step.eq(Mux(self.next_group, a, -across * a)),
        ]
        with m.If(self.next_group | self.next_byte | self.next_word):
            m.d.sync += [offset.eq(offset + step), x.eq(x + x_step)]
        with m.If(self.start):
            m.d.sync += [offset.eq(upcoming_offset), x.eq(upcoming_x)]
            with m.If(self.start_across):
                m.d.sync += [upcoming_offset.eq(origin), upcoming_x.eq(-item.left)]
            with m.Else():
                m.d.sync += [
                    upcoming_offset.eq(upcoming_offset + outputs // a * words),
                    upcoming_x.eq(upcoming_x + outputs),
                ]
        found = []
        for column in range(a):
            register = Signal(name=f"column_{column}_inside")
            m.d.sync += register.eq((x + column >= 0) & (x + column < item.width))
            found.append(register)
        return offset, found

    def _pixels(self, m: Module, rotation: Signal, rows_inside: Signal, columns_inside: list[Signal]) -> None:
        """Bytes of the words, rows in the tile's order, and the zero point outside."""
        config = self._config
        n, a, swap = config.vertical.inputs, config.fetch_columns, self._swap
        byte = LoopCounter(
            m, "byte", Const(config.word_bytes), config.word_bytes, self.next_byte | self.next_word, Const(0, 1)
        )
        select = delayed(m, "byte", byte.count, 1 + BRAM_LATENCY, reset=False)
        bytes_ = [self._byte(m, bank, hop(m, f"byte_{bank}", select)) for bank in range(n * a)]
        turn = delayed(m, "tile_rotation", rotation, FETCH_LATENCY - 1)
        inside = delayed(m, "tile_rows_inside", rows_inside, FETCH_LATENCY - 1)
        across = [delayed(m, f"tile_{item.name}", item, FETCH_LATENCY - 2) for item in columns_inside]
        for row in range(n):
            for column in range(a):
                bank_column = (column + swap) % a
                value: Value = bytes_[(row + self._first_bank(0)) % n * a + bank_column]
                for number in self._turns[1:]:
                    other = bytes_[(row + self._first_bank(number)) % n * a + bank_column]
                    value = Mux(turn == number, other, value)
                pixel = Signal(signed(8), name=f"pixel_{row}_{column}", reset_less=True)
                with m.If(inside[row] & across[column]):
                    m.d.sync += pixel.eq(value.as_signed())
                with m.Else():
                    m.d.sync += pixel.eq(config.passes[0].input_zero_point)
                m.d.comb += self.pixels[row * a + column].eq(pixel)

    def _byte(self, m: Module, bank: int, select: Signal) -> Signal:
        """The selected byte of a bank's word, two cycles later: first of each few, then of what is left."""
        low = Signal(exact_log2(BYTES_AT_ONCE), name=f"byte_{bank}_low")
        high = Signal(max(1, len(select) - len(low)), name=f"byte_{bank}_high", reset_less=True)
        m.d.comb += low.eq(select)
        m.d.sync += high.eq(select >> len(low))
        few = []
        for first in range(0, self._config.word_bytes, BYTES_AT_ONCE):
            chosen = Signal(8, name=f"byte_{bank}_of_{first}", reset_less=True)
            bits = self.words[bank][8 * first : 8 * min(first + BYTES_AT_ONCE, self._config.word_bytes)]
            m.d.sync += chosen.eq(bits.word_select(low, 8))
            few.append(chosen)
        byte = Signal(8, name=f"byte_{bank}", reset_less=True)
        m.d.sync += byte.eq(Cat(few).word_select(high, 8))
        return byte
