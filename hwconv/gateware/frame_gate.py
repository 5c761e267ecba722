"""Lets frames in or keeps them out, whole, and knows when none is left inside."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.config import EngineConfig

ON_THE_WAY = 4
"""Frames that may have begun beside those whose end has come: in the skid buffer and in the receiver."""


class FrameGate(wiring.Component):
    """Watches the beats of the input, of which those up to a TLAST are a frame, and the frames that have been sent.

    However a frame is damaged, the engine sends one frame for each TLAST.

    Latency: 1 cycle from `allowed` to `open`, unless a frame has begun. No path leads from an input to an output.

    Members
    -------
    taken, last : In, a beat is taken, and its TLAST
    sent : In, the last result of a frame has left the output buffer
    allowed : In, a frame may begin
    open : Out, a beat may be taken: one of a frame that has begun, or frames were allowed to begin
    idle : Out, no frame is inside, and none can begin in this cycle
    """

    taken: In(1)
    last: In(1)
    sent: In(1)
    allowed: In(1)
    open: Out(1)
    idle: Out(1)

    def __init__(self, config: EngineConfig) -> None:
        self._most = config.frames_in_flight + ON_THE_WAY
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        begun = Signal()
        stays_begun = Signal()
        inside = Signal(range(self._most + 1))
        m.d.comb += [
            stays_begun.eq(Mux(self.taken, ~self.last, begun)),
            self.idle.eq(~self.open & (inside == 0)),
        ]
        m.d.sync += [
            begun.eq(stays_begun),
            self.open.eq(stays_begun | self.allowed),
            inside.eq(inside + (self.taken & ~begun) - self.sent),
        ]
        return m
