"""A Winograd plan as a picture (SVG): the pixels of a tile, its positions, the products on the array, the outputs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .svg import BOLD, CELL, COLOURS, HEAD, INSIDE, LETTER, OUTSIDE, arrow, cell, document, line, span, text

if TYPE_CHECKING:
    from .winograd import WinogradPlan

_GAP = 44
_MOST_CHANNELS = 3
"""Columns of the array that are drawn."""
_ELEMENT = "#bbb"
_SUM = COLOURS[4]


def _colour(time: int) -> str:
    return COLOURS[time % len(COLOURS)]


def draw_winograd(plan: "WinogradPlan") -> str:
    """The picture of one tile in the middle of the frame, as the text of an SVG file.

    Numbers and colours are times. In the input: the cycle in which a pixel of one channel is read; of the transformed
    tile: the turn in which a position is multiplied; in the output: the cycle in which a pixel of one channel is
    requantised. Elements of the array are drawn in the shape of the positions that they multiply in a turn.
    """
    config = plan.config
    panels = [_Pixels(plan), _Positions(plan), _Array(plan), _Sums(plan), _Output(plan)]
    left = 20
    parts = [text(left, 22, f"{plan.spec.name}: {config.vertical.name} down, {config.horizontal.name} across", BOLD)]
    middle = HEAD + config.vertical.inputs * CELL / 2
    for number, panel in enumerate(panels):
        if number:
            parts += [line([(left - _GAP + 10, middle), (left - 12, middle)]), arrow(left - 10, middle)]
        parts.append(text(left, HEAD - 14, panel.title))
        parts += panel.draw(left)
        bottom = HEAD + panel.rows * CELL + 16
        parts += [text(left, bottom + 14 * index, said) for index, said in enumerate(panel.said)]
        left += panel.width + _GAP
    width = left - _GAP + 20
    height = max(HEAD + panel.rows * CELL + 16 + 14 * len(panel.said) for panel in panels) + 6
    summary = "\n".join(" ".join((panel.title, *panel.said)) for panel in panels)
    return document(plan.spec.name, summary, width, height, parts)


class _Panel:
    """One stage: a title, `rows` cells in height, and lines of words below."""

    def __init__(self, plan: "WinogradPlan", title: str, rows: int, columns: int, *said: str) -> None:
        self.plan, self.config = plan, plan.config
        self.title, self.rows, self.said = title, rows, said
        self.width = max(columns * CELL, *(LETTER * len(words) for words in (title, *said)))

    def draw(self, left: float) -> Iterator[str]:
        """The cells, as SVG elements, `left` being where the panel begins; each stage has its own."""
        raise NotImplementedError

    @staticmethod
    def numbered(left: float, row: int, column: int, number: int) -> Iterator[str]:
        x, y = left + column * CELL, HEAD + row * CELL
        yield cell(x, y, _colour(number), 0.6)
        yield text(x + CELL / 2, y + 13, str(number), INSIDE)


class _Pixels(_Panel):
    def __init__(self, plan: "WinogradPlan") -> None:
        spec, config = plan.spec, plan.config
        tile = config.bands // 2, config.tiles_across // 2
        self.top = tile[0] * config.vertical.outputs - spec.padding.top
        self.left = tile[1] * config.horizontal.outputs - spec.padding.left
        self.y = span(spec.height, [self.top, self.top + config.vertical.inputs - 1])
        self.x = span(spec.width, [self.left, self.left + config.horizontal.inputs - 1])
        super().__init__(
            plan,
            f"input, {spec.height} x {spec.width} x {spec.in_channels}",
            len(self.y),
            len(self.x),
            f"{_count(config.fetch_columns, 'column')} of a tile a cycle:",
            f"{config.fetch_cycles} cycles for all channels",
        )

    def draw(self, left: float) -> Iterator[str]:
        spec, config = self.plan.spec, self.config
        for y in self.y:
            for x in self.x:
                row, column = y - self.top, x - self.left
                inside = 0 <= y < spec.height and 0 <= x < spec.width
                read = 0 <= row < config.vertical.inputs and 0 <= column < config.horizontal.inputs
                place = y - self.y.start, x - self.x.start
                if read:
                    yield from self.numbered(left, *place, column // config.fetch_columns)
                elif inside:
                    yield cell(left + place[1] * CELL, HEAD + place[0] * CELL, "white", 1)
                if read and not inside:
                    yield cell(left + place[1] * CELL, HEAD + place[0] * CELL, OUTSIDE, 1)


class _Positions(_Panel):
    def __init__(self, plan: "WinogradPlan") -> None:
        config = plan.config
        n, across = config.vertical.inputs, config.horizontal.inputs
        super().__init__(
            plan,
            "transformed, B^T d B",
            n,
            across,
            f"{n} x {across} positions,",
            f"adders for {_count(config.row_units, 'row')} at once",
        )

    def draw(self, left: float) -> Iterator[str]:
        for row in range(self.config.vertical.inputs):
            for column in range(self.config.horizontal.inputs):
                turn = column // self.config.slice_columns
                yield from self.numbered(left, row, column, turn)


class _Array(_Panel):
    """The elements of each shown column of the array, in the shape of the positions that they multiply."""

    def __init__(self, plan: "WinogradPlan") -> None:
        config = plan.config
        self.shown = min(config.columns, _MOST_CHANNELS)
        shown = f" ({self.shown} shown)" if self.shown < config.columns else ""
        super().__init__(
            plan,
            f"array, {config.rows} x {config.columns}",
            config.vertical.inputs,
            self.shown * (config.slice_columns + 1) - 1,
            f"{config.rows} positions x {_count(config.columns, 'output channel')}{shown};",
            f"{_count(config.turns, 'turn')} of {_count(config.group_channels, 'input channel')}, summed in place",
        )

    def draw(self, left: float) -> Iterator[str]:
        for channel in range(self.shown):
            for row in range(self.config.vertical.inputs):
                for column in range(self.config.slice_columns):
                    place = channel * (self.config.slice_columns + 1) + column
                    yield cell(left + place * CELL, HEAD + row * CELL, _ELEMENT, 0.6)


class _Sums(_Panel):
    def __init__(self, plan: "WinogradPlan") -> None:
        config = plan.config
        rows, columns = config.vertical.outputs, config.horizontal.outputs
        super().__init__(
            plan,
            "back, A^T M A",
            rows,
            columns,
            f"{rows} x {columns} sums / {config.factor}",
            f"every {_count(config.channel_cycles, 'cycle')}",
        )

    def draw(self, left: float) -> Iterator[str]:
        for row in range(self.config.vertical.outputs):
            for column in range(self.config.horizontal.outputs):
                yield cell(left + column * CELL, HEAD + row * CELL, _SUM, 0.6)


class _Output(_Panel):
    def __init__(self, plan: "WinogradPlan") -> None:
        spec, config = plan.spec, plan.config
        self.top = config.bands // 2 * config.vertical.outputs
        self.left = config.tiles_across // 2 * config.horizontal.outputs
        self.y = span(spec.out_height, [self.top, self.top + config.vertical.outputs - 1])
        self.x = span(spec.out_width, [self.left, self.left + config.horizontal.outputs - 1])
        super().__init__(
            plan,
            f"output, {spec.out_height} x {spec.out_width} x {spec.out_channels}",
            len(self.y),
            len(self.x),
            f"{_count(config.requantisers, 'pixel')} a cycle",
        )

    def draw(self, left: float) -> Iterator[str]:
        spec, config = self.plan.spec, self.config
        for y in self.y:
            for x in self.x:
                row, column = y - self.top, x - self.left
                place = y - self.y.start, x - self.x.start
                made = 0 <= row < config.vertical.outputs and 0 <= column < config.horizontal.outputs
                inside = y < spec.out_height and x < spec.out_width
                if made:
                    cycle = row * config.row_cycles + column // config.requantisers
                    yield from self.numbered(left, *place, cycle)
                elif inside:
                    yield cell(left + place[1] * CELL, HEAD + place[0] * CELL, "white", 1)
                if made and not inside:
                    yield cell(left + place[1] * CELL, HEAD + place[0] * CELL, OUTSIDE, 1)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
