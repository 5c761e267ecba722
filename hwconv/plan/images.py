"""Contents of the ROMs: weights in the order of the loop nest, requantiser entries in the order of the drain."""

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer
from ..packing import pack_words
from .block_ram import block_ram_count
from .config import EngineConfig, PassConfig
from .phases import phase_layers
from .rom import RomImage

LOGIC_DEPTH = 32
"""ROMs of up to this many words are made of look-up tables."""


LOGIC_LIMIT = 256
"""No ROM of more words is made of look-up tables: the selection between its parts would limit the clock."""


def logic_rom_luts(width: int, depth: int) -> int:
    """Look-up tables of a ROM made of them; 0 where it cannot be. Slices bring the selection among eight."""
    tables = -(-depth // 16)
    return width * (tables + (1 if tables > 8 else 0)) if depth <= LOGIC_LIMIT else 0


def rom_style(width: int, depth: int, price: int = 0) -> str:
    """``logic`` where a ROM is small, or where its look-up tables cost less than its block RAMs at a price."""
    luts = logic_rom_luts(width, depth)
    cheap = 0 < luts <= price * block_ram_count(width, depth, kind="rom")
    return "logic" if depth <= LOGIC_DEPTH or cheap else "block"


def column_outputs(config: EngineConfig, layer: Layer, item: PassConfig, group: int, tile: int) -> list[int | None]:
    """The output channel that each column computes in a fold; None for an idle column."""
    per_group = layer.spec.out_channels // item.groups
    outputs: list[int | None] = []
    for column in range(config.columns):
        channel = tile * config.columns + config.column_channel(column)
        outputs.append(group * per_group + channel if channel < per_group else None)
    return outputs


def column_weights(config: EngineConfig, layers: tuple[Layer, ...]) -> NDArray[np.int16]:
    """Weights of every active step, ``(words, columns)``, in the order in which the engine reads them; less their zero
    point.
    """
    lanes = np.zeros((config.weight_depth, config.columns), dtype=np.int16)
    for layer, item in zip(layers, config.passes, strict=True):
        word = item.weight_base
        if item.uniform:
            lanes[word] = 1
            continue
        for row_phase, column_phase, part in phase_layers(layer):
            depth = item.depth(item.phases[row_phase][column_phase]) // item.word_groups
            weights = part.effective_weights
            for group, tile in np.ndindex(item.groups, item.tiles) if depth else ():
                for column, output in enumerate(column_outputs(config, layer, item, group, tile)):
                    if output is not None:
                        # A filter's (ky, kx, channel) order is the order of the steps.
                        lanes[word : word + depth, column] = weights[output].reshape(-1)
                word += depth
    return lanes


def weight_lanes(config: EngineConfig, layers: tuple[Layer, ...]) -> NDArray[np.int32]:
    """What each multiplier of a row takes in every active step, ``(words, lanes)``: a weight, or two in one number."""
    weights = column_weights(config, layers).astype(np.int32)
    columns = np.array([config.lane_columns(lane) for lane in range(config.weight_lanes)])
    weighted = weights[:, columns] << config.operands.weight_bits * np.arange(config.operands.products, dtype=np.int32)
    lanes: NDArray[np.int32] = weighted.sum(axis=2, dtype=np.int32)
    return lanes


def table_entries(config: EngineConfig, layers: tuple[Layer, ...], requantiser: int) -> list[int]:
    """Entries of one requantiser, in the order in which its columns drain."""
    entries = [0] * config.table_depth
    first_channel = 0
    for layer, item in zip(layers, config.passes, strict=True):
        word = item.table_base
        for _, group, tile in np.ndindex(item.row_phases * item.column_phases, item.groups, item.tiles):
            outputs = column_outputs(config, layer, item, group, tile)
            for output in outputs[requantiser * config.drain : (requantiser + 1) * config.drain]:
                if output is not None:
                    entries[word] = config.requantiser.entries[first_channel + output]
                word += 1
            if (group, tile) == (item.groups - 1, item.tiles - 1):  # of the next phase
                first_channel += layer.spec.out_channels
    return entries


def weight_rom(config: EngineConfig) -> tuple[int, int, str]:
    """Width, words and style of a cluster's weights.

    Of a wide array's weights only what is cheap is made of look-up tables: its clusters would take many small ones.
    """
    width = config.operands.lane_bits * config.cluster_lanes
    style = rom_style(width, config.weight_depth, config.block_ram_price)
    wide = style == "logic" and config.columns > 16 and not config.block_ram_price
    return width, config.weight_depth, "block" if wide else style


def table_rom(config: EngineConfig) -> tuple[int, int, str]:
    """Width, words and style of a requantiser's table."""
    width, depth = config.requantiser.entry_width, config.table_depth
    return width, depth, rom_style(width, depth, config.block_ram_price)


def rom_images(config: EngineConfig, layers: tuple[Layer, ...]) -> list[RomImage]:
    """Every ROM of the engine: weights, one for each cluster of columns, and one table for each requantiser."""
    images = []
    lanes = weight_lanes(config, layers)
    for cluster in range(config.clusters):
        part = lanes[:, cluster * config.cluster_lanes : (cluster + 1) * config.cluster_lanes]
        images.append(
            RomImage(
                name=f"{config.name}_weights_{cluster}",
                width=weight_rom(config)[0],
                words=tuple(pack_words(part, config.operands.lane_bits)),
                style=weight_rom(config)[2],
            )
        )
    for requantiser in range(config.requantisers):
        width, _, style = table_rom(config)
        images.append(
            RomImage(
                name=f"{config.name}_table_{requantiser}",
                width=width,
                words=tuple(table_entries(config, layers, requantiser)),
                style=style,
            )
        )
    return images
