"""The processing element: one multiplier, one accumulator, one register of the drain chain."""

from amaranth.hdl import ClockSignal, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.config import OPERATIONS
from hwconv.plan.formats import OperandFormat

MULTIPLIER_LATENCY = 3
PRODUCT_LATENCY = MULTIPLIER_LATENCY + 1
"""Operands to the product at the accumulator. The last register is in the fabric: the multiplier may lie far away. A
multiplier of look-up tables (``hwconv_lut_mult``) takes as long, with registers between its adders."""


def check_accumulator(width: int, operands: OperandFormat) -> None:
    """Raises ValueError for an accumulator that is not wider than a product."""
    if width < operands.least_accumulator:
        raise ValueError(f"Expected accumulator_width of at least {operands.least_accumulator}, not {width!r}")


class ProcessingElement(wiring.Component):
    """Computes ``sum(activation * weight)`` over the steps between two `restart` marks.

    Latency: PRODUCT_LATENCY + 2 cycles from the operands of a sum's last step to `o_chain`. Throughput: one product a
    cycle, no gap between sums. There is no back-pressure: the element never stalls, and idle steps carry activation 0.
    All paths from input to output are cut by registers.

    Parameters
    ----------
    accumulator_width : int
        Bits of the sum; the plan proves that it cannot overflow.
    operands : OperandFormat
        Bits of activation and weight.
    in_luts : bool
        The multiplier is made of look-up tables and takes no hard one. All else stays, latency too.

    Members
    -------
    activation, weight : In, signed
    restart : In
        The sum is complete: hand it to the drain register, and start over with the product that comes now. It travels
        with the data, PRODUCT_LATENCY + 1 cycles behind the last step.
    drain : In
        Load the drain register: with the sum at `restart`, else with `i_chain`.
    i_chain, o_chain : In, Out, signed
        The drain chain, from the row below and to the row above.
    """

    latency = PRODUCT_LATENCY + 2

    def __init__(self, accumulator_width: int, operands: OperandFormat, *, in_luts: bool = False) -> None:
        check_accumulator(accumulator_width, operands)
        self._width, self._operands, self._in_luts = accumulator_width, operands, in_luts
        super().__init__(
            {
                "activation": In(signed(operands.activation_bits)),
                "weight": In(signed(operands.weight_bits)),
                "restart": In(1),
                "drain": In(1),
                "i_chain": In(signed(accumulator_width)),
                "o_chain": Out(signed(accumulator_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands = self._operands
        shape = signed(operands.product_bits)
        hard_product = Signal(shape)
        product = Signal(shape, reset_less=True)
        total = Signal(signed(self._width))
        result = Signal(signed(self._width), reset_less=True)
        m.submodules.multiplier = Instance(
            "hwconv_lut_mult" if self._in_luts else "hwconv_mult",
            p_A_WIDTH=operands.activation_bits,
            p_B_WIDTH=operands.weight_bits,
            i_clk=ClockSignal(),
            i_a=self.activation,
            i_b=self.weight,
            o_p=product if self._in_luts else hard_product,
        )
        m.submodules.accumulator = Instance(
            "hwconv_accumulate",
            p_WIDTH=self._width,
            p_PRODUCT_WIDTH=operands.product_bits,
            i_clk=ClockSignal(),
            i_restart=self.restart,
            i_product=product,
            o_sum=total,
        )
        m.d.comb += self.o_chain.eq(result)
        if not self._in_luts:
            m.d.sync += product.eq(hard_product)
        with m.If(self.drain):
            m.d.sync += result.eq(Mux(self.restart, total, self.i_chain))
        return m


class PoolingElement(wiring.Component):
    """Computes the sum of the activations between two `restart` marks, or the largest of them.

    Latency, throughput, back-pressure and paths are those of :class:`ProcessingElement`, whose place it takes: it has
    registers instead of a multiplier. Idle steps carry what changes nothing: 0, or the least there is.

    Parameters
    ----------
    accumulator_width : int
        Bits of the sum, more than an activation has; of the largest, at least as many.
    operation : str
        ``add`` or ``maximum``.
    activation_bits : int
        8 or 16.

    Members are those of :class:`ProcessingElement`, without a weight.
    """

    latency = ProcessingElement.latency

    def __init__(self, accumulator_width: int, operation: str, activation_bits: int = 8) -> None:
        if operation not in OPERATIONS[1:]:
            raise ValueError(f"Expected operation to be one of {OPERATIONS[1:]}, not {operation!r}")
        self._width, self._operation, self._bits = accumulator_width, operation, activation_bits
        super().__init__(
            {
                "activation": In(signed(activation_bits)),
                "restart": In(1),
                "drain": In(1),
                "i_chain": In(signed(accumulator_width)),
                "o_chain": Out(signed(accumulator_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operand: Value = self.activation
        for stage in range(PRODUCT_LATENCY):
            register = Signal(signed(self._bits), name=f"operand_{stage}", reset_less=True)
            m.d.sync += register.eq(operand)
            operand = register
        total = Signal(signed(self._width), reset_less=True)
        result = Signal(signed(self._width), reset_less=True)
        kept = Mux(operand > total, operand, total) if self._operation == "maximum" else total + operand
        m.d.sync += total.eq(Mux(self.restart, operand, kept))
        m.d.comb += self.o_chain.eq(result)
        with m.If(self.drain):
            m.d.sync += result.eq(Mux(self.restart, total, self.i_chain))
        return m
