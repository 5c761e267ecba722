"""The table of what is supported says no more and no less than the code does."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from hwconv.add import AddSpec
from hwconv.attributes import ATTRIBUTES, NODES, attribute_page
from hwconv.errors import HwconvError, SpecError, UnsupportedError
from hwconv.layer import Layer, LayerParameters
from hwconv.plan import make_plan
from hwconv.plan.program import make_program
from hwconv.pool import POOL_KINDS, PoolSpec
from hwconv.spec import ConvSpec
from hwconv.upscale import UPSCALE_KINDS, UpscaleSpec

TESTS = Path(__file__).parent
BASE = {"height": 6, "width": 6, "in_channels": 2, "out_channels": 2, "kernel": (2, 2)}
OUTPUTS = {"tflite": "int8", "tflite16": "int16", "onnx": "int8", "shift": "int8", "none": "int32"}


def layer_of(**changes) -> Layer:
    made = ConvSpec(**{**BASE, **changes})
    weights = np.ones(made.weight_shape, "uint8" if made.weight_dtype == "uint8" else "int8")
    constants = {
        "multiplier": np.array([1 << 30]), "shift": np.array([-3]), "scale": np.array([0.01], np.float32),
    }  # fmt: skip
    return Layer(made, LayerParameters(weights=weights, **constants))


def changed(field: str, value: object) -> dict[str, object]:
    """Fields with which a value of one of them makes sense."""
    if field == "input_dtype" and value == "int16":
        return {field: value, "output_dtype": "int16"}
    if field == "requantisation":
        return {field: value, "output_dtype": OUTPUTS[value], "input_dtype": "int16" if value == "tflite16" else "int8"}
    return {field: value}


def test_every_field_of_a_specification_is_in_the_table_once():
    listed = [field for item in ATTRIBUTES for field in item.fields]
    assert sorted(listed) == sorted(field.name for field in fields(ConvSpec))


def test_every_field_and_kind_of_other_nodes_is_in_the_table():
    frame = {"name", "kind", "height", "width", "channels"}
    listed = {field for items in NODES.values() for item in items for field in item.fields}
    asked = {field.name for spec in (PoolSpec, AddSpec, UpscaleSpec) for field in fields(spec)}
    assert listed == asked - frame
    kinds = ", ".join(NODES)
    assert all(kind in kinds for kind in (*POOL_KINDS, *UPSCALE_KINDS))


def test_the_page_is_what_the_table_says():
    assert (TESTS.parent / "docs" / "attributes.md").read_text() == attribute_page(), (
        "older than the code: make gallery"
    )


@pytest.mark.parametrize(
    "item", [*ATTRIBUTES, *(item for items in NODES.values() for item in items)], ids=lambda item: item.name
)
def test_the_tests_that_are_named_exist(item):
    assert item.files
    for name in item.files:
        assert (TESTS / name).is_file(), name


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for item in ATTRIBUTES for value in item.choices for field in item.fields],
)
def test_every_choice_becomes_an_engine(field, value):
    plan = make_plan(layer_of(**changed(field, value)), multipliers=4)
    assert getattr(plan.spec, field) == value


@pytest.mark.parametrize("item", [item for item in ATTRIBUTES if item.choices], ids=lambda item: item.name)
def test_other_choices_are_refused_by_field_and_value(item):
    for field in item.fields:
        with pytest.raises(SpecError) as refused:
            ConvSpec(**{**BASE, field: "int9"})
        assert refused.value.field == field


@pytest.mark.parametrize("item", [item for item in ATTRIBUTES if item.limits], ids=lambda item: item.name)
def test_what_is_beyond_the_limits_is_refused(item):
    for field in item.fields:
        if field == "transposed":
            continue
        low, high = item.limits
        shape = {"padding": 4, "kernel": 2, "stride": 2, "dilation": 2, "output_padding": 2}.get(field, 1)
        other = {"transposed": True} if field == "output_padding" else {}
        for value in (low - 1, high + 1):
            given = (value,) * shape if shape > 1 else value
            with pytest.raises(SpecError) as refused:
                ConvSpec(**{**BASE, **other, field: given})
            assert refused.value.field == field
        # both ends are legal, of a layer that is small enough otherwise
        thin = {**BASE, "in_channels": 1, "out_channels": 1, "kernel": (1, 1), "height": 1, "width": 1, **other}
        for value in (low, high):
            given = (value, *(low,) * (shape - 1)) if shape > 1 else value
            if field == "kernel":
                thin["padding"] = (value - 1, 0, 0, 0)
            if field == "groups":
                thin |= {"in_channels": value, "out_channels": value}
            assert ConvSpec(**{**thin, field: given}) is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"requantisation": "onnx", "output_dtype": "int16", "input_dtype": "int16"}, "requantisation"),
        ({"streaming": True, "padding": (1, 1, 0, 0)}, "padding"),
        ({"streaming": True, "transposed": True}, "transposed"),
    ],
)
def test_what_the_table_excepts_is_refused_by_name(changes, field):
    with pytest.raises(HwconvError, match=field):
        make_plan(layer_of(**changes), multipliers=4)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"transposed": True}, "transposed"),
        ({"streaming": True}, "streaming"),
        ({"input_dtype": "int16", "output_dtype": "int16"}, "input_dtype"),
        ({"requantisation": "none", "output_dtype": "int32"}, "requantisation"),
        ({"output_dtype": "int16"}, "output_dtype"),
    ],
)
def test_what_the_table_excepts_of_programs_is_refused_by_name(changes, field):
    with pytest.raises(UnsupportedError) as refused:
        make_program([layer_of(**changes), layer_of()], multipliers=4)
    assert refused.value.field == field
