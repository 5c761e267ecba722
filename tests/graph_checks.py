"""What the tests ask of a graph: exact and as fast as predicted, under pauses, with damaged frames, after resets.

A check takes a plan and the Verilog to run, which is the plan's own or has a fault in it (`tests/faults`).
"""

import numpy as np

from hwconv import graphs, simulation
from hwconv.golden import graph as golden_graph
from hwconv.graph import Graph
from hwconv.plan.graph_plan import GraphPlan
from hwconv.simulation import Design, Reset, Simulator, Stalls
from hwconv.spec import dtype_range

PAUSES = Stalls(input=100, output=80, burst=3, seed=9)


def random_frames(graph: Graph, count: int, seed: int = 1) -> np.ndarray:
    low, high = dtype_range(graph.dtype)
    return np.random.default_rng(seed).integers(low, high + 1, (count, *graph.input_shape)).astype(graph.dtype)


def patience(plan: GraphPlan) -> int:
    """Cycles without a handshake that count as a hang."""
    return 2_000 + 20 * plan.cycles.latency


def check_free(plan: GraphPlan, design: Design) -> None:
    """Frames back to back, as many as the pipeline takes to settle."""
    frames = random_frames(plan.graph, plan.settled)
    right = golden_graph.run(plan.network, frames)
    result = simulation.run(simulation.build(design, "icarus"), frames, right, watchdog=patience(plan))
    assert result.passed, f"{plan.graph.to_json()}: {simulation.explain(result)}"
    assert (result.latency, result.interval) == (plan.cycles.latency, plan.cycles.interval), plan.graph.to_json()


def check_pauses(plan: GraphPlan, design: Design) -> None:
    frames = random_frames(plan.graph, 6, 2)
    binary = simulation.build(design, "icarus")
    for stalls in (PAUSES, Stalls(output=128, burst=8, seed=3)):
        right = golden_graph.run(plan.network, frames)
        result = simulation.run(binary, frames, right, stalls=stalls, watchdog=patience(plan))
        assert result.passed, simulation.explain(result)


def check_trials(plan: GraphPlan, design: Design, simulator: Simulator = "icarus") -> None:
    """Pauses, damaged frames and resets of `hwconv sim`."""
    binary = simulation.build(design, simulator)
    found = list(graphs.run_graph_trials(plan, binary, random_frames(plan.graph, 5), seed=3))
    assert len(found) == 11
    wrong = [f"{each.name}: {each.problem}" for each in found if not each.passed]
    assert not wrong, wrong[0]


def check_resets(plan: GraphPlan, design: Design, seed: int, simulator: Simulator = "icarus") -> None:
    """Resets in any cycle of the first frames, one or several."""
    random = np.random.default_rng([seed, len(plan.graph.name)])
    frames = random_frames(plan.graph, 4, 3)
    right = golden_graph.run(plan.network, frames)
    binary = simulation.build(design, simulator)
    for number in range(8):
        reset = Reset(
            cycle=int(random.integers(9, plan.cycles.latency + plan.cycles.interval)),
            length=int(random.choice([1, 2, 9])),
            count=int(random.integers(1, 4)),
            period=int(random.choice([21, 100, 333])),
        )
        stalls = (None, PAUSES)[number % 2]
        result = simulation.run(binary, frames, right, reset=reset, stalls=stalls, watchdog=patience(plan))
        assert result.passed, f"{reset}: {simulation.explain(result)}"
