"""From a float `.onnx` model to one of int8 that hwconv takes: post-training static quantisation by onnxruntime.

>>> result = quantise_model("float.onnx", "images.npy", "quantised.onnx")
>>> print(result.sqnr_db, result.agreement)

onnxruntime.quantization does the work: activations int8 with a zero point, by the smallest and largest value that the
calibration data gives; weights int8, symmetric, one scale per output channel; biases int32. This module chooses its
options so that the importer takes the result, gives the parts of a concatenation one scale, and measures what was lost.
docs/networks.md says which operators are taken.
"""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv.errors import FormatError, SpecError, ToolError, UnsupportedError, one_of
from hwconv.frontend import survey_model
from hwconv.frontend.archive import read_array
from hwconv.frontend.source_file import read_file

FORMS = ("qdq", "qoperator")
"""`qdq`: DequantizeLinear before and QuantizeLinear behind each operator of floats. `qoperator`: QLinearConv...."""
TAKEN = {
    "qdq": (
        "Conv", "ConvTranspose", "Gemm", "MatMul", "Add", "Relu", "Clip", "MaxPool", "AveragePool",
        "GlobalAveragePool", "Resize", "DepthToSpace", "Concat", "Flatten", "Reshape", "Pad",
    ),
    "qoperator": ("Conv", "MatMul", "Relu", "Clip", "MaxPool", "Flatten", "Reshape"),
}  # fmt: skip
"""Operators that are quantised, and taken by the importer afterwards: ONNX has no other ones of integers."""
MAX_MODEL_BYTES = 1 << 29
SMALLEST_OPSET = 13
"""Of ONNX: the first whose DequantizeLinear has scales per channel."""
_CLAMPS = ("Relu", "Clip")
_BATCH = 64
"""Frames that are run at a time."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ActivationScale:
    """An activation of the quantised model: a real value is `scale * (q - zero_point)`."""

    name: str
    scale: float
    zero_point: int


@dataclass(frozen=True, kw_only=True)
class WeightScale:
    """Weights of the quantised model: so many scales, from the smallest to the largest."""

    name: str
    scales: int
    smallest: float
    largest: float


@dataclass(frozen=True, kw_only=True)
class QuantiseResult:
    """What was quantised, and what that changed on the calibration data, both models run by onnxruntime.

    Members:
        file, output, form: what was read, what was written, and how it states the quantisation.
        frames: of the calibration data.
        activations, weights: their scales.
        operators: of the quantised model, by the place where hwconv computes them.
        sqnr_db: signal to quantisation noise of the output: energy of the float model's over that of the difference;
            None where nothing differs.
        largest_error: largest difference of an output.
        agreement: share of frames whose largest output is the same one; None where the output is no vector.
    """

    file: str
    output: str
    form: str
    frames: int
    activations: tuple[ActivationScale, ...]
    weights: tuple[WeightScale, ...]
    operators: dict[str, int]
    sqnr_db: float | None
    largest_error: float
    agreement: float | None

    def to_json(self) -> dict[str, Any]:
        """The members as values that JSON has."""
        return asdict(self)


def quantise_model(
    file: str | Path, calibration: str | Path | Floats, output: str | Path, *, form: str = "qdq"
) -> QuantiseResult:
    """Quantises a model and writes it: only if hwconv takes it.

    Parameters:
        file: a float model with one input, whose batch is open or 1, and one output.
        calibration: frames as the model will see them, float32 `(N, ...)`, or an .npy file of them.
        output: the .onnx file to write.
        form: one of :data:`FORMS`.

    Raises:
        ToolError: onnxruntime is not installed, or its quantiser fails.
        FormatError: no .onnx file.
        UnsupportedError: a model that is quantised already; an operator that would stay in floats, or that hwconv
            refuses afterwards: by name.
        SpecError: calibration data of another type or shape.
    """
    path, output = Path(file), Path(output)
    if form not in FORMS:
        raise UnsupportedError(path.name, "form", form, one_of(FORMS))
    if output.suffix != ".onnx":
        raise UnsupportedError(output.name, "ending of the output", output.suffix, ".onnx")
    _require_onnxruntime()
    model = _read(path)
    _check_floats(path, model)
    frames = _frames(path, model, calibration)
    with TemporaryDirectory(prefix="hwconv-") as folder, _quiet():
        simple, made = Path(folder) / "float.onnx", Path(folder) / output.name
        try:
            _simplify(model, simple)
            right = _run(simple, frames)
        except Exception as error:
            raise ToolError(f"{path.name}: onnxruntime does not run it: {_line(error)}") from error
        nodes = _named(simple)
        _check_operators(path, nodes, form)
        try:
            _quantise(simple, frames, made, form)
        except Exception as error:
            raise ToolError(f"{path.name}: the quantiser of onnxruntime fails: {_line(error)}") from error
        survey = survey_model(made)
        survey.loaded()
        found = _run(made, frames)
        written = made.read_bytes()
        activations, weights = _scales(made)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_bytes(written)
    places = [record.place for record in survey.operators]
    noise = float(((right - found).astype(np.float64) ** 2).sum())
    signal = float((right.astype(np.float64) ** 2).sum())
    flat = right.reshape(len(right), -1).shape[1] > 1 and right.reshape(*right.shape[:2], -1).shape[2] == 1
    return QuantiseResult(
        file=str(path),
        output=str(output),
        form=form,
        frames=len(frames),
        activations=activations,
        weights=weights,
        operators={place: places.count(place) for place in dict.fromkeys(places)},
        sqnr_db=round(10 * np.log10(signal / noise), 2) if noise and signal else None,
        largest_error=float(np.abs(right - found).max()),
        agreement=float((right.argmax(axis=1) == found.argmax(axis=1)).mean()) if flat else None,
    )


def _require_onnxruntime() -> None:
    try:
        import onnxruntime.quantization  # noqa: F401 - whether it is there is the question
    except ImportError as error:
        raise ToolError("quantise needs onnxruntime, which is not installed: pip install 'hwconv[quantise]'") from error


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what the quantiser says of itself (advice, progress) away from standard error."""
    import onnxruntime

    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(4)  # fatal: the exception says the rest
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # warnings, its default
        logging.disable(before)


