"""What the calls of :mod:`hwconv.api` return, where it is no plan and no result of a comparison or a build."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwconv.trials import TrialResult


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
