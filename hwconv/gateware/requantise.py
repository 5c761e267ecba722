"""Requantisers: one accumulator a cycle in, one output a cycle out."""

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import range_shape
from hwconv.gateware.staged import Part, Pipeline, Staged
from hwconv.plan.requantiser_config import (
    HARD_WIDTH,
    PRODUCT_LATENCY,
    SIGNED_FIELDS,
    WIDE_OPERAND,
    RequantiserPlan,
    chain_segments,
    operand_pieces,
)


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
        if plan.kind not in ("narrow", "wide", "none"):
            raise ValueError(f"Expected a plan of kind narrow, wide or none, not {plan.kind!r}")
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
        builder = {"narrow": _Narrow, "wide": _Wide, "none": _Sum}[self._plan.kind]
        shared = self.shared if self._plan.shared else C(0, 0)
        result = builder(m, self._plan, self.accumulator, self.entry, shared).build()
        if result.stage != self.latency:
            raise ValueError(f"Expected a pipeline of {self.latency} stages, not {result.stage}")
        m.d.comb += self.o.eq(result.value)
        return m


class _Unit:
    """What the three kinds share: the entry's fields, products and the clamp."""

    def __init__(self, m: Module, plan: RequantiserPlan, accumulator: Value, entry: Value, shared: Value) -> None:
        self.m = m
        self.plan = plan
        self.pipeline = Pipeline(m)
        self.accumulator = Part(accumulator, 0)
        self._fields: dict[str, Part] = {}
        position = 0
        for name, width in plan.fields:
            bits = entry[position : position + width]
            is_signed = name in SIGNED_FIELDS or (name in ("minimum", "maximum") and plan.out_min < 0)
            self._fields[name] = Part(bits.as_signed() if is_signed else bits, 0)
            position += width
        self._shared: dict[str, Value] = {}
        position = 0
        for name, width in plan.shared:
            self._shared[name] = shared[position : position + width].as_signed()
            position += width

    def build(self) -> Part:
        """Adds the pipeline to the module."""
        raise NotImplementedError

    def has(self, name: str) -> bool:
        """Whether a field is not a constant."""
        return name in self._fields or name in self._shared

    def field(self, name: str, stage: int) -> Value:
        """A field of the entry that came with the accumulator now at a stage, or one that all channels share."""
        if name in self._shared:
            return self._shared[name]
        return self.pipeline.at(self._fields[name], stage, name)

    def products(self, a: Value, b: Value, stage: int, segments: tuple[int, ...]) -> list[Staged]:
        """The partial products of two signed operands, :data:`PRODUCT_LATENCY` stages later.

        Operands of two pieces each give three numbers: the products of the low and of the high pieces do not overlap.
        """
        partial: dict[tuple[int, int], Value] = {}
        splits = [operand_pieces(len(operand)) for operand in (a, b)]
        for index_a, (low_a, width_a) in enumerate(splits[0]):
            for index_b, (low_b, width_b) in enumerate(splits[1]):
                operands = []
                for operand, low, width, top in (
                    (a, low_a, width_a, index_a == len(splits[0]) - 1),
                    (b, low_b, width_b, index_b == len(splits[1]) - 1),
                ):
                    bits = operand[low : low + width]
                    operands.append(bits if top else Cat(bits, C(0, 1)))
                product = Signal(signed(len(operands[0]) + len(operands[1])), name=f"product_{low_a}_{low_b}")
                self.m.submodules[f"multiplier_{low_a}_{low_b}"] = Instance(
                    "hwconv_mult",
                    p_A_WIDTH=len(operands[0]),
                    p_B_WIDTH=len(operands[1]),
                    i_clk=ClockSignal(),
                    i_a=operands[0],
                    i_b=operands[1],
                    o_p=product,
                )
                partial[low_a, low_b] = product
        piece = HARD_WIDTH - 1
        if len(splits[0]) == len(splits[1]) == 2:
            partial[0, 0] = Cat(partial[0, 0][: 2 * piece], partial.pop((piece, piece))).as_signed()
        after = stage + PRODUCT_LATENCY
        numbers = []
        for (low_a, low_b), value in sorted(partial.items()):
            product = self.pipeline.register(value, after, f"product_{low_a}_{low_b}").value
            numbers.append(self.pipeline.number(product, after, low_a + low_b, segments))
        return numbers

    def clamp(self, scaled: Part) -> Part:
        """Two stages: compare with the limits, choose."""
        plan, stage = self.plan, scaled.stage
        low: Value = self.field("minimum", stage) if plan.entry_clamp else C(plan.out_min, signed(10))
        high: Value = self.field("maximum", stage) if plan.entry_clamp else C(plan.out_max, signed(10))
        value = scaled.value
        below = self.pipeline.register(
            _below(value, None if plan.entry_clamp else plan.out_min, low), stage + 1, "below"
        )
        above = self.pipeline.register(
            _above(value, None if plan.entry_clamp else plan.out_max, high), stage + 1, "above"
        )
        bits = Signal(signed(8), name="bits")
        self.m.d.comb += bits.eq(value)
        inside = self.pipeline.at(Part(bits, stage), stage + 1, "inside")
        if plan.entry_clamp:
            low, high = self.field("minimum", stage + 1), self.field("maximum", stage + 1)
        chosen: Value = inside
        if plan.saturates[0]:
            chosen = Mux(below.value, low[:8], chosen)
        if plan.saturates[1]:
            chosen = Mux(above.value, high[:8], chosen)
        return self.pipeline.register(chosen[:8], stage + 2, "output")


