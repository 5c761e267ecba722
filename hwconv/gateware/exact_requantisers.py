"""Requantisers that compute a mode's definition step by step; see :mod:`hwconv.plan.exact_requantisers`."""

from amaranth.hdl import C, Cat, Mux, Signal, Value, signed

from hwconv.gateware.requantiser_unit import RequantiserUnit
from hwconv.gateware.staged import Part
from hwconv.plan.requantiser_config import (
    FLOAT_BITS,
    GUARD_BITS,
    HARD_WIDTH,
    MANTISSA,
    SHIFT_LATENCY,
    WIDE_OPERAND,
    chain_segments,
)


class WideUnit(RequantiserUnit):
    """Kind ``wide``: saturate, shift left, doubling high multiply, rounding shift right, zero point, clamp."""

    def build(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        biased = self.biased()
        if plan.biased_width > WIDE_OPERAND:
            biased = pipeline.saturate(biased, WIDE_OPERAND, "saturated")
        x = self.shift(biased, "left")
        wide = chain_segments(HARD_WIDTH - 1, 2 * WIDE_OPERAND)
        outer, *inner = self.products(x.value, self.field("multiplier", x.stage), x.stage, wide)
        half = pipeline.number(C(1, signed(2)), outer.parts[0].stage, WIDE_OPERAND - 2, wide)
        product = pipeline.add(pipeline.add(outer, half, "outer"), pipeline.add_all(inner, "inner"), "product")
        high = pipeline.gather(product, "high", WIDE_OPERAND - 1)
        scaled = self.shift(self._round(high), "right")
        return self.finish(scaled)

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


class SingleUnit(RequantiserUnit):
    """Kind ``single``: product, offset, shift right, zero point, clamp."""

    def build(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        segments = chain_segments(0, plan.sum_width)
        terms = self.products(self.accumulator.value, self.field("multiplier", 0), 0, segments)
        terms.append(pipeline.number(self.field("offset", 0), 0, 0, segments))
        scaled = pipeline.gather(pipeline.add_all(terms, "sum"), "scaled", plan.shift)
        return self.last(self.finish(self.shift(scaled, "right")))


class FloatUnit(RequantiserUnit):
    """Kind ``float``: a product in float32 and its rounding to an integer, as `hwconv.plan.requantiser_model` explains.

    Bias, magnitude, rounding to a mantissa, product, shift right, rounding, sign, zero point, clamp.
    """

    def build(self) -> Part:
        plan, pipeline = self.plan, self.pipeline
        biased = self.biased()
        self._negative = Part(biased.value[-1], biased.stage)
        magnitude = self._magnitude(biased)
        if plan.rounds_accumulator:
            magnitude = self._to_mantissa(magnitude)
        x, stage = magnitude.value, magnitude.stage
        segments = chain_segments(0, sum(plan.product_operands))
        terms = self.products(x, self.field("multiplier", stage), stage, segments)
        product = pipeline.gather(pipeline.add_all(terms, "product"), "product")
        rounded = self._round(self._align(product))
        value, stage = rounded.value, rounded.stage
        signed_value = pipeline.register(Mux(self._sign(stage), -value, value).as_signed(), stage + 1, "signed")
        moved = signed_value.value + self.zero_point(stage + 1)
        return self.last(self.clamp(pipeline.register(moved, stage + 2, "moved")))

    def _sign(self, stage: int) -> Value:
        return self.pipeline.at(self._negative, stage, "negative")

    def _magnitude(self, biased: Part) -> Part:
        """The absolute value, as a signed number."""
        pipeline, stage, width = self.pipeline, biased.stage, self.plan.biased_width + 1
        segments = chain_segments(0, width)
        sign = biased.value[-1]
        flipped = (biased.value.as_unsigned() ^ sign.replicate(width - 1)).as_signed()
        number = pipeline.number(flipped, stage, 0, segments)
        one = pipeline.number(Cat(sign, C(0, 1)).as_signed(), stage, 0, segments)
        return pipeline.gather(pipeline.add(number, one, "magnitude"), "magnitude")

    def _to_mantissa(self, magnitude: Part) -> Part:
        """Rounded to the mantissa of a float32, ties to even: what is cut off is as long as the bits above are many."""
        pipeline, stage = self.pipeline, magnitude.stage
        width = len(magnitude.value)
        segments = chain_segments(0, width)
        above = magnitude.value[MANTISSA : width - 1]
        spare = Signal(len(above), name="spare")  # one bit for each number of bits too many
        for index in range(len(above)):
            longest = above[index] if index + 1 == len(above) else above[index] & ~above[index + 1 :].any()
            self.m.d.comb += spare[index].eq(longest)
        hot = pipeline.register(spare, stage + 1, "spare")
        value = pipeline.at(magnitude, stage + 1, "unrounded")
        nudge: Value = C(0, 1)
        for index in range(len(above)):
            half = (1 << index) - 1 + value[index + 1]  # of index + 1 spare bits; one more if the last kept bit is odd
            nudge = nudge | Mux(hot.value[index], half, 0)
        nudged = pipeline.register(nudge, stage + 2, "nudge")
        operand = pipeline.number(Cat(nudged.value, C(0, 1)).as_signed(), stage + 2, 0, segments)
        number = pipeline.number(pipeline.at(magnitude, stage + 2, "unrounded"), stage + 2, 0, segments)
        total = pipeline.gather(pipeline.add(number, operand, "rounded"), "rounded")
        many = pipeline.at(hot, total.stage, "spare")
        kept = [~many[index:].any() if index < len(above) else C(1, 1) for index in range(width)]
        return pipeline.register((total.value.as_unsigned() & Cat(*kept)).as_signed(), total.stage + 1, "mantissa")

    def _align(self, product: Part) -> Part:
        """The product with GUARD_BITS below the integers, the last of which tells of all bits that were shifted out."""
        pipeline, cut = self.pipeline, self.plan.shift - GUARD_BITS
        value = product.value[:-1]  # not negative
        value = Cat(value, C(0, max(cut + GUARD_BITS + FLOAT_BITS + 1 - len(value), 0)))
        kept = Cat(value[cut:][0] | value[:cut].any(), value[cut + 1 :]) if cut > 0 else Cat(C(0, -cut), value)
        part = pipeline.register(kept, product.stage + 1, "aligned")
        for step in range(SHIFT_LATENCY):
            kept = part.value
            distance = self.field("right", part.stage)[2 * step : 2 * step + 2] if self.has("right") else C(0, 0)
            shifted: Value = kept
            for far in range(1, 1 << len(distance)):
                by = min(far << 2 * step, len(kept) - 1)
                jammed = Cat(kept[by] | kept[:by].any(), kept[by + 1 :])
                shifted = Mux(distance == far, jammed, shifted)
            part = pipeline.register(shifted, part.stage + 1, f"aligned_{step}")
        return part

    def _round(self, aligned: Part) -> Part:
        """The nearest integer; beyond FLOAT_BITS bits any large one."""
        pipeline, stage, value = self.pipeline, aligned.stage, aligned.value
        whole = Signal(FLOAT_BITS, name="whole_bits")
        beyond = value[GUARD_BITS + FLOAT_BITS :].any()
        self.m.d.comb += whole.eq(Mux(beyond, (1 << FLOAT_BITS) - 1, value[GUARD_BITS:]))
        near = pipeline.register(whole, stage + 1, "whole")
        guard = Part(value[:GUARD_BITS], stage)
        # The reach of a tie: a power of two for each length of the integer.
        reach = [~near.value.any(), *(near.value[i] & ~near.value[i + 1 :].any() for i in range(FLOAT_BITS))]
        half = 1 << GUARD_BITS - 1
        least = Signal(GUARD_BITS + 1, name="least_bits")
        self.m.d.comb += least.eq(half)
        for length, has in enumerate(reach):
            with self.m.If(has):
                far = 2 << length
                self.m.d.comb += least.eq(Mux(near.value[0], half - far, half + far + 1))
        limit = pipeline.register(least, stage + 2, "limit")
        up = pipeline.register(pipeline.at(guard, stage + 2, "guard") >= limit.value, stage + 3, "up")
        total = pipeline.at(near, stage + 3, "whole") + up.value
        return pipeline.register(Cat(total, C(0, 1)), stage + 4, "rounded")
