"""Statistics of several passes over a frame: sums and sums of squares in a memory, then two integers a value."""

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Mux, ResetInserter, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.axi_stream_top import AxiStreamTop
from hwconv.gateware.bounds import LoopCounter, delayed
from hwconv.gateware.frame_guard import FrameBeat, FrameGuard
from hwconv.gateware.stream import Beat, Queue, SkidBuffer
from hwconv.mc_statistics import VALUE_BYTES
from hwconv.plan.mc_statistics import ACCUMULATE_LATENCY, VARIANCE_LATENCY, StatisticsConfig
from hwconv.plan.requantiser_config import MULTIPLIER_LATENCY

RAM_LATENCY = 2
SQUARED = ACCUMULATE_LATENCY - 1
"""Cycles from a beat to its squares and to the sums of the passes before."""


class Sums(data.StructLayout):
    """Both sums of a value."""

    def __init__(self, config: StatisticsConfig) -> None:
        super().__init__({"total": signed(config.sum_width), "squares": config.square_width})


class Accumulator(wiring.Component):
    """Adds a beat's values and their squares to the sums of the same beat of the passes before.

    Latency: 5 cycles from `valid` to `done`, also the attribute `latency`. Throughput: a beat a cycle; the same beat
    again after 4 cycles at the earliest (:data:`~hwconv.plan.mc_statistics.RESTART`). There is no back-pressure.

    Members
    -------
    valid, data : In
        The beats of a frame, one after the other.
    restart : In
        The pass is the first of its result.
    done, o : Out
        The sums of a beat, an array of :class:`Sums`.
    """

    latency = ACCUMULATE_LATENCY

    def __init__(self, config: StatisticsConfig) -> None:
        self._config = config
        lanes = config.frame.beat_bytes
        super().__init__(
            {
                "valid": In(1),
                "data": In(8 * lanes),
                "restart": In(1),
                "done": Out(1),
                "o": Out(data.ArrayLayout(Sums(config), lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, frame = self._config, self._config.frame
        layout = data.ArrayLayout(Sums(config), frame.beat_bytes)
        before = Signal(layout)
        done = delayed(m, "valid", self.valid, self.latency)
        if config.passes > 1:
            depth = max(2, frame.beats)
            place = LoopCounter(m, "beat", Const(frame.beats), frame.beats, self.valid, Const(0, 1))
            read_at = delayed(m, "place", place.count, SQUARED - RAM_LATENCY, reset=False)
            m.submodules.memory = Instance(
                "hwconv_ram",
                p_WIDTH=config.word_width,
                p_DEPTH=depth,
                i_clk=ClockSignal(),
                i_w_en=done,
                i_w_addr=delayed(m, "written", read_at, self.latency - (SQUARED - RAM_LATENCY), reset=False),
                i_w_data=Value.cast(self.o),
                i_r_addr=read_at,
                o_r_data=Value.cast(before),
            )
        restart = delayed(m, "restart", self.restart, SQUARED, reset=False)
        values = delayed(m, "values", self.data, SQUARED, reset=False)
        sums = Signal(layout, reset_less=True)
        for lane in range(frame.beat_bytes):
            value = self.data.word_select(lane, 8).as_signed()
            product = Signal(signed(16), name=f"product_{lane}")
            m.submodules[f"square_{lane}"] = Instance(
                "hwconv_mult",
                p_A_WIDTH=8,
                p_B_WIDTH=8,
                i_clk=ClockSignal(),
                i_a=value,
                i_b=value,
                o_p=product,
            )
            # the highest bits of a square are zero
            square = delayed(m, f"squared_{lane}", product[:15], SQUARED - MULTIPLIER_LATENCY, reset=False)
            m.d.sync += [
                sums[lane].total.eq(Mux(restart, 0, before[lane].total) + values.word_select(lane, 8).as_signed()),
                sums[lane].squares.eq(Mux(restart, 0, before[lane].squares) + square),
            ]
        m.d.comb += [self.done.eq(done), Value.cast(self.o).eq(Value.cast(sums))]
        return m


class Variance(wiring.Component):
    """Computes ``passes * squares - total**2`` of a value.

    Latency: 5 cycles, also the attribute `latency`. Throughput: a value a cycle. There is no back-pressure.

    Members
    -------
    sums : In, :class:`Sums`
    o : Out, ``config.second_width``
    """

    latency = VARIANCE_LATENCY

    def __init__(self, config: StatisticsConfig) -> None:
        self._config = config
        super().__init__({"sums": In(Sums(config)), "o": Out(config.second_width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, width = self._config, self._config.second_width
        product = Signal(signed(2 * config.sum_width))
        m.submodules.square = Instance(
            "hwconv_mult",
            p_A_WIDTH=config.sum_width,
            p_B_WIDTH=config.sum_width,
            i_clk=ClockSignal(),
            i_a=self.sums.total,
            i_b=self.sums.total,
            o_p=product,
        )
        subtracted = self.latency - 1
        # The difference fits its width, so both terms may be taken modulo two to that width.
        square = delayed(m, "square", product[:width], subtracted - MULTIPLIER_LATENCY, reset=False)
        passes = config.passes
        terms: list[Value] = [self.sums.squares << bit for bit in range(passes.bit_length()) if passes >> bit & 1]
        stage = 0
        while len(terms) > 1:
            added: list[Value] = []
            for index in range(0, len(terms) - 1, 2):
                total = Signal(width, name=f"multiple_{stage}_{index}", reset_less=True)
                m.d.sync += total.eq(terms[index] + terms[index + 1])
                added.append(total)
            odd = terms[2 * len(added) :]
            terms = added + [delayed(m, f"multiple_{stage}_odd", each, 1, reset=False) for each in odd]
            stage += 1
        multiple = delayed(m, "multiple", terms[0], subtracted - stage, reset=False)
        difference = Signal(width, reset_less=True)
        m.d.sync += difference.eq(multiple - square)
        m.d.comb += self.o.eq(difference)
        return m


class Result(data.StructLayout):
    """Both integers of a value."""

    def __init__(self, config: StatisticsConfig) -> None:
        super().__init__({"total": signed(config.sum_width), "second": config.second_width, "last": 1, "user": 1})


class StatisticsCore(wiring.Component):
    """Statistics on streams; :class:`Statistics` gives it its AXI4-Stream ports.

    skid buffer -> guard -> accumulator -> one value after the other -> variance -> queue -> skid buffer

    The last pass of a result is added up like the others, and its sums leave at once, so results need no pass of their
    own. Latency and interval: :func:`~hwconv.plan.mc_statistics.statistics_cycles`. Throughput: a beat a cycle, in the
    last pass a value a cycle. Back-pressure is accepted at any cycle on both sides: a beat of the last pass is taken
    when the queue has room for all its results.

    Members
    -------
    i : In, stream of :class:`FrameBeat`
    o : Out, stream of :class:`Beat` of 8 bytes
    frame_error : Out
        Pulses once for each frame whose TLAST or TKEEP was wrong.
    resetting : In
        The reset of the clock domain comes in the next cycle: both streams fall silent now.
    """

    def __init__(self, config: StatisticsConfig) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(FrameBeat(config.frame))),
                "o": Out(stream.Signature(Beat(VALUE_BYTES))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, frame = self._config, self._config.frame
        m.submodules.skid_in = skid_in = ResetInserter(self.resetting)(SkidBuffer(FrameBeat(frame)))
        m.submodules.guard = guard = FrameGuard(frame)
        m.submodules.accumulator = accumulator = Accumulator(config)
        wiring.connect(m, wiring.flipped(self.i), skid_in.i)
        wiring.connect(m, skid_in.o, guard.i)

        frame_taken = guard.step & guard.final
        position = LoopCounter(m, "pass", Const(config.passes), config.passes, frame_taken, Const(0, 1))
        last_pass = delayed(m, "last_pass", position.last, 1)
        run_damaged = Signal()
        with m.If(guard.valid & guard.last):
            m.d.sync += run_damaged.eq((run_damaged | guard.user) & ~last_pass)
        latency = Accumulator.latency
        m.d.comb += [
            self.frame_error.eq(guard.error),
            accumulator.valid.eq(guard.valid),
            accumulator.data.eq(guard.data),
            accumulator.restart.eq(delayed(m, "first_pass", position.count == 0, 1)),
        ]
        last = delayed(m, "last", guard.last, latency, reset=False)
        load = accumulator.done & delayed(m, "results", last_pass, latency, reset=False)
        damaged = delayed(m, "damaged", guard.user | run_damaged, latency, reset=False)
        taken = self._send(m, accumulator, load, last, damaged)
        self._permit(m, guard, position.last, taken)
        return m

    def _send(self, m: Module, accumulator: Accumulator, load: Value, last: Value, damaged: Value) -> Value:
        """The results of the last pass, one after the other; returns when one has left the queue."""
        config, frame = self._config, self._config.frame
        lanes = frame.beat_bytes
        waiting = Signal(data.ArrayLayout(Sums(config), lanes), reset_less=True)
        left = Signal(range(lanes + 1))
        ends = Signal(reset_less=True)
        user = Signal(reset_less=True)
        with m.If(load):
            m.d.sync += [
                waiting.eq(accumulator.o),
                left.eq(Mux(last, frame.last_bytes, lanes)),
                ends.eq(last),
                user.eq(damaged),
            ]
        with m.Elif(left != 0):
            m.d.sync += [Value.cast(waiting).eq(Value.cast(waiting) >> Sums(config).size), left.eq(left - 1)]
        sums = waiting[0]
        stages = VARIANCE_LATENCY if config.variance else 0
        final = ends & (left == 1)
        second: Value = sums.squares
        if config.variance:
            m.submodules.variance = variance = Variance(config)
            m.d.comb += Value.cast(variance.sums).eq(Value.cast(sums))
            second = variance.o

        m.submodules.queue = queue = Queue(Result(config), config.queue_depth)
        m.submodules.front = front = ResetInserter(self.resetting)(SkidBuffer(Beat(VALUE_BYTES)))
        m.d.comb += [
            queue.push.eq(delayed(m, "push", left != 0, stages)),
            queue.payload.total.eq(delayed(m, "total", sums.total, stages, reset=False)),
            queue.payload.second.eq(second),
            queue.payload.last.eq(delayed(m, "result_last", final, stages, reset=False)),
            queue.payload.user.eq(delayed(m, "result_user", final & user, stages, reset=False)),
            front.i.valid.eq(queue.o.valid),
            queue.o.ready.eq(front.i.ready),
            front.i.p.data[:32].eq(queue.o.p.total),
            front.i.p.data[32:].eq(queue.o.p.second),
            front.i.p.keep.eq((1 << VALUE_BYTES) - 1),
            front.i.p.last.eq(queue.o.p.last),
            front.i.p.user.eq(queue.o.p.user),
        ]
        wiring.connect(m, front.o, wiring.flipped(self.o))
        return queue.o.valid & front.i.ready

    def _permit(self, m: Module, guard: FrameGuard, last_pass: Value, taken: Value) -> None:
        """Beats of the last pass wait for room in the queue and for the results of the beat before; a short frame's
        last beat for its sums to be written.
        """
        config, frame = self._config, self._config.frame
        lanes, depth = frame.beat_bytes, config.queue_depth
        pauses = [config.pause(bool(index & 1), bool(index & 2)) for index in range(4)]
        pausing = Signal(range(max(2, *pauses)))
        now = Cat(last_pass, guard.final)
        pause = Array([Const(each, range(max(pauses) + 1)) for each in pauses])[now]
        follows = Signal()
        m.d.comb += follows.eq(Mux(guard.step, pause == 1, pausing == 0))
        with m.If(guard.step & (pause != 1)):
            m.d.sync += pausing.eq(pause - 2)
        with m.Elif(pausing != 0):
            m.d.sync += pausing.eq(pausing - 1)

        room = Signal(range(depth + 1), init=depth)
        given = Mux(guard.step & last_pass, Mux(guard.final, frame.last_bytes, lanes), 0)
        m.d.sync += room.eq(room - given + taken)
        # A beat that is taken now is not yet counted. Which pass comes next is not known here, so all of them pausing.
        m.d.comb += guard.permitted.eq(follows & (room >= 2 * lanes))


class Statistics(AxiStreamTop):
    """A :class:`StatisticsCore` with the ports of a vendor-neutral AXI4-Stream block; see docs/dropout.md."""

    def __init__(self, config: StatisticsConfig) -> None:
        super().__init__(StatisticsCore(config), config.frame.beat_bytes, VALUE_BYTES, 1)
