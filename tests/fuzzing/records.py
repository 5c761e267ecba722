"""Hostile files of `benchmarks/`: JSON that is none, and JSON of other things than measurements."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.mutate import NUMBERS, chance, damaged, one

VALUES = (
    None, True, "", "x", "\x1b[0m", [], {}, [[]], {"rows": 1}, -1, 0, 0.5, 1e308, float("nan"), float("inf"),
    *NUMBERS[:-1],
)  # fmt: skip
DOCUMENTS = (
    "", "[]", "{}", "null", "3", '{"rows": []}', '{"rows": {}}', '{"rows": [[]]}',
    '{"rows": "layer multipliers_asked rtl"}',
    '{"rows": ["layer multipliers_asked rtl"]}', "[" * 100_000, '{"a":' * 50_000, "9" * 10_000,
    '{"rows": NaN}', "\x00", "\ufeff{}",
)  # fmt: skip


def write(random: np.random.Generator, path: Path, valid: dict[str, Any]) -> None:
    """Writes a hostile variant of a valid file's content."""
    content = json.dumps(valid).encode()
    if chance(random, 0.25):
        content = damaged(random, content, content)
    elif chance(random, 0.15):
        content = one(random, DOCUMENTS).encode()
    else:
        document = json.loads(content)
        for _ in range(int(random.integers(1, 4))):
            document = _changed(random, document)
        content = json.dumps(document).encode()
    path.write_bytes(content)


def _changed(random: np.random.Generator, value: Any) -> Any:
    """The value with something in it replaced, removed or added; deep places are as likely as shallow ones."""
    if isinstance(value, dict) and value and chance(random, 0.93):
        key = one(random, sorted(value))
        if chance(random, 0.08):
            return {name: each for name, each in value.items() if name != key}
        if chance(random, 0.05):
            return value | {one(random, ("", "extra", "rows")): one(random, VALUES)}
        return value | {key: _changed(random, value[key])}
    if isinstance(value, list) and value and chance(random, 0.93):
        at = int(random.integers(len(value)))
        if chance(random, 0.1):
            return value[:at]
        return [*value[:at], _changed(random, value[at]), *value[at + 1 :]]
    return one(random, VALUES)
