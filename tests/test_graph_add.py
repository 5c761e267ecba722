"""Additions: the line, or the tables, that a plan chooses against the definition, and in hardware for all pairs."""

import numpy as np
import pytest
from checked_graphs import addition, convolution

from hwconv import simulation
from hwconv.add import AddSpec
from hwconv.api import design_of
from hwconv.errors import SpecError
from hwconv.golden import add as golden_add
from hwconv.golden import graph as golden_graph
from hwconv.graph import Add, Concat, Conv, Graph, Network, Reshape
from hwconv.layer import LayerParameters
from hwconv.plan import add as plan_module
from hwconv.plan.add import AddPlan, plan_add, straight_line
from hwconv.plan.graph_plan import plan_graph
from hwconv.plan.requantiser_model import evaluate

BYTES = np.arange(-128, 128)


def definition(spec: AddSpec, a: int, b: int) -> int:
    """TensorFlow Lite's arithmetic on Python's integers, one pair at a time."""

    def scale(value: int, multiplier: int, shift: int) -> int:
        product = value * multiplier
        nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
        high = nudged >> 31 if nudged >= 0 else -(-nudged >> 31)
        magnitude = abs(high) + ((1 << -shift) >> 1) >> -shift
        return magnitude if high >= 0 else -magnitude

    terms = [
        scale(value - zero_point << 20, multiplier, shift)
        for value, zero_point, multiplier, shift in zip(
            (a, b), spec.input_zero_points, spec.multipliers, spec.shifts, strict=True
        )
    ]
    total = scale(sum(terms), spec.output_multiplier, spec.output_shift) + spec.output_zero_point
    return min(max(total, spec.activation_min), spec.activation_max)


def computed(plan: AddPlan) -> np.ndarray:
    """What the tables and the unit of a plan make of all pairs, in the order of the type's values."""
    values, total = values_of(plan.spec), np.zeros((256, 256), np.int64)
    for term in plan.config.terms:
        address = (values & 0xFF) >> term.low & (1 << term.bits) - 1
        words = np.array(term.words)[address]
        total += words[:, None] if term.operand == 0 else words[None, :]
    unit = plan.config.requantiser
    return evaluate(unit, unit.entries[0], total.reshape(-1)).reshape(256, 256)


def values_of(spec: AddSpec) -> np.ndarray:
    return np.arange(256) if spec.dtype == "uint8" else BYTES


def drawn(random: np.random.Generator, dtype: str) -> AddSpec:
    scales = tuple(random.choice([1.0, 0.5, 0.25, 0.75, random.uniform(0.001, 1)], 2))
    output = random.choice([max(scales), sum(scales), 0.5 * sum(scales), random.uniform(0.01, 2)])
    low, high = sorted(random.integers(-128, 128, 2).tolist()) if random.random() < 0.4 else (-128, 127)
    points = random.integers(-128, 128, 3).tolist()
    low, high, *points = (value + 128 * (dtype == "uint8") for value in (low, high, *points))
    fields = {"dtype": dtype, "activation_min": low, "activation_max": high}
    return addition("drawn", (1, 1, 4), (*scales, output), tuple(points), **fields)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("exact", [False, True], ids=["line", "tables"])
def test_what_a_plan_computes_is_the_definition_for_all_pairs(exact, dtype, seed, monkeypatch):
    if exact:
        monkeypatch.setattr(plan_module, "straight_line", lambda spec: None)
    random = np.random.default_rng([seed, exact])
    lines = 0
    for _ in range(8):
        spec = drawn(random, dtype)
        plan, values = plan_add(spec), values_of(spec)
        lines += plan.line is not None
        found = computed(plan)
        np.testing.assert_array_equal(
            found, golden_add.output(spec, sum(np.ix_(*(golden_add.operand(spec, i, values) for i in (0, 1))))),
            err_msg=str(spec),
        )  # fmt: skip
        for a, b in random.integers(0, 256, (200, 2)).tolist():
            assert found[a, b] == definition(spec, int(values[a]), int(values[b])), (spec, a, b)
    assert lines >= 4 if not exact else lines == 0


