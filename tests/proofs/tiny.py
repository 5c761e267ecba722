"""The engines that proofs are about: so small that two frames pass within the cycles that a solver can follow."""

from dataclasses import replace
from typing import Literal

from proof_engines import engine_files, tiny_plan
from prover import Proof

from hwconv.plan.config import EngineConfig
from hwconv.plan.engine_plan import EnginePlan

KERNEL_2X2 = {"height": 3, "width": 3, "in_channels": 1, "out_channels": 2, "kernel": (2, 2)}

RING_ROWS = 6
"""Fewer than a plan takes, which never lets the ring delay the array: here it fills, the third frame over the first."""


def engine_plan() -> EnginePlan:
    return tiny_plan(KERNEL_2X2, pixels=2, columns=2, ports=1)


def engine_config() -> EngineConfig:
    """Two rows of two elements behind one port: every mechanism of a large engine, twice."""
    return replace(engine_plan().config, ring_rows=RING_ROWS)


STRIDED = {**KERNEL_2X2, "width": 4, "kernel": (2, 3), "stride": (2, 2), "padding": (1, 0, 2, 1)}
DILATED = {**KERNEL_2X2, "height": 4, "dilation": (2, 2), "padding": (0, 1, 1, 0)}
GROUPED = {**KERNEL_2X2, "height": 2, "width": 2, "in_channels": 4, "out_channels": 2, "kernel": (1, 2), "groups": 2}
DEPTHWISE = {**KERNEL_2X2, "in_channels": 2, "groups": 2}

WALKS = {
    "one port for two pixels": (KERNEL_2X2, {"pixels": 2, "columns": 2, "ports": 1}),
    "stride 2 and uneven pads": (STRIDED, {"pixels": 2, "columns": 2, "ports": 1}),
    "dilation 2, a port for each pixel": (DILATED, {"pixels": 2, "columns": 1, "ports": 2}),
    "two groups, two words a pixel": (GROUPED, {"pixels": 1, "columns": 1, "depthwise": False}),
    "depthwise, a channel a word": (DEPTHWISE, {"pixels": 2, "depthwise": True, "word_channels": 1}),
}
"""Layers and foldings whose addresses are proven."""


def walk_config(name: str) -> EngineConfig:
    """The engine of one of :data:`WALKS`, with a ring that the second frame goes round."""
    shape, folding = WALKS[name]
    config = tiny_plan(shape, **folding).config
    return replace(config, ring_rows=config.passes[0].height + 1)


def frames_of_cycles(config: EngineConfig, frames: int) -> int:
    """Cycles of the array for some frames when nothing is waited for."""
    (item,) = config.passes
    return frames * -(-item.out_pixels // config.pixels) * item.tile_cycles


def engine_proof(part: str, depth: int, mode: Literal["prove", "bmc", "cover"] = "prove") -> Proof:
    """One part of `engine.sv` for :func:`engine_config`, with what is patched at the moment built in."""
    config, cycles = engine_config(), engine_plan().cycles
    return Proof(
        files=engine_files(config, part),
        top="engine_harness",
        mode=mode,
        depth=depth,
        parameters={
            "BEAT_IN_BITS": 8 * config.input_beat_bytes,
            "BEAT_OUT_BITS": 8 * config.output_beat_bytes,
            "ACCEPT_BOUND": cycles.tail + cycles.interval,
            "LEAVE_BOUND": cycles.tail + cycles.interval,
        },
    )
