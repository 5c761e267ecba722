"""The Winograd engine: transforms around an array that multiplies each position of a tile on its own.

s_axis -> receiver -> row banks -> transform -> array -> transform -> requantisers -> band buffer -> m_axis
              sequencer -> fetch ^       walk ^  ^ weights
"""

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwconv.gateware.beat_packer import BeatPacker, ResultBeat
from hwconv.gateware.bounds import delayed
from hwconv.gateware.engine import OUTPUT_QUEUE, FrameVerdicts
from hwconv.gateware.frame_receiver import FrameReceiver, WholeFrameReceiver
from hwconv.gateware.stream import Beat, Queue, SkidBuffer, StreamRegister
from hwconv.gateware.winograd_array import ARRAY_LATENCY, TileWalk, WinogradArray
from hwconv.gateware.winograd_fetch import FETCH_LATENCY, TileFetch, TileSequencer
from hwconv.gateware.winograd_ledger import TileLedger
from hwconv.gateware.winograd_output import TileResults
from hwconv.gateware.winograd_results import BandBuffer
from hwconv.gateware.winograd_rows import RowBanks
from hwconv.gateware.winograd_transform import TileTransform
from hwconv.plan.winograd_config import WinogradConfig


class WinogradCore(wiring.Component):
    """What :class:`~hwconv.gateware.engine.EngineCore` is, for a :class:`WinogradConfig`; the members are the same.

    A tile's start decides everything behind it: its reading, transform, products and results follow at fixed
    distances, nothing in between ever waits, and nothing needs clearing after a reset.

    Latency and interval: `hwconv.plan.winograd_cycles`. Back-pressure is accepted at any cycle on both sides.
    """

    def __init__(self, config: WinogradConfig, *, guarded: bool = False) -> None:
        self._config, self._guarded = config, guarded
        super().__init__(
            {
                "i": In(stream.Signature(Beat(config.input_beat_bytes))),
                "o": Out(stream.Signature(Beat(config.output_beat_bytes))),
                "frame_error": Out(1),
                "resetting": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self._config
        m.submodules.skid_in = skid_in = ResetInserter(self.resetting)(SkidBuffer(Beat(config.input_beat_bytes)))
        m.submodules.receiver = receiver = (WholeFrameReceiver if self._guarded else FrameReceiver)(config)
        m.submodules.rows = rows = RowBanks(config)
        m.submodules.ledger = ledger = TileLedger(config)
        m.submodules.sequencer = sequencer = TileSequencer(config)
        m.submodules.fetch = fetch = TileFetch(config)
        m.submodules.transform = transform = TileTransform(config)
        m.submodules.walk = walk = TileWalk(config)
        m.submodules.array = array = WinogradArray(config)
        m.submodules.tile_results = results = TileResults(config)
        m.submodules.output = output = BandBuffer(config)
        m.submodules.packer = packer = BeatPacker(config)
        wiring.connect(m, wiring.flipped(self.i), skid_in.i)
        wiring.connect(m, skid_in.o, receiver.i)
        m.d.comb += [
            self.frame_error.eq(receiver.error),
            receiver.permitted.eq(ledger.permitted),
            rows.write.eq(receiver.write),
            rows.word.eq(receiver.word),
            rows.addresses.eq(fetch.addresses),
            fetch.words.eq(rows.words),
            ledger.written.eq(receiver.written),
            ledger.positions.eq(rows.positions),
            ledger.unit_free.eq(output.unit_free),
            ledger.read_last.eq(sequencer.read_last),
            ledger.upcoming_first.eq(sequencer.upcoming_first),
            *(
                getattr(ledger, name).eq(getattr(sequencer, name))
                for name in ("start", "start_first", "start_across", "start_last")
            ),
            *(
                getattr(fetch, name).eq(getattr(sequencer, name))
                for name in ("start", "start_across", "start_last", "read", "next_group", "next_byte", "next_word")
            ),
            sequencer.go.eq(ledger.go),
            transform.pixels.eq(fetch.pixels),
            transform.valid.eq(fetch.valid),
            transform.last.eq(fetch.last),
            transform.address.eq(walk.address),
            walk.begin.eq(delayed(m, "begin", sequencer.read_last, FETCH_LATENCY + config.transform_latency)),
            array.first.eq(walk.first),
            array.last.eq(walk.last),
            array.turn.eq(walk.turn),
            array.weight.eq(walk.weight),
            array.shift.eq(results.shift),
            results.captured.eq(array.captured),
            results.last_turn.eq(delayed(m, "last_turn", walk.last_turn, ARRAY_LATENCY)),
            output.results.eq(results.results),
            output.valid.eq(results.valid),
            packer.word.eq(output.o),
            packer.valid.eq(output.o_valid),
        ]
        if not self._guarded:
            m.submodules.verdicts = verdicts = FrameVerdicts(config.frames_in_flight)
            m.d.comb += [
                verdicts.push.eq(receiver.frame_end),
                verdicts.damaged.eq(receiver.damaged),
                verdicts.pop.eq(output.frame_sent),
                output.damaged.eq(verdicts.o),
            ]
        for index in range(config.vertical.inputs * config.horizontal.inputs):
            m.d.comb += getattr(array, f"v_{index}").eq(getattr(transform, f"o_{index}"))
        for index in range(config.drain_columns * config.vertical.inputs):
            m.d.comb += getattr(results, f"i_{index}").eq(getattr(array, f"o_{index}"))
        self._send(m, output, packer)
        return m

    def _send(self, m: Module, output: BandBuffer, packer: BeatPacker) -> None:
        """Beats to the output stream; a queue takes what is in flight when the stream stalls."""
        config = self._config
        m.submodules.queue = queue = Queue(ResultBeat(config), OUTPUT_QUEUE)
        m.submodules.front = front = ResetInserter(self.resetting)(StreamRegister(ResultBeat(config)))
        in_flight = BandBuffer.in_flight + BeatPacker.latency
        wiring.connect(m, queue.o, front.i)
        m.d.comb += [
            output.room.eq(~queue.filled[OUTPUT_QUEUE - 1 - in_flight]),
            queue.payload.eq(packer.beat),
            queue.push.eq(packer.complete),
            self.o.payload.eq(front.o.payload.beat),
            self.o.valid.eq(front.o.valid),
            front.o.ready.eq(self.o.ready),
        ]
