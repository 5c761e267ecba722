"""From the columns of a tile to its transformed positions, in memory until the array has multiplied them."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed, hop
from hwconv.gateware.winograd_network import AdderNetwork
from hwconv.plan.winograd_config import BRAM_LATENCY, TILE_SLOTS, WinogradConfig

READ_LATENCY = 1 + BRAM_LATENCY
"""The address of a channel to its positions: a register beside each memory, and the memory."""


class TileTransform(wiring.Component):
    """``V = B^T d B`` of every channel of a tile, by adders alone.

    A column is transformed as it comes (``fetch_columns`` of them at once); when all columns of a channel are there,
    they wait in registers while the rows are transformed, `row_units` at once, and written, each row of positions into
    a memory of its own. The memories hold two tiles.

    Latency: ``config.transform_latency`` cycles from a channel's last pixels to its last write. Throughput: a channel
    every `fetch_groups` cycles. There is no back-pressure. All paths are cut by registers.

    Members
    -------
    pixels, valid, last : In, of :class:`~hwconv.gateware.winograd_fetch.TileFetch`
    address : In, channel of the tile to read, in the half of the memory that its tile is in
    o_0, ... : Out, signed: the positions, row by row, READ_LATENCY cycles after their address
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        banks = config.vertical.inputs * config.fetch_columns
        self._depth = TILE_SLOTS * config.channels
        widths = [bits for row in config.operand_widths for bits in row]
        super().__init__(
            {
                "pixels": In(data.ArrayLayout(signed(8), banks)),
                "valid": In(1),
                "last": In(1),
                "address": In(unsigned((self._depth - 1).bit_length())),
                **{f"o_{index}": Out(signed(bits)) for index, bits in enumerate(widths)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        rows, load = self._columns(m)
        steps = config.vertical.inputs // config.row_units
        held = []
        for row, values in enumerate(rows):
            # Those of the rows below pass through.
            bits = max(len(rows[below][0]) for below in range(row, len(rows), config.row_units))
            held.append([Signal(signed(bits), name=f"held_{row}_{at}", reset_less=True) for at in range(len(values))])
        for row, (registers, values) in enumerate(zip(held, rows, strict=True)):
            following = row + config.row_units
            for column, (register, value) in enumerate(zip(registers, values, strict=True)):
                shifted = held[following][column] if following < len(held) else register
                m.d.sync += register.eq(Mux(load, value, shifted))
        token = delayed(m, "held", load, 1)
        written = delayed(m, "transformed", token, config.horizontal.input.latency)
        channel = LoopCounter(m, "channel", Const(self._depth), self._depth, written, Const(0, 1))
        address: Value = channel.count
        enable: Value = written
        units = []
        for unit in range(config.row_units):
            # A unit meets several rows: each node is as wide as the widest of them needs.
            widths = [config.row_widths(row) for row in range(unit, config.vertical.inputs, config.row_units)]
            merged = [[max(bits) for bits in zip(*levels, strict=True)] for levels in zip(*widths, strict=True)]
            network = AdderNetwork(config.horizontal.input, merged)
            m.submodules[f"row_{unit}"] = network
            m.d.comb += [i.eq(value) for i, value in zip(network.inputs, held[unit], strict=True)]
            units.append(network.results)
        for step in range(steps):
            if step:
                enable = delayed(m, f"write_{step}", enable, 1)
                address = delayed(m, f"write_address_{step}", address, 1, reset=False)
            for unit, results in enumerate(units):
                self._memory(m, step * config.row_units + unit, results, enable, address)
        return m

    def _columns(self, m: Module) -> tuple[list[list[Value]], Signal]:
        """All columns of a channel, row by row, and whether they are there."""
        config = self._config
        n, a = config.vertical.inputs, config.fetch_columns
        columns = []
        for column in range(a):
            network = AdderNetwork(config.vertical.input, config.column_widths)
            m.submodules[f"column_{column}"] = network
            m.d.comb += [i.eq(self.pixels[row * a + column]) for row, i in enumerate(network.inputs)]
            columns.append(network.results)
        latency = config.vertical.input.latency
        valid = delayed(m, "column_valid", self.valid, latency)
        load = Signal()
        m.d.comb += load.eq(delayed(m, "column_last", self.last, latency))
        rows: list[list[Value]] = []
        for row in range(n):
            incoming: list[Value] = [columns[column][row] for column in range(a)]
            kept = [
                Signal.like(incoming[0], name=f"kept_{row}_{column}", reset_less=True)
                for column in range(config.horizontal.inputs - a)
            ]
            with m.If(valid):
                for register, value in zip(kept, [*kept[a:], *incoming], strict=True) if kept else ():
                    m.d.sync += register.eq(value)
            rows.append([*kept, *incoming])
        return rows, load

    def _memory(self, m: Module, row: int, results: list[Value], enable: Value, address: Value) -> None:
        """One row of positions: a word for each channel."""
        config = self._config
        widths = config.operand_widths[row]
        word = Signal(sum(widths), name=f"transformed_{row}")
        m.submodules[f"positions_{row}"] = Instance(
            "hwconv_ram",
            p_WIDTH=sum(widths),
            p_DEPTH=self._depth,
            i_clk=ClockSignal(),
            i_w_en=enable,
            i_w_addr=address,
            i_w_data=Cat(value[:bits] for value, bits in zip(results, widths, strict=True)),
            i_r_addr=hop(m, f"address_{row}", self.address),
            o_r_data=word,
        )
        start = 0
        for column, bits in enumerate(widths):
            output = getattr(self, f"o_{row * len(widths) + column}")
            m.d.comb += output.eq(word[start : start + bits].as_signed())
            start += bits
