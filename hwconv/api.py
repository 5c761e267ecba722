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

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from hwconv import flow, golden, simulation
from hwconv.comparison import ComparisonResult, Frames, compare_engine, prepare, read_frames, with_random
from hwconv.emit.package import Vectors, check_directory, engine_files, is_loadable, make_package, model_files
from hwconv.emit.packaged import packaged_engine
from hwconv.errors import FitError, FormatError, UnsupportedError
from hwconv.factorise import Factorisation
from hwconv.factorise import factorise as split
from hwconv.frontend import LayerFile, load, save_layer
from hwconv.frontend.archive import write_whole
from hwconv.frontend.graph_file import is_graph as frontend_is_graph
from hwconv.frontend.source_file import read_start
from hwconv.inspection import Inspection, inspect_model
from hwconv.layer import Layer
from hwconv.load_trials import run_load_trials
from hwconv.plan.algorithm import DIRECT, plan_layer
from hwconv.plan.block import BlockPlan
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.fit import plan_for_target
from hwconv.plan.graph_picture import draw_graph
from hwconv.plan.graph_plan import GraphPlan
from hwconv.plan.loadable import engine_for
from hwconv.plan.picture import draw_plan
from hwconv.plan.weight_image import image_bytes, weights_summary
from hwconv.plan.winograd import WinogradPlan
from hwconv.plan.winograd_picture import draw_winograd
from hwconv.simulation.bench import bench_description, run_cocotb
from hwconv.targets import load_target
from hwconv.trials import TrialResult, run_trials

Source = str | Path | LayerFile

PACKAGE_FRAMES = 2
"""Frames that the benches of a package send."""


@dataclass(frozen=True, kw_only=True)
class GenerateResult:
    """What `generate` wrote.

    Members:
        directory: the folder.
        top: the top module.
        files: relative names of the files.
        design_hash: SHA-256 of the Verilog without its comments.
        multipliers, predicted_latency, predicted_interval: of the plan; cycles.
    """

    directory: Path
    top: str
    files: tuple[str, ...]
    design_hash: str
    multipliers: int
    predicted_latency: int
    predicted_interval: int

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return {**asdict(self), "directory": str(self.directory), "files": list(self.files)}


@dataclass(frozen=True, kw_only=True)
class SimulateResult:
    """What the hard runs of an engine found.

    Members:
        layer: its name. simulator: which one ran the Verilog.
        trials: the runs against memories in HDL.
        cocotb: name of each test of the cocotb bench to `pass`, `fail` or `skip`. failures: what the failed ones said.
    """

    layer: str
    simulator: str
    trials: tuple[TrialResult, ...]
    cocotb: Mapping[str, str]
    failures: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """What went wrong, a sentence for each run that failed."""
        wrong = [f"{trial.name}: {trial.problem}" for trial in self.trials if not trial.passed]
        return wrong + [f"{name}: {said}" for name, said in self.failures.items()]

    @property
    def passed(self) -> bool:
        """Whether there were runs of both kinds, and all of them passed."""
        return bool(self.trials) and "pass" in self.cocotb.values() and not self.problems

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return {
            "layer": self.layer,
            "simulator": self.simulator,
            "passed": self.passed,
            "trials": [asdict(trial) for trial in self.trials],
            "cocotb": dict(self.cocotb),
            "failures": dict(self.failures),
        }

    def describe(self) -> str:
        """Returns a line for each run."""
        lines = [
            f"{self.layer} under {self.simulator}: {'passed' if self.passed else 'FAILED'}",
            "against memories in HDL:",
        ]
        for trial in self.trials:
            verdict = "pass" if trial.passed else f"FAILED: {trial.problem}"
            lines.append(f"  {trial.name}: {verdict}, {trial.outputs} outputs compared in {trial.cycles} cycles")
        lines.append("cocotb:")
        for name, outcome in self.cocotb.items():
            said = f": {self.failures[name]}" if name in self.failures else ""
            lines.append(f"  {name.replace('_', ' ')}: {outcome}{said}")
        return "\n".join(lines)


def is_graph(source: Source) -> bool:
    """Whether a source is a description of a graph, see docs/graphs.md. Raises `FormatError` if it cannot be read."""
    return not isinstance(source, LayerFile) and frontend_is_graph(source)


def is_model(file: str | Path) -> bool:
    """Whether a file is a model, of whose layers one has to be chosen. Raises `FormatError` if it cannot be read."""
    return read_start(Path(file), 8)[4:] == b"TFL3"


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
    return _plan(_load(source, layer).layer, multipliers, lut_multipliers, target, algorithm, loadable)


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
        from hwconv import graphs

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
    loaded = _load(source, layer)
    if name is not None:
        renamed = Layer(replace(loaded.layer.spec, name=name), loaded.layer.parameters, loaded.layer.origin)
        loaded = LayerFile(renamed, loaded.input, loaded.expected)
    engine = _plan(loaded.layer, multipliers, lut_multipliers, target, algorithm, loadable)
    if family is None:
        family = "generic" if target is None else load_target(target).family
    files = engine_files(engine, family)
    vectors = _vectors(engine, loaded, _design(engine, files))
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
        from hwconv import graphs

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
    loaded = _load(source, layer)
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
        from hwconv import graphs

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
    loaded = _load(source, layer)
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
    loaded = _load(source, layer)
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
    engine = _plan(_load(source, layer).layer, multipliers, lut_multipliers, target, algorithm, loadable)
    files = engine_files(engine, chosen.family)
    return flow.build(files, engine.top_name, chosen, clock_mhz=clock_mhz, seeds=seeds, progress=progress)


