"""What stream blocks compute, in words: the first lines of their Verilog and of their READMEs."""

from hwconv.dropout import FIELDS, DropoutSpec
from hwconv.emit.describe import STREAMS
from hwconv.frame_spec import FrameSpec
from hwconv.plan.dropout import DropoutPlan


def describe_frame(spec: FrameSpec) -> str:
    """Returns the shape and type of a block's frames."""
    return f"{spec.height}x{spec.width}x{spec.channels} int8 (height x width x channels)"


def describe_dropout(spec: DropoutSpec) -> str:
    """Returns one line: what a dropout block does."""
    return f"dropout with a seed, a probability and a scale for each frame: {describe_frame(spec)}"


def user_fields() -> str:
    """Returns the fields of `s_axis_tuser`, one a line."""
    lines = [
        (f"[{low + width - 1}:{low}]" if width > 1 else f"[{low}]", name) for name, (low, width) in FIELDS.items()
    ]
    return "\n".join(f"  {bits:<8} {name}" for bits, name in lines)


def dropout_header(plan: DropoutPlan, version: str) -> str:
    """Returns the comment that a dropout block's Verilog begins with."""
    spec, cycles = plan.spec, plan.cycles
    return f"""\
{plan.top_name}: {describe_dropout(spec)}

  out[n] = {spec.zero_point} if number(n) < drop_threshold, else
           clamp({spec.zero_point} + floor((in[n] - ({spec.zero_point})) * multiplier * 2**(shift - 14) + 1/2), -128, 127)
  number(n): 16 bits of threefry2x32_R(13, (n / 4, seed), (0, {spec.stream})), the part n % 4 from the first word's low half
  a deterministic frame leaves as it came

s_axis_tuser, of a frame's first beat (damaged: of its last):
{user_fields()}

Latency {cycles.latency} cycles from the first input beat to the last output beat; a frame every {cycles.interval} cycles.

{STREAMS.format(version=version)}"""
