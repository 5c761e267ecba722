"""What pooling engines and graphs of engines compute, in words: the first lines of their Verilog and READMEs."""

from hwconv.emit.describe import STREAMS
from hwconv.plan.pool import PoolPlan
from hwconv.pool import PoolSpec


def describe_pool(spec: PoolSpec) -> str:
    """Returns one line: what a pooling layer does."""
    padding = " padding {} {} {} {},".format(*spec.padding) if any(spec.padding) else ""
    before, after = (" x ".join(map(str, shape)) for shape in (spec.input_shape, spec.output_shape))
    kernel, stride = ("x".join(map(str, pair)) for pair in (spec.kernel, spec.stride))
    return f"{kernel} {spec.kind} pooling, stride {stride},{padding} {before} int8 in, {after} int8 out"


def pool_header(plan: PoolPlan, version: str) -> str:
    """Returns the comment that a pooling engine's Verilog begins with."""
    spec, cycles = plan.spec, plan.cycles
    rule = "the largest element of each window" if spec.kind == "max" else "the mean of each window, half away from zero"
    return f"""\
{plan.top_name}: {describe_pool(spec)}

  {rule}, of those inside the frame; clamped to {spec.activation_min} .. {spec.activation_max}

latency {cycles.latency} cycles, a frame every {cycles.interval} cycles

{STREAMS.format(version=version)}"""
