"""`hwconv bench`: the table of benchmarks/, measured."""

from pathlib import Path
from typing import Annotated, Any

import typer

from hwconv.cli.options import Json, OptimiseName
from hwconv.cli.terminal import print_json, print_text, progress
from hwconv.errors import MismatchError

TARGET = "lfe5u-85f-6"
"""What networks are measured on."""
SEEDS = 3
"""With which they are routed."""
LONGEST_SHOWN = 80
"""Characters of a wrong option that a message repeats."""


def _numbers(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(each) for each in text.split(",")]
    except ValueError as error:
        shown = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + ".."
        raise typer.BadParameter(f"--multipliers: expected numbers with commas between, not {shown!r}") from error


def bench(
    layers: Annotated[
        str | None,
        typer.Option(
            "--layers",
            metavar="A,B",
            help="Of the table, variants too; by default all layers.",
            show_default=False,
        ),
    ] = None,
    multipliers: Annotated[
        str | None,
        typer.Option(
            "--multipliers",
            metavar="N,M",
            help="By default 16,64,144; lanes: 1,4,16.",
            show_default=False,
        ),
    ] = None,
    simulation: Annotated[
        bool, typer.Option("--simulation/--no-simulation", help="Measure, or list plans and what is recorded.")
    ] = True,
    route: Annotated[
        bool, typer.Option("--route", help="Place and route three engines instead: 24 runs of some minutes each.")
    ] = False,
    network: Annotated[
        list[Path] | None,
        typer.Option("--network", metavar="MODEL", help="Measure whole networks instead.", show_default=False),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="NAME", help=f"Of networks; by default {TARGET}.", show_default=False),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds",
            min=1,
            max=100,
            metavar="N",
            help=f"Of networks that are routed; by default {SEEDS}.",
            show_default=False,
        ),
    ] = None,
    optimise: Annotated[
        OptimiseName | None,
        typer.Option("--optimise", help="Of networks: for what; by default for both.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the figures are kept.")] = Path(
        "benchmarks"
    ),
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=256, metavar="N", help="Simulations or seeds at a time.")
    ] = 1,
    json: Json = False,
) -> None:
    """Measure the fixed table of layers: exactness, cycles, utilisation, speed; with --route clock and area."""
    if (network or route) and (multipliers is not None or not simulation):
        raise typer.BadParameter("--multipliers and --no-simulation go without --network and --route")
    if network and layers is not None:
        raise typer.BadParameter("--layers goes without --network")
    if network:
        if seeds is not None and not route:
            raise typer.BadParameter("--seeds goes with --route")
        purposes = [optimise.value] if optimise else [each.value for each in OptimiseName]
        _networks(network, target or TARGET, purposes, (seeds or SEEDS) if route else 0, output, jobs, json)
        return
    if any(each is not None for each in (target, seeds, optimise)):
        raise typer.BadParameter("--target, --seeds and --optimise go with --network")
    from hwconv.bench.run import chosen

    names = layers.split(",") if layers else None
    if route:
        _route(names, output, jobs, json)
        return
    engines = chosen(names, _numbers(multipliers))
    if simulation:
        _measure(engines, output, jobs, json)
    else:
        _list(engines, output, json)


def _measure(engines: list[tuple[str, int]], output: Path, jobs: int, json: bool) -> None:
    from hwconv.bench import page, record, run, speed
    from hwconv.bench.layers import SPECS

    rows: list[dict[str, Any]] = []
    timed = None
    with progress("measuring engines", total=len(engines)) as step:
        for engine, row in run.measure(engines, jobs, step):
            rows.append(row)
            if not run.problems(row):
                record.save_rows(output, record.VARIANTS if "family" in row else record.UTILISATION, [row])
            if isinstance(engine, run.Engine) and (engine.layer, engine.asked) == speed.ENGINE:
                timed = engine
    figures = None
    if timed is not None:
        names = list(dict.fromkeys(layer for layer, _ in engines if layer in SPECS))
        with progress("timing simulation and generation", total=len(names) + 1) as step:
            simulated = speed.simulation_speed(timed)
            step()
            generated = speed.generation_speed(names, step)
        figures = {"simulation": simulated, "generation": generated, "machine": speed.machine()}
        record.save(output / record.SPEED, figures)
    (output / record.PAGE).write_text(page.render(output), encoding="utf-8")
    if json:
        print_json({"rows": rows, "speed": figures})
    else:
        print_text(*_tables(rows), *_speed_lines(figures), f"written: {output}")
    wrong = [problem for row in rows for problem in run.problems(row)]
    if wrong:
        raise MismatchError(wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))


