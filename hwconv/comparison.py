"""Whether an engine in simulation equals the golden model, and how fast it was."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv import golden, simulation
from hwconv.errors import HwconvError, SpecError
from hwconv.frontend import LayerFile
from hwconv.frontend.archive import read_array
from hwconv.layer import Layer
from hwconv.plan.engine_plan import EnginePlan
from hwconv.spec import dtype_range, storage_dtype

Frames = NDArray[np.integer[Any]]
MEASURED_FRAMES = 4
"""Frames that a comparison sends at least: the last two of them leave an engine that has settled."""
MAX_VALUES = 1 << 27
"""Limit of the values of all frames that are sent and expected, which are in memory together."""


@dataclass(frozen=True, kw_only=True)
class TensorResult:
    """What moved between two engines, against the golden model.

    Members:
        name: of the tensor. values: compared. mismatches: how many differ. problem: the first, or empty.
    """

    name: str
    values: int
    mismatches: int
    problem: str


@dataclass(frozen=True, kw_only=True)
class ComparisonResult:
    """Whether an engine equals the golden model, and how fast it was.

    Members:
        layer: its name. file: where it came from.
        simulator: which one ran the Verilog.
        frames: frames sent. outputs: values compared, frames x output size.
        mismatches: values that differ from the golden model, and values of the golden model that differ from the
            outputs that came with the layer or were given.
        expected_outputs: how many outputs were known from elsewhere.
        problem: one sentence on what is wrong first, or empty.
        latency, predicted_latency: cycles from the first input beat to the last output beat of a frame.
        interval, predicted_interval: cycles between frames that are sent back to back.
        macs: multiply-accumulates of a frame. multipliers: of the array. lut_multipliers: those of look-up tables.
        requantisers, requantiser_multipliers: beside the array.
        products: that the array makes in a cycle: two a multiplier where short weights share it.
        utilisation: macs / (interval x products), of the measured interval.
        netlist: whether the netlist of ECP5 cells was simulated, rather than the Verilog.
        waveform, captured: the files written, if they were asked for.
        tensors: those between the engines of a graph, if they were asked for.
    """

    layer: str
    file: str
    simulator: str
    frames: int
    outputs: int
    mismatches: int
    expected_outputs: int
    problem: str
    latency: int | None
    predicted_latency: int
    interval: int | None
    predicted_interval: int
    macs: int
    multipliers: int
    products: int
    requantisers: int
    requantiser_multipliers: int
    utilisation: float | None
    lut_multipliers: int = 0
    netlist: bool = False
    waveform: str | None = None
    captured: str | None = None
    tensors: tuple[TensorResult, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether values were compared and all of them were equal."""
        return not self.problem and self.mismatches == 0 and self.outputs > 0

    @property
    def as_predicted(self) -> bool:
        """Whether the engine was as fast as its plan says; the interval counts once the engine has settled."""
        settled = self.frames >= MEASURED_FRAMES
        return self.latency == self.predicted_latency and (self.interval == self.predicted_interval or not settled)

    @property
    def failure(self) -> str:
        """What is wrong, in one sentence; empty for an engine that is exact and as fast as predicted."""
        if not self.exact:
            return self.problem or "no outputs were compared"
        if self.as_predicted:
            return ""
        measured = f"latency {self.latency} and interval {self.interval} cycles"
        return f"{measured}, predicted were {self.predicted_latency} and {self.predicted_interval}"

    def to_json(self) -> dict[str, Any]:
        """The members, and whether they mean an exact engine as fast as predicted, as values that JSON has."""
        return {**asdict(self), "exact": self.exact, "as_predicted": self.as_predicted}

    def describe(self) -> str:
        """Returns a few lines for people."""
        verdict = "exact" if self.exact else f"NOT EXACT, {self.mismatches} mismatches"
        known = f", {self.expected_outputs} of them known from elsewhere" if self.expected_outputs else ""
        used = f", utilisation {self.utilisation:.1%}" if self.utilisation is not None else ""
        each = f" ({self.lut_multipliers} of look-up tables)" if self.lut_multipliers else ""
        each += " of two products" if self.products > self.multipliers else ""
        what = ", the netlist of ECP5 cells" if self.netlist else ""
        between = "".join(
            f"\n  {each.name}: {f'DIFFERS, {each.problem}' if each.problem else f'{each.values} values exact'}"
            for each in self.tensors
        )
        return (
            f"{self.layer}: {verdict}, {self.outputs} outputs of {self.frames} frames compared{known} "
            f"({self.simulator}{what})\n  latency {self.latency} cycles (predicted {self.predicted_latency}), "
            f"interval {self.interval} (predicted {self.predicted_interval})\n"
            f"  {self.macs} MACs on {self.multipliers} multipliers{each}{used}; "
            f"{self.requantisers} requantisers with {self.requantiser_multipliers} multipliers of their own{between}"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """What is sent and what must come out.

    Members:
        layer: what is computed.
        sent: (N, H, W, C). right: (N, OH, OW, O), of the golden model.
        checked, wrong: outputs that were known from elsewhere, and how many the golden model has otherwise.
        problem: the first of these, in one sentence, or empty.
    """

    layer: Layer
    sent: Frames
    right: Frames
    checked: int
    wrong: int
    problem: str


def prepare(
    loaded: LayerFile,
    input: str | Path | Frames | None = None,
    expected: str | Path | Frames | None = None,
    *,
    frames: int | None = None,
    seed: int = 1,
) -> Case:
    """Computes what must come out of an engine; the parameters are those of :func:`hwconv.api.compare`."""
    spec = loaded.layer.spec
    given, known = loaded.input, loaded.expected
    if input is not None:
        given, known = read_frames(input, spec.name, "input", spec.input_shape, spec.input_dtype), None
    if expected is not None:
        known = read_frames(expected, spec.name, "expected", spec.output_shape, spec.output_dtype)
    sent = with_random(loaded.layer, given, frames, seed)
    right = golden.run(loaded.layer, sent)
    wrong, checked, problem = _check_known(right, known, 0 if given is None else len(given), spec.name)
    return Case(layer=loaded.layer, sent=sent, right=right, checked=checked, wrong=wrong, problem=problem)


def compare_engine(
    engine: EnginePlan,
    binary: simulation.Binary,
    case: Case,
    *,
    waveform: Path | None = None,
    capture: Path | None = None,
) -> ComparisonResult:
    """Runs a compiled engine on a case.

    Parameters:
        engine, binary, case: the plan, what was compiled of it, and what is sent.
        waveform: a VCD file to write. capture: an .npy file to write, with the outputs as the hardware gave them.
    """
    spec = case.layer.spec
    result = simulation.run(binary, case.sent, case.right, waveform=waveform, capture=capture is not None)
    if capture is not None and result.captured is not None:
        with capture.open("wb") as stream:
            np.save(stream, result.captured)
    problem = case.problem if result.passed else str(result.first_mismatch or result.problem)
    interval = result.interval
    return ComparisonResult(
        layer=spec.name,
        file=case.layer.origin,
        simulator=binary.options.simulator,
        frames=len(case.sent),
        outputs=result.outputs,
        mismatches=result.mismatches + case.wrong,
        expected_outputs=case.checked,
        problem=problem,
        latency=result.latency,
        predicted_latency=engine.cycles.latency,
        interval=interval,
        predicted_interval=engine.cycles.interval,
        macs=spec.macs,
        multipliers=engine.multipliers,
        lut_multipliers=engine.lut_multipliers,
        products=engine.products,
        requantisers=engine.config.requantisers,
        requantiser_multipliers=engine.requantiser_multipliers,
        utilisation=spec.macs / (interval * engine.products) if interval else None,
        waveform=None if waveform is None else str(waveform),
        captured=None if capture is None or result.captured is None else str(capture),
    )


def read_frames(source: str | Path | Frames, name: str, field: str, shape: tuple[int, ...], dtype: str) -> Frames:
    """Reads frames from an array or an .npy file, and checks them against the layer."""
    if isinstance(source, str | Path):
        array: NDArray[Any] = read_array(Path(source))
    else:
        array = np.asarray(source)
    if array.ndim == len(shape):
        array = array[np.newaxis]
    stored = np.dtype(storage_dtype(dtype))
    if array.shape[1:] != shape or len(array) == 0:
        raise SpecError(name, field, f"an array of shape {array.shape}", f"of shape {shape}, or several of these")
    if array.dtype != stored:
        raise SpecError(name, field, f"an array of {array.dtype}", f"of {stored}")
    return np.ascontiguousarray(array)


def with_random(layer: Layer, given: Frames | None, frames: int | None, seed: int) -> Frames:
    """Returns the frames to send: the given ones, followed by random ones over the whole range of the type.

    Raises :class:`SpecError` where they are more than the memory should hold.
    """
    spec = layer.spec
    parts = [] if given is None else [given[:frames]]
    have = sum(len(part) for part in parts)
    missing = (max(have, MEASURED_FRAMES) if frames is None else frames) - have
    most = MAX_VALUES // (spec.input_elements + spec.output_elements)
    if have + missing > most:
        raise SpecError(spec.name, "frames", have + missing, f"at most {most} of this layer")
    low, high = dtype_range(spec.input_dtype)
    shape = (missing, *spec.input_shape)
    random = np.random.default_rng(seed).integers(low, high, shape, endpoint=True)
    return np.concatenate([*parts, random.astype(storage_dtype(spec.input_dtype))])


def _check_known(right: Frames, known: Frames | None, given: int, name: str) -> tuple[int, int, str]:
    """Compares the golden model with outputs from elsewhere: mismatches, values compared, what is wrong first."""
    if known is None:
        return 0, 0, ""
    if given == 0:
        raise HwconvError(f"{name}: expected outputs need the input that they belong to: give --input as well")
    if len(known) != given:
        raise SpecError(name, "expected", f"{len(known)} frames", f"{given}, one for each input frame")
    count = min(given, len(right))
    differs = right[:count] != known[:count]
    if not differs.any():
        return 0, int(differs.size), ""
    frame, *pixel, channel = (int(each) for each in np.argwhere(differs)[0])
    place = f"frame {frame}, pixel (y={pixel[0]}, x={pixel[1]}), channel {channel}"
    values = f"expected {known[frame, *pixel, channel]}, got {right[frame, *pixel, channel]}"
    return int(differs.sum()), int(differs.size), f"the golden model differs from the known outputs: {place}: {values}"
