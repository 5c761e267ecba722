"""The kinds of hostile input, each with what is tried on it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fuzzing import archive, arguments, npy, paths, records, tflite_model, toml_text, trial
from fuzzing.mutate import one
from fuzzing.seeds import Seeds
from hwconv import api
from hwconv.bench import page, record, tables
from hwconv.comparison import prepare
from hwconv.frontend import LayerFile, load, save_layer, survey_model
from hwconv.frontend.tflite import load_layer, read_model
from hwconv.golden.model import run_model
from hwconv.graph import Graph

Attempt = Callable[[], str]
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
_SMALL = 1 << 16  # elements of a tensor that a result is checked with


def npz(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A layer file; one that is taken must survive being written and read."""
    path = folder / "layer.npz"
    archive.write(random, path, seeds.layers)
    return lambda: _checked(load(path), folder)


def toml(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A description of a layer; one that is taken must survive being written as a layer file and read."""
    path = folder / "layer.toml"
    toml_text.write(random, path, seeds.texts)
    return lambda: _checked(load(path), folder)


def tflite(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A model: its list of operators, and each layer that the list says can be loaded."""
    path = folder / "model.tflite"
    tflite_model.write(random, path, seeds.models)
    return lambda: _model(path, folder)


def network(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A whole model; one that is taken is computed, if it is small, and its graph survives being written and read."""
    path = folder / "network.tflite"
    tflite_model.write_network(random, path, seeds.models)
    return lambda: _network(path)


def onnx_network(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """The same of an `.onnx` model, where onnx is there to write one."""
    from fuzzing import onnx_model

    path = folder / "network.onnx"
    onnx_model.write(random, path)
    return lambda: _network(path)


def frames(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """An `.npy` file as input or expected output of a comparison."""
    loaded = load(seeds.small)
    assert loaded.input is not None
    spec = loaded.layer.spec
    as_input = bool(random.integers(2))
    array = np.zeros((1, *(spec.input_shape if as_input else spec.output_shape)), np.int8)
    content = npy.hostile(random, array, seeds.small.read_bytes())
    if random.random() < 0.3:
        content = npy.dump(npy.other_array(random, array))
    path = folder / "x.npy"
    path.write_bytes(content)

    def attempt() -> str:
        case = prepare(loaded, path, None, seed=1) if as_input else prepare(loaded, None, path, seed=1)
        assert case.right.shape == (len(case.sent), *spec.output_shape)
        return "taken"

    return attempt


def bench(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A file of `benchmarks/` that the page and the tables are made from."""
    for name in (record.UTILISATION, record.SPEED):
        content = json.loads((BENCHMARKS / name).read_text())
        if "rows" in content:
            content["rows"] = content["rows"][:3]
        (folder / name).write_text(json.dumps(content))
    (folder / record.ROUTING).write_text(json.dumps({"rows": [_ROUTED]}))
    path = folder / one(random, (record.UTILISATION, record.SPEED, record.ROUTING))
    records.write(random, path, json.loads(path.read_text()))

    def attempt() -> str:
        page.render(folder)
        tables.utilisation_table(record.load_rows(folder, record.UTILISATION))
        tables.routing_table(record.load_rows(folder, record.ROUTING))
        record.save_rows(folder, record.UTILISATION, [])
        return "taken"

    return attempt


def place(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """Something that is no file, where one is expected."""
    path = paths.make(random, folder, seeds.small)
    what = int(random.integers(5))

    def attempt() -> str:
        loaded = load(seeds.small)
        if what == 0:
            load(path)
        elif what == 1:
            read_model(path)
        elif what == 2:
            api.is_model(path)
        elif what == 3:
            prepare(loaded, path, None)
        else:
            prepare(loaded, None, path)
        return "taken"

    return attempt


def line(random: np.random.Generator, folder: Path, seeds: Seeds) -> Attempt:
    """A command line."""
    chosen = arguments.choose(random, folder, seeds.small)
    return lambda: trial.command(chosen, folder)


KINDS: dict[str, tuple[Callable[[np.random.Generator, Path, Seeds], Attempt], float]] = {
    "npz": (npz, 0.3),
    "tflite": (tflite, 0.3),
    "toml": (toml, 0.12),
    "npy": (frames, 0.12),
    "bench": (bench, 0.08),
    "path": (place, 0.06),
    "line": (line, 0.02),
    "network": (network, 0.2),
    "onnx": (onnx_network, 0.15),
}
"""Each kind, and its share of the cases."""

_ROUTED = {
    "layer": "3x3", "multipliers_asked": 144, "target": "lfe5u-85f-6", "seeds": {"1": 180.0}, "fmax_median_mhz": 180.0,
    "fmax_minimum_mhz": 180.0, "fmax_maximum_mhz": 180.0, "luts": 11000, "luts_per_mac": 76.4, "ffs": 20000,
    "multipliers": 150, "block_rams": 90, "tools": {"yosys": "0.69"}, "rtl": "0" * 64,
    "critical_path": {"start": "a", "end": "b", "delay_ns": 5.0, "routing_ns": 3.0},
}  # fmt: skip


def _model(path: Path, folder: Path) -> str:
    taken = [operator.index for operator in read_model(path) if operator.supported]
    for index in taken[:3]:
        _checked(LayerFile(load_layer(path, index)), folder)
    return f"{min(len(taken), 3)} layers" if taken else "no layer"


def _network(path: Path) -> str:
    survey = survey_model(path)
    assert (survey.model is None) == bool(survey.problems)
    model = survey.loaded()
    graph = model.network.graph
    assert Graph.from_json(graph.to_json()) == graph, "reads back as another graph"
    if graph.macs <= _SMALL and sum(tensor.bytes for tensor in graph.tensors.values()) <= _SMALL:
        x = np.zeros((2, *model.input.shape[1:]), model.input.dtype)
        assert run_model(model, x).shape == (2, *model.output.shape[1:])
    return "taken"


def _checked(loaded: LayerFile, folder: Path) -> str:
    layer = loaded.layer
    assert loaded.input is None or loaded.input.shape[1:] == layer.spec.input_shape
    assert loaded.expected is None or loaded.expected.shape[1:] == layer.spec.output_shape
    if layer.parameters.weights.size <= _SMALL:
        save_layer(folder / "again.npz", layer)
        assert trial.same_layer(load(folder / "again.npz").layer, layer), "reads back as another layer"
    return "taken"
