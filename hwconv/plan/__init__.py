"""Everything that is decided before gateware is built: folding, widths, memories, requantisers, cycles."""

from .algorithm import plan_layer
from .engine_plan import EnginePlan, make_plan

__all__ = ["EnginePlan", "make_plan", "plan_layer"]
