"""From memory words to array operands: a word of channels becomes one channel a cycle, or one operand a column."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.config import EngineConfig


class CornerTurn(wiring.Component):
    """Dense operand supply: loads a word of `word_channels` channels and streams it channel by channel, one lane a row.

    Lane `l` of every port loads in the cycle after `load` passed lane ``l - 1``; a lane has streamed its word when
    its next one comes, since a channel block has at least as many steps as a port has lanes. The skew between
    lanes is the array's skew between row groups. An exhausted lane streams 0, so an idle array adds nothing.

    Latency: 1 cycle from a word to its first channel. Throughput: one word a port and cycle. No back-pressure. All
    paths are cut by registers.

    Members
    -------
    words : In, one word a port, the lowest channel in its lowest bits
    inside : In, one bit a port
        The word is inside the frame; otherwise the lane loads zero points.
    zero_point : In, one activation
    load : In
        The words belong to lane 0; lane `l` loads `l` cycles later.
    o : Out, one activation a row, signed
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        bits = config.operands.activation_bits
        super().__init__(
            {
                "words": In(data.ArrayLayout(8 * config.word_bytes, config.ports)),
                "inside": In(config.ports),
                "zero_point": In(signed(bits)),
                "load": In(1),
                "o": Out(data.ArrayLayout(signed(bits), config.pixels)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, bits = self._config, self._config.operands.activation_bits
        token: Value = self.load
        for lane in range(config.lanes):
            for port in range(config.ports):
                row = lane * config.ports + port
                channels = [
                    Signal(bits, name=f"row_{row}_channel_{index}", reset_less=True)
                    for index in range(config.word_channels)
                ]
                for index, register in enumerate(channels):
                    following = channels[index + 1] if index + 1 < config.word_channels else 0
                    loaded = self.words[port][bits * index : bits * (index + 1)]
                    inside = Mux(self.inside[port], loaded, self.zero_point[0:bits])
                    m.d.sync += register.eq(Mux(token, inside, following))
                m.d.comb += self.o[row].eq(channels[0])
            if lane + 1 < config.lanes:
                passed = Signal(name=f"load_lane_{lane + 1}")
                m.d.sync += passed.eq(token)
                token = passed
        return m


SELECT_LANES = 8
"""Depthwise lanes that share a register of whether there is a word."""


class LaneSupply(wiring.Component):
    """Depthwise operand supply: every channel of a port's word is the operand of its own columns.

    Latency: 1 cycle from `words`, 2 from `inside` and `load`. Throughput: one word a port and cycle. No back-pressure.
    All paths are cut by registers. Outside of the frame and without `load` the operands are zero points: what a
    flip-flop is set and reset to costs no look-up table. An idle array adds nothing because its weights are 0 then.

    Members are those of :class:`CornerTurn`; `o` has an activation for each row and lane. `zero_point` is there where
    weights are loaded, and with several layers; elsewhere it is a constant. Where elements are counted, `present` tells
    of each row whether its operand is one of the frame's.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        bits = config.operands.activation_bits
        super().__init__(
            {
                "words": In(data.ArrayLayout(8 * config.word_bytes, config.ports)),
                "inside": In(config.ports),
                "load": In(1),
                **({"zero_point": In(signed(bits))} if config.variable_zero_point else {}),
                "o": Out(data.ArrayLayout(signed(bits), config.pixels * config.word_channels)),
                **({"present": Out(config.pixels)} if config.largest_count else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, bits = self._config, self._config.operands.activation_bits
        zero_point = config.passes[0].input_zero_point & ((1 << bits) - 1)
        for row in range(config.pixels):
            for channel in range(config.word_channels):
                if channel % SELECT_LANES == 0:
                    select = Signal(name=f"row_{row}_select_{channel}")
                    m.submodules[f"select_{row}_{channel}"] = Instance(
                        "hwconv_hop",
                        p_WIDTH=1,
                        i_clk=ClockSignal(),
                        i_d=self.load & self.inside[row],
                        o_q=select,
                    )
                lane = row * config.word_channels + channel
                register = Signal(bits, name=f"row_{row}_lane_{channel}", reset_less=True, init=zero_point)
                loaded = self.words[row][bits * channel : bits * (channel + 1)]
                outside = self.zero_point[0:bits] if config.variable_zero_point else zero_point
                m.d.sync += register.eq(Mux(select, loaded, outside))
                m.d.comb += self.o[lane].eq(Cat(register).as_signed())
                if config.largest_count and channel == 0:
                    m.d.sync += self.present[row].eq(select)
        return m
