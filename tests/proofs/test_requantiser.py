"""Narrow requantisers equal the definition of their mode on every accumulator, channel by channel."""

from itertools import islice

import pytest
from amaranth.back import rtlil
from prover import Proof, harness
from requantise_cases import random_channels

from hwconv.frontend import load, supported_layers
from hwconv.gateware.requantise import Requantiser
from hwconv.plan.requantise import plan_channels, plan_requantisers
from hwconv.resources import resource_path


def proof(plan, channel, entry, low, high, mode="bmc"):
    """One channel: `channel` has bias, multiplier, shift, zero point and clamp as the definition takes them."""
    constants = {
        "ACCUMULATOR_WIDTH": plan.accumulator_width,
        "OUTPUT_WIDTH": plan.output_width,
        "LATENCY": plan.latency,
        "LOW": low,
        "HIGH": high,
        **channel,
    }
    text = "".join(f"localparam signed [63:0] {name} = {value};\n" for name, value in constants.items())
    text += f"localparam [{plan.entry_width}-1:0] ENTRY = {plan.entry_width}'h{entry:x};\n"
    files = {
        "dut.il": rtlil.convert(Requantiser(plan), name="dut", emit_src=False),
        "channel.svh": text,
        "hwconv_mult.v": resource_path("rtl/generic/hwconv_mult.v").read_text(),
        **harness("requantiser.sv"),
    }
    # SymbiYosys looks at a clocked assertion one step after the cycle that it is about.
    return Proof(files=files, top="requantiser_harness", mode=mode, depth=plan.latency + 3)


def definition(multiplier, shift, bias, zero_point, out_min, out_max):
    return {
        "MULTIPLIER": multiplier,
        "LEFT": max(shift, 0),
        "RIGHT": max(-shift, 0),
        "BIAS": bias,
        "ZERO_POINT": zero_point,
        "OUT_MIN": out_min,
        "OUT_MAX": out_max,
    }


def random_cases(width):
    channels = random_channels(3, width, seed=width, zero_point=-7)
    plan = plan_channels(channels, width)
    assert plan.kind == "narrow"
    for channel, entry in zip(channels, plan.entries, strict=True):
        multiplier, shift, zero_point = channel.exact
        known = definition(multiplier, shift, -channel.zero, zero_point, channel.out_min, channel.out_max)
        yield plan, known, entry, channel.low, channel.high


@pytest.mark.parametrize("width", [16, *(pytest.param(width, marks=pytest.mark.proof) for width in (20, 23))])
def test_a_narrow_unit_equals_the_definition_on_every_accumulator(width):
    for case in islice(random_cases(width), 1 if width == 16 else None):
        assert proof(*case).run().proven
        assert proof(*case, mode="cover").run().proven


def test_an_offset_that_is_one_too_large_is_found_out():
    plan, known, entry, low, high = next(random_cases(16))
    position = 0
    for name, width in plan.fields:
        if name == "positive":
            break
        position += width
    assert proof(plan, known, entry ^ (1 << position), low, high).run().refuted


@pytest.mark.proof
@pytest.mark.material(
    "mlperf_tiny/*_int8.tflite", "mlperf_tiny/kws_ref_model.tflite", "mlperf_tiny/pretrainedResnet_quant.tflite"
)
def test_channels_of_real_layers_equal_the_definition(material_file):
    for index in supported_layers(material_file)[:2]:
        layer = load(material_file, index).layer
        plan, spec, parameters = plan_requantisers(layer), layer.spec, layer.parameters
        assert (plan.kind, spec.requantisation) == ("narrow", "tflite")
        lows, highs = layer.raw_accumulator_range()
        for channel in sorted({0, spec.out_channels // 2}):
            weights = layer.effective_weights[channel]
            bias = int(parameters.biases[channel]) - spec.input_zero_point * int(weights.sum())
            scale = [int(values[channel % len(values)]) for values in (parameters.multiplier, parameters.shift)]
            known = definition(*scale, bias, spec.output_zero_point, spec.activation_min, spec.activation_max)
            case = plan, known, plan.entries[channel], int(lows[channel]), int(highs[channel])
            assert proof(*case).run().proven, (layer.spec.name, channel)
