"""Two processing elements with one multiplier: a hard multiplier is wide enough for two products of short weights."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.pe import ProcessingElement, check_accumulator
from hwconv.plan.formats import OperandFormat


class PackedElement(wiring.Component):
    """Computes ``sum(activation * low)`` and ``sum(activation * high)`` over the steps between two `restart` marks.

    One multiplication gives ``activation * (high * 2**shift + low)``. The lower product is its `shift` lowest bits,
    signed; where it is negative, it has borrowed one from the upper bits, which they get back on their way to the
    accumulator. All else is that of two :class:`~hwconv.gateware.pe.ProcessingElement`, latency and throughput too.

    Parameters
    ----------
    accumulator_width : int
        Bits of each sum; the plan proves that it cannot overflow.
    operands : OperandFormat
        Bits of activation and weight, and the shift.

    Members
    -------
    activation : In, signed
    weights : In, signed ``2 * weight_bits + 1``
        ``high * 2**weight_bits + low``: the borrow of a negative `low` is in the upper part already.
    restart, drain : In
        As in a processing element.
    i_chain, o_chain : In, Out, two signed
        The drain chains of both, the lower product's first.
    """

    latency = ProcessingElement.latency

    def __init__(self, accumulator_width: int, operands: OperandFormat) -> None:
        check_accumulator(accumulator_width, operands)
        if not operands.pair_shift:
            raise ValueError("Expected operands with a pair_shift")
        self._width, self._operands = accumulator_width, operands
        chain = data.ArrayLayout(signed(accumulator_width), 2)
        super().__init__(
            {
                "activation": In(signed(operands.activation_bits)),
                "weights": In(signed(operands.lane_bits)),
                "restart": In(1),
                "drain": In(1),
                "i_chain": In(chain),
                "o_chain": Out(chain),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands, bits, shift = self._operands, self._operands.weight_bits, self._operands.pair_shift
        sign = self.weights[bits - 1]
        both = Cat(self.weights[:bits], sign.replicate(shift - bits), self.weights[bits:])
        hard_product = Signal(signed(len(both) + operands.activation_bits))
        m.submodules.multiplier = Instance(
            "hwconv_mult",
            p_A_WIDTH=operands.activation_bits,
            p_B_WIDTH=len(both),
            i_clk=ClockSignal(),
            i_a=self.activation,
            i_b=both,
            o_p=hard_product,
        )
        upper = hard_product[shift:] + hard_product[shift - 1]
        for index, (name, part) in enumerate((("low", hard_product[:shift].as_signed()), ("high", upper.as_signed()))):
            product = Signal(signed(operands.product_bits), name=f"product_{name}", reset_less=True)
            total = Signal(signed(self._width), name=f"total_{name}")
            result = Signal(signed(self._width), name=f"result_{name}", reset_less=True)
            m.submodules[f"accumulator_{name}"] = Instance(
                "hwconv_accumulate",
                p_WIDTH=self._width,
                p_PRODUCT_WIDTH=operands.product_bits,
                i_clk=ClockSignal(),
                i_restart=self.restart,
                i_product=product,
                o_sum=total,
            )
            m.d.comb += self.o_chain[index].eq(result)
            m.d.sync += product.eq(part)
            with m.If(self.drain):
                m.d.sync += result.eq(Mux(self.restart, total, self.i_chain[index]))
        return m
