"""The image of a loadable engine: what its weight stream carries, in which order, and for how many cycles.

An image is a header and then the words of every memory, one memory after the other: the weights of each cluster of
columns, the table of each requantiser, the very words that the ROMs of an engine with these weights would hold. Every
word takes whole beats of the stream, with zeros above its bits.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..packing import pack_words, words_to_bytes
from ..spec import ConvSpec
from .config import EngineConfig

if TYPE_CHECKING:
    from .engine_plan import EnginePlan

FORMAT = 1
"""Of an image: part of the identity."""
IDENTITY_BITS = 32
HEADER_NUMBERS = ("input_zero_point", "output_zero_point", "activation_min", "activation_max")
"""Signed 16-bit numbers that follow the identity in the header; the last three are 0 where nothing is requantised."""
NUMBER_BITS = 16
HEADER_BITS = IDENTITY_BITS + NUMBER_BITS * len(HEADER_NUMBERS)


@dataclass(frozen=True)
class ImageSection:
    """Words of one memory.

    Attributes
    ----------
    name : str
        ``header``, or the memory's.
    width, depth : int
        Bits of a word, and words.
    word_beats : int
        Beats of a word.
    """

    name: str
    width: int
    depth: int
    word_beats: int

    @property
    def beats(self) -> int:
        return self.depth * self.word_beats


@dataclass(frozen=True)
class WeightImage:
    """The layout of an engine's images.

    Attributes
    ----------
    beat_bytes : int
        Bytes of a beat of the weight stream.
    sections : tuple of ImageSection
        The header, the weights of each cluster, the table of each requantiser.
    flush_cycles : int
        Cycles that the engine takes after an image before it accepts frames.
    """

    beat_bytes: int
    sections: tuple[ImageSection, ...]
    flush_cycles: int

    @property
    def beats(self) -> int:
        return sum(section.beats for section in self.sections)

    @property
    def bytes(self) -> int:
        return self.beats * self.beat_bytes

    @property
    def cycles(self) -> int:
        """Cycles from an image's first beat to the first beat of a frame that the engine accepts after it, if neither
        is kept waiting: a beat a cycle, then the array's flush.
        """
        return self.beats + self.flush_cycles


@lru_cache(maxsize=64)
def image_layout(config: EngineConfig) -> WeightImage:
    """The layout of the images of an engine that has a weight stream."""
    if config.loading is None:
        raise ValueError(f"Expected a configuration with a weight stream, not {config.name!r}")
    bits = 8 * config.loading.beat_bytes
    memories = [("header", HEADER_BITS, 1)]
    memories += [(f"weights_{index}", 8 * config.cluster, config.weight_depth) for index in range(config.clusters)]
    entry = config.requantiser.entry_width
    memories += [(f"table_{index}", entry, config.table_depth) for index in range(config.requantisers)]
    sections = tuple(ImageSection(name, width, depth, -(-width // bits)) for name, width, depth in memories)
    return WeightImage(config.loading.beat_bytes, sections, config.flush_cycles)


def image_identity(spec: ConvSpec, config: EngineConfig, beat_bytes: int) -> int:
    """32 bits of a hash over all that an image depends on beside the layer's numbers: another engine's has others."""
    item = config.passes[0]
    loaded = {"name", *HEADER_NUMBERS}
    content = {
        "format": FORMAT,
        "spec": {field: value for field, value in spec.to_dict().items() if field not in loaded},
        "beat_bytes": beat_bytes,
        "depthwise": config.depthwise,
        "columns": config.columns,
        "cluster": config.cluster,
        "requantisers": config.requantisers,
        "loops": [item.groups, item.group_words, item.tiles, item.active_steps],
        "phases": [[[phase.rows, phase.columns, phase.live] for phase in row] for row in item.phases],
        "accumulator_width": config.accumulator_width,
        "fields": [list(field) for field in config.requantiser.fields],
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[: IDENTITY_BITS // 8], "little")


def image_bytes(plan: "EnginePlan") -> bytes:
    """The image of a loadable engine's layer, as its weight stream carries it: byte 0 is lane 0 of the first beat."""
    layout, loading, spec = image_layout(plan.config), plan.config.loading, plan.spec
    assert loading is not None  # the layout has checked it
    numbers = [spec.input_zero_point, spec.output_zero_point, spec.activation_min, spec.activation_max]
    if spec.requantisation == "none":
        numbers[1:] = [0, 0, 0]
    header = pack_words([numbers], NUMBER_BITS)[0] << IDENTITY_BITS | loading.identity
    contents = [(header,), *(rom.words for rom in plan.roms)]
    return b"".join(
        words_to_bytes(words, section.width, section.word_beats * layout.beat_bytes)
        for section, words in zip(layout.sections, contents, strict=True)
    )


def weights_summary(config: EngineConfig) -> dict[str, Any]:
    """The weight stream as values that JSON has."""
    layout, loading = image_layout(config), config.loading
    assert loading is not None
    return {
        "beat_bytes": layout.beat_bytes,
        "beats": layout.beats,
        "bytes": layout.bytes,
        "cycles": layout.cycles,
        "identity": loading.identity,
    }
