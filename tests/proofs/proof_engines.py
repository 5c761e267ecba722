"""Engines for proofs: their texts, and their configuration as Verilog constants."""

from collections.abc import Mapping, Sequence

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from prover import harness

from hwconv.gateware.address_generator import AddressGenerator
from hwconv.gateware.drain import table_name
from hwconv.gateware.engine import OUTPUT_QUEUE, Engine
from hwconv.gateware.row_ledger import total_width
from hwconv.gateware.sequencer import Sequencer
from hwconv.gateware.systolic_array import SystolicArray
from hwconv.gateware.weights import rom_name
from hwconv.layer import Layer, LayerParameters
from hwconv.plan.array import foldings
from hwconv.plan.config import EngineConfig
from hwconv.plan.engine_plan import EnginePlan, make_plan
from hwconv.plan.program import make_program
from hwconv.plan.shared_array import SharedArray
from hwconv.resources import resource_path
from hwconv.spec import ConvSpec

GO_AFTER_RESET = 8
"""Cycles after a reset in which no tile starts: proofs of the address generator rely on it."""

ROM = """
module {name} (input wire clk, input wire [{address}-1:0] addr, output wire [{width}-1:0] data);
    (* anyseq *) wire [{width}-1:0] free;
    assign data = free;
endmodule
"""


def tiny_plan(shape: Mapping[str, object], **folding: object) -> EnginePlan:
    """The plan of a layer without requantisation, with the first folding that has these attributes."""
    spec = ConvSpec(name="tiny", requantisation="none", output_dtype="int32", output_zero_point=0, **shape)
    ones = LayerParameters(
        weights=np.ones(spec.weight_shape, np.int8), bias=np.zeros(spec.out_channels, int), multiplier=None, shift=None
    )
    chosen = next(
        item for item in foldings(spec, 16) if all(getattr(item, name) == value for name, value in folding.items())
    )
    return make_plan(Layer(spec, ones), multipliers=16, folding=chosen)


def tiny_program(shapes: Sequence[Mapping[str, object]], array: SharedArray, *, beat_bytes: int) -> EngineConfig:
    """The engine of a program of layers with any weights and any scale."""
    layers = []
    for index, shape in enumerate(shapes):
        spec = ConvSpec(name=f"layer_{index}", **shape)
        parameters = LayerParameters(
            weights=np.ones(spec.weight_shape, np.int8),
            bias=np.zeros(spec.out_channels, int),
            multiplier=np.int32(1 << 30),
            shift=np.int32(-3),
        )
        layers.append(Layer(spec, parameters))
    return make_program(layers, array=array, beat_bytes=beat_bytes).config


def constants(config: EngineConfig) -> dict[str, str]:
    """What harnesses need to know of an engine, and of each layer it runs: two files, the second for a module with a
    parameter `LAYER`."""
    passes = config.passes
    engine = {
        "LAYERS": len(passes),
        "PIXELS": config.pixels,
        "COLUMNS": config.columns,
        "PORTS": config.ports,
        "LANES": config.lanes,
        "DRAIN": config.drain,
        "UNITS": config.units,
        "FRAMES_IN_FLIGHT": config.frames_in_flight,
        "RING_ROWS": config.ring_rows,
        "ACTIVATION_WORDS": config.activation_depth,
        "OUTPUT_WORDS": config.units * config.unit_words,
        "RESULT_BYTES": config.result_bytes,
        "PROGRAM_WORDS": sum(item.height * item.row_words for item in passes),
        "PROGRAM_RESULTS": sum(item.out_pixels * item.out_pixel_words for item in passes),
        "FRAME_WORDS": passes[0].height * passes[0].row_words,
        "FRAME_RESULTS": passes[-1].out_pixels * passes[-1].out_pixel_words,
        "ROW_BITS": total_width(config),
        "ADDRESS_BITS": _bits(config.activation_depth),
        "OUTPUT_ADDRESS_BITS": _bits(config.units * config.unit_words),
        "OUTPUT_QUEUE": OUTPUT_QUEUE,
        "GO_AFTER_RESET": GO_AFTER_RESET,
    }
    of_layers = [_layer_constants(config, index) for index in range(len(passes))]
    layers = ""
    for name in of_layers[0]:
        value = str(of_layers[-1][name])
        for index, values in reversed(list(enumerate(of_layers[:-1]))):
            value = f"LAYER == {index} ? {values[name]} : {value}"
        layers += f"localparam signed [7:0] {name} = {value};\n"
    return {
        "engine_config.svh": "".join(f"localparam signed [7:0] {name} = {value};\n" for name, value in engine.items()),
        "layer_config.svh": layers,
    }


