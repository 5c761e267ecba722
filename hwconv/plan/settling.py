"""The time between two layers of a program."""

from .config import EngineConfig

SETTLING_CYCLES = 20
"""Cycles between two layers of a program, at least, in which every block takes over the next layer's bounds."""


def settling_cycles(config: EngineConfig) -> int:
    """Cycles between two layers of a program: the first fold of a layer must not end before the last one's drain."""
    passes = config.passes
    longest = SETTLING_CYCLES
    for before, after in zip(passes, passes[1:] + passes[:1], strict=True):
        behind = before.block_steps - before.active_steps + before.phases[0][0].idle_steps
        ahead = (after.phases[0][0].tap_blocks - 1) * after.block_steps + after.active_steps
        longest = max(longest, config.pixels * config.drain - behind - ahead)
    return longest
