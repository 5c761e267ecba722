"""The reset of graphs: every block has it in a register of its own, a cycle later, and starts anew with all others."""

import re

import pytest
from checked_graphs import graph_plan
from engines import design_of
from graph_checks import PAUSES, patience, random_frames
from loop_cases import plan_of_case as loop_plan_of
from residual_cases import plan_of_case as residual_plan_of
from test_power_up import unknown

from hwconv import simulation
from hwconv.gateware.spread_reset import MOST_BITS
from hwconv.golden import graph as golden_graph
from hwconv.plan.graph_plan import GraphPlan

PLANS = {
    "engines": lambda: graph_plan("skip"),
    "loop": lambda: loop_plan_of("a_frame_comes_in_faster_than_its_layer_is_computed"),
    "residual": lambda: residual_plan_of("three_blocks_of_a_resnet"),
}
RESET = r"if \(near_reset\) begin\s+(\w+) <?="
REGISTER = re.compile(r"^  reg (?:signed )?(?:\[(\d+):0\] )?(\w+)", re.MULTILINE)


def run(plan: GraphPlan, design: simulation.Design, cycles: int) -> None:
    frames = random_frames(plan.graph, 3, 5)
    right = golden_graph.run(plan.network, frames)
    binary = simulation.build(design, "icarus")
    for stalls in (None, PAUSES):
        result = simulation.run(binary, frames, right, stalls=stalls, power_up_reset=cycles, watchdog=patience(plan))
        assert result.passed, simulation.explain(result)


@pytest.mark.parametrize("name", PLANS)
def test_a_graph_needs_no_reset_after_power_up(name: str) -> None:
    plan = PLANS[name]()
    run(plan, design_of(plan), 0)


@pytest.mark.sampled
@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("cycles", [1, 2, 3])
def test_one_reset_is_enough_for_registers_that_start_unknown(name: str, cycles: int) -> None:
    plan = PLANS[name]()
    run(plan, unknown(design_of(plan)), cycles)


@pytest.mark.parametrize("name", PLANS)
def test_what_has_parts_shares_its_register_only_where_there_is_little_to_reset(name: str) -> None:
    plan = PLANS[name]()
    text = design_of(plan).files[f"{plan.top_name}.v"]
    modules = {
        each[1]: each[0] for each in re.finditer(r"^module (\S+?)\(.*?^endmodule", text, re.MULTILINE | re.DOTALL)
    }

    def bits(module: str) -> int:
        """That a module's reset changes, in its parts too."""
        body = modules[module]
        widths = {name: int(high or 0) + 1 for high, name in REGISTER.findall(body)}
        own = sum(widths[name] for name in re.findall(RESET, body))
        parts = re.findall(r"^  (\S+) \S+ \((?:[^;]*?)\.near_reset\(near_reset\)", body, re.MULTILINE)
        return own + sum(bits(part) for part in parts)

    resetting = [module for module, body in modules.items() if "hop_reset" in body]
    assert len(resetting) > 10
    assert max(bits(module) for module in resetting) > 50
    for module in resetting:
        assert bits(module) <= MOST_BITS or ".near_reset(near_reset)" not in modules[module], module
