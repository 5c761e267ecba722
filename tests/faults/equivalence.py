"""Why nobody can notice a mutation that no check notices: a proof by yosys, or every sum of a requantiser tried."""

import tempfile
from pathlib import Path

from engine_checks import Bench, check_requantisers

from faults.mutations import Mutation, YosysError, yosys
from faults.subjects import Subject
from hwconv.plan.engine_plan import EnginePlan

# Only outputs and registers must agree, not the nets between them, whose names are n and a number.
COMPARED = (
    "select gold/n* gate/n* gold/*.n* gate/*.n*",
    "rename -hide",
    "select -clear",
    "equiv_make gold gate equal",
    # The modules below stay, as black boxes: without them yosys does not know which of their ports drive.
    "hierarchy -top equal",
    "equiv_struct",
    "equiv_simple -undef",
    "equiv_induct -undef -seq 4",
    "equiv_status -assert",
)
"""Whether whatever agreed for four cycles agrees for ever; that it does so at first is what the checks have seen."""


def reason(mutation: Mutation, subject: Subject) -> str:
    """Says why a mutation changes nothing that anybody could see; empty if that is not proven.

    Its module alone is tried first. Where it takes more to know, of a requantiser that tables hold what they hold, or
    of control what other modules send, the sums of all channels or the whole engine are.
    """
    if equal_module(mutation):
        return "yosys proves the module's outputs equal by induction"
    if "_requantiser" in mutation.module and isinstance(subject.plan, EnginePlan):
        tried = right_sums(mutation, subject.plan)
        if tried:
            return f"all {tried:,} sums that any channel's weights can add up to give the right output"
    return "yosys proves all that leaves the engine's logic equal by induction" if equal_engine(mutation) else ""


def equal_module(mutation: Mutation) -> bool:
    """Whether the mutated module's outputs are equal for all inputs."""
    return _holds(
        mutation,
        [
            "design -save whole",
            mutation.command,
            f"rename {mutation.module} gate",
            f"design -copy-from whole -as gold {mutation.module}",
        ],
    )


def equal_engine(mutation: Mutation) -> bool:
    """Whether the engine's outputs and all inputs of its memories and vendor blocks are equal, for all that these
    could answer."""
    top = mutation.design.top
    flat = (f"hierarchy -top {top}", "flatten", "memory_map", "opt_clean", "expose -evert")
    return _holds(
        mutation,
        [
            "design -save mutable",
            *flat,
            "design -save whole",
            "design -load mutable",
            mutation.command,
            *flat,
            f"rename {top} gate",
            f"design -copy-from whole -as gold {top}",
        ],
    )


def right_sums(mutation: Mutation, plan: EnginePlan) -> int:
    """How many sums the mutated requantiser was tried with: all there are; 0 if it makes a wrong output of one."""
    try:
        return check_requantisers(Bench(plan=plan, design=mutation.design), every_sum=True)
    except AssertionError:
        return 0


def _holds(mutation: Mutation, both: list[str]) -> bool:
    """Runs the comparison on the modules `gold` and `gate`, which `both` makes of the netlist."""
    with tempfile.TemporaryDirectory(prefix="hwconv-mutate-") as place:
        (Path(place) / "netlist.il").write_text(mutation.netlist)
        try:
            yosys("\n".join(["read_rtlil netlist.il", *both, *COMPARED, ""]), Path(place))
        except YosysError:
            return False
    return True
