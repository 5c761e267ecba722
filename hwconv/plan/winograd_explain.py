"""A Winograd plan for people."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from .explain import DEFAULT_CLOCK_MHZ, grid, headline, titled_table
from .winograd_summary import account_winograd, winograd_memories

if TYPE_CHECKING:
    from ..targets import Target
    from .winograd import WinogradPlan


def explain_winograd(plan: "WinogradPlan", *, target: "Target | None" = None, clock_mhz: float | None = None) -> Group:
    """What :func:`hwconv.plan.explain.explain` returns of other plans; the parameters are the same."""
    config, cycles, spec = plan.config, plan.cycles, plan.spec
    clock = DEFAULT_CLOCK_MHZ if clock_mhz is None else clock_mhz
    item, unit = config.passes[0], config.requantiser
    tile = f"{config.vertical.outputs} x {config.horizontal.outputs} outputs"
    loops = [
        (f"  for tile in {config.bands} x {config.tiles_across}:", f"{tile}, bands from the top"),
        (f"    for word group in {item.groups}:", "a group of the convolution" if item.groups > 1 else "all channels"),
        (f"      for column tile in {item.tiles}:", f"{config.columns} output channels: a fold"),
        (f"        for turn in {config.turns}:", f"{config.slice_columns} columns of the tile's positions"),
        (f"          for step in {config.group_channels}:", "a cycle: one input channel"),
        (
            "            sum += activation * weight",
            f"at once for {config.rows} positions x {config.columns} output channels",
        ),
    ]
    if config.turn_idle:
        loops.append((f"          wait {config.turn_idle} cycles", "until the results of the turn before are out"))
    if config.tile_idle:
        loops.append((f"    wait {config.tile_idle} cycles", "until the next tile is read, or results have left"))
    array = _drawing(plan)
    activation, weight = max(max(row) for row in config.operand_widths), max(config.weight_widths)
    arithmetic = [
        (
            "  tile",
            f"{config.vertical.name} down, {config.horizontal.name} across: outputs {config.factor} times too large",
        ),
        ("  operands", f"activations of {activation} bits at most, weights of {weight}: one 18x18 multiplier"),
        ("  sums", f"modulo 2^{config.sum_width}, which accumulators of {config.accumulator_width} bits need"),
        ("  requantisers", f"{config.requantisers}, {unit.kind}, {unit.multipliers} multipliers each"),
        ("  proof", f"{unit.proof.channels} channels, {unit.proof.points:,} points compared"),
    ]
    stores = titled_table("memory", "copies", "words", "bits", "ECP5 blocks", "holds")
    kept = winograd_memories(plan)
    for store in kept:
        blocks = "LUTs" if store.kind == "logic" else str(store.block_rams() or "LUTs")
        stores.add_row(store.name, str(store.copies), str(store.depth), str(store.width), blocks, store.holds)
    total = sum(store.block_rams() for store in kept)
    stores.add_row("all", "", "", "", str(total), "")

    def time(count: int) -> str:
        return f"{count:,} cycles, {count / clock:,.1f} us at {clock:g} MHz"

    speed = [
        ("  latency", time(cycles.latency)),
        ("  interval", f"{time(cycles.interval)}: {1e6 * clock / cycles.interval:,.1f} frames/s"),
        ("", f"array {cycles.compute:,}, input {cycles.input:,}"),
        ("  MACs", f"{spec.macs / (cycles.interval * plan.multipliers):.3f} a multiplier of the array and cycle"),
        ("", f"{plan.macs_per_multiplier:.3f} with the {plan.requantiser_multipliers} of the requantisers counted"),
    ]
    whole = cycles.interval * plan.asked
    losses = titled_table("", "multiplier-cycles", "share", "because")
    losses.columns[0].justify = "left"
    lost = account_winograd(plan)
    needed = whole - sum(loss.amount for loss in lost)
    losses.add_row("needed: products", f"{needed:,}", f"{needed / whole:.2%}", "")
    for loss in lost:
        if loss.amount:
            losses.add_row(loss.title, f"{loss.amount:,}", f"{loss.amount / whole:.2%}", loss.reason)
    losses.add_row("all", f"{whole:,}", "100.00%", f"interval x {plan.asked} multipliers")
    sections: list[tuple[str, list[RenderableType]]] = [
        ("Loop nest", [grid(loops)]),
        ("Array", [Text(line, no_wrap=True) for line in array]),
        ("Arithmetic", [grid(arithmetic)]),
        ("Memories", [stores]),
        ("Cycles", [grid(speed)]),
        ("Where the multipliers' time goes", [losses]),
    ]
    if target is not None:
        used = plan.multipliers + plan.requantiser_multipliers
        rows = [
            (f"  {target.name}", f"{used} of {target.multipliers} multipliers"),
            (
                "",
                f"{sum(store.block_rams(target.family) for store in kept)} of {target.block_rams} block RAMs",
            ),
        ]
        sections.append(("Target", [grid(rows)]))
    parts: list[RenderableType] = [Text(f"{headline(spec)}, {plan.algorithm}", style="bold")]
    for title, items in sections:
        parts += [Text(), Text(title, style="bold"), *items]
    return Group(*parts)


def _drawing(plan: "WinogradPlan") -> list[str]:
    """Where pixels, positions and sums go."""
    config = plan.config
    n, across = config.vertical.inputs, config.horizontal.inputs
    boxes = [
        ("row banks", f"{n} x {config.fetch_columns}, {config.word_bytes} bytes"),
        ("transform", f"{n} x {across} pixels to positions"),
        ("tiles", f"{n} memories, {across} positions wide"),
        ("array", f"{config.rows} positions x {config.columns} channels"),
        ("transform", f"to {config.vertical.outputs} x {config.horizontal.outputs} sums"),
        ("requantise", f"{config.requantisers} a cycle"),
        ("bands", f"{config.units}, NHWC out"),
    ]
    width = max(len(name) for name, _ in boxes)
    lines = []
    for index, (name, said) in enumerate(boxes):
        lines.append(f"  [{name:^{width}}]  {said}")
        if index + 1 < len(boxes):
            side = "  <- weights, transformed" if boxes[index + 1][0] == "array" else ""
            lines.append(" " * (2 + width // 2) + "▼" + side)
    return lines
