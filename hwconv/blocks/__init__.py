"""Dropout and statistics for people: from a description to a package, a comparison, hard runs.

>>> block = block_from_dict({"kind": "mc_dropout", "height": 1, "width": 1, "channels": 10, "passes": 32})
>>> result = compare_block(block, simulator="icarus")
>>> assert result.exact and result.latency == result.predicted_latency
"""

from hwconv.blocks.block import KINDS, Block, block_from_dict, load_block
from hwconv.blocks.package import generate_block
from hwconv.blocks.run import BlockComparison, BlockTrials, compare_block, simulate_block

__all__ = [
    "KINDS",
    "Block",
    "BlockComparison",
    "BlockTrials",
    "block_from_dict",
    "compare_block",
    "generate_block",
    "load_block",
    "simulate_block",
]
