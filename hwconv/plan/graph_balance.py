"""Engines of a graph that share a target: the solver's choices, planned and compared."""

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from ..errors import UnsupportedError
from ..graph import Add, Concat, Conv, Network, Pool, Upscale
from .area import Area
from .balance import Balance, Budget, balance, budget_of
from .engine_plan import LEAST_BEAT_BYTES, EnginePlan
from .graph_programs import plan_program
from .graph_schedule import UNBOUNDED
from .partition import partitions_of, shared_layers
from .residual_choices import residual_choices
from .residual_rows import is_residual
from .upscale import plan_upscale

if TYPE_CHECKING:
    from ..targets import Target

from .graph_engines import NodePlan, engines_of, streams_of

QUICK_POOL_LUTS = 30_000
"""A target of fewer look-up tables has none to spare for pooling that is much faster than its input."""
CLOSE, MOST_COMPARED = 1.3, 5
"""Choices of a solver that are planned and compared: those so close to the best estimate, and so many at most."""

Planned = tuple[Balance, dict[str, int], dict[str, NodePlan]]
"""What was chosen, the beats of all tensors, and the engines."""


def balanced_engines(
    network: Network, target: "Target", optimise: Literal["interval", "latency"], partition: str, reserved: int
) -> Planned:
    """Engines that share a target; the other blocks' multipliers are known once they are planned beside them.

    Of the choices that are best by estimate, the schedule decides. `reserved`: block RAMs of queues.
    """
    graph = network.graph
    quick = optimise == "latency" and target.luts >= QUICK_POOL_LUTS
    others = {node.name: other_area(node, quick=quick) for node in graph.computed if not isinstance(node, Conv)}
    layers = shared_layers(network)
    spared = {
        name: Budget(multipliers=0, luts=area.luts, ffs=area.ffs, block_rams=0)
        for name, area in others.items()
        if name in layers or isinstance(graph.node(name), Add)
    }
    partitions = partitions_of(graph, partition)
    rows = {row for programs in partitions for row in programs if is_residual(graph, row)}
    residual = {row: residual_choices(network, row) for row in sorted(rows)}
    hard, rams = 0, reserved
    planned: list[Planned] = []
    while not planned:
        budget = budget_of(target, list(others.values()), rams, other_hard=hard)
        found = balance(graph.name, layers, budget, optimise, partitions, spared, residual)
        least = found[0].length(optimise)
        refused: UnsupportedError | None = None
        lacking: list[tuple[int, int]] = []
        for each in found:
            tried = len(planned) + len(lacking)
            if tried == MOST_COMPARED or (tried and each.length(optimise) > CLOSE * least):
                break
            try:
                beats, engines = _planned(network, each, quick=quick)
            except UnsupportedError as error:  # programs whose beats are not those of what they meet
                refused = error
                continue
            blocks = [engine for engine in engines.values() if not isinstance(engine, EnginePlan)]
            more = each.taken.multipliers + sum(block.requantiser_multipliers for block in blocks) - target.multipliers
            rest = each.taken.block_rams + sum(block.block_rams for block in blocks) + reserved - target.block_rams
            if more > 0 or rest > 0:
                lacking.append((max(more, 0), max(rest, 0)))
            else:
                planned.append((each, beats, engines))
        if not planned:
            if not lacking:
                assert refused is not None
                raise refused
            # As much less for the arrays as the blocks beside them need at least; what is far slower has to wait.
            more, rest = min(lacking, key=sum)
            hard, rams = hard + more, rams + rest

    def length(each: Planned) -> int:
        streams = streams_of(graph, each[2], each[1], each[0].programs)
        schedule = streams.schedule(dict.fromkeys(streams.edges, UNBOUNDED))
        return schedule.latency if optimise == "latency" else schedule.interval

    chosen = min(planned, key=length) if len(planned) > 1 else planned[0]
    if not chosen[0].programs:
        return chosen
    return chosen[0], *_planned(network, _with_own_requantisers(network, chosen[0]), quick=quick)


def _with_own_requantisers(network: Network, balanced: Balance) -> Balance:
    """The same choices, each program with the requantiser that its layers need."""
    choices = dict(balanced.choices)
    for names in balanced.programs:
        chosen = choices[names[-1]]
        plan = plan_program(network, names, chosen.plan.asked, chosen.array)
        choices[names[-1]] = replace(chosen, plan=plan)
    return replace(balanced, choices=choices)


def _planned(network: Network, balanced: Balance, *, quick: bool) -> tuple[dict[str, int], dict[str, NodePlan]]:
    """Beats and engines of what was chosen."""
    drafts = {name: choice.plan for name, choice in balanced.choices.items()}
    return engines_of(network, drafts, balanced.lut_multipliers, balanced.price, balanced.programs, quick=quick)


def other_area(node: Pool | Add | Upscale | Concat, *, quick: bool) -> Area:
    """What a node without multipliers takes, roughly; `quick`: latency counts."""
    match node:
        case Pool():
            return Area(luts=1200, ffs=1200) * (2 if quick else 1)
        case Add():
            return Area(luts=250, ffs=350) * LEAST_BEAT_BYTES
        case Upscale():
            return plan_upscale(node.spec).area
    return Area(luts=150, ffs=100)
