"""From result words to output beats."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.output_buffer import ResultWord
from hwconv.gateware.stream import Beat
from hwconv.plan.config import EngineConfig


class ResultBeat(data.StructLayout):
    """A beat of results; `final` says that it leaves the engine."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"beat": Beat(config.output_beat_bytes), "final": 1})


class BeatPacker(wiring.Component):
    """Gathers result words into output beats; a frame's last beat may be partial, and carries TLAST and its TUSER.

    Latency: 1 cycle. Throughput: a word a cycle. There is no back-pressure: what takes the beats has room for all words
    in flight. All paths are cut by registers.

    Members
    -------
    word, valid : In
        A :class:`ResultWord`, and whether it is one.
    beat, complete : Out
        A :class:`ResultBeat`, and whether it is complete.
    """

    latency = 1

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "word": In(ResultWord(config)),
                "valid": In(1),
                "beat": Out(ResultBeat(config)),
                "complete": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        count = config.output_beat_bytes // config.result_bytes
        width = 8 * config.result_bytes
        # One bit for each place of a word in the beat. What comes without valid is overwritten by what comes next.
        place = Signal(count, init=1)
        results = config.result_bytes - config.idle_results * config.value_bytes
        ends = place[-1] | self.word.last
        for index in range(count):
            with m.If(place[index]):
                m.d.sync += self.beat.beat.data[width * index : width * (index + 1)].eq(self.word.data)
        m.d.sync += [
            self.complete.eq(self.valid & ends),
            self.beat.beat.keep.eq(Cat(self._kept(place, index, results) for index in range(config.output_beat_bytes))),
            self.beat.beat.last.eq(self.word.last),
            self.beat.beat.user.eq(self.word.damaged),
            self.beat.final.eq(self.word.final),
        ]
        with m.If(self.valid & (count > 1)):
            m.d.sync += place.eq(Mux(ends, 1, place << 1))
        return m

    def _kept(self, place: Signal, index: int, results: int) -> Value:
        """TKEEP of a byte of the beat; of the last word only so many bytes are `results`."""
        word, byte = divmod(index, self._config.result_bytes)
        if byte < results:
            return place[word:].any()
        return place[word + 1 :].any() | (place[word] & ~(self.word.last & self.word.final))
