"""The plan of a graph for people: its engines, its queues, its cycles, and what its layers stand for."""

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..graph import Concat, Conv, Graph, Reshape
from ..spec import ConvSpec
from .add import AddPlan
from .engine_plan import EnginePlan
from .graph_plan import GraphPlan
from .upscale import UpscalePlan
from .winograd import WinogradPlan

DEFAULT_CLOCK_MHZ = 100.0


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """Two layers in a row that stand for a dense one with the same reach: weights and MACs of either."""

    names: tuple[str, str]
    what: str
    weights: int
    macs: int
    dense_weights: int
    dense_macs: int


def replacements(graph: Graph) -> list[Replacement]:
    """The pairs of layers that a dense one would replace: depthwise and pointwise, or a row and a column."""
    found = []
    for first in graph.convolutions:
        readers = graph.readers(first.name)
        second = graph.node(readers[0][0]) if len(readers) == 1 else None
        if not isinstance(second, Conv):
            continue
        a, b = first.spec, second.spec
        if a.depthwise and b.kernel == (1, 1) and b.groups == 1:
            what, kernel = "depthwise and pointwise", a.kernel
        elif a.groups == b.groups == 1 and {a.kernel[0], b.kernel[1]} == {1} and a.kernel[1] > 1 < b.kernel[0]:
            what, kernel = "a row and a column", (b.kernel[0], a.kernel[1])
        elif a.groups == b.groups == 1 and {a.kernel[1], b.kernel[0]} == {1} and a.kernel[0] > 1 < b.kernel[1]:
            what, kernel = "a column and a row", (a.kernel[0], b.kernel[1])
        else:
            continue
        dense = kernel[0] * kernel[1] * a.in_channels * b.out_channels
        found.append(
            Replacement(
                names=(a.name, b.name),
                what=what,
                weights=_weights(a) + _weights(b),
                macs=a.macs + b.macs,
                dense_weights=dense,
                dense_macs=dense * b.out_height * b.out_width,
            )
        )
    return found


def explain_graph(plan: GraphPlan, *, clock_mhz: float | None = None) -> Group:
    """Returns what a terminal or a log shows of a plan; times are at 100 MHz by default."""
    graph, clock = plan.graph, DEFAULT_CLOCK_MHZ if clock_mhz is None else clock_mhz
    before, after = ("x".join(map(str, shape)) for shape in (graph.input_shape, graph.output_shape))
    ends = f"{before} {graph.dtype} -> {after} {graph.tensors[graph.output].dtype}"
    headline = f"{graph.name}: {ends}, {graph.weights:,} weights, {graph.macs:,} MACs"
    parts: list[RenderableType] = [Text(headline, style="bold")]
    for each in replacements(graph):
        said = f"{each.what} ({', '.join(each.names)}): {each.weights:,} weights against {each.dense_weights:,}, "
        parts.append(Text(f"  {said}{each.macs:,} MACs against {each.dense_macs:,} of a dense layer"))
    parts += [Text(), Text("Engines", style="bold"), _engines(plan), *_programs(plan)]
    queues = _queues(plan)
    if queues.row_count:
        parts += [Text(), Text("Queues", style="bold"), queues, Text(f"  {plan.queue_bits:,} bits together")]
    cycles = plan.cycles
    slowest = max(plan.engines, key=lambda name: plan.engines[name].cycles.interval)
    parts += [
        Text(),
        Text("Cycles", style="bold"),
        Text(f"  latency   {cycles.latency:,} cycles, {cycles.latency / clock:,.2f} us at {clock:g} MHz"),
        Text(
            f"  interval  {cycles.interval:,} cycles, {cycles.interval / clock:,.2f} us; "
            f"the slowest engine, {slowest}, takes {plan.engines[slowest].cycles.interval:,}"
        ),
        Text(
            f"  {plan.multipliers} multipliers used to {plan.utilisation:.1%}; "
            f"{plan.requantiser_multipliers} more in requantisers"
        ),
    ]
    return Group(*parts)


