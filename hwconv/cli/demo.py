"""`hwconv demo`: a photograph through a filter bank, from layer to routed Verilog."""

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwconv.cli.options import Json
from hwconv.cli.terminal import print_json, print_text, progress

if TYPE_CHECKING:
    from hwconv.demo import DemoResult


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where everything is written.")] = Path(
        "build/demo"
    ),
    route: Annotated[bool, typer.Option("--route/--no-route", help="Place and route as well.")] = True,
    json: Json = False,
) -> None:
    """Generate, simulate, compare and route a filter bank on a photograph; write the picture the hardware computed."""
    from hwconv.demo import run_demo

    start = time.monotonic()

    def step(what: str) -> None:
        sys.stderr.write(f"hwconv: {what} ...\n")

    # A log has the steps; a terminal also wants to see that something moves.
    with progress("running the demo") if sys.stderr.isatty() else nullcontext():
        result = run_demo(output, route=route, step=step)
    if json:
        print_json(result.to_json())
    else:
        print_text(_summary(result, time.monotonic() - start))


def _summary(result: "DemoResult", seconds: float) -> object:
    from rich.table import Table

    compared, build = result.comparison, result.build
    table = Table(
        show_header=False, title=f"A photograph through eight filters ({seconds:.0f} s)", title_justify="left"
    )
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(
        "exact", f"{compared.outputs} outputs compared with the golden model, {compared.mismatches} mismatches"
    )
    table.add_row("latency", f"{compared.latency} cycles, predicted {compared.predicted_latency}")
    table.add_row("interval", f"{compared.interval} cycles, predicted {compared.predicted_interval}")
    used = f"{compared.utilisation:.1%}" if compared.utilisation else "-"
    table.add_row("array", f"{compared.multipliers} multipliers, {used} of them busy with {compared.macs} MACs a frame")
    table.add_row("requantisers", f"{compared.requantisers}, with {compared.requantiser_multipliers} multipliers")
    if build is not None and compared.interval:
        best = build.best
        rate = best.fmax_mhz * 1e6 / compared.interval
        table.add_row("routed", f"{build.target}: {best.fmax_mhz:.1f} MHz, {rate:.0f} frames a second")
        parts = f"{best.luts} LUTs, {best.ffs} flip-flops, {best.multipliers} multipliers, {best.brams} block RAMs"
        table.add_row("area", parts)
    for name, path in result.files.items():
        table.add_row(name, path)
    return table
