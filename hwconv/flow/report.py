"""What a routed design costs and how fast it is: figures, critical path, and their JSON."""

import re
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# What yosys appends to the name of the net that a cell drives or makes up around it, and nextpnr to the cell's.
_CELL_SUFFIX = re.compile(
    r"_(TRELLIS_FF|LUT4|CCU2C|PFUMX|L6MUX21|DP16KD|MULT18X18D|TRELLIS_DPR16X4)(_[^.]*)?$|\$[^.]*$"
)
_ANONYMOUS_SCOPE = re.compile(r"(?:(?<=\.)|^)genblk\d+\.")
_CLOCK_DECORATION = re.compile(r"^\$glbnet\$|\$TRELLIS_IO_IN$")


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path between two registers.

    Attributes:
        start, end: the registers, named as in the design (instances separated by dots).
        through: the nets and cells on the way, without repetition.
        delay_ns: clock edge to clock edge.
        logic_ns: what cells take of it (clock to output, logic, set-up).
        routing_ns: what wires take of it.
        in_wrapper: whether it lies in the build's wrapper and not in the design.
    """

    start: str
    end: str
    through: tuple[str, ...]
    delay_ns: float
    logic_ns: float
    routing_ns: float
    in_wrapper: bool

    def __str__(self) -> str:
        where = " (in the build's wrapper)" if self.in_wrapper else ""
        return (
            f"{self.start} to {self.end}{where}, {self.delay_ns:.2f} ns: "
            f"{self.logic_ns:.2f} in cells, {self.routing_ns:.2f} in wires"
        )


@dataclass(frozen=True, kw_only=True)
class SeedResult:
    """The figures of one seed of place and route; the wrapper's look-up tables and flip-flops are not counted.

    Attributes:
        seed: of the placement.
        fmax_mhz: the clock that the slowest path allows.
        luts: look-up tables, those of carry chains and of distributed RAM included.
        luts_by_use: `logic`, `carry` and `ram` before packing, the wrapper's included.
        ffs, multipliers, brams: flip-flops, 18 x 18 multipliers, block RAMs of 18 kbit.
        clocks: the frequency of every clock by name.
        critical_path: what limits the clock.
    """

    seed: int
    fmax_mhz: float
    luts: int
    ffs: int
    multipliers: int
    brams: int
    luts_by_use: dict[str, int]
    clocks: dict[str, float]
    critical_path: CriticalPath | None


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """A design routed with one seed or several; the figures of the fastest stand for it.

    Attributes:
        target: the name of the target.
        clock_mhz: the clock asked for, or None.
        results: one per seed, in the order asked for.
        wrapper_luts, wrapper_ffs: what the wrapper costs, not contained in the other figures.
        tools: version of each tool.
        bitstream: the fastest seed's bitstream. Its three pins are arbitrary: it shows that the flow goes to the end.
        folder: the fastest seed's report, log and configuration.
    """

    target: str
    clock_mhz: float | None
    results: tuple[SeedResult, ...]
    wrapper_luts: int
    wrapper_ffs: int
    tools: dict[str, str] = field(default_factory=dict)
    bitstream: Path | None = None
    folder: Path | None = None

    @property
    def best(self) -> SeedResult:
        """The fastest seed's result; of equals the first."""
        return max(self.results, key=lambda result: result.fmax_mhz)

    @property
    def median_mhz(self) -> float:
        """The median of all seeds' clocks."""
        return statistics.median(result.fmax_mhz for result in self.results)

    @property
    def spread_mhz(self) -> tuple[float, float]:
        """The slowest and the fastest seed's clock."""
        clocks = [result.fmax_mhz for result in self.results]
        return min(clocks), max(clocks)

    def as_json(self) -> dict[str, Any]:
        """The figures of the fastest seed, and under `seeds` those of each, as values that JSON can say."""
        slowest, fastest = self.spread_mhz
        return {
            "target": self.target,
            "clock_mhz": self.clock_mhz,
            **asdict(self.best),
            "fmax_median_mhz": self.median_mhz,
            "fmax_minimum_mhz": slowest,
            "fmax_maximum_mhz": fastest,
            "seeds": [asdict(result) for result in self.results],
            "wrapper": {"luts": self.wrapper_luts, "ffs": self.wrapper_ffs},
            "tools": self.tools,
            "bitstream": None if self.bitstream is None else str(self.bitstream),
        }


def parse_report(
    report: dict[str, Any], *, seed: int, wrapper_luts: int, wrapper_ffs: int, luts_by_use: dict[str, int]
) -> SeedResult | None:
    """Reads nextpnr's JSON report; None if it times no path between registers."""
    clocks = {
        _CLOCK_DECORATION.sub("", _CLOCK_DECORATION.sub("", name)): round(float(each["achieved"]), 2)
        for name, each in report.get("fmax", {}).items()
    }
    if not clocks:
        return None
    use = {cell: int(each["used"]) for cell, each in report["utilization"].items()}
    return SeedResult(
        seed=seed,
        fmax_mhz=min(clocks.values()),
        # A write port of distributed RAM takes the place of two look-up tables.
        luts=use.get("TRELLIS_COMB", 0) + 2 * use.get("TRELLIS_RAMW", 0) - wrapper_luts,
        ffs=use.get("TRELLIS_FF", 0) - wrapper_ffs,
        multipliers=use.get("MULT18X18D", 0),
        brams=use.get("DP16KD", 0),
        luts_by_use=luts_by_use,
        clocks=clocks,
        critical_path=_critical_path(report.get("critical_paths", [])),
    )


def design_name(cell: str) -> str:
    """A cell's name in the design's terms: instances and nets, without what tools and generate blocks add."""
    scopes, _, name = _ANONYMOUS_SCOPE.sub("", cell.removeprefix("dut.")).rpartition(".")
    name = _CELL_SUFFIX.sub("", _CELL_SUFFIX.sub("", name))
    return f"{scopes}.{name}" if scopes else name


def _critical_path(paths: list[dict[str, Any]]) -> CriticalPath | None:
    synchronous = [
        path
        for path in paths
        if path["path"] and path["from"].split()[-1] == path["to"].split()[-1] and "async" not in path["from"]
    ]
    if not synchronous:
        return None
    steps = max(synchronous, key=lambda path: sum(step["delay"] for step in path["path"]))["path"]
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    cells = [steps[0]["from"]["cell"], *(step["to"]["cell"] for step in steps)]
    through: list[str] = []
    for cell in cells[1:-1]:
        name = design_name(cell)
        if not through or through[-1] != name:
            through.append(name)
    start, end = design_name(cells[0]), design_name(cells[-1])
    if through and through[0] == start:
        del through[0]
    if through and through[-1] == end:
        del through[-1]
    return CriticalPath(
        start=start,
        end=end,
        through=tuple(through),
        delay_ns=round(total, 3),
        logic_ns=round(total - routing, 3),
        routing_ns=round(routing, 3),
        in_wrapper=not any(cell.startswith("dut.") for cell in cells),
    )
