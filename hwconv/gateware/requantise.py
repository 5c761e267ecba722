"""Requantisers: one accumulator a cycle in, one output a cycle out."""

from amaranth.hdl import C, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import range_shape
from hwconv.gateware.exact_requantisers import FloatUnit, SingleUnit, WideUnit
from hwconv.gateware.requantiser_unit import RequantiserUnit
from hwconv.gateware.staged import Part, Staged
from hwconv.plan.requantiser_config import HARD_WIDTH, RequantiserPlan, chain_segments


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
    shared : In, ``plan.shared_width``, where there are shared fields
        Their values, which do not change while any result is on its way.
    o : Out, signed ``plan.output_width``
        The output value; the bits of an unsigned one if the clamp exceeds 127.
    """

    def __init__(self, plan: RequantiserPlan) -> None:
        if plan.kind not in BUILDERS:
            raise ValueError(f"Expected a plan of kind {', '.join(BUILDERS)}, not {plan.kind!r}")
        self._plan = plan
        super().__init__(
            {
                "accumulator": In(signed(plan.accumulator_width)),
                "entry": In(plan.entry_width),
                **({"shared": In(plan.shared_width)} if plan.shared else {}),
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
        """Builds the pipeline of the plan's kind."""
        m = Module()
        shared = self.shared if self._plan.shared else C(0, 0)
        result = BUILDERS[self._plan.kind](m, self._plan, self.accumulator, self.entry, shared).build()
        if result.stage != self.latency:
            raise ValueError(f"Expected a pipeline of {self.latency} stages, not {result.stage}")
        m.d.comb += self.o.eq(result.value)
        return m


class _Sum(RequantiserUnit):
    """Kind ``none``: accumulator plus bias."""

    def build(self) -> Part:
        segments = chain_segments(0, self.plan.output_width)
        accumulator = self.pipeline.number(self.accumulator.value, 0, 0, segments)
        bias = self.pipeline.number(self.field("bias", 0), 0, 0, segments)
        return self.pipeline.gather(self.pipeline.add(accumulator, bias, "sum"), "sum")


class _Narrow(RequantiserUnit):
    """Kind ``narrow``: window, product and digit rows, offset, clamp."""

    def build(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        operand = self._window()
        x, stage, segments = operand.value, operand.stage, plan.sum_segments
        terms = []
        if plan.style == "block":
            terms = self.products(x, self.field("multiplier", stage), stage, segments)
        rows = self._rows(x, stage)
        offset = pipeline.number(*self._offset(operand), plan.offset_drop, segments)
        if plan.style == "logic":
            terms = [pipeline.add_all(rows, "rows")]
        elif rows:
            offset = pipeline.add(pipeline.add_all(rows, "rows"), offset, "offset_rows")
        if len(terms) == 3:
            offset = pipeline.add(terms.pop(0), offset, "outer")
        total = pipeline.add(pipeline.add_all(terms, "inner"), offset, "total")
        return self.clamp(pipeline.gather(total, "scaled", plan.shift))

    def _window(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        if not plan.window_width:
            return self.accumulator
        segments = plan.base_segments
        accumulator = pipeline.number(self.accumulator.value, 0, 0, segments)
        base = pipeline.number(self.field("base", 0), 0, plan.base_drop, segments)
        moved = pipeline.gather(pipeline.add(accumulator, base, "moved"), "moved")
        return pipeline.saturate(moved, plan.window_width, "window")

    def _rows(self, x: Value, stage: int) -> list[Staged]:
        """One row a digit: 0, x, 2x or ~x, one look-up table a bit."""
        plan, rows = self.plan, []
        first = HARD_WIDTH if plan.style == "block" else 0
        digits = self.field("digits", stage) if plan.digits else C(0, 1)
        for index in range(plan.digits):
            digit = digits[2 * index : 2 * index + 2]
            row = Signal(signed(len(x) + 1), name=f"row_{index}")
            self.m.d.comb += row.eq(Mux(digit[0], x, 0))
            if len(digit) == 2:
                self.m.d.comb += row.eq(Mux(digit[1], Mux(digit[0], ~x, x << 1), Mux(digit[0], x, 0)))
            part = self.pipeline.register(row, stage + 1, f"row_{index}")
            rows.append(self.pipeline.number(part.value, part.stage, first + 2 * index, plan.sum_segments))
        return rows

    def _offset(self, operand: Part) -> tuple[Value, int]:
        """The offset and its stage: a comparison and a choice, or just a field."""
        plan, stage = self.plan, operand.stage
        if not plan.signed_select:
            return self.field("positive", stage), stage
        shared = C(plan.threshold, range_shape(plan.threshold, plan.threshold))
        threshold = self.field("threshold", stage) if self.has("threshold") else shared
        x = operand.value[min(plan.threshold_drop, len(operand.value) - 1) :].as_signed()
        # A difference's sign is one carry chain; a comparison would be a chain and tables behind it.
        upper = ~x[-1] if not self.has("threshold") and plan.threshold == -1 else (threshold - x)[-1]
        choose = self.pipeline.register(upper, stage + 1, "upper")
        positive, negative = self.field("positive", stage + 1), self.field("negative", stage + 1)
        chosen = self.pipeline.register(Mux(choose.value, positive, negative).as_signed(), stage + 2, "offset")
        return chosen.value, chosen.stage


BUILDERS: dict[str, type[RequantiserUnit]] = {
    "narrow": _Narrow,
    "wide": WideUnit,
    "single": SingleUnit,
    "float": FloatUnit,
    "none": _Sum,
}
"""The pipeline of each kind of plan."""
