"""How deep the queues between engines are: as shallow as leaves latency and interval what unbounded queues give.

Depths come from :mod:`~hwconv.plan.graph_schedule`, not from a simulation. A deeper queue never makes anything later
(but none at all saves its cycle, so that each depth is compared with the schedule of those found before it), so the
smallest sufficient depth of each is found by halving, one queue after the other, the others being as found before or
unbounded. The result is tight: any single queue that is one shallower makes a frame later, or deadlocks.
"""

from dataclasses import dataclass

from .graph_schedule import FRAMES, UNBOUNDED, Deadlock, Edge, Schedule, Streams, TooSlow

FILLS = 3
"""How often the frames that fill a pipeline go through it until it has settled."""


@dataclass(frozen=True, kw_only=True)
class QueueDepths:
    """The depth of each edge's queue, 0 where there is none, and the schedule with them."""

    depths: dict[Edge, int]
    schedule: Schedule


def queue_depths(streams: Streams) -> QueueDepths:
    """Chooses the depth of every queue.

    A tensor with several readers has a queue for each, since a beat goes to all of them in the same cycle; elsewhere a
    queue is there only if it is needed.
    """
    depths = dict.fromkeys(streams.edges, UNBOUNDED)
    first = streams.schedule(depths)
    inside = -(-first.latency // max(1, first.interval))
    # Of small frames many are inside at a time: it takes as many until the pipeline has settled.
    frames = FRAMES if inside < FRAMES else FILLS * inside
    best = streams.schedule(depths, frames)
    for edge in sorted(depths, key=streams.forked):
        found: dict[int, Schedule] = {}

        def suffices(edge: Edge, depth: int, best: Schedule = best, found: dict[int, Schedule] = found) -> bool:
            try:
                found[depth] = streams.schedule({**depths, edge: depth}, frames, target=best)
            except (Deadlock, TooSlow):
                return False
            return all(one <= other for one, other in zip(found[depth].leaves, best.leaves, strict=True))

        if not streams.forked(edge) and suffices(edge, 0):
            depths[edge], best = 0, found[0]
            continue
        low, high = 1, 2
        while not suffices(edge, high):
            low, high = high + 1, 2 * high
        while low < high:
            middle = (low + high) // 2
            if suffices(edge, middle):
                high = middle
            else:
                low = middle + 1
        depths[edge], best = high, found[high]
    return QueueDepths(depths=depths, schedule=best)
