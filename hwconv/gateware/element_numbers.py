"""A random number for every element of a frame, whatever the beats are that the frame comes in."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import delayed
from hwconv.gateware.threefry import WORD, Threefry, key_words
from hwconv.plan.dropout import BLOCK_NUMBERS, GENERATOR_LATENCY, NUMBERS_LATENCY, DropoutConfig

NUMBER = 16


class ElementNumbers(wiring.Component):
    """Gives element ``n`` of a frame the 16 bits ``n % 4`` of the block with the counter ``(n // 4, seed)``.

    As many blocks as the elements of a beat lie in are computed each cycle; where a beat may begin inside a block, a
    multiplexer gives each lane its part.

    Latency: 18 cycles from `step` to `o`, also the attribute `latency`. Throughput: a beat a cycle. There is no
    back-pressure.

    Members
    -------
    step, first, last : In
        A beat comes, and is the first or the last of its frame.
    seed : In, 32
        Of the frame, with its first beat.
    o : Out, an array of 16-bit numbers, lane 0 first
    """

    latency = NUMBERS_LATENCY

    def __init__(self, config: DropoutConfig) -> None:
        self._config = config
        self._lanes = config.frame.beat_bytes
        super().__init__(
            {
                "step": In(1),
                "first": In(1),
                "last": In(1),
                "seed": In(WORD),
                "o": Out(data.ArrayLayout(NUMBER, self._lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, lanes = self._config, self._lanes
        base = Signal(range(max(2, -(-config.frame.elements // BLOCK_NUMBERS) + 1)))
        phase = Signal(range(BLOCK_NUMBERS))
        end = Signal(range(BLOCK_NUMBERS + lanes))
        m.d.comb += end.eq((phase if len(config.phases) > 1 else 0) + lanes)
        with m.If(self.step):
            m.d.sync += base.eq(Mux(self.last, 0, base + end[2:]))
            if len(config.phases) > 1:
                m.d.sync += phase.eq(Mux(self.last, 0, end[:2]))
        key = (0, config.stream)
        second = Signal(WORD, reset_less=True)
        with m.If(self.step & self.first):
            m.d.sync += second.eq(self.seed + key_words(key)[1])
        numbers = []
        for index in range(config.generators):
            m.submodules[f"generator_{index}"] = generator = Threefry(key)
            first = Signal(WORD, name=f"block_{index}", reset_less=True)
            m.d.sync += first.eq(base + index)
            m.d.comb += [generator.first.eq(first), generator.second.eq(second)]
            numbers += [generator.o.word_select(part, NUMBER) for part in range(BLOCK_NUMBERS)]
        chosen = delayed(m, "phase", phase, 1 + GENERATOR_LATENCY, reset=False) if len(config.phases) > 1 else phase
        parts = Signal.like(Cat(self.o), name="parts", reset_less=True)
        for lane in range(lanes):
            choices = [numbers[lane + min(start, config.phases[-1])] for start in range(BLOCK_NUMBERS)]
            m.d.sync += parts[NUMBER * lane : NUMBER * (lane + 1)].eq(Array(choices)[chosen])
        m.d.comb += Cat(self.o).eq(parts)
        return m
