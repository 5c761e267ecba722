"""A plan for people: loop nest, array, memories, streams, cycles, and where each lost cycle goes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..spec import ConvSpec
from .area import estimate_area
from .array_drawing import draw_array
from .cycles import rows_needed
from .loop_nest import loop_nest
from .losses import account
from .memories import memories
from .summary import receptive_field
from .weight_image import weights_summary

if TYPE_CHECKING:
    from ..targets import Target
    from .engine_plan import EnginePlan

DEFAULT_CLOCK_MHZ = 100.0
_TIME_LOOPS = {
    "strips": "strip",
    "pixel_tiles": "pixel tile",
    "column_phases": "column phase",
    "groups": "word group",
    "column_tiles": "column tile",
    "kernel_rows": "kernel row ky",
    "kernel_columns": "kernel column kx",
    "channel_blocks": "channel block",
    "steps": "step",
}


def explain(plan: "EnginePlan", *, target: "Target | None" = None, clock_mhz: float | None = None) -> Group:
    """Returns what a terminal or a log shows of a plan.

    Parameters
    ----------
    target : Target, optional
        An FPGA: what the plan takes of it is shown.
    clock_mhz : float, optional
        The clock at which times are given (default: 100 MHz, so that they are easily scaled).
    """
    clock = DEFAULT_CLOCK_MHZ if clock_mhz is None else clock_mhz
    parts: list[RenderableType] = [Text(headline(plan.spec), style="bold")]
    for title, section in (
        ("Loop nest", _loops(plan)),
        ("Array", [Text(line, no_wrap=True) for line in draw_array(plan)]),
        ("Arithmetic", [_arithmetic(plan)]),
        ("Memories", _memories(plan)),
        ("Streams", [_streams(plan)]),
        ("Cycles", [_cycles(plan, clock)]),
        ("Where the multipliers' time goes", [_losses(plan)]),
        ("Target", [_target(plan, target)] if target is not None else []),
    ):
        items = list(section)
        if items:
            parts += [Text(), Text(title, style="bold"), *items]
    return Group(*parts)


def headline(spec: ConvSpec) -> str:
    said = [f"{spec.kernel[0]}x{spec.kernel[1]}" + (" transposed" if spec.transposed else "")]
    said += [f"stride {spec.stride[0]}x{spec.stride[1]}"] if spec.stride != (1, 1) else []
    said += [f"dilation {spec.dilation[0]}x{spec.dilation[1]}"] if spec.dilation != (1, 1) else []
    said += ["padding {} {} {} {}".format(*spec.padding)] if any(spec.padding) else []
    said += ["output padding {} {}".format(*spec.output_padding)] if any(spec.output_padding) else []
    said += ["depthwise" if spec.depthwise else f"{spec.groups} groups"] if spec.groups > 1 else []
    shapes = [
        f"{height}x{width}x{channels} {dtype}"
        for (height, width, channels), dtype in (
            (spec.input_shape, spec.input_dtype),
            (spec.output_shape, spec.output_dtype),
        )
    ]
    return f"{spec.name}: {' -> '.join(shapes)}, {', '.join(said)}, {spec.requantisation}: {spec.macs:,} MACs"


def _loops(plan: "EnginePlan") -> Iterable[RenderableType]:
    config, item = plan.config, plan.config.passes[0]
    lines, depth = [], 1
    for loop in loop_nest(plan):
        if loop.on == "time":
            lines.append((f"{'  ' * depth}for {_TIME_LOOPS[loop.name]} in {loop.count}:", loop.meaning))
            depth += 1
    where = f"at once in {_number(config.pixels, 'row')} (pixels) x {_number(config.columns, 'column')} (channels)"
    lines.append((f"{'  ' * depth}sum += activation * weight", where))
    waits = sorted({phase.idle_steps for row in item.phases for phase in row})
    if waits[-1]:
        span = _number(waits[-1], "cycle") if len(waits) == 1 else f"{waits[0]:,} to {_number(waits[-1], 'cycle')}"
        lines.append((f"{'  ' * (depth - 4)}wait {span}", "after each column tile"))
    return [grid(lines)]


def _arithmetic(plan: "EnginePlan") -> Table:
    config, unit = plan.config, plan.requantiser
    proof = unit.proof
    rows = [
        ("operands", _operands(plan)),
        ("accumulators", f"{config.accumulator_width} bits: no input of {_any_layer(plan)} can leave them"),
        ("requantisers", f"{config.requantisers}, each for {_number(config.drain, 'column')}: {_unit(plan)}"),
        ("", f"{_number(unit.multipliers, 'multiplier')}, latency {unit.latency}, entries of {unit.entry_width} bits"),
        (
            "proof",
            f"{_number(proof.channels, 'channel')}, {proof.points:,} points compared"
            + (f" at {proof.thresholds:,} thresholds" if proof.thresholds else ""),
        ),
    ]
    return grid((f"  {name}", text) for name, text in rows)


def _any_layer(plan: "EnginePlan") -> str:
    return "any layer that is loaded" if plan.loadable else "this layer"


def _unit(plan: "EnginePlan") -> str:
    unit = plan.config.requantiser
    if unit.kind == "narrow":
        return f"narrow, {unit.operand_width} x {unit.multiplier_width + 1} bits, shift {unit.shift}"
    if unit.kind == "none":
        return "none, adds the bias"
    names = {"wide": "wide", "single": "one product and one rounding", "float": "float32 in integers"}
    return "{}, {} x {} bits, the definition itself".format(names[unit.kind], *unit.product_operands)


def _array_multipliers(plan: "EnginePlan") -> str:
    """The multipliers of the array, and what each of them makes if that is not one product a cycle."""
    number = _number(plan.multipliers, "multiplier")
    number += f" ({plan.lut_multipliers} of look-up tables)" if plan.lut_multipliers else ""
    return number if plan.products == plan.multipliers else f"{number} of two products"


def _operands(plan: "EnginePlan") -> str:
    operands = plan.config.operands
    said = f"activations of {operands.activation_bits} bits"
    said += f", {operands.offset} less than in the stream" if operands.offset else ""
    said += f"; weights of {operands.weight_bits} bits"
    return said + (", two of them to a multiplier" if operands.pair_shift else "")


def _memories(plan: "EnginePlan") -> Iterable[RenderableType]:
    table = titled_table("memory", "copies", "words", "bits", "ECP5 blocks", "holds")
    stores = memories(plan)
    for store in stores:
        blocks = "LUTs" if store.kind == "logic" else str(store.block_rams() or "LUTs")
        table.add_row(store.name, str(store.copies), str(store.depth), str(store.width), blocks, store.holds)
    table.add_row("all", "", "", "", str(sum(store.block_rams() for store in stores)), "")
    rows, columns = receptive_field(plan)
    first = int(rows_needed(plan.config, plan.config.passes[0])[0])
    field = f"  an output pixel reads {rows} x {columns} input pixels"
    return [table, Text(f"{field}; the first pixel tile starts after {_number(first, 'row')} of the frame")]


def _streams(plan: "EnginePlan") -> Table:
    spec, interval = plan.spec, plan.cycles.interval
    table = titled_table("stream", "bytes a beat", "bytes a frame", "beats a frame", "bytes a cycle")
    for name, beat, frame in (
        ("in", plan.input_beat_bytes, spec.input_bytes),
        ("out", plan.output_beat_bytes, spec.output_bytes),
    ):
        table.add_row(name, str(beat), f"{frame:,}", f"{-(-frame // beat):,}", f"{frame / interval:.3f}")
    if plan.loadable:
        image = weights_summary(plan.config)
        table.add_row(
            "weights", str(image["beat_bytes"]), f"{image['bytes']:,}", f"{image['beats']:,}", "between frames"
        )
    return table


def _cycles(plan: "EnginePlan", clock: float) -> Table:
    cycles, item, tiles = plan.cycles, plan.config.passes[0], plan.folding.pixel_tiles

    def time(count: int) -> str:
        return f"{count:,} cycles, {count / clock:,.1f} us at {clock:g} MHz"

    bound = "the array's cycles" if cycles.compute >= cycles.input else "the input's cycles"
    least = min(item.row_cycles(phase) for phase in range(item.row_phases))
    each = f"{item.tile_cycles:,}" if least == item.tile_cycles else f"{least:,} to {item.tile_cycles:,}"
    others = f" + {tiles - 1:,} tiles of {each}" if tiles > 1 else ""
    return grid(
        [
            ("  latency", time(cycles.latency)),
            ("", f"= {cycles.waited:,} waiting for rows{others} + {cycles.tail:,} for the last tile and its way out"),
            ("  interval", f"{time(cycles.interval)}: {1e6 * clock / cycles.interval:,.1f} frames/s"),
            ("", f"= {bound}; array {cycles.compute:,}, input {cycles.input:,}"),
            ("  utilisation", f"{plan.utilisation:.2%} of {_array_multipliers(plan)} in the array"),
            ("", f"{plan.utilisation_asked:.2%} of {plan.asked} asked for"),
            ("", f"beside them {plan.requantiser_multipliers} in {_number(plan.config.requantisers, 'requantiser')}"),
        ]
    )


def _losses(plan: "EnginePlan") -> Table:
    total = plan.cycles.interval * plan.products_asked
    table = titled_table("", "multiplier-cycles", "share", "because")
    table.columns[0].justify = "left"
    table.add_row("needed: MACs", f"{plan.spec.macs:,}", f"{plan.spec.macs / total:.2%}", "")
    for loss in account(plan):
        if loss.amount:
            table.add_row(loss.title, f"{loss.amount:,}", f"{loss.amount / total:.2%}", loss.reason)
    table.add_row("all", f"{total:,}", "100.00%", f"interval x {plan.products_asked} multipliers")
    return table


def _target(plan: "EnginePlan", target: "Target") -> Table:
    multipliers = plan.hard_multipliers + plan.requantiser_multipliers
    beside = f", {plan.lut_multipliers} more of look-up tables" if plan.lut_multipliers else ""
    area = estimate_area(plan)
    blocks = sum(store.block_rams(target.family) for store in memories(plan))
    rows = [
        (f"  {target.name}", f"{multipliers} of {target.multipliers} multipliers{beside}"),
        ("", f"{blocks} of {target.block_rams} block RAMs"),
        ("", f"about {area.luts:,} of {target.luts:,} look-up tables, {area.ffs:,} of {target.ffs:,} flip-flops"),
    ]
    return grid(rows)


def grid(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for left, right in rows:
        table.add_row(Text(left), Text(right))
    return table


def titled_table(*titles: str) -> Table:
    """A table whose last column is text where it has a name of something told, numbers elsewhere."""
    table = Table(box=SIMPLE_HEAD, pad_edge=True, show_edge=False, header_style="")
    for index, title in enumerate(titles):
        told = index == 0 or title in ("holds", "because")
        table.add_column(title, justify="left" if told else "right", no_wrap=not told, overflow="fold")
    return table


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("s" if count != 1 else "")
