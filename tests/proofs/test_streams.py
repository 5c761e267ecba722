"""AXI4-Stream's rules, for ever: the stream blocks alone, every stream of an engine, and no path through it."""

from unittest.mock import patch

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from checked_blocks import block_design
from engines import engine_design
from paths import inputs_reaching, netlist
from proof_engines import tiny_plan
from prover import Proof, harness
from test_chain import network_design
from tiny import DEPTHWISE, ENGINES, KERNEL_2X2, engine_proof

from hwconv.api import design_of
from hwconv.emit.verilog import to_verilog
from hwconv.gateware.stream import SkidBuffer, StreamRegister
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.program import make_program
from hwconv.plan.shared_array import SharedArray
from hwconv.spec import ConvSpec


class Overwriting(StreamRegister):
    """A register that takes the next transfer although the one before still waits."""

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        m.d.comb += self.i.ready.eq(1)  # the later assignment counts
        return m


def block_proof(block: type, mode: str = "prove") -> Proof:
    defines = "`define SKID_BUFFER\n" if block is SkidBuffer else ""
    files = {
        "dut.il": rtlil.convert(block(8), name="dut", emit_src=False),
        **harness("stream_rules.sv"),
        "skid.sv": defines + harness("skid.sv")["skid.sv"],
    }
    return Proof(files=files, top="stream_harness", mode=mode, depth=6)


@pytest.mark.parametrize("block", [SkidBuffer, StreamRegister])
def test_a_stream_block_keeps_the_rules_and_the_order(block):
    assert block_proof(block).run().proven
    assert block_proof(block, "cover").run().proven


def test_a_register_that_overwrites_what_waits_is_found_out():
    assert block_proof(Overwriting).run().refuted


@pytest.mark.proof
@pytest.mark.parametrize("engine", ENGINES)
def test_every_stream_of_an_engine_keeps_the_rules(engine):
    assert engine_proof("STREAMS", depth=10, engine=engine).run().proven


@pytest.mark.proof
def test_an_engine_whose_output_overwrites_what_waits_is_found_out():
    with patch("hwconv.gateware.engine.StreamRegister", Overwriting):
        proof = engine_proof("STREAMS", mode="bmc", depth=90)
    assert proof.run().refuted


@pytest.mark.proof
@pytest.mark.parametrize("engine", ENGINES)
def test_the_output_queue_never_overflows(engine):
    assert engine_proof("QUEUE", depth=10, engine=engine).run().proven


def few_channels():
    shape = {"height": 6, "width": 6, "in_channels": 3, "out_channels": 4, "kernel": (3, 3), "padding": "same"}
    return engine_design(tiny_plan(shape, pixels=4, ports=2, columns=4))


def program():
    layers = []
    for name, channels in (("first", (2, 4)), ("second", (4, 2))):
        spec = ConvSpec(name=name, height=4, width=4, in_channels=channels[0], out_channels=channels[1], kernel=(1, 1))
        parameters = LayerParameters(
            weights=np.ones(spec.weight_shape, np.int8),
            bias=np.zeros(spec.out_channels, int),
            multiplier=np.int32(1 << 30),
            shift=np.int32(-3),
        )
        layers.append(Layer(spec, parameters))
    array = SharedArray(pixels=2, columns=2, ports=2, word_channels=2, requantisers=1)
    return design_of(make_program(layers, array=array))


DESIGNS = {
    "dense": lambda: engine_design(tiny_plan(KERNEL_2X2, pixels=2, columns=2, ports=1)),
    "depthwise": lambda: engine_design(tiny_plan(DEPTHWISE, pixels=2, depthwise=True)),
    "few channels": few_channels,
    "program": program,
    "dropout": lambda: block_design("dropout_short"),
    "statistics": lambda: block_design("variance"),
    "dropout and statistics": lambda: block_design("mc_dropout"),
    "engines, dropout and statistics": network_design,
}


@pytest.mark.parametrize("kind", DESIGNS)
def test_no_combinational_path_leads_from_an_input_to_an_output(kind):
    design = DESIGNS[kind]()
    module = netlist(design.sources | design.images, design.top)
    outputs = [name for name, port in module["ports"].items() if port["direction"] == "output"]
    assert {"s_axis_tready", "m_axis_tvalid"} <= set(outputs)
    assert {name: inputs_reaching(module, name) for name in outputs} == {name: set() for name in outputs}


def test_a_combinational_path_is_found():
    text = to_verilog(StreamRegister(8), "register", "")
    assert inputs_reaching(netlist({"register.v": text}, "register"), "i__ready") == {"o__ready"}
