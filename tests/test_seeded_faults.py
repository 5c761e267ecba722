"""The seeded faults: each still fits what the generator makes, and a sample of each kind is noticed."""

import re
from dataclasses import replace

import pytest
from faults import mutations
from faults.__main__ import DESCRIBED
from faults.edits import Described, Misfit, Verilog
from faults.equivalence import equal_engine, equal_module
from faults.results import page, summary
from faults.subjects import subject
from faults.trials import judge, own_cache

SAMPLE = (
    "top pad one row larger",
    "frame_error pulses for each fault of a frame",
    "queue of beats taken for four beats deeper",
    "restart mark dropped in a depthwise array",
    "a threshold between offsets off",
    "a carry of a multiplier of look-up tables dropped",
    "weights stay those of the first layer",
    "the second engine does not wait for the first one",
    "a sum that wraps is one bit short",
    "a concatenation's turn is one beat short",
    "a pixel's place is free before its last line is read",
    "an image of another engine counts",
    "a number that is the threshold is dropped",
)
"""One for each of most checks; `make faults` runs all."""


def test_every_described_fault_has_a_name_of_its_own():
    assert len({fault.name for fault in DESCRIBED}) == len(DESCRIBED) >= 180


@pytest.mark.sampled
@pytest.mark.parametrize("engine", sorted({fault.engine for fault in DESCRIBED}))
def test_every_described_fault_of_an_engine_fits(engine):
    sound = subject(engine)
    for fault in DESCRIBED:
        if fault.engine == engine:
            changed = fault.edit.apply(sound.plan, sound.design)
            assert changed.files != sound.design.files, fault.name


@pytest.mark.sampled
@pytest.mark.parametrize("name", SAMPLE)
def test_a_fault_is_noticed(name):
    fault: Described = next(fault for fault in DESCRIBED if fault.name == name)
    sound = subject(fault.engine)
    with own_cache():
        verdict = judge(sound, fault.edit.apply(sound.plan, sound.design))
    assert verdict.killed_by, name
    print(f"{name}: {verdict.killed_by}: {verdict.said}")


@pytest.mark.parametrize("name", ["exact unit rounds negative halves up", "exact unit's first rounding one bit low"])
def test_a_requantiser_that_is_wrong_for_few_sums_is_noticed_without_a_frame(name):
    fault = next(fault for fault in DESCRIBED if fault.name == name)
    sound = subject(fault.engine)
    with pytest.raises(AssertionError, match="requantiser 0 makes"):
        dict(sound.checks)["requantisers"](fault.edit.apply(sound.plan, sound.design))


@pytest.mark.parametrize("find", ["no such text", r"assign"], ids=["nowhere", "in several places"])
def test_a_fault_that_does_not_fit_one_place_is_refused(find):
    sound = subject("odd_beats")
    with pytest.raises(Misfit, match=r"changes .* places of ledger, not one"):
        Verilog("ledger", find, "wire").apply(sound.plan, sound.design)


def test_shares_are_counted_over_all_faults():
    row = {"source": "described", "name": "a", "kind": "pad", "engine": "e"}
    rows = [
        {**row, "killed_by": "resets", "equivalent": ""},
        {**row, "killed_by": "", "equivalent": "nothing reads it"},
        {**row, "killed_by": "", "equivalent": ""},
        {**row, "killed_by": "tables", "equivalent": ""},
    ]
    assert summary(rows) == {"faults": 4, "killed": 2, "equivalent": 1, "survived": 1, "share": 0.5}
    text = page(rows, 1)
    assert "**2 of 4 faults noticed (50.0 %)**" in text
    assert "| a | pad | e | **survived** |" in text
    assert "equivalent: nothing reads it" in text


@pytest.mark.eda
def test_a_random_mutation_is_applied_and_an_unmutated_netlist_passes():
    sound = subject("single_beat_frames")
    netlist, mutated = mutations.netlist_and_mutations(sound.design, 6, 1)
    assert len(mutated) == 6
    with own_cache():
        assert not judge(sound, netlist).killed_by
        for mutation in mutated:
            assert mutation.design.files != netlist.files
            if judge(sound, mutation.design).killed_by:
                assert not equal_module(mutation)  # what a check notices cannot be proven equal


@pytest.mark.eda
def test_what_only_other_modules_rule_out_is_proven_in_the_whole_engine():
    """A frame of this engine is one tile, the last: which rows any other would release makes no difference."""
    sound = subject("wide_beats")
    _, [mutation] = mutations.netlist_and_mutations(sound.design, 1, 1)
    ledger = mutation.netlist.split("\nmodule \\wide_beats_ledger\n")[1].split("\nmodule ")[0]
    chosen = re.search(r"cell \$or (\S+)\n(?:    .*\n)*    connect \\A \\computing_last\n", ledger)
    assert chosen
    proven = {}
    for port in "AB":
        command = f"mutate -mode inv -module wide_beats_ledger -cell {chosen[1]} -port {port} -portbit 0"
        changed = replace(mutation, command=command)
        assert not equal_module(changed)
        proven[port] = equal_engine(changed)
    assert proven == {"A": False, "B": True}
