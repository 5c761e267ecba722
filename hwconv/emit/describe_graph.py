"""What pooling engines and graphs of engines compute, in words: the first lines of their Verilog and READMEs."""

from collections.abc import Sequence

from hwconv.emit.describe import STREAMS, describe_kind
from hwconv.graph import Add, Concat, Conv, Graph, Reshape, Upscale
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.pool import PoolPlan
from hwconv.plan.residual import ResidualPlan
from hwconv.pool import PoolSpec
from hwconv.upscale import UpscaleSpec


def describe_pool(spec: PoolSpec) -> str:
    """Returns one line: what a pooling layer does."""
    padding = " padding {} {} {} {},".format(*spec.padding) if any(spec.padding) else ""
    before, after = (" x ".join(map(str, shape)) for shape in (spec.input_shape, spec.output_shape))
    kernel, stride = ("x".join(map(str, pair)) for pair in (spec.kernel, spec.stride))
    types = f"{before} {spec.dtype} in, {after} {spec.dtype} out"
    if spec.kind == "mean":
        return f"{kernel} rescaled mean, stride {stride}, {types}"
    return f"{kernel} {spec.kind} pooling, stride {stride},{padding} {types}"


def describe_upscale(spec: UpscaleSpec) -> str:
    """Returns a few words: how a frame is enlarged."""
    factor = "{}x{}".format(*spec.factor)
    if spec.kind == "nearest":
        return f"every pixel {factor} times"
    return f"channels as {factor} pixels ({spec.order})"


def pool_header(plan: PoolPlan, version: str) -> str:
    """Returns the comment that a pooling engine's Verilog begins with."""
    spec, cycles = plan.spec, plan.cycles
    means = {"max": "the largest element of each window", "average": "the mean of each window, half away from zero",
             "mean": "the sum over each window, scaled as TensorFlow Lite's MEAN"}  # fmt: skip
    return f"""\
{plan.top_name}: {describe_pool(spec)}

  {means[spec.kind]}, of those inside the frame; clamped to {spec.activation_min} .. {spec.activation_max}

latency {cycles.latency} cycles, a frame every {cycles.interval} cycles

{STREAMS.format(version=version)}"""


def describe_graph(graph: Graph) -> str:
    """Returns one line: what goes in and out of a graph."""
    before, after = ("x".join(map(str, shape)) for shape in (graph.input_shape, graph.output_shape))
    return f"{len(graph.nodes)} layers: {before} {graph.dtype} to {after} {graph.tensors[graph.output].dtype}"


def node_lines(graph: Graph) -> list[str]:
    """Returns a line for each node: its name, what it is, and what it reads."""
    lines = []
    for node in graph.nodes:
        shape = "x".join(map(str, graph.tensors[node.name].shape))
        match node:
            case Concat():
                what = "concatenation"
            case Reshape():
                what = "another shape"
            case Add():
                what = "sum"
            case Upscale():
                what = describe_upscale(node.spec)
            case Conv():
                what = describe_kind(node.spec)
            case _:
                what = describe_pool(node.spec).split(",")[0]
        lines.append(f"{node.name} = {what} of {', '.join(node.inputs)}: {shape}")
    return lines


def _sharing(plan: GraphPlan, layers: Sequence[str]) -> str:
    """How the layers of a program are computed."""
    engine = plan.engines[layers[-1]]
    if isinstance(engine, ResidualPlan):
        return "One engine computes layers and sums, one after the other"
    two = isinstance(engine, EnginePlan) and len(engine.parts) > 1
    return "Two engines compute, in turns" if two else "One engine computes, one after the other"


def graph_header(plan: GraphPlan, version: str) -> str:
    """Returns the comment that a graph's Verilog begins with."""
    nodes = "\n".join(f"  {line}" for line in node_lines(plan.graph))
    shared = "".join(f"\n{_sharing(plan, layers)}: {', '.join(layers)}.\n" for layers in plan.programs)
    return f"""\
{plan.top_name}: {describe_graph(plan.graph)}

{nodes}
{shared}
{plan.multipliers} multipliers; latency {plan.cycles.latency} cycles, a frame every {plan.cycles.interval} cycles.

{STREAMS.format(version=version)}"""
