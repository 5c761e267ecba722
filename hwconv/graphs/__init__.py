"""Graphs of engines for people: from a description to a package, a comparison, hard runs.

>>> plan = plan_file("separable.toml", multipliers=64)
>>> result = compare_graph(plan)
>>> assert result.exact and result.latency == result.predicted_latency
"""

from pathlib import Path

from hwconv.frontend.graph_file import GraphFile, is_graph, load_graph
from hwconv.graphs.package import generate_graph
from hwconv.graphs.run import compare_graph, frames_of, run_graph_trials, simulate_graph
from hwconv.plan.graph_plan import GraphPlan, plan_graph

__all__ = [
    "GraphFile",
    "GraphPlan",
    "compare_graph",
    "frames_of",
    "generate_graph",
    "is_graph",
    "load_graph",
    "plan_file",
    "plan_graph",
    "run_graph_trials",
    "simulate_graph",
]


def plan_file(path: str | Path, *, multipliers: int | None = None) -> GraphPlan:
    """Reads and plans a graph; raises what :func:`load_graph` and :func:`plan_graph` raise."""
    return plan_graph(load_graph(path).network, multipliers=multipliers)
