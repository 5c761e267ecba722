"""Planned engines as the text that simulators take: their Verilog, or the netlist that is routed."""

from collections.abc import Mapping
from dataclasses import replace

from hwconv import flow, simulation
from hwconv.emit.package import engine_files, is_loadable, model_files
from hwconv.plan.block import BlockPlan
from hwconv.plan.weight_image import image_bytes


def design_of(engine: BlockPlan, family: str = "generic") -> simulation.Design:
    """Returns a planned engine as the text that simulators take."""
    return design_with(engine, engine_files(engine, family) | model_files(family))


def netlist_of(engine: BlockPlan) -> simulation.Design:
    """Returns the netlist that `build` places and routes for a planned engine, as the text that simulators take.

    Raises:
        ToolError: yosys is missing, of a version that does not work, or failed.
    """
    files = flow.netlist_files(engine_files(engine, "ecp5"), engine.top_name)
    return replace(design_with(engine, files), generated=(f"{engine.top_name}.v", flow.CELLS))


def design_with(engine: BlockPlan, files: Mapping[str, str]) -> simulation.Design:
    """Returns a planned engine whose files are written already."""
    return simulation.Design(
        top=engine.top_name,
        files=files,
        input_beat_bytes=engine.input_beat_bytes,
        output_beat_bytes=engine.output_beat_bytes,
        input_user_bits=engine.input_user_bits,
        passes=engine.passes,
        weight_beat_bytes=engine.config.loading.beat_bytes if is_loadable(engine) and engine.config.loading else 0,
        weights=image_bytes(engine) if is_loadable(engine) else b"",
    )
