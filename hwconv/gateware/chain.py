"""Blocks in a row: what belongs to a frame goes past those that do not know of it."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.dropout import USER_BITS
from hwconv.gateware.axi_stream_top import AxiStreamTop
from hwconv.gateware.dropout import DropoutCore
from hwconv.gateware.engine import EngineCore
from hwconv.gateware.frame_guard import FrameBeat
from hwconv.gateware.mc_statistics import StatisticsCore
from hwconv.gateware.stream import Beat, Queue
from hwconv.plan.chain import ChainBlock, ChainPlan
from hwconv.plan.dropout import QUEUE_DEPTH, DropoutPlan
from hwconv.plan.frame import FrameConfig
from hwconv.plan.mc_statistics import StatisticsPlan


def _stream(beat_bytes: int, parameter_bits: int) -> FrameBeat:
    return FrameBeat(
        FrameConfig(elements=beat_bytes, beat_bytes=beat_bytes, zero_point=0, parameter_bits=parameter_bits)
    )


class Carried(wiring.Component):
    """A block with two queues beside it: a frame's parameters and its mark of damage come out with the frame.

    A frame is what ends with a TLAST on the input, and a frame of the output belongs to each. The parameters come with
    the first beat in and with every beat out, the mark with the last. A frame's last beat waits for its own TLAST: a
    block that cuts a frame whose TLAST is late may be done before.

    Latency: that of the block. Back-pressure: the input waits while the queues are full.

    Parameters
    ----------
    core : the block
    beat_in, beat_out, parameter_bits : int
    frames : int
        That can be inside at a time.
    """

    def __init__(self, core: wiring.Component, beat_in: int, beat_out: int, parameter_bits: int, frames: int) -> None:
        self._core = core
        self._bits = parameter_bits
        self._depth = 1 << max(1, frames.bit_length())
        super().__init__(
            {
                "i": In(stream.Signature(_stream(beat_in, parameter_bits))),
                "o": Out(stream.Signature(_stream(beat_out, parameter_bits))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self._core
        m.submodules.marks = marks = Queue(1, self._depth)
        beginning = Signal(init=1)
        taken = Signal()
        left = Signal()
        queues = [marks]
        if self._bits:
            m.submodules.parameters = parameters = Queue(self._bits, self._depth)
            queues.append(parameters)
            m.d.comb += [
                parameters.payload.eq(self.i.p.parameters),
                parameters.push.eq(taken & beginning),
                parameters.o.ready.eq(left),
                self.o.p.parameters.eq(parameters.o.p),
            ]
        room = Signal()
        m.d.comb += [
            room.eq(~Cat(queue.filled[-1] for queue in queues).any()),
            core.resetting.eq(self.resetting),
            core.i.valid.eq(self.i.valid & room),
            self.i.ready.eq(core.i.ready & room),
            taken.eq(self.i.valid & self.i.ready),
            marks.payload.eq(self.i.p.user),
            marks.push.eq(taken & self.i.p.last),
            marks.o.ready.eq(left),
            self.o.p.data.eq(core.o.p.data),
            self.o.p.keep.eq(core.o.p.keep),
            self.o.p.last.eq(core.o.p.last),
            self.o.p.user.eq(core.o.p.last & (core.o.p.user | marks.o.p)),
            self.frame_error.eq(core.frame_error),
        ]
        for name in core.i.p.shape().members:
            if name != "parameters" or self._bits:
                m.d.comb += core.i.p[name].eq(self.i.p[name])
        known = ~core.o.p.last | marks.o.valid
        m.d.comb += [
            self.o.valid.eq(core.o.valid & known),
            core.o.ready.eq(self.o.ready & known),
            left.eq(self.o.valid & self.o.ready & core.o.p.last),
        ]
        with m.If(taken):
            m.d.sync += beginning.eq(self.i.p.last)
        return m


class ChainCore(wiring.Component):
    """Blocks in a row; :class:`Chain` gives them their AXI4-Stream ports.

    Every block has registers at both its ends, so the row has no path through it either.

    Members
    -------
    i : In, stream of :class:`FrameBeat`
    o : Out, stream of :class:`Beat`
    frame_error : Out
        Pulses once for each frame whose TLAST or TKEEP was wrong: the first block notices.
    resetting : In
        The reset of the clock domain comes in the next cycle: both streams fall silent now.
    """

    def __init__(self, plan: ChainPlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "i": In(stream.Signature(_stream(plan.input_beat_bytes, plan.input_user_bits - 1))),
                "o": Out(stream.Signature(Beat(plan.output_beat_bytes))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        blocks = self._plan.blocks
        needing = [index for index, block in enumerate(blocks) if isinstance(block, DropoutPlan)]
        source: wiring.PureInterface | wiring.FlippedInterface = self.i
        errors = []
        for index, plan in enumerate(blocks):
            bits = USER_BITS - 1 if needing and index < needing[-1] else 0
            block = self._block(plan, bits)
            m.submodules[f"block_{index}_{plan.top_name}"] = block
            m.d.comb += [
                block.resetting.eq(self.resetting),
                block.i.valid.eq(source.valid),
                source.ready.eq(block.i.ready),
            ]
            for name in block.i.p.shape().members:
                if name in source.p.shape().members and len(Value.cast(block.i.p[name])):
                    m.d.comb += block.i.p[name].eq(source.p[name])
            errors.append(block.frame_error)
            source = block.o
        m.d.comb += [
            self.o.valid.eq(source.valid),
            source.ready.eq(self.o.ready),
            # The streams between blocks are right by construction.
            self.frame_error.eq(errors[0]),
        ]
        for name in self.o.p.shape().members:
            m.d.comb += self.o.p[name].eq(source.p[name])
        return m

    @staticmethod
    def _block(plan: ChainBlock, parameter_bits: int) -> wiring.Component:
        """A block as it stands in the row; `parameter_bits` are those that a later block needs."""
        if isinstance(plan, StatisticsPlan):
            return StatisticsCore(plan.config)
        if isinstance(plan, DropoutPlan):
            if not parameter_bits:
                return DropoutCore(plan.config)
            core, frames = DropoutCore(plan.config), 2 * QUEUE_DEPTH
        else:
            core, frames = EngineCore(plan.config), plan.config.frames_in_flight + 4
        return Carried(core, plan.input_beat_bytes, plan.output_beat_bytes, parameter_bits, frames)


class Chain(AxiStreamTop):
    """A :class:`ChainCore` with the ports of a vendor-neutral AXI4-Stream block; see docs/dropout.md."""

    def __init__(self, plan: ChainPlan) -> None:
        super().__init__(ChainCore(plan), plan.input_beat_bytes, plan.output_beat_bytes, plan.input_user_bits)
