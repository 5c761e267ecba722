"""Whatever comes in: whole frames come out, one beat a cycle, and those that were damaged say so at their end."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter
from hwconv.plan.frame import FrameConfig


class FrameBeat(data.StructLayout):
    """A beat whose `user` says with a frame's last beat that it is damaged, and whose `parameters` count with its
    first.
    """

    def __init__(self, config: FrameConfig) -> None:
        count = config.beat_bytes
        super().__init__({"data": 8 * count, "keep": count, "last": 1, "user": 1, "parameters": config.parameter_bits})


class FrameGuard(wiring.Component):
    """Makes every frame as long as it should be.

    A frame whose TLAST comes early is filled up with zero points, beat by beat; after one whose TLAST is missing at its
    end, beats are discarded up to and including the next TLAST. A beat whose TKEEP is not the expected one damages its
    frame and is taken by position.

    Latency: 1 cycle from `i` to `valid`. Throughput: a beat a cycle. Back-pressure: `i.ready` is a function of
    registers; what follows takes every beat, and lowers `permitted` when it cannot: two more may come then.

    Members
    -------
    i : In, stream of :class:`FrameBeat`
    permitted : In
        A beat may come two cycles later.
    step, final : Out
        A beat comes in the next cycle, and is the last of its frame.
    valid, data, first, last : Out
        A beat of a whole frame.
    user : Out
        With `last`: the frame was damaged, here or before.
    parameters : Out
        With `first`: of the frame.
    error : Out
        Pulses once for each frame that was damaged here, when it is noticed.
    """

    latency = 1

    def __init__(self, config: FrameConfig) -> None:
        self._config = config
        super().__init__(
            {
                "i": In(stream.Signature(FrameBeat(config))),
                "permitted": In(1),
                "step": Out(1),
                "final": Out(1),
                "valid": Out(1),
                "data": Out(8 * config.beat_bytes),
                "first": Out(1),
                "last": Out(1),
                "user": Out(1),
                "parameters": Out(config.parameter_bits),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, beat = self._config, self.i.p
        taken = Signal()
        filling = Signal()
        filling_next = Signal()
        discarding = Signal()
        discarding_next = Signal()
        # What may be taken is known a cycle ahead, in registers: a beat, or one of zero points.
        open_ = Signal()
        fill = Signal()
        m.d.sync += [
            filling.eq(filling_next),
            discarding.eq(discarding_next),
            open_.eq(self.permitted & ~filling_next & ~discarding_next),
            fill.eq(self.permitted & filling_next),
        ]
        m.d.comb += [
            self.i.ready.eq(open_ | discarding),
            taken.eq(self.i.valid & open_),
            self.step.eq(taken | fill),
        ]
        position = LoopCounter(m, "beat", Const(config.beats), config.beats, self.step, Const(0, 1))
        final = position.last
        m.d.comb += self.final.eq(final)

        full = (1 << config.beat_bytes) - 1
        expected_keep = Mux(final, (1 << config.last_bytes) - 1, full)
        early = taken & beat.last & ~final
        late = taken & ~beat.last & final
        odd = taken & (beat.keep != expected_keep)
        bad = Signal()
        damaged = Signal()
        m.d.comb += [
            bad.eq(early | late | odd),
            filling_next.eq(early | (filling & ~(fill & final))),
            discarding_next.eq(late | (discarding & ~(self.i.valid & beat.last))),
        ]
        m.d.sync += [
            damaged.eq((damaged | bad) & ~(self.step & final)),
            self.error.eq(bad & ~damaged),
            self.valid.eq(self.step),
            self.last.eq(final),
            self.user.eq(damaged | bad | (taken & beat.last & beat.user)),
        ]
        bits = 8 * config.value_bytes
        filler = Const(config.zero_point & ((1 << bits) - 1), bits).replicate(config.beat_bytes // config.value_bytes)
        contents = Signal(8 * config.beat_bytes, reset_less=True)
        m.d.sync += contents.eq(Mux(fill, filler, beat.data))
        m.d.comb += self.data.eq(contents)
        beginning = Signal(init=1)
        parameters = Signal(config.parameter_bits, reset_less=True)
        with m.If(self.step):
            m.d.sync += beginning.eq(final)
        m.d.sync += [self.first.eq(beginning), parameters.eq(Value.cast(beat.parameters))]
        m.d.comb += self.parameters.eq(parameters)
        return m


def held_later(m: Module, name: str, value: Value, firsts: list[Value], beats: int) -> Value:
    """A frame's parameter, ``len(firsts)`` cycles after its first beat, and until that of the next frame.

    A register that takes it over when the first beat comes by holds it for a frame, so the next one is needed only as
    many cycles later as a frame has beats at least.

    Parameters
    ----------
    value : the parameter, valid with the mark of the first beat
    firsts : that mark, and the same one cycle later, and so on
    beats : of a frame
    """
    stage = 0
    while stage < len(firsts):
        stage = min(stage + beats, len(firsts)) if stage else 1
        register = Signal.like(value, name=f"{name}_{stage}", reset_less=True)
        with m.If(firsts[stage - 1]):
            m.d.sync += register.eq(value)
        value = register
    return value


def keep_of(config: FrameConfig, last: Value) -> Value:
    """TKEEP of a beat of a whole frame."""
    return Cat(Const(1, 1) if lane < config.last_bytes else ~last for lane in range(config.beat_bytes))
