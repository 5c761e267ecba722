"""What a Winograd plan promises, refuses and chooses."""

import json
from time import perf_counter

import numpy as np
import pytest
from winograd_engines import winograd_case

from hwconv import api
from hwconv.bench.layers import bench_layer
from hwconv.cli import main
from hwconv.errors import SpecError, UnsupportedError
from hwconv.frontend import save_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.plan import plan_layer
from hwconv.plan.winograd import WinogradPlan, make_winograd_plan
from hwconv.plan.winograd_cycles import predict_winograd
from hwconv.plan.winograd_images import slot_weights
from hwconv.plan.winograd_summary import account_winograd
from hwconv.spec import ConvSpec


def layer(**fields) -> Layer:
    known = dict(height=8, width=8, in_channels=8, out_channels=8, kernel=(3, 3)) | fields
    spec = ConvSpec(requantisation="shift", **known)
    random = np.random.default_rng(0)
    low = -8 if spec.weight_dtype == "int4" else -128
    weights = random.integers(low, -low, spec.weight_shape).astype(np.int8)
    return Layer(spec, LayerParameters(weights=weights, bias=0, shift=-8))


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"stride": (2, 1)}, "stride"),
        ({"dilation": (1, 2)}, "dilation"),
        ({"kernel": (5, 5)}, "kernel"),
        ({"kernel": (1, 1)}, "kernel"),
        ({"groups": 8}, "groups"),
        ({"input_dtype": "uint8"}, "input_dtype"),
    ],
)
def test_what_has_no_winograd_engine_is_refused_by_name(fields, refused):
    with pytest.raises(UnsupportedError) as error:
        make_winograd_plan(layer(**fields), multipliers=36)
    assert error.value.field == refused


def test_too_few_multipliers_and_unknown_algorithms_are_refused():
    with pytest.raises(UnsupportedError, match="multipliers = 5"):
        make_winograd_plan(layer(), multipliers=5)
    with pytest.raises(SpecError, match="algorithm"):
        plan_layer(layer(), "winograd3")


def test_the_floors_of_effective_macs_are_reached_at_144_multipliers():
    """3x3 at stride 1, the multipliers of requantisers counted; the transforms have none."""
    plan = make_winograd_plan(bench_layer("3x3"), multipliers=144)
    assert (plan.multipliers, plan.cycles.interval) == (144, 4096)
    assert plan.macs_per_multiplier > 3.6
    assert plan.spec.macs == 4 * 144 * 4096


def test_auto_takes_winograd_where_it_pays_and_only_there():
    assert isinstance(plan_layer(bench_layer("3x3"), "auto", multipliers=144), WinogradPlan)
    for other in ("1x1", "3x3_s2", "dw3x3", "3x3_d2"):
        assert not isinstance(plan_layer(bench_layer(other), "auto", multipliers=64), WinogradPlan)
    assert not isinstance(plan_layer(layer(), "auto", multipliers=3), WinogradPlan)
    assert not isinstance(plan_layer(bench_layer("3x3"), multipliers=144), WinogradPlan)


def test_cycles_take_no_time_to_predict():
    plan = make_winograd_plan(bench_layer("3x3"), multipliers=144)
    start = perf_counter()
    predict_winograd(plan.config)
    assert perf_counter() - start < 0.1


@pytest.mark.parametrize("number", range(12))
def test_the_account_comes_out(seed, number):
    """Products needed, for the outputs inside the frame, and what is lost: all of the interval's multiplier-cycles."""
    plan = winograd_case(seed, number).plan
    spec, config = plan.spec, plan.config
    lost = account_winograd(plan)
    assert all(loss.amount >= 0 and bool(loss.reason) == bool(loss.amount) for loss in lost)
    needed = plan.cycles.interval * plan.asked - sum(loss.amount for loss in lost)
    positions = config.vertical.inputs * config.horizontal.inputs
    outputs = config.vertical.outputs * config.horizontal.outputs
    exact = spec.out_height * spec.out_width * spec.out_channels * spec.group_in_channels * positions / outputs
    assert exact <= needed < exact + 1


@pytest.mark.parametrize("number", range(12))
def test_weights_fit_their_slots_and_no_slot_is_wider_than_its_weights_ask(seed, number):
    plan = winograd_case(seed, number).plan
    for weights, bits in zip(slot_weights(plan.config, plan.layer), plan.config.weight_widths, strict=True):
        assert -(1 << bits - 1) <= weights.min()
        assert weights.max() < 1 << bits - 1
        narrower = bits - 1
        assert bits == 2 or weights.min() < -(1 << narrower - 1) or weights.max() >= 1 << narrower - 1


def test_the_command_line_plans_and_generates(tmp_path, capsys):
    file = tmp_path / "layer.npz"
    save_layer(file, layer())
    with pytest.raises(SystemExit) as done:
        main(["plan", str(file), "--algorithm", "winograd4", "--multipliers", "36", "--json"])
    assert done.value.code == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["algorithm"] == "winograd4"
    assert summary["tile"]["factor"] == 576
    with pytest.raises(SystemExit) as done:
        main(["plan", str(file), "--algorithm", "winograd4", "--multipliers", "36", "--target", "lfe5u-85f-6"])
    assert done.value.code == 0
    assert "modulo 2^" in capsys.readouterr().out
    result = api.generate(file, tmp_path / "engine", algorithm="winograd2", multipliers=32)
    text = (tmp_path / "engine" / "rtl" / f"{result.top}.v").read_text()
    assert "Winograd: tiles of 2 x 2 outputs" in text
