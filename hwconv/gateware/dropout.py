"""Dropout: elements become the zero point at random, the others are scaled."""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, Mux, ResetInserter, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.dropout import FIELDS, LARGEST_SHIFT, MULTIPLIER_BITS
from hwconv.gateware.axi_stream_top import AxiStreamTop
from hwconv.gateware.bounds import delayed
from hwconv.gateware.element_numbers import ElementNumbers
from hwconv.gateware.frame_guard import FrameBeat, FrameGuard, held_later, keep_of
from hwconv.gateware.staged import Pipeline
from hwconv.gateware.stream import Beat, Queue, SkidBuffer
from hwconv.plan.dropout import NUMBERS_LATENCY, QUEUE_DEPTH, SCALE_LATENCY, DropoutConfig
from hwconv.plan.requantiser_config import MULTIPLIER_LATENCY

FRACTION = MULTIPLIER_BITS - 1
CENTRED = 9
"""Bits of a value less its zero point."""
OPERAND = CENTRED + LARGEST_SHIFT
PRODUCT = OPERAND + MULTIPLIER_BITS + 1


class Scaler(wiring.Component):
    """Computes ``clamp(zero_point + floor((x - zero_point) * multiplier * 2**(shift - 14) + 1/2), -128, 127)``.

    A shift of 8 or more counts as 8. The shift is applied first, so that a product of 17 by 16 bits serves for every
    scale.

    Latency: 9 cycles, also the attribute `latency`. Throughput: a value a cycle. There is no back-pressure.

    Members
    -------
    x : In, signed 8
    shift : In, 4; the cycle after `x`
    multiplier : In, 15; two cycles after `x`
    o : Out, signed 8
    """

    latency = SCALE_LATENCY

    x: In(signed(8))
    shift: In(4)
    multiplier: In(MULTIPLIER_BITS)
    o: Out(signed(8))

    def __init__(self, zero_point: int) -> None:
        self._zero_point = zero_point
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pipeline = Pipeline(m)
        centred = pipeline.register((self.x - self._zero_point)[:CENTRED].as_signed(), 1, "centred").value
        shifted = Signal(signed(OPERAND))
        m.d.comb += shifted.eq(Mux(self.shift[3], centred << LARGEST_SHIFT, centred << self.shift[:3]))
        operand = pipeline.register(shifted, 2, "operand").value
        product = Signal(signed(PRODUCT))
        m.submodules.multiplier = Instance(
            "hwconv_mult",
            p_A_WIDTH=OPERAND,
            p_B_WIDTH=MULTIPLIER_BITS + 1,
            i_clk=ClockSignal(),
            i_a=operand,
            i_b=Cat(self.multiplier, Const(0, 1)),
            o_p=product,
        )
        stage = 2 + MULTIPLIER_LATENCY + 1
        moved = pipeline.register(product, stage, "product").value
        # Half a unit and the zero point; below half a unit nothing is added.
        low = FRACTION - 1
        offset = (self._zero_point << 1) + 1
        total = pipeline.register((moved[low:].as_signed() + offset)[1:].as_signed(), stage + 1, "total")
        result = pipeline.saturate(total, 8, "clamped")
        if result.stage != self.latency:
            raise ValueError(f"Expected a pipeline of {self.latency} stages, not {result.stage}")
        m.d.comb += self.o.eq(result.value)
        return m


class DroppedBeat(data.StructLayout):
    """A beat of results."""

    def __init__(self, count: int) -> None:
        super().__init__({"data": 8 * count, "last": 1, "user": 1})