def _below(value: Value, limit: int | None, operand: Value) -> Value:
    """``value < limit``: for minus a power of two, a test of the upper bits."""
    if limit is None or limit >= 0 or -limit & (-limit - 1):
        return value < operand
    bits = (-limit).bit_length() - 1
    return value[-1] & ~value[bits:].all() if len(value) > bits else C(0, 1)


def _above(value: Value, limit: int | None, operand: Value) -> Value:
    """``value > limit``: for a power of two less one, a test of the upper bits."""
    if limit is None or limit < 0 or limit & (limit + 1):
        return value > operand
    bits = limit.bit_length()
    return ~value[-1] & value[bits:].any() if len(value) > bits else C(0, 1)


class _Sum(_Unit):
    """Kind ``none``: accumulator plus bias."""

    def build(self) -> Part:
        segments = chain_segments(0, self.plan.output_width)
        accumulator = self.pipeline.number(self.accumulator.value, 0, 0, segments)
        bias = self.pipeline.number(self.field("bias", 0), 0, 0, segments)
        return self.pipeline.gather(self.pipeline.add(accumulator, bias, "sum"), "sum")


class _Narrow(_Unit):
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


class _Wide(_Unit):
    """Kind ``wide``: shift left, doubling high multiply, rounding shift right, zero point, clamp."""

    def build(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        segments = chain_segments(0, WIDE_OPERAND)
        accumulator = pipeline.number(self.accumulator.value, 0, 0, segments)
        biased = pipeline.add(accumulator, pipeline.number(self.field("bias", 0), 0, 0, segments), "biased")
        x = self._shift(pipeline.gather(biased, "biased"), "left")
        wide = chain_segments(HARD_WIDTH - 1, 2 * WIDE_OPERAND)
        outer, *inner = self.products(x.value, self.field("multiplier", x.stage), x.stage, wide)
        half = pipeline.number(C(1, signed(2)), outer.parts[0].stage, WIDE_OPERAND - 2, wide)
        product = pipeline.add(pipeline.add(outer, half, "outer"), pipeline.add_all(inner, "inner"), "product")
        high = pipeline.gather(product, "high", WIDE_OPERAND - 1)
        scaled = self._shift(self._round(high), "right")
        short = pipeline.saturate(scaled, 12, "short")
        zero_point: Value = C(plan.output_zero_point, signed(10))
        if self.has("zero_point"):
            zero_point = self.field("zero_point", short.stage)
        return self.clamp(pipeline.register(short.value + zero_point, short.stage + 1, "moved"))

    def _shift(self, part: Part, name: str) -> Part:
        """Shifts by a field of the entry: two bits of the distance a stage, three stages."""
        for step in range(3):
            value = part.value
            if self.has(name):
                distance = self.field(name, part.stage)[2 * step : 2 * step + 2]
                if len(distance):
                    far = distance << 2 * step
                    value = (value >> far) if name == "right" else (value << far)[: len(part.value)].as_signed()
            part = self.pipeline.register(value, part.stage + 1, f"{name}_{step}")
        return part

    def _round(self, high: Part) -> Part:
        """Adds half a unit of the shift to come, or one less to negative numbers."""
        pipeline, stage = self.pipeline, high.stage
        segments = chain_segments(0, WIDE_OPERAND + 1)
        nudge = Signal(WIDE_OPERAND)
        if self.has("right"):
            right = self.field("right", stage)
            sign = high.value[-1]
            for bit in range(min(WIDE_OPERAND, (1 << len(right)) - 1)):
                self.m.d.comb += nudge[bit].eq(Mux(sign, right > bit + 1, right == bit + 1))
        registered = pipeline.register(nudge, stage + 1, "nudge")
        operand = pipeline.number(Cat(registered.value, C(0, 1)).as_signed(), stage + 1, 0, segments)
        number = pipeline.number(pipeline.at(high, stage + 1, "unrounded"), stage + 1, 0, segments)
        return pipeline.gather(pipeline.add(number, operand, "rounded"), "rounded")
