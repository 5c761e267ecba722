"""What a package says of its block: the table of its README, the constants of its C header, its specification."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwconv.emit.describe import describe
from hwconv.emit.describe_blocks import describe_block, user_fields
from hwconv.emit.describe_graph import describe_graph, node_lines
from hwconv.frame_spec import FrameSpec
from hwconv.graph import INPUT
from hwconv.mc_statistics import StatisticsSpec
from hwconv.plan.block import BlockPlan
from hwconv.plan.chain import ChainPlan
from hwconv.plan.dropout import DropoutPlan
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.mc_statistics import StatisticsPlan
from hwconv.plan.weight_image import weights_summary
from hwconv.spec import ConvSpec

Constants = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a package says.

    Members:
        description: one line. spec: as values that JSON has.
        rows: the README's table, from name to text.
        constants: of the C header, in groups with a title.
        user: lines on `s_axis_tuser`, empty where there is no such port.
        host_code: name of a template that the C header ends with, empty without.
    """

    description: str
    spec: Mapping[str, object]
    rows: Mapping[str, str]
    constants: Constants
    user: tuple[str, ...] = ()
    host_code: str = ""


def contents_of(plan: BlockPlan, input_beats: int, output_beats: int, value_bytes: int) -> Contents:
    """What the package of a plan says; beats are those of one frame."""
    if isinstance(plan, EnginePlan):
        return _engine(plan, input_beats, output_beats, value_bytes)
    if isinstance(plan, GraphPlan):
        return _graph(plan, input_beats, output_beats)
    blocks = plan.blocks if isinstance(plan, ChainPlan) else (plan,)
    return _blocks(plan, blocks, input_beats, output_beats)


def _engine(plan: EnginePlan, input_beats: int, output_beats: int, value_bytes: int) -> Contents:
    spec, summary = plan.spec, plan.summary()
    before = f"{spec.height} x {spec.width} x {spec.in_channels} {spec.input_dtype}, zero point {spec.input_zero_point}"
    after = f"{spec.out_height} x {spec.out_width} x {spec.out_channels} {spec.output_dtype}"
    array = f"{summary['multipliers']} multipliers, {summary['macs']} multiply-accumulates a frame"
    own = f"{summary['requantisers']}, with {summary['requantiser_multipliers']} multipliers of their own"
    return Contents(
        description=describe(spec),
        spec=spec.to_dict(),
        rows={
            "input": _stream(before, plan.input_beat_bytes, input_beats),
            "output": _stream(f"{after}, zero point {spec.output_zero_point}", plan.output_beat_bytes, output_beats),
            "latency": f"{summary['latency']} cycles from the first input beat to the last output beat",
            "interval": f"{summary['interval']} cycles between frames sent back to back",
            "array": array,
            "requantisers": own,
            **({"weights": _weights(weights_summary(plan.config))} if plan.loadable else {}),
        },
        constants=_engine_constants(spec, plan, input_beats, output_beats, value_bytes),
    )


def _weights(image: Mapping[str, int]) -> str:
    size = f"loaded: an image of {image['bytes']} bytes, {image['beat_bytes']} bytes a beat"
    return f"{size}; frames are accepted {image['cycles']} cycles after its first beat at the earliest"


def _stream(what: str, beat_bytes: int, beats: int) -> str:
    return f"{what}, {beat_bytes} bytes a beat, {beats} beats a frame"


def _engine_constants(
    spec: ConvSpec, plan: EnginePlan, input_beats: int, output_beats: int, value_bytes: int
) -> Constants:
    return [
        {
            "title": "input frame, NHWC",
            "constants": {
                "INPUT_HEIGHT": spec.height,
                "INPUT_WIDTH": spec.width,
                "INPUT_CHANNELS": spec.in_channels,
                "INPUT_VALUE_BYTES": spec.input_bytes // spec.input_elements,
                "INPUT_BYTES": spec.input_bytes,
                "INPUT_BEAT_BYTES": plan.input_beat_bytes,
                "INPUT_BEATS": input_beats,
                "INPUT_ZERO_POINT": f"({spec.input_zero_point})",
            },
        },
        {
            "title": "output frame, NHWC",
            "constants": {
                "OUTPUT_HEIGHT": spec.out_height,
                "OUTPUT_WIDTH": spec.out_width,
                "OUTPUT_CHANNELS": spec.out_channels,
                "OUTPUT_VALUE_BYTES": value_bytes,
                "OUTPUT_BYTES": spec.output_bytes,
                "OUTPUT_BEAT_BYTES": plan.output_beat_bytes,
                "OUTPUT_BEATS": output_beats,
                "OUTPUT_ZERO_POINT": f"({spec.output_zero_point})",
            },
        },
        {
            "title": "quantisation: the rule that turns an accumulator into an output value, and the clamp after it",
            "constants": {
                "REQUANTISATION": f'"{spec.requantisation}"',
                "ACTIVATION_MIN": _c_integer(spec.activation_min),
                "ACTIVATION_MAX": _c_integer(spec.activation_max),
            },
        },
        _cycles(plan),
        *([_weight_constants(weights_summary(plan.config))] if plan.loadable else []),
    ]


def _weight_constants(weights: Mapping[str, int]) -> dict[str, Any]:
    return {
        "title": "weights, an image for w_axis; the constants above that it brings are those of weights.bin",
        "constants": {
            "WEIGHTS_BYTES": weights["bytes"],
            "WEIGHTS_BEAT_BYTES": weights["beat_bytes"],
            "WEIGHTS_BEATS": weights["beats"],
            "WEIGHTS_CYCLES": weights["cycles"],
            "WEIGHTS_IDENTITY": f"0x{weights['identity']:08x}u",
        },
    }


