"""Everything that is decided before gateware is built: folding, widths, memories, requantisers, cycles."""

from .engine_plan import EnginePlan, make_plan

__all__ = ["EnginePlan", "make_plan"]
