"""The package of a graph: the same folder that an engine has."""

from pathlib import Path

from hwconv import simulation
from hwconv.designs import design_with
from hwconv.emit.package import Package, Vectors, check_directory, engine_files, make_package, model_files
from hwconv.golden import graph as golden_graph
from hwconv.graphs.run import Frames, frames_of
from hwconv.plan.graph_plan import GraphPlan
from hwconv.results import GenerateResult
from hwconv.vectors import PACKAGE_FRAMES


def package_of(
    plan: GraphPlan, given: Frames | None = None, *, family: str = "generic", clock_mhz: float | None = None
) -> Package:
    """Returns a graph's package in memory; the parameters are those of :func:`generate_graph`."""
    files = engine_files(plan, family)
    sent = frames_of(plan.graph, given, PACKAGE_FRAMES, seed=1)
    right = golden_graph.run(plan.network, sent)
    feed = simulation.stimulus(sent, plan.input_beat_bytes)
    target = simulation.expected(right, plan.output_beat_bytes)
    cycles = plan.cycles
    design = design_with(plan, files | model_files(family))
    bench = simulation.bench_description(design, sent, right, latency=cycles.latency, interval=cycles.interval)
    vectors = Vectors(
        input=sent,
        expected=right,
        stimulus_image=feed.image(),
        expected_image=target.image(),
        input_beats=plan.frame.beats,
        output_beats=target.frame_beats,
        bench=bench,
        origin="The frames are random." if given is None else "The first frames came with the graph.",
    )
    return make_package(plan, files, vectors, family=family, clock_mhz=clock_mhz)


def generate_graph(
    plan: GraphPlan,
    directory: str | Path,
    *,
    given: Frames | None = None,
    family: str = "generic",
    clock_mhz: float | None = None,
    force: bool = False,
) -> GenerateResult:
    """Writes the package of a graph: everything, or nothing.

    Parameters:
        plan: what is built.
        directory: the folder to write; it must not exist or be empty.
        given: frames for its benches, (N, H, W, C); random ones follow.
        family: `generic` or `ecp5`, the implementation of the vendor blocks.
        clock_mhz: what the constraints ask for.
        force: whether a folder that is not empty is replaced.

    Raises:
        HwconvError: the folder is not empty; an unknown family.
    """
    check_directory(Path(directory), force=force)
    package = package_of(plan, given, family=family, clock_mhz=clock_mhz)
    package.write(Path(directory), force=force)
    return GenerateResult(
        directory=Path(directory),
        top=package.top,
        files=tuple(package.files),
        design_hash=package.design_hash,
        multipliers=plan.multipliers,
        predicted_latency=plan.cycles.latency,
        predicted_interval=plan.cycles.interval,
    )
