"""What a comparison says of an engine that is not as it should be."""

import dataclasses

import pytest
from small_layer import write_small_layer

from hwconv import api
from hwconv.comparison import MEASURED_FRAMES


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = write_small_layer(tmp_path_factory.mktemp("layer") / "layer.npz")
    return api.compare(path, multipliers=4, simulator="icarus")


def test_an_engine_that_is_exact_and_as_fast_as_predicted_has_no_failure(result):
    assert result.exact
    assert result.as_predicted
    assert result.failure == ""
    assert result.to_json()["as_predicted"] is True


@pytest.mark.parametrize("field", ["latency", "interval"])
def test_a_cycle_more_than_predicted_is_a_failure(result, field):
    slower = dataclasses.replace(result, **{field: getattr(result, field) + 1})
    assert slower.exact
    assert not slower.as_predicted
    assert f"{field} {getattr(result, field) + 1}" in slower.failure


def test_the_interval_does_not_count_before_the_engine_has_settled(result):
    assert dataclasses.replace(result, frames=MEASURED_FRAMES - 1, interval=None).failure == ""


def test_a_wrong_value_is_told_before_wrong_cycles(result):
    wrong = dataclasses.replace(result, mismatches=1, problem="frame 0: expected 1, got 2", latency=1)
    assert wrong.failure == "frame 0: expected 1, got 2"