def test_equal_scales_with_ties_have_a_line():
    spec = addition("ties", (1, 1, 4), (1.0, 1.0, 2.0), (0, 0, 0))
    assert [definition(spec, a, b) for a, b in ((1, 0), (-1, 0), (2, 1), (-2, -1))] == [1, -1, 2, -2]
    assert straight_line(spec) is not None


def test_all_pairs_in_hardware(monkeypatch):
    """Both ways side by side: two layers that pass on one channel each, and two sums of them."""
    lined = straight_line
    monkeypatch.setattr(plan_module, "straight_line", lambda spec: None if spec.name == "tables" else lined(spec))
    shape, nodes, parameters = (256, 256), [], {}
    for index, name in enumerate("ab"):
        spec = convolution(name, (*shape, 2), 1, input_zero_point=0, output_zero_point=0)
        nodes.append(Conv(input="input", spec=spec))
        weights = np.zeros((1, 1, 1, 2), np.int8)
        weights[..., index] = 1
        parameters[name] = LayerParameters(
            weights=weights, multiplier=np.array([1 << 30], np.int32), shift=np.array([1], np.int32)
        )
    for name, scales in (("line", (0.031, 0.044, 0.051)), ("tables", (0.25, 0.5, 0.5))):
        nodes.append(Add(inputs=("a", "b"), spec=addition(name, (*shape, 1), scales, (0, 0, -9))))
    nodes.append(Concat(name="both", inputs=("line", "tables")))
    graph = Graph(name="pairs", height=256, width=256, channels=2, nodes=tuple(nodes))
    plan = plan_graph(Network(graph, parameters), multipliers=4)
    assert [plan.engines[name].summary()["line"] is None for name in ("line", "tables")] == [False, True]
    frame = np.stack(np.meshgrid(BYTES, BYTES, indexing="ij"), axis=2).astype(np.int8)[None]
    result = simulation.run(
        simulation.build(design_of(plan), "verilator"), frame, golden_graph.run(plan.network, frame)
    )
    assert result.passed, simulation.explain(result)
    assert result.outputs == 2 * 65_536


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("multipliers", (1, 1 << 31), "multipliers"),
        ("shifts", (1, 0), "from -31 to 0"),
        ("input_zero_points", (0,), "2 integers"),
        ("activation_min", 5, "activation_max"),
        ("dtype", "int16", "one of int8, uint8"),
        ("height", 0, "height"),
        ("name", "", "name"),
    ],
)
def test_a_field_out_of_range_is_refused(field, value, expected):
    spec = addition("sum", (2, 2, 4), (1.0, 1.0, 1.0), activation_max=4)
    with pytest.raises(SpecError, match=expected):
        AddSpec.from_dict({**spec.to_dict(), field: value})


def test_operands_must_fit_and_a_graph_survives_its_json():
    spec = addition("sum", (2, 3, 4), (1.0, 1.0, 1.0), (3, 3, 1))
    frame = {"height": 2, "width": 3, "channels": 4, "zero_point": 3}
    flat = Reshape(name="flat", input="sum", height=1, width=1, channels=24)
    graph = Graph(**frame, nodes=(Add(inputs=("input", "input"), spec=spec), flat))
    assert Graph.from_json(graph.to_json()) == graph
    assert graph.tensors["flat"].zero_point == 1
    assert AddSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(SpecError, match="input_zero_points"):
        Graph(**{**frame, "zero_point": 2}, nodes=(Add(inputs=("input", "input"), spec=spec),))
    with pytest.raises(SpecError, match="input shape"):
        Graph(**{**frame, "height": 3}, nodes=(Add(inputs=("input", "input"), spec=spec),))
    with pytest.raises(SpecError, match="elements to be 24"):
        Graph(**frame, nodes=(Reshape(name="flat", input="input", height=1, width=1, channels=23),))
