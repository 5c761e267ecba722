"""The demo shows what the simulated hardware computed."""

from pathlib import Path

import numpy as np
import pytest

from hwconv import demo, golden


def test_the_demo_draws_what_the_hardware_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SIDE", 12)
    drawn: list[np.ndarray] = []
    draw = demo.draw
    monkeypatch.setattr(demo, "draw", lambda *arguments: (drawn.append(arguments[1]), draw(*arguments)))
    steps: list[str] = []
    result = demo.run_demo(tmp_path / "demo", route=False, step=steps.append)
    assert result.comparison.exact
    assert len(steps) == 4
    frames = demo.to_frames(demo.read_photograph())
    assert np.array_equal(drawn[0], golden.run(demo.filter_bank(), frames)[0])
    assert (tmp_path / "demo" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert all(Path(path).exists() for path in result.files.values())


def test_the_filters_use_the_whole_range_and_differ() -> None:
    layer = demo.filter_bank()
    weights = layer.parameters.weights.reshape(layer.spec.out_channels, -1)
    assert (np.abs(weights).max(axis=1) == 127).all()
    assert len(np.unique(weights, axis=0)) == len(weights)
