"""Weights enter the array at the top: one memory for each cluster of columns, read as late as the cluster works."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import ProgramCounter
from hwconv.gateware.sequencer import row_phase_shape
from hwconv.plan.config import EngineConfig, PassConfig

ROM_LATENCY = 2


def rom_name(config: EngineConfig, cluster: int) -> str:
    """Module name of the weight ROM of one cluster."""
    return f"{config.name}_weights_{cluster}"


def _row_base(item: PassConfig, row_phase: int, _: int) -> int:
    """Where the weights of a row phase begin; anywhere in the ROM, where it has none."""
    return sum(item.row_weights(phase) for phase in range(row_phase)) % item.weight_words


def image_memory(width: int, depth: int, write: Value, address: Value, word: Value, read: Value, o: Signal) -> Instance:
    """A memory in place of a ROM, with the ROM's latency, written by a :class:`WeightLoader`.

    Parameters
    ----------
    write, address, word : the loader's
    read, o : address and word that a ROM would have
    """
    return Instance(
        "hwconv_ram",
        p_WIDTH=width,
        p_DEPTH=max(2, depth),
        i_clk=ClockSignal(),
        i_w_en=write,
        i_w_addr=address[: max(1, (depth - 1).bit_length())],
        i_w_data=word,
        i_r_addr=read,
        o_r_data=o,
    )


class WeightSupply(wiring.Component):
    """Reads a word of weights for each active step, in the order of the loop nest, and starts over with each pixel
    tile.

    Latency: `latency` cycles from `active` to the weights of cluster 0; cluster `c` comes `c` cycles later.
    Throughput: a word a cycle. No back-pressure. All paths are cut by registers. Depthwise: the last word of the ROM is
    read where no step is active, which is 0.

    Members
    -------
    active : In, a step multiplies
    start, row_phase : In, where a layer has several phases
        A tile begins in the next cycle, and its row phase, whose weights are read.
    write, write_address, write_words : In, where weights are loaded
        Those of a :class:`~hwconv.gateware.weight_loader.WeightLoader`, for the clusters.
    o : Out, one lane a multiplier: a weight, or two in one number (see :mod:`hwconv.plan.formats`)
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self.latency = ROM_LATENCY + (1 if config.depthwise else 0)
        self.program = ProgramCounter("weights", config.passes)
        lanes = data.ArrayLayout(signed(config.operands.lane_bits), config.weight_lanes)
        members = {"active": In(1), "o": Out(lanes)}
        if self.program.phased:
            members |= {"start": In(1), "row_phase": In(row_phase_shape(self.program))}
        if config.loading is not None:
            members |= {
                "write": In(config.clusters),
                "write_address": In(range(max(2, config.weight_depth))),
                "write_words": In(data.ArrayLayout(8 * config.cluster, config.clusters)),
            }
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, program = self._config, self.program
        reload = program.changed(m)
        address = Signal(range(max(2, config.weight_depth)))
        if program.phased:
            with m.If(self.active):  # and stay within the ROM while nothing is active
                m.d.sync += address.eq(Mux(address == program.first.weight_words - 1, 0, address + 1))
            with m.If(self.start):
                m.d.sync += address.eq(program.phase_bound(_row_base, self.row_phase, Const(0, 1)))
        elif program.single:
            counter = program.loop(m, "weight", lambda item: item.weight_words, self.active, reload)
            m.d.comb += address.eq(counter.count)
        else:
            counter = program.loop(m, "weight", lambda item: item.weight_words, self.active, reload)
            base = program.bound(lambda item: item.weight_base)
            with m.If(self.active):
                m.d.sync += address.eq(Mux(counter.last, base, address + 1))
            with m.If(reload):
                m.d.sync += address.eq(base)
        if config.depthwise:
            nothing = config.weight_depth - 1
            read = Signal.like(address, name="read_address", init=nothing)
            m.d.sync += read.eq(Mux(self.active, address, nothing))
            address = read
        for cluster in range(config.clusters):
            if cluster > 0:
                hop = Signal.like(address, name=f"address_{cluster}", reset_less=True)
                m.d.sync += hop.eq(address)
                address = hop
            bits = config.operands.lane_bits * config.cluster_lanes
            weights = Signal(bits, name=f"weights_{cluster}")
            if config.loading is None:
                m.submodules[f"rom_{cluster}"] = Instance(
                    rom_name(config, cluster), i_clk=ClockSignal(), i_addr=address, o_data=weights
                )
            else:
                m.submodules[f"ram_{cluster}"] = image_memory(
                    bits,
                    config.weight_depth,
                    self.write[cluster],
                    self.write_address,
                    self.write_words[cluster],
                    address,
                    weights,
                )
            first = cluster * config.cluster_lanes
            m.d.comb += Cat(*(self.o[first + index].as_unsigned() for index in range(config.cluster_lanes))).eq(weights)
        return m
