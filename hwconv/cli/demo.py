"""`hwconv demo`: a photograph through a filter bank, from layer to routed Verilog; digits through whole networks."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status

from hwconv.cli.options import Json
from hwconv.cli.terminal import print_json, print_text

if TYPE_CHECKING:
    from hwconv.demo import DemoResult, DigitsResult


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where everything is written.")] = Path(
        "build/demo"
    ),
    route: Annotated[bool, typer.Option("--route/--no-route", help="Place and route as well.")] = True,
    networks: Annotated[
        bool, typer.Option("--networks/--no-networks", help="Run digits through whole networks as well.")
    ] = True,
    json: Json = False,
) -> None:
    """Generate, simulate, compare and route a filter bank on a photograph; write the picture the hardware computed.

    Then compile a classifier and an encoder-decoder and run digits through both: pictures, accuracy, uncertainty.
    """
    from hwconv.demo import digits_run, run

    start = time.monotonic()
    digits = None
    with _Steps((run.STEPS if route else run.STEPS - 1) + (digits_run.STEPS if networks else 0)) as step:
        result = run.run_demo(output, route=route, step=step)
        between = time.monotonic()
        if networks:
            digits = digits_run.run_digits(output, step=step)
    if json:
        print_json({**result.to_json(), "digits": None if digits is None else digits.to_json()})
        return
    print_text(_summary(result, between - start))
    if digits is not None:
        print_text(_digits_summary(digits, time.monotonic() - between))


class _Steps:
    """Shows on standard error what is being done: a line for each step, on a terminal with what it took."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        self._total = total
        self._number = 0
        self._text = ""
        self._start = 0.0
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._end(done=kind is None)

    def __call__(self, what: str) -> None:
        self._end(done=True)
        self._number += 1
        self._text = f"[{self._number}/{self._total}] {what}"
        self._start = time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(escape(self._text))
            self._status.start()
        else:
            sys.stderr.write(f"hwconv: {self._text} ...\n")

    def _end(self, done: bool) -> None:
        if self._status is None:
            return
        self._status.stop()
        self._status = None
        if done:
            seconds = time.monotonic() - self._start
            self._console.print(f"{self._text}: {seconds:.1f} s", highlight=False, markup=False)


def _summary(result: "DemoResult", seconds: float) -> object:
    from rich.table import Table

    compared, build = result.comparison, result.build
    table = Table(
        show_header=False, title=f"A photograph through eight filters ({seconds:.0f} s)", title_justify="left"
    )
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row("exact", f"{compared.outputs:,} outputs compared with numpy, {compared.mismatches} mismatches")
    table.add_row("latency", f"{compared.latency:,} cycles, predicted {compared.predicted_latency:,}")
    table.add_row("interval", f"{compared.interval:,} cycles, predicted {compared.predicted_interval:,}")
    used = f"{compared.utilisation:.1%}" if compared.utilisation else "-"
    table.add_row("array", f"{compared.multipliers} multipliers, {used} used by {compared.macs:,} MACs a frame")
    table.add_row("requantisers", f"{compared.requantisers}, with {compared.requantiser_multipliers} multipliers")
    if build is not None and result.frames_per_second:
        best = build.best
        table.add_row("clock", f"{best.fmax_mhz:.1f} MHz on {build.target}: {result.frames_per_second:.1f} frames/s")
        parts = f"{best.luts:,} LUTs, {best.ffs:,} flip-flops, {best.multipliers} multipliers, {best.brams} block RAMs"
        table.add_row("area", parts)
    for name, path in result.files.items():
        table.add_row(name, path)
    return table


def _digits_summary(result: "DigitsResult", seconds: float) -> object:
    from rich.table import Table

    table = Table(show_header=False, title=f"Digits through whole networks ({seconds:.0f} s)", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column()
    for name, each in (("encoder-decoder", result.denoiser), ("classifier", result.classifier)):
        table.add_row(
            name,
            f"{each.outputs:,} outputs of {each.frames} frames compared with numpy, {each.mismatches} mismatches; "
            f"{each.interval:,} cycles a frame, predicted {each.predicted_interval:,}; {each.multipliers} multipliers",
        )
    table.add_row("read rightly", ", ".join(f"{share:.1%} {kind}" for kind, share in result.accuracy.items()))
    table.add_row("PSNR", ", ".join(f"{each:.1f} dB {kind}" for kind, each in result.psnr_db.items()))
    table.add_row("uncertainty", ", ".join(f"{each:.2f} nats {kind}" for kind, each in result.entropy.items()))
    for name, path in result.files.items():
        table.add_row(name, path)
    return table