def _read(path: Path) -> Any:
    import onnx

    model = onnx.ModelProto()
    try:
        model.ParseFromString(read_file(path, MAX_MODEL_BYTES))
    except Exception as error:
        raise FormatError(path, f"not an .onnx file ({_line(error)})") from error
    if not model.graph.node:
        raise FormatError(path, "not an .onnx file, or a model without nodes")
    for tensor in model.graph.initializer:
        if tensor.external_data or tensor.data_location:
            raise UnsupportedError(path.name, f"data_location of {tensor.name}", "external", "numbers inside the file")
    return model


def _check_floats(path: Path, model: Any) -> None:
    for index, node in enumerate(model.graph.node):
        operator = node.op_type
        if operator.startswith("QLinear") or operator in (
            "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QGemm",
        ):  # fmt: skip
            field = f"node {index}, {operator}"
            raise UnsupportedError(path.name, field, "quantised already", "a model of floats; compile takes this one")


def _ends(model: Any) -> tuple[list[Any], list[Any]]:
    constants = {tensor.name for tensor in model.graph.initializer}
    return [each for each in model.graph.input if each.name not in constants], list(model.graph.output)


def _frames(path: Path, model: Any, calibration: str | Path | Floats) -> Floats:
    """The calibration data, once it is what the model takes."""
    inputs, outputs = _ends(model)
    for what, ends in (("inputs", inputs), ("outputs", outputs)):
        if len(ends) != 1:
            raise UnsupportedError(path.name, what, len(ends), "one")
    kind = inputs[0].type.tensor_type
    if kind.elem_type != 1:  # TensorProto.FLOAT
        raise UnsupportedError(path.name, f"type of {inputs[0].name}", kind.elem_type, "float32")
    shape = [each.dim_value or None for each in kind.shape.dim]
    if not 2 <= len(shape) <= 4 or shape[0] not in (None, 1) or None in shape[1:]:
        shown = tuple(-1 if extent is None else extent for extent in shape)
        supported = "a batch that is open or 1, then one to three fixed extents"
        raise UnsupportedError(path.name, f"shape of {inputs[0].name}", shown, supported)
    frames = read_array(Path(calibration)) if isinstance(calibration, str | Path) else calibration
    wanted = tuple(shape[1:])
    if frames.dtype != np.float32 or frames.shape[1:] != wanted or not len(frames):
        expected = f"float32 of shape (N, {', '.join(map(str, wanted))})"
        raise SpecError(path.name, "calibration data", f"{frames.dtype} of shape {frames.shape}", expected)
    if not np.isfinite(frames).all():
        raise SpecError(path.name, "calibration data", "not finite", "finite numbers")
    return frames.astype(np.float32, copy=False)


