"""From memory words to array operands: a word of channels becomes one channel a cycle, or one operand a column."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.config import EngineConfig


class CornerTurn(wiring.Component):
    """Dense operand supply: loads a word of `word_bytes` channels and streams it channel by channel, one lane a row.

    Lane `l` of every port loads in the cycle after `load` passed lane ``l - 1``; a lane has streamed its word when
    its next one comes, since a channel block has at least as many steps as a port has lanes. The skew between
    lanes is the array's skew between row groups. An exhausted lane streams 0, so an idle array adds nothing.

    Latency: 1 cycle from a word to its first channel. Throughput: one word a port and cycle. No back-pressure. All
    paths are cut by registers.

    Members
    -------
    words : In, one word a port, byte 0 the lowest channel
    inside : In, one bit a port
        The word is inside the frame; otherwise the lane loads zero points.
    zero_point : In, signed 8
    load : In
        The words belong to lane 0; lane `l` loads `l` cycles later.
    o : Out, one signed 8 a row
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "words": In(data.ArrayLayout(8 * config.word_bytes, config.ports)),
                "inside": In(config.ports),
                "zero_point": In(signed(8)),
                "load": In(1),
                "o": Out(data.ArrayLayout(signed(8), config.pixels)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        token: Value = self.load
        for lane in range(config.lanes):
            for port in range(config.ports):
                row = lane * config.ports + port
                channels = [
                    Signal(8, name=f"row_{row}_channel_{byte}", reset_less=True) for byte in range(config.word_bytes)
                ]
                for byte, register in enumerate(channels):
                    following = channels[byte + 1] if byte + 1 < config.word_bytes else 0
                    loaded = self.words[port][8 * byte : 8 * byte + 8]
                    inside = Mux(self.inside[port], loaded, self.zero_point[0:8])
                    m.d.sync += register.eq(Mux(token, inside, following))
                m.d.comb += self.o[row].eq(channels[0])
            if lane + 1 < config.lanes:
                passed = Signal(name=f"load_lane_{lane + 1}")
                m.d.sync += passed.eq(token)
                token = passed
        return m


SELECT_LANES = 8
"""Depthwise lanes that share a register of `inside` and `load`."""


class LaneSupply(wiring.Component):
    """Depthwise operand supply: every byte of a port's word is the operand of its own columns.

    Latency: 1 cycle from `words`, 2 from `inside` and `load`. Throughput: one word a port and cycle. No back-pressure.
    All paths are cut by registers. Without `load` the operands are 0, so an idle array adds nothing.

    Members are those of :class:`CornerTurn`; `o` has one signed 8 for each row and lane. Where elements are counted,
    `present` tells of each row whether its operand is one of the frame's.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "words": In(data.ArrayLayout(8 * config.word_bytes, config.ports)),
                "inside": In(config.ports),
                "zero_point": In(signed(8)),
                "load": In(1),
                "o": Out(data.ArrayLayout(signed(8), config.pixels * config.word_bytes)),
                **({"present": Out(config.pixels)} if config.largest_count else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for row in range(self._config.pixels):
            for byte in range(self._config.word_bytes):
                if byte % SELECT_LANES == 0:
                    select = Signal(2, name=f"row_{row}_select_{byte}")
                    m.submodules[f"select_{row}_{byte}"] = Instance(
                        "hwconv_hop",
                        p_WIDTH=2,
                        i_clk=ClockSignal(),
                        i_d=Cat(self.load, self.inside[row]),
                        o_q=select,
                    )
                lane = row * self._config.word_bytes + byte
                register = Signal(8, name=f"row_{row}_lane_{byte}", reset_less=True)
                loaded = self.words[row][8 * byte : 8 * byte + 8]
                with m.If(~select[0]):
                    m.d.sync += register.eq(self._config.idle_operand & 0xFF)
                with m.Else():
                    m.d.sync += register.eq(Mux(select[1], loaded, self.zero_point[0:8]))
                m.d.comb += self.o[lane].eq(Cat(register).as_signed())
                if self._config.largest_count and byte == 0:
                    m.d.sync += self.present[row].eq(select.all())
        return m