def _tables(rows: list[dict[str, Any]]) -> list[object]:
    """Layers of the table, and variants."""
    from hwconv.bench.tables import utilisation_table, variants_table

    layers, others = ([row for row in rows if ("family" in row) == wanted] for wanted in (False, True))
    return [*([utilisation_table(layers)] if layers else []), *([variants_table(others)] if others else [])]


def _speed_lines(figures: dict[str, Any] | None) -> list[str]:
    if figures is None:
        return []
    simulated = figures["simulation"]
    engine = f"{simulated['layer']} with {simulated['multipliers']} multipliers"
    slowest = max(row["cpu_seconds"] for row in figures["generation"])
    return [
        f"simulation: {simulated['cycles_per_second']:,} cycles a second ({engine})",
        f"generation: {slowest:.1f} s of the processor's time for the slowest layer",
    ]


def _list(engines: list[tuple[str, int]], output: Path, json: bool) -> None:
    """What the plans say, and for each engine whether what is recorded was measured on the Verilog it has now."""
    from hwconv.bench import record, run, variants
    from hwconv.bench.tables import routing_table

    both = [*record.load_rows(output, record.UTILISATION), *record.load_rows(output, record.VARIANTS)]
    recorded = {(row["layer"], run.asked_for(row)): row for row in both}
    routed = record.load_rows(output, record.ROUTING)
    routed = [row for row in routed if (row["layer"], row["multipliers_asked"]) in engines]
    rows = []
    again = list(dict.fromkeys((row["layer"], row["multipliers_asked"]) for row in routed))
    with progress("generating engines", total=len(engines) + len(again)) as step:
        for layer, asked in engines:
            if layer in variants.FAMILIES:
                variant = variants.generate(layer, asked)
                planned = variants.planned_row(variant, run.rtl_hash(variant.files))
            else:
                planned = run.planned_row(run.generate(layer, asked))
            known = recorded.get((layer, asked))
            state = "not measured" if known is None else record.state(known, planned["rtl"])
            rows.append({**(known or {}), **planned, "state": state})
            step()
        for layer, asked in again:
            rtl = run.generate(layer, asked, "ecp5").rtl
            for row in routed:
                if (row["layer"], row["multipliers_asked"]) == (layer, asked):
                    row["state"] = record.state(row, rtl)
            step()
    if json:
        print_json({"rows": rows, "routing": routed})
    else:
        print_text(*_tables(rows), *([routing_table(routed)] if routed else []))


def _route(layers: list[str] | None, output: Path, jobs: int, json: bool) -> None:
    from hwconv.bench import page, record, routing
    from hwconv.bench.tables import routing_table

    engines = routing.chosen(layers)
    rows = []
    with progress("routing", total=len(engines) * routing.RUNS_EACH) as step:
        for row in routing.route(engines, jobs, step):
            rows.append(row)
            record.save_rows(output, record.ROUTING, [row])
            (output / record.PAGE).write_text(page.render(output), encoding="utf-8")
    if json:
        print_json({"routing": rows})
    else:
        print_text(routing_table(rows), f"written: {output}")


def _networks(
    files: list[Path], target: str, purposes: list[Any], seeds: int, output: Path, jobs: int, json: bool
) -> None:
    """Whole networks, each for every purpose; with `seeds`, placed and routed."""
    from hwconv.bench import networks, page, record

    rows = []
    with progress("measuring networks", total=len(files) * len(purposes)) as step:
        for file in files:
            for purpose in purposes:
                if seeds:
                    row = networks.routed_network(file, target, purpose, tuple(range(1, seeds + 1)), jobs)
                else:
                    row = networks.measured_network(file, target, purpose)
                rows.append(row)
                if not networks.problems(row):
                    record.save_networks(output, [row])
                    (output / record.PAGE).write_text(page.render(output), encoding="utf-8")
                step()
    if json:
        print_json({"networks": rows})
    else:
        print_text(
            *(
                f"{row['network']} on {row['target']} for {row['optimise']}: {row['mismatches']} mismatches in "
                f"{row['outputs']} outputs, latency {row['latency']}, interval {row['interval']} cycles"
                + (f", {row['fmax_median_mhz']:.1f} MHz" if "seeds" in row else "")
                for row in rows
            ),
            f"written: {output}",
        )
    wrong = [problem for row in rows for problem in networks.problems(row)]
    if wrong:
        raise MismatchError(wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
