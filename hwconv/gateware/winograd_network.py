"""Linear transforms as networks of adders, and division of what is known to be a multiple."""

from collections.abc import Sequence

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.winograd_transforms import Network, Node


class AdderNetwork(wiring.Component):
    """``o = matrix @ i``, the matrix being that of a network; each node modulo two to its width.

    Latency: `latency` cycles, one a level. Throughput: one vector a cycle. No back-pressure. All paths are cut by
    registers, unless the network has no levels.

    Parameters
    ----------
    network : Network
    widths : list
        Bits of the inputs, then of the nodes of each level.

    Members
    -------
    i_0, ..., o_0, ... : In, Out, signed
    """

    def __init__(self, network: Network, widths: Sequence[Sequence[int]]) -> None:
        if len(widths) != network.latency + 1:
            raise ValueError(f"Expected widths of {network.latency + 1} levels, not {len(widths)}")
        self._network, self._widths = network, widths
        super().__init__(
            {
                **{f"i_{index}": In(signed(bits)) for index, bits in enumerate(widths[0])},
                **{f"o_{index}": Out(signed(bits)) for index, bits in enumerate(widths[-1])},
            }
        )

    @property
    def latency(self) -> int:
        return self._network.latency

    @property
    def inputs(self) -> list[Signal]:
        return [getattr(self, f"i_{index}") for index in range(self._network.inputs)]

    @property
    def results(self) -> list[Signal]:
        return [getattr(self, f"o_{index}") for index in range(self._network.outputs)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values: list = self.inputs
        for number, (level, widths) in enumerate(zip(self._network.levels, self._widths[1:], strict=True)):
            registers = [
                Signal(signed(bits), name=f"level_{number}_{index}", reset_less=True)
                for index, bits in enumerate(widths)
            ]
            for register, node in zip(registers, level, strict=True):
                m.d.sync += register.eq(_sum(values, node))
            values = registers
        m.d.comb += [output.eq(value) for output, value in zip(self.results, values, strict=True)]
        return m


class ExactDivision(wiring.Component):
    """``o = i / odd`` of a multiple of an odd number, modulo two to the width: a product with the inverse, by adders.

    Latency: one cycle a step. Throughput: one value a cycle. No back-pressure. All paths are cut by registers, unless
    there are no steps.

    Parameters
    ----------
    steps : list
        Of :func:`~hwconv.plan.winograd_transforms.inverse_steps`.
    width : int

    Members
    -------
    i, o : In, Out, signed
    """

    def __init__(self, steps: Sequence[tuple[int, int]], width: int) -> None:
        self._steps, self._width = steps, width
        super().__init__({"i": In(signed(width)), "o": Out(signed(width))})

    @property
    def latency(self) -> int:
        return len(self._steps)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value: Value = self.i
        for number, (sign, shift) in enumerate(self._steps):
            quotient = Signal(signed(self._width), name=f"quotient_{number}", reset_less=True)
            m.d.sync += quotient.eq(value - (value << shift) if sign < 0 else value + (value << shift))
            value = quotient
        m.d.comb += self.o.eq(value)
        return m


def _sum(values: Sequence[Value], node: Node) -> Value:
    """One or two terms; at least one of them is added."""
    terms = sorted(node, key=lambda term: term[1] < 0)
    shifted = [values[source] << abs(factor).bit_length() - 1 for source, factor in terms]
    if len(terms) == 1:
        return shifted[0]
    return shifted[0] - shifted[1] if terms[1][1] < 0 else shifted[0] + shifted[1]
