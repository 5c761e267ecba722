"""The engine: one array, its memories and its streams, running a program of one or several layers.

s_axis -> receiver -> activation memory -> operand supply -> systolic array -> drain -> output buffer -> m_axis
                         ^ addresses                           ^ weights
                      sequencer -> address generator
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.address_generator import AddressGenerator
from hwconv.gateware.axi_stream_top import AxiStreamTop
from hwconv.gateware.beat_packer import BeatPacker, ResultBeat
from hwconv.gateware.bounds import ProgramCounter, delayed
from hwconv.gateware.corner_turn import CornerTurn, LaneSupply
from hwconv.gateware.drain import Drain
from hwconv.gateware.frame_gate import FrameGate
from hwconv.gateware.frame_receiver import FrameReceiver, WholeFrameReceiver
from hwconv.gateware.output_buffer import OutputBuffer
from hwconv.gateware.row_ledger import RowLedger, WritePermission
from hwconv.gateware.sequencer import Sequencer
from hwconv.gateware.stream import Beat, Queue, SkidBuffer, StreamRegister
from hwconv.gateware.systolic_array import SystolicArray
from hwconv.gateware.weight_loader import WeightBeat, WeightLoader
from hwconv.gateware.weights import WeightSupply
from hwconv.plan.config import EngineConfig

RAM_LATENCY = 2
OPERAND_LATENCY = 1
"""Cycles of the corner turn or lane supply."""
OUTPUT_QUEUE = 16
"""Beats of the output queue: as deep as distributed RAM is."""


class FrameVerdicts(wiring.Component):
    """Remembers in order whether each frame between its input's end and its output's end was damaged.

    Members
    -------
    push, damaged : In, a frame's input is complete, and its verdict
    pop : In, the oldest frame has left; `o`: its verdict
    """

    push: In(1)
    damaged: In(1)
    pop: In(1)
    o: Out(1)

    def __init__(self, depth: int) -> None:
        self._depth = depth
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waiting = Signal(self._depth)
        count = Signal(range(self._depth + 1))
        m.d.comb += self.o.eq(waiting[0])
        shifted = Signal(self._depth)
        m.d.comb += shifted.eq(Mux(self.pop, waiting >> 1, waiting))
        slot = Signal.like(count)
        m.d.comb += slot.eq(count - self.pop)
        m.d.sync += [count.eq(count + self.push - self.pop), waiting.eq(shifted)]
        with m.If(self.push):
            m.d.sync += waiting.eq(shifted | (self.damaged << slot))
        return m


def tap(number: int, beat_bytes: int, source: Any, when: Value | None = None) -> Instance:
    """What simulations see of a tensor: its beats, as they move.

    Parameters
    ----------
    number : of the tensor
    source : a stream of beats. when : the cycles in which they are the tensor's, if not all are
    """
    moving = source.valid & source.ready
    return Instance(
        "hwconv_tap",
        p_BYTES=beat_bytes,
        p_ID=number,
        i_clk=ClockSignal(),
        i_moving=moving if when is None else moving & when,
        i_data=source.p.data,
    )


class EngineCore(wiring.Component):
    """The engine with Amaranth streams; :class:`Engine` gives it its AXI4-Stream ports.

    Frames go through back to back: the rows of a frame are written while the frame before is computed, and a frame's
    first tile follows the last one of the frame before without a gap.

    Latency and interval: `hwconv.plan.cycles`. Back-pressure is accepted at any cycle on both sides: the sequencer
    starts a pixel tile only when its rows are there and its results have room, and nothing stalls in between.

    Parameters
    ----------
    config : EngineConfig
    observed : sequence of int, optional
        Of a program that simulations look into: a number for what each layer but the last computes; of the second
        engine of a loop: for what comes into each layer.
    guarded : bool, optional
        What comes in are whole frames, as a graph's guard makes them; `frame_error` stays low.

    Members
    -------
    i, o : In, Out, streams of :class:`Beat`
    back : In or Out, stream of :class:`Beat`, in a loop of two engines, or with additions on the way back
        What all layers but the first read, of the first engine; what all layers but the last give, of the second one.
        The first one gives all its results on `o`, the second one reads all its layers' frames from `i`.
    frame_error : Out
        Pulses once for each damaged frame.
    resetting : In
        The reset of the clock domain comes in the next cycle: both streams fall silent now. Never inside a graph.
    w, weights_error : In, Out, where weights are loaded
        Stream of :class:`~hwconv.gateware.weight_loader.WeightBeat`; pulses once for each damaged image. Until there is
        a whole image, and while one waits or is taken, no frame begins; nothing else may depend on what was loaded.
    """

    def __init__(self, config: EngineConfig, observed: Sequence[int] = (), *, guarded: bool = False) -> None:
        self._config, self._observed, self._guarded = config, observed, guarded
        super().__init__(
            {
                "i": In(stream.Signature(Beat(config.input_beat_bytes))),
                "o": Out(stream.Signature(Beat(config.output_beat_bytes))),
                "frame_error": Out(1),
                "resetting": In(1),
                **({"back": In(stream.Signature(Beat(config.input_beat_bytes)))} if config.results_leave else {}),
                **({"back": Out(stream.Signature(Beat(config.output_beat_bytes)))} if config.loop == "exit" else {}),
                **(
                    {}
                    if config.loading is None
                    else {"w": In(stream.Signature(WeightBeat(config.loading.beat_bytes))), "weights_error": Out(1)}
                ),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.skid_in = skid_in = ResetInserter(self.resetting)(SkidBuffer(Beat(config.input_beat_bytes)))
        m.submodules.receiver = receiver = (WholeFrameReceiver if self._guarded else FrameReceiver)(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.address_generator = addresses = AddressGenerator(config)
        m.submodules.ledger = ledger = RowLedger(config, addresses.upcoming_row.shape())
        if config.operation == "multiply":
            m.submodules.weights = weights = WeightSupply(config)
        else:
            weights = None
        m.submodules.operands = operands = LaneSupply(config) if config.depthwise else CornerTurn(config)
        m.submodules.array = array = SystolicArray(config)
        m.submodules.drain = drain = Drain(config)
        m.submodules.output = output = OutputBuffer(config)
        m.submodules.packer = packer = BeatPacker(config)
        verdicts = None if self._guarded else FrameVerdicts(config.frames_in_flight)
        if verdicts is not None:
            m.submodules.verdicts = verdicts

        loader = None
        if config.loading is not None and weights is not None:
            m.submodules.loader = loader = ResetInserter(self.resetting)(WeightLoader(config))
        flushing = self._flush(m, loader)
        closed = Const(0, 1) if self._guarded else flushing  # a guard lets nothing in before all engines are ready
        if loader is not None and weights is not None:
            closed = flushing | ~self._gate(m, loader, output)
            self._load(m, loader, receiver, weights, drain)
        m.d.comb += [
            skid_in.i.payload.eq(self.i.payload),
            skid_in.i.valid.eq(self.i.valid & ~closed),
            self.i.ready.eq(skid_in.i.ready & ~closed),
            self.frame_error.eq(receiver.error),
            ledger.written.eq(receiver.written),
            ledger.hold.eq(flushing),
            ledger.start.eq(sequencer.start),
            ledger.start_last.eq(sequencer.start_last),
            ledger.tile_end.eq(sequencer.tile_end),
            ledger.upcoming_last.eq(sequencer.upcoming_last),
            ledger.upcoming_row.eq(addresses.upcoming_row),
            ledger.unit_free.eq(output.unit_free),
            sequencer.go.eq(ledger.go),
            *addresses.marks_from(sequencer),
        ]
        if sequencer.program.phased:
            m.d.comb += ledger.row_phase.eq(sequencer.row_phase)
        self._permit(m, receiver, ledger)
        self._operands(m, sequencer, addresses, receiver, operands, loader)
        operand_delay = AddressGenerator.latency + RAM_LATENCY + OPERAND_LATENCY
        weights_behind = operand_delay - weights.latency if weights is not None else 0
        if weights is not None and sequencer.program.phased:
            m.d.comb += [
                weights.start.eq(delayed(m, "start", sequencer.start, weights_behind)),
                weights.row_phase.eq(delayed(m, "row_phase", sequencer.row_phase, weights_behind)),
            ]
        if weights is not None:
            m.d.comb += [
                weights.active.eq(delayed(m, "active", sequencer.active, weights_behind)),
                array.weights.eq(weights.o),
            ]
        if config.largest_count:
            m.d.comb += [array.present.eq(operands.present), drain.count.eq(array.o_count)]
        m.d.comb += [
            array.activations.eq(operands.o),
            array.last.eq(delayed(m, "fold_last", sequencer.fold_last, operand_delay) | flushing),
            array.drain.eq(drain.shift),
            drain.last.eq(delayed(m, "fold_last_drain", sequencer.fold_last, operand_delay)),
            drain.columns.eq(array.o),
            output.word.eq(drain.word),
            output.marks.eq(drain.marks),
        ]
        m.d.comb += [
            packer.word.eq(output.o),
            packer.valid.eq(output.valid),
            *([] if verdicts is None else self._judge(m, verdicts, receiver, output)),
        ]
        wiring.connect(m, skid_in.o, receiver.i)
        self._send(m, output, packer, receiver)
        self._follow(m, sequencer, addresses, ledger, weights)
        return m

    def _operands(
        self,
        m: Module,
        sequencer: Sequencer,
        addresses: AddressGenerator,
        receiver: FrameReceiver,
        operands: CornerTurn | LaneSupply,
        loader: WeightLoader | None,
    ) -> None:
        """The activation memory: one copy for each read port, all written together."""
        config = self._config
        for port in range(config.ports):
            m.submodules[f"activations_{port}"] = Instance(
                "hwconv_ram",
                p_WIDTH=8 * config.word_bytes,
                p_DEPTH=max(2, config.activation_depth),
                i_clk=ClockSignal(),
                i_w_en=receiver.write,
                i_w_addr=receiver.address,
                i_w_data=receiver.word,
                i_r_addr=addresses.addresses[port],
                o_r_data=operands.words[port],
            )
        latency = AddressGenerator.latency + RAM_LATENCY
        early = 1 if config.depthwise else 0  # LaneSupply has a register for each few lanes
        m.d.comb += [
            operands.inside.eq(delayed(m, "inside", addresses.inside, RAM_LATENCY - early)),
            operands.load.eq(delayed(m, "block_first", sequencer.block_first, latency - early)),
        ]
        if loader is not None:
            m.d.comb += operands.zero_point.eq(loader.numbers.input_zero_point)
            return
        if isinstance(operands, LaneSupply) and config.ring:
            return
        zero_point = ProgramCounter("operands", config.passes)
        m.d.comb += operands.zero_point.eq(zero_point.bound(lambda item: item.input_zero_point))
        if not zero_point.single:
            m.d.sync += zero_point.index.eq(delayed(m, "operand_layer", sequencer.program.index, latency))

    @staticmethod
    def _judge(m: Module, verdicts: FrameVerdicts, receiver: FrameReceiver, output: OutputBuffer) -> list:
        """A frame's verdict waits for its last result."""
        outside = delayed(m, "first_layer", receiver.program.is_first, FrameReceiver.verdict_latency)
        return [
            verdicts.push.eq(receiver.frame_end & outside),
            verdicts.damaged.eq(receiver.damaged),
            verdicts.pop.eq(output.frame_sent),
            output.damaged.eq(verdicts.o),
        ]

    def _permit(self, m: Module, receiver: FrameReceiver, ledger: RowLedger) -> None:
        """Rows of a ring wait for their release.

        A program's frame buffers never have to: a layer's next frame comes after the last layer's input, which was
        computed from results that needed all of this one.
        """
        if not self._config.ring:
            m.d.comb += receiver.permitted.eq(1)
            return
        m.submodules.permission = permission = WritePermission(self._config)
        m.d.comb += [
            permission.written.eq(receiver.written),
            permission.released.eq(ledger.released),
            receiver.permitted.eq(permission.o),
        ]

    def _load(
        self, m: Module, loader: WeightLoader, receiver: FrameReceiver, weights: WeightSupply, drain: Drain
    ) -> None:
        """From the weight stream to the memories, and to whoever needs what is in an image's header."""
        config, numbers = self._config, loader.numbers
        words = [loader.words[name] for name in loader.words.shape().members]
        clusters = config.clusters
        m.d.comb += [
            loader.w.payload.eq(self.w.payload),
            loader.w.valid.eq(self.w.valid),
            self.w.ready.eq(loader.w.ready),
            self.weights_error.eq(loader.error),
            receiver.zero_point.eq(numbers.input_zero_point),
            weights.write.eq(loader.write[:clusters]),
            weights.write_address.eq(loader.address),
            Value.cast(weights.write_words).eq(Cat(*words[:clusters])),
            drain.write.eq(loader.write[clusters:]),
            drain.write_address.eq(loader.address),
            Value.cast(drain.write_entries).eq(Cat(*words[clusters:])),
        ]
        if config.requantiser.shared:
            values = {
                "zero_point": numbers.output_zero_point,
                "minimum": numbers.activation_min,
                "maximum": numbers.activation_max,
            }
            m.d.comb += drain.shared.eq(Cat(*(values[name][:width] for name, width in config.requantiser.shared)))

    def _gate(self, m: Module, loader: WeightLoader, output: OutputBuffer) -> Signal:
        """Whether beats may come: between frames only while there are weights and none wait."""
        m.submodules.gate = gate = FrameGate(self._config)
        m.d.comb += [
            gate.taken.eq(self.i.valid & self.i.ready),
            gate.last.eq(self.i.payload.last),
            gate.sent.eq(output.frame_sent),
            gate.allowed.eq(loader.loaded & ~loader.request),
            loader.idle.eq(gate.idle),
        ]
        return gate.open

    def _flush(self, m: Module, loader: WeightLoader | None) -> Signal:
        """After a reset: clears every accumulator while the operands of before the reset run out.

        Where weights are loaded, also from when the old ones begin to go, until those that were read while they were
        written, or before anything was, have run out.
        """
        cycles = self._config.flush_cycles
        left = Signal(range(cycles + 1), init=cycles)
        flushing = Signal(init=1)
        m.d.sync += flushing.eq(left > 1)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        if loader is not None:
            with m.If(~loader.loaded):
                m.d.sync += left.eq(cycles)
        return flushing

    def _send(self, m: Module, output: OutputBuffer, packer: BeatPacker, receiver: FrameReceiver) -> None:
        """Beats to the output stream; with several layers, those of all but the last go back to the receiver.

        A queue takes what is in flight when the stream stalls, so that nothing before it ever waits.
        """
        config = self._config
        m.submodules.queue = queue = Queue(ResultBeat(config), OUTPUT_QUEUE)
        m.submodules.front = front = ResetInserter(self.resetting)(StreamRegister(ResultBeat(config)))
        in_flight = OutputBuffer.in_flight + BeatPacker.latency
        m.d.comb += [
            output.room.eq(~queue.filled[OUTPUT_QUEUE - 1 - in_flight]),
            queue.payload.eq(packer.beat),
            queue.push.eq(packer.complete),
            self.o.payload.eq(front.o.payload.beat),
        ]
        wiring.connect(m, queue.o, front.i)
        self._observe(m, receiver)
        if config.results_leave:
            wiring.connect(m, wiring.flipped(self.back), receiver.back)
        if receiver.program.single or config.results_leave:
            m.d.comb += [self.o.valid.eq(front.o.valid), front.o.ready.eq(self.o.ready)]
            return
        m.submodules.skid_back = skid_back = SkidBuffer(Beat(config.output_beat_bytes))
        wiring.connect(m, skid_back.o, wiring.flipped(self.back) if config.loop == "exit" else receiver.back)
        final = front.o.payload.final
        m.d.comb += [
            skid_back.i.payload.eq(front.o.payload.beat),
            skid_back.i.valid.eq(front.o.valid & ~final),
            self.o.valid.eq(front.o.valid & final),
            front.o.ready.eq(Mux(final, self.o.ready, skid_back.i.ready)),
        ]

    def _observe(self, m: Module, receiver: FrameReceiver) -> None:
        """What simulations look at: the beats of the tensors between layers, as they are received."""
        beats = self._config.input_beat_bytes
        for layer, number in enumerate(self._observed):
            if self._config.loop == "exit":
                source, coming = receiver.i, receiver.program.index == layer
            else:
                source, coming = receiver.back, receiver.program.index == layer + 1
            m.submodules[f"tap_{number}"] = tap(number, beats, source, coming)

    @staticmethod
    def _follow(
        m: Module, sequencer: Sequencer, addresses: AddressGenerator, ledger: RowLedger, weights: WeightSupply | None
    ) -> None:
        """Blocks behind the sequencer take over its next layer when their last work for the old one is done."""
        if sequencer.program.single:
            return
        index = sequencer.program.index
        m.d.sync += [
            # The last addresses are compared with the old layer's bounds three cycles after the sequencer is through;
            # the new ones' registers follow a cycle after the layer.
            addresses.program.index.eq(delayed(m, "address_layer", index, 3)),
            ledger.program.index.eq(index),
        ]
        if weights is not None:
            m.d.sync += weights.program.index.eq(delayed(m, "weights_layer", index, 8))


class Engine(AxiStreamTop):
    """A core with the ports of a vendor-neutral AXI4-Stream block; see docs/architecture.md.

    Parameters
    ----------
    config : EngineConfig
    core : optional
        What computes, with the members of an :class:`EngineCore`, which it is by default.
    """

    def __init__(self, config: EngineConfig, core: wiring.Component | None = None) -> None:
        core = EngineCore(config) if core is None else core
        super().__init__(
            core,
            config.input_beat_bytes,
            config.output_beat_bytes,
            weight_beat=0 if config.loading is None else config.loading.beat_bytes,
        )