def _graph(plan: GraphPlan, input_beats: int, output_beats: int) -> Contents:
    graph, cycles = plan.graph, plan.cycles
    output = graph.tensors[graph.output]
    before = "{} x {} x {} {}, zero point {}".format(*graph.input_shape, graph.dtype, graph.zero_point)
    after = "{} x {} x {} {}, zero point {}".format(*output.shape, output.dtype, output.zero_point)
    sides = (("INPUT", graph.tensors[INPUT], input_beats), ("OUTPUT", output, output_beats))
    constants: Constants = [
        {
            "title": f"{side.lower()} frame, NHWC",
            "constants": {
                f"{side}_HEIGHT": tensor.height,
                f"{side}_WIDTH": tensor.width,
                f"{side}_CHANNELS": tensor.channels,
                f"{side}_VALUE_BYTES": tensor.value_bytes,
                f"{side}_BYTES": tensor.bytes,
                f"{side}_BEAT_BYTES": plan.beats[INPUT if side == "INPUT" else graph.output],
                f"{side}_BEATS": beats,
                f"{side}_ZERO_POINT": f"({tensor.zero_point})",
            },
        }
        for side, tensor, beats in sides
    ]
    return Contents(
        description=describe_graph(graph),
        spec=graph.to_dict(),
        rows={
            "input": _stream(before, plan.input_beat_bytes, input_beats),
            "output": _stream(after, plan.output_beat_bytes, output_beats),
            "latency": f"{cycles.latency} cycles from the first input beat to the last output beat",
            "interval": f"{cycles.interval} cycles between frames sent back to back",
            "arrays": f"{plan.multipliers} multipliers, {graph.macs} multiply-accumulates a frame",
            **{f"layer {index}": line for index, line in enumerate(node_lines(graph), start=1)},
        },
        constants=[*constants, _cycles(plan)],
    )


def _cycles(plan: BlockPlan) -> dict[str, Any]:
    cycles = plan.cycles
    return {
        "title": "clock cycles",
        "constants": {"LATENCY_CYCLES": cycles.latency, "INTERVAL_CYCLES": cycles.interval},
    }


def _c_integer(value: int) -> str:
    # -2147483648 is the negation of a number that no int holds.
    return f"({value})" if value > -(1 << 31) else f"({value + 1} - 1)"


def _blocks(plan: BlockPlan, blocks: tuple[BlockPlan, ...], input_beats: int, output_beats: int) -> Contents:
    """Dropout, statistics, or one behind the other."""
    specs = [block.spec for block in blocks if isinstance(block, DropoutPlan | StatisticsPlan)]
    if len(specs) < len(blocks):
        raise TypeError("Expected dropout and statistics blocks")
    first, last = specs[0], specs[-1]
    dropout = isinstance(blocks[0], DropoutPlan)
    each = f"{first.height} x {first.width} x {first.channels} int8, zero point {first.zero_point}"
    rows = {"input": _stream(each, plan.input_beat_bytes, input_beats)}
    constants: Constants = [{"title": "input frame, NHWC", "constants": _frame("INPUT", first, plan, input_beats)}]
    if isinstance(last, StatisticsSpec):
        what = f"{last.height} x {last.width} x {last.channels} x 2 int32, of {last.passes} input frames"
        rows["output"] = _stream(what, plan.output_beat_bytes, output_beats)
        constants.append(
            {
                "title": "results: for each value two int32, the sum, and "
                + ("passes x sum of squares - sum^2" if last.statistics == "variance" else "the sum of squares"),
                "constants": {
                    "PASSES": last.passes,
                    "STATISTICS": f'"{last.statistics}"',
                    "OUTPUT_BYTES": 8 * last.elements,
                    "OUTPUT_BEAT_BYTES": plan.output_beat_bytes,
                    "OUTPUT_BEATS": output_beats,
                },
            }
        )
    else:
        rows["output"] = _stream(each, plan.output_beat_bytes, output_beats)
    cycles = plan.cycles
    rows |= {
        "latency": f"{cycles.latency} cycles from the first input beat to the last output beat",
        "interval": f"{cycles.interval} cycles between output frames, input frames sent back to back",
    }
    user = ["bit 0 with a frame's last beat: the frame is damaged already"]
    if dropout:
        user = ["with a frame's first beat, `damaged` with its last:", *user_fields().splitlines()]
    spec: dict[str, object] = {"blocks": [each.to_dict() for each in specs]} if len(specs) > 1 else first.to_dict()
    return Contents(
        description=describe_block(plan),
        spec=spec,
        rows=rows,
        constants=[*constants, _cycles(plan)],
        user=tuple(user),
        host_code="package/dropout_host.h.j2" if dropout else "",
    )


def _frame(prefix: str, spec: FrameSpec, plan: BlockPlan, beats: int) -> dict[str, object]:
    return {
        f"{prefix}_HEIGHT": spec.height,
        f"{prefix}_WIDTH": spec.width,
        f"{prefix}_CHANNELS": spec.channels,
        f"{prefix}_BYTES": spec.elements,
        f"{prefix}_BEAT_BYTES": plan.input_beat_bytes,
        f"{prefix}_BEATS": beats,
        f"{prefix}_ZERO_POINT": f"({spec.zero_point})",
    }
