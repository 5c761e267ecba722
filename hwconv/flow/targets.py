"""The targets that the flow routes for; see `hwconv.targets`, where they are data."""

from hwconv.targets import Target, list_targets, load_target

__all__ = ["Target", "list_targets", "load_target"]
