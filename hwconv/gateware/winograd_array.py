"""The array of a Winograd engine: every position of a tile has its own multiplier and its own sum."""

from itertools import pairwise

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, delayed, hop
from hwconv.gateware.winograd_transform import READ_LATENCY
from hwconv.plan.winograd_config import PRODUCT_LATENCY, TILE_SLOTS, WinogradConfig

MARK_LOADS = 2
"""Elements that share a register of marks: each mark has some 60 loads in an element."""
MARK_HOPS = 2
"""Registers of the marks on their way to the elements: one for each chain, one for a few elements."""
OPERAND_LATENCY = READ_LATENCY + 1
"""A step of the walk to its operands' registers."""
ARRAY_LATENCY = OPERAND_LATENCY + PRODUCT_LATENCY + 1 - MARK_HOPS
"""A step of the walk to its operands' registers, to its product, to the sum, as early as the marks set out."""


def weight_rom_name(config: WinogradConfig, column: int) -> str:
    """Module name of the ROM with the weights of one column of the slice."""
    return f"{config.name}_weights_{column}"


class TileWalk(wiring.Component):
    """Walks the products of a tile, one step a cycle: group, column tile, turn, channel.

    Members
    -------
    begin : In, a tile is transformed; the walk begins in the next cycle. Its successor comes `tile_cycles` later at the
        earliest
    active : Out, this step multiplies. `first`, `last`: of its turn. `last_turn`: it belongs to the last turn
    turn : Out
    address : Out, of the step's channel in the memory of transformed tiles
    weight : Out, address in the weight ROMs
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        super().__init__(
            {
                "begin": In(1),
                "active": Out(1),
                "first": Out(1),
                "last": Out(1),
                "last_turn": Out(1),
                "turn": Out(range(max(2, config.turns))),
                "address": Out(unsigned((TILE_SLOTS * config.channels - 1).bit_length())),
                "weight": Out(range(max(2, config.weight_depth))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, item = self._config, self._config.passes[0]
        depth, channels = TILE_SLOTS * config.channels, config.group_channels
        never = Const(0, 1)
        running = Signal()
        turn_end = Signal()

        def loop(name: str, turns: int, advance: Value) -> LoopCounter:
            return LoopCounter(m, name, Const(turns), turns, advance, never)

        step = loop("step", config.turn_cycles, running)
        turn = loop("turn", config.turns, turn_end)
        tile = loop("column_tile", item.tiles, turn_end & turn.last)
        group = loop("group", item.groups, turn_end & turn.last & tile.last)
        weight = loop("weight", config.weight_depth, self.active)
        m.d.comb += [
            turn_end.eq(running & step.last),
            self.active.eq(running & (step.count < channels)),
            self.first.eq(running & (step.count == 0)),
            self.last.eq(running & (step.count == channels - 1)),
            self.last_turn.eq(turn.last),
            self.turn.eq(turn.count),
            self.weight.eq(weight.count),
        ]
        with m.If(self.begin):
            m.d.sync += running.eq(1)
        with m.Elif(turn_end & turn.last & tile.last & group.last):
            m.d.sync += running.eq(0)
        start = Signal.like(self.address, name="group_start")
        following = Signal.like(self.address)
        m.d.comb += following.eq(Mux(self.address == depth - 1, 0, self.address + 1))
        with m.If(self.active):
            m.d.sync += self.address.eq(following)
        with m.If(self.last):
            with m.If(turn.last & tile.last):
                m.d.sync += start.eq(following)
            with m.Else():
                m.d.sync += self.address.eq(start)
        return m


class WinogradElement(wiring.Component):
    """One multiplier, one accumulator modulo two to its width, one register of the drain chain.

    Latency: PRODUCT_LATENCY cycles from the operands to the product at the accumulator, 2 more to `o_chain`.
    Throughput: a product a cycle, no gap between sums. All paths are cut by registers.

    Members
    -------
    activation, weight : In, signed
    restart : In, the product that comes now is the first of its sum
    capture : In, the sum is complete: hand it to the drain register. It comes in the cycle of `restart` at the earliest
    shift : In, the drain register takes `i_chain`
    i_chain, o_chain : In, Out, signed
    """

    def __init__(self, activation_bits: int, weight_bits: int, sum_bits: int, chain_bits: int) -> None:
        self._product_bits = min(activation_bits + weight_bits, sum_bits)
        self._widths = activation_bits, weight_bits
        # A product as wide as its sum would be extended by nothing.
        self._sum_bits = max(sum_bits, self._product_bits + 1)
        self._kept_bits = sum_bits
        super().__init__(
            {
                "activation": In(signed(activation_bits)),
                "weight": In(signed(weight_bits)),
                "restart": In(1),
                "capture": In(1),
                "shift": In(1),
                "i_chain": In(signed(chain_bits)),
                "o_chain": Out(signed(chain_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        hard_product = Signal(signed(sum(self._widths)))
        product = Signal(signed(self._product_bits), reset_less=True)
        total = Signal(signed(self._sum_bits))
        result = Signal.like(self.o_chain, reset_less=True)
        m.submodules.multiplier = Instance(
            "hwconv_mult",
            p_A_WIDTH=self._widths[0],
            p_B_WIDTH=self._widths[1],
            i_clk=ClockSignal(),
            i_a=self.activation,
            i_b=self.weight,
            o_p=hard_product,
        )
        m.submodules.accumulator = Instance(
            "hwconv_accumulate",
            p_WIDTH=self._sum_bits,
            p_PRODUCT_WIDTH=self._product_bits,
            i_clk=ClockSignal(),
            i_restart=self.restart,
            i_product=product,
            o_sum=total,
        )
        m.d.comb += self.o_chain.eq(result)
        m.d.sync += product.eq(hard_product)
        with m.If(self.capture | self.shift):
            m.d.sync += result.eq(Mux(self.capture, total[: self._kept_bits].as_signed(), self.i_chain))
        return m


class WinogradArray(wiring.Component):
    """``sum[position, column] = sum over channels of V[position, channel] * U[position, channel, column]``.

    An element multiplies one position of the slice of one output channel. Sums leave through chains, one for each row
    of a tile and each of `drain_columns` columns: output channel after output channel, column after column. Element
    ``pe_chain_c_k`` is number `k` from the end that gives the sums out of the chain of ``o_c``.

    Latency: ARRAY_LATENCY cycles from the last step of a turn to `captured`; its sums are in `o` MARK_HOPS + 1 cycles
    later. Throughput: a turn every `turn_cycles`. It never stalls. All paths are cut by registers.

    Members
    -------
    first, last, turn, weight : In, of :class:`TileWalk`
    v_0, ... : In, transformed positions, row by row, READ_LATENCY cycles after their address
    shift : In, the chains move, MARK_HOPS cycles later
    captured : Out, the sums of a turn are in the chains MARK_HOPS + 1 cycles later
    o_0, ... : Out, ``chain * n + row``
    """

    def __init__(self, config: WinogradConfig) -> None:
        self._config = config
        widths = [bits for row in config.operand_widths for bits in row]
        super().__init__(
            {
                **{name: In(1) for name in ("first", "last", "shift")},
                "turn": In(range(max(2, config.turns))),
                "weight": In(range(max(2, config.weight_depth))),
                **{f"v_{index}": In(signed(bits)) for index, bits in enumerate(widths)},
                "captured": Out(1),
                **{
                    f"o_{chain * config.vertical.inputs + row}": Out(signed(chain_bits(config, row, chain)))
                    for chain in range(config.drain_columns)
                    for row in range(config.vertical.inputs)
                },
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        n = config.vertical.inputs
        operands = self._operands(m)
        weights = self._weights(m)
        # All elements see the same marks in the same cycle: from one register they would cross the die.
        first = delayed(m, "first", self.first, OPERAND_LATENCY + PRODUCT_LATENCY - MARK_HOPS)
        last = delayed(m, "last", self.last, ARRAY_LATENCY)
        m.d.comb += self.captured.eq(last)
        marks = Cat(first, last, self.shift)
        for chain in range(config.drain_columns):
            for row in range(n):
                number = chain * n + row
                elements = self._chain(m, chain, row, hop(m, f"chain_{number}", marks), operands, weights)
                m.d.comb += getattr(self, f"o_{number}").eq(elements[0].o_chain)
                for element, following in pairwise(elements):
                    m.d.comb += element.i_chain.eq(following.o_chain)
        return m

    def _chain(
        self, m: Module, chain: int, row: int, marks: Signal, operands: list[Signal], weights: list[list[Value]]
    ) -> list[WinogradElement]:
        """The elements of a chain, in the order in which their sums leave it: for each output channel its columns."""
        config = self._config
        number = chain * config.vertical.inputs + row
        places = [
            (column, slice_column)
            for column in range(config.columns)
            for slice_column in range(chain, config.slice_columns, config.drain_columns)
        ]
        elements = []
        for index, (column, slice_column) in enumerate(places):
            if index % MARK_LOADS == 0:
                near = hop(m, f"{number}_{index}", marks)
            operand = operands[slice_column * config.vertical.inputs + row]
            weight = weights[config.weight_slot(row, slice_column)][column]
            bits = max(config.sum_bits(row, each) for each in config.columns_of(slice_column, config.slice_columns))
            element = WinogradElement(len(operand), len(weight), bits, chain_bits(config, row, chain))
            m.submodules[f"pe_chain_{number}_{index}"] = element
            m.d.comb += [
                element.activation.eq(operand),
                element.weight.eq(weight),
                element.restart.eq(near[0]),
                element.capture.eq(near[1]),
                element.shift.eq(near[2]),
            ]
            elements.append(element)
        return elements

    def _operands(self, m: Module) -> list[Signal]:
        """The positions of this turn, in registers near the elements; the memory's outputs have one load each."""
        config = self._config
        width = config.horizontal.inputs
        turn = delayed(m, "operand_turn", self.turn, READ_LATENCY, reset=False)
        found = []
        for row in range(config.rows):
            place, column_of_slice = row % config.vertical.inputs, row // config.vertical.inputs
            columns = [number * config.slice_columns + column_of_slice for number in range(config.turns)]
            choices = [getattr(self, f"v_{place * width + column}") for column in columns]
            bits = max(len(choice) for choice in choices)
            register = Signal(signed(bits), name=f"operand_{row}", reset_less=True)
            value: Value = choices[0]
            for number, choice in enumerate(choices[1:], start=1):
                value = Mux(turn == number, choice, value)
            m.d.sync += register.eq(value)
            found.append(register)
        return found

    def _weights(self, m: Module) -> list[list[Value]]:
        """The weights of every slot, one a column, in step with the operands: each in a register, halfway there."""
        config = self._config
        found: list[list[Value]] = []
        for column, slots in enumerate(config.weight_roms):
            address = hop(m, f"weights_{column}", self.weight)
            word = Signal(config.columns * sum(config.weight_widths[slot] for slot in slots), name=f"weights_{column}")
            m.submodules[f"rom_{column}"] = Instance(
                weight_rom_name(config, column), i_clk=ClockSignal(), i_addr=address, o_data=word
            )
            start = 0
            for slot in slots:
                bits, channels = config.weight_widths[slot], []
                for index in range(config.columns):
                    register = Signal(signed(bits), name=f"weight_{slot}_{index}", reset_less=True)
                    m.d.sync += register.eq(word[start : start + bits].as_signed())
                    channels.append(register)
                    start += bits
                found.append(channels)
        return found


def chain_bits(config: WinogradConfig, row: int, chain: int) -> int:
    """Bits of a drain chain: of the widest sum that passes."""
    return max(config.sum_bits(row, column) for column in config.columns_of(chain, config.drain_columns))
