"""A plan as values that JSON has: what `hwconv plan --json` prints, and what a package's manifest keeps."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .cycles import rows_needed, tile_durations
from .loop_nest import loop_nest
from .losses import account
from .memories import memories
from .weight_image import weights_summary

if TYPE_CHECKING:
    from .config import EngineConfig
    from .engine_plan import EnginePlan
    from .residual import ResidualPlan


def summarise(plan: "EnginePlan") -> dict[str, Any]:
    """Everything a plan decided and predicts. Cycles and bytes are of one frame; shares are between 0 and 1."""
    spec, config, cycles = plan.spec, plan.config, plan.cycles
    item = config.passes[0]
    return {
        "layer": spec.name,
        **_work(plan),
        "losses": {loss.name: loss.amount for loss in account(plan)},
        "cycles": asdict(cycles),
        "loops": [asdict(loop) for loop in loop_nest(plan)],
        "array": {
            **_array(config),
            "fold_cycles": max(item.fold_cycles(phase) for row in item.phases for phase in row),
            "idle_steps": max(phase.idle_steps for row in item.phases for phase in row),
        },
        **_parts(plan),
        "row_ring": {"rows": config.ring_rows, "words": item.row_words, "margin": config.row_margin},
        "output_buffer": {"tiles": config.units, "words": config.unit_words},
        "receptive_field": {
            "rows": receptive_field(plan)[0],
            "columns": receptive_field(plan)[1],
            "rows_before_first_tile": int(rows_needed(config, item)[0]),
        },
        "streams": _streams(plan),
        **({"weights": weights_summary(config)} if config.loading else {}),
    }


def summarise_program(plan: "EnginePlan") -> dict[str, Any]:
    """The same of an engine that runs several layers: what they share, and each layer's own."""
    return {
        "kind": "program",
        "layers": _layers(plan),
        **_work(plan),
        "cycles": asdict(plan.cycles),
        **_engine(plan),
        "streams": _streams(plan),
    }


def summarise_loop(plan: "EnginePlan") -> dict[str, Any]:
    """The same of two engines that compute layers in turns: each layer's own, and each engine's."""
    parts = [(_layers(part), part) for part in plan.parts]
    engines = [_engine(part) for part in plan.parts]
    return {
        "kind": "loop",
        "layers": [layer for turn in zip(*(layers for layers, _ in parts), strict=True) for layer in turn],
        **_work(plan),
        "cycles": asdict(plan.cycles),
        "engines": engines,
        "ecp5_block_rams": sum(engine["ecp5_block_rams"] for engine in engines),
        "streams": _streams(plan),
    }


def summarise_residual(plan: "ResidualPlan") -> dict[str, Any]:
    """The same of a program with additions: what becomes of each layer's results as well."""
    (part,) = plan.parts
    layers = []
    for step, layer, each in zip(plan.steps, plan.layers, _layers(part), strict=True):
        share = layer.spec.macs / (each["cycles"] * part.products)
        way = {name: value for name, value in asdict(step.way).items() if name != "adds" and value}
        added = {} if step.add is None else {"addition": step.add}
        layers.append({**each, "macs": layer.spec.macs, "utilisation": share, **added, **way})
    engine = _engine(part)
    return {
        "kind": "residual program",
        "layers": layers,
        **_work(plan),
        "cycles": asdict(plan.cycles),
        **engine,
        "ecp5_block_rams": engine["ecp5_block_rams"] + plan.beside_block_rams,
        "kept_beats": plan.config.kept_beats,
        "streams": _streams(plan),
    }


def _engine(plan: "EnginePlan") -> dict[str, Any]:
    """What the layers of a program share."""
    config = plan.config
    return {
        "array": _array(config),
        **_parts(plan),
        "output_buffer": {"tiles": config.units, "words": config.unit_words},
    }


def _layers(plan: "EnginePlan") -> list[dict[str, Any]]:
    """Each layer of a program."""
    config = plan.config
    layers = []
    for layer, item in zip(plan.layers, config.passes, strict=True):
        cycles = int(tile_durations(config, item).sum())
        layers.append(
            {
                "layer": layer.spec.name,
                "macs": layer.spec.macs,
                "cycles": cycles,
                "utilisation": layer.spec.macs / (cycles * plan.products),
                "pixel_tiles": item.strips * item.strip_tiles(config.pixels),
                "word_groups": item.word_groups,
                "buffer": {"first_word": item.activation_base, "words": item.height * item.row_words},
                "weights": {"first_word": item.weight_base, "words": item.weight_words},
            }
        )
    return layers


def _work(plan: "EnginePlan") -> dict[str, Any]:
    return {
        "macs": plan.macs,
        "latency": plan.cycles.latency,
        "interval": plan.cycles.interval,
        "multipliers": plan.multipliers,
        "multipliers_asked": plan.asked,
        "lut_multipliers": plan.lut_multipliers,
        "products": plan.products,
        "requantisers": plan.config.requantisers,
        "requantiser_multipliers": plan.requantiser_multipliers,
        "utilisation": plan.utilisation,
        "utilisation_asked": plan.utilisation_asked,
    }


def _array(config: "EngineConfig") -> dict[str, Any]:
    return {
        "mode": "depthwise" if config.depthwise else "dense",
        "rows": config.pixels,
        "columns": config.columns,
        "ports": config.ports,
        "lanes": config.lanes,
        "word_bytes": config.word_bytes,
        "cluster": config.cluster,
    }


def _parts(plan: "EnginePlan") -> dict[str, Any]:
    """Operands, accumulators, requantisers and memories."""
    requantiser, stores = plan.requantiser, memories(plan)
    return {
        "operands": asdict(plan.config.operands),
        "accumulator_width": plan.config.accumulator_width,
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
    }


def _streams(plan: "EnginePlan") -> dict[str, Any]:
    interval = plan.cycles.interval
    return {
        "input": _stream(plan.spec.input_bytes, plan.input_beat_bytes, interval),
        "output": _stream(plan.layers[-1].spec.output_bytes, plan.output_beat_bytes, interval),
    }


def receptive_field(plan: "EnginePlan") -> tuple[int, int]:
    """Input rows and columns from the first to the last that an output pixel reads."""
    spec = plan.spec
    reach = [dilation * (kernel - 1) for dilation, kernel in zip(spec.dilation, spec.kernel, strict=True)]
    if spec.transposed:
        reach = [rows // stride for rows, stride in zip(reach, spec.stride, strict=True)]
    return reach[0] + 1, reach[1] + 1


def _stream(frame_bytes: int, beat_bytes: int, interval: int) -> dict[str, Any]:
    return {
        "beat_bytes": beat_bytes,
        "frame_bytes": frame_bytes,
        "beats": -(-frame_bytes // beat_bytes),
        "bytes_per_cycle": frame_bytes / interval,
    }
