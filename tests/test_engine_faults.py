"""Damaged frames and resets: an engine completes or cuts what is damaged, says so, and the frames after it are right.

Icarus in the default run; ``pytest -m slow tests/test_engine_faults.py`` repeats it in Verilator, where registers that
no reset sets start with random bits.
"""

import pytest
from checked_engines import ENGINES, engine
from engine_checks import (
    PAUSES,
    bench_of,
    check_double_faults,
    check_faults,
    check_free,
    check_long_pauses,
    check_random_faults,
    check_requantisers,
    check_resets,
    check_tables,
)

both_paces = pytest.mark.parametrize("stalls", PAUSES, ids=["free", "stalled"])
every_engine = pytest.mark.parametrize("name", ENGINES)


@every_engine
@both_paces
def test_every_damaged_frame_is_told_and_the_next_is_right(name, stalls):
    check_faults(bench_of(engine(name)), stalls)


@every_engine
def test_faults_in_frame_after_frame_are_told_each(name, seed):
    check_random_faults(bench_of(engine(name)), seed)


@every_engine
def test_an_engine_starts_again_after_a_reset_in_any_cycle(name, seed):
    check_resets(bench_of(engine(name)), seed, 10)


@every_engine
def test_a_frame_with_several_faults_is_told_once(name):
    check_double_faults(bench_of(engine(name)))


@every_engine
def test_nothing_is_lost_while_the_sink_rests_until_every_buffer_is_full(name):
    check_long_pauses(bench_of(engine(name)))


@every_engine
def test_the_tables_written_mean_the_golden_function_of_every_sum(name):
    check_tables(bench_of(engine(name)))


@every_engine
def test_the_requantisers_written_compute_the_golden_function_where_it_changes(name):
    print(f"{name}: {check_requantisers(bench_of(engine(name)))} sums")


@every_engine
def test_an_undamaged_engine_is_exact_and_as_fast_as_predicted(name):
    check_free(bench_of(engine(name)))


@pytest.mark.slow
@every_engine
def test_faults_and_resets_in_verilator_with_random_registers(name, seed):
    bench = bench_of(engine(name), "verilator", initial_seed=seed % 1000 + 1)
    for stalls in PAUSES:
        check_faults(bench, stalls)
    check_random_faults(bench.seeded(1), seed)
    check_resets(bench, seed, 40)
