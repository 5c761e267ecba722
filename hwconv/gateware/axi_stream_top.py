"""The ports that every top level has: two AXI4-Streams, a clock, a reset, and the pulse of a damaged frame."""

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import delayed
from hwconv.gateware.spread_reset import SpreadReset


class AxiStreamTop(wiring.Component):
    """A core with the ports of a vendor-neutral AXI4-Stream block; see docs/architecture.md.

    Parameters
    ----------
    core : wiring.Component
        Has the streams `i` and `o`, `frame_error`, and `resetting`: the reset of the clock domain comes in the next
        cycle, so both streams fall silent now.
    beat_in, beat_out : int
        Bytes of a beat.
    weight_beat : int
        Bytes of a beat of the stream `w` that brings weights, where there is one; `weights_error` goes with it.
    spread : bool
        The reset takes a cycle to the core's blocks (:class:`SpreadReset`), as what is large needs it; `resetting` then
        lasts until they are reset.
    user_bits : int
        Bits of ``s_axis_tuser``, which become the fields `user` and `parameters` of the core's input; 0: no such port.
    """

    def __init__(
        self,
        core: wiring.Component,
        beat_in: int,
        beat_out: int,
        user_bits: int = 0,
        *,
        weight_beat: int = 0,
        spread: bool = False,
    ) -> None:
        self._core, self._spread = core, spread
        self._user_bits = user_bits
        self._loadable = weight_beat > 0
        weights = {
            "w_axis_tdata": In(8 * weight_beat),
            "w_axis_tlast": In(1),
            "w_axis_tvalid": In(1),
            "w_axis_tready": Out(1),
            "weights_error": Out(1),
        }
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(8 * beat_in),
                "s_axis_tkeep": In(beat_in),
                "s_axis_tlast": In(1),
                **({"s_axis_tuser": In(user_bits)} if user_bits else {}),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "m_axis_tdata": Out(8 * beat_out),
                "m_axis_tkeep": Out(beat_out),
                "m_axis_tlast": Out(1),
                "m_axis_tuser": Out(1),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "frame_error": Out(1),
                **(weights if self._loadable else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        core = self._core
        m.domains.sync = sync = ClockDomain(reset_less=self._spread)
        # From the port the reset would have to cross the die to every block within a cycle.
        reset = Signal(init=1, reset_less=True)
        m.submodules.core = SpreadReset(core, reset) if self._spread else core
        m.d.sync += reset.eq(~self.aresetn)
        resetting, silent = ~self.aresetn, reset
        if self._spread:
            resetting, silent = resetting | reset, reset | delayed(m, "reset", reset, 1)
        m.d.comb += [
            sync.clk.eq(self.aclk),
            *([] if self._spread else [sync.rst.eq(reset)]),
            core.resetting.eq(resetting),
            core.i.payload.data.eq(self.s_axis_tdata),
            core.i.payload.keep.eq(self.s_axis_tkeep),
            core.i.payload.last.eq(self.s_axis_tlast),
            core.i.valid.eq(self.s_axis_tvalid),
            self.s_axis_tready.eq(core.i.ready),
            self.m_axis_tdata.eq(core.o.payload.data),
            self.m_axis_tkeep.eq(core.o.payload.keep),
            self.m_axis_tlast.eq(core.o.payload.last),
            self.m_axis_tuser.eq(core.o.payload.user),
            self.m_axis_tvalid.eq(core.o.valid),
            core.o.ready.eq(self.m_axis_tready),
            self.frame_error.eq(core.frame_error & ~silent),
        ]
        if self._loadable:
            m.d.comb += [
                core.w.payload.data.eq(self.w_axis_tdata),
                core.w.payload.last.eq(self.w_axis_tlast),
                core.w.valid.eq(self.w_axis_tvalid),
                self.w_axis_tready.eq(core.w.ready),
                self.weights_error.eq(core.weights_error & ~silent),
            ]
        if self._user_bits:
            m.d.comb += core.i.payload.user.eq(self.s_axis_tuser[0])
        if self._user_bits > 1:
            m.d.comb += core.i.payload.parameters.eq(self.s_axis_tuser[1:])
        return m
