"""Addresses of transposed layers equal the definition, whenever tiles start: all runs of some cycles from a reset."""

from dataclasses import replace

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from proof_engines import GO_AFTER_RESET, tiny_plan
from prover import Proof, harness

from hwconv.gateware.address_generator import AddressGenerator
from hwconv.gateware.sequencer import Sequencer

LEAD = 20
"""Cycles from a reset to the first read, and as many in which tiles may come late."""
UP = {"height": 2, "width": 2, "in_channels": 1, "out_channels": 1, "transposed": True}
QUICK = "3x3 at stride 2, both pads"
WALKS = {
    QUICK: (
        {**UP, "out_channels": 2, "kernel": (3, 3), "stride": (2, 2), "padding": (1, 0, 1, 0)},
        {"pixels": 2, "ports": 1, "columns": 2},
    ),
    "a kernel shorter than the stride": ({**UP, "kernel": (1, 2), "stride": (2, 3)}, {"pixels": 2, "ports": 2}),
    "dilation that shares no factor": (
        {**UP, "kernel": (2, 2), "stride": (2, 1), "dilation": (3, 1), "padding": (0, 1, 0, 0)}, {"pixels": 1},
    ),
    "dilation that shares a factor": (
        {**UP, "height": 1, "kernel": (1, 3), "stride": (1, 4), "dilation": (1, 2), "output_padding": (0, 1)},
        {"pixels": 1},
    ),
    "two groups of channels": (
        {**UP, "width": 1, "in_channels": 2, "out_channels": 2, "groups": 2, "kernel": (2, 2), "stride": (2, 2)},
        {"pixels": 1, "depthwise": False},
    ),
    "a crop of whole rows": (
        {**UP, "height": 3, "width": 1, "kernel": (1, 1), "stride": (2, 2), "padding": (2, 0, 0, 0)}, {"pixels": 1},
    ),
}  # fmt: skip
SOME = [QUICK, *(pytest.param(name, marks=pytest.mark.proof) for name in WALKS if name != QUICK)]


class Addresses(wiring.Component):
    """Sequencer and address generator as the engine connects them."""

    def __init__(self, config) -> None:
        self._sequencer, self._generator = Sequencer(config), AddressGenerator(config)
        bits = max(1, (config.activation_depth - 1).bit_length())
        marks = {name: Out(1) for name in ("read", "block_first", "scan_last", "fold_last")}
        super().__init__({"go": In(1), **marks, "address": Out(config.ports * bits), "inside": Out(config.ports)})

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self._sequencer
        m.submodules.address_generator = generator = self._generator
        m.d.comb += [
            sequencer.go.eq(self.go),
            *generator.marks_from(sequencer),
            *(
                getattr(self, name).eq(getattr(sequencer, name))
                for name in ("read", "block_first", "scan_last", "fold_last")
            ),
            self.address.eq(Cat(*generator.addresses)),
            self.inside.eq(generator.inside),
        ]
        return m


def walk(name):
    """A plan with a ring that the second frame goes round."""
    shape, folding = WALKS[name]
    plan = tiny_plan(shape, **folding)
    return plan.spec, replace(plan.config, ring_rows=plan.spec.height + 1)


def constants(spec, config) -> str:
    (item,) = config.passes
    values = {
        "PIXELS": config.pixels, "PORTS": config.ports, "LANES": config.lanes, "HEIGHT": spec.height,
        "WIDTH": spec.width, "OUT_HEIGHT": spec.out_height, "OUT_WIDTH": spec.out_width,
        "KERNEL_Y": spec.kernel[0], "KERNEL_X": spec.kernel[1], "STRIDE_Y": spec.stride[0],
        "STRIDE_X": spec.stride[1], "DILATION_Y": spec.dilation[0], "DILATION_X": spec.dilation[1],
        "PAD_Y": spec.padding.top, "PAD_X": spec.padding.left, "MOST_KERNEL": max(spec.kernel),
        "PIXEL_WORDS": item.pixel_words, "GROUP_WORDS": item.group_words, "BLOCKS": item.blocks,
        "GROUPS": item.groups, "TILES": item.tiles, "STRIP_TILES": item.strip_tiles(config.pixels),
        "RING_WORDS": config.activation_depth, "GO_AFTER_RESET": GO_AFTER_RESET,
        "ADDRESS_BITS": max(1, (config.activation_depth - 1).bit_length()),
        "EMPTY": int(any(not phase.live for row in item.phases for phase in row)),
    }  # fmt: skip
    return "".join(f"localparam signed [7:0] {name} = {value};\n" for name, value in values.items())


def proof(name, mode="bmc", built=None):
    spec, config = walk(name)
    (item,) = config.passes
    files = {
        "dut.il": rtlil.convert(Addresses(config if built is None else built), name="dut", emit_src=False),
        "polyphase_config.svh": constants(spec, config),
        **harness("polyphase.sv"),
    }
    tiles = [item.row_cycles(strip % item.row_phases) * item.strip_tiles(config.pixels) for strip in range(item.strips)]
    return Proof(files=files, top="polyphase_harness", mode=mode, depth=sum(tiles) + tiles[0] + LEAD)


@pytest.mark.parametrize("name", SOME)
def test_addresses_of_a_transposed_layer_equal_the_definition(name):
    assert proof(name).run().proven
    assert proof(name, "cover").run().proven


@pytest.mark.parametrize(
    "change",
    [
        {"row_starts": (1, 1)},
        {"row_advances": (1, 1)},
        {"column_starts": (0, 0)},
        {"top": 0},
        {"left": 0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_phase_is_found_out(change):
    _, config = walk(QUICK)
    (item,) = config.passes
    assert all(getattr(item, field) != value for field, value in change.items())
    assert proof(QUICK, built=replace(config, passes=(replace(item, **change),))).run().refuted
