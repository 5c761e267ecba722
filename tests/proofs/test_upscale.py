"""Blocks that enlarge frames: every word of every walk, whatever source and sink do."""

from unittest.mock import PropertyMock, patch

import pytest
from amaranth.back import rtlil
from paths import inputs_reaching, netlist
from prover import Proof, harness

from hwconv.emit.verilog import to_verilog
from hwconv.gateware.upscale import Upscaler
from hwconv.plan.upscale import UpscaleConfig, plan_upscale
from hwconv.resources import resource_path
from hwconv.upscale import UpscaleSpec

SPECS = {
    "nearest": UpscaleSpec(kind="nearest", height=2, width=2, channels=1, factor=(2, 1)),
    "columns": UpscaleSpec(kind="nearest", height=1, width=2, channels=2, factor=(1, 2)),
    "DCR": UpscaleSpec(kind="depth_to_space", height=1, width=2, channels=4, factor=(2, 2)),
    "CRD": UpscaleSpec(kind="depth_to_space", height=1, width=1, channels=8, factor=(2, 2), order="CRD"),
}


def upscale_proof(name: str, *, mode: str = "bmc", depth: int | None = None) -> Proof:
    """All runs of two frames and what fits behind them, a word being a byte."""
    config = plan_upscale(SPECS[name], beat_bytes=1).config
    walk = {
        "ROWS": config.rows, "WIDTH": config.width, "PIXEL": config.pixel_beats, "PHASES": config.phases,
        "REPEATS": config.repeats, "RUN": config.run, "PHASE_STRIDE": config.phase_stride,
        "REPEAT_STRIDE": config.repeat_stride, "RUN_STRIDE": config.run_stride,
    }  # fmt: skip
    return Proof(
        files={
            "dut.il": rtlil.convert(Upscaler(config), name="dut", emit_src=False),
            "hwconv_ram.v": resource_path("rtl/generic/hwconv_ram.v").read_text(),
            **harness("stream_rules.sv"),
            **harness("upscale.sv"),
        },
        top="upscale_harness",
        mode=mode,  # type: ignore[arg-type]  # a literal, from parametrize
        depth=depth or 2 * config.output_beats + 6,
        parameters=walk,
    )


@pytest.mark.parametrize("name", SPECS)
def test_no_combinational_path_leads_from_one_side_to_the_other(name):
    text = to_verilog(Upscaler(plan_upscale(SPECS[name], beat_bytes=1).config), "upscaler", "")
    ram = resource_path("rtl/generic/hwconv_ram.v").read_text()
    module = netlist({"upscaler.v": text, "hwconv_ram.v": ram}, "upscaler")
    outputs = [each for each, port in module["ports"].items() if port["direction"] == "output"]
    assert sorted(outputs) == ["i__ready", "o__payload", "o__valid"]
    assert {each: inputs_reaching(module, each) for each in outputs} == {each: set() for each in outputs}


@pytest.mark.proof
@pytest.mark.parametrize("name", SPECS)
def test_every_word_that_leaves_is_the_word_of_the_formula(name):
    assert upscale_proof(name).run().proven


@pytest.mark.parametrize("name", SPECS)
def test_a_full_memory_and_a_second_frame_are_reached(name):
    config = plan_upscale(SPECS[name], beat_bytes=1).config
    depth = 2 * config.output_beats + config.depth + 12
    assert upscale_proof(name, mode="cover", depth=depth).run().proven


def test_a_memory_that_takes_a_pixel_too_many_is_found_out():
    depth = plan_upscale(SPECS["nearest"], beat_bytes=1).config.depth
    with (
        patch.object(UpscaleConfig, "slots", PropertyMock(return_value=5)),
        patch.object(UpscaleConfig, "depth", PropertyMock(return_value=depth)),
    ):
        assert upscale_proof("nearest").run().refuted


def test_a_read_that_comes_early_is_found_out():
    with patch("hwconv.gateware.upscale.RAM_LATENCY", 1):
        assert upscale_proof("columns", depth=16).run().refuted