def _simplify(model: Any, path: Path) -> None:
    """Writes a model with constants folded, batch normalisation inside convolutions or as one, all shapes known."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    opset = max(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if opset < SMALLEST_OPSET:
        model = onnx.version_converter.convert_version(model, SMALLEST_OPSET)
    given = path.with_name("given.onnx")  # of a model as a value the constants would be out of shape inference's sight
    onnx.save(model, given)
    quant_pre_process(str(given), str(path), skip_symbolic_shape=True)
    simple = onnx.load(path)
    _normalise_by_convolutions(simple)
    onnx.save(simple, path)


def _normalise_by_convolutions(model: Any) -> None:
    """Turns batch normalisation that no convolution before it has taken in into a depthwise 1x1 convolution.

    ``(x - mean) / sqrt(var + epsilon) * scale + bias`` of each channel, by the definition of ``BatchNormalization``.
    """
    from onnx import helper, numpy_helper

    constants = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    shapes = {each.name: each.type.tensor_type.shape.dim for each in (*model.graph.input, *model.graph.value_info)}
    for at, node in enumerate(model.graph.node):
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        known = node.op_type == "BatchNormalization" and all(each in constants for each in node.input[1:])
        rank = len(shapes.get(node.input[0], ())) if known else 0
        if rank < 3 or attributes.get("training_mode"):
            continue  # and is refused by its name
        scale, bias, mean, variance = (constants[each].astype(np.float64) for each in node.input[1:])
        factor = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
        weights = factor.astype(np.float32).reshape(-1, *(1,) * (rank - 1))
        for name, values in (("weights", weights), ("bias", (bias - mean * factor).astype(np.float32))):
            model.graph.initializer.append(numpy_helper.from_array(values, f"{node.output[0]}_{name}"))
        inputs = [node.input[0], *(f"{node.output[0]}_{name}" for name in ("weights", "bias"))]
        taken = helper.make_node("Conv", inputs, node.output[:1], name=node.name, group=len(factor))
        model.graph.node.remove(node)
        model.graph.node.insert(at, taken)


def _named(path: Path) -> list[Any]:
    """The nodes of a model, after those without a name were given one: the quantiser knows nodes by name."""
    import onnx

    model = onnx.load(path)
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{index}"
    onnx.save(model, path)
    return list(model.graph.node)


def _check_operators(path: Path, nodes: list[Any], form: str) -> None:
    for node in nodes:
        operator = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        label = f"{path.name} node {node.name} ({operator})"
        if operator not in TAKEN[form] and operator != "Constant":
            hint = "; --form qdq takes it" if operator in TAKEN["qdq"] else ""
            raise UnsupportedError(label, "operator that stays float", operator, one_of(TAKEN[form]) + hint)
        if operator == "ConvTranspose":
            group = next((each.i for each in node.attribute if each.name == "group"), 1)
            if group != 1:  # the quantiser has no scales for the biases of several groups
                raise UnsupportedError(label, "group", group, "1")


class _Reader:
    """Calibration data as the quantiser asks for it: frame after frame."""

    def __init__(self, name: str, frames: Floats) -> None:
        self._feeds = iter([{name: frame[np.newaxis]} for frame in frames])

    def get_next(self) -> dict[str, Floats] | None:
        return next(self._feeds, None)


def _quantise(simple: Path, frames: Floats, made: Path, form: str) -> None:
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    model = onnx.load(simple)
    name = _ends(model)[0][0].name
    ranges = _shared_ranges(model, frames) if form == "qdq" else {}
    overrides = {tensor: [{"rmin": low, "rmax": high}] for tensor, (low, high) in ranges.items()}
    quantize_static(
        str(simple),
        str(made),
        _Reader(name, frames),
        quant_format=QuantFormat.QDQ if form == "qdq" else QuantFormat.QOperator,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        extra_options={
            "ActivationSymmetric": False,
            "WeightSymmetric": True,
            "ForceQuantizeNoInputCheck": True,  # of pooling and the like that read the model's input
            **({"TensorQuantOverrides": overrides} if overrides else {}),
        },
    )
    if ranges:
        _clamp_again(model, made, ranges)


def _shared_ranges(model: Any, frames: Floats) -> dict[str, tuple[np.float32, np.float32]]:
    """The range of every tensor that must have the scale of another one: parts of a concatenation, and its result.

    Channels as pixels are a concatenation of one part, to which the quantiser gives a scale of its own as well.
    """
    groups: list[set[str]] = []
    kept = ("MaxPool", "AveragePool", "Resize")
    same = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type in kept}
    for node in model.graph.node:
        if node.op_type not in ("Concat", "DepthToSpace"):
            continue
        joined = {node.output[0], *node.input}
        joined |= {same[name] for name in joined if name in same}
        for group in [group for group in groups if group & joined]:
            groups.remove(group)
            joined |= group
        groups.append(joined)
    if not groups:
        return {}
    values = _extremes(model, frames, sorted(set().union(*groups)))
    ranges = {}
    for group in groups:
        low = min([np.float32(0), *(values[name][0] for name in group)])
        high = max([np.float32(0), *(values[name][1] for name in group)])
        ranges.update(dict.fromkeys(group, (low, high)))
    return ranges


def _extremes(model: Any, frames: Floats, names: Iterable[str]) -> dict[str, tuple[np.float32, np.float32]]:
    """Smallest and largest value of tensors over all frames."""
    import onnx

    names = list(names)
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    there = {value.name for value in watched.graph.output}
    fresh = [name for name in names if name not in there and name != _ends(model)[0][0].name]
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in fresh)
    session = _session(watched.SerializeToString())
    asked = [name for name in names if name != session.get_inputs()[0].name]
    found: dict[str, tuple[np.float32, np.float32]] = {session.get_inputs()[0].name: (frames.min(), frames.max())}
    for frame in frames:
        values = session.run(asked, {session.get_inputs()[0].name: frame[np.newaxis]})
        for name, value in zip(asked, values, strict=True):
            low, high = found.get(name, (value.min(), value.max()))
            found[name] = min(low, value.min()), max(high, value.max())
    return found


def _clamp_again(model: Any, made: Path, ranges: dict[str, tuple[np.float32, np.float32]]) -> None:
    """Puts clamps back that the quantiser left to saturation: with a wider range, saturation no longer clamps."""
    import onnx

    quantised = onnx.load(made)
    producers = {name: node for node in quantised.graph.node for name in node.output}
    for clamp in (node for node in model.graph.node if node.op_type in _CLAMPS and node.output[0] in ranges):
        name = clamp.output[0]
        producer = producers.get(name)
        if producer is None or producer.op_type in _CLAMPS:
            continue
        before = f"{name}_before_{clamp.op_type.lower()}"
        producer.output[list(producer.output).index(name)] = before
        again = onnx.NodeProto()
        again.CopyFrom(clamp)
        again.input[0] = before
        quantised.graph.node.insert(list(quantised.graph.node).index(producer) + 1, again)
        known = {tensor.name for tensor in quantised.graph.initializer}
        bounds = [tensor for tensor in model.graph.initializer if tensor.name in clamp.input[1:]]
        quantised.graph.initializer.extend(tensor for tensor in bounds if tensor.name not in known)
    onnx.save(quantised, made)


def _session(model: str | bytes) -> Any:
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Sums of CPUs without VNNI do not saturate then. For QLinear operators there is no such kernel.
    options.add_session_config_entry("session.x64quantprecision", "1")
    providers = ["CPUExecutionProvider"]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except NoKernel:
        options.add_session_config_entry("session.x64quantprecision", "0")
        return onnxruntime.InferenceSession(model, options, providers=providers)


def _run(path: Path, frames: Floats) -> Floats:
    """A model's output for all frames; several at a time where its batch is open."""
    session = _session(str(path))
    entry = session.get_inputs()[0]
    batch = 1 if entry.shape[0] == 1 else _BATCH
    parts = [session.run(None, {entry.name: frames[at : at + batch]})[0] for at in range(0, len(frames), batch)]
    return np.concatenate(parts).astype(np.float32, copy=False)


def _scales(path: Path) -> tuple[tuple[ActivationScale, ...], tuple[WeightScale, ...]]:
    """What the quantised model says of its activations and weights; biases follow from these."""
    import onnx

    model = onnx.load(path)
    numbers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    activations: dict[str, ActivationScale] = {}
    weights: dict[str, WeightScale] = {}

    def activation(name: str, scale: str, point: str) -> None:
        known = ActivationScale(name=name, scale=float(numbers[scale]), zero_point=int(numbers[point]))
        activations.setdefault(name, known)

    def weight(name: str, scale: str) -> None:
        if numbers[name].dtype == np.int8:
            low, high = float(numbers[scale].min()), float(numbers[scale].max())
            weights[name] = WeightScale(name=name, scales=numbers[scale].size, smallest=low, largest=high)

    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            activation(node.input[0], *node.input[1:3])
        elif node.op_type == "DequantizeLinear" and node.input[0] in numbers:
            weight(*node.input[:2])
        elif node.op_type in ("QLinearConv", "QLinearMatMul"):
            weight(*node.input[3:5])
            activation(node.output[0], *node.input[6:8])
    return tuple(activations.values()), tuple(weights.values())
