"""Contents of a Winograd engine's ROMs: transformed weights in the order of the walk, entries in that of results."""

from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ..layer import Layer
from .images import LOGIC_DEPTH
from .rom import RomImage
from .winograd_config import WinogradConfig
from .winograd_transforms import transform_weights


def slot_weights(config: WinogradConfig, layer: Layer) -> NDArray[np.int64]:
    """The weights of every slot, word and column, ``(slots, words, columns)``; those of idle columns are 0."""
    planes = transform_weights(config.vertical, config.horizontal, layer.parameters.weights)
    item, channels = config.passes[0], config.group_channels
    found = np.zeros((len(config.weight_slots), config.weight_depth, config.columns), np.int64)
    word = 0
    for group in range(item.groups):
        for tile in range(item.tiles):
            live = min(config.columns, config.group_outputs - tile * config.columns)
            first = group * config.group_outputs + tile * config.columns
            for turn in range(config.turns):
                for slot, (row, column) in enumerate(config.weight_slots):
                    plane = planes[row, turn * config.slice_columns + column]
                    found[slot, word : word + channels, :live] = plane[first : first + live].T
                word += channels
    return found


def weight_widths(weights: NDArray[np.int64]) -> tuple[int, ...]:
    """Bits of each slot's weights, two at least."""
    found = []
    for slot in weights:
        low, high = int(slot.min()), int(slot.max())
        found.append(max(2, 1 + max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length())))
    return tuple(found)


def winograd_rom_images(config: WinogradConfig, layer: Layer) -> list[RomImage]:
    """Every ROM of the engine: weights, one for each column of the slice, and the table of the channels' entries."""
    weights = slot_weights(config, layer)
    images = []
    for column, slots in enumerate(config.weight_roms):
        fields = [
            (weights[slot, :, place], config.weight_widths[slot]) for slot in slots for place in range(config.columns)
        ]
        words = _packed(fields, config.weight_depth)
        width = sum(bits for _, bits in fields)
        images.append(RomImage(name=f"{config.name}_weights_{column}", width=width, words=words, style="block"))
    entries, given = [], iter(config.requantiser.entries)
    for _ in range(config.passes[0].groups):
        for tile in range(config.passes[0].tiles):
            live = min(config.columns, config.group_outputs - tile * config.columns)
            entries += [next(given) for _ in range(live)] + [0] * (config.columns - live)
    images.append(
        RomImage(
            name=f"{config.name}_table_0",
            width=config.requantiser.entry_width,
            words=tuple(entries),
            style="logic" if len(entries) <= LOGIC_DEPTH else "block",
        )
    )
    return images


def _packed(fields: list[tuple[NDArray[np.int64], int]], depth: int) -> tuple[int, ...]:
    """Words of fields, each modulo two to its bits, from bit 0 upwards."""

    def add(total: tuple[list[int], int], field: tuple[NDArray[np.int64], int]) -> tuple[list[int], int]:
        words, start = total
        values, bits = field
        mask = (1 << bits) - 1
        return [
            word | (value & mask) << start for word, value in zip(words, values.tolist(), strict=True)
        ], start + bits

    return tuple(reduce(add, fields, ([0] * depth, 0))[0])