@dataclass(frozen=True, kw_only=True)
class PackResult:
    """An image that `pack` wrote.

    Members:
        file: where. layer: whose weights. engine: the engine's layer, or its package.
        bytes, beats, beat_bytes: of the image. identity: what it begins with, that of the engine.
        cycles: from its first beat to the first beat of a frame after it, if neither is kept waiting.
        channels, points: requantisers proven equal to the layer's definition, and the comparisons made.
    """

    file: Path
    layer: str
    engine: str
    bytes: int
    beats: int
    beat_bytes: int
    identity: int
    cycles: int
    channels: int
    points: int

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return {**asdict(self), "file": str(self.file)}


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
    loaded = _load(source, layer).layer
    if engine is None:
        planned = _plan(loaded, multipliers, None, target, DIRECT, True)
    else:
        planned = engine_for(packaged_engine(Path(engine)), loaded)
    image, about, proof = image_bytes(planned), weights_summary(planned.config), planned.requantiser.proof
    Path(output).write_bytes(image)
    return PackResult(
        file=Path(output),
        layer=loaded.spec.name,
        engine=planned.top_name if engine is None else str(engine),
        channels=proof.channels,
        points=proof.points,
        **about,
    )


def design_of(engine: BlockPlan, family: str = "generic") -> simulation.Design:
    """Returns a planned engine as the text that simulators take."""
    return _design(engine, engine_files(engine, family) | model_files(family))


def netlist_of(engine: BlockPlan) -> simulation.Design:
    """Returns the netlist that `build` places and routes for a planned engine, as the text that simulators take.

    Raises:
        ToolError: yosys is missing, of a version that does not work, or failed.
    """
    files = flow.netlist_files(engine_files(engine, "ecp5"), engine.top_name)
    return replace(_design(engine, files), generated=(f"{engine.top_name}.v", flow.CELLS))


def _design(engine: BlockPlan, files: Mapping[str, str]) -> simulation.Design:
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


def _other(algorithm: str) -> str | None:
    """An algorithm, unless it is what engines have anyway."""
    return None if algorithm == DIRECT else algorithm


def _of_one_layer(source: Source, **options: object) -> None:
    """Refuses what goes with one layer only, for a graph."""
    for name, value in options.items():
        if value is not None:
            raise UnsupportedError(Path(cast(Path, source)).stem, name, value, "none with a graph")


def _load(source: Source, layer: int | None) -> LayerFile:
    return source if isinstance(source, LayerFile) else load(Path(source), layer=layer)


def _plan(
    layer: Layer,
    multipliers: int | None,
    lut_multipliers: int | None,
    target: str | None,
    algorithm: str,
    loadable: bool,
) -> EnginePlan:
    """Plans for a number of multipliers, or for as many as a target has beside those of the requantisers."""
    if algorithm == DIRECT and not loadable:
        if target is None:
            return make_plan(layer, multipliers=multipliers, lut_multipliers=lut_multipliers or 0)
        part = load_target(target)
        return plan_for_target(layer, part, multipliers=multipliers, lut_multipliers=lut_multipliers)
    if lut_multipliers:
        what = f"0 with algorithm {algorithm}" if algorithm != DIRECT else "0 where weights are loaded"
        raise UnsupportedError(layer.spec.name, "lut_multipliers", lut_multipliers, what)
    if target is None:
        return plan_layer(layer, algorithm, multipliers=multipliers, loadable=loadable)
    available = load_target(target).multipliers
    asked = available if multipliers is None else multipliers
    engine = plan_layer(layer, algorithm, multipliers=asked, loadable=loadable)
    while engine.multipliers + engine.requantiser_multipliers > available:
        needed = engine.multipliers + engine.requantiser_multipliers
        asked = min(asked, engine.multipliers) - 1
        if multipliers is not None or asked < 1:
            raise FitError(
                f"{layer.spec.name}: {needed} multipliers ({engine.multipliers} of the array, "
                f"{engine.requantiser_multipliers} of the requantisers) do not fit {target}, which has {available}: "
                f"ask for fewer, or take a larger target"
            )
        engine = plan_layer(layer, algorithm, multipliers=asked, loadable=loadable)
    return engine


def _vectors(engine: EnginePlan, loaded: LayerFile, design: simulation.Design) -> Vectors:
    """What the benches of a package send and expect."""
    spec = loaded.layer.spec
    given = 0 if loaded.input is None else min(len(loaded.input), PACKAGE_FRAMES)
    sent = with_random(loaded.layer, loaded.input, PACKAGE_FRAMES, seed=1)
    right = golden.run(loaded.layer, sent)
    feed = simulation.stimulus(sent, engine.input_beat_bytes)
    target = simulation.expected(right, engine.output_beat_bytes)
    cycles = engine.cycles
    bench = bench_description(design, sent, right, latency=cycles.latency, interval=cycles.interval)
    kinds = [f"the first {given} came with the layer"] if given else []
    kinds += ["the others are random" if given else "they are random"] if given < PACKAGE_FRAMES else []
    return Vectors(
        input=sent,
        expected=right,
        stimulus_image=feed.image(),
        expected_image=target.image(),
        input_beats=-(-spec.input_bytes // engine.input_beat_bytes),
        output_beats=target.frame_beats,
        bench=bench,
        origin=f"Of the frames {', '.join(kinds)}." if given else "The frames are random.",
        weights_image=simulation.Loads.of(design).text() if engine.loadable else "",
    )
