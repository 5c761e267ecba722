"""What stream blocks compute, in words: the first lines of their Verilog and of their READMEs."""

from hwconv.dropout import FIELDS, DropoutSpec
from hwconv.emit.describe import STREAMS, describe
from hwconv.frame_spec import FrameSpec
from hwconv.mc_statistics import StatisticsSpec
from hwconv.plan.block import BlockPlan
from hwconv.plan.chain import ChainPlan
from hwconv.plan.dropout import DropoutPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.mc_statistics import StatisticsPlan


def describe_frame(spec: FrameSpec) -> str:
    """Returns the shape and type of a block's frames."""
    return f"{spec.height}x{spec.width}x{spec.channels} int8 (height x width x channels)"


def describe_dropout(spec: DropoutSpec) -> str:
    """Returns one line: what a dropout block does."""
    return f"dropout with a seed, a probability and a scale for each frame: {describe_frame(spec)}"


def user_fields() -> str:
    """Returns the fields of `s_axis_tuser`, one a line."""
    lines = [(f"[{low + width - 1}:{low}]" if width > 1 else f"[{low}]", name) for name, (low, width) in FIELDS.items()]
    return "\n".join(f"  {bits:<8} {name}" for bits, name in lines)


def _speed(plan: BlockPlan) -> str:
    latency = f"Latency {plan.cycles.latency} cycles from the first input beat to the last output beat"
    return f"{latency}; an output frame every {plan.cycles.interval} cycles."


def dropout_header(plan: DropoutPlan, version: str) -> str:
    """Returns the comment that a dropout block's Verilog begins with."""
    spec, zero_point = plan.spec, plan.spec.zero_point
    return f"""\
{plan.top_name}: {describe_dropout(spec)}

  out[n] = {zero_point} if number(n) < drop_threshold, else
           clamp({zero_point} + floor((in[n] - ({zero_point})) * multiplier * 2**(shift - 14) + 1/2), -128, 127)
  number(n): 16 bits of threefry2x32_R(13, (n / 4, seed), (0, {spec.stream})), the part n % 4 from the low end on
  a deterministic frame leaves as it came

s_axis_tuser, of a frame's first beat (damaged: of its last):
{user_fields()}

{_speed(plan)}

{STREAMS.format(version=version)}"""


_SECOND = {
    "moments": "Q = sum of in[n]**2",
    "variance": "V = passes * (sum of in[n]**2) - S**2",
}


def describe_statistics(spec: StatisticsSpec) -> str:
    """Returns one line: what a statistics block does."""
    return f"{spec.statistics} of {spec.passes} passes over a frame: {describe_frame(spec)} to two int32 for each value"


def statistics_header(plan: StatisticsPlan, version: str) -> str:
    """Returns the comment that a statistics block's Verilog begins with."""
    spec, config = plan.spec, plan.config
    widths = f"{config.sum_width}, {config.square_width} or {config.second_width} bits"
    return f"""\
{plan.top_name}: {describe_statistics(spec)}

  over {spec.passes} frames, one after the other: out[n] = S, {_SECOND[spec.statistics][0]}, as two little-endian int32
  S = sum of in[n]; {_SECOND[spec.statistics]}
  mean S / {spec.passes}, variance of the population (passes * Q - S**2) / {spec.passes**2}
  S, Q and the second result never leave their {widths}

s_axis_tuser: with a frame's last beat, the frame is damaged. m_axis_tuser marks a result if any of its passes was.

{_speed(plan)}

{STREAMS.format(version=version)}"""


def describe_block(plan: BlockPlan) -> str:
    """Returns one line: what any block does."""
    match plan:
        case DropoutPlan():
            return describe_dropout(plan.spec)
        case StatisticsPlan():
            return describe_statistics(plan.spec)
        case EnginePlan():
            return describe(plan.spec)
        case ChainPlan():
            return "; then ".join(describe_block(block) for block in plan.blocks)
    raise TypeError(f"Expected the plan of a block, not {type(plan).__name__}")


def chain_header(plan: ChainPlan, version: str) -> str:
    """Returns the comment that the Verilog of blocks in a row begins with."""
    blocks = "\n".join(f"  {index}. {describe_block(each)}" for index, each in enumerate(plan.blocks, start=1))
    user = (
        f"s_axis_tuser, of a frame's first beat (damaged: of its last):\n{user_fields()}\n\n" if plan.dropouts else ""
    )
    return f"""\
{plan.top_name}: {len(plan.blocks)} blocks in a row

{blocks}

{user}{STREAMS.format(version=version)}"""
