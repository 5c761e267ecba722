"""Whole networks for people: from a model to one package, a comparison, a routed design.

>>> plan = plan_network("model.tflite", target="lfe5u-85f-6")
>>> result = compare_network("model.tflite", target="lfe5u-85f-6")
>>> assert result.exact and result.latency == result.predicted_latency

A source is a model (.tflite, .onnx), or a description of a graph (.toml, docs/graphs.md). Engines, one a layer, are
connected by streams; what is left to the host (docs/networks.md) is computed by the golden model before and after.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwconv import flow, graphs
from hwconv.collector import no_collection
from hwconv.comparison import ComparisonResult
from hwconv.emit.package import check_directory, engine_files
from hwconv.errors import FitError, FormatError, HwconvError, SpecError
from hwconv.frontend import load_model
from hwconv.frontend.archive import read_array
from hwconv.frontend.graph_file import load_graph
from hwconv.golden.model import network_input, run_model
from hwconv.graph import Network
from hwconv.graphs.run import Frames
from hwconv.model import Model
from hwconv.plan.graph_balance import balanced_engines
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.plan.partition import partitions_of
from hwconv.results import GenerateResult
from hwconv.sources import is_graph, is_model
from hwconv.targets import Target, list_targets, load_target

Values = NDArray[Any]
Optimise = Literal["interval", "latency"]
Partition = Literal["auto", "engines", "program"]


@dataclass(frozen=True, eq=False, kw_only=True)
class NetworkFile:
    """A network read from a file.

    Members:
        network: what hardware computes. model: the model around it, where there is one.
        input, expected: frames that came with it, and what must come out for them.
    """

    network: Network
    model: Model | None = None
    input: Frames | None = None
    expected: Frames | None = None


def is_whole_model(path: Path) -> bool:
    """Whether a file is a model; raises `FormatError` if it cannot be read."""
    return path.suffix == ".onnx" or is_model(path)


def load_network(path: str | Path) -> NetworkFile:
    """Reads a model or a graph.

    Raises:
        UnsupportedError: an operator or attribute for which there is no hardware: says which one, by index and name.
        FormatError: a file that cannot be read, or is neither.
    """
    path = Path(path)
    if is_graph(path):
        read = load_graph(path)
        return NetworkFile(network=read.network, input=read.input, expected=read.expected)
    if is_whole_model(path):
        model = load_model(path)
        return NetworkFile(network=model.network, model=model)
    raise FormatError(path, "neither a model (.tflite, .onnx) nor a description of a graph (.toml)")


def plan_network(
    source: str | Path | NetworkFile,
    *,
    target: str | None = None,
    multipliers: int | None = None,
    optimise: Optimise = "interval",
    partition: Partition = "auto",
) -> GraphPlan:
    """Decides how a network is computed.

    Parameters:
        source: see above, or what :func:`load_network` returned.
        target: the FPGA that its engines share; they are as fast together as its estimates allow.
        multipliers: of all arrays together, instead of what the target has.
        optimise: `interval` or `latency`: what is to be as short as the target allows.
        partition: which layers share an engine: `engines`, none; `program`, all convolutions in a row; `auto`, what is
            best on the target, and none without one.

    Raises:
        HwconvError: as :func:`load_network`; a target that is too small: by how much, and which one is not.
    """
    loaded = source if isinstance(source, NetworkFile) else load_network(source)
    if optimise != "interval" and (target is None or multipliers is not None):
        expected = "interval, unless a target is shared, without multipliers"
        raise SpecError(loaded.network.graph.name, "optimise", optimise, expected)
    if target is None or multipliers is not None:
        programs = partitions_of(loaded.network.graph, "program")[0] if partition == "program" else ()
        return plan_graph(loaded.network, multipliers=multipliers, programs=programs)
    wanted = load_target(target)
    with no_collection():
        try:
            return plan_graph(loaded.network, target=wanted, optimise=optimise, partition=partition)
        except FitError as error:
            raise FitError(f"{error}: {_would_fit(loaded.network, wanted, optimise, partition)}") from error


def _would_fit(network: Network, target: Target, optimise: Optimise, partition: Partition) -> str:
    """Which part holds the engines of a network that do not fit a target, by the same estimates."""
    larger = [
        each
        for each in list_targets()
        if (each.family, each.speed) == (target.family, target.speed) and each.block_rams > target.block_rams
    ]
    for each in larger:
        try:
            balanced_engines(network, each, optimise, partition, 0)
        except HwconvError:  # or programs that the parts of the network do not allow
            continue
        return f"by estimate {each.name} holds it"
    return f"nor does a larger part, up to {larger[-1].name}, hold it" if larger else "there is no larger target"


def compile_network(
    source: str | Path,
    directory: str | Path,
    *,
    target: str | None = None,
    multipliers: int | None = None,
    optimise: Optimise = "interval",
    partition: Partition = "auto",
    clock_mhz: float | None = None,
    force: bool = False,
) -> tuple[GraphPlan, GenerateResult]:
    """Plans a network and writes its package: everything, or nothing.

    Parameters:
        source, target, multipliers, optimise, partition: as for :func:`plan_network`.
        directory: the folder to write; it must not exist or be empty.
        clock_mhz: what the constraints ask for.
        force: whether a folder that is not empty is replaced.
    """
    check_directory(Path(directory), force=force)
    loaded = load_network(source)
    plan = plan_network(loaded, target=target, multipliers=multipliers, optimise=optimise, partition=partition)
    family = "generic" if target is None else load_target(target).family
    result = graphs.generate_graph(plan, directory, given=loaded.input, family=family, clock_mhz=clock_mhz, force=force)
    return plan, result


def compare_network(
    source: str | Path,
    *,
    input: str | Path | Values | None = None,
    expected: str | Path | Values | None = None,
    target: str | None = None,
    multipliers: int | None = None,
    optimise: Optimise = "interval",
    partition: Partition = "auto",
    simulator: str = "verilator",
    frames: int | None = None,
    seed: int = 1,
    waveform: str | Path | None = None,
    capture: str | Path | None = None,
    every_tensor: bool = False,
) -> ComparisonResult:
    """Simulates a network's Verilog and compares it with the golden model, bit for bit. A difference raises nothing.

    Parameters:
        source, target, multipliers, optimise, partition: as for :func:`plan_network`.
        input: of the model, in its type and shape (the batch first), or an .npy file of it; random frames follow.
        expected: outputs of the model for these, known from elsewhere, the host's steps included.
        simulator: `verilator` or `icarus`.
        frames: how many to send; by default the given ones, and at least as many as the pipeline takes until it has
            settled.
        seed: of the random frames.
        waveform: a VCD file to write. capture: an .npy file to write, with what the hardware gave.
        every_tensor: compare what moves between the engines as well.
    """
    loaded = load_network(source)
    plan = plan_network(loaded, target=target, multipliers=multipliers, optimise=optimise, partition=partition)
    name = plan.graph.name
    given, values = loaded.input, None
    if input is not None:
        values = _values(input, name, "input")
        given = values if loaded.model is None else network_input(loaded.model, values)
    known = loaded.expected if input is None else None
    if expected is not None:
        known = _values(expected, name, "expected")
    result = graphs.compare_graph(
        plan,
        given=given,
        expected=known if loaded.model is None else None,
        simulator=simulator,
        frames=frames,
        seed=seed,
        waveform=None if waveform is None else Path(waveform),
        capture=None if capture is None else Path(capture),
        every_tensor=every_tensor,
    )
    if loaded.model is not None and known is not None:
        if values is None:
            raise SpecError(name, "expected", "given", "given together with the input that it belongs to")
        result = _with_known(result, loaded.model, values, known)
    return replace(result, file=str(source))


def build_network(
    source: str | Path,
    *,
    target: str,
    multipliers: int | None = None,
    optimise: Optimise = "interval",
    partition: Partition = "auto",
    clock_mhz: float | None = None,
    seeds: tuple[int, ...] = (1,),
    progress: Callable[[], None] | None = None,
) -> flow.BuildResult:
    """Synthesises, places and routes a network; the parameters are those of :func:`plan_network` and `api.build`."""
    chosen = load_target(target)
    plan = plan_network(source, target=target, multipliers=multipliers, optimise=optimise, partition=partition)
    files = engine_files(plan, chosen.family)
    return flow.build(files, plan.top_name, chosen, clock_mhz=clock_mhz, seeds=seeds, progress=progress)


def _values(given: str | Path | Values, name: str, field: str) -> Values:
    if isinstance(given, str | Path):
        return read_array(Path(given))
    if not isinstance(given, np.ndarray):
        raise SpecError(name, field, type(given).__name__, "an array, or an .npy file")
    return given


def _with_known(result: ComparisonResult, model: Model, values: Values, known: Values) -> ComparisonResult:
    """The result, once the golden model's own outputs are found to be what is known from elsewhere."""
    right = run_model(model, values)
    if known.size != right.size or len(known) != len(right) or known.dtype != right.dtype:
        shown = f"{known.dtype} of shape {known.shape}"
        raise SpecError(model.name, "expected", shown, f"{right.dtype} of shape {right.shape}")
    wrong = int((right != known.reshape(right.shape)).sum())
    problem = result.problem or ("the golden model differs from the known outputs" if wrong else "")
    return replace(result, expected_outputs=int(right.size), mismatches=result.mismatches + wrong, problem=problem)
