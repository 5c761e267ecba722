"""What all kinds of requantisers share: the entry's fields, products and the clamp."""

from amaranth.hdl import C, Cat, ClockSignal, Instance, Module, Mux, Signal, Value, signed

from hwconv.gateware.staged import Part, Pipeline, Staged
from hwconv.plan.requantiser_config import (
    HARD_WIDTH,
    PRODUCT_LATENCY,
    SHIFT_LATENCY,
    SIGNED_FIELDS,
    RequantiserPlan,
    chain_segments,
    operand_pieces,
)


class RequantiserUnit:
    """The part of a requantiser's pipeline that does not depend on its kind.

    Parameters
    ----------
    m : Module
        Where the pipeline goes.
    plan : RequantiserPlan
        Widths and constants.
    accumulator, entry : Value
        Inputs of the same cycle.
    shared : Value
        The fields that all channels share, where weights are loaded: registers that keep their value.
    """

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
        """Adds the pipeline to the module: each unit has its own."""
        raise NotImplementedError

    def has(self, name: str) -> bool:
        """Whether a field is not a constant."""
        return name in self._fields or name in self._shared

    def field(self, name: str, stage: int) -> Value:
        """A field of the entry that came with the accumulator now at a stage, or one that all channels share."""
        if name in self._shared:
            return self._shared[name]
        return self.pipeline.at(self._fields[name], stage, name)

    def biased(self) -> Part:
        """The accumulator plus the entry's bias, in ``plan.biased_width`` bits."""
        pipeline, segments = self.pipeline, chain_segments(0, self.plan.biased_width)
        accumulator = pipeline.number(self.accumulator.value, 0, 0, segments)
        bias = pipeline.number(self.field("bias", 0), 0, 0, segments)
        return pipeline.gather(pipeline.add(accumulator, bias, "biased"), "biased")

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

    def shift(self, part: Part, name: str) -> Part:
        """Shifts by a field of the entry: two bits of the distance a stage, three stages."""
        for step in range(SHIFT_LATENCY):
            value = part.value
            if self.has(name):
                distance = self.field(name, part.stage)[2 * step : 2 * step + 2]
                if len(distance):
                    far = distance << 2 * step
                    value = (value >> far) if name == "right" else (value << far)[: len(part.value)].as_signed()
            part = self.pipeline.register(value, part.stage + 1, f"{name}_{step}")
        return part

    def last(self, output: Part) -> Part:
        """The output at the plan's latency, which may be a little longer than the longest way through the sums."""
        return Part(self.pipeline.at(output, self.plan.latency, "late"), self.plan.latency)

    def zero_point(self, stage: int) -> Value:
        """The output zero point: a field, or a constant."""
        if self.has("zero_point"):
            return self.field("zero_point", stage)
        return C(self.plan.output_zero_point, signed(self.plan.output_width + 2))

    def finish(self, scaled: Part) -> Part:
        """Adds the zero point to a signed value and clamps it."""
        pipeline, width = self.pipeline, self.plan.output_width + 4  # well beyond the clamp with any zero point
        short = pipeline.saturate(scaled, width, "short")
        zero_point = self.zero_point(short.stage)
        return self.clamp(pipeline.register(short.value + zero_point, short.stage + 1, "moved"))

    def clamp(self, scaled: Part) -> Part:
        """Two stages: compare with the limits, choose."""
        plan, stage, width = self.plan, scaled.stage, self.plan.output_width
        limits = signed(width + 2)
        low: Value = self.field("minimum", stage) if plan.entry_clamp else C(plan.out_min, limits)
        high: Value = self.field("maximum", stage) if plan.entry_clamp else C(plan.out_max, limits)
        value = scaled.value
        below = self.pipeline.register(
            _below(value, None if plan.entry_clamp else plan.out_min, low), stage + 1, "below"
        )
        above = self.pipeline.register(
            _above(value, None if plan.entry_clamp else plan.out_max, high), stage + 1, "above"
        )
        bits = Signal(signed(width), name="bits")
        self.m.d.comb += bits.eq(value)
        inside = self.pipeline.at(Part(bits, stage), stage + 1, "inside")
        if plan.entry_clamp:
            low, high = self.field("minimum", stage + 1), self.field("maximum", stage + 1)
        chosen: Value = inside
        if plan.saturates[0]:
            chosen = Mux(below.value, low[:width], chosen)
        if plan.saturates[1]:
            chosen = Mux(above.value, high[:width], chosen)
        return self.pipeline.register(chosen[:width], stage + 2, "output")


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
