"""Requantisers: one accumulator a cycle in, one output a cycle out."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.requantiser_config import RequantiserPlan


class Requantiser(wiring.Component):
    """Computes the function of a :class:`~hwconv.plan.requantiser_config.RequantiserPlan` on one accumulator a cycle.

    Latency: ``plan.latency`` cycles, also the attribute `latency`. Throughput: one result a cycle. There is no
    back-pressure, valid or reset: whatever stands at the inputs leaves as a result, `latency` cycles later. All paths
    from input to output are cut by registers.

    Parameters
    ----------
    plan : RequantiserPlan
        Widths and constants.

    Members
    -------
    accumulator : In, signed ``plan.accumulator_width``
        The raw sum ``sum(x * w)``.
    entry : In, ``plan.entry_width``
        The table entry of the accumulator's channel, in the same cycle.
    o : Out, signed ``plan.output_width``
        The output value.
    """

    def __init__(self, plan: RequantiserPlan) -> None:
        self._plan = plan
        super().__init__(
            {
                "accumulator": In(signed(plan.accumulator_width)),
                "entry": In(plan.entry_width),
                "o": Out(signed(plan.output_width)),
            }
        )

    @property
    def plan(self) -> RequantiserPlan:
        """The plan it is built from."""
        return self._plan

    @property
    def latency(self) -> int:
        """Cycles from `accumulator` and `entry` to `o`."""
        return self._plan.latency

    def elaborate(self, platform: object) -> Module:
        """Not built yet."""
        raise NotImplementedError
