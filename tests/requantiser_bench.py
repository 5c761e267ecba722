"""Runs a requantiser of generated Verilog by itself under Icarus: a sum and a table entry go in with every cycle."""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwconv.plan.requantiser_config import RequantiserPlan
from hwconv.simulation.tools import find_icarus

MARGIN = 40
"""Cycles after the last sum: more than any unit's latency."""

BENCH = """
`timescale 1ns/1ns
module bench;
    reg clk = 0;
    reg [{width}-1:0] stimulus [0:{cycles}-1];
    reg [{accumulator}-1:0] accumulator;
    reg [{entry}-1:0] entry;
    wire [{output}-1:0] o;
    integer t;
    {module} dut (.clk(clk), .accumulator(accumulator), .entry(entry), {ports});
    initial begin
        $readmemh("stimulus.mem", stimulus);
        for (t = 0; t < {cycles}; t = t + 1) begin
            {{entry, accumulator}} = stimulus[t];
            #1 $display("%h", o);
            #4 clk = 1;
            #5 clk = 0;
        end
    end
endmodule
"""


def outputs_by_cycle(
    plan: RequantiserPlan, sources: Mapping[str, str], module: str, stimulus: Sequence[tuple[int, int]]
) -> list[str]:
    """What a unit gives in each cycle, in hexadecimal digits, for (entry, sum) by cycle and MARGIN cycles after them.

    Parameters:
        sources: Verilog by file name, of which `module` is the unit. Its output may be cut in several ports.
    """
    text = "\n".join(sources.values())
    found = re.search(rf"^module {module}\([\s\S]*?^endmodule", text, re.MULTILINE)
    assert found, f"there is no module {module}"
    ports = [".rst(1'b0)"] if "input rst;" in found[0] else []
    first = 0
    for highest, name in re.findall(r"^  output (?:\[(\d+):0\] )?(\w+);", found[0], re.MULTILINE):
        ports.append(f".{name}(o[{first + int(highest or 0)}:{first}])")
        first += int(highest or 0) + 1
    assert first == plan.output_width
    cycles = len(stimulus) + MARGIN
    bench = BENCH.format(
        width=plan.entry_width + plan.accumulator_width,
        cycles=cycles,
        accumulator=plan.accumulator_width,
        entry=plan.entry_width,
        output=plan.output_width,
        module=module,
        ports=", ".join(ports),
    )
    mask = (1 << plan.accumulator_width) - 1
    words = [entry << plan.accumulator_width | value & mask for entry, value in stimulus] + [0] * MARGIN
    with tempfile.TemporaryDirectory(prefix="hwconv-requantiser-") as place:
        folder = Path(place)
        (folder / "stimulus.mem").write_text("".join(f"{word:x}\n" for word in words))
        for name, text in {**sources, "bench.v": bench}.items():
            (folder / name).write_text(text)
        icarus = find_icarus()
        compiled = [icarus.compiler, "-g2005", "-o", "bench.vvp", "-s", "bench", "bench.v", *sources]
        subprocess.run(compiled, cwd=folder, check=True, capture_output=True, timeout=120)
        ran = [icarus.runtime, "-n", "bench.vvp"]
        done = subprocess.run(ran, cwd=folder, check=True, capture_output=True, text=True, timeout=300)
    lines = done.stdout.split()
    assert len(lines) == cycles
    return lines


def in_digits(plan: RequantiserPlan, values: Sequence[int]) -> list[str]:
    """Outputs as the unit's port shows them."""
    return [f"{int(value) & (1 << plan.output_width) - 1:0{plan.output_width // 4}x}" for value in values]
