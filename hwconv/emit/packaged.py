"""The engine of a package, planned again from its manifest."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwconv.errors import FormatError, HwconvError
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.spec import ConvSpec

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 24


def packaged_engine(folder: Path) -> EnginePlan:
    """Plans the engine of a package whose weights are loaded, without weights.

    Raises
    ------
    FormatError
        There is no manifest that can be read, the engine's weights are in ROMs, or this version of hwconv would make
        another engine of it, whose images are not those of the package.
    """
    path = folder / MANIFEST
    manifest = _read(path)
    weights = manifest.get("weights")
    if weights is None:
        raise FormatError(path, "the engine's weights are in ROMs; generate it with --loadable")
    try:
        plan = make_plan(
            ConvSpec.from_dict(manifest["spec"]),
            multipliers=manifest["plan"]["multipliers_asked"],
            input_beat_bytes=manifest["streams"]["input_beat_bytes"],
            output_beat_bytes=manifest["streams"]["output_beat_bytes"],
            loadable=True,
            weight_beat_bytes=weights["beat_bytes"],
        )
        same = plan.config.loading is not None and plan.config.loading.identity == weights["identity"]
    except (KeyError, TypeError, HwconvError) as problem:
        raise FormatError(path, f"not the manifest of an engine: {problem}") from problem
    if not same:
        raise FormatError(path, "this version of hwconv makes another engine of it; generate the package anew")
    return plan


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_MANIFEST_BYTES:
            raise FormatError(path, f"larger than {MAX_MANIFEST_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise FormatError(path, "not found; give the folder of a package") from problem
    except (OSError, ValueError, RecursionError) as problem:
        raise FormatError(path, f"cannot be read: {problem}") from problem
    if not isinstance(content, dict):
        raise FormatError(path, "not the manifest of an engine")
    return content
