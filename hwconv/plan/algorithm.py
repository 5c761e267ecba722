"""Which algorithm an engine computes a layer with: asked for by name, or chosen because it pays."""

from ..errors import SpecError, UnsupportedError, one_of
from ..layer import Layer
from .engine_plan import EnginePlan, make_plan
from .winograd import ALGORITHMS as WINOGRAD
from .winograd import make_winograd_plan

DIRECT = "direct"
AUTO = "auto"
ALGORITHMS = (DIRECT, *WINOGRAD, AUTO)
WORTH = 1.25
"""How many times as fast as the direct engine another must be to be chosen: its transforms take look-up tables, and
its weights up to seven times the block RAM.
"""


def plan_layer(
    layer: Layer,
    algorithm: str = DIRECT,
    *,
    multipliers: int | None = None,
    input_beat_bytes: int | None = None,
    output_beat_bytes: int | None = None,
    loadable: bool = False,
) -> EnginePlan:
    """Plans the engine of one layer.

    Parameters
    ----------
    algorithm : str
        ``direct``, ``winograd2``, ``winograd4``, or ``auto``: the fastest, if it is WORTH times as fast as ``direct``.
    multipliers, input_beat_bytes, output_beat_bytes
        See :func:`~hwconv.plan.engine_plan.make_plan`.
    loadable : bool
        Weights come by a stream; only with ``direct``.

    Raises
    ------
    UnsupportedError
        A layer for which there is no such engine: names the field.
    SpecError
        An unknown algorithm, or a number out of range.
    """
    if algorithm not in ALGORITHMS:
        raise SpecError(layer.spec.name, "algorithm", algorithm, f"one of {one_of(ALGORITHMS)}")

    if loadable and algorithm != DIRECT:
        raise UnsupportedError(layer.spec.name, "algorithm", algorithm, f"{DIRECT} where weights are loaded")

    def winograd(name: str) -> EnginePlan:
        return make_winograd_plan(
            layer,
            algorithm=name,
            multipliers=multipliers,
            input_beat_bytes=input_beat_bytes,
            output_beat_bytes=output_beat_bytes,
        )

    if algorithm in WINOGRAD:
        return winograd(algorithm)
    direct = make_plan(
        layer,
        multipliers=multipliers,
        input_beat_bytes=input_beat_bytes,
        output_beat_bytes=output_beat_bytes,
        loadable=loadable,
    )
    if algorithm == DIRECT:
        return direct
    best = direct
    for name in WINOGRAD:
        try:
            other = winograd(name)
        except UnsupportedError:
            continue
        if other.cycles.interval * WORTH <= direct.cycles.interval and other.cycles.interval < best.cycles.interval:
            best = other
    return best
