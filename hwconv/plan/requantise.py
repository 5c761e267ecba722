"""Chooses and proves the requantiser of one layer, or of several that share an engine."""

from hwconv.plan.requantiser_config import RequantiserPlan, RequantiserProof

__all__ = ["RequantiserPlan", "RequantiserProof"]
