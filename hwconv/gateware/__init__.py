"""Amaranth components of the engine. Nothing here takes a decision: every number comes from `hwconv.plan.config`."""
