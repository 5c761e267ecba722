"""From drained sums to requantised result words in NHWC order."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, delayed
from hwconv.gateware.requantise import Requantiser
from hwconv.gateware.systolic_array import SystolicArray
from hwconv.gateware.weights import image_memory
from hwconv.plan.config import ENTRY_WAIT, EngineConfig

ENTRY_LATENCY = 3
"""Table address to the entry at its requantiser: the ROM (2) and a register beside the requantiser, maybe far away."""


PAIRED_COLUMNS = (5, 8)
"""Columns of a requantiser, from and to, of which one is chosen by pairs."""


def table_name(config: EngineConfig, requantiser: int) -> str:
    """Module name of the ROM with the channel entries of one requantiser."""
    return f"{config.name}_table_{requantiser}"


class ResultMarks(data.StructLayout):
    """What travels beside a result word: see :class:`Drain`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": 1,
                "pixel_done": 1,
                "next_word": 1,
                "next_pixel": 1,
                "next_tile": 1,
                "next_group": 1,
                "next_unit": 1,
            }
        )


class Drain(wiring.Component):
    """Moves a fold's sums out of the array, pixel by pixel, `requantisers` channels a cycle, and requantises them.

    Requantiser `r` reads columns ``r * drain .. r * drain + drain - 1``, one a cycle; column ``r * drain + g``
    computes channel ``g * requantisers + r`` of its tile, so the requantisers' results of one cycle are
    neighbouring channels and words leave in NHWC order. A requantiser to the right works as many cycles later as
    the array's hops make its columns late; short registers behind the requantisers make the word whole.

    Latency: `latency` cycles from the array's `last` mark to the first result word. Throughput: a word a cycle; a
    fold takes ``pixels * drain`` cycles and the next `last` mark must not come sooner. There is no back-pressure.

    Members
    -------
    last : In
        The array's mark; `columns`, its outputs.
    write, write_address, write_entries : In, where tables are loaded
        Those of a :class:`~hwconv.gateware.weight_loader.WeightLoader`, for the requantisers.
    shared : In, where the requantisers have shared fields
        These.
    count : In, where elements are counted
        Of the pixel in `columns`: it chooses the entry, instead of the channel.
    shift : Out
        The array's drain mark.
    word, marks : Out
        A result word. `valid`: it is a live pixel's live channel. `pixel_done`: with it, its pixel is complete.
        The others say how the walk goes on: next word, pixel, column tile, word group or output unit (the
        outermost that applies).
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.program = ProgramCounter("drain", config.passes)
        self._requantisers = [Requantiser(config.requantiser) for _ in range(config.requantisers)]
        super().__init__(
            {
                "last": In(1),
                "columns": In(data.ArrayLayout(signed(config.accumulator_width), config.columns)),
                **(self._loaded_members() if config.loading is not None else {}),
                **({"count": In(range(config.largest_count + 1))} if config.largest_count else {}),
                "shift": Out(1),
                "word": Out(8 * config.result_bytes),
                "marks": Out(ResultMarks()),
            }
        )

    def _loaded_members(self) -> dict[str, wiring.Member]:
        config, unit = self._config, self._config.requantiser
        return {
            "write": In(config.requantisers),
            "write_address": In(range(max(2, config.table_depth))),
            "write_entries": In(data.ArrayLayout(unit.entry_width, config.requantisers)),
            **({"shared": In(unit.shared_width)} if unit.shared else {}),
        }

    @property
    def latency(self) -> int:
        return self._config.drain_latency

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        select, walked, table_address = self._walk(m)
        # The walk is one cycle behind the `last` mark, its marks in registers two, the array's result `latency` cycles.
        lead = SystolicArray.latency - 1
        select = delayed(m, "select", select, lead - 1, reset=False)
        if config.largest_count:
            address = delayed(m, "count", self.count, max(0, config.column_stages - ENTRY_WAIT), reset=False)
        else:
            early = lead - 1 + config.column_stages - ENTRY_LATENCY
            address = delayed(m, "address", table_address, early, reset=False)
        results = []
        for index, requantiser in enumerate(self._requantisers):
            m.submodules[f"requantiser_{index}"] = requantiser
            wait = config.skews[index] - (config.skews[index - 1] if index else 0)
            select = delayed(m, f"select_{index}", select, wait, reset=False)
            address = delayed(m, f"address_{index}", address, wait, reset=False)
            first = index * config.drain
            columns = [self.columns[column] for column in range(first, first + config.drain)]
            entry = Signal(config.requantiser.entry_width, name=f"entry_{index}")
            # Requantisers that work in step have equal selects, equal addresses, and equal bits in their entries: each
            # keeps its own.
            near_address = self._kept(m, f"near_address_{index}", address)
            if config.loading is None:
                m.submodules[f"table_{index}"] = Instance(
                    table_name(config, index), i_clk=ClockSignal(), i_addr=near_address, o_data=entry
                )
            else:
                self._loaded_table(m, index, near_address, entry)
            if PAIRED_COLUMNS[0] <= len(columns) <= PAIRED_COLUMNS[1]:
                column = self._column_of_pairs(m, index, columns, select)
            else:
                column = self._column(m, index, columns, self._kept(m, f"near_select_{index}", select))
            m.d.comb += [
                requantiser.accumulator.eq(
                    delayed(m, f"accumulator_{index}", column, 1 + config.entry_wait, reset=False)
                ),
                requantiser.entry.eq(self._kept(m, f"near_entry_{index}", entry)),
            ]
            result = requantiser.o.as_unsigned()
            results.append(delayed(m, f"result_{index}", result, config.skews[-1] - config.skews[index], reset=False))
        m.d.comb += [
            self.word.eq(Cat(*results)),
            self.marks.eq(delayed(m, "marks", walked, self.latency - 2)),
        ]
        return m

    def _loaded_table(self, m: Module, index: int, address: Value, entry: Signal) -> None:
        """A table that is loaded, and what its requantiser shares with the others."""
        unit = self._config.requantiser
        m.submodules[f"table_{index}"] = image_memory(
            unit.entry_width,
            self._config.table_depth,
            self.write[index],
            self.write_address,
            self.write_entries[index],
            address,
            entry,
        )
        if unit.shared:
            m.d.comb += self._requantisers[index].shared.eq(self._kept(m, f"near_shared_{index}", self.shared))

    @staticmethod
    def _kept(m: Module, name: str, value: Value) -> Signal:
        """`value`, a cycle later, from a register that synthesis merges with no equal one."""
        kept = Signal(len(value), name=name)
        hop = name.replace("near", "hop")
        m.submodules[hop] = Instance("hwconv_hop", p_WIDTH=len(value), i_clk=ClockSignal(), i_d=value, o_q=kept)
        return kept

    def _column_of_pairs(self, m: Module, index: int, columns: list[Value], select: Value) -> Value:
        """The selected column of five to eight: a select for each, pairs of columns in a look-up table, then all pairs.

        Five tables a bit in two stages, where 4:1 multiplexers take seven or more.
        """
        width = self._config.accumulator_width
        choices = self._kept(m, f"near_select_{index}", Cat(*(select == turn for turn in range(len(columns)))))
        pairs = []
        for start in range(0, len(columns), 2):
            pair = Signal(width, name=f"column_{index}_0_{start // 2}", reset_less=True)
            chosen = [
                columns[turn].as_unsigned() & choices[turn].replicate(width)
                for turn in range(start, min(start + 2, len(columns)))
            ]
            m.d.sync += pair.eq(reduce(or_, chosen))
            pairs.append(pair)
        column = Signal(signed(width), name=f"column_{index}_1_0", reset_less=True)
        m.d.sync += column.eq(reduce(or_, pairs))
        return column

    def _column(self, m: Module, index: int, columns: list[Value], select: Value) -> Value:
        """The selected column: a tree of 4:1 multiplexers with a register after each."""
        level = 0
        while True:
            stage = f"column_{index}_{level}"
            low, select = select[:2], select[2:]
            merged = []
            for start in range(0, len(columns), 4):
                choices = columns[start : start + 4]
                register = Signal(signed(self._config.accumulator_width), name=f"{stage}_{start // 4}", reset_less=True)
                value = choices[0]
                for position, choice in enumerate(choices[1:], start=1):
                    value = Mux(low == position, choice, value)
                m.d.sync += register.eq(value)
                merged.append(register)
            if len(merged) == 1:
                return merged[0]
            columns, level = merged, level + 1
            select = self._kept(m, f"near_select_{index}_{level}", select)

    def _walk(self, m: Module) -> tuple[Value, Value, Value]:
        """The loops of the drain: word, pixel, column tile, word group of each column phase, pixel tile of a strip;
        started by each `last` mark.

        Returns the word's turn, and a cycle later its marks and its address in the tables.
        """
        config, program = self._config, self.program
        running = Signal()
        fold_end = Signal()
        reload = program.changed(m)

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        word = loop("drain_word", lambda item: config.drain, running)
        pixel = loop("drain_pixel", lambda item: config.pixels, running & word.last)
        tile = loop("drain_tile", lambda item: item.tiles, fold_end)
        group = loop("drain_group", lambda item: item.out_groups, fold_end & tile.last)
        unit_end = fold_end & tile.last & group.last
        unit = loop("drain_unit", lambda item: item.strip_tiles(config.pixels), unit_end)
        with m.If(self.last):
            m.d.sync += running.eq(1)
        with m.Elif(fold_end):
            m.d.sync += running.eq(0)
        m.d.comb += [
            fold_end.eq(running & word.last & pixel.last),
            self.shift.eq(running & word.last & ~pixel.last),
        ]

        live_pixels = program.bound(lambda item: (item.strip_pixels - 1) % config.pixels + 1)
        live_words = program.bound(lambda item: item.group_out_words - (item.tiles - 1) * config.drain)
        pixel_live = ~unit.last | (pixel.count < live_pixels)
        word_live = ~tile.last | (word.count < live_words)
        if any(item.last_phases < item.column_phases for item in config.passes):
            last_groups = program.bound(lambda item: item.last_phases * item.groups)
            word_live &= ~(unit.last & (pixel.count + 1 == live_pixels)) | (group.count < last_groups)
        last_word = Mux(tile.last, word.count + 1 == live_words, word.last)
        marks = Signal(ResultMarks())
        m.d.comb += [
            marks.valid.eq(running & pixel_live & word_live),
            marks.pixel_done.eq(running & pixel_live & last_word & tile.last & group.last),
            marks.next_word.eq(running & ~word.last),
            marks.next_pixel.eq(running & word.last & ~pixel.last),
            marks.next_tile.eq(fold_end & ~tile.last),
            marks.next_group.eq(fold_end & tile.last & ~group.last),
            marks.next_unit.eq(unit_end),
        ]
        walked = Signal(ResultMarks())
        m.d.sync += walked.eq(marks)
        if not program.single:
            with m.If(unit_end & unit.last):
                m.d.sync += program.advance()
        return word.count, walked, self._table_address(m, walked, self._unit_table(m, unit_end, unit.last))

    def _unit_table(self, m: Module, unit_end: Value, strip_end: Value) -> Value:
        """Where the entries of the next unit begin: those of its row phase."""
        config, program = self._config, self.program
        if not program.phased:
            return program.bound(lambda item: item.table_base)
        item = program.first
        phase = Signal(range(max(2, item.row_phases)), name="drain_row_phase")
        strip = LoopCounter(m, "drain_strip", Const(item.strips), item.strips, unit_end & strip_end, Const(0, 1))
        with m.If(unit_end & strip_end):
            m.d.sync += phase.eq(Mux(strip.last | (phase == item.row_phases - 1), 0, phase + 1))
        words = item.folds * config.drain
        return program.phase_bound(lambda item, down, _: item.table_base + down * words, phase, Const(0, 1))

    def _table_address(self, m: Module, walked: ResultMarks, base: Value) -> Signal:
        """The place of the walk in the tables of the channels' entries."""
        config = self._config
        address = Signal(range(max(2, config.table_depth)), name="table_address", init=config.passes[0].table_base)
        fold = Signal.like(address, name="fold_table_address")
        with m.If(walked.next_word):
            m.d.sync += address.eq(address + 1)
        with m.If(walked.next_pixel):
            m.d.sync += address.eq(fold)
        with m.If(walked.next_tile | walked.next_group):
            m.d.sync += [address.eq(fold + config.drain), fold.eq(fold + config.drain)]
        with m.If(walked.next_unit):  # of the next layer, where it was the last unit of this one
            m.d.sync += [address.eq(base), fold.eq(base)]
        return address
