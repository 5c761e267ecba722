"""The output buffer of a Winograd engine: results come tile by tile and channel by channel, and leave in NHWC order."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed
from hwconv.gateware.output_buffer import ResultWord
from hwconv.plan.winograd_config import BRAM_LATENCY, WinogradConfig


class BandBuffer(wiring.Component):
    """A ring of `units` bands: rows of tiles. A band leaves when it is complete, pixel after pixel.

    Pixel `x` is in bank ``x mod requantisers``, so that the pixels that come together are in different banks; channel
    `o` is in lane ``o mod channel_lanes`` of its word. What tiles compute beyond the frame is written and never read.

    Latency: 2 cycles from the last result of a band to its first word read. Throughput: a result in each bank and a
    word read a cycle. Back-pressure: no word is read while `room` is low; `in_flight` more may come after it fell. The
    ledger lets a band begin only when a unit is free, so writing never waits.

    Members
    -------
    results, valid : In, of :class:`~hwconv.gateware.winograd_output.TileResults`
    o, o_valid : Out, a :class:`ResultWord`, and whether it is one
    room, damaged, unit_free, frame_sent : as in :class:`~hwconv.gateware.output_buffer.OutputBuffer`
    """

    in_flight = BRAM_LATENCY + 1
    """Words that may come after `room` fell."""

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        self._depth = max(2, config.units * config.unit_words)
        super().__init__(
            {
                "results": In(data.ArrayLayout(8 * config.value_bytes, config.requantisers)),
                "valid": In(1),
                "room": In(1),
                "damaged": In(1),
                "o": Out(ResultWord(config)),
                "o_valid": Out(1),
                "unit_free": Out(1),
                "frame_sent": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        value_bits, lanes = 8 * config.value_bytes, config.channel_lanes
        enables, write_address, band_done = self._collect(m)
        values = delayed(m, "results", self.results.as_value(), 1, reset=False)
        bank, read_address, issue, last = self._send(m, band_done)
        words = []
        for number in range(config.requantisers):
            word = Signal(value_bits * lanes, name=f"word_{number}")
            for lane in range(lanes):
                m.submodules[f"bank_{number}_lane_{lane}"] = Instance(
                    "hwconv_ram",
                    p_WIDTH=value_bits,
                    p_DEPTH=self._depth,
                    i_clk=ClockSignal(),
                    i_w_en=enables[lane],
                    i_w_addr=write_address,
                    i_w_data=values.word_select(number, value_bits),
                    i_r_addr=read_address,
                    o_r_data=word[value_bits * lane : value_bits * (lane + 1)],
                )
            words.append(word)
        select = delayed(m, "bank", bank, BRAM_LATENCY, reset=False)
        chosen: Value = words[0]
        for number, word in enumerate(words[1:], start=1):
            chosen = Mux(select == number, word, chosen)
        m.d.comb += [
            self.o.data.eq(chosen),
            self.o.last.eq(delayed(m, "issue_last", last, BRAM_LATENCY)),
            self.o.final.eq(1),
            self.o.damaged.eq(delayed(m, "issue_damaged", self.frame_sent & self.damaged, BRAM_LATENCY - 1)),
            self.o_valid.eq(delayed(m, "issue", issue, BRAM_LATENCY)),
            self.frame_sent.eq(delayed(m, "frame_issued", issue & last, 1)),
        ]
        return m

    def _collect(self, m: Module) -> tuple[Value, Value, Value]:
        """Lane enables and address of the results in registers, and whether they complete a band."""
        config, item = self._config, self._config.passes[0]
        never = Const(0, 1)
        row_end, channel_end, tile_end, band_end = (Signal(name=f"{k}_end") for k in ("row", "channel", "tile", "band"))

        def loop(name: str, turns: int, advance: Value) -> LoopCounter:
            return LoopCounter(m, f"collect_{name}", Const(turns), turns, advance, never)

        part = loop("part", config.row_cycles, self.valid)
        row = loop("row", config.vertical.outputs, row_end)
        column = loop("column", config.columns, channel_end)
        tile = loop("column_tile", item.tiles, channel_end & column.last)
        group = loop("group", item.groups, channel_end & column.last & tile.last)
        across = loop("across", config.tiles_across, tile_end)
        unit = loop("unit", config.units, band_end)
        m.d.comb += [
            row_end.eq(self.valid & part.last),
            channel_end.eq(row_end & row.last),
            tile_end.eq(channel_end & column.last & tile.last & group.last),
            band_end.eq(tile_end & across.last),
        ]
        live: Value = Const(1, 1)
        if config.live_columns < config.columns:
            live = ~tile.last | (column.count < config.live_columns)
        channel_done = channel_end & live
        lane = loop("lane", config.channel_lanes, channel_done)
        # Where in the band's rows the tile is, and its word; beside that the row and the part of it.
        start, word, offset, unit_start = (
            Signal(range(self._depth), name=f"collect_{k}") for k in ("start", "place", "offset", "unit_start")
        )
        following_unit = Mux(unit.last, 0, unit_start + config.unit_words)
        following = start + config.row_cycles * config.pixel_out_words
        with m.If(self.valid):
            m.d.sync += offset.eq(offset + config.pixel_out_words)
        with m.If(row_end):
            step = config.row_out_words - (config.row_cycles - 1) * config.pixel_out_words
            m.d.sync += offset.eq(offset + step)
        with m.If(channel_end):
            m.d.sync += offset.eq(0)
        with m.If(channel_done & lane.last):
            m.d.sync += word.eq(word + 1)
        with m.If(tile_end):
            m.d.sync += [start.eq(following), word.eq(following)]
        with m.If(band_end):
            m.d.sync += [start.eq(following_unit), word.eq(following_unit), unit_start.eq(following_unit)]
        address = Signal(range(self._depth), name="write_address", reset_less=True)
        enables = Signal(config.channel_lanes)
        m.d.sync += [
            address.eq(word + offset),
            enables.eq(Cat(self.valid & live & (lane.count == index) for index in range(config.channel_lanes))),
        ]
        return enables, address, delayed(m, "band_done", band_end, 1)

    def _send(self, m: Module, done: Value) -> tuple[Value, Value, Value, Value]:
        """The bank and address of the word that is read, whether one is, and whether it is its frame's last."""
        config, item = self._config, self._config.passes[0]
        never = Const(0, 1)
        issue, pixel_end, row_end, band_end = (Signal(name=f"send_{k}") for k in ("issue", "pixel", "row", "band"))

        def loop(name: str, turns: int, advance: Value, restart: Value = never) -> LoopCounter:
            return LoopCounter(m, f"send_{name}", Const(turns), turns, advance, restart)

        word = loop("word", config.pixel_out_words, issue)
        bank = loop("bank", config.requantisers, pixel_end, row_end)
        pixel = loop("pixel", item.out_width, pixel_end)
        row = loop("row", config.vertical.outputs, row_end, band_end)
        band = loop("band", config.bands, band_end)
        unit = loop("unit", config.units, band_end)
        last_rows = item.out_height - (config.bands - 1) * config.vertical.outputs
        frame_rows: Value = row.last
        if last_rows < config.vertical.outputs:
            frame_rows = Mux(band.last, row.count == last_rows - 1, row.last)
        m.d.comb += [
            pixel_end.eq(issue & word.last),
            row_end.eq(pixel_end & pixel.last),
            band_end.eq(row_end & frame_rows),
        ]
        pending = Signal(range(config.units + 2))
        m.d.sync += [
            pending.eq(pending + done - band_end),
            issue.eq((done | (pending > 1) | ((pending == 1) & ~band_end)) & self.room),
            self.unit_free.eq(band_end),
        ]
        address, row_start, unit_start = (
            Signal(range(self._depth), name=f"send_{k}") for k in ("address", "row_start", "unit_start")
        )
        next_row = row_start + config.row_out_words
        next_unit = Mux(unit.last, 0, unit_start + config.unit_words)
        with m.If(issue):
            m.d.sync += address.eq(address + 1)
        with m.If(pixel_end & ~bank.last):
            m.d.sync += address.eq(address - (config.pixel_out_words - 1))
        with m.If(row_end):
            m.d.sync += [address.eq(next_row), row_start.eq(next_row)]
        with m.If(band_end):
            m.d.sync += [address.eq(next_unit), row_start.eq(next_unit), unit_start.eq(next_unit)]
        return bank.count, address, issue, word.last & pixel.last & frame_rows & band.last
