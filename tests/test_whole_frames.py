"""The receiver of engines in graphs, beside the one that takes any frames: of whole frames they make the same."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator
from checked_engines import engine
from loop_cases import loop_of
from loop_cases import plan_of_case as loop_plan_of
from residual_cases import plan_of_case as residual_plan_of
from residual_cases import residual_of

from hwconv.gateware import frame_receiver
from hwconv.gateware.bounds import delayed
from hwconv.gateware.frame_receiver import FrameReceiver, WholeFrameReceiver
from hwconv.plan.config import EngineConfig

CYCLES = 1500


def configs() -> dict[str, EngineConfig]:
    """Rings and programs, beats of several units and words of several beats, last beats that are not full."""
    found: dict[str, EngineConfig] = {}
    for name in ("odd_beats",):
        found[name] = engine(name).config
    for name in ("a_frame_comes_in_faster_than_its_layer_is_computed", "a_beat_is_more_than_the_frame"):
        loop = loop_of(loop_plan_of(name)).config
        found |= {f"{name}, entry": loop.entry, f"{name}, exit": loop.exit}
    for name in ("three_blocks_of_a_resnet", "a_wide_pad_and_dilation"):
        found[name] = residual_of(residual_plan_of(name)).config.engine
    return found


def frame_beats(config: EngineConfig, layer: int) -> int:
    item = config.received[layer]
    return -(-item.height * item.row_words * config.word_bytes // config.input_beat_bytes)


@pytest.mark.parametrize("name", configs())
@pytest.mark.parametrize("pace", ["full", "pauses"])
def test_both_receivers_write_the_same_words_in_the_same_cycles(name, pace, seed, monkeypatch):
    # Amaranth's simulator has no model of an instance of Verilog: as rtl/generic/hwconv_hop.v says.
    monkeypatch.setattr(frame_receiver, "hop", lambda m, name, value: delayed(m, f"hop_{name}", value, 1))
    config = configs()[name]
    any_frames, whole = FrameReceiver(config), WholeFrameReceiver(config)
    m = Module()
    m.submodules += [any_frames, whole]
    random = np.random.default_rng([seed, len(name)])
    layers = len(config.received)
    two_sources = hasattr(any_frames, "back")
    written = []

    async def drive(ctx):
        layer = beat = 0
        offered = None
        for _ in range(CYCLES):
            outside = layer == 0 or not two_sources
            beats = frame_beats(config, layer)
            if offered is None and (pace == "full" or random.random() < 0.6):
                offered = int.from_bytes(random.bytes(config.input_beat_bytes), "little")
            permitted = int(not config.ring or pace == "full" or random.random() < 0.8)
            last = beat == beats - 1
            count = config.received[layer].height * config.received[layer].row_words * config.word_bytes
            keep = (1 << ((count - 1) % config.input_beat_bytes + 1 if last else config.input_beat_bytes)) - 1
            for each in (any_frames, whole):
                source, other = (each.i, each.back if two_sources else None)
                if not outside:
                    source, other = other, source
                ctx.set(each.permitted, permitted)
                ctx.set(source.valid, offered is not None)
                if other is not None:
                    ctx.set(other.valid, 0)
                if offered is not None:
                    ctx.set(source.p.data, offered)
                    ctx.set(source.p.keep, keep)
                    ctx.set(source.p.last, int(last))
            ready = [ctx.get((each.i if outside else each.back).ready) for each in (any_frames, whole)]
            assert ready[0] == ready[1]
            outputs = [
                (
                    ctx.get(each.write),
                    ctx.get(each.write) and (ctx.get(each.address), ctx.get(each.word)),
                    ctx.get(each.written),
                )
                for each in (any_frames, whole)
            ]
            assert outputs[0] == outputs[1]
            written.append(outputs[1][0])
            assert not ctx.get(any_frames.error)
            if offered is not None and ready[1]:
                offered, beat = None, beat + 1
                if beat == beats:
                    layer, beat = (layer + 1) % layers, 0
            await ctx.tick()

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    words = sum(item.height * item.row_words for item in config.received)
    assert sum(written) > 2 * words  # more than two frames came through
