"""hwconv from Python: what the command line does, with results as objects.

An example:

    from hwconv import api

    result = api.compare("layer.npz", multipliers=16)
    assert result.exact
    assert result.latency == result.predicted_latency
    api.generate("layer.npz", "engine", multipliers=16)

Wherever a `source` is asked for, it is a layer file (.npz or .toml), a model (.tflite, with the operator's index as
`layer`), or what :func:`hwconv.frontend.load` returned.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hwconv import flow, golden, graphs, simulation
from hwconv.comparison import ComparisonResult, Frames, compare_engine, prepare, read_frames, with_random
from hwconv.designs import design_of, design_with, netlist_of
from hwconv.emit.package import check_directory, engine_files, make_package
from hwconv.emit.packaged import packaged_engine
from hwconv.errors import FormatError, UnsupportedError
from hwconv.factorise import Factorisation
from hwconv.factorise import factorise as split
from hwconv.frontend import LayerFile, save_layer
from hwconv.frontend.archive import write_whole
from hwconv.inspection import Inspection, inspect_model
from hwconv.layer import Layer
from hwconv.load_trials import run_load_trials
from hwconv.plan.algorithm import DIRECT
from hwconv.plan.engine_plan import EnginePlan
from hwconv.plan.fit import plan_engine
from hwconv.plan.graph_picture import draw_graph
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.loadable import engine_for
from hwconv.plan.picture import draw_plan
from hwconv.plan.weight_image import image_bytes, weights_summary
from hwconv.plan.winograd import WinogradPlan
from hwconv.plan.winograd_picture import draw_winograd
from hwconv.results import GenerateResult, PackResult, SimulateResult
from hwconv.simulation.bench import run_cocotb
from hwconv.sources import Source, is_graph, is_model, load_source
from hwconv.targets import load_target
from hwconv.trials import run_trials
from hwconv.vectors import PACKAGE_FRAMES, vectors_of

__all__ = [
    "PACKAGE_FRAMES",
    "ComparisonResult",
    "GenerateResult",
    "PackResult",
    "SimulateResult",
    "Source",
    "build",
    "compare",
    "design_of",
    "draw",
    "factorise",
    "generate",
    "inspect",
    "is_graph",
    "is_model",
    "list_layers",
    "netlist_of",
    "pack",
    "plan",
    "simulate",
]


def list_layers(file: str | Path) -> list[dict[str, Any]]:
    """Returns the operators of a model: index, name, and why hwconv does not take it, empty if it does."""
    from hwconv.frontend.tflite import read_model

    return [
        {"layer": each.index, "operator": each.name, "problem": each.problem or ""} for each in read_model(Path(file))
    ]


def inspect(file: str | Path) -> Inspection:
    """Looks at a whole model: its operators, what each takes, and where it would be computed (docs/networks.md).

    Raises:
        FormatError: a file that is missing, damaged or no model. A model that is not supported raises nothing.
    """
    return inspect_model(file)


def plan(
    source: Source,
    *,
    layer: int | None = None,
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    target: str | None = None,
    algorithm: str = DIRECT,
    loadable: bool = False,
) -> EnginePlan:
    """Decides how a layer is computed.

    Parameters:
        source, layer: see above.
        multipliers: how many the array may have; by default what fits the target, or the plan's own choice.
        lut_multipliers: how many of them may be made of look-up tables; by default what is asked for and the target has
            no hard multipliers for.
        target: the name of an FPGA, see `hwconv targets`.
        algorithm: `direct`, `winograd2`, `winograd4` or `auto`, see :mod:`hwconv.plan.algorithm`.
        loadable: whether weights and requantisation come by a stream, so that the engine serves any layer of the shape.

    Raises:
        HwconvError: a file that cannot be read, a layer that is not supported, or a target that is too small.
    """
    return _plan(load_source(source, layer).layer, multipliers, lut_multipliers, target, algorithm, loadable)


def draw(engine: EnginePlan | GraphPlan, path: str | Path) -> None:
    """Writes a picture (SVG) of a plan: what a tile reads and what it becomes, or the engines of a graph
    (:mod:`hwconv.plan.picture`, `winograd_picture`, `graph_picture`).

    Raises:
        FormatError: a path that cannot be written.
    """
    if isinstance(engine, GraphPlan):
        drawn = draw_graph(engine)
    else:
        drawn = draw_winograd(engine) if isinstance(engine, WinogradPlan) else draw_plan(engine)
    write_whole(Path(path), drawn.encode())


def generate(
    source: Source,
    directory: str | Path,
    *,
    layer: int | None = None,
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    target: str | None = None,
    algorithm: str = DIRECT,
    family: str | None = None,
    name: str | None = None,
    clock_mhz: float | None = None,
    force: bool = False,
    loadable: bool = False,
) -> GenerateResult:
    """Writes the package of a layer: everything, or nothing.

    Parameters:
        source, layer, multipliers, lut_multipliers, target, algorithm, loadable: as for `plan`.
        directory: the folder to write; it must not exist or be empty.
        family: `generic` or `ecp5`, the implementation of the vendor blocks; by default the target's, or `generic`.
        name: the name of the top module; by default the layer's.
        clock_mhz: what the constraints ask for.
        force: whether a folder that is not empty is replaced.

    Raises:
        HwconvError: as `plan`; or the folder is not empty.
    """
    check_directory(Path(directory), force=force)
    if is_graph(source):
        _of_one_layer(
            source,
            layer=layer,
            lut_multipliers=lut_multipliers,
            target=target,
            algorithm=_other(algorithm),
            loadable=loadable or None,
        )
        read = graphs.load_graph(cast(Path, source), name=name)
        planned = graphs.plan_graph(read.network, multipliers=multipliers)
        own = "generic" if family is None else family
        return graphs.generate_graph(planned, directory, given=read.input, family=own, clock_mhz=clock_mhz, force=force)
    loaded = load_source(source, layer)
    if name is not None:
        renamed = Layer(replace(loaded.layer.spec, name=name), loaded.layer.parameters, loaded.layer.origin)
        loaded = LayerFile(renamed, loaded.input, loaded.expected)
    engine = _plan(loaded.layer, multipliers, lut_multipliers, target, algorithm, loadable)
    if family is None:
        family = "generic" if target is None else load_target(target).family
    files = engine_files(engine, family)
    vectors = vectors_of(engine, loaded, design_with(engine, files))
    package = make_package(engine, files, vectors, family=family, clock_mhz=clock_mhz)
    package.write(Path(directory), force=force)
    return GenerateResult(
        directory=Path(directory),
        top=package.top,
        files=tuple(package.files),
        design_hash=package.design_hash,
        multipliers=engine.multipliers,
        predicted_latency=engine.cycles.latency,
        predicted_interval=engine.cycles.interval,
    )


def compare(
    source: Source,
    *,
    layer: int | None = None,
    input: str | Path | Frames | None = None,
    expected: str | Path | Frames | None = None,
    simulator: str = "verilator",
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    target: str | None = None,
    algorithm: str = DIRECT,
    frames: int | None = None,
    seed: int = 1,
    netlist: bool = False,
    waveform: str | Path | None = None,
    capture: str | Path | None = None,
    loadable: bool = False,
) -> ComparisonResult:
    """Simulates the Verilog of a layer and compares it with the golden model. A difference raises nothing.

    Parameters:
        source, layer, multipliers, lut_multipliers, target, algorithm, loadable: as for `plan`.
        input: frames as (N, H, W, C) or (H, W, C), or an .npy file of them; by default those of the source, if any.
        expected: outputs for `input` known from elsewhere, in the same way; by default those of the source.
        simulator: `verilator` or `icarus`.
        frames: how many to send; random ones follow the given ones. By default all that are given, and at least four,
            since the interval is what lies between the last two.
        seed: of the random frames.
        netlist: simulate what synthesis makes of the Verilog for ECP5, cell by cell, rather than the Verilog itself.
        waveform: a VCD file to write.
        capture: an .npy file to write, with the outputs as the hardware gave them.

    Raises:
        HwconvError: as `plan`; an input of the wrong shape; a simulator that is missing.
    """
    if is_graph(source):
        _of_one_layer(
            source,
            layer=layer,
            lut_multipliers=lut_multipliers,
            target=target,
            algorithm=_other(algorithm),
            loadable=loadable or None,
            input=input,
            expected=expected,
            capture=capture,
        )
        read = graphs.load_graph(cast(Path, source))
        planned = graphs.plan_graph(read.network, multipliers=multipliers)
        found = graphs.compare_graph(
            planned,
            given=read.input,
            expected=read.expected,
            simulator=simulator,
            frames=frames,
            seed=seed,
            netlist=netlist,
            waveform=None if waveform is None else Path(waveform),
        )
        return replace(found, file=str(source))
    loaded = load_source(source, layer)
    case = prepare(loaded, input, expected, frames=frames, seed=seed)
    engine = _plan(loaded.layer, multipliers, lut_multipliers, target, algorithm, loadable)
    wave = None if waveform is None else Path(waveform)
    design = netlist_of(engine) if netlist else design_of(engine)
    binary = simulation.build(design, cast(simulation.Simulator, simulator), waveform=wave is not None)
    captured = None if capture is None else Path(capture)
    result = compare_engine(engine, binary, case, waveform=wave, capture=captured)
    result = replace(result, netlist=netlist)
    return result if isinstance(source, LayerFile) else replace(result, file=str(source))


def simulate(
    source: Source,
    *,
    layer: int | None = None,
    simulator: str = "verilator",
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    target: str | None = None,
    algorithm: str = DIRECT,
    frames: int = 4,
    seed: int = 1,
    loadable: bool = False,
) -> SimulateResult:
    """Runs an engine through pauses, damaged frames and resets. A failure raises nothing.

    Parameters:
        source, layer, multipliers, lut_multipliers, target, algorithm, loadable: as for `plan`.
        simulator: `verilator` or `icarus`.
        frames: of each run, at least four. seed: of frames, pauses and faults.
    """
    if is_graph(source):
        _of_one_layer(
            source,
            layer=layer,
            lut_multipliers=lut_multipliers,
            target=target,
            algorithm=_other(algorithm),
            loadable=loadable or None,
        )
        read = graphs.load_graph(cast(Path, source))
        planned = graphs.plan_graph(read.network, multipliers=multipliers)
        return graphs.simulate_graph(planned, given=read.input, simulator=simulator, frames=frames, seed=seed)
    loaded = load_source(source, layer)
    engine = _plan(loaded.layer, multipliers, lut_multipliers, target, algorithm, loadable)
    design, chosen, cycles = design_of(engine), cast(simulation.Simulator, simulator), engine.cycles
    sent = with_random(loaded.layer, loaded.input, max(4, frames), seed)
    binary = simulation.build(design, chosen)
    results = tuple(run_trials(loaded.layer, binary, sent, cycles.latency, seed))
    if engine.loadable:
        results += tuple(run_load_trials(engine, binary, sent, seed))
    right = golden.run(loaded.layer, sent)
    bench = run_cocotb(design, sent, right, chosen, latency=cycles.latency, interval=cycles.interval, seed=seed)
    return SimulateResult(
        layer=loaded.layer.spec.name,
        simulator=simulator,
        trials=results,
        cocotb=bench.tests,
        failures=bench.failures,
    )


def factorise(
    source: Source,
    directory: str | Path | None = None,
    *,
    layer: int | None = None,
    rank: int | None = None,
    error: float | None = None,
    input: str | Path | Frames | None = None,
    frames: int | None = None,
    seed: int = 1,
    force: bool = False,
) -> Factorisation:
    """Splits a layer with a K x L kernel into a 1 x L and a K x 1 layer, and measures what that changes.

    Parameters:
        source, layer: see above.
        directory: where `horizontal.npz` and `vertical.npz` are written, if anywhere; the frames go with them.
        rank, error: one of them, see :func:`hwconv.factorise.factorise`.
        input: frames as (N, H, W, C) or (H, W, C), or an .npy file of them; by default those of the source, or random
            ones.
        frames: how many random ones, by default four. seed: of these.
        force: whether files that are there are replaced.

    Raises:
        HwconvError: as `plan`; a layer that cannot be split; files that are there.
    """
    loaded = load_source(source, layer)
    spec = loaded.layer.spec
    x = loaded.input
    if input is not None:
        x = read_frames(input, spec.name, "input", spec.input_shape, spec.input_dtype)
    if x is None:
        x = with_random(loaded.layer, None, frames, seed)
    files = [] if directory is None else [Path(directory) / f"{part}.npz" for part in ("horizontal", "vertical")]
    for file in files:
        if file.exists() and not force:
            raise FormatError(file, "is there already; --force replaces it")
    result = split(loaded.layer, x, rank=rank, error=error)
    if files:
        files[0].parent.mkdir(parents=True, exist_ok=True)
        save_layer(files[0], result.horizontal, result.input)
        save_layer(files[1], result.vertical, result.between)
    return result


def build(
    source: Source,
    *,
    target: str,
    layer: int | None = None,
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    algorithm: str = DIRECT,
    clock_mhz: float | None = None,
    seeds: tuple[int, ...] = (1,),
    progress: Callable[[], None] | None = None,
    loadable: bool = False,
) -> flow.BuildResult:
    """Synthesises, places and routes a layer.

    Parameters:
        source, layer, multipliers, lut_multipliers, target, algorithm, loadable: as for `plan`.
        clock_mhz: the clock asked for; by default the target's.
        seeds: of placement, one run each.
        progress: called after each run.

    Raises:
        HwconvError: as `plan`; a design that does not fit or misses the clock, with what to change.
    """
    chosen = load_target(target)
    engine = _plan(load_source(source, layer).layer, multipliers, lut_multipliers, target, algorithm, loadable)
    files = engine_files(engine, chosen.family)
    return flow.build(files, engine.top_name, chosen, clock_mhz=clock_mhz, seeds=seeds, progress=progress)


def pack(
    source: Source,
    output: str | Path,
    *,
    engine: str | Path | None = None,
    layer: int | None = None,
    multipliers: int | None = None,
    target: str | None = None,
) -> PackResult:
    """Writes the image that loads a layer into an engine whose weights are loaded.

    Parameters:
        source, layer: as for `plan`.
        output: the file to write.
        engine: the folder of the engine's package. Without it the engine is the one that `generate` makes of the layer
            itself, with the same multipliers and target.

    Raises:
        HwconvError: a layer that does not fit the engine: names the field, or the channel and the field.
    """
    loaded = load_source(source, layer)
    if engine is None:
        planned = _plan(loaded.layer, multipliers, None, target, DIRECT, True)
    else:
        planned = engine_for(packaged_engine(Path(engine)), loaded.layer)
    image, about, proof = image_bytes(planned), weights_summary(planned.config), planned.requantiser.proof
    Path(output).write_bytes(image)
    return PackResult(
        file=Path(output),
        layer=loaded.layer.spec.name,
        engine=planned.top_name if engine is None else str(engine),
        channels=proof.channels,
        points=proof.points,
        **about,
    )


def _other(algorithm: str) -> str | None:
    """An algorithm, unless it is what engines have anyway."""
    return None if algorithm == DIRECT else algorithm


def _of_one_layer(source: Source, **options: object) -> None:
    """Refuses what goes with one layer only, for a graph."""
    for name, value in options.items():
        if value is not None:
            raise UnsupportedError(Path(cast(Path, source)).stem, name, value, "none with a graph")


def _plan(
    layer: Layer,
    multipliers: int | None,
    lut_multipliers: int | None,
    target: str | None,
    algorithm: str,
    loadable: bool,
) -> EnginePlan:
    return plan_engine(
        layer,
        None if target is None else load_target(target),
        multipliers=multipliers,
        lut_multipliers=lut_multipliers,
        algorithm=algorithm,
        loadable=loadable,
    )
