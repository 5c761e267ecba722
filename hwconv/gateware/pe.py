"""The processing element: one multiplier, one accumulator, one register of the drain chain."""

from amaranth.hdl import ClockSignal, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

MULTIPLIER_LATENCY = 3


class ProcessingElement(wiring.Component):
    """Computes ``sum(activation * weight)`` over the steps between two `last` marks.

    Latency: MULTIPLIER_LATENCY + 1 cycles from the operands of the step marked `last` to `o_chain`. Throughput: one
    product a cycle, no gap between sums. There is no back-pressure: the element never stalls, and idle steps carry
    activation 0. All paths from input to output are cut by registers.

    Parameters
    ----------
    accumulator_width : int
        Bits of the sum; the plan proves that it cannot overflow.

    Members
    -------
    activation, weight : In, signed 8
    last : In
        The product that leaves the multiplier now is the last of its sum: hand the sum to the drain register and start over
        from 0. It travels with the data, MULTIPLIER_LATENCY cycles behind.
    drain : In
        Load the drain register: with the sum at `last`, else with `i_chain`.
    i_chain, o_chain : In, Out, signed
        The drain chain, from the row below and to the row above.
    """

    def __init__(self, accumulator_width: int) -> None:
        if accumulator_width < 16:
            raise ValueError(f"Expected accumulator_width of at least 16, not {accumulator_width!r}")
        self._width = accumulator_width
        super().__init__(
            {
                "activation": In(signed(8)),
                "weight": In(signed(8)),
                "last": In(1),
                "drain": In(1),
                "i_chain": In(signed(accumulator_width)),
                "o_chain": Out(signed(accumulator_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = Signal(signed(16))
        m.submodules.multiplier = Instance(
            "hwconv_mult",
            p_A_WIDTH=8,
            p_B_WIDTH=8,
            i_clk=ClockSignal(),
            i_a=self.activation,
            i_b=self.weight,
            o_p=product,
        )
        accumulator = Signal(signed(self._width), reset_less=True)
        total = Signal(signed(self._width))
        result = Signal(signed(self._width), reset_less=True)
        m.d.comb += [total.eq(accumulator + product), self.o_chain.eq(result)]
        m.d.sync += accumulator.eq(total)
        with m.If(self.last):
            m.d.sync += accumulator.eq(0)
        with m.If(self.drain):
            m.d.sync += result.eq(self.i_chain)
            with m.If(self.last):
                m.d.sync += result.eq(total)
        return m