class DropoutCore(wiring.Component):
    """Dropout on streams; :class:`Dropout` gives it its AXI4-Stream ports.

    skid buffer -> guard -> numbers -> comparison -+-> queue -> skid buffer
                       +-> wait -> scaler ---------+

    Latency and interval: :class:`~hwconv.plan.dropout.DropoutPlan`. Throughput: a beat a cycle. Back-pressure is
    accepted at any cycle on both sides: the queue has room for all that the pipeline holds, which never stalls.

    Members
    -------
    i : In, stream of :class:`FrameBeat`; `parameters` are the fields of :data:`hwconv.dropout.FIELDS` but the lowest
    o : Out, stream of :class:`Beat`
    frame_error : Out
        Pulses once for each frame whose TLAST or TKEEP was wrong.
    resetting : In
        The reset of the clock domain comes in the next cycle: both streams fall silent now.
    """

    def __init__(self, config: DropoutConfig) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(FrameBeat(config.frame))),
                "o": Out(stream.Signature(Beat(config.frame.beat_bytes))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, frame = self._config, self._config.frame
        m.submodules.skid_in = skid_in = ResetInserter(self.resetting)(SkidBuffer(FrameBeat(frame)))
        m.submodules.guard = guard = FrameGuard(frame)
        m.submodules.numbers = numbers = ElementNumbers(config)
        wiring.connect(m, wiring.flipped(self.i), skid_in.i)
        wiring.connect(m, skid_in.o, guard.i)

        deterministic = self._field(guard.parameters, "deterministic")
        seed = self._field(guard.parameters, "seed")
        firsts = [guard.first & guard.valid]
        for stage in range(1, config.latency + 1):
            firsts.append(delayed(m, f"first_{stage}", firsts[-1], 1))

        def parameter(name: str, field: str, otherwise: int, stage: int) -> Value:
            chosen = Mux(deterministic, otherwise, self._field(guard.parameters, field))
            return held_later(m, name, chosen, firsts[:stage], frame.beats)

        m.d.comb += [
            self.frame_error.eq(guard.error),
            numbers.step.eq(guard.valid),
            numbers.first.eq(guard.first),
            numbers.last.eq(guard.last),
            numbers.seed.eq(seed),
        ]
        threshold = parameter("threshold", "drop_threshold", 0, NUMBERS_LATENCY)
        begin = config.latency - 1 - SCALE_LATENCY
        shift = parameter("shift", "shift", 0, begin + 1)
        multiplier = parameter("multiplier", "multiplier", 1 << FRACTION, begin + 2)
        waiting = delayed(m, "waiting", guard.data, begin, reset=False)
        results = []
        for lane in range(frame.beat_bytes):
            m.submodules[f"scaler_{lane}"] = scaler = Scaler(frame.zero_point)
            m.d.comb += [
                scaler.x.eq(waiting.word_select(lane, 8)),
                scaler.shift.eq(shift),
                scaler.multiplier.eq(multiplier),
            ]
            dropped = Signal(name=f"dropped_{lane}", reset_less=True)
            result = Signal(8, name=f"result_{lane}", reset_less=True)
            m.d.sync += [
                dropped.eq(numbers.o[lane] < threshold),
                result.eq(Mux(dropped, frame.zero_point & 0xFF, scaler.o)),
            ]
            results.append(result)
        self._send(m, guard, Cat(results))
        return m

    @staticmethod
    def _field(parameters: Value, name: str) -> Value:
        low, width = FIELDS[name]
        return parameters[low - 1 : low - 1 + width]

    def _send(self, m: Module, guard: FrameGuard, results: Value) -> None:
        """Results to the output stream; the queue takes what is in the pipeline when the stream stalls."""
        config, frame = self._config, self._config.frame
        m.submodules.queue = queue = Queue(DroppedBeat(frame.beat_bytes), QUEUE_DEPTH)
        m.submodules.front = front = ResetInserter(self.resetting)(SkidBuffer(Beat(frame.beat_bytes)))
        room = Signal(range(QUEUE_DEPTH + 1), init=QUEUE_DEPTH)
        m.d.sync += room.eq(room - guard.step + (queue.o.valid & queue.o.ready))
        m.d.comb += [
            guard.permitted.eq(room >= 2),  # one that comes now is not yet counted
            queue.push.eq(delayed(m, "valid", guard.valid, config.latency)),
            queue.payload.data.eq(results),
            queue.payload.last.eq(delayed(m, "last", guard.last, config.latency, reset=False)),
            queue.payload.user.eq(delayed(m, "user", guard.user, config.latency, reset=False)),
            front.i.valid.eq(queue.o.valid),
            queue.o.ready.eq(front.i.ready),
            front.i.p.data.eq(queue.o.p.data),
            front.i.p.last.eq(queue.o.p.last),
            front.i.p.user.eq(queue.o.p.user & queue.o.p.last),
            front.i.p.keep.eq(keep_of(frame, queue.o.p.last)),
        ]
        wiring.connect(m, front.o, wiring.flipped(self.o))


class Dropout(AxiStreamTop):
    """A :class:`DropoutCore` with the ports of a vendor-neutral AXI4-Stream block; see docs/dropout.md."""

    def __init__(self, config: DropoutConfig) -> None:
        beat = config.frame.beat_bytes
        super().__init__(DropoutCore(config), beat, beat, config.frame.parameter_bits + 1)
