"""The array: rows are output pixels, columns are output channels, sums stay where they are made."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.packed_pe import PackedElement
from hwconv.gateware.pe import PRODUCT_LATENCY, PoolingElement, ProcessingElement
from hwconv.plan.config import EngineConfig

MARK_LOADS = 4
"""Columns of a row that share a register of marks: each mark has some 40 loads in an element."""


class SystolicArray(wiring.Component):
    """``result[row, column] = sum over steps of activation[row, step] * weight[step, column]``.

    Dense: activations enter at the left and move right, one cluster of columns a cycle; weights enter at the top
    and move down, one row group (`ports` rows) a cycle; the marks travel with the activations. Depthwise: every
    column takes its own lane of the row's word, all columns in the same cycle.

    Operands of row group `l` and cluster `c` belong to the step whose first operands came ``l + c`` cycles ago. Results
    wait in the drain registers and move up one row with each `drain` mark, so row 0 shows pixel after pixel.

    Latency: `latency` cycles from the operands of a fold's last step in row 0, cluster 0 to its result in `o`. The
    array never stalls. All paths are cut by registers.

    Members
    -------
    activations : In, one a row (dense) or one a row and lane (depthwise), signed
    weights : In, one lane a multiplier of a row (a weight, or two that share it); cluster `c` comes `c` cycles late
    last, drain : In
        Marks of row 0, cluster 0, aligned with the operands.
    o : Out, signed, one a column: the drain registers of row 0
    present, o_count : In, Out, where elements are counted
        Whether each row's operands are the frame's, and how many were in the pixel that row 0 shows.
    """

    latency = ProcessingElement.latency

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        operands = config.operands
        per_row = config.word_channels if config.depthwise else 1
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(operands.activation_bits), config.pixels * per_row)),
                "weights": In(data.ArrayLayout(signed(operands.lane_bits), config.weight_lanes)),
                "last": In(1),
                "drain": In(1),
                "o": Out(data.ArrayLayout(signed(config.accumulator_width), config.columns)),
                **(
                    {"present": In(config.pixels), "o_count": Out(range(config.largest_count + 1))}
                    if config.largest_count
                    else {}
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        width = config.accumulator_width
        chain = [
            [Signal(signed(width), name=f"chain_{row}_{column}") for column in range(config.columns)]
            for row in range(config.pixels)
        ]
        weights: list = [self.weights[lane] for lane in range(config.weight_lanes)]
        row_marks = self._marks(m)
        for row in range(config.pixels):
            group, first_of_group = divmod(row, config.ports)
            if group > 0 and first_of_group == 0:
                weights = self._hop(m, f"weight_{group}", weights)
            activation = [self.activations[row]] if not config.depthwise else []
            marks = row_marks[group]
            for cluster in range(config.clusters):
                if cluster > 0:
                    activation = self._hop(m, f"activation_{row}_{cluster}", activation)
                lanes = range(cluster * config.cluster_lanes, (cluster + 1) * config.cluster_lanes)
                for index, lane in enumerate(lanes):
                    # One register of marks for each few elements, also where many take the same step.
                    if index * config.operands.products % MARK_LOADS == 0:
                        near = self._mark_hop(m, f"mark_{row}_{lane}", marks)
                    columns = config.lane_columns(lane)
                    if config.depthwise:
                        channel = config.column_channel(columns[0]) // config.lanes_per_channel
                        operand = self.activations[row * config.word_channels + channel]
                    else:
                        operand = activation[0]
                    after = chain[row + 1] if row + 1 < config.pixels else []
                    build = self._lut_elements if config.in_luts(row, lane) else self._element
                    build(m, f"{row}_{lane}", operand, weights[lane], near, columns, chain[row], after)
                marks = near
        m.d.comb += [self.o[column].eq(chain[0][column]) for column in range(config.columns)]
        if config.largest_count:
            self._count(m, row_marks[0])
        return m

    def _count(self, m: Module, marks: Value) -> None:
        """A column beside the others that adds up how many of each pixel's operands are the frame's."""
        below: Value | None = None
        for row in reversed(range(self._config.pixels)):
            near = self._mark_hop(m, f"mark_{row}_count", marks)
            counter = PoolingElement(len(self.o_count) + 1, "add")
            m.submodules[f"count_{row}"] = counter
            m.d.comb += [
                counter.activation.eq(self.present[row]),
                counter.restart.eq(near[0]),
                counter.drain.eq(near[1]),
            ]
            if below is not None:
                m.d.comb += counter.i_chain.eq(below)
            below = counter.o_chain
        m.d.comb += self.o_count.eq(below)

    def _element(
        self,
        m: Module,
        place: str,
        activation: Value,
        weight: Value,
        marks: Value,
        columns: tuple[int, ...],
        chain: list[Signal],
        after: list[Signal],
    ) -> None:
        """A multiplier and its accumulators; `chain` are its row's drain registers, `after` those of the next row."""
        config = self._config
        if len(columns) == 1:
            self._single(m, f"pe_{place}", activation, weight, marks, columns[0], chain, after)
            return
        pair = PackedElement(config.accumulator_width, config.operands)
        m.submodules[f"pair_{place}"] = pair
        m.d.comb += [
            pair.activation.eq(activation),
            pair.weights.eq(weight),
            pair.restart.eq(marks[0]),
            pair.drain.eq(marks[1]),
        ]
        for index, column in enumerate(columns):
            m.d.comb += chain[column].eq(pair.o_chain[index])
            if after:
                m.d.comb += pair.i_chain[index].eq(after[column])

    def _lut_elements(
        self,
        m: Module,
        place: str,
        activation: Value,
        weight: Value,
        marks: Value,
        columns: tuple[int, ...],
        chain: list[Signal],
        after: list[Signal],
    ) -> None:
        """The same without a hard multiplier. Two short weights gain nothing from sharing one of look-up tables."""
        if len(columns) == 1:
            self._single(m, f"lut_pe_{place}", activation, weight, marks, columns[0], chain, after, in_luts=True)
            return
        bits = self._config.operands.weight_bits
        # The upper weight gets back what a negative lower one has borrowed.
        low, high = weight[:bits].as_signed(), (weight[bits:] + weight[bits - 1])[:bits].as_signed()
        for column, name, alone in zip(columns, ("low", "high"), (low, high), strict=True):
            self._single(m, f"lut_pe_{place}_{name}", activation, alone, marks, column, chain, after, in_luts=True)

    def _single(
        self,
        m: Module,
        name: str,
        activation: Value,
        weight: Value,
        marks: Value,
        column: int,
        chain: list[Signal],
        after: list[Signal],
        *,
        in_luts: bool = False,
    ) -> None:
        """A multiplier with one accumulator."""
        config = self._config
        pe: ProcessingElement | PoolingElement
        if config.operation == "multiply":
            pe = ProcessingElement(config.accumulator_width, config.operands, in_luts=in_luts)
            m.d.comb += pe.weight.eq(weight)
        else:
            pe = PoolingElement(config.accumulator_width, config.operation, config.operands.activation_bits)
        m.submodules[name] = pe
        m.d.comb += [
            pe.activation.eq(activation),
            pe.restart.eq(marks[0]),
            pe.drain.eq(marks[1]),
            chain[column].eq(pe.o_chain),
        ]
        if after:
            m.d.comb += pe.i_chain.eq(after[column])

    def _marks(self, m: Module) -> list[Signal]:
        """The marks of each row group, a cycle before its first cluster takes them."""
        marks = Cat(self.last, self.drain | self.last)
        for stage in range(PRODUCT_LATENCY):
            register = Signal(2, name=f"mark_behind_{stage}", reset_less=True)
            m.d.sync += register.eq(marks)
            marks = register
        groups = [marks]
        for group in range(1, self._config.lanes):
            groups.append(self._mark_hop(m, f"mark_group_{group}", groups[-1]))
        return groups

    @staticmethod
    def _mark_hop(m: Module, name: str, marks: Value) -> Signal:
        """A hop of both marks in registers of their own: all elements of a diagonal have equal ones."""
        hop = Signal(2, name=name)
        m.submodules[name] = Instance("hwconv_hop", p_WIDTH=2, i_clk=ClockSignal(), i_d=marks, o_q=hop)
        return hop

    @staticmethod
    def _hop(m: Module, name: str, values: list) -> list:
        registers = [
            Signal(value.shape(), name=f"{name}_{index}", reset_less=True) for index, value in enumerate(values)
        ]
        m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
        return registers
