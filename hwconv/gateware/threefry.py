"""Threefry-2x32: random numbers from a counter, a round a stage."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwconv.plan.dropout import GENERATOR_LATENCY, ROUNDS

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
WORD = 32


def key_words(key: tuple[int, int]) -> tuple[int, int, int]:
    """The words that are added before the first round and after every fourth one, in turn."""
    return *key, PARITY ^ key[0] ^ key[1]


class Threefry(wiring.Component):
    """Computes ``threefry2x32_R(13, (first, second), key)``, whose first addition of the key has been done.

    The key is a constant: what changes from frame to frame is in the counter, so that nothing but 64 bits goes through
    the pipeline. Salmon et al. divide the input among counter and key as they like as well.

    Latency: 16 cycles, also the attribute `latency`; a stage adds and mixes one round, or the key. Throughput: a block
    a cycle. There is no back-pressure, valid or reset. All paths are cut by registers.

    Parameters
    ----------
    key : tuple of int
        Two words.

    Members
    -------
    first, second : In, 32
        The counter plus the key.
    o : Out, 64
        The first output word in the low half, the second in the high one.
    """

    latency = GENERATOR_LATENCY

    first: In(WORD)
    second: In(WORD)
    o: Out(2 * WORD)

    def __init__(self, key: tuple[int, int]) -> None:
        self._words = key_words(key)
        super().__init__()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, second = self.first, self.second
        for index in range(ROUNDS):
            total = Signal(WORD, name=f"sum_{index}")
            m.d.comb += total.eq(first + second)
            first = Signal(WORD, name=f"first_{index}", reset_less=True)
            mixed = second.rotate_left(ROTATIONS[index % len(ROTATIONS)]) ^ total
            second = Signal(WORD, name=f"second_{index}", reset_less=True)
            m.d.sync += [first.eq(total), second.eq(mixed)]
            if index % 4 == 3:
                turn = index // 4 + 1
                before = first, second
                first = Signal(WORD, name=f"first_{index}_keyed", reset_less=True)
                second = Signal(WORD, name=f"second_{index}_keyed", reset_less=True)
                m.d.sync += [
                    first.eq(before[0] + self._words[turn % 3]),
                    second.eq(before[1] + (self._words[(turn + 1) % 3] + turn) % (1 << WORD)),
                ]
        m.d.comb += self.o.eq(Cat(first, second))
        return m