def _layer_constants(config: EngineConfig, index: int) -> dict[str, int]:
    before, item = config.passes[:index], config.passes[index]
    return {
        "FIRST_WORD": sum(layer.height * layer.row_words for layer in before),
        "FIRST_RESULT": sum(layer.out_pixels * layer.out_pixel_words for layer in before),
        "HEIGHT": item.height,
        "WIDTH": item.width,
        "PIXEL_WORDS": item.pixel_words,
        "PIXEL_OUT_WORDS": item.out_pixel_words,
        "OUT_HEIGHT": item.out_height,
        "OUT_WIDTH": item.out_width,
        "KERNEL_Y": item.kernel[0],
        "KERNEL_X": item.kernel[1],
        "STRIDE_Y": item.stride[0],
        "STRIDE_X": item.stride[1],
        "DILATION_Y": item.dilation[0],
        "DILATION_X": item.dilation[1],
        "TOP": item.top,
        "LEFT": item.left,
        "GROUPS": item.groups,
        "GROUP_OUT_WORDS": item.group_out_words,
        "GROUP_WORDS": item.group_words,
        "BLOCKS": item.blocks,
        "TILES": item.tiles,
        "PIXEL_TILES": -(-item.out_pixels // config.pixels),
    }


def taps(config: EngineConfig) -> str:
    """Wires into an engine called `dut`, by the names that harnesses use."""
    address, result = _bits(config.activation_depth), _bits(config.units * config.unit_words)
    ports = range(config.ports)
    streams = {
        "received": ("core.receiver.i__", 9 * config.input_beat_bytes + 2),
        "leaving": ("core.front.i__", 9 * config.output_beat_bytes + 3),
    }
    wires = {
        "reset": ("rst", 1),
        "flushing": ("core.flushing", 1),
        "activation_write": ("core.activations_0.w_en", 1),
        "activation_write_address": ("core.activations_0.w_addr", address),
        "activation_word": ("core.activations_0.w_data", 8 * config.word_bytes),
        **{f"activation_read_address_{port}": (f"core.activations_{port}.r_addr", address) for port in ports},
        **{f"activation_inside_{port}": (f"core.address_generator.port_{port}_inside_q", 1) for port in ports},
        "receiver_fault": ("core.receiver.fault", 1),
        "go": ("core.sequencer.go", 1),
        "start": ("core.sequencer.start", 1),
        "read": ("core.sequencer.read", 1),
        "block_first": ("core.sequencer.block_first", 1),
        "scan_last": ("core.sequencer.scan_last", 1),
        "array_last": ("core.array.last", 1),
        "array_drain": ("core.array.drain", 1),
        "result_write": ("core.output.memory.w_en", 1),
        "result_write_address": ("core.output.memory.w_addr", result),
        "result_read_address": ("core.output.memory.r_addr", result),
        "result_was_read": ("core.output.issue_d1", 1),
        "result_valid": ("core.output.valid", 1),
        "result_word": ("core.output.memory.r_data", 8 * config.result_bytes),
        "unit_free": ("core.output.unit_free", 1),
        "queue_push": ("core.queue.push", 1),
        "queue_taken": ("core.queue.taken", 1),
        "queue_filled": ("core.queue.filled", OUTPUT_QUEUE),
        "queue_write_address": ("core.queue.write__addr", _bits(OUTPUT_QUEUE)),
        "queue_read_address": ("core.queue.read__addr", _bits(OUTPUT_QUEUE)),
        "verdict_push": ("core.verdicts.push", 1),
        "verdict_pop": ("core.verdicts.pop", 1),
    }
    if config.ring:
        wires["rows_written"] = ("core.permission.written", total_width(config))
        wires["rows_released"] = ("core.permission.released", total_width(config))
    else:
        wires["receiver_layer"] = ("core.receiver.receiver_layer", _bits(len(config.passes)))
        streams["returning"] = ("core.receiver.back__", 9 * config.input_beat_bytes + 2)
    for stream, (path, bits) in streams.items():
        wires[f"{stream}_valid"] = (f"{path}valid", 1)
        wires[f"{stream}_ready"] = (f"{path}ready", 1)
        wires[f"{stream}_payload"] = (f"{path}payload", bits)
    text = ""
    for name, (path, bits) in wires.items():
        text += f"(* hierconn *) wire [{bits}-1:0] \\dut.{path} ;\nwire [{bits}-1:0] {name} = \\dut.{path} ;\n"
    for name in ("activation_read_address", "activation_inside"):
        together = ", ".join(f"{name}_{port}" for port in reversed(ports))
        bits = config.ports * (address if name == "activation_read_address" else 1)
        text += f"wire [{bits}-1:0] {name} = {{{together}}};\n"
    return text


def _bits(depth: int) -> int:
    return max(1, (max(2, depth) - 1).bit_length())


def without_keep(text: str) -> str:
    """A register that synthesis must keep is a register: here it may go where nothing is proven about it."""
    return text.replace('(* keep = "true", dont_touch = "true" *) ', "")


def hop() -> dict[str, str]:
    return {"hwconv_hop.v": without_keep(resource_path("rtl/generic/hwconv_hop.v").read_text())}


def engine_files(config: EngineConfig, part: str) -> dict[str, str]:
    """An engine called `dut` whose memories and multipliers may answer anything, and one part of its harness."""
    roms = [(rom_name(config, index), config.weight_depth, 8 * config.cluster) for index in range(config.clusters)]
    width = config.requantiser.entry_width
    roms += [(table_name(config, index), config.table_depth, width) for index in range(config.requantisers)]
    text = "".join(ROM.format(name=name, address=_bits(depth), width=bits) for name, depth, bits in roms)
    parts = ("QUEUE", "STREAMS") if part == "STREAMS" else (part,)  # a queue that overflows changes what waits
    kind = "RING" if config.ring else "PROGRAM"
    defines = "".join(f"`define {name}\n" for name in (kind, *parts))
    return {
        "dut.il": rtlil.convert(Engine(config), name="dut", emit_src=False),
        "roms.v": text,
        **constants(config),
        "engine_taps.svh": taps(config),
        **hop(),
        **harness("free_blocks.v"),
        **harness("walk.sv"),
        **harness("results.sv"),
        **harness("stream_rules.sv"),
        "engine.sv": defines + harness("engine.sv")["engine.sv"],
    }


class Addresses(wiring.Component):
    """Sequencer and address generator as the engine connects them."""

    def __init__(self, config: EngineConfig) -> None:
        self._sequencer, self._generator = Sequencer(config), AddressGenerator(config)
        generator = self._generator.signature.members
        super().__init__(
            {
                "go": In(1),
                **{name: Out(1) for name in ("read", "block_first", "scan_last")},
                "address": Out(config.ports * _bits(config.activation_depth)),
                "inside": Out(generator["inside"].shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sequencer = sequencer = self._sequencer
        m.submodules.address_generator = generator = self._generator
        m.d.comb += [
            sequencer.go.eq(self.go),
            *generator.marks_from(sequencer),
            *(getattr(self, name).eq(getattr(sequencer, name)) for name in ("read", "block_first", "scan_last")),
            self.address.eq(Cat(*generator.addresses)),
            self.inside.eq(generator.inside),
        ]
        return m


def address_files(config: EngineConfig) -> dict[str, str]:
    """Sequencer and address generator called `dut`."""
    return {
        "dut.il": rtlil.convert(Addresses(config), name="dut", emit_src=False),
        **constants(config),
        **harness("walk.sv"),
        **harness("addresses.sv"),
    }


def array_files(config: EngineConfig) -> dict[str, str]:
    """A systolic array called `dut`, with real multipliers and accumulators."""
    taps = ""
    for row in range(config.pixels):
        for column in range(config.columns):
            wire = f"\\dut.pe_{row}_{column}.accumulator.sum "
            reference = f"g_row[{row}].g_column[{column}]"
            taps += f"(* hierconn *) wire [ACCUMULATOR_WIDTH-1:0] {wire};\n"
            same = f"!{reference}.whole || {wire} == {reference}.sum"
            taps += f"always @(posedge clk) i_sum_{row}_{column} : assert ({same});\n"
    blocks = {
        name: resource_path(f"rtl/generic/{name}").read_text() for name in ("hwconv_mult.v", "hwconv_accumulate.v")
    }
    return {
        "dut.il": rtlil.convert(SystolicArray(config), name="dut", emit_src=False),
        "array_taps.svh": taps,
        **blocks,
        **hop(),
        **harness("array.sv"),
    }


def array_parameters(config: EngineConfig) -> dict[str, int]:
    return {
        "PIXELS": config.pixels,
        "COLUMNS": config.columns,
        "PORTS": config.ports,
        "CLUSTER": config.cluster,
        "DRAIN": config.drain,
        "LANES_OF_A_ROW": config.word_channels if config.depthwise else 1,
        "DEPTHWISE": int(config.depthwise),
        "ACCUMULATOR_WIDTH": config.accumulator_width,
    }
