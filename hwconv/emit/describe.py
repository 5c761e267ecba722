"""What an engine computes, in words: the first lines of its Verilog and of its README."""

from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.weight_image import weights_summary
from hwconv.plan.winograd_config import WinogradConfig
from hwconv.spec import ConvSpec

_REQUANTISED = {
    "none": "the accumulator itself, 32 bits, little-endian",
    "shift": "shifted right by the channel's distance, halves rounded up",
    "onnx": "as float32 times the channel's scale, rounded to the nearest integer, halves to the even one",
    "tflite16": "times the channel's multiplier of 16 bits and a power of two, halves rounded up",
    "tflite": "times the channel's Q31 multiplier and a power of two, rounded as TensorFlow Lite does",
}


def describe(spec: ConvSpec) -> str:
    """Returns one line: what :func:`describe_kind` and :func:`describe_shapes` return."""
    return f"{describe_kind(spec)}: {describe_shapes(spec)}"


def describe_shapes(spec: ConvSpec) -> str:
    """Returns the shapes and types of a layer's frames."""
    before = f"{spec.height}x{spec.width}x{spec.in_channels} {spec.input_dtype}"
    after = f"{spec.out_height}x{spec.out_width}x{spec.out_channels} {spec.output_dtype}"
    return f"{before} to {after} (height x width x channels)"


def describe_kind(spec: ConvSpec) -> str:
    """Returns the kind of a layer, and its attributes that are not the usual ones."""
    kernel = f"{spec.kernel[0]}x{spec.kernel[1]}"
    if spec.fully_connected and not spec.transposed:
        kind = "fully connected"
    elif spec.depthwise:
        times = f" times {spec.channel_multiplier}" if spec.channel_multiplier > 1 else ""
        kind = f"{kernel} depthwise{times} convolution"
    elif spec.groups > 1:
        kind = f"{kernel} convolution in {spec.groups} groups"
    else:
        kind = f"{kernel} convolution"
    parts = [f"transposed {kind}" if spec.transposed else kind]
    if spec.stride != (1, 1):
        parts.append(f"stride {spec.stride[0]}x{spec.stride[1]}")
    if spec.dilation != (1, 1):
        parts.append(f"dilation {spec.dilation[0]}x{spec.dilation[1]}")
    if any(spec.padding):
        top, bottom, left, right = spec.padding
        parts.append(f"padding top {top}, bottom {bottom}, left {left}, right {right}")
    if any(spec.output_padding):
        parts.append(f"output padding bottom {spec.output_padding[0]}, right {spec.output_padding[1]}")
    return ", ".join(parts)


def header(plan: EnginePlan, version: str) -> str:
    """Returns the comment that an engine's Verilog begins with. It says nothing of the weights, which are in ROMs."""
    if len(plan.layers) > 1:
        return _program_header(plan, version)
    spec, config, cycles = plan.spec, plan.config, plan.cycles
    row, column, meets = "i", "j", ""
    indices = [
        _index(name, spec.stride[axis], f"k{tap}", spec.dilation[axis], spec.padding[2 * axis])
        for axis, (name, tap) in enumerate((("i", "y"), ("j", "x")) if spec.transposed else (("y", "y"), ("x", "x")))
    ]
    if spec.transposed:
        meets = f", all taps ky, kx and input pixels i, j with\n    y = {indices[0]} and x = {indices[1]}"
    else:
        row, column = indices
    if spec.depthwise:
        channel, taps, source = f"c * {spec.channel_multiplier} + m", "ky, kx", "c"
    else:
        group = f"(o / {spec.group_out_channels}) * {spec.group_in_channels} + " if spec.groups > 1 else ""
        channel, taps, source = "o", "ky, kx, i", f"{group}i"
    array = f"{_array(plan)}; requantisers: {config.requantisers}"
    speed = f"Latency {cycles.latency} cycles from the first input beat to the last output beat"
    speed += f"; a frame every {cycles.interval} cycles"
    weight = f"(weight - ({spec.weight_zero_point}))" if spec.weight_zero_point else "weight"
    requantised = _REQUANTISED[spec.requantisation]
    if spec.requantisation == "tflite" and spec.input_dtype == "int16":
        requantised += "; an acc beyond 32 bits counts as the nearest of 32"
    clamp = f"{spec.activation_min}, {spec.activation_max}"
    zero_in, zero_out, loaded = f"({spec.input_zero_point})", str(spec.output_zero_point), ""
    if plan.loadable:
        clamp, zero_in, zero_out = "minimum, maximum", "input_zero_point", "output_zero_point"
        loaded = _loaded(plan)
    return f"""\
{plan.top_name}: {describe_kind(spec)}
{describe_shapes(spec)}

  out[y, x, {channel}] = clamp({zero_out} + requantised(acc), {clamp})
  acc = bias + sum over {taps} of {weight} * (in[{row}, {column}, {source}] - {zero_in}){meets}
  requantised: {requantised}
  outside of the frame `in` reads as its zero point{"" if plan.loadable else f", {spec.input_zero_point}"}

{array}.
{speed}.
{loaded}
{STREAMS.format(version=version)}"""


def _loaded(plan: EnginePlan) -> str:
    image = weights_summary(plan.config)
    return f"""
Weights, bias, requantisation, zero points and clamp are loaded by w_axis: {image["bytes"]} bytes, the last beat with
TLAST, all of every beat. Frames are accepted when a whole image has come, {image["cycles"]} cycles after its first beat
at the earliest. A reset forgets it. An image is taken between frames. weights_error pulses once for each image that
ends early or late or begins with another identity than 0x{image["identity"]:08x}; then there are no weights.
"""


def _array(plan: EnginePlan) -> str:
    config = plan.config
    if isinstance(config, WinogradConfig):
        tile = f"{config.vertical.name} down and {config.horizontal.name} across"
        return f"""\
Winograd: tiles of {config.vertical.outputs} x {config.horizontal.outputs} outputs, {tile}, exact in integers
Array: {config.rows} positions x {config.columns} channels, {plan.multipliers} multipliers"""
    return f"Array: {config.pixels} pixels x {config.columns} channels, {plan.multipliers} multipliers"


STREAMS = """\
AXI4-Stream in and out, one clock aclk, synchronous aresetn, active low. A frame is its values in NHWC order, packed,
lane 0 (bits 7..0) first; its last beat carries TLAST and may be partial. frame_error pulses once for each frame whose
TLAST or TKEEP was wrong; such a frame leaves with TUSER on its last beat. No combinational path leads from an input to
a ready or valid output.

Generated by hwconv {version}. This file belongs to you: use, change and distribute it under any terms."""


def _program_header(plan: EnginePlan, version: str) -> str:
    """The comment of an engine that runs several layers."""
    config = plan.config
    layers = "\n".join(f"  {index}. {describe(layer.spec)}" for index, layer in enumerate(plan.layers, start=1))
    return f"""\
{plan.top_name}: {len(plan.layers)} layers, one after the other, each on what the one before computed

{layers}

Array: {config.pixels} pixels x {config.columns} channels, {plan.multipliers} multipliers; requantisers: \
{config.requantisers}.

{STREAMS.format(version=version)}"""


def _index(position: str, stride: int, tap: str, dilation: int, pad: int) -> str:
    """The input row or column that a tap reads, as `2 * y + ky - 1`."""
    first = position if stride == 1 else f"{stride} * {position}"
    second = tap if dilation == 1 else f"{dilation} * {tap}"
    return f"{first} + {second}" + (f" - {pad}" if pad else "")
