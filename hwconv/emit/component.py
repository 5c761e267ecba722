"""Which gateware a plan describes, and what its Verilog says first."""

from amaranth.lib import wiring

from hwconv import __version__
from hwconv.emit.describe import header
from hwconv.emit.describe_blocks import chain_header, dropout_header, statistics_header
from hwconv.emit.describe_graph import graph_header, pool_header
from hwconv.errors import UnsupportedError
from hwconv.plan.block import BlockPlan
from hwconv.plan.chain import ChainPlan
from hwconv.plan.dropout import DropoutPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.loop import LoopPlan
from hwconv.plan.mc_statistics import StatisticsPlan
from hwconv.plan.pool import PoolPlan
from hwconv.plan.residual import ResidualPlan
from hwconv.plan.winograd import WinogradPlan


def component_of(plan: BlockPlan) -> tuple[wiring.Component, str]:
    """Returns the top level of a plan, and the comment that its Verilog begins with.

    Raises:
        UnsupportedError: two engines in turns, or an engine with additions, which are only there as a part of a graph.
    """
    match plan:
        case WinogradPlan():
            from hwconv.gateware.engine import Engine
            from hwconv.gateware.winograd_engine import WinogradCore

            return Engine(plan.config, WinogradCore(plan.config)), header(plan, __version__)
        case LoopPlan():
            name, expected = plan.top_name, "one array, or a graph of which they are a part: plan_graph"
            raise UnsupportedError(name, "array", "two in turns", expected)
        case ResidualPlan():
            name, expected = plan.top_name, "a graph of which they are a part: plan_graph"
            raise UnsupportedError(name, "program", "layers and additions", expected)
        case EnginePlan():
            from hwconv.gateware.engine import Engine

            return Engine(plan.config), header(plan, __version__)
        case GraphPlan():
            from hwconv.gateware.graph import GraphTop

            return GraphTop(plan), graph_header(plan, __version__)
        case PoolPlan():
            from hwconv.gateware.engine import Engine

            return Engine(plan.config), pool_header(plan, __version__)
        case DropoutPlan():
            from hwconv.gateware.dropout import Dropout

            return Dropout(plan.config), dropout_header(plan, __version__)
        case StatisticsPlan():
            from hwconv.gateware.mc_statistics import Statistics

            return Statistics(plan.config), statistics_header(plan, __version__)
        case ChainPlan():
            from hwconv.gateware.chain import Chain

            return Chain(plan), chain_header(plan, __version__)
        case _:
            raise TypeError(f"Expected the plan of a block, not {type(plan).__name__}")
