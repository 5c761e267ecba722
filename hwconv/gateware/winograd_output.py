"""From the sums of transformed positions to requantised results."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed, hop
from hwconv.gateware.requantise import Requantiser
from hwconv.gateware.winograd_array import MARK_HOPS, chain_bits
from hwconv.gateware.winograd_network import AdderNetwork, ExactDivision
from hwconv.plan.winograd_config import BRAM_LATENCY, ENTRY_LATENCY, WinogradConfig


def table_name(config: WinogradConfig) -> str:
    """Module name of the ROM with the channels' entries."""
    return f"{config.name}_table_0"


class TurnStore(wiring.Component):
    """Keeps the vertically transformed columns of a fold, which come turn by turn, until all of them are there; then
    gives them out channel by channel. It holds two folds.

    Latency: BRAM_LATENCY cycles from a step of the reading walk to its columns. No back-pressure.

    Members
    -------
    write, columns : In, columns of one output channel: ``drain_columns`` of them, all rows of outputs
    turn_end : In, with the last ones of a turn. `fold_end` : In, with the last ones of a fold
    o : Out, as `columns`; `coming` : Out, a cycle before it
    """

    def __init__(self, config: WinogradConfig, width: int) -> None:
        self._config, self._width = config, width
        super().__init__(
            {
                "write": In(1),
                "columns": In(width),
                "turn_end": In(1),
                "fold_end": In(1),
                "o": Out(width),
                "coming": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        fold = config.columns * config.arrivals
        per_turn = config.slice_columns // config.drain_columns
        depth = 2 * fold
        never = Const(0, 1)
        piece = LoopCounter(m, "piece", Const(per_turn), per_turn, self.write, never)
        half = Signal()
        write_address = Signal(range(depth))
        turn_start = Signal(range(depth))
        with m.If(self.write):
            # From the last piece of a channel to the first of the next: over what the other turns bring.
            skip = config.arrivals - per_turn + 1
            m.d.sync += write_address.eq(write_address + Mux(piece.last, skip, 1))
        with m.If(self.turn_end):
            m.d.sync += [register.eq(turn_start + per_turn) for register in (write_address, turn_start)]
        with m.If(self.fold_end):
            m.d.sync += [register.eq(Mux(half, 0, fold)) for register in (write_address, turn_start)]
            m.d.sync += half.eq(~half)
        running = Signal()
        walk_end = Signal()
        step = LoopCounter(m, "step", Const(config.channel_cycles), config.channel_cycles, running, never)
        column = LoopCounter(m, "column", Const(config.columns), config.columns, running & step.last, never)
        m.d.comb += walk_end.eq(running & step.last & column.last)
        with m.If(self.fold_end):
            m.d.sync += running.eq(1)
        with m.Elif(walk_end):
            m.d.sync += running.eq(0)
        reading = running & (step.count < config.arrivals)
        read = LoopCounter(m, "read", Const(depth), depth, reading, never)
        m.submodules.memory = Instance(
            "hwconv_ram",
            p_WIDTH=self._width,
            p_DEPTH=depth,
            i_clk=ClockSignal(),
            i_w_en=self.write,
            i_w_addr=write_address,
            i_w_data=self.columns,
            i_r_addr=read.count,
            o_r_data=self.o,
        )
        m.d.comb += self.coming.eq(delayed(m, "reading", reading, BRAM_LATENCY - 1))
        return m


class TileResults(wiring.Component):
    """``Y = A^T M A``, the factor divided out, requantised.

    The columns of an output channel's sums are transformed as they leave the array. When all of them are there, they
    wait in registers while the rows of outputs go through the horizontal transform, `requantisers` pixels a cycle. All
    of it is modulo ``2**sum_width``. The factor's power of two is a shift, its odd part a few shifted sums:
    multiplication by its inverse.

    Latency: see :mod:`hwconv.plan.winograd_cycles`. Throughput: an output channel of a tile every `channel_cycles`.
    There is no back-pressure. All paths are cut by registers.

    Members
    -------
    captured : In, the sums of a turn are in the chains MARK_HOPS + 1 cycles later
    last_turn : In, with it: of the last turn
    shift : Out, the chains move, MARK_HOPS cycles later
    i_0, ... : In, the chains
    results : Out, one value a pixel; `valid` : Out
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        n = config.vertical.inputs
        super().__init__(
            {
                "captured": In(1),
                "last_turn": In(1),
                "shift": Out(1),
                **{
                    f"i_{chain * n + row}": In(signed(chain_bits(config, row, chain)))
                    for chain in range(config.drain_columns)
                    for row in range(n)
                },
                "results": Out(data.ArrayLayout(8 * config.value_bytes, config.requantisers)),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        coming, columns = self._arrivals(m)
        load, rows = self._gather(m, coming, columns)
        presenting, row_start, row = self._rows(m, load, rows)
        values, latency = self._pixels(m, row_start, row)
        wait = config.result_latency - latency
        accumulators = [delayed(m, f"accumulator_{i}", value, wait, reset=False) for i, value in enumerate(values)]
        valid = delayed(m, "accumulators_valid", presenting, config.result_latency)
        entry = self._entry(m, load)
        for index, accumulator in enumerate(accumulators):
            requantiser = Requantiser(config.requantiser)
            m.submodules[f"requantiser_{index}"] = requantiser
            m.d.comb += [
                requantiser.accumulator.eq(accumulator),
                requantiser.entry.eq(entry),
                self.results[index].eq(requantiser.o),
            ]
        m.d.comb += self.valid.eq(delayed(m, "results_valid", valid, config.requantiser.latency))
        return m

    def _arrivals(self, m: Module) -> tuple[Value, list[list[Value]]]:
        """The vertical transforms: `drain_columns` columns of outputs, in the order of the horizontal one, and, a cycle
        before, that some come.
        """
        config = self._config
        n, v, single = config.vertical.inputs, config.drain_columns, config.turns == 1
        pieces = config.slice_columns // v
        cycles = config.channel_cycles if single else pieces
        never = Const(0, 1)
        running = Signal()
        walk_end = Signal()
        piece_taken = Signal()
        step = LoopCounter(m, "drain_step", Const(cycles), cycles, running, never)
        column = LoopCounter(m, "drain_column", Const(config.columns), config.columns, running & step.last, never)
        m.d.comb += [
            walk_end.eq(running & step.last & column.last),
            piece_taken.eq(running & (step.count < pieces)),
            self.shift.eq(piece_taken),
        ]
        last_turn = Signal()
        with m.If(self.captured):
            m.d.sync += [running.eq(1), last_turn.eq(self.last_turn)]
        with m.Elif(walk_end):
            m.d.sync += running.eq(0)
        columns: list[list[Value]] = []
        for chain in range(v):
            places = config.columns_of(chain, v)
            levels = [
                [max(bits) for bits in zip(*level, strict=True)]
                for level in zip(*(config.output_column_widths[place] for place in places), strict=True)
            ]
            network = AdderNetwork(config.vertical.output, levels)
            m.submodules[f"column_{chain}"] = network
            m.d.comb += [i.eq(getattr(self, f"i_{chain * n + index}")) for index, i in enumerate(network.inputs)]
            columns.append(network.results)
        latency = MARK_HOPS + config.vertical.output.latency
        coming = delayed(m, "coming", piece_taken, latency - 1)
        if single:
            return coming, columns
        flat = Cat(value for values in columns for value in values)
        m.submodules.store = store = TurnStore(config, len(flat))
        turn_end = delayed(m, "turn_end", walk_end, latency)
        m.d.comb += [
            store.write.eq(delayed(m, "arrive", coming, 1)),
            store.columns.eq(flat),
            store.turn_end.eq(turn_end),
            store.fold_end.eq(turn_end & delayed(m, "last_turn", last_turn, latency)),
        ]
        kept: list[list[Value]] = []
        start = 0
        for values in columns:
            kept.append([])
            for value in values:
                kept[-1].append(store.o[start : start + len(value)].as_signed())
                start += len(value)
        return store.coming, kept

    def _gather(self, m: Module, coming: Value, columns: list[list[Value]]) -> tuple[Value, list[list[Signal]]]:
        """All columns of an output channel, row by row, and, a cycle before they are there, that the last ones come."""
        config = self._config
        v = config.drain_columns
        arrive = delayed(m, "arrive_counted", coming, 1)
        arrival = LoopCounter(m, "arrival", Const(config.arrivals), config.arrivals, arrive, Const(0, 1))
        rows = []
        for row in range(config.vertical.outputs):
            incoming = [values[row] for values in columns]
            kept = [
                Signal(signed(max(len(incoming[column % v]), 1)), name=f"kept_{row}_{column}", reset_less=True)
                for column in range(config.horizontal.inputs)
            ]
            with m.If(hop(m, f"arrive_{row}", coming)):
                m.d.sync += [register.eq(value) for register, value in zip(kept, [*kept[v:], *incoming], strict=True)]
            rows.append(kept)
        return arrive & arrival.last, rows

    def _rows(self, m: Module, load: Value, rows: list[list[Signal]]) -> tuple[Signal, Value, list[Signal]]:
        """Row after row of a gathered channel: whether there is one, its first cycle, and its values. What moves the
        registers is decided a cycle before, so that each row has its own copy.
        """
        config = self._config
        never = Const(0, 1)
        presenting = Signal()
        beat = LoopCounter(m, "row_beat", Const(config.row_cycles), config.row_cycles, presenting, never)
        turn = LoopCounter(
            m, "row", Const(config.vertical.outputs), config.vertical.outputs, presenting & beat.last, never
        )
        with m.If(load):
            m.d.sync += presenting.eq(1)
        with m.Elif(beat.last & turn.last):
            m.d.sync += presenting.eq(0)
        widths = config.output_row_widths[0]
        held = [
            [Signal(signed(bits), name=f"held_{row}_{column}", reset_less=True) for column, bits in enumerate(widths)]
            for row in range(len(rows))
        ]
        for row, (registers, values) in enumerate(zip(held, rows, strict=True)):
            take, move = hop(m, f"move_{row}", Cat(load, load | beat.last))
            for column, register in enumerate(registers):
                following = held[row + 1][column] if row + 1 < len(held) else register
                with m.If(move):
                    m.d.sync += register.eq(Mux(take, values[column], following))
        row_start = delayed(m, "row_begins", presenting & (beat.count == 0), 1)
        return delayed(m, "presented", presenting, 1), row_start, held[0]

    def _pixels(self, m: Module, row_start: Value, row: list[Signal]) -> tuple[list[Value], int]:
        """The accumulators of `requantisers` pixels, and how many cycles they are behind the row."""
        config = self._config
        network = AdderNetwork(config.horizontal.output, config.output_row_widths)
        m.submodules.row = network
        m.d.comb += [i.eq(value) for i, value in zip(network.inputs, row, strict=True)]
        latency = network.latency
        pixels: list[Value] = list(network.results)
        if config.row_cycles > 1:
            taken = delayed(m, "row_start", row_start, latency)
            registers = [
                Signal(signed(config.accumulator_width), name=f"pixel_{index}", reset_less=True)
                for index in range(len(pixels))
            ]
            for index, register in enumerate(registers):
                following = index + config.requantisers
                shifted = registers[following] if following < len(registers) else register
                m.d.sync += register.eq(Mux(taken, pixels[index][config.zeros :].as_signed(), shifted))
            pixels = list(registers[: config.requantisers])
            latency += 1
        else:
            pixels = [value[config.zeros :].as_signed() for value in pixels]
        quotients = []
        for index, value in enumerate(pixels):
            division = ExactDivision(config.divider, config.accumulator_width)
            m.submodules[f"division_{index}"] = division
            m.d.comb += division.i.eq(value)
            quotients.append(division.o)
        return quotients, latency + len(config.divider)

    def _entry(self, m: Module, load: Value) -> Value:
        """The table entry of the channel whose accumulators are at the requantisers."""
        config = self._config
        depth = config.table_depth
        loaded = delayed(m, "loaded", load, 2)
        channel = LoopCounter(m, "channel", Const(depth), depth, loaded, Const(0, 1))
        # The counter goes on as the rows of its channel begin: its value before that is the channel's.
        current = Signal.like(channel.count)
        with m.If(loaded):
            m.d.sync += current.eq(channel.count)
        address = Mux(loaded, channel.count, current)
        address = delayed(m, "table_address", address, config.result_latency - ENTRY_LATENCY, reset=False)
        entry = Signal(config.requantiser.entry_width)
        m.submodules.table = Instance(table_name(config), i_clk=ClockSignal(), i_addr=address, o_data=entry)
        return delayed(m, "entry", entry, 1, reset=False)
