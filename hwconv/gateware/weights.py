"""Weights enter the array at the top: one memory for each cluster of columns, read as late as the cluster works."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter, PassValue, ProgramCounter, delayed, range_shape
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

    Of layers with several groups in a word (`PassConfig.word_groups`), the weights of a channel block are read once for
    each group, and columns of other groups take 0.

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
        self.program = ProgramCounter("weights", config.passes)
        self.latency = ROM_LATENCY + int(config.depthwise) + int(not self.program.single)
        # How the layers share the columns out among the groups of a word; () where all columns work in all steps.
        self._sharings = list(dict.fromkeys([(), *(config.column_groups(item) for item in config.passes)]))
        self._group_bits = range_shape(0, max(item.word_groups for item in config.passes) - 1).width
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
        group_of_word: Signal | None = None
        if program.phased:
            with m.If(self.active):  # and stay within the ROM while nothing is active
                m.d.sync += address.eq(Mux(address == program.first.weight_words - 1, 0, address + 1))
            with m.If(self.start):
                m.d.sync += address.eq(program.phase_bound(_row_base, self.row_phase, Const(0, 1)))
        elif program.single:
            counter = program.loop(m, "weight", lambda item: item.weight_words, self.active, reload)
            m.d.comb += address.eq(counter.count)
        else:
            group_of_word = self._walk_program(m, address, reload)
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
                if group_of_word is not None:
                    hop = Signal.like(group_of_word, name=f"group_of_word_{cluster}", reset_less=True)
                    m.d.sync += hop.eq(group_of_word)
                    group_of_word = hop
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
            read = weights
            if group_of_word is not None:
                read = self._of_group(m, cluster, weights, group_of_word)
            if not program.single:  # weights of many layers lie in many block RAMs, far from each other
                read = delayed(m, f"chosen_{cluster}", read, 1, reset=False)
            m.d.comb += Cat(*(self.o[first + index].as_unsigned() for index in range(config.cluster_lanes))).eq(read)
        return m

    def _walk_program(self, m: Module, address: Signal, reload: Value) -> Signal | None:
        """The address, layer after layer. Where words hold several groups, returns which of them a step is of, and
        above it how the layer shares the columns out among them: an index into `_sharings`.
        """
        program, active = self.program, self.active
        base = program.bound(lambda item: item.weight_base)

        def loop(name: str, value: PassValue, advance: Value) -> LoopCounter:
            return program.loop(m, name, value, advance, reload)

        if self._sharings == [()]:
            word = loop("weight", lambda item: item.weight_words, active)
            following = Mux(word.last, base, address + 1)
        else:
            of_block = loop("weight_of_block", lambda item: item.block_weights, active)
            group = loop("group_of_word", lambda item: item.word_groups, active & of_block.last)
            # Words count when the last group reads them.
            word = loop("weight", lambda item: item.weight_words, active & group.last)
            first_of_block = address - program.bound(lambda item: item.block_weights - 1)
            onwards = Mux(word.last & group.last, base, address + 1)
            following = Mux(of_block.last & ~group.last, first_of_block, onwards)
        with m.If(active):
            m.d.sync += address.eq(following)
        with m.If(reload):
            m.d.sync += address.eq(base)
        if self._sharings == [()]:
            return None
        sharing = program.bound(lambda item: self._sharings.index(self._config.column_groups(item)))
        together = Signal(self._group_bits + len(sharing), name="group_of_word_0")
        m.d.comb += together.eq(Cat(group.count, sharing))
        return together

    def _of_group(self, m: Module, cluster: int, weights: Signal, group_of_word: Signal) -> Signal:
        """A cluster's weights, 0 in the columns of other groups than the step's.

        Which columns work is found while the memory is read.
        """
        config, bits = self._config, self._group_bits
        group, sharing = group_of_word[:bits], group_of_word[bits:]
        columns = range(cluster * config.cluster, (cluster + 1) * config.cluster)
        working = Signal(config.cluster, name=f"working_{cluster}", reset_less=True)
        kept = Signal(config.cluster, name=f"kept_{cluster}", reset_less=True)
        masked = Signal.like(weights, name=f"masked_{cluster}")
        for index, column in enumerate(columns):
            shared = [
                (sharing == number) & (group == groups[column] if groups else Const(1, 1))
                for number, groups in enumerate(self._sharings)
            ]
            m.d.sync += working[index].eq(Cat(*shared).any())
        lane_bits = config.operands.lane_bits
        m.d.sync += kept.eq(working)
        m.d.comb += masked.eq(weights & Cat(kept[index].replicate(lane_bits) for index in range(config.cluster)))
        return masked