def explain_budget(plan: GraphPlan) -> Group:
    """Returns where a target's multipliers, look-up tables and block RAMs went, and what is too scarce for more."""
    balance, target = plan.balance, plan.target
    if balance is None or target is None:
        return Group(Text(), Text("No target was shared: there is no budget (--target)."))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    columns = ("engine", "array", "of LUTs", "requantisers", "LUTs", "block RAMs", "interval", "share")
    for column in columns:
        table.add_column(column, justify="left" if column == "engine" else "right")
    for name, choice in balance.choices.items():
        made = balance.lut_multipliers[name]
        luts = choice.luts(balance.price) + choice.element.luts * made
        row = (name, choice.plan.multipliers, made, choice.plan.requantiser_multipliers, luts,
               choice.blocks(balance.price), choice.interval)  # fmt: skip
        table.add_row(*(str(each) for each in row), f"{luts / target.luts:.1%}")
    budget, taken = balance.budget, balance.taken
    lines = [
        f"  multipliers     {taken.multipliers:>6,} of {budget.multipliers:>6,}",
        f"  look-up tables  {taken.luts:>6,} of {budget.luts:>6,}, estimated; {target.part} has {target.luts:,}",
        f"  flip-flops      {taken.ffs:>6,} of {budget.ffs:>6,}, estimated; {target.part} has {target.ffs:,}",
        f"  block RAMs      {taken.block_rams:>6,} of {budget.block_rams:>6,}",
        f"  what binds: {balance.binds}",
    ]
    return Group(Text(), Text("Budget", style="bold"), table, *(Text(line) for line in lines))


def _engines(plan: GraphPlan) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("tensor", "of", "shape", "beat", "array", "interval"):
        table.add_column(column, justify="left" if column in ("tensor", "of") else "right")
    for node in plan.graph.nodes:
        shape = "x".join(map(str, plan.graph.tensors[node.name].shape))
        row = [node.name, ", ".join(node.inputs), shape, str(plan.beats[node.name])]
        if isinstance(node, Concat | Reshape):
            table.add_row(*row, "concatenation" if isinstance(node, Concat) else "another shape", "")
            continue
        program = plan.program_of(node.name)
        if program not in (None, node.name):
            table.add_row(*row, f"in {program}", "")
            continue
        engine = plan.engines[node.name]
        if isinstance(engine, AddPlan):
            table.add_row(*row, f"{engine.config.beat_bytes} adders", f"{engine.cycles.interval:,}")
            continue
        if isinstance(engine, UpscalePlan):
            kind = "repeated pixels" if engine.spec.kind == "nearest" else "channels as pixels"
            table.add_row(*row, f"{kind}, block RAMs: {engine.block_rams}", f"{engine.cycles.interval:,}")
            continue
        if isinstance(engine, WinogradPlan):
            array = f"{engine.algorithm} {engine.config.rows} x {engine.config.columns}"
        elif isinstance(engine, EnginePlan):
            array = ", ".join(f"{part.config.pixels} x {part.config.columns}" for part in engine.parts)
        else:
            array = f"{engine.config.pixels} x {engine.config.columns} lanes"
        table.add_row(*row, array, f"{engine.cycles.interval:,}")
    return table


def _queues(plan: GraphPlan) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("from", "to", "beats"):
        table.add_column(column, justify="right" if column == "beats" else "left")
    read = {block.name: block.inputs for block in plan.blocks}
    for (name, index), depth in plan.depths.items():
        if depth:
            table.add_row(read[name][index], name, f"{depth:,}")
    return table


def _programs(plan: GraphPlan) -> list[RenderableType]:
    """Of each program, its arrays and what each layer takes of their time."""
    shown: list[RenderableType] = []
    for layers in plan.programs:
        engine = plan.engines[layers[-1]]
        assert isinstance(engine, EnginePlan)
        summary = engine.summary()
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for column in ("layer", "MACs", "cycles", "multipliers used"):
            table.add_column(column, justify="left" if column == "layer" else "right")
        for each in summary["layers"]:
            table.add_row(each["layer"], f"{each['macs']:,}", f"{each['cycles']:,}", f"{each['utilisation']:.1%}")
        turns = " in turns, both at work at once" if len(engine.parts) > 1 else ""
        shown += [
            Text(),
            Text(f"Program {layers[-1]}{turns}", style="bold"),
            *(Text(f"  {_array(part)}") for part in engine.parts),
            table,
            Text(
                f"  {engine.cycles.compute:,} cycles of the array; a frame every {engine.cycles.interval:,}; "
                f"{summary['ecp5_block_rams']} ECP5 block RAMs"
            ),
        ]
    return shown


def _array(plan: EnginePlan) -> str:
    """An engine of a program in a line."""
    config = plan.config
    return (
        f"{len(plan.layers)} layers on {config.pixels} x {config.columns} multipliers"
        f"{', a channel a column' if config.depthwise else ''}, words of {config.word_channels} channels, "
        f"{config.ports} read ports, {config.requantisers} requantisers"
    )


def _weights(spec: ConvSpec) -> int:
    return spec.out_channels * spec.taps * spec.group_in_channels
