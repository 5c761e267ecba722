"""Pictures in and out of the demo."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwconv.demo.filters import BLACK, filters

COLUMNS = 14
"""Digits that are shown, at most."""
_DARK, _LIGHT, _DIM, _WRONG = "#14161a", "#f2f0eb", "#a9adb5", "#ff6b5e"


def read_photograph(height: int) -> NDArray[np.uint8]:
    """Returns matplotlib's sample photograph, scaled to so many rows: (height, width, 3)."""
    import matplotlib as mpl
    from PIL import Image

    with Image.open(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg") as image:
        width = round(image.width * height / image.height)
        return np.asarray(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS), np.uint8)


def to_frame(photograph: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Returns a photograph as int8: -128 is black."""
    return (photograph.astype(np.int16) + BLACK).astype(np.int8)


def to_brightness(outputs: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Returns the engine's output bytes as brightnesses: 0 is black."""
    return (outputs.astype(np.int16) - BLACK).astype(np.uint8)


def draw(photograph: NDArray[np.uint8], outputs: NDArray[np.int8], caption: str, path: Path) -> None:
    """Writes a picture of the photograph and, beside it, every channel that the hardware computed, byte by byte.

    Parameters:
        photograph: (H, W, 3). outputs: (OH, OW, channels), as captured.
        caption: one line below.
        path: a PNG file; the same pictures give the same bytes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(16, 8.4), facecolor=_DARK, dpi=110)
    grid = figure.add_gridspec(2, 6, left=0.012, right=0.988, top=0.865, bottom=0.07, wspace=0.04, hspace=0.16)
    pictures = [("the photograph", photograph, grid[:, :2])]
    for channel, each in enumerate(filters()):
        place = grid[channel // 4, 2 + channel % 4]
        pictures.append((each.name, to_brightness(outputs[:, :, channel]), place))
    for title, picture, place in pictures:
        panel = figure.add_subplot(place)
        panel.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="lanczos")
        panel.set_title(title, color=_LIGHT, fontsize=12, pad=7)
        panel.set_anchor("N")
        panel.set_axis_off()
    heading = "A bank of 5x5 filters, as the simulated Verilog computed them"
    figure.text(0.012, 0.955, heading, color=_LIGHT, fontsize=19, weight="bold", va="center")
    figure.text(0.012, 0.035, caption, color=_DIM, fontsize=12, va="center")
    figure.savefig(path, facecolor=_DARK, metadata={"Software": None})


def draw_digits(
    rows: Mapping[str, tuple[NDArray[np.float32], NDArray[np.integer]]],
    labels: NDArray[np.uint8],
    caption: str,
    path: Path,
) -> None:
    """Writes a picture of digits: a row for each kind, below each digit what the classifier read.

    Parameters:
        rows: images `(N, 1, 8, 8)` from 0 to 1, and what was read, by kind.
        labels: what the digits are. caption: one line below.
        path: a PNG file; the same pictures give the same bytes.
    """
    from matplotlib.figure import Figure

    shown = min(COLUMNS, len(labels))
    figure = Figure(figsize=(16, 5.4), facecolor=_DARK, dpi=110)
    grid = figure.add_gridspec(len(rows), shown, left=0.075, right=0.988, top=0.85, bottom=0.13, wspace=0.1, hspace=0.3)
    for row, (kind, (images, read)) in enumerate(rows.items()):
        for column in range(shown):
            panel = figure.add_subplot(grid[row, column])
            panel.imshow(images[column, 0], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            right = read[column] == labels[column]
            panel.set_xlabel(str(read[column]), color=_LIGHT if right else _WRONG, fontsize=12, labelpad=3)
            panel.set_xticks([])
            panel.set_yticks([])
            if column == 0:
                panel.set_ylabel(kind, color=_LIGHT, fontsize=12, rotation=0, ha="right", va="center", labelpad=10)
    heading = "Digits through an encoder-decoder and a classifier, as the simulated Verilog computed them"
    figure.text(0.012, 0.93, heading, color=_LIGHT, fontsize=19, weight="bold", va="center")
    figure.text(0.012, 0.04, caption, color=_DIM, fontsize=12, va="center")
    figure.savefig(path, facecolor=_DARK, metadata={"Software": None})
