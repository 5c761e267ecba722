"""The plan of a graph's program: on one array, on two in turns, or on one with additions on its way back."""

from collections.abc import Sequence

from ..graph import Network
from .engine_plan import EnginePlan
from .loop_array import LoopArray
from .partition import members_of
from .program import make_program
from .residual import ResidualArray, make_residual
from .residual_rows import is_residual
from .shared_array import SharedArray


def plan_program(
    network: Network,
    names: Sequence[str],
    multipliers: int,
    array: SharedArray | LoopArray | ResidualArray | None = None,
) -> EnginePlan:
    """Plans the engine of a row of a network's nodes, with an array that is chosen already, or the best one."""
    if is_residual(network.graph, names):
        assert array is None or isinstance(array, ResidualArray)  # it was chosen for such a row
        return make_residual(network, names, multipliers=multipliers, array=array)
    assert not isinstance(array, ResidualArray)
    return make_program(members_of(network, names), name=names[-1], multipliers=multipliers, array=array)
