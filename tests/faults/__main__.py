"""``python -m faults``: makes every fault, runs the checks until one notices it, and reports the share."""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from faults import (
    addresses,
    arithmetic,
    control,
    graphs,
    loading,
    loops,
    masks,
    mutations,
    phases,
    programs,
    residuals,
    results,
    streams,
    tiles,
    upscale,
)
from faults.edits import Described, Misfit
from faults.equivalence import reason
from faults.subjects import subject
from faults.trials import judge, own_cache
from hwconv.cli.terminal import print_error, print_json, print_text, progress
from hwconv.errors import HwconvError
from hwconv.simulation import Design

DESCRIBED: tuple[Described, ...] = (
    *addresses.FAULTS,
    *control.FAULTS,
    *streams.FAULTS,
    *arithmetic.FAULTS,
    *programs.FAULTS,
    *loops.FAULTS,
    *residuals.FAULTS,
    *phases.FAULTS,
    *tiles.FAULTS,
    *graphs.FAULTS,
    *upscale.FAULTS,
    *loading.FAULTS,
    *masks.FAULTS,
)
SEED = 1
"""Of the random faults."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="faults", description=__doc__)
    parser.add_argument("--json", action="store_true", help="write JSON, and nothing else, to standard output")
    parser.add_argument("--only", default="", metavar="WORDS", help="faults whose name or engine holds these words")
    parser.add_argument("--random", type=int, default=mutations.EACH, metavar="N", help="random faults of each engine")
    parser.add_argument("--seed", type=int, default=SEED, help="of the random faults")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="engines at a time")
    parser.add_argument("--output", type=Path, default=Path("benchmarks"), metavar="DIR", help="where results are kept")
    options = parser.parse_args()
    chosen = [index for index, fault in enumerate(DESCRIBED) if options.only in f"{fault.name} {fault.engine}"]
    random = [name for name in mutations.ENGINES if options.only in name] if options.random > 0 else []
    try:
        rows = _run(chosen, random, options)
    except (HwconvError, Misfit, mutations.YosysError) as error:
        print_error(str(error))
        return 1
    total = results.summary(rows)
    if not options.only:
        results.save(options.output, rows, options.seed)
    if options.json:
        print_json({"summary": total, "rows": rows})
    else:
        _print(rows, total)
    for row in rows:
        if not row["killed_by"] and not row["equivalent"]:
            print_error(f"no check notices '{row['name']}' in {row['engine']}, and nothing says why")
    noticeable = total["faults"] - total["equivalent"]
    return 0 if noticeable and total["killed"] >= results.AIM * noticeable else 1


def _run(chosen: list[int], random: list[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Engines are judged in processes of their own, each with all its faults; rows come in the faults' order."""
    engines = list(dict.fromkeys([*(DESCRIBED[index].engine for index in chosen), *random]))
    described: dict[int, dict[str, Any]] = {}
    mutated: dict[str, list[dict[str, Any]]] = {}
    apart = multiprocessing.get_context("fork")
    with (
        own_cache(),
        progress("seeding faults", total=len(chosen) + options.random * len(random)) as step,
        ProcessPoolExecutor(max(1, options.jobs), mp_context=apart) as pool,
    ):
        waiting = {}
        for name in engines:
            own = [index for index in chosen if DESCRIBED[index].engine == name]
            waiting[pool.submit(_judged, name, own, options.random * (name in random), options.seed)] = name
        try:
            for done in as_completed(waiting):
                own_rows, mutated[waiting[done]] = done.result()
                described |= own_rows
                for _ in (*own_rows, *mutated[waiting[done]]):
                    step()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [*(described[index] for index in chosen), *(row for name in random for row in mutated[name])]


def _judged(
    name: str, described: list[int], count: int, seed: int
) -> tuple[dict[int, dict[str, Any]], list[dict[str, Any]]]:
    """The faults of one engine: those described, by index, and `count` random ones."""
    if not count:  # with random faults the netlist is run instead
        _sound(name, subject(name).design)
    rows = {index: _described(DESCRIBED[index]) for index in described}
    return rows, list(_random(name, count, seed)) if count else []


def _sound(name: str, design: Design) -> None:
    """What is not changed must pass every check, or the checks say nothing about what is."""
    verdict = judge(subject(name), design)
    if verdict.killed_by:
        raise HwconvError(f"{name} fails without a fault: {verdict.killed_by}: {verdict.said}")


def _described(fault: Described) -> dict[str, Any]:
    changed = subject(fault.engine)
    try:
        design = fault.edit.apply(changed.plan, changed.design)
    except Misfit as error:
        raise Misfit(f"the fault '{fault.name}' does not fit {fault.engine} any more: {error}") from error
    verdict = judge(changed, design)
    if verdict.killed_by and fault.equivalent:
        raise Misfit(f"the fault '{fault.name}' is called equivalent, but {verdict.killed_by} notices it")
    return {
        "source": "described",
        "name": fault.name,
        "kind": fault.kind,
        "engine": fault.engine,
        "killed_by": verdict.killed_by,
        "equivalent": fault.equivalent,
    }


def _random(name: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    changed = subject(name)
    netlist, mutated = mutations.netlist_and_mutations(changed.design, count, seed)
    _sound(name, netlist)
    for mutation in mutated:
        verdict = judge(changed, mutation.design)
        yield {
            "source": "random",
            "name": mutation.short,
            "kind": mutation.kind,
            "engine": name,
            "killed_by": verdict.killed_by,
            "equivalent": "" if verdict.killed_by else reason(mutation, changed),
        }


def _print(rows: list[dict[str, Any]], total: dict[str, Any]) -> None:
    for row in rows:
        fate = row["killed_by"] or (f"equivalent: {row['equivalent']}" if row["equivalent"] else "SURVIVED")
        print_text(f"{row['engine']}: {row['name']}: {fate}")
    print_text(
        f"{total['killed']} of {total['faults']} faults noticed ({100 * total['share']:.1f} %), "
        f"{total['equivalent']} equivalent, {total['survived']} survived"
    )


if __name__ == "__main__":
    sys.exit(main())
