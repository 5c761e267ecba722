"""Weights enter the array at the top: one ROM for each cluster of columns, read as late as the cluster works."""

from amaranth.hdl import Cat, ClockSignal, Instance, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import ProgramCounter
from hwconv.plan.config import EngineConfig

ROM_LATENCY = 2


def rom_name(config: EngineConfig, cluster: int) -> str:
    """Module name of the weight ROM of one cluster."""
    return f"{config.name}_weights_{cluster}"


class WeightSupply(wiring.Component):
    """Reads a word of weights for each active step, in the order of the loop nest, and starts over with each pixel
    tile.

    Latency: ROM_LATENCY cycles from `active` to the weights of cluster 0; cluster `c` comes `c` cycles later.
    Throughput: a word a cycle. No back-pressure. All paths are cut by registers.

    Members
    -------
    active : In, a step multiplies
    o : Out, one lane a multiplier: a weight, or two in one number (see :mod:`hwconv.plan.formats`)
    """

    latency = ROM_LATENCY

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.program = ProgramCounter("weights", config.passes)
        lanes = data.ArrayLayout(signed(config.operands.lane_bits), config.weight_lanes)
        super().__init__({"active": In(1), "o": Out(lanes)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, program = self._config, self.program
        reload = program.changed(m)
        counter = program.loop(m, "weight", lambda item: item.folds * item.depth, self.active, reload)
        address = Signal(range(max(2, config.weight_depth)))
        if program.single:
            m.d.comb += address.eq(counter.count)
        else:
            base = program.bound(lambda item: item.weight_base)
            with m.If(self.active):
                m.d.sync += address.eq(Mux(counter.last, base, address + 1))
            with m.If(reload):
                m.d.sync += address.eq(base)
        for cluster in range(config.clusters):
            if cluster > 0:
                hop = Signal.like(address, name=f"address_{cluster}", reset_less=True)
                m.d.sync += hop.eq(address)
                address = hop
            weights = Signal(config.operands.lane_bits * config.cluster_lanes, name=f"weights_{cluster}")
            m.submodules[f"rom_{cluster}"] = Instance(
                rom_name(config, cluster), i_clk=ClockSignal(), i_addr=address, o_data=weights
            )
            first = cluster * config.cluster_lanes
            m.d.comb += Cat(*(self.o[first + index].as_unsigned() for index in range(config.cluster_lanes))).eq(weights)
        return m
