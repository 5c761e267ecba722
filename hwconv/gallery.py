"""The gallery of `docs/`: every variant of a convolution, drawn and counted from its own plan.

``make gallery`` writes `docs/gallery.md` and the pictures beside it; a test compares them with what the code draws.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .attributes import attribute_page
from .layer import Layer, LayerParameters
from .plan import EnginePlan, make_plan
from .plan.loop_nest import loop_nest
from .plan.memories import memories
from .plan.picture import draw_plan
from .spec import ConvSpec, causal1d_spec, conv1d_spec, fully_connected_spec

MULTIPLIERS = 36
_INTRODUCTION = """\
# Gallery

Each variant on an array of at most {multipliers} multipliers, drawn from its plan by `make gallery`; any other layer is
drawn by `hwconv plan LAYER --picture F.svg`. A colour is a row of the array: on the left what it reads (numbers are
taps in the order of time, hatched cells zero points outside the frame), on the right the pixel that it gives.
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One page of the gallery.

    Attributes
    ----------
    title, about : str
        Headline, and a sentence or two on what is special.
    spec : ConvSpec
        A small layer of the kind.
    """

    title: str
    about: str
    spec: ConvSpec


def _conv(name: str, **fields: object) -> ConvSpec:
    size = {"height": 12, "width": 12, "in_channels": 8, "out_channels": 8, "kernel": (3, 3)}
    return ConvSpec.from_dict({"name": name, "requantisation": "shift", **size, **fields})


def _line(spec: ConvSpec) -> ConvSpec:
    return replace(spec, requantisation="shift")


VARIANTS = (
    Variant(
        title="Standard",
        about="Every row of the array is an output pixel, every column an output channel; the kernel goes by in time. "
        "Lanes take pixels in raster order, across row ends, so that narrow frames fill the array as well.",
        spec=_conv("standard", padding="same"),
    ),
    Variant(
        title="Strided",
        about="The stride is a factor of the address: what is not needed is never read.",
        spec=_conv("strided", stride=(2, 2), padding="same"),
    ),
    Variant(
        title="Padded",
        about="Four pads of any size. Outside the frame the zero point is read; there is no padded copy.",
        spec=_conv("padded", height=6, width=6, padding=(3, 1, 0, 2)),
    ),
    Variant(
        title="Dilated",
        about="The dilation is a factor of the address, too: the same cycles as without.",
        spec=_conv("dilated", dilation=(3, 3), padding="same"),
    ),
    Variant(
        title="Grouped",
        about="Groups bound the loop over channels; columns are the channels of one group at a time.",
        spec=_conv("grouped", groups=2, padding="same"),
    ),
    Variant(
        title="Depthwise",
        about="Each column has a lane of the activation word of its own: no cliff where others fall to a few percent.",
        spec=_conv("depthwise", groups=8, padding="same"),
    ),
    Variant(
        title="Depthwise with a channel multiplier",
        about="Several columns share a lane.",
        spec=_conv("depthwise_multiplier", in_channels=4, groups=4, padding="same"),
    ),
    Variant(
        title="Pointwise (1x1)",
        about="With a depthwise layer before it: the separable convolution.",
        spec=_conv("pointwise", kernel=(1, 1)),
    ),
    Variant(
        title="Few input channels",
        about="Words are narrow, so that several copies of the activation memory feed the array.",
        spec=_conv("few_channels", in_channels=3, kernel=(5, 5), stride=(2, 2), padding="same"),
    ),
    Variant(
        title="Factorised 1xN, then Nx1",
        about="A kernel of one row, then one of one column; `hwconv factorise` makes the two from a square kernel.",
        spec=_conv("factorised_row", kernel=(1, 5), padding="same"),
    ),
    Variant(
        title="Transposed",
        about="Polyphase: an output row meets only the kernel rows of its phase, a column those of its own, and each "
        "phase is a convolution of stride 1. No zero is inserted, stored or multiplied. A pixel tile follows an output "
        "row; neighbouring columns are computed one after the other and leave together.",
        spec=_conv("transposed", height=6, width=6, stride=(2, 2), padding="same", transposed=True),
    ),
    Variant(
        title="Transposed, with a kernel shorter than the stride",
        about="Phases without taps are the bias alone: no multiplication is spent on them.",
        spec=_conv("transposed_sparse", height=4, width=4, kernel=(2, 2), stride=(3, 3), transposed=True),
    ),
    Variant(
        title="One-dimensional",
        about="A frame of height 1.",
        spec=_line(
            conv1d_spec(
                name="one_dimensional",
                length=18,
                in_channels=8,
                out_channels=8,
                kernel=3,
                dilation=2,
                padding="same",
            )
        ),
    ),
    Variant(
        title="Causal, streaming",
        about="Time runs down the rows; the rows above a frame are the last ones of the frames before it, and stay in "
        "the ring. A frame may be a single sample.",
        spec=_line(causal1d_spec(name="causal", length=12, in_channels=8, out_channels=8, kernel=3, dilation=4)),
    ),
    Variant(
        title="Fully connected",
        about="A 1x1 kernel on a 1x1 frame: one row, as many columns as there are multipliers.",
        spec=fully_connected_spec(name="fully_connected", inputs=64, outputs=36, requantisation="shift"),
    ),
)


def plan_of(variant: Variant) -> EnginePlan:
    """The engine that is drawn; its weights are nothing in particular."""
    spec = variant.spec
    weights = (np.arange(np.prod(spec.weight_shape)) % 17 - 8).astype(np.int8).reshape(spec.weight_shape)
    return make_plan(Layer(spec, LayerParameters(weights=weights, shift=np.array([-7]))), multipliers=MULTIPLIERS)


def gallery_files() -> Mapping[str, str]:
    """The page and its pictures: names below `docs/`, and contents."""
    plans = {variant: plan_of(variant) for variant in VARIANTS}
    files = {f"gallery/{variant.spec.name}.svg": draw_plan(plan) for variant, plan in plans.items()}
    sections = [part for variant, plan in plans.items() for part in _section(variant, plan)]
    page = "\n".join([_INTRODUCTION.format(multipliers=MULTIPLIERS), *sections])
    return files | {"gallery.md": page, "attributes.md": attribute_page()}


def _section(variant: Variant, plan: EnginePlan) -> Iterator[str]:
    spec, cycles = plan.spec, plan.cycles
    yield f"## {variant.title}\n"
    yield f"{variant.about}\n"
    yield f"![{variant.title}: what a tile reads, the array, the output](gallery/{spec.name}.svg)\n"
    nest = [loop for loop in loop_nest(plan) if loop.count > 1]
    yield "| loop | turns | laid on | what it is |\n|---|---|---|---|"
    yield "\n".join(f"| {loop.name} | {loop.count} | {loop.on} | {loop.meaning} |" for loop in nest) + "\n"
    blocks = sum(store.block_rams() for store in memories(plan))
    yield (
        f"{spec.macs:,} multiplications on {plan.multipliers} multipliers: a frame every {cycles.interval:,} cycles, "
        f"{plan.utilisation:.1%} of them\n({plan.utilisation_asked:.1%} of those asked for), latency "
        f"{cycles.latency:,}; {plan.config.requantisers} requantisers, {blocks} ECP5 block RAMs.\n"
    )


def write_gallery(folder: Path) -> None:
    """Writes the page and its pictures below a folder."""
    for name, content in gallery_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    write_gallery(Path("docs"))
