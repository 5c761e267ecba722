"""The package of a block: the same folder that an engine has."""

from pathlib import Path

from hwconv import simulation
from hwconv.blocks.block import Block
from hwconv.designs import design_with
from hwconv.emit.package import Package, Vectors, check_directory, engine_files, make_package, model_files
from hwconv.results import GenerateResult
from hwconv.vectors import PACKAGE_FRAMES


def package_of(block: Block, *, family: str = "generic", clock_mhz: float | None = None) -> Package:
    """Returns a block's package in memory; the parameters are those of :func:`generate_block`."""
    files = engine_files(block.plan, family)
    frames = block.frames(PACKAGE_FRAMES, seed=1)
    feed, target, _ = block.send(frames)
    cycles = block.plan.cycles
    design = design_with(block.plan, files | model_files(family))
    bench = simulation.bench_description(design, feed, target.frames, latency=cycles.latency, interval=cycles.interval)
    vectors = Vectors(
        input=frames,
        expected=target.frames,
        stimulus_image=feed.image(),
        expected_image=target.image(),
        input_beats=-(-block.spec.elements // block.plan.input_beat_bytes),
        output_beats=target.frame_beats,
        bench=bench,
        origin="The frames are random.",
    )
    return make_package(block.plan, files, vectors, family=family, clock_mhz=clock_mhz)


def generate_block(
    block: Block,
    directory: str | Path,
    *,
    family: str = "generic",
    clock_mhz: float | None = None,
    force: bool = False,
) -> GenerateResult:
    """Writes the package of a block: everything, or nothing.

    Parameters:
        block: what is built.
        directory: the folder to write; it must not exist or be empty.
        family: `generic` or `ecp5`, the implementation of the vendor blocks.
        clock_mhz: what the constraints ask for.
        force: whether a folder that is not empty is replaced.

    Raises:
        HwconvError: the folder is not empty; an unknown family.
    """
    check_directory(Path(directory), force=force)
    package = package_of(block, family=family, clock_mhz=clock_mhz)
    package.write(Path(directory), force=force)
    cycles = block.plan.cycles
    summary = block.plan.summary()
    parts = summary.get("blocks", [summary])
    return GenerateResult(
        directory=Path(directory),
        top=package.top,
        files=tuple(package.files),
        design_hash=package.design_hash,
        multipliers=sum(part["multipliers"] for part in parts),
        predicted_latency=cycles.latency,
        predicted_interval=cycles.interval,
    )
