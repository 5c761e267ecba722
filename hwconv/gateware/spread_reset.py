"""A reset that takes a cycle to its blocks, each of which has a register of its own."""

from amaranth.hdl import ClockSignal, Elaboratable, Fragment, Instance, ResetInserter, Signal

MOST_BITS = 250
"""Bits of registers beyond which the parts of a block have registers of their own for the reset."""


class SpreadReset(Elaboratable):
    """A design in a clock domain without reset, whose registers are all reset in the cycle after `reset`.

    A block whose registers have few bits keeps the reset in one register for all of them, a larger one in one for what
    is its own and in those of its parts. None of these is merged with another (``rtl/*/hwconv_hop.v``), so each lies
    beside what it resets.

    Parameters
    ----------
    design : Elaboratable
    reset : Signal
        A register.
    """

    def __init__(self, design: Elaboratable, reset: Signal) -> None:
        self._design, self._reset = design, reset

    def elaborate(self, platform: object) -> Fragment:
        return self._spread(Fragment.get(self._design, platform))

    def _spread(self, fragment: Fragment) -> Fragment:
        if _bits(fragment) <= MOST_BITS:
            return self._reset_here(fragment)
        parts = fragment.subfragments
        fragment.subfragments = []
        fragment = self._reset_here(fragment)
        fragment.subfragments += [(self._spread(part), name, place) for part, name, place in parts]
        return fragment

    def _reset_here(self, fragment: Fragment) -> Fragment:
        """With one register for all of it."""
        if not _bits(fragment):
            return fragment
        near = Signal(name="near_reset")
        fragment = ResetInserter(near)(fragment)
        hop = Instance("hwconv_hop", p_WIDTH=1, i_clk=ClockSignal(), i_d=self._reset, o_q=near)
        fragment.add_subfragment(hop, "hop_reset")
        return fragment


def _bits(fragment: Fragment) -> int:
    """Bits of registers that a reset changes."""
    signals = fragment.statements["sync"]._lhs_signals() if "sync" in fragment.statements else ()
    own = sum(len(signal) for signal in signals if not signal.reset_less)
    return own + sum(_bits(part) for part, _, _ in fragment.subfragments)
