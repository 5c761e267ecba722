"""The array: rows are output pixels, columns are output channels, sums stay where they are made."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.pe import PRODUCT_LATENCY, PoolingElement, ProcessingElement
from hwconv.plan.config import EngineConfig

MARK_LOADS = 4
"""Elements of a row that share a register of marks: each mark has some 40 loads in an element."""


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
    activations : In, one signed 8 a row (dense) or one a row and lane (depthwise)
    weights : In, one signed 8 a column; cluster `c` comes `c` cycles late
    last, drain : In
        Marks of row 0, cluster 0, aligned with the operands.
    o : Out, signed, one a column: the drain registers of row 0
    present, o_count : In, Out, where elements are counted
        Whether each row's operands are the frame's, and how many were in the pixel that row 0 shows.
    """

    latency = ProcessingElement.latency

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        per_row = config.word_bytes if config.depthwise else 1
        super().__init__(
            {
                "activations": In(data.ArrayLayout(signed(8), config.pixels * per_row)),
                "weights": In(data.ArrayLayout(signed(8), config.columns)),
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
        weights: list = [self.weights[column] for column in range(config.columns)]
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
                columns = range(cluster * config.cluster, (cluster + 1) * config.cluster)
                for index, column in enumerate(columns):
                    # One register of marks for each few elements, also where many take the same step.
                    if index % MARK_LOADS == 0:
                        near = self._mark_hop(m, f"mark_{row}_{column}", marks)
                    if config.depthwise:
                        lane = row * config.word_bytes + config.column_channel(column) // config.lanes_per_channel
                        operand = self.activations[lane]
                    else:
                        operand = activation[0]
                    pe: ProcessingElement | PoolingElement
                    if config.operation == "multiply":
                        pe = ProcessingElement(width)
                        m.d.comb += pe.weight.eq(weights[column])
                    else:
                        pe = PoolingElement(width, config.operation)
                    m.submodules[f"pe_{row}_{column}"] = pe
                    m.d.comb += [
                        pe.activation.eq(operand),
                        pe.restart.eq(near[0]),
                        pe.drain.eq(near[1]),
                        chain[row][column].eq(pe.o_chain),
                    ]
                    if row + 1 < config.pixels:
                        m.d.comb += pe.i_chain.eq(chain[row + 1][column])
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
        registers = [Signal(signed(8), name=f"{name}_{index}", reset_less=True) for index in range(len(values))]
        m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
        return registers
