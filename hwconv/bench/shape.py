"""What the files of `benchmarks/` must hold before anything is computed or printed from them."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from hwconv.bench.goals import CLOCK_MHZ
from hwconv.targets import list_targets

_LIMIT = 1e15  # of any figure; more is no measurement, and overflows what is made of it


def _text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 1000


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value <= _LIMIT if isinstance(value, float) else 0 <= value <= _LIMIT


def _count(value: object) -> bool:
    return isinstance(value, int) and _number(value)


def _positive(value: object) -> bool:
    return _count(value) and value != 0


def _positive_number(value: object) -> bool:
    return _number(value) and value != 0


def _counts(value: object) -> bool:
    return isinstance(value, dict) and all(_text(name) and _count(each) for name, each in value.items())


def _target(value: object) -> bool:
    return any(value == target.name and target.speed in CLOCK_MHZ for target in list_targets())


def _path(value: object) -> bool:
    fields = {"start": _text, "end": _text, "delay_ns": _number, "routing_ns": _number}
    return value is None or fits(value, fields)


ENGINE = {"layer": _text, "multipliers_asked": _positive, "rtl": _text}
UTILISATION = ENGINE | {
    "mode": _text, "rows": _positive, "columns": _positive, "multipliers": _positive, "requantisers": _count,
    "requantiser_multipliers": _count, "macs": _count, "predicted_latency": _count, "predicted_interval": _positive,
    "losses": _counts, "outputs": _count, "mismatches": _count, "latency": _count, "interval": _count,
    "utilisation": _number, "utilisation_asked": _number, "passed": lambda value: isinstance(value, bool),
}  # fmt: skip
OPTIONAL = {"products": _positive}
"""What rows may have; older ones do not."""
VARIANTS = {
    "layer": _text, "asked": _positive, "family": _text, "rtl": _text, "built": _text, "multipliers": _positive,
    "lut_multipliers": _count, "requantisers": _count, "requantiser_multipliers": _count, "work": _count,
    "queue_bits": _count, "predicted_latency": _count, "predicted_interval": _positive, "outputs": _count,
    "mismatches": _count, "latency": _count, "interval": _count, "utilisation": _number,
    "utilisation_asked": _number, "passed": lambda value: isinstance(value, bool),
}  # fmt: skip
NETWORKS = {
    "network": _text, "target": _target, "optimise": _text, "rtl": _text, "macs": _count, "multipliers": _positive,
    "lut_multipliers": _count, "requantiser_multipliers": _count, "frames": _count, "outputs": _count,
    "mismatches": _count, "passed": lambda value: isinstance(value, bool), "latency": _count, "interval": _positive,
    "predicted_latency": _count, "predicted_interval": _count,
}  # fmt: skip
ROUTED = {
    "seeds": lambda value: isinstance(value, dict), "fmax_median_mhz": _positive_number, "luts": _count,
    "ffs": _count, "hard_multipliers": _count, "block_rams": _count,
}  # fmt: skip
"""What a network's row has once it is routed."""
ROUTING = ENGINE | {
    "target": _target, "seeds": lambda value: isinstance(value, dict),
    "fmax_median_mhz": _number, "fmax_minimum_mhz": _number, "fmax_maximum_mhz": _number,
    "luts": _count, "luts_per_mac": _number, "ffs": _count, "multipliers": _count,
    "block_rams": _count, "critical_path": _path,
}  # fmt: skip
_SIMULATED = {"cycles_per_second": _number, "rtl": _text, "layer": _text}
_GENERATED = {"layer": _text, "cpu_seconds": _number, "prediction_ms": _number}
_MACHINE = {"cores": _count, "processor": _text}


def fits(value: object, fields: Mapping[str, Any]) -> TypeGuard[dict[str, Any]]:
    """Whether a value is an object with these fields, each as it should be; others may stand beside them."""
    return (
        isinstance(value, dict)
        and all(name in value and good(value[name]) for name, good in fields.items())
        and all(good(value[name]) for name, good in OPTIONAL.items() if name in value)
    )


def is_network(value: object) -> bool:
    """Whether a value is a network's row, routed or not."""
    return fits(value, NETWORKS) and (not ROUTED.keys() & value.keys() or fits(value, ROUTED))


def is_speed(value: object) -> bool:
    """Whether a value is what is measured of the tools' speed."""
    if not isinstance(value, dict) or not isinstance(value.get("generation"), list) or not value["generation"]:
        return False
    parts = [(value.get("simulation"), _SIMULATED), (value.get("machine"), _MACHINE)]
    return all(fits(part, fields) for part, fields in [*parts, *((each, _GENERATED) for each in value["generation"])])
