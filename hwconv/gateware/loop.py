"""Two engines that compute layers in turns: the first one's results go to the second one, whose results come back."""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.engine import EngineCore
from hwconv.gateware.stream import Beat
from hwconv.plan.loop_config import LoopConfig


class LoopCore(wiring.Component):
    """A program on two engines: layers 0, 2, 4, .. on `entry`, layers 1, 3, 5, .. on `exit`, both at work at once.

    Each layer begins with the rows that its first pixel tile reads, whichever engine they come from. Nothing can wait
    for itself: a receiver takes whatever comes for the layer that it is at, into frame buffers that have room for it.

    Latency and interval: :mod:`hwconv.plan.loop_schedule`. Back-pressure is accepted at any cycle on both sides. Frames
    that come in are whole: a graph's guard sees to that.

    Parameters
    ----------
    config : LoopConfig
    observed : sequence of int, optional
        For simulations that look inside: a number for what each layer but the last computes.

    Members
    -------
    i, o : In, Out, streams of :class:`Beat`
    """

    def __init__(self, config: LoopConfig, observed: Sequence[int] = ()) -> None:
        self._config, self._observed = config, observed
        super().__init__(
            {
                "i": In(stream.Signature(Beat(config.input_beat_bytes))),
                "o": Out(stream.Signature(Beat(config.output_beat_bytes))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.entry = entry = EngineCore(self._config.entry, self._observed[1::2], guarded=True)
        m.submodules.exit = exit_ = EngineCore(self._config.exit, self._observed[0::2], guarded=True)
        wiring.connect(m, wiring.flipped(self.i), entry.i)
        wiring.connect(m, entry.o, exit_.i)
        wiring.connect(m, exit_.back, entry.back)
        wiring.connect(m, exit_.o, wiring.flipped(self.o))
        return m
