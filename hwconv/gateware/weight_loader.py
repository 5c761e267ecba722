"""From a stream to the memories of weights and tables: one image, between frames, whole or not at all."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.bounds import LoopCounter
from hwconv.plan.config import EngineConfig
from hwconv.plan.weight_image import HEADER_NUMBERS, IDENTITY_BITS, NUMBER_BITS, ImageSection, image_layout


class WeightBeat(data.StructLayout):
    """A beat of `count` bytes: `data`, and `last` on the last beat of an image. All of its bytes count."""

    def __init__(self, count: int) -> None:
        super().__init__({"data": 8 * count, "last": 1})


class HeaderNumbers(data.StructLayout):
    """The numbers of an image's header."""

    def __init__(self) -> None:
        super().__init__({name: signed(NUMBER_BITS) for name in HEADER_NUMBERS})


class WeightLoader(wiring.Component):
    """Writes an image, laid out as :class:`~hwconv.plan.weight_image.WeightImage` says, into the memories.

    An image that waits is seen, and frames that have begun go on to their end; then it is taken. From its first beat on
    the engine has no weights; it has them again when the last beat came where it had to, with TLAST, in an image whose
    identity is this engine's. Any other image pulses `error` once, and what follows up to its TLAST is discarded.

    Latency: 2 cycles from `w.valid` to `w.ready` where nothing is in flight; 1 from the last beat to `loaded`; 1 from
    the last beat of a word to `write`. Throughput: a beat a cycle. Back-pressure: `w.ready` comes from registers.

    Members
    -------
    w : In, stream of :class:`WeightBeat`
    idle : In
        No frame is in flight, and none may begin.
    request : Out
        An image waits or is being taken: no frame may begin.
    loaded : Out
        The memories hold a whole image.
    error : Out
        Pulses once for each damaged image.
    write : Out, a bit for each memory: the weights of each cluster, then the table of each requantiser
    address : Out
        Of the word written; a memory takes as many of its low bits as it has.
    words : Out, one for each memory
    numbers : Out, :class:`HeaderNumbers`
        Those of the last image.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._layout = layout = image_layout(config)
        self._memories = layout.sections[1:]
        super().__init__(
            {
                "w": In(stream.Signature(WeightBeat(layout.beat_bytes))),
                "idle": In(1),
                "request": Out(1),
                "loaded": Out(1),
                "error": Out(1),
                "write": Out(len(self._memories)),
                "address": Out(range(max(2, *(section.depth for section in self._memories)))),
                "words": Out(data.StructLayout({section.name: section.width for section in self._memories})),
                "numbers": Out(HeaderNumbers()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        taking = Signal()
        discarding = Signal()
        foreign = Signal()
        taken = taking & self.w.valid
        end_of_word, address, sections, final = self._position(m, taken, ~taking)
        m.d.comb += self.w.ready.eq(taking | discarding)
        with m.If(self.w.valid & ~taking & ~discarding):
            m.d.sync += self.request.eq(1)
        with m.If(self.request & self.idle & ~taking):
            m.d.sync += [taking.eq(1), self.loaded.eq(0)]
        m.d.sync += self.error.eq(0)
        with m.If(taken & (self.w.p.last | final)):
            whole = self.w.p.last & final & ~foreign
            m.d.sync += [
                taking.eq(0),
                self.request.eq(0),
                self.loaded.eq(whole),
                self.error.eq(~whole),
                discarding.eq(~self.w.p.last),
            ]
        with m.If(discarding & self.w.valid & self.w.p.last):
            m.d.sync += discarding.eq(0)
        self._write(m, taken, end_of_word, address, sections, foreign)
        with m.If(~taking):
            m.d.sync += foreign.eq(0)
        return m

    def _position(self, m: Module, taken: Value, reload: Value) -> tuple[Value, Value, list[Value], Value]:
        """Where in the image a beat belongs: whether it ends a word, the word's address, the section (one bit for
        each), and whether it is the image's last.
        """
        config, layout = self._config, self._layout
        header, weights, table = (layout.sections[index] for index in (0, 1, 1 + config.clusters))
        count = len(layout.sections)
        section = LoopCounter(m, "section", Const(count), count, (end := Signal()), reload)
        is_header, is_table = section.count == 0, section.count > config.clusters
        table_follows = section.count >= config.clusters

        def bound(of: ImageSection, other: ImageSection, before: ImageSection, field: str) -> tuple[Value, Value]:
            numbers = [getattr(item, field) for item in (before, of, other)]
            now = Mux(is_header, numbers[0], Mux(is_table, numbers[2], numbers[1]))
            return now, Mux(table_follows, numbers[2], numbers[1])

        beats, next_beats = bound(weights, table, header, "word_beats")
        words, next_words = bound(weights, table, header, "depth")
        most_beats = max(item.word_beats for item in layout.sections)
        most_words = max(item.depth for item in layout.sections)
        word_end = Signal()
        word = LoopCounter(m, "image_word", words, most_words, word_end, reload, first=1, following=next_words)
        beat = LoopCounter(
            m,
            "image_beat",
            beats,
            most_beats,
            taken,
            reload,
            first=header.word_beats,
            following=Mux(word.last, next_beats, beats),
        )
        m.d.comb += [word_end.eq(taken & beat.last), end.eq(word_end & word.last)]
        return beat.last, word.count, [section.count == index for index in range(count)], end & section.last

    def _write(
        self, m: Module, taken: Value, end_of_word: Value, address: Value, sections: list[Value], foreign: Signal
    ) -> None:
        """Gathers beats into words, and writes each a cycle after its last beat."""
        layout = self._layout
        bits = 8 * layout.beat_bytes
        most = max(section.word_beats for section in layout.sections)
        gathered = Signal(most * bits, reset_less=True)
        with m.If(taken):
            m.d.sync += gathered.eq(Cat(gathered[bits:], self.w.p.data))
        header_done = Signal()
        m.d.sync += [
            self.address.eq(address),
            header_done.eq(taken & end_of_word & sections[0]),
            *(self.write[index].eq(taken & end_of_word & here) for index, here in enumerate(sections[1:])),
        ]

        def word_of(section: ImageSection) -> Value:
            return gathered[(most - section.word_beats) * bits :][: section.width]

        m.d.comb += [self.words[section.name].eq(word_of(section)) for section in self._memories]
        header, loading = word_of(layout.sections[0]), self._config.loading
        assert loading is not None  # the layout has checked it
        with m.If(header_done):
            m.d.sync += [
                Value.cast(self.numbers).eq(header[IDENTITY_BITS:]),
                foreign.eq(header[:IDENTITY_BITS] != loading.identity),
            ]
