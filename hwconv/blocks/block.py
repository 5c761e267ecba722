"""A block as a person describes it, and what it must give for what is sent."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwconv.dropout import DropoutSpec, FrameParameters, inverted, pass_seed
from hwconv.errors import FormatError, SpecError, one_of
from hwconv.frame_spec import FrameSpec
from hwconv.frontend.source_file import read_file
from hwconv.golden import dropout as golden_dropout
from hwconv.golden import mc_statistics as golden_statistics
from hwconv.mc_statistics import StatisticsSpec
from hwconv.plan.chain import ChainPlan, plan_chain
from hwconv.plan.dropout import DropoutPlan, plan_dropout
from hwconv.plan.mc_statistics import StatisticsPlan, plan_statistics
from hwconv.simulation import Expected, Fault, Stimulus, expected, stimulus, with_user

KINDS = ("dropout", "mc_statistics", "mc_dropout")
"""One block, the other, or the second behind the first."""
MAX_DESCRIPTION = 1 << 16
"""Bytes of a description."""
_OWN = ("kind", "beat_bytes", "probability", "seed")
_SPECS: Mapping[str, tuple[type[FrameSpec], ...]] = {
    "dropout": (DropoutSpec,),
    "mc_statistics": (StatisticsSpec,),
    "mc_dropout": (DropoutSpec, StatisticsSpec),
}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A planned block, and what benches send it.

    Members:
        kind: one of :data:`KINDS`.
        plan: what is built.
        dropout, statistics: what it computes, in this order.
        probability, seed: of the frames that benches send. Hardware takes other ones with every frame.
    """

    kind: str
    plan: DropoutPlan | StatisticsPlan | ChainPlan
    dropout: DropoutSpec | None
    statistics: StatisticsSpec | None
    probability: float
    seed: int

    @property
    def spec(self) -> FrameSpec:
        """What the input frames are."""
        spec = self.dropout or self.statistics
        assert spec is not None
        return spec

    def frames(self, results: int, seed: int, *, more: int = 0) -> NDArray[np.int8]:
        """Random frames for some results: the same one for all passes of a result. `more` follow."""
        random = np.random.default_rng(seed)
        shape = self.spec.frame_shape
        drawn = random.integers(-128, 128, (results, *shape)).astype(np.int8)
        if self.kind == "mc_statistics":
            drawn = random.integers(-128, 128, (results * self.plan.passes, *shape)).astype(np.int8)
        else:
            drawn = drawn.repeat(self.plan.passes, axis=0)
        rest = random.integers(-128, 128, (more, *shape)).astype(np.int8)
        return np.concatenate([drawn, rest])

    def parameters(self, count: int) -> list[FrameParameters]:
        """What comes with frames: a seed for each pass. With dropout alone, every fourth frame is deterministic."""
        if self.dropout is None:
            return []
        alone = self.kind == "dropout"
        return [
            inverted(self.probability, seed=pass_seed(self.seed, index), deterministic=alone and index % 4 == 3)
            for index in range(count)
        ]

    def outputs(self, frames: NDArray[np.int8], parameters: Sequence[FrameParameters]) -> NDArray[np.integer[Any]]:
        """What must come out, from the golden models."""
        values: NDArray[np.integer[Any]] = frames
        if self.dropout is not None:
            values = golden_dropout.run(self.dropout, frames, parameters)
        if self.statistics is not None:
            values = golden_statistics.run(self.statistics, values.astype(np.int8))
        return values

    def send(
        self, frames: NDArray[np.int8], faults: Mapping[int, Fault] | None = None, *, before: Sequence[int] = ()
    ) -> tuple[Stimulus, Expected, int]:
        """Packs frames, some of them damaged, and what must come out.

        Parameters:
            frames: as many that the block sees a multiple of its passes of them.
            faults: index of a frame to what is wrong with it.
            before: frames that the block sees, by index, which come marked as damaged.

        Returns:
            What goes in, what must come out, and how often `frame_error` must pulse.
        """
        feed = stimulus(frames, self.plan.input_beat_bytes, faults=faults, zero_point=self.spec.zero_point)
        seen = np.asarray(feed.seen, np.int8)
        parameters = self.parameters(len(seen))
        first = [each.to_user() for each in parameters] if parameters else [0] * len(seen)
        marked = [index in before for index in range(len(seen))]
        feed = with_user(feed, self.plan.input_user_bits, first, damaged=marked)
        bad = (np.array(feed.damaged) | np.array(marked)).reshape(-1, self.plan.passes)
        known = np.array(feed.comparable).reshape(-1, self.plan.passes)
        target = expected(
            self.outputs(seen, parameters),
            self.plan.output_beat_bytes,
            damaged=[bool(each.any()) for each in bad],
            comparable=[bool(each.all()) for each in known],
        )
        return feed, target, sum(feed.damaged)


def block_from_dict(values: Mapping[str, object], *, label: str = "block") -> Block:
    """Plans a block from its description.

    Parameters:
        values: `kind`, the fields of :class:`DropoutSpec` and :class:`StatisticsSpec` as the kind has them, and, if
            wanted, `beat_bytes`, `probability` and `seed`.
        label: its name where `values` has none.

    Raises:
        SpecError: a field that is unknown, missing or out of range.
    """
    kind = values.get("kind")
    name = str(values.get("name", label))
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpecError(name, "kind", kind, f"one of {one_of(KINDS)}")
    known = {field.name for spec in _SPECS[kind] for field in fields(spec)}
    for key in values:
        if key not in known and key not in _OWN:
            raise SpecError(name, "key", key, f"one of {one_of(sorted({*known, *_OWN}))}")
    given = {"name": name, **values}
    beat_bytes = _integer(name, "beat_bytes", values.get("beat_bytes"), 1, 128) if "beat_bytes" in values else None
    plans: list[DropoutPlan | StatisticsPlan] = []
    specs: list[FrameSpec] = []
    for each in _SPECS[kind]:
        own = {key: value for key, value in given.items() if key in {field.name for field in fields(each)}}
        if len(_SPECS[kind]) > 1:
            own["name"] = f"{name}_{'dropout' if each is DropoutSpec else 'statistics'}"
        spec = each.from_dict(own)
        specs.append(spec)
        if isinstance(spec, DropoutSpec):
            plans.append(plan_dropout(spec, beat_bytes))
        elif isinstance(spec, StatisticsSpec):
            plans.append(plan_statistics(spec, beat_bytes))
    probability = values.get("probability", 0.5)
    if isinstance(probability, bool) or not isinstance(probability, int | float):
        raise SpecError(name, "probability", probability, "a number")
    seed = _integer(name, "seed", values.get("seed", 1), 0, (1 << 32) - 1)
    inverted(probability, seed=seed)  # refuses what no frame can have
    return Block(
        kind=kind,
        plan=plans[0] if len(plans) == 1 else plan_chain(name, tuple(plans)),
        dropout=next((spec for spec in specs if isinstance(spec, DropoutSpec)), None),
        statistics=next((spec for spec in specs if isinstance(spec, StatisticsSpec)), None),
        probability=probability,
        seed=seed,
    )


def load_block(path: str | Path) -> Block:
    """Reads a description, a `.toml` file; see docs/dropout.md.

    Raises:
        FormatError: a file that is missing or no TOML.
        SpecError: as :func:`block_from_dict`.
    """
    try:
        values = tomllib.loads(read_file(Path(path), MAX_DESCRIPTION).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FormatError(path, f"not a TOML file: {error}") from error
    return block_from_dict(values, label=Path(path).stem)


def _integer(name: str, field: str, value: object, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(name, field, value, f"an integer from {low} to {high}")
    return value
