"""A Winograd plan as values that JSON has, its memories, and where the multipliers' time goes."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .losses import Loss
from .memories import Memory
from .winograd_config import TILE_SLOTS
from .winograd_cycles import band_rows_needed

if TYPE_CHECKING:
    from .winograd import WinogradPlan


def summarise_winograd(plan: "WinogradPlan") -> dict[str, Any]:
    """What :func:`hwconv.plan.summary.summarise` says of other plans, as far as it applies, and the tile.

    Utilisation counts the MACs of the definition: it exceeds 1 where a multiplication stands for several of them.
    """
    spec, config, cycles = plan.spec, plan.config, plan.cycles
    requantiser, item = config.requantiser, config.passes[0]
    stores = winograd_memories(plan)
    return {
        "layer": spec.name,
        "algorithm": plan.algorithm,
        "macs": spec.macs,
        "latency": cycles.latency,
        "interval": cycles.interval,
        "multipliers": plan.multipliers,
        "multipliers_asked": plan.asked,
        "requantisers": config.requantisers,
        "requantiser_multipliers": plan.requantiser_multipliers,
        "utilisation": plan.utilisation,
        "utilisation_asked": plan.utilisation_asked,
        "macs_per_multiplier": plan.macs_per_multiplier,
        "losses": {loss.name: loss.amount for loss in account_winograd(plan)},
        "cycles": asdict(cycles),
        "tile": {
            "transforms": [config.vertical.name, config.horizontal.name],
            "outputs": [config.vertical.outputs, config.horizontal.outputs],
            "positions": [config.vertical.inputs, config.horizontal.inputs],
            "factor": config.factor,
            "frame_tiles": config.bands * config.tiles_across,
            "tile_cycles": config.tile_cycles,
        },
        "array": {
            "mode": plan.algorithm,
            "rows": config.rows,
            "columns": config.columns,
            "turns": config.turns,
            "word_bytes": config.word_bytes,
            "fetch_columns": config.fetch_columns,
            "row_units": config.row_units,
            "drain_columns": config.drain_columns,
            "activation_bits": max(max(row) for row in config.operand_widths),
            "weight_bits": max(config.weight_widths),
            "sum_bits": config.sum_width,
        },
        "accumulator_width": config.accumulator_width,
        "requantiser": {
            "kind": requantiser.kind,
            "operand_width": requantiser.operand_width,
            "multiplier_width": requantiser.multiplier_width,
            "shift": requantiser.shift,
            "entry_width": requantiser.entry_width,
            "output_width": requantiser.output_width,
            "latency": requantiser.latency,
            "multipliers": requantiser.multipliers,
            "proof": asdict(requantiser.proof),
        },
        "memories": [asdict(store) | {"bits": store.bits, "ecp5_block_rams": store.block_rams()} for store in stores],
        "ecp5_block_rams": sum(store.block_rams() for store in stores),
        "row_ring": {"rows": config.ring_rows, "words": item.row_words, "margin": config.row_margin},
        "output_buffer": {"bands": config.units, "words": config.unit_words},
        "receptive_field": {
            "rows": spec.kernel[0],
            "columns": spec.kernel[1],
            "rows_before_first_tile": int(band_rows_needed(config)[0]),
        },
        "streams": {
            name: {
                "beat_bytes": beat,
                "frame_bytes": frame,
                "beats": -(-frame // beat),
                "bytes_per_cycle": frame / cycles.interval,
            }
            for name, beat, frame in (
                ("input", plan.input_beat_bytes, spec.input_bytes),
                ("output", plan.output_beat_bytes, spec.output_bytes),
            )
        },
    }


def winograd_memories(plan: "WinogradPlan") -> list[Memory]:
    """The memories of a plan, in the order in which data pass them. Those of positions and weights differ in width:
    each of their columns or rows is one of its own.
    """
    config = plan.config
    value_bits = 8 * config.value_bytes
    stores = [
        Memory(
            name="activations",
            holds=f"rows of the input: {config.vertical.inputs} row x {config.fetch_columns} column banks",
            copies=config.vertical.inputs * config.fetch_columns,
            width=8 * config.word_bytes,
            depth=max(2, config.bank_depth),
            kind="ram",
        )
    ]
    stores += [
        Memory(
            name=f"positions_{row}",
            holds=f"row {row} of {TILE_SLOTS} transformed tiles",
            copies=1,
            width=sum(widths),
            depth=TILE_SLOTS * config.channels,
            kind="ram",
        )
        for row, widths in enumerate(config.operand_widths)
    ]
    for rom in plan.roms[:-1]:
        stores.append(
            Memory(
                name=rom.name.removeprefix(f"{config.name}_"),
                holds="transformed weights of a column of positions",
                copies=1,
                width=rom.width,
                depth=rom.depth,
                kind="rom",
            )
        )
    if config.turns > 1:
        width = sum(
            max(config.output_column_widths[place][-1][0] for place in config.columns_of(chain, config.drain_columns))
            for chain in range(config.drain_columns)
        )
        stores.append(
            Memory(
                name="columns",
                holds="sums of two folds, until all turns are there",
                copies=1,
                width=width * config.vertical.outputs,
                depth=2 * config.columns * config.arrivals,
                kind="ram",
            )
        )
    table = plan.roms[-1]
    return [
        *stores,
        Memory(
            name="tables",
            holds="requantisation of each channel",
            copies=1,
            width=table.width,
            depth=table.depth,
            kind={"block": "rom", "logic": "logic"}[table.style],
        ),
        Memory(
            name="outputs",
            holds=f"{config.units} bands of results, a bank for each pixel and lane",
            copies=config.requantisers * config.channel_lanes,
            width=value_bits,
            depth=max(2, config.units * config.unit_words),
            kind="ram",
        ),
    ]


def account_winograd(plan: "WinogradPlan") -> tuple[Loss, ...]:
    """Splits ``interval * multipliers asked for`` into the products that outputs need and what is lost.

    A tile's products serve all of its outputs; those of a tile that reaches beyond the frame are lost in the share of
    its outputs that lie there.
    """
    config, cycles = plan.config, plan.cycles
    item = config.passes[0]
    tiles = config.bands * config.tiles_across
    positions = config.vertical.inputs * config.horizontal.inputs
    steps = config.folds * config.turns * config.group_channels
    idle_columns = item.tiles * config.columns - config.group_outputs
    spare = idle_columns * item.groups * positions * config.group_channels * tiles
    products = tiles * positions * config.group_channels * config.outputs
    outputs = tiles * config.vertical.outputs * config.horizontal.outputs
    outside = products * (outputs - item.out_pixels) // outputs
    idle = (config.tile_cycles - steps) * tiles * plan.multipliers
    found = (
        Loss(
            name="not_instantiated",
            title="multipliers asked for and not built",
            amount=cycles.interval * (plan.asked - plan.multipliers),
            reason=f"{config.rows} positions x {config.columns} columns = {plan.multipliers} of {plan.asked}",
        ),
        Loss(
            name="waiting_for_input",
            title="waiting for input",
            amount=(cycles.interval - cycles.compute) * plan.multipliers,
            reason=f"a frame takes {cycles.input} cycles to arrive, {cycles.compute} to compute",
        ),
        Loss(
            name="idle_steps",
            title="idle steps of a tile",
            amount=idle,
            reason=f"{config.tile_cycles - steps} of {config.tile_cycles} cycles: "
            f"{config.fetch_cycles} to read it, {config.channel_cycles} for each of {config.columns} channels' results",
        ),
        Loss(
            name="idle_columns",
            title="columns idle in the last column tile",
            amount=spare,
            reason=f"{config.group_outputs} channels on {config.columns} columns",
        ),
        Loss(
            name="partial_tiles",
            title="outputs of tiles beyond the frame",
            amount=outside,
            reason=f"{item.out_height} x {item.out_width} outputs in tiles of "
            f"{config.vertical.outputs} x {config.horizontal.outputs}",
        ),
    )
    return tuple(loss if loss.amount else Loss(name=loss.name, title=loss.title, amount=0, reason="") for loss in found)
