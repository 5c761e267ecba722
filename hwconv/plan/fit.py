"""Plans for an FPGA: as many multipliers as it has, and of look-up tables what goes beyond them."""

from typing import TYPE_CHECKING

from ..errors import FitError, UnsupportedError
from ..layer import Layer
from .algorithm import DIRECT, plan_layer
from .area import Area, estimate_area
from .engine_plan import EnginePlan, make_plan

if TYPE_CHECKING:
    from ..targets import Target


def plan_engine(
    layer: Layer,
    target: "Target | None" = None,
    *,
    multipliers: int | None = None,
    lut_multipliers: int | None = None,
    algorithm: str = DIRECT,
    loadable: bool = False,
) -> EnginePlan:
    """Plans the engine of one layer, of whatever kind, for an FPGA or for a number of multipliers.

    Parameters
    ----------
    target
        None: `multipliers` alone says how many there are; without it the plan chooses.
    multipliers, lut_multipliers
        As for :func:`plan_for_target`; only direct engines whose weights are not loaded have any of look-up tables.
    algorithm, loadable
        See :func:`~hwconv.plan.algorithm.plan_layer`.

    Raises
    ------
    FitError, UnsupportedError, SpecError
        As :func:`plan_for_target` and :func:`~hwconv.plan.algorithm.plan_layer`.
    """
    if algorithm == DIRECT and not loadable:
        if target is None:
            return make_plan(layer, multipliers=multipliers, lut_multipliers=lut_multipliers or 0)
        return plan_for_target(layer, target, multipliers=multipliers, lut_multipliers=lut_multipliers)
    if lut_multipliers:
        what = f"0 with algorithm {algorithm}" if algorithm != DIRECT else "0 where weights are loaded"
        raise UnsupportedError(layer.spec.name, "lut_multipliers", lut_multipliers, what)
    if target is None:
        return plan_layer(layer, algorithm, multipliers=multipliers, loadable=loadable)
    asked = target.multipliers if multipliers is None else multipliers
    plan = plan_layer(layer, algorithm, multipliers=asked, loadable=loadable)
    while _hard(plan) > target.multipliers:
        asked = min(asked, plan.multipliers) - 1
        if multipliers is not None or asked < 1:
            raise _too_many_multipliers(plan, target)
        plan = plan_layer(layer, algorithm, multipliers=asked, loadable=loadable)
    return plan


def plan_for_target(
    layer: Layer, target: "Target", *, multipliers: int | None = None, lut_multipliers: int | None = None
) -> EnginePlan:
    """Plans the direct engine of one layer for an FPGA.

    Parameters
    ----------
    multipliers : int, optional
        Multipliers of the array at most; by default as many as the target has beside those of the requantisers, and
        `lut_multipliers` more.
    lut_multipliers : int, optional
        How many of them may be made of look-up tables; by default what the hard multipliers do not cover where
        `multipliers` says more than the target has, else none.

    Raises
    ------
    FitError
        The target is too small: says what does not fit, how much there is, and what to ask for.
    UnsupportedError, SpecError
        As :func:`~hwconv.plan.engine_plan.make_plan`.
    """
    asked = target.multipliers + (lut_multipliers or 0) if multipliers is None else multipliers
    plan = make_plan(layer, multipliers=asked, lut_multipliers=lut_multipliers or 0)
    if multipliers is not None and lut_multipliers is None:
        hard = target.multipliers - plan.requantiser_multipliers
        if 0 <= hard < plan.multipliers:
            plan = make_plan(layer, multipliers=asked, lut_multipliers=asked - hard)
    while _hard(plan) > target.multipliers:
        before = plan
        asked = min(asked, plan.multipliers) - 1
        if multipliers is not None or asked < max(1, lut_multipliers or 0):
            raise _too_many_multipliers(before, target)
        plan = make_plan(layer, multipliers=asked, lut_multipliers=lut_multipliers or 0)
    if plan.lut_multipliers:
        _check_area(plan, estimate_area(plan), target)
    return plan


def _hard(plan: EnginePlan) -> int:
    """All hard multipliers of an engine."""
    return plan.hard_multipliers + plan.requantiser_multipliers


def _too_many_multipliers(plan: EnginePlan, target: "Target") -> FitError:
    return FitError(
        f"{plan.spec.name}: {_hard(plan)} multipliers ({plan.hard_multipliers} of the array, "
        f"{plan.requantiser_multipliers} of the requantisers) do not fit {target.name}, which has "
        f"{target.multipliers}: ask for fewer, or take a larger target"
    )


def _check_area(plan: EnginePlan, area: Area, target: "Target") -> None:
    """Raises FitError where multipliers of look-up tables make an engine larger than a target."""
    for name, needed, available in (
        ("look-up tables", area.luts, target.luts),
        ("flip-flops", area.ffs, target.ffs),
    ):
        if needed > available:
            raise FitError(
                f"{plan.spec.name}: about {needed:,} {name} ({plan.lut_multipliers} of the array's {plan.multipliers} "
                f"multipliers are made of look-up tables) do not fit {target.name}, which has {available:,}: "
                f"ask for fewer multipliers, or take a larger target"
            )
