"""The engines that proofs are about: so small that two frames pass within the cycles that a solver can follow."""

from dataclasses import replace
from math import gcd
from typing import Literal

from proof_engines import engine_files, tiny_plan, tiny_program
from prover import Proof

from hwconv.plan.config import EngineConfig
from hwconv.plan.cycles import PERMIT, RECEIVE, predict
from hwconv.plan.settling import settling_cycles
from hwconv.plan.shared_array import SharedArray

KERNEL_2X2 = {"height": 3, "width": 3, "in_channels": 1, "out_channels": 2, "kernel": (2, 2)}

STRIDED = {**KERNEL_2X2, "width": 4, "kernel": (2, 3), "stride": (2, 2), "padding": (1, 0, 2, 1)}
DILATED = {**KERNEL_2X2, "height": 4, "dilation": (2, 2), "padding": (0, 1, 1, 0)}
GROUPED = {**KERNEL_2X2, "height": 2, "width": 2, "in_channels": 4, "out_channels": 2, "kernel": (1, 2), "groups": 2}
DEPTHWISE = {**KERNEL_2X2, "in_channels": 2, "groups": 2}


def ring_config(shape: dict[str, object], ring_rows: int, **folding: object) -> EngineConfig:
    """An engine with a smaller ring than a plan takes, which never lets the ring delay the array: here it fills."""
    return replace(tiny_plan(shape, **folding).config, ring_rows=ring_rows)


LAYERS = (
    {"height": 3, "width": 2, "in_channels": 1, "out_channels": 2, "kernel": (1, 2)},
    {"height": 3, "width": 1, "in_channels": 2, "out_channels": 1, "kernel": (2, 1), "padding": (1, 0, 0, 0)},
)
"""A program whose layers differ in all that an address depends on, each of two tiles, the last with half its pixels."""

ENGINES = {
    # Two rows of two elements behind one port: every mechanism of a large engine, twice.
    "dense": lambda: ring_config(KERNEL_2X2, 6, pixels=2, columns=2, ports=1),
    # A port for each of two pixels, two words of one channel: the word groups of a depthwise layer.
    "depthwise": lambda: ring_config(DEPTHWISE, 5, pixels=2, depthwise=True, word_channels=1),
    "program": lambda: tiny_program(
        LAYERS, SharedArray(pixels=2, columns=2, ports=1, word_channels=1, requantisers=1), beat_bytes=2
    ),
}
"""Engines whose flow is proven."""


def engine_config(name: str = "dense") -> EngineConfig:
    return ENGINES[name]()


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


def patience(config: EngineConfig) -> int:
    """Cycles in which an engine takes input again, or a complete frame leaves, while the sink takes beats.

    One layer: what follows the start of a frame's last tile, and the frame before. A program: every layer waits until
    the last beat of the one before is back and all blocks have settled, and the last layer's beats leave.
    """
    if config.ring:
        cycles = predict(config)
        return cycles.tail + cycles.interval
    units = config.input_beat_bytes // gcd(config.input_beat_bytes, config.word_bytes)
    total = 0
    for item in config.passes:
        cycles = predict(replace(config, passes=(item,)))
        total += cycles.compute - item.tile_cycles
        total += max(cycles.tail + units + RECEIVE + PERMIT, item.tile_cycles + settling_cycles(config))
    return total


def engine_proof(
    part: str, depth: int, mode: Literal["prove", "bmc", "cover"] = "prove", *, engine: str = "dense"
) -> Proof:
    """One part of `engine.sv` for one of :data:`ENGINES`, with what is patched at the moment built in."""
    config = engine_config(engine)
    return Proof(
        files=engine_files(config, part),
        top="engine_harness",
        mode=mode,
        depth=depth,
        parameters={
            "BEAT_IN_BITS": 8 * config.input_beat_bytes,
            "BEAT_OUT_BITS": 8 * config.output_beat_bytes,
            "ACCEPT_BOUND": patience(config),
            "LEAVE_BOUND": patience(config),
        },
    )
