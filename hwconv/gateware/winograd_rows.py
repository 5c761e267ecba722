"""The activation memory of a Winograd engine: banks by row and column, so that a tile's columns are read whole."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed
from hwconv.gateware.row_ledger import total_width
from hwconv.plan.winograd_config import WinogradConfig


def wrapped(m: Module, name: str, value: Value, limit: int) -> Signal:
    """`value` modulo `limit`, two cycles later; `value` is below twice the limit."""
    width = max(1, (limit - 1).bit_length())
    first = Signal(width + 1, name=f"{name}_first")
    reduced = Signal(width + 2, name=f"{name}_reduced")
    result = Signal(width, name=name)
    m.d.comb += reduced.eq(first - limit)
    m.d.sync += [first.eq(value), result.eq(Mux(reduced[-1], first, reduced))]
    return result


class RowBanks(wiring.Component):
    """Keeps the last rows of the input.

    Row `y` of a frame is in row bank ``y mod n``, `n` being the rows of a tile, and pixel `x` in column bank
    ``x mod fetch_columns``: the pixels of a column of a tile, or of two, are in different banks whatever the tile. Each
    frame begins in row bank 0, in the slot after the last one's.

    Latency: 3 cycles from `write` to the word in memory, RAM_LATENCY from `addresses` to `words`. Throughput: one word
    written and one read in each bank a cycle. There is no back-pressure.

    Members
    -------
    write, word : In
        Words in the order of the stream.
    positions : Out
        Running total of rows written, and of those that the end of a frame skips: from `row_margin` rows before it on.
    addresses : In, `words` : Out
        One for each bank: row bank r and column bank c are number ``r * fetch_columns + c``.
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        banks = config.vertical.inputs * config.fetch_columns
        self._address = range(max(2, config.bank_depth))
        super().__init__(
            {
                "write": In(1),
                "word": In(8 * config.word_bytes),
                "positions": Out(unsigned(total_width(config))),
                "addresses": In(data.ArrayLayout(unsigned(max(1, (config.bank_depth - 1).bit_length())), banks)),
                "words": Out(data.ArrayLayout(8 * config.word_bytes, banks)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        enables, address = self._place(m)
        word = delayed(m, "word_written", self.word, 1, reset=False)
        enables = delayed(m, "bank_enable", enables, 1)
        address = delayed(m, "bank_address", address, 1, reset=False)
        for bank in range(config.vertical.inputs * config.fetch_columns):
            m.submodules[f"bank_{bank}"] = Instance(
                "hwconv_ram",
                p_WIDTH=8 * config.word_bytes,
                p_DEPTH=max(2, config.bank_depth),
                i_clk=ClockSignal(),
                i_w_en=enables[bank],
                i_w_addr=address,
                i_w_data=word,
                i_r_addr=self.addresses[bank],
                o_r_data=self.words[bank],
            )
        return m

    def _place(self, m: Module) -> tuple[Signal, Signal]:
        """The bank of the word that is written, one hot, and its address there."""
        config, item = self._config, self._config.passes[0]
        never = Const(0, 1)
        pixel_end, row_end, frame_end, slot_end = (Signal(name=f"{k}_end") for k in ("pixel", "row", "frame", "slot"))

        def loop(name: str, turns: int, advance: Value, restart: Value = never) -> LoopCounter:
            return LoopCounter(m, name, Const(turns), turns, advance, restart)

        word = loop("word", item.pixel_words, self.write)
        column = loop("column", config.fetch_columns, pixel_end, row_end)
        pixel = loop("pixel", item.width, pixel_end)
        bank = loop("row_bank", config.vertical.inputs, row_end, frame_end)
        row = loop("row", item.height, row_end)
        m.d.comb += [
            pixel_end.eq(self.write & word.last),
            row_end.eq(pixel_end & pixel.last),
            frame_end.eq(row_end & row.last),
            slot_end.eq(row_end & (bank.last | row.last)),
        ]
        slot_of_bank = loop("slot", config.slots, slot_end)
        slot = Signal(self._address)
        following = Signal.like(slot)
        m.d.comb += following.eq(Mux(slot_of_bank.last, 0, slot + config.slot_words))
        address = Signal.like(slot)
        with m.If(self.write):
            m.d.sync += address.eq(address + 1)
        with m.If(pixel_end & ~column.last):
            m.d.sync += address.eq(address - (item.pixel_words - 1))
        with m.If(row_end):
            m.d.sync += address.eq(slot)
        with m.If(slot_end):
            m.d.sync += [address.eq(following), slot.eq(following)]
        # The permission to write falls some words late: the receiver may then be in a row that is `row_margin` ahead.
        # What a frame's end skips is counted when that row crosses it.
        skipped = config.frame_slots * config.vertical.inputs - item.height
        frames, ahead = divmod(config.row_margin, item.height)
        row_ahead = Signal(range(item.height), init=ahead)
        positions = Signal.like(self.positions, init=frames * skipped)
        m.d.comb += self.positions.eq(positions)
        with m.If(row_end):
            crossing = row_ahead == item.height - 1
            m.d.sync += [
                row_ahead.eq(Mux(crossing, 0, row_ahead + 1)),
                positions.eq(positions + Mux(crossing, 1 + skipped, 1)),
            ]
        enables = Signal(config.vertical.inputs * config.fetch_columns)
        m.d.comb += enables.eq(
            Cat(
                self.write & (bank.count == r) & (column.count == c)
                for r in range(config.vertical.inputs)
                for c in range(config.fetch_columns)
            )
        )
        return enables, address
