"""One axis of a Winograd engine, from inputs to outputs: the blocks of the gateware, one channel."""

from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from prover import harness

from hwconv.gateware.winograd_array import WinogradElement
from hwconv.gateware.winograd_network import AdderNetwork, ExactDivision
from hwconv.plan.winograd_config import PRODUCT_LATENCY
from hwconv.plan.winograd_transforms import AxisTransform, inverse_steps, odd_part
from hwconv.resources import resource_path


def bits_of(low: int, high: int) -> int:
    return max((-low - 1).bit_length(), high.bit_length()) + 1


class WinogradUnit(wiring.Component):
    """``o_y = sum over k of w[k] * d[y + k]`` of inputs `d_0`, ... and transformed weights `u_0`, ...

    Sums and outputs are as narrow as the plan makes them for outputs of `output_bits`.
    """

    def __init__(self, axis: AxisTransform, input_bits: int, weight_bits: int, output_bits: int) -> None:
        self.axis = axis
        end = 1 << input_bits - 1
        self.widths = [
            [bits_of(*item) for item in level] for level in axis.input.ranges([(-end, end - 1)] * axis.inputs)
        ]
        self.zeros, odd = odd_part(axis.factor)
        self.sums = axis.output.modular_widths([output_bits + self.zeros] * axis.outputs)
        self.steps = inverse_steps(odd, output_bits)
        self.output_bits = output_bits
        reach = max(sum(abs(value) for value in row) for row in axis.kernel) << weight_bits - 1
        self.weight_bits = bits_of(-reach, reach)
        super().__init__(
            {
                **{f"d_{index}": In(signed(input_bits)) for index in range(axis.inputs)},
                **{f"u_{index}": In(signed(self.weight_bits)) for index in range(axis.inputs)},
                **{f"o_{index}": Out(signed(output_bits)) for index in range(axis.outputs)},
            }
        )

    @property
    def latency(self) -> int:
        network = self.axis.input.latency + self.axis.output.latency
        return network + PRODUCT_LATENCY + 2 + len(self.steps)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        axis = self.axis
        m.submodules.input = before = AdderNetwork(axis.input, self.widths)
        m.submodules.output = after = AdderNetwork(axis.output, self.sums)
        for index in range(axis.inputs):
            weight = getattr(self, f"u_{index}")
            for stage in range(axis.input.latency):
                register = Signal(signed(self.weight_bits), name=f"u_{index}_{stage}")
                m.d.sync += register.eq(weight)
                weight = register
            element = WinogradElement(
                self.widths[-1][index], self.weight_bits, self.sums[0][index], self.sums[0][index]
            )
            m.submodules[f"element_{index}"] = element
            m.d.comb += [
                before.inputs[index].eq(getattr(self, f"d_{index}")),
                element.activation.eq(before.results[index]),
                element.weight.eq(weight),
                element.restart.eq(1),
                element.capture.eq(1),
                after.inputs[index].eq(element.o_chain),
            ]
        for index in range(axis.outputs):
            division = ExactDivision(self.steps, self.output_bits)
            m.submodules[f"division_{index}"] = division
            m.d.comb += [
                division.i.eq(after.results[index][self.zeros :].as_signed()),
                getattr(self, f"o_{index}").eq(division.o),
            ]
        return m


def unit_files(unit: WinogradUnit) -> dict[str, str]:
    """The unit, the blocks it instantiates, and the harness with its transformed weights and its direct sums."""
    axis = unit.axis
    lines = [f"localparam LATENCY = {unit.latency};"]
    for index, row in enumerate(axis.kernel):
        terms = " + ".join(f"({value}) * w{tap}" for tap, value in enumerate(row) if value)
        lines.append(f"wire signed [{unit.weight_bits - 1}:0] u_{index} = {terms};")
    ports = [f".d_{index}(d[{index}*INPUT_BITS +: INPUT_BITS]), .u_{index}(u_{index})" for index in range(axis.inputs)]
    ports += [f".o_{index}(o[{index}*OUTPUT_BITS +: OUTPUT_BITS])" for index in range(axis.outputs)]
    lines.append(f"dut dut (.clk(clk), .rst(1'b0), {', '.join(ports)});")
    blocks = {
        name: resource_path(f"rtl/generic/{name}").read_text() for name in ("hwconv_mult.v", "hwconv_accumulate.v")
    }
    return {
        "dut.il": rtlil.convert(unit, name="dut", emit_src=False),
        **blocks,
        "winograd_unit.svh": "\n".join(lines) + "\n",
        **harness("winograd.sv"),
    }
